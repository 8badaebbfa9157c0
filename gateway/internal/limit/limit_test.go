package limit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Over any time, a bucket gives at most its burst and what it gained; and who waits as told, gets.
func TestBucketGivesNoMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate{PerSecond: rapid.Float64Range(0.1, 100).Draw(t, "rate"), Burst: rapid.Float64Range(1, 50).Draw(t, "burst")}
		start := time.Unix(1000, 0)
		now, given := start, 0.0
		var b Bucket
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			cost := rapid.Float64Range(0.1, 60).Draw(t, "cost")
			wait, ok := b.Take(r, cost, now)
			if !ok {
				if wait <= 0 {
					t.Fatal("refused without a wait")
				}
				now = now.Add(wait + time.Microsecond)
				if _, ok = b.Take(r, cost, now); !ok {
					t.Fatal("refused after the wait it named")
				}
			}
			given += min(cost, r.Burst)
			if limit := r.Burst + r.PerSecond*now.Sub(start).Seconds(); given > limit+1e-3 {
				t.Fatalf("gave %f of %f", given, limit)
			}
		}
	})
}

func TestTableKeepsKeysApartAndForgetsTheOldest(t *testing.T) {
	table, err := NewTable[string](2)
	if err != nil {
		t.Fatal(err)
	}
	now, r := time.Unix(1, 0), Rate{PerSecond: 1, Burst: 1}
	take := func(key string) bool { _, ok := table.Take(key, r, 1, now); return ok }
	if !take("a") || take("a") || !take("b") {
		t.Error("a and b have one token each")
	}
	if !take("c") || take("b") || !take("a") {
		t.Error("c should have displaced a alone")
	}
}
