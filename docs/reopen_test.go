package docs

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"plenum.internal/mesh/meshtest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// closeNow closes a document's session, as handing it over does.
func (w *world) closeNow(document string) {
	w.tb.Helper()
	for _, x := range w.server.sessions() {
		if x.id == document {
			x.leave()
			<-x.gone
		}
	}
}

// Who edits what was closed at a snapshot finds nothing in memory, and needs nothing.
func TestEditBehindASnapshot(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("")
		for i := range uint64(60) {
			must(ada.submit(doc, 1+i, inserts("x")))(t)
		}
		w.closeNow(doc)
		if r := must(ada.submit(doc, 61, inserts("y")))(t); r.GetVersion() != 62 {
			t.Errorf("%v", r)
		}
	})
}

// A retry gets the first answer and does nothing, even if the session that knew of it has ended, and however old its base is.
func TestLateRetries(t *testing.T) {
	for name, transform := range map[string]int{"rebased": 20_000, "too old": 20} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Transform, c.Recent = transform, min(c.Recent, transform) })
			ada, bob := w.person("ada"), w.person("bob")
			doc := ada.create("")
			ada.share(doc, "bob", editor)
			q := &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: inserts("once ")}
			first := must(bob.api.Submit(bob.write(), q))(t)
			must(ada.api.RenameDocument(ada.write(), &docsv1.RenameDocumentRequest{Document: doc, Title: "B"}))(t)
			for i := range uint64(60) {
				must(ada.submit(doc, 4+i, inserts("x")))(t)
			}
			w.closeNow(doc)
			if again := must(bob.api.Submit(bob.again(), q))(t); again.GetVersion() != first.GetVersion() {
				t.Errorf("%v, at first %v", again, first)
			}
			// A key that comes with another request, so that nothing of what lies behind its base tells of it.
			_, err := bob.api.Submit(bob.again(), &docsv1.SubmitRequest{Document: doc, Base: 64, Delta: inserts("twice ")})
			refused(t, "another request", err, edgev1.Code_CODE_CONFLICT, "topic.KEY_REUSED")
			must(ada.submit(doc, 64, inserts("x")))(t)
			if d, version := ada.content(doc, 0); version != 65 || d.Len() != len("once ")+61 {
				t.Errorf("%d code units at %d", d.Len(), version)
			}
		})
	}
}

// A change that is true already since this very call made it so is answered as the first time.
func TestLateRetryOfAChange(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("")
	q := &docsv1.RenameDocumentRequest{Document: doc, Title: "B"}
	first := must(ada.api.RenameDocument(ada.write(), q))(t)
	key := ada.again()
	for i := range uint64(60) {
		must(ada.submit(doc, 2+i, inserts("x")))(t)
	}
	w.closeNow(doc)
	if again := must(ada.api.RenameDocument(key, q))(t); again.GetVersion() != first.GetVersion() {
		t.Errorf("%v, at first %v", again, first)
	}
	if r := must(ada.api.RenameDocument(ada.write(), q))(t); r.GetVersion() != 0 {
		t.Errorf("nothing to change: %v", r)
	}
}

// A document opens however many megabytes were edited since its snapshot.
func TestOpeningAfterMuch(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("")
	const units = 1_000_000
	version := uint64(1)
	for range 10 {
		version = must(ada.submit(doc, version, inserts(strings.Repeat("x", units))))(t).GetVersion()
		version = must(ada.submit(doc, version, fmt.Sprintf(`{"ops":[{"delete":%d}]}`, units-1)))(t).GetVersion()
	}
	w.closeNow(doc)
	if got := ada.text(doc); got != strings.Repeat("x", 10) {
		t.Errorf("%q", got[:min(20, len(got))])
	}
	if d, _ := ada.content(doc, version-1); d.Len() != units+9 {
		t.Errorf("an earlier version has %d", d.Len())
	}
}

// However many documents are to be written down at once, an edit waits for a few of them: on SQLite, whose one writer it shares with them.
func TestEditsPassSnapshots(t *testing.T) {
	const documents = 200
	w := newWorld(t, meshtest.SQLite(t))
	ada := w.person("ada")
	one := ada.create("x")
	for range documents {
		must(w.server.session(t.Context(), docKey{"w", ada.create("y")}))(t)
	}
	held, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	x := must(w.server.session(t.Context(), docKey{"w", one}))(t)
	go func() {
		ended <- w.db.Write(t.Context(), func(*sql.Tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	for _, x := range w.server.sessions() {
		must(0, x.do(t.Context(), func() error { x.snapshot(true); return nil }))(t)
	}
	edited := make(chan int, 1)
	go func() {
		_, err := ada.submit(one, 1, inserts("z"))
		var written int
		if err = errors.Join(err, w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_version`).Scan(&written)); err != nil {
			t.Error(err)
		}
		edited <- written
	}()
	for waits := false; !waits; {
		must(0, x.do(t.Context(), func() error { waits = len(x.underWay) > 0; return nil }))(t)
	}
	close(release)
	if n := <-edited; n > documents/10 {
		t.Errorf("%d of %d documents were written down before the edit", n, documents)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
