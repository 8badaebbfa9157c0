package crowd

import (
	"slices"
	"time"

	"plenum.internal/loadtest/internal/tally"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
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
	older  map[[2]uint64]uint64 // those before
}

// keptMarks bounds what a witness remembers: twice as many of the last messages of its topic.
const keptMarks = 1 << 16

// storedBefore notes where a message stands, and tells whether it stands elsewhere, too.
func (t *topic) storedBefore(key [2]uint64, offset uint64) bool {
	at, known := t.marks[key]
	if !known {
		at, known = t.older[key]
	}
	if len(t.marks) >= keptMarks {
		t.marks, t.older = make(map[[2]uint64]uint64, keptMarks), t.marks
	}
	t.marks[key] = offset
	return known && at != offset
}

// resume is what to subscribe on a new connection. It needs the lock.
func (m *Member) resume() []*edgev1.Want {
	wants := make([]*edgev1.Want, 0, len(m.wants))
	for _, w := range m.wants {
		if t := m.topics[w.GetTopic()]; t == nil || !t.gone {
			wants = append(wants, m.from(w))
		}
	}
	return wants
}

// from is a want that goes on from where its reader stands. It needs the lock.
func (m *Member) from(w *edgev1.Want) *edgev1.Want {
	if v := m.view(w.GetTopic()); v != nil {
		return v.Want()
	}
	t := m.topics[w.GetTopic()]
	if t == nil || !t.begun {
		return w
	}
	return &edgev1.Want{Topic: w.GetTopic(), Mode: w.GetMode(), Cursor: &edgev1.Cursor{Epoch: t.epoch, Offset: t.reader.Cursor()}}
}

func (m *Member) subscribed(f *edgev1.Subscribed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range f.GetSubscriptions() {
		m.opening--
		t := m.topics[s.GetTopic()]
		switch {
		case s.GetError() != nil:
			m.lose(s.GetTopic(), s.GetError())
		case m.view(s.GetTopic()) != nil:
			m.view(s.GetTopic()).Began(time.Now())
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
	if m.opening > 0 || m.complete {
		return
	}
	m.complete = true
	series := m.crowd.Open
	if m.connections > 1 {
		series = m.crowd.Resume
	}
	series.Record(m.n, time.Since(m.since))
}

// opened tells that nothing it wants is without an answer.
func (m *Member) opened() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.live.Load() || m.opening <= 0
}

// notOpen counts the topics that it wants and doesn't have: not subscribed yet, or stopped for good.
func (m *Member) notOpen() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.topics {
		if t.gone || !t.begun {
			n++
		}
	}
	return max(n+m.denied, m.opening)
}

// back tells that it is connected, and nothing it wants is without an answer.
func (m *Member) back() bool { return m.live.Load() && m.opened() }

func (m *Member) stopped(f *edgev1.Stopped) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range f.GetTopics() {
		m.lose(name, f.GetError())
	}
}

// lose goes on with a topic as its error's range says. It needs the lock.
func (m *Member) lose(name string, why *edgev1.Error) {
	m.crowd.refused(why.GetReason())
	if v := m.view(name); v != nil {
		v.Ended()
	}
	i := slices.IndexFunc(m.wants, func(w *edgev1.Want) bool { return w.GetTopic() == name })
	if i < 0 {
		return
	}
	t, w := m.topics[name], m.wants[i]
	switch code := why.GetCode(); {
	case code >= 300 && code < 320:
		m.opening++
		m.subscribe(w)
	case code >= 320 && code < 340:
		m.crowd.Counts.Resets.Add(1)
		if t != nil {
			t.begun = false
		}
		m.opening++
		m.subscribe(w)
	case code >= 200 && code < 300:
		m.opening++
		on := m.dialed
		time.AfterFunc(max(backoff, time.Duration(why.GetRetryAfterMs())*time.Millisecond), func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.dialed == on { // another connection has subscribed everything
				m.subscribe(w)
			}
		})
	case t != nil:
		t.gone = true
	default:
		m.denied++
	}
}

// subscribe subscribes a topic again, once the connection is there; if it is gone, the next one subscribes everything. It needs the lock.
func (m *Member) subscribe(w *edgev1.Want) {
	if !m.live.Load() {
		m.later = append(m.later, w)
		return
	}
	m.subscribes++
	conn, frame := m.conn, &edgev1.Subscribe{Id: m.subscribes, Wants: []*edgev1.Want{m.from(w)}}
	go func() { // the reading goroutine may not wait for a write
		_ = conn.Send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: frame}})
	}()
}
