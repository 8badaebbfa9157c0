package awareness

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// State is what is known of a document's people. It is for one goroutine.
type State struct {
	at     uint64 // the version that it has come to
	people map[string]*person
	recent []passed // edits, ascending
	bytes  int      // of them
	from   uint64   // recent has all edits behind this version
}

// Act is an event of the document.
type Act struct {
	Version uint64
	User    string // empty: nobody's
	Kind    Kind
	Edit    ot.Delta // nothing: the content stayed
	Bytes   int      // of the event
	Time    time.Time
}

type passed struct {
	version uint64
	user    string
	edit    ot.Delta
	bytes   int
}

// person is somebody who is in the document, or has worked on it.
//
// Invariant: nothing is told of what they did after their last signal. So what somebody does whose signals don't pass, since they don't want to be seen, is told
// by the document's log alone.
type person struct {
	places map[string]*place // by the sender, of the sessions that are in the document; none: they are not
	since  time.Time         // they are in it
	moved  time.Time         // the last of them; zero: none has
	told   work
	fresh  work  // since the last signal
	slot   int64 // of editing that was counted
}

// work is what somebody did.
type work struct {
	tally
	marks  marks
	edited time.Time // last
	acted  time.Time // last, in whatever kind
}

// place is where a session is.
type place struct {
	version      uint64 // that anchor and head are of; more than the state's: nobody knows where that is yet
	anchor, head int
	typing       bool
	lost         bool // it can't be moved on to what is committed
	heard, moved time.Time
}

// New is a state of a version, in which nothing is known.
func New(version uint64) *State {
	return &State{at: version, from: version, people: map[string]*person{}}
}

// Version is what the state has come to.
func (s *State) Version() uint64 { return s.at }

// Reach says that nothing that is to be told has happened up to a version.
func (s *State) Reach(version uint64) { s.at = max(s.at, version) }

// Hear takes over a signal.
func (s *State) Hear(told Signal, now time.Time) {
	user := told.User()
	p := s.people[user]
	if told.GetLeft() {
		if p != nil {
			delete(p.places, told.From)
			p.signed()
		}
		return
	}
	if told.GetVersion() > s.at+maxAhead {
		return
	}
	if p == nil {
		if p = s.meet(user); p == nil {
			return
		}
	}
	next := &place{version: told.GetVersion(), anchor: int(told.GetAnchor()), head: int(told.GetHead()), typing: told.GetTyping(), heard: now}
	s.catchUp(user, next)
	switch old := p.places[told.From]; {
	case old != nil:
		if next.moved = old.moved; next.typing || next.anchor != old.anchor || next.head != old.head {
			next.moved, p.moved = now, now
		}
	case len(p.places) == 0:
		p.since = now
	case len(p.places) >= maxSessions:
		delete(p.places, slices.MinFunc(slices.Sorted(maps.Keys(p.places)), func(a, b string) int { return p.places[a].heard.Compare(p.places[b].heard) }))
	}
	p.places[told.From] = next
	p.signed()
}

// meet makes somebody known, perhaps in place of somebody who isn't in the document; nil: all are.
func (s *State) meet(user string) *person {
	if len(s.people) >= maxPeople {
		oldest := ""
		for other, p := range s.people {
			if len(p.places) == 0 && (oldest == "" || p.acted().Before(s.people[oldest].acted())) {
				oldest = other
			}
		}
		if oldest == "" {
			return nil
		}
		delete(s.people, oldest)
	}
	p := &person{places: map[string]*place{}}
	s.people[user] = p
	return p
}

// acted is when they did something last, whether that may be told or not.
func (p *person) acted() time.Time {
	if p.fresh.acted.After(p.told.acted) {
		return p.fresh.acted
	}
	return p.told.acted
}

// signed lets be told what was done up to now, since its person has signalled.
func (p *person) signed() {
	if p.fresh.acted.IsZero() {
		return
	}
	p.told.take(&p.fresh.tally)
	for _, m := range p.fresh.marks {
		p.told.marks = p.told.marks.push(m)
	}
	if !p.fresh.edited.IsZero() {
		p.told.edited = p.fresh.edited
	}
	p.told.acted, p.fresh = p.fresh.acted, work{}
}

// catchUp moves a place that was told over the edits since its version.
func (s *State) catchUp(user string, p *place) {
	if p.lost = p.version < s.from; p.lost {
		return
	}
	for i := range s.recent {
		if e := &s.recent[i]; e.version > p.version {
			p.follow(e.version, e.user == user, e.edit)
		}
	}
}

// follow moves a place over the next edit: it goes along with what is typed at it by its owner, and by nobody else, as clients have it.
func (p *place) follow(version uint64, own bool, edit ot.Delta) {
	priority := ot.Earlier
	if own {
		priority = ot.Later
	}
	p.anchor, p.head, p.version = edit.TransformPosition(p.anchor, priority), edit.TransformPosition(p.head, priority), version
}

// Pass takes over the next event that was committed.
func (s *State) Pass(a Act) {
	s.at = a.Version
	if a.Edit.Count() > 0 {
		s.move(a)
	}
	if a.User == "" || a.Kind == Other {
		return
	}
	p := s.people[a.User]
	if p == nil {
		if p = s.meet(a.User); p == nil {
			return
		}
	}
	w := &p.fresh
	w.acted = a.Time
	if n := a.Edit.Count(); n > 0 && n <= maxOps {
		w.marks = w.marks.push(mark{spans: spansOf(a.Edit), first: a.Time, last: a.Time})
	}
	if a.Kind == Editing {
		w.edited = a.Time
		slot := a.Time.UnixNano() / int64(stretch)
		if slot == p.slot {
			return
		}
		p.slot = slot
	}
	w.add(a.Kind, a.Time)
}

// move moves all places over an edit.
func (s *State) move(a Act) {
	if a.Edit.Count() > maxOps {
		for _, p := range s.people {
			for _, at := range p.places {
				at.lost = at.lost || at.version < a.Version
			}
			p.told.marks, p.fresh.marks = nil, nil
		}
		s.recent, s.bytes, s.from = nil, 0, a.Version
		return
	}
	for user, p := range s.people {
		for _, at := range p.places {
			if at.version < a.Version && !at.lost {
				at.follow(a.Version, user == a.User, a.Edit)
			}
		}
		p.told.marks.follow(a.Edit)
		p.fresh.marks.follow(a.Edit)
	}
	s.recent, s.bytes = append(s.recent, passed{a.Version, a.User, a.Edit, a.Bytes}), s.bytes+a.Bytes
	n := 0
	for ; n < len(s.recent) && (len(s.recent)-n > maxRecent || s.bytes > maxBytes); n++ {
		s.from, s.bytes = s.recent[n].version, s.bytes-s.recent[n].bytes
	}
	s.recent = s.recent[n:]
}

// forget forgets who has fallen silent, and what is too old to count.
func (s *State) forget(now time.Time) {
	for user, p := range s.people {
		maps.DeleteFunc(p.places, func(_ string, at *place) bool { return now.Sub(at.heard) >= Gone })
		p.told.marks, p.fresh.marks = p.told.marks.since(now.Add(-afresh)), p.fresh.marks.since(now.Add(-afresh))
		if len(p.places) == 0 && now.Sub(p.acted()) > time.Duration(len(tally{}.minutes))*time.Minute {
			delete(s.people, user)
		}
	}
}

// active reports whether they did something lately.
func (p *person) active(now time.Time) bool {
	return now.Sub(p.moved) < lately || now.Sub(p.told.acted) < lately
}

// place is where they are: of several sessions the one that moved last.
func (p *person) place() *place {
	var best *place
	for _, from := range slices.Sorted(maps.Keys(p.places)) {
		if at := p.places[from]; best == nil || cmp.Or(at.moved.Compare(best.moved), at.heard.Compare(best.heard)) > 0 {
			best = at
		}
	}
	return best
}

// present are those who are in the document, those first who do something, and then those who came first.
func (s *State) present(now time.Time) []string {
	var all []string
	for user, p := range s.people {
		if len(p.places) > 0 {
			all = append(all, user)
		}
	}
	idle := func(p *person) int {
		if p.active(now) {
			return 0
		}
		return 1
	}
	slices.SortFunc(all, func(a, b string) int {
		p, q := s.people[a], s.people[b]
		return cmp.Or(cmp.Compare(idle(p), idle(q)), p.since.Compare(q.since), strings.Compare(a, b))
	})
	return all
}

// Content is that of the state's version.
type Content interface {
	Len() int
	Lines(places []int) []int
}

// Ask is how entries are asked for.
type Ask struct {
	Content Content
	Scored  bool // styles and the score are told
	Partial bool // it is not known yet who else is there
}

// Entries are those of the view at a time, which doesn't go back, by their keys.
func (s *State) Entries(now time.Time, q Ask) map[string]*docsv1.Awareness {
	s.forget(now)
	all := s.present(now)
	shown := all[:min(len(all), MaxShown)]
	entries := make(map[string]*docsv1.Awareness, len(shown)+1)
	o := &docsv1.Overview{Version: s.at, People: uint32(len(all)), Partial: q.Partial}
	ways := [kinds]bool{} // Other: moving about
	for _, user := range all {
		p := s.people[user]
		if p.active(now) {
			o.Active++
		}
		ways[Other] = ways[Other] || now.Sub(p.moved) < lately
		for k, n := range p.told.of(now, int(lately/time.Minute)) {
			ways[k] = ways[k] || Kind(k) != Other && n > 0
		}
	}
	for _, did := range ways {
		if did {
			o.Kinds++
		}
	}
	areas := Areas(s.marks(now, shown, q.Content))
	o.Conflicts = uint32(len(areas))
	for i, a := range areas[:min(len(areas), MaxAreas)] {
		a.Users = a.Users[:min(len(a.Users), MaxShown)]
		entries[fmt.Sprintf("!%d", i+1)] = &docsv1.Awareness{Entry: &docsv1.Awareness_Conflict{Conflict: &docsv1.Conflict{
			From: uint32(a.From), To: uint32(a.To), Users: a.Users, Severity: a.Severity,
		}}}
	}
	styles := make([]docsv1.Style, len(shown))
	if q.Scored {
		styles = s.styles(now, shown)
		balanced := slices.Contains(styles, docsv1.Style_STYLE_LEADER) && slices.Contains(styles, docsv1.Style_STYLE_SUPPORTER)
		score := uint32(Score(int(o.GetActive()), int(o.GetKinds()), len(areas), balanced))
		o.Score = &score
	}
	for i, user := range shown {
		m := s.people[user].participant(now, s.at, q.Content.Len())
		m.Style = styles[i]
		entries[user] = &docsv1.Awareness{Entry: &docsv1.Awareness_Participant{Participant: m}}
	}
	entries["#"] = &docsv1.Awareness{Entry: &docsv1.Awareness_Overview{Overview: o}}
	return entries
}

// styles are those of some people.
func (s *State) styles(now time.Time, of []string) []docsv1.Style {
	all := make([]Work, len(of))
	for i, user := range of {
		all[i] = workOf(s.people[user].told.of(now, len(tally{}.minutes)))
	}
	return Styles(all)
}

// known reports whether it is known where a place is at a version.
func (p *place) known(version uint64) bool { return !p.lost && p.version <= version }

// participant is what is told of somebody in a document that is so long.
func (p *person) participant(now time.Time, version uint64, length int) *docsv1.Participant {
	at := p.place()
	m := &docsv1.Participant{Typing: at.typing && now.Sub(at.heard) < justNow}
	if at.known(version) {
		anchor, head := uint32(min(at.anchor, length)), uint32(min(at.head, length))
		m.Anchor, m.Head = &anchor, &head
	}
	if now.Sub(p.told.edited) < lately {
		m.EditedMs = p.told.edited.Truncate(stretch).UnixMilli()
		m.EditingS = uint32(p.told.of(now, int(lately/time.Minute))[Editing] * int(stretch/time.Second))
	}
	return m
}

// marks are where people are, and have edited.
func (s *State) marks(now time.Time, of []string, content Content) []Mark {
	var all, edits []Mark
	length := content.Len()
	add := func(to *[]Mark, user string, edit bool, age time.Duration, from, until int) {
		*to = append(*to, Mark{User: user, Edit: edit, Age: age, From: min(from, until, length), To: min(max(from, until), length)})
	}
	for _, user := range of {
		p := s.people[user]
		if at := p.place(); at.known(s.at) && now.Sub(at.moved) < warm {
			add(&all, user, false, 0, at.anchor, at.head)
		}
		for _, m := range p.told.marks {
			for _, one := range m.spans {
				add(&edits, user, true, now.Sub(m.last), one.from, one.to)
			}
		}
	}
	slices.SortStableFunc(edits, func(a, b Mark) int { return cmp.Compare(a.Age, b.Age) })
	all = append(all, edits[:min(len(edits), maxEdited)]...)
	if len(all) < 2 {
		return nil
	}
	places := make([]int, 0, 2*len(all))
	for _, m := range all {
		places = append(places, m.From, m.To)
	}
	slices.Sort(places)
	places = slices.Compact(places)
	lines := content.Lines(places)
	line := func(place int) int {
		i, _ := slices.BinarySearch(places, place)
		return lines[i]
	}
	for i := range all {
		all[i].First, all[i].Last = line(all[i].From), line(all[i].To)
	}
	return all
}
