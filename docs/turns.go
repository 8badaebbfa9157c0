package docs

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"plenum.internal/mesh/auth"
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

// turn waits for the turn of whoever calls, and done gives the place back. The service itself takes none.
func (t *turns) turn(ctx context.Context) (done func(), err error) {
	c, ok := auth.FromContext(ctx)
	if !ok {
		return func() {}, nil
	}
	done, ok = t.take(ctx, person{c.Workspace, c.User})
	if !ok {
		return nil, errTurn
	}
	return done, nil
}

// newLongTurns are of what takes a core for long: half of the cores, and two at least, so that one person, who may hold half of them, leaves some.
func newLongTurns(waiting int) *turns {
	places := max(2, runtime.GOMAXPROCS(0)/2)
	return newTurns(places, places/2, waiting)
}

// newSessionTurns are of a session's mailbox: what one person has in it is worked off before the next person's in a few milliseconds.
func newSessionTurns(underWay int) *turns {
	const share = 4
	return newTurns(mailbox, share, max(mailbox, underWay/shares))
}
