package versions

import (
	"cmp"
	"maps"
	"slices"

	"plenum.internal/docs/ot"
)

// threads: the service lists the threads that the log has, each where its text has gone, with as many comments, open or resolved. A range moves
// with its text, and is orphaned for good when that is deleted.
func (j *judge) threads() {
	all := map[uint64]*Thread{}
	for i, e := range j.d.Log {
		for _, t := range all {
			if edit := j.edits[i]; !t.Orphaned && edit.Count() > 0 && e.Version <= j.d.Listed {
				t.From, t.To = edit.TransformPosition(t.From, ot.Later), edit.TransformPosition(t.To, ot.Earlier)
				t.Orphaned = t.From >= t.To
			}
			if t.Orphaned {
				t.From, t.To = 0, 0
			}
		}
		switch t := all[e.Thread]; {
		case e.Thread == 0:
		case e.Thread == e.Version:
			all[e.Thread] = &Thread{ID: e.Thread, From: e.From, To: e.To, Comments: 1}
		case t == nil:
			j.fault("THREAD", "version %d of %s is of thread %d, which nobody began", e.Version, e.Actor, e.Thread)
		case e.Resolved || e.Open:
			t.Resolved = e.Resolved
		default:
			t.Comments++
		}
	}
	listed := map[uint64]Thread{}
	for _, t := range j.d.Threads {
		if _, twice := listed[t.ID]; twice {
			j.fault("THREAD", "thread %d is listed twice", t.ID)
		}
		listed[t.ID] = t
		if all[t.ID] == nil {
			j.fault("THREAD", "thread %d is listed, and the log has none", t.ID)
		}
	}
	for _, want := range slices.SortedFunc(maps.Values(all), func(a, b *Thread) int { return cmp.Compare(a.ID, b.ID) }) {
		if got, ok := listed[want.ID]; !ok || got != *want {
			j.fault("THREAD", "thread %d is listed as %+v, and by the log it is %+v at version %d", want.ID, got, *want, j.d.Listed)
		}
	}
}
