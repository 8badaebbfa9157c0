package docs

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// erasing is a turn of the erasing of a document's history.
func (w *world) erasing(document string) *erasing {
	w.tb.Helper()
	k := docKey{"w", document}
	states, err := w.server.log.States(w.tb.Context(), k.workspace, k.topic())
	if err != nil {
		w.tb.Fatal(err)
	}
	return &erasing{Server: w.server, docKey: k, floor: states[0].Floor, until: time.Now().Add(eraseTime)}
}

// quoted makes a document whose history is to be erased, with a thread and a suggestion from before that are open, and quote it.
func (u *user) quoted() (doc string, thread uint64) {
	u.tb.Helper()
	doc = u.create("hushed text\n")
	thread = must(u.comment(doc, 1, 0, 6, "see"))(u.tb).GetThread()
	must(u.suggest(doc, u.head(doc), at(0, "hushed, too")))(u.tb)
	must(u.submit(doc, u.head(doc), at(0, "x")))(u.tb)
	must(u.eraseHistory(doc, u.head(doc)))(u.tb)
	return doc, thread
}

// What is closed while the history that it quotes is being erased loses its quote, however far that has come.
func TestClosedWhileItIsErased(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada := w.person("ada")
		for at := range 6 {
			doc, thread := ada.quoted()
			e := w.erasing(doc)
			for i, step := range []func(context.Context) error{e.openers, e.tables, e.closed, e.events, e.finish, func(context.Context) error { return nil }} {
				if i == at {
					must(ada.api.ResolveThread(ada.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: thread, Resolved: true}))(t)
					must(ada.api.RejectSuggestions(ada.write(), &docsv1.RejectSuggestionsRequest{Document: doc, Author: "ada"}))(t)
				}
				if err := step(t.Context()); err != nil && !errors.Is(err, errMore) {
					t.Fatal(err)
				}
			}
			w.erase(doc) // it was asked for again
			for table, text := range map[string]string{"docs_thread": "hushed", "docs_suggestion": "hushed, too", "docs_suggested": "hushed, too"} {
				if n := w.holds(table, text); n > 0 {
					t.Errorf("closed before step %d: %d rows of %s quote what was erased", at, n, table)
				}
			}
			if left := w.rows(doc); len(left) == 0 {
				t.Error("the document is gone")
			}
			var asked int
			if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_erasure`).Scan(&asked); err != nil || asked != 0 {
				t.Errorf("%d are still to be erased, %v", asked, err)
			}
		}
	})
}

// waiting are the statements that wait for what others hold, as soon as there are so many, or all is done. They are asked for in a transaction, which so
// isn't taken for an idle one.
func waiting(ctx context.Context, tx *sql.Tx, want int, done <-chan error) (list []string, err error) {
	for len(list) < want && len(done) == 0 {
		if _, err := tx.ExecContext(ctx, `SELECT pg_stat_clear_snapshot()`); err != nil { // what was true before
			return nil, err
		}
		if list, err = texts(ctx, tx.QueryContext, `SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// The end of an erasure waits for who closes something just then, and finds it. They take what they both need in one order.
func TestErasureEndsWhileSomethingIsClosed(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		w := newWorld(t, url).withoutJobs()
		ada := w.person("ada")
		doc, thread := ada.quoted()
		w.closeNow(doc)
		e := w.erasing(doc)
		for _, step := range []func(context.Context) error{e.openers, e.tables, e.closed, e.events} {
			if err := step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ended := make(chan error, 1)
		err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
			b := &batch{Server: w.server, ctx: t.Context(), tx: tx}
			if err := b.eraseClosed(e.docKey, thread, e.floor, time.Now()); err != nil {
				return err
			}
			go func() { ended <- e.finish(context.WithoutCancel(t.Context())) }()
			if _, err := waiting(t.Context(), tx, 1, ended); err != nil {
				return err
			}
			return errors.Join(b.exec(`UPDATE docs_thread SET resolved = true WHERE document = $1`, doc),
				b.exec(`SELECT 1 FROM docs_document WHERE id = $1 FOR UPDATE NOWAIT`, doc)) // which comes last: nobody who waits has it
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, errMore) {
			t.Errorf("it ended with %v", err)
		}
		w.erase(doc)
		if n := w.holds("docs_thread", "hushed"); n > 0 {
			t.Errorf("%d rows quote what was erased", n)
		}
	})
}

// Likewise of who purges the document.
func TestErasureEndsWhileItIsPurged(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		w := newWorld(t, url).withoutJobs()
		ada := w.person("ada")
		doc, _ := ada.quoted()
		ada.trash(doc)
		e := w.erasing(doc)
		purged, ended := make(chan error, 1), make(chan error, 1)
		ctx := ada.write()
		err := w.db.Write(t.Context(), func(tx *sql.Tx) error { // who purges is kept in the middle of it
			if _, err := tx.ExecContext(t.Context(), `SELECT 1 FROM docs_entry WHERE document = $1 FOR UPDATE`, doc); err != nil {
				return err
			}
			go func() {
				_, err := w.api.PurgeDocument(ctx, &docsv1.PurgeDocumentRequest{Document: doc})
				purged <- err
			}()
			if _, err := waiting(t.Context(), tx, 1, purged); err != nil {
				return err
			}
			go func() { ended <- e.finish(context.WithoutCancel(t.Context())) }()
			list, err := waiting(t.Context(), tx, 2, ended)
			if !slices.ContainsFunc(list, func(q string) bool { return strings.HasPrefix(q, `DELETE FROM docs_erasure`) }) {
				t.Errorf("the end of the erasure has got past who purges: %q", list)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, errMore) {
			t.Errorf("it ended with %v", err)
		}
		if err := <-purged; err != nil {
			t.Error(err)
		}
		w.erase(doc)
		if left := w.rows(doc); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}
