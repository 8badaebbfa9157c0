package docs

import (
	"context"
	"errors"

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
		if behind, ok := errors.AsType[*tooRecent](err); ok {
			if e.older, err = s.edits(ctx, k, q.GetBase(), behind.first); err != nil {
				return err
			}
			err = x.do(ctx, func() error { return x.edit(e) })
		}
		if err != nil {
			return s.first(ctx, k, key, q, res, err)
		}
		return x.outcome(ctx, e.amendment, func(version uint64) { res.Version, res.Epoch = version, x.epoch })
	})
}

// first answers a repetition with what was answered first: also one that would be refused now, since its author has lost the role, say, or
// since its base is too old by now. Where the key was not used, why stays what it was.
func (s *Server) first(ctx context.Context, k docKey, key topic.Key, q *docsv1.SubmitRequest, res *docsv1.SubmitResponse, why error) error {
	repeated := errors.Is(why, errRepeated)
	if e, ok := errors.AsType[*rpc.Error](why); !repeated && (!ok || e.Code >= edgev1.Code_CODE_UNAVAILABLE || e.Code == edgev1.Code_CODE_INTERNAL) {
		return why
	}
	err := s.log.Mutate(ctx, topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q, Op: repeat{k}}, res)
	switch {
	case rpc.FromError(err).GetReason() != errUnused.Reason:
		return err
	case repeated: // what had used it was not committed
		return errAway
	}
	return why
}

// edit is a submitted operation on its way through the session.
type edit struct {
	caller    auth.Caller
	key       topic.Key
	request   *docsv1.SubmitRequest
	delta     ot.Delta
	older     []recentEdit // what lies between its base and what the session has in memory
	amendment *amendment   // it has become one
}

// errRepeated: the key was used lately; the log has the answer.
var errRepeated = errors.New("docs: the key was used")

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
	switch {
	case base > x.version:
		return errFuture
	case x.version-base > uint64(x.s.cfg.Transform):
		return errBaseTooOld
	case len(x.underWay) >= x.s.cfg.UnderWay:
		return errBusy
	}
	if seq := e.request.GetAfterSeq(); seq != 0 {
		own := topic.Key{User: e.caller.User, ClientID: e.key.ClientID, Seq: seq}
		if x.recent.known[own.Mutation()] != base {
			return errChain
		}
	}
	edits, ok := x.recent.since(base)
	if !ok {
		first := x.recent.first()
		if len(e.older) == 0 || e.older[0].version > base+1 || e.older[len(e.older)-1].version+1 < first {
			return &tooRecent{first}
		}
		for _, old := range e.older {
			if old.mutation == e.key.Mutation() {
				return errRepeated
			}
		}
		edits, _ = x.recent.since(e.older[len(e.older)-1].version)
		edits = append(e.older[:len(e.older):len(e.older)], edits...)
	}
	delta := e.delta
	for _, before := range edits {
		if before.edit.Count() == 0 {
			continue
		}
		var err error
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
	case rpc.FromError(a.err).GetReason() == errAway.Reason:
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
