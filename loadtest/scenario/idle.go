package scenario

import (
	"context"
	"errors"
	"time"

	"plenum.internal/loadtest/internal/proc"
	"plenum.internal/loadtest/internal/run"
)

// Idle keeps connections that do nothing.
type Idle struct {
	Bundle int `help:"Channels that each account is a member of, followed as one bundle; 0: no bundle." default:"300"`
	Open   int `help:"Channels that each has open." default:"1"`
}

// Run implements Scenario.
func (s *Idle) Run(ctx context.Context, r *run.Run) error {
	if s.Bundle < 0 || s.Open < 0 {
		return errors.New("--bundle and --open must not be negative")
	}
	channels, err := shared(ctx, r, "idle", max(s.Bundle, s.Open))
	if err != nil {
		return err
	}
	r.Crowd = r.NewCrowd()
	for i := range r.Share(r.Connections) {
		wants := events(channels[:s.Open])
		if s.Bundle > 0 {
			wants = append(wants, bundle())
		}
		r.Crowd.Add(r.Accounts[i%len(r.Accounts)], wants...)
	}
	before, err := proc.Read(r.PID)
	if err != nil {
		return err //nolint:wrapcheck // names the process
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	err = r.Measure(ctx, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
	if err != nil {
		return err
	}
	after, err := proc.Read(r.PID)
	if err != nil {
		return err //nolint:wrapcheck // names the process
	}
	if d, cpu := r.Measured(); len(r.PID) > 0 {
		n := float64(r.Connections)
		r.Figure("memory for each connection", float64(after.Resident-before.Resident)/n/1024, "KiB")
		r.Figure("server processor time for 1,000 idle connections", cpu.Seconds()/d.Seconds()/n*1000*float64(time.Second/time.Millisecond), "ms/s")
	}
	return nil
}
