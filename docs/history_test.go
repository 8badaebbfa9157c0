package docs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func (u *user) eraseHistory(document string, before uint64) (*docsv1.EraseHistoryResponse, error) {
	return u.api.EraseHistory(u.write(), &docsv1.EraseHistoryRequest{Document: document, BeforeVersion: before})
}

// blamed is who wrote what, as text.
func (u *user) blamed(document string, version uint64) string {
	u.tb.Helper()
	var s []string
	for _, r := range must(u.api.Blame(u.read(), &docsv1.BlameRequest{Document: document, Version: version, Limit: MaxRanges}))(u.tb).GetRanges() {
		s = append(s, fmt.Sprint(r.GetUser(), " ", r.GetLength()))
	}
	return strings.Join(s, ", ")
}

// What lies below the floor is read by nobody, at once and when it is erased; all above is as it was, and everything goes on.
func TestEraseHistory(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("0\n")
		ada.share(doc, "bob", editor)
		for i := range uint64(4) { // 3 to 6
			must(ada.submit(doc, 2+i, at(int(i)+1, fmt.Sprint(i+1))))(t)
		}
		must(bob.comment(doc, 6, 1, 3, "on 12"))(t) // 7
		must(bob.submit(doc, 7, inserts("b")))(t)   // 8
		must(ada.name(doc, 4, "four"))(t)           // 9
		must(ada.submit(doc, 9, inserts("a")))(t)   // 10
		must(ada.name(doc, 10, "ten"))(t)           // 11
		p := past{document: document{docKey: docKey{"w", doc}}, epoch: must(bob.api.ReadDocument(bob.read(), &docsv1.ReadDocumentRequest{Document: doc}))(t).GetEpoch()}
		must(w.server.blame(t.Context(), p, 11, 1, blameMost))(t) // of before, which is written down for each version
		for name, c := range map[string]struct {
			err    error
			code   edgev1.Code
			reason string
		}{
			"no owner":      {second(bob.eraseHistory(doc, 8)), edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN"},
			"before 0":      {second(ada.eraseHistory(doc, 0)), edgev1.Code_CODE_NOT_FOUND, "docs.VERSION"},
			"what will be":  {second(ada.eraseHistory(doc, 12)), edgev1.Code_CODE_NOT_FOUND, "docs.VERSION"},
			"without a key": {second(ada.api.EraseHistory(ada.read(), &docsv1.EraseHistoryRequest{Document: doc, BeforeVersion: 8})), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.KEY_MISSING"},
		} {
			refused(t, name, c.err, c.code, c.reason)
		}
		r := must(ada.eraseHistory(doc, 8))(t)
		key := ada.again()
		if r.GetVersion() != 12 {
			t.Errorf("%v", r)
		}
		check := func(when string) {
			t.Helper()
			if again := must(ada.api.EraseHistory(key, &docsv1.EraseHistoryRequest{Document: doc, BeforeVersion: 8}))(t); again.GetVersion() != 12 {
				t.Errorf("%s: a retry: %v", when, again)
			}
			for _, before := range []uint64{1, 8} {
				if r := must(ada.eraseHistory(doc, before))(t); r.GetVersion() != 0 {
					t.Errorf("%s: the floor is there: %v", when, r)
				}
			}
			if d := must(bob.api.GetDocument(bob.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument(); d.GetFloor() != 8 {
				t.Errorf("%s: %v", when, d)
			}
			const absent = edgev1.Code_CODE_NOT_FOUND
			for _, version := range []uint64{1, 4, 7} {
				for name, err := range map[string]error{
					"read":    second(bob.api.ReadDocument(bob.read(), &docsv1.ReadDocumentRequest{Document: doc, Version: version})),
					"export":  second(bob.api.ExportDocument(bob.read(), &docsv1.ExportDocumentRequest{Document: doc, Version: version, Format: docsv1.Format_FORMAT_TEXT})),
					"from":    second(bob.api.DiffVersions(bob.read(), &docsv1.DiffVersionsRequest{Document: doc, From: version, To: 10})),
					"to":      second(bob.api.DiffVersions(bob.read(), &docsv1.DiffVersionsRequest{Document: doc, To: version})),
					"blame":   second(bob.api.Blame(bob.read(), &docsv1.BlameRequest{Document: doc, Version: version})),
					"name":    second(bob.name(doc, version, "x")),
					"restore": second(bob.restore(doc, version)),
				} {
					refused(t, fmt.Sprint(when, ": ", name, " ", version), err, absent, "docs.VERSION")
				}
				_, err := bob.submit(doc, version, inserts("x"))
				refused(t, when+": an old base", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
				_, err = bob.comment(doc, version, 0, 1, "x")
				refused(t, when+": an old place", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
				_, err = bob.suggest(doc, version, at(0, "x"))
				refused(t, when+": an old suggestion", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
			}
			for version, want := range map[uint64]string{8: "b01234\n", 9: "b01234\n", 10: "ab01234\n", 12: "ab01234\n"} {
				if got := bob.textAt(doc, version); got != want {
					t.Errorf("%s: %d is %q", when, version, got)
				}
			}
			_, _, err := w.server.contentAt(t.Context(), p.docKey, p.epoch, 7, nil)
			refused(t, when+": for whoever has asked before", err, absent, "docs.VERSION")
			err = w.server.events(t.Context(), p.docKey, p.epoch, 6, 9, func(event) error { return nil })
			refused(t, when+": events, likewise", err, absent, "docs.VERSION")
			_, err = w.server.edits(t.Context(), p.docKey, p.epoch, 6, 9)
			refused(t, when+": edits, likewise", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
			if got := bob.blamed(doc, 8); got != " 7" {
				t.Errorf("%s: blame of the floor: %q", when, got)
			}
			if got := bob.blamed(doc, 12); got != "ada 1,  7" {
				t.Errorf("%s: blame: %q", when, got)
			}
			diff := must(bob.api.DiffVersions(bob.read(), &docsv1.DiffVersionsRequest{Document: doc, From: 8, To: 10}))(t)
			if diff.GetDelta() != inserts("a") {
				t.Errorf("%s: diff: %s", when, diff.GetDelta())
			}
			if diff := must(bob.api.DiffVersions(bob.read(), &docsv1.DiffVersionsRequest{Document: doc, To: 8}))(t); diff.GetDelta() != inserts("b01234\n") {
				t.Errorf("%s: diff of all: %s", when, diff.GetDelta())
			}
			if got := list(bob.versions(doc, 10, false)); !slices.Equal(got, []string{"10 ada ten", "8 ada+bob"}) {
				t.Errorf("%s: versions: %q", when, got)
			}
			if got := list(bob.versions(doc, 10, true)); !slices.Equal(got, []string{"10 ada ten"}) {
				t.Errorf("%s: named: %q", when, got)
			}
			if got := brief(bob.thread(doc, 7)); got != `[3,5) "12" bob: on 12` {
				t.Errorf("%s: %s", when, got)
			}
			topic := topicDocument + doc
			open := must(bob.topics.Open(bob.read(), &topicv1.OpenRequest{Wants: []*edgev1.Want{{Topic: topic}}}))(t).GetGrants()[0]
			if open.GetFloor().GetOffset() != 8 {
				t.Errorf("%s: %v", when, open)
			}
			for after, reset := range map[uint64]edgev1.Code{1: edgev1.Code_CODE_RESET_FLOOR, 7: edgev1.Code_CODE_RESET_FLOOR, 8: 0} {
				stream := must(bob.topics.Tail(t.Context(), &topicv1.TailRequest{Workspace: "w", Topic: topic, After: &edgev1.Cursor{Epoch: open.GetHead().GetEpoch(), Offset: after}}))(t)
				if res := must(stream.Recv())(t); res.GetReset_().GetCode() != reset {
					t.Errorf("%s: behind %d: %v", when, after, res)
				}
			}
		}
		check("at once")
		w.closeNow(doc)
		check("opened anew")
		w.erase(doc)
		check("erased")
		w.closeNow(doc)
		check("erased, opened anew")
		if got, want := w.bodies(doc), []uint64{9, 10, 11, 12}; !slices.Equal(got, want) {
			t.Errorf("%v have something in them, want %v", got, want)
		}
		var versions int
		if err := w.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM docs_version WHERE version < 8) + (SELECT count(*) FROM docs_snapshot WHERE version < 8)
			+ (SELECT count(*) FROM docs_blame) + (SELECT count(*) FROM docs_erasure)`).Scan(&versions); err != nil || versions != 0 {
			t.Errorf("%d rows are left, %v", versions, err)
		}
		// It goes on: edits, comments, versions, restores.
		must(bob.submit(doc, 8, inserts("c")))(t)
		must(bob.comment(doc, 13, 0, 2, "on c"))(t)
		must(bob.restore(doc, 8))(t)
		if got := bob.text(doc); got != "b01234\n" {
			t.Errorf("restored to %q", got)
		}
		must(bob.name(doc, 13, "thirteen"))(t)
		w.closeNow(doc)
		if got := bob.textAt(doc, 13); got != "acb01234\n" {
			t.Errorf("%q", got)
		}
		// A second time, up to the newest version.
		head := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument().GetVersion()
		must(ada.eraseHistory(doc, head))(t)
		w.erase(doc)
		w.closeNow(doc)
		if got, blame := bob.text(doc), bob.blamed(doc, 0); got != "b01234\n" || blame != " 7" {
			t.Errorf("%q of %s", got, blame)
		}
		if got := brief(bob.thread(doc, 7)); got != `[2,4) "12" bob: on 12` {
			t.Error(got)
		}
		if got := w.bodies(doc); !slices.Equal(got, []uint64{head + 1}) {
			t.Errorf("%v have something in them", got)
		}
		if got := list(bob.versions(doc, 10, false)); len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprint(head)) {
			t.Errorf("versions: %q", got)
		}
		ada.trash(doc)
		_, err := ada.eraseHistory(doc, head+1)
		refused(t, "in the trash", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.TRASHED")
	})
}

func (u *user) blame(document string, version uint64) (*docsv1.BlameResponse, error) {
	return u.api.Blame(u.read(), &docsv1.BlameRequest{Document: document, Version: version})
}

// textAt is the text of a version.
func (u *user) textAt(document string, version uint64) (text string) {
	u.tb.Helper()
	doc, _ := u.content(document, version)
	for _, op := range doc.Delta().Ops() {
		text += op.Text()
	}
	return text
}

// Suggestions that were made before the floor go on from there.
func TestSuggestionsFromAFloor(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("one two three four\n")
		ada.share(doc, "bob", commenter)
		id := must(bob.suggest(doc, 2, replace(4, 3, "2")))(t).GetSuggestion()
		rejected := must(bob.suggest(doc, 2, replace(0, 3, "1")))(t).GetSuggestion()
		must(ada.reject(doc, rejected))(t)
		must(ada.submit(doc, ada.head(doc), at(0, "> ")))(t)
		must(ada.eraseHistory(doc, ada.head(doc)))(t)
		for _, when := range []string{"at once", "opened anew", "erased", "erased, opened anew"} {
			want(t, when, outline(bob.suggestion(doc, id)), `bob {"retain":6},{"insert":"2"},{"delete":3} "two"`)
			if list, _ := bob.suggestions(doc, true); len(list) != 2 {
				t.Errorf("%s: %v", when, list)
			}
			if strings.HasPrefix(when, "erased") {
				w.erase(doc)
			}
			w.closeNow(doc)
		}
		must(ada.submit(doc, ada.head(doc), at(0, "> ")))(t)
		want(t, "moved", outline(bob.suggestion(doc, id)), `bob {"retain":8},{"insert":"2"},{"delete":3} "two"`)
		must(ada.accept(doc, id))(t)
		want(t, "the text", ada.text(doc), "> > one 2 three four\n")
		want(t, "blame", ada.blamed(doc, 0), "ada 2,  6, bob 1,  12")
	})
}

// What is quoted of erased text is erased with it, at once for who asks and then in the tables, once it is closed: then, or later. What is open keeps it.
func TestQuotesOfErasedText(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("hushed rejected accepted late kept orphan resolved wait\n")
		ada.share(doc, "bob", commenter)
		suggests := func(place, length int, text string) uint64 {
			return must(bob.suggest(doc, ada.head(doc), replace(place, length, text)))(t).GetSuggestion()
		}
		comments := func(from, to uint32) uint64 {
			return must(bob.comment(doc, ada.head(doc), from, to, "see"))(t).GetThread()
		}
		rejected, late, kept := suggests(7, 8, "hush 1"), suggests(25, 4, "hush 2"), suggests(30, 4, "four")
		orphan, resolved, waits, later := comments(35, 41), comments(42, 50), comments(51, 55), comments(30, 34)
		must(ada.api.ResolveThread(ada.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: resolved, Resolved: true}))(t)
		must(ada.reject(doc, rejected))(t)
		must(ada.submit(doc, ada.head(doc), `{"ops":[{"retain":35},{"delete":6}]}`))(t)
		accepted := suggests(16, 8, "hush 3")
		must(ada.accept(doc, accepted))(t)
		floor := ada.head(doc)
		above := suggests(0, 6, "above") // what is above the floor stays
		must(ada.reject(doc, above))(t)
		must(ada.eraseHistory(doc, floor))(t)
		quotes := func() (all string) {
			for _, id := range []uint64{orphan, resolved, waits, later} {
				all += bob.thread(doc, id).GetQuote() + "|"
			}
			all += " "
			list, _ := bob.suggestions(doc, true)
			for _, o := range list {
				var text strings.Builder
				for _, op := range must(ot.Parse([]byte(o.GetDelta()), ot.DefaultLimits()))(t).Ops() {
					text.WriteString(op.Text())
				}
				if one := bob.suggestion(doc, o.GetId()); one.GetQuote() != o.GetQuote() || one.GetDelta() != o.GetDelta() {
					t.Errorf("%v, in the list %v", one, o)
				}
				all += o.GetQuote() + ":" + text.String() + "|"
			}
			return all
		}
		for _, when := range []string{"at once", "opened anew", "erased", "erased, opened anew"} {
			want(t, when, quotes(), "||wait|kept| :|late:hush 2|kept:four|:|hushed:above|")
			if strings.HasPrefix(when, "erased") {
				w.erase(doc)
				for _, text := range []string{"orphan", "resolved", "rejected", "accepted", "hush 1"} {
					if n := w.holds("docs_thread", text) + w.holds("docs_suggestion", text) + w.holds("docs_suggested", text); n > 0 {
						t.Errorf("%s: %d rows have %q", when, n, text)
					}
				}
			}
			w.closeNow(doc)
		}
		must(ada.reject(doc, late))(t)
		must(ada.api.ResolveThread(ada.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: waits, Resolved: true}))(t)
		for _, when := range []string{"closed", "and opened anew"} {
			want(t, when, quotes(), "|||kept| :|:|kept:four|:|hushed:above|")
			w.closeNow(doc)
		}
		if n := w.holds("docs_suggested", "hush 2"); n != 1 {
			t.Errorf("%d rows have what was written down of it: nothing is tried", n)
		}
		w.erase(doc)
		want(t, "closed, erased", quotes(), "|||kept| :|:|kept:four|:|hushed:above|")
		for _, text := range []string{"hush 2", "wait"} {
			if n := w.holds("docs_thread", text) + w.holds("docs_suggestion", text) + w.holds("docs_suggested", text); n > 0 {
				t.Errorf("closed: %d rows have %q", n, text)
			}
		}
		must(ada.api.ResolveThread(ada.write(), &docsv1.ResolveThreadRequest{Document: doc, Thread: waits}))(t)
		want(t, "open again", quotes(), "|||kept| :|:|kept:four|:|hushed:above|")
		w.closeNow(doc)
		must(ada.accept(doc, kept))(t)
		if got := ada.text(doc); !strings.Contains(got, "four") {
			t.Errorf("%q", got)
		}
	})
}

// Whatever is edited, commented, named, restored, thinned out, closed and erased: each version from the floor on is what it was, and no other can be
// read; threads stand where they would without all that.
func TestErasingAmongEverything(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs(func(c *Config) { c.Snapshot, c.Recent = 7, 5 })
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 3))
			ada, bob := w.person("ada"), w.person("bob")
			ada.client, bob.client = fmt.Sprint("a", seed), fmt.Sprint("b", seed)
			doc := ada.create("a beginning of some length\n")
			ada.share(doc, "bob", editor)
			texts := map[uint64]string{1: "a beginning of some length\n"}
			texts[2] = texts[1]
			head, floor := uint64(2), uint64(0)
			places := map[uint64]*anchor{}
			var open []uint64
			suggested := func() (list []string) {
				all, _ := bob.suggestions(doc, true)
				for _, s := range all {
					list = append(list, fmt.Sprint(s.GetId(), " ", outline(s)))
				}
				return list
			}
			happened := func(version uint64, edit string) {
				if version == 0 {
					return
				}
				if version != head+1 {
					t.Fatalf("version %d behind %d", version, head)
				}
				content, err := ot.NewDocument(must(ot.Parse([]byte(inserts(texts[head])), ot.Unlimited()))(t), ot.Unlimited(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if edit != "" {
					d := must(ot.Parse([]byte(edit), ot.Unlimited()))(t)
					if err := content.Apply(d); err != nil {
						t.Fatal(err)
					}
					for id, p := range places {
						if p != nil && !p.over(d) {
							places[id] = nil
						}
					}
				}
				head++
				texts[head] = ""
				for _, op := range content.Delta().Ops() {
					texts[head] += op.Text()
				}
			}
			for range 120 {
				switch n := len(texts[head]); r.IntN(14) {
				case 0, 1, 2, 3:
					edit := at(r.IntN(n), string(rune('a'+r.IntN(26))))
					happened(must(bob.submit(doc, head, edit))(t).GetVersion(), edit)
				case 4:
					if n > 20 {
						edit := fmt.Sprintf(`{"ops":[{"retain":%d},{"delete":%d}]}`, 1+r.IntN(n-10), 1+r.IntN(6))
						happened(must(ada.submit(doc, head, edit))(t).GetVersion(), edit)
					}
				case 5:
					from := r.IntN(n - 3)
					id := must(bob.comment(doc, head, uint32(from), uint32(from+3), "a comment"))(t).GetThread()
					happened(id, "")
					places[id] = &anchor{id, from, from + 3}
				case 6:
					happened(must(ada.name(doc, floor+1+uint64(r.IntN(int(head-floor))), "a name"))(t).GetVersion(), "")
				case 7:
					before := head
					if version := must(bob.restore(doc, max(floor, 1)))(t).GetVersion(); version > 0 {
						diff := must(bob.api.DiffVersions(bob.read(), &docsv1.DiffVersionsRequest{Document: doc, From: before, To: version}))(t).GetDelta()
						happened(version, diff)
					}
				case 8:
					before := suggested()
					w.closeNow(doc)
					if after := suggested(); !slices.Equal(after, before) {
						t.Errorf("seed %d: suggestions are %q, were %q", seed, after, before)
					}
				case 12:
					from := r.IntN(n - 3)
					id := must(bob.suggest(doc, head, replace(from, 1+r.IntN(2), "S")))(t).GetSuggestion()
					happened(id, "")
					open = append(open, id)
				case 13:
					if len(open) > 0 {
						happened(must(ada.reject(doc, open[0]))(t).GetVersion(), "")
						open = open[1:]
					}
				case 9:
					if err := w.thinNow(doc, time.Now().Add(time.Duration(r.IntN(1000))*time.Hour)); err != nil && !errors.Is(err, errEnded) && !errors.Is(err, errFenced) { // the owner may be thinning out, too
						t.Fatal(err)
					}
				case 10:
					if r.IntN(3) == 0 {
						floor = max(floor, 1+uint64(r.IntN(int(head))))
						happened(must(ada.eraseHistory(doc, floor))(t).GetVersion(), "")
					}
				case 11:
					if r.IntN(2) == 0 {
						w.erase(doc)
					}
				}
			}
			w.closeNow(doc)
			for version := uint64(1); version <= head; version++ {
				if version < floor {
					_, err := bob.api.ReadDocument(bob.read(), &docsv1.ReadDocumentRequest{Document: doc, Version: version})
					refused(t, fmt.Sprint("version ", version, " below ", floor), err, edgev1.Code_CODE_NOT_FOUND, "docs.VERSION")
				} else if got := bob.textAt(doc, version); got != texts[version] {
					t.Errorf("seed %d: version %d is %q, was %q", seed, version, got, texts[version])
				}
			}
			for id, p := range places {
				got := bob.thread(doc, id)
				if p == nil != got.GetOrphaned() || p != nil && (int(got.GetFrom()) != p.from || int(got.GetTo()) != p.to) {
					t.Errorf("seed %d: thread %d stands at %v, want %v", seed, id, got, p)
				}
			}
			if got := must(bob.blame(doc, 0))(t); len(got.GetRanges()) == 0 {
				t.Error("nobody wrote anything")
			}
		}
	})
}

// History is erased again and again while many edit: nobody's edit is lost or done twice, and whoever comes too late is told so.
func TestErasingWhileEditing(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("")
		ada.share(doc, everybody, editor)
		var wg sync.WaitGroup
		const people, edits = 4, 40
		done := make(chan struct{})
		for i := range people {
			u := w.person(fmt.Sprint("p", i))
			wg.Go(func() {
				base := uint64(2)
				for n := range edits {
					u.seq++
					for {
						r, err := u.api.Submit(u.again(), &docsv1.SubmitRequest{Document: doc, Base: base, Delta: inserts(fmt.Sprintf("[%s.%d]", u.id, n))})
						if err == nil {
							base = r.GetVersion()
							break
						}
						switch e := rpc.FromError(err); {
						case e.GetReason() == "docs.BASE_TOO_OLD":
							u.seq++ // it was not done: another edit, of what is read now
							base = must(u.api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: doc}))(t).GetVersion()
						case e.GetCode() < edgev1.Code_CODE_UNAVAILABLE:
							t.Errorf("%s: %v", u.id, e)
							return
						default:
							time.Sleep(5 * time.Millisecond)
						}
					}
				}
			})
		}
		go func() { wg.Wait(); close(done) }()
		erased := 0
		for running := true; running; {
			select {
			case <-done:
				running = false
			case <-time.After(20 * time.Millisecond):
			}
			d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument()
			if r := must(ada.eraseHistory(doc, d.GetVersion()-min(d.GetVersion()-1, 3)))(t); r.GetVersion() > 0 {
				erased++
			}
		}
		text := ada.text(doc)
		for i := range people {
			for n := range edits {
				if c := strings.Count(text, fmt.Sprintf("[p%d.%d]", i, n)); c != 1 {
					t.Errorf("[p%d.%d] stands there %d times", i, n, c)
				}
			}
		}
		if erased < 3 {
			t.Errorf("erased %d times", erased)
		}
		d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument()
		eventually(t, "all is erased", func() bool {
			b := w.bodies(doc)
			return b[0] == d.GetFloor()+1 && len(b) == int(d.GetVersion()-d.GetFloor())
		})
	})
}

// A floor that isn't what it is said to be, or behind which something is missing, is damage.
func TestDamagedFloors(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada := w.person("ada")
		for name, damage := range map[string][]string{
			"its content is missing":          {`DELETE FROM docs_version WHERE document = $1`, `DELETE FROM docs_snapshot WHERE document = $1`},
			"the row says another one":        {`UPDATE docs_document SET floor = 3 WHERE id = $1`},
			"the row says none":               {`UPDATE docs_document SET floor = 0 WHERE id = $1`},
			"the log says another one":        {`UPDATE docs_topic SET floor = 3 WHERE topic = 'docs.document/' || $1`},
			"a body is missing behind it":     {`UPDATE docs_log SET body = NULL WHERE topic = 'docs.document/' || $1 AND "offset" = 5`},
			"an event is missing behind it":   {`DELETE FROM docs_log WHERE topic = 'docs.document/' || $1 AND "offset" = 5`},
			"nothing is wrong, for the test":  nil,
			"a body is missing, as it has to": {`UPDATE docs_log SET body = NULL WHERE topic = 'docs.document/' || $1 AND "offset" <= 4`},
		} {
			doc := ada.create("a text\n")
			for i := range uint64(5) {
				must(ada.submit(doc, 1+i, inserts("x")))(t)
			}
			must(ada.eraseHistory(doc, 4))(t)
			w.closeNow(doc)
			for _, q := range damage {
				w.exec(q, doc)
			}
			_, err := ada.api.ReadDocument(ada.read(), &docsv1.ReadDocumentRequest{Document: doc})
			if strings.Contains(name, "for the test") || strings.Contains(name, "has to") {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			refused(t, name, err, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
		}
	})
}

// What is older than the operator has history kept is erased, of documents that are open, closed, or were never opened since.
func TestHistoryIsKeptForATime(t *testing.T) {
	everyEngineWith(t, func(c *Config) { c.History = 48 * time.Hour }, func(t *testing.T, w *world) {
		ada := w.person("ada")
		open, closed, fresh, untouched := ada.create("o"), ada.create("c"), ada.create("f"), ada.create("u")
		for i := range uint64(5) {
			for _, doc := range []string{open, closed, fresh} {
				must(ada.submit(doc, 1+i, inserts("x")))(t)
			}
		}
		asked := func(what string, want int) {
			t.Helper()
			var n int
			if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_job WHERE kind = 'history'`).Scan(&n); err != nil || n != want {
				t.Errorf("%s: %d documents are looked after, want %d, %v", what, n, want, err)
			}
		}
		asked("made", 4)
		w.exec(`DELETE FROM docs_job`)
		w.closeNow(closed)
		asked("closed", 1)
		// Three days pass for some, but for what came last in one of them.
		for _, doc := range []string{open, closed, untouched} {
			w.exec(`UPDATE docs_log SET time_ms = time_ms - $2 WHERE topic = 'docs.document/' || $1 AND "offset" <= 4`, doc, (72 * time.Hour).Milliseconds())
		}
		w.exec(`UPDATE docs_log SET time_ms = time_ms - $2 WHERE topic = 'docs.document/' || $1`, closed, (72 * time.Hour).Milliseconds())
		// A process that starts looks at all of them.
		w.stop()
		w.exec(`DELETE FROM docs_job`)
		w = w.beside("", func(c *Config) { c.History = 48 * time.Hour })
		ada.world = w
		for doc, floor := range map[string]uint64{open: 4, closed: 6, untouched: 1} {
			eventually(t, "it is erased", func() bool {
				d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument()
				b := w.bodies(doc)
				return d.GetFloor() == floor && len(b) > 0 && b[0] == floor+1
			})
		}
		if d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: fresh}))(t).GetDocument(); d.GetFloor() != 0 {
			t.Errorf("%v", d)
		}
		eventually(t, "what was opened for that is closed", func() bool { return len(w.server.sessions()) == 0 })
		for doc, want := range map[string]string{open: "xxxxxo", closed: "xxxxxc", fresh: "xxxxxf", untouched: "u"} {
			if got := ada.text(doc); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		// When it is looked at again.
		for doc, want := range map[string]time.Duration{open: historyGap, fresh: historyGap} {
			next, err := w.server.eraseOld(t.Context(), docKey{"w", doc})
			if got := time.Until(next); err != nil || got > want || got < want-time.Minute {
				t.Errorf("again in %v, %v", got, err)
			}
		}
		events := heard(ada, topicDocument+closed, &docsv1.DocumentEvent{})
		if !slices.Equal(events, []string{`history_erased:{floor:6}`}) {
			t.Errorf("%q", events)
		}
		// The service's own word becomes old, too, and is no reason to go on and on.
		w.closeNow(closed)
		w.exec(`UPDATE docs_log SET time_ms = time_ms - $2 WHERE topic = 'docs.document/' || $1`, closed, (72 * time.Hour).Milliseconds())
		if next, err := w.server.eraseOld(t.Context(), docKey{"w", closed}); err != nil || !next.IsZero() {
			t.Errorf("again at %v, %v", next, err)
		}
		if d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: closed}))(t).GetDocument(); d.GetFloor() != 6 {
			t.Errorf("%v", d)
		}
	})
}
