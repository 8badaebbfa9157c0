package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Update is what a subscription yields next. One of its fields is set.
type Update struct {
	// Events follow what was yielded before, without a hole.
	Events []*edgev1.Event
	// Reset says that the events since the last ones can't be had: forget what was kept of the topic where it says so, read
	// the topic anew, then call Resume with the cursor that the read returned.
	Reset *Reset
	// Heads say where topics of a bundle stand. All have their topic's name.
	Heads []*edgev1.Head
	// Signal came from another client.
	Signal *edgev1.Signal
}

// Reset is a break in a topic's history.
type Reset struct {
	Cause *rpc.Error     // CODE_RESET_…
	Head  *edgev1.Cursor // where the topic stands; nil if unknown
}

// Subscription is a topic that is followed. Take from it by Next.
type Subscription struct {
	client *Client
	topic  string
	mode   edgev1.Mode
	params []byte

	// Owned by the session's goroutine.
	cursor   *edgev1.Cursor // the last one given to updates or held; nil: from now on
	wanted   uint32         // id of the Subscribe that counts; 0: none was sent on this connection
	attached bool           // its Subscribed came
	parked   bool           // not to be subscribed until Resume, or until updates have been taken
	retryAt  time.Time
	held     []*edgev1.Event // wait for what they depend on, in order

	mu       sync.Mutex
	pending  []Update      // guarded by mu
	bytes    int           // of pending; guarded by mu
	full     bool          // parked since pending is full; guarded by mu
	err      error         // the last word, after pending; guarded by mu
	activity chan struct{} // capacity 1
}

// FollowOption says how to follow.
type FollowOption func(*Subscription)

// From starts after a cursor, instead of now.
func From(cursor *edgev1.Cursor) FollowOption {
	return func(t *Subscription) { t.cursor = proto.CloneOf(cursor) }
}

// HeadsOnly follows where the topic stands, not its events.
func HeadsOnly() FollowOption { return func(t *Subscription) { t.mode = edgev1.Mode_MODE_HEADS } }

// WithParams gives the parameters of a VIEW topic.
func WithParams(params []byte) FollowOption { return func(t *Subscription) { t.params = params } }

// Follow follows a topic until Close. It is subscribed again by itself after each reconnect, from where it was. A topic can
// be followed once at a time.
func (c *Client) Follow(ctx context.Context, topic string, opts ...FollowOption) (*Subscription, error) {
	t := &Subscription{client: c, topic: topic, mode: edgev1.Mode_MODE_EVENTS, activity: make(chan struct{}, 1)}
	for _, o := range opts {
		o(t)
	}
	result := make(chan error, 1)
	err := c.do(ctx, func(s *session) {
		switch {
		case s.topics[topic] != nil:
			result <- errors.New("client: " + topic + " is followed already")
		case len(s.topics) >= maxFollowed:
			result <- rpc.Errorf(edgev1.Code_CODE_TOO_MANY_TOPICS, "client.TOO_MANY_TOPICS", "%d topics are followed. Close one.", maxFollowed)
		default:
			s.topics[topic] = t
			s.resubscribe(func(o *Subscription) bool { return o == t })
			result <- nil
		}
	})
	if err != nil {
		return nil, err
	}
	select {
	case err := <-result:
		if err != nil {
			return nil, err
		}
		return t, nil
	case <-c.stopped:
		return nil, errStopped
	}
}

// Topic is the name that was followed.
func (t *Subscription) Topic() string { return t.topic }

// Next waits for what comes next. Its error is that of ctx, or the last word on the topic: an *rpc.Error whose code says
// why it may no longer be followed, or CODE_UNAVAILABLE "client.STOPPED" after Close and after the client has ended.
func (t *Subscription) Next(ctx context.Context) (Update, error) {
	for {
		t.mu.Lock()
		if len(t.pending) > 0 {
			u := t.pending[0]
			t.pending = t.pending[1:]
			t.bytes -= size(u)
			drained := t.full && len(t.pending) == 0
			if drained {
				t.full = false
			}
			t.mu.Unlock()
			if drained {
				_ = t.client.do(ctx, func(s *session) { s.unpark(t) })
			}
			return u, nil
		}
		err := t.err
		t.mu.Unlock()
		if err != nil {
			return Update{}, err
		}
		select {
		case <-t.activity:
		case <-ctx.Done():
			return Update{}, ctx.Err()
		}
	}
}

// Resume goes on after a Reset, from the cursor that reading the topic anew has returned.
func (t *Subscription) Resume(ctx context.Context, cursor *edgev1.Cursor) error {
	cursor = proto.CloneOf(cursor)
	return t.client.do(ctx, func(s *session) {
		t.cursor = cursor
		s.unpark(t)
	})
}

// Signal tells the others who follow the topic something that is not kept; of the signals with one key the latest wins.
// It is dropped without an error while there is no connection.
func (t *Subscription) Signal(ctx context.Context, key string, body []byte) error {
	return t.client.do(ctx, func(s *session) {
		if t.attached {
			s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Signal{Signal: &edgev1.Signal{Topic: t.topic, Key: key, Body: body}}})
		}
	})
}

// Close stops following.
func (t *Subscription) Close() {
	_ = t.client.do(context.Background(), func(s *session) {
		if s.topics[t.topic] != t {
			return
		}
		delete(s.topics, t.topic)
		s.unsubscribe(t)
	})
	t.fail(errStopped)
}

func size(u Update) int {
	n := 64
	for _, e := range u.Events {
		n += len(e.GetBody()) + 48
	}
	for _, h := range u.Heads {
		n += len(h.GetTopic()) + len(h.GetBadge()) + 48
	}
	return n + len(u.Signal.GetBody())
}

// push queues an update. It reports false when the queue is full: then the topic is to be parked.
func (t *Subscription) push(u Update) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return true
	}
	if t.full && u.Reset == nil {
		return false
	}
	if last := len(t.pending) - 1; last >= 0 && u.Heads != nil && t.pending[last].Heads != nil {
		merged := conflate(t.pending[last].Heads, u.Heads)
		t.bytes += size(Update{Heads: merged}) - size(t.pending[last])
		t.pending[last].Heads = merged
		return true
	}
	if u.Signal != nil && t.bytes > pendingBytes/2 {
		return true // nobody takes them
	}
	t.pending = append(t.pending, u)
	t.bytes += size(u)
	t.full = t.bytes > pendingBytes
	select {
	case t.activity <- struct{}{}:
	default:
	}
	return !t.full
}

// conflate keeps the newest of each topic; a badge stays until another one comes.
func conflate(old, more []*edgev1.Head) []*edgev1.Head {
	out := slices.Clone(old)
	for _, h := range more {
		i := slices.IndexFunc(out, func(o *edgev1.Head) bool { return o.GetTopic() == h.GetTopic() })
		if i < 0 {
			out = append(out, h)
			continue
		}
		if h.GetBadge() == nil && !h.GetRemoved() {
			h = proto.CloneOf(h)
			h.Badge = out[i].GetBadge()
		}
		out[i] = h
	}
	return out
}

func (t *Subscription) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	select {
	case t.activity <- struct{}{}:
	default:
	}
}

// resubscribe sends Subscribe for the topics that which chooses.
func (s *session) resubscribe(which func(*Subscription) bool) {
	if s.link == nil {
		return
	}
	var wants []*edgev1.Want
	var chosen []*Subscription
	flush := func() {
		if len(wants) == 0 {
			return
		}
		id := s.id()
		for _, t := range chosen {
			t.wanted, t.attached, t.retryAt = id, false, time.Time{}
		}
		s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: &edgev1.Subscribe{Id: id, Wants: wants}}})
		wants, chosen = nil, nil
	}
	for _, t := range s.topics {
		if t.parked || !which(t) {
			continue
		}
		t.held = nil // they come again, behind the cursor
		wants = append(wants, &edgev1.Want{Topic: t.topic, Mode: t.mode, Cursor: proto.CloneOf(t.cursor), Params: t.params})
		chosen = append(chosen, t)
		if len(wants) == 500 {
			flush()
		}
	}
	flush()
}

func (s *session) unsubscribe(t *Subscription) {
	t.attached, t.wanted, t.retryAt, t.held = false, 0, time.Time{}, nil
	s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Unsubscribe{Unsubscribe: &edgev1.Unsubscribe{Topics: []string{t.topic}}}})
}

func (s *session) unpark(t *Subscription) {
	if s.topics[t.topic] != t {
		return
	}
	t.parked = false
	s.resubscribe(func(o *Subscription) bool { return o == t })
}

func (s *session) subscribed(m *edgev1.Subscribed) {
	for _, sub := range m.GetSubscriptions() {
		t := s.topics[sub.GetTopic()]
		if t == nil || t.wanted != m.GetId() {
			continue
		}
		if e := sub.GetError(); e != nil {
			s.topicStopped(t, fault(e), sub.GetHead())
			continue
		}
		t.attached = true
		if start := sub.GetStart(); start != nil {
			t.cursor = start
		}
	}
}

// topicStopped does what the code's range asks for.
func (s *session) topicStopped(t *Subscription, e *rpc.Error, head *edgev1.Cursor) {
	t.attached, t.wanted, t.held = false, 0, nil
	switch {
	case e.Code >= 300 && e.Code < 320:
		s.resubscribe(func(o *Subscription) bool { return o == t })
	case e.Code >= 320 && e.Code < 340:
		t.parked = true
		t.push(Update{Reset: &Reset{Cause: e, Head: head}})
	case retryable(e.Code):
		t.retryAt = time.Now().Add(max(e.RetryAfter, backoffBase))
	default:
		delete(s.topics, t.topic)
		t.fail(e)
	}
}

func (s *session) events(m *edgev1.Events) {
	t := s.topics[m.GetTopic()]
	if t == nil || !t.attached || len(m.GetEvents()) == 0 && m.GetUpto() == 0 {
		return
	}
	if t.cursor == nil {
		t.cursor = &edgev1.Cursor{}
	}
	known := t.cursor.GetOffset()
	if n := len(t.held); n > 0 {
		known = max(known, t.held[n-1].GetOffset())
	}
	after := m.GetUpto()
	if len(m.GetEvents()) > 0 {
		after = m.GetEvents()[0].GetOffset() - 1
	}
	if m.After != nil {
		after = m.GetAfter()
	}
	if after > known { // a hole: it must not be shown
		s.resubscribe(func(o *Subscription) bool { return o == t })
		return
	}
	fresh := slices.DeleteFunc(m.GetEvents(), func(e *edgev1.Event) bool { return e.GetOffset() <= known })
	s.show(t, fresh, max(known, m.GetUpto()))
}

// deliver hands events to the application; upto is the cursor afterwards.
func (s *session) deliver(t *Subscription, events []*edgev1.Event, upto uint64) {
	if len(events) > 0 {
		upto = max(upto, events[len(events)-1].GetOffset())
	}
	t.cursor = &edgev1.Cursor{Epoch: t.cursor.GetEpoch(), Offset: max(upto, t.cursor.GetOffset())}
	if len(events) == 0 {
		return
	}
	s.noteDelivered(t.topic, t.cursor)
	if !t.push(Update{Events: events}) && !t.parked {
		t.parked = true
		s.unsubscribe(t)
	}
}

func (s *session) heads(m *edgev1.Heads) {
	t := s.topics[m.GetTopic()]
	for _, h := range m.GetHeads() {
		if h.GetTopic() != "" {
			s.link.refs[h.GetRef()] = h.GetTopic()
		}
		h.Topic = s.link.refs[h.GetRef()]
	}
	if t == nil || !t.attached {
		return
	}
	t.push(Update{Heads: m.GetHeads()})
}
