package docs

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// comment begins a thread.
func (u *user) comment(document string, base uint64, from, to uint32, text string) (*docsv1.CreateThreadResponse, error) {
	return u.api.CreateThread(u.write(), &docsv1.CreateThreadRequest{Document: document, Base: base, From: from, To: to, Text: text})
}

func (u *user) reply(document string, thread uint64, text string) (*docsv1.AddCommentResponse, error) {
	return u.api.AddComment(u.write(), &docsv1.AddCommentRequest{Document: document, Thread: thread, Text: text})
}

func (u *user) thread(document string, id uint64) *docsv1.Thread {
	u.tb.Helper()
	return must(u.api.GetThread(u.read(), &docsv1.GetThreadRequest{Document: document, Thread: id}))(u.tb).GetThread()
}

// brief is what a thread is, as a line: where it stands, its quote, and its comments.
func brief(t *docsv1.Thread) string {
	s := fmt.Sprintf("[%d,%d) %q", t.GetFrom(), t.GetTo(), t.GetQuote())
	if t.GetOrphaned() {
		s = fmt.Sprintf("orphaned %q", t.GetQuote())
	}
	if t.GetResolved() {
		s += " resolved by " + t.GetResolvedBy()
	}
	for _, c := range t.GetComments() {
		s += " " + c.GetAuthor() + ": " + c.GetText()
		if c.GetDeleted() {
			s += "(deleted)"
		}
	}
	return s
}

func want(tb testing.TB, what, got, want string) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestComments(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("one two three\n")
		ada.share(doc, "bob", commenter)
		must(ada.submit(doc, 2, at(0, "> ")))(t)
		id := must(bob.comment(doc, 2, 4, 7, "which *two*?"))(t).GetThread() // of the version before the edit
		want(t, "moved", brief(ada.thread(doc, id)), `[6,9) "two" bob: which *two*?`)
		reply := must(ada.reply(doc, id, "both"))(t).GetComment()
		// What is typed at the edges does not belong to it, what is typed within does.
		must(ada.submit(doc, ada.head(doc), at(6, "the ")))(t)
		must(ada.submit(doc, ada.head(doc), at(13, "!")))(t)
		must(ada.submit(doc, ada.head(doc), at(11, "WW")))(t)
		want(t, "typed", brief(ada.thread(doc, id)), `[10,15) "two" bob: which *two*? ada: both`)
		want(t, "the text", ada.text(doc), "> one the tWWwo! three\n")

		_, err := ada.api.EditComment(ada.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: "mine now"})
		refused(t, "another's comment", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		must(bob.api.EditComment(bob.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: "which two?"}))(t)
		must(bob.api.ResolveThread(bob.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: id, Resolved: true}))(t)
		if l := must(ada.api.ListThreads(ada.read(), &docsv1.ListThreadsRequest{Document: doc}))(t).GetThreads(); len(l) != 0 {
			t.Errorf("resolved, and open: %v", l)
		}
		_, err = bob.api.DeleteComment(bob.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: reply})
		refused(t, "another's comment", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		must(ada.api.DeleteComment(ada.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: id}))(t) // as an owner
		_, err = bob.api.EditComment(bob.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: "again"})
		refused(t, "deleted", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.DELETED")
		w.closeNow(doc)
		_, err = bob.api.EditComment(bob.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: "again"})
		refused(t, "deleted, and opened anew", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.DELETED")
		want(t, "in the end", brief(bob.thread(doc, id)), `[10,15) "two" resolved by bob bob: (deleted) ada: both`)

		must(bob.api.ResolveThread(bob.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: id}))(t)
		must(ada.submit(doc, ada.head(doc), `{"ops":[{"retain":9},{"delete":7}]}`))(t)
		must(ada.submit(doc, ada.head(doc), at(9, " tWWwo!")))(t) // it comes back; the thread doesn't
		want(t, "deleted text", brief(bob.thread(doc, id)), `orphaned "two" bob: (deleted) ada: both`)
		w.closeNow(doc)
		want(t, "opened anew", brief(bob.thread(doc, id)), `orphaned "two" bob: (deleted) ada: both`)
		l := must(bob.api.ListThreads(bob.read(), &docsv1.ListThreadsRequest{Document: doc}))(t)
		if len(l.GetThreads()) != 1 || l.GetThreads()[0].GetCount() != 2 || l.GetVersion() != ada.head(doc) || l.GetNext() != "" {
			t.Errorf("%v", l)
		}
	})
}

// head is the version of a document.
func (u *user) head(document string) uint64 {
	u.tb.Helper()
	return must(u.api.GetDocument(u.read(), &docsv1.GetDocumentRequest{Document: document}))(u.tb).GetDocument().GetVersion()
}

func TestRefusedComments(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada, viv, com := w.person("ada"), w.person("viv"), w.person("com")
	doc := ada.create("a😀b\n")
	ada.share(doc, "viv", viewer)
	last := ada.share(doc, "com", commenter)
	id := must(com.comment(doc, last, 1, 3, "fine"))(t).GetThread()
	last = id
	long := strings.Repeat("x", MaxComment+1)
	many := make([]string, MaxMentions+1)
	for name, c := range map[string]struct {
		who    *user
		q      *docsv1.CreateThreadRequest
		code   edgev1.Code
		reason string
	}{
		"a viewer":          {viv, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1, Text: "x"}, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN"},
		"not let in":        {w.person("eve"), &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1, Text: "x"}, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT"},
		"elsewhere":         {w.somebody("v", "com", auth.KindPerson), &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1, Text: "x"}, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT"},
		"nothing":           {com, &docsv1.CreateThreadRequest{Base: last, From: 1, To: 1, Text: "x"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"less than nothing": {com, &docsv1.CreateThreadRequest{Base: last, From: 3, To: 1, Text: "x"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"past the end":      {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 6, Text: "x"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END"},
		"far past the end":  {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1<<32 - 1, Text: "x"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END"},
		"past, and before":  {com, &docsv1.CreateThreadRequest{Base: 1, From: 0, To: 6, Text: "x"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END"},
		"begins in a pair":  {com, &docsv1.CreateThreadRequest{Base: last, From: 2, To: 4, Text: "x"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.SPLIT_SURROGATE"},
		"ends in a pair":    {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 2, Text: "x"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.SPLIT_SURROGATE"},
		"the future":        {com, &docsv1.CreateThreadRequest{Base: last + 9, From: 0, To: 1, Text: "x"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.FUTURE"},
		"no text":           {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"blank":             {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1, Text: " \n\u00a0\u200b"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"a zero byte":       {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1, Text: "a\x00b"}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"too long":          {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1, Text: long}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"many named":        {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1, Text: "x", Mentions: many}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"a strange name":    {com, &docsv1.CreateThreadRequest{Base: last, From: 0, To: 1, Text: "x", Mentions: []string{"*"}}, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
	} {
		c.q.Document = doc
		_, err := c.who.api.CreateThread(c.who.write(), c.q)
		refused(t, name, err, c.code, c.reason)
	}
	_, err := ada.reply(doc, 99, "x")
	refused(t, "no thread", err, edgev1.Code_CODE_NOT_FOUND, "docs.THREAD")
	_, err = viv.reply(doc, id, "x")
	refused(t, "a viewer replies", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
	_, err = viv.api.ResolveThread(viv.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: id, Resolved: true})
	refused(t, "a viewer resolves", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
	_, err = com.api.EditComment(com.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id + 1, Comment: id, Text: "x"})
	refused(t, "of another thread", err, edgev1.Code_CODE_NOT_FOUND, "docs.COMMENT")
	_, err = com.api.DeleteComment(com.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: 1 << 63})
	refused(t, "no comment", err, edgev1.Code_CODE_NOT_FOUND, "docs.COMMENT")
	_, err = w.person("eve").api.GetThread(w.person("eve").read(), &docsv1.GetThreadRequest{Document: doc, Thread: id})
	refused(t, "not let in, reads", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
	_, err = w.person("eve").api.ListThreads(w.person("eve").read(), &docsv1.ListThreadsRequest{Document: doc})
	refused(t, "not let in, lists", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
	_, err = ada.api.ListThreads(ada.read(), &docsv1.ListThreadsRequest{Document: doc, Page: "next"})
	refused(t, "no page", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	want(t, "in the end", brief(viv.thread(doc, id)), `[1,3) "😀" com: fine`)
	// The text that somebody sees may have gone.
	must(ada.submit(doc, last, `{"ops":[{"retain":1},{"delete":2}]}`))(t)
	_, err = com.comment(doc, last, 1, 3, "this")
	refused(t, "gone", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE")
	must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc, Trashed: true}))(t)
	_, err = ada.reply(doc, id, "x")
	refused(t, "in the trash", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.TRASHED")
}

// A retry has the first answer, in the session and long after, whatever has happened since.
func TestRepeatedComments(t *testing.T) {
	for name, transform := range map[string]int{"rebased": 20_000, "too old": 20} {
		t.Run(name, func(t *testing.T) { repeatComments(t, transform) })
	}
}

func repeatComments(t *testing.T, transform int) {
	t.Helper()
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("some text\n")
		create := &docsv1.CreateThreadRequest{Document: doc, Base: 1, From: 0, To: 4, Text: "x"}
		created := ada.write()
		id := must(ada.api.CreateThread(created, create))(t).GetThread()
		edit := &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: "y"}
		edited := ada.write()
		version := must(ada.api.EditComment(edited, edit))(t).GetVersion()
		resolve := &docsv1.ResolveThreadRequest{Document: doc, Thread: id, Resolved: true}
		resolved := ada.write()
		closed := must(ada.api.ResolveThread(resolved, resolve))(t).GetVersion()
		remove := &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: id}
		removed := ada.write()
		gone := must(ada.api.DeleteComment(removed, remove))(t).GetVersion()
		for range 2 {
			if n := must(ada.api.CreateThread(created, create))(t).GetThread(); n != id {
				t.Errorf("created %d, first %d", n, id)
			}
			if n := must(ada.api.EditComment(edited, edit))(t).GetVersion(); n != version {
				t.Errorf("edited %d, first %d", n, version)
			}
			if n := must(ada.api.ResolveThread(resolved, resolve))(t).GetVersion(); n != closed {
				t.Errorf("resolved %d, first %d", n, closed)
			}
			if n := must(ada.api.DeleteComment(removed, remove))(t).GetVersion(); n != gone {
				t.Errorf("deleted %d, first %d", n, gone)
			}
			if n := must(ada.api.DeleteComment(ada.write(), remove))(t).GetVersion(); n != 0 {
				t.Errorf("deleted again: %d", n)
			}
			must(ada.submit(doc, ada.head(doc), `{"ops":[{"delete":5}]}`))(t)
			for range 25 {
				must(ada.submit(doc, ada.head(doc), inserts("another ")))(t)
			}
			w.closeNow(doc)
		}
		l := must(ada.api.ListThreads(ada.read(), &docsv1.ListThreadsRequest{Document: doc, All: true}))(t).GetThreads()
		if len(l) != 1 || l[0].GetCount() != 1 {
			t.Errorf("%v", l)
		}
	}, func(c *Config) { c.Recent, c.Snapshot, c.Transform = 8, 5, transform })
}

// What was deleted can be found nowhere, and the document opens without it.
func TestDeletedCommentsAreEmpty(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("some text\n")
		id := must(ada.comment(doc, 1, 0, 4, "first SECRET"))(t).GetThread()
		reply := must(ada.reply(doc, id, "a reply"))(t).GetComment()
		for i := range 3 {
			must(ada.api.EditComment(ada.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: fmt.Sprint("SECRET ", i), Mentions: []string{"ada"}}))(t)
		}
		removed := must(ada.api.DeleteComment(ada.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: id}))(t).GetVersion()
		must(ada.submit(doc, removed, inserts("after ")))(t)
		for _, table := range []string{"docs_log", "docs_comment", "docs_thread", "docs_comment_text", "docs_anchors"} {
			if n := w.holds(table, "SECRET"); n != 0 {
				t.Errorf("%s has it %d times", table, n)
			}
		}
		if w.holds("docs_log", "a reply") != 1 || w.holds("docs_comment", "a reply") != 1 {
			t.Error("the reply has gone, too")
		}
		var empty []uint64
		var redacts []uint64
		for _, rec := range ada.records(doc) {
			if len(rec.GetEvent().GetBody()) == 0 {
				empty = append(empty, rec.GetEvent().GetOffset())
			}
			redacts = append(redacts, rec.GetRedacts()...)
		}
		slices.Sort(redacts)
		if fmt.Sprint(empty) != fmt.Sprint([]uint64{id, reply + 1, reply + 2, reply + 3}) || !slices.Equal(empty, redacts) {
			t.Errorf("empty are %v, redacted %v", empty, redacts)
		}
		w.closeNow(doc)
		want(t, "opened anew", brief(ada.thread(doc, id)), `[6,10) "some" ada: (deleted) ada: a reply`)
		// A body that is missing for no reason is damage.
		must(ada.submit(doc, ada.head(doc), inserts("x")))(t)
		w.closeNow(doc)
		w.exec(`UPDATE docs_log SET body = NULL WHERE topic = $1 AND "offset" = $2`, topicDocument+doc, int64(reply))
		_, err := ada.reply(doc, id, "y")
		refused(t, "damaged", err, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
	})
}

// Events of comments change no content, and neither do those that were emptied: versions, what differs between them, and who wrote what are told
// across them as if they weren't there.
func TestVersionsAcrossDeletedComments(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("some text\n")
		ada.share(doc, "bob", editor)
		id := must(bob.comment(doc, 2, 5, 9, "SECRET"))(t).GetThread()
		must(bob.submit(doc, id, at(5, "more ")))(t)
		reply := must(ada.reply(doc, id, "a reply"))(t).GetComment()
		edited := must(bob.api.EditComment(bob.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: "SECRET, too"}))(t).GetVersion()
		must(ada.submit(doc, edited, at(0, "> ")))(t)
		removed := must(bob.api.DeleteComment(bob.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: id}))(t).GetVersion()
		if id != 3 || reply != 5 || edited != 6 || removed != 8 {
			t.Fatal(id, reply, edited, removed)
		}
		w.closeNow(doc)
		for version, text := range map[uint64]string{2: "some text\n", 3: "some text\n", 4: "some more text\n", 6: "some more text\n", 8: "> some more text\n"} {
			if content, _ := ada.content(doc, version); content.Delta().JSON() != inserts(text) {
				t.Errorf("version %d: %v", version, content.Delta())
			}
		}
		for of, diff := range map[[2]uint64]string{
			{2, 3}: `{"ops":[]}`, {2, 8}: `{"ops":[{"insert":"> "},{"retain":5},{"insert":"more "}]}`, {5, 6}: `{"ops":[]}`, {3, 6}: at(5, "more "),
		} {
			if got := ada.diff(doc, of[0], of[1]); got.JSON() != diff {
				t.Errorf("from %d to %d: %v", of[0], of[1], got)
			}
		}
		if got := fmt.Sprint(short(ada.blameOf(doc, 0, 500))); got != "[7 ada 5 bob 5 ada]" {
			t.Error(got)
		}
		if got := fmt.Sprint(short(ada.blameOf(doc, edited, 500))); got != "[5 ada 5 bob 5 ada]" {
			t.Error(got)
		}
		// An emptied event has a version like others.
		must(ada.name(doc, edited, "before"))(t)
		must(ada.restore(doc, edited))(t)
		want(t, "restored", ada.text(doc), "some more text\n")
		want(t, "the thread", brief(ada.thread(doc, id)), `[10,14) "text" bob: (deleted) ada: a reply`)
		w.closeNow(doc)
		want(t, "opened anew", brief(ada.thread(doc, id)), `[10,14) "text" bob: (deleted) ada: a reply`)
		// A body that is missing for no reason is damage here, too.
		w.exec(`UPDATE docs_log SET body = NULL WHERE topic = $1 AND "offset" = $2`, topicDocument+doc, int64(reply))
		_, err := ada.api.Blame(ada.read(), &docsv1.BlameRequest{Document: doc})
		refused(t, "damaged", err, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
		_, err = ada.api.DiffVersions(ada.read(), &docsv1.DiffVersionsRequest{Document: doc, From: 2, To: 5})
		refused(t, "damaged", err, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
	})
}

// Where threads stand is written down with a version, also where that was named before; what was named without them is gone over.
func TestAnchorsAndNamedVersions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("some text\n")
		id := must(ada.comment(doc, 1, 5, 9, "x"))(t).GetThread()
		anchored := func() (version uint64) {
			err := each(t.Context(), w.db.Query, `SELECT version FROM docs_anchors WHERE document = $1`, []any{doc}, func(r *sql.Rows) error { return r.Scan(&version) })
			if err != nil {
				t.Fatal(err)
			}
			return version
		}
		for i := range 3 {
			must(ada.submit(doc, ada.head(doc), inserts("x")))(t)
			must(ada.name(doc, ada.head(doc), fmt.Sprint("version ", i)))(t)
		}
		if n := anchored(); n != 0 {
			t.Fatalf("anchors of %d", n)
		}
		w.closeNow(doc)
		want(t, "opened anew", brief(ada.thread(doc, id)), `[8,12) "text" ada: x`)
		x := w.server.sessions()[0]
		if err := x.do(t.Context(), func() error {
			if x.tried >= id || x.written < id {
				t.Errorf("the next snapshot is counted from %d, the newest is of %d", x.tried, x.written)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		named := ada.head(doc) - 1 // which the last name was given to
		content, _ := ada.content(doc, named)
		if err := w.server.writeVersion(t.Context(), x.docKey, x.term, versionRow{version: named}, content, stands{threads: "[[2,8,12]]"}); err != nil || anchored() != named {
			t.Errorf("%v; anchors of %d, not %d", err, anchored(), named)
		}
		err := w.server.writeVersion(t.Context(), x.docKey, x.term-1, versionRow{version: named}, content, stands{threads: "[]"})
		if err := second(0, err); err == nil || anchored() != named {
			t.Errorf("somebody else's term: %v", err)
		}
		w.closeNow(doc)
		want(t, "and again", brief(ada.thread(doc, id)), `[8,12) "text" ada: x`)
	})
}

// records reads a document's log.
func (u *user) records(document string) (all []*topicv1.Record) {
	u.tb.Helper()
	ctx, cancel := context.WithCancel(u.tb.Context())
	defer cancel()
	states, err := u.server.log.States(ctx, u.workspace, topicDocument+document)
	if err != nil {
		u.tb.Fatal(err)
	}
	err = u.server.log.Tail(ctx, u.workspace, topicDocument+document, &edgev1.Cursor{Epoch: states[0].Epoch}, 1<<30, func(r *topicv1.TailResponse) error {
		all = append(all, r.GetRecords()...)
		return nil
	})
	if err != nil {
		u.tb.Fatal(err)
	}
	return all
}

func TestMentions(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("some text\n")
	ada.share(doc, "viv", viewer)
	id := must(ada.api.CreateThread(ada.write(), &docsv1.CreateThreadRequest{Document: doc, Base: 1, To: 4, Text: "@viv @eve", Mentions: []string{"viv", "eve", "viv", "ada"}}))(t).GetThread()
	ada.share(doc, everybody, viewer)
	must(ada.api.AddComment(ada.write(), &docsv1.AddCommentRequest{Document: doc, Thread: id, Text: "@eve", Mentions: []string{"eve"}}))(t)
	got := ada.thread(doc, id)
	want(t, "named", fmt.Sprint(got.GetComments()[0].GetMentions(), got.GetComments()[1].GetMentions()), "[viv ada] [eve]")
	var e docsv1.DocumentEvent
	if err := proto.Unmarshal(ada.records(doc)[id-1].GetEvent().GetBody(), &e); err != nil {
		t.Fatal(err)
	}
	want(t, "in the event", fmt.Sprint(e.GetThreadCreated().GetMentions()), "[viv ada]")
}

func TestQuotes(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		text := strings.Repeat("x", MaxQuote-1) + "😀\x00"
		doc := ada.create("\x00ab" + text + "\n")
		must(ada.submit(doc, 1, `{"ops":[{"retain":1},{"insert":{"image":"a.png"}}]}`))(t)
		id := must(ada.comment(doc, 2, 4, uint32(4+MaxQuote+2), "long"))(t).GetThread()
		want(t, "cut before a pair", ada.thread(doc, id).GetQuote(), text[:MaxQuote-1])
		id = must(ada.comment(doc, 2, 0, 4, "short"))(t).GetThread()
		want(t, "an embed", ada.thread(doc, id).GetQuote(), "\x00\uFFFCab")
		id = must(ada.comment(doc, 2, 5, uint32(5+MaxQuote+1), "long"))(t).GetThread()
		want(t, "just", ada.thread(doc, id).GetQuote(), text[1:MaxQuote-1]+"😀")
	})
}

func TestLimitsOfComments(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("some text\n")
	first := must(ada.comment(doc, 1, 0, 4, "0"))(t).GetThread()
	ada.together(MaxComments-1, func(ctx context.Context, i int) error {
		_, err := ada.api.AddComment(ctx, &docsv1.AddCommentRequest{Document: doc, Thread: first, Text: fmt.Sprint(i + 1)})
		return err
	})
	_, err := ada.reply(doc, first, "more")
	refused(t, "a full thread", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	var texts []string
	for after, more := uint64(0), true; more; {
		r := must(ada.api.GetThread(ada.read(), &docsv1.GetThreadRequest{Document: doc, Thread: first, After: after}))(t)
		for _, c := range r.GetThread().GetComments() {
			texts, after = append(texts, c.GetText()), c.GetId()
		}
		if more = r.GetMore(); r.GetThread().GetCount() != MaxComments {
			t.Errorf("%d comments", r.GetThread().GetCount())
		}
	}
	slices.Sort(texts)
	if len(slices.Compact(texts)) != MaxComments {
		t.Errorf("%d comments", len(texts))
	}
	for range 2 {
		ada.together(MaxCommentEdits/2, func(ctx context.Context, i int) error {
			_, err := ada.api.EditComment(ctx, &docsv1.EditCommentRequest{Document: doc, Thread: first, Comment: first, Text: fmt.Sprint("edit ", i)})
			return err
		})
		w.closeNow(doc)
	}
	_, err = ada.api.EditComment(ada.write(), &docsv1.EditCommentRequest{Document: doc, Thread: first, Comment: first, Text: "more"})
	refused(t, "edited often", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	must(ada.api.DeleteComment(ada.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: first, Comment: first}))(t)
	if n := w.holds("docs_log", "edit "); n != 0 {
		t.Errorf("an edit is there %d times", n)
	}
	w.closeNow(doc)
	base := ada.head(doc)
	ada.together(MaxOpenThreads-1, func(ctx context.Context, _ int) error {
		_, err := ada.api.CreateThread(ctx, &docsv1.CreateThreadRequest{Document: doc, Base: base, To: 4, Text: "x"})
		return err
	})
	_, err = ada.comment(doc, 1, 0, 4, "x")
	refused(t, "many open", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	must(ada.api.ResolveThread(ada.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: first, Resolved: true}))(t)
	must(ada.comment(doc, 1, 0, 4, "x"))(t)
	_, err = ada.api.ResolveThread(ada.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: first})
	refused(t, "one too many opened", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	count, last := 0, uint64(1<<63)
	for page := ""; ; {
		r := must(ada.api.ListThreads(ada.read(), &docsv1.ListThreadsRequest{Document: doc, All: true, Page: page, Limit: 37}))(t)
		for _, th := range r.GetThreads() {
			if th.GetId() >= last {
				t.Errorf("%d behind %d", th.GetId(), last)
			}
			last = th.GetId()
			count++
		}
		if page = r.GetNext(); page == "" {
			break
		}
	}
	if count != MaxOpenThreads+1 {
		t.Errorf("%d threads", count)
	}
}

// together makes many calls, as many at a time as one person may have under way. What a busy server did not do is asked again, as clients do.
func (u *user) together(n int, call func(ctx context.Context, i int) error) {
	u.tb.Helper()
	var g errgroup.Group
	g.SetLimit(DefaultConfig().UnderWay / shares)
	for i := range n {
		ctx := u.write()
		g.Go(func() error {
			err := call(ctx, i)
			for tries := 0; rpc.FromError(err).GetReason() == errTurn.Reason && tries < 30; tries++ {
				err = call(ctx, i)
			}
			if err != nil {
				u.tb.Errorf("call %d: %v", i, rpc.FromError(err))
			}
			return nil
		})
	}
	_ = g.Wait()
}

// Many edit and comment while the document is closed and opened, with few edits in memory: in the end the threads stand where the log says.
func TestThreadsStandWhereTheLogSays(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("a beginning of some length\n")
		ada.share(doc, everybody, editor)
		var wg sync.WaitGroup
		for i := range 4 {
			u, r := w.person(fmt.Sprint("p", i)), rand.New(rand.NewPCG(uint64(i), 1))
			wg.Go(func() { u.editAndComment(doc, r, 40) })
		}
		stop := make(chan struct{})
		var closing sync.WaitGroup
		closing.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					for _, x := range w.server.sessions() {
						x.leave()
					}
				}
			}
		})
		wg.Wait()
		close(stop)
		closing.Wait()
		ada.compareAnchors(doc)
		w.server.sessions()[0].leave()
		ada.compareAnchors(doc)
	}, func(c *Config) { c.Recent, c.Snapshot = 20, 15 })
}

// editAndComment does so from versions that lie a little behind.
func (u *user) editAndComment(doc string, r *rand.Rand, times int) {
	content, version := u.content(doc, 0)
	for range times {
		n := content.Len()
		from := r.IntN(n)
		switch ctx := u.write(); r.IntN(5) {
		case 0:
			q := &docsv1.CreateThreadRequest{Document: doc, Base: version, From: uint32(from), To: uint32(from + 1 + r.IntN(n-from)), Text: u.id}
			err := insist(func() error { _, err := u.api.CreateThread(ctx, q); return err })
			if err != nil && rpc.FromError(err).GetReason() != errGone.Reason {
				u.tb.Error(rpc.FromError(err))
			}
		case 1:
			q := &docsv1.SubmitRequest{Document: doc, Base: version, Delta: fmt.Sprintf(`{"ops":[{"retain":%d},{"delete":%d}]}`, from+1, 1+r.IntN(3))}
			if from+4 >= n {
				continue
			}
			if _, err := u.insist(ctx, q); err != nil {
				u.tb.Error(rpc.FromError(err))
			}
		case 2:
			q := &docsv1.NameVersionRequest{Document: doc, Version: version, Name: u.id}
			if err := insist(func() error { _, err := u.api.NameVersion(ctx, q); return err }); err != nil {
				u.tb.Error(rpc.FromError(err))
			}
		default:
			if _, err := u.insist(ctx, &docsv1.SubmitRequest{Document: doc, Base: version, Delta: at(from, "abc"[:1+r.IntN(3)])}); err != nil {
				u.tb.Error(rpc.FromError(err))
			}
		}
		if r.IntN(4) == 0 {
			content, version = u.content(doc, 0)
		}
	}
}

// insist calls until it is answered, as clients do.
func insist(call func() error) error {
	for {
		err := call()
		if c := rpc.CodeOf(err); err == nil || c < edgev1.Code_CODE_UNAVAILABLE || c > 299 {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// compareAnchors compares what is told of threads with marks that go through the log from its beginning.
func (u *user) compareAnchors(doc string) {
	u.tb.Helper()
	var model marked
	made := map[uint64]string{}
	for _, rec := range u.records(doc) {
		e, err := decode(rec)
		if err != nil {
			u.tb.Fatal(err)
		}
		model = model.after(e.edit)
		var body docsv1.DocumentEvent
		if err := proto.Unmarshal(rec.GetEvent().GetBody(), &body); err != nil {
			u.tb.Fatal(err)
		}
		if c := body.GetThreadCreated(); c != nil {
			model.mark(anchor{e.version, int(c.GetFrom()), int(c.GetTo())})
			made[e.version] = c.GetQuote()
		}
	}
	at := model.ranges()
	count, orphans := 0, 0
	for page := ""; ; {
		r := must(u.api.ListThreads(u.read(), &docsv1.ListThreadsRequest{Document: doc, All: true, Page: page}))(u.tb)
		for _, th := range r.GetThreads() {
			count++
			want, stands := at[th.GetId()]
			if stands == th.GetOrphaned() || int(th.GetFrom()) != want.from || int(th.GetTo()) != want.to || th.GetQuote() != made[th.GetId()] {
				u.tb.Errorf("%s, want %v %v %q", brief(th), want, stands, made[th.GetId()])
			}
			if !stands {
				orphans++
			}
		}
		if page = r.GetNext(); page == "" {
			break
		}
	}
	if count != len(made) || count == 0 || orphans == count {
		u.tb.Errorf("%d threads, of which %d orphaned; %d were made", count, orphans, len(made))
	}
}

// Another process takes over while people comment: everything that was acknowledged is there, once.
func TestCommentsAreHandedOver(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a")
		ada := ws[0].person("ada")
		doc := ada.create("a beginning of some length\n")
		ada.share(doc, everybody, editor)
		var wg sync.WaitGroup
		for i := range 3 {
			u, r := ws[0].person(fmt.Sprint("p", i)), rand.New(rand.NewPCG(uint64(i), 2))
			wg.Go(func() { u.editAndComment(doc, r, 60) })
		}
		all := []*world{ws[0]}
		for _, name := range []string{"b", "c", "d"} {
			time.Sleep(100 * time.Millisecond)
			all = append(all, ws[0].beside(name))
		}
		wg.Wait()
		for _, w := range all {
			ada.at(w).compareAnchors(doc)
		}
		// The owner is taken for dead, and what it believes of comments counts for nothing.
		old := all[slices.IndexFunc(all, func(w *world) bool { return len(w.server.sessions()) > 0 })]
		other := all[slices.IndexFunc(all, func(w *world) bool { return w != old })]
		old.others.change(func() {
			old.others.expired[old.self] = true
			old.others.believe[old.self] = func() []string { return []string{old.self} }
		})
		v := ada.at(other)
		id := must(v.comment(doc, v.head(doc), 0, 1, "SECRET"))(t).GetThread()
		must(v.api.DeleteComment(v.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: id}))(t)
		x := old.server.sessions()[0]
		var a *amendment
		err := x.do(t.Context(), func() error {
			o, err := x.createThread(&placing{caller: must(old.verifier.Verify(t.Context(), ada.token))(t), base: x.version, at: anchor{to: 1}, said: said{text: "lost"}})
			if err == nil {
				o.entry, err = x.entry(ada.id, o.event)
			}
			if err == nil {
				a, err = x.amend(topic.Mutation{Key: topic.Key{User: ada.id, ClientID: ada.client, Seq: 900}}, &o.amend, ot.Delta{}, nil)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if <-a.settled; a.err == nil {
			t.Error("it was committed")
		}
		if other.holds("docs_comment", "lost")+other.holds("docs_log", "lost")+other.holds("docs_log", "SECRET") != 0 {
			t.Error("something is there that must not be")
		}
	})
}

// holds counts the rows of a table that have a text anywhere.
func (w *world) holds(table, text string) (n int) {
	w.tb.Helper()
	err := each(w.tb.Context(), w.db.Query, `SELECT * FROM `+table, nil, scanAll(func(values []any) {
		for _, v := range values {
			b, ok := v.([]byte)
			if !ok {
				b = fmt.Append(nil, v)
			}
			if bytes.Contains(b, []byte(text)) {
				n++
				return
			}
		}
	}))
	if err != nil {
		w.tb.Fatal(err)
	}
	return n
}

func scanAll(row func(values []any)) func(*sql.Rows) error {
	return func(r *sql.Rows) error {
		columns, err := r.Columns()
		if err != nil {
			return err
		}
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := r.Scan(to...); err != nil {
			return err
		}
		row(values)
		return nil
	}
}
