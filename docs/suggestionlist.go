package docs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// What is told of suggestions is as of a version, which the session knows: it says which there are, and what the open ones are. What people wrote is read
// from SQL after that, where it can be newer: whoever follows the document is told the same again.

// told is what a session tells of its suggestions.
type told struct {
	version, epoch uint64
	floor          uint64   // of the document
	ids            []uint64 // newest first
	open           map[uint64]suggested
}

// tellSuggestions says which suggestions there are before an id, at most so many, of all or of the open ones, if the caller may read them.
func (x *session) tellSuggestions(ctx context.Context, c auth.Caller, before uint64, most int, all bool) (t told, err error) {
	err = x.do(ctx, func() error {
		if err := x.allow(c, viewer); err != nil {
			return err
		}
		if err := x.owns(ctx); err != nil {
			return err
		}
		t = told{version: x.storedAt, epoch: x.epoch, floor: x.cover.floor, open: map[uint64]suggested{}}
		ids := x.proposed.ids
		if !all {
			ids = nil
			for _, s := range x.proposed.list {
				ids = append(ids, s.id)
			}
		}
		n, _ := slices.BinarySearch(ids, min(before, t.version+1))
		t.ids = slices.Clone(ids[max(0, n-most):n])
		slices.Reverse(t.ids)
		for _, id := range t.ids {
			if i, open := x.proposed.find(id); open {
				t.open[id] = x.proposed.list[i].clone()
			}
		}
		return nil
	})
	return t, err
}

// readSuggestions reads those that a session has told of.
func (s *Server) readSuggestions(ctx context.Context, k docKey, t told) (list []*docsv1.Suggestion, err error) {
	if len(t.ids) == 0 {
		return nil, nil
	}
	rows := make([][]any, len(t.ids))
	for i, id := range t.ids {
		rows[i] = []any{int64(id)}
	}
	err = each(ctx, s.db.Query, s.sql.suggestions, append(s.sql.ids.Args(rows), k.workspace, k.id), func(r *sql.Rows) error {
		o := &docsv1.Suggestion{}
		var state int32
		var quote []byte
		if err := r.Scan(&o.Id, &o.Author, &o.Description, &state, &o.Revision, &o.Delta, &quote, &o.CreatedMs, &o.RevisedMs, &o.Closed, &o.ClosedBy, &o.ClosedMs); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		o.State, o.Quote = docsv1.SuggestionState(state), string(quote)
		if now, open := t.open[o.GetId()]; open {
			o.State, o.Gone, o.Closed, o.ClosedBy, o.ClosedMs = suggestionOpen, now.gone, 0, "", 0 // as of the version
			if !now.gone {
				o.Delta = now.delta().JSON()
			}
		} else if o.GetState() != suggestionOpen && o.GetRevision() <= t.floor { // as it is soon there, too (erasing.closed)
			o.Delta, o.Quote = noDelta, ""
		}
		list = append(list, o)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("docs: read suggestions: %w", err)
	}
	return list, nil
}

// ListSuggestions lists suggestions, newest first.
func (s *Server) ListSuggestions(ctx context.Context, q *docsv1.ListSuggestionsRequest) (*docsv1.ListSuggestionsResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit := int(q.GetLimit())
	switch {
	case limit == 0:
		limit = suggestionPage
	case limit > MaxSuggestionPage:
		return nil, badField("limit", "A page has at most %d suggestions.", MaxSuggestionPage)
	}
	before := uint64(1<<63 - 1)
	if q.GetPage() != "" {
		if before, err = strconv.ParseUint(q.GetPage(), 10, 63); err != nil || before == 0 {
			return nil, errPage
		}
	}
	k := docKey{c.Workspace, q.GetDocument()}
	res := &docsv1.ListSuggestionsResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_ListSuggestions_FullMethodName, q, res, func(x *session) error {
		t, err := x.tellSuggestions(ctx, c, before, limit+1, q.GetAll())
		if err != nil {
			return err
		}
		more := len(t.ids) > limit
		t.ids = t.ids[:min(len(t.ids), limit)]
		list, err := s.readSuggestions(ctx, k, t)
		if err != nil {
			return err
		}
		n, bytes := 0, 0
		for ; n < len(list) && (n == 0 || bytes+len(list[n].GetDelta()) <= readBytes); n++ {
			bytes += len(list[n].GetDelta())
		}
		res.Suggestions, res.Version, res.Epoch = list[:n], t.version, t.epoch
		if more || n < len(list) {
			res.Next = strconv.FormatUint(list[n-1].GetId(), 10)
		}
		return nil
	})
}

// GetSuggestion reads a suggestion.
func (s *Server) GetSuggestion(ctx context.Context, q *docsv1.GetSuggestionRequest) (*docsv1.GetSuggestionResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	res := &docsv1.GetSuggestionResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_GetSuggestion_FullMethodName, q, res, func(x *session) error {
		t, err := x.tellSuggestions(ctx, c, q.GetSuggestion()+1, 1, true)
		if err != nil {
			return err
		}
		if len(t.ids) == 0 || t.ids[0] != q.GetSuggestion() {
			return errSuggestion
		}
		list, err := s.readSuggestions(ctx, k, t)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errSuggestion
		}
		res.Suggestion, res.Version, res.Epoch = list[0], t.version, t.epoch
		return nil
	})
}
