package run

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	trimEvery = 10 * time.Second
	quietPart = 6       // of what lives: a process that allocates less between two looks is quiet; heartbeats alone are a tenth
	excess    = 8       // what is held beside what lives, as a part of it, is worth a collection
	least     = 4 << 20 // bytes that are not worth one
)

// Trim gives memory back to the operating system when a burst is over, until ctx ends. The garbage collector keeps about as much again
// as lives for the next burst; tens of thousands of idle connections would be paid for twice.
func Trim(ctx context.Context) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for before := readHeap(); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		now := readHeap()
		if now.wasteful(before) {
			debug.FreeOSMemory() // a collection, most of it beside the program
			now = readHeap()
		}
		before = now
	}
}

// heap is what the Go heap is made of, in bytes.
type heap struct {
	allocated uint64 // since the start
	live      uint64 // after the last collection
	held      uint64 // of the operating system's
}

func readHeap() heap {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	at := func(i int) uint64 { return s[i].Value.Uint64() }
	return heap{allocated: at(0), live: at(1), held: at(2) + at(3) + at(4)}
}

// wasteful reports whether a process is quiet, and holds much more than lives.
func (h heap) wasteful(before heap) bool {
	return h.allocated-before.allocated < max(h.live/quietPart, least/4) && h.held > h.live+max(h.live/excess, least)
}
