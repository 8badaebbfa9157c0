package sights

import (
	"strings"
	"testing"
	"time"
)

const s = time.Second

// sound is a short history in which all is as it should be: Ada comes, leaves, and is shown so after the time of grace; a process is killed meanwhile.
func sound() *History {
	return &History{
		Times:  Times{Grace: 10 * s, Bound: 20 * s, Known: 10 * s, HalfOpen: 60 * s},
		People: []Person{{"ada", []Turn{{1 * s, Coming}, {2 * s, Here}, {60 * s, Away}, {200 * s, Here}}}},
		Watchers: []Watcher{{
			"bob", []Sight{{1 * s, "ada", Offline}, {3 * s, "ada", Present}, {30 * s, "ada", Unknown}, {33 * s, "ada", Present}, {71 * s, "ada", Offline}, {201 * s, "ada", Present}},
			[]Glance{{1 * s, true}},
		}},
		Faults: []Fault{{Ended, 30 * s, 32 * s}},
		End:    300 * s,
	}
}

func TestASoundHistoryHasNoFaults(t *testing.T) {
	v := sound().Check()
	if len(v.Faults) > 0 {
		t.Fatal(v.Faults)
	}
	if v.Comings != 2 || v.Late != 11*s || v.Missed != 1*s || v.Unknown != 3*s {
		t.Errorf("%+v", v)
	}
}

// TestEachDefectIsFound breaks the sound history in one way at a time.
func TestEachDefectIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		fault string
		do    func(h *History)
	}{
		"shown for too long":     {"GHOST", func(h *History) { h.Watchers[0].Sights[4].At = 95 * s }},
		"not shown for too long": {"MISSED", func(h *History) { h.Watchers[0].Sights[5].At = 225 * s }},
		"not shown in the end":   {"WRONG", func(h *History) { h.Watchers[0].Sights = h.Watchers[0].Sights[:5] }},
		"unknown for too long":   {"BLIND", func(h *History) { h.Watchers[0].Sights[3].At = 59 * s }},
		"nothing shown for too long": {"BLIND", func(h *History) {
			h.Watchers[0].Sights[0].At = 30 * s
			h.Faults = nil
			h.Watchers[0].Sights[1].At = 30 * s
		}},
		"gone while nothing fails": {"MISSED", func(h *History) {
			h.Watchers[0].Sights[2].As = Offline
			h.Watchers[0].Sights[3].At = 58 * s
			h.Faults = nil
		}},
		"not live in the end": {"WRONG", func(h *History) { h.Watchers[0].Glances = append(h.Watchers[0].Glances, Glance{250 * s, false}) }},
		"a fault that isn't felt": {"GHOST", func(h *History) {
			h.Watchers[0].Sights[4].At = 95 * s
			h.Faults = append(h.Faults, Fault{Apart, 61 * s, 70 * s})
		}},
		"a fault that was over": {"GHOST", func(h *History) {
			h.Watchers[0].Sights[4].At = 95 * s
			h.Faults = append(h.Faults, Fault{Stopped, 10 * s, 15 * s})
		}},
		"away, and coming doesn't do": {"GHOST", func(h *History) {
			h.Watchers[0].Sights[4].At = 120 * s
			h.People[0].Turns = append(h.People[0].Turns[:3:3], Turn{130 * s, Coming}, Turn{200 * s, Here})
		}},
	} {
		h := sound()
		c.do(h)
		if faults := strings.Join(h.Check().Faults, "\n"); !strings.Contains(faults, c.fault) {
			t.Errorf("%s: %s is not found: %q", name, c.fault, faults)
		}
	}
}

// TestWhatFailsTakesTime: what is wrong for longer while something that has a part in presence fails, or while the watcher is not told, is no fault.
func TestWhatFailsTakesTime(t *testing.T) {
	for name, do := range map[string]func(h *History){
		"a process stands still": func(h *History) {
			h.Watchers[0].Sights[4].At = 115 * s
			h.Faults = append(h.Faults, Fault{Stopped, 65 * s, 80 * s})
		},
		"the network is cut": func(h *History) {
			h.Watchers[0].Sights[4].At = 150 * s
			h.Faults = append(h.Faults, Fault{Cut, 59 * s, 70 * s})
		},
		"the watcher is not connected": func(h *History) {
			h.Watchers[0].Sights[4].At = 150 * s
			h.Watchers[0].Glances = append(h.Watchers[0].Glances, Glance{65 * s, false}, Glance{149 * s, true})
		},
	} {
		h := sound()
		do(h)
		if faults := h.Check().Faults; len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
	}
}
