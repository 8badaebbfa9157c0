package versions

import (
	"fmt"
	"slices"
	"time"
)

const (
	// Bar is within which a document is to be writable again after its owner failed.
	Bar = 5 * time.Second
	// Bound is what a run takes for a fault: twice the bar, since the installation and all its clients share the cores of one machine, with
	// whatever else runs there.
	Bound = 2 * Bar
	// Calm is how long others may be about to recover from a fault that is over. What stands still meanwhile isn't the owner's alone.
	Calm = 4 * time.Second
)

// Still is how long documents could not be written, for one kind of faults. Of each fault the document counts that stood still the longest: of
// those that the process owned, if it was taken away, else of all.
type Still struct {
	Kind   string
	Owner  bool // the process that owned documents was taken away
	Faults int
	Alone  int // those of them beside which nothing else failed
	// Of those that were alone, if there are any; else of all.
	Median, Most time.Duration
	Back         time.Duration // the most, when the owner had come back
	Backs        int           // how often nothing else failed then
}

func (s Still) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	if !s.Owner {
		return fmt.Sprintf("%-11s %3d times, %d alone: no document stood still for more than %v", s.Kind, s.Faults, s.Alone, round(s.Most))
	}
	back := ""
	if s.Backs > 0 {
		back = fmt.Sprintf("; when %d came back, after %v at most", s.Backs, round(s.Back))
	}
	return fmt.Sprintf("%-11s %3d owners, %d alone: writable again after %v (median), %v at most%s (bar %v, a fault beyond %v)",
		s.Kind, s.Faults, s.Alone, round(s.Median), round(s.Most), back, Bar, Bound)
}

// still measures how long documents stood still in each fault. Where an owner was taken away and nothing else failed, that is bounded.
func (h *History) still(v *Verdict) {
	type kind struct {
		name  string
		owner bool
	}
	found := map[kind]*Still{}
	waits := map[kind]map[bool][]time.Duration{} // by whether nothing else failed
	var order []kind
	for i, f := range h.Faults {
		documents := h.hit(f)
		if len(documents) == 0 {
			continue
		}
		k := kind{f.Kind, f.Owner}
		s := found[k]
		if s == nil {
			s = &Still{Kind: f.Kind, Owner: f.Owner}
			found[k], waits[k], order = s, map[bool][]time.Duration{}, append(order, k)
		}
		until := f.To
		if !f.Owner {
			until += Calm
		}
		wait, alone := h.longest(v, i, documents, "after "+f.Kind, f.From, until)
		waits[k][alone] = append(waits[k][alone], wait)
		if s.Faults++; alone {
			s.Alone++
		}
		if !f.Owner {
			continue
		}
		if back, alone := h.longest(v, i, documents, "after the end of "+f.Kind, f.To, f.To+Calm); alone {
			s.Backs, s.Back = s.Backs+1, max(s.Back, back)
		}
	}
	for _, k := range order {
		s := found[k]
		all := waits[k][s.Alone > 0]
		slices.Sort(all)
		s.Median, s.Most = all[len(all)/2], all[len(all)-1]
		v.Stills = append(v.Stills, *s)
	}
}

// hit are the documents that a fault is measured at.
func (h *History) hit(f Fault) (out []*Document) {
	for i := range h.Documents {
		if d := &h.Documents[i]; !f.Owner || slices.Contains(f.Targets, d.Home) {
			out = append(out, d)
		}
	}
	return out
}

// longest is how long one of the documents stood still at most, of what began between from and until, and whether nothing failed meanwhile but the
// i-th of the history's faults. Then it is bounded, if an owner was taken away.
func (h *History) longest(v *Verdict, i int, documents []*Document, when string, from, until time.Duration) (most time.Duration, alone bool) {
	f := h.Faults[i]
	alone = true
	for _, d := range documents {
		wait, pulse := d.stood(from, until)
		begun := pulse.Return - wait
		only := h.alone(i, from, begun+min(wait, Bound))
		alone = alone && only
		if most = max(most, wait); f.Owner && only && wait > Bound {
			v.fault("STILL document %s at %s could not be written for %v %s of %v at %v: an edit of %s was sent at %v and answered at %v; the bound is %v",
				d.ID, d.Home, wait, when, f.Targets, from, h.who(pulse.Client), pulse.Call, pulse.Return, Bound)
		}
	}
	return most, alone
}

// alone reports whether nothing else failed between two moments, or was about to recover.
func (h *History) alone(i int, from, until time.Duration) bool {
	for k, o := range h.Faults {
		if k != i && o.From < until && o.To+Calm > from {
			return false
		}
	}
	return true
}

// stood is the longest time within which no edit was acknowledged, of those that began between from and until. The first one begins with from:
// whether an edit was under way then, or somebody was about to send one.
func (d *Document) stood(from, until time.Duration) (longest time.Duration, pulse Pulse) {
	begun := false
	for _, p := range d.Pulses {
		if p.Return <= from || p.Call >= until && begun {
			continue
		}
		start := p.Call
		if !begun {
			start, begun = from, true
		}
		if wait := p.Return - start; wait > longest {
			longest, pulse = wait, p
		}
	}
	return longest, pulse
}
