package docs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// suggest suggests an edit.
func (u *user) suggest(document string, base uint64, delta string) (*docsv1.CreateSuggestionResponse, error) {
	return u.api.CreateSuggestion(u.write(), &docsv1.CreateSuggestionRequest{Document: document, Base: base, Delta: delta, Description: "for " + u.id})
}

func (u *user) revise(document string, id, base uint64, delta string) (*docsv1.ReviseSuggestionResponse, error) {
	return u.api.ReviseSuggestion(u.write(), &docsv1.ReviseSuggestionRequest{Document: document, Suggestion: id, Base: base, Delta: delta})
}

func (u *user) accept(document string, id uint64) (*docsv1.AcceptSuggestionResponse, error) {
	return u.api.AcceptSuggestion(u.write(), &docsv1.AcceptSuggestionRequest{Document: document, Suggestion: id})
}

func (u *user) reject(document string, id uint64) (*docsv1.RejectSuggestionResponse, error) {
	return u.api.RejectSuggestion(u.write(), &docsv1.RejectSuggestionRequest{Document: document, Suggestion: id})
}

func (u *user) withdraw(document string, id uint64) (*docsv1.WithdrawSuggestionResponse, error) {
	return u.api.WithdrawSuggestion(u.write(), &docsv1.WithdrawSuggestionRequest{Document: document, Suggestion: id})
}

func (u *user) suggestion(document string, id uint64) *docsv1.Suggestion {
	u.tb.Helper()
	return must(u.api.GetSuggestion(u.read(), &docsv1.GetSuggestionRequest{Document: document, Suggestion: id}))(u.tb).GetSuggestion()
}

// suggestions lists them, the oldest first.
func (u *user) suggestions(document string, all bool) (list []*docsv1.Suggestion, version uint64) {
	u.tb.Helper()
	for page := ""; ; {
		r := must(u.api.ListSuggestions(u.read(), &docsv1.ListSuggestionsRequest{Document: document, All: all, Page: page}))(u.tb)
		list, version = append(list, r.GetSuggestions()...), r.GetVersion()
		if page = r.GetNext(); page == "" {
			slices.Reverse(list)
			return list, version
		}
	}
}

// outline is what a suggestion is, as a line.
func outline(s *docsv1.Suggestion) string {
	line := fmt.Sprintf("%s %s %q", s.GetAuthor(), ops(s.GetDelta()), s.GetQuote())
	if s.GetGone() {
		line += " gone"
	}
	if s.GetState() != suggestionOpen {
		line += fmt.Sprintf(" %s by %s at %d", strings.ToLower(strings.TrimPrefix(s.GetState().String(), "SUGGESTION_STATE_")), s.GetClosedBy(), s.GetClosed())
	}
	return line
}

// ops are a delta's operations, short.
func ops(delta string) string {
	return strings.TrimSuffix(strings.TrimPrefix(delta, `{"ops":[`), `]}`)
}

// replace is a delta that puts a text in the place of some code units.
func replace(place, n int, text string) string {
	var b ot.Builder
	d, err := b.Retain(place, nil).Insert(text, nil).Delete(n).Delta()
	if err != nil {
		panic(err)
	}
	return d.JSON()
}

// told is an event of a document.
func (u *user) told(document string, version uint64) *docsv1.DocumentEvent {
	u.tb.Helper()
	e := &docsv1.DocumentEvent{}
	if err := proto.Unmarshal(u.records(document)[version-1].GetEvent().GetBody(), e); err != nil {
		u.tb.Fatal(err)
	}
	return e
}

func TestSuggestions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("one two three four\n")
		ada.share(doc, "bob", commenter)
		must(ada.submit(doc, 2, at(0, "> ")))(t)
		id := must(bob.suggest(doc, 2, replace(4, 3, "2")))(t).GetSuggestion() // of the version before the edit
		want(t, "made", outline(ada.suggestion(doc, id)), `bob {"retain":6},{"insert":"2"},{"delete":3} "two"`)
		must(ada.submit(doc, id, at(0, "> ")))(t)
		want(t, "moved", outline(ada.suggestion(doc, id)), `bob {"retain":8},{"insert":"2"},{"delete":3} "two"`)
		want(t, "the text", ada.text(doc), "> > one two three four\n")
		if s := ada.suggestion(doc, id); s.GetId() != id || s.GetRevision() != id || s.GetCreatedMs() == 0 || s.GetRevisedMs() != 0 || s.GetDescription() != "for bob" {
			t.Errorf("%v", s)
		}

		revised := must(bob.revise(doc, id, ada.head(doc), replace(8, 3, "zwei")))(t).GetVersion()
		want(t, "revised", outline(ada.suggestion(doc, id)), `bob {"retain":8},{"insert":"zwei"},{"delete":3} "two"`)
		if s := ada.suggestion(doc, id); s.GetRevision() != revised || s.GetRevisedMs() == 0 || s.GetDescription() != "" {
			t.Errorf("%v", s)
		}
		_, err := ada.api.AcceptSuggestion(ada.write(), &docsv1.AcceptSuggestionRequest{Document: doc, Suggestion: id, Seen: revised - 1})
		refused(t, "another one than was seen", err, edgev1.Code_CODE_CONFLICT, "docs.REVISED")
		accepted := must(ada.api.AcceptSuggestion(ada.write(), &docsv1.AcceptSuggestionRequest{Document: doc, Suggestion: id, Seen: revised}))(t)
		want(t, "accepted", ada.text(doc), "> > one zwei three four\n")
		want(t, "accepted", outline(bob.suggestion(doc, id)), fmt.Sprintf(`bob {"retain":8},{"insert":"zwei"},{"delete":3} "two" accepted by ada at %d`, accepted.GetVersion()))
		e := ada.told(doc, accepted.GetVersion())
		if edited := e.GetEdited(); e.GetActor() != "ada" || edited.GetCredited() != "bob" || !slices.Equal(edited.GetSuggestions(), []uint64{id}) || accepted.GetEpoch() == 0 {
			t.Errorf("%v, %v", e, accepted)
		}
		want(t, "blame", fmt.Sprint(short(ada.blameOf(doc, 0, 500))), "[8 ada 4 bob 12 ada]")

		again := must(ada.accept(doc, id))(t)
		_, err = ada.reject(doc, id)
		refused(t, "rejected when it was accepted", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.CLOSED")
		_, err = bob.withdraw(doc, id)
		refused(t, "withdrawn when it was accepted", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.CLOSED")
		_, err = bob.revise(doc, id, 2, at(0, "x"))
		refused(t, "revised when it was accepted", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.CLOSED")
		if again.GetVersion() != 0 || ada.head(doc) != accepted.GetVersion() {
			t.Errorf("accepted again: %v, at %d", again, ada.head(doc))
		}

		one := must(bob.suggest(doc, accepted.GetVersion(), at(3, "x")))(t).GetSuggestion()
		two := must(bob.suggest(doc, accepted.GetVersion(), at(3, "y")))(t).GetSuggestion()
		rejected := must(ada.reject(doc, one))(t).GetVersion()
		withdrawn := must(bob.withdraw(doc, two))(t).GetVersion()
		for range 2 {
			want(t, "rejected", outline(bob.suggestion(doc, one)), fmt.Sprintf(`bob {"retain":3},{"insert":"x"} "" rejected by ada at %d`, rejected))
			want(t, "withdrawn", outline(bob.suggestion(doc, two)), fmt.Sprintf(`bob {"retain":3},{"insert":"y"} "" withdrawn by bob at %d`, withdrawn))
			_, err = ada.accept(doc, one)
			refused(t, "accepted when it was rejected", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.CLOSED")
			if n := must(ada.reject(doc, one))(t).GetVersion() + must(bob.withdraw(doc, two))(t).GetVersion(); n != 0 {
				t.Errorf("closed again: %d", n)
			}
			if open, _ := ada.suggestions(doc, false); len(open) != 0 {
				t.Errorf("open: %v", open)
			}
			if all, version := ada.suggestions(doc, true); len(all) != 3 || version != withdrawn {
				t.Errorf("all at %d: %v", version, all)
			}
			w.closeNow(doc)
		}
		if e := ada.told(doc, withdrawn); e.GetActor() != "bob" || e.GetSuggestionsClosed().GetState() != suggestionWithdrawn || e.GetSuggestionsClosed().GetSuggestions()[0] != two {
			t.Errorf("%v", e)
		}
	})
}

// What its text was deleted with, nobody can accept any more, even if the text comes back.
func TestSuggestionsThatAreGone(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("one two three\n")
		head := ada.share(doc, "bob", commenter)
		ids := map[string]uint64{}
		for name, delta := range map[string]string{
			"deletes": `{"ops":[{"retain":4},{"delete":3}]}`, "replaces": replace(4, 3, "2"), "formats": `{"ops":[{"retain":4},{"retain":3,"attributes":{"bold":true}}]}`,
			"inserts": at(5, "X"), "stays": replace(8, 5, "3"),
		} {
			ids[name] = must(bob.suggest(doc, head, delta))(t).GetSuggestion()
		}
		must(ada.submit(doc, ada.head(doc), `{"ops":[{"retain":3},{"delete":4}]}`))(t)
		must(ada.submit(doc, ada.head(doc), at(3, " two")))(t)
		for range 2 {
			for name, id := range ids {
				s := bob.suggestion(doc, id)
				if s.GetGone() != (name != "stays") || s.GetDelta() == "" {
					t.Errorf("%s: %s", name, outline(s))
				}
			}
			for _, name := range []string{"deletes", "replaces", "formats", "inserts"} {
				_, err := ada.accept(doc, ids[name])
				refused(t, name, err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE")
				_, err = bob.revise(doc, ids[name], ada.head(doc), at(0, "x"))
				refused(t, name, err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE")
			}
			_, err := bob.suggest(doc, head, replace(4, 3, "2"))
			refused(t, "a new one", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE")
			w.closeNow(doc)
		}
		must(ada.reject(doc, ids["deletes"]))(t)
		must(bob.withdraw(doc, ids["formats"]))(t)
		r := must(ada.api.AcceptSuggestions(ada.write(), &docsv1.AcceptSuggestionsRequest{Document: doc, Author: "bob"}))(t)
		gone := []uint64{ids["replaces"], ids["inserts"]}
		slices.Sort(gone)
		if !slices.Equal(r.GetAccepted(), []uint64{ids["stays"]}) || !slices.Equal(r.GetGone(), gone) || len(r.GetLeft()) != 0 {
			t.Errorf("%v", r)
		}
		want(t, "the text", ada.text(doc), "one two 3\n")
		r = must(ada.api.AcceptSuggestions(ada.write(), &docsv1.AcceptSuggestionsRequest{Document: doc, Author: "bob"}))(t)
		if r.GetVersion() != 0 || !slices.Equal(r.GetGone(), gone) {
			t.Errorf("nothing to accept: %v", r)
		}
		closed := must(ada.api.RejectSuggestions(ada.write(), &docsv1.RejectSuggestionsRequest{Document: doc, Author: "bob"}))(t)
		if !slices.Equal(closed.GetRejected(), gone) || closed.GetVersion() != ada.head(doc) {
			t.Errorf("%v", closed)
		}
		if n := must(ada.api.RejectSuggestions(ada.write(), &docsv1.RejectSuggestionsRequest{Document: doc, Author: "bob"}))(t); n.GetVersion() != 0 || len(n.GetRejected()) != 0 {
			t.Errorf("none is open: %v", n)
		}
	})
}

// Of all that one author suggests each goes behind those before it, by one edit; what those have made gone is told, and stays.
func TestAcceptAllOfOneAuthor(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person("ada"), w.person("bob"), w.person("eve")
		doc := ada.create("one two three four\n")
		ada.share(doc, "eve", commenter)
		head := ada.share(doc, "bob", commenter)
		word := must(bob.suggest(doc, head, replace(4, 3, "2")))(t).GetSuggestion()
		others := must(eve.suggest(doc, head, replace(4, 9, "zw")))(t).GetSuggestion()
		middle := must(bob.suggest(doc, head, at(4, "about ")))(t).GetSuggestion()
		overlaps := must(bob.suggest(doc, head, replace(6, 3, "o t")))(t).GetSuggestion() // "o t", of which a part was deleted then
		same := must(bob.suggest(doc, head, replace(4, 3, "II")))(t).GetSuggestion()
		bold := must(bob.suggest(doc, head, `{"ops":[{"retain":14},{"retain":4,"attributes":{"bold":true}}]}`))(t).GetSuggestion()
		late := must(bob.suggest(doc, head, at(0, "late")))(t).GetSuggestion()
		q := &docsv1.AcceptSuggestionsRequest{Document: doc, Author: "bob", Seen: late - 1}
		ctx := ada.write()
		r := must(ada.api.AcceptSuggestions(ctx, q))(t)
		if !slices.Equal(r.GetAccepted(), []uint64{word, middle, overlaps, bold}) || !slices.Equal(r.GetGone(), []uint64{same}) || !slices.Equal(r.GetLeft(), []uint64{late}) {
			t.Fatalf("%v", r)
		}
		content, _ := ada.content(doc, 0)
		want(t, "the content", content.Delta().JSON(), `{"ops":[{"insert":"one 2about o three "},{"attributes":{"bold":true},"insert":"four"},{"insert":"\n"}]}`)
		e := ada.told(doc, r.GetVersion())
		if e.GetActor() != "ada" || e.GetEdited().GetCredited() != "bob" || !slices.Equal(e.GetEdited().GetSuggestions(), r.GetAccepted()) || r.GetVersion() != ada.head(doc) {
			t.Errorf("%v", e)
		}
		for range 2 {
			for id, line := range map[uint64]string{
				same: `bob {"retain":4},{"insert":"II"},{"delete":3} "two" gone`,
				late: `bob {"insert":"late"} ""`,
			} {
				want(t, "left", outline(ada.suggestion(doc, id)), line)
			}
			if s := ada.suggestion(doc, others); s.GetGone() || s.GetState() != suggestionOpen {
				t.Errorf("somebody else's: %s", outline(s))
			}
			if again := must(ada.api.AcceptSuggestions(ctx, q))(t); !proto.Equal(again, r) {
				t.Errorf("a retry: %v", again)
			}
			w.closeNow(doc)
		}
	})
}

func TestRefusedSuggestions(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada, viv, com, eddy, eve := w.person("ada"), w.person("viv"), w.person("com"), w.person("eddy"), w.person("eve")
	doc := ada.create("a😀b\n")
	ada.share(doc, "viv", viewer)
	ada.share(doc, "eddy", editor)
	last := ada.share(doc, "com", commenter)
	last = must(com.suggest(doc, last, replace(1, 2, "😃")))(t).GetSuggestion()
	id := last
	for name, c := range map[string]struct {
		who    *user
		base   uint64
		delta  string
		code   edgev1.Code
		reason string
	}{
		"a viewer":          {viv, last, at(0, "x"), edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN"},
		"not let in":        {eve, last, at(0, "x"), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT"},
		"elsewhere":         {w.somebody("v", "com", auth.KindPerson), last, at(0, "x"), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT"},
		"a guest":           {w.somebody("w", "gus", auth.KindGuest), last, at(0, "x"), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT"},
		"nothing":           {com, last, `{"ops":[]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"goes over it":      {com, last, `{"ops":[{"retain":3}]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"no JSON":           {com, last, `{"ops":[`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA"},
		"past the end":      {com, last, at(9, "x"), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END"},
		"past, and before":  {com, 1, at(9, "x"), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END"},
		"a pair split":      {com, last, at(2, "x"), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.SPLIT_SURROGATE"},
		"half of a pair":    {com, last, `{"ops":[{"retain":1},{"delete":1}]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.SPLIT_SURROGATE"},
		"a lone surrogate":  {com, last, `{"ops":[{"insert":"\ud83d"}]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.SPLIT_SURROGATE"},
		"changes an embed":  {com, last, `{"ops":[{"retain":{"image":"x"}}]}`, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA"},
		"the future":        {com, last + 9, at(0, "x"), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.FUTURE"},
		"too long":          {com, last, inserts(strings.Repeat("x", MaxSuggestion-len(inserts("x"))+2)), edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE"},
		"many operations":   {com, last, `{"ops":[` + strings.Repeat(`{"insert":{"a":1}},`, 3000) + `{"insert":{"a":1}}]}`, 0, ""},
		"as long as can be": {com, last, inserts(strings.Repeat("x", MaxSuggestion-len(inserts("x"))+1)), 0, ""},
	} {
		_, err := c.who.suggest(doc, c.base, c.delta)
		if c.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", name, rpc.FromError(err))
			}
			continue
		}
		refused(t, name, err, c.code, c.reason)
		// A revision is as a suggestion is.
		if c.who == com {
			_, err = com.revise(doc, id, c.base, c.delta)
			refused(t, name+", revised", err, c.code, c.reason)
		}
	}
	for name, description := range map[string]string{"long": strings.Repeat("x", MaxDescription+1), "a zero byte": "a\x00b"} {
		_, err := com.api.CreateSuggestion(com.write(), &docsv1.CreateSuggestionRequest{Document: doc, Base: last, Delta: at(0, "x"), Description: description})
		refused(t, name, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	}
	must(com.api.CreateSuggestion(com.write(), &docsv1.CreateSuggestionRequest{Document: doc, Base: last, Delta: at(0, "x"), Description: strings.Repeat("x", MaxDescription)}))(t)
	_, err := com.api.CreateSuggestion(com.write(), &docsv1.CreateSuggestionRequest{Document: doc, Base: last, Epoch: 1, Delta: at(0, "x")})
	refused(t, "of the life before", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")

	// Who may what, of a suggestion that is there and of one that isn't: strangers learn nothing of either.
	type call = func(u *user, id uint64) error
	calls := map[string]call{
		"revise":   func(u *user, id uint64) error { return second(u.revise(doc, id, last, at(0, "x"))) },
		"accept":   func(u *user, id uint64) error { return second(u.accept(doc, id)) },
		"reject":   func(u *user, id uint64) error { return second(u.reject(doc, id)) },
		"withdraw": func(u *user, id uint64) error { return second(u.withdraw(doc, id)) },
		"get": func(u *user, id uint64) error {
			return second(u.api.GetSuggestion(u.read(), &docsv1.GetSuggestionRequest{Document: doc, Suggestion: id}))
		},
		"list": func(u *user, _ uint64) error {
			return second(u.api.ListSuggestions(u.read(), &docsv1.ListSuggestionsRequest{Document: doc}))
		},
		"accept all": func(u *user, _ uint64) error {
			return second(u.api.AcceptSuggestions(u.write(), &docsv1.AcceptSuggestionsRequest{Document: doc, Author: "viv"}))
		},
		"reject all": func(u *user, _ uint64) error {
			return second(u.api.RejectSuggestions(u.write(), &docsv1.RejectSuggestionsRequest{Document: doc, Author: "viv"}))
		},
	}
	const forbidden, hidden, absent, fine = "docs.FORBIDDEN", "docs.DOCUMENT", "docs.SUGGESTION", ""
	for name, may := range map[string]struct{ there, absent map[*user]string }{
		"revise":     {map[*user]string{viv: forbidden, eddy: forbidden, ada: forbidden}, map[*user]string{viv: forbidden, com: absent, ada: absent}},
		"withdraw":   {map[*user]string{viv: forbidden, eddy: forbidden, ada: forbidden}, map[*user]string{viv: forbidden, com: absent, ada: absent}},
		"accept":     {map[*user]string{viv: forbidden, com: forbidden}, map[*user]string{viv: forbidden, com: forbidden, eddy: absent}},
		"reject":     {map[*user]string{viv: forbidden, com: forbidden}, map[*user]string{viv: forbidden, com: forbidden, eddy: absent}},
		"get":        {map[*user]string{viv: fine, com: fine, eddy: fine, ada: fine}, map[*user]string{viv: absent}},
		"list":       {map[*user]string{viv: fine, com: fine, eddy: fine, ada: fine}, nil},
		"accept all": {map[*user]string{viv: forbidden, com: forbidden, eddy: fine, ada: fine}, nil},
		"reject all": {map[*user]string{viv: forbidden, com: forbidden, eddy: fine, ada: fine}, nil},
	} {
		for i, of := range []map[*user]string{may.there, may.absent} {
			which := []uint64{id, id + 1000}[i]
			if of != nil {
				of[eve], of[w.somebody("v", "ada", auth.KindPerson)], of[w.somebody("w", "gus", auth.KindGuest)] = hidden, hidden, hidden
			}
			for who, reason := range of {
				if got := rpc.FromError(calls[name](who, which)).GetReason(); got != reason {
					t.Errorf("%s in %s: %s %d: %q, want %q", who.id, who.workspace, name, which, got, reason)
				}
			}
		}
	}
	for _, which := range []uint64{0, last - 1, 1 << 63, 1<<64 - 1} {
		refused(t, "no suggestion", calls["get"](ada, which), edgev1.Code_CODE_NOT_FOUND, absent)
		refused(t, "no suggestion", calls["accept"](ada, which), edgev1.Code_CODE_NOT_FOUND, absent)
	}
	for _, author := range []string{"", "*", strings.Repeat("x", 27)} {
		_, err = ada.api.AcceptSuggestions(ada.write(), &docsv1.AcceptSuggestionsRequest{Document: doc, Author: author})
		refused(t, "no author", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		_, err = ada.api.RejectSuggestions(ada.write(), &docsv1.RejectSuggestionsRequest{Document: doc, Author: author})
		refused(t, "no author", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	}
	for _, q := range []*docsv1.ListSuggestionsRequest{{Page: "next"}, {Page: "-1"}, {Limit: MaxSuggestionPage + 1}} {
		q.Document = doc
		_, err = ada.api.ListSuggestions(ada.read(), q)
		refused(t, "no page", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	}
	_, err = com.api.CreateSuggestion(com.read(), &docsv1.CreateSuggestionRequest{Document: doc, Base: last, Delta: at(0, "x")})
	refused(t, "no key", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.KEY_MISSING")

	// Who loses the role after that changes nothing of what was suggested. In the trash nothing changes.
	ada.share(doc, "com", viewer)
	refused(t, "who may not any more", calls["withdraw"](com, id), edgev1.Code_CODE_PERMISSION_DENIED, forbidden)
	ada.share(doc, "com", docsv1.Role_ROLE_UNSPECIFIED)
	refused(t, "who may not any more", calls["get"](com, id), edgev1.Code_CODE_NOT_FOUND, hidden)
	must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc, Trashed: true}))(t)
	for _, name := range []string{"accept", "reject", "revise", "withdraw", "accept all", "reject all"} {
		refused(t, "in the trash: "+name, calls[name](ada, id), edgev1.Code_CODE_FAILED_PRECONDITION, "docs.TRASHED")
		refused(t, "in the trash: "+name, calls[name](eddy, id), edgev1.Code_CODE_NOT_FOUND, hidden)
	}
	must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc}))(t)
	must(ada.accept(doc, id))(t)
	if got := ada.text(doc); !strings.HasSuffix(got, "a😃b\n") {
		t.Errorf("%q", got)
	}
	want(t, "blame", fmt.Sprint(short(ada.blameOf(doc, 0, 500))), "[1 ada 2 com 2 ada]")
}

// Pairs stay whole, whatever is suggested at them and edited around them.
func TestSuggestionsAndPairs(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("😀😁😂\n")
		one := must(ada.suggest(doc, 1, replace(2, 2, "👍🏽")))(t).GetSuggestion()
		two := must(ada.suggest(doc, 1, `{"ops":[{"delete":6}]}`))(t).GetSuggestion()
		must(ada.submit(doc, 1, at(2, "😎")))(t)
		must(ada.submit(doc, 1, `{"ops":[{"delete":2}]}`))(t)
		want(t, "one", outline(ada.suggestion(doc, one)), `ada {"retain":2},{"insert":"👍🏽"},{"delete":2} "😁"`)
		want(t, "two", outline(ada.suggestion(doc, two)), `ada {"retain":2},{"delete":4} "😀😁😂"`)
		must(ada.accept(doc, one))(t)
		must(ada.accept(doc, two))(t)
		want(t, "the text", ada.text(doc), "😎👍🏽\n")

		long := strings.Repeat("x", MaxQuote-2) + "😀y"
		doc = ada.create("a b " + long)
		first := must(ada.suggest(doc, 1, `{"ops":[{"delete":1},{"retain":1},{"delete":1},{"retain":1},{"delete":`+fmt.Sprint(MaxQuote+1)+`}]}`))(t).GetSuggestion()
		want(t, "a quote", ada.suggestion(doc, first).GetQuote(), "a…b…"+long[:MaxQuote-4])
		second := must(ada.suggest(doc, 1, `{"ops":[{"retain":5},{"delete":`+fmt.Sprint(MaxQuote)+`}]}`))(t).GetSuggestion()
		want(t, "just", ada.suggestion(doc, second).GetQuote(), long[1:])
		third := must(ada.suggest(doc, 1, `{"ops":[{"delete":1},{"retain":4},{"delete":`+fmt.Sprint(MaxQuote)+`}]}`))(t).GetSuggestion()
		want(t, "cut before a pair", ada.suggestion(doc, third).GetQuote(), "a…"+long[1:MaxQuote-2])
	})
}

// What was suggested of a version before is there when an older version comes back, and follows that as any edit.
func TestRestoreAmongSuggestions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("one two three\n")
		ada.share(doc, "bob", commenter)
		must(ada.submit(doc, 2, at(13, " four")))(t)
		kept := must(bob.suggest(doc, 3, replace(4, 3, "2")))(t).GetSuggestion()
		lost := must(bob.suggest(doc, 3, replace(14, 4, "4")))(t).GetSuggestion()
		must(ada.restore(doc, 2))(t)
		for range 2 {
			want(t, "kept", outline(ada.suggestion(doc, kept)), `bob {"retain":4},{"insert":"2"},{"delete":3} "two"`)
			want(t, "lost", outline(ada.suggestion(doc, lost)), `bob {"retain":14},{"insert":"4"},{"delete":4} "four" gone`)
			w.closeNow(doc)
		}
		version := must(ada.accept(doc, kept))(t).GetVersion()
		want(t, "the text", ada.text(doc), "one 2 three\n")
		// A version of when it was accepted comes back without its being open again.
		must(ada.restore(doc, 3))(t)
		must(ada.restore(doc, version))(t)
		want(t, "the text", ada.text(doc), "one 2 three\n")
		if s := ada.suggestion(doc, kept); s.GetState() != suggestionAccepted {
			t.Errorf("%s", outline(s))
		}
	})
}

// The versions that are written down name both who suggested and who accepted, whichever process does it.
func TestVersionsOfSuggestions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob, eve := w.person("ada"), w.person("bob"), w.person("eve")
		doc := ada.create("one two three\n")
		ada.share(doc, "bob", commenter)
		ada.share(doc, "eve", editor)
		authors := func(version uint64) string {
			for _, v := range ada.versions(doc, 50, false) {
				if v.GetVersion() == version {
					return fmt.Sprint(v.GetAuthors())
				}
			}
			return "none"
		}
		must(ada.name(doc, 3, "before"))(t)
		id := must(bob.suggest(doc, 3, replace(4, 3, "2")))(t).GetSuggestion()
		version := must(eve.accept(doc, id))(t).GetVersion()
		must(ada.name(doc, version, "by a name"))(t)
		want(t, "named", authors(version), "[bob eve]")
		id = must(bob.suggest(doc, version, at(0, "x")))(t).GetSuggestion()
		version = must(ada.accept(doc, id))(t).GetVersion()
		x := w.server.sessions()[0]
		if err := x.do(t.Context(), func() error { x.snapshot(true); return nil }); err != nil {
			t.Fatal(err)
		}
		eventually(t, "written down", func() bool { return authors(version) != "none" })
		want(t, "written down", authors(version), "[ada bob]")
		must(ada.name(doc, version, "which isn't thinned out"))(t)
		id = must(bob.suggest(doc, version, at(0, "y")))(t).GetSuggestion()
		version = must(eve.accept(doc, id))(t).GetVersion()
		_ = x.do(t.Context(), func() error { x.broken = true; return nil }) // it ends without writing anything down
		<-x.gone
		ada.text(doc)
		x = w.server.sessions()[0]
		if err := x.do(t.Context(), func() error { x.snapshot(true); return nil }); err != nil {
			t.Fatal(err)
		}
		eventually(t, "written down by the next owner", func() bool { return authors(version) != "none" })
		want(t, "by the next owner", authors(version), "[bob eve]")
	})
}

// A retry has the first answer, in the session and long after, whatever has happened since.
func TestRepeatedSuggestions(t *testing.T) {
	for name, transform := range map[string]int{"rebased": 20_000, "too old": 20} {
		t.Run(name, func(t *testing.T) {
			everyEngine(t, func(t *testing.T, w *world) { repeatSuggestions(t, w) }, func(c *Config) { c.Recent, c.Snapshot, c.Transform = 8, 5, transform })
		})
	}
}

func repeatSuggestions(t *testing.T, w *world) {
	t.Helper()
	ada := w.person("ada")
	doc := ada.create("one two three\n")
	var repeats []func() (what string, version uint64)
	first := map[string]uint64{}
	// once makes a call, which is repeated from then on.
	once := func(what string, call func(ctx context.Context) (uint64, error)) uint64 {
		ctx := ada.write()
		first[what] = must(call(ctx))(t)
		repeats = append(repeats, func() (string, uint64) { return what, must(call(ctx))(t) })
		return first[what]
	}
	create := func(what, delta string) uint64 {
		q := &docsv1.CreateSuggestionRequest{Document: doc, Base: ada.head(doc), Delta: delta}
		return once(what, func(ctx context.Context) (uint64, error) {
			r, err := ada.api.CreateSuggestion(ctx, q)
			return r.GetSuggestion(), err
		})
	}
	one, two, three := create("create", replace(4, 3, "2")), create("create another", at(0, "x")), create("create a third", at(0, "y"))
	create("create for all", at(0, "z"))
	revise := &docsv1.ReviseSuggestionRequest{Document: doc, Suggestion: one, Base: three, Delta: replace(4, 3, "zwei")}
	once("revise", func(ctx context.Context) (uint64, error) {
		r, err := ada.api.ReviseSuggestion(ctx, revise)
		return r.GetVersion(), err
	})
	once("accept", func(ctx context.Context) (uint64, error) {
		r, err := ada.api.AcceptSuggestion(ctx, &docsv1.AcceptSuggestionRequest{Document: doc, Suggestion: one})
		if err == nil && r.GetEpoch() == 0 {
			t.Error("no epoch")
		}
		return r.GetVersion(), err
	})
	once("reject", func(ctx context.Context) (uint64, error) {
		r, err := ada.api.RejectSuggestion(ctx, &docsv1.RejectSuggestionRequest{Document: doc, Suggestion: two})
		return r.GetVersion(), err
	})
	once("withdraw", func(ctx context.Context) (uint64, error) {
		r, err := ada.api.WithdrawSuggestion(ctx, &docsv1.WithdrawSuggestionRequest{Document: doc, Suggestion: three})
		return r.GetVersion(), err
	})
	once("accept all", func(ctx context.Context) (uint64, error) {
		r, err := ada.api.AcceptSuggestions(ctx, &docsv1.AcceptSuggestionsRequest{Document: doc, Author: "ada"})
		if err == nil && (len(r.GetAccepted()) != 1 || r.GetEpoch() == 0) {
			t.Errorf("%v", r)
		}
		return r.GetVersion(), err
	})
	create("create for none", at(0, "w"))
	once("reject all", func(ctx context.Context) (uint64, error) {
		r, err := ada.api.RejectSuggestions(ctx, &docsv1.RejectSuggestionsRequest{Document: doc, Author: "ada"})
		if err == nil && len(r.GetRejected()) != 1 {
			t.Errorf("%v", r)
		}
		return r.GetVersion(), err
	})
	left := create("left", at(0, "v"))
	for range 2 {
		for _, repeat := range repeats {
			if what, version := repeat(); version != first[what] {
				t.Errorf("%s: %d, first %d", what, version, first[what])
			}
		}
		must(ada.submit(doc, ada.head(doc), `{"ops":[{"delete":1}]}`))(t)
		for range 25 {
			must(ada.submit(doc, ada.head(doc), inserts("another ")))(t)
		}
		w.closeNow(doc)
	}
	if got := ada.text(doc); strings.Count(got, "zwei") != 1 || strings.Contains(got, "x") || strings.Contains(got, "y") {
		t.Errorf("%q", got)
	}
	if open, _ := ada.suggestions(doc, false); len(open) != 1 || open[0].GetId() != left {
		t.Errorf("%v", open)
	}
	if all, _ := ada.suggestions(doc, true); len(all) != 6 {
		t.Errorf("%d suggestions", len(all))
	}
}
