package docs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

var ada, bob, cyn = person{"w", "ada"}, person{"w", "bob"}, person{"w", "cyn"}

// queue has calls wait for their turns, and tells in which order they get them.
type queue struct {
	*turns
	answers sync.Mutex // guards all below while calls are on their way
	got     []string
	end     map[string]func()
}

// ask begins a call and returns when it has a turn, waits, or was refused.
func (q *queue) ask(ctx context.Context, who person, name string) {
	go func() {
		done, ok := q.take(ctx, who)
		if !ok {
			name, done = "no "+name, func() {}
		}
		q.answers.Lock()
		defer q.answers.Unlock()
		q.got = append(q.got, name)
		q.end[name] = done
	}()
	synctest.Wait()
}

// People take turns, however many calls of theirs wait, each in the order in which they came.
func TestPeopleTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue{turns: newTurns(1, 1, 3), end: map[string]func(){}}
		for i := range 5 {
			q.ask(t.Context(), ada, fmt.Sprint("ada", i))
		}
		q.ask(t.Context(), bob, "bob0")
		q.ask(t.Context(), bob, "bob1")
		q.ask(t.Context(), cyn, "cyn0")
		for i := 0; i < len(q.got); i++ {
			q.ends(q.got[i])
		}
		if got, want := q.told(), "ada0 no ada4 bob0 cyn0 ada1 bob1 ada2 ada3"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if q.free != 1 || len(q.line) != 0 {
			t.Errorf("%d places, and %d in line", q.free, len(q.line))
		}
	})
}

// Nobody holds more than their share, and who waits is told in time, before the call's own end.
func TestTurnsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue{turns: newTurns(2, 1, 3), end: map[string]func(){}}
		q.ask(t.Context(), ada, "ada0")
		q.ask(t.Context(), ada, "ada1")
		q.ask(t.Context(), bob, "bob0")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		q.ask(ctx, bob, "bob1")
		time.Sleep(time.Second - holdMargin)
		synctest.Wait()
		if got, want := q.told(), "ada0 bob0 no bob1"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		time.Sleep(turnTime)
		synctest.Wait()
		if got, want := q.told(), "ada0 bob0 no bob1 no ada1"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		q.ends("ada0")
		q.ask(t.Context(), ada, "ada2")
		if got, want := q.told(), "ada0 bob0 no bob1 no ada1 ada2"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// Whatever people do, no place is lost, none is given twice, and none is kept from who may have it.
func TestTurnsAreKept(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			places := rapid.IntRange(1, 4).Draw(rt, "places")
			q := queue{turns: newTurns(places, rapid.IntRange(1, places).Draw(rt, "share"), 3), end: map[string]func(){}}
			for i := range rapid.IntRange(1, 60).Draw(rt, "steps") {
				switch names := q.names(); {
				case rapid.IntRange(0, 9).Draw(rt, "ends") < 4 && len(names) > 0:
					name := rapid.SampledFrom(names).Draw(rt, "name")
					q.ends(name)
				case rapid.IntRange(0, 9).Draw(rt, "waits") < 2:
					time.Sleep(time.Second)
				default:
					q.ask(t.Context(), rapid.SampledFrom([]person{ada, bob, cyn}).Draw(rt, "who"), fmt.Sprint(i))
				}
				synctest.Wait()
				q.check(rt, places)
			}
			time.Sleep(turnTime)
			synctest.Wait()
			for _, name := range q.names() {
				q.ends(name)
			}
			if q.free != places || len(q.line) != 0 {
				rt.Fatalf("%d of %d places, and %d in line", q.free, places, len(q.line))
			}
		})
	})
}

// told are the calls in the order in which they were answered.
func (q *queue) told() string {
	q.answers.Lock()
	defer q.answers.Unlock()
	return strings.Join(q.got, " ")
}

// ends ends a call that holds a place.
func (q *queue) ends(name string) {
	q.answers.Lock()
	done := q.end[name]
	delete(q.end, name)
	q.answers.Unlock()
	done()
	synctest.Wait()
}

// names are of the calls that hold places.
func (q *queue) names() (list []string) {
	q.answers.Lock()
	defer q.answers.Unlock()
	for name := range q.end {
		if !strings.HasPrefix(name, "no ") {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func (q *queue) check(rt *rapid.T, places int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	held := 0
	for _, p := range q.line {
		held += p.held
		switch {
		case p.held > q.share || len(p.waiting) > q.most || p.held == 0 && len(p.waiting) == 0:
			rt.Fatalf("%v holds %d, waits for %d", p.who, p.held, len(p.waiting))
		case len(p.waiting) > 0 && p.held < q.share && q.free > 0:
			rt.Fatalf("%v waits while %d are free", p.who, q.free)
		}
	}
	if held != len(q.names()) || held+q.free != places {
		rt.Fatalf("%d held by %v, %d free, of %d", held, q.names(), q.free, places)
	}
}

// Whoever has all the long work that one person may have under way keeps nobody else from theirs, and is told to come back, for reads, too.
func TestHeavyWorkOfOnePerson(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada, bob := w.person("ada"), w.person("bob")
	doc := ada.create("text")
	ada.share(doc, "bob", editor)
	must(ada.submit(doc, 2, inserts("more ")))(t)
	for range w.server.heavy.share {
		done, ok := w.server.heavy.take(t.Context(), person{"w", "ada"})
		if !ok {
			t.Fatal("no place is free")
		}
		defer done()
	}
	work := func(u *user) map[string]error {
		brief := func(ctx context.Context) context.Context {
			ctx, cancel := context.WithTimeout(ctx, holdMargin+200*time.Millisecond)
			t.Cleanup(cancel)
			return ctx
		}
		_, diff := u.api.DiffVersions(brief(u.read()), &docsv1.DiffVersionsRequest{Document: doc, From: 1, To: 3})
		_, export := u.api.ExportDocument(brief(u.read()), &docsv1.ExportDocumentRequest{Document: doc, Format: docsv1.Format_FORMAT_TEXT})
		_, blame := u.api.Blame(brief(u.read()), &docsv1.BlameRequest{Document: doc})
		_, restore := u.api.RestoreVersion(brief(u.write()), &docsv1.RestoreVersionRequest{Document: doc, Version: 1})
		_, past := u.api.ReadDocument(brief(u.read()), &docsv1.ReadDocumentRequest{Document: doc, Version: 1})
		_, name := u.api.NameVersion(brief(u.write()), &docsv1.NameVersionRequest{Document: doc, Version: 2, Name: "a name"})
		_, bring := u.api.ImportDocument(brief(u.write()), &docsv1.ImportDocumentRequest{Content: []byte("x"), Format: docsv1.Format_FORMAT_TEXT})
		return map[string]error{"diff": diff, "export": export, "blame": blame, "restore": restore, "import": bring, "an old version": past, "a name": name}
	}
	for what, err := range work(ada) {
		refused(t, "ada: "+what, err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
	}
	for what, err := range work(bob) {
		if err != nil {
			t.Errorf("bob: %s: %v", what, err)
		}
	}
	_, err := ada.api.EraseHistory(soon(ada.write(), t), &docsv1.EraseHistoryRequest{Document: doc, BeforeVersion: 2})
	refused(t, "ada: erase", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
	must(ada.api.ReadDocument(ada.read(), &docsv1.ReadDocumentRequest{Document: doc}))(t) // what is at hand takes no turn
}
