package crowd

import (
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
}

// want is the topic, from where its reader stands.
func (t *topic) want(name string) *edgev1.Want {
	return &edgev1.Want{Topic: name, Mode: edgev1.Mode_MODE_EVENTS, Cursor: &edgev1.Cursor{Epoch: t.epoch, Offset: t.reader.Cursor()}}
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
