package pace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A start that blocks for a second delays nobody's due time: all that came due meanwhile follow at once.
func TestSlowStartsKeepTheirDueTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+time.Millisecond)
		defer cancel()
		begin := time.Now()
		var late time.Duration
		i := 0
		n, err := Load{PerSecond: 100}.Run(ctx, func(due time.Time) {
			i++
			if want := begin.Add(time.Duration(i) * 10 * time.Millisecond); !due.Equal(want) {
				t.Errorf("%d is due at %v, want %v", i, due.Sub(begin), want.Sub(begin))
			}
			late = max(late, time.Since(due))
			if i == 50 {
				time.Sleep(time.Second)
			}
		})
		if err != nil || n != 200 {
			t.Fatalf("%d starts: %v", n, err)
		}
		if want := 990 * time.Millisecond; late != want {
			t.Fatalf("the latest start was %v late, want %v", late, want)
		}
	})
}

// Poisson arrivals keep the rate on average, and come the same again with the same seed.
func TestPoisson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func() (n int, first time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
			defer cancel()
			begin := time.Now()
			n, err := Load{PerSecond: 100, Poisson: true, Seed: 7}.Run(ctx, func(due time.Time) {
				if first == 0 {
					first = due.Sub(begin)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			return n, first
		}
		n1, first1 := run()
		n2, first2 := run()
		if n1 < 9_600 || n1 > 10_400 || n1 != n2 || first1 != first2 {
			t.Fatalf("%d and %d arrivals, the first after %v and %v", n1, n2, first1, first2)
		}
	})
}
