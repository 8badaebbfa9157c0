package docs

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func (u *user) purge(document string) (*docsv1.PurgeDocumentResponse, error) {
	return u.api.PurgeDocument(u.write(), &docsv1.PurgeDocumentRequest{Document: document})
}

// tables are all of the service's own, with what they have of a document.
func (w *world) rows(document string) (left []string) {
	w.tb.Helper()
	for _, table := range append([]string{"docs_document", "docs_entry", "docs_role", "docs_share", "docs_erasure", "docs_job"}, madeTables()...) {
		column := "document"
		if table == "docs_document" {
			column = "id"
		}
		var n int
		if err := w.db.QueryRow(w.tb.Context(), `SELECT count(*) FROM `+table+` WHERE `+column+` = $1`, document).Scan(&n); err != nil {
			w.tb.Fatal(err)
		}
		if n > 0 {
			left = append(left, fmt.Sprint(table, " ", n))
		}
	}
	return left
}

func madeTables() (names []string) {
	for _, t := range made {
		names = append(names, t.table)
	}
	return names
}

// bodies are the offsets of a document's events that have one.
func (w *world) bodies(document string) (offsets []uint64) {
	w.tb.Helper()
	err := each(w.tb.Context(), w.db.Query, `SELECT "offset" FROM docs_log WHERE topic = $1 AND (body IS NOT NULL OR salt IS NOT NULL OR digest IS NOT NULL) ORDER BY "offset"`,
		[]any{topicDocument + document}, func(r *sql.Rows) error {
			var at uint64
			err := r.Scan(&at)
			offsets = append(offsets, at)
			return err
		})
	if err != nil {
		w.tb.Fatal(err)
	}
	return offsets
}

// erase does the erasing of a document whole.
func (w *world) erase(document string) {
	w.tb.Helper()
	for {
		next, err := w.server.eraseHidden(w.tb.Context(), docKey{"w", document})
		if err != nil {
			w.tb.Fatal(err)
		}
		if next.IsZero() {
			w.exec(`DELETE FROM docs_job WHERE document = $1`, document)
			return
		}
	}
}

// full makes a document of all that one can have, which says "hush" wherever it can. bob may edit it.
func full(ada, bob *user) (doc string) {
	t := ada.tb
	doc = must(ada.api.CreateDocument(ada.write(), &docsv1.CreateDocumentRequest{Title: "hush title", Content: inserts("hush beginning\n")}))(t).GetDocument()
	ada.share(doc, "bob", editor)
	head := uint64(2)
	for i := range 20 {
		head = must(ada.submit(doc, head, inserts(fmt.Sprint("hush ", i, " "))))(t).GetVersion()
	}
	thread := must(bob.comment(doc, head, 0, 6, "hush comment"))(t).GetThread()
	must(ada.reply(doc, thread, "hush reply"))(t)
	must(ada.server.tellNews(t.Context(), docKey{"w", doc}))(t)
	must(ada.reply(doc, thread, "a reply that bob is still to be told of"))(t)
	must(bob.suggest(doc, ada.head(doc), at(0, "hush suggestion")))(t)
	ada.exec(`INSERT INTO docs_workspace (id, links, version) VALUES ('w', true, 1) ON CONFLICT DO NOTHING`)
	l := must(ada.link(doc, viewer, time.Hour))(t)
	must(bob.openLink(doc, l.GetSecret()))(t)
	ada.exec(`INSERT INTO docs_share (workspace, document, container, role, expires_ms) VALUES ('w', $1, 'group/g', 1, 0)`, doc)
	must(ada.name(doc, 5, "hush name"))(t)
	must(ada.api.RenameDocument(ada.write(), &docsv1.RenameDocumentRequest{Document: doc, Title: "another hush title"}))(t)
	must(ada.move(doc, ada.folder("a folder", "")))(t)
	ada.star(doc, true)
	bob.star(doc, true)
	must(bob.api.Blame(bob.read(), &docsv1.BlameRequest{Document: doc}))(t)
	ada.exec(`INSERT INTO docs_recent VALUES ('w', 'bob', $1, 1)`, doc)
	ada.exec(`INSERT INTO docs_blame (workspace, document, version, ranges) VALUES ('w', $1, 9, $2)`, doc, []byte("hush"))
	ada.closeNow(doc)
	return doc
}

// What is purged is as if it had never been, for everybody and at once, and then nothing of it is left but the places of its events; the purge
// itself can be repeated.
func TestPurge(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada, bob := w.person("ada"), w.person("bob")
		doc, other := full(ada, bob), full(ada, bob)
		kept := w.rows(other)
		_, err := ada.purge(doc)
		refused(t, "not in the trash", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.NOT_TRASHED")
		_, err = bob.purge(doc)
		refused(t, "no owner", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		ada.trash(doc)
		_, err = bob.purge(doc)
		refused(t, "no owner, of what is in the trash", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		if _, err = ada.api.PurgeDocument(ada.read(), &docsv1.PurgeDocumentRequest{Document: doc}); err == nil {
			t.Error("purged without a key")
		}
		head := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument().GetVersion()
		r := must(ada.purge(doc))(t)
		if r.GetVersion() != head+1 {
			t.Errorf("%v behind %d", r, head)
		}
		key := ada.again()
		gone := func(when string) {
			t.Helper()
			refused(t, when+": read", everyCall(ada, doc)["read"](), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
			if again := must(ada.api.PurgeDocument(key, &docsv1.PurgeDocumentRequest{Document: doc}))(t); again.GetVersion() != r.GetVersion() {
				t.Errorf("%s: a retry: %v", when, again)
			}
			_, err := ada.purge(doc)
			refused(t, when+": purged again", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
			for name, call := range everyCall(ada, doc) {
				refused(t, when+": "+name, call(), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
			}
			refused(t, when+": follow", grantError(ada, topicDocument+doc), edgev1.Code_CODE_NOT_FOUND, "docs.TOPIC")
			for _, q := range []*docsv1.ListDocumentsRequest{{}, {Trashed: true}, {Starred: true}, {Order: byOpened}, {Order: byTitle}, {Mine: true}} {
				for _, u := range []*user{ada, bob} {
					if list, _ := u.list(q, 10); slices.Contains(ids(list), doc) {
						t.Errorf("%s: it is listed by %v", when, q)
					}
				}
			}
		}
		gone("at once")
		w.erase(doc)
		gone("erased")
		if left := w.rows(doc); len(left) > 0 {
			t.Errorf("there is left: %v", left)
		}
		if got := w.bodies(doc); !slices.Equal(got, []uint64{r.GetVersion()}) {
			t.Errorf("events with something in them: %v", got)
		}
		var events int
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_log WHERE topic = $1`, topicDocument+doc).Scan(&events); err != nil || events != int(r.GetVersion()) {
			t.Errorf("%d events have a place, %v", events, err)
		}
		var members int
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_member`).Scan(&members); err != nil || members != 1 {
			t.Errorf("%d have opened links, want one of another document's, %v", members, err)
		}
		if got := w.rows(other); !slices.Equal(got, kept) {
			t.Errorf("another document has %v, had %v", got, kept)
		}
		if n := len(ada.versions(other, 10, true)); n != 1 || !strings.Contains(ada.text(other), "hush beginning") {
			t.Errorf("another document has %d named versions", n)
		}
	})
}

// everyCall are the calls that name a document.
func everyCall(u *user, doc string) map[string]func() error {
	api := u.api
	return map[string]func() error{
		"get":  func() error { return second(api.GetDocument(u.read(), &docsv1.GetDocumentRequest{Document: doc})) },
		"read": func() error { return second(api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: doc})) },
		"read 1": func() error {
			return second(api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: doc, Version: 1}))
		},
		"submit": func() error { return second(u.submit(doc, 3, inserts("x"))) },
		"rename": func() error {
			return second(api.RenameDocument(u.write(), &docsv1.RenameDocumentRequest{Document: doc, Title: "x"}))
		},
		"trash": func() error {
			return second(api.TrashDocument(u.write(), &docsv1.TrashDocumentRequest{Document: doc, Trashed: true}))
		},
		"restore": func() error { return second(api.TrashDocument(u.write(), &docsv1.TrashDocumentRequest{Document: doc})) },
		"erase": func() error {
			return second(api.EraseHistory(u.write(), &docsv1.EraseHistoryRequest{Document: doc, BeforeVersion: 2}))
		},
		"move": func() error { return second(u.move(doc, "")) },
		"star": func() error {
			return second(api.StarDocument(u.write(), &docsv1.StarDocumentRequest{Document: doc, Starred: true}))
		},
		"share": func() error {
			return second(api.SetRole(u.write(), &docsv1.SetRoleRequest{Document: doc, Principal: "bob", Role: viewer}))
		},
		"roles": func() error { return second(api.ListRoles(u.read(), &docsv1.ListRolesRequest{Document: doc})) },
		"export": func() error {
			return second(api.ExportDocument(u.read(), &docsv1.ExportDocumentRequest{Document: doc, Format: docsv1.Format_FORMAT_TEXT}))
		},
		"history": func() error { return second(api.ListVersions(u.read(), &docsv1.ListVersionsRequest{Document: doc})) },
		"name":    func() error { return second(u.name(doc, 3, "x")) },
		"diff":    func() error { return second(api.DiffVersions(u.read(), &docsv1.DiffVersionsRequest{Document: doc})) },
		"version": func() error { return second(u.restore(doc, 3)) },
		"blame":   func() error { return second(api.Blame(u.read(), &docsv1.BlameRequest{Document: doc})) },
		"comment": func() error { return second(u.comment(doc, 3, 0, 1, "x")) },
		"reply":   func() error { return second(u.reply(doc, 23, "x")) },
		"threads": func() error { return second(api.ListThreads(u.read(), &docsv1.ListThreadsRequest{Document: doc})) },
		"thread": func() error {
			return second(api.GetThread(u.read(), &docsv1.GetThreadRequest{Document: doc, Thread: 23}))
		},
	}
}

// What was purged, and what lies below a floor, leaves SQLite's file.
func TestErasedLeavesTheFile(t *testing.T) {
	path := t.TempDir() + "/docs.db"
	w := newWorld(t, "sqlite:"+path).withoutJobs()
	ada, bob := w.person("ada"), w.person("bob")
	doc := full(ada, bob)
	secrets := func() (n int) {
		t.Helper()
		if err := second(w.db.Query(t.Context(), `SELECT 1`)); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(data, []byte("hush"))
	}
	if n := secrets(); n < 30 {
		t.Errorf("it was there %d times", n)
	}
	// The content is made another one, and all that it was erased, but for its comments and its title.
	head := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument().GetVersion()
	d, _ := ada.content(doc, 0)
	head = must(ada.submit(doc, head, fmt.Sprintf(`{"ops":[{"delete":%d},{"insert":"nothing"}]}`, d.Len())))(t).GetVersion()
	must(ada.api.EraseHistory(ada.write(), &docsv1.EraseHistoryRequest{Document: doc, BeforeVersion: head}))(t)
	w.erase(doc)
	const left = 7 // the title, what it is found by and the index of that, two comments, a suggestion that is open and what has become of it
	if n := secrets(); n != left {
		t.Errorf("it is there %d times after its history was erased, want %d", n, left)
	}
	ada.trash(doc)
	must(ada.purge(doc))(t)
	w.erase(doc)
	if n := secrets(); n > 0 {
		t.Errorf("it is there %d times after it was purged", n)
	}
}

// Wherever erasing is stopped, it goes on where it was, and is done in the end.
func TestErasingIsStopped(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada, bob := w.person("ada"), w.person("bob")
		r := rand.New(rand.NewPCG(1, 1))
		for round := range 6 {
			doc := full(ada, bob)
			ada.trash(doc)
			version := must(ada.purge(doc))(t).GetVersion()
			stops := 0
			for ; stops < 100; stops++ {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+r.IntN(10<<round))*time.Millisecond)
				_, err := w.server.eraseHidden(ctx, docKey{"w", doc})
				cancel()
				if err == nil {
					break
				}
				if !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
					t.Fatal(err)
				}
			}
			w.erase(doc)
			if left, got := w.rows(doc), w.bodies(doc); len(left) > 0 || !slices.Equal(got, []uint64{version}) {
				t.Errorf("after %d stops there is left: %v, %v", stops, left, got)
			}
		}
	})
}

// What lies in the trash for long enough is purged by itself, and counts from when that was written down.
func TestTrashIsPurged(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada := w.person("ada")
		doc := ada.create("x")
		k := docKey{"w", doc}
		look := func(what string, in time.Duration) {
			t.Helper()
			next, err := w.server.purgeTrashed(t.Context(), k)
			if got := time.Until(next); err != nil || in == 0 && !next.IsZero() || in > 0 && (got > in || got < in-time.Minute) {
				t.Errorf("%s: again in %v, want %v, %v", what, got, in, err)
			}
		}
		since := func(ago time.Duration) {
			w.exec(`UPDATE docs_entry SET trashed_ms = $1 WHERE document = $2`, time.Now().Add(-ago).UnixMilli(), doc)
		}
		ada.trash(doc)
		d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument()
		if ago := time.Since(time.UnixMilli(d.GetTrashedMs())); ago < 0 || ago > time.Minute || d.GetPurgeMs() != d.GetTrashedMs()+30*24*time.Hour.Milliseconds() {
			t.Errorf("%v", d)
		}
		var jobs int
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_job WHERE document = $1 AND kind = 'trash'`, doc).Scan(&jobs); err != nil || jobs != 1 {
			t.Errorf("%d jobs, %v", jobs, err)
		}
		look("just trashed", trashGap)
		since(29*24*time.Hour + 20*time.Hour)
		look("soon", 4*time.Hour)
		w.exec(`UPDATE docs_entry SET trashed_ms = 1 WHERE document = $1`, doc) // of a time before that was written down
		look("it begins to count", trashGap)
		if d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument(); time.Since(time.UnixMilli(d.GetTrashedMs())) > time.Minute {
			t.Errorf("%v", d)
		}
		must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc}))(t)
		look("taken out", 0)
		ada.trash(doc)
		since(31 * 24 * time.Hour)
		never := w.withoutJobs(func(c *Config) { c.Trash = 0 })
		if next, err := never.server.purgeTrashed(t.Context(), k); err != nil || time.Until(next) < trashGap-time.Minute {
			t.Errorf("never: again at %v, %v", next, err)
		}
		w = never.withoutJobs()
		look("over", 0)
		ada = w.person("ada")
		_, err := ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc})
		refused(t, "purged", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		look("purged", 0)
		w.erase(doc)
		if left := w.rows(doc); len(left) > 0 {
			t.Errorf("there is left: %v", left)
		}
	})
}

// All of it by itself: trashed, purged when it is time, erased.
func TestTrashByJobs(t *testing.T) {
	everyEngineWith(t, func(c *Config) { c.Trash = time.Second }, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("x")
		ada.trash(doc)
		w.exec(`UPDATE docs_job SET due_ms = 0 WHERE document = $1`, doc) // it is asked for in a minute at the earliest
		eventually(t, "it is erased", func() bool { return len(w.rows(doc)) == 0 })
		if got := w.bodies(doc); len(got) != 1 {
			t.Errorf("%v", got)
		}
	})
}

// What others have under way when a document is purged is not done, and they are told so; whoever has it open at another process loses it.
func TestPurgeAmongOthers(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("x")
		ada.trash(doc)
		x := must(w.server.session(t.Context(), docKey{"w", doc}))(t)
		c := must(w.verifier.Verify(t.Context(), ada.token))(t)
		var after *amendment
		err := x.do(t.Context(), func() error {
			x.cover.trashed = false // what nobody may do: an edit behind the purge
			p := x.purge()
			var err error
			if p.entry, err = x.entry("ada", p.event); err != nil {
				return err
			}
			p.entry.Access = p.access
			if _, err := x.amend(topic.Mutation{Key: topic.Key{User: "ada"}}, &p.amend, ot.Delta{}, nil); err != nil {
				return err
			}
			e := &edit{caller: c, key: topic.Key{User: "ada", ClientID: "c", Seq: 1}, request: &docsv1.SubmitRequest{Document: doc, Base: 2}, base: 2}
			if e.delta, err = ot.Parse([]byte(inserts("y")), ot.DefaultLimits()); err != nil {
				return err
			}
			if err := x.edit(e); err != nil {
				return err
			}
			after = e.amendment
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.outcome(t.Context(), after, func(uint64) {}); err == nil {
			t.Error("an edit behind the purge was done")
		}
		<-x.gone
		_, err = ada.submit(doc, 1, inserts("x"))
		refused(t, "purged", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		eventually(t, "it is erased", func() bool { return len(w.rows(doc)) == 0 })
	})
}

// Who follows a document that is purged is asked anew, and cut off.
func TestFollowersOfWhatIsPurged(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada := w.person("ada")
		doc := ada.create("hush")
		ada.trash(doc)
		at := must(ada.topics.Open(ada.read(), &topicv1.OpenRequest{Wants: []*edgev1.Want{{Topic: topicDocument + doc}}}))(t).GetGrants()[0].GetHead()
		must(ada.purge(doc))(t)
		stream := must(ada.topics.Tail(t.Context(), &topicv1.TailRequest{Workspace: "w", Topic: topicDocument + doc, After: at}))(t)
		res := must(stream.Recv())(t)
		last := res.GetRecords()[len(res.GetRecords())-1]
		if a := last.GetAccess(); len(a) != 1 || a[0].GetPrincipal() != everybody || a[0].GetRead() || last.GetFloor() != at.GetOffset() {
			t.Errorf("%v", res)
		}
		stream = must(ada.topics.Tail(t.Context(), &topicv1.TailRequest{Workspace: "w", Topic: topicDocument + doc, After: &edgev1.Cursor{Epoch: at.GetEpoch(), Offset: 1}}))(t)
		if res := must(stream.Recv())(t); res.GetReset_().GetCode() != edgev1.Code_CODE_RESET_FLOOR || len(res.GetRecords()) > 0 {
			t.Errorf("%v", res)
		}
	})
}

// Who has opened a document is not written down behind its purge, nor found by none that erases it.
func TestOpenedWhilePurged(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) { // SQLite has one writer
		w := newWorld(t, url).withoutJobs()
		ada := w.person("ada")
		doc := ada.create("x")
		ada.trash(doc)
		w.exec(`CREATE FUNCTION held() RETURNS trigger AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END' LANGUAGE plpgsql`)
		w.exec(`CREATE TRIGGER held AFTER INSERT ON docs_recent FOR EACH ROW EXECUTE FUNCTION held()`)
		waits := func(n int) bool {
			var is int
			must(0, w.db.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&is))(t)
			return is >= n
		}
		var all sync.WaitGroup
		must(0, w.db.Write(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), `SELECT pg_advisory_xact_lock(7)`); err != nil {
				return err
			}
			all.Go(func() {
				if err := w.server.saveRecents(t.Context(), time.Now(), []opening{{"w", "ada", doc}}); err != nil {
					t.Error(err)
				}
			})
			eventually(t, "it is being written down", func() bool { return waits(1) })
			ctx, purged := ada.write(), make(chan struct{})
			all.Go(func() {
				defer close(purged)
				must(ada.api.PurgeDocument(ctx, &docsv1.PurgeDocumentRequest{Document: doc}))(t)
				w.erase(doc)
			})
			eventually(t, "the purge waits for it", func() bool {
				select {
				case <-purged:
					t.Error("it was purged and erased meanwhile")
					return true
				default:
					return waits(2)
				}
			})
			return nil
		}))(t)
		all.Wait()
		if left := w.rows(doc); len(left) > 0 {
			t.Errorf("there is left: %v", left)
		}
	})
}

// A version that is being written down when the document is purged does not stay.
func TestSnapshotWhilePurged(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada := w.person("ada")
		for i := range 20 {
			doc := ada.create("hush")
			ada.trash(doc)
			x := must(w.server.session(t.Context(), docKey{"w", doc}))(t)
			written := make(chan error)
			go func() {
				var err error
				for version := uint64(1); err == nil; version = version%2 + 1 {
					content, _ := ot.NewDocument(ot.Delta{}, ot.DefaultLimits(), nil)
					if err = w.server.writeVersion(context.WithoutCancel(t.Context()), x.docKey, x.term, versionRow{version: version, timeMs: 1}, content, stands{}); err == nil {
						err = w.server.storeBlame(context.WithoutCancel(t.Context()), past{document: document{docKey: x.docKey}}, version, must(newBlame(nil))(t))
					}
				}
				written <- err
			}()
			time.Sleep(time.Duration(i) * time.Millisecond / 4)
			must(ada.purge(doc))(t)
			w.erase(doc)
			if err := <-written; !errors.Is(err, errFenced) {
				t.Errorf("%v", err)
			}
			if left := w.rows(doc); len(left) > 0 {
				t.Errorf("there is left: %v", left)
			}
		}
	})
}
