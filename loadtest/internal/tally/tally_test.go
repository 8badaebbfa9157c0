package tally

import (
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/loadtest/internal/edge"
)

// Whatever a server drops, repeats and swaps, the counts say how much of each; an honest one is clean.
func TestCountsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const head = 40
		var stream []uint64
		dropped, repeated, swapped := 0, 0, 0
		for o := uint64(1); o <= head; o++ {
			switch fault := rapid.IntRange(0, 11).Draw(t, "fault"); {
			case fault == 0:
				dropped++
			case fault == 1:
				stream = append(stream, o, o)
				repeated++
			case fault == 2 && o < head:
				stream = append(stream, o+1, o)
				swapped++
				o++
			default:
				stream = append(stream, o)
			}
		}
		var r Reader
		var c Counts
		for _, o := range stream {
			r.Take(edge.Event{Offset: o, Last: true}, &c)
		}
		r.End(head, &c)
		f := c.Read()
		if f.Lost != uint64(dropped) || f.Duplicates != uint64(repeated) || f.Disorder != uint64(swapped) {
			t.Fatalf("%v: %+v, want %d lost, %d twice, %d swapped", stream, f, dropped, repeated, swapped)
		}
		if f.Events != uint64(head-dropped) {
			t.Fatalf("%d events, want %d", f.Events, head-dropped)
		}
		if (dropped+repeated+swapped == 0) != f.Clean() {
			t.Fatalf("clean is %t: %+v", f.Clean(), f)
		}
	})
}

// Offsets that the server leaves out are no hole.
func TestLeftOutOffsets(t *testing.T) {
	var r Reader
	var c Counts
	r.Start(4)
	r.Take(edge.Event{Offset: 9, After: 4, HasAfter: true}, &c)
	r.Take(edge.Event{Offset: 10, Last: true, Upto: 15}, &c)
	r.Take(edge.Event{Offset: 16, Last: true}, &c)
	r.End(16, &c)
	if f := c.Read(); !f.Clean() || f.Events != 3 || r.Cursor() != 16 {
		t.Fatalf("%+v at %d", f, r.Cursor())
	}
}
