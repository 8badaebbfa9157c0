package versions

import (
	"cmp"
	"slices"
	"time"
)

// order: a document has one order, in which whatever is asked for after something else was acknowledged comes behind it, whoever asked; and
// whoever reads the newest content sees all that was acknowledged before. So each client's edits stand in the order in which it sent them.
// (Herlihy, Wing: Linearizability, 1990; where each answer has the place of its operation, it is decided by one sweep.)
func (j *judge) order() {
	type moment struct {
		time  time.Duration
		send  *Send
		read  *Content
		ended bool
	}
	var moments []moment
	for i := range j.d.Sends {
		if s := &j.d.Sends[i]; s.Version != 0 && (s.Outcome == Done || s.Outcome == Heard) {
			moments = append(moments, moment{s.Call, s, nil, false}, moment{s.Return, s, nil, true})
		}
	}
	for i := range j.d.Contents {
		if c := &j.d.Contents[i]; c.Newest {
			moments = append(moments, moment{c.Call, nil, c, false})
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int { // at one moment nothing is known to be over
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(after(a.ended), after(b.ended)))
	})
	var newest *Send // of those that are acknowledged
	for _, m := range moments {
		switch {
		case m.ended && (newest == nil || m.send.Version > newest.Version):
			newest = m.send
		case m.ended || newest == nil:
		case m.send != nil && m.send.Version < newest.Version:
			j.fault("REORDERED", "%s was sent at %v and stands at %d, before %s, which had been acknowledged at %v and stands at %d",
				j.name(m.send), m.send.Call, m.send.Version, j.name(newest), newest.Return, newest.Version)
		case m.read != nil && m.read.Version < newest.Version:
			j.fault("STALE", "%s asked for the newest content at %v and got version %d, and %s had been acknowledged at %v as version %d",
				j.h.who(m.read.Client), m.read.Call, m.read.Version, j.name(newest), newest.Return, newest.Version)
		}
	}
}

func after(ended bool) int {
	if ended {
		return 1
	}
	return 0
}
