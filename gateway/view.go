package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"plenum.internal/gateway/internal/view"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Limits of a VIEW.
const (
	viewPause      = 100 * time.Millisecond // between two updates to the client
	viewFrameBytes = 64<<10 - 512           // of entries in one frame
	viewEntries    = 1000                   // that wait for the client, and as many again that have not come whole
	viewBytes      = 256 << 10              // likewise
	viewStale      = 2 * time.Second        // without the source, before the client is told
	viewRetryMin   = 100 * time.Millisecond // before the source is asked again, and as long again at random
	viewRetryMax   = 5 * time.Second
)

// follower is one VIEW on one connection, whose updates are conflated while they wait.
//
// It is asked of its source, as its user, by a look; while there is none, there is a timer. Each is begun by the session's turn, with the token of
// then.
type follower struct {
	s      *session
	x      *subscription
	params []byte
	key    string // that routes to the owner

	mu       sync.Mutex // guards all below; of the session's locks only the mailbox's is taken within
	waiting  *view.Waiting
	look     look // that is under way
	ended    bool
	failures int         // looks that ended, in a row
	told     time.Time   // of the last frame
	flush    *time.Timer // runs while something waits that may not be told yet; nil else
	lost     *time.Timer // runs while the source can't be asked; nil else
	retry    *time.Timer
}

// look begins a subscription to a VIEW.
func (s *session) look(x *subscription, o *opened) {
	if n := s.g.views.Add(1); n > int64(s.g.cfg.MaxViews) {
		s.g.views.Add(-1)
		s.release(x)
		s.answer(x, &edgev1.Subscription{Topic: x.topic, Error: rpc.FromError(errViews)})
		return
	}
	s.g.metrics.views.Inc()
	x.signals = false // a view is one subscriber's: there is nobody to signal to
	x.view = &follower{
		s: s, x: x, params: o.want.GetParams(), key: topicKey(s.caller, x.topic),
		waiting: view.New(o.want.GetCursor(), view.Limits{Entries: viewEntries, Bytes: viewBytes}),
	}
	s.answer(x, &edgev1.Subscription{Topic: x.topic})
	x.view.begin(s.caller.Token)
}

// begin asks the source, from what is known on. The session's turn calls it.
func (v *follower) begin(token string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		return
	}
	v.waiting.Restart()
	if v.lost == nil {
		v.lost = time.AfterFunc(viewStale, v.stale)
	}
	req := &topicv1.TailRequest{Workspace: v.x.log.Workspace, Topic: v.x.log.Topic, Params: v.params, After: v.waiting.At()}
	var err error
	if v.look, err = v.s.g.looks.begin(v, token, req); err != nil {
		v.fail(err)
	}
}

// take conflates an update with what waits, and tells the client if that may be.
func (v *follower) take(update *edgev1.View) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		return context.Canceled
	}
	if err := v.waiting.Apply(update); err != nil {
		return fmt.Errorf("view %s: %w", v.x.log.Topic, err)
	}
	v.failures = 0
	if v.lost != nil {
		v.lost.Stop()
		v.lost = nil
	}
	v.waiting.Stale(false)
	v.tell()
	if t := v.s.stream(); t != nil && !update.GetMore() && v.waiting != nil && v.waiting.Empty() { // the client has it all: there is nothing to tell
		v.s.mail(0, func(*session) { delete(t.beginning, v.x) })
	}
	return nil
}

// stale tells the client, once, that the source can't be asked.
func (v *follower) stale() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lost != nil && !v.ended { // else it was heard meanwhile
		v.waiting.Stale(true)
		v.tell()
	}
}

// tell gives the client what waits, as far as it reads and viewPause allows. It needs the lock.
func (v *follower) tell() {
	for v.flush == nil && !v.ended && !v.waiting.Empty() {
		if wait := time.Until(v.told.Add(viewPause)); wait > 0 && !v.waiting.Within() {
			v.later(wait)
			return
		}
		if v.s.box.backlog() > v.s.queueLimit()/2 {
			v.later(viewPause)
			return
		}
		f := v.waiting.Next(viewFrameBytes)
		f.Topic, v.told = v.x.topic, time.Now()
		v.s.g.metrics.viewFrames.Inc()
		if !v.give(f) {
			v.close() // the session has ended, or stops it behind what is queued
		}
	}
}

// give passes a frame on.
func (v *follower) give(f *edgev1.View) bool {
	data := wire.Append(nil, v.s.enc, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_View{View: f}}, "", v.s.g.catalog())
	t := v.s.stream()
	if t == nil {
		return v.s.deliver(v.x, data)
	}
	return v.s.offer(v.x, len(data), func(s *session) {
		s.pass(data)
		t.news = true
		if t.beginning[v.x] = struct{}{}; !f.GetMore() {
			delete(t.beginning, v.x)
		}
		if at := f.GetAt(); at != nil {
			t.reach(v.x.topic, at.GetEpoch(), at.GetOffset())
		}
	})
}

// later tells what waits after a while. It needs the lock.
func (v *follower) later(wait time.Duration) {
	v.flush = time.AfterFunc(wait, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.flush = nil
		v.tell()
	})
}

// broke is told how a look ended.
func (v *follower) broke(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.ended {
		v.fail(err)
	}
}

// fail has the source asked again, unless the error was an answer. It needs the lock.
func (v *follower) fail(err error) {
	if e := final(err); e != nil {
		v.close()
		v.s.mail(0, func(s *session) { s.stop(v.x, e) })
		return
	}
	if v.failures++; v.failures == 1 {
		v.s.g.log.Debug("a view's source can't be asked", "topic", v.x.log.Topic, "error", err)
	}
	if errors.Is(err, view.ErrBroken) {
		v.s.g.log.Error("a view's source breaks the contract", "topic", v.x.log.Topic, "error", err)
		v.waiting.Forget()
	}
	if v.lost == nil {
		v.lost = time.AfterFunc(viewStale, v.stale)
	}
	wait := min(viewRetryMin<<min(v.failures-1, 8), viewRetryMax)
	v.retry = time.AfterFunc(wait+rand.N(wait), func() {
		v.s.mail(0, func(s *session) { v.begin(s.caller.Token) })
	})
}

// final is what the end of a look means to the client, whom it stops; nil: nothing, the source is to be asked again.
func final(err error) *rpc.Error {
	if errors.Is(err, view.ErrTooLarge) {
		return errViewTooLarge
	}
	if errors.Is(err, view.ErrBroken) {
		return nil
	}
	e := rpc.FromError(err)
	switch c := e.GetCode(); {
	case c == edgev1.Code_CODE_NOT_FOUND, c == edgev1.Code_CODE_PERMISSION_DENIED:
		return errRevoked
	case c == edgev1.Code_CODE_INTERNAL, c == edgev1.Code_CODE_LAGGED: // a fault of the moment; or the source gave up sending
		return nil
	case c < edgev1.Code_CODE_UNAVAILABLE, c >= edgev1.Code_CODE_LAGGED && c < edgev1.Code_CODE_CONNECTION_FAULT:
		return numbered(e)
	}
	return nil // it is away; or the token has expired, and the session with it if no other one comes
}

// end gives the view up.
func (v *follower) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.close()
}

// close needs the lock.
func (v *follower) close() {
	if v.ended {
		return
	}
	v.ended = true
	v.look.end()
	for _, t := range []*time.Timer{v.flush, v.lost, v.retry} {
		if t != nil {
			t.Stop()
		}
	}
	v.waiting = nil
	v.s.g.views.Add(-1)
	v.s.g.metrics.views.Dec()
}

// topicKey routes what concerns a topic whose owner has it in memory: by its id, or by the user whose own it is.
func topicKey(caller auth.Caller, name string) string {
	if id := topic.ID(name); id != "me" {
		return topic.RouteKey(caller.Workspace, id)
	}
	return topic.RouteKey(caller.Workspace, caller.User)
}
