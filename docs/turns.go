package docs

import (
	"context"
	"slices"
	"sync"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
)

// turns gives places out to people's calls. Who wants more than are free waits, and people take turns, however many calls each has waiting: who asks
// for much waits behind themselves, and keeps nobody else out.
//
// Invariant: nobody waits for a free place who holds less than their share.
type turns struct {
	share int // of the places that one person may hold
	most  int // of one person's calls that may wait

	mu   sync.Mutex // guards all below
	free int
	line []*inLine // who holds places or waits; those who have had a turn go behind the others
}

// inLine is a person with the places that they hold, and their calls that wait.
type inLine struct {
	who     person
	held    int
	waiting []chan struct{} // in the order in which they came; closed when it is their turn
}

// person is somebody of a workspace.
type person struct{ workspace, user string }

func personOf(c auth.Caller) person { return person{c.Workspace, c.User} }

// turnTime is how long a call waits for its turn.
const turnTime = 2 * time.Second

func newTurns(places, share, most int) *turns { return &turns{share: share, most: most, free: places} }

// take waits for somebody's turn, and done gives the place back. ok: they got one, in time.
func (t *turns) take(ctx context.Context, who person) (done func(), ok bool) {
	t.mu.Lock()
	i := slices.IndexFunc(t.line, func(p *inLine) bool { return p.who == who })
	if i < 0 {
		i, t.line = len(t.line), append(t.line, &inLine{who: who})
	}
	p := t.line[i]
	done = func() { t.giveBack(p) }
	if t.free > 0 && p.held < t.share { // nobody waits who could have it
		t.free, p.held = t.free-1, p.held+1
		t.mu.Unlock()
		return done, true
	}
	if len(p.waiting) >= t.most {
		t.mu.Unlock()
		return nil, false
	}
	turn := make(chan struct{})
	p.waiting = append(p.waiting, turn)
	t.mu.Unlock()
	return done, t.wait(ctx, p, turn)
}

// wait waits for a turn. It returns false if none came in time.
func (t *turns) wait(ctx context.Context, p *inLine, turn chan struct{}) bool {
	limit := turnTime
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)-holdMargin) // the caller is told why
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(p.waiting, turn)
	if i < 0 { // it came at this moment
		return true
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	t.leave(p)
	return false
}

// giveBack gives a place back, for whoever is next.
func (t *turns) giveBack(p *inLine) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free, p.held = t.free+1, p.held-1
	i := slices.Index(t.line, p)
	t.line = append(slices.Delete(t.line, i, i+1), p)
	t.leave(p)
	for _, next := range t.line {
		if len(next.waiting) > 0 && next.held < t.share {
			t.free, next.held = t.free-1, next.held+1
			close(next.waiting[0])
			next.waiting = next.waiting[1:]
			return
		}
	}
}

// leave takes somebody out of the line who has nothing there any more; the caller holds mu.
func (t *turns) leave(p *inLine) {
	if p.held == 0 && len(p.waiting) == 0 {
		t.line = slices.DeleteFunc(t.line, func(o *inLine) bool { return o == p })
	}
}

// heavyWaiting is how many calls of one person may wait for a core.
const heavyWaiting = 16

// newHeavy are turns of what takes a core for long. It has places for half of the cores, and for two people at least; one person may hold half of them.
func newHeavy(cores int) *turns {
	places := max(2, cores/2)
	return newTurns(places, places/2, heavyWaiting)
}

// labour waits for the caller's turn to take a core for long; done gives it back.
func (s *Server) labour(ctx context.Context) (done func(), err error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // the chassis's own
	}
	done, ok := s.heavy.take(ctx, personOf(c))
	if !ok {
		return nil, errLabour
	}
	return done, nil
}
