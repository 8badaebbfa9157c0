package crowd

import (
	"sync"
	"sync/atomic"
	"time"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/edge"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
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
	gone     atomic.Bool // for good: it doesn't come back

	mu          sync.Mutex     // guards all below
	conn        *edge.Conn     // nil: none
	attempt     int            // to connect, without success
	connections int            // that were made
	moves       int            // to other gateways
	pause       time.Duration  // before it comes back; 0: as clients wait
	since       time.Time      // when the connection was due, or was lost
	dialed      int            // connections that were tried
	opening     int            // wants of this connection that are neither subscribed nor refused for good
	complete    bool           // there were none such, once
	denied      int            // topics in mode HEADS that this connection was refused for good
	later       []*edgev1.Want // to subscribe again once the connection is there
	subscribes  uint32         // the id of the last Subscribe
	topics      map[string]*topic
	seq         uint64
	calls       map[uint32]*send
	unacked     []*send // ascending by seq
	causes      []cause // that have not come
	editor      *Editor // nil: it writes messages
	viewer      *Viewer // nil: it looks at nobody
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
	if m.editor != nil {
		m.editor.told(e.Offset, e.Mutation, e.Body, now)
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
	if t.marks != nil && t.storedBefore([2]uint64{uint64(mark.publisher), mark.seq}, e.Offset) {
		m.crowd.Counts.Doubled.Add(1)
	}
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
	case *edgev1.ServerFrame_Signal:
		m.crowd.Signals.Add(1)
	case *edgev1.ServerFrame_View:
		m.viewed(f.View)
	}
}
