package ot

import "slices"

// owner marks the nodes that a Document made since its last Clone: those it changes in place, all others it copies first.
type owner struct{ _ byte }

// node is a leaf, with runs, or an inner node, with kids. All leaves are at the same depth.
type node struct {
	owner *owner
	sum   sum
	kids  []kid
	runs  []run
	text  []byte // UTF-8 of all the leaf's runs, one after the other
}

// kid is a child with its length beside it: finding a place looks at one node a level.
type kid struct {
	units int
	*node
}

// sum is what a node holds, itself and below.
type sum struct {
	units  int
	pairs  int // characters of two code units
	embeds int
	runs   int
	format int // bytes of all runs' attributes
}

func (s sum) plus(t sum) sum {
	return sum{s.units + t.units, s.pairs + t.pairs, s.embeds + t.embeds, s.runs + t.runs, s.format + t.format}
}

func (s sum) minus(t sum) sum {
	return sum{s.units - t.units, s.pairs - t.pairs, s.embeds - t.embeds, s.runs - t.runs, s.format - t.format}
}

func (n *node) leaf() bool { return n.kids == nil }

// own is the node, or a copy of it that may be changed.
func (n *node) own(o *owner) *node {
	if n.owner == o {
		return n
	}
	c := *n
	c.owner = o
	if n.leaf() {
		c.runs = append(make([]run, 0, len(n.runs)+2), n.runs...)
		c.text = append(make([]byte, 0, max(len(n.text)*5/4, 32)), n.text...)
	} else {
		c.kids = append(make([]kid, 0, maxKids+1), n.kids...)
	}
	return &c
}

// kid makes child i ready to be changed.
func (n *node) kid(i int, o *owner) *node {
	c := n.kids[i].own(o)
	n.kids[i].node = c
	return c
}

// update tells a node that child i changed from a sum, and gave half of itself to a new node; nil: it did not. The node may have to be split.
func (n *node) update(i int, before sum, right *node) {
	c := n.kids[i].node
	n.kids[i].units = c.sum.units
	n.sum = n.sum.minus(before).plus(c.sum)
	if right != nil {
		n.sum = n.sum.plus(right.sum)
		n.kids = slices.Insert(n.kids, i+1, kid{right.sum.units, right})
	}
}

// overflow moves half of a node that is too large into a new one.
func (n *node) overflow(o *owner) *node {
	if n.leaf() {
		if len(n.text) <= maxText && len(n.runs) <= maxRuns {
			return nil
		}
		return n.halve(o)
	}
	if len(n.kids) <= maxKids {
		return nil
	}
	half := len(n.kids) / 2
	right := &node{owner: o, kids: append(make([]kid, 0, maxKids+1), n.kids[half:]...)}
	n.kids = slices.Delete(n.kids, half, len(n.kids))
	for _, k := range right.kids {
		right.sum = right.sum.plus(k.sum)
	}
	n.sum = n.sum.minus(right.sum)
	return right
}

// put inserts below a node that is owned, at most maxText/2 bytes. What it returns stands behind the node.
func (n *node) put(at int, op Op, o *owner) *node {
	if n.leaf() {
		if at == n.sum.units && at > 0 && len(n.text)+len(op.text) > maxText { // who appends leaves full leaves behind
			right := &node{owner: o, text: make([]byte, 0, maxText)}
			right.insert(0, op)
			return right
		}
		n.insert(at, op)
		return n.overflow(o)
	}
	i := 0
	for at > n.kids[i].units { // at a border to the left: typing goes on where it was
		at -= n.kids[i].units
		i++
	}
	c := n.kid(i, o)
	before := c.sum
	n.update(i, before, c.put(at, op, o))
	return n.overflow(o)
}

// cut removes what lies between two places below a node that is owned.
func (n *node) cut(from, to int, o *owner) {
	if n.leaf() {
		n.remove(from, to)
		return
	}
	first := 0
	for from >= n.kids[first].units {
		from, to = from-n.kids[first].units, to-n.kids[first].units
		first++
	}
	last := first // the child behind the last that has a part in it
	keep := first // where the next child goes that stays
	for ; to > 0; last++ {
		k := n.kids[last]
		size := k.units
		if from <= 0 && to >= size {
			n.sum = n.sum.minus(k.sum)
		} else {
			c := n.kid(last, o)
			before := c.sum
			c.cut(max(from, 0), min(to, size), o)
			n.update(last, before, nil)
			n.kids[keep] = n.kids[last]
			keep++
		}
		from, to = from-size, to-size
	}
	n.kids = slices.Delete(n.kids, keep, last)
	for i := min(keep, len(n.kids)-1); i >= max(first-1, 0); i-- {
		n.unite(i, o)
	}
}

// unite makes one child of child i and the next, if they are small together.
func (n *node) unite(i int, o *owner) {
	if i+1 >= len(n.kids) {
		return
	}
	left, right := n.kids[i].node, n.kids[i+1].node
	if left.leaf() {
		if len(left.text)+len(right.text) > maxText*3/4 || len(left.runs)+len(right.runs) > maxRuns*3/4 {
			return
		}
	} else if len(left.kids)+len(right.kids) > maxKids*3/4 {
		return
	}
	left = n.kid(i, o)
	before := left.sum.plus(right.sum)
	if left.leaf() {
		left.absorb(right)
	} else {
		seam := len(left.kids) - 1
		left.kids = append(left.kids, right.kids...)
		left.sum = before
		left.unite(seam, o)
	}
	n.kids = slices.Delete(n.kids, i+1, i+2)
	n.update(i, before, nil)
}

// paint changes formats, and an embed, between two places below a node that is owned. What it returns stands behind the node.
func (n *node) paint(from, to int, f *formatting, o *owner) *node {
	if n.leaf() {
		n.change(from, to, f)
		return n.overflow(o)
	}
	first := 0
	for from >= n.kids[first].units {
		from, to = from-n.kids[first].units, to-n.kids[first].units
		first++
	}
	i := first
	for ; to > 0; i++ {
		c := n.kid(i, o)
		before, size := c.sum, n.kids[i].units
		right := c.paint(max(from, 0), min(to, size), f, o)
		n.update(i, before, right)
		if right != nil {
			i++
		}
		from, to = from-size, to-size
	}
	for i--; i >= max(first-1, 0); i-- { // runs that are one now make leaves small
		n.unite(i, o)
	}
	return n.overflow(o)
}
