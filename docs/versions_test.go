package docs

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plenum.internal/mesh/auth"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// versions lists all, in pages of a size.
func (u *user) versions(document string, size uint32, named bool) (list []*docsv1.Version) {
	u.tb.Helper()
	for page := ""; ; {
		r := must(u.api.ListVersions(u.read(), &docsv1.ListVersionsRequest{Document: document, Limit: size, Page: page, Named: named}))(u.tb)
		list = append(list, r.GetVersions()...)
		if page = r.GetNext(); page == "" {
			return list
		}
		if len(r.GetVersions()) != int(size) {
			u.tb.Fatalf("a page of %d that is not the last", len(r.GetVersions()))
		}
	}
}

func (u *user) name(document string, version uint64, name string) (*docsv1.NameVersionResponse, error) {
	return u.api.NameVersion(u.write(), &docsv1.NameVersionRequest{Document: document, Version: version, Name: name})
}

// exec changes the database behind the service's back.
func (w *world) exec(query string, args ...any) {
	w.tb.Helper()
	err := w.db.Write(w.tb.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(w.tb.Context(), query, args...)
		return err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
}

// list is versions in short.
func list(versions []*docsv1.Version) (s []string) {
	for _, v := range versions {
		s = append(s, strings.TrimSpace(fmt.Sprint(v.GetVersion(), " ", strings.Join(v.GetAuthors(), "+"), " ", v.GetName())))
	}
	return s
}

func everyEngineWith(t *testing.T, change func(*Config), test func(t *testing.T, w *world)) {
	everyEngine(t, func(t *testing.T, w *world) {
		w.stop()
		test(t, w.beside("", change))
	})
}

// While somebody edits there is a version now and then, with who edited since the one before.
func TestVersionsWhileEditing(t *testing.T) {
	everyEngineWith(t, func(c *Config) { c.Version = time.Second }, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("a text\n")
		ada.share(doc, "bob", editor)
		for i := range uint64(5) {
			must(bob.submit(doc, 2+i, inserts("x")))(t)
		}
		if n := len(ada.versions(doc, 10, false)); n != 0 {
			t.Errorf("%d versions at once", n)
		}
		eventually(t, "a version", func() bool { return len(ada.versions(doc, 10, false)) > 0 })
		w.exec(`UPDATE docs_version SET time_ms = time_ms - 60000 WHERE document = $1`, doc)
		must(ada.api.RenameDocument(ada.write(), &docsv1.RenameDocumentRequest{Document: doc, Title: "another"}))(t)
		time.Sleep(1100 * time.Millisecond) // a title is no content
		must(ada.submit(doc, 8, inserts("y")))(t)
		w.closeNow(doc) // with too little to be written down at once: the next owner does
		ada.text(doc)
		eventually(t, "another version", func() bool { return len(ada.versions(doc, 10, false)) > 1 })
		got := ada.versions(doc, 1, false)
		if want := []string{"9 ada", "7 ada+bob"}; !slices.Equal(list(got), want) {
			t.Errorf("%v, want %v", list(got), want)
		}
		for _, v := range got {
			if d, _ := ada.content(doc, v.GetVersion()); d.Len() < len("a text\n")+5 || time.Since(time.UnixMilli(v.GetTimeMs())) > 2*time.Minute {
				t.Errorf("%v has %d", v, d.Len())
			}
		}
	})
}

// Versions are written down to open a document by, too. Those in which nobody has edited are not listed, unless they have a name.
func TestVersionsWithoutEdits(t *testing.T) {
	everyEngineWith(t, func(c *Config) { c.Snapshot = 10 }, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("a text\n")
		ada.share(doc, "bob", editor)
		head := uint64(2)
		for range 3 {
			for range 25 {
				head = must(bob.comment(doc, head, 0, 3, "a comment"))(t).GetThread()
			}
			for i := range 5 {
				head = must(ada.api.RenameDocument(ada.write(), &docsv1.RenameDocumentRequest{Document: doc, Title: fmt.Sprint("title ", i)}))(t).GetVersion()
			}
			w.closeNow(doc)
			w.exec(`UPDATE docs_version SET time_ms = time_ms - 120000`)
		}
		var written int
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_version`).Scan(&written); err != nil || written < 3 {
			t.Errorf("%d are written down, %v", written, err)
		}
		if got := list(ada.versions(doc, 10, false)); !slices.Equal(got, []string{got[0]}) || !strings.HasSuffix(got[0], " ada") { // the one with its beginning
			t.Errorf("%q", got)
		}
		edited := must(bob.submit(doc, head, inserts("x")))(t).GetVersion()
		head = edited
		for range 25 {
			head = must(bob.comment(doc, edited, 0, 3, "a comment"))(t).GetThread()
		}
		w.closeNow(doc)
		got := ada.versions(doc, 10, false)
		if len(got) != 2 || got[0].GetVersion() < edited || list(got)[0] != fmt.Sprint(got[0].GetVersion(), " bob") {
			t.Errorf("%q", list(got))
		}
		w.exec(`UPDATE docs_version SET time_ms = time_ms - 120000`)
		for range 25 {
			head = must(bob.comment(doc, edited, 0, 3, "a comment"))(t).GetThread()
		}
		must(ada.name(doc, head, "commented"))(t)
		if got := list(ada.versions(doc, 1, false)); len(got) != 3 || got[0] != fmt.Sprint(head, "  commented") {
			t.Errorf("%q", got)
		}
	})
}

func TestNamedVersions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("a text\n")
		ada.share(doc, "bob", editor)
		must(bob.submit(doc, 2, inserts("3")))(t)
		must(ada.submit(doc, 3, inserts("4")))(t)
		must(bob.submit(doc, 4, inserts("5")))(t)
		must(ada.submit(doc, 5, inserts("6")))(t)
		// The newest, one between the others, and one before them.
		if r := must(ada.name(doc, 6, "six"))(t); r.GetVersion() != 7 {
			t.Errorf("%v", r)
		}
		must(ada.name(doc, 4, " four "))(t)
		key := ada.again()
		must(bob.name(doc, 3, "three"))(t)
		want := []string{"6 ada+bob six", "4 ada four", "3 ada+bob three"}
		if got := list(ada.versions(doc, 2, true)); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		// Once more, with the key and without.
		if r := must(ada.api.NameVersion(key, &docsv1.NameVersionRequest{Document: doc, Version: 4, Name: " four "}))(t); r.GetVersion() != 8 {
			t.Errorf("a retry: %v", r)
		}
		if r := must(ada.name(doc, 4, "four"))(t); r.GetVersion() != 0 {
			t.Errorf("it has that name: %v", r)
		}
		must(ada.name(doc, 4, "vier"))(t)
		must(ada.name(doc, 3, ""))(t)
		if r := must(ada.name(doc, 2, ""))(t); r.GetVersion() != 0 {
			t.Errorf("it has no name: %v", r)
		}
		if got := list(ada.versions(doc, 2, true)); !slices.Equal(got, []string{"6 ada+bob six", "4 ada vier"}) {
			t.Errorf("%v", got)
		}
		if got := ada.versions(doc, 10, false); len(got) != 3 || got[2].GetName() != "" {
			t.Errorf("%v", got)
		}
		// What was written down after a name was given begins behind it.
		must(bob.submit(doc, 11, inserts("x")))(t)
		must(ada.name(doc, 12, "last"))(t)
		if got := list(ada.versions(doc, 10, true)); got[0] != "12 bob last" {
			t.Errorf("%v", got)
		}
	})
}

func TestTooManyNames(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("")
	for i := range uint64(MaxNamed) {
		must(ada.name(doc, 1+i, "a name"))(t)
	}
	_, err := ada.name(doc, MaxNamed+1, "one too many")
	refused(t, "one too many", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	must(ada.name(doc, 1, "another"))(t)
	must(ada.name(doc, 1, ""))(t)
	must(ada.name(doc, MaxNamed+1, "not too many"))(t)
}

func TestRefusedVersions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, eve, viv, gus := w.person("ada"), w.person("eve"), w.person("viv"), w.somebody("w", "gus", auth.KindGuest)
		doc, other := ada.create("a text 😀\n"), ada.create("another\n")
		ada.share(doc, "viv", viewer)
		const invalid, absent = edgev1.Code_CODE_INVALID_ARGUMENT, edgev1.Code_CODE_NOT_FOUND
		read := map[string]func(u *user, doc string) error{
			"list": func(u *user, doc string) error {
				_, err := u.api.ListVersions(u.read(), &docsv1.ListVersionsRequest{Document: doc})
				return err
			},
			"diff": func(u *user, doc string) error {
				_, err := u.api.DiffVersions(u.read(), &docsv1.DiffVersionsRequest{Document: doc})
				return err
			},
			"blame": func(u *user, doc string) error {
				_, err := u.api.Blame(u.read(), &docsv1.BlameRequest{Document: doc})
				return err
			},
		}
		change := map[string]func(u *user, doc string) error{
			"name": func(u *user, doc string) error { _, err := u.name(doc, 1, "a name"); return err },
			"restore": func(u *user, doc string) error {
				_, err := u.api.RestoreVersion(u.write(), &docsv1.RestoreVersionRequest{Document: doc, Version: 1})
				return err
			},
		}
		for name, f := range read {
			for who, u := range map[string]*user{"not let in": eve, "a guest": gus, "another workspace": w.somebody("elsewhere", "ada", auth.KindPerson)} {
				refused(t, name+", "+who, f(u, doc), absent, "docs.DOCUMENT")
			}
			refused(t, name+" of none", f(ada, "nowhere"), absent, "docs.DOCUMENT")
			refused(t, name+" of no id", f(ada, "../x"), absent, "docs.DOCUMENT")
			must(0, f(viv, doc))(t)
		}
		for name, f := range change {
			refused(t, name+", not let in", f(eve, doc), absent, "docs.DOCUMENT")
			refused(t, name+", reads only", f(viv, doc), edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
			refused(t, name+" of none", f(ada, "nowhere"), absent, "docs.DOCUMENT")
		}
		for name, c := range map[string]struct {
			err    error
			code   edgev1.Code
			reason string
		}{
			"a page made up":       {second(ada.api.ListVersions(ada.read(), &docsv1.ListVersionsRequest{Document: doc, Page: "xyz"})), invalid, "docs.BAD_FIELD"},
			"a page of -1":         {second(ada.api.ListVersions(ada.read(), &docsv1.ListVersionsRequest{Document: doc, Page: "LTE"})), invalid, "docs.BAD_FIELD"},
			"a page too long":      {second(ada.api.ListVersions(ada.read(), &docsv1.ListVersionsRequest{Document: doc, Limit: 201})), invalid, "docs.BAD_FIELD"},
			"name 0":               {second(ada.name(doc, 0, "x")), absent, "docs.VERSION"},
			"name what will be":    {second(ada.name(doc, 99, "x")), absent, "docs.VERSION"},
			"name 2^64-1":          {second(ada.name(doc, 1<<64-1, "x")), absent, "docs.VERSION"},
			"a long name":          {second(ada.name(doc, 1, strings.Repeat("x", 101))), invalid, "docs.BAD_FIELD"},
			"a name in two lines":  {second(ada.name(doc, 1, "a\nb")), invalid, "docs.BAD_FIELD"},
			"a name without a key": {second(ada.api.NameVersion(ada.read(), &docsv1.NameVersionRequest{Document: doc, Version: 1})), invalid, "docs.KEY_MISSING"},
			"restore 0":            {second(ada.restore(doc, 0)), absent, "docs.VERSION"},
			"restore 99":           {second(ada.restore(doc, 99)), absent, "docs.VERSION"},
			"diff from 99":         {second(ada.api.DiffVersions(ada.read(), &docsv1.DiffVersionsRequest{Document: doc, From: 99, To: 1})), absent, "docs.VERSION"},
			"diff to 99":           {second(ada.api.DiffVersions(ada.read(), &docsv1.DiffVersionsRequest{Document: doc, From: 1, To: 1<<64 - 1})), absent, "docs.VERSION"},
			"diff after the end":   {second(ada.api.DiffVersions(ada.read(), &docsv1.DiffVersionsRequest{Document: doc, To: 1, After: 1 << 31})), invalid, "docs.BAD_FIELD"},
			"diff inside a pair":   {second(ada.api.DiffVersions(ada.read(), &docsv1.DiffVersionsRequest{Document: doc, To: 1, After: 8})), invalid, "docs.SPLIT_SURROGATE"},
			"diff of no version":   {second(ada.api.DiffVersions(ada.read(), &docsv1.DiffVersionsRequest{Document: doc, After: 1})), invalid, "docs.BAD_FIELD"},
			"blame 99":             {second(ada.api.Blame(ada.read(), &docsv1.BlameRequest{Document: doc, Version: 99})), absent, "docs.VERSION"},
			"blame after the end":  {second(ada.api.Blame(ada.read(), &docsv1.BlameRequest{Document: doc, Version: 1, After: 99})), invalid, "docs.BAD_FIELD"},
			"blame of no version":  {second(ada.api.Blame(ada.read(), &docsv1.BlameRequest{Document: doc, After: 1})), invalid, "docs.BAD_FIELD"},
			"blame of too much":    {second(ada.api.Blame(ada.read(), &docsv1.BlameRequest{Document: doc, Limit: 2001})), invalid, "docs.BAD_FIELD"},
		} {
			refused(t, name, c.err, c.code, c.reason)
		}
		// In the trash its owners find what it was, and nobody changes anything.
		must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc, Trashed: true}))(t)
		for name, f := range read {
			refused(t, name+" in the trash", f(viv, doc), absent, "docs.DOCUMENT")
			must(0, f(ada, doc))(t)
		}
		for name, f := range change {
			refused(t, name+" in the trash", f(ada, doc), edgev1.Code_CODE_FAILED_PRECONDITION, "docs.TRASHED")
		}
		if got := ada.versions(other, 10, false); len(got) != 0 || ada.text(other) != "another\n" {
			t.Errorf("another document has %v", got)
		}
	})
}

// second is the error of two results.
func second[T any](_ T, err error) error { return err }

// Old versions go, a batch at a time; who edited in them is told of the next one; all that ever was can be read.
func TestThinOut(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("")
		ada.share(doc, "bob", editor)
		const edits = 90
		head := uint64(2)
		var kept, newest uint64
		for i := range edits {
			u := []*user{ada, bob}[i%2]
			head = must(u.submit(doc, head, inserts("x")))(t).GetVersion()
			newest = head
			head = must(ada.name(doc, newest, "a name"))(t).GetVersion()
			if i == 70 {
				kept = newest
			} else {
				head = must(ada.name(doc, newest, ""))(t).GetVersion()
			}
		}
		w.exec(`UPDATE docs_version SET time_ms = $1 + version * 1000 WHERE document = $2`, time.Date(2020, 5, 5, 5, 0, 0, 0, time.UTC).UnixMilli(), doc)
		before := len(ada.versions(doc, 100, false))
		if before != edits {
			t.Errorf("%d versions", before)
		}
		if err := w.thinNow(doc, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := len(ada.versions(doc, 100, false)); got != before-thinBatch {
			t.Errorf("%d versions after a batch", got)
		}
		for range 3 {
			if err := w.thinNow(doc, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{fmt.Sprint(newest, " ada+bob"), fmt.Sprint(kept, " ada+bob a name")}
		if got := list(ada.versions(doc, 100, false)); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		var contents int
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_snapshot WHERE document = $1`, doc).Scan(&contents); err != nil || contents != 2 {
			t.Errorf("%d contents, %v", contents, err)
		}
		for version := uint64(1); version <= head; version += 13 {
			ada.content(doc, version)
		}
		// Who has lost the document takes nothing away.
		w.exec(`UPDATE docs_version SET name = '' WHERE document = $1`, doc)
		w.exec(`UPDATE docs_document SET term = term + 1 WHERE id = $1`, doc)
		if err := w.thinNow(doc, time.Now()); !errors.Is(err, errFenced) {
			t.Errorf("another owner's versions: %v", err)
		}
	})
}

// thinNow thins a document's versions out as if it were another time.
func (w *world) thinNow(document string, now time.Time) error {
	for _, x := range w.server.sessions() {
		if x.id == document {
			_, err := w.server.thinOut(w.tb.Context(), x.docKey, x.term, now)
			return err
		}
	}
	return errEnded
}

// An owner goes while versions are named and restored: whoever is next has them all, and nothing is done twice.
func TestVersionsAreHandedOver(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a", "b")
		ada := ws[0].person("ada")
		doc := ada.create("a text\n")
		other := func(i uint64) *user { // whoever has it gives it up, and either is asked
			for _, w := range ws {
				w.closeNow(doc)
			}
			return ada.at(ws[i%2])
		}
		for i := range uint64(6) {
			u := other(i)
			u.seq = 100 + 10*i
			head := must(u.api.GetDocument(u.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument().GetVersion()
			edited := must(u.submit(doc, head, inserts(fmt.Sprint(i))))(t).GetVersion()
			named := must(u.name(doc, edited, fmt.Sprint("name ", i)))(t).GetVersion()
			v := other(i + 1)
			v.seq = u.seq
			if again := must(v.api.NameVersion(v.again(), &docsv1.NameVersionRequest{Document: doc, Version: edited, Name: fmt.Sprint("name ", i)}))(t).GetVersion(); again != named {
				t.Errorf("named at %d, and at %d", named, again)
			}
			restored := must(v.restore(doc, 1))(t).GetVersion()
			u = other(i)
			u.seq = v.seq
			if again := must(u.api.RestoreVersion(u.again(), &docsv1.RestoreVersionRequest{Document: doc, Version: 1}))(t).GetVersion(); again != restored || restored == 0 {
				t.Errorf("restored at %d, and at %d", restored, again)
			}
			if got := u.text(doc); got != "a text\n" {
				t.Errorf("%q", got)
			}
		}
		if got := ada.versions(doc, 100, true); len(got) != 6 {
			t.Errorf("%v", got)
		}
	})
}

// Who has something done with versions while the session ends is told so at once, and keeps nobody from taking the document over.
func TestNamingWhileTheSessionEnds(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Snapshot = 10 })
	ada := w.person("ada")
	doc := ada.create("")
	must(ada.submit(doc, 1, inserts("x")))(t)
	x := w.server.sessions()[0]
	if err := x.holdVersions(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.leave()
	eventually(t, "nothing more is done", func() bool { return errors.Is(x.do(t.Context(), func() error { return nil }), errEnded) })
	<-x.ended
	select {
	case <-x.gone:
		t.Error("what is to be written down first was not")
	case <-time.After(50 * time.Millisecond):
	}
	x.letVersions()
	<-x.gone
	if got := ada.versions(doc, 10, false); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
