package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/proc"
)

// end is where the counts stand as measuring begins or ends.
type end struct {
	At                        time.Time
	Usage                     proc.Usage    // of the server
	Own                       time.Duration // processor time of this process
	Offered, Answered, Events uint64
}

// Connect connects the crowd at the rate of --ramp, and waits for the other processes.
func (r *Run) Connect(ctx context.Context) error {
	r.Phase("connect")
	r.mu.Lock()
	r.watched, r.since = r.Crowd, time.Now()
	r.mu.Unlock()
	if err := r.Crowd.ConnectAll(ctx, r.Ramp/float64(r.Peers.Of)); err != nil {
		return err
	}
	_, err := peers.Gather(ctx, r.Peers, "connected", r.Crowd.Connected())
	return err
}

// MeasureConnect connects the crowd and measures until all topics are open, in all processes.
func (r *Run) MeasureConnect(ctx context.Context) error {
	if err := r.mark(0); err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	r.Crowd.WaitOpen(ctx, settleMost)
	if _, err := peers.Gather(ctx, r.Peers, "open", true); err != nil {
		return err
	}
	return r.mark(1)
}

// Measure runs load through warm-up and measuring, and waits for the other processes at both ends. load ends with its context.
func (r *Run) Measure(ctx context.Context, load func(ctx context.Context) error) error {
	loading, stop := context.WithTimeout(ctx, r.Warmup+r.Duration)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- load(loading) }()
	r.Phase("warm up")
	if err := sleep(loading, r.Warmup, done); err != nil {
		return err
	}
	if err := r.mark(0); err != nil {
		return err
	}
	r.Crowd.Measure()
	r.Phase("measure")
	err := <-done
	if e := r.mark(1); e != nil {
		r.Fail("the server has ended: %v", e)
	}
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if ctx.Err() != nil {
		r.Fail("stopped before its end: %v", context.Cause(ctx))
	}
	r.Phase("settle")
	ctx, cancel := ending(ctx) // what is under way comes, too: else it would look lost
	defer cancel()
	r.Crowd.Settle(ctx, settleQuiet, settleMost/2)
	_, err = peers.Gather(ctx, r.Peers, "measured", true)
	return err
}

// ending is for what comes behind a run, though it was stopped: the other processes were, too, and tell what they found.
func ending(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleMost)
}

// What is late by less than settleQuiet after the last is still waited for, up to settleMost.
const (
	settleQuiet = 3 * time.Second
	settleMost  = time.Minute
)

func sleep(ctx context.Context, d time.Duration, done <-chan error) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-done:
		if err == nil && ctx.Err() != nil {
			return fmt.Errorf("warm up: %w", ctx.Err())
		}
		return errors.Join(errors.New("the load ended early"), err)
	case <-ctx.Done():
		return fmt.Errorf("warm up: %w", ctx.Err())
	}
}

// mark notes what the server has used and the clients have done so far.
func (r *Run) mark(which int) error {
	u, err := proc.Read(r.PID)
	own, _ := proc.Read([]int{os.Getpid()}) // 0 where the system doesn't tell
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends[which] = end{time.Now(), u, own.CPU, r.Crowd.Offered.Load(), r.Crowd.Answered.Load(), r.Crowd.Counts.Events.Load()}
	return err //nolint:wrapcheck // names the process
}

// Measured is how long was measured, and what the server's processes used of the processors meanwhile.
func (r *Run) Measured() (d, cpu time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ends[1].At.Sub(r.ends[0].At), r.ends[1].Usage.CPU - r.ends[0].Usage.CPU
}
