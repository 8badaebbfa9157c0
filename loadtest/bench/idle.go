package bench

import (
	"context"
	"strconv"
)

// quiet is more than the 10 to 20 s after which the server has given back what the connecting took; warm-up comes before it.
const quiet = "50s"

// idleConnections of a bar are as many as one process has descriptors for, with room.
const idleConnections = 15_000

func idle() group {
	return group{"idle", []goal{{"idle connection", "KiB", lower, 12}}, memory(idleConnections, "0")}
}

// bundle has few accounts with many connections each: 15,000 members in 300 channels would be 4.5 million rows.
func bundle() group {
	return group{"bundle", []goal{{"idle connection with a bundle of 300", "KiB", lower, 16}}, memory(500, "300")}
}

// memory is that of the server for each connection.
func memory(accounts int, channels string) func(context.Context, *lab) ([]sample, error) {
	return func(ctx context.Context, l *lab) ([]sample, error) {
		res, err := l.alone(ctx, accounts, "idle", "-n", strconv.Itoa(idleConnections), "--bundle", channels, "--duration", quiet)
		if err != nil {
			return nil, err
		}
		v, err := figure(res, "memory for each connection")
		return []sample{{value: v}}, err
	}
}
