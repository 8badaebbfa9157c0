package ot_test

import (
	"slices"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
)

// Lines are those of the text, wherever the places are: within surrogate pairs, beyond the end, and in documents of many leaves.
func TestLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b ot.Builder
		var units []uint16
		for range rapid.IntRange(0, 12).Draw(t, "parts") {
			if rapid.IntRange(0, 4).Draw(t, "embed") == 0 {
				e, err := ot.NewEmbed("image", ot.Text("\n"))
				if err != nil {
					t.Fatal(err)
				}
				b.InsertEmbed(e, nil)
				units = append(units, 0)
				continue
			}
			text := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n\né😀")), 1, 400, -1).Draw(t, "text")
			b.Insert(text, nil)
			units = append(units, utf16.Encode([]rune(text))...)
		}
		delta, err := b.Delta()
		if err != nil {
			t.Fatal(err)
		}
		doc, err := ot.NewDocument(delta, ot.DefaultLimits(), nil)
		if err != nil {
			t.Fatal(err)
		}
		places := rapid.SliceOf(rapid.IntRange(0, len(units)+3)).Draw(t, "places")
		slices.Sort(places)
		for i, got := range doc.Lines(places) {
			want := 0
			for _, u := range units[:min(places[i], len(units))] {
				if u == '\n' {
					want++
				}
			}
			if got != want {
				t.Fatalf("place %d stands in line %d, not %d", places[i], got, want)
			}
		}
	})
}

func BenchmarkLines(b *testing.B) {
	var d ot.Builder
	for range 20_000 {
		d.Insert("A line of a document that is as long as one may be, about as wide as lines are on a screen that is wide, or a little less.\n", nil)
	}
	delta, err := d.Delta()
	if err != nil {
		b.Fatal(err)
	}
	doc, err := ot.NewDocument(delta, ot.Unlimited(), nil)
	if err != nil {
		b.Fatal(err)
	}
	places := make([]int, 400)
	for i := range places {
		places[i] = i * doc.Len() / len(places)
	}
	for b.Loop() {
		doc.Lines(places)
	}
}
