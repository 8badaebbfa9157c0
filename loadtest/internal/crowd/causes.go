package crowd

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

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

// lookForCauses notes what a message depends on and has not come yet. It needs the lock.
func (m *Member) lookForCauses(body []byte, now time.Time) {
	var event chatv1.ChannelEvent
	if proto.Unmarshal(body, &event) != nil {
		return
	}
	for _, d := range event.GetPosted().GetContext() {
		t := m.topics[d.GetTopic()]
		if t != nil {
			m.crowd.Causes.Add(1)
		}
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
