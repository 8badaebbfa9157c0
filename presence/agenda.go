package presence

import (
	"container/heap"
	"time"
)

// plan sets when it is to be decided anew what is seen of somebody; the zero time: never.
func (h *hub) plan(p *person, at time.Time) {
	if at.Equal(p.next) && at.IsZero() == (p.place < 0) {
		return
	}
	p.next = at
	switch {
	case at.IsZero() && p.place >= 0:
		heap.Remove(&h.due, p.place)
	case at.IsZero():
	case p.place >= 0:
		heap.Fix(&h.due, p.place)
	default:
		heap.Push(&h.due, p)
	}
}

// agenda is a heap of people, whoever is due first in front.
type agenda []*person

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].next.Before(a[j].next) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

// Push is for container/heap.
func (a *agenda) Push(x any) {
	p := x.(*person) //nolint:forcetypeassert // holds nothing else
	p.place = len(*a)
	*a = append(*a, p)
}

// Pop likewise.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	p := (*a)[last]
	(*a)[last], p.place = nil, -1
	*a = (*a)[:last]
	return p
}
