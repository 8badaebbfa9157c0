package docs

import (
	"context"
	"errors"
	"slices"
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
	delta, err := s.parse(q.GetDelta())
	if err != nil {
		return nil, err
	}
	res := &docsv1.SubmitResponse{}
	k := docKey{c.Workspace, q.GetDocument()}
	return res, s.atOwner(ctx, k, docsv1.DocsService_Submit_FullMethodName, q, res, func(x *session) error {
		e := &edit{caller: c, key: key, request: q, base: q.GetBase(), delta: delta}
		err := s.edit(ctx, x, e)
		if err == nil {
			err = x.outcome(ctx, e.amendment, func(version uint64) { res.Version, res.Epoch = version, x.epoch })
		}
		if mayBeRepeated(err) {
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
	base      uint64     // the version that delta is an edit of by now
	delta     ot.Delta   // transformed up to there
	steps     int        // that transforming has taken outside of the session
	waited    bool       // for the edit that it is behind
	chained   bool       // it was found to be behind that
	amendment *amendment // it has become one
}

// edit brings an operation into the session. What takes long is done here, beside it.
func (s *Server) edit(ctx context.Context, x *session, e *edit) error {
	for {
		err := x.do(ctx, func() error { return x.edit(e) })
		if before, ok := errors.AsType[*early](err); ok {
			if err = x.await(ctx, before); err != nil {
				return err
			}
			continue
		}
		behind, ok := errors.AsType[*farBehind](err)
		if !ok {
			return err
		}
		err = s.catchUp(ctx, x, behind, e.base, e.key, func(edits []recentEdit) error { return e.follow(ctx, edits, &e.steps) })
		if err != nil {
			return err
		}
	}
}

const (
	// sessionSteps is what an edit may take of its session's time: about half a millisecond of transforming. One step is an operation over an edit.
	sessionSteps = 10_000
	// sessionEdits it may follow there, however long it is: that takes about as long as to apply it, and it does come to an end where others go on.
	sessionEdits = 4
	// editSteps is what it may take in all, about a second. Who is further behind than that brings the difference.
	editSteps = 20_000_000
	editBytes = 16 << 20 // of edits that are read for one
)

// takesLong reports that something of so many operations is to follow edits beside the session.
func takesLong(ops int, edits []recentEdit) bool {
	return len(edits) > sessionEdits && len(edits)*(ops+1) > sessionSteps
}

// farBehind: so much came since the edit's base that it is not followed in the session, or it is not in memory there.
type farBehind struct {
	edits []recentEdit // nil: to be read, up to first
	first uint64
}

func (*farBehind) Error() string { return "docs: the base is far behind" }

// catchUp has something of a base that is far behind follow what came since, beside the session, when it is the caller's turn.
func (s *Server) catchUp(ctx context.Context, x *session, behind *farBehind, base uint64, key topic.Key, follow func([]recentEdit) error) error {
	done, err := s.behind.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	edits, err := s.missed(ctx, x, behind, base, key)
	if err != nil {
		return err
	}
	return follow(edits)
}

// missed returns what came since a base that is far behind: a part of it, which the session need not go over any more. errRepeated: the key
// is among it.
func (s *Server) missed(ctx context.Context, x *session, behind *farBehind, base uint64, key topic.Key) ([]recentEdit, error) {
	if behind.edits != nil {
		return behind.edits, nil
	}
	edits, err := s.edits(ctx, x.docKey, x.epoch, base, behind.first-1)
	if err != nil {
		return nil, s.damaged(x.docKey, err)
	}
	if slices.ContainsFunc(edits, func(old recentEdit) bool { return old.mutation == mutationOf(key) }) {
		return nil, errRepeated
	}
	return edits, nil
}

// follow transforms the operation to follow edits.
func (e *edit) follow(ctx context.Context, edits []recentEdit, steps *int) error {
	for _, before := range edits {
		if before.edit.Count() > 0 {
			if *steps += e.delta.Count() + before.edit.Count(); *steps > editSteps {
				return errBaseTooOld
			}
			var err error
			if e.delta, err = before.edit.Transform(e.delta, ot.Earlier, nil); err != nil {
				return refusal(err)
			}
		}
		e.base = before.version
		if ctx.Err() != nil {
			return errAway.Because(ctx.Err())
		}
	}
	return nil
}

// errRepeated: the key was used; the log has the answer.
var errRepeated = errors.New("docs: the key was used")

// mayBeRepeated reports whether a call was refused that may have been done before: its author has lost the role since, say, or its base is
// too old by now. A repetition gets the first answer all the same.
func mayBeRepeated(err error) bool {
	e, ok := errors.AsType[*rpc.Error](err)
	return errors.Is(err, errRepeated) || ok && e.Code < edgev1.Code_CODE_INTERNAL
}

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

// early: the edit came before the one that it is behind, which is perhaps under way: calls may overtake each other.
type early struct {
	mutation mutation
	came     <-chan struct{}
}

func (*early) Error() string { return "docs: the edit before is not there" }

const awaitTime = time.Second

// expect has somebody told when an edit comes.
func (x *session) expect(m mutation) *early {
	c := x.awaited[m]
	if c == nil {
		c = make(chan struct{})
		x.awaited[m] = c
	}
	return &early{m, c}
}

// await waits for the edit that another one is behind, for a moment.
func (x *session) await(ctx context.Context, e *early) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTime)
	defer cancel()
	select {
	case <-e.came:
		return nil
	case <-x.ended:
		if x.idle { // it makes room for another one: who waits in many would have them opened again and again
			return errChain
		}
		return errEnded
	case <-ctx.Done():
		x.tell(func() { delete(x.awaited, e.mutation) }) // others who wait for it have their own time
		return errChain
	}
}

// edit transforms an operation to follow what came since its base, applies it, and begins to commit it.
func (x *session) edit(e *edit) error {
	if err := x.allowChange(e.caller, editor); err != nil {
		return err
	}
	if _, repeated := x.recent.known[mutationOf(e.key)]; repeated {
		return errRepeated
	}
	if seq := e.request.GetAfterSeq(); seq != 0 && !e.chained {
		own := mutationOf(topic.Key{User: e.caller.User, ClientID: e.key.ClientID, Seq: seq})
		switch version, known := x.recent.known[own]; {
		case !known && !e.waited && len(x.awaited) < x.s.cfg.UnderWay:
			e.waited = true
			return x.expect(own)
		case version != e.base:
			return errChain
		}
		e.chained = true
	}
	switch {
	case e.request.GetEpoch() != 0 && e.request.GetEpoch() != x.epoch:
		return errBaseTooOld
	case e.base > x.version:
		return errFuture
	case e.base < x.cover.floor:
		return errBaseTooOld
	case x.version-e.base > uint64(x.s.cfg.Transform):
		return errBaseTooOld
	}
	if err := x.room(e.caller.User); err != nil {
		return err
	}
	edits, ok := x.recent.since(e.base)
	if !ok {
		return &farBehind{first: x.recent.first()}
	}
	if takesLong(e.delta.Count(), edits) {
		return &farBehind{edits: edits}
	}
	if err := e.follow(context.Background(), edits, new(int)); err != nil {
		return err
	}
	delta := e.delta
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
	case <-x.adrift:
		return errAdrift
	case <-ctx.Done():
		return errOutcome.Because(ctx.Err())
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
		return rpc.Errorf(code, reason, "The edit was refused: %s.", e.Text).On("delta").Because(err)
	}
	return rpc.Errorf(code, reason, "The edit was refused: operation %d: %s.", e.Op, e.Text).On("delta").Because(err)
}

func tooLarge(field, format string, args ...any) error {
	return rpc.Errorf(edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE", format, args...).On(field)
}
