package bench

import (
	"context"
	"strconv"
	"time"

	"plenum.internal/loadtest/internal/proc"
)

// quiet is more than the 15 to 30 s after which the server has given back what a burst took: the seeding, or the connecting and opening, which
// goes on for half of the time where bundles are long.
const quiet = 60 * time.Second

// idleConnections of a bar are as many as one process has descriptors for, with room.
const idleConnections = 15_000

func idle() group {
	return group{"idle", []goal{{"idle connection", "KiB", lower, 12}}, memory(idleConnections, "0")}
}

// bundle has few accounts with many connections each: 15,000 members in 300 channels would be 4.5 million rows.
func bundle() group {
	return group{"bundle", []goal{{"idle connection with a bundle of 300", "KiB", lower, 16}}, memory(500, "300")}
}

// encrypted is idle, over TLS.
func encrypted() group {
	return group{"tls", []goal{{"idle connection over TLS", "KiB", lower, 32}}, memory(idleConnections, "0", "--self_signed")}
}

// memory is what the server holds for each connection beyond what it held before, both in quiet.
func memory(accounts int, channels string, flags ...string) func(context.Context, *lab) ([]sample, error) {
	return func(ctx context.Context, l *lab) ([]sample, error) {
		s, err := l.serve(ctx, accounts, flags...)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		select {
		case <-time.After(quiet):
		case <-ctx.Done():
			return nil, ctx.Err() //nolint:wrapcheck // the bench was stopped
		}
		before, err := proc.Read([]int{s.pid})
		if err != nil {
			return nil, err //nolint:wrapcheck // names the process
		}
		res, err := s.load(ctx, "idle", "-n", strconv.Itoa(idleConnections), "--bundle", channels, "--duration", quiet.String())
		if err != nil {
			return nil, err
		}
		after, err := figure(res, "server memory") // MiB
		return []sample{{value: perConnection(after, before.Resident)}}, err
	}
}

// perConnection is KiB for each, of MiB after and bytes before.
func perConnection(after float64, before int64) float64 {
	return (after*1024 - float64(before)/1024) / idleConnections
}
