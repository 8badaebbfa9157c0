package presence

import (
	"bytes"
	"container/heap"
	"container/list"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/topic"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// personKey names somebody.
type personKey struct{ workspace, user string }

// route is what people are placed by among the processes: what gateways go by.
func (k personKey) route() string { return topic.RouteKey(k.workspace, k.user) }

// house is what a process knows: people, those whose home it is and those whom it watches at theirs; the gateways that tell of them; and who looks
// at them. Times are told to it.
type house struct {
	cfg Config

	mu       sync.Mutex // guards all below, and all that hangs on it but channels and atomics: people, sessions, gateways, mirrors, watchers
	people   map[personKey]*person
	gateways map[string]*gateway // those that have a stream, by incarnation
	watchers map[*watcher]struct{}
	mirrors  map[registry.Node]*mirror
	due      agenda
	idle     list.List             // of *person: whom nobody looks at any more, and who are remembered for a while, in that order
	crowded  bool                  // somebody is looked at for whom there was no room
	mirrored signal                // there is another mirror, or one has nobody left
	strange  map[personKey]*person // have sessions, and what they have chosen isn't known yet
	ask      signal                // there are strange ones
	past     *past
	gone     map[personKey]int64 // in which hour people were told as here last who are not any more, until that is written; as many as people may be known

	self   string               // this process's node
	now    registry.Placement   // of people among the processes
	was    []registry.Placement // while not all is known: as it was when all was known last, and as it was then; none: all was never known, or too long ago
	living map[string]bool      // the gateways that live
	silent map[string]time.Time // those of them that have not told all, since when
	deaf   bool                 // one of them has been silent for the time of grace, or has told of more people than there is room for
	told   bool                 // all of them have told all, by the placement of now
	tarry  map[personKey]bool   // those of whom it has to be known yet what they have chosen, once all was told
	whole  bool                 // all is known
	frozen time.Time            // since when this process may be taken for dead; zero: it isn't

	vanished map[string]time.Time // gateways that are not there any more, since when, for the time of grace: who was at one may be between two connections
	since    []registry.Placement // while there are such: by which all was known as the first of them vanished, and those that followed; none: nothing was

	recorded    map[string]time.Time // the workspaces of which records are kept, and since when
	ended       []record             // to be written down; at most maxEnded
	lostRecords int                  // for which there was no room
}

// maxPlaces: after so many changes during which not all was known, nothing is.
const maxPlaces = 16

func newHouse(cfg Config, self string) *house {
	return &house{
		cfg: cfg, self: self, people: map[personKey]*person{}, strange: map[personKey]*person{}, ask: newSignal(),
		past: newPast(cfg.PastBytes), gone: map[personKey]int64{}, vanished: map[string]time.Time{},
		living: map[string]bool{}, silent: map[string]time.Time{}, gateways: map[string]*gateway{}, watchers: map[*watcher]struct{}{}, mirrors: map[registry.Node]*mirror{}, mirrored: newSignal(),
	}
}

// person is somebody who has sessions, or is looked at.
type person struct {
	key     personKey
	home    bool    // it is here: isHome, which takes a hash for each process
	figure          // at home; what they have chosen where it is known
	loaded  bool    // it is
	sight   sight   // as gateways were told last
	left    *figure // of who has become invisible: what they are seen by until the time of grace is over
	hiding  *hiding // not nil: that has not begun
	seen    []byte  // an encoded Entry: what is told of them
	known   bool    // seen is no STATE_UNSPECIFIED
	hidden  bool    // they have chosen to be invisible, whatever seen still says
	here    bool    // at home, where they are told as neither that nor offline
	watches []*watch
	mirror  *mirror       // that tells of them; nil: they are at home here, or nobody has looked for a while
	told    bool          // it has
	kept    *list.Element // nobody looks, and they are remembered for a while: their place in idle
	until   time.Time     // so long
	next    time.Time     // when to look again; zero: never
	place   int           // in the agenda
}

// isHome says whether a person's home is here.
func (h *house) isHome(k personKey) bool { return h.now.Home(k.route()).ID == h.self }

// knows says whether all sessions of a person are known here: everybody has told all, or it has been the person's home ever since they had.
func (h *house) knows(k personKey) bool {
	return h.isHome(k) && h.heard(k)
}

// heard says so of somebody whose home is here.
func (h *house) heard(k personKey) bool {
	return h.whole || len(h.was) > 0 && !slices.ContainsFunc(h.was, func(p registry.Placement) bool { return p.Home(k.route()).ID != h.self })
}

// person returns somebody's record, which is made where there is none; nil: there are too many.
func (h *house) person(k personKey) *person {
	p := h.people[k]
	if p == nil && h.room() {
		p = &person{key: k, home: h.isHome(k), place: -1}
		h.people[k] = p
		p.seen, p.known = h.blank(k)
	}
	return p
}

// room says whether there is room for one more. Who is only remembered makes it.
func (h *house) room() bool {
	for len(h.people) >= h.cfg.People && h.idle.Len() > 0 {
		h.release(h.idle.Front())
	}
	return len(h.people) < h.cfg.People
}

// blank is what is seen of who has no sessions.
func (h *house) blank(k personKey) (seen []byte, known bool) {
	if h.absent(k) && h.frozen.IsZero() {
		return offline, true
	}
	return unknown(0), false
}

var offline = encode(&presencev1.Status{State: presencev1.State_STATE_OFFLINE})

func unknown(asOfMs int64) []byte { return encode(&presencev1.Status{AsOfMs: asOfMs}) }

func encode(s *presencev1.Status) []byte { return marshal(&presencev1.Entry{Status: s}) }

func marshal(e *presencev1.Entry) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		panic(err) // its strings were checked
	}
	return b
}

// look decides what is seen of somebody, if their home is here.
func (h *house) look(p *person, now time.Time) {
	h.heed(p, now)
	if !h.frozen.IsZero() {
		return
	}
	for _, s := range p.sessions {
		if s.gone(now, &h.cfg) {
			h.leave(p, s, now)
		}
	}
	p.clear(now, p.home, &h.cfg)
	var vanish time.Time
	if p.hiding != nil {
		if p.left.sessions = p.sessions; !p.home || len(p.hiding.waits) == 0 || !now.Before(p.hiding.until) {
			p.left, p.hiding = p.left.leave(now), nil
		} else {
			vanish = p.hiding.until
		}
	}
	if p.left != nil && p.left.clear(now, p.home, &h.cfg) {
		p.left, p.hiding = nil, nil
	}
	switch {
	case !p.home:
		p.loaded, p.sight = false, untold
		h.familiar(p.key)
	case len(p.sessions) == 0:
		h.familiar(p.key)
	case !p.loaded:
		h.wonder(p)
	}
	by := &p.figure
	seen, next := look(now, by, &h.cfg)
	next = sooner(next, vanish)
	if p.left != nil {
		var change time.Time
		by = p.left
		seen, change = look(now, by, &h.cfg)
		next = sooner(next, change)
	}
	next = sooner(next, h.add(p, by, seen, p.home, now))
	decided := len(p.sessions) == 0 || p.loaded || p.sight == hidden && p.left == nil
	if !decided && (!p.known || bytes.Equal(p.seen, offline)) { // they may be invisible, for all that is known
		seen, decided = &presencev1.Status{State: presencev1.State_STATE_OFFLINE}, true
	}
	switch {
	case !p.home: // the mirror tells
		p.here = false
	case !h.heard(p.key), seen.GetState() == presencev1.State_STATE_OFFLINE && !h.absent(p.key), seen.GetState() != presencev1.State_STATE_OFFLINE && by.doubted:
		h.lose(p, now)
		h.present(p, false, now)
	case decided: // else they are told as they were, until it is known how they want to be seen
		p.known = true
		h.show(p, encode(seen))
		h.present(p, seen.GetState() != presencev1.State_STATE_OFFLINE, now)
	}
	if p.home {
		h.veil(p, p.chosen.hides(now) && (p.hiding == nil || p.hiding.told()))
	}
	h.plan(p, sooner(next, h.attend(p, now)))
	h.drop(p)
}

// listen finds out whether somebody may be there of whom nothing is known: a gateway that lives has told nothing for too long, or has told of more than
// there was room for, or one has vanished. It returns whether that is new.
func (h *house) listen(now time.Time) bool {
	deaf, vanished := false, len(h.vanished) > 0
	for incarnation := range h.living {
		if g := h.gateways[incarnation]; g != nil && g.complete != 0 {
			delete(h.silent, incarnation)
			deaf = deaf || g.missed
		} else if since, silent := h.silent[incarnation]; !silent {
			h.silent[incarnation] = now
		} else if now.Sub(since) >= h.cfg.Grace {
			deaf = true
		}
	}
	maps.DeleteFunc(h.silent, func(incarnation string, _ time.Time) bool { return !h.living[incarnation] })
	maps.DeleteFunc(h.vanished, func(incarnation string, since time.Time) bool {
		return h.living[incarnation] || now.Sub(since) >= h.cfg.Grace
	})
	if len(h.vanished) == 0 {
		h.since = nil
	}
	was := h.deaf
	h.deaf = deaf
	return deaf != was || vanished && len(h.vanished) == 0
}

// familiar says that nothing has to be found out of somebody.
func (h *house) familiar(k personKey) {
	delete(h.strange, k)
	delete(h.tarry, k)
}

// wonder has it found out what somebody has chosen.
func (h *house) wonder(p *person) {
	h.strange[p.key] = p
	h.ask.raise()
}

// lose has somebody told as not known, from now on.
func (h *house) lose(p *person, now time.Time) {
	if p.known {
		p.known = false
		h.show(p, unknown(now.UnixMilli()))
	}
}

// show tells those who look at somebody what is new.
func (h *house) show(p *person, seen []byte) {
	if bytes.Equal(p.seen, seen) {
		return
	}
	p.seen = seen
	for _, w := range p.watches {
		w.mark()
	}
}

// veil notes whether somebody hides. That is told at once to those alone who have to know it, and tell nobody: to others nothing happens.
func (h *house) veil(p *person, hidden bool) {
	if p.hidden == hidden {
		return
	}
	p.hidden = hidden
	for _, w := range p.watches {
		if w.by.veiled {
			w.mark()
		}
	}
}

// drop forgets somebody who has no sessions and whom nobody has looked at for a while.
func (h *house) drop(p *person) {
	if len(p.sessions) == 0 && len(p.watches) == 0 && p.kept == nil && h.people[p.key] == p {
		h.plan(p, time.Time{})
		h.familiar(p.key)
		delete(h.people, p.key)
		h.abroad(p)
	}
}

// tick does what is due at a time.
func (h *house) tick(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	roomy := len(h.people) <= h.cfg.People*9/10
	for _, g := range h.gateways {
		if now.Sub(g.heard) >= reportSilence || g.missed && roomy { // it tells all anew
			h.end(g, now)
		}
	}
	if h.crowded && roomy {
		h.readmit(now)
	}
	h.unkeep(now)
	if !h.frozen.IsZero() {
		return
	}
	if h.listen(now) {
		h.again(now)
	}
	h.past.expire(now, func(k personKey) bool { return h.people[k] != nil && len(h.people[k].sessions) > 0 })
	for len(h.due) > 0 && !now.Before(h.due[0].next) {
		h.look(h.due[0], now)
	}
}

// settle takes over where the processes of presence are now, and which gateways live. sure: this process is taken for alive by all.
func (h *house) settle(now time.Time, place registry.Placement, gateways []string, sure bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	living := make(map[string]bool, len(gateways))
	for _, g := range gateways {
		living[g] = true
	}
	for g := range h.living {
		if !living[g] {
			h.vanish(g, now)
		}
	}
	h.living = living
	moved := h.now.Number() != place.Number()
	if moved {
		switch {
		case h.whole:
			h.was = []registry.Placement{h.now}
		case len(h.was) == maxPlaces:
			h.was = nil
		case len(h.was) > 0:
			h.was = append(h.was, h.now)
		}
		if h.now, h.told, h.tarry, h.whole = place, false, nil, false; len(h.since) == maxPlaces {
			h.since = nil
		} else if len(h.since) > 0 {
			h.since = append(h.since, place)
		}
		for k, p := range h.people {
			p.home = h.isHome(k)
		}
		h.evict()
		h.mirrored.raise() // a home that nobody is watched at may be no more
	}
	thawed := sure && !h.frozen.IsZero()
	switch {
	case thawed:
		h.thaw(now)
	case !sure && h.frozen.IsZero():
		h.frozen = now
	}
	if whole, hears := h.count(), h.listen(now); whole || hears || moved || thawed {
		h.again(now)
	}
	if thawed || h.frozen.Equal(now) {
		for w := range h.watchers {
			w.kick.raise()
		}
	}
}

// again looks at everybody anew.
func (h *house) again(now time.Time) {
	for _, p := range h.people {
		h.look(p, now)
		if !p.home || p.mirror != nil {
			h.abroad(p)
		}
		if p.mirror != nil && p.mirror.lost {
			h.lose(p, now)
		}
		for _, w := range p.watches {
			if w.blank {
				w.mark()
			}
		}
	}
}

// count finds out whether all is known, and returns whether that is new: all gateways that live have told all, and of those whom they told of then
// it is known what they have chosen. Nobody is told as known before: who is invisible would be so later than who is offline.
func (h *house) count() bool {
	if h.whole || len(h.living) == 0 {
		return false
	}
	if !h.told {
		for incarnation := range h.living {
			if g := h.gateways[incarnation]; g == nil || g.complete != h.now.Number() {
				return false
			}
		}
		h.told, h.tarry = true, make(map[personKey]bool, len(h.strange))
		for k := range h.strange {
			h.tarry[k] = true
		}
	}
	if len(h.tarry) > 0 {
		return false
	}
	h.whole, h.was, h.tarry = true, nil, nil
	return true
}

// plan sets when somebody is to be looked at again.
func (h *house) plan(p *person, at time.Time) {
	if at.Equal(p.next) && at.IsZero() == (p.place < 0) {
		return
	}
	p.next = at
	switch {
	case at.IsZero() && p.place >= 0:
		heap.Remove(&h.due, p.place)
	case at.IsZero():
	case p.place >= 0:
		heap.Fix(&h.due, p.place)
	default:
		heap.Push(&h.due, p)
	}
}

// agenda is a heap of people, whoever is to be looked at first in front.
type agenda []*person

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].next.Before(a[j].next) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

// Push is for container/heap.
func (a *agenda) Push(x any) {
	p := x.(*person) //nolint:forcetypeassert // holds nothing else
	p.place = len(*a)
	*a = append(*a, p)
}

// Pop likewise.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	p := (*a)[last]
	(*a)[last], p.place = nil, -1
	*a = (*a)[:last]
	return p
}
