package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

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
	// Anew goes with Heads: they begin a new list, and what was known of the bundle's topics before is to be forgotten.
	Anew bool
	// Signal came from another client.
	Signal *edgev1.Signal
	// View is what a VIEW holds, where it is a snapshot, or what changed of it. Those that nobody has taken yet are made into one.
	View *edgev1.View
}

// Reset is a break in a topic's history.
type Reset struct {
	Cause *Error         // CODE_RESET_…
	Head  *edgev1.Cursor // where the topic stands; nil if unknown
}

// Subscription is a topic that is followed. Take from it by Next.
type Subscription struct {
	client *Client
	topic  string
	mode   edgev1.Mode
	params []byte

	// Owned by the session's goroutine.
	cursor   *edgev1.Cursor // after what was given to updates; nil: from now on
	wanted   uint32         // id of the Subscribe that counts; 0: none was sent on this connection
	attached bool           // its Subscribed came
	// Invariant: while it is parked, it is not attached and holds nothing; it waits for Resume, or for Next to take updates.
	parked  bool
	retryAt time.Time
	held    []held // wait for what they depend on, in order
	heldTo  uint64 // where the topic stands after them

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
			result <- errorf(edgev1.Code_CODE_TOO_MANY_TOPICS, "client.TOO_MANY_TOPICS", "%d topics are followed. Close one.", maxFollowed)
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
		return nil, c.why
	}
}

// Topic is the name that was followed.
func (t *Subscription) Topic() string { return t.topic }

// Next waits for what comes next. Its error is that of ctx, or the last word on the topic: an *Error whose code says
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
// It is dropped without an error while there is no connection, or one that takes nothing.
func (t *Subscription) Signal(ctx context.Context, key string, body []byte) error {
	return t.client.do(ctx, func(s *session) {
		if t.attached && s.link != nil && len(s.link.out) < outQueue/2 {
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
	for _, e := range u.View.GetEntries() {
		n += len(e.GetKey()) + len(e.GetBody()) + 48
	}
	return n + len(u.Signal.GetBody())
}

// push queues an update. It reports false when the queue is full now: then the topic is to be parked.
func (t *Subscription) push(u Update) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil || u.Signal != nil && t.bytes > pendingBytes/2 { // nobody takes them
		return true
	}
	if u.Heads != nil || u.Anew {
		t.pending = slices.DeleteFunc(t.pending, func(old Update) bool {
			if old.Heads == nil && !old.Anew {
				return false
			}
			t.bytes -= size(old)
			if !u.Anew {
				u.Heads, u.Anew = conflate(old.Heads, u.Heads), old.Anew
			}
			return true
		})
	}
	if u.View != nil {
		t.pending = slices.DeleteFunc(t.pending, func(old Update) bool {
			if old.View == nil {
				return false
			}
			t.bytes -= size(old)
			u.View = conflateView(old.View, u.View)
			return true
		})
	}
	t.pending = append(t.pending, u)
	t.bytes += size(u)
	t.full = t.full || u.Events != nil && t.bytes > pendingBytes
	select {
	case t.activity <- struct{}{}:
	default:
	}
	return !t.full
}

// conflate keeps the newest of each topic; a badge stays until another one comes.
func conflate(old, more []*edgev1.Head) []*edgev1.Head {
	at := make(map[string]int, len(old)+len(more))
	out := slices.Clone(old)
	for i, h := range out {
		at[h.GetTopic()] = i
	}
	for _, h := range more {
		i, ok := at[h.GetTopic()]
		if !ok {
			at[h.GetTopic()] = len(out)
			out = append(out, h)
			continue
		}
		if h.GetBadge() == nil && !h.GetRemoved() {
			h.Badge = out[i].GetBadge()
		}
		if h.GetEpoch() == 0 {
			h.Epoch = out[i].GetEpoch()
		}
		out[i] = h
	}
	return out
}

// conflateView makes one of two updates: the newest state of each key.
func conflateView(old, more *edgev1.View) *edgev1.View {
	if more.GetSnapshot() {
		return more
	}
	out := &edgev1.View{Topic: more.GetTopic(), Snapshot: old.GetSnapshot(), More: more.GetMore(), At: more.GetAt(), Stale: more.GetStale()}
	newer := make(map[string]bool, len(more.GetEntries()))
	for _, e := range more.GetEntries() {
		newer[e.GetKey()] = true
	}
	for _, e := range old.GetEntries() {
		if !newer[e.GetKey()] {
			out.Entries = append(out.Entries, e)
		}
	}
	out.Entries = append(out.Entries, more.GetEntries()...)
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

// resubscribe sends Subscribe for the topics that which chooses, in as many frames as it takes.
func (s *session) resubscribe(which func(*Subscription) bool) {
	if s.link == nil {
		return
	}
	next, bytes := &edgev1.Subscribe{}, 0
	flush := func() {
		if len(next.Wants) > 0 {
			s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: next}})
		}
		next, bytes = &edgev1.Subscribe{}, 0
	}
	for _, t := range s.topics {
		if t.parked || !which(t) {
			continue
		}
		if len(next.Wants) == 0 {
			next.Id = s.id()
		}
		t.detach() // what was held comes again, behind the cursor
		t.wanted = next.Id
		want := &edgev1.Want{Topic: t.topic, Mode: t.mode, Cursor: proto.CloneOf(t.cursor), Params: t.params}
		next.Wants = append(next.Wants, want)
		if bytes += proto.Size(want); len(next.Wants) == maxWants || bytes > maxBody/2 {
			flush()
		}
	}
	flush()
}

// detach forgets what belongs to the present subscribing.
func (t *Subscription) detach() {
	t.attached, t.wanted, t.retryAt, t.held, t.heldTo = false, 0, time.Time{}, nil, 0
}

func (s *session) unsubscribe(t *Subscription) {
	t.detach()
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
		if t.mode == edgev1.Mode_MODE_HEADS { // what a start says is known only once the whole list came: each connection tells it anew
			t.cursor = nil
			continue
		}
		// The own cursor stands: what the server repeats is skipped, and what it would leave out is noticed as a hole.
		if start := sub.GetStart(); start != nil && (t.cursor == nil || start.GetEpoch() != t.cursor.GetEpoch()) { // a VIEW has none
			t.cursor = start
		}
	}
}

// topicStopped does what the code's range asks for.
func (s *session) topicStopped(t *Subscription, e *Error, head *edgev1.Cursor) {
	t.detach()
	switch {
	case e.Code >= 300 && e.Code < 320:
		s.resubscribe(func(o *Subscription) bool { return o == t })
	case e.Code >= 320 && e.Code < 340:
		t.parked = true
		t.push(Update{Reset: &Reset{Cause: e, Head: head}})
	case retryable(e.Code):
		t.retryAt = time.Now().Add(s.topicBackoff.next(e.RetryAfter))
		s.retryTopics = sooner(s.retryTopics, t.retryAt)
		if e.Code == edgev1.Code_CODE_TOKEN_STALE {
			s.refresh()
		}
	default:
		delete(s.topics, t.topic)
		t.fail(e)
	}
}

// retryRefused subscribes again what the server could not open before.
func (s *session) retryRefused(now time.Time) {
	s.retryTopics = time.Time{}
	s.resubscribe(func(t *Subscription) bool {
		if t.retryAt.After(now) {
			s.retryTopics = sooner(s.retryTopics, t.retryAt)
		}
		return !t.retryAt.IsZero() && !t.retryAt.After(now)
	})
}

func (s *session) events(m *edgev1.Events) {
	t := s.topics[m.GetTopic()]
	if t == nil || !t.attached || len(m.GetEvents()) == 0 && m.GetUpto() == 0 {
		return
	}
	known := max(t.cursor.GetOffset(), t.heldTo)
	after, upto := m.GetUpto(), m.GetUpto()
	if n := len(m.GetEvents()); n > 0 {
		after, upto = m.GetEvents()[0].GetOffset()-1, max(upto, m.GetEvents()[n-1].GetOffset())
	}
	if m.After != nil {
		after = m.GetAfter()
	}
	if after > known { // a hole: what lies behind it must not be shown
		s.resubscribe(func(o *Subscription) bool { return o == t })
		return
	}
	fresh := slices.DeleteFunc(m.GetEvents(), func(e *edgev1.Event) bool { return e.GetOffset() <= known })
	for _, e := range fresh {
		if e.GetMutation() != 0 {
			s.note(s.cfg.Outbox.accept(e.GetMutation()))
		}
	}
	s.show(t, fresh, max(known, upto))
}

// deliver hands events to the application; upto is the cursor afterwards.
func (s *session) deliver(t *Subscription, events []*edgev1.Event, upto uint64) {
	t.cursor = &edgev1.Cursor{Epoch: t.cursor.GetEpoch(), Offset: upto}
	if len(events) == 0 {
		return
	}
	s.noteDelivered(t.topic, t.cursor)
	if !t.push(Update{Events: events}) {
		t.parked = true
		s.unsubscribe(t)
	}
}

func (s *session) view(m *edgev1.View) {
	t := s.topics[m.GetTopic()]
	if t == nil || !t.attached {
		return
	}
	if m.GetAt() != nil || m.GetMore() {
		t.cursor = m.GetAt() // none between the parts of an update: what is held then has no name
	}
	t.push(Update{View: m})
}

func (s *session) heads(m *edgev1.Heads) {
	t := s.topics[m.GetTopic()]
	for _, h := range m.GetHeads() {
		if h.GetTopic() != "" {
			s.link.refs[h.GetRef()] = h.GetTopic()
		}
		h.Topic = s.link.refs[h.GetRef()]
	}
	if t != nil && t.attached {
		t.push(Update{Heads: m.GetHeads(), Anew: m.GetSnapshot()})
	}
}
