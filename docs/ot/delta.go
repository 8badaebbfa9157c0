package ot

import (
	"iter"
	"math"
)

// Delta is a list of operations: a change of a document, or, if all are inserts, a document. It is immutable; the zero Delta changes nothing.
type Delta struct {
	ops    []Op
	normal bool // known to be in normal form: then parts of it can be copied as they are
}

// Ops yields the operations with their indices.
func (d Delta) Ops() iter.Seq2[int, Op] {
	return func(yield func(int, Op) bool) {
		for i, op := range d.ops {
			if !yield(i, op) {
				return
			}
		}
	}
}

// Count is the number of operations.
func (d Delta) Count() int { return len(d.ops) }

// Length is the sum of all operations' lengths, in UTF-16 code units: of a document its length.
func (d Delta) Length() int {
	n := 0
	for _, op := range d.ops {
		n += op.n
	}
	return n
}

// ChangeLength is by how much the document becomes longer, in UTF-16 code units; negative if shorter.
func (d Delta) ChangeLength() int {
	n := 0
	for _, op := range d.ops {
		switch op.action {
		case Insert:
			n += op.n
		case Delete:
			n -= op.n
		case Retain:
		}
	}
	return n
}

// BaseLength is how much of a document the operations go through: a document that they can be applied to is at least as long.
func (d Delta) BaseLength() int {
	n := 0
	for _, op := range d.ops {
		if op.action != Insert {
			n += op.n
		}
	}
	return n
}

// IsDocument reports that there is nothing but inserts.
func (d Delta) IsDocument() bool {
	for _, op := range d.ops {
		if op.action != Insert {
			return false
		}
	}
	return true
}

// Equal compares operation by operation: Deltas in normal form are equal if they do the same.
func (d Delta) Equal(other Delta) bool {
	if len(d.ops) != len(other.ops) {
		return false
	}
	for i, op := range d.ops {
		if !op.equal(other.ops[i]) {
			return false
		}
	}
	return true
}

// Normal is the same change in normal form; a bare retain at the end stays, as with the original's push.
func (d Delta) Normal() Delta {
	if d.normal {
		return d
	}
	b := sized(len(d.ops))
	for _, op := range d.ops {
		b.push(op)
	}
	return b.done()
}

// End is the end of a slice that goes as far as there is something.
const End = math.MaxInt

// Slice is what lies between two places, in UTF-16 code units of the operations' lengths. It fails with SplitPair; what is beyond the end is
// not there.
func (d Delta) Slice(start, end int) (Delta, error) {
	if start >= end {
		return Delta{}, nil
	}
	var out []Op
	c := cursor{ops: d.ops}
	for at := 0; at < end && c.more(); {
		n := end - at
		if at < start {
			n = start - at
		}
		op, ok := c.take(n)
		if !ok {
			return Delta{}, splitPair(c.i)
		}
		if at >= start {
			out = append(out, op)
		}
		at += op.n
	}
	return Delta{ops: out}, nil
}

// Concat is d with other's operations behind its own.
func (d Delta) Concat(other Delta) Delta {
	b := sized(len(d.ops) + len(other.ops))
	b.pushAll(d.ops, d.normal)
	b.pushAll(other.ops, other.normal)
	return b.done()
}
