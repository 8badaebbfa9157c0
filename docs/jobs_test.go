package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// worker is a server that does jobs alone: that of the world does not know their kinds.
func (w *world) worker(p Peers, jobs map[jobKind]job) *Server {
	return &Server{db: w.db, peers: p, logger: slog.New(slog.DiscardHandler), jobs: jobs}
}

func (w *world) ask(k docKey, kind jobKind, due time.Time) {
	w.tb.Helper()
	if err := w.db.Write(w.tb.Context(), func(tx *sql.Tx) error { return setJob(w.tb.Context(), tx, k, kind, due) }); err != nil {
		w.tb.Fatal(err)
	}
}

// A job is done when it is due, not before, and again when it says so; the earliest time that was asked for counts.
func TestJobs(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		now := time.Now()
		var done []string
		var next time.Time
		s := w.worker(newAlone(), map[jobKind]job{"test": func(_ context.Context, k docKey) (time.Time, error) {
			done = append(done, k.id)
			return next, nil
		}})
		work := func(at time.Time, want ...string) {
			t.Helper()
			done = nil
			if err := s.doJobs(t.Context(), otherLane, at); err != nil {
				t.Fatal(err)
			}
			if len(done) != len(want) || len(want) > 0 && done[0] != want[0] {
				t.Errorf("at %v: did %v, want %v", at.Sub(now), done, want)
			}
		}
		w.ask(docKey{"w", "a"}, "test", now.Add(time.Hour))
		w.ask(docKey{"w", "b"}, "test", now.Add(3*time.Hour))
		w.ask(docKey{"w", "a"}, "test", now.Add(2*time.Hour))
		work(now)
		next = now.Add(90 * time.Minute)
		work(now.Add(time.Hour), "a")
		work(now.Add(time.Hour))
		next = time.Time{}
		work(now.Add(2*time.Hour), "a")
		work(now.Add(2 * time.Hour))
		work(now.Add(4*time.Hour), "b")
	})
}

// What is asked for while it is done is done again, for the job may have looked before.
func TestJobIsAskedForWhileItIsDone(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		k, times := docKey{"w", "a"}, 0
		s := w.worker(newAlone(), map[jobKind]job{"test": func(context.Context, docKey) (time.Time, error) {
			if times++; times == 1 {
				w.ask(k, "test", time.Now())
			}
			return time.Time{}, nil
		}})
		w.ask(k, "test", time.Now())
		for range 3 {
			if err := s.doJobs(t.Context(), otherLane, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if times != 2 {
			t.Errorf("done %d times, want 2", times)
		}
	})
}

// A job that fails is tried again, a little later.
func TestJobFails(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		times := 0
		s := w.worker(newAlone(), map[jobKind]job{"test": func(context.Context, docKey) (time.Time, error) {
			if times++; times == 1 {
				return time.Time{}, errors.New("away")
			}
			return time.Time{}, nil
		}})
		w.ask(docKey{"w", "a"}, "test", time.Now())
		for _, at := range []struct {
			in    time.Duration
			times int
		}{{0, 1}, {jobPause / 2, 1}, {2 * jobPause, 2}, {4 * jobPause, 2}} {
			if err := s.doJobs(t.Context(), otherLane, time.Now().Add(at.in)); err != nil {
				t.Fatal(err)
			}
			if times != at.times {
				t.Errorf("after %v: done %d times, want %d", at.in, times, at.times)
			}
		}
	})
}

// Each process does the jobs of the documents that are placed at it, however many those of others are.
func TestJobsArePlaced(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		mine := docKey{"w", "mine"}
		for i := range 3 * jobPage {
			if k := (docKey{"w", string(rune('a'+i%26)) + time.Duration(i).String()}); k.route() != mine.route() { // that would be here, too
				w.ask(k, "test", time.Now().Add(-time.Hour))
			}
		}
		w.ask(mine, "test", time.Now().Add(-time.Minute))
		var done []string
		s := w.worker(onlyMine{newAlone()}, map[jobKind]job{"test": func(_ context.Context, k docKey) (time.Time, error) {
			done = append(done, k.id)
			return time.Time{}, nil
		}})
		if err := s.doJobs(t.Context(), otherLane, time.Now()); err != nil {
			t.Fatal(err)
		}
		if len(done) != 1 || done[0] != "mine" {
			t.Errorf("did %v, want that of mine", done)
		}
	})
}

// onlyMine has every document placed elsewhere but mine.
type onlyMine struct{ alone }

func (o onlyMine) Place(key string) string {
	if key == (docKey{"w", "mine"}).route() {
		return o.Self()
	}
	return "another"
}

// What takes access away waits for nothing else that is due, and expiries wait for neither the trash nor what else takes long.
func TestAccessComesFirst(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		begun, done, release := make(chan struct{}, 100), make(chan jobKind, 100), make(chan struct{})
		long := func(context.Context, docKey) (time.Time, error) {
			begun <- struct{}{}
			<-release
			return time.Time{}, nil
		}
		brief := func(kind jobKind) job {
			return func(context.Context, docKey) (time.Time, error) { done <- kind; return time.Time{}, nil }
		}
		s := w.worker(newAlone(), map[jobKind]job{jobTrash: long, jobExpiry: long, jobAccess: brief(jobAccess), jobContainer: brief(jobContainer)})
		for i := range 3 * jobsAtOnce {
			w.ask(docKey{"w", fmt.Sprint("other", i)}, jobTrash, time.Now().Add(-2*time.Hour))
			w.ask(docKey{"w", fmt.Sprint("other", i)}, jobExpiry, time.Now().Add(-time.Hour))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var working sync.WaitGroup
		working.Go(func() { s.workJobs(ctx) })
		defer working.Wait()
		defer cancel()
		defer close(release)
		eventually(t, "as many of each are being done as can be", func() bool { return len(begun) == 2*jobsAtOnce })
		for _, kind := range []jobKind{jobAccess, jobContainer} {
			w.ask(docKey{"w", "lost"}, kind, time.Now())
			select {
			case got := <-done:
				if got != kind {
					t.Errorf("%s was done, want %s", got, kind)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s waits for others", kind)
			}
		}
	})
}
