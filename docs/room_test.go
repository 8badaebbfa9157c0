package docs

import (
	"database/sql"
	"sync"
	"testing"

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
