package docs

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// follower is a client that knows of a document's suggestions what its log says, by PROTOCOL.md §11a.
type follower struct {
	version uint64
	all     map[uint64]*followedOne
}

type followedOne struct {
	docsv1.Suggestion
	delta ot.Delta
}

// event takes over what the log tells next. One whose content was deleted for ever takes its place alone.
func (f *follower) event(rec *topicv1.Record) error {
	f.version = rec.GetEvent().GetOffset()
	var body docsv1.DocumentEvent
	if err := proto.Unmarshal(rec.GetEvent().GetBody(), &body); err != nil {
		return err
	}
	closed := func(ids []uint64, state docsv1.SuggestionState) {
		for _, id := range ids {
			o := f.all[id]
			o.State, o.Gone, o.Closed, o.ClosedBy = state, false, f.version, body.GetActor()
		}
	}
	set := func(id uint64, delta, description, quote string) (err error) {
		o := f.all[id]
		o.Delta, o.Revision, o.Description, o.Quote = delta, f.version, description, quote
		o.delta, err = ot.Parse([]byte(delta), ot.Unlimited())
		return err
	}
	switch e := body.GetEvent().(type) {
	case *docsv1.DocumentEvent_Edited:
		closed(e.Edited.GetSuggestions(), suggestionAccepted)
		edit, err := ot.Parse([]byte(e.Edited.GetDelta()), ot.Unlimited())
		if err != nil {
			return err
		}
		for _, o := range f.all {
			if o.GetState() == suggestionOpen && !o.GetGone() {
				o.delta, o.Gone = byTheRule(o.delta, edit)
			}
		}
	case *docsv1.DocumentEvent_SuggestionCreated:
		f.all[f.version] = &followedOne{Suggestion: docsv1.Suggestion{Id: f.version, Author: body.GetActor(), State: suggestionOpen}}
		return set(f.version, e.SuggestionCreated.GetDelta(), e.SuggestionCreated.GetDescription(), e.SuggestionCreated.GetQuote())
	case *docsv1.DocumentEvent_SuggestionRevised:
		return set(e.SuggestionRevised.GetSuggestion(), e.SuggestionRevised.GetDelta(), e.SuggestionRevised.GetDescription(), e.SuggestionRevised.GetQuote())
	case *docsv1.DocumentEvent_SuggestionsClosed:
		closed(e.SuggestionsClosed.GetSuggestions(), e.SuggestionsClosed.GetState())
	}
	return nil
}

// compareSuggestions compares what is told of suggestions with what a client knows that has followed the log from its beginning.
func (u *user) compareSuggestions(fail func(format string, args ...any), doc string) (open, gone int) {
	u.tb.Helper()
	f := follower{all: map[uint64]*followedOne{}}
	for _, rec := range u.records(doc) {
		if err := f.event(rec); err != nil {
			fail("event %d: %v", f.version, err)
		}
	}
	list, version := u.suggestions(doc, true)
	if version != f.version || len(list) != len(f.all) {
		fail("%d suggestions at %d are told, %d at %d are known", len(list), version, len(f.all), f.version)
	}
	for _, s := range list {
		o := f.all[s.GetId()]
		if o.GetState() == suggestionOpen {
			open++
		}
		if o.GetGone() {
			gone++
		} else if o.GetState() == suggestionOpen {
			o.Delta = o.delta.JSON()
		}
		o.CreatedMs, o.RevisedMs, o.ClosedMs = s.GetCreatedMs(), s.GetRevisedMs(), s.GetClosedMs()
		if !proto.Equal(s, &o.Suggestion) {
			fail("at %d it is told: %v\nand known: %v", version, s, &o.Suggestion)
		}
	}
	if some, _ := u.suggestions(doc, false); len(some) != open {
		fail("%d open ones are listed, %d are known", len(some), open)
	}
	return open, gone
}

// The session that is open, one that is opened anew, and a client that follows the log agree on every suggestion, byte for byte, whatever is done.
func TestSuggestionsAreWhatTheLogSays(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Recent, c.Snapshot = 5, 4 })
	ada := w.person("ada")
	opens, gones := 0, 0
	mix := ottest.All()
	mix.Notes = false
	rapid.Check(t, func(t *rapid.T) {
		s := source{t}
		begin := mix.Document(s, 4+s.IntN(8))
		doc := must(ada.api.CreateDocument(ada.write(), &docsv1.CreateDocumentRequest{Content: begin.JSON()}))(w.tb).GetDocument()
		var ids []uint64
		for range 15 {
			content, version := ada.content(doc, 0)
			change := mix.Change(s, content.Delta(), 1+s.IntN(5)).JSON()
			var some uint64
			if len(ids) > 0 {
				some = ids[s.IntN(len(ids))]
			}
			var err error
			switch s.IntN(12) {
			case 0, 1, 2:
				_, err = ada.submit(doc, version, change)
			case 3, 4, 5, 6:
				var r *docsv1.CreateSuggestionResponse
				if r, err = ada.suggest(doc, version, change); err == nil {
					ids = append(ids, r.GetSuggestion())
				}
			case 7:
				_, err = ada.revise(doc, some, version, change)
			case 8:
				_, err = ada.accept(doc, some)
			case 9:
				_, err = ada.reject(doc, some)
			case 10:
				_, err = ada.api.NameVersion(ada.write(), &docsv1.NameVersionRequest{Document: doc, Version: version, Name: "a name"})
			case 11:
				switch s.IntN(4) {
				case 0:
					_, err = ada.api.AcceptSuggestions(ada.write(), &docsv1.AcceptSuggestionsRequest{Document: doc, Author: "ada"})
				case 1:
					_, err = ada.restore(doc, version)
				default:
					w.closeNow(doc)
				}
			}
			if c := rpc.CodeOf(err); err != nil && (c < 100 || c > 199) {
				t.Fatal(rpc.FromError(err))
			}
			if s.IntN(4) == 0 {
				ada.compareSuggestions(t.Fatalf, doc)
			}
		}
		ada.compareSuggestions(t.Fatalf, doc)
		w.closeNow(doc)
		open, gone := ada.compareSuggestions(t.Fatalf, doc)
		opens, gones = opens+open, gones+gone
	})
	if opens == 0 || gones == 0 || opens == gones {
		t.Errorf("%d open, of which %d gone", opens, gones)
	}
}

// suggestAndDecide does all that can be done with suggestions, from versions that lie a little behind, and tells each time.
func (u *user) suggestAndDecide(doc string, r *rand.Rand, times int, each func(i int)) {
	content, version := u.content(doc, 0)
	for i := range times {
		each(i)
		var err error
		n := content.Len()
		place := r.IntN(n)
		cut := min(1+r.IntN(3), n-1-place)
		delta := at(place, "abc"[:1+r.IntN(3)])
		if cut > 0 && r.IntN(2) == 0 {
			delta = replace(place, cut, "xyz"[:1+r.IntN(3)])
		}
		var some uint64
		if open, _ := u.suggestions(doc, false); len(open) > 0 {
			some = open[r.IntN(len(open))].GetId()
		}
		switch ctx := u.write(); r.IntN(9) {
		case 0, 1, 2:
			err = insist(func() error {
				_, err := u.api.CreateSuggestion(ctx, &docsv1.CreateSuggestionRequest{Document: doc, Base: version, Delta: delta, Description: u.id})
				return err
			})
		case 3:
			err = insist(func() error {
				_, err := u.api.ReviseSuggestion(ctx, &docsv1.ReviseSuggestionRequest{Document: doc, Suggestion: some, Base: version, Delta: delta})
				return err
			})
		case 4:
			err = insist(func() error {
				_, err := u.api.AcceptSuggestion(ctx, &docsv1.AcceptSuggestionRequest{Document: doc, Suggestion: some})
				return err
			})
		case 5:
			err = insist(func() error {
				_, err := u.api.RejectSuggestion(ctx, &docsv1.RejectSuggestionRequest{Document: doc, Suggestion: some})
				return err
			})
		case 6:
			q := &docsv1.AcceptSuggestionsRequest{Document: doc, Author: u.id}
			if r.IntN(4) == 0 {
				err = insist(func() error { _, err := u.api.AcceptSuggestions(ctx, q); return err })
			}
		default:
			_, err = u.insist(ctx, &docsv1.SubmitRequest{Document: doc, Base: version, Delta: delta})
		}
		switch rpc.FromError(err).GetReason() {
		case "", "docs.GONE", "docs.CLOSED", "docs.SUGGESTION", "docs.FORBIDDEN":
		default:
			u.tb.Error(rpc.FromError(err))
		}
		if r.IntN(4) == 0 {
			content, version = u.content(doc, 0)
		}
	}
}

// Many suggest, edit, accept and reject while the document is closed and opened, with few edits in memory: in the end all is as the log says.
func TestSuggestionsAmongMany(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("a beginning of some length\n")
		ada.share(doc, everybody, editor)
		var wg sync.WaitGroup
		for i := range 4 {
			u, r := w.person(fmt.Sprint("p", i)), rand.New(rand.NewPCG(uint64(i), 3))
			wg.Go(func() {
				u.suggestAndDecide(doc, r, 40, func(n int) {
					if n%8 != i {
						return
					}
					for _, x := range w.server.sessions() {
						x.leave()
					}
				})
			})
		}
		wg.Wait()
		ada.compareSuggestions(t.Errorf, doc)
		w.closeNow(doc)
		ada.compareSuggestions(t.Errorf, doc)
	}, func(c *Config) { c.Recent, c.Snapshot = 20, 15 })
}

// Another process takes over while people suggest and decide: all that was acknowledged is there, once. What the owner before believes counts for
// nothing.
func TestSuggestionsAreHandedOver(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a")
		ada := ws[0].person("ada")
		doc := ada.create("a beginning of some length\n")
		ada.share(doc, everybody, editor)
		var wg sync.WaitGroup
		moments := make(chan struct{}, 3) // to take over
		for i := range 3 {
			u, r := ws[0].person(fmt.Sprint("p", i)), rand.New(rand.NewPCG(uint64(i), 4))
			wg.Go(func() {
				u.suggestAndDecide(doc, r, 60, func(n int) {
					if i == 0 && n%15 == 10 && n < 45 {
						moments <- struct{}{}
					}
				})
			})
		}
		all := []*world{ws[0]}
		for _, name := range []string{"b", "c", "d"} {
			<-moments
			all = append(all, ws[0].beside(name))
		}
		wg.Wait()
		for _, w := range all {
			ada.at(w).compareSuggestions(t.Errorf, doc)
		}
		old := all[slices.IndexFunc(all, func(w *world) bool { return len(w.server.sessions()) > 0 })]
		other := all[slices.IndexFunc(all, func(w *world) bool { return w != old })]
		v := ada.at(other)
		lost := must(v.suggest(doc, v.head(doc), at(0, "LOST")))(t).GetSuggestion()
		old.others.change(func() { // the owner is taken for dead
			old.others.expired[old.self] = true
			old.others.believe[old.self] = func() []string { return []string{old.self} }
		})
		kept := must(v.suggest(doc, v.head(doc), at(0, "KEPT")))(t).GetSuggestion()
		must(v.reject(doc, lost))(t)
		x := old.server.sessions()[0]
		var a *amendment
		err := x.do(t.Context(), func() error {
			now := x.ahead(lost, x.passing())
			content := x.content.Clone()
			if err := content.Apply(now.delta()); err != nil {
				return err
			}
			o := x.accept([]uint64{lost}, now.delta(), content, func(*topic.Row) proto.Message { return &docsv1.AcceptSuggestionResponse{} })
			var err error
			if o.entry, err = x.entry(ada.id, o.event); err == nil {
				a, err = x.amend(topic.Mutation{Key: topic.Key{User: ada.id, ClientID: ada.client, Seq: 900}}, &o.amend, o.delta, o.content)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if <-a.settled; a.err == nil {
			t.Error("it was committed")
		}
		must(v.accept(doc, kept))(t)
		if got := v.text(doc); strings.Contains(got, "LOST") || strings.Count(got, "KEPT") != 1 {
			t.Errorf("%q", got)
		}
		if s := v.suggestion(doc, lost); s.GetState() != suggestionRejected {
			t.Errorf("%s", outline(s))
		}
		v.compareSuggestions(t.Errorf, doc)
	})
}

// All that is under way counts before it is committed: what is deleted, suggested, revised and closed.
func TestSuggestionsUnderWay(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("one two three\n")
		id := must(ada.suggest(doc, 1, replace(4, 3, "2")))(t).GetSuggestion()
		caller := must(w.verifier.Verify(t.Context(), ada.token))(t)
		x := w.server.sessions()[0]
		var last *amendment
		// then is done behind what is under way: in one go, so that nothing is committed meanwhile.
		then := func(o *change, err error) error {
			if err != nil || o == nil {
				return err
			}
			if o.entry, err = x.entry(ada.id, o.event); err != nil {
				return err
			}
			if last, err = x.amend(topic.Mutation{Key: topic.Key{User: ada.id}}, &o.amend, o.delta, o.content); err == nil && o.follow != nil {
				o.follow()
			}
			return err
		}
		edit := func(delta string) error {
			d := must(ot.Parse([]byte(delta), ot.Unlimited()))(t)
			content := x.content.Clone()
			if err := content.Apply(d); err != nil {
				return err
			}
			return then(&change{
				event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: delta}}}, delta: d, content: content,
				amend: amend{edit: true, answer: func(*topic.Row) proto.Message { return &docsv1.SubmitResponse{} }},
			}, nil)
		}
		propose := func(delta string) *proposal {
			return &proposal{caller: caller, base: x.version, suggested: newSuggested(0, must(ot.Parse([]byte(delta), ot.Unlimited()))(t))}
		}
		accept := func(id uint64) error {
			o, err := x.pending(id, suggestionAccepted)
			if err != nil || o == nil {
				return err
			}
			now := x.ahead(id, x.passing())
			if now.gone {
				return errSuggestionGone
			}
			content := x.content.Clone()
			if err := content.Apply(now.delta()); err != nil {
				return err
			}
			return then(x.accept([]uint64{id}, now.delta(), content, func(*topic.Row) proto.Message { return &docsv1.AcceptSuggestionResponse{} }), nil)
		}
		var fresh, another uint64
		err := x.do(t.Context(), func() error {
			if err := then(x.reviseSuggestion(propose(replace(8, 5, "3")), id)); err != nil {
				return err
			}
			if err := edit(at(0, "> ")); err != nil {
				return err
			}
			fresh = x.version + 1
			if err := then(x.createSuggestion(propose(replace(2, 3, "1")))); err != nil {
				return err
			}
			another = x.version + 1
			if err := then(x.createSuggestion(propose(replace(6, 3, "2")))); err != nil {
				return err
			}
			if err := edit(`{"ops":[{"retain":5},{"delete":4}]}`); err != nil { // " two"
				return err
			}
			if err := accept(id); err != nil {
				return err
			}
			refused(t, "gone under way", accept(another), edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE")
			_, err := x.reviseSuggestion(propose(at(0, "x")), another)
			refused(t, "gone under way, and revised", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE")
			_, err = x.reviseSuggestion(propose(at(0, "x")), id)
			refused(t, "accepted under way, and revised", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.CLOSED")
			if err := accept(id); err != nil || x.proposed.open != 2 {
				t.Errorf("accepted again: %v; %d are open", err, x.proposed.open)
			}
			if x.storedAt != id {
				t.Error("something was committed meanwhile")
			}
			return accept(fresh)
		})
		if err != nil {
			t.Fatal(err)
		}
		if <-last.settled; last.err != nil {
			t.Fatal(last.err)
		}
		want(t, "the text", ada.text(doc), "> 1 3\n")
		ada.compareSuggestions(t.Errorf, doc)
		w.closeNow(doc)
		ada.compareSuggestions(t.Errorf, doc)
		if s := ada.suggestion(doc, another); !s.GetGone() {
			t.Error(outline(s))
		}
	})
}

// One accepts while another one deletes the text: either it was accepted before, or it is told to be gone.
func TestAcceptWhileItsTextIsDeleted(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("one\n")
		ada.share(doc, "bob", editor)
		for range 40 {
			content, head := ada.content(doc, 0)
			id := must(bob.suggest(doc, head, replace(0, 3, "two")))(t).GetSuggestion()
			var wg sync.WaitGroup
			var err error
			accepting, deleting := ada.write(), bob.write()
			wg.Go(func() {
				_, err = ada.api.AcceptSuggestion(accepting, &docsv1.AcceptSuggestionRequest{Document: doc, Suggestion: id})
			})
			wg.Go(func() {
				if _, err := bob.api.Submit(deleting, &docsv1.SubmitRequest{Document: doc, Base: head, Delta: `{"ops":[{"delete":3}]}`}); err != nil {
					t.Error(rpc.FromError(err))
				}
			})
			wg.Wait()
			now, at := ada.content(doc, 0)
			if err == nil {
				want(t, "accepted before", now.Delta().JSON(), inserts("two\n"))
				must(ada.submit(doc, at, replace(0, 3, "one")))(t)
				continue
			}
			refused(t, "deleted before", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE")
			want(t, "deleted before", now.Delta().JSON(), inserts("\n"))
			must(ada.submit(doc, at, inserts("one")))(t)
			if content.Len() != 4 {
				t.Fatal(content.Delta())
			}
		}
	})
}

// A base may lie anywhere: in memory, before that, and further back than is followed.
func TestSuggestionsOfOldVersions(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db", func(c *Config) { c.Recent, c.Snapshot, c.Transform = 5, 10, 120 })
	ada := w.person("ada")
	doc := ada.create("one two\n")
	version := uint64(1)
	for range 40 {
		version = must(ada.submit(doc, version, at(3, "x")))(t).GetVersion()
	}
	for _, back := range []uint64{0, 1, 4, 5, 9, 10, 11, 20, 40} {
		for _, anew := range []bool{false, true} {
			if anew {
				w.closeNow(doc)
			}
			head := ada.head(doc)
			base := version - back
			id := must(ada.suggest(doc, base, replace(4+int(base)-1, 3, "2")))(t).GetSuggestion()
			want(t, fmt.Sprint(back, " back"), outline(ada.suggestion(doc, id)), `ada {"retain":44},{"insert":"2"},{"delete":3} "two"`)
			must(ada.revise(doc, id, base, replace(4+int(base)-1, 3, "II")))(t)
			want(t, fmt.Sprint(back, " back"), outline(ada.suggestion(doc, id)), `ada {"retain":44},{"insert":"II"},{"delete":3} "two"`)
			if id != head+1 {
				t.Errorf("%d behind %d", id, head)
			}
			must(ada.withdraw(doc, id))(t)
		}
	}
	for ada.head(doc) <= 121 {
		must(ada.submit(doc, ada.head(doc), at(3, "x")))(t)
	}
	_, err := ada.suggest(doc, 1, replace(4, 3, "2"))
	refused(t, "too far back", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
}

// One whose following takes long follows beside the session.
func TestHeavySuggestions(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create(strings.Repeat("0123456789", 600))
	var b ot.Builder
	for range 1500 {
		b.Insert("y", nil).Delete(1).Retain(1, nil)
	}
	suggestion := must(b.Delta())(t)
	for i := range 300 {
		must(ada.submit(doc, uint64(1+i), at(i*7, "x")))(t)
	}
	if len(suggestion.Runs())*300 < sessionSteps {
		t.Fatal("not heavy")
	}
	id := must(ada.suggest(doc, 1, suggestion.JSON()))(t).GetSuggestion()
	f := suggestion
	for i := range 300 {
		var gone bool
		if f, gone = byTheRule(f, must(ot.Parse([]byte(at(i*7, "x")), ot.Unlimited()))(t)); gone {
			t.Fatal("gone")
		}
	}
	if got := ada.suggestion(doc, id).GetDelta(); got != f.JSON() {
		t.Errorf("%d bytes, want %d", len(got), len(f.JSON()))
	}
}

// What suggestions are is written down with a version, also where that was named before; what was named without them is gone over.
func TestSuggestionsAndNamedVersions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("some text\n")
		id := must(ada.suggest(doc, 1, replace(5, 4, "words")))(t).GetSuggestion()
		written := func() (version uint64, text string) {
			err := each(t.Context(), w.db.Query, `SELECT version, suggestions FROM docs_suggested WHERE document = $1`, []any{doc}, func(r *sql.Rows) error { return r.Scan(&version, &text) })
			if err != nil {
				t.Fatal(err)
			}
			return version, text
		}
		for i := range 3 {
			must(ada.submit(doc, ada.head(doc), inserts("x")))(t)
			must(ada.name(doc, ada.head(doc), fmt.Sprint("version ", i)))(t)
		}
		if n, _ := written(); n != 0 {
			t.Fatalf("suggestions of %d", n)
		}
		w.closeNow(doc)
		line := `ada {"retain":8},{"insert":"words"},{"delete":4} "text"`
		want(t, "opened anew", outline(ada.suggestion(doc, id)), line)
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
		s := newSuggested(id, must(ot.Parse([]byte(replace(8, 4, "words")), ot.Unlimited()))(t))
		if err := w.server.writeVersion(t.Context(), x.docKey, x.term, versionRow{version: named}, content, stands{suggestions: []suggested{s, {id: 9, gone: true}}}); err != nil {
			t.Fatal(err)
		}
		if n, text := written(); n != named || text != fmt.Sprintf("[[%d,%s]]", id, replace(8, 4, "words")) {
			t.Errorf("%s of %d", text, n)
		}
		err := w.server.writeVersion(t.Context(), x.docKey, x.term-1, versionRow{version: named}, content, stands{suggestions: []suggested{}})
		if n, text := written(); err == nil || n != named || text == "[]" {
			t.Errorf("somebody else's term: %v; %s", err, text)
		}
		w.closeNow(doc)
		want(t, "and again", outline(ada.suggestion(doc, id)), line)
		// It is read from there: the events before are not gone over again.
		w.closeNow(doc)
		w.exec(`UPDATE docs_suggested SET suggestions = replace(suggestions, 'words', 'swords') WHERE document = $1`, doc)
		want(t, "from what was written down", outline(ada.suggestion(doc, id)), strings.Replace(line, "words", "swords", 1))
		// What can't be read is damage, and nothing is changed.
		w.closeNow(doc)
		w.exec(`UPDATE docs_suggested SET suggestions = '[[2,{}]]' WHERE document = $1`, doc)
		_, err = ada.accept(doc, id)
		refused(t, "damaged", err, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
	})
}

func TestLimitsOfSuggestions(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("some text\n")
	long := at(0, strings.Repeat("x", MaxSuggestion-100))
	ada.together(MaxOpenSuggested/MaxSuggestion, func(ctx context.Context, _ int) error {
		_, err := ada.api.CreateSuggestion(ctx, &docsv1.CreateSuggestionRequest{Document: doc, Base: 1, Delta: long})
		return err
	})
	_, err := ada.suggest(doc, 1, long)
	refused(t, "many bytes", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	id := must(ada.suggest(doc, 1, at(0, "x")))(t).GetSuggestion()
	_, err = ada.revise(doc, id, 1, long)
	refused(t, "many bytes, revised", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	must(ada.revise(doc, id-1, 1, long))(t) // in the place of as many
	// A page is bounded by bytes, too.
	r := must(ada.api.ListSuggestions(ada.read(), &docsv1.ListSuggestionsRequest{Document: doc, Limit: MaxSuggestionPage}))(t)
	if n := len(r.GetSuggestions()); n < 5 || n > 1+readBytes/(MaxSuggestion-200) || r.GetNext() == "" {
		t.Errorf("%d suggestions, then %q", n, r.GetNext())
	}
	if all, _ := ada.suggestions(doc, false); len(all) != 17 {
		t.Errorf("%d suggestions", len(all))
	}
	for range 2 {
		ada.together(MaxRevisions/2, func(ctx context.Context, i int) error {
			_, err := ada.api.ReviseSuggestion(ctx, &docsv1.ReviseSuggestionRequest{Document: doc, Suggestion: id, Base: id, Delta: at(0, fmt.Sprint(i))})
			return err
		})
		w.closeNow(doc)
	}
	_, err = ada.revise(doc, id, 1, at(0, "y"))
	refused(t, "revised often", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	must(ada.api.RejectSuggestions(ada.write(), &docsv1.RejectSuggestionsRequest{Document: doc, Author: "ada"}))(t)

	base := ada.head(doc)
	ada.together(MaxOpenSuggestions, func(ctx context.Context, i int) error {
		_, err := ada.api.CreateSuggestion(ctx, &docsv1.CreateSuggestionRequest{Document: doc, Base: base, Delta: at(0, fmt.Sprint(i, " "))})
		return err
	})
	_, err = ada.suggest(doc, base, at(0, "x"))
	refused(t, "many open", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	w.closeNow(doc)
	_, err = ada.suggest(doc, base, at(0, "x"))
	refused(t, "many open, and opened anew", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	accepted := must(ada.api.AcceptSuggestions(ada.write(), &docsv1.AcceptSuggestionsRequest{Document: doc, Author: "ada"}))(t)
	if len(accepted.GetAccepted()) != MaxOpenSuggestions || accepted.GetVersion() != ada.head(doc) {
		t.Errorf("%d accepted at %d", len(accepted.GetAccepted()), accepted.GetVersion())
	}
	if n := len(strings.Fields(ada.text(doc))); n != MaxOpenSuggestions+2 {
		t.Errorf("%d words", n)
	}
	must(ada.suggest(doc, base, at(0, "x")))(t)

	// More than an edit may have is left for the next call.
	big := ada.create(strings.Repeat("y", 1000))
	for range MaxOpenSuggested / MaxSuggestion {
		must(ada.suggest(big, 1, long))(t)
	}
	must(ada.suggest(big, 1, at(0, "x")))(t)
	fill := must(ada.submit(big, 1, at(0, strings.Repeat("z", 999_000))))(t).GetVersion()
	must(ada.submit(big, fill, at(0, strings.Repeat("z", 500_000))))(t)
	full := must(ada.api.AcceptSuggestions(ada.write(), &docsv1.AcceptSuggestionsRequest{Document: big, Author: "ada"}))(t)
	if n := len(full.GetAccepted()); n != 8 || len(full.GetLeft()) != 9 {
		t.Errorf("%d accepted, %d left in a full document", n, len(full.GetLeft()))
	}
	_, err = ada.accept(big, full.GetLeft()[0])
	refused(t, "a full document", err, edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE")

	// Edits have made them longer than one edit may be: the rest is for the next call.
	links := ada.create(strings.Repeat("x", 16*60))
	var cut ot.Builder
	for i := range 16 {
		var d ot.Builder
		d.Retain(60*i, nil)
		for range 6 {
			link := must(ot.ParseAttributes([]byte(`{"link":"`+strings.Repeat("a", 8000)+`"}`), 1))(t)
			d.Retain(3, nil).Retain(4, link).Retain(3, nil)
			cut.Retain(5, nil).Insert("y", nil).Retain(5, nil)
		}
		must(ada.suggest(links, 1, must(d.Delta())(t).JSON()))(t)
	}
	must(ada.submit(links, 1, must(cut.Delta())(t).JSON()))(t)
	for _, want := range [][2]int{{10, 6}, {6, 0}} {
		r := must(ada.api.AcceptSuggestions(ada.write(), &docsv1.AcceptSuggestionsRequest{Document: links, Author: "ada"}))(t)
		if got := [2]int{len(r.GetAccepted()), len(r.GetLeft())}; got != want {
			t.Errorf("%v accepted and left, want %v", got, want)
		}
	}

	// As many as there can be, the closed ones counted.
	many := ada.create("some text\n")
	for range MaxSuggestions / MaxOpenSuggestions {
		base := ada.head(many)
		ada.together(MaxOpenSuggestions, func(ctx context.Context, i int) error {
			_, err := ada.api.CreateSuggestion(ctx, &docsv1.CreateSuggestionRequest{Document: many, Base: base, Delta: at(0, fmt.Sprint(i, " "))})
			return err
		})
		must(ada.api.RejectSuggestions(ada.write(), &docsv1.RejectSuggestionsRequest{Document: many, Author: "ada"}))(t)
	}
	for range 2 {
		_, err = ada.suggest(many, ada.head(many), at(0, "x"))
		refused(t, "many at all", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
		w.closeNow(many)
	}
	if all, _ := ada.suggestions(many, true); len(all) != MaxSuggestions {
		t.Errorf("%d suggestions", len(all))
	}
}
