package docs

import (
	"context"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// pending says why a suggestion can't become what is wanted, for it is not open; nil, nil: it has become that already.
func (x *session) pending(id uint64, wanted docsv1.SuggestionState) (*suggestion, error) {
	switch o := x.proposed.all[id]; {
	case o == nil:
		return nil, errSuggestion
	case o.state == wanted:
		return nil, nil //nolint:nilnil // nothing changes
	case o.state != suggestionOpen:
		return nil, errClosed(o.state)
	default:
		return o, nil
	}
}

// closing is the closing's part in the transaction of its event. All are of one author.
func (x *session) closing(ids []uint64, state docsv1.SuggestionState) func(b *batch, st *topic.Step) error {
	rows, version, floor := make([][]any, len(ids)), x.version+1, x.cover.floor
	oldest := version // of what they were made or revised at
	for i, id := range ids {
		rows[i] = []any{int64(id)}
		oldest = min(oldest, x.proposed.all[id].revision)
	}
	n := news{version: version, kind: noticeRejected, suggestions: ids, users: []string{x.proposed.all[ids[0]].author}}
	if state == suggestionAccepted { // what was withdrawn is told to nobody: its author did it
		n.kind = noticeAccepted
	}
	return func(b *batch, st *topic.Step) error {
		if err := b.eraseClosed(x.docKey, oldest, floor, st.Now); err != nil {
			return err
		}
		err := b.exec(b.sql.close, append(b.sql.ids.Args(rows), x.workspace, x.id, int32(state), int64(version), st.Key.User, st.Now.UnixMilli())...)
		if err != nil {
			return err
		}
		return b.tell(x.docKey, n, st)
	}
}

// closed has suggestions be closed from here on.
func (t *suggestions) closed(ids []uint64, state docsv1.SuggestionState) {
	for _, id := range ids {
		t.change(id, func(o *suggestion) { o.state, o.delta = state, ot.Delta{} })
	}
}

// accept makes the edit of suggestions of one author, behind which there is a content.
func (x *session) accept(ids []uint64, delta ot.Delta, content *ot.Document, answer func(row *topic.Row) proto.Message) *change {
	author := x.proposed.all[ids[0]].author
	return &change{
		event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: delta.JSON(), Suggestions: ids, Credited: author}}},
		delta: delta, content: content,
		amend: amend{
			edit: true, credited: author, answer: answer, write: x.closing(ids, suggestionAccepted),
			committed: func() { x.proposed.fall(ids) },
		},
		follow: func() { x.proposed.closed(ids, suggestionAccepted) },
	}
}

// dismiss closes suggestions without an edit.
func (x *session) dismiss(ids []uint64, state docsv1.SuggestionState, answer func(row *topic.Row) proto.Message) *change {
	return &change{
		event:  &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionsClosed{SuggestionsClosed: &docsv1.SuggestionsClosed{Suggestions: ids, State: state}}},
		amend:  amend{answer: answer, write: x.closing(ids, state), committed: func() { x.proposed.fall(ids) }},
		follow: func() { x.proposed.closed(ids, state) },
	}
}

// AcceptSuggestion makes a suggestion's edit.
func (s *Server) AcceptSuggestion(ctx context.Context, q *docsv1.AcceptSuggestionRequest) (*docsv1.AcceptSuggestionResponse, error) {
	res := &docsv1.AcceptSuggestionResponse{}
	var epoch uint64
	return res, s.change(ctx, q, res, docsv1.DocsService_AcceptSuggestion_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allowNext(c, editor); err != nil {
			return nil, err
		}
		o, err := x.pending(q.GetSuggestion(), suggestionAccepted)
		switch {
		case err != nil || o == nil:
			return nil, err
		case q.GetSeen() != 0 && o.revision > q.GetSeen():
			return nil, errRevised
		}
		now := x.ahead(q.GetSuggestion(), x.passing())
		if now.gone {
			return nil, errSuggestionGone
		}
		content, delta := x.content.Clone(), now.delta()
		if err := content.Apply(delta); err != nil {
			return nil, refusal(err)
		}
		epoch = x.epoch
		return x.accept([]uint64{q.GetSuggestion()}, delta, content, func(row *topic.Row) proto.Message {
			return &docsv1.AcceptSuggestionResponse{Version: row.Offset, Epoch: row.Epoch}
		}), nil
	}, func(version uint64) { res.Version, res.Epoch = version, epoch })
}

// RejectSuggestion closes a suggestion.
func (s *Server) RejectSuggestion(ctx context.Context, q *docsv1.RejectSuggestionRequest) (*docsv1.RejectSuggestionResponse, error) {
	res := &docsv1.RejectSuggestionResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_RejectSuggestion_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allowNext(c, editor); err != nil {
			return nil, err
		}
		o, err := x.pending(q.GetSuggestion(), suggestionRejected)
		if err != nil || o == nil {
			return nil, err
		}
		return x.dismiss([]uint64{q.GetSuggestion()}, suggestionRejected, func(row *topic.Row) proto.Message {
			return &docsv1.RejectSuggestionResponse{Version: row.Offset}
		}), nil
	}, func(version uint64) { res.Version = version })
}

// WithdrawSuggestion closes one's own suggestion.
func (s *Server) WithdrawSuggestion(ctx context.Context, q *docsv1.WithdrawSuggestionRequest) (*docsv1.WithdrawSuggestionResponse, error) {
	res := &docsv1.WithdrawSuggestionResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_WithdrawSuggestion_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allowNext(c, commenter); err != nil {
			return nil, err
		}
		if o := x.proposed.all[q.GetSuggestion()]; o != nil && o.author != c.User {
			return nil, errNotSuggester
		}
		o, err := x.pending(q.GetSuggestion(), suggestionWithdrawn)
		if err != nil || o == nil {
			return nil, err
		}
		return x.dismiss([]uint64{q.GetSuggestion()}, suggestionWithdrawn, func(row *topic.Row) proto.Message {
			return &docsv1.WithdrawSuggestionResponse{Version: row.Offset}
		}), nil
	}, func(version uint64) { res.Version = version })
}

// AcceptSuggestions accepts all open suggestions of an author, by one edit.
func (s *Server) AcceptSuggestions(ctx context.Context, q *docsv1.AcceptSuggestionsRequest) (*docsv1.AcceptSuggestionsResponse, error) {
	if !validID(q.GetAuthor()) {
		return nil, badField("author", "Name a person.")
	}
	res := &docsv1.AcceptSuggestionsResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_AcceptSuggestions_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allowNext(c, editor); err != nil {
			return nil, err
		}
		a, err := x.acceptable(q)
		if err != nil {
			return nil, err
		}
		res.Accepted, res.Gone, res.Left = a.accepted, a.gone, a.left
		if len(a.accepted) == 0 {
			return nil, nil //nolint:nilnil // nothing changes
		}
		res.Epoch = x.epoch
		return x.accept(a.accepted, a.delta, a.content, func(row *topic.Row) proto.Message {
			return &docsv1.AcceptSuggestionsResponse{Version: row.Offset, Epoch: row.Epoch, Accepted: a.accepted, Gone: a.gone, Left: a.left}
		}), nil
	}, func(version uint64) { res.Version = version })
}

// acceptable is what can be accepted of an author's suggestions at once.
type acceptable struct {
	accepted, gone, left []uint64
	delta                ot.Delta
	content              *ot.Document // behind it
}

func (x *session) acceptable(q *docsv1.AcceptSuggestionsRequest) (a acceptable, err error) {
	var deltas []ot.Delta
	var reaches []reach
	var others []uint64
	underWay := x.passing()
	content, bytes := x.content.Clone(), 0
	for _, id := range x.proposed.by(q.GetAuthor()) {
		now := x.ahead(id, underWay)
		for _, r := range reaches {
			now.follow(r)
		}
		delta := now.delta()
		size := len(delta.AppendJSON(nil))
		unseen := q.GetSeen() != 0 && x.proposed.all[id].revision > q.GetSeen()
		if unseen || now.gone || bytes+size > MaxDelta || content.Apply(delta) != nil {
			others = append(others, id)
			continue
		}
		a.accepted, deltas, reaches, bytes = append(a.accepted, id), append(deltas, delta), append(reaches, reachOf(delta)), bytes+size
	}
	if a.delta, err = ot.ComposeAll(deltas, nil); err != nil {
		return a, refusal(err)
	}
	if n := len(a.delta.AppendJSON(nil)); n > maxEvent-(64<<10) { // one has cut up what another one formats at length
		return a, tooLarge("author", "These suggestions together have %d bytes as one edit. Accept them one by one.", n)
	}
	a.content = x.content.Clone()
	if err := a.content.Apply(a.delta); err != nil {
		return a, refusal(err)
	}
	all := reachOf(a.delta)
	for _, id := range others {
		now := x.ahead(id, underWay)
		if now.follow(all); now.gone {
			a.gone = append(a.gone, id)
		} else {
			a.left = append(a.left, id)
		}
	}
	return a, nil
}

// RejectSuggestions rejects all open suggestions of an author.
func (s *Server) RejectSuggestions(ctx context.Context, q *docsv1.RejectSuggestionsRequest) (*docsv1.RejectSuggestionsResponse, error) {
	if !validID(q.GetAuthor()) {
		return nil, badField("author", "Name a person.")
	}
	res := &docsv1.RejectSuggestionsResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_RejectSuggestions_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allowNext(c, editor); err != nil {
			return nil, err
		}
		ids := x.proposed.by(q.GetAuthor())
		if res.Rejected = ids; len(ids) == 0 {
			return nil, nil //nolint:nilnil // nothing changes
		}
		return x.dismiss(ids, suggestionRejected, func(row *topic.Row) proto.Message {
			return &docsv1.RejectSuggestionsResponse{Version: row.Offset, Rejected: ids}
		}), nil
	}, func(version uint64) { res.Version = version })
}
