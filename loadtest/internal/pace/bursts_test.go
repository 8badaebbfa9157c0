package pace

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// strokes are when each person's were due, in a bubble's time.
func strokes(t *testing.T, b Bursts, long time.Duration) (all [][]time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	begin := time.Now()
	all = make([][]time.Duration, b.People)
	last := begin
	n, err := b.Run(ctx, func(person int, due time.Time) {
		if due.Before(last) || time.Now().Before(due) {
			t.Fatalf("due at %v, behind %v, started at %v", due, last, time.Now())
		}
		last = due
		all[person] = append(all[person], due.Sub(begin))
	})
	if err != nil || n != len(slices.Concat(all...)) {
		t.Fatal(n, err)
	}
	return all
}

// between counts the strokes of a part of the time.
func between(all [][]time.Duration, from, to time.Duration) (n int) {
	for _, of := range all {
		for _, at := range of {
			if at >= from && at < to {
				n++
			}
		}
	}
	return n
}

// The rate is that of each, from the first second on, however people type; and the same seed is the same load.
func TestBursts(t *testing.T) {
	for name, b := range map[string]Bursts{
		"each by itself": {People: 1000, PerSecond: 0.5, Length: 1, Seed: 1},
		"in rows":        {People: 1000, PerSecond: 0.5, Length: 20, Pace: 5, Seed: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const long = 100 * time.Second
				all := strokes(t, b, long)
				for from := time.Duration(0); from < long; from += long / 5 {
					if got, want := float64(between(all, from, from+long/5)), 20*0.5*1000; math.Abs(got/want-1) > 0.1 {
						t.Errorf("%v from %v on, want %v", got, from, want)
					}
				}
				again := strokes(t, b, time.Second)
				for i := range again {
					if len(again[i]) > len(all[i]) || !slices.Equal(again[i], all[i][:len(again[i])]) {
						t.Fatalf("person %d types otherwise the second time", i)
					}
				}
			})
		})
	}
}

// In a row strokes follow each other at the pace, and rows are as long as was asked for.
func TestRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := strokes(t, Bursts{People: 50, PerSecond: 0.1, Length: 20, Pace: 5, Seed: 3}, 2000*time.Second)
		rows, gaps, sum := 0, 0, time.Duration(0)
		for _, of := range all {
			rows++
			for i := 1; i < len(of); i++ {
				if gap := of[i] - of[i-1]; gap <= 300*time.Millisecond {
					gaps, sum = gaps+1, sum+gap
				} else {
					rows++
				}
			}
		}
		if mean := float64(gaps)/float64(rows) + 1; math.Abs(mean-20) > 2 {
			t.Errorf("rows of %v", mean)
		}
		if mean := sum / time.Duration(gaps); mean < 190*time.Millisecond || mean > 210*time.Millisecond {
			t.Errorf("%v between strokes", mean)
		}
	})
}

// A rate that rises does so evenly, and stays where it is to end.
func TestRise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := strokes(t, Bursts{People: 200, PerSecond: 1, To: 5, Over: 100 * time.Second, Length: 1, Seed: 4}, 150*time.Second)
		for second, want := range map[int]float64{10: 1.4, 50: 3, 90: 4.6, 130: 5} {
			at := time.Duration(second) * time.Second
			if got := float64(between(all, at-5*time.Second, at+5*time.Second)) / 10 / 200; math.Abs(got/want-1) > 0.1 {
				t.Errorf("%v at %d s, want %v", got, second, want)
			}
		}
	})
}

// What was late is started at once, with its old time.
func TestLateStrokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n, late := 0, time.Duration(0)
		_, err := Bursts{People: 10, PerSecond: 10, Length: 1}.Run(ctx, func(_ int, due time.Time) {
			if n++; n == 50 {
				time.Sleep(5 * time.Second)
			}
			late = max(late, time.Since(due))
		})
		if err != nil || n < 900 || late < 4*time.Second {
			t.Errorf("%d strokes, the latest by %v: %v", n, late, err)
		}
	})
}

func TestBadBursts(t *testing.T) {
	for name, b := range map[string]Bursts{
		"nobody":             {PerSecond: 1, Length: 1},
		"no rate":            {People: 1, Length: 1},
		"no rate at all":     {People: 1, PerSecond: math.NaN(), Length: 1},
		"no row":             {People: 1, PerSecond: 1},
		"no pace":            {People: 1, PerSecond: 1, Length: 2},
		"slow rows":          {People: 1, PerSecond: 1, Length: 2, Pace: 1},
		"slow in the end":    {People: 1, PerSecond: 1, To: 6, Over: time.Second, Length: 2, Pace: 5},
		"rises over nothing": {People: 1, PerSecond: 1, To: 6, Length: 1},
	} {
		if _, err := b.Run(t.Context(), nil); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}
