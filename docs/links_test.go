package docs

import (
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func (u *user) link(document string, role docsv1.Role, expires time.Duration) (*docsv1.CreateLinkResponse, error) {
	return u.api.CreateLink(u.write(), &docsv1.CreateLinkRequest{Document: document, Role: role, ExpiresMs: time.Now().Add(expires).UnixMilli()})
}

func (u *user) openLink(document, secret string) (*docsv1.OpenLinkResponse, error) {
	return u.api.OpenLink(u.write(), &docsv1.OpenLinkRequest{Document: document, Secret: secret})
}

// opensNothing checks that a secret is answered as every other that opens nothing.
func (u *user) opensNothing(what, document, secret string) {
	u.tb.Helper()
	_, err := u.openLink(document, secret)
	_, other := u.openLink(absent, newSecret())
	if got, want := rpc.FromError(err).String(), rpc.FromError(other).String(); got != want || !strings.Contains(got, "docs.LINK") {
		u.tb.Errorf("%s: %s, not %s", what, got, want)
	}
}

// A link makes members and guests of the workspace what it says, at once, and until it is taken back.
func TestLinks(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn", "dan")
		ada, bob, cyn, dan := u[0], u[1], u[2], u[3]
		gus := w.meets(auth.KindGuest, "gus")[0]
		other := w.somebody("v", "bob", auth.KindPerson, mayCreate)
		w.allows(true, 1)
		w.settle()
		doc, second := ada.create("A text\n"), ada.create("Another\n")
		ada.share(doc, "cyn", viewer)
		l := must(ada.link(doc, editor, time.Hour))(t)
		if len(l.GetSecret()) != 43 || l.GetLink() == "" || l.GetVersion() != ada.head(doc) {
			t.Fatalf("%v", l)
		}
		reader := must(ada.link(doc, viewer, time.Hour))(t)
		for _, u := range []*user{bob, gus, other} {
			u.is(doc, none)
		}
		for _, u := range []*user{bob, gus} {
			at := ada.head(doc)
			if r := must(u.openLink(doc, l.GetSecret()))(t); r.GetRole() != editor || r.GetVersion() != at+1 {
				t.Errorf("%s: %v", u.id, r)
			}
			must(u.submit(doc, at, inserts("at once")))(t)
			u.is(doc, editor)
			e := w.log(doc, at)[0]
			if e.actor != u.id || e.body.GetLinkOpened().GetLink() != l.GetLink() {
				t.Errorf("%v", e)
			}
			at = ada.head(doc)
			if r := must(u.openLink(doc, l.GetSecret()))(t); r.GetRole() != editor || r.GetVersion() != 0 || ada.head(doc) != at {
				t.Errorf("again: %v", r)
			}
		}
		must(cyn.openLink(doc, reader.GetSecret()))(t)
		cyn.is(doc, viewer)
		must(cyn.openLink(doc, l.GetSecret()))(t)
		cyn.is(doc, editor)
		other.opensNothing("of another workspace", doc, l.GetSecret())
		bob.opensNothing("of another document", second, l.GetSecret())
		bob.opensNothing("guessed", doc, newSecret())
		bob.opensNothing("empty", doc, "")
		bob.opensNothing("no id", "*", l.GetSecret())

		for _, g := range must(bob.api.ListRoles(bob.read(), &docsv1.ListRolesRequest{Document: doc}))(t).GetGrants() {
			if text := g.String(); strings.Contains(text, l.GetSecret()) || strings.HasPrefix(g.GetPrincipal(), aLink) && g.GetExpiresMs() == 0 {
				t.Errorf("the list says %s", text)
			}
		}
		_, err := ada.api.SetRole(ada.write(), &docsv1.SetRoleRequest{Document: doc, Principal: aLink + l.GetLink(), Role: viewer})
		refused(t, "another role", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		at := ada.share(doc, aLink+l.GetLink(), none)
		if e := w.log(doc, at-1)[0]; len(e.access) != 1 || e.access[0].GetPrincipal() != everybody || e.access[0].GetRead() {
			t.Errorf("taken back: %v", e)
		}
		bob.is(doc, none)
		gus.is(doc, none)
		cyn.is(doc, viewer)
		dan.opensNothing("taken back", doc, l.GetSecret())
		must(dan.openLink(doc, reader.GetSecret()))(t)
		dan.is(doc, viewer)
		n := 0
		if err := w.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM docs_link) * 10 + (SELECT count(*) FROM docs_member)`).Scan(&n); err != nil || n != 12 {
			t.Errorf("what is left of links and their members: %d, %v", n, err)
		}

		must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc, Trashed: true}))(t)
		bob.opensNothing("in the trash", doc, reader.GetSecret())
		must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc}))(t)
		must(bob.openLink(doc, reader.GetSecret()))(t)
		w.closeNow(doc)
		must(gus.openLink(doc, reader.GetSecret()))(t)
		gus.is(doc, viewer)
	})
}

func TestLinksExpire(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		ada, bob, cyn := u[0], u[1], u[2]
		w.allows(true, 1)
		w.settle()
		doc := ada.create("A text\n")
		l := must(ada.link(doc, editor, 1500*time.Millisecond))(t)
		must(bob.openLink(doc, l.GetSecret()))(t)
		bob.is(doc, editor)
		at := ada.head(doc)
		eventually(t, "it has expired", func() bool { _, err := bob.submit(doc, at, inserts("x")); return err != nil })
		bob.is(doc, none)
		cyn.opensNothing("expired", doc, l.GetSecret())
		e := w.accessChanged(doc, at)
		want(t, "expired", strings.Join(e.body.GetAccessChanged().GetExpired(), " "), aLink+l.GetLink())
		cyn.opensNothing("expired, and gone", doc, l.GetSecret())
		n := -1
		if err := w.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM docs_link) + (SELECT count(*) FROM docs_member)`).Scan(&n); err != nil || n != 0 {
			t.Errorf("left: %d, %v", n, err)
		}
	})
}

// Nobody makes or uses links where the workspace doesn't allow them, those that were made before included; those who follow by one are told.
func TestLinksAreAllowed(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		ada, bob, cyn := u[0], u[1], u[2]
		w.settle()
		doc := ada.create("A text\n")
		_, err := ada.link(doc, viewer, time.Hour)
		refused(t, "by default", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		w.allows(true, 1)
		w.settle()
		l := must(ada.link(doc, editor, time.Hour))(t)
		must(bob.openLink(doc, l.GetSecret()))(t)
		bob.is(doc, editor)
		at := ada.head(doc)
		w.allows(false, 2)
		w.settle()
		if e := w.accessChanged(doc, at); len(e.body.GetAccessChanged().GetExpired()) > 0 {
			t.Errorf("%v", e.body)
		}
		bob.is(doc, none)
		cyn.opensNothing("not allowed", doc, l.GetSecret())
		_, err = ada.link(doc, viewer, time.Hour)
		refused(t, "not any more", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		_, err = bob.link(doc, viewer, time.Hour)
		refused(t, "by somebody else", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		w.allows(false, 3) // it was renamed, say
		w.settle()
		w.idleJobs()
		if more := w.log(doc, at+1); len(more) > 0 {
			t.Errorf("told for nothing: %v", more)
		}
		w.allows(true, 4)
		w.settle()
		bob.becomes(doc, editor)
	})
}

func TestRefusedLinks(t *testing.T) {
	w := peopled(t, "sqlite:"+t.TempDir()+"/docs.db")
	w.start()
	u := w.meets(auth.KindPerson, "ada", "bob")
	ada, bob := u[0], u[1]
	w.allows(true, 1)
	w.settle()
	doc := ada.create("")
	ada.share(doc, "bob", editor)
	for what, l := range map[string]struct {
		role    docsv1.Role
		expires time.Duration
	}{"an owner's": {owner, time.Hour}, "nobody's": {none, time.Hour}, "no role": {9, time.Hour}, "past": {viewer, -time.Second}, "in two years": {viewer, 2 * 366 * 24 * time.Hour}} {
		_, err := ada.link(doc, l.role, l.expires)
		refused(t, what, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	}
	_, err := ada.api.CreateLink(ada.write(), &docsv1.CreateLinkRequest{Document: doc, Role: viewer})
	refused(t, "for ever", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	_, err = bob.link(doc, viewer, time.Hour)
	refused(t, "by an editor", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
	for range MaxContainers {
		must(ada.link(doc, viewer, time.Hour))(t)
	}
	_, err = ada.link(doc, viewer, time.Hour)
	refused(t, "one more", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
}

// Links of two documents are two, though whoever made them used one key for both.
func TestLinksOfOneKey(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := u[0], u[1]
		w.allows(true, 1)
		w.settle()
		doc, second := ada.create("A text\n"), ada.create("Another\n")
		reads := must(ada.link(doc, viewer, time.Hour))(t)
		ada.seq--
		edits := must(ada.link(second, editor, time.Hour))(t)
		if reads.GetLink() == edits.GetLink() {
			t.Error("they have one id")
		}
		must(bob.openLink(doc, reads.GetSecret()))(t)
		bob.is(doc, viewer)
		bob.is(second, none)
		ada.share(second, aLink+edits.GetLink(), none)
		bob.is(doc, viewer)
	})
}

// A secret is told once, to whoever made the link, and stands nowhere: not in the database, not in an event, not in a log.
func TestSecretsAreKeptNowhere(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		var logs lines
		w := peopled(t, url)
		w.logs = &logs
		w.start()
		u := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := u[0], u[1]
		w.allows(true, 1)
		w.settle()
		doc := ada.create("A text\n")
		q := &docsv1.CreateLinkRequest{Document: doc, Role: viewer, ExpiresMs: time.Now().Add(time.Hour).UnixMilli()}
		l := must(ada.api.CreateLink(ada.write(), q))(t)
		if again := must(ada.api.CreateLink(ada.again(), q))(t); again.GetSecret() != "" || again.GetLink() != l.GetLink() || again.GetVersion() != l.GetVersion() {
			t.Errorf("a retry: %v", again)
		}
		must(bob.openLink(doc, l.GetSecret()))(t)
		if found := w.dump(t); strings.Contains(found, l.GetSecret()) || !strings.Contains(found, l.GetLink()) {
			t.Error("the database has it, or was not read")
		}
		bob.opensNothing("guessed", doc, l.GetSecret()+"x")
		w.server.logger.Warn("something")
		if text := logs.String(); strings.Contains(text, l.GetSecret()) || !strings.Contains(text, "something") {
			t.Errorf("the log has it, or nothing: %s", text)
		}
	})
}

// lines is what was logged.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// dump is all that the database holds, as text.
func (w *world) dump(t *testing.T) string {
	q := `SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'docs%'`
	if w.db.Dialect() == sqldb.Postgres {
		q = `SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'docs%'`
	}
	var all strings.Builder
	for _, table := range must(texts(t.Context(), w.db.Query, q))(t) {
		err := each(t.Context(), w.db.Query, `SELECT * FROM `+table, nil, func(r *sql.Rows) error {
			columns, err := r.Columns()
			if err != nil {
				return err
			}
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(sql.RawBytes)
			}
			if err := r.Scan(values...); err != nil {
				return err
			}
			for _, v := range values {
				fmt.Fprintf(&all, "%s ", *v.(*sql.RawBytes))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// Several open a link at the same time, and with one key twice: each is a member once.
func TestLinkIsOpenedOnce(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := peopled(t, url).several("a", "b")
		w := ws[0]
		u := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := u[0], u[1]
		w.allows(true, 1)
		w.settle()
		doc := ada.create("A text\n")
		l := must(ada.link(doc, commenter, time.Hour))(t)
		q := &docsv1.OpenLinkRequest{Document: doc, Secret: l.GetSecret()}
		ctx := bob.write()
		answers := make(chan string, 6)
		for i := range cap(answers) {
			v := bob.at(ws[i%2])
			go func() {
				r, err := v.api.OpenLink(ctx, q)
				answers <- fmt.Sprint(r, err)
			}()
		}
		first := <-answers
		for range cap(answers) - 1 {
			if a := <-answers; a != first {
				t.Errorf("%s, and %s", first, a)
			}
		}
		opened := 0
		for _, e := range w.log(doc, 0) {
			if e.body.GetLinkOpened() != nil {
				opened++
			}
		}
		if opened != 1 {
			t.Errorf("told %d times", opened)
		}
		bob.is(doc, commenter)
	})
}
