package docs

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"plenum.internal/docs/awareness"
	"plenum.internal/mesh/auth"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// looker is somebody who looks at who is in a document.
//
// Invariant: what they are told, and when, follows from what is public, from the signals since they have begun, and from when that was: from nothing that others
// do who look, or have looked. For these may be people who don't want to be seen.
type looker struct {
	user string
	from time.Time     // they begin at the first tick that isn't before this
	kick chan struct{} // of one: there is a newer frame

	// watched.mu guards these.
	began  time.Time // the tick; zero: they have not
	since  awareness.Since
	newest *frame // nil: there was none yet
	holds  *frame // what they were told; nil: nothing
	left   time.Time
}

// frame is what there is to be seen at a tick. It is never changed.
type frame struct {
	entries []*edgev1.Entry // ascending by key
	at      *edgev1.Cursor  // when its looker has begun, and how many ticks later it came to be so
}

const (
	// firstWait is how long after the call somebody begins to look, at the earliest: longer than it takes to open a document and to read what happened in it, so that
	// when they begin doesn't tell whether others had it open, or looked.
	firstWait = 500 * time.Millisecond
	// resumeTime is how long it is remembered since when somebody who has left has looked: who comes back by then, with the cursor of what they hold, goes on.
	resumeTime = 10 * time.Second
	maxLeft    = 4 // times that one person has left a document, which are remembered
)

// enter has somebody look, who knows what a cursor says.
func (w *watched) enter(user string, after *edgev1.Cursor, from time.Time) *looker {
	l := &looker{user: user, from: from, kick: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	for o := range w.looks {
		if o.user != user || o.began.IsZero() || uint64(o.began.UnixMilli()) != after.GetEpoch() {
			continue
		}
		l.began, l.since = o.began, o.since
		if o.holds != nil && o.holds.at.GetOffset() == after.GetOffset() {
			l.holds = o.holds
		}
	}
	w.looks[l] = struct{}{}
	return l
}

// leave is for who has entered.
func (w *watched) leave(l *looker, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.left = now
	var first *looker
	n := 0
	for o := range w.looks {
		if o.user == l.user && !o.left.IsZero() {
			if n++; first == nil || o.left.Before(first.left) {
				first = o
			}
		}
	}
	if n > maxLeft {
		delete(w.looks, first)
	}
}

// present are those who are to be told what there is to be seen at a tick. Who has left long ago is forgotten.
func (w *watched) present(at time.Time) (all []*looker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.looks {
		switch {
		case !l.left.IsZero():
			if at.Sub(l.left) >= resumeTime {
				delete(w.looks, l)
			}
			continue
		case at.Before(l.from):
			continue
		case l.began.IsZero():
			l.began, l.since = at, w.state.Begin(at)
		}
		all = append(all, l)
	}
	return all
}

// show tells somebody what there is to be seen, if they don't know it.
func (w *watched) show(l *looker, entries []*edgev1.Entry, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := l.newest
	if f == nil {
		f = l.holds
	}
	if f == nil || !slices.EqualFunc(f.entries, entries, same) {
		f = &frame{entries, &edgev1.Cursor{Epoch: uint64(l.began.UnixMilli()), Offset: 1 + uint64(at.Sub(l.began)/watchGap)}}
	}
	if f == l.newest {
		return
	}
	l.newest = f
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// update is what somebody is to be told to hold the newest frame. first: they are told nothing yet, also who comes back and holds it.
func (w *watched) update(l *looker, first bool) *edgev1.View {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, held := l.newest, l.holds
	l.holds = f
	switch {
	case held == nil:
		return &edgev1.View{Entries: f.entries, Snapshot: true, At: f.at}
	case held == f && !first:
		return nil
	}
	return &edgev1.View{Entries: difference(held.entries, f.entries), At: f.at}
}

func same(a, b *edgev1.Entry) bool {
	return a == b || a.GetKey() == b.GetKey() && bytes.Equal(a.GetBody(), b.GetBody())
}

func byKey(e *edgev1.Entry, key string) int { return strings.Compare(e.GetKey(), key) }

// difference is what changes some entries into others: first what is removed, so that there is room.
func difference(from, to []*edgev1.Entry) (list []*edgev1.Entry) {
	for _, e := range from {
		if _, stays := slices.BinarySearchFunc(to, e.GetKey(), byKey); !stays {
			list = append(list, &edgev1.Entry{Key: e.GetKey(), Removed: true})
		}
	}
	for _, e := range to {
		if i, was := slices.BinarySearchFunc(from, e.GetKey(), byKey); !was || !same(from[i], e) {
			list = append(list, e)
		}
	}
	return list
}

// looks are who looks at who is in documents, in this process: nobody takes more than a share.
type looks struct {
	mu  sync.Mutex // guards all below
	all int
	of  map[person]*sights
}

// sights are what one person looks at.
type sights struct {
	views     int
	documents map[string]int // by how many views; each counts watchLinger longer, as the document is watched
}

// Limits of who looks.
const (
	maxLookers   = 20_000 // views of a process, …
	maxLookersOf = 500    // and those of one person
	maxWatched   = 2000   // documents of a process, …
	maxWatchedOf = 100    // and those that one person looks at
)

// begin has somebody look at a document, or says what is in the way. Whoever is told no error ends it by end.
func (a *looks) begin(c auth.Caller, document string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := person{c.Workspace, c.User}
	own := a.of[r]
	switch {
	case a.all >= maxLookers:
		return errWatched
	case own == nil:
		own = &sights{documents: map[string]int{}}
		a.of[r] = own
	case own.views >= maxLookersOf:
		return errLookers
	case own.documents[document] == 0 && len(own.documents) >= maxWatchedOf:
		return errWatchedOf
	}
	a.all++
	own.views++
	own.documents[document]++
	return nil
}

// end is for who has begun.
func (a *looks) end(c auth.Caller, document string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := person{c.Workspace, c.User}
	own := a.of[r]
	a.all--
	own.views--
	time.AfterFunc(watchLinger, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if own.documents[document]--; own.documents[document] == 0 {
			delete(own.documents, document)
		}
		if len(own.documents) == 0 {
			delete(a.of, r)
		}
	})
}
