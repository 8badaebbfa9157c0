package versions

import (
	"fmt"
	"maps"
	"slices"

	"plenum.internal/docs/ot"
)

// judge is at one document.
type judge struct {
	h     *History
	d     *Document
	v     *Verdict
	edits []ot.Delta // of the log; an empty one: the content stays
}

// fault tells what is wrong with the document.
func (j *judge) fault(word, format string, args ...any) {
	j.v.fault("%s document %s at %s: "+format, append([]any{word, j.d.ID, j.d.Home}, args...)...)
}

// name is a request, for people.
func (j *judge) name(s *Send) string {
	return fmt.Sprintf("%s %d of %s", s.Kind, s.Seq, j.h.who(s.Client))
}

// settled: everything that was asked for has its answer, and nothing was refused but for a reason that lies in the document.
func (j *judge) settled() {
	for i := range j.d.Sends {
		s := &j.d.Sends[i]
		switch s.Outcome {
		case Refused:
			j.fault("REFUSED", "%s: %s", j.name(s), s.Error)
		case Unsettled:
			j.fault("UNSETTLED", "%s, sent at %v: no answer after all has healed", j.name(s), s.Call)
		case Done, Heard, Gone:
		}
		if s.Changed {
			j.fault("CHANGED", "%s was sent again as another request", j.name(s))
		}
		if s.Epoch != 0 && s.Epoch != j.d.Epoch {
			j.fault("EPOCH", "%s was answered by epoch %d, and the history's is %d", j.name(s), s.Epoch, j.d.Epoch)
		}
	}
	for _, e := range j.d.Edits {
		if !e.Known {
			j.fault("UNSETTLED", "%s %s of %s: not known to be taken after all has healed", e.Action, e.Mark(), j.h.who(e.Client))
		}
	}
}

// agree: the log has no hole, is the same in all ways, and the same as every client was told. False: it has one.
func (j *judge) agree() bool {
	log := make([]Stamp, len(j.d.Log))
	for i, e := range j.d.Log {
		if log[i] = e.Stamp; e.Version != uint64(i+1) {
			j.fault("HOLE", "version %d stands in place %d", e.Version, i+1)
			return false
		}
	}
	for _, way := range slices.Sorted(maps.Keys(j.d.Ways)) {
		if at := differ(log, j.d.Ways[way]); at >= 0 {
			j.fault("DIFFERENT", "what %s tells differs from version %d on (%d events, and %d)", way, at+1, len(j.d.Ways[way]), len(log))
		}
	}
	for _, client := range slices.Sorted(maps.Keys(j.d.Told)) {
		for _, s := range j.d.Told[client] {
			if s.Version == 0 || s.Version > uint64(len(log)) || log[s.Version-1] != s {
				j.fault("TOLD", "%s was told version %d, and another one stands there, or none", j.h.who(client), s.Version)
				break
			}
		}
	}
	return true
}

// differ is the first place where two logs are not the same; -1: they are.
func differ(a, b []Stamp) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}

// read parses what the log did to the content. False: it can't be read.
func (j *judge) read() bool {
	j.edits = make([]ot.Delta, len(j.d.Log))
	for i, e := range j.d.Log {
		if e.Edit == "" {
			continue
		}
		var err error
		if j.edits[i], err = ot.Parse([]byte(e.Edit), ot.Unlimited()); err != nil {
			j.fault("UNREADABLE", "version %d of %s: %v", e.Version, e.Actor, err)
			return false
		}
	}
	return true
}

// once: what was acknowledged stands at the version that was answered, once, and is its author's; what was refused does not stand; and nothing
// stands that nobody asked for.
func (j *judge) once() {
	at := map[uint64][]uint64{}
	for _, e := range j.d.Log {
		if e.Version > j.d.Base {
			at[e.Mutation] = append(at[e.Mutation], e.Version)
		}
	}
	for i := range j.d.Sends {
		s := &j.d.Sends[i]
		places := at[s.Mutation]
		delete(at, s.Mutation)
		switch {
		case len(places) > 1:
			j.fault("DOUBLED", "%s stands at %v", j.name(s), places)
		case (s.Outcome == Refused || s.Outcome == Gone) && len(places) > 0:
			j.fault("UNDEAD", "%s was refused and stands at %v: %s", j.name(s), places, s.Error)
		case (s.Outcome == Done || s.Outcome == Heard) && !slices.Equal(places, standing(s)):
			j.fault("LOST", "%s: acknowledged at %d, stands at %v", j.name(s), s.Version, places)
		}
		for _, place := range places {
			if actor := j.d.Log[place-1].Actor; s.Client < len(j.h.Clients) && actor != j.h.Clients[s.Client].User {
				j.fault("FOREIGN", "%s stands at %d as %s's", j.name(s), place, actor)
			}
		}
	}
	for _, mutation := range slices.Sorted(maps.Keys(at)) {
		j.fault("FOREIGN", "what stands at %v nobody asked for", at[mutation])
	}
}

// standing is where a request stands, as it was answered.
func standing(s *Send) []uint64 {
	if s.Version == 0 {
		return nil
	}
	return []uint64{s.Version}
}

// meant: each edit does at its version what its author asked for at its base, transformed to follow what came in between.
func (j *judge) meant() {
	at := make(map[uint64]int, len(j.d.Log))
	for i, e := range j.d.Log {
		at[e.Mutation] = i
	}
	for i := range j.d.Sends {
		s := &j.d.Sends[i]
		place, stands := at[s.Mutation]
		if !stands || s.Kind != Submit {
			continue
		}
		if s.Base > uint64(place) {
			j.fault("TWISTED", "%s is of version %d, and stands at %d", j.name(s), s.Base, place+1)
			continue
		}
		delta, err := ot.Parse([]byte(s.Delta), ot.Unlimited())
		for _, before := range j.edits[s.Base:place] {
			if err == nil && before.Count() > 0 {
				delta, err = before.Transform(delta, ot.Earlier, nil)
			}
		}
		if err != nil || !delta.Normal().Equal(j.edits[place].Normal()) {
			j.fault("TWISTED", "%s, made at version %d, comes to %.300v at version %d, and there stands %.300v (%v)",
				j.name(s), s.Base, delta, place+1, j.edits[place], err)
		}
	}
}
