package gateway

import (
	"context"
	"runtime"
	"sync/atomic"
)

// turners are goroutines that run turns. A few of those that have run one stay for the next: their stacks have grown by then, which takes
// longer than what most turns do.
type turners struct {
	ended context.Context //nolint:containedctx // the gateway's: nobody stays behind it
	next  chan *session   // unbuffered: who takes from it has nothing else to do
	idle  atomic.Int32    // Invariant: at most as many as may stay
	stay  int32
}

func newTurners(ended context.Context) *turners {
	return &turners{ended: ended, next: make(chan *session), stay: int32(4 * runtime.GOMAXPROCS(0))}
}

// turn has a session's turn run, at once.
func (t *turners) turn(s *session) {
	select {
	case t.next <- s:
	default:
		go t.run(s)
	}
}

func (t *turners) run(s *session) {
	for {
		s.turns()
		if t.idle.Add(1) > t.stay {
			t.idle.Add(-1)
			return
		}
		select {
		case s = <-t.next:
			t.idle.Add(-1)
		case <-t.ended.Done():
			t.idle.Add(-1)
			return
		}
	}
}
