package awareness

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// State is what is known of a document's people. It is for one goroutine.
type State struct {
	at     uint64 // the version that it has come to
	people map[string]*person
	works  map[string]*works
	recent []passed // edits, ascending
	bytes  int      // of them
	from   uint64   // recent has all edits behind this version
	heard  uint64   // signals, in all
	floor  uint64   // the version up to which whoever begins to look now finds nothing in the log
	past   []event  // the newest, ascending, Past of them at most
}

// event is one of the document's, whatever it tells.
type event struct {
	version uint64
	stretch int64
}

// Act is an event of the document.
type Act struct {
	Version uint64
	User    string // empty: nobody's
	Kind    Kind
	Edit    ot.Delta // nothing: the content stayed
	Bytes   int      // of the event
	Floor   uint64   // not zero: events up to this one were erased
	Time    time.Time
}

type passed struct {
	version uint64
	user    string
	edit    ot.Delta
	bytes   int
}

// person is somebody who is in the document.
type person struct {
	places map[string]*place // by the sender, of their sessions; one at least
}

// place is where a session is.
type place struct {
	version      uint64 // that anchor and head are of; more than the state's: nobody knows where that is yet
	anchor, head int
	typing       bool
	lost         bool // it can't be moved on to what is committed
	heard        time.Time
	number       uint64    // of the signal
	moved        time.Time // last
	before       uint64    // the number of the signal before that by which it moved, for who has not heard that one can't tell that it did; 0: it has not moved
}

// works is what somebody did.
//
// Invariant: nothing is told of what they did after their last signal. So what somebody does whose signals don't pass, since they don't want to be seen, is told
// by the document's log alone.
type works struct {
	all     work
	told    work   // all, as of the last signal; then moved on with the document
	stretch int64  // of editing that was counted
	last    uint64 // version
}

// work is what somebody did.
type work struct {
	tally
	marks  marks
	edited time.Time // last
	acted  time.Time // last, in whatever kind
}

// New is a state of a version, in which nothing is known.
func New(version uint64) *State {
	return &State{at: version, from: version, people: map[string]*person{}, works: map[string]*works{}}
}

// Version is what the state has come to.
func (s *State) Version() uint64 { return s.at }

// Reach says that nothing that is to be told has happened up to a version.
func (s *State) Reach(version uint64) { s.at = max(s.at, version) }

// Erase says that whoever begins to look now finds nothing in the log up to a version.
func (s *State) Erase(version uint64) {
	s.floor = max(s.floor, version)
	s.cut()
}

// Hear takes over a signal.
func (s *State) Hear(told Signal, now time.Time) {
	user := told.User()
	if !told.GetLeft() && told.GetVersion() > s.at+maxAhead {
		return
	}
	s.heard++
	if w := s.works[user]; w != nil {
		w.told = w.all.clone()
	}
	p := s.people[user]
	if told.GetLeft() {
		if p != nil {
			p.leave(s, user, told.From)
		}
		return
	}
	next := &place{
		version: told.GetVersion(), anchor: int(told.GetAnchor()), head: int(told.GetHead()), typing: told.GetTyping(), heard: now, number: s.heard,
	}
	s.catchUp(user, next)
	if p == nil {
		p = s.meet(user)
	}
	switch old := p.places[told.From]; {
	case old != nil:
		if next.moved, next.before = old.moved, old.before; next.typing || next.anchor != old.anchor || next.head != old.head {
			next.moved, next.before = now, old.number
		}
	case len(p.places) >= maxSessions:
		oldest := ""
		for from, at := range p.places {
			if oldest == "" || at.number < p.places[oldest].number {
				oldest = from
			}
		}
		delete(p.places, oldest)
	}
	p.places[told.From] = next
}

// meet has somebody come to the document, perhaps in place of whoever has been silent for longest: so who has just begun to look, and has not heard those
// who were there before, knows the same people.
func (s *State) meet(user string) *person {
	if len(s.people) >= maxPeople {
		oldest, number := "", uint64(0)
		for other, p := range s.people {
			if n := p.heard(); oldest == "" || n < number {
				oldest, number = other, n
			}
		}
		delete(s.people, oldest)
	}
	p := &person{places: map[string]*place{}}
	s.people[user] = p
	return p
}

// heard is the number of their newest signal.
func (p *person) heard() (number uint64) {
	for _, at := range p.places {
		number = max(number, at.number)
	}
	return number
}

func (p *person) leave(s *State, user, from string) {
	if delete(p.places, from); len(p.places) == 0 {
		delete(s.people, user)
	}
}

// worked is what somebody did, who may be new: in place of whoever has done nothing for longest, perhaps.
func (s *State) worked(user string) *works {
	w := s.works[user]
	if w != nil {
		return w
	}
	if len(s.works) >= maxPeople {
		oldest := ""
		for other, w := range s.works {
			if oldest == "" || w.last < s.works[oldest].last {
				oldest = other
			}
		}
		delete(s.works, oldest)
	}
	w = &works{}
	s.works[user] = w
	return w
}

// clone is a copy that may be moved on by itself.
func (w *work) clone() work {
	c := *w
	c.marks = w.marks.clone()
	return c
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
	if s.past = append(s.past, event{a.Version, stretchOf(a.Time)}); len(s.past) > Past {
		s.past = s.past[len(s.past)-Past:]
	}
	if a.Edit.Count() > 0 {
		s.move(a)
	}
	s.floor = max(s.floor, a.Floor)
	s.cut()
	if a.User == "" || a.Kind == Other {
		return
	}
	u := s.worked(a.User)
	u.last = a.Version
	w := &u.all
	w.acted = a.Time
	if n := a.Edit.Count(); n > 0 && n <= maxOps {
		w.marks = w.marks.push(mark{spans: spansOf(a.Edit), first: a.Time, last: a.Time})
	}
	if a.Kind == Editing {
		w.edited = a.Time
		now := stretchOf(a.Time)
		if now == u.stretch {
			return
		}
		u.stretch = now
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
		}
		for _, w := range s.works {
			w.all.marks, w.told.marks = nil, nil
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
	}
	for _, w := range s.works {
		w.all.marks.follow(a.Edit)
		w.told.marks.follow(a.Edit)
	}
	s.recent, s.bytes = append(s.recent, passed{a.Version, a.User, a.Edit, a.Bytes}), s.bytes+a.Bytes
}

// cut forgets edits beyond what is remembered of them, and what whoever begins to look now would not find in the log: all know where the same places are.
func (s *State) cut() {
	s.from = max(s.from, s.begin())
	n := 0
	for ; n < len(s.recent) && (s.recent[n].version <= s.from || len(s.recent)-n > maxRecent || s.bytes > maxBytes); n++ {
		s.from, s.bytes = max(s.from, s.recent[n].version), s.bytes-s.recent[n].bytes
	}
	s.recent = s.recent[n:]
}

// forget forgets who has fallen silent, and what is too old to count.
func (s *State) forget(now time.Time) {
	for user, p := range s.people {
		for from, at := range p.places {
			if now.Sub(at.heard) >= Gone {
				p.leave(s, user, from)
			}
		}
	}
	for user, w := range s.works {
		w.all.marks, w.told.marks = w.all.marks.since(now.Add(-afresh)), w.told.marks.since(now.Add(-afresh))
		if now.Sub(w.all.acted) > time.Duration(len(tally{}.minutes))*time.Minute {
			delete(s.works, user)
		}
	}
}

// Content is that of the state's version.
type Content interface {
	Len() int
	Lines(places []int) []int
}

// Ask is how entries are asked for.
type Ask struct {
	Content Content
	Since   Since // from when on they look who ask
	Scored  bool  // styles and the score are told
	Partial bool  // it is not known yet who else is there
}

// Entries are those of the view at a time, which doesn't go back, by their keys.
func (s *State) Entries(now time.Time, q Ask) map[string]*docsv1.Awareness {
	s.forget(now)
	all := s.seen(now, q.Since)
	shown := all[:min(len(all), MaxShown)]
	entries := make(map[string]*docsv1.Awareness, len(shown)+1)
	o := &docsv1.Overview{Version: s.at, People: uint32(len(all)), Partial: q.Partial}
	ways := [kinds]bool{} // Other: moving about
	for i := range all {
		p := &all[i]
		if p.active {
			o.Active++
		}
		ways[Other] = ways[Other] || now.Sub(p.moved) < lately
		for k, n := range p.did {
			ways[k] = ways[k] || Kind(k) != Other && n > 0
		}
	}
	for _, did := range ways {
		if did {
			o.Kinds++
		}
	}
	areas := Areas(s.marks(now, shown, q))
	o.Conflicts = uint32(len(areas))
	for i, a := range areas[:min(len(areas), MaxAreas)] {
		a.Users = a.Users[:min(len(a.Users), MaxShown)]
		entries[fmt.Sprintf("!%d", i+1)] = &docsv1.Awareness{Entry: &docsv1.Awareness_Conflict{Conflict: &docsv1.Conflict{
			From: uint32(a.From), To: uint32(a.To), Users: a.Users, Severity: a.Severity,
		}}}
	}
	styles := make([]docsv1.Style, len(shown))
	if q.Scored {
		styles = stylesOf(now, shown, q.Since)
		balanced := slices.Contains(styles, docsv1.Style_STYLE_LEADER) && slices.Contains(styles, docsv1.Style_STYLE_SUPPORTER)
		score := uint32(Score(int(o.GetActive()), int(o.GetKinds()), len(areas), balanced))
		o.Score = &score
	}
	for i := range shown {
		m := shown[i].participant(now, s.at, q.Content.Len())
		m.Style = styles[i]
		entries[shown[i].user] = &docsv1.Awareness{Entry: &docsv1.Awareness_Participant{Participant: m}}
	}
	entries["#"] = &docsv1.Awareness{Entry: &docsv1.Awareness_Overview{Overview: o}}
	return entries
}

// stylesOf are those of some people.
func stylesOf(now time.Time, of []sighted, since Since) []docsv1.Style {
	all := make([]Work, len(of))
	for i := range of {
		all[i] = workOf(of[i].told.of(now, len(tally{}.minutes), since))
	}
	return Styles(all)
}

// known reports whether it is known where a place is at a version.
func (p *place) known(version uint64) bool { return !p.lost && p.version <= version }

// participant is what is told of somebody in a document that is so long.
func (p *sighted) participant(now time.Time, version uint64, length int) *docsv1.Participant {
	m := &docsv1.Participant{Typing: p.at.typing && now.Sub(p.at.heard) < justNow}
	if p.at.known(version) {
		anchor, head := uint32(min(p.at.anchor, length)), uint32(min(p.at.head, length))
		m.Anchor, m.Head = &anchor, &head
	}
	if now.Sub(p.edited) < lately {
		m.EditedMs = p.edited.Truncate(stretch).UnixMilli()
		m.EditingS = uint32(p.did[Editing] * int(stretch/time.Second))
	}
	return m
}

// marks are where people are, and have edited.
func (s *State) marks(now time.Time, of []sighted, q Ask) []Mark {
	var all, edits []Mark
	length := q.Content.Len()
	add := func(to *[]Mark, user string, edit bool, age time.Duration, from, until int) {
		*to = append(*to, Mark{User: user, Edit: edit, Age: age, From: min(from, until, length), To: min(max(from, until), length)})
	}
	for i := range of {
		p := &of[i]
		if p.at.known(s.at) && now.Sub(q.Since.moved(p.at)) < warm {
			add(&all, p.user, false, 0, p.at.anchor, p.at.head)
		}
		for _, m := range p.told.marks {
			for _, one := range m.spans {
				if q.Since.finds(m.first) {
					add(&edits, p.user, true, now.Sub(m.last), one.from, one.to)
				}
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
	lines := q.Content.Lines(places)
	line := func(place int) int {
		i, _ := slices.BinarySearch(places, place)
		return lines[i]
	}
	for i := range all {
		all[i].First, all[i].Last = line(all[i].From), line(all[i].To)
	}
	return all
}
