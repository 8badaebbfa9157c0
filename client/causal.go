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

// causal is the hold-back: an event waits, at most 2 s, until what it depends on was shown, in topics that are followed.
// (Birman, Schiper, Stephenson: Lightweight Causal and Atomic Group Multicast, 1991; here with direct dependencies only,
// since each of them was held back itself.)
type causal struct {
	until time.Time // when the oldest held event is shown at any rate; zero: none is held
}

// show delivers events in order, up to the first that has to wait; from there on all of them wait.
func (s *session) show(t *Subscription, events []*edgev1.Event, upto uint64) {
	if s.cfg.Dependencies == nil || t.mode != edgev1.Mode_MODE_EVENTS {
		s.deliver(t, events, upto)
		return
	}
	if len(t.held) > 0 {
		t.held = append(t.held, events...)
		return
	}
	for i, e := range events {
		if s.waitsFor(t, e) {
			s.deliver(t, events[:i], 0)
			t.held = slices.Clone(events[i:])
			if s.causal.until.IsZero() {
				s.causal.until = time.Now().Add(holdBack)
			}
			s.retryHeld(t)
			return
		}
	}
	s.deliver(t, events, upto)
	s.retryHeld(t)
}

// waitsFor reports whether e depends on something that is still to come.
func (s *session) waitsFor(t *Subscription, e *edgev1.Event) bool {
	deps := s.cfg.Dependencies(t.topic, e)
	return slices.ContainsFunc(deps[:min(len(deps), maxContext)], func(d Dependency) bool {
		o := s.topics[d.Topic]
		return o != nil && o != t && o.attached && o.mode == edgev1.Mode_MODE_EVENTS &&
			o.cursor.GetEpoch() == d.Cursor.GetEpoch() && o.cursor.GetOffset() < d.Cursor.GetOffset()
	})
}

// retryHeld looks at what other topics hold, now that this one went on.
func (s *session) retryHeld(moved *Subscription) {
	for progress := true; progress; {
		progress = false
		for _, t := range s.topics {
			if t == moved || len(t.held) == 0 || s.waitsFor(t, t.held[0]) {
				continue
			}
			held := t.held
			t.held = nil
			n := 0
			for n < len(held) && !s.waitsFor(t, held[n]) {
				n++
			}
			s.deliver(t, held[:n], 0)
			t.held = held[n:]
			progress, moved = true, nil
		}
	}
	if !slices.ContainsFunc(s.followed(), func(t *Subscription) bool { return len(t.held) > 0 }) {
		s.causal.until = time.Time{}
	}
}

func (s *session) followed() []*Subscription {
	all := make([]*Subscription, 0, len(s.topics))
	for _, t := range s.topics {
		all = append(all, t)
	}
	return all
}

// releaseHeld shows what waited too long, and counts it.
func (s *session) releaseHeld(time.Time) {
	s.causal.until = time.Time{}
	for _, t := range s.topics {
		if len(t.held) == 0 {
			continue
		}
		held := t.held
		t.held = nil
		s.setState(func(st *State) { st.Violations++ })
		s.deliver(t, held, 0)
	}
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
