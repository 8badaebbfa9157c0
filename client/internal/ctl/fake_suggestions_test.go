package ctl

import (
	"context"
	"slices"
	"strings"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// fakeSuggestions are a fake document's. What an edit does to them is not its own to know: they go over it as edits do, and none is ever gone but those
// that insert "gone".
type fakeSuggestions struct{ all []*docsv1.Suggestion }

func (f *fakeSuggestions) find(id uint64) (*docsv1.Suggestion, error) {
	for _, s := range f.all {
		if s.GetId() == id {
			return s, nil
		}
	}
	return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "docs.SUGGESTION", "There is no such suggestion.")
}

// follow takes the open ones over an edit.
func (f *fakeSuggestions) follow(edit ot.Delta) {
	for _, s := range f.all {
		if s.GetState() != docsv1.SuggestionState_SUGGESTION_STATE_OPEN {
			continue
		}
		delta, err := ot.Parse([]byte(s.GetDelta()), ot.Unlimited())
		if err == nil {
			delta, err = edit.Transform(delta, ot.Earlier, nil)
		}
		if err == nil {
			s.Delta = delta.JSON()
		}
	}
}

// close closes one, or says that it is closed.
func (f *fakeSuggestions) close(id uint64, state docsv1.SuggestionState) (changed bool, err error) {
	s, err := f.find(id)
	switch {
	case err != nil:
		return false, err
	case s.GetState() == state:
		return false, nil
	case s.GetState() != docsv1.SuggestionState_SUGGESTION_STATE_OPEN:
		return false, refuse(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.CLOSED", "This suggestion was closed already.")
	}
	s.State, s.Gone = state, false
	return true, nil
}

// quote stands for what a delta deletes.
func quote(delta string) string {
	if strings.Contains(delta, "delete") {
		return "what was\nthere"
	}
	return ""
}

func (f *fakeDocs) CreateSuggestion(ctx context.Context, q *docsv1.CreateSuggestionRequest) (*docsv1.CreateSuggestionResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	id := d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionCreated{SuggestionCreated: &docsv1.SuggestionCreated{
		Delta: q.GetDelta(), Description: q.GetDescription(), Quote: quote(q.GetDelta()),
	}}}, ot.Delta{})
	d.suggestions.all = append(d.suggestions.all, &docsv1.Suggestion{
		Id: id, Author: "u-" + callerOf(ctx).token, Delta: q.GetDelta(), Description: q.GetDescription(), State: docsv1.SuggestionState_SUGGESTION_STATE_OPEN,
		CreatedMs: at(id), Quote: quote(q.GetDelta()), Gone: strings.Contains(q.GetDelta(), "gone"),
	})
	return &docsv1.CreateSuggestionResponse{Suggestion: id}, nil
}

func (f *fakeDocs) ReviseSuggestion(ctx context.Context, q *docsv1.ReviseSuggestionRequest) (*docsv1.ReviseSuggestionResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	s, err := d.suggestions.find(q.GetSuggestion())
	if err != nil {
		return nil, err
	}
	version := d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionRevised{SuggestionRevised: &docsv1.SuggestionRevised{
		Suggestion: s.GetId(), Delta: q.GetDelta(), Description: q.GetDescription(),
	}}}, ot.Delta{})
	s.Delta, s.Description, s.RevisedMs = q.GetDelta(), q.GetDescription(), at(version)
	return &docsv1.ReviseSuggestionResponse{Version: version}, nil
}

// accept makes the edit of one that is open.
func (d *fakeDoc) accept(ctx context.Context, s *docsv1.Suggestion) (uint64, error) {
	edit, err := ot.Parse([]byte(s.GetDelta()), ot.DefaultLimits())
	if err == nil {
		err = d.content.Apply(edit)
	}
	if err != nil {
		return 0, err
	}
	d.suggestions.follow(edit)
	version := d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{
		Delta: edit.JSON(), Suggestions: []uint64{s.GetId()}, Credited: s.GetAuthor(),
	}}}, edit)
	d.log[version-1].Mutation = 0 // another number in each run
	return version, nil
}

func (f *fakeDocs) AcceptSuggestion(ctx context.Context, q *docsv1.AcceptSuggestionRequest) (*docsv1.AcceptSuggestionResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	s, err := d.suggestions.find(q.GetSuggestion())
	switch {
	case err != nil:
		return nil, err
	case s.GetGone():
		return nil, refuse(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE", "The text that this suggestion is for was deleted. Reject or withdraw it.")
	case q.GetSeen() != 0 && s.GetRevisedMs() > at(q.GetSeen()):
		return nil, refuse(edgev1.Code_CODE_CONFLICT, "docs.REVISED", "Its author has revised this suggestion since you have seen it. Look at it again.")
	}
	changed, err := d.suggestions.close(s.GetId(), docsv1.SuggestionState_SUGGESTION_STATE_ACCEPTED)
	if err != nil || !changed {
		return &docsv1.AcceptSuggestionResponse{}, err
	}
	version, err := d.accept(ctx, s)
	return &docsv1.AcceptSuggestionResponse{Version: version, Epoch: 1}, err
}

func (f *fakeDocs) AcceptSuggestions(ctx context.Context, q *docsv1.AcceptSuggestionsRequest) (*docsv1.AcceptSuggestionsResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	res := &docsv1.AcceptSuggestionsResponse{Epoch: 1}
	for _, s := range d.suggestions.all {
		switch {
		case s.GetAuthor() != q.GetAuthor() || s.GetState() != docsv1.SuggestionState_SUGGESTION_STATE_OPEN:
		case s.GetGone():
			res.Gone = append(res.Gone, s.GetId())
		case q.GetSeen() != 0 && s.GetId() > q.GetSeen():
			res.Left = append(res.Left, s.GetId())
		default:
			s.State = docsv1.SuggestionState_SUGGESTION_STATE_ACCEPTED
			if res.Version, err = d.accept(ctx, s); err != nil {
				return nil, err
			}
			res.Accepted = append(res.Accepted, s.GetId())
		}
	}
	return res, nil
}

// dismiss closes some, and tells.
func (d *fakeDoc) dismiss(ctx context.Context, state docsv1.SuggestionState, ids ...uint64) (version uint64, err error) {
	ids = slices.DeleteFunc(ids, func(id uint64) bool {
		changed, failed := d.suggestions.close(id, state)
		if failed != nil {
			err = failed
		}
		return !changed
	})
	if len(ids) == 0 || err != nil {
		return 0, err
	}
	return d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionsClosed{SuggestionsClosed: &docsv1.SuggestionsClosed{Suggestions: ids, State: state}}}, ot.Delta{}), nil
}

func (f *fakeDocs) RejectSuggestion(ctx context.Context, q *docsv1.RejectSuggestionRequest) (*docsv1.RejectSuggestionResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	version, err := d.dismiss(ctx, docsv1.SuggestionState_SUGGESTION_STATE_REJECTED, q.GetSuggestion())
	return &docsv1.RejectSuggestionResponse{Version: version}, err
}

func (f *fakeDocs) RejectSuggestions(ctx context.Context, q *docsv1.RejectSuggestionsRequest) (*docsv1.RejectSuggestionsResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	var ids []uint64
	for _, s := range d.suggestions.all {
		if s.GetAuthor() == q.GetAuthor() && s.GetState() == docsv1.SuggestionState_SUGGESTION_STATE_OPEN {
			ids = append(ids, s.GetId())
		}
	}
	version, err := d.dismiss(ctx, docsv1.SuggestionState_SUGGESTION_STATE_REJECTED, slices.Clone(ids)...)
	return &docsv1.RejectSuggestionsResponse{Version: version, Rejected: ids}, err
}

func (f *fakeDocs) WithdrawSuggestion(ctx context.Context, q *docsv1.WithdrawSuggestionRequest) (*docsv1.WithdrawSuggestionResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	version, err := d.dismiss(ctx, docsv1.SuggestionState_SUGGESTION_STATE_WITHDRAWN, q.GetSuggestion())
	return &docsv1.WithdrawSuggestionResponse{Version: version}, err
}

// ListSuggestions answers one at a time.
func (f *fakeDocs) ListSuggestions(_ context.Context, q *docsv1.ListSuggestionsRequest) (*docsv1.ListSuggestionsResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	res := &docsv1.ListSuggestionsResponse{Version: d.GetVersion(), Epoch: 1}
	for i, s := range slices.Backward(d.suggestions.all) {
		if !q.GetAll() && s.GetState() != docsv1.SuggestionState_SUGGESTION_STATE_OPEN || q.GetPage() != "" && i >= int(q.GetPage()[0]) {
			continue
		}
		if len(res.GetSuggestions()) == 1 {
			res.Next = string(rune(i + 1))
			break
		}
		res.Suggestions = append(res.Suggestions, s)
	}
	return res, nil
}
