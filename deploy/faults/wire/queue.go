package wire

import (
	"container/heap"
	"time"
)

// queued is a packet on its way.
type queued struct {
	due    time.Time
	number uint64 // of equal due times, the earlier packet goes first
	packet []byte
}

// queue holds packets by the time at which they arrive.
type queue []queued

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].due.Before(q[j].due) || q[i].due.Equal(q[j].due) && q[i].number < q[j].number
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(queued)) } //nolint:forcetypeassert // container/heap's way
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = queued{}
	*q = old[:len(old)-1]
	return last
}

// take returns the packets that are due, in their order, and when the next one is; zero: none waits.
func (q *queue) take(now time.Time) (due [][]byte, next time.Time) {
	for q.Len() > 0 && !(*q)[0].due.After(now) {
		due = append(due, heap.Pop(q).(queued).packet) //nolint:forcetypeassert // as above
	}
	if q.Len() > 0 {
		next = (*q)[0].due
	}
	return due, next
}
