package presence

import (
	"slices"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// reportSilence is how long a gateway may say nothing.
const reportSilence = 15 * time.Second

// gateway is one that tells of sessions, as long as its stream lasts.
type gateway struct {
	incarnation string
	connections map[uint64]owner
	complete    uint64 // the number of the placement by which it has told all; 0: it hasn't
	missed      bool   // it has told of somebody whom there was no room for
	heard       time.Time
	ended       chan struct{} // closed when another stream has taken this one's place, or nothing was heard

	answers map[uint64]visibility // of connections, as it is to be told; of each the newest
	kick    signal                // there are some
}

const (
	answerGap   = 100 * time.Millisecond // between two answers to one gateway, or half of it more or less
	answerBatch = 1000                   // connections in one
)

// owner is whose a connection is.
type owner struct {
	*person
	*session
}

// openStream has a gateway tell by a new stream. An earlier one ends.
func (h *hub) openStream(incarnation string, now time.Time) *gateway {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g := h.gateways[incarnation]; g != nil {
		h.endStream(g, now)
	}
	g := &gateway{
		incarnation: incarnation, connections: map[uint64]owner{}, heard: now, ended: make(chan struct{}), answers: map[uint64]visibility{}, kick: newSignal(),
	}
	h.gateways[incarnation] = g
	return g
}

// closeStream ends a gateway's stream.
func (h *hub) closeStream(g *gateway, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.endStream(g, now)
}

// endStream begins the time of grace for all that a gateway has told of.
func (h *hub) endStream(g *gateway, now time.Time) {
	if h.gateways[g.incarnation] != g {
		return
	}
	delete(h.gateways, g.incarnation)
	close(g.ended)
	sessions, left := map[*session]*person{}, map[*person]struct{}{}
	for number, w := range g.connections {
		sessions[w.session] = w.person
		if hiding := w.hiding; hiding != nil { // it lets nothing pass any more
			delete(hiding.waits, connection{g, number})
			left[w.person] = struct{}{}
		}
	}
	clear(g.connections)
	clear(g.answers)
	at := now
	if !h.frozen.IsZero() { // see session.left
		at = time.Time{}
	}
	for s, p := range sessions {
		s.connections = slices.DeleteFunc(s.connections, func(c connection) bool { return c.at == g })
		if len(s.connections) == 0 {
			s.connections, s.left = nil, at
			left[p] = struct{}{}
		}
	}
	for p := range left { // once each, however many sessions they have
		h.decide(p, now)
	}
}

// report takes in what a gateway tells. It returns false where another stream has taken this one's place.
func (h *hub) report(g *gateway, q *rosterv1.ReportRequest, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gateways[g.incarnation] != g {
		return false
	}
	g.heard = now
	for _, c := range q.GetOpened() {
		h.connect(g, c, now)
	}
	for _, d := range q.GetDeeds() {
		if w, ok := g.connections[d.GetNumber()]; ok {
			h.act(w.person, w.session, d.GetKinds(), ago(now, d.GetAgoS()), now)
		}
	}
	for _, a := range q.GetActs() {
		if p := h.people[personKey{a.GetWorkspace(), a.GetUser()}]; p != nil {
			for _, s := range slices.Clone(p.sessions) { // some may be taken off
				if s.token == a.GetDevice() {
					h.act(p, s, a.GetKinds(), ago(now, a.GetAgoS()), now)
				}
			}
		}
	}
	for _, e := range q.GetEnded() {
		h.signOut(personKey{e.GetWorkspace(), e.GetUser()}, e.GetDevice(), now)
	}
	for _, number := range q.GetHidden() {
		if w, ok := g.connections[number]; ok {
			h.confirmHidden(w.person, connection{g, number}, now)
		}
	}
	for _, number := range q.GetClosed() {
		h.disconnect(g, number, now)
	}
	if n := q.GetComplete(); n != 0 {
		g.complete = n
		if synced, hears := h.checkSynced(), h.listen(now); synced || hears {
			h.decideAll(now)
		}
	}
	return true
}

func ago(now time.Time, seconds uint32) time.Time {
	return now.Add(-time.Duration(seconds) * time.Second)
}

// signOut takes in that somebody was signed out on a device, or, if it is empty, everywhere: who hides, and has left as others see it, like who has left.
func (h *hub) signOut(k personKey, device string, now time.Time) {
	p := h.people[k]
	if p == nil {
		return
	}
	p.signOut(device)
	if p.departed != nil {
		p.departed.signOut(device)
	}
	h.decide(p, now)
}

// act takes in that something was done in a session, and of which kinds.
func (h *hub) act(p *person, s *session, kinds []edgev1.Doing, at, now time.Time) {
	if len(kinds) > 0 {
		h.noteDone(p, kinds, at, now)
		s.did(kinds, at)
	}
	was := s.active
	if h.touch(p, s, at, now); s.active.After(was) && now.Sub(was) >= h.cfg.Idle { // else nothing is seen of it, and what is planned comes early at worst
		h.decide(p, now)
	}
}

// answer has a gateway told whether a connection's person may be seen.
func (g *gateway) answer(number uint64, what visibility) {
	if g.answers[number] = what; len(g.answers) == 1 {
		g.kick.raise()
	}
}

// answers are what a gateway is to be told; nil: nothing.
func (h *hub) answers(g *gateway) *rosterv1.ReportResponse {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(g.answers) == 0 {
		return nil
	}
	res, n := &rosterv1.ReportResponse{}, 0
	for number, what := range g.answers {
		if n++; n > answerBatch {
			g.kick.raise()
			break
		}
		if delete(g.answers, number); what == shown {
			res.Shown = append(res.Shown, number)
		} else {
			res.Hidden = append(res.Hidden, number)
			if w, ok := g.connections[number]; ok {
				h.noteAnnounced(w.person, connection{g, number})
			}
		}
	}
	return res
}

// connect takes in one connection; also of somebody whose home is elsewhere: where processes are may not be known here yet.
func (h *hub) connect(g *gateway, c *rosterv1.Connection, now time.Time) {
	k := personKey{c.GetWorkspace(), c.GetUser()}
	if _, known := g.connections[c.GetNumber()]; known {
		return
	}
	p := h.person(k)
	if p == nil {
		if g.missed = true; h.listen(now) {
			h.decideAll(now)
		}
		return
	}
	s := p.session(c.GetSession())
	if s == nil && len(p.sessions) >= maxSessions {
		s = h.evictSession(p, now)
	}
	if s == nil {
		s = &session{id: c.GetSession(), heardAt: now, from: now.Add(-time.Duration(c.GetAgeS()) * time.Second)}
		p.sessions = append(p.sessions, s)
	}
	switch {
	case c.IdleS != nil:
		h.touch(p, s, ago(now, c.GetIdleS()), now)
	case s.active.IsZero(): // else it stays as it was: who asks again and again, or comes back by itself, is not there for it
		h.touch(p, s, ago(now, c.GetAgeS()), now)
	}
	s.signedOut = false
	if s.id == c.GetSession() {
		s.program, s.device, s.country, s.token = c.GetProgram(), device(c.GetAgent(), c.GetProgram()), countryOf(c.GetCountry()), c.GetDevice()
	}
	s.connections = append(s.connections, connection{g, c.GetNumber()})
	p.doubted = false
	g.connections[c.GetNumber()] = owner{p, s}
	if p.loaded && p.visibility != untold {
		g.answer(c.GetNumber(), p.visibility)
	}
	h.decide(p, now)
}

// evictSession makes room for another session of somebody who has as many as may be: the one that left first is forgotten. Where all have connections it
// returns the one in which something was done last, for the connection to count as one more of it.
func (h *hub) evictSession(p *person, now time.Time) *session {
	var first, last *session
	for _, s := range p.sessions {
		switch {
		case len(s.connections) > 0:
			if last == nil || s.active.After(last.active) {
				last = s
			}
		case first == nil || s.left.Before(first.left):
			first = s
		}
	}
	if first == nil {
		return last
	}
	h.endStretch(p, first, now)
	p.sessions = slices.DeleteFunc(p.sessions, func(s *session) bool { return s == first })
	return nil
}

// disconnect ends one connection.
func (h *hub) disconnect(g *gateway, number uint64, now time.Time) {
	w, ok := g.connections[number]
	if !ok {
		return
	}
	delete(g.connections, number)
	delete(g.answers, number)
	s := w.session
	for i, c := range s.connections {
		if c.at == g && c.number == number {
			s.connections = append(s.connections[:i], s.connections[i+1:]...)
			break
		}
	}
	if len(s.connections) == 0 {
		s.connections, s.left = nil, now
		h.decide(w.person, now)
	}
	h.confirmHidden(w.person, connection{g, number}, now)
}
