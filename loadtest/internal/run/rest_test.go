package run

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/proc"
)

// What a busy server has yet to do is waited for, but not for ever; a process that is gone is an error, as is the end of the run.
func TestRest(t *testing.T) {
	gone := errors.New("gone")
	for name, c := range map[string]struct {
		busy, runs time.Duration // how long the server does
		run        time.Duration // 0: for ever
		took       time.Duration
		rests      bool
		err        error
	}{
		"idle":       {took: restFor, rests: true},
		"busy":       {busy: 3 * time.Second, took: 4 * time.Second, rests: true},
		"for ever":   {busy: time.Hour, took: restMost},
		"gone":       {busy: time.Hour, runs: 2500 * time.Millisecond, took: 3 * time.Second, err: gone},
		"over first": {busy: time.Hour, run: 20 * time.Second, took: 20 * time.Second, err: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, begin := t.Context(), time.Now()
				if c.run > 0 {
					var cancel func()
					ctx, cancel = context.WithTimeout(ctx, c.run)
					defer cancel()
				}
				rests, err := rest(ctx, func() (proc.Usage, error) {
					at := time.Since(begin)
					if c.runs > 0 && at > c.runs {
						return proc.Usage{}, gone
					}
					return proc.Usage{CPU: min(at, c.busy) / 5}, nil
				})
				if took := time.Since(begin); rests != c.rests || !errors.Is(err, c.err) || took != c.took {
					t.Errorf("%v, %v after %v", rests, err, took)
				}
			})
		})
	}
}

// Nothing is measured where not everybody got in before.
func TestRehearseRefused(t *testing.T) {
	r := bare(peers.Alone(), &bytes.Buffer{})
	r.Address, r.Reconnect = []string{"http://127.0.0.1:1"}, false
	c := r.NewCrowd()
	c.Add(&account.Account{})
	if err := r.Rehearse(t.Context(), c); err == nil || !strings.Contains(err.Error(), "1 of 1") {
		t.Error(err)
	}
}
