package crowd

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/edge"
	"plenum.internal/loadtest/internal/tally"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	dialTime = 30 * time.Second
	// Who lost the connection comes back after a random wait of 0 to backoff * 2^attempt, at most backoffMost (PROTOCOL.md section 9).
	backoff     = 500 * time.Millisecond
	backoffMost = 30 * time.Second
)

// Member is one client: one account, one connection at a time.
type Member struct {
	Account *account.Account

	crowd    *Crowd
	n        int // in its crowd
	number   uint32
	wants    []*edgev1.Want
	clientID string // of its mutations
	session  string
	live     atomic.Bool
	leaving  atomic.Bool

	mu          sync.Mutex // guards all below
	conn        *edge.Conn // nil: none
	attempt     int        // to connect, without success
	connections int        // that were made
	moves       int        // to other gateways
	since       time.Time  // when the connection was due, or was lost
	opening     int        // wants that were not answered yet
	subscribes  uint32     // the id of the last Subscribe
	topics      map[string]*topic
	seq         uint64
	calls       map[uint32]*send
	unacked     []*send // ascending by seq
	causes      []cause // that have not come
}

// cause is an event that a message was shown to depend on before it came.
type cause struct {
	topic    *topic
	offset   uint64
	deadline time.Time
}

const (
	// causalWait is how long a client holds a message back for what it depends on (PROTOCOL.md); a cause that comes later is a violation.
	causalWait = 2 * time.Second
	keptCauses = 64
)

// topic is one topic that a member follows in mode EVENTS.
type topic struct {
	reader tally.Reader
	epoch  uint64
	begun  bool                 // the first Subscribed has come
	gone   bool                 // the server stopped it for good
	seen   uint64               // offset of the newest message
	own    uint64               // offset of the member's own newest message
	marks  map[[2]uint64]uint64 // of a witness: publisher and number, and the offset
}

// connect makes a connection that was due at a time, and returns when it is there or has failed.
func (m *Member) connect(ctx context.Context, due time.Time) {
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	token, err := m.crowd.sign(dialing, m.Account, m.crowd.SignIn)
	if err != nil {
		m.crowd.refused(reason(err))
		m.again(ctx, err)
		return
	}
	m.mu.Lock()
	m.since = due
	cfg := edge.Config{
		Address: m.crowd.cfg.Addresses[(m.n+m.moves)%len(m.crowd.cfg.Addresses)], Local: m.local(), Token: token,
		ClientID: m.clientID, SessionID: m.session, Wants: m.resume(),
	}
	m.opening = len(cfg.Wants)
	m.connections++
	m.mu.Unlock()
	conn, err := edge.Dial(dialing, cfg, m)
	if err != nil {
		m.crowd.refused(reason(err))
		m.mu.Lock()
		m.connections--
		m.mu.Unlock()
		m.again(ctx, err)
		return
	}
	m.mu.Lock()
	if m.leaving.Load() { // meanwhile; leave has not seen this connection
		m.mu.Unlock()
		conn.Close()
		return
	}
	m.live.Store(true)
	if m.connections == 1 {
		m.crowd.Connect.Record(m.n, time.Since(due))
	}
	m.conn, m.attempt, m.subscribes = conn, 0, 1
	unacked := m.unacked
	m.calls = map[uint32]*send{}
	m.mu.Unlock()
	for _, s := range unacked {
		m.transmit(s)
	}
	m.crowd.watch.Go(func() {
		<-conn.Done()
		m.ended(ctx, conn)
	})
}

func (m *Member) local() (a netip.Addr) {
	if l := m.crowd.cfg.Locals; len(l) > 0 {
		a = l[(m.n/len(m.crowd.cfg.Addresses))%len(l)]
	}
	return a
}

// resume is what to subscribe: each topic from where its reader stands. It needs the lock.
func (m *Member) resume() []*edgev1.Want {
	wants := make([]*edgev1.Want, 0, len(m.wants))
	for _, w := range m.wants {
		t := m.topics[w.GetTopic()]
		switch {
		case t == nil || !t.begun:
			wants = append(wants, w)
		case !t.gone:
			wants = append(wants, t.want(w.GetTopic()))
		}
	}
	return wants
}

func (t *topic) want(name string) *edgev1.Want {
	return &edgev1.Want{Topic: name, Mode: edgev1.Mode_MODE_EVENTS, Cursor: &edgev1.Cursor{Epoch: t.epoch, Offset: t.reader.Cursor()}}
}

// ended is called once for each connection.
func (m *Member) ended(ctx context.Context, conn *edge.Conn) {
	m.live.Store(false)
	err := conn.Err()
	if m.leaving.Load() {
		return
	}
	m.mu.Lock()
	m.since = time.Now()
	m.mu.Unlock()
	if err != nil {
		m.crowd.Dropped.Add(1)
		m.crowd.refused(reason(err))
	}
	m.again(ctx, err)
}

// again comes back after a while, at another gateway.
func (m *Member) again(ctx context.Context, err error) {
	if !m.crowd.cfg.Reconnect || m.leaving.Load() || ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	wait := rand.N(min(backoffMost, backoff<<min(m.attempt, 10)))
	if refused, ok := errors.AsType[*edge.Refused](err); ok && refused.Why.GetRetryAfterMs() > 0 {
		wait = time.Duration(refused.Why.GetRetryAfterMs()) * time.Millisecond
	}
	m.attempt++
	m.moves++
	due := m.since
	m.mu.Unlock()
	m.crowd.watch.Go(func() {
		select {
		case <-time.After(wait):
			m.connect(ctx, due)
		case <-m.crowd.left:
		case <-ctx.Done():
		}
	})
}

// Cut breaks the connection without a word; the member comes back if its crowd reconnects.
func (m *Member) Cut() {
	m.mu.Lock()
	conn := m.conn
	m.mu.Unlock()
	if conn != nil && m.live.Load() {
		conn.Cut()
	}
}

// leave closes the connection and counts what is missing.
func (m *Member) leave(heads map[string]uint64) {
	m.leaving.Store(true)
	m.mu.Lock()
	conn := m.conn
	m.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settleCauses(time.Now())
	for name, t := range m.topics {
		if t.begun && !t.gone {
			t.reader.End(heads[name], &m.crowd.Counts)
		}
	}
}

// Event implements edge.Handler.
func (m *Member) Event(name []byte, e edge.Event) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.topics[string(name)]
	if t == nil || !t.begun || !t.reader.Take(e, &m.crowd.Counts) {
		return
	}
	if len(m.causes) > 0 {
		m.settleCauses(now)
	}
	mark, ok := findMark(e.Body)
	if !ok {
		return
	}
	t.seen = e.Offset
	if mark.depends {
		m.lookForCauses(e.Body, now)
	}
	if m.crowd.counts(mark.due) {
		m.crowd.Deliver.Record(m.n, now.Sub(mark.due))
	}
	if t.marks != nil {
		key := [2]uint64{uint64(mark.publisher), mark.seq}
		if at, twice := t.marks[key]; twice && at != e.Offset {
			m.crowd.Counts.Doubled.Add(1)
		}
		t.marks[key] = e.Offset
	}
}

// lookForCauses notes what a message depends on and has not come yet. It needs the lock.
func (m *Member) lookForCauses(body []byte, now time.Time) {
	var event chatv1.ChannelEvent
	if proto.Unmarshal(body, &event) != nil {
		return
	}
	for _, d := range event.GetPosted().GetContext() {
		t := m.topics[d.GetTopic()]
		if t == nil || !t.begun || t.gone || t.epoch != d.GetCursor().GetEpoch() || t.reader.Cursor() >= d.GetCursor().GetOffset() {
			continue
		}
		if len(m.causes) < keptCauses {
			m.causes = append(m.causes, cause{t, d.GetCursor().GetOffset(), now.Add(causalWait)})
		}
	}
}

// settleCauses forgets what has come, and counts what did not come in time. It needs the lock.
func (m *Member) settleCauses(now time.Time) {
	m.causes = slices.DeleteFunc(m.causes, func(c cause) bool {
		switch {
		case c.topic.gone:
			return true
		case now.After(c.deadline):
			m.crowd.Counts.Causal.Add(1)
			return true
		case c.topic.reader.Cursor() >= c.offset:
			return true
		}
		return false
	})
}

// Seen is the newest message of a topic that the member got; 0: none. Cursor is where its reader stands.
func (m *Member) Seen(topic string) (seen uint64, cursor *edgev1.Cursor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.topics[topic]
	if t == nil || !t.begun {
		return 0, nil
	}
	return t.seen, &edgev1.Cursor{Epoch: t.epoch, Offset: t.reader.Cursor()}
}

// Frame implements edge.Handler.
func (m *Member) Frame(f *edgev1.ServerFrame) {
	switch f := f.GetFrame().(type) {
	case *edgev1.ServerFrame_Subscribed:
		m.subscribed(f.Subscribed)
	case *edgev1.ServerFrame_Reply:
		m.replied(f.Reply)
	case *edgev1.ServerFrame_Stopped:
		m.stopped(f.Stopped)
	case *edgev1.ServerFrame_Heads:
		m.crowd.Heads.Add(uint64(len(f.Heads.GetHeads())))
	}
}

func (m *Member) subscribed(f *edgev1.Subscribed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range f.GetSubscriptions() {
		if m.opening--; m.opening == 0 {
			series := m.crowd.Open
			if m.connections > 1 {
				series = m.crowd.Resume
			}
			series.Record(m.n, time.Since(m.since))
		}
		t := m.topics[s.GetTopic()]
		switch {
		case s.GetError() != nil:
			m.crowd.refused(s.GetError().GetReason())
			if t != nil {
				m.lose(s.GetTopic(), t, s.GetError())
			}
		case t == nil: // in mode HEADS
		case t.begun && s.GetStart().GetEpoch() == t.epoch && s.GetStart().GetOffset() <= t.reader.Cursor():
		default:
			if t.begun {
				m.crowd.Counts.Gaps.Add(1) // it goes on elsewhere than it was asked to
			}
			t.begun, t.epoch = true, s.GetStart().GetEpoch()
			t.reader.Start(s.GetStart().GetOffset())
		}
	}
}

// opened tells that nothing it wants is without an answer.
func (m *Member) opened() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.live.Load() || m.opening <= 0
}

func (m *Member) stopped(f *edgev1.Stopped) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crowd.refused(f.GetError().GetReason())
	for _, name := range f.GetTopics() {
		if t := m.topics[name]; t != nil {
			m.lose(name, t, f.GetError())
		}
	}
}

// lose goes on with a topic as its error's range says. It needs the lock.
func (m *Member) lose(name string, t *topic, why *edgev1.Error) {
	switch code := why.GetCode(); {
	case code >= 300 && code < 320:
		m.subscribe(t.want(name))
	case code >= 320 && code < 340:
		m.crowd.Counts.Resets.Add(1)
		t.begun = false
		m.subscribe(&edgev1.Want{Topic: name, Mode: edgev1.Mode_MODE_EVENTS})
	case code >= 200 && code < 300:
		w := &edgev1.Want{Topic: name, Mode: edgev1.Mode_MODE_EVENTS}
		if t.begun {
			w = t.want(name)
		}
		time.AfterFunc(max(backoff, time.Duration(why.GetRetryAfterMs())*time.Millisecond), func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.subscribe(w)
		})
	default:
		t.gone = true
	}
}

// subscribe needs the lock. Where the connection is gone, the next one subscribes everything.
func (m *Member) subscribe(w *edgev1.Want) {
	if m.conn == nil {
		return
	}
	m.subscribes++
	conn, id := m.conn, m.subscribes
	go func() { // the reading goroutine may not wait for a write
		_ = conn.Send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: &edgev1.Subscribe{Id: id, Wants: []*edgev1.Want{w}}}})
	}()
}
