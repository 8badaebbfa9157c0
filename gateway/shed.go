package gateway

import (
	"math"
	"math/rand/v2"
	"runtime/debug"
	sampled "runtime/metrics"
	"sync"
	"time"

	"plenum.internal/mesh/rpc"
)

// shedder tells when the process is short of memory. Then the gateway takes nothing new, sessions and calls without a token, so that the
// sessions that it has go on. It ends below shedLess of where it began, so that it doesn't flap.
//
// Memory is what is live: the heap that the last collection has left, and stacks. Garbage says nothing: there is as much of it as the
// collector is allowed to leave. Processor time is no signal: all come back after an outage, and should, however busy that is; who can't be
// served then piles up in max_calls.
type shedder struct {
	limit uint64 // bytes; 0: it never is
	live  func() uint64

	mu    sync.Mutex // guards all below
	asked time.Time
	used  uint64 // as of asked
	short bool   // likewise
}

const (
	shedEvery  = 250 * time.Millisecond // how old an answer may be
	shedLess   = 7.0 / 8                // of the limit
	shedTime   = 5 * time.Second        // until who was refused is to come back, at the least
	shedSpread = 10 * time.Second       // and over how long they do
	limitPart  = 3.0 / 4                // of GOMEMLIMIT, where nothing else is configured
)

func newShedder(bytes int) *shedder {
	s := &shedder{limit: uint64(bytes), live: liveBytes}
	if all := debug.SetMemoryLimit(-1); bytes == 0 && all < math.MaxInt64 {
		s.limit = uint64(float64(all) * limitPart)
	}
	return s
}

// look returns what is used, and whether that is too much.
func (s *shedder) look() (used uint64, short bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.asked) >= shedEvery {
		s.asked, s.used = now, s.live()
		most := s.limit
		if s.short {
			most = uint64(float64(most) * shedLess)
		}
		s.short = s.limit > 0 && s.used > most
	}
	return s.used, s.short
}

// sheds returns the refusal as that what is new gets while memory is short, else nil.
func (g *Gateway) sheds(what string, as *rpc.Error) *rpc.Error {
	if _, short := g.shedder.look(); !short {
		return nil
	}
	g.metrics.shed.WithLabelValues(what).Inc()
	return as.RetryIn(shedTime + rand.N(shedSpread))
}

// liveBytes is the memory that the process needs. Reading it stops nobody.
func liveBytes() uint64 {
	of := []sampled.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	sampled.Read(of)
	return of[0].Value.Uint64() + of[1].Value.Uint64()
}
