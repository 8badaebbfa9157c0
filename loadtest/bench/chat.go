package bench

// chat is the whole path: send, commit, deliver.
func chat() group {
	return group{
		"chat", []goal{{"p99 from send to delivery: 10,000 connections in channels of 10, 2,000 sends/s", "ms", lower, 50}},
		delivery(10_000, "--channels", "1000", "--rate", "2000", "--senders", "10"),
	}
}
