package awareness_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/docs/awareness"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// twins are two states of one document: somebody has looked at the one for long, and at the other one only since a time.
type twins struct {
	*room // has the first
	acts  []awareness.Act
	floor uint64
	late  *awareness.State // the other one; nil: nobody looks yet
	since [2]awareness.Since
}

func (w *twins) states() []*awareness.State {
	if w.late == nil {
		return []*awareness.State{w.s}
	}
	return []*awareness.State{w.s, w.late}
}

func (w *twins) hear(from string, m *docsv1.Presence) {
	for _, s := range w.states() {
		s.Hear(awareness.Signal{From: from, Presence: m}, w.now)
	}
}

func (w *twins) pass(a awareness.Act) {
	w.t.Helper()
	if err := w.doc.Apply(a.Edit); err != nil {
		w.t.Fatal(err)
	}
	a.Version, a.Bytes, a.Time = w.s.Version()+1, 50, w.now
	w.acts, w.floor = append(w.acts, a), max(w.floor, a.Floor)
	for _, s := range w.states() {
		s.Pass(a)
	}
}

// look begins to look at the other one: it is made of what is in the log.
func (w *twins) look() {
	head := w.s.Version()
	from := max(w.floor, head-min(head, awareness.Past))
	w.late = awareness.New(from)
	w.late.Erase(w.floor)
	for _, a := range w.acts {
		if a.Version > from {
			w.late.Pass(a)
		}
	}
	w.late.Reach(head)
	w.since = [2]awareness.Since{w.s.Begin(w.now), w.late.Begin(w.now)}
}

// compare has who looks at either told the same, also as one of all who are told the same.
func (w *twins) compare() {
	w.t.Helper()
	ask := awareness.Ask{Content: w.doc, Scored: true}
	entries := func(s *awareness.State, since awareness.Since) map[string]*docsv1.Awareness {
		ask.Since = since
		return s.Entries(w.now, ask)
	}
	alike := w.s.Alike(w.now)
	first := entries(w.s, w.since[0])
	for what, other := range map[string]map[string]*docsv1.Awareness{"of late": entries(w.late, w.since[1]), "who are alike": entries(w.s, alike(w.since[0]))} {
		if len(first) != len(other) {
			w.t.Fatal(fmt.Sprintf("%s: %v, and %v", what, first, other))
		}
		for key, e := range first {
			if !proto.Equal(e, other[key]) {
				w.t.Fatal(fmt.Sprintf("%s: %s: %v, and %v", what, key, e, other[key]))
			}
		}
	}
}

// Who begins to look is told the same, at all times, whether others have looked before or not.
func TestNothingTellsSinceWhenOthersLook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &twins{room: roomOf(t, "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n")}
		w.s = awareness.New(0)
		user := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		act := func(what string) {
			a := awareness.Act{User: user.Draw(t, what), Kind: awareness.Kind(rapid.IntRange(0, 4).Draw(t, "kind"))}
			if a.Kind == awareness.Editing || a.Kind == awareness.Other && rapid.Bool().Draw(t, "nobody's edit") {
				var b ot.Builder
				b.Retain(rapid.IntRange(0, 40).Draw(t, "at"), nil)
				if rapid.Bool().Draw(t, "deletes") && w.doc.Len() > 42 {
					b.Delete(1)
				}
				for range rapid.SampledFrom([]int{1, 1, 1, 2, 600}).Draw(t, "operations") {
					b.Insert("x", nil).Retain(0, nil)
				}
				var err error
				if a.Edit, err = b.Insert("\n", nil).Delta(); err != nil {
					t.Fatal(err)
				}
			}
			w.pass(a)
		}
		steps := rapid.IntRange(2, 60).Draw(t, "steps")
		begins := rapid.IntRange(1, steps).Draw(t, "begins")
		for i := range steps {
			if i == begins {
				w.look()
				w.compare()
			}
			switch rapid.SampledFrom([]string{"signal", "signal", "signal", "act", "act", "many", "wait", "wait", "floor", "sessions"}).Draw(t, "step") {
			case "signal":
				version := w.s.Version() - min(w.s.Version(), uint64(rapid.SampledFrom([]int{0, 0, 1, 5, 300, 700, 1100}).Draw(t, "behind")))
				from := fmt.Sprint(user.Draw(t, "who"), "/", rapid.SampledFrom([]string{"1", "1", "2", "3", "4", "5", "6", "7", "8", "9"}).Draw(t, "session"))
				place := uint32(rapid.SampledFrom([]int{0, 3, 9, 21, 40}).Draw(t, "place"))
				w.hear(from, &docsv1.Presence{
					Version: version, Anchor: place, Head: place + 1, Typing: rapid.Bool().Draw(t, "typing"), Left: rapid.IntRange(0, 5).Draw(t, "leaves") == 0,
				})
			case "sessions": // more of one person's than are known
				who := user.Draw(t, "theirs")
				for _, i := range rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}).Draw(t, "order") {
					w.hear(fmt.Sprint(who, "/", i), &docsv1.Presence{Version: w.s.Version(), Anchor: uint32(i), Left: i == 10})
				}
			case "act":
				act("whose")
			case "many": // more than whoever begins to look finds
				from := user.Draw(t, "of")
				for i := range rapid.SampledFrom([]int{100, 600, 1100}).Draw(t, "how many") {
					a := awareness.Act{User: from, Kind: awareness.Editing, Edit: insert(w.t, i%40, "y")}
					if i%3 == 0 {
						a.Kind, a.Edit = awareness.Commenting, ot.Delta{}
					}
					if w.pass(a); i%100 == 0 {
						w.now = w.now.Add(time.Second)
					}
				}
			case "wait":
				w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{100, 1000, 7000, 12_000, 29_000, 80_000, 400_000}).Draw(t, "for")) * time.Millisecond)
			case "floor":
				w.pass(awareness.Act{User: user.Draw(t, "who erases"), Floor: max(w.floor, w.s.Version()-min(w.s.Version(), uint64(rapid.IntRange(0, 50).Draw(t, "but"))))})
			}
			if w.late != nil {
				w.compare()
			} else if rapid.Bool().Draw(t, "somebody looks") {
				w.s.Entries(w.now, awareness.Ask{Content: w.doc})
			}
		}
	})
}

// Where more people come than are known, who was silent for longest gives way: so who has begun to look later knows the same ones.
func TestWhoComesIsKnownWhoeverLooks(t *testing.T) {
	w := &twins{room: newRoom(t, 10)}
	w.s = awareness.New(0)
	for i := range 1000 {
		w.hear(fmt.Sprintf("old%d/s", i), &docsv1.Presence{})
	}
	w.look()
	for i := range 1200 {
		w.hear(fmt.Sprintf("new%d/s", i), &docsv1.Presence{})
		if i%100 == 0 {
			w.hear("new7/other", &docsv1.Presence{})
		}
	}
	w.compare()
	e := w.late.Entries(w.now, awareness.Ask{Content: w.doc, Since: w.since[1]})
	if n := e["#"].GetOverview().GetPeople(); n != 1000 {
		t.Errorf("%d people are known", n)
	}
}

// What was done before somebody began to look is told, as far as the log has it; who was there before isn't until they signal again.
func TestWhoBeginsToLook(t *testing.T) {
	w := &twins{room: newRoom(t, 10)}
	w.s = awareness.New(0)
	w.pass(awareness.Act{User: "ada", Kind: awareness.Editing, Edit: insert(t, 0, "x")})
	w.hear("ada/s", &docsv1.Presence{Version: 1, Anchor: 1, Head: 1})
	w.hear("bob/s", &docsv1.Presence{Version: 1})
	w.look()
	people := func() string {
		w.compare()
		r := *w.room
		var all strings.Builder
		for key, e := range r.s.Entries(r.now, awareness.Ask{Content: r.doc, Since: w.since[0]}) {
			if p := e.GetParticipant(); p != nil {
				fmt.Fprint(&all, key, " has edited for ", p.GetEditingS(), " s. ")
			}
		}
		return all.String()
	}
	if got := people(); got != "" {
		t.Errorf("in the beginning: %s", got)
	}
	w.hear("ada/s", &docsv1.Presence{Version: 1, Anchor: 1, Head: 1})
	if got := people(); got != "ada has edited for 10 s. " {
		t.Errorf("ada has signalled again: %s", got)
	}
}

// BenchmarkEntries makes the entries of a document in which 50 people have typed for half an hour, for one who looks; and says for 200 who have begun one after
// the other, a second between them, who of them see the same.
func BenchmarkEntries(b *testing.B) {
	w := &twins{room: roomOf(b, strings.Repeat("a line of a document that people write.\n", 500))}
	w.s = awareness.New(0)
	var since []awareness.Since
	for i := range 1800 {
		for j := range 5 {
			user := fmt.Sprint("u", (5*i+j)%50)
			w.pass(awareness.Act{User: user, Kind: awareness.Editing, Edit: insert(b, 400*((5*i+j)%50), "x")})
			w.hear(user+"/s", &docsv1.Presence{Version: w.s.Version(), Anchor: uint32(400 * ((5*i + j) % 50)), Head: uint32(400 * ((5*i + j) % 50)), Typing: true})
		}
		if i%9 == 0 {
			since = append(since, w.s.Begin(w.now))
		}
		w.now = w.now.Add(time.Second)
	}
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			w.s.Entries(w.now, awareness.Ask{Content: w.doc, Scored: true})
		}
	})
	b.Run("alike", func(b *testing.B) {
		kinds := map[awareness.Since]bool{}
		for b.Loop() {
			alike := w.s.Alike(w.now)
			for _, one := range since {
				kinds[alike(one)] = true
			}
		}
		b.ReportMetric(float64(len(kinds)), "kinds")
	})
}
