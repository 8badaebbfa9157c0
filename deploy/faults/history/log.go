package history

import (
	"cmp"
	"maps"
	"slices"
)

// agree holds against each other the logs of each channel that were read in all ways, and returns one of each: offsets run from 1 without a hole.
func (h *History) agree(v *Verdict) map[string][]Event {
	logs := map[string][]Event{}
	for channel, told := range h.Logs {
		var first string
		for _, way := range slices.Sorted(maps.Keys(told)) {
			log := told[way]
			if first == "" {
				first, logs[channel] = way, log
				for i, e := range log {
					if e.Offset != uint64(i+1) {
						v.fault("HOLE channel %s: offset %d stands in place %d", channel, e.Offset, i+1)
						break
					}
				}
				continue
			}
			one := logs[channel]
			if at := differ(one, log); at >= 0 {
				v.fault("DIFFERENT channel %s: %s and %s differ from place %d on (%d and %d events)", channel, first, way, at+1, len(one), len(log))
			}
		}
	}
	return logs
}

// differ is the first place where two logs are not the same; -1: they are.
func differ(a, b []Event) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i].Offset != b[i].Offset || a[i].ID != b[i].ID {
			return i
		}
	}
	return -1
}

// once: what was acknowledged stands at its offset, once; what was refused does not stand; nothing stands that nobody asked for; and what one
// device appended to a channel stands in the order in which it was asked for.
func (h *History) once(v *Verdict, logs map[string][]Event) {
	at := map[string][]uint64{}
	for channel, log := range logs {
		for _, e := range log {
			if e.ID != "" {
				at[e.ID] = append(at[e.ID], e.Offset)
			} else if e.Offset > h.Base[channel] {
				v.fault("FOREIGN channel %s: nobody asked for what stands at %d", channel, e.Offset)
			}
		}
	}
	type lane struct {
		device  int
		channel string
	}
	last := map[lane]uint64{}
	for _, op := range slices.SortedFunc(slices.Values(h.Ops), func(a, b Op) int { return cmp.Compare(a.Call, b.Call) }) {
		if !op.appends() {
			continue
		}
		places := at[op.ID]
		delete(at, op.ID)
		switch {
		case len(places) > 1:
			v.fault("DOUBLED %s %q stands at %v", op.Kind, op.ID, places)
		case op.Outcome == Refused && len(places) > 0:
			v.fault("UNDEAD %s %q was refused and stands at %v: %s", op.Kind, op.ID, places, op.Error)
		case op.Outcome == Done && (len(places) == 0 || places[0] != op.Offset):
			v.fault("LOST %s %q: acknowledged at %d, stands at %v", op.Kind, op.ID, op.Offset, places)
		}
		if op.Kind == Post && len(places) > 0 { // edits and reactions go their own ways
			l := lane{op.Device, op.Channel}
			if places[0] < last[l] {
				v.fault("REORDERED post %q of %s stands at %d, before its earlier one at %d", op.ID, h.who(op), places[0], last[l])
			}
			last[l] = places[0]
		}
	}
	for id, places := range at {
		v.fault("FOREIGN %q stands at %v, and nobody asked for it", id, places)
	}
}

func (op *Op) appends() bool { return op.Kind == Post || op.Kind == Edit || op.Kind == React }
