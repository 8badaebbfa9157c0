package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// eventually waits for what real servers bring about.
func eventually(tb testing.TB, what string, f func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not within 20 s", what)
		}
	}
}

// soon ends a call that is held.
func soon(ctx context.Context, tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// insist submits an edit until it is answered, as clients do.
func (u *user) insist(ctx context.Context, q *docsv1.SubmitRequest) (*docsv1.SubmitResponse, error) {
	for {
		r, err := u.api.Submit(ctx, q)
		if c := rpc.CodeOf(err); err == nil || c < edgev1.Code_CODE_UNAVAILABLE || c > 299 {
			return r, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// onPostgres runs a test on the engine that several processes share.
func onPostgres(t *testing.T, test func(t *testing.T, url string)) { test(t, meshtest.Postgres(t)) }

// Whichever process is asked, the owner answers, and there is one.
func TestCallsFindTheOwner(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a", "b", "c")
		ada := ws[0].person("ada")
		var docs []string
		for range 10 {
			docs = append(docs, ada.create(""))
		}
		for i := range 60 {
			w := ws[i%3]
			must(ada.at(w).insistFor(docs[i%10], uint64(1+i/10), "x", uint64(100+i)))(t)
		}
		open := 0
		for _, w := range ws {
			open += len(w.server.sessions())
		}
		if open != len(docs) {
			t.Errorf("%d documents are open %d times", len(docs), open)
		}
		for _, d := range docs {
			if got := ada.text(d); got != "xxxxxx" {
				t.Errorf("%q", got)
			}
		}
	})
}

func (u *user) insistFor(doc string, base uint64, text string, seq uint64) (*docsv1.SubmitResponse, error) {
	u.seq = seq
	return u.insist(u.again(), &docsv1.SubmitRequest{Document: doc, Base: base, Delta: inserts(text)})
}

// An owner dies, and comes back as if nothing had been: another one goes on, and the first one writes nothing after.
func TestOwnerThatIsTakenForDead(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a", "b")
		ada := ws[0].person("ada")
		doc := ada.create("")
		must(ada.insistFor(doc, 1, "1", 100))(t)
		old, other := ws[0], ws[1]
		if len(old.server.sessions()) == 0 {
			old, other = other, old
		}
		// etcd has heard nothing of the owner, who has noticed nothing.
		old.others.change(func() {
			old.others.expired[old.self] = true
			old.others.believe[old.self] = func() []string { return []string{old.self, other.self} }
		})
		must(ada.at(other).insistFor(doc, 2, "2", 101))(t)
		// The old one still has it open, and is asked: it finds that it lost it.
		x := old.server.sessions()[0]
		err := x.do(t.Context(), func() error {
			return x.edit(&edit{caller: must(old.verifier.Verify(t.Context(), ada.token))(t), key: topic.Key{User: ada.id, ClientID: ada.client, Seq: 102}, request: &docsv1.SubmitRequest{Document: doc, Base: 2}, delta: must(ot.Parse([]byte(inserts("lost")), ot.DefaultLimits()))(t)})
		})
		if err != nil {
			t.Fatal(err)
		}
		<-x.gone
		must(ada.at(other).insistFor(doc, 3, "3", 103))(t)
		if got := ada.at(other).text(doc); got != "321" {
			t.Errorf("%q", got)
		}
		_, err = ada.at(old).api.ReadDocument(soon(ada.read(), t), &docsv1.ReadDocumentRequest{Document: doc})
		if err == nil {
			t.Error("the old owner tells what it has")
		}
	})
}

// An owner was taken for dead, another one went on, and the first one is back with a new lease before anybody has told it: whatever it is asked
// first, it doesn't answer by what it had.
func TestOwnerThatIsBack(t *testing.T) {
	for name, ask := range map[string]func(t *testing.T, doc string, ada, bob *user){
		"read": func(t *testing.T, doc string, ada, _ *user) {
			if got := ada.text(doc); got != "21" {
				t.Errorf("%q", got)
			}
		},
		"an edit of a version that it doesn't know": func(t *testing.T, doc string, ada, _ *user) {
			must(ada.insistFor(doc, 4, "3", 103))(t)
		},
		"an edit by somebody who may by now": func(t *testing.T, doc string, _, bob *user) {
			must(bob.insistFor(doc, 2, "3", 103))(t)
		},
		"a comment by somebody who may by now": func(t *testing.T, doc string, _, bob *user) {
			must(bob.api.CreateThread(bob.write(), &docsv1.CreateThreadRequest{Document: doc, Base: 2, To: 1, Text: "So?"}))(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onPostgres(t, func(t *testing.T, url string) {
				ws := several(t, url, "a", "b")
				ada, bob := ws[0].person("ada"), ws[0].person("bob")
				doc := ada.create("")
				must(ada.insistFor(doc, 1, "1", 100))(t)
				old, other := ws[0], ws[1]
				if len(old.server.sessions()) == 0 {
					old, other = other, old
				}
				x := old.server.sessions()[0]
				gone := func(yes bool) {
					old.others.change(func() {
						old.others.expired[old.self] = yes
						old.others.leases[old.self]++
						old.others.believe[old.self] = func() []string { return []string{old.self, other.self} }
					})
				}
				gone(true)
				there := ada.at(other)
				must(there.insistFor(doc, 2, "2", 101))(t)
				there.share(doc, bob.id, editor)
				gone(false)
				if sessions := old.server.sessions(); len(sessions) != 1 || sessions[0] != x {
					t.Fatal("it was told")
				}
				ask(t, doc, ada.at(old), bob.at(old))
				<-x.gone
			})
		})
	}
}

// Processes come and go while people edit: no acknowledged edit is lost or done twice, and nobody is refused for good.
func TestHandOver(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a")
		var current atomic.Pointer[world]
		current.Store(ws[0])
		ada := ws[0].person("ada")
		const people, documents = 6, 4
		var docs []string
		for range documents {
			d := ada.create("")
			ada.share(d, everybody, editor)
			docs = append(docs, d)
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		counts := make([]map[string]int, people)
		for i := range people {
			counts[i] = map[string]int{}
			u := ws[0].person(fmt.Sprint("p", i))
			wg.Go(func() {
				for n := uint64(1); ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					doc := docs[int(n)%documents]
					u.seq = n
					for {
						v := u.at(current.Load())
						if r, err := v.api.Submit(v.again(), &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: inserts(fmt.Sprintf("[%s.%d]", u.id, n))}); err == nil {
							if r.GetVersion() == 0 {
								t.Error("acknowledged without a version")
							}
							break
						} else if c := rpc.CodeOf(err); c < edgev1.Code_CODE_UNAVAILABLE {
							t.Errorf("refused: %v", err)
							return
						}
						time.Sleep(5 * time.Millisecond)
					}
					counts[i][doc]++
				}
			})
		}
		second := ws[0].beside("b") // takes some of the documents over
		time.Sleep(300 * time.Millisecond)
		current.Store(second)
		time.Sleep(300 * time.Millisecond)
		third := ws[0].beside("c")
		time.Sleep(300 * time.Millisecond)
		second.others.leave(second) // an orderly end: etcd first
		current.Store(third)
		second.stop()
		time.Sleep(300 * time.Millisecond)
		close(stop)
		wg.Wait()
		v := ada.at(third)
		for _, doc := range docs {
			text, want := v.text(doc), 0
			for i := range people {
				want += counts[i][doc]
			}
			seen := map[string]bool{}
			for rest := text; rest != ""; {
				var one string
				if n, err := fmt.Sscanf(rest, "[%s", &one); n != 1 || err != nil {
					t.Fatalf("torn: %q", rest[:min(20, len(rest))])
				}
				end := len(rest)
				for i := range rest {
					if rest[i] == ']' {
						end = i + 1
						break
					}
				}
				if seen[rest[:end]] {
					t.Errorf("%s twice", rest[:end])
				}
				seen[rest[:end]], rest = true, rest[end:]
			}
			if len(seen) != want {
				t.Errorf("%d edits stand in the document, %d were acknowledged", len(seen), want)
			}
		}
	})
}

// A process that can't tell whether others take it for dead opens nothing, and goes on with what it has open.
func TestEtcdAway(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := several(t, url, "a")[0]
		ada := w.person("ada")
		open, closed := ada.create(""), ada.create("")
		must(ada.submit(open, 1, inserts("1")))(t)
		w.others.change(func() {
			w.others.expired[w.self] = true
			w.others.believe[w.self] = func() []string { return []string{w.self} }
		})
		must(ada.submit(open, 2, inserts("2")))(t)
		if got := ada.text(open); got != "21" {
			t.Errorf("%q", got)
		}
		_, err := ada.api.Submit(soon(ada.write(), t), &docsv1.SubmitRequest{Document: closed, Base: 1, Delta: inserts("1")})
		refused(t, "a closed one", err, edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY")
		w.server.holding.Store(maxHeld)
		begin := time.Now()
		_, err = ada.submit(closed, 1, inserts("1"))
		if refused(t, "one too many that wait", err, edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY"); time.Since(begin) > holdTime/2 {
			t.Errorf("it was held for %v", time.Since(begin))
		}
		if n := w.server.holding.Load(); n != maxHeld {
			t.Errorf("%d are counted", n)
		}
	})
}

// departing is a process that every document belongs to. It hangs when it is asked, and is then known to have died.
type departing struct {
	alone
	died chan struct{}
}

const departed = "departed~1"

func (d departing) Place(string) string      { return departed }
func (d departing) Changed() <-chan struct{} { return d.died }

func (d departing) Lives(incarnation string) bool {
	select {
	case <-d.died:
		return incarnation != departed
	default:
		return true
	}
}

func (d departing) Conn(string) (grpc.ClientConnInterface, error) { return d, nil }

func (d departing) Invoke(ctx context.Context, _ string, _, _ any, _ ...grpc.CallOption) error {
	close(d.died)
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func (departing) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errAway
}

// A call whose owner died while it had it, and which can't wait for another one, is told to come back: nothing is wrong with the service.
func TestTheOwnerDiesWithACall(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		s := must(New(DefaultConfig(), Deps{DB: w.db, Peers: departing{newAlone(), make(chan struct{})}}))(t)
		s.holding.Store(maxHeld)
		q := &docsv1.ReadDocumentRequest{Document: "d"}
		err := s.atOwner(t.Context(), docKey{"w", "d"}, docsv1.DocsService_ReadDocument_FullMethodName, q, &docsv1.ReadDocumentResponse{}, nil)
		refused(t, "a call that the owner had", err, edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY")
		s.tasks.Wait()
	})
}

// What can't be read whole is not opened, and stays as it is.
func TestDamagedDocuments(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		for name, damage := range map[string]string{
			"an event is missing":   `DELETE FROM docs_log WHERE topic = $1 AND "offset" = 2`,
			"an event is no event":  `UPDATE docs_log SET body = 'x' WHERE topic = $1 AND "offset" = 2`,
			"a body is missing":     `UPDATE docs_log SET body = NULL WHERE topic = $1 AND "offset" = 3`,
			"the row is behind":     `UPDATE docs_document SET head = 2 WHERE 'docs.document/' || id = $1`,
			"the row is ahead":      `UPDATE docs_document SET head = 9 WHERE 'docs.document/' || id = $1`,
			"a snapshot is damaged": `INSERT INTO docs_snapshot (workspace, document, version, created_ms, content) SELECT workspace, id, 2, 0, '{' FROM docs_document WHERE 'docs.document/' || id = $1`,
		} {
			doc := ada.create("a text\n")
			must(ada.submit(doc, 1, inserts("x")))(t)
			must(ada.submit(doc, 2, inserts("y")))(t)
			x := w.server.sessions()[0]
			x.leave()
			<-x.gone
			err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), damage, topicDocument+doc)
				return err
			})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for range 2 {
				_, err := ada.submit(doc, 3, inserts("z"))
				refused(t, name, err, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
				_, err = ada.api.ReadDocument(ada.read(), &docsv1.ReadDocumentRequest{Document: doc})
				refused(t, name, err, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
			}
		}
	})
}

// A key that was used is answered as it was, however long ago, and whoever edits beside is not disturbed for good.
func TestOldKeys(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("")
		ada.share(doc, "bob", editor)
		q := &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: inserts("x")}
		ctx := ada.write()
		first := must(ada.api.Submit(ctx, q))(t)
		for range 2 * w.server.cfg.Recent {
			must(bob.submit(doc, 3, inserts("y")))(t)
		}
		x := w.server.sessions()[0]
		x.leave()
		<-x.gone
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if r := must(ada.api.Submit(ctx, q))(t); r.GetVersion() != first.GetVersion() {
					t.Errorf("%v, and first %v", r, first)
				}
			})
		}
		must(bob.submit(doc, 3, inserts("z")))(t)
		wg.Wait()
		rename := &docsv1.RenameDocumentRequest{Document: doc, Title: "Another"}
		named := must(ada.api.RenameDocument(ada.write(), rename))(t)
		must(bob.api.RenameDocument(bob.write(), &docsv1.RenameDocumentRequest{Document: doc, Title: "A third"}))(t)
		if r := must(ada.api.RenameDocument(ada.again(), rename))(t); r.GetVersion() != named.GetVersion() {
			t.Errorf("%v, and first %v", r, named)
		}
		if got := ada.text(doc); len(got) != 2*w.server.cfg.Recent+2 {
			t.Errorf("%d", len(got))
		}
	}, func(c *Config) { c.Recent = 20 })
}

// A restored history has another epoch; its documents are what they were, and go on.
func TestRestored(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("text\n")
		before := must(ada.submit(doc, 1, inserts("a ")))(t)
		w.stop()
		time.Sleep(time.Second) // epochs are seconds
		if _, err := Restored(t.Context(), w.db, time.Now()); err != nil {
			t.Fatal(err)
		}
		again := &world{tb: t, url: w.url, key: w.key}
		again.start()
		_, err := ada.at(again).api.Submit(ada.write(), &docsv1.SubmitRequest{Document: doc, Base: 2, Epoch: before.GetEpoch(), Delta: inserts("lost")})
		refused(t, "a base of the life before", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
		_, err = ada.at(again).api.CreateThread(ada.write(), &docsv1.CreateThreadRequest{Document: doc, Base: 2, Epoch: before.GetEpoch(), From: 1, To: 3, Text: "lost"})
		refused(t, "a comment on the life before", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
		after := must(ada.at(again).submit(doc, 2, inserts("still ")))(t)
		if got := ada.at(again).text(doc); got != "still a text\n" || after.GetVersion() != 3 || after.GetEpoch() <= before.GetEpoch() {
			t.Errorf("%q, %v after %v", got, after, before)
		}
	})
}

// Bases lie anywhere: in what the session has in memory, before it, across, and at the end of a document that was opened from a snapshot.
func TestBasesOfAllAges(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Snapshot, c.Recent, c.Transform = 10, 5, 60 })
	ada := w.person("ada")
	doc := ada.create("")
	version := uint64(1)
	edit := func(base uint64) error {
		r, err := ada.submit(doc, base, inserts("x"))
		if err == nil {
			version = r.GetVersion()
		}
		return err
	}
	reopen := func() {
		x := w.server.sessions()[0]
		x.leave()
		<-x.gone
	}
	for range 40 {
		if err := edit(version); err != nil {
			t.Fatal(err)
		}
	}
	for _, back := range []uint64{0, 1, 4, 5, 9, 10, 11, 20, 40} {
		for _, anew := range []bool{false, true} {
			if anew {
				reopen()
			}
			if err := edit(version - back); err != nil {
				t.Errorf("%d back, opened anew: %v: %v", back, anew, err)
			}
		}
	}
	for range 10 {
		if err := edit(version); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, "too far back", edit(1), edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
	if got := ada.text(doc); uint64(len(got)) != version-1 {
		t.Errorf("%d edits, version %d", len(got), version)
	}
}

// An edit whose transformation takes long is transformed beside the session, and comes out as the engine says.
func TestHeavyEdits(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create(strings.Repeat("0123456789", 600))
	var edits []ot.Delta
	for i := range 300 {
		text := at(i*7, "x")
		edits = append(edits, must(ot.Parse([]byte(text), ot.DefaultLimits()))(t))
		must(ada.submit(doc, uint64(1+i), text))(t)
	}
	var b ot.Builder
	for range 1500 {
		b.Insert("y", nil).Delete(1).Retain(1, nil)
	}
	heavy := must(b.Delta())(t)
	if heavy.Count()*len(edits) < sessionSteps {
		t.Fatalf("%d steps are not heavy", heavy.Count()*len(edits))
	}
	r := must(ada.submit(doc, 1, heavy.JSON()))(t)
	want, _, err := ot.Rebase(heavy, edits, nil)
	if err != nil || r.GetVersion() != 302 {
		t.Fatal(r, err)
	}
	before, _ := ada.content(doc, 301)
	after, _ := ada.content(doc, 302)
	if err := before.Apply(want); err != nil || before.Hash() != after.Hash() {
		t.Errorf("another content: %v", err)
	}
	steps := editSteps - 100*heavy.Count() // that it has taken before
	e := &edit{base: 1, delta: heavy}
	if err := e.follow(t.Context(), remembered(edits), &steps); !errors.Is(err, errBaseTooOld) || e.base < 2 || e.base > 101 {
		t.Errorf("what takes too long was followed to %d: %v", e.base, err)
	}
}

// remembered are edits behind version 1, as they are remembered.
func remembered(edits []ot.Delta) (list []recentEdit) {
	for i, e := range edits {
		list = append(list, recentEdit{version: uint64(i + 2), edit: e})
	}
	return list
}

// What is remembered of a document is bounded by bytes, too.
func TestRecentIsBounded(t *testing.T) {
	r := newRecent(100, 0)
	for i := range 1000 {
		r.add(recentEdit{version: uint64(i + 1), bytes: 100 << 10, mutation: mutation{"u", uint64(i + 7)}})
		if r.bytes > 2*recentBytes+100<<10 || len(r.known) != len(r.list) {
			t.Fatalf("%d bytes, %d keys of %d", r.bytes, len(r.known), len(r.list))
		}
		if list, ok := r.since(uint64(i)); !ok || len(list) != 1 || list[0].version != uint64(i+1) {
			t.Fatal("the newest is missing")
		}
	}
	if _, ok := r.since(r.first() - 2); ok {
		t.Error("what was dropped is not missed")
	}
	if list, ok := r.since(r.first() - 1); !ok || len(list) != len(r.list) {
		t.Error("what is kept is missed")
	}
}

// A document that nobody uses is closed, written down, and opened again as it was.
func TestIdleDocumentsAreClosed(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Idle, c.Snapshot = time.Second, 10 })
	ada := w.person("ada")
	doc := ada.create("")
	for i := range 25 {
		must(ada.submit(doc, uint64(1+i), inserts("x")))(t)
	}
	eventually(t, "closed", func() bool { return len(w.server.sessions()) == 0 })
	var snapshot int
	var node string
	if err := w.db.QueryRow(t.Context(), `SELECT max(s.version), max(d.node) FROM docs_snapshot s, docs_document d WHERE d.id = s.document AND d.id = $1`, doc).Scan(&snapshot, &node); err != nil || snapshot != 26 || node != "" {
		t.Errorf("snapshot of %d, owned by %q, %v", snapshot, node, err)
	}
	if got := ada.text(doc); len(got) != 25 {
		t.Errorf("%q", got)
	}
}

// Where as many documents are open as may be, that which nobody has used for longest is closed for another one, so that nobody keeps others out by opening
// many. One in which something is under way isn't.
func TestOpenDocumentsMakeRoom(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		var docs []string
		for range 4 {
			docs = append(docs, ada.create(""))
			must(ada.submit(docs[len(docs)-1], 1, inserts("x")))(t)
		}
		open := func(want ...int) {
			t.Helper()
			var is []int
			for _, x := range w.server.sessions() {
				is = append(is, slices.Index(docs, x.id))
			}
			if slices.Sort(is); !slices.Equal(is, want) {
				t.Errorf("open are %v, want %v", is, want)
			}
		}
		open(2, 3)
		ada.text(docs[2])
		if got := ada.text(docs[0]); got != "x" { // written down, and opened again
			t.Errorf("%q", got)
		}
		open(0, 2)
		bobs := bob.create("")
		must(bob.submit(bobs, 1, inserts("y")))(t)
		open(-1, 0)

		held, release := make(chan struct{}), make(chan struct{})
		var waiting sync.WaitGroup
		waiting.Go(func() { // on SQLite every writer waits for this one, on PostgreSQL who writes the rows
			err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), `UPDATE docs_document SET title = title WHERE id = $1 OR id = $2`, docs[0], bobs)
				close(held)
				<-release
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-held
		for _, doc := range []string{docs[0], bobs} {
			by := map[bool]*user{true: bob, false: ada}[doc == bobs]
			ctx := by.write()
			waiting.Go(func() {
				if _, err := by.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: inserts("z")}); err != nil {
					t.Errorf("%s: %v", by.id, err)
				}
			})
			x := must(w.server.session(t.Context(), docKey{"w", doc}))(t)
			eventually(t, "an edit is under way", func() bool {
				n := 0
				must(0, x.do(t.Context(), func() error { n = len(x.underWay); return nil }))(t)
				return n == 1
			})
		}
		_, err := ada.submit(docs[1], 2, inserts("z"))
		refused(t, "one too many", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
		open(-1, 0)
		close(release)
		waiting.Wait()
		must(ada.submit(docs[1], 2, inserts("z")))(t)
	}, func(c *Config) { c.Open = 2 })
}

// Where it takes long to close a document, no other one is closed instead: whoever wants room waits for those that are being closed.
func TestClosingTakesLong(t *testing.T) {
	const open = 8
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Open, c.Version = open, time.Hour })
	ada := w.person("ada")
	fresh := []string{ada.create("x"), ada.create("x")}
	ada.share(fresh[1], "bob", viewer)
	before := map[*session]bool{}
	for range open { // which closes that one
		doc := ada.create("")
		must(ada.submit(doc, 1, inserts("y")))(t) // it is to be written down when it is closed
		before[w.sessionOf(doc)] = true
	}
	w.server.saving <- struct{}{} // as if another one were being written down
	for range 2 {
		var waiting sync.WaitGroup
		for i, doc := range fresh {
			u := w.person([]string{"ada", "bob"}[i])
			waiting.Go(func() {
				_, err := u.api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: doc})
				refused(t, "while it takes long", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
			})
		}
		waiting.Wait()
	}
	<-w.server.saving
	for _, doc := range fresh {
		must(ada.api.ReadDocument(ada.read(), &docsv1.ReadDocumentRequest{Document: doc}))(t)
	}
	n := 0
	for _, x := range w.server.sessions() {
		if before[x] {
			n++
		}
	}
	if want := open - len(fresh); n != want {
		t.Errorf("%d are still open of %d, want %d", n, open, want)
	}
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	if w.server.promised != 0 {
		t.Errorf("%d are promised", w.server.promised)
	}
}

// Whoever has documents closed for others, as many at a time as one person may, keeps nobody else from opening theirs.
func TestRoomsOfOnePerson(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Open = 2 })
	ada, bob := w.person("ada"), w.person("bob")
	for range 2 {
		must(bob.submit(bob.create(""), 1, inserts("x")))(t)
	}
	for range w.server.rooms.share {
		done, ok := w.server.rooms.take(t.Context(), person{"w", "ada"})
		if !ok {
			t.Fatal("no place is free")
		}
		defer done()
	}
	_, err := ada.api.Submit(soon(ada.write(), t), &docsv1.SubmitRequest{Document: ada.create(""), Base: 1, Delta: inserts("x")})
	refused(t, "one more of ada's", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
	must(bob.submit(bob.create(""), 1, inserts("x")))(t)
}

// Documents in which somebody waits for edits that never come make room like others, and are not opened again for those who wait.
func TestChainsMakeRoom(t *testing.T) {
	const open = 4
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Open = open })
	ada, bob := w.person("ada"), w.person("bob")
	bobs := bob.create("x")
	var waiting sync.WaitGroup
	for range open {
		doc, ctx := ada.create(""), ada.write()
		waiting.Go(func() {
			_, err := ada.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 1, Delta: inserts("x"), AfterSeq: 1 << 40})
			refused(t, "it never comes", err, edgev1.Code_CODE_CONFLICT, "docs.CHAIN")
		})
		x := w.sessionOf(doc)
		eventually(t, "it is waited for", func() bool {
			n := 0
			must(0, x.once(t.Context(), func() error { n = len(x.awaited); return nil }))(t)
			return n == 1
		})
	}
	must(bob.api.ReadDocument(bob.read(), &docsv1.ReadDocumentRequest{Document: bobs}))(t)
	waiting.Wait()
	var claims int
	must(0, w.db.QueryRow(t.Context(), `SELECT sum(term) - count(*) FROM docs_document`).Scan(&claims))(t)
	if claims != open+1 {
		t.Errorf("%d documents were opened %d times", open+1, claims)
	}
}

// However many documents are used at a time, no more are open than may be, and nothing is lost.
func TestManyDocumentsInLittleRoom(t *testing.T) {
	const documents, edits = 6, 15
	everyEngine(t, func(t *testing.T, w *world) {
		var all sync.WaitGroup
		for i := range documents {
			u := w.person(fmt.Sprint("user", i))
			doc := u.create("")
			all.Go(func() {
				for version := uint64(1); version <= edits; version++ {
					if _, err := u.insist(u.write(), &docsv1.SubmitRequest{Document: doc, Base: version, Delta: inserts("x")}); err != nil {
						t.Errorf("%s: %v", u.id, err)
					}
					if n := len(w.server.sessions()); n > 2 {
						t.Errorf("%d are open", n)
					}
				}
			})
		}
		all.Wait()
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		if n, listed := len(w.server.open), w.server.used.Len(); n != listed {
			t.Errorf("%d are open, %d are listed", n, listed)
		}
	}, func(c *Config) { c.Open = 2 })
}

// What somebody reads part by part is forgotten when its time is over, though nobody reads anything after it.
func TestKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSession(&Server{}, docKey{"w", "d"})
		content := must(ot.NewDocument(ot.Delta{}, ot.DefaultLimits(), nil))(t)
		for version := range uint64(keepMost + 2) {
			x.keep(version, content)
			time.Sleep(time.Second)
		}
		if len(x.kept) > keepMost || x.kept[keepMost+1].content == nil {
			t.Errorf("%d are kept", len(x.kept))
		}
		x.keep(keepMost+1, content) // again, for longer
		time.Sleep(keepTime - time.Second)
		for range 2 {
			synctest.Wait()
			for len(x.mail) > 0 {
				(<-x.mail)()
			}
			if _, ok := x.kept[keepMost+1]; len(x.kept) > 1 || ok != (len(x.kept) == 1) {
				t.Errorf("%d are kept", len(x.kept))
			}
			time.Sleep(time.Second)
		}
		if len(x.kept) > 0 {
			t.Errorf("%d are kept for ever", len(x.kept))
		}
	})
}

// A call that is sent on is none of the tasks that the service waits for in the end: it can begin while that waits already.
func TestCallsAreSentOnToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{metrics: newMetrics(nil)}
		s.peers = helpful{do: s.tasks.Wait}
		if err := s.sendOn(t.Context(), "another", "", nil, nil); err != nil {
			t.Error(err)
		}
	})
}

// helpful is another process, and the way there.
type helpful struct {
	alone
	do func()
}

func (helpful) Lives(string) bool                               { return true }
func (h helpful) Conn(string) (grpc.ClientConnInterface, error) { return h, nil }

func (h helpful) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	h.do()
	return nil
}

func (helpful) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errAway
}
