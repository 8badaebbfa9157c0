package gateway

import (
	"sync"
	"time"
)

// windows are the flush windows that are open. All take the same time, so they end in the order in which they were opened, and one timer
// serves them all.
type windows struct {
	length time.Duration
	clock  *alarms

	mu    sync.Mutex // guards all below; nobody blocks while holding it
	open  []window   // at most one for each session, the oldest first
	spare []window   // for the next round, empty
	timer *time.Timer
	armed bool // timer is set
}

type window struct {
	end time.Duration
	s   *session
}

// spareWindows are kept for the next round; what a burst needs beyond is given back.
const spareWindows = 4096

// begin opens a session's window.
func (w *windows) begin(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = append(w.open, window{w.clock.now() + w.length, s})
	if !w.armed {
		w.arm(w.length)
	}
}

// arm needs the lock.
func (w *windows) arm(after time.Duration) {
	w.armed = true
	if w.timer == nil {
		w.timer = time.AfterFunc(after, w.close)
		return
	}
	w.timer.Reset(after)
}

// close ends the windows whose time is over.
func (w *windows) close() {
	w.mu.Lock()
	over, n := w.open, 0
	for now := w.clock.now(); n < len(over) && over[n].end <= now; n++ {
	}
	w.open, w.spare = append(w.spare, over[n:]...), nil
	if w.armed = len(w.open) > 0; w.armed {
		w.arm(w.open[0].end - w.clock.now())
	}
	w.mu.Unlock()
	for _, x := range over[:n] {
		x.s.windowEnds()
	}
	if clear(over); cap(over) <= spareWindows {
		w.mu.Lock()
		w.spare = over[:0]
		w.mu.Unlock()
	}
}
