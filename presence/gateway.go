package presence

import (
	"time"

	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// reportSilence is how long a gateway may say nothing.
const reportSilence = 15 * time.Second

// gateway is one that tells of sessions, as long as its stream lasts.
type gateway struct {
	incarnation string
	connections map[uint64]whose
	complete    uint64 // the number of the placement by which it has told all; 0: it hasn't
	missed      bool   // it has told of somebody whom there was no room for
	heard       time.Time
	ended       chan struct{} // closed when another stream has taken this one's place, or nothing was heard
}

// whose is a connection's session.
type whose struct {
	*person
	id string
}

// begin has a gateway tell by a new stream. An earlier one ends.
func (h *house) begin(incarnation string, now time.Time) *gateway {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g := h.gateways[incarnation]; g != nil {
		h.end(g, now)
	}
	g := &gateway{incarnation: incarnation, connections: map[uint64]whose{}, heard: now, ended: make(chan struct{})}
	h.gateways[incarnation] = g
	return g
}

// part ends a gateway's stream.
func (h *house) part(g *gateway, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end(g, now)
}

// end begins the time of grace for all that a gateway has told of.
func (h *house) end(g *gateway, now time.Time) {
	if h.gateways[g.incarnation] != g {
		return
	}
	delete(h.gateways, g.incarnation)
	close(g.ended)
	for number := range g.connections {
		h.disconnect(g, number, now)
	}
}

// report takes in what a gateway tells. It returns false where another stream has taken this one's place.
func (h *house) report(g *gateway, q *rosterv1.ReportRequest, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gateways[g.incarnation] != g {
		return false
	}
	g.heard = now
	for _, c := range q.GetOpened() {
		h.connect(g, c, now)
	}
	for _, number := range q.GetActive() {
		if w, ok := g.connections[number]; ok {
			s := w.sessions[w.id]
			was := s.active
			if h.touch(w.person, w.id, s, now, now); now.Sub(was) >= h.cfg.Idle { // else nothing is seen of it, and what is planned comes early at worst
				h.look(w.person, now)
			}
		}
	}
	for _, d := range q.GetDeeds() {
		if w, ok := g.connections[d.GetNumber()]; ok {
			w.sessions[w.id].did(d.GetKinds(), now)
		}
	}
	for _, number := range q.GetClosed() {
		h.disconnect(g, number, now)
	}
	if n := q.GetComplete(); n != 0 {
		g.complete = n
		if whole, hears := h.count(), h.listen(now); whole || hears {
			h.again(now)
		}
	}
	return true
}

// connect takes in one connection; also of somebody whose home is elsewhere: where processes are may not be known here yet.
func (h *house) connect(g *gateway, c *rosterv1.Connection, now time.Time) {
	k := personKey{c.GetWorkspace(), c.GetUser()}
	if _, known := g.connections[c.GetNumber()]; known {
		return
	}
	p := h.person(k)
	if p == nil {
		if g.missed = true; h.listen(now) {
			h.again(now)
		}
		return
	}
	if p.sessions == nil {
		p.sessions = map[string]*session{}
	}
	s := p.sessions[c.GetSession()]
	if s == nil {
		s = &session{told: now, from: now.Add(-time.Duration(c.GetAgeS()) * time.Second)}
		p.sessions[c.GetSession()] = s
	}
	h.touch(p, c.GetSession(), s, now.Add(-time.Duration(c.GetIdleS())*time.Second), now)
	s.device = device(c.GetAgent(), c.GetProgram())
	s.connections = append(s.connections, connection{g, c.GetNumber()})
	g.connections[c.GetNumber()] = whose{p, c.GetSession()}
	h.look(p, now)
}

// disconnect ends one connection.
func (h *house) disconnect(g *gateway, number uint64, now time.Time) {
	w, ok := g.connections[number]
	if !ok {
		return
	}
	delete(g.connections, number)
	s := w.sessions[w.id]
	for i, c := range s.connections {
		if c.at == g && c.number == number {
			s.connections = append(s.connections[:i], s.connections[i+1:]...)
			break
		}
	}
	if len(s.connections) == 0 {
		s.connections, s.left = nil, now
		h.look(w.person, now)
	}
}
