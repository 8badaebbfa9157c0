package presence

import (
	"bytes"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// watcher is somebody who looks at people: a view, a room, or another process whose people do.
type watcher struct {
	kick       signal      // something is dirty
	recheck    signal      // whom it may look at is to be looked at
	lacking    atomic.Bool // a view's: it doesn't show all whom it is to
	seesHidden bool        // it is told who hides, too
	watches    map[personKey]*watch
	dirty      []*watch
}

// watch is a watcher's look at one person.
type watch struct {
	of    *person
	by    *watcher
	place int // among those of the person
	dirty bool
	blank bool // nothing was told yet but that they are not known
}

// newWatcher returns one of about so many people.
func newWatcher(people int) *watcher {
	return &watcher{kick: newSignal(), recheck: newSignal(), watches: make(map[personKey]*watch, people)}
}

// mark says that there is something new.
func (w *watch) mark() {
	if w.dirty {
		return
	}
	w.dirty = true
	if w.by.dirty = append(w.by.dirty, w); len(w.by.dirty) == 1 {
		w.by.kick.raise()
	}
}

// recheck has those look again who look at some people.
func (h *hub) recheck(people []personKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range people {
		if p := h.people[k]; p != nil {
			for _, w := range p.watches {
				w.by.recheck.raise()
			}
		}
	}
}

// watch adds people to those that a watcher looks at. What is told of them does not depend on who else looks, nor on who hides.
func (h *hub) watch(by *watcher, people []personKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[by] = struct{}{}
	h.addWatches(by, people)
}

// addWatches does so; h.mu is held.
func (h *hub) addWatches(by *watcher, people []personKey) {
	var piece []watch // a view's are made in one piece: a storm begins with many. Who looks long, at others all the time, would not let go of theirs
	if len(by.watches) == 0 {
		piece = make([]watch, len(people))
		by.dirty = slices.Grow(by.dirty, len(people))
	}
	for _, k := range people {
		if by.watches[k] != nil {
			continue
		}
		fits := h.hasRoom()
		p := h.person(k)
		switch {
		case !fits && (p == nil || !p.here): // they are told as unknown until there is, whether or not they have a place because they hide, or others look
			p, h.crowded = &person{key: k, place: -1, seen: unknown(0)}, true
		case len(p.watches) == 0 && p.lingers == nil && !h.isHome(k): // what they were seen as is long ago
			p.seen, p.known = h.blank(k)
		}
		w := &watch{}
		if len(piece) > 0 {
			w, piece = &piece[0], piece[1:]
		}
		*w = watch{of: p, by: by, place: len(p.watches), blank: h.people[k] == p}
		by.watches[k] = w
		p.watches = append(p.watches, w)
		if p.lingers != nil {
			h.lingering.Remove(p.lingers)
			p.lingers = nil
		} else if w.place == 0 { // else their home is followed
			h.setMirror(p)
		}
		w.mark()
	}
}

// readmit has those known whom watchers look at, and for whom there was no room.
func (h *hub) readmit(now time.Time) {
	h.crowded = false
	for by := range h.watchers {
		var people []personKey
		for k, w := range by.watches {
			if h.people[k] != w.of {
				delete(by.watches, k)
				h.unwatch(w, now)
				people = append(people, k)
			}
		}
		h.addWatches(by, people)
	}
}

// forget takes people off those that a watcher looks at; nil: all.
func (h *hub) forget(by *watcher, people []personKey, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if people == nil {
		for _, w := range by.watches {
			h.unwatch(w, now)
		}
		by.watches, by.dirty = map[personKey]*watch{}, nil
		delete(h.watchers, by)
		return
	}
	for _, k := range people {
		if w := by.watches[k]; w != nil {
			delete(by.watches, k)
			h.unwatch(w, now)
		}
	}
}

// lingerTime is how long somebody is remembered whom nobody looks at any more: homes aren't asked anew each time by who asks again and again, as polls do.
const lingerTime = time.Minute

// linger has somebody remembered whom nobody looks at any more.
func (h *hub) linger(p *person, now time.Time) {
	if len(p.watches) == 0 && h.people[p.key] == p {
		p.lingers, p.lingersUntil = h.lingering.PushBack(p), now.Add(lingerTime)
	}
}

// expireLingering forgets those whose time is over.
func (h *hub) expireLingering(now time.Time) {
	for p := h.firstLingering(); p != nil && !now.Before(p.lingersUntil); p = h.firstLingering() {
		h.release(p)
	}
}

// firstLingering is who has been remembered for longest; nil: nobody is.
func (h *hub) firstLingering() *person {
	if e := h.lingering.Front(); e != nil {
		return e.Value.(*person) //nolint:forcetypeassert // holds nothing else
	}
	return nil
}

// release forgets one whom nobody looks at.
func (h *hub) release(p *person) {
	h.lingering.Remove(p.lingers)
	p.lingers = nil
	h.setMirror(p)
	h.drop(p)
}

// awaits says whether any of some people is watched at another home, and whether one of these homes has not told yet, nor let it be known that it won't.
func (h *hub) awaits(by *watcher, people []personKey) (elsewhere, untold bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range people {
		if w := by.watches[k]; w != nil && w.of.mirror != nil {
			elsewhere, untold = true, untold || !w.of.mirrorTold && !w.of.mirror.lost
		}
	}
	return elsewhere, untold
}

func (h *hub) unwatch(w *watch, now time.Time) {
	p := w.of
	last := p.watches[len(p.watches)-1]
	p.watches[w.place], last.place = last, w.place
	p.watches[len(p.watches)-1] = nil
	p.watches = p.watches[:len(p.watches)-1]
	w.of = nil
	h.linger(p, now)
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
func (h *hub) status(k personKey) *presencev1.Status {
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

// takeNews returns what is new to a watcher, and since when it may be old; zero: it is true.
func (h *hub) takeNews(by *watcher) (list []news, frozen time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list = make([]news, 0, len(by.dirty))
	for _, w := range by.dirty {
		if w.dirty = false; w.of != nil {
			list = append(list, news{w.of.key, h.seenBy(w), w.of.hidden})
		}
	}
	slices.SortFunc(list, func(a, b news) int { return strings.Compare(a.user, b.user) }) // else it would tell what else happened to whom
	by.dirty = by.dirty[:0]
	return list, h.frozen
}

// seenBy is what a watcher is told of somebody: who has been told nothing of them yet sees neither since when they are not known, nor whether they are
// remembered, because they hide or others look, while those are not known of whom nothing is.
func (h *hub) seenBy(w *watch) []byte {
	p := w.of
	if w.blank && (!p.known || p.mirror == nil && bytes.Equal(p.seen, offline)) {
		seen, known := h.blank(p.key)
		w.blank = !known
		return seen
	}
	w.blank = false
	return p.seen
}
