// Package view conflates the updates of a view while they wait for their client: of each key the newest state.
package view

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Limits bound what waits; beyond, Apply fails with ErrTooLarge.
type Limits struct {
	Entries int
	Bytes   int // of keys and bodies, with 32 for each entry
}

// What the contract allows of an entry, in bytes.
const (
	maxKey   = 128
	maxBody  = 60 << 10
	overhead = 32
)

// Errors of Apply.
var (
	// ErrTooLarge: more waits than may, or an entry is too long.
	ErrTooLarge = errors.New("view: too large")
	// ErrBroken: the source breaks the contract. It is to be asked for a snapshot.
	ErrBroken = errors.New("view: broken update")
)

// Waiting is what a client was not told yet. It does no I/O and is not safe for concurrent use.
//
// Invariant: whoever applies what Next has returned, and then all that it returns while nothing is applied, is where the source was at At.
type Waiting struct {
	limits Limits
	at     *edgev1.Cursor // of the source's state with all of this applied: the source alone can read it; nil: nothing is known of it
	part   part           // an update that has not come whole

	begins bool            // what waits is a snapshot whose first frame was not told yet
	within bool            // the last frame said that more follows
	moved  bool            // at was not told yet
	queue  []*edgev1.Entry // oldest first; nil: replaced by a later one
	places map[string]int  // of the keys, in queue
	bytes  int
	stale  bool
	told   bool // stale, as the client knows it
}

// part is the beginning of an update in several responses. It counts only once it is whole: who asks for the rest asks for all of it.
type part struct {
	snapshot bool
	entries  []*edgev1.Entry
	bytes    int
}

// New returns what waits for a client that knows the state at a cursor; nil: none.
func New(known *edgev1.Cursor, limits Limits) *Waiting {
	return &Waiting{limits: limits, at: known, places: map[string]int{}}
}

// At is how far the source was heard: where to go on with it. Nil: from a snapshot.
func (w *Waiting) At() *edgev1.Cursor { return w.at }

// Restart tells that the source is asked anew, from At on: what had come of an update in parts is forgotten.
func (w *Waiting) Restart() { w.part = part{} }

// Forget makes the source be asked for a snapshot.
func (w *Waiting) Forget() { w.at = nil }

// Stale tells whether the source can't be asked.
func (w *Waiting) Stale(on bool) { w.stale = on }

// Empty reports that there is nothing to tell.
func (w *Waiting) Empty() bool {
	return !w.begins && !w.within && !w.moved && w.stale == w.told
}

// Within reports that the last frame said that more follows.
func (w *Waiting) Within() bool { return w.within }

// Apply takes over what the source says.
func (w *Waiting) Apply(v *edgev1.View) error {
	p := &w.part
	if v.GetSnapshot() {
		*p = part{snapshot: true}
	}
	for _, e := range v.GetEntries() {
		if e.GetKey() == "" || len(e.GetKey()) > maxKey {
			return fmt.Errorf("%w: a key of %d bytes", ErrBroken, len(e.GetKey()))
		}
		p.bytes += size(e)
		if len(e.GetBody()) > maxBody || p.bytes > w.limits.Bytes || len(p.entries) >= w.limits.Entries {
			return ErrTooLarge
		}
		p.entries = append(p.entries, e)
	}
	if v.GetMore() {
		return nil
	}
	at := v.GetAt()
	if at == nil || !p.snapshot && w.at == nil {
		return fmt.Errorf("%w: it continues %v with %v", ErrBroken, w.at, at)
	}
	if p.snapshot {
		w.begins, w.within, w.bytes, w.queue = true, false, 0, nil
		clear(w.places)
	}
	for _, e := range p.entries {
		w.put(e)
	}
	if p.snapshot || len(p.entries) > 0 {
		w.moved = true
	}
	w.at, w.part = at, part{}
	if w.bytes > w.limits.Bytes || len(w.places) > w.limits.Entries {
		return ErrTooLarge
	}
	return nil
}

func (w *Waiting) put(e *edgev1.Entry) {
	at, waits := w.places[e.GetKey()]
	if waits {
		w.bytes -= size(w.queue[at])
		if w.begins && e.GetRemoved() { // the snapshot will do without
			w.queue[at] = nil
			delete(w.places, e.GetKey())
			return
		}
		w.queue[at] = e // in its place: what changes all the time is told, too
		w.bytes += size(e)
		return
	}
	if w.begins && e.GetRemoved() {
		return
	}
	w.places[e.GetKey()] = len(w.queue)
	w.queue = append(w.queue, e)
	w.bytes += size(e)
	if len(w.queue) > 2*len(w.places)+16 {
		w.compact()
	}
}

// compact gives up the places of those that are gone.
func (w *Waiting) compact() {
	kept := w.queue[:0:0]
	for _, e := range w.queue {
		if e != nil {
			w.places[e.GetKey()] = len(kept)
			kept = append(kept, e)
		}
	}
	w.queue = kept
}

// Next returns the next frame, of about maxBytes, and takes what it holds from what waits; nil: nothing does.
func (w *Waiting) Next(maxBytes int) *edgev1.View {
	if w.Empty() {
		return nil
	}
	f := &edgev1.View{Snapshot: w.begins, Stale: w.stale}
	bytes, n := 0, 0
	for ; n < len(w.queue); n++ {
		e := w.queue[n]
		if e == nil {
			continue
		}
		if bytes += size(e); bytes > maxBytes && len(f.GetEntries()) > 0 {
			break
		}
		f.Entries = append(f.Entries, e)
		w.bytes -= size(e)
		delete(w.places, e.GetKey())
	}
	w.begins, w.told = false, w.stale
	if w.queue = w.queue[n:]; len(w.places) > 0 {
		w.compact()
		f.More, w.within = true, true
		return f
	}
	w.queue, w.within, w.moved = nil, false, false
	f.At = proto.CloneOf(w.at)
	return f
}

func size(e *edgev1.Entry) int { return overhead + len(e.GetKey()) + len(e.GetBody()) }
