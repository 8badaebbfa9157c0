package gateway

import (
	"sync"

	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// people are the sessions.
type people struct {
	mu       sync.Mutex // guards all below
	every    map[*session]struct{}
	sessions map[person]map[*session]who // that were welcomed
}

// enter lists a new session.
func (p *people) enter(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.every[s] = struct{}{}
}

type person struct{ workspace, user string }

// who is what a revocation is compared with; a refresh changes it.
type who struct {
	device string
	issued int64 // Unix ms
}

// userSessions is the part of MaxSessions that one user may have: 1/n.
const userSessions = 5

// admit counts a session to its user's, or tells that it has a new token. It returns false where the user has too many.
func (g *Gateway) admit(s *session) bool {
	p := &g.people
	p.mu.Lock()
	defer p.mu.Unlock()
	key := person{s.caller.Workspace, s.caller.User}
	if p.sessions[key] == nil {
		p.sessions[key] = map[*session]who{}
	}
	if _, known := p.sessions[key][s]; !known && len(p.sessions[key]) >= max(1, g.cfg.MaxSessions/userSessions) {
		return false
	}
	p.sessions[key][s] = who{s.caller.Device, s.caller.IssuedAt.UnixMilli()}
	return true
}

// forget takes a session that ends off the list.
func (g *Gateway) forget(s *session) {
	p := &g.people
	p.mu.Lock()
	defer p.mu.Unlock()
	key := person{s.caller.Workspace, s.caller.User}
	delete(p.every, s)
	delete(p.sessions[key], s)
	if len(p.sessions[key]) == 0 {
		delete(p.sessions, key)
	}
}

// revoked ends the sessions that a revocation means, whether or not their clients read.
func (g *Gateway) revoked(r *authv1.Revocation) {
	e := errTokenRefused
	if r.GetWipe() {
		e = errSessionRevoked
	}
	for _, s := range g.people.meant(r) {
		g.metrics.revoked.Inc()
		s.expel(e)
	}
}

func (p *people) meant(r *authv1.Revocation) (out []*session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	look := func(sessions map[*session]who) {
		for s, w := range sessions {
			if (r.GetDevice() == "" || r.GetDevice() == w.device) && w.issued < r.GetIssuedBeforeMs() {
				out = append(out, s)
			}
		}
	}
	if r.GetUser() != "" {
		look(p.sessions[person{r.GetWorkspace(), r.GetUser()}])
		return out
	}
	for key, sessions := range p.sessions {
		if key.workspace == r.GetWorkspace() {
			look(sessions)
		}
	}
	return out
}

// all returns every session.
func (p *people) all() []*session {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*session, 0, len(p.every))
	for s := range p.every {
		out = append(out, s)
	}
	return out
}
