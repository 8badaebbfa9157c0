package bench

import (
	"context"
	"strconv"
)

// fanout is what a delivery costs the server at about the most that it and its generator can: a backlog would be cheaper still, and shows in
// the p99.
func fanout() group {
	goals := []goal{{"deliveries for each core and second", "/s", higher, 370_000}, {"p99 of them from send to delivery", "ms", lower, 100}}
	return group{"fanout", goals, func(ctx context.Context, l *lab) ([]sample, error) {
		res, err := l.alone(ctx, 500, "fanout", "-n", "500", "--rate", "1000", "--senders", "100")
		if err != nil {
			return nil, err
		}
		v, err := figure(res, "deliveries per core and second")
		if err != nil {
			return nil, err
		}
		late, err := p99(res, "deliver")
		return []sample{{value: v}, {value: late}}, err
	}}
}

// crowded is one channel of 10,000.
func crowded() group {
	return group{"crowded", []goal{{"p99 from send to delivery: one channel of 10,000, 5 sends/s", "ms", lower, 100}}, delivery(10_000, "--rate", "5")}
}

// delivery is the p99 of a fan-out to so many connections, and that of the control.
func delivery(connections int, flags ...string) func(context.Context, *lab) ([]sample, error) {
	return func(ctx context.Context, l *lab) ([]sample, error) {
		plenum, control, err := l.both(ctx, connections, "fanout", append(flags, "-n", strconv.Itoa(connections))...)
		if err != nil {
			return nil, err
		}
		s, err := latency(plenum, control, "deliver")
		return []sample{s}, err
	}
}
