package password

import "sync"

// queue counts who waits for a turn, or has it.
//
// Invariant: a sender takes a place only while it has fewer than are free. So one alone gets half of the queue at the most, each further
// one half of what is left, and as places are given back the shares become equal: who comes anew finds a place while others press.
// (Dynamic thresholds: A. K. Choudhury, E. L. Hahne, 1998.)
type queue struct {
	places int

	mu    sync.Mutex     // guards all below
	taken int            // of all senders
	by    map[string]int // of each; none where nobody waits
}

// enter takes a place for a sender (empty: a part of the mesh, which has no share) and returns how many there are with it, or false.
func (q *queue) enter(sender string) (taken int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	free := q.places - q.taken
	if free <= 0 || sender != "" && q.by[sender] >= free {
		return q.taken + 1, false
	}
	q.taken++
	q.by[sender]++
	return q.taken, true
}

func (q *queue) leave(sender string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken--
	if q.by[sender]--; q.by[sender] == 0 {
		delete(q.by, sender)
	}
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taken
}
