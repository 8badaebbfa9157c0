package presence

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"plenum.internal/mesh/registry"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

const (
	mirrorPatience = 2 * time.Second        // without a word from a home, before what it told is not known any more
	mirrorPause    = 200 * time.Millisecond // before a home is asked again, and as long again at random
	mirrorBatch    = 1000                   // people in one message
)

// mirror is what another process tells of the people whose home it is.
type mirror struct {
	home   registry.Node
	people map[personKey]*person
	todo   map[personKey]bool // to be watched, true, or not any more
	kick   signal             // there is something to do
	lost   bool               // the home was not heard of for too long

	failing bool // the last stream ended as soon as it began; belongs to followHome
}

// setMirror has somebody told of by their home, if that is elsewhere, as long as anybody looks at them, and for a while after.
func (h *hub) setMirror(p *person) {
	var m *mirror
	if home := h.placement.Home(p.key.route()); (len(p.watches) > 0 || p.lingers != nil) && home.ID != "" && home.ID != h.self && h.people[p.key] == p {
		if m = h.mirrors[home]; m == nil {
			m = &mirror{home: home, people: map[personKey]*person{}, todo: map[personKey]bool{}, kick: newSignal()}
			h.mirrors[home] = m
			h.mirrored.raise()
		}
	}
	if p.mirror == m {
		return
	}
	if old := p.mirror; old != nil {
		old.want(p.key, false)
		if delete(old.people, p.key); len(old.people) == 0 {
			h.mirrored.raise()
		}
	}
	if p.mirror = m; m != nil {
		p.mirrorTold = false
		m.people[p.key] = p
		m.want(p.key, true)
	}
}

func (m *mirror) want(k personKey, watched bool) {
	m.todo[k] = watched
	m.kick.raise()
}

// followHomes has each home that people are watched at followed, until ctx ends.
func (s *Server) followHomes(ctx context.Context) {
	type follower struct {
		*mirror
		end context.CancelFunc
	}
	running := map[registry.Node]follower{}
	for {
		s.hub.mu.Lock()
		placed := s.hub.placement.Nodes()
		maps.DeleteFunc(s.hub.mirrors, func(n registry.Node, m *mirror) bool { return len(m.people) == 0 && !slices.Contains(placed, n) })
		wanted := maps.Clone(s.hub.mirrors)
		s.hub.mu.Unlock()
		for n, m := range wanted {
			if running[n].mirror != m {
				ctx, end := context.WithCancel(ctx)
				running[n] = follower{m, end}
				s.tasks.Go(func() { s.followHome(ctx, m) })
			}
		}
		for n, f := range running {
			if wanted[n] != f.mirror {
				f.end()
				delete(running, n)
			}
		}
		select {
		case <-s.hub.mirrored:
		case <-ctx.Done():
			for _, f := range running {
				f.end()
			}
			return
		}
	}
}

// followHome watches people at their home until ctx ends.
func (s *Server) followHome(ctx context.Context, m *mirror) {
	lost := time.AfterFunc(mirrorPatience, func() { s.hub.loseMirror(m, time.Now()) })
	defer lost.Stop()
	for ctx.Err() == nil {
		began := time.Now()
		err := s.watchAt(ctx, m, lost)
		if fails := time.Since(began) < mirrorPatience; ctx.Err() == nil && (!fails || !m.failing) {
			s.logger.WarnContext(ctx, "a home can't be asked; asked again until it can", "node", m.home.ID, "error", err)
			m.failing = fails
		}
		select {
		case <-time.After(mirrorPause + rand.N(mirrorPause)):
		case <-ctx.Done():
		}
	}
}

// watchAt watches them by one stream. Each word from there sets a timer anew, by which they are lost.
func (s *Server) watchAt(ctx context.Context, m *mirror, lost *time.Timer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(mirrorPatience, cancel)
	defer silent.Stop()
	cc, err := s.peers.Conn(m.home.Incarnation)
	if err != nil {
		return err
	}
	stream, err := presencev1.NewHomeServiceClient(cc).Watch(ctx)
	if err != nil {
		return fmt.Errorf("presence: watch: %w", err)
	}
	s.hub.mu.Lock()
	m.todo = map[personKey]bool{}
	for k := range m.people {
		m.todo[k] = true
	}
	s.hub.mu.Unlock()
	var asking sync.WaitGroup
	asking.Go(func() {
		if err := s.askHome(ctx, m, stream.Send); err != nil {
			cancel()
		}
	})
	defer asking.Wait()
	defer cancel()
	for {
		res, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("presence: watch: %w", err)
		}
		lost.Reset(mirrorPatience)
		silent.Reset(mirrorPatience)
		s.hub.receive(m, res)
	}
}

// askHome tells a home who is watched, until ctx ends.
func (s *Server) askHome(ctx context.Context, m *mirror, send func(*presencev1.WatchRequest) error) error {
	for {
		q := &presencev1.WatchRequest{}
		s.hub.mu.Lock()
		for k, watched := range m.todo {
			if len(q.GetWatch())+len(q.GetForget()) == mirrorBatch {
				break
			}
			delete(m.todo, k)
			if who := (&presencev1.Person{Workspace: k.workspace, User: k.user}); watched {
				q.Watch = append(q.Watch, who)
			} else {
				q.Forget = append(q.Forget, who)
			}
		}
		s.hub.mu.Unlock()
		if len(q.GetWatch())+len(q.GetForget()) > 0 {
			if err := send(q); err != nil {
				return err
			}
			continue
		}
		select {
		case <-m.kick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receive takes in what a home tells.
func (h *hub) receive(m *mirror, res *presencev1.WatchResponse) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.lost = false
	for _, seen := range res.GetSeen() {
		p := m.people[personKey{seen.GetPerson().GetWorkspace(), seen.GetPerson().GetUser()}]
		if p == nil { // not any more
			continue
		}
		p.mirrorTold = true
		p.known = seen.GetStatus().GetState() != presencev1.State_STATE_UNSPECIFIED
		h.publish(p, encode(seen.GetStatus()))
		h.setHidden(p, seen.GetHidden())
	}
}

// loseMirror has all that a home told of told as not known.
func (h *hub) loseMirror(m *mirror, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.lost = true
	for _, p := range m.people {
		h.setUnknown(p, now)
	}
}
