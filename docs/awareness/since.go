package awareness

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Since is from when on somebody looks. They are told of no signal that came before, and of no work that whoever begins to look then doesn't find in the log: so
// they are told the same, whether others have looked before or not. The zero value is of who has always looked.
type Since struct {
	signal  uint64 // the newest signal before, by its number
	stretch int64  // the newest stretch of time whose work is not in the log as a whole, as far as that is read: none of it counts
}

// Past is how many events whoever begins to look finds in the log, at most.
const Past = 1000

// stretchOf is the stretch of ten seconds that a time lies in.
func stretchOf(t time.Time) int64 { return t.Unix() / int64(stretch/time.Second) }

// begin is the version behind which whoever begins to look now finds events.
func (s *State) begin() uint64 { return max(s.floor, s.at-min(s.at, Past)) }

// Begin is for who begins to look now.
func (s *State) Begin(now time.Time) Since {
	since := Since{signal: s.heard}
	if from := s.begin(); from > 0 {
		since.stretch = stretchOf(now)
		if i := slices.IndexFunc(s.past, func(e event) bool { return e.version > from }); i >= 0 {
			since.stretch = s.past[i].stretch
		}
	}
	return since
}

// finds reports whether they find what was done at a time.
func (s Since) finds(at time.Time) bool { return stretchOf(at) > s.stretch }

// moved is when a session has moved last, as far as they can tell; zero: it has not.
func (s Since) moved(at *place) time.Time {
	if at.before > s.signal {
		return at.moved
	}
	return time.Time{}
}

// place is where somebody is: of several sessions the one that moved last. Nil: they aren't there.
func (s Since) place(p *person) *place {
	var best *place
	for _, at := range p.places {
		if at.number > s.signal && (best == nil || cmp.Or(s.moved(at).Compare(s.moved(best)), cmp.Compare(at.number, best.number)) > 0) {
			best = at
		}
	}
	return best
}

// sighted is somebody as whoever looks sees them.
type sighted struct {
	user   string
	at     *place
	told   *work
	moved  time.Time  // last; zero: they have not
	edited time.Time  // likewise
	did    [kinds]int // lately
	active bool       // they did something then
}

// idle is somebody who has done nothing.
var idle work

// seen are those who are in the document, as far as somebody can tell who looks since then: those first who do something.
func (s *State) seen(now time.Time, since Since) []sighted {
	var all []sighted
	for user, p := range s.people {
		at := since.place(p)
		if at == nil {
			continue
		}
		one := sighted{user: user, at: at, told: &idle, moved: since.moved(at)}
		if w := s.works[user]; w != nil {
			one.told = &w.told
		}
		if since.finds(one.told.edited) {
			one.edited = one.told.edited
		}
		one.did = one.told.of(now, int(lately/time.Minute), since)
		one.active = now.Sub(one.moved) < lately || since.finds(one.told.acted) && now.Sub(one.told.acted) < lately
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b sighted) int {
		if a.active != b.active {
			if a.active {
				return -1
			}
			return 1
		}
		return strings.Compare(a.user, b.user)
	})
	return all
}

// Alike returns who sees the same at a time, of those who look since some time: all of whom it returns the same.
func (s *State) Alike(now time.Time) func(Since) Since {
	var signals []uint64  // each is seen since a lesser one,
	var stretches []int64 // likewise
	worked := map[int64]bool{}
	for user, p := range s.people {
		for _, at := range p.places {
			signals = append(signals, at.number)
			if len(p.places) > 1 || now.Sub(at.moved) < lately {
				signals = append(signals, at.before)
			}
		}
		if w := s.works[user]; w != nil {
			w.told.stretches(now, worked)
		}
	}
	for one := range worked {
		stretches = append(stretches, one)
	}
	slices.Sort(signals)
	slices.Sort(stretches)
	return func(since Since) (same Since) {
		if i, found := slices.BinarySearch(signals, since.signal); found {
			same.signal = since.signal
		} else if i > 0 {
			same.signal = signals[i-1]
		}
		if i, found := slices.BinarySearch(stretches, since.stretch); found {
			same.stretch = since.stretch
		} else if i > 0 {
			same.stretch = stretches[i-1]
		}
		return same
	}
}

// stretches adds those that decide what is told of somebody's work.
func (w *work) stretches(now time.Time, to map[int64]bool) {
	for _, m := range w.marks {
		to[stretchOf(m.first)] = true
	}
	for _, at := range []time.Time{w.edited, w.acted} {
		if now.Sub(at) < lately {
			to[stretchOf(at)] = true
		}
	}
	for i := range w.minutes {
		if m := &w.minutes[i]; minuteOf(now)-m.of < int64(len(w.minutes)) {
			to[m.begin()] = true
		}
	}
}
