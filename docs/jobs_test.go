package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
)

// worker is a server that does jobs alone: that of the world does not know their kinds.
func (w *world) worker(p Peers, jobs map[jobKind]job) *Server {
	return &Server{db: w.db, peers: p, logger: slog.New(slog.DiscardHandler), jobs: jobs}
}

// testLane is of the kind that tests make up.
var testLane = lane{kinds: []jobKind{"test"}, most: jobTime}

// doJobs does what is due of a lane at a time.
func (s *Server) doJobs(ctx context.Context, of lane, now time.Time) error {
	w := s.newLaneWork(of)
	defer w.slots.Wait()
	for more := true; more; {
		var err error
		if more, err = w.look(ctx, now); err != nil {
			return err
		}
	}
	return nil
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
			if err := s.doJobs(t.Context(), testLane, at); err != nil {
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
			if err := s.doJobs(t.Context(), testLane, time.Now()); err != nil {
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
			if err := s.doJobs(t.Context(), testLane, time.Now().Add(at.in)); err != nil {
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
		if err := s.doJobs(t.Context(), testLane, time.Now()); err != nil {
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

// Each kind of jobs that the service has is of one lane.
func TestEachKindHasALane(t *testing.T) {
	w := newWorld(t, meshtest.SQLite(t))
	of := map[jobKind]int{}
	for _, l := range lanes() {
		for _, kind := range l.kinds {
			of[kind]++
		}
	}
	for kind := range w.server.jobs {
		if of[kind] != 1 {
			t.Errorf("%s is of %d lanes", kind, of[kind])
		}
		delete(of, kind)
	}
	if len(of) > 0 {
		t.Errorf("nobody does %v", of)
	}
}

// A job that takes all the time it has is put off like one that fails, not due at once again.
func TestJobThatHangs(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		hangs := lane{kinds: testLane.kinds, most: 50 * time.Millisecond}
		s := w.worker(newAlone(), map[jobKind]job{"test": func(ctx context.Context, _ docKey) (time.Time, error) {
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		}})
		begun := time.Now()
		w.ask(docKey{"w", "a"}, "test", begun)
		if err := s.doJobs(t.Context(), hangs, time.Now()); err != nil {
			t.Fatal(err)
		}
		var due int64
		if err := w.db.QueryRow(t.Context(), `SELECT due_ms FROM docs_job WHERE document = 'a'`).Scan(&due); err != nil || due < begun.Add(jobPause).UnixMilli() {
			t.Errorf("it is due %v after it was asked for, %v", time.UnixMilli(due).Sub(begun), err)
		}
	})
}

// A lane goes on while one of its jobs takes long, and that isn't begun a second time meanwhile.
func TestLaneGoesOn(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		long, release, brief := make(chan struct{}, 10), make(chan struct{}), make(chan struct{}, 10)
		s := w.worker(newAlone(), map[jobKind]job{"test": func(_ context.Context, k docKey) (time.Time, error) {
			if k.id == "long" {
				long <- struct{}{}
				<-release
				return time.Time{}, nil
			}
			brief <- struct{}{}
			return time.Time{}, nil
		}})
		lw := s.newLaneWork(testLane)
		defer lw.slots.Wait()
		defer close(release)
		w.ask(docKey{"w", "long"}, "test", time.Now().Add(-time.Hour))
		for range 3 {
			w.ask(docKey{"w", "brief"}, "test", time.Now())
			if _, err := lw.look(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			select {
			case <-brief:
			case <-time.After(20 * time.Second):
				t.Fatal("it waits for the slowest")
			}
			eventually(t, "it is written down", func() bool {
				var n int
				err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_job WHERE document = 'brief'`).Scan(&n)
				return err == nil && n == 0
			})
		}
		if n := len(long); n != 1 {
			t.Errorf("the long one was begun %d times", n)
		}
	})
}

// However much is due of one workspace, where people wait others' turn comes after a share of it; where nobody does, what is due first is done first.
func TestWorkspacesTakeTurns(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		const many, share = jobPage + 70, 30
		for _, turns := range []int{share, 0} {
			var mu sync.Mutex // guards all below
			done, before := 0, 0
			s := w.worker(newAlone(), map[jobKind]job{"test": func(_ context.Context, k docKey) (time.Time, error) {
				mu.Lock()
				defer mu.Unlock()
				if done++; k.workspace == "few" {
					before = done
				}
				return time.Time{}, nil
			}})
			for i := range many {
				w.ask(docKey{"many", fmt.Sprint(i)}, "test", time.Now().Add(-time.Hour))
			}
			w.ask(docKey{"few", "a"}, "test", time.Now())
			if err := s.doJobs(t.Context(), lane{kinds: testLane.kinds, share: turns, most: jobTime}, time.Now()); err != nil {
				t.Fatal(err)
			}
			if done != many+1 {
				t.Errorf("share %d: %d were done, want %d", turns, done, many+1)
			}
			if most := share + 1; turns > 0 && before > most || turns == 0 && before < many-jobsAtOnce {
				t.Errorf("share %d: the other workspace's was done as number %d", turns, before)
			}
		}
	})
}

// What is due of one lane is found among very many of others: no more is read than is due.
func TestLanesAmongMany(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		w.exec(`INSERT INTO docs_job (workspace, document, kind, due_ms, asked) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) SELECT 'w', 'd' || i, 'history', i, 1 FROM n`)
		for _, l := range lanes() {
			text, served := dueQuery(w.db.Dialect(), l.kinds)
			args := append(served.Args(nil), time.Now().UnixMilli(), 5, "w", "d", "x", jobPage)
			explain := `EXPLAIN QUERY PLAN `
			if w.db.Dialect() == sqldb.Postgres {
				explain = `EXPLAIN `
			}
			var plan strings.Builder
			err := each(t.Context(), w.db.Query, explain+text, args, scanAll(func(values []any) { fmt.Fprintln(&plan, values...) }))
			if err != nil {
				t.Fatal(err)
			}
			uses, whole := strings.Count(plan.String(), "docs_job_kind"), strings.Contains(plan.String(), "Seq Scan on docs_job") || strings.Contains(plan.String(), "SCAN docs_job")
			if whole || uses != len(l.kinds) {
				t.Errorf("%v:\n%s", l.kinds, plan.String())
			}
		}
	})
}

// What takes access away waits for nothing else that is due, and neither expiries nor what people are to be told wait for the trash, or for what else
// takes long.
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
		s := w.worker(newAlone(), map[jobKind]job{jobTrash: long, jobExpiry: long, jobSweep: long, jobAccess: brief(jobAccess), jobContainer: brief(jobContainer), jobNews: brief(jobNews)})
		for i := range 3 * jobsAtOnce {
			w.ask(docKey{"w", fmt.Sprint("other", i)}, jobTrash, time.Now().Add(-2*time.Hour))
			w.ask(docKey{"w", fmt.Sprint("other", i)}, jobExpiry, time.Now().Add(-time.Hour))
			w.ask(docKey{"w", fmt.Sprint("other", i)}, jobSweep, time.Now().Add(-time.Hour))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var working sync.WaitGroup
		working.Go(func() { s.workJobs(ctx) })
		defer working.Wait()
		defer cancel()
		defer close(release)
		eventually(t, "as many of each are being done as can be", func() bool { return len(begun) == 3*jobsAtOnce })
		for _, kind := range []jobKind{jobAccess, jobContainer, jobNews} {
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
