package presence

import (
	"bytes"
	"container/list"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// watcher is somebody who looks at people: a view, a hall, or another process whose people do.
type watcher struct {
	kick    chan struct{} // capacity 1: something is dirty
	again   chan struct{} // capacity 1: whom it may look at is to be looked at
	lacking atomic.Bool   // a view's: it doesn't show all whom it is to
	veiled  bool          // it is told who hides, too
	watches map[personKey]*watch
	dirty   []*watch
}

// watch is a watcher's look at one person.
type watch struct {
	of    *person
	by    *watcher
	place int // among those of the person
	dirty bool
}

func newWatcher() *watcher {
	return &watcher{kick: make(chan struct{}, 1), again: make(chan struct{}, 1), watches: map[personKey]*watch{}}
}

// mark says that there is something new.
func (w *watch) mark() {
	if w.dirty {
		return
	}
	w.dirty = true
	if w.by.dirty = append(w.by.dirty, w); len(w.by.dirty) == 1 {
		w.by.wake()
	}
}

func (w *watcher) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func (w *watcher) reconsider() {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

// reconsider has those look again who look at some people.
func (h *house) reconsider(people []personKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range people {
		if p := h.people[k]; p != nil {
			for _, w := range p.watches {
				w.by.reconsider()
			}
		}
	}
}

// watch adds people to those that a watcher looks at. What is told of them counts as new if it is newer than a version; 0: in any case.
func (h *house) watch(by *watcher, people []personKey, since uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[by] = struct{}{}
	for _, k := range people {
		if by.watches[k] != nil {
			continue
		}
		p := h.person(k)
		switch {
		case p == nil: // too many: they are told as unknown, and stay so
			h.version++
			p = &person{key: k, place: -1, seen: unknown(0), version: h.version}
		case len(p.watches) == 0 && p.kept == nil && p.mirror == nil && (!p.known || bytes.Equal(p.seen, offline) || !h.isHome(k)):
			// Whoever saw them before knows nothing of what they have become since. Who is invisible is kept, and has to be as somebody who is not.
			h.blank(p)
			h.version++
			p.version = h.version
		}
		w := &watch{of: p, by: by, place: len(p.watches)}
		by.watches[k] = w
		p.watches = append(p.watches, w)
		if p.kept != nil {
			h.idle.Remove(p.kept)
			p.kept = nil
		}
		h.abroad(p)
		if since == 0 || p.version > since {
			w.mark()
		}
	}
}

// forget takes people off those that a watcher looks at; nil: all.
func (h *house) forget(by *watcher, people []personKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if people == nil {
		for _, w := range by.watches {
			h.unwatch(w)
		}
		by.watches, by.dirty = map[personKey]*watch{}, nil
		delete(h.watchers, by)
		return
	}
	for _, k := range people {
		if w := by.watches[k]; w != nil {
			delete(by.watches, k)
			h.unwatch(w)
		}
	}
}

// keeping is how long somebody is remembered whom nobody looks at any more: who asks again and again, as polls do, is told what is new, and homes
// aren't asked anew each time.
const keeping = time.Minute

// linger has somebody remembered for a while.
func (h *house) linger(p *person) {
	if len(p.watches) == 0 && h.people[p.key] == p {
		p.kept, p.until = h.idle.PushBack(p), time.Time{}
	}
}

// unkeep forgets those whose time is over.
func (h *house) unkeep(now time.Time) {
	for e := h.idle.Back(); e != nil && e.Value.(*person).until.IsZero(); e = e.Prev() { //nolint:forcetypeassert // holds nothing else
		e.Value.(*person).until = now.Add(keeping) //nolint:forcetypeassert // likewise
	}
	for e := h.idle.Front(); e != nil && !now.Before(e.Value.(*person).until); e = h.idle.Front() { //nolint:forcetypeassert // likewise
		h.release(e)
	}
}

// release forgets one whom nobody looks at.
func (h *house) release(e *list.Element) {
	p := h.idle.Remove(e).(*person) //nolint:forcetypeassert // holds nothing else
	p.kept = nil
	h.abroad(p)
	h.drop(p)
}

// awaits says whether a watcher looks at somebody of whom their home has not told yet, nor let it be known that it won't.
func (h *house) awaits(by *watcher) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range by.watches {
		if m := w.of.mirror; m != nil && !w.of.told && !m.lost {
			return true
		}
	}
	return false
}

func (h *house) unwatch(w *watch) {
	p := w.of
	last := p.watches[len(p.watches)-1]
	p.watches[w.place], last.place = last, w.place
	p.watches[len(p.watches)-1] = nil
	p.watches = p.watches[:len(p.watches)-1]
	w.of = nil
	h.linger(p)
	h.drop(p)
}

// news is what is told of one person.
type news struct {
	personKey
	seen   []byte
	hidden bool // to be told to nobody
}

// status is what others see.
func (n news) status() *presencev1.Status {
	e := &presencev1.Entry{}
	if err := proto.Unmarshal(n.seen, e); err != nil {
		panic(err) // it was encoded here, or by a process of this service
	}
	return e.GetStatus()
}

// status is what others see of somebody whose home is here.
func (h *house) status(k personKey) *presencev1.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := offline
	if p := h.people[k]; p != nil {
		seen = p.seen
	} else if !h.absent(k) {
		seen = unknown(0)
	}
	return news{k, seen, false}.status()
}

// take returns what is new to a watcher, at which version, and since when it may be old; zero: it is true.
func (h *house) take(by *watcher) (list []news, version uint64, frozen time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range by.dirty {
		if w.dirty = false; w.of != nil {
			list = append(list, news{w.of.key, w.of.seen, w.of.hidden})
		}
	}
	slices.SortFunc(list, func(a, b news) int { return strings.Compare(a.user, b.user) }) // else it would tell what else happened to whom
	by.dirty = by.dirty[:0]
	return list, h.version, h.frozen
}
