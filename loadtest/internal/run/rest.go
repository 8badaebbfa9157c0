package run

import (
	"context"
	"fmt"
	"time"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/proc"
)

// What the server does by itself after it was set up is not measured: it rests once it has used less than restCores for restFor.
const (
	restFor   = time.Second
	restCores = 0.1
	restMost  = time.Minute
)

// rest waits in process 0, which watches the server, until that rests; where no process is watched, it waits for restFor.
func (r *Run) rest(ctx context.Context) error {
	r.Phase("rest")
	rests, err := rest(ctx, func() (proc.Usage, error) { return proc.Read(r.PID) })
	if err != nil {
		return fmt.Errorf("wait until the server rests: %w", err)
	}
	if !rests {
		r.sayf("the server is still busy after %v: what it does by itself is measured, too", restMost)
	}
	return nil
}

// rest waits until what read tells of rests; false: it did not within restMost.
func rest(ctx context.Context, read func() (proc.Usage, error)) (bool, error) {
	last, err := read()
	if err != nil {
		return false, err
	}
	for range restMost / restFor {
		select {
		case <-time.After(restFor):
		case <-ctx.Done():
			return false, ctx.Err() //nolint:wrapcheck // the caller does
		}
		now, err := read()
		if err != nil {
			return false, err
		}
		if (now.CPU - last.CPU).Seconds() < restCores*restFor.Seconds() {
			return true, nil
		}
		last = now
	}
	return false, nil
}

// Rehearse connects a crowd, waits until its topics are open, and lets it leave: the server has then seen everybody once.
func (r *Run) Rehearse(ctx context.Context, c *crowd.Crowd) error {
	r.Phase("rehearse")
	if err := c.ConnectAll(ctx, r.Ramp/float64(r.Peers.Of)); err != nil {
		c.Leave(nil)
		return err
	}
	c.WaitOpen(ctx, settleMost)
	there := c.Connected()
	c.Leave(nil)
	if there < len(c.Members) {
		return fmt.Errorf("%d of %d connections were refused before anything was measured: %v", len(c.Members)-there, len(c.Members), c.Refusals())
	}
	if _, err := peers.Gather(ctx, r.Peers, "rehearsed", there); err != nil {
		return err
	}
	_, err := Lead(ctx, r, "rest", func(ctx context.Context) (bool, error) { return true, r.rest(ctx) })
	return err
}
