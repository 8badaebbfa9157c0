package run

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bare is a run with a crowd without members, that talks to no server.
func bare(g *peers.Group, log *bytes.Buffer) *Run {
	r := &Run{
		Options: valid(), Peers: g, API: account.NewAPI([]string{"http://127.0.0.1:1"}, nil), Log: log, begin: time.Now(), phase: "accounts",
		series: newSeries(),
	}
	r.Warmup, r.Duration = 5*time.Second, 10*time.Second
	r.Crowd = r.NewCrowd()
	return r
}

// Exactly Duration is measured, behind the warm-up, and only what was due then; the second counts are those of each second.
func TestMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := bare(peers.Alone(), &log)
		r.PID = []int{os.Getpid()}
		ctx, cancel := context.WithCancel(t.Context())
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			r.Watch(ctx)
		}()
		time.Sleep(3550 * time.Millisecond) // channels are made meanwhile
		if err := r.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		err := r.Measure(ctx, func(ctx context.Context) error {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
					r.Crowd.Offered.Add(1)
					r.Crowd.Answered.Add(1)
					r.Crowd.Counts.Events.Add(2)
					r.Crowd.Ack.Record(0, 7*time.Millisecond)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second + time.Millisecond)
		cancel()
		<-watched
		if d, _ := r.Measured(); d != r.Duration {
			t.Errorf("%v were measured", d)
		}
		if n := r.ends[1].Offered - r.ends[0].Offered; n < 98 || n > 101 {
			t.Errorf("%d were offered", n)
		}
		if n := r.Crowd.Ack.Total().TotalCount(); n < 98 || n > 101 {
			t.Errorf("%d latencies were measured", n)
		}
		all := r.series.intervals()
		if len(all) < 18 || len(all) > 21 || all[0].At != 0 {
			t.Fatalf("%d intervals from %v", len(all), all[0].At)
		}
		middle := all[10]
		if middle.Offered != 10 || middle.Answered != 10 || middle.Events != 20 || middle.Latency["ack"].Count != 10 || len(middle.Processes) != 1 {
			t.Errorf("%+v", middle)
		}
		for _, want := range []string{"accounts", "warm up", "measure", "settle", "20 events/s", "cores"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%q is not in the progress:\n%s", want, log.String())
			}
		}
	})
}

// A run that is over within a second has an interval too.
func TestShortRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := bare(peers.Alone(), &bytes.Buffer{})
		_, err := r.Play(t.Context(), func(ctx context.Context, r *Run) error {
			err := r.Connect(ctx)
			r.Crowd.Connect.Record(0, time.Millisecond)
			time.Sleep(100 * time.Millisecond)
			return errors.Join(err, errors.New("enough"))
		}, "short", nil)
		if all := r.series.intervals(); err == nil || len(all) != 1 || all[0].Took != 0.1 || all[0].Latency["connect"].Count != 1 {
			t.Errorf("%+v: %v", all, err)
		}
	})
}

// A load that ends before it is measured is an error, as is one that fails, or a process of the server that is gone.
func TestMeasureFails(t *testing.T) {
	broken := errors.New("broken")
	forever := func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}
	for name, c := range map[string]struct {
		load func(context.Context) error
		pid  int
		want string
	}{
		"early":        {func(context.Context) error { return nil }, 0, "ended early"},
		"broken":       {func(context.Context) error { return broken }, 0, "broken"},
		"broken later": {func(context.Context) error { time.Sleep(8 * time.Second); return broken }, 0, "broken"},
		"gone process": {forever, 1 << 30, "process 1073741824"},
		"end of a run": {forever, -1, "warm up"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := bare(peers.Alone(), &bytes.Buffer{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				switch {
				case c.pid > 0:
					r.PID = []int{c.pid}
				case c.pid < 0:
					cancel()
				}
				if err := r.Measure(ctx, c.load); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			})
		})
	}
}

// A run that is interrupted has measured something, but did not pass.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := bare(peers.Alone(), &bytes.Buffer{})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(7*time.Second, func() { cancel(errors.New("ctrl-c")) })
		err := r.Measure(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
		if d, _ := r.Measured(); err != nil || d != 2*time.Second || len(r.problem) != 1 || !strings.Contains(r.problem[0], "ctrl-c") {
			t.Errorf("%v after %v: %v", err, d, r.problem)
		}
	})
}

// The shares of all processes add up, and each account belongs to one process.
func TestShare(t *testing.T) {
	for n := range 50 {
		for of := 1; of < 8; of++ {
			sum := 0
			for i := range of {
				sum += (&Run{Peers: &peers.Group{Index: i, Of: of}}).Share(n)
			}
			if sum != n {
				t.Fatalf("%d of %d in %d processes", sum, n, of)
			}
		}
	}
}

// What process 0 can't do fails everywhere, with its reason.
func TestLead(t *testing.T) {
	r := bare(peers.Alone(), &bytes.Buffer{})
	got, err := Lead(t.Context(), r, "channels", func(context.Context) ([]string, error) { return []string{"a"}, nil })
	if err != nil || len(got) != 1 || got[0] != "a" {
		t.Errorf("%v: %v", got, err)
	}
	if _, err := Lead(t.Context(), r, "channels", func(context.Context) (int, error) { return 0, errors.New("no room") }); err == nil ||
		!strings.Contains(err.Error(), "no room") {
		t.Errorf("%v", err)
	}
}
