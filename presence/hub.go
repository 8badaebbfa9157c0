package presence

import (
	"bytes"
	"container/list"
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

// hub is what a process knows: people, those whose home it is and those whom it watches at theirs; the gateways that tell of them; and who looks
// at them. Times are told to it.
type hub struct {
	cfg Config

	mu        sync.Mutex // guards all below, and all that hangs on it but channels and atomics: people, sessions, gateways, mirrors, watchers
	people    map[personKey]*person
	gateways  map[string]*gateway // those that have a stream, by incarnation
	watchers  map[*watcher]struct{}
	mirrors   map[registry.Node]*mirror
	due       agenda
	lingering list.List             // of *person: whom nobody looks at any more, and who are remembered for lingerTime, in that order
	crowded   bool                  // somebody is looked at for whom there was no room
	mirrored  signal                // there is another mirror, or one has nobody left
	toLoad    map[personKey]*person // have sessions, and what they have chosen isn't known yet
	loads     signal                // there are some
	past      *past
	lastSeen  map[personKey]int64 // in which hour people were told as here last who are not any more, until that is written; as many as people may be known

	self        string               // this process's node
	placement   registry.Placement   // of people among the processes
	sinceSynced []registry.Placement // while not synced: the placement when it was last, and those that followed; none: it never was, or too many have followed
	living      map[string]bool      // the gateways that live
	silent      map[string]time.Time // those of them that have not told all, since when
	deaf        bool                 // one of them has been silent for the time of grace, or has told of more people than there is room for
	reported    bool                 // all of them have told all, by the present placement
	awaiting    map[personKey]bool   // once reported: those told of until then whose choice has to be read yet
	synced      bool                 // all was reported, and nobody is awaited any more
	frozen      time.Time            // since when this process may be taken for dead; zero: it isn't

	vanished      map[string]time.Time // gateways that are not there any more, since when, for the time of grace: who was at one may be between two connections
	sinceVanished []registry.Placement // while there are such: as sinceSynced when the first of them vanished, and those that followed; none: too little was known

	recorded    map[string]time.Time // the workspaces of which records are kept, and since when
	ended       []record             // to be written down; at most maxEnded
	lostRecords int                  // for which there was no room
}

func newHub(cfg Config, self string) *hub {
	return &hub{
		cfg: cfg, self: self, people: map[personKey]*person{}, toLoad: map[personKey]*person{}, loads: newSignal(), lastSeen: map[personKey]int64{},
		gateways: map[string]*gateway{}, living: map[string]bool{}, silent: map[string]time.Time{}, vanished: map[string]time.Time{},
		watchers: map[*watcher]struct{}{}, mirrors: map[registry.Node]*mirror{}, mirrored: newSignal(), past: newPast(cfg.PastBytes),
	}
}

// person is somebody who has sessions, or is looked at.
type person struct {
	key          personKey
	home         bool       // it is here: isHome, which takes a hash for each process
	inputs                  // at home; what they have chosen where it is known
	loaded       bool       // it is
	visibility   visibility // as gateways were told last
	departed     *inputs    // of who has become invisible: what they are seen by until the time of grace is over
	hiding       *hiding    // not nil: that has not begun
	seen         []byte     // an encoded Entry: what is told of them
	known        bool       // seen is no STATE_UNSPECIFIED
	hidden       bool       // they have chosen to be invisible, whatever seen still says
	here         bool       // at home, where they are told as neither that nor offline
	watches      []*watch
	mirror       *mirror       // that tells of them; nil: they are at home here, or nobody has looked for a while
	mirrorTold   bool          // it has
	lingers      *list.Element // nobody looks, and they are remembered for a while: their place in lingering
	lingersUntil time.Time
	next         time.Time // when to look again; zero: never
	place        int       // in the agenda
}

// isHome says whether a person's home is here.
func (h *hub) isHome(k personKey) bool { return h.placement.Home(k.route()).ID == h.self }

// person returns somebody's record, which is made where there is none; nil: there are too many.
func (h *hub) person(k personKey) *person {
	p := h.people[k]
	if p == nil && h.hasRoom() {
		p = &person{key: k, home: h.isHome(k), place: -1}
		h.people[k] = p
		p.seen, p.known = h.blank(k)
	}
	return p
}

// hasRoom says whether there is room for one more. Who is only remembered makes it.
func (h *hub) hasRoom() bool {
	for len(h.people) >= h.cfg.People && h.lingering.Len() > 0 {
		h.release(h.firstLingering())
	}
	return len(h.people) < h.cfg.People
}

// blank is what is seen of who has no sessions.
func (h *hub) blank(k personKey) (seen []byte, known bool) {
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

// decide finds out what is to be seen of somebody now, if their home is here, tells who looks at them, and plans when to do so again.
func (h *hub) decide(p *person, now time.Time) {
	h.answerGateways(p, now)
	if !h.frozen.IsZero() {
		return
	}
	departs := h.prune(p, now)
	switch {
	case !p.home:
		p.loaded, p.visibility = false, untold
		h.cancelLoad(p.key)
	case len(p.sessions) == 0:
		h.cancelLoad(p.key)
	case !p.loaded:
		h.queueLoad(p)
	}
	by := &p.inputs
	seen, next := statusAt(now, by, &h.cfg)
	next = sooner(next, departs)
	if p.departed != nil {
		var change time.Time
		by = p.departed
		seen, change = statusAt(now, by, &h.cfg)
		next = sooner(next, change)
	}
	next = sooner(next, h.addDetails(p, by, seen, p.home, now))
	decided := len(p.sessions) == 0 || p.loaded || p.visibility == hidden && p.departed == nil
	if !decided && (!p.known || bytes.Equal(p.seen, offline)) { // they may be invisible, for all that is known
		seen, decided = &presencev1.Status{State: presencev1.State_STATE_OFFLINE}, true
	}
	switch {
	case !p.home: // the mirror tells
		p.here = false
	case !h.heard(p.key), seen.GetState() == presencev1.State_STATE_OFFLINE && !h.absent(p.key), seen.GetState() != presencev1.State_STATE_OFFLINE && by.doubted:
		h.setUnknown(p, now)
		h.setHere(p, false, now)
	case decided: // else they are told as they were, until it is known how they want to be seen
		p.known = true
		h.publish(p, encode(seen))
		h.setHere(p, seen.GetState() != presencev1.State_STATE_OFFLINE, now)
	}
	if p.home {
		h.setHidden(p, p.chosen.hides(now) && (p.hiding == nil || p.hiding.announced()))
	}
	h.plan(p, sooner(next, h.updateStretches(p, now)))
	h.drop(p)
}

// prune takes off sessions that are gone, and has who hides depart when all gateways have confirmed it, or had the time to. It returns when that is; zero:
// it isn't to come.
func (h *hub) prune(p *person, now time.Time) (departs time.Time) {
	for _, s := range p.sessions {
		if s.gone(now, &h.cfg) {
			h.endStretch(p, s, now)
		}
	}
	p.prune(now, p.home, &h.cfg)
	if p.hiding != nil {
		if p.departed.sessions = p.sessions; !p.home || len(p.hiding.waits) == 0 || !now.Before(p.hiding.until) {
			p.departed, p.hiding = p.departed.asDeparted(now), nil
		} else {
			departs = p.hiding.until
		}
	}
	if p.departed != nil && p.departed.prune(now, p.home, &h.cfg) {
		p.departed, p.hiding = nil, nil
	}
	return departs
}

// cancelLoad says that nothing has to be found out of somebody.
func (h *hub) cancelLoad(k personKey) {
	delete(h.toLoad, k)
	delete(h.awaiting, k)
}

// queueLoad has it found out what somebody has chosen.
func (h *hub) queueLoad(p *person) {
	h.toLoad[p.key] = p
	h.loads.raise()
}

// setUnknown has somebody told as not known, from now on.
func (h *hub) setUnknown(p *person, now time.Time) {
	if p.known {
		p.known = false
		h.publish(p, unknown(now.UnixMilli()))
	}
}

// publish tells those who look at somebody what is new.
func (h *hub) publish(p *person, seen []byte) {
	if bytes.Equal(p.seen, seen) {
		return
	}
	p.seen = seen
	for _, w := range p.watches {
		w.mark()
	}
}

// drop forgets somebody who has no sessions and whom nobody has looked at for a while.
func (h *hub) drop(p *person) {
	if len(p.sessions) == 0 && len(p.watches) == 0 && p.lingers == nil && h.people[p.key] == p {
		h.plan(p, time.Time{})
		h.cancelLoad(p.key)
		delete(h.people, p.key)
		h.setMirror(p)
	}
}

// tick does what is due at a time.
func (h *hub) tick(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	roomy := len(h.people) <= h.cfg.People*9/10
	for _, g := range h.gateways {
		if now.Sub(g.heard) >= reportSilence || g.missed && roomy { // it tells all anew
			h.endStream(g, now)
		}
	}
	if h.crowded && roomy {
		h.readmit(now)
	}
	h.expireLingering(now)
	if !h.frozen.IsZero() {
		return
	}
	if h.listen(now) {
		h.decideAll(now)
	}
	h.past.expire(now, func(k personKey) bool { return h.people[k] != nil && len(h.people[k].sessions) > 0 })
	for len(h.due) > 0 && !now.Before(h.due[0].next) {
		h.decide(h.due[0], now)
	}
}

// setPlacement takes over where the processes of presence are now, and which gateways live. sure: this process is taken for alive by all.
func (h *hub) setPlacement(now time.Time, place registry.Placement, gateways []string, sure bool) {
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
	moved := h.placement.Number() != place.Number()
	if moved {
		if h.sinceSynced = followedBy(h.sinceSynced, h.placement); h.synced {
			h.sinceSynced = []registry.Placement{h.placement}
		}
		h.sinceVanished = followedBy(h.sinceVanished, place)
		h.placement, h.reported, h.awaiting, h.synced = place, false, nil, false
		for k, p := range h.people {
			p.home = h.isHome(k)
		}
		h.forgetOthers()
		h.mirrored.raise() // a home that nobody is watched at may be no more
	}
	thawed := sure && !h.frozen.IsZero()
	switch {
	case thawed:
		h.thaw(now)
	case !sure && h.frozen.IsZero():
		h.frozen = now
	}
	if synced, hears := h.checkSynced(), h.listen(now); synced || hears || moved || thawed {
		h.decideAll(now)
	}
	if thawed || h.frozen.Equal(now) {
		for w := range h.watchers {
			w.kick.raise()
		}
	}
}

// decideAll decides of everybody.
func (h *hub) decideAll(now time.Time) {
	for _, p := range h.people {
		h.decide(p, now)
		if !p.home || p.mirror != nil {
			h.setMirror(p)
		}
		if p.mirror != nil && p.mirror.lost {
			h.setUnknown(p, now)
		}
		for _, w := range p.watches {
			if w.blank {
				w.mark()
			}
		}
	}
}
