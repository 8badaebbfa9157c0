package docs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// marked is a content as a list of code units, each with the threads that it belongs to.
type marked [][]uint64

// after is what an edit makes of it: what it inserts belongs to the threads that both its neighbours belonged to.
func (m marked) after(edit ot.Delta) (out marked) {
	at := 0
	for _, op := range edit.Ops() {
		switch op.Action() {
		case ot.Retain:
			out, at = append(out, m[at:at+op.Len()]...), at+op.Len()
		case ot.Delete:
			at += op.Len()
		case ot.Insert:
			var both []uint64
			if at > 0 && at < len(m) {
				for _, thread := range m[at-1] {
					if slices.Contains(m[at], thread) {
						both = append(both, thread)
					}
				}
			}
			for range op.Len() {
				out = append(out, both)
			}
		}
	}
	return append(out, m[at:]...)
}

// mark has a thread at a range.
func (m marked) mark(o anchor) {
	for i := o.from; i < o.to; i++ {
		m[i] = append(slices.Clone(m[i]), o.thread)
	}
}

// ranges are where the threads stand, by thread.
func (m marked) ranges() map[uint64]anchor {
	at := map[uint64]anchor{}
	for i, threads := range m {
		for _, thread := range threads {
			o, ok := at[thread]
			if !ok {
				o = anchor{thread, i, i}
			}
			o.to = i + 1
			at[thread] = o
		}
	}
	return at
}

// source is where random documents and edits come from, so that a case that fails becomes smaller.
type source struct{ t *rapid.T }

func (s source) IntN(n int) int { return rapid.IntRange(0, n-1).Draw(s.t, "n") }

// Anchors stand where marks on the characters themselves are, through edits, and through what is written down.
func TestAnchorsAreMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mix, s := ottest.All(), source{t}
		content, err := ot.NewDocument(mix.Document(s, 1+s.IntN(6)), ot.Unlimited(), ottest.Embeds())
		if err != nil {
			t.Fatal(err)
		}
		model := make(marked, content.Len())
		var a anchors
		for step := range 12 {
			if n := content.Len(); n > 0 && s.IntN(3) > 0 {
				from := s.IntN(n)
				o := anchor{uint64(step + 1), from, from + 1 + s.IntN(n-from)}
				model.mark(o)
				a.add(o)
			}
			edit := mix.Change(s, content.Delta(), s.IntN(6))
			if err := content.Apply(edit); err != nil {
				t.Fatal(err)
			}
			model = model.after(edit)
			a.follow(uint64(step), edit)
			if s.IntN(4) == 0 {
				if a, err = parseAnchors(a.at, a.text()); err != nil {
					t.Fatal(err)
				}
			}
			want := model.ranges()
			for thread := range uint64(step + 2) {
				o, ok := want[thread]
				switch got := a.of(thread); {
				case ok != (got != nil):
					t.Fatalf("thread %d: %v, the model says %v", thread, got, ok)
				case ok && *got != o:
					t.Fatalf("thread %d: %v, the model has %v", thread, *got, o)
				}
			}
		}
	})
}

// The sweep moves each place as TransformPosition does, in whatever order operations come.
func TestSweep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			n := rapid.IntRange(1, 4).Draw(t, "n")
			return rapid.SampledFrom([]string{fmt.Sprintf(`{"retain":%d}`, n), fmt.Sprintf(`{"delete":%d}`, n), fmt.Sprintf(`{"insert":%q}`, "xxxx"[:n])}).Draw(t, "op")
		}), 1, 8).Draw(t, "ops")
		edit, err := ot.Parse([]byte(`{"ops":[`+strings.Join(ops, ",")+"]}"), ot.Unlimited())
		if err != nil {
			t.Fatal(err)
		}
		priority := rapid.Bool().Draw(t, "priority")
		places := rapid.SliceOf(rapid.IntRange(0, 40)).Draw(t, "places")
		slices.Sort(places)
		var list []*anchor
		for _, p := range places {
			list = append(list, &anchor{from: p})
		}
		sweep(edit, priority, list, func(o *anchor) *int { return &o.from })
		for i, p := range places {
			if want := edit.TransformPosition(p, priority); list[i].from != want {
				t.Fatalf("%d over %v is %d, want %d", p, edit, list[i].from, want)
			}
		}
	})
}

// BenchmarkAnchors has somebody type before as many threads as there can be.
func BenchmarkAnchors(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var a anchors
	for i := range MaxThreads {
		from := 10 + r.IntN(100_000)
		a.add(anchor{uint64(i), from, from + 20})
	}
	edit, err := ot.Parse([]byte(at(5, "x")), ot.Unlimited())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		a.follow(0, edit)
	}
}
