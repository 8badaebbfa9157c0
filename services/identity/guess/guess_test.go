package guess

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func addresses(t *testing.T, size int) *Addresses {
	t.Helper()
	a, err := NewAddresses(Limit{Burst: 3, Interval: time.Minute}, size)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFailuresAloneCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := addresses(t, 8)
		for range 100 {
			if ok, _ := a.Take("192.0.2.1"); !ok {
				t.Fatal("successes were counted")
			}
			a.Return("192.0.2.1")
		}
		for i := range 3 {
			if ok, _ := a.Take("192.0.2.1"); !ok {
				t.Fatalf("failure %d was refused", i+1)
			}
		}
		ok, retry := a.Take("192.0.2.1")
		if ok || retry != time.Minute {
			t.Fatalf("the fourth: %v, retry %v", ok, retry)
		}
		if ok, _ := a.Take("192.0.2.2"); !ok {
			t.Error("another address was refused")
		}
		time.Sleep(retry)
		if ok, _ := a.Take("192.0.2.1"); !ok {
			t.Error("refused after retry_after")
		}
		if ok, _ := a.Take("192.0.2.1"); ok {
			t.Error("more than one for each interval")
		}
	})
}

func TestARaceDoesNotExceedTheLimit(t *testing.T) {
	a := addresses(t, 8)
	var (
		wg sync.WaitGroup
		n  atomic.Int32
	)
	for range 50 {
		wg.Go(func() {
			if ok, _ := a.Take("192.0.2.1"); ok {
				n.Add(1)
			}
		})
	}
	wg.Wait()
	if n.Load() != 3 {
		t.Errorf("%d attempts, want 3", n.Load())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	a := addresses(t, 8)
	for i := range 1000 {
		a.Take(fmt.Sprintf("192.0.2.%d", i))
	}
	if n := a.seen.Len(); n != 8 {
		t.Errorf("%d addresses kept", n)
	}
}

func TestBlock(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1:4711": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:80": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "pipe": "pipe",
	} {
		if got := Block(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// In any stretch of time no more than Burst + time/Interval failures happen, and retry is exact.
func TestLimitHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limit{Burst: rapid.IntRange(1, 10).Draw(t, "burst"), Interval: time.Duration(rapid.IntRange(1, 1000).Draw(t, "interval")) * time.Millisecond}
		start := time.Unix(1_700_000_000, 0)
		now, tat, allowed := start, time.Time{}, 0
		for range rapid.IntRange(1, 60).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "pause")) * time.Millisecond)
			next, ok, retry := l.Take(tat, now)
			if ok {
				allowed++
			} else if _, early, _ := l.Take(next, now.Add(retry-1)); early {
				t.Fatal("allowed before retry")
			} else if _, due, _ := l.Take(next, now.Add(retry)); !due {
				t.Fatal("refused after retry")
			}
			tat = next
		}
		if most := l.Burst + int(now.Sub(start)/l.Interval) + 1; allowed > most {
			t.Fatalf("%d failures in %v, at most %d", allowed, now.Sub(start), most)
		}
	})
}
