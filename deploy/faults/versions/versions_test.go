package versions

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
)

// owner makes a history as the service does when nothing is wrong with it.
type owner struct {
	d       Document
	edits   []ot.Delta
	content *ot.Document
	now     time.Duration
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newOwner(text string) *owner {
	o := &owner{content: must(ot.NewDocument(ot.Delta{}, ot.Unlimited(), nil))}
	o.d = Document{ID: "D", Home: "docs-1", Epoch: 7, Told: map[int][]Stamp{}}
	created := must(new(ot.Builder).Insert(text, nil).Delta())
	o.append(Event{Actor: "ada", Edit: created.JSON()}, created)
	o.append(Event{Actor: "ada"}, ot.Delta{})
	o.d.Base = 2
	return o
}

func (o *owner) head() uint64 { return uint64(len(o.d.Log)) }

func (o *owner) append(e Event, edit ot.Delta) uint64 {
	e.Version = o.head() + 1
	e.Digest = 1000 + e.Version
	if err := o.content.Apply(edit); err != nil {
		panic(err)
	}
	o.d.Log, o.edits = append(o.d.Log, e), append(o.edits, edit)
	return e.Version
}

// send has a client ask for something, which is done at once.
func (o *owner) send(client int, kind Kind, base uint64, edit ot.Delta, e Event) *Send {
	seq := uint64(len(o.d.Sends) + 1)
	s := Send{Client: client, Seq: seq, Mutation: 500 + seq, Kind: kind, Base: base, Outcome: Done, Epoch: 7, Call: o.now + 1, Return: o.now + 3}
	o.now += 4
	if kind == Submit {
		s.Delta = edit.JSON()
		for _, before := range o.edits[base:] {
			if before.Count() > 0 {
				edit = must(before.Transform(edit, ot.Earlier, nil))
			}
		}
		e.Edit = edit.JSON()
	}
	e.Mutation, e.Actor = s.Mutation, users[client]
	s.Version = o.append(e, edit)
	o.d.Sends = append(o.d.Sends, s)
	return &o.d.Sends[len(o.d.Sends)-1]
}

// write has a client write its next mark and a text at a place of a version.
func (o *owner) write(client int, base uint64, at int, text string) {
	number := 1
	for _, e := range o.d.Edits {
		if e.Client == client {
			number++
		}
	}
	e := Edit{Client: client, Number: number, Action: "typing", Known: true}
	o.d.Edits = append(o.d.Edits, e)
	o.send(client, Submit, base, must(new(ot.Builder).Retain(at, nil).Insert(e.Mark()+text, nil).Delta()), Event{})
}

// see has a client see the newest content.
func (o *owner) see(client int, how string) {
	o.d.Contents = append(o.d.Contents, Content{Client: client, How: how, Version: o.head(), Hash: o.content.Hash(), Call: o.now, Newest: how == Read})
	o.now++
}

// history is that of the document, when both clients have followed it and both gateways told it.
func (o *owner) history() *History {
	var log []Stamp
	for _, e := range o.d.Log {
		log = append(log, e.Stamp)
	}
	o.d.Ways = map[string][]Stamp{"one by sse": log, "two by poll": slices.Clone(log)}
	o.d.Told = map[int][]Stamp{0: slices.Clone(log[2:]), 1: slices.Clone(log[1:])}
	o.see(0, Kept)
	o.see(1, Kept)
	o.d.Listed = o.head()
	return &History{
		Clients:   []Client{{Name: "ada's program", Transport: "sse", User: "ada"}, {Name: "bob's program", Transport: "poll", User: "bob"}},
		Documents: []Document{o.d},
	}
}

var users = []string{"ada", "bob"}

// sound is a short history in which all is as it should be.
//
//	version 3  ada writes [0.1]           version 8   ada takes [0.2] back
//	version 4  bob, at version 2, [1.1]   version 9   and writes it again
//	version 5  ada deletes the draft      version 10  bob answers in the thread
//	version 6  ada writes [0.2]           version 11  ada resolves it
//	version 7  bob begins a thread        version 12  bob writes [1.2]
func sound() *History {
	o := newOwner("draft\n")
	o.write(0, 2, 0, "x")
	o.see(1, Read)
	o.write(1, 2, 5, "yyyy")
	o.send(0, Submit, 4, must(new(ot.Builder).Retain(6, nil).Delete(5).Delta()), Event{})
	o.write(0, 5, 0, "")
	o.see(0, Shown)
	from := o.content.Len() - 5
	o.send(1, Begin, 6, ot.Delta{}, Event{Thread: 7, From: from, To: from + 4})
	o.send(0, Submit, 7, must(new(ot.Builder).Delete(5).Delta()), Event{})
	o.send(0, Submit, 8, must(new(ot.Builder).Insert("[0.2]", nil).Delta()), Event{})
	o.d.Edits[2].Redone = true
	o.send(1, Reply, 9, ot.Delta{}, Event{Thread: 7})
	o.send(0, Resolve, 10, ot.Delta{}, Event{Thread: 7, Resolved: true})
	o.write(1, 9, 0, "z")
	o.see(1, Read)
	h := o.history()
	h.Documents[0].Threads = []Thread{{ID: 7, From: from + 6, To: from + 10, Resolved: true, Comments: 2}}
	h.Documents[0].Pulses = []Pulse{{0, 0, time.Second}, {0, time.Second + 200, 2 * time.Second}}
	return h
}

func TestASoundHistoryHasNoFaults(t *testing.T) {
	v := sound().Check()
	if len(v.Faults) > 0 {
		t.Fatalf("%q", v.Faults)
	}
	if v.Documents != 1 || v.Events != 10 || v.Edits != 4 || v.Requests != 10 || v.Contents != 5 {
		t.Errorf("%+v", v)
	}
}

// TestEachDefectIsFound breaks the sound history in one way at a time.
func TestEachDefectIsFound(t *testing.T) {
	renumber := func(d *Document) { // as if it had always been so, for everybody
		var log []Stamp
		for i := range d.Log {
			d.Log[i].Version = uint64(i + 1)
			log = append(log, d.Log[i].Stamp)
		}
		d.Ways = map[string][]Stamp{"one by sse": log}
		d.Told = nil
	}
	for name, c := range map[string]struct {
		fault string
		do    func(d *Document)
	}{
		"refused":                  {"REFUSED", func(d *Document) { d.Sends[0].Outcome = Refused }},
		"refused, and done":        {"UNDEAD", func(d *Document) { d.Sends[0].Outcome = Refused }},
		"gone, and done":           {"UNDEAD", func(d *Document) { d.Sends[4].Outcome = Gone }},
		"never answered":           {"UNSETTLED", func(d *Document) { d.Sends[0].Outcome = Unsettled }},
		"not known to be taken":    {"UNSETTLED", func(d *Document) { d.Edits[0].Known = false }},
		"repeated otherwise":       {"CHANGED", func(d *Document) { d.Sends[1].Changed = true }},
		"another epoch":            {"EPOCH", func(d *Document) { d.Sends[1].Epoch = 8 }},
		"acknowledged, lost":       {"LOST", func(d *Document) { d.Log = slices.Delete(d.Log, 11, 12); renumber(d) }},
		"lost in the midst":        {"LOST", func(d *Document) { d.Log = slices.Delete(d.Log, 3, 4); renumber(d) }},
		"answered another version": {"LOST", func(d *Document) { d.Sends[0].Version = 4 }},
		"answered nothing":         {"LOST", func(d *Document) { d.Sends[8].Version = 0 }},
		"done twice":               {"DOUBLED", func(d *Document) { d.Log = append(d.Log, d.Log[2]); renumber(d) }},
		"done twice, by two keys":  {"DOUBLED", func(d *Document) { e := d.Log[11]; e.Mutation = 77; d.Log = append(d.Log, e); renumber(d) }},
		"by nobody":                {"FOREIGN", func(d *Document) { d.Log = append(d.Log, Event{Stamp: Stamp{Mutation: 9}}); renumber(d) }},
		"a mark by nobody":         {"FOREIGN", func(d *Document) { d.Edits = d.Edits[:3] }},
		"as somebody else":         {"FOREIGN", func(d *Document) { d.Log[3].Actor = "ada" }},
		"a hole":                   {"HOLE", func(d *Document) { d.Log[11].Version = 13 }},
		"ways differ":              {"DIFFERENT", func(d *Document) { d.Ways["two by poll"][5].Digest++ }},
		"a way ends early":         {"DIFFERENT", func(d *Document) { d.Ways["two by poll"] = d.Ways["two by poll"][:11] }},
		"told something else":      {"TOLD", func(d *Document) { d.Told[1][4].Mutation++ }},
		"told what isn't there":    {"TOLD", func(d *Document) { d.Told[1] = append(d.Told[1], Stamp{Version: 13}) }},
		"unreadable":               {"UNREADABLE", func(d *Document) { d.Log[4].Edit = "{" }},
		"does not apply":           {"UNREADABLE", func(d *Document) { d.Log[4].Edit = `{"ops":[{"delete":500}]}` }},
		"transformed wrongly":      {"TWISTED", func(d *Document) { d.Log[3].Edit = d.Sends[1].Delta }},
		"of a later version":       {"TWISTED", func(d *Document) { d.Sends[1].Base = 4 }},
		"before what was there":    {"REORDERED", func(d *Document) { d.Sends[0].Call, d.Sends[0].Return = 100, 103 }},
		"a client's order":         {"REORDERED", func(d *Document) { d.Edits[0].Number, d.Edits[2].Number = 2, 1; swapMarks(d) }},
		"a stale read":             {"STALE", func(d *Document) { d.Contents[2] = d.Contents[0]; d.Contents[2].Call = 100 }},
		"other content":            {"CONTENT", func(d *Document) { d.Contents[1].Hash[0]++ }},
		"content of another":       {"CONTENT", func(d *Document) { d.Contents[1].Version-- }},
		"content of no version":    {"CONTENT", func(d *Document) { d.Contents[1].Version = 13 }},
		"other content in the end": {"CONTENT", func(d *Document) { d.Contents[4].Hash[0]++ }},
		"behind in the end":        {"BEHIND", func(d *Document) { d.Contents[4].Version = 11 }},
		"taken away by another": {"TORN", func(d *Document) {
			other := d.Sends[5].Mutation
			d.Sends[5].Client = 1
			d.Log[7].Actor = "bob"
			_ = other
		}},
		"cut":                       {"TORN", func(d *Document) { replace(d, 4, must(new(ot.Builder).Retain(2, nil).Delete(2).Delta())) }},
		"written into":              {"TORN", func(d *Document) { replace(d, 11, must(new(ot.Builder).Retain(2, nil).Insert("[1.2]z", nil).Delta())) }},
		"taken back, and there":     {"UNDEAD", func(d *Document) { d.Edits[0].Undone = true }},
		"again, and not asked for":  {"DOUBLED", func(d *Document) { d.Edits[2].Redone = false }},
		"taken away":                {"LOST", func(d *Document) { replace(d, 8, must(new(ot.Builder).Insert("y", nil).Delta())) }},
		"not written":               {"LOST", func(d *Document) { replace(d, 11, must(new(ot.Builder).Insert("z", nil).Delta())) }},
		"a thread elsewhere":        {"THREAD", func(d *Document) { d.Threads[0].From++ }},
		"a thread without a text":   {"THREAD", func(d *Document) { d.Threads[0].Orphaned = true }},
		"a thread that is open":     {"THREAD", func(d *Document) { d.Threads[0].Resolved = false }},
		"a comment that is missing": {"THREAD", func(d *Document) { d.Threads[0].Comments-- }},
		"a thread that is missing":  {"THREAD", func(d *Document) { d.Threads = nil }},
		"a thread too many":         {"THREAD", func(d *Document) { d.Threads = append(d.Threads, Thread{ID: 9}) }},
		"a thread twice":            {"THREAD", func(d *Document) { d.Threads = append(d.Threads, d.Threads[0]) }},
		"a comment in no thread":    {"THREAD", func(d *Document) { d.Log[9].Thread = 5 }},
	} {
		t.Run(name, func(t *testing.T) {
			h := sound()
			c.do(&h.Documents[0])
			faults := h.Check().Faults
			if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, c.fault+" document D at docs-1: ") }) {
				t.Errorf("wanted %s, found %q", c.fault, faults)
			}
		})
	}
}

// replace has a version do something else, as its author meant it.
func replace(d *Document, at int, edit ot.Delta) {
	d.Log[at].Edit = edit.JSON()
	for i := range d.Sends {
		if s := &d.Sends[i]; s.Mutation == d.Log[at].Mutation {
			s.Base, s.Delta = uint64(at), edit.JSON()
		}
	}
}

// swapMarks has ada's first edit write the mark of her second one, and the other way round.
func swapMarks(d *Document) {
	swap := strings.NewReplacer("[0.1]", "[0.2]", "[0.2]", "[0.1]")
	for i := range d.Log {
		d.Log[i].Edit = swap.Replace(d.Log[i].Edit)
	}
}

func TestAFaultTellsWhoseItIs(t *testing.T) {
	h := sound()
	h.Documents[0].Sends[1].Outcome = Refused
	h.Documents[0].Sends[1].Error = "docs.CHAIN: no"
	h.Clients[0].Trouble = []string{"document D has ended: EOF"}
	faults := strings.Join(h.Check().Faults, "\n")
	for _, want := range []string{
		"REFUSED document D at docs-1: edit 2 of client 1, bob's program by poll: docs.CHAIN: no",
		"TROUBLE client 0, ada's program by sse: document D has ended: EOF",
	} {
		if !strings.Contains(faults, want) {
			t.Errorf("%s is missing: %s", want, faults)
		}
	}
}

func TestWhatMayBe(t *testing.T) {
	for name, do := range map[string]func(d *Document){
		"an edit of which its event told": func(d *Document) { d.Sends[3].Outcome = Heard },
		"a thread whose text was deleted": func(d *Document) {
			d.Sends = append(d.Sends, Send{Client: 1, Seq: 99, Mutation: 99, Kind: Begin, Outcome: Gone})
		},
		"a thread that was resolved": func(d *Document) {
			d.Sends = append(d.Sends, Send{Client: 1, Seq: 99, Mutation: 99, Kind: Resolve, Outcome: Done})
		},
		"one taken back before it was sent": func(d *Document) {
			d.Edits = append(d.Edits, Edit{Client: 1, Number: 3, Known: true, Undone: true})
		},
	} {
		h := sound()
		do(&h.Documents[0])
		if v := h.Check(); len(v.Faults) > 0 {
			t.Errorf("%s: %q", name, v.Faults)
		}
	}
}

// TestWhateverIsLostOrDoubledIsFound: of any history that is sound, no event can be taken away, done twice or put elsewhere without being found.
func TestWhateverIsLostOrDoubledIsFound(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := newOwner("draft\n")
		for range rapid.IntRange(1, 12).Draw(r, "edits") {
			base := o.head() - min(o.head()-o.d.Base, rapid.Uint64Range(0, 4).Draw(r, "behind"))
			o.write(rapid.IntRange(0, 1).Draw(r, "client"), base, 0, rapid.SampledFrom([]string{"", "x", "😀"}).Draw(r, "text"))
		}
		h := o.history()
		if v := h.Check(); len(v.Faults) > 0 {
			r.Fatalf("%q", v.Faults)
		}
		d := &h.Documents[0]
		at := rapid.IntRange(int(d.Base), len(d.Log)-1).Draw(r, "event")
		event := d.Log[at]
		switch rapid.SampledFrom([]string{"lost", "doubled", "moved"}).Draw(r, "defect") {
		case "lost":
			d.Log = slices.Delete(d.Log, at, at+1)
		case "doubled":
			d.Log = slices.Insert(d.Log, rapid.IntRange(at, len(d.Log)).Draw(r, "to"), event)
		case "moved": // before the event that came before it, but for the first one
			to := max(at, int(d.Base)+1)
			if to == len(d.Log) {
				return
			}
			d.Log[to-1], d.Log[to] = d.Log[to], d.Log[to-1]
		}
		for i := range d.Log { // everybody is told the same
			d.Log[i].Version = uint64(i + 1)
		}
		d.Ways, d.Told = nil, nil
		if v := h.Check(); len(v.Faults) == 0 {
			r.Fatal("nothing is found")
		}
	})
}

func TestAVerdictTellsABoundedNumberOfFaults(t *testing.T) {
	h := sound()
	for range 3 * maxFaults {
		h.Documents[0].Sends = append(h.Documents[0].Sends, Send{Outcome: Refused})
	}
	if n := len(h.Check().Faults); n != maxFaults {
		t.Errorf("%d faults are told", n)
	}
}

func TestMarks(t *testing.T) {
	for mark, author := range map[string]int{Mark(3, 17): 3, "[3.17]x": -1, "x": -1, "[99999999999999999999.1]": -1} {
		if got := Author(mark); got != author {
			t.Errorf("%s is of %d", mark, got)
		}
	}
	if n := len(Mark(99, 999_999)); n >= MarkLength {
		t.Errorf("a mark has %d", n)
	}
}

// TestTimesOfStandingStill has pulses every second, each answered at once, but for what the case says.
func TestTimesOfStandingStill(t *testing.T) {
	const s = time.Second
	stop := func(from, to time.Duration) Fault {
		return Fault{Kind: "stop", Targets: []string{"docs-1"}, From: from, To: to, Owner: true}
	}
	slow := func(from, to time.Duration) Fault {
		return Fault{Kind: "slow", From: from, To: to}
	}
	for name, c := range map[string]struct {
		faults []Fault
		waits  map[time.Duration]time.Duration // of the pulses sent at, how long the answer took
		most   time.Duration                   // of the first kind
		back   time.Duration
		alone  int
		found  int // faults
	}{
		"nobody waits":             {[]Fault{stop(10*s+s/2, 16*s+s/2)}, nil, s / 2, s / 2, 1, 0},
		"a while":                  {[]Fault{stop(10*s+s/2, 16*s+s/2)}, map[time.Duration]time.Duration{11 * s: 3 * s}, 3*s + s/2, s / 2, 1, 0},
		"sent before":              {[]Fault{stop(10*s+s/2, 16*s+s/2)}, map[time.Duration]time.Duration{10 * s: 3 * s}, 2*s + s/2, s / 2, 1, 0},
		"later":                    {[]Fault{stop(10*s+s/2, 16*s+s/2)}, map[time.Duration]time.Duration{13 * s: 2 * s}, 2 * s, s / 2, 1, 0},
		"when it is back":          {[]Fault{stop(10*s+s/2, 16*s+s/2)}, map[time.Duration]time.Duration{17 * s: 2 * s}, s / 2, 2*s + s/2, 1, 0},
		"beyond the bound":         {[]Fault{stop(10*s+s/2, 26*s+s/2)}, map[time.Duration]time.Duration{11 * s: 12 * s}, 12*s + s/2, s / 2, 1, 1},
		"beyond, when it is back":  {[]Fault{stop(10*s+s/2, 16*s+s/2)}, map[time.Duration]time.Duration{17 * s: 11 * s}, s / 2, 11*s + s/2, 1, 1},
		"beside another fault":     {[]Fault{stop(10*s+s/2, 26*s+s/2), slow(15*s, 16*s+s/2)}, map[time.Duration]time.Duration{11 * s: 12 * s}, 12*s + s/2, s / 2, 0, 0},
		"soon after another fault": {[]Fault{stop(10*s+s/2, 26*s+s/2), slow(5*s, 7*s)}, map[time.Duration]time.Duration{11 * s: 12 * s}, 12*s + s/2, s / 2, 0, 0},
		"long after another fault": {[]Fault{stop(10*s+s/2, 26*s+s/2), slow(5*s, 6*s)}, map[time.Duration]time.Duration{11 * s: 12 * s}, 12*s + s/2, s / 2, 1, 1},
		"without an owner":         {[]Fault{slow(10*s+s/2, 26*s+s/2)}, map[time.Duration]time.Duration{11 * s: 12 * s}, 12*s + s/2, 0, 1, 0},
		"elsewhere":                {[]Fault{{Kind: "stop", Targets: []string{"docs-2"}, From: 10 * s, To: 20 * s, Owner: true}}, map[time.Duration]time.Duration{11 * s: 12 * s}, 0, s / 2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := Document{ID: "D", Home: "docs-1"}
			for at := time.Duration(0); at < 40*s; {
				wait := c.waits[at]
				d.Pulses = append(d.Pulses, Pulse{0, at, at + wait})
				at += max(wait, s)
			}
			h := &History{Clients: []Client{{}}, Documents: []Document{d}, Faults: c.faults}
			var v Verdict
			h.still(&v)
			if len(v.Faults) != c.found || c.found > 0 && !strings.HasPrefix(v.Faults[0], "STILL document D at docs-1 ") {
				t.Errorf("%q", v.Faults)
			}
			if len(v.Stills) == 0 {
				if c.most > 0 {
					t.Error("nothing was measured")
				}
				return
			}
			if got := v.Stills[0]; got.Most != c.most || got.Median != c.most || got.Back != c.back || got.Alone != c.alone {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAVerdictTellsOfEachKind(t *testing.T) {
	h := &History{Documents: []Document{{Home: "docs-1", Pulses: []Pulse{{0, 0, time.Second}, {0, 30 * time.Second, 33 * time.Second}, {0, 60 * time.Second, 62 * time.Second}}}}}
	for i := range 2 {
		from := time.Duration(30*(i+1)) * time.Second
		h.Faults = append(h.Faults, Fault{Kind: "stop", Targets: []string{"docs-1"}, From: from, To: from + 5*time.Second, Owner: true})
	}
	h.Faults = append(h.Faults, Fault{Kind: "disk", From: 61 * time.Second, To: 63 * time.Second})
	text := fmt.Sprint(h.Check())
	for _, want := range []string{"stop          2 owners, 1 alone: writable again after 3s (median), 3s at most", "disk          1 times, 0 alone: no document stood still for more than 1s"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing: %s", want, text)
		}
	}
}
