package docs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	claimTime   = 10 * time.Second // of a claim and the reading of what it claims
	releaseTime = 5 * time.Second
)

// atOwner does something in a document's session: here, or by sending the call on to the process that owns the document. While nobody knows
// who that is (its process has died, and may live for all that is known) the call is held, for a caller who comes back is later.
//
// A caller that is behind with what it knows of the processes costs one hop. Who was sent a call that it can't do either answers so: the
// processes disagree then, for a moment.
//
// A document that isn't open is not opened for who may not read it: that would take as long as the document is large.
func (s *Server) atOwner(ctx context.Context, k docKey, method string, req, res proto.Message, do func(x *session) error) error {
	if !validID(k.id) {
		return errDocument
	}
	if s.opens(k) {
		if _, _, err := s.coverFor(ctx, k.id); errors.Is(err, errDocument) {
			return s.refuse(ctx, k, req, res)
		}
	}
	return s.find(ctx, k, method, req, res, do)
}

// opens reports whether a document would have to be opened here.
func (s *Server) opens(k docKey) bool {
	if place := s.peers.Place(k.route()); place != s.peers.Self() && place != "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[k] == nil
}

// refuse answers a call for a document that the caller may not know: as the first time, if it was done then.
func (s *Server) refuse(ctx context.Context, k docKey, req, res proto.Message) error {
	_, key, err := caller(ctx)
	if errors.Is(err, errKey) { // a read
		return errDocument
	}
	return s.firstAnswer(ctx, topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: req}, res, errDocument)
}

// find does something in a document's session, whoever calls.
func (s *Server) find(ctx context.Context, k docKey, method string, req, res proto.Message, do func(x *session) error) error {
	held := newHeld(ctx)
	for {
		x, err := s.session(ctx, k)
		other, elsewhere := errors.AsType[*ownedBy](err)
		switch {
		case elsewhere && rpc.Forwarded(ctx):
			s.giveUp(ctx, k) // whoever sent it on may have found this process in the document's row
			return errAway
		case elsewhere:
			s.giveUp(ctx, k) // the other would find this process there
			err = s.sendOn(ctx, other.incarnation, method, req, res)
		case err == nil:
			if err = do(x); isRefusal(err) {
				err = cmp.Or(x.owns(ctx), err)
			}
		}
		switch {
		case errors.Is(err, errEnded): // it was closing, or has lost the document. Nothing was done: open it again
			select {
			case <-x.gone:
			case <-x.adrift:
			case <-ctx.Done():
				return errAway.Because(ctx.Err())
			}
		case errors.Is(err, errAdrift):
		case !isAway(err) || rpc.Forwarded(ctx) || !s.hold(held):
			return err
		}
	}
}

// isRefusal reports whether an error is an answer for good, which only the owner may give.
func isRefusal(err error) bool {
	code := rpc.CodeOf(err)
	return code >= edgev1.Code_CODE_INVALID_ARGUMENT && code < edgev1.Code_CODE_INTERNAL
}

// ownedBy says which other process has a document.
type ownedBy struct{ incarnation string }

func (e *ownedBy) Error() string { return "docs: owned by " + e.incarnation }

// isAway reports whether an error means that nobody has the document who could be reached.
func isAway(err error) bool {
	e := rpc.FromError(err)
	return errors.Is(err, errAdrift) || e.GetReason() == errAway.Reason || status.Code(err) == codes.Unavailable && e.GetReason() != errBusy.Reason
}

// errOwnerDied: the process that a call was sent on to is gone.
var errOwnerDied = errors.New("docs: the owner has died")

func (s *Server) sendOn(ctx context.Context, incarnation, method string, req, res proto.Message) error {
	cc, err := s.peers.Conn(incarnation)
	if err != nil {
		return errAway.Because(err)
	}
	s.metrics.forwarded.Inc()
	sent, cancel := context.WithCancelCause(rpc.Forward(ctx))
	var watching sync.WaitGroup // none of the service's tasks: it may wait for those already
	defer watching.Wait()
	defer cancel(nil)
	watching.Go(func() { // one that hangs would keep the call
		for changed := s.peers.Changed(); s.peers.Lives(incarnation); changed = s.peers.Changed() {
			select {
			case <-changed:
			case <-sent.Done():
				return
			}
		}
		cancel(errOwnerDied)
	})
	if err = cc.Invoke(sent, method, req, res); err != nil && errors.Is(context.Cause(sent), errOwnerDied) {
		return errAway.Because(errOwnerDied) // what it may have done has a key
	}
	return err //nolint:wrapcheck // the other's own answer
}

// held is a call that waits for an owner.
type held struct {
	ctx   context.Context //nolint:containedctx // lives as long as the call
	until time.Time
}

const (
	maxHeld    = 4096 // calls at the same time
	holdTime   = 8 * time.Second
	holdMargin = 500 * time.Millisecond // before the call's own end: the caller is told why
	holdPause  = 100 * time.Millisecond
)

func newHeld(ctx context.Context) held {
	h := held{ctx, time.Now().Add(holdTime)}
	if end, ok := ctx.Deadline(); ok && end.Add(-holdMargin).Before(h.until) {
		h.until = end.Add(-holdMargin)
	}
	return h
}

// hold has a call wait; too many of them are answered at once.
func (s *Server) hold(h held) bool {
	defer s.holding.Add(-1)
	return s.holding.Add(1) <= maxHeld && h.wait(s.peers.Changed())
}

// wait waits a little, or until a process comes or goes. It returns false when the time is over.
func (h held) wait(changed <-chan struct{}) bool {
	if time.Now().After(h.until) {
		return false
	}
	select {
	case <-changed:
	case <-time.After(holdPause/2 + rand.N(holdPause)):
	case <-h.ctx.Done():
		return false
	}
	return true
}

// session returns the open session of a document, and opens it where there is none.
func (s *Server) session(ctx context.Context, k docKey) (*session, error) {
	x, done, err := s.begun(ctx, k)
	if err != nil {
		return nil, err
	}
	defer done()
	select {
	case <-x.opened:
		return x, x.failed
	case <-x.adrift:
		return x, errAdrift
	case <-ctx.Done():
		return nil, errAway.Because(ctx.Err())
	}
}

// begun returns a document's session, which is begun where there is none. If as many are open as may be, one is closed for it, when it is the caller's
// turn, which lasts until it is open, too: done ends it.
func (s *Server) begun(ctx context.Context, k docKey) (x *session, done func(), err error) {
	s.mu.Lock()
	x, err = s.enlist(k)
	s.mu.Unlock()
	if x != nil || err != nil {
		return x, func() {}, err
	}
	if done, err = s.rooms.turn(ctx); err != nil {
		return nil, nil, errFull.Because(err)
	}
	if x, err = s.inRoomOf(ctx, k); err != nil {
		done()
		return nil, nil, err
	}
	return x, done, nil
}

// enlist is begun for those who hold mu. nil: there is no room.
func (s *Server) enlist(k docKey) (*session, error) {
	x := s.open[k]
	switch {
	case x != nil:
		if x.place != nil && !x.slow {
			s.used.MoveToBack(x.place)
		}
	case s.stopping:
		return nil, errAway
	case len(s.open)+s.adrift+s.promised < s.cfg.Open:
		x = newSession(s, k)
		s.open[k], x.place = x, s.used.PushBack(x)
		s.metrics.open.Set(float64(len(s.open)))
		s.tasks.Go(x.run)
	}
	return x, nil
}

// inRoomOf begins a document's session in the room of another one, which is closed for it.
//
// Invariant: one is closed for each that is to be opened, and no more, however long that takes: its room is promised.
func (s *Server) inRoomOf(ctx context.Context, k docKey) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	for range closeTries {
		s.mu.Lock()
		x, err := s.enlist(k) // there may be room by now
		var old *session
		if x == nil && err == nil {
			old = s.idlest()
		}
		s.mu.Unlock()
		if x != nil || err != nil {
			return x, err
		}
		if old == nil {
			break
		}
		busy := old.makeRoom(ctx)
		s.mu.Lock()
		if gone := s.takeRoom(old, busy); gone {
			x, err = s.enlist(k)
		}
		s.mu.Unlock()
		if x != nil || err != nil {
			return x, err
		}
		if !busy || ctx.Err() != nil { // it takes long
			break
		}
	}
	return nil, errFull
}

const (
	closeTries = 8               // of sessions that are to be closed for another one
	closeTime  = 2 * time.Second // for all of them
)

// newRoomTurns are of those who have a document closed for another one: a quarter of those that are open at most, and one person a quarter of these.
func newRoomTurns(open int) *turns {
	places := max(2, open/shares)
	return newTurns(places, max(1, places/shares), roomWaiting)
}

// roomWaiting is how many calls of one person may wait for room.
const roomWaiting = 16

// idlest takes the session that nobody has used for longest off the list of those that may be closed, for the caller, who holds mu and waits for its room.
func (s *Server) idlest() *session {
	for e := s.used.Front(); e != nil; e = e.Next() {
		x := e.Value.(*session) //nolint:forcetypeassert // no others are on it
		select {
		case <-x.opened:
			x.place, x.heir = nil, true
			s.used.Remove(e)
			return x
		default:
		}
	}
	return nil
}

// makeRoom closes the session, and waits until that is done, or ctx ends. busy: it stays open, for something is under way.
func (x *session) makeRoom(ctx context.Context) (busy bool) {
	err := x.once(ctx, func() error {
		if len(x.underWay) > 0 || x.writing {
			return errBusy
		}
		x.idle, x.leaving = true, true
		return nil
	})
	if err != nil && !errors.Is(err, errEnded) {
		return true
	}
	select {
	case <-x.gone:
	case <-ctx.Done():
	}
	return false
}

// takeRoom takes the room that was promised, for those who hold mu. It returns false if the session has not gone: it is on the list again then, where
// whoever wants room next tries another one first if it is busy, and if it takes long waits for this one.
func (s *Server) takeRoom(x *session, busy bool) (gone bool) {
	switch {
	case !x.heir:
		s.promised--
		return true
	case s.open[x.docKey] != x: // adrift
	case busy:
		x.place = s.used.PushBack(x)
	default:
		x.place, x.slow = s.used.PushFront(x), true
	}
	x.heir = false
	return false
}

// forget takes a session that has ended off the list.
func (s *Server) forget(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[x.docKey] == x {
		s.unlist(x)
	} else {
		s.adrift--
	}
	if x.heir {
		x.heir, s.promised = false, s.promised+1
	}
}

// unlist is for those who hold mu.
func (s *Server) unlist(x *session) {
	delete(s.open, x.docKey)
	if x.place != nil {
		s.used.Remove(x.place)
		x.place = nil
	}
	s.metrics.open.Set(float64(len(s.open)))
}

// letGo takes a session off the list before it has ended: another one may be opened. It returns false if there is nothing to let go of.
func (s *Server) letGo(x *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[x.docKey] != x {
		return false
	}
	s.unlist(x)
	s.adrift++
	close(x.adrift)
	return true
}

// sessions are those that are open.
func (s *Server) sessions() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session, 0, len(s.open))
	for _, x := range s.open {
		all = append(all, x)
	}
	return all
}

// claim takes the document over for a session, or says who has it.
func (s *Server) claim(ctx context.Context, x *session) (document, error) {
	if place := s.peers.Place(x.route()); place != s.peers.Self() && place != "" {
		return document{}, &ownedBy{place}
	}
	if s.peers.Lease() == 0 { // a successor could not be told from us
		return document{}, errPlacement
	}
	s.names(x)
	o := &claim{docKey: x.docKey, node: s.peers.Self(), lives: s.peers.Lives}
	err := s.log.Mutate(ctx, topic.Mutation{Workspace: x.workspace, Route: x.id, Op: o}, nil)
	switch {
	case err == nil:
		s.metrics.claims.Inc()
		return o.found, nil
	case rpc.CodeOf(err) == errAway.Code && o.other != "":
		s.unnames(x.sessionID)
		return document{}, &ownedBy{o.other}
	case isRefusal(err): // there is none
		s.unnames(x.sessionID)
	}
	return document{}, fmt.Errorf("docs: claim: %w", err)
}

// release gives a session's document up, so that another process need not wait until this one is seen to have gone.
func (s *Server) release(ctx context.Context, x *session) {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	if err := s.log.Mutate(ctx, topic.Mutation{Workspace: x.workspace, Route: x.id, Op: &release{docKey: x.docKey, term: x.term}}, nil); err != nil {
		s.logger.WarnContext(ctx, "could not give a document up; tried again", "workspace", x.workspace, "document", x.id, "error", err)
		return
	}
	s.unnames(x.sessionID)
}

// place hands documents over to the processes that they belong to, whenever those change, until one of the contexts ends. What a process
// that has withdrawn has open goes adrift.
func (s *Server) place(ctx, failed context.Context) error {
	for {
		changed := s.peers.Changed()
		withdrawn := s.peers.Withdrawn()
		for _, x := range s.sessions() {
			if withdrawn {
				x.drift()
			} else if place := s.peers.Place(x.route()); place != s.peers.Self() && place != "" {
				x.leave()
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		case <-failed.Done(): // the log
			return nil
		}
	}
}
