package sights

import (
	"slices"
	"time"
)

// Check holds a history against what Plenum promises of presence.
func (h *History) Check() Verdict {
	var v Verdict
	for _, p := range h.People {
		for _, t := range p.Turns {
			if t.Is == Here {
				v.Comings++
			}
		}
	}
	for i := range h.Watchers {
		w := &h.Watchers[i]
		v.Sights += len(w.Sights)
		for j := range h.People {
			h.pair(&v, w, &h.People[j])
		}
	}
	return v
}

// moment is what is so from a time on.
type moment struct {
	at   time.Duration
	is   Presence
	as   Look
	live bool
}

// moments are all changes of a person's truth, and of what a watcher is shown of them, in order.
func (h *History) moments(w *Watcher, p *Person) []moment {
	var all []moment
	for _, t := range p.Turns {
		all = append(all, moment{at: t.At})
	}
	for _, s := range w.Sights {
		if s.Person == p.Name {
			all = append(all, moment{at: s.At})
		}
	}
	for _, g := range w.Glances {
		all = append(all, moment{at: g.At})
	}
	all = append(all, moment{at: h.End})
	slices.SortFunc(all, func(a, b moment) int { return int(a.at - b.at) })
	var t, s, g int
	var now moment
	for i := range all {
		for ; t < len(p.Turns) && p.Turns[t].At <= all[i].at; t++ {
			now.is = p.Turns[t].Is
		}
		for ; s < len(w.Sights) && w.Sights[s].At <= all[i].at; s++ {
			if w.Sights[s].Person == p.Name {
				now.as = w.Sights[s].As
			}
		}
		for ; g < len(w.Glances) && w.Glances[g].At <= all[i].at; g++ {
			now.live = w.Glances[g].Live
		}
		all[i] = moment{all[i].at, now.is, now.as, now.live}
	}
	return all
}

// pair judges what one watcher was shown of one person.
func (h *History) pair(v *Verdict, w *Watcher, p *Person) {
	checks := []struct {
		name  string
		what  string
		bound time.Duration
		most  *time.Duration
		holds func(moment) bool // it is so that it may last as long as the bound
		wrong func(moment) bool // and is told so
	}{
		{
			"GHOST", "is shown as here, and left", h.Times.Grace + h.Times.Bound, &v.Late,
			func(m moment) bool { return m.live && m.is == Away }, func(m moment) bool { return m.as == Present },
		},
		{
			"MISSED", "is shown as gone, and was here", h.Times.Bound, &v.Missed,
			func(m moment) bool { return m.live && m.is == Here }, func(m moment) bool { return m.as == Offline },
		},
		{
			"BLIND", "is shown as unknown, and was", h.Times.Known, &v.Unknown,
			func(m moment) bool { return m.live && (m.as == Unknown || m.as == Nothing) }, func(moment) bool { return true },
		},
	}
	all := h.moments(w, p)
	for _, c := range checks {
		since := time.Duration(-1)
		for i, m := range all[:len(all)-1] {
			if !c.holds(m) {
				since = -1
				continue
			}
			if since < 0 {
				since = m.at
			}
			until := all[i+1].at
			if !c.wrong(m) || until == m.at {
				continue
			}
			lasted := until - since
			*c.most = max(*c.most, lasted)
			if more := h.allowance(since, until); lasted > c.bound+more {
				v.fault("%s %s %s %v before, by what %s sees at %v; %v may pass", c.name, p.Name, c.what, lasted.Round(time.Second/10), w.Name,
					until.Round(time.Second/10), (c.bound + more).Round(time.Second/10))
			}
		}
	}
	if last := all[len(all)-1]; !last.live || (last.is == Away) != (last.as == Offline) || (last.is == Here) != (last.as == Present) {
		v.fault("WRONG %s is shown as %v to %s after all has settled (truly %d, live %v)", p.Name, last.as, w.Name, last.is, last.live)
	}
}
