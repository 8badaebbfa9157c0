package docs

import (
	"cmp"
	"database/sql"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// list reads all pages of a list, of at most so many each.
func (u *user) list(q *docsv1.ListDocumentsRequest, size uint32) (all []*docsv1.Document, pages int) {
	u.tb.Helper()
	q = proto.CloneOf(q)
	for q.Limit = size; ; {
		r := must(u.api.ListDocuments(u.read(), q))(u.tb)
		if len(r.GetDocuments()) > int(size) {
			u.tb.Fatalf("%d on a page of %d", len(r.GetDocuments()), size)
		}
		all, pages = append(all, r.GetDocuments()...), pages+1
		if q.Page = r.GetNext(); q.GetPage() == "" {
			return all, pages
		}
	}
}

func (u *user) star(document string, on bool) uint64 {
	u.tb.Helper()
	return must(u.api.StarDocument(u.write(), &docsv1.StarDocumentRequest{Document: document, Starred: on}))(u.tb).GetOffset()
}

func (u *user) trash(document string) {
	u.tb.Helper()
	must(u.api.TrashDocument(u.write(), &docsv1.TrashDocumentRequest{Document: document, Trashed: true}))(u.tb)
}

// shelfOf is a workspace as it is, by what was done to it.
type shelfOf struct {
	docs    []*model
	folders []string
}

// model is what decides where a document is listed.
type model struct {
	id, title, creator, folder string
	trashed                    bool
	roles                      map[string]docsv1.Role
	contained                  bool // of the shares some count
	stars                      map[string]bool
	opened                     map[string]int64
	changedMs                  int64
}

func (m *model) role(u *user, guest bool) docsv1.Role {
	r := m.roles[u.id]
	if !guest {
		r = max(r, m.roles[everybody])
	}
	if m.contained && (u.id == "bob" || u.id == "gus") {
		r = max(r, commenter)
	}
	if m.trashed && r < owner {
		return 0
	}
	return r
}

// fits is the reference: what a list is of.
func (m *model) fits(u *user, guest bool, q *docsv1.ListDocumentsRequest) bool {
	role := m.role(u, guest)
	_, own := m.roles[u.id]
	own = own || m.contained && (u.id == "bob" || u.id == "gus")
	return role >= viewer && m.trashed == q.GetTrashed() && (q.Folder == nil || q.GetFolder() == m.folder) && (!q.GetStarred() || m.stars[u.id]) &&
		(!q.GetMine() || m.creator == u.id) && (!q.GetShared() || own && m.creator != u.id) &&
		(q.GetTitle() == "" || strings.Contains(strings.ToLower(m.title), strings.ToLower(q.GetTitle()))) &&
		(q.GetOrder() != byOpened || m.opened[u.id] > 0)
}

func (s *shelfOf) list(u *user, guest bool, q *docsv1.ListDocumentsRequest) (list []string) {
	var all []*model
	for _, m := range s.docs {
		if m.fits(u, guest, q) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *model) int {
		switch q.GetOrder() {
		case byTitle:
			return cmp.Or(cmp.Compare(strings.ToLower(a.title), strings.ToLower(b.title)), cmp.Compare(a.id, b.id))
		case byOpened:
			return cmp.Or(-cmp.Compare(a.opened[u.id], b.opened[u.id]), -cmp.Compare(a.id, b.id))
		default:
			return cmp.Or(-cmp.Compare(a.changedMs, b.changedMs), -cmp.Compare(a.id, b.id))
		}
	})
	for _, m := range all {
		list = append(list, m.id)
	}
	return list
}

// fill makes documents of all kinds.
func fill(w *world, people []*user, r *rand.Rand, n int) *shelfOf {
	ada := people[0]
	s := &shelfOf{folders: []string{"", ada.folder("A", ""), ada.folder("B", "")}}
	w.exec(`INSERT INTO docs_workspace (id, links, version) VALUES ('w', true, 1)`)
	for _, of := range []string{aGroup + "g", aChannel + "c", aLink + "l"} {
		w.exec(`INSERT INTO docs_member (workspace, container, user_id) VALUES ('w', $1, 'bob'), ('w', $1, 'gus')`, of)
	}
	words := []string{"Plan", "plan B", "ÜBER", "über uns", "Notes", "100%_", "😀", `a"b\c`}
	for i := range n {
		u := people[r.IntN(3)]
		m := &model{title: fmt.Sprint(words[r.IntN(len(words))], " ", r.IntN(20)), creator: u.id, roles: map[string]docsv1.Role{u.id: owner}, stars: map[string]bool{}, opened: map[string]int64{}}
		m.id = must(u.api.CreateDocument(u.write(), &docsv1.CreateDocumentRequest{Title: m.title}))(w.tb).GetDocument()
		for _, who := range append([]string{everybody, everybody}, "ada", "bob", "cat", "gus") {
			if role := docsv1.Role(1 + r.IntN(3)); r.IntN(3) == 0 && who != u.id {
				u.share(m.id, who, role)
				m.roles[who] = role
			}
		}
		for _, of := range []string{aGroup + "g", aChannel + "c", aLink + "l"} { // bob and gus are in each
			if r.IntN(5) == 0 {
				w.exec(`INSERT INTO docs_share (workspace, document, container, role, expires_ms) VALUES ('w', $1, $2, 2, $3)`, m.id, of, []int64{0, time.Now().Add(time.Hour).UnixMilli(), 1}[r.IntN(3)])
			}
		}
		if n := 0; w.db.QueryRow(w.tb.Context(), `SELECT count(*) FROM docs_share WHERE document = $1 AND expires_ms <> 1`, m.id).Scan(&n) == nil && n > 0 {
			m.contained = true
		}
		if r.IntN(6) == 0 { // what somebody has is over
			w.exec(`UPDATE docs_role SET expires_ms = 1 WHERE document = $1 AND user_id = 'cat' AND role < 4`, m.id)
			if m.roles["cat"] < owner {
				delete(m.roles, "cat")
			}
		}
		if m.folder = s.folders[r.IntN(len(s.folders))]; m.folder != "" {
			must(u.move(m.id, m.folder))(w.tb)
		}
		if r.IntN(5) == 0 {
			m.title = "Renamed " + m.title
			must(u.api.RenameDocument(u.write(), &docsv1.RenameDocumentRequest{Document: m.id, Title: m.title}))(w.tb)
		}
		for _, v := range people {
			if m.role(v, v.id == "gus") >= viewer && r.IntN(3) == 0 {
				v.star(m.id, true)
				m.stars[v.id] = true
			}
		}
		if r.IntN(5) == 0 {
			u.trash(m.id)
			m.trashed = true
		}
		m.changedMs = int64(1_000_000 + i/2) // two of each
		w.exec(`UPDATE docs_document SET changed_ms = $1 WHERE id = $2`, m.changedMs, m.id)
		for _, v := range people {
			if r.IntN(3) == 0 {
				m.opened[v.id] = int64(1 + r.IntN(n/2))
				w.exec(`INSERT INTO docs_recent VALUES ('w', $1, $2, $3)`, v.id, m.id, m.opened[v.id])
			}
		}
		s.docs = append(s.docs, m)
	}
	return s
}

// question is any list that can be asked for.
func question(r *rand.Rand, folders []string, guest bool) *docsv1.ListDocumentsRequest {
	q := &docsv1.ListDocumentsRequest{
		Trashed: r.IntN(6) == 0, Starred: r.IntN(4) == 0, Shared: r.IntN(4) == 0, Mine: r.IntN(5) == 0, Order: docsv1.DocumentOrder(r.IntN(4)),
	}
	if r.IntN(3) == 0 {
		q.Title = []string{"plan", "ÜBER", "%_", "b\\", "renamed", "1", "nothing"}[r.IntN(7)]
	}
	if !guest && r.IntN(3) == 0 {
		q.Folder = &folders[r.IntN(len(folders))]
	}
	return q
}

// The pages of any list are together what the reference filters out of all documents, in order, wherever the service begins to look, and however
// little it looks through for a page.
func TestListsAreAsTheReference(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		r := rand.New(rand.NewPCG(7, uint64(w.db.Dialect())))
		people := []*user{w.person("ada"), w.person("bob"), w.person("cat"), w.somebody("w", "gus", auth.KindGuest)}
		s := fill(w, people, r, 60)
		sets := map[string]int{}
		for i := range 160 {
			w.server.through = lookThrough{1 + r.IntN(60), 5 + r.IntN(40)}
			u := people[r.IntN(len(people))]
			guest := u.id == "gus"
			q := question(r, s.folders, guest)
			size := uint32(1 + r.IntN(12))
			got, pages := u.list(q, size)
			want := s.list(u, guest, q)
			if !slices.Equal(ids(got), want) {
				t.Fatalf("%d: %s asks for %v by %d: %d documents, want %d:\n%v\n%v", i, u.id, q, size, len(got), len(want), ids(got), want)
			}
			if pages > 1 {
				sets["pages"]++
			}
			sets[fmt.Sprint(len(want) > 0)]++
			for _, d := range got {
				m := s.docs[slices.IndexFunc(s.docs, func(m *model) bool { return m.id == d.GetId() })]
				if d.GetTitle() != m.title || d.GetFolder() != m.folder || d.GetStarred() != m.stars[u.id] || d.GetOpenedMs() != m.opened[u.id] || d.GetRole() != m.role(u, guest) ||
					d.GetTrashed() != m.trashed || (d.GetTrashedMs() > 0) != m.trashed || (d.GetPurgeMs() > d.GetTrashedMs()) != m.trashed {
					t.Fatalf("%v, want %v", d, m)
				}
			}
		}
		if sets["pages"] < 20 || sets["true"] < 50 || sets["false"] < 5 {
			t.Errorf("the questions are not what they should be: %v", sets)
		}
	})
}

// Who goes from page to page while documents are edited finds none twice, and all that stay where they are.
func TestPagesWhileDocumentsChange(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		var docs []string
		for i := range 60 {
			doc := ada.create("")
			if i%3 > 0 {
				ada.share(doc, "bob", viewer)
				docs = append(docs, doc)
			}
		}
		for _, through := range []lookThrough{{1000, 2000}, {5, 7}} {
			w.server.through = through
			stop := make(chan struct{})
			changed := map[string]bool{}
			var wg sync.WaitGroup
			wg.Go(func() {
				r := rand.New(rand.NewPCG(1, 2))
				for {
					select {
					case <-stop:
						return
					default:
					}
					doc := docs[r.IntN(len(docs))]
					changed[doc] = true
					d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument()
					if _, err := ada.submit(doc, d.GetVersion(), inserts("x")); err != nil {
						t.Error(err)
					}
				}
			})
			var lists [][]*docsv1.Document
			for range 10 {
				list, _ := bob.list(&docsv1.ListDocumentsRequest{}, 3)
				lists = append(lists, list)
			}
			close(stop)
			wg.Wait()
			for _, list := range lists {
				seen := map[string]bool{}
				for _, d := range list {
					if seen[d.GetId()] || !slices.Contains(docs, d.GetId()) {
						t.Errorf("%s is listed twice, or was not to be", d.GetId())
					}
					seen[d.GetId()] = true
				}
				for _, doc := range docs {
					if !seen[doc] && !changed[doc] {
						t.Errorf("%s did not change, and is missing", doc)
					}
				}
			}
		}
	})
}

// Nothing of what somebody may not read comes out of a list: no title, no id, no number of what was looked through, and nobody's page is another's.
func TestListsLeakNothing(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, eve, bob := w.person("ada"), w.person("eve"), w.person("bob")
		folder := ada.folder("everybody's", "")
		var hidden []string
		for i := range 30 {
			doc := must(ada.api.CreateDocument(ada.write(), &docsv1.CreateDocumentRequest{Title: fmt.Sprint("Secret ", i)}))(t).GetDocument()
			must(ada.move(doc, folder))(t)
			hidden = append(hidden, doc)
		}
		shown := ada.create("")
		must(ada.move(shown, folder))(t)
		ada.share(shown, everybody, viewer)
		ada.share(hidden[0], "bob", viewer)
		bob.star(hidden[0], true)
		bob.text(hidden[0])
		eventually(t, "it is among those opened last", func() bool {
			list, _ := bob.list(&docsv1.ListDocumentsRequest{Order: byOpened}, 10)
			return len(list) == 1
		})
		ada.share(hidden[0], "bob", docsv1.Role_ROLE_UNSPECIFIED)
		check := func(what, text string) {
			t.Helper()
			if strings.Contains(text, "Secret") || strings.Contains(text, "secret") {
				t.Errorf("%s tells a title: %s", what, text)
			}
			for _, id := range hidden {
				if strings.Contains(text, id) {
					t.Errorf("%s tells an id: %s", what, text)
				}
			}
		}
		for _, through := range []lookThrough{{1000, 2000}, {0, 4}} {
			w.server.through = through
			for _, q := range []*docsv1.ListDocumentsRequest{
				{}, {Order: byTitle}, {Order: byOpened}, {Starred: true}, {Shared: true}, {Mine: true}, {Title: "secret"}, {Title: "e"}, {Folder: &folder}, {Folder: &folder, Order: byTitle}, {Trashed: true},
			} {
				for _, u := range []*user{eve, bob} {
					q := proto.CloneOf(q)
					found := 0
					for q.Limit = 2; ; {
						r := must(u.api.ListDocuments(u.read(), q))(t)
						next, err := base64.RawURLEncoding.DecodeString(r.GetNext())
						if err != nil {
							t.Error(err)
						}
						found += len(r.GetDocuments())
						check(fmt.Sprint(q), r.String()+string(next))
						if q.Page = r.GetNext(); q.GetPage() == "" {
							break
						}
						// Whoever else sends it, or with another question, is told nothing.
						_, err = ada.api.ListDocuments(ada.read(), q)
						refused(t, "somebody else's page", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
						other := proto.CloneOf(q)
						other.Title += "x"
						_, err = u.api.ListDocuments(u.read(), other)
						refused(t, "another list's page", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
					}
					if q.GetTitle() == "secret" && found > 0 || found > 1 {
						t.Errorf("%s finds %d by %v", u.id, found, q)
					}
				}
			}
		}
		// What is not there and what is hidden are told apart by nothing.
		for _, id := range []string{"nowhere", hidden[0]} {
			_, err := eve.api.StarDocument(eve.write(), &docsv1.StarDocumentRequest{Document: id, Starred: true})
			refused(t, "star of "+id, err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
			if offset := eve.star(id, false); offset != 0 {
				t.Errorf("a star of %s is taken away: %d", id, offset)
			}
			for name, call := range map[string]func() error{
				"move": func() error { return second(eve.move(id, folder)) },
				"purge": func() error {
					return second(eve.api.PurgeDocument(eve.write(), &docsv1.PurgeDocumentRequest{Document: id}))
				},
				"erase": func() error {
					return second(eve.api.EraseHistory(eve.write(), &docsv1.EraseHistoryRequest{Document: id, BeforeVersion: 1}))
				},
			} {
				refused(t, name+" of "+id, call(), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
			}
		}
	})
}

func TestRefusedLists(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	const invalid = edgev1.Code_CODE_INVALID_ARGUMENT
	for name, q := range map[string]*docsv1.ListDocumentsRequest{
		"a page made up":    {Page: "xyz"},
		"a page of nothing": {Page: "AAAA"},
		"a long page":       {Limit: 201},
		"no such order":     {Order: 9},
		"a long title":      {Title: strings.Repeat("x", 201)},
	} {
		_, err := ada.api.ListDocuments(ada.read(), q)
		refused(t, name, err, invalid, "docs.BAD_FIELD")
	}
}

// A page can be opened by whichever process is asked, and after a restart.
func TestPagesAtAnotherProcess(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a", "b")
		ada := ws[0].person("ada")
		for range 3 {
			ada.create("")
		}
		q := &docsv1.ListDocumentsRequest{Limit: 2}
		r := must(ada.api.ListDocuments(ada.read(), q))(t)
		q.Page = r.GetNext()
		other := ada.at(ws[1])
		if r := must(other.api.ListDocuments(other.read(), q))(t); len(r.GetDocuments()) != 1 || r.GetNext() != "" {
			t.Errorf("%v", r)
		}
	})
}

// Stars are one's own, on all devices; of too many the oldest falls off; what can't be read any more isn't shown, and can be taken off.
func TestStars(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc, other := ada.create(""), ada.create("")
		ada.share(doc, "bob", viewer)
		if at := bob.star(doc, true); at != 1 {
			t.Errorf("%d", at)
		}
		key := bob.again()
		if at := bob.star(doc, true); at != 0 {
			t.Errorf("it has a star: %d", at)
		}
		_, err := bob.api.StarDocument(bob.write(), &docsv1.StarDocumentRequest{Document: other, Starred: true})
		refused(t, "not let in", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		starred := func(u *user, want ...string) {
			t.Helper()
			if list, _ := u.list(&docsv1.ListDocumentsRequest{Starred: true}, 10); !slices.Equal(ids(list), want) {
				t.Errorf("%s has starred %v, want %v", u.id, ids(list), want)
			}
		}
		starred(bob, doc)
		starred(ada)
		ada.share(doc, "bob", docsv1.Role_ROLE_UNSPECIFIED)
		starred(bob)
		if r := must(bob.api.StarDocument(key, &docsv1.StarDocumentRequest{Document: doc, Starred: true}))(t); r.GetOffset() != 1 {
			t.Errorf("a retry: %v", r)
		}
		if at := bob.star(doc, false); at != 2 {
			t.Errorf("%d", at)
		}
		ada.share(doc, "bob", viewer)
		starred(bob)
		want := []string{`starred:{document:"` + doc + `" starred:true}`, `starred:{document:"` + doc + `"}`}
		if got := heard(bob, "docs.user/me", &docsv1.UserEvent{}); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if got := heard(ada, "docs.user/ada", &docsv1.UserEvent{}); len(got) != 0 {
			t.Errorf("%q", got)
		}
		// 500 others, of now.
		err = w.db.Write(t.Context(), func(tx *sql.Tx) error {
			for i := range MaxStars {
				if _, err := tx.ExecContext(t.Context(), `INSERT INTO docs_star VALUES ('w', 'bob', $1, $2)`, fmt.Sprint("s", i), time.Now().Add(time.Hour).UnixMilli()+int64(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		bob.star(doc, true)
		got := heard(bob, "docs.user/me", &docsv1.UserEvent{})
		if n := len(got); n != 4 || got[2] != want[0] || got[3] != `starred:{document:"s0"}` {
			t.Errorf("%q", got)
		}
		starred(bob, doc)
	})
}

// What somebody opened is noted beside their reading: the newest content from its beginning, once a minute, the newest 500.
func TestRecents(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		one, two := ada.create("1"), ada.create("2")
		ada.share(one, "bob", viewer)
		opened := func(u *user) []string {
			list, _ := u.list(&docsv1.ListDocumentsRequest{Order: byOpened}, 10)
			return ids(list)
		}
		read := func(u *user, doc string, version uint64, after uint32) {
			must(u.api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: doc, Version: version, After: after}))(t)
		}
		read(ada, one, 1, 0) // an old version, and a later part, are no opening
		read(ada, one, 1, 1)
		_, err := bob.api.ReadDocument(bob.read(), &docsv1.ReadDocumentRequest{Document: two})
		refused(t, "not let in", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		read(ada, two, 0, 0)
		eventually(t, "it is listed", func() bool { return len(opened(ada)) > 0 })
		if got := opened(ada); !slices.Equal(got, []string{two}) {
			t.Errorf("%v", got)
		}
		w.exec(`UPDATE docs_recent SET opened_ms = opened_ms - 50000`)
		read(ada, one, 0, 0)
		read(bob, one, 0, 0)
		eventually(t, "both are listed", func() bool { return len(opened(ada)) > 1 && len(opened(bob)) > 0 })
		if got := opened(ada); !slices.Equal(got, []string{one, two}) {
			t.Errorf("%v", got)
		}
		ada.share(one, "bob", docsv1.Role_ROLE_UNSPECIFIED)
		if got := opened(bob); len(got) != 0 {
			t.Errorf("what can't be read any more: %v", got)
		}
		// Again within the minute, and behind it, as SQL has it: this process remembers the minute, too.
		save := func(at time.Time, u string, docs ...string) {
			t.Helper()
			var list []opening
			for _, d := range docs {
				list = append(list, opening{"w", u, d})
			}
			if err := w.server.saveRecents(t.Context(), at, list); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now()
		save(now.Add(5*time.Second), "ada", two, "nowhere")
		if got := opened(ada); !slices.Equal(got, []string{one, two}) {
			t.Errorf("within the minute: %v", got)
		}
		save(now.Add(61*time.Second), "ada", two)
		if got := opened(ada); !slices.Equal(got, []string{two, one}) {
			t.Errorf("after a minute: %v", got)
		}
		err = w.db.Write(t.Context(), func(tx *sql.Tx) error {
			for i := range MaxRecent {
				if _, err := tx.ExecContext(t.Context(), `INSERT INTO docs_recent VALUES ('w', 'ada', $1, $2)`, fmt.Sprint("r", i), now.Add(90*time.Second).UnixMilli()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		save(now.Add(122*time.Second), "ada", one)
		if got := opened(ada); !slices.Equal(got, []string{one}) {
			t.Errorf("of too many: %v", got)
		}
		var n int
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_recent WHERE user_id = 'ada'`).Scan(&n); err != nil || n != MaxRecent {
			t.Errorf("%d are kept, %v", n, err)
		}
	})
}

// However many people open documents at a time, few openings are written in one transaction.
func TestManyOpenings(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) { // which says in which
		const many = 5 * recentWrite
		w := newWorld(t, url)
		doc := w.person("ada").create("x")
		for i := range many {
			w.server.recents.queue <- opening{"w", fmt.Sprint("u", i), doc}
		}
		n, most := 0, 0
		eventually(t, "all are written down", func() bool {
			must(0, w.db.QueryRow(t.Context(), `SELECT coalesce(sum(n), 0), coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM docs_recent GROUP BY xmin::text) x`).Scan(&n, &most))(t)
			return n == many
		})
		if most > recentWrite {
			t.Errorf("%d were written in one transaction", most)
		}
	})
}

// Reading goes on whatever becomes of what is noted of it.
func TestOpeningsAreForgotten(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("x")
	w.exec(`ALTER TABLE docs_recent RENAME TO docs_gone`)
	if got := ada.text(doc); got != "x" {
		t.Errorf("%q", got)
	}
	s := &Server{recents: newRecents(), metrics: newMetrics(nil)}
	for range recentQueue + 10 {
		s.opened(auth.Caller{Claims: auth.Claims{Workspace: "w", User: "ada"}}, docKey{"w", doc})
	}
	if len(s.recents.queue) != recentQueue {
		t.Errorf("%d wait", len(s.recents.queue))
	}
	now := time.Now()
	o := opening{"w", "ada", doc}
	for _, c := range []struct {
		in   time.Duration
		want int
	}{{0, 1}, {recentGap - 2*time.Millisecond, 0}, {recentGap, 1}} {
		if got := s.recents.fresh(now.Add(c.in), []opening{o, o}); len(got) != c.want {
			t.Errorf("after %v: %v", c.in, got)
		}
	}
	for i := range 3 * recentMemory {
		s.recents.fresh(now, []opening{{"w", fmt.Sprint(i), doc}})
	}
	if n := len(s.recents.written); n > recentMemory {
		t.Errorf("%d are remembered", n)
	}
}
