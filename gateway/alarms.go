package gateway

import (
	"sync"
	"time"
)

// alarms wake sessions: each has one time at most, in one heap for all, and one timer of the runtime's stands for them. A timer for each
// session, with its function and its place in the runtime's own heap, would take ten times the memory.
type alarms struct {
	begin time.Time // what the times count from, by the monotonic clock

	mu    sync.Mutex // guards all below, and session.alarm
	heap  []alarm    // Invariant: no alarm is before its parent, at (i-1)/2
	timer *time.Timer
	next  time.Duration // when timer fires; 0: it is not set
}

type alarm struct {
	at time.Duration
	s  *session
}

func newAlarms() *alarms { return &alarms{begin: time.Now()} }

// now is never 0.
func (a *alarms) now() time.Duration { return time.Since(a.begin) + 1 }

// set makes the session tick at a time, and not at the one that was set before.
func (a *alarms) set(s *session, at time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.alarm == 0 {
		a.heap = append(a.heap, alarm{})
		s.alarm = len(a.heap)
	}
	i := s.alarm - 1
	a.heap[i] = alarm{at, s}
	a.down(a.up(i))
	a.arm()
}

// clear takes back what was set.
func (a *alarms) clear(s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.alarm != 0 {
		a.remove(s.alarm - 1)
	}
}

// arm needs the lock. A timer that is set too early finds nothing to do.
func (a *alarms) arm() {
	if len(a.heap) == 0 || a.next != 0 && a.next <= a.heap[0].at {
		return
	}
	a.next = a.heap[0].at
	if a.timer == nil {
		a.timer = time.AfterFunc(a.next-a.now(), a.ring)
		return
	}
	a.timer.Reset(a.next - a.now())
}

func (a *alarms) ring() {
	var due []*session
	a.mu.Lock()
	a.next = 0
	for now := a.now(); len(a.heap) > 0 && a.heap[0].at <= now; {
		due = append(due, a.heap[0].s)
		a.remove(0)
	}
	a.arm()
	a.mu.Unlock()
	for _, s := range due {
		s.tick()
	}
}

// remove needs the lock.
func (a *alarms) remove(i int) {
	a.heap[i].s.alarm = 0
	last := len(a.heap) - 1
	moved := a.heap[last]
	a.heap[last] = alarm{}
	a.heap = a.heap[:last]
	if i < last {
		a.put(i, moved)
		a.down(a.up(i))
	}
}

// put needs the lock.
func (a *alarms) put(i int, x alarm) {
	a.heap[i] = x
	x.s.alarm = i + 1
}

// up moves an alarm before its parents as far as it is earlier, and returns where it is then. It needs the lock.
func (a *alarms) up(i int) int {
	x := a.heap[i]
	for i > 0 && x.at < a.heap[(i-1)/2].at {
		a.put(i, a.heap[(i-1)/2])
		i = (i - 1) / 2
	}
	a.put(i, x)
	return i
}

// down is the opposite of up.
func (a *alarms) down(i int) {
	x := a.heap[i]
	for child := 2*i + 1; child < len(a.heap); child = 2*i + 1 {
		if other := child + 1; other < len(a.heap) && a.heap[other].at < a.heap[child].at {
			child = other
		}
		if x.at <= a.heap[child].at {
			break
		}
		a.put(i, a.heap[child])
		i = child
	}
	a.put(i, x)
}
