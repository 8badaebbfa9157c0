package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// joblessPeopled runs a test on both databases, in which nobody is told anything but where the test says so.
func joblessPeopled(t *testing.T, test func(t *testing.T, w *world)) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := peopled(t, url)
		w.jobless = true
		w.start()
		test(t, w)
	})
}

// tellAll does the job of a document.
func (w *world) tellAll(document string) (next time.Time) {
	w.tb.Helper()
	return must(w.server.tellNews(w.tb.Context(), docKey{"w", document}))(w.tb)
}

// notices are what somebody can list, page by page, the oldest first, each as a line.
func (u *user) notices() (lines []string) {
	u.tb.Helper()
	for page := ""; ; {
		r := must(u.api.ListNotices(u.read(), &docsv1.ListNoticesRequest{Page: page, Limit: 2}))(u.tb)
		for _, n := range r.GetNotices() {
			lines = append(lines, noticeLine(n))
		}
		if page = r.GetNext(); page == "" {
			slices.Reverse(lines)
			return lines
		}
	}
}

func noticeLine(n *docsv1.Notice) string {
	line := n.GetActor() + " " + strings.ToLower(strings.TrimPrefix(n.GetKind().String(), "NOTICE_KIND_"))
	if n.GetThread() > 0 {
		line += fmt.Sprintf(" %d", n.GetThread())
	}
	if n.GetComment() > 0 {
		line += fmt.Sprintf("/%d", n.GetComment())
	}
	if len(n.GetSuggestions()) > 0 {
		line += fmt.Sprint(" ", n.GetSuggestions())
	}
	return line
}

// hears checks what somebody was told since they were asked last: by their topic, and by the list, which say the same.
func (u *user) hears(what string, want ...string) {
	u.tb.Helper()
	events := heard(u, "docs.user/me", &docsv1.UserEvent{})
	list := must(u.api.ListNotices(u.read(), &docsv1.ListNoticesRequest{Limit: MaxNoticePage}))(u.tb)
	var got []string
	for _, n := range slices.Backward(list.GetNotices()) {
		if n.GetOffset() > list.GetRead() {
			got = append(got, noticeLine(n))
		}
		at := n.GetOffset() - 1
		n.Offset = 0
		events[at] = strings.Replace(events[at], "notice:{"+strings.Join(strings.Fields(n.String()), " ")+"}", "listed", 1)
	}
	if !slices.Equal(got, want) || int(list.GetUnread()) != len(want) {
		u.tb.Errorf("%s: %s was told %q, %d unread, want %q", what, u.id, got, list.GetUnread(), want)
	}
	for _, e := range events {
		if e != "listed" && !strings.HasPrefix(e, "notices_read") {
			u.tb.Errorf("%s: %s was told by their topic alone: %s", what, u.id, e)
		}
	}
	if len(events) > 0 {
		must(u.api.MarkNotices(u.read(), &docsv1.MarkNoticesRequest{Offset: uint64(len(events))}))(u.tb)
	}
}

// Handles in a comment's text are whose they are when it is written, if those may read the document. Nothing is told of anybody else.
func TestHandles(t *testing.T) {
	joblessPeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn", "gone")
		ada := u[0]
		gus := w.meets(auth.KindGuest, "gus", "gil")[0]
		w.tells("v", &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonAdded{PersonAdded: &identityv1.PersonAdded{
			Person: &identityv1.Person{Id: "elsewhere", Handle: "else", Role: identityv1.Role_ROLE_MEMBER, Version: 1},
		}}})
		w.group("team", "bob", "cyn")
		w.group("crew")
		w.settle()
		doc := ada.create("A text\n")
		for _, id := range []string{"bob", "gus", "gone"} {
			ada.share(doc, id, commenter)
		}
		w.tells("w", deactivated("gone", 2))
		w.settle()
		says := func(u *user, text string, ids ...string) string {
			t.Helper()
			id := must(u.api.CreateThread(u.write(), &docsv1.CreateThreadRequest{Document: doc, Base: u.head(doc), From: 0, To: 1, Text: text, Mentions: ids}))(t).GetThread()
			c, e := u.thread(doc, id).GetComments()[0], u.told(doc, id).GetThreadCreated()
			if !slices.Equal(c.GetMentions(), e.GetMentions()) || !slices.Equal(c.GetGroups(), e.GetGroups()) {
				t.Errorf("%q: the event says %v, the thread %v", text, e, c)
			}
			return strings.Join(append(c.GetMentions(), c.GetGroups()...), " ")
		}
		for text, named := range map[string]string{
			"@bob":                                  "bob",
			"thanks, **@BOB**. And @Bob!":           "bob",
			"`@bob`, \\@bob and bob@bob":            "",
			"```\n@bob\n```":                        "",
			"@nobody @cyn @gil @gone @else @all":    "",
			"@gus and @ada":                         "gus ada",
			"@team, @Crew, @team":                   "team crew",
			"@cyn of @crew, with @bob":              "bob crew",
			strings.Repeat("> ", 60) + "@bob":       "",
			"no handle, but bob, in ids or in text": "",
		} {
			want(t, text, says(ada, text), named)
		}
		want(t, "with ids", says(ada, "@bob and @gus", "gus", "cyn", "ada"), "gus ada bob")
		want(t, "a guest", says(gus, "@bob @team @ada"), "bob ada")
		ada.share(doc, everybody, viewer)
		want(t, "everybody reads", says(ada, "@cyn @gil @gone"), "cyn")
		want(t, "a guest, where everybody reads", says(gus, "@cyn @bob"), "bob")
		want(t, "a guest who has the id", says(gus, "hello", "cyn"), "cyn")
		if got := len(strings.Fields(says(ada, "@bob @gus", slices.Repeat([]string{"ada"}, MaxMentions)...))); got != 3 {
			t.Errorf("%d are named by ids that come fifty times", got)
		}

		rename := func(id, handle string, version uint64) {
			w.tells("w", &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonChanged{PersonChanged: &identityv1.PersonChanged{
				Person: &identityv1.Person{Id: id, Handle: handle, Role: identityv1.Role_ROLE_MEMBER, Version: version},
			}}})
		}
		rename("bob", "robert", 2)
		rename("cyn", "bob", 2)
		w.tells("w", groupDeleted("crew"))
		w.settle()
		want(t, "renamed", says(ada, "@bob, @robert, @cyn, @crew"), "cyn bob")

		// An edit says whom it names now, and what is deleted names nobody.
		id := must(ada.comment(doc, ada.head(doc), 0, 1, "@robert @team"))(t).GetThread()
		e := must(ada.api.EditComment(ada.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: "@gus", Mentions: []string{"ada"}}))(t)
		c := ada.thread(doc, id).GetComments()[0]
		if told := ada.told(doc, e.GetVersion()).GetCommentEdited(); fmt.Sprint(c.GetMentions(), c.GetGroups(), told.GetMentions(), told.GetGroups()) != "[ada gus] [] [ada gus] []" {
			t.Errorf("%v, told %v", c, told)
		}
		r := must(ada.reply(doc, id, "@team"))(t).GetComment()
		if told := ada.told(doc, r).GetCommentAdded(); !slices.Equal(told.GetGroups(), []string{"team"}) {
			t.Errorf("%v", told)
		}
		must(ada.api.DeleteComment(ada.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: r}))(t)
		if c := ada.thread(doc, id).GetComments()[1]; len(c.GetGroups())+len(c.GetMentions()) > 0 {
			t.Errorf("deleted, and names somebody: %v", c)
		}
	})
}

// So many people and groups are named at most; the rest stays text.
func TestLimitsOfHandles(t *testing.T) {
	w := peopled(t, meshtest.SQLite(t))
	w.jobless = true
	w.start()
	ada := w.meets(auth.KindPerson, "ada")[0]
	people, groups := "", ""
	for i := range MaxMentions + 5 {
		w.meets(auth.KindPerson, fmt.Sprint("p", i))
		people += fmt.Sprint(" @p", i)
	}
	for i := range MaxGroups + 1 {
		w.group(fmt.Sprint("g", i))
		groups += fmt.Sprint(" @g", i)
	}
	w.settle()
	doc := ada.create("A text\n")
	ada.share(doc, everybody, viewer)
	id := must(ada.comment(doc, 2, 0, 1, people))(t).GetThread()
	if c := ada.thread(doc, id).GetComments()[0]; len(c.GetMentions()) != MaxMentions || c.GetMentions()[0] != "p0" {
		t.Errorf("%d are named: %v", len(c.GetMentions()), c)
	}
	id = must(ada.reply(doc, id, groups))(t).GetComment()
	if told := ada.told(doc, id).GetCommentAdded(); len(told.GetGroups()) != MaxGroups {
		t.Errorf("%d groups are named", len(told.GetGroups()))
	}
}

// Everybody is told of what concerns them, once, by others alone, if they may read it.
func TestNotices(t *testing.T) {
	joblessPeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn", "dan", "eve")
		ada, bob, cyn, dan, eve := u[0], u[1], u[2], u[3], u[4]
		w.group("team", "cyn")
		w.group("crew", "bob", "dan", "cyn")
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "bob", commenter)
		ada.share(doc, "group/team", editor)
		ada.share(doc, "eve", viewer)
		hear := func(what string, told map[*user]string) {
			t.Helper()
			w.tellAll(doc)
			for _, v := range u {
				var lines []string
				if told[v] != "" {
					lines = strings.Split(told[v], ", ")
				}
				v.hears(what, lines...)
			}
		}
		const secret = "xylophone"
		id := must(bob.comment(doc, 4, 0, 1, secret+" @ada @team @bob @dan"))(t).GetThread()
		hear("named", map[*user]string{ada: "bob mentioned 5/5", cyn: "bob mentioned 5/5"})
		must(ada.reply(doc, id, secret))(t)
		hear("a reply", map[*user]string{bob: "ada replied 5/6"})
		must(cyn.reply(doc, id, "@bob"))(t)
		hear("a reply that names somebody", map[*user]string{ada: "cyn replied 5/7", bob: "cyn mentioned 5/7"})
		resolve := func(u *user, on bool) {
			must(u.api.ResolveThread(u.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: id, Resolved: on}))(t)
		}
		resolve(ada, true)
		resolve(bob, true) // it is
		hear("resolved", map[*user]string{bob: "ada resolved 5", cyn: "ada resolved 5"})
		resolve(bob, false)
		hear("reopened", map[*user]string{ada: "bob reopened 5", cyn: "bob reopened 5"})

		edit := func(text string) {
			must(bob.api.EditComment(bob.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: id, Text: text}))(t)
		}
		edit("@ada @team @crew, I meant") // cyn is in both
		hear("a group more", nil)
		edit("@ada @team @eve")
		hear("one more", map[*user]string{eve: "bob mentioned 5/5"})
		edit("nobody")
		edit("@eve @ada @cyn")
		hear("named again, and a member by name", nil)
		must(cyn.api.EditComment(cyn.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: 7, Text: "@ada and @bob"}))(t)
		hear("an edit names whom the reply was told to", map[*user]string{ada: "cyn mentioned 5/7"})

		// Suggestions.
		s := must(bob.suggest(doc, ada.head(doc), at(0, "1")))(t).GetSuggestion()
		must(ada.accept(doc, s))(t)
		hear("accepted", map[*user]string{bob: fmt.Sprintf("ada accepted [%d]", s)})
		s = must(bob.suggest(doc, ada.head(doc), at(0, "2")))(t).GetSuggestion()
		must(cyn.reject(doc, s))(t)
		hear("rejected", map[*user]string{bob: fmt.Sprintf("cyn rejected [%d]", s)})
		s = must(bob.suggest(doc, ada.head(doc), at(0, "3")))(t).GetSuggestion()
		must(bob.withdraw(doc, s))(t)
		s = must(cyn.suggest(doc, ada.head(doc), at(0, "4")))(t).GetSuggestion()
		must(cyn.accept(doc, s))(t)
		hear("by themselves", nil)
		for _, what := range []string{"accepted", "rejected"} {
			one := must(bob.suggest(doc, ada.head(doc), at(0, "5")))(t).GetSuggestion()
			two := must(bob.suggest(doc, ada.head(doc), at(0, "6")))(t).GetSuggestion()
			if what == "accepted" {
				must(ada.api.AcceptSuggestions(ada.write(), &docsv1.AcceptSuggestionsRequest{Document: doc, Author: "bob"}))(t)
			} else {
				must(ada.api.RejectSuggestions(ada.write(), &docsv1.RejectSuggestionsRequest{Document: doc, Author: "bob"}))(t)
			}
			hear("all "+what, map[*user]string{bob: fmt.Sprintf("ada %s [%d %d]", what, one, two)})
		}
		if got := bob.notices(); len(got) != 7 || got[0] != "ada replied 5/6" || got[2] != "ada resolved 5" {
			t.Errorf("page by page: %q", got)
		}
		if got := dan.notices(); len(got) > 0 {
			t.Errorf("who may not read it was told %q", got)
		}
		for _, table := range []string{"docs_notice", "docs_news"} {
			if n := w.holds(table, secret); n > 0 {
				t.Errorf("%s has a text in %d rows", table, n)
			}
		}
		var left int
		if err := w.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM docs_news) + (SELECT count(*) FROM docs_log WHERE topic LIKE 'docs.user/%' AND topic NOT IN
			('docs.user/ada', 'docs.user/bob', 'docs.user/cyn', 'docs.user/eve'))`).Scan(&left); err != nil || left > 0 {
			t.Errorf("%d are left, or told to others, %v", left, err)
		}
	})
}

// Whoever may not read the document when it is told is not told, and who has lost it doesn't find it in the list.
func TestNoticesAreForReaders(t *testing.T) {
	joblessPeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		ada, bob, cyn := u[0], u[1], u[2]
		gus := w.meets(auth.KindGuest, "gus")[0]
		w.group("team", "cyn")
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "bob", viewer)
		ada.share(doc, "group/team", viewer)
		ada.share(doc, "gus", viewer)
		id := must(ada.comment(doc, ada.head(doc), 0, 1, "@bob @cyn @gus @team"))(t).GetThread()
		ada.share(doc, "bob", none)
		ada.share(doc, "gus", none)
		w.regroup("team", nil, []string{"cyn"})
		w.settle()
		ada.share(doc, everybody, viewer)
		w.tellAll(doc)
		for _, v := range []*user{bob, cyn} {
			v.hears("by everybody's role", fmt.Sprintf("ada mentioned %d/%d", id, id))
		}
		gus.hears("a guest, by everybody's role")
		ada.share(doc, everybody, none)
		for _, v := range []*user{bob, cyn} {
			if got := v.notices(); len(got) > 0 {
				t.Errorf("%s has lost it, and lists %q", v.id, got)
			}
		}
		must(ada.reply(doc, id, "@bob @cyn"))(t)
		w.tellAll(doc)
		ada.share(doc, "bob", viewer)
		w.regroup("team", []string{"cyn"}, nil)
		w.settle()
		for _, v := range []*user{bob, cyn} {
			if got := v.notices(); len(got) != 1 {
				t.Errorf("%s may read it again, and lists %q", v.id, got)
			}
		}
		must(ada.reply(doc, id, "@bob"))(t)
		ada.trash(doc)
		w.tellAll(doc)
		if got := bob.notices(); len(got) > 0 {
			t.Errorf("of what is in the trash: %q", got)
		}
		must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc}))(t)
		if got := bob.notices(); len(got) != 1 {
			t.Errorf("told of what was in the trash: %q", got)
		}
		// Deleted before it was told.
		r := must(ada.reply(doc, id, "@bob"))(t).GetComment()
		must(ada.api.EditComment(ada.write(), &docsv1.EditCommentRequest{Document: doc, Thread: id, Comment: r, Text: "@bob @cyn"}))(t)
		must(ada.api.DeleteComment(ada.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: id, Comment: r}))(t)
		w.tellAll(doc)
		bob.hears("deleted before it was told")
	})
}

// Each is told once, whoever does the job with whomever, and wherever it broke off.
func TestNoticesAreToldOnce(t *testing.T) {
	joblessPeopled(t, func(t *testing.T, w *world) {
		ada := w.meets(auth.KindPerson, "ada")[0]
		var members []string
		for i := range 2*tellPage + 50 {
			members = append(members, fmt.Sprintf("m%03d", i))
		}
		w.group("team", append(members, "ada")...)
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "group/team", viewer)
		id := must(ada.comment(doc, ada.head(doc), 0, 1, "@team"))(t).GetThread()
		told := func() (events, notices int) {
			t.Helper()
			err := w.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM docs_log WHERE topic LIKE 'docs.user/%'),
				(SELECT count(*) FROM docs_notice n JOIN docs_log l ON l.topic = 'docs.user/' || n.user_id AND l."offset" = n.at)`).Scan(&events, &notices)
			if err != nil {
				t.Fatal(err)
			}
			return events, notices
		}
		k := docKey{"w", doc}
		w.exec(`ALTER TABLE docs_notice RENAME COLUMN actor TO elsewhere`)
		if _, err := w.server.tellNews(t.Context(), k); err == nil {
			t.Error("told, though it can't be written down")
		}
		w.exec(`ALTER TABLE docs_notice RENAME COLUMN elsewhere TO actor`)
		if events, _ := told(); events > 0 {
			t.Errorf("%d were told of what failed", events)
		}
		if more, err := w.server.tellSome(t.Context(), k); err != nil || !more {
			t.Fatal(more, err)
		}
		if events, notices := told(); events != tellPage || notices != tellPage {
			t.Errorf("%d were told, %d have it listed", events, notices)
		}
		// Another process goes on, and does it several times at once.
		w.stop()
		w.start()
		ada = ada.at(w)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := w.server.tellNews(t.Context(), k); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.tellAll(doc)
		if events, notices := told(); events != len(members) || notices != len(members) {
			t.Errorf("%d were told, %d have it listed, of %d", events, notices, len(members))
		}
		for _, m := range []string{"m000", "m099", "m100", "m249"} {
			w.somebody("w", m, auth.KindPerson).hears("once", fmt.Sprintf("ada mentioned %d/%d", id, id))
		}
		ada.hears("oneself")
	})
}

// Two processes that do the same job at the same time tell nobody twice.
func TestNoticesOfTwoProcesses(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := peopled(t, url).several("a", "b")
		u := ws[0].meets(auth.KindPerson, "ada", "bob", "cyn")
		ada := u[0]
		ws[0].settle()
		doc := ada.create("A text\n")
		ada.share(doc, everybody, viewer)
		id := must(ada.comment(doc, 2, 0, 1, "begin"))(t).GetThread()
		var wg sync.WaitGroup
		done := make(chan struct{})
		for _, w := range ws {
			wg.Go(func() {
				for ended := false; !ended; {
					select {
					case <-done:
						ended = true
					default:
					}
					if _, err := w.server.tellNews(t.Context(), docKey{"w", doc}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		const times = 30
		for range times {
			must(ada.reply(doc, id, "@bob @cyn"))(t)
		}
		close(done)
		wg.Wait()
		for _, v := range u[1:] {
			if got := v.notices(); len(got) != times || len(slices.Compact(got)) != times || len(heard(v, "docs.user/me", &docsv1.UserEvent{})) != times {
				t.Errorf("%s was told %d times, of %d: %q", v.id, len(got), times, got)
			}
		}
	})
}

// The connection breaks while the COMMIT is under way that tells it, before or after it has reached the server: the next attempt finds out.
func TestNoticesWhoseCommitIsLost(t *testing.T) {
	onPostgres(t, func(t *testing.T, address string) {
		to := must(url.Parse(address))(t)
		proxy := meshtest.StartProxy(t, to.Host)
		to.Host = proxy.Addr
		w := peopled(t, to.String())
		w.jobless = true
		w.start()
		u := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := u[0], u[1]
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "bob", viewer)
		id := must(ada.comment(doc, 2, 0, 1, "begin"))(t).GetThread()
		const times = 8
		lost := 0
		for i := range times {
			must(ada.reply(doc, id, "@bob"))(t)
			proxy.Set(&meshtest.Trap{Match: []byte("commit"), Forward: i%2 == 0, Times: 1})
			for {
				_, err := w.server.tellNews(t.Context(), docKey{"w", doc})
				if err == nil {
					break
				}
				lost++
			}
		}
		if lost == 0 {
			t.Error("nothing was lost")
		}
		if got := bob.notices(); len(got) != times || len(heard(bob, "docs.user/me", &docsv1.UserEvent{})) != times {
			t.Errorf("told %d times, of %d: %q", len(got), times, got)
		}
	})
}

// By itself it takes a second or two.
func TestNoticesByJobs(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("A text\n")
		ada.share(doc, "bob", commenter)
		id := must(bob.comment(doc, 2, 0, 1, "what?"))(t).GetThread()
		must(ada.reply(doc, id, "that"))(t)
		w.idleJobs()
		bob.hears("a reply", "ada replied 3/4")
		var due int64
		if err := w.db.QueryRow(t.Context(), `SELECT due_ms FROM docs_job WHERE document = $1 AND kind = 'news'`, doc).Scan(&due); err != nil ||
			time.Until(time.UnixMilli(due)).Round(time.Hour) != keepNotices {
			t.Errorf("it is looked at again at %v, %v", time.UnixMilli(due), err)
		}
	})
}

// So many are kept, and for so long.
func TestNoticesAreForgotten(t *testing.T) {
	joblessPeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := u[0], u[1]
		w.settle()
		doc, other := ada.create("A text\n"), ada.create("A text\n")
		ada.share(doc, "bob", viewer)
		ada.share(other, "bob", viewer)
		bob.star(doc, true)
		w.exec(`UPDATE docs_topic SET head = 1000 WHERE topic = 'docs.user/bob'`)
		now := time.Now()
		for i := range MaxNotices {
			w.exec(`INSERT INTO docs_notice (workspace, user_id, at, document, kind, thread, comment, suggestions, actor, time_ms) VALUES ('w', $1, $2, $3, 1, 9, 9, 'null', 'cyn', $4)`,
				"bob", i+1, other, now.Add(-keepNotices+time.Minute).UnixMilli())
		}
		w.exec(`UPDATE docs_notice SET time_ms = $1 WHERE at <= 250`, now.Add(-keepNotices-time.Minute).UnixMilli())
		id := must(ada.comment(doc, 2, 0, 1, "@bob"))(t).GetThread()
		if next := w.tellAll(doc); next.Sub(now).Round(time.Hour) != keepNotices {
			t.Errorf("next %v", next)
		}
		count := func() (n, oldest int) {
			t.Helper()
			if err := w.db.QueryRow(t.Context(), `SELECT count(*), min(at) FROM docs_notice`).Scan(&n, &oldest); err != nil {
				t.Fatal(err)
			}
			return n, oldest
		}
		if n, oldest := count(); n != MaxNotices || oldest != 2 {
			t.Errorf("%d are kept, from %d on", n, oldest)
		}
		if list, err := w.server.notices(t.Context(), must(w.verifier.Verify(t.Context(), bob.token))(t), now); err != nil || len(list) != 251 || list[0].GetThread() != id {
			t.Errorf("%d are listed, %v", len(list), err)
		}
		if next, err := w.server.forgetNotices(t.Context(), docKey{"w", other}, now); err != nil || next.Sub(now).Round(time.Second) != time.Minute {
			t.Errorf("next %v, %v", next.Sub(now), err)
		}
		if n, oldest := count(); n != 251 || oldest != 251 {
			t.Errorf("%d are kept, from %d on", n, oldest)
		}
		if next, err := w.server.forgetNotices(t.Context(), docKey{"w", other}, now.Add(time.Hour)); err != nil || !next.IsZero() {
			t.Errorf("next %v, %v", next, err)
		}
		if n, _ := count(); n != 1 {
			t.Errorf("%d are kept", n)
		}
	})
}

// What was read stays so, what is to come isn't, and other clients hear of it.
func TestMarkNotices(t *testing.T) {
	joblessPeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := u[0], u[1]
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "bob", viewer)
		id := must(ada.comment(doc, 2, 0, 1, "@bob"))(t).GetThread()
		must(ada.reply(doc, id, "@bob"))(t)
		bob.star(doc, true) // an event, and no notice
		w.tellAll(doc)
		mark := func(offset uint64) uint64 {
			t.Helper()
			return must(bob.api.MarkNotices(bob.read(), &docsv1.MarkNoticesRequest{Offset: offset}))(t).GetRead()
		}
		shows := func(what string, read uint64, unread uint32) {
			t.Helper()
			if r := must(bob.api.ListNotices(bob.read(), &docsv1.ListNoticesRequest{Limit: 1}))(t); r.GetRead() != read || r.GetUnread() != unread || len(r.GetNotices()) != 1 {
				t.Errorf("%s: %v", what, r)
			}
		}
		shows("nothing read", 0, 2)
		if got := []uint64{mark(1), mark(2), mark(1), mark(1000)}; !slices.Equal(got, []uint64{0, 2, 2, 3}) {
			t.Errorf("read up to %v", got)
		}
		shows("all read", 3, 0)
		must(ada.reply(doc, id, "@bob"))(t)
		w.tellAll(doc)
		shows("one more", 3, 1)
		events := heard(bob, "docs.user/me", &docsv1.UserEvent{})
		if len(events) != 6 || events[3] != "notices_read:{read:2}" || events[4] != "notices_read:{read:3}" {
			t.Errorf("%q", events)
		}
		for _, offset := range []uint64{0, 1 << 53, 1<<64 - 1} {
			_, err := bob.api.MarkNotices(bob.read(), &docsv1.MarkNoticesRequest{Offset: offset})
			refused(t, fmt.Sprint(offset), err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		}
		for _, q := range []*docsv1.ListNoticesRequest{{Limit: MaxNoticePage + 1}, {Page: "x"}, {Page: "-1"}} {
			_, err := bob.api.ListNotices(bob.read(), q)
			refused(t, q.String(), err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		}
		if r := must(ada.api.ListNotices(ada.read(), &docsv1.ListNoticesRequest{}))(t); len(r.GetNotices()) > 0 || r.GetRead() > 0 {
			t.Errorf("of somebody else: %v", r)
		}
	})
}

// A purge takes the notices, those that are being told then, too.
func TestNoticesOfWhatIsPurged(t *testing.T) {
	joblessPeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := u[0], u[1]
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "bob", commenter)
		id := must(bob.comment(doc, 2, 0, 1, "what?"))(t).GetThread()
		must(ada.reply(doc, id, "that"))(t)
		w.tellAll(doc)
		must(ada.reply(doc, id, "or that"))(t)
		k := docKey{"w", doc}
		var n *news
		err := w.db.Write(t.Context(), func(tx *sql.Tx) (err error) {
			n, err = firstNews(t.Context(), tx, k)
			return err
		})
		if err != nil || n == nil {
			t.Fatal(n, err)
		}
		ada.trash(doc)
		must(ada.purge(doc))(t)
		if got := bob.notices(); len(got) > 0 {
			t.Errorf("of what was purged: %q", got)
		}
		if next := w.tellAll(doc); next.IsZero() { // those that were told are there until they are erased
			t.Error("nothing is left to be erased")
		}
		err = w.server.log.Transact(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if err := w.server.tellThem(ctx, tx, k, n, [][]any{{"bob", int64(n.kind)}}); err != nil {
				return err
			}
			return w.server.moveOn(ctx, tx, k, n, "")
		})
		if !errors.Is(err, errPurged) {
			t.Errorf("told of what was purged meanwhile: %v", err)
		}
		w.erase(doc)
		if left := w.rows(doc); len(left) > 0 {
			t.Errorf("there is left: %v", left)
		}
		if events := heard(bob, "docs.user/me", &docsv1.UserEvent{}); len(events) != 1 {
			t.Errorf("%q", events)
		}
	})
}

// noticeModel is what people are to be told of, as the contract says it.
type noticeModel struct {
	reads    map[string]bool
	group    []string
	writers  map[uint64]map[string]bool // by thread
	comments map[uint64]*modelComment
	waiting  []*modelNews
	told     map[string][]string // by person
}

type modelComment struct {
	thread uint64
	author string
	named  map[string]bool // people, and "group"
	knows  map[string]bool // who was told that they are named
}

type modelNews struct {
	actor   string
	line    func(kind string) string
	kind    string
	comment *modelComment
	named   map[string]bool
	writers []string // before
}

// readable is whom a comment of these handles names.
func (m *noticeModel) readable(handles []string) map[string]bool {
	named := map[string]bool{}
	for _, h := range handles {
		named[h] = h == "group" || m.reads[h]
	}
	maps.DeleteFunc(named, func(_ string, is bool) bool { return !is })
	return named
}

func (m *noticeModel) tell() {
	for _, n := range m.waiting {
		concerned := map[string]string{}
		for _, id := range n.writers {
			concerned[id] = n.kind
		}
		for id := range n.named {
			list := []string{id}
			if id == "group" {
				list = m.group
			}
			for _, id := range list {
				concerned[id] = "mentioned"
			}
		}
		for id, kind := range concerned {
			if id == n.actor || !m.reads[id] || n.comment != nil && n.comment.knows[id] {
				continue
			}
			m.told[id] = append(m.told[id], n.line(kind))
			if kind == "mentioned" {
				n.comment.knows[id] = true
			}
		}
	}
	m.waiting = nil
}

// Whatever people do, and whenever it is told, each hears what a plain model says.
func TestNoticesAreAsTheModel(t *testing.T) {
	joblessPeopled(t, func(t *testing.T, w *world) {
		names := []string{"p0", "p1", "p2", "p3", "p4"}
		u := w.meets(auth.KindPerson, names...)
		w.group("group", "p1", "p3", "p4")
		w.settle()
		for seed := range uint64(12) {
			r := rand.New(rand.NewPCG(seed, 9))
			m := &noticeModel{reads: map[string]bool{"p0": true}, group: []string{"p1", "p3", "p4"}, writers: map[uint64]map[string]bool{}, comments: map[uint64]*modelComment{}, told: map[string][]string{}}
			doc := u[0].create("A text\n")
			share := func(i int, on bool) {
				role := none
				if m.reads[names[i]] = on; on {
					role = commenter
				}
				u[0].share(doc, names[i], role)
			}
			for i := range names[1:] {
				share(i+1, true)
			}
			resolved, handles := map[uint64]bool{}, append([]string{"group", "nobody"}, names...)
			for range 40 {
				i := r.IntN(len(u))
				if !m.reads[names[i]] {
					i = 0
				}
				v, actor := u[i], names[i]
				var said []string
				for range r.IntN(3) {
					said = append(said, handles[r.IntN(len(handles))])
				}
				text := "text @" + strings.Join(said, " @")
				var thread, comment uint64
				if ids := slices.Sorted(maps.Keys(m.writers)); len(ids) > 0 {
					thread = ids[r.IntN(len(ids))]
				}
				for _, id := range slices.Sorted(maps.Keys(m.comments)) {
					if c := m.comments[id]; c.author == actor && (comment == 0 || r.IntN(2) == 0) {
						comment = id
					}
				}
				news := &modelNews{actor: actor, kind: "mentioned"}
				writes := func(thread, id uint64) {
					c := &modelComment{thread, actor, m.readable(said), map[string]bool{}}
					news.comment, news.named, news.line = c, c.named, func(kind string) string { return fmt.Sprintf("%s %s %d/%d", actor, kind, thread, id) }
					m.comments[id] = c
					m.writers[thread][actor] = true
					m.waiting = append(m.waiting, news)
				}
				switch op := r.IntN(10); {
				case op == 0 || thread == 0:
					id := must(v.comment(doc, v.head(doc), 0, 1, text))(t).GetThread()
					m.writers[id] = map[string]bool{}
					writes(id, id)
				case op < 4:
					news.kind, news.writers = "replied", slices.Collect(maps.Keys(m.writers[thread]))
					writes(thread, must(v.reply(doc, thread, text))(t).GetComment())
				case op == 4:
					resolved[thread] = !resolved[thread]
					must(v.api.ResolveThread(v.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: thread, Resolved: resolved[thread]}))(t)
					if news.kind = "reopened"; resolved[thread] {
						news.kind = "resolved"
					}
					news.writers, news.line = slices.Collect(maps.Keys(m.writers[thread])), func(kind string) string { return fmt.Sprintf("%s %s %d", actor, kind, thread) }
					m.waiting = append(m.waiting, news)
				case op == 5 && comment > 0:
					c := m.comments[comment]
					must(v.api.EditComment(v.write(), &docsv1.EditCommentRequest{Document: doc, Thread: c.thread, Comment: comment, Text: text}))(t)
					now := m.readable(said)
					news.comment, news.named, news.line = c, maps.Clone(now), func(kind string) string { return fmt.Sprintf("%s %s %d/%d", actor, kind, c.thread, comment) }
					maps.DeleteFunc(news.named, func(id string, _ bool) bool { return c.named[id] })
					c.named = now
					m.waiting = append(m.waiting, news)
				case op == 6 && comment > 0:
					c := m.comments[comment]
					must(v.api.DeleteComment(v.write(), &docsv1.DeleteCommentRequest{Document: doc, Thread: c.thread, Comment: comment}))(t)
					delete(m.comments, comment)
					m.waiting = slices.DeleteFunc(m.waiting, func(n *modelNews) bool { return n.comment == c })
				case op == 7:
					i := 3 + r.IntN(2)
					share(i, !m.reads[names[i]])
				case op == 8:
					m.tell()
					w.tellAll(doc)
				}
			}
			m.tell()
			w.tellAll(doc)
			heardOf := 0
			for i, v := range u {
				if !m.reads[v.id] {
					share(i, true) // lists are of what they may read
				}
				var got []string
				for _, n := range must(w.server.notices(t.Context(), must(w.verifier.Verify(t.Context(), v.token))(t), time.Now()))(t) {
					if n.GetDocument() == doc {
						got = append(got, noticeLine(n))
					}
				}
				slices.Reverse(got)
				heardOf += len(got)
				if !slices.Equal(got, m.told[v.id]) {
					t.Errorf("seed %d: %s was told\n%q, want\n%q", seed, v.id, got, m.told[v.id])
				}
			}
			if heardOf == 0 {
				t.Errorf("seed %d: nobody was told anything", seed)
			}
		}
	})
}
