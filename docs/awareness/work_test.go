package awareness_test

import (
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/docs/awareness"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// TestStyles is the rule of docs.proto's Style, and its edges.
func TestStyles(t *testing.T) {
	const leader, supporter, independent = docsv1.Style_STYLE_LEADER, docsv1.Style_STYLE_SUPPORTER, docsv1.Style_STYLE_INDEPENDENT
	for _, c := range []struct {
		what string
		all  []awareness.Work
		want []docsv1.Style
	}{
		{"nobody", nil, nil},
		{"one alone leads nobody", []awareness.Work{{Edits: 50}, {}}, []docsv1.Style{independent, independent}},
		{"40 of 100", []awareness.Work{{Edits: 40}, {Edits: 39}, {Edits: 21}}, []docsv1.Style{leader, independent, independent}},
		{"both half", []awareness.Work{{Edits: 1}, {Edits: 1}}, []docsv1.Style{leader, leader}},
		{"three helps, half of all", []awareness.Work{{Edits: 3, Helps: 3}, {Edits: 30}}, []docsv1.Style{supporter, leader}},
		{"three helps, less than half", []awareness.Work{{Edits: 3, Suggestions: 1, Helps: 3}, {Edits: 30}}, []docsv1.Style{independent, leader}},
		{"two helps", []awareness.Work{{Helps: 2}, {Edits: 30}}, []docsv1.Style{independent, independent}},
		{"who leads and helps leads", []awareness.Work{{Edits: 4, Helps: 20}, {Edits: 6}}, []docsv1.Style{leader, leader}},
	} {
		for i, got := range awareness.Styles(c.all) {
			if got != c.want[i] {
				t.Errorf("%s: %d is %v, want %v", c.what, i, got, c.want[i])
			}
		}
	}
}

func TestScore(t *testing.T) {
	for _, c := range []struct {
		active, ways, conflicts int
		balanced                bool
		want                    int
	}{
		{0, 0, 0, false, 0},
		{1, 1, 0, false, 25},
		{2, 2, 1, false, 40},
		{3, 5, 0, false, 85},
		{4, 5, 0, true, 100},
		{200, 5, 0, true, 100},
		{3, 1, 2, true, 60},
		{2, 0, 5, false, 0},
		{3, 5, 32, true, 0},
	} {
		if got := awareness.Score(c.active, c.ways, c.conflicts, c.balanced); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// A score is one of 0 to 100, and no less with more people, more ways, both of a pair, or fewer conflicts.
func TestScoreIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		active, ways, conflicts := rapid.IntRange(0, 1000).Draw(t, "active"), rapid.IntRange(0, 5).Draw(t, "ways"), rapid.IntRange(0, 500).Draw(t, "conflicts")
		balanced := rapid.Bool().Draw(t, "balanced")
		score := awareness.Score(active, ways, conflicts, balanced)
		if score < 0 || score > 100 {
			t.Fatal(score)
		}
		for _, better := range []int{
			awareness.Score(active+1, ways, conflicts, balanced), awareness.Score(active, ways+1, conflicts, balanced),
			awareness.Score(active, ways, conflicts, true), awareness.Score(active, ways, max(0, conflicts-1), balanced),
		} {
			if better < score {
				t.Fatalf("%d, and where it is better %d", score, better)
			}
		}
	})
}
