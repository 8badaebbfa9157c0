package docs

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// What a process of another version wrote beside this one is mended: where one starts, and where a document is opened.
func TestWhatAnotherVersionWrote(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada := w.person("ada")
		made := func(title string) string {
			return must(ada.api.CreateDocument(ada.write(), &docsv1.CreateDocumentRequest{Title: title}))(t).GetDocument()
		}
		b, a, renamed, gone, back := made("b"), made("Ä"), made("a"), made("gone"), made("back")
		ada.trash(back)
		for _, doc := range []string{b, a, renamed, gone, back} {
			w.closeNow(doc)
		}
		w.exec(`UPDATE docs_document SET title = 'C' WHERE id = $1`, renamed)
		w.exec(`UPDATE docs_document SET trashed = true WHERE id = $1`, gone)
		w.exec(`UPDATE docs_document SET trashed = false WHERE id = $1`, back)
		w.exec(`DELETE FROM docs_job`)
		w.exec(`DELETE FROM docs_entry WHERE document IN ($1, $2)`, b, gone)
		w.exec(`UPDATE docs_entry SET title = NULL WHERE document = $1`, a)
		titles := func(w *world, trashed bool) (titles []string) {
			u := ada.at(w)
			list, _ := u.list(&docsv1.ListDocumentsRequest{Order: byTitle, Trashed: trashed}, 2)
			for _, d := range list {
				titles = append(titles, d.GetTitle())
			}
			return titles
		}
		w = w.beside("")
		ada.world = w
		eventually(t, "it is mended", func() bool { return len(titles(w, false)) == 4 })
		if got := titles(w, true); !slices.Equal(got, []string{"gone"}) {
			t.Errorf("in the trash: %q", got)
		}
		eventually(t, "the trash begins to count", func() bool {
			d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: gone}))(t).GetDocument()
			return d.GetTrashedMs() > 0 && time.Since(time.UnixMilli(d.GetTrashedMs())) < time.Minute
		})
		for _, doc := range []string{renamed, back} {
			ada.text(doc)
		}
		if got := titles(w, false); !slices.Equal(got, []string{"b", "back", "C", "Ä"}) {
			t.Errorf("%q", got)
		}
		w.exec(`DELETE FROM docs_entry`)
		w.closeNow(b)
		if got := ada.text(b); got != "" {
			t.Errorf("%q", got)
		}
		if got := titles(w, false); !slices.Equal(got, []string{"b"}) {
			t.Errorf("opened: %q", got)
		}
	})
}

// However many documents there are: what is missing is written page by page, and where nothing is, nothing is written.
func TestMendingManyDocuments(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		const most = 2*beginBatch + 10
		err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
			for i := range most {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO docs_document (workspace, id, title, creator, created_ms, changed_ms, trashed, term, node, head, floor)
					VALUES ($1, $2, 'A Title', 'ada', 1, 1, $3, 1, '', 1, 0)`, fmt.Sprint("w", i%3), fmt.Sprint("d", i), i%10 == 0)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		count := func(what, q string, want int) {
			t.Helper()
			var n int
			if err := w.db.QueryRow(t.Context(), q).Scan(&n); err != nil || n != want {
				t.Errorf("%s: %d, want %d, %v", what, n, want, err)
			}
		}
		for _, missing := range []string{`DELETE FROM docs_entry`, `UPDATE docs_entry SET title = NULL`, `DELETE FROM docs_job`, `DELETE FROM docs_entry WHERE document LIKE '%7'`} {
			w.exec(missing)
			if err := w.server.mendEntries(t.Context()); err != nil {
				t.Fatal(err)
			}
			count(missing, `SELECT count(*) FROM docs_entry WHERE title IS NOT NULL AND creator = 'ada'`, most)
			count(missing, `SELECT count(*) FROM docs_entry WHERE trashed_ms = 1`, most/10)
			count(missing, `SELECT count(*) FROM docs_job WHERE kind = 'trash' AND due_ms = 0`, most/10)
		}
		if w.db.Dialect() != sqldb.SQLite {
			return
		}
		err = w.db.Write(t.Context(), func(*sql.Tx) error { // nobody else can write
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			return w.server.mendEntries(ctx)
		})
		if err != nil {
			t.Errorf("it waits to write, where nothing is missing: %v", err)
		}
	})
}

// A process that starts asks for all documents with history, however many there are, and writes nothing where that is asked for, or there is none.
func TestAskingForHistory(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		const most = 2*beginBatch + 10
		w.exec(fmt.Sprintf(`INSERT INTO docs_document (workspace, id, title, creator, created_ms, changed_ms, trashed, term, node, head, floor)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			SELECT 'w' || (i %% 3), 'd' || i, 't', 'ada', 1, 1, false, 1, '', 7, CASE WHEN i %% 5 = 0 THEN 7 ELSE 0 END FROM n`, most))
		ask := func() {
			t.Helper()
			if err := w.server.askForHistory(t.Context()); err != nil {
				t.Fatal(err)
			}
			var n, due int
			err := w.db.QueryRow(t.Context(), `SELECT count(*), count(CASE WHEN j.due_ms <= $1 THEN 1 END) FROM docs_job j INNER JOIN docs_document d
				ON d.workspace = j.workspace AND d.id = j.document AND d.floor = 0 WHERE j.kind = 'history'`, time.Now().UnixMilli()).Scan(&n, &due)
			if err != nil || n != most*4/5 || due != n {
				t.Errorf("%d are asked for, %d at once, want %d, %v", n, due, most*4/5, err)
			}
		}
		ask()
		w.exec(`DELETE FROM docs_job WHERE document LIKE '%7'`)
		ask()
		if w.db.Dialect() != sqldb.SQLite {
			return
		}
		err := w.db.Write(t.Context(), func(*sql.Tx) error { // nobody else can write
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			return w.server.askForHistory(ctx)
		})
		if err != nil {
			t.Errorf("it waits to write, where all are asked for: %v", err)
		}
	})
}

// Jobs are done while a process begins, and where that fails again and again.
func TestJobsWhileItBegins(t *testing.T) {
	w := newWorld(t, meshtest.SQLite(t))
	ada := w.person("ada")
	doc := ada.create("A text\n")
	w.exec(`INSERT INTO docs_share (workspace, document, container, role, expires_ms) VALUES ('w', $1, 'group/g', 1, 0)`, doc)
	w.stop()
	w.exec(`CREATE TRIGGER fails BEFORE INSERT ON docs_job WHEN NEW.kind = 'history' BEGIN SELECT RAISE(ABORT, 'no'); END`)
	w = w.beside("", func(c *Config) { c.History = 48 * time.Hour })
	ada.world = w
	before := ada.head(doc)
	w.ask(docKey{"w", doc}, jobAccess, time.Now())
	eventually(t, "it is told", func() bool { return ada.head(doc) > before })
}

// A document that another version made and put into the trash is looked after, whether its entry is mended before or behind that job.
func TestTrashBeforeItIsMended(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs(func(c *Config) { c.Trash = time.Hour })
		ada := w.person("ada")
		doc := ada.create("x")
		ada.trash(doc)
		k := docKey{"w", doc}
		w.exec(`DELETE FROM docs_entry`)
		if next, err := w.server.purgeTrashed(t.Context(), k); err != nil || next.IsZero() || time.Until(next) > jobPause {
			t.Errorf("looked at again at %v, %v", next, err)
		}
		if err := w.server.mendEntries(t.Context()); err != nil {
			t.Fatal(err)
		}
		if next, err := w.server.purgeTrashed(t.Context(), k); err != nil || time.Until(next) < time.Hour-time.Minute || time.Until(next) > time.Hour {
			t.Errorf("purged at %v, %v", next, err)
		}
	})
}

// Documents of before the lists have what lists look for, and are looked after.
func TestDocumentsOfBeforeTheLists(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		all, err := Migrations()
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context(), before{all, "00008"}); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM docs_entry`).Scan(&n); err == nil {
			t.Fatal("there are lists before their migration")
		}
		w := &world{tb: t, db: db}
		for _, q := range []string{
			`INSERT INTO docs_document (workspace, id, title, creator, created_ms, changed_ms, trashed, term, node, head) VALUES ('w', 'one', 'One', 'ada', 1, 1, false, 1, '', 1)`,
			`INSERT INTO docs_document (workspace, id, title, creator, created_ms, changed_ms, trashed, term, node, head) VALUES ('w', 'two', 'Two', 'ada', 2, 2, true, 1, '', 1)`,
			`INSERT INTO docs_version (workspace, document, version, time_ms, bytes, authors, name) VALUES ('w', 'one', 1, 1, 0, '', '')`,
			`INSERT INTO docs_role (workspace, document, user_id, role) VALUES ('w', 'one', 'ada', 4)`,
			`INSERT INTO docs_role (workspace, document, user_id, role) VALUES ('w', 'two', 'ada', 4)`,
		} {
			w.exec(q)
		}
		w = newWorld(t, url)
		ada := w.person("ada")
		eventually(t, "they are listed by title", func() bool {
			list, _ := ada.list(&docsv1.ListDocumentsRequest{Order: byTitle, Mine: true}, 10)
			return slices.Equal(ids(list), []string{"one"})
		})
		eventually(t, "the trash begins to count", func() bool {
			list, _ := ada.list(&docsv1.ListDocumentsRequest{Trashed: true}, 10)
			return len(list) == 1 && list[0].GetTrashedMs() > 0
		})
		if got := ada.versions("one", 10, false); len(got) != 1 {
			t.Errorf("%v", got)
		}
		eventually(t, "versions are looked through", func() bool {
			var n int
			err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_job WHERE kind = 'thin'`).Scan(&n)
			return err == nil && n == 0
		})
	})
}

// before is a set of migrations without those from one on.
type before struct {
	fs.FS
	first string
}

func (b before) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(b.FS, name)
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool { return strings.Compare(e.Name(), b.first) >= 0 }), err
}
