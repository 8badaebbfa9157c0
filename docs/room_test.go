package docs

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// While nothing can be committed, one person's edits don't take the room of the others'.
func TestRoomOfOnePerson(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("")
		ada.share(doc, "bob", editor)
		must(ada.submit(doc, 2, inserts("x")))(t)

		held, release := make(chan struct{}), make(chan struct{})
		var waiting sync.WaitGroup
		waiting.Go(func() { // on SQLite every writer waits for this one, on PostgreSQL who writes the row
			err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), `UPDATE docs_document SET title = title WHERE id = $1`, doc)
				close(held)
				<-release
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-held
		x, err := w.server.session(t.Context(), docKey{"w", doc})
		if err != nil {
			t.Fatal(err)
		}
		type way struct {
			*user
			version uint64
		}
		for i, by := range []way{{ada, 4}, {ada, 5}, {bob, 6}} {
			ctx := by.write()
			waiting.Go(func() {
				r, err := by.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 3, Delta: inserts("y")})
				if err != nil || r.GetVersion() != by.version {
					t.Errorf("%s: %v %v, want version %d", by.id, r, err, by.version)
				}
			})
			eventually(t, "an edit is under way", func() bool {
				n := 0
				if err := x.do(t.Context(), func() error { n = len(x.underWay); return nil }); err != nil {
					t.Fatal(err)
				}
				return n == i+1
			})
		}
		_, err = ada.submit(doc, 3, inserts("z"))
		refused(t, "a third edit of one person's", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
		close(release)
		waiting.Wait()
		must(ada.submit(doc, 3, inserts("z")))(t)
	}, func(c *Config) { c.UnderWay = 8 })
}

// However many documents they are of, edits that wait to be committed have so much memory at most; what was committed, or will not be, has none.
func TestRoomOfAllDocuments(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("")
	must(ada.submit(doc, 1, inserts("x")))(t)
	if n := w.server.underWay.Load(); n != 0 {
		t.Errorf("%d bytes are under way, where nothing is", n)
	}
	w.server.underWay.Add(maxUnderWay + 1) // as if others' were under way
	_, err := ada.submit(doc, 2, inserts("y"))
	refused(t, "beside as much as may be", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
	w.server.underWay.Add(-1)
	must(ada.submit(doc, 2, inserts("y")))(t)
	if n := w.server.underWay.Load(); n != maxUnderWay {
		t.Errorf("%d bytes are under way", n)
	}
}

// What one person mails to a document's session waits behind what others mail, however much it is.
func TestMailOfOnePerson(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada, bob := w.person("ada"), w.person("bob")
	doc := ada.create("")
	ada.share(doc, "bob", editor)
	must(ada.submit(doc, 2, inserts("x")))(t)
	x := must(w.server.session(t.Context(), docKey{"w", doc}))(t)

	held, release := make(chan struct{}), make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if err := x.once(t.Context(), func() error { close(held); <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-held
	const many = 40
	for range many {
		ctx := ada.write()
		waiting.Go(func() {
			must(ada.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 3, Delta: inserts("a")}))(t)
		})
	}
	calls := func(who string) (n int) {
		x.turns.mu.Lock()
		defer x.turns.mu.Unlock()
		for _, p := range x.turns.line {
			if p.who.user == who {
				n += p.held + len(p.waiting)
			}
		}
		return n
	}
	eventually(t, "all of ada's wait", func() bool { return calls("ada") == many })
	ctx := bob.write()
	waiting.Go(func() {
		r, err := bob.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 3, Delta: inserts("b")})
		if last := uint64(3 + many/4); err != nil || r.GetVersion() > last {
			t.Errorf("bob's edit is version %d, %v; want %d at most", r.GetVersion(), err, last)
		}
	})
	eventually(t, "bob's waits", func() bool { return calls("bob") == 1 })
	close(release)
	waiting.Wait()
	if got := calls("ada") + calls("bob"); got != 0 {
		t.Errorf("%d calls are left in line", got)
	}
}

// Who has many edits follow what came since keeps neither others' edits waiting that are as far behind, nor any that are not.
func TestStaleEditsOfOnePerson(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada, bob := w.person("ada"), w.person("bob")
	doc := ada.create(strings.Repeat("0123456789", 600))
	ada.share(doc, "bob", editor)
	for i := range 300 {
		must(ada.submit(doc, uint64(2+i), at(i*7, "x")))(t)
	}
	stale := stretched(190)
	for range w.server.behind.share {
		done, ok := w.server.behind.take(t.Context(), person{"w", "ada"})
		if !ok {
			t.Fatal("no place is free")
		}
		defer done()
	}
	ctx, cancel := context.WithTimeout(ada.write(), holdMargin+200*time.Millisecond)
	defer cancel()
	_, err := ada.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: stale})
	refused(t, "one more of ada's", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
	must(bob.submit(doc, 2, stale))(t)
	must(ada.submit(doc, 302, stale))(t)
}

// stretched is an edit of so many operations.
func stretched(ops int) string {
	var b ot.Builder
	for range ops / 2 {
		b.Retain(5, nil).Insert("y", nil)
	}
	d, err := b.Delta()
	if err != nil {
		panic(err)
	}
	return d.JSON()
}
