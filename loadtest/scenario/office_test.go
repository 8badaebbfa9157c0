package scenario

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Each person is a member of as many channels of each size as was asked for, once in each, no channel is larger, and each has its own name.
func TestChannelPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		users := rapid.IntRange(1, 300).Draw(t, "users")
		kinds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) kind {
			return kind{rapid.IntRange(1, 400).Draw(t, "size"), rapid.IntRange(1, 4).Draw(t, "each")}
		}), 1, 4).Draw(t, "kinds")
		plan := channelPlan(kinds, users, "tag")
		names := map[string]bool{}
		memberships := make([]int, users)
		largest := slices.MaxFunc(kinds, func(a, b kind) int { return a.size - b.size }).size
		for _, c := range plan {
			names[c.Name] = true
			if len(c.Members) == 0 || len(c.Members) > largest || len(slices.Compact(slices.Sorted(slices.Values(c.Members)))) != len(c.Members) {
				t.Fatalf("%s has %v", c.Name, c.Members)
			}
			for _, u := range c.Members {
				memberships[u]++
			}
		}
		want := 0
		for _, k := range kinds {
			want += k.each
		}
		for u, n := range memberships {
			if n != want {
				t.Fatalf("person %d is a member of %d channels, not %d", u, n, want)
			}
		}
		if len(names) != len(plan) {
			t.Fatalf("%d channels have %d names", len(plan), len(names))
		}
	})
}

func TestParseSizes(t *testing.T) {
	if got, err := parseSizes([]string{"100:1", "2:3"}); err != nil || !slices.Equal(got, []kind{{100, 1}, {2, 3}}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, sizes := range [][]string{nil, {""}, {"10"}, {"10:"}, {"0:1"}, {"10:0"}, {"50001:1"}, {"10:5001"}, {"a:b"}, {"2:2:2"}} {
		if got, err := parseSizes(sizes); err == nil || !strings.Contains(err.Error(), "--sizes") {
			t.Errorf("%q: %v, %v", sizes, got, err)
		}
	}
}

// The shares are of all actions.
func TestShares(t *testing.T) {
	for _, c := range []struct {
		office Office
		ok     bool
	}{
		{Office{Sends: 0.55, Edits: 0.03, Reacts: 0.12, Reads: 0.2, Types: 0.1}, true},
		{Office{Sends: 1}, true},
		{Office{}, true},
		{Office{Sends: 0.6, Edits: 0.03, Reacts: 0.12, Reads: 0.2, Types: 0.1}, false},
		{Office{Sends: 1.1, Edits: -0.1}, false},
		{Office{Types: math.NaN()}, false},
	} {
		if err := c.office.checkShares(); (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "--sends") {
			t.Errorf("%+v: %v", c.office, err)
		}
	}
}

// A connection has one channel of each size open before it has two of one, and does most in the small ones.
func TestSit(t *testing.T) {
	all := []seat{{id: "all", size: 400}, {id: "department", size: 100}, {id: "team 1", size: 10}, {id: "team 2", size: 10}, {id: "pair 1", size: 2}, {id: "pair 2", size: 2}}
	names := func(seats []seat) (names []string) {
		for _, s := range seats {
			names = append(names, s.id)
		}
		return names
	}
	if got := names(sit(all, 4)); !slices.Equal(got, []string{"pair 2", "team 2", "department", "all"}) {
		t.Error(got)
	}
	if got := names(sit(all, 5)); !slices.Equal(got, []string{"pair 2", "team 2", "department", "all", "pair 1"}) {
		t.Error(got)
	}
	got := sit(all, 100)
	sum := 0.0
	for _, s := range got {
		sum += s.weight
	}
	if len(got) != len(all) || math.Abs(sum-1) > 1e-9 || got[0].weight <= got[1].weight {
		t.Errorf("%+v", got)
	}
}
