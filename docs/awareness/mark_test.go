package awareness

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
)

func TestSpansOfAnEdit(t *testing.T) {
	for delta, want := range map[string]string{
		`{"ops":[{"insert":"ab"}]}`:                                                                  "[{0 2}]",
		`{"ops":[{"retain":5},{"delete":3}]}`:                                                        "[{5 5}]",
		`{"ops":[{"retain":5},{"insert":"ab"},{"delete":3}]}`:                                        "[{5 7}]",
		`{"ops":[{"retain":5},{"retain":3,"attributes":{"bold":true}},{"retain":2},{"insert":"x"}]}`: "[{5 8} {10 11}]",
		`{"ops":[{"insert":{"image":"x"}},{"retain":9},{"delete":4},{"retain":1},{"insert":"é"}]}`:   "[{0 1} {10 10} {11 12}]",
		`{"ops":[{"insert":"1"},{"retain":9},{"insert":"2"},{"retain":2},{"insert":"3"},{"retain":8},{"insert":"4"},{"retain":7},{"insert":"5"},{"retain":3},{"insert":"6"}]}`: "[{0 1} {10 14} {22 23} {30 35}]",
	} {
		edit, err := ot.Parse([]byte(delta), ot.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(spansOf(edit)); got != want {
			t.Errorf("%s: %s, want %s", delta, got, want)
		}
	}
}

// Whatever is compacted is covered by few spans that ascend and don't meet, and nothing is covered that lies outside of all.
func TestCompact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.SliceOf(rapid.Custom(func(t *rapid.T) span {
			from := rapid.IntRange(0, 200).Draw(t, "from")
			return span{from, from + rapid.IntRange(0, 20).Draw(t, "length")}
		})).Draw(t, "spans")
		got := compact(slices.Clone(given))
		if len(got) > maxSpans || len(given) > 0 && len(got) == 0 {
			t.Fatalf("%v of %v", got, given)
		}
		for i, s := range got {
			if i > 0 && s.from <= got[i-1].to || s.from > s.to {
				t.Fatalf("%v", got)
			}
			if !slices.ContainsFunc(given, func(g span) bool { return g.from == s.from }) || !slices.ContainsFunc(given, func(g span) bool { return g.to == s.to }) {
				t.Fatalf("%v goes beyond %v", got, given)
			}
		}
		for _, g := range given {
			if !slices.ContainsFunc(got, func(s span) bool { return s.from <= g.from && g.to <= s.to }) {
				t.Fatalf("%v has not all of %v", got, given)
			}
		}
	})
}

// What others insert at the edges of what somebody has edited isn't theirs; what they insert within is between.
func TestMarksFollowEdits(t *testing.T) {
	for _, c := range []struct {
		mark span
		at   int
		want span
	}{
		{span{5, 10}, 5, span{6, 11}},
		{span{5, 10}, 10, span{5, 10}},
		{span{5, 10}, 7, span{5, 11}},
		{span{5, 10}, 0, span{6, 11}},
		{span{5, 10}, 11, span{5, 10}},
		{span{5, 5}, 5, span{5, 5}},
		{span{5, 5}, 4, span{6, 6}},
	} {
		edit, err := new(ot.Builder).Retain(c.at, nil).Insert("x", nil).Delta()
		if err != nil {
			t.Fatal(err)
		}
		m := marks{{spans: []span{c.mark}}}
		if m.follow(edit); m[0].spans[0] != c.want {
			t.Errorf("%v, and an insert at %d: %v, want %v", c.mark, c.at, m[0].spans[0], c.want)
		}
	}
	gone, err := new(ot.Builder).Retain(2, nil).Delete(20).Delta()
	if err != nil {
		t.Fatal(err)
	}
	m := marks{{spans: []span{{5, 10}}}}
	if m.follow(gone); m[0].spans[0] != (span{2, 2}) {
		t.Errorf("what was deleted is at %v", m[0].spans[0])
	}
}

// A mark is of one stretch; the newest few are kept, and for a while.
func TestMarksAreOfStretches(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	var m marks
	for i := range 60 {
		now := begin.Add(time.Duration(i) * time.Second)
		m = m.push(mark{spans: []span{{i, i + 1}}, first: now, last: now})
	}
	if len(m) != maxMarks || fmt.Sprint(m[3].spans) != "[{50 60}]" || m[3].last != begin.Add(59*time.Second) || m[0].first != begin.Add(20*time.Second) {
		t.Errorf("%v", m)
	}
	if got := m.since(begin.Add(39 * time.Second)); len(got) != 2 {
		t.Errorf("%d of them are younger than that", len(got))
	}
	if got := m.since(begin.Add(time.Minute)); len(got) != 0 {
		t.Errorf("%d of them are of the future", len(got))
	}
}
