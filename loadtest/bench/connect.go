package bench

import (
	"context"
	"strconv"
)

// connect is a storm of sessions that each come for the first time, and open 20 channels. Any that is refused fails the run.
func connect() group {
	const sessions = 12_000
	goals := []goal{
		{"server processor time for a session with 20 topics", "us", lower, 200},
		{"12,000 sessions at once, none refused", "s", lower, 10},
		{"p99 of them from connecting to 20 open topics", "ms", lower, 3000},
	}
	return group{"connect", goals, func(ctx context.Context, l *lab) ([]sample, error) {
		plenum, control, err := l.both(ctx, sessions, "connect", "-n", strconv.Itoa(sessions), "--ramp", "0", "--topics", "20")
		if err != nil {
			return nil, err
		}
		cpu, err := figure(plenum, "server processor time for each connection")
		if err != nil {
			return nil, err
		}
		var took sample
		if took.value, err = figure(plenum, "all connected within"); err != nil {
			return nil, err
		}
		if took.control, err = figure(control, "all connected within"); err != nil {
			return nil, err
		}
		open, err := latency(plenum, control, "open")
		return []sample{{value: cpu}, took, open}, err
	}}
}
