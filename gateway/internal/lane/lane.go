// Package lane decides which calls of a connection run, which wait and which are refused, so that a lane keeps its order.
package lane

import (
	"iter"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Limits of one connection.
type Limits struct {
	Executing int // calls that run at the same time
	Total     int // and with those that wait
	Lanes     int // lanes that have calls, or are broken, at the same time
}

// Call is one call in the board's hands. X is what the owner needs to run it.
type Call[X any] struct {
	ID   uint32
	Lane uint32 // 0: none, no order
	Seq  uint64 // client_seq; 0: not a mutation
	X    X

	running bool
}

// Board holds the calls that were admitted and are not done. Not safe for concurrent use.
//
// Invariant: of a lane's calls at most one runs, in the order of admission; after one with a sequence number ended with a code
// from 200 to 299, no later one runs until that number was admitted again.
type Board[X any] struct {
	limits    Limits
	calls     map[uint32]*Call[X]
	executing int
	ready     []*Call[X] // may run, but Executing is reached
	lanes     map[uint32]*line[X]
}

type line[X any] struct {
	queue  []*Call[X] // queue[0] runs or is ready
	broken uint64     // the client_seq that must return; 0: none
}

// NewBoard returns an empty board.
func NewBoard[X any](limits Limits) *Board[X] {
	return &Board[X]{limits: limits, calls: map[uint32]*Call[X]{}, lanes: map[uint32]*line[X]{}}
}

// Verdict is what becomes of a call.
type Verdict uint8

// The verdicts.
const (
	Run     Verdict = iota // at once
	Wait                   // Done will hand it out
	TooMany                // 202
	Behind                 // 200: its lane is broken
	BadLane                // 100: too many lanes
	SameID                 // 100: a call with this id is not done yet
)

// Admit takes a call in. Only with Run and Wait it is on the board.
func (b *Board[X]) Admit(c *Call[X]) Verdict {
	if b.calls[c.ID] != nil {
		return SameID
	}
	if c.Lane != 0 && b.lanes[c.Lane] == nil && len(b.lanes) >= b.limits.Lanes {
		return BadLane
	}
	if b.Behind(c) {
		return Behind
	}
	if len(b.calls) >= b.limits.Total {
		b.Refused(c, edgev1.Code_CODE_TOO_MANY_CALLS)
		return TooMany
	}
	b.calls[c.ID] = c
	if c.Lane != 0 {
		l := b.line(c.Lane)
		l.broken = 0
		l.queue = append(l.queue, c)
		if len(l.queue) > 1 {
			return Wait
		}
	}
	return b.start(c)
}

// Behind reports whether the call's lane is broken and waits for another one.
func (b *Board[X]) Behind(c *Call[X]) bool {
	l := b.lanes[c.Lane]
	return c.Lane != 0 && l != nil && l.broken != 0 && c.Seq != l.broken
}

// Refused tells that the owner answered a call with a code instead of admitting it: it counts for the order of its lane.
func (b *Board[X]) Refused(c *Call[X], code edgev1.Code) {
	if c.Lane == 0 || c.Seq == 0 || !Breaks(code) {
		return
	}
	if l := b.lanes[c.Lane]; l == nil && len(b.lanes) >= b.limits.Lanes {
		return // the lane was never begun: what follows in it is refused as it was
	}
	if l := b.line(c.Lane); l.broken == 0 {
		l.broken = c.Seq
	}
}

// Breaks reports whether an answer's code breaks the lane: the call is to be repeated with the same number.
func Breaks(code edgev1.Code) bool { return code >= 200 && code < 300 }

// Done takes an admitted call off the board: next are those to be run now, behind those to be answered with 200.
func (b *Board[X]) Done(id uint32, code edgev1.Code) (next, behind []*Call[X]) {
	c := b.calls[id]
	if c == nil {
		return nil, nil
	}
	delete(b.calls, id)
	if c.running {
		b.executing--
	} else {
		b.ready = without(b.ready, c)
	}
	if c.Lane != 0 {
		l := b.lanes[c.Lane]
		first := l.queue[0] == c
		if c.Seq != 0 && Breaks(code) {
			at := index(l.queue, c)
			behind = append(behind, l.queue[at+1:]...)
			for _, x := range behind {
				delete(b.calls, x.ID)
			}
			l.queue = l.queue[:at+1]
			l.broken = c.Seq
		}
		l.queue = without(l.queue, c)
		if first && len(l.queue) > 0 {
			if b.start(l.queue[0]) == Run {
				next = append(next, l.queue[0])
			}
		}
		if len(l.queue) == 0 && l.broken == 0 {
			delete(b.lanes, c.Lane)
		}
	}
	for len(b.ready) > 0 && b.executing < b.limits.Executing {
		x := b.ready[0]
		b.ready = b.ready[1:]
		b.run(x)
		next = append(next, x)
	}
	return next, behind
}

// Get returns a call on the board, and whether it runs.
func (b *Board[X]) Get(id uint32) (c *Call[X], running bool) {
	if c = b.calls[id]; c == nil {
		return nil, false
	}
	return c, c.running
}

// Waiting yields the calls that were admitted and don't run.
func (b *Board[X]) Waiting() iter.Seq[*Call[X]] {
	return func(yield func(*Call[X]) bool) {
		for _, c := range b.calls {
			if !c.running && !yield(c) {
				return
			}
		}
	}
}

// Idle reports that no call runs or waits.
func (b *Board[X]) Idle() bool { return len(b.calls) == 0 }

func (b *Board[X]) start(c *Call[X]) Verdict {
	if b.executing >= b.limits.Executing {
		b.ready = append(b.ready, c)
		return Wait
	}
	b.run(c)
	return Run
}

func (b *Board[X]) run(c *Call[X]) {
	c.running = true
	b.executing++
}

func (b *Board[X]) line(n uint32) *line[X] {
	l := b.lanes[n]
	if l == nil {
		l = &line[X]{}
		b.lanes[n] = l
	}
	return l
}

func index[T comparable](s []T, x T) int {
	for i := range s {
		if s[i] == x {
			return i
		}
	}
	return -1
}

func without[T comparable](s []T, x T) []T {
	if i := index(s, x); i >= 0 {
		return append(s[:i:i], s[i+1:]...)
	}
	return s
}

// Fresh returns nil for a board that remembers nothing, so that an idle session has none.
func (b *Board[X]) Fresh() *Board[X] {
	if len(b.calls) == 0 && len(b.lanes) == 0 {
		return nil
	}
	return b
}
