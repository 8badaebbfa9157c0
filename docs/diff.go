package docs

import (
	"context"
	"fmt"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// diffEffort is about half a second of comparing, where there is little in common.
const diffEffort = 100_000_000

// past is a document whose past somebody looks at: from SQL, at whichever process is asked.
type past struct {
	document
	epoch uint64
	who   person
}

func (s *Server) past(ctx context.Context, id string) (p past, err error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return p, err
	}
	if p.document, _, err = s.cover(ctx, c, id); err != nil {
		return p, err
	}
	p.who = person{c.Workspace, c.User}
	states, err := s.log.States(ctx, p.workspace, p.topic())
	if err != nil {
		return p, fmt.Errorf("docs: read the head: %w", err)
	}
	p.epoch = states[0].Epoch
	return p, nil
}

// at is the content of a version; before the first there is nothing.
func (p past) at(ctx context.Context, s *Server, version uint64) (ot.Delta, error) {
	if version == 0 {
		return ot.Delta{}, nil
	}
	content, _, err := s.contentAt(ctx, p.docKey, p.epoch, version, nil)
	if err != nil {
		return ot.Delta{}, s.damaged(p.docKey, err)
	}
	return content.Delta(), nil
}

// DiffVersions compares two versions' contents. What came and went between them is not told.
func (s *Server) DiffVersions(ctx context.Context, q *docsv1.DiffVersionsRequest) (*docsv1.DiffVersionsResponse, error) {
	if q.GetAfter() > 0 && q.GetTo() == 0 {
		return nil, badField("to", "Name the version that the first part was of.")
	}
	p, err := s.past(ctx, q.GetDocument())
	if err != nil {
		return nil, err
	}
	from, to := q.GetFrom(), q.GetTo()
	if to == 0 {
		to = p.head
	}
	switch {
	case from > p.head || to > p.head:
		return nil, errVersion
	case from > 0 && from < p.floor || to < p.floor:
		return nil, errErased(p.floor)
	}
	k := bookKey{p.docKey, from, to}
	diff, ok := s.diffs.get(k)
	if !ok {
		done, err := s.heavy.turn(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
		if diff, ok = s.diffs.get(k); !ok { // perhaps somebody else has put it there meanwhile
			if diff, err = s.diff(ctx, p, from, to); err != nil {
				return nil, err
			}
		}
	}
	res := &docsv1.DiffVersionsResponse{To: to}
	if res.Delta, res.More, err = piece(diff, int(q.GetAfter())); err != nil {
		return nil, err
	}
	if res.GetMore() && !ok { // its reader comes back
		s.diffs.put(k, p.who, diff)
	}
	return res, nil
}

func (s *Server) diff(ctx context.Context, p past, from, to uint64) (diff ot.Delta, err error) {
	old, err := p.at(ctx, s, from)
	if err != nil {
		return diff, err
	}
	now, err := p.at(ctx, s, to)
	if err != nil {
		return diff, err
	}
	return old.Diff(now, diffEffort) //nolint:wrapcheck // documents always can be compared
}

// piece is what follows a place in a delta, about readBytes of it. The place counts the lengths of its operations.
func piece(delta ot.Delta, after int) (text string, more bool, err error) {
	length := delta.Length()
	if after > length {
		return "", false, badField("after", "The operations have a length of %d in all.", length)
	}
	at, end, bytes := 0, after, 0
	for _, op := range delta.Ops() {
		begin := max(at, after)
		at += op.Len()
		if at <= after {
			continue
		}
		bytes += weight(op)
		if n := at - begin; op.Text() != "" && bytes > readBytes {
			// A text that doesn't fit is cut.
			end = begin + min(n, max(1, readBytes*op.Len()/bytes))
		} else {
			end = at
		}
		if bytes > readBytes {
			break
		}
	}
	part, err := delta.Slice(after, end)
	if e, ok := err.(*ot.Error); ok && e.Kind == ot.SplitPair { //nolint:errorlint // never wrapped
		end++
		part, err = delta.Slice(after, end)
	}
	if err != nil {
		return "", false, refusal(err)
	}
	return part.JSON(), end < length, nil
}

// weight is about how many bytes an operation has as JSON.
func weight(op ot.Op) int {
	text := op.Text()
	n := 24 + len(text) + len(op.Attributes().JSON())
	for i := range len(text) { // escapes
		switch c := text[i]; {
		case c < ' ':
			n += len(`\u0000`) - 1
		case c == '"' || c == '\\':
			n++
		}
	}
	if e := op.Embed(); e != nil {
		n += len(e.JSON())
	}
	return n
}
