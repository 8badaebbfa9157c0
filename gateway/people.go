package gateway

import (
	"sync"
	"sync/atomic"

	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// people are the sessions.
type people struct {
	mu       sync.Mutex // guards all below, and the listed of every session
	every    map[*session]struct{}
	sessions map[person]*fellows // that were welcomed
}

// fellows are the sessions of one user: a list through session.listed, and its length.
type fellows struct {
	first *session
	n     int // Invariant: more than 0
	// showing is a showing. It is the person's, so that it is known in a session that lasts for one request.
	showing atomic.Int32
}

// listed is a session's place among its fellows, and what a revocation is compared with; a refresh changes that.
type listed struct {
	among      *fellows // nil: not yet
	prev, next *session
	device     string
	issued     int64 // Unix ms
}

// enter lists a new session.
func (p *people) enter(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.every[s] = struct{}{}
}

type person struct{ workspace, user string }

// admit counts a session to its user's, or tells that it has a new token. It returns false where the user has too many.
func (g *Gateway) admit(s *session) bool {
	p := &g.people
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.listed.among == nil {
		key := person{s.caller.Workspace, s.caller.User}
		all := p.sessions[key]
		switch {
		case all == nil:
			all = &fellows{}
			p.sessions[key] = all
		case all.n >= g.cfg.MaxSessionsUser:
			return false
		default:
			all.first.listed.prev = s
		}
		s.listed = listed{among: all, next: all.first}
		all.first = s
		all.n++
	}
	s.listed.device, s.listed.issued = s.caller.Device, s.caller.IssuedAt.UnixMilli()
	return true
}

// forget takes a session that ends off the list.
func (g *Gateway) forget(s *session) {
	p := &g.people
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.every, s)
	l := s.listed
	if l.among == nil {
		return
	}
	if l.prev != nil {
		l.prev.listed.next = l.next
	} else {
		l.among.first = l.next
	}
	if l.next != nil {
		l.next.listed.prev = l.prev
	}
	if l.among.n--; l.among.n == 0 {
		delete(p.sessions, person{s.caller.Workspace, s.caller.User})
	}
	s.listed = listed{}
}

// revoked ends the sessions that a revocation means, whether or not their clients read, and what is being transferred.
func (g *Gateway) revoked(r *authv1.Revocation) {
	g.exchanges.revoke(r)
	e := errTokenRefused
	if r.GetWipe() {
		e = errSessionRevoked
	}
	if r.GetEnds() && r.GetUser() != "" {
		g.roster.ended(outsider{r.GetWorkspace(), r.GetUser(), r.GetDevice()})
	}
	for _, s := range g.people.meant(r) {
		g.metrics.revoked.Inc()
		s.expel(e)
	}
}

func (p *people) meant(r *authv1.Revocation) (out []*session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	look := func(all *fellows) {
		for s := all.first; s != nil; s = s.listed.next {
			if (r.GetDevice() == "" || r.GetDevice() == s.listed.device) && s.listed.issued < r.GetIssuedBeforeMs() {
				out = append(out, s)
			}
		}
	}
	if r.GetUser() != "" {
		if all := p.sessions[person{r.GetWorkspace(), r.GetUser()}]; all != nil {
			look(all)
		}
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
