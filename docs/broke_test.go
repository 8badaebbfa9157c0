package docs

import (
	linked "container/list"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// What breaks down at a document ends its session, and neither the process nor another document's: whoever waits for what is under way is told what has
// become of it, and the document is opened anew from what is committed.
func TestASessionBreaksDown(t *testing.T) {
	broken := func() { panic("a defect") }
	for name, c := range map[string]struct {
		amend    amend
		follow   func() // in the session, when it is under way
		code     edgev1.Code
		reason   string // that whoever did it is told; empty: that it was done
		behind   error  // that whoever edits behind it is told
		versions uint64 // that are committed, of three
	}{
		"when it is committed": {amend{committed: broken}, func() {}, 0, "", nil, 3},
		"while it is written": {amend{write: func(*batch, *topic.Step) error { broken(); return nil }}, func() {},
			edgev1.Code_CODE_INTERNAL, "rpc.INTERNAL", errEnded, 0},
		"when it is numbered": {amend{answer: func(*topic.Row) proto.Message { broken(); return nil }}, func() {},
			edgev1.Code_CODE_INTERNAL, "rpc.INTERNAL", errEnded, 0},
		"in the session": {amend{}, broken, edgev1.Code_CODE_OUTCOME_UNKNOWN, "docs.OUTCOME", nil, 3},
	} {
		t.Run(name, func(t *testing.T) {
			everyEngine(t, func(t *testing.T, w *world) {
				ada, bob := w.person("ada"), w.person("bob")
				doc, other := ada.create("a text\n"), bob.create("")
				must(ada.submit(doc, 1, inserts("1")))(t)
				must(bob.submit(other, 1, inserts("1")))(t)
				x, beside := w.sessionOf(doc), w.sessionOf(other)
				var behind []*amendment
				edit := func() {
					e := &edit{caller: must(w.verifier.Verify(t.Context(), ada.token))(t), request: &docsv1.SubmitRequest{Document: doc, Base: x.version}, base: x.version, delta: must(ot.Parse([]byte(inserts("2")), ot.DefaultLimits()))(t)}
					if err := x.edit(e); err != nil {
						t.Error(err)
					}
					behind = append(behind, e.amendment)
				}
				var a *amendment
				err := x.once(t.Context(), func() (err error) {
					o := c.amend
					if o.entry, err = x.entry("ada", &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Renamed{Renamed: &docsv1.Renamed{Title: "x"}}}); err != nil {
						return err
					}
					if o.answer == nil {
						o.answer = func(*topic.Row) proto.Message { return &docsv1.RenameDocumentResponse{} }
					}
					a, err = x.amend(topic.Mutation{}, &o, ot.Delta{}, nil)
					edit()
					edit()
					c.follow()
					return err
				})
				told := func(version *uint64) func(uint64) { return func(v uint64) { *version = v } }
				var version uint64
				if err == nil {
					err = x.outcome(t.Context(), a, told(&version))
				}
				if c.code == 0 && (err != nil || version != 3) {
					t.Errorf("it was version %d, and told %v", version, err)
				} else if c.code != 0 {
					refused(t, "it", err, c.code, c.reason)
				}
				for i, a := range behind {
					var version uint64
					if err := x.outcome(t.Context(), a, told(&version)); !errors.Is(err, c.behind) || err == nil && version != uint64(4+i) {
						t.Errorf("behind it: version %d, %v, want %v", version, err, c.behind)
					}
				}
				<-x.gone
				must(ada.submit(doc, 2, inserts("3")))(t)
				if _, at := ada.content(doc, 0); at != 3+c.versions {
					t.Errorf("the next one is version %d, behind %d that were committed", at, c.versions)
				}
				must(bob.submit(other, 2, inserts("2")))(t)
				if w.sessionOf(other) != beside {
					t.Error("another document's session has ended")
				}
			})
		})
	}
}

// sessionOf is a document's session.
func (w *world) sessionOf(document string) *session {
	w.tb.Helper()
	return must(w.server.session(w.tb.Context(), docKey{"w", document}))(w.tb)
}

// Content that can't be written down ends its session, whenever that is tried; the document is opened anew, and given up where it was to be.
func TestContentBreaksDown(t *testing.T) {
	for name, end := range map[string]func(x *session){
		"it is due":     func(x *session) { x.due.Reset(0) },
		"it is closed":  func(x *session) { x.idle, x.leaving = true, true },
		"it can't even": func(x *session) { x.stored = nil; x.due.Reset(0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
			ada := w.person("ada")
			doc := ada.create("")
			must(ada.submit(doc, 1, inserts("x")))(t)
			x := w.sessionOf(doc)
			must(0, x.once(t.Context(), func() error { x.stored = new(ot.Document); end(x); return nil }))(t)
			<-x.gone
			eventually(t, "it is given up", func() bool {
				var node string
				must(0, w.db.QueryRow(t.Context(), `SELECT node FROM docs_document WHERE id = $1`, doc).Scan(&node))(t)
				return node == ""
			})
			if got := ada.text(doc); got != "x" {
				t.Errorf("%q", got)
			}
		})
	}
}

// What breaks down while it is opened is damage, for those who wait for it.
func TestOpeningBreaksDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := docKey{"w", "d"}
		s := &Server{logger: slog.New(slog.DiscardHandler), peers: defective{}, metrics: newMetrics(nil), open: map[docKey]*session{}, used: linked.New(), working: t.Context()}
		x := newSession(s, k)
		s.open[k], x.place = x, s.used.PushBack(x)
		told := make(chan error, 1)
		go func() {
			_, err := s.session(t.Context(), k)
			told <- err
		}()
		synctest.Wait() // for it to wait
		go x.run()
		refused(t, "it", <-told, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
		<-x.gone
		if len(s.open) > 0 {
			t.Error("it is open")
		}
	})
}

// defective is what nothing may rely on.
type defective struct{ alone }

func (defective) Lease() int64 { panic("a defect") }

// A job that breaks down is put off like one that fails, and others are done.
func TestJobBreaksDown(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	var mu sync.Mutex
	done := map[string]int{} // guarded by mu
	s := w.worker(newAlone(), map[jobKind]job{"test": func(_ context.Context, k docKey) (time.Time, error) {
		mu.Lock()
		done[k.id]++
		mu.Unlock()
		if k.id == "a" {
			panic("a defect")
		}
		return time.Time{}, nil
	}})
	w.ask(docKey{"w", "a"}, "test", time.Now())
	w.ask(docKey{"w", "b"}, "test", time.Now().Add(time.Second))
	for _, after := range []time.Duration{2 * time.Second, 4 * time.Second, 2 * jobPause} {
		if err := s.doJobs(t.Context(), testLane, time.Now().Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	if done["a"] != 2 || done["b"] != 1 {
		t.Errorf("done %v times", done)
	}
}
