// Package tally checks what a client gets of a topic: nothing lost, nothing twice, nothing out of its order or before its cause.
package tally

import (
	"sync/atomic"

	"plenum.internal/loadtest/internal/edge"
)

// Counts are the findings of any number of clients. Safe for concurrent use.
type Counts struct {
	Events     atomic.Uint64 // taken, each once
	Gaps       atomic.Uint64 // times that offsets were passed over
	Duplicates atomic.Uint64 // events that had come before
	Disorder   atomic.Uint64 // events that came behind later ones
	Causal     atomic.Uint64 // messages that came before one that they depend on
	Lost       atomic.Uint64 // events that had not come at the end
	Doubled    atomic.Uint64 // messages that stand twice in their topic
	Diverged   atomic.Uint64 // clients whose document is not the server's
	Resets     atomic.Uint64 // times that the server said that it can't go on from a cursor
}

// Findings is a copy of Counts.
type Findings struct {
	Events     uint64 `json:"events"`
	Lost       uint64 `json:"lost"`
	Duplicates uint64 `json:"duplicates"`
	Disorder   uint64 `json:"disorder"`
	Gaps       uint64 `json:"gaps"`
	Causal     uint64 `json:"causal"`
	Doubled    uint64 `json:"doubled"`
	Diverged   uint64 `json:"diverged"`
	Resets     uint64 `json:"resets"`
}

// Read copies the counts.
func (c *Counts) Read() Findings {
	return Findings{
		Events: c.Events.Load(), Lost: c.Lost.Load(), Duplicates: c.Duplicates.Load(), Disorder: c.Disorder.Load(), Gaps: c.Gaps.Load(),
		Causal: c.Causal.Load(), Doubled: c.Doubled.Load(), Diverged: c.Diverged.Load(), Resets: c.Resets.Load(),
	}
}

// Add adds up findings of several processes.
func (f *Findings) Add(o Findings) {
	f.Events += o.Events
	f.Lost += o.Lost
	f.Duplicates += o.Duplicates
	f.Disorder += o.Disorder
	f.Gaps += o.Gaps
	f.Causal += o.Causal
	f.Doubled += o.Doubled
	f.Diverged += o.Diverged
	f.Resets += o.Resets
}

// Clean tells that every promise was kept; an explicit reset is no broken promise.
func (f Findings) Clean() bool {
	return f.Lost == 0 && f.Duplicates == 0 && f.Disorder == 0 && f.Gaps == 0 && f.Causal == 0 && f.Doubled == 0 && f.Diverged == 0
}

// keptGaps bounds the ranges that a Reader remembers as missing. What goes beyond is counted as lost.
const keptGaps = 16

type span struct{ first, last uint64 }

// Reader follows one topic for one client. Not safe for concurrent use; the zero value reads from the first event on.
//
// Invariant: every offset up to the cursor was taken, or was left out by the server explicitly, or lies in missing, or was counted.
type Reader struct {
	cursor  uint64
	missing []span // ascending
}

// Start sets the cursor that a subscription begins behind.
func (r *Reader) Start(offset uint64) { *r = Reader{cursor: offset} }

// Cursor is the offset to go on from.
func (r *Reader) Cursor() uint64 { return r.cursor }

// Take takes an event and reports whether it is new.
func (r *Reader) Take(e edge.Event, c *Counts) bool {
	after := e.Offset - 1
	if e.HasAfter {
		after = e.After
	}
	defer func() {
		if e.Last && e.Upto > r.cursor {
			r.cursor = e.Upto
		}
	}()
	if e.Offset <= r.cursor {
		if r.found(e.Offset) {
			c.Disorder.Add(1)
			c.Events.Add(1)
			return true
		}
		c.Duplicates.Add(1)
		return false
	}
	if after > r.cursor {
		c.Gaps.Add(1)
		if len(r.missing) == keptGaps {
			c.Lost.Add(r.missing[0].last - r.missing[0].first + 1)
			r.missing = append(r.missing[:0], r.missing[1:]...)
		}
		r.missing = append(r.missing, span{r.cursor + 1, after})
	}
	r.cursor = e.Offset
	c.Events.Add(1)
	return true
}

// found takes an offset out of what is missing.
func (r *Reader) found(offset uint64) bool {
	for i, m := range r.missing {
		if offset < m.first || offset > m.last {
			continue
		}
		left, right := span{m.first, offset - 1}, span{offset + 1, m.last}
		r.missing = append(r.missing[:i], r.missing[i+1:]...)
		for _, s := range []span{right, left} {
			if s.first <= s.last {
				r.missing = append(r.missing[:i], append([]span{s}, r.missing[i:]...)...)
			}
		}
		return true
	}
	return false
}

// End counts what has not come, of a topic that reaches to head.
func (r *Reader) End(head uint64, c *Counts) {
	for _, m := range r.missing {
		c.Lost.Add(m.last - m.first + 1)
	}
	if head > r.cursor {
		c.Lost.Add(head - r.cursor)
	}
}
