package ot

import "math"

// endless is what is left of the bare retain that every Delta can be thought to end with.
const endless = math.MaxInt

// cursor goes through operations, whole or in parts.
type cursor struct {
	ops   []Op
	i     int // the operation at hand
	taken int // how much of it is gone, in code units
	bytes int // of its text
}

func (c *cursor) more() bool { return c.i < len(c.ops) }

// action is that of the operation at hand; behind the last there is a retain.
func (c *cursor) action() Action {
	if c.i < len(c.ops) {
		return c.ops[c.i].action
	}
	return Retain
}

// left is the length of what is left of the operation at hand.
func (c *cursor) left() int {
	if c.i < len(c.ops) {
		return c.ops[c.i].n - c.taken
	}
	return endless
}

// rest takes what is left of the operation at hand.
func (c *cursor) rest() Op {
	op, _ := c.take(endless)
	return op
}

// take takes n code units of the operation at hand, or what is left of it. It fails, and takes nothing, where that would cut a surrogate pair.
func (c *cursor) take(n int) (Op, bool) {
	if c.i >= len(c.ops) {
		return Op{action: Retain, n: n}, true
	}
	op := c.ops[c.i]
	if c.taken == 0 && n >= op.n {
		c.i++
		return op, true
	}
	left := op.n - c.taken
	if op.text == "" { // a length: an embed is never taken in parts
		op.n = min(n, left)
		if c.taken += op.n; n >= left {
			c.i, c.taken = c.i+1, 0
		}
		return op, true
	}
	if n >= left {
		op.text, op.n = op.text[c.bytes:], left
		c.i, c.taken, c.bytes = c.i+1, 0, 0
		return op, true
	}
	size := n
	if len(op.text) != op.n { // not ASCII
		var whole bool
		if size, whole = offset(op.text[c.bytes:], n); !whole {
			return Op{}, false
		}
	}
	op.text, op.n = op.text[c.bytes:c.bytes+size], n
	c.taken, c.bytes = c.taken+n, c.bytes+size
	return op, true
}

// bare reports that the operation at hand is a retain that changes nothing.
func (c *cursor) bare() bool { return c.i >= len(c.ops) || c.ops[c.i].bare() }

// whole takes the operations that lie in the next n code units as a whole, where those of one action take up none. It returns them, and how much of n
// they take up. An operation behind the last of the n, that takes up nothing, is not among them.
func (c *cursor) whole(n int, nothing Action) (ops []Op, used int) {
	if c.taken > 0 {
		return nil, 0
	}
	from := c.i
	for c.i < len(c.ops) && used < n {
		if op := &c.ops[c.i]; op.action != nothing {
			if used+op.n > n {
				break
			}
			used += op.n
		}
		c.i++
	}
	return c.ops[from:c.i], used
}

// skip takes n code units of a length.
func (c *cursor) skip(n int) {
	if n > 0 {
		_, _ = c.take(n)
	}
}
