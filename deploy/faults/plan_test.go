package faults

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var processes = []string{"nats-1", "nats-2", "nats-3", "etcd-1", "etcd-2", "etcd-3", "postgres", "identity-1", "identity-2", "chat-1", "chat-2", "docs-1", "docs-2", "presence-1", "presence-2", "gateway-1", "gateway-2", "gateway-3"}

// TestAPlanKeepsItsRules: whatever the seed, nothing fails after the end, nor in two ways at a time that exclude each other.
func TestAPlanKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed, length := rapid.Uint64().Draw(r, "seed"), time.Duration(rapid.IntRange(3, 3600).Draw(r, "seconds"))*time.Second
		able := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.SampledFrom(kinds), 0, len(kinds)).Draw(r, "kinds"))))
		plan := Plan(seed, length, processes, able)
		if !reflect.DeepEqual(plan, Plan(seed, length, processes, able)) {
			r.Fatal("the same seed made another plan")
		}
		for i, s := range plan {
			if s.At < warmUp || s.At+s.For > length || s.For <= 0 {
				r.Fatalf("%v at %v, of %v", s, s.At, length)
			}
			if !slices.Contains(able, s.Kind) {
				r.Fatalf("%v can't be done here", s)
			}
			for _, target := range s.Targets {
				if target != Clients && !slices.Contains(processes, target) {
					r.Fatalf("%v: no such process", s)
				}
			}
			for _, o := range plan[:i] {
				if (o.excludes(s) || o.Kind.hitsOwner()) && s.At < o.At+o.For {
					r.Fatalf("%v at %v, while %v at %v", s, s.At, o, o.At)
				}
				if s.Kind.hitsOwner() && s.At < o.At+o.For+alone {
					r.Fatalf("%v at %v, too soon after %v at %v", s, s.At, o, o.At)
				}
			}
			if s.Kind.hitsOwner() && !isOwner(s.Targets[0]) {
				r.Fatalf("%v: it owns no documents", s)
			}
			if i > 0 && s.At < plan[i-1].At {
				r.Fatalf("%v comes before %v", s, plan[i-1])
			}
		}
		if length >= long { // these come out of turn, too
			isStop := func(s Step) bool { return s.Kind == OwnerStop }
			if stops := len(plan) - len(slices.DeleteFunc(slices.Clone(plan), isStop)); slices.Contains(able, OwnerStop) && stops < ownerStops {
				r.Fatalf("a long schedule has %d owners stopped", stops)
			}
			plan = slices.DeleteFunc(plan, isStop)
			able = slices.DeleteFunc(able, func(k Kind) bool { return k == OwnerStop })
		}
		for i := 0; i+len(able) <= len(plan) && len(able) > 0; i += len(able) {
			round := map[Kind]bool{}
			for _, s := range plan[i : i+len(able)] {
				round[s.Kind] = true
			}
			if len(round) != len(able) {
				r.Fatalf("the round from step %d on has %d of %d kinds", i, len(round), len(able))
			}
		}
	})
}

func TestAStopOutlastsEveryLease(t *testing.T) {
	for _, s := range Plan(1, time.Hour, processes, []Kind{Stop, Freeze, OwnerStop}) {
		lease := leaseTime
		if s.Kind == OwnerStop {
			lease = docsLease
		}
		if s.For <= lease {
			t.Errorf("%v: shorter than a lease of %v", s, lease)
		}
	}
}

// TestOwnersAloneAreStoppedFiftyTimesInTwelveMinutes, whatever the seed: CONTRIBUTING.md says so.
func TestOwnersAloneAreStoppedFiftyTimesInTwelveMinutes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		if plan := Plan(rapid.Uint64().Draw(r, "seed"), 12*time.Minute, processes, []Kind{OwnerStop}); len(plan) < ownerStops {
			r.Fatalf("%d times", len(plan))
		}
	})
}

// TestEachKindHasATurnInAMinuteAndAHalf: so long is the schedule of every change (.ci/run).
func TestEachKindHasATurnInAMinuteAndAHalf(t *testing.T) {
	whole := 0
	for seed := range uint64(100) {
		hit := map[Kind]bool{}
		for _, s := range Plan(seed, 90*time.Second, processes, kinds) {
			hit[s.Kind] = true
		}
		if len(hit) < len(kinds)-3 {
			t.Errorf("seed %d has %d of %d kinds", seed, len(hit), len(kinds))
		}
		if len(hit) == len(kinds) {
			whole++
		}
	}
	t.Logf("%d of 100 seeds have all kinds", whole)
}

func TestOnlyWhatIsWantedAndPossible(t *testing.T) {
	if got := only(kinds, []Kind{Disk, Kill}); !slices.Equal(got, []Kind{Kill, Disk}) {
		t.Errorf("%v", got)
	}
	if !valid(Skew) {
		t.Error("what can be done was changed by choosing among it")
	}
	if got := only([]Kind{Kill}, nil); !slices.Equal(got, []Kind{Kill}) {
		t.Errorf("%v", got)
	}
}

func TestOnlyDefectsOfGoAreCrashes(t *testing.T) {
	for log, want := range map[string]bool{
		"time=… level=ERROR msg=\"panic: no\"\n":            false,
		"serving\npanic: runtime error\n\ngoroutine 1\n":    true,
		"fatal error: all goroutines are asleep\n":          true,
		"==================\nWARNING: DATA RACE\nRead at\n": true,
		"": false,
	} {
		if got := panicked([]byte(log)); got != want {
			t.Errorf("%q: %t", log, got)
		}
	}
}

func TestWrongInputIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{{"--for", "1s"}, {"--for", "2h"}, {"--only", "flood"}, {"explode"}, {"--people", "1"}, {"--documents", "0"}, {"--comers", "0"}, {"--nothing"}} {
		var out, errs strings.Builder
		if code := Command(t.Context(), args, &out, &errs); code != 1 || errs.Len() == 0 {
			t.Errorf("%v: exit code %d, %q", args, code, errs.String())
		}
	}
}
