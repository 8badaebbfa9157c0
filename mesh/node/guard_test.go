package node

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// list is what a guard works on: whether the process and another one are on it.
type list struct {
	reachable, others, here, hangs, stopped atomic.Bool
}

func (l *list) guard() *guard {
	return &guard{
		ping: func(ctx context.Context) error {
			if l.stopped.Swap(false) {
				time.Sleep(time.Minute)
				return context.DeadlineExceeded
			}
			if l.hangs.Load() {
				<-ctx.Done()
				return ctx.Err()
			}
			if !l.reachable.Load() {
				return errors.New("refused")
			}
			return nil
		},
		others:   func() bool { return l.others.Load() },
		announce: func() error { l.here.Store(true); return nil },
		withdraw: func() { l.here.Store(false) },
		log:      slog.New(slog.DiscardHandler),
	}
}

// A process leaves while its database is away, for others that may reach it, and comes back when it answers or nobody else is left.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &list{}
		l.reachable.Store(true)
		l.others.Store(true)
		l.here.Store(true)
		g := l.guard()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		expect := func(what string, after time.Duration, here bool) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if l.here.Load() != here || g.withdrawn.Load() == here {
				t.Errorf("%s: here is %v, want %v", what, l.here.Load(), here)
			}
		}
		expect("all is well", time.Minute, true)
		l.reachable.Store(false)
		expect("it was away for a moment", guardPatience-guardGap-time.Millisecond, true)
		l.reachable.Store(true)
		expect("and came back", time.Minute, true)
		l.reachable.Store(false)
		expect("it is away", guardPatience+guardGap, false)
		expect("for long", time.Minute, false)
		l.others.Store(false)
		expect("nobody else is left", guardGap+time.Millisecond, true)
		expect("for long", time.Minute, true)
		l.others.Store(true)
		expect("another one came", guardGap, false)
		l.reachable.Store(true)
		expect("it answers again", guardGap, true)
		l.hangs.Store(true)
		expect("it hangs", guardPatience+guardTime, false)
		l.hangs.Store(false)
		expect("no more", guardTime+guardGap, true)
		l.stopped.Store(true)
		expect("the process itself was stopped", time.Minute+guardGap, true)
		expect("and goes on", guardTime, true)
		if n := g.times.Load(); n != 3 {
			t.Errorf("it has withdrawn %d times", n)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
