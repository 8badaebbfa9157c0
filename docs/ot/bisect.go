package ot

// bisect finds a place in the middle of a shortest way from a to b, and the differences on both sides of it: Myers' algorithm in linear space,
// from both ends at the same time until the ways meet.
func (t *textDiff) bisect(a, b []uint16) []edit {
	limit := (len(a) + len(b) + 1) / 2
	forward, backward := newFront(limit), newFront(limit)
	surplus := len(a) - len(b)
	odd := surplus%2 != 0 // then the ways meet on a step from the front
	for d := range limit {
		steps := 2*d + 2
		for k := -d + forward.low; k <= d-forward.high; k += 2 {
			x := forward.step(k, d)
			y := x - k
			for x < len(a) && y < len(b) && a[x] == b[y] {
				x, y = x+1, y+1
				steps++
			}
			forward.reach[limit+k] = x
			if forward.outside(x, y, len(a), len(b)) || !odd {
				continue
			}
			if r, ok := backward.at(surplus - k); ok && x >= len(a)-r {
				return t.around(a, b, x, y)
			}
		}
		for k := -d + backward.low; k <= d-backward.high; k += 2 {
			x := backward.step(k, d)
			y := x - k
			for x < len(a) && y < len(b) && a[len(a)-x-1] == b[len(b)-y-1] {
				x, y = x+1, y+1
				steps++
			}
			backward.reach[limit+k] = x
			if backward.outside(x, y, len(a), len(b)) || odd {
				continue
			}
			if r, ok := forward.at(surplus - k); ok && r >= len(a)-x {
				return t.around(a, b, r, r-(surplus-k))
			}
		}
		if !t.spend(steps) {
			break
		}
	}
	return []edit{{removed, a}, {added, b}} // nothing in common, or the effort is spent
}

// around is the difference that goes through a[x], b[y].
func (t *textDiff) around(a, b []uint16, x, y int) []edit {
	return append(t.inner(a[:x], b[:y]), t.inner(a[x:], b[y:])...)
}

// front is how far the ways have come from one end, on each diagonal.
type front struct {
	reach     []int // by diagonal, from -limit on; -1: not reached
	limit     int
	low, high int // diagonals that have left the texts, at both sides
}

func newFront(limit int) *front {
	f := &front{reach: make([]int, 2*limit+2), limit: limit}
	for i := range f.reach {
		f.reach[i] = -1
	}
	f.reach[limit+1] = 0
	return f
}

// step is where diagonal k is reached from its neighbours by the d-th edit.
func (f *front) step(k, d int) int {
	at := f.limit + k
	if k == -d || k != d && f.reach[at-1] < f.reach[at+1] {
		return f.reach[at+1]
	}
	return f.reach[at-1] + 1
}

// outside reports that the way has left the texts, and gives its diagonal up.
func (f *front) outside(x, y, width, height int) bool {
	switch {
	case x > width:
		f.high += 2
	case y > height:
		f.low += 2
	default:
		return false
	}
	return true
}

// at is how far diagonal k has been reached.
func (f *front) at(k int) (int, bool) {
	i := f.limit + k
	if i < 0 || i >= 2*f.limit || f.reach[i] == -1 {
		return 0, false
	}
	return f.reach[i], true
}
