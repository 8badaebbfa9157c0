package crowd

import (
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Viewer is a member that follows views, and tells when it comes and goes.
type Viewer struct {
	m      *Member
	person Person
	views  map[string]View
	active time.Time // when its person did something last
	stays  bool      // away, once it has lost the connection
}

// View is a topic of the class VIEW. Its methods are called under its member's lock.
type View interface {
	// Want is what to subscribe, from where it stands.
	Want() *edgev1.Want
	// Began is called when it is subscribed, and Ended when that is over, as the connection is.
	Began(now time.Time)
	Ended()
	// Take takes one frame.
	Take(f *edgev1.View, now time.Time)
}

// Person is told when a member's connection is tried, begins and ends, under the member's lock.
type Person interface {
	Comes()
	Came(now time.Time)
	Left(now time.Time, how Ending)
}

// Ending is how a connection ends.
type Ending int

// Endings.
const (
	Cut  Ending = iota // by the client: the gateway notices at once
	Lost               // by the gateway, which may have died
	Dead               // not at all: the client has fallen silent
)

// AddViewer makes a member that follows views besides what it wants, whose person has done nothing for a while.
func (c *Crowd) AddViewer(acc *account.Account, p Person, idle time.Duration, wants []*edgev1.Want, views ...View) *Viewer {
	v := &Viewer{person: p, views: map[string]View{}, active: time.Now().Add(-idle)}
	for _, view := range views {
		w := view.Want()
		wants = append(wants, w)
		v.views[w.GetTopic()] = view
	}
	v.m = c.Add(acc, wants...)
	v.m.viewer = v
	for name := range v.views {
		delete(v.m.topics, name)
	}
	return v
}

// view is the member's view of a topic; nil: it has none.
func (m *Member) view(topic string) View {
	if m.viewer == nil {
		return nil
	}
	return m.viewer.views[topic]
}

// viewed takes a frame of a view.
func (m *Member) viewed(f *edgev1.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.view(f.GetTopic()); v != nil {
		m.crowd.Counts.Events.Add(uint64(len(f.GetEntries())))
		v.Take(f, time.Now())
	}
}

// idle is for how long the person has done nothing. It needs the lock.
func (m *Member) idle() time.Duration {
	if m.viewer == nil {
		return 0
	}
	return time.Since(m.viewer.active)
}

// comes, came and left tell the person. They need the lock.
func (m *Member) comes() {
	if m.viewer != nil {
		m.viewer.person.Comes()
	}
}

func (m *Member) came(now time.Time) {
	if m.viewer != nil {
		m.viewer.person.Came(now)
	}
}

func (m *Member) left(now time.Time, how Ending) {
	v := m.viewer
	if v == nil {
		return
	}
	v.person.Left(now, how)
	for _, view := range v.views {
		view.Ended()
	}
	if v.stays {
		m.depart()
	}
}

func (m *Member) depart() {
	if !m.gone.Swap(true) {
		m.crowd.Gone.Add(1)
	}
}

// Here tells whether it is connected.
func (v *Viewer) Here() bool { return v.m.live.Load() }

// Busy tells whether a call of its is under way.
func (v *Viewer) Busy() bool { return v.m.Unacked() > 0 }

// Stay has it stay away for good, should it lose the connection.
func (v *Viewer) Stay() {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.stays = true
}

// Never is how long who leaves for good stays away.
const Never = -1

// Pause breaks the connection without a word; it comes back after a while, or Never.
func (v *Viewer) Pause(d time.Duration) {
	v.m.mu.Lock()
	if !v.m.live.Load() {
		v.m.mu.Unlock()
		return
	}
	v.left(Cut)
	if v.m.pause = d; d == Never {
		v.m.depart()
	}
	v.m.mu.Unlock()
	v.m.Cut()
}

// Die has it fall silent for good, without ending the connection.
func (v *Viewer) Die() {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	if v.m.live.Swap(false) {
		v.m.depart()
		v.m.conn.Die()
		v.left(Dead)
	}
}

func (v *Viewer) left(how Ending) { v.m.left(time.Now(), how) }

// Act has its person do something, as a client says that keys were touched.
func (v *Viewer) Act() (at time.Time) {
	v.m.mu.Lock()
	conn := v.m.conn
	at = time.Now()
	v.active = at
	v.m.mu.Unlock()
	if conn != nil && v.m.live.Load() {
		_ = conn.Send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Active: true}}}) // the next connection says so, too
	}
	return at
}

// Mutate makes a call, which counts as doing something; took is called with its answer, under the member's lock.
func (v *Viewer) Mutate(due time.Time, method string, body proto.Message, took func(now time.Time)) {
	v.m.mu.Lock()
	v.active = time.Now()
	v.m.mu.Unlock()
	v.m.mutate(due, method, func([]byte) error { took(time.Now()); return nil }, func(uint64) proto.Message { return body })
}
