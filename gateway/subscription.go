package gateway

import (
	"plenum.internal/gateway/internal/heads"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// subscription is one topic on one connection: it stands on the session's list and on its hub's.
type subscription struct {
	// Fixed from the start.
	s       *session
	topic   string // as the client names it; frames say the same
	service string
	log     heads.Name // the topic's own name
	id      uint32     // of the Subscribe that made it
	mode    edgev1.Mode
	user    string
	watches *bundle        // not nil: it brings a bundle's changes, and the client doesn't know of it
	granted *edgev1.Cursor // the head when access was granted. Changes of access up to it are in the grant
	floor   uint64         // what lies at or below can't be replayed

	// These belong to the session's turn.
	stopped bool            // nothing more is told of it
	signals bool            // the grant allows signals
	keys    map[string]bool // of what was signalled: whether its client leaves by one, and hasn't
	only    *filter         // nil: all events
	list    *bundle         // in mode HEADS
	view    *follower       // of a VIEW, which has no hub

	// These belong to the hub's shard.
	hub      *hub
	at       int            // its place among the hub's live ones, from 1
	cursor   *edgev1.Cursor // until it is live: what was given
	begun    bool           // the session was told that it started
	detached bool           // it is on no list of the hub's any more
	fresh    bool           // a read began while it waited
	tries    int            // reads begun because its cursor lies beyond the ring's head
	replayed int            // bytes
}

func (x *subscription) shard() *shard { return x.s.g.shard(x.log) }

// attach hands it to its hub, at the end of the turn.
func (x *subscription) attach() { x.s.joining = append(x.s.joining, x) }

// detach takes it off its hub's lists, or ends what it reads by itself.
func (x *subscription) detach() {
	if x.view != nil {
		x.view.end()
		return
	}
	x.shard().do(func() {
		x.detached = true
		if x.hub != nil {
			x.hub.drop(x)
		}
	})
}

// begin tells the session that the hub has taken it, and whether parts are to be asked for.
func (x *subscription) begin(epoch, start, head uint64, parts bool) {
	b := begun{x, epoch, start, head, !x.begun, parts}
	x.begun = true
	if sh := x.hub.shard; sh.joining == x.s {
		sh.begun = append(sh.begun, b)
		return
	}
	x.s.later(b.tell)
}

// begun is where a subscription begins.
type begun struct {
	x                  *subscription
	epoch, start, head uint64
	first              bool // the client waits to hear of it
	parts              bool // are to be asked for
}

func (b begun) tell(s *session) {
	x := b.x
	if t := s.stream(); t != nil && !x.stopped && x.watches == nil {
		delete(t.beginning, x)
		t.reach(x.topic, b.epoch, b.start)
	}
	switch {
	case x.stopped:
		return
	case x.watches != nil:
		x.watches.begun(&edgev1.Cursor{Epoch: b.epoch, Offset: b.start}, b.head)
	case b.first:
		a := &struct { // in one piece, for a session opens many at once
			edgev1.Subscription
			start, head edgev1.Cursor
		}{}
		a.Topic, a.Start, a.Head = x.topic, &a.start, &a.head
		a.start.Epoch, a.start.Offset, a.head.Epoch, a.head.Offset = b.epoch, b.start, b.epoch, b.head
		s.answer(x, &a.Subscription)
	}
	if b.parts {
		s.catching = append(s.catching, x)
	}
}

// refuse tells that it can't be begun, or not be continued.
func (x *subscription) refuse(e *rpc.Error) {
	x.detached = true
	if x.begun {
		x.stop(e)
		return
	}
	x.s.mail(0, func(s *session) { s.refused(x, e) })
}

// stop ends it behind what was given.
func (x *subscription) stop(e *rpc.Error) {
	x.detached = true
	x.s.mail(0, func(s *session) { s.stop(x, e) })
}

// ask has its access asked for anew; it goes on from the cursor if that is granted.
func (x *subscription) ask(at *edgev1.Cursor) {
	x.detached = true
	x.s.mail(0, func(s *session) {
		switch {
		case x.stopped:
		case x.watches != nil:
			s.renew(x.watches)
		default:
			x.stopped = true
			s.reopens = append(s.reopens, x.again(at))
		}
	})
}

// pulled answers an asked part: it was given, and there may be more.
func (x *subscription) pulled(more bool) {
	x.s.mail(0, func(s *session) {
		s.pulling--
		if more && !x.stopped {
			s.catching = append(s.catching, x)
		}
	})
}

// give passes events on: encoded to a client, their heads to a bundle. It returns false where that ended the subscription.
func (x *subscription) give(run []*topicv1.Record, data []byte) bool {
	if x.watches != nil {
		return x.s.watched(x, run)
	}
	if t := x.s.stream(); t != nil {
		last, news := run[len(run)-1], x.only.admitsAny(run)
		return x.s.offer(x, len(data), func(s *session) {
			s.pass(data)
			t.news = t.news || news
			t.reach(x.topic, last.GetEpoch(), last.GetEvent().GetOffset())
		})
	}
	return x.s.deliver(x, data)
}

// hides is the highest offset told of in a run that this client may not read; 0: none.
func (x *subscription) hides(run []*topicv1.Record) (most uint64) {
	for _, r := range run {
		if about := r.GetAbout(); about <= x.floor {
			most = max(most, about)
		}
	}
	return most
}

// encode writes one frame of events as this client reads it; before is the cursor that they follow. What tells of offsets up to hidden
// goes without its body.
func (x *subscription) encode(run []*topicv1.Record, before, hidden uint64) []byte {
	if x.watches != nil {
		return nil
	}
	e := &edgev1.Events{Topic: x.topic, Events: make([]*edgev1.Event, 0, len(run))}
	size := len(x.topic) + 16
	for _, r := range run {
		event := r.GetEvent()
		if about := r.GetAbout(); about != 0 && about <= hidden {
			event = &edgev1.Event{Offset: event.GetOffset(), TimeMs: event.GetTimeMs()}
		}
		if x.only.admits(event) {
			e.Events = append(e.Events, event)
			size += len(event.GetBody()) + 32
		}
	}
	if upto := run[len(run)-1].GetEvent().GetOffset(); len(e.GetEvents()) == 0 || e.GetEvents()[len(e.GetEvents())-1].GetOffset() != upto {
		e.Upto = upto
	}
	if len(e.GetEvents()) == 0 || e.GetEvents()[0].GetOffset() != before+1 {
		e.After = &before
	}
	return wire.Append(make([]byte, 0, size), x.s.enc, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: e}}, "", x.s.g.catalog())
}

// loses reports what a record's changes of access mean: it ends here, or somebody must ask whether it does.
func (x *subscription) loses(r *topicv1.Record) (loses, asks bool) {
	if r.GetEvent().GetOffset() <= x.granted.GetOffset() {
		return false, false
	}
	for _, a := range r.GetAccess() {
		switch {
		case a.GetPrincipal() == x.user:
			loses, asks = !a.GetRead(), false
			x.s.mail(0, func(*session) { x.signals = a.GetRead() && a.GetSignal() })
		case a.GetPrincipal() == "*" && !loses:
			if asks = !a.GetRead(); !a.GetSignal() {
				x.s.mail(0, func(*session) { x.signals = false })
			}
		}
	}
	return loses, asks
}

// until cuts the records behind the one that takes the right to read.
func (x *subscription) until(records []*topicv1.Record) (kept []*topicv1.Record, loses, asks bool) {
	for i, r := range records {
		if len(r.GetAccess()) > 0 {
			if loses, asks = x.loses(r); loses || asks {
				return records[:i+1], loses, asks
			}
		}
	}
	return records, false, false
}

// again is the same subscription from a cursor, before access was granted.
func (x *subscription) again(at *edgev1.Cursor) *subscription {
	return &subscription{
		s: x.s, topic: x.topic, service: x.service, log: x.log, id: x.id, mode: x.mode, user: x.user, watches: x.watches,
		cursor: at, begun: true, keys: x.keys, only: x.only,
	}
}
