package history

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// sound is a short history in which all is as it should be: Ada and Bob write in channel c, and Bob answers in d what Ada wrote in c.
func sound() *History {
	c := []Event{
		{Offset: 1, Visible: true},
		{Offset: 2, ID: "a1", Author: "ada", Visible: true, Counts: true},
		{Offset: 3, ID: "b1", Author: "bob", Visible: true, Counts: true},
		{Offset: 4, ID: "a2"},
		{Offset: 5, ID: "a3", Author: "ada", Visible: true, Counts: true, Mentions: []string{"bob"}},
	}
	d := []Event{
		{Offset: 1, Visible: true},
		{Offset: 2, ID: "b2", Author: "bob", Visible: true, Counts: true, Needs: []Need{{"c", 5}}},
	}
	ways := func(log []Event) map[string][]Event { return map[string][]Event{"one": log, "two": slices.Clone(log)} }
	op := func(device int, channel string, kind Kind, id string, offset uint64, call, back time.Duration) Op {
		return Op{Device: device, User: []string{"ada", "bob"}[device], Channel: channel, Kind: kind, ID: id, Outcome: Done, Offset: offset, Call: call, Return: back}
	}
	var all []Shown
	for _, e := range c {
		all = append(all, Shown{"c", e})
	}
	for _, e := range d {
		all = append(all, Shown{"d", e})
	}
	device := func(user, transport string, unread map[string]Unread) Device {
		return Device{Name: user + "/0", Transport: transport, User: user, Channels: []string{"c", "d"}, Shown: slices.Clone(all), Unread: unread, Listed: maps.Clone(unread)}
	}
	return &History{
		Base: map[string]uint64{"c": 1, "d": 1},
		Logs: map[string]map[string][]Event{"c": ways(c), "d": ways(d)},
		Ops: []Op{
			op(0, "c", Post, "a1", 2, 1, 4),
			op(1, "c", Post, "b1", 3, 2, 5),
			op(1, "c", Read, "b0", 3, 6, 7),
			op(0, "c", Edit, "a2", 4, 6, 9),
			op(0, "c", Post, "a3", 5, 8, 12),
			op(1, "d", Post, "b2", 2, 13, 14),
		},
		Devices: []Device{
			device("ada", "sse", map[string]Unread{"c": {Marker: 5}, "d": {Marker: 0, Messages: 1}}),
			device("bob", "poll", map[string]Unread{"c": {Marker: 3, Messages: 1, Mentions: 1}, "d": {Marker: 2}}),
		},
	}
}

func TestASoundHistoryHasNoFaults(t *testing.T) {
	v := sound().Check()
	if len(v.Faults) > 0 {
		t.Fatal(v.Faults)
	}
	if v.Done != 6 || v.Events != 5 || v.Shown != 14 {
		t.Errorf("%v", v)
	}
	if text := v.String(); !strings.Contains(text, "1 by poll, 1 by sse") {
		t.Error(text)
	}
}

// TestAFaultTellsWhoseItIs, and by which transport the device connects.
func TestAFaultTellsWhoseItIs(t *testing.T) {
	h := sound()
	h.Ops[1].Outcome = Unsettled
	h.Devices[0].Resets = 1
	faults := strings.Join(h.Check().Faults, "\n")
	for _, want := range []string{`UNSETTLED post "b1" of device 1, bob/0 by poll:`, "RESET ada/0 by sse was told"} {
		if !strings.Contains(faults, want) {
			t.Errorf("%s is missing: %s", want, faults)
		}
	}
}

// TestEachDefectIsFound breaks the sound history in one way at a time.
func TestEachDefectIsFound(t *testing.T) {
	logs := func(h *History, change func(log []Event) []Event) { // in both ways
		for way, log := range h.Logs["c"] {
			h.Logs["c"][way] = change(log)
		}
	}
	for name, c := range map[string]struct {
		fault string
		do    func(h *History)
	}{
		"refused":              {"REFUSED", func(h *History) { h.Ops[0].Outcome = Refused }},
		"refused, and done":    {"UNDEAD", func(h *History) { h.Ops[0].Outcome = Refused }},
		"never answered":       {"UNSETTLED", func(h *History) { h.Ops[0].Outcome = Unsettled }},
		"acknowledged, lost":   {"LOST", func(h *History) { logs(h, func(l []Event) []Event { return l[:4] }) }},
		"moved":                {"LOST", func(h *History) { h.Ops[1].Offset = 2 }},
		"twice":                {"DOUBLED", func(h *History) { logs(h, func(l []Event) []Event { return append(l, Event{Offset: 6, ID: "a1"}) }) }},
		"by nobody":            {"FOREIGN", func(h *History) { logs(h, func(l []Event) []Event { return append(l, Event{Offset: 6, ID: "x"}) }) }},
		"without an operation": {"FOREIGN", func(h *History) { logs(h, func(l []Event) []Event { return append(l, Event{Offset: 6}) }) }},
		"a hole":               {"HOLE", func(h *History) { logs(h, func(l []Event) []Event { l[4].Offset = 6; return l }) }},
		"ways differ":          {"DIFFERENT", func(h *History) { h.Logs["c"]["two"] = h.Logs["c"]["two"][:4] }},
		"a sender's order":     {"REORDERED", func(h *History) { h.Ops[0].Offset, h.Ops[4].Offset = 5, 2; logs(h, swap(1, 4)) }},
		"a stale read":         {"NOT LINEARIZABLE", func(h *History) { h.Ops[2].Offset = 2 }},
		"a read of the future": {"NOT LINEARIZABLE", func(h *History) { h.Ops[2].Offset = 5 }},
		"a read of an edit":    {"NOT LINEARIZABLE", func(h *History) { h.Ops[2].Offset = 4 }},
		"answered too early":   {"NOT LINEARIZABLE", func(h *History) { h.Ops[4].Call, h.Ops[4].Return, h.Ops[3].Call = 2, 3, 4 }},
		"not shown":            {"SHOWN", func(h *History) { h.Devices[0].Shown = slices.Delete(h.Devices[0].Shown, 2, 3) }},
		"shown twice":          {"SHOWN", func(h *History) { h.Devices[0].Shown = slices.Insert(h.Devices[0].Shown, 2, h.Devices[0].Shown[1]) }},
		"shown in disorder":    {"SHOWN", func(h *History) { s := h.Devices[0].Shown; s[1], s[2] = s[2], s[1] }},
		"told to read anew":    {"RESET", func(h *History) { h.Devices[1].Resets = 1 }},
		"before its cause":     {"CAUSE", func(h *History) { s := h.Devices[0].Shown; s[4], s[5], s[6] = s[5], s[6], s[4] }},
		"a bundle's count":     {"UNREAD", func(h *History) { h.Devices[1].Unread["c"] = Unread{Marker: 3, Messages: 2, Mentions: 1} }},
		"a bundle's mention":   {"UNREAD", func(h *History) { h.Devices[1].Unread["c"] = Unread{Marker: 3, Messages: 1} }},
		"a list's marker":      {"UNREAD", func(h *History) { h.Devices[1].Listed["d"] = Unread{} }},
	} {
		t.Run(name, func(t *testing.T) {
			h := sound()
			c.do(h)
			faults := h.Check().Faults
			if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, c.fault+" ") }) {
				t.Errorf("wanted %s, found %q", c.fault, faults)
			}
		})
	}
}

// swap exchanges what stands in two places of a log.
func swap(i, j int) func([]Event) []Event {
	return func(log []Event) []Event {
		log[i].ID, log[j].ID = log[j].ID, log[i].ID
		return log
	}
}

func TestWhatIsKnownToBeShownEarlyIsNoFault(t *testing.T) {
	h := sound()
	s := h.Devices[0].Shown
	s[4], s[5], s[6] = s[5], s[6], s[4]
	h.Devices[0].Violations = 1
	if v := h.Check(); len(v.Faults) > 0 || v.Violations != 1 {
		t.Errorf("%v %q", v, v.Faults)
	}
}

func TestAnUnansweredOperationMayHaveTakenPlace(t *testing.T) {
	h := sound()
	h.Ops[4].Outcome, h.Ops[4].Offset, h.Ops[4].Return = Unsettled, 0, 8
	for _, fault := range h.Check().Faults {
		if !strings.HasPrefix(fault, "UNSETTLED") && !strings.HasPrefix(fault, "UNREAD") {
			t.Error(fault)
		}
	}
}

func TestAVerdictTellsABoundedNumberOfFaults(t *testing.T) {
	h := sound()
	for range 3 * maxFaults {
		h.Ops = append(h.Ops, Op{Channel: "c", Kind: Read, Outcome: Refused})
	}
	if n := len(h.Check().Faults); n != maxFaults {
		t.Errorf("%d faults are told", n)
	}
}
