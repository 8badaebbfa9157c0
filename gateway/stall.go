package gateway

import (
	"sync"
	"time"
)

// stall is an alarm that runs only while somebody is waited for. It is stopped with certainty: what it does happens before stop returns,
// or not at all. It is started and stopped for each chunk of a body: so its timer is left alone until it fires, and is set again then.
type stall struct {
	act func() // may not wait

	mu    sync.Mutex // guards all below, and is held by act
	timer *time.Timer
	fires time.Time // the timer does; zero: it is not set
	due   time.Time // the alarm is; zero: nobody is waited for
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
	now := time.Now()
	s.due = now.Add(d)
	if s.fires.IsZero() || s.due.Before(s.fires) {
		s.set(now)
	}
}

// set needs the lock.
func (s *stall) set(now time.Time) {
	s.fires = s.due
	if s.timer == nil {
		s.timer = time.AfterFunc(s.due.Sub(now), s.fire)
	} else {
		s.timer.Reset(s.due.Sub(now))
	}
}

func (s *stall) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fires = time.Time{}
	switch now := time.Now(); {
	case s.due.IsZero():
	case now.Before(s.due):
		s.set(now)
	default:
		s.rang = true
		s.act()
	}
}

// stop ends the wait.
func (s *stall) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = time.Time{}
}

// end ends also every later one.
func (s *stall) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due, s.over = time.Time{}, true
	if s.timer != nil {
		s.timer.Stop()
	}
}

func (s *stall) hasRung() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rang
}
