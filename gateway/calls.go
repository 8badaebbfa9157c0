package gateway

import (
	"context"
	"time"

	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/lane"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Limits of calls besides Limits.Calls.
const (
	maxLanes  = 16
	waitRatio = 2 // all calls to executing ones
)

// call is one call of the client under way.
type call struct {
	request
	hold   intake.Hold        // of its body
	cancel context.CancelFunc // nil until it runs
}

func (s *session) call(c *edgev1.Call, unread error) {
	x := &lane.Call[*call]{ID: c.GetId(), Lane: c.GetLane(), Seq: c.GetClientSeq(), X: &call{hold: s.g.intake.Hold(intake.User(s.caller.Workspace, s.caller.User)), request: request{
		method: s.g.catalog().Method(c.GetMethod()), body: c.GetBody(), caller: s.caller, clientID: s.clientID, seq: c.GetClientSeq(),
		timeout: time.Duration(c.GetTimeoutMs()) * time.Millisecond, address: s.address,
	}}}
	if s.board == nil {
		n := int(s.g.cfg.Limits.Calls)
		s.board = lane.NewBoard[*call](lane.Limits{Executing: n, Total: waitRatio * n, Lanes: maxLanes})
	}
	if err := s.admissible(x, unread); err != nil {
		s.board.Refused(x, answerable(err).GetCode())
		s.reply(x, nil, err)
		return
	}
	switch s.board.Admit(x) {
	case lane.Run:
		s.run(x)
	case lane.Wait:
	case lane.TooMany:
		s.full = true
		s.reply(x, nil, errTooMany)
	case lane.Behind:
		s.reply(x, nil, errLaneBroken)
	case lane.BadLane:
		s.reply(x, nil, errLanes)
	case lane.SameID:
		s.reply(x, nil, errSameID)
	}
}

func (s *session) admissible(x *lane.Call[*call], unread error) error {
	r := &x.X.request
	switch {
	case x.ID == 0:
		return errNoID
	case r.method == nil:
		return errNoMethod
	case unread != nil:
		return badBody(unread)
	case !r.method.Public && !time.Now().Before(s.caller.Expires):
		return errStale
	}
	if err := s.g.prepare(r); err != nil {
		return err
	}
	if s.board.Behind(x) {
		return errLaneBroken // before it costs a token that the call it waits for needs
	}
	if !x.X.hold.Take(len(r.body)) {
		s.g.metrics.intakeFull.Inc()
		return errHeld
	}
	if r.method.Public {
		return s.g.admitAddress(s.address, r.method.Terms)
	}
	return s.take(r.method.Rate, r.method.Cost)
}

// run calls the service on a goroutine of its own. The call outlives the session: what was asked for is done.
func (s *session) run(x *lane.Call[*call]) {
	ctx, cancel := context.WithCancel(s.g.base)
	x.X.cancel = cancel
	x.X.caller = s.caller // the token may have been refreshed while it waited
	s.g.calls.Go(func() {
		defer cancel()
		body, err := s.g.invoke(ctx, x.X.request)
		x.X.hold.Release()
		s.mail(len(body), func(s *session) { s.finish(x, body, err) })
	})
}

// finish answers a call that ran, and starts those that waited for it. What counts for its lane is what the client is answered.
func (s *session) finish(x *lane.Call[*call], body []byte, err error) {
	s.reply(x, body, err)
	next, behind := s.board.Done(x.ID, answerable(err).GetCode())
	s.full = false
	for _, b := range behind {
		s.reply(b, nil, errLaneBroken)
	}
	for _, n := range next {
		s.run(n)
	}
	if s.board.Idle() {
		s.board = s.board.Fresh()
	}
	s.ease()
}

// dropCalls forgets the calls of a session that ends, but those that run.
func (s *session) dropCalls() {
	if s.board == nil {
		return
	}
	for x := range s.board.Waiting() {
		x.X.hold.Release()
	}
	s.board = nil
}

func (s *session) reply(x *lane.Call[*call], body []byte, err error) {
	x.X.hold.Release()
	r := &edgev1.Reply{Id: x.ID, Result: &edgev1.Reply_Body{Body: body}}
	method := ""
	if m := x.X.method; m != nil {
		method = m.Name
	}
	var number edgev1.Code
	if err != nil {
		e := answerable(err)
		number = e.GetCode()
		r.Result = &edgev1.Reply_Error{Error: e}
	}
	s.g.metrics.replies.WithLabelValues(code(number)).Inc()
	s.sendReply(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: r}}, method)
}

// cancelCall gives up a call. One that waits is not done; the outcome of one that runs stays unknown.
func (s *session) cancelCall(id uint32) {
	if s.board == nil {
		return
	}
	x, running := s.board.Get(id)
	switch {
	case x == nil:
	case running:
		x.X.cancel()
	default:
		s.finish(x, nil, errCancelled)
	}
}
