package gateway

import (
	"sync"
	"time"
)

// stall is an alarm that runs only while somebody is waited for. It is stopped with certainty: what it does happens before stop returns,
// or not at all.
type stall struct {
	act func() // may not wait

	mu    sync.Mutex // guards all below, and is held by act
	timer *time.Timer
	turn  uint64 // of start and stop: an alarm of an earlier one is late
	over  bool
	rang  bool
}

// start has it ring after d, unless stop comes first.
func (s *stall) start(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.turn++
	turn := s.turn
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.turn == turn {
			s.rang = true
			s.act()
		}
	})
}

// stop ends the wait; end also every later one.
func (s *stall) stop() { s.halt(false) }

func (s *stall) end() { s.halt(true) }

func (s *stall) halt(over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	s.over = s.over || over
	if s.timer != nil {
		s.timer.Stop()
	}
}

func (s *stall) hasRung() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rang
}
