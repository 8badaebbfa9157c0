package census

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// Keys of entries that are of no person (presence.proto).
const (
	entryView = "~"
	entryRoom = "#"
)

// Look is what somebody is shown: of people, or of a room. It implements crowd.View.
type Look struct {
	census *Census
	by     *Person
	want   *edgev1.Want
	whom   []*Person // of people: those who may be shown, by their ids
	room   *Room     // nil: of people
	window *presencev1.Window

	open    bool
	begun   time.Time // when it was subscribed last
	at      *edgev1.Cursor
	shown   map[string]*sight
	counts  *presencev1.Counts
	blind   time.Time // since when all may be old; zero: it isn't
	blinded bool      // that was counted
	stale   bool
	frozen  bool
	credit  float64 // updates that may come at once
	last    time.Time
	partial bool // the last frame had more behind it
}

// sight is how one person is shown.
type sight struct {
	of      *Person // nil: of another process
	state   presencev1.State
	version uint32
	told    time.Time
	counted bool // that it is wrong
}

// Look has somebody look at people; strangers are those of them with whom they share no channel.
func (c *Census) Look(by *Person, people, strangers []*Person) *Look {
	q := &presencev1.People{}
	for _, p := range append(slices.Clone(people), strangers...) {
		q.Users = append(q.Users, p.ID)
	}
	l := c.look(by, "presence.people/me", q)
	l.whom = slices.SortedFunc(slices.Values(people), func(a, b *Person) int { return strings.Compare(a.ID, b.ID) })
	return l
}

// LookAt has somebody look at a room.
func (c *Census) LookAt(by *Person, r *Room, w *presencev1.Window) *Look {
	l := c.look(by, "presence.channel/"+r.ID, w)
	l.room, l.window = r, w
	return l
}

func (c *Census) look(by *Person, topic string, params proto.Message) *Look {
	data, err := proto.Marshal(params)
	if err != nil {
		panic(err) // its strings are ids
	}
	l := &Look{census: c, by: by, shown: map[string]*sight{}, want: &edgev1.Want{Topic: topic, Mode: edgev1.Mode_MODE_EVENTS, Params: data}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks = append(c.looks, l)
	return l
}

// Want implements crowd.View.
func (l *Look) Want() *edgev1.Want {
	l.census.mu.Lock()
	defer l.census.mu.Unlock()
	return &edgev1.Want{Topic: l.want.GetTopic(), Mode: l.want.GetMode(), Params: l.want.GetParams(), Cursor: l.at}
}

// Began implements crowd.View.
func (l *Look) Began(now time.Time) {
	l.census.mu.Lock()
	defer l.census.mu.Unlock()
	l.open, l.begun, l.credit, l.last = true, now, frameBurst, now
	l.sees(now)
	l.stale, l.blind = false, time.Time{}
	for _, s := range l.shown {
		s.counted = false
		if s.state == presencev1.State_STATE_UNSPECIFIED {
			s.told = now
		}
	}
}

// Ended implements crowd.View.
func (l *Look) Ended() {
	l.census.mu.Lock()
	defer l.census.mu.Unlock()
	l.open = false
}

// Take implements crowd.View.
func (l *Look) Take(f *edgev1.View, now time.Time) {
	entries := make([]*presencev1.Entry, len(f.GetEntries()))
	for i, e := range f.GetEntries() {
		entries[i] = &presencev1.Entry{}
		if err := proto.Unmarshal(e.GetBody(), entries[i]); err != nil {
			entries[i] = nil
		}
	}
	c := l.census
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	l.rate(f, now)
	if f.GetSnapshot() {
		clear(l.shown)
		l.counts, l.frozen = nil, false
	}
	c.found.Told += uint64(len(entries))
	for i, e := range f.GetEntries() {
		l.take(e, entries[i], f.GetSnapshot(), now)
	}
	if f.GetAt() != nil {
		l.at = f.GetAt()
	}
	l.stale = f.GetStale()
	l.sees(now)
}

// sees notes whether what is shown may be old.
func (l *Look) sees(now time.Time) {
	switch old := l.stale || l.frozen; {
	case !old && !l.blind.IsZero():
		l.blind, l.begun = time.Time{}, now // what it has missed comes now
	case old && l.blind.IsZero():
		l.blind, l.blinded = now, false
	}
}

// rate counts updates, of which one may come each second; the first one of a source at any time.
func (l *Look) rate(f *edgev1.View, now time.Time) {
	c := l.census
	again := l.partial
	l.partial = f.GetMore()
	if again || len(f.GetEntries()) == 0 && !f.GetSnapshot() {
		return
	}
	c.found.Frames++
	if f.GetSnapshot() {
		l.credit, l.last = frameBurst, now
		return
	}
	l.credit = min(frameBurst, l.credit+now.Sub(l.last).Seconds()) - 1
	if l.last = now; l.credit < 0 {
		l.credit = 0
		c.broke(&c.found.Hurried, "%s was sent more than one update a second of %s", l.by.ID, l.want.GetTopic())
	}
}

// take takes one entry; m is nil where it can't be read.
func (l *Look) take(e *edgev1.Entry, m *presencev1.Entry, snapshot bool, now time.Time) {
	c, id := l.census, e.GetKey()
	switch {
	case id == entryView:
		l.frozen = !e.GetRemoved()
		return
	case id == entryRoom && l.room != nil:
		l.counted(m.GetCounts())
		return
	case e.GetRemoved():
		delete(l.shown, id)
		return
	case m == nil || m.GetStatus() == nil:
		c.broke(&c.found.Wrong, "%s was told of %s what can't be read", l.by.ID, id)
		return
	}
	p := c.people[id]
	if l.room == nil && !l.knows(id) || l.room != nil && !l.room.members[id] {
		c.broke(&c.found.Strangers, "%s was told of %s on %s, with whom no channel is shared", l.by.ID, id, l.want.GetTopic())
		return
	}
	s := l.shown[id]
	first := s == nil
	if first {
		s = &sight{of: p}
		l.shown[id] = s
	}
	was, state, version := *s, m.GetStatus().GetState(), c.version(m.GetStatus().GetCustom().GetText())
	visible := state != presencev1.State_STATE_OFFLINE && state != presencev1.State_STATE_UNSPECIFIED
	if !first && was.state == presencev1.State_STATE_UNSPECIFIED && state != was.state {
		c.Unknown.Record(0, now.Sub(was.told))
	}
	s.told, s.counted = now, false
	if !first && state == was.state && state == presencev1.State_STATE_UNSPECIFIED {
		s.told, s.counted = was.told, was.counted
	}
	s.state = state
	if p == nil {
		return // another process knows
	}
	if !first && !snapshot && l.open {
		if visible {
			if at := p.changed(state, version, was.version, was.state, l.begun); !at.IsZero() {
				c.Changes.Record(0, now.Sub(at))
			}
		} else if state == presencev1.State_STATE_OFFLINE && was.state != state && !p.here && !p.since.Before(l.begun) {
			c.Gone.Record(0, now.Sub(p.since))
		}
	}
	if visible {
		if version < was.version {
			c.broke(&c.found.Backwards, "%s was told of %s as of %d, having been told as of %d", l.by.ID, id, version, was.version)
		}
		s.version = version
	}
	l.judge(s, now)
}

// judge counts a sight that breaks a promise, once.
func (l *Look) judge(s *sight, now time.Time) {
	if s.of == nil || s.counted {
		return
	}
	c, p := l.census, s.of
	if s.state == presencev1.State_STATE_UNSPECIFIED {
		if long := now.Sub(s.told); long > c.bounds.Unknown {
			s.counted = true
			c.broke(&c.found.Unknown, "%s was unknown to %s for more than %v", p.ID, l.by.ID, c.bounds.Unknown)
		}
		return
	}
	if count := p.wrong(s.state, s.version, s.told, now); count != nil {
		s.counted = true
		c.broke(count, "%s was shown to %s as %v (%d), told %.1f s ago: here %v since %.1f s, chosen %v (%d, answered %d), look of %.1f s", p.ID, l.by.ID, s.state, s.version,
			now.Sub(s.told).Seconds(), p.here, now.Sub(p.since).Seconds(), p.chosen[p.begun%keptChoices].state, p.begun, p.settled, now.Sub(l.begun).Seconds())
	}
}

// check judges all that is shown at a time.
func (l *Look) check(now time.Time) {
	c := l.census
	if !l.open {
		return
	}
	if !l.blind.IsZero() {
		if now.Sub(l.blind) > c.bounds.Unknown && !l.blinded {
			l.blinded = true
			c.broke(&c.found.Unknown, "all that %s was shown of %s was old for more than %v", l.by.ID, l.want.GetTopic(), c.bounds.Unknown)
		}
		return
	}
	if now.Before(l.begun.Add(c.bounds.Online)) {
		return
	}
	for _, s := range l.shown {
		l.judge(s, now)
	}
	for _, p := range l.whom {
		if l.shown[p.ID] == nil {
			l.shown[p.ID] = &sight{of: p, told: now, counted: true}
			c.broke(&c.found.Late, "%s was not told of %s at all", l.by.ID, p.ID)
		}
	}
}

func (l *Look) knows(id string) bool {
	_, found := slices.BinarySearchFunc(l.whom, id, func(p *Person, id string) int { return strings.Compare(p.ID, id) })
	return found
}

// counted takes the counts of a room, which add up at any time.
func (l *Look) counted(n *presencev1.Counts) {
	c := l.census
	l.counts = n
	if sum := n.GetOnline() + n.GetAway() + n.GetBusy() + n.GetDoNotDisturb() + n.GetOffline() + n.GetUnknown(); sum != n.GetMembers() || int(sum) != len(l.room.members) {
		c.broke(&c.found.Miscounts, "%s was told of room %s, with %d members: %v", l.by.ID, l.room.ID, len(l.room.members), n)
	}
}

// compare holds the counts and the window of a room to how its members stand, in its order.
func (l *Look) compare(members []Standing, looking int) {
	c := l.census
	want := &presencev1.Counts{Members: uint32(len(members)), Looking: uint32(looking)}
	for _, m := range members {
		*map[presencev1.State]*uint32{
			presencev1.State_STATE_ONLINE: &want.Online, presencev1.State_STATE_AWAY: &want.Away, presencev1.State_STATE_BUSY: &want.Busy,
			presencev1.State_STATE_DO_NOT_DISTURB: &want.DoNotDisturb, presencev1.State_STATE_OFFLINE: &want.Offline, presencev1.State_STATE_UNSPECIFIED: &want.Unknown,
		}[m.State]++
	}
	if !proto.Equal(l.counts, want) {
		c.broke(&c.found.Miscounts, "%s is told of room %s %v, and not %v", l.by.ID, l.room.ID, l.counts, want)
		return
	}
	from := min(int(l.window.GetOffset()), len(members))
	inside := members[from:min(from+int(l.window.GetLimit()), len(members))]
	for _, m := range inside {
		if s := l.shown[m.User]; s == nil || s.state != m.State {
			c.broke(&c.found.Miscounts, "%s is not shown %s in room %s as %v", l.by.ID, m.User, l.room.ID, m.State)
			return
		}
	}
	if len(l.shown) != len(inside) {
		c.broke(&c.found.Miscounts, "%s is shown %d of room %s, and not %d", l.by.ID, len(l.shown), l.room.ID, len(inside))
	}
}
