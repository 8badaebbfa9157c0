package client

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Dependency is a place in another topic that an event's author had seen.
type Dependency struct {
	Topic  string
	Cursor *edgev1.Cursor
}

// maxHeld is how many events of a topic wait; the oldest of more are shown as if they had waited for 2 s.
const maxHeld = 1000

// maxContext is how many dependencies a message carries.
const maxContext = 8

// ChatDependencies reads the causal context of chat's messages.
func ChatDependencies(_ string, e *edgev1.Event) []Dependency {
	var event chatv1.ChannelEvent
	if proto.Unmarshal(e.GetBody(), &event) != nil {
		return nil
	}
	var deps []Dependency
	for _, d := range event.GetPosted().GetContext() {
		deps = append(deps, Dependency{d.GetTopic(), d.GetCursor()})
	}
	return deps
}

// held is an event that waits for what it depends on.
type held struct {
	event *edgev1.Event
	deps  []Dependency
	since time.Time
}

// show delivers events, or holds them back: an event waits, at most 2 s, until what it depends on was shown in topics that
// are followed, and so do those behind it. (Birman, Schiper, Stephenson: Lightweight Causal and Atomic Group Multicast,
// 1991; here with direct dependencies only, since each of them was held back itself.) upto is where the topic stands
// after the events.
func (s *session) show(t *Subscription, events []*edgev1.Event, upto uint64) {
	if s.cfg.Dependencies == nil || t.mode != edgev1.Mode_MODE_EVENTS {
		s.deliver(t, events, upto)
		return
	}
	now := time.Now()
	for _, e := range events {
		deps := s.cfg.Dependencies(t.topic, e)
		t.held = append(t.held, held{e, deps[:min(len(deps), maxContext)], now})
	}
	for i := range max(0, len(t.held)-maxHeld) {
		t.held[i].since = time.Time{} // no longer than this
	}
	if t.heldTo = upto; len(t.held) == 0 {
		s.deliver(t, nil, upto)
	} else {
		s.holding[t] = struct{}{}
	}
	s.release(now)
}

// release delivers what need not wait any longer: what has nothing to wait for, and when that is exhausted, what has waited
// for 2 s, the oldest first. The latter is a violation of the causal order, and is counted.
func (s *session) release(now time.Time) {
	for {
		progress := false
		var oldest *Subscription
		for t := range s.holding {
			n := 0
			for n < len(t.held) && !s.waits(t, t.held[n].deps) {
				n++
			}
			if n > 0 {
				s.deliverHeld(t, n)
				progress = true
			} else if len(t.held) == 0 {
				delete(s.holding, t)
			} else if oldest == nil || t.held[0].since.Before(oldest.held[0].since) {
				oldest = t
			}
		}
		if progress {
			continue
		}
		s.releaseAt = time.Time{}
		if oldest == nil {
			return
		}
		if s.releaseAt = oldest.held[0].since.Add(holdBack); s.releaseAt.After(now) {
			return
		}
		s.setState(func(st *State) { st.Violations++ })
		s.deliverHeld(oldest, 1)
	}
}

// deliverHeld delivers the first n events that t holds.
func (s *session) deliverHeld(t *Subscription, n int) {
	events := make([]*edgev1.Event, n)
	for i, h := range t.held[:n] {
		events[i] = h.event
	}
	upto := events[n-1].GetOffset()
	if t.held = t.held[n:]; len(t.held) == 0 {
		upto = t.heldTo
	}
	s.deliver(t, events, upto)
}

// waits reports whether one of deps is still to come, in a topic whose events are followed now.
func (s *session) waits(t *Subscription, deps []Dependency) bool {
	return slices.ContainsFunc(deps, func(d Dependency) bool {
		o := s.topics[d.Topic]
		return o != nil && o != t && o.attached && o.mode == edgev1.Mode_MODE_EVENTS &&
			o.cursor.GetEpoch() == d.Cursor.GetEpoch() && o.cursor.GetOffset() < d.Cursor.GetOffset()
	})
}

// noteDelivered remembers what the application was shown, for the context of its next message.
func (s *session) noteDelivered(topic string, cursor *edgev1.Cursor) {
	s.deliveredBy = slices.DeleteFunc(s.deliveredBy, func(t string) bool { return t == topic })
	s.deliveredBy = append(s.deliveredBy, topic)
	s.delivered[topic] = cursor
	if len(s.deliveredBy) > 4*maxContext {
		delete(s.delivered, s.deliveredBy[0])
		s.deliveredBy = s.deliveredBy[1:]
	}
}

// Context returns the causal context of a message that is now sent to topic: where the topics stand that were shown since the
// context was last taken, the newest first, at most 8.
func (c *Client) Context(ctx context.Context, topic string) []Dependency {
	result := make(chan []Dependency, 1)
	err := c.do(ctx, func(s *session) {
		var deps []Dependency
		for _, name := range slices.Backward(s.deliveredBy) {
			if name != topic && len(deps) < maxContext {
				deps = append(deps, Dependency{name, proto.CloneOf(s.delivered[name])})
			}
		}
		clear(s.delivered)
		s.deliveredBy = s.deliveredBy[:0]
		result <- deps
	})
	if err != nil {
		return nil
	}
	select {
	case deps := <-result:
		return deps
	case <-c.stopped:
		return nil
	}
}
