package docs

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Submit is the way of an edit: it is read here, transformed, applied and queued in the session (edit), committed by the log if the planner
// finds the session's term and version still true (amend.plan), and answered when it was.
func (s *Server) Submit(ctx context.Context, q *docsv1.SubmitRequest) (*docsv1.SubmitResponse, error) {
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if len(q.GetDelta()) > MaxDelta {
		return nil, tooLarge("delta", "An edit has at most %d bytes, this one has %d. Divide it.", MaxDelta, len(q.GetDelta()))
	}
	delta, err := ot.Parse([]byte(q.GetDelta()), s.limits)
	if err != nil {
		return nil, refusal(err)
	}
	res := &docsv1.SubmitResponse{}
	k := docKey{c.Workspace, q.GetDocument()}
	return res, s.atOwner(ctx, k, docsv1.DocsService_Submit_FullMethodName, q, res, func(x *session) error {
		e := &edit{caller: c, key: key, request: q, delta: delta}
		err := x.do(ctx, func() error { return x.edit(e) })
		if before, ok := errors.AsType[*early](err); ok {
			if err = x.await(ctx, before); err == nil {
				err = x.do(ctx, func() error { return x.edit(e) })
			}
		}
		if behind, ok := errors.AsType[*tooRecent](err); ok {
			if e.older, err = s.edits(ctx, k, q.GetBase(), behind.first); err != nil {
				return err
			}
			err = x.do(ctx, func() error { return x.edit(e) })
		}
		if err == nil {
			err = x.outcome(ctx, e.amendment, func(version uint64) { res.Version, res.Epoch = version, x.epoch })
		}
		if errors.Is(err, errRepeated) {
			return s.firstAnswer(ctx, topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}, res, err)
		}
		return err
	})
}

// edit is a submitted operation on its way through the session.
type edit struct {
	caller    auth.Caller
	key       topic.Key
	request   *docsv1.SubmitRequest
	delta     ot.Delta
	older     []recentEdit // what lies between its base and what the session has in memory
	waited    bool         // for the edit that it is behind
	amendment *amendment   // it has become one
}

// early: the edit came before the one that it is behind, which is perhaps under way: calls may overtake each other.
type early struct {
	mutation uint64
	came     <-chan struct{}
}

func (*early) Error() string { return "docs: the edit before is not there" }

const awaitTime = time.Second

// expect has somebody told when an edit comes.
func (x *session) expect(mutation uint64) *early {
	c := x.awaited[mutation]
	if c == nil {
		c = make(chan struct{})
		x.awaited[mutation] = c
	}
	return &early{mutation, c}
}

// await waits for the edit that another one is behind, for a moment.
func (x *session) await(ctx context.Context, e *early) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTime)
	defer cancel()
	select {
	case <-e.came:
		return nil
	case <-x.gone:
		return errEnded
	case <-ctx.Done():
		x.tell(func() { delete(x.awaited, e.mutation) }) // others who wait for it have their own time
		return errChain
	}
}

// errRepeated: the key was used; the log has the answer.
var errRepeated = errors.New("docs: the key was used")

// firstAnswer is what a key was answered the first time. If it was not used, nothing was done, and the answer is the other one.
func (s *Server) firstAnswer(ctx context.Context, m topic.Mutation, res proto.Message, other error) error {
	m.Op = repeat{docKey{m.Workspace, m.Route}}
	err := s.log.Mutate(ctx, m, res)
	switch {
	case !errors.Is(err, errUnused):
		return err //nolint:wrapcheck // the log's own
	case errors.Is(other, errRepeated): // it was under way, and has failed
		return errAway
	}
	return other
}

// tooRecent: what the session has in memory begins behind the edit's base.
type tooRecent struct{ first uint64 }

func (*tooRecent) Error() string { return "docs: the edits since the base are to be read" }

// edit transforms an operation to follow what came since its base, applies it, and begins to commit it.
func (x *session) edit(e *edit) error {
	if err := x.allowChange(e.caller, editor); err != nil {
		return err
	}
	if _, repeated := x.recent.known[e.key.Mutation()]; repeated {
		return errRepeated
	}
	base := e.request.GetBase()
	if seq := e.request.GetAfterSeq(); seq != 0 {
		own := topic.Key{User: e.caller.User, ClientID: e.key.ClientID, Seq: seq}.Mutation()
		switch version, known := x.recent.known[own]; {
		case !known && !e.waited && len(x.awaited) < x.s.cfg.UnderWay:
			e.waited = true
			return x.expect(own)
		case version != base:
			return errChain
		}
	}
	if len(x.underWay) >= x.s.cfg.UnderWay {
		return errBusy
	}
	edits, err := x.since(base, e.older)
	if err != nil {
		return err
	}
	delta := e.delta
	for _, before := range edits {
		if before.edit.Count() == 0 {
			continue
		}
		if delta, err = before.edit.Transform(delta, ot.Earlier, nil); err != nil {
			return refusal(err)
		}
	}
	body := &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: string(delta.AppendJSON(nil))}}}
	entry, err := x.entry(e.caller.User, body)
	if err != nil {
		return err
	}
	content := x.content.Clone()
	if err := content.Apply(delta); err != nil {
		return refusal(err)
	}
	e.amendment, err = x.amend(topic.Mutation{Key: e.key, Request: e.request}, &amend{
		entry: entry, edit: true,
		answer: func(row *topic.Row) proto.Message {
			return &docsv1.SubmitResponse{Version: row.Offset, Epoch: row.Epoch}
		},
	}, delta, content)
	return err
}

// since returns the events behind a base. Older are some that the session does not have in memory any more, read for its sake.
func (x *session) since(base uint64, older []recentEdit) ([]recentEdit, error) {
	switch {
	case base > x.version:
		return nil, errFuture
	case x.version-base > uint64(x.s.cfg.Transform):
		return nil, errBaseTooOld
	}
	edits, ok := x.recent.since(base)
	if ok {
		return edits, nil
	}
	first := x.recent.first()
	if len(older) == 0 || older[0].version > base+1 || older[len(older)-1].version+1 < first {
		return nil, &tooRecent{first}
	}
	edits, _ = x.recent.since(older[len(older)-1].version)
	return append(older[:len(older):len(older)], edits...), nil
}

// outcome waits until an amendment is committed, or is known not to be. What was not since the session had lost the document is begun anew.
func (x *session) outcome(ctx context.Context, a *amendment, ok func(version uint64)) error {
	select {
	case <-a.settled:
	case <-ctx.Done():
		return rpc.Errorf(edgev1.Code_CODE_OUTCOME_UNKNOWN, "docs.OUTCOME", "Nobody knows yet whether this was done. Repeat it with the same client_seq.").Because(ctx.Err())
	}
	switch {
	case a.err == nil:
		ok(a.version)
		return nil
	case !errors.Is(a.err, errRepeated) && rpc.FromError(a.err).GetReason() == errAway.Reason:
		return errEnded
	}
	return a.err
}

// refusal is what is wrong with an operation, for its author.
func refusal(err error) error {
	e, ok := errors.AsType[*ot.Error](err)
	if !ok {
		return err
	}
	code, reason := edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA"
	switch e.Kind {
	case ot.SplitPair, ot.BadText:
		reason = "docs.SPLIT_SURROGATE"
	case ot.PastEnd:
		reason = "docs.PAST_END"
	case ot.TooLarge, ot.TooDeep, ot.DocumentFull:
		code, reason = edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE"
	}
	if e.Op == ot.NoOp {
		return rpc.Errorf(code, reason, "The edit was refused: it %s.", e.Text).On("delta").Because(err)
	}
	return rpc.Errorf(code, reason, "The edit was refused: operation %d: %s.", e.Op, e.Text).On("delta").Because(err)
}

func tooLarge(field, format string, args ...any) error {
	return rpc.Errorf(edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE", format, args...).On(field)
}
