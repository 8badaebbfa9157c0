package run

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/proc"
)

func sample(took time.Duration, n uint64) slot {
	return slot{
		Took: took, Connected: int(n), Offered: n, Answered: n, Events: 2 * n, Load: float64(n),
		Latency: map[string]meter.Bars{"ack": {{To: 10, Count: int64(n)}}},
		Usage:   []proc.Usage{{CPU: time.Duration(n) * time.Millisecond, Resident: int64(n)}, {CPU: time.Millisecond, Resident: 1}},
	}
}

// sumOf adds up what a series holds.
func sumOf(s *series) (sum slot) {
	sum.Usage = make([]proc.Usage, 2)
	for _, x := range s.Slots {
		sum.Took += x.Took
		sum.Offered += x.Offered
		sum.Answered += x.Answered
		sum.Events += x.Events
		for i, u := range x.Usage {
			sum.Usage[i].CPU += u.CPU
			sum.Usage[i].Resident = max(sum.Usage[i].Resident, u.Resident)
		}
		sum.Load = max(sum.Load, x.Load)
		if x.Took > 0 {
			sum.Connected = x.Connected
		}
	}
	return sum
}

// However long a run is, its series stays bounded and loses nothing.
func TestSeriesIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, want := newSeries(), slot{Usage: make([]proc.Usage, 2)}
		var at time.Duration
		var counted int64
		for range rapid.IntRange(1, 2000).Draw(t, "ticks") {
			took := time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond
			n := uint64(rapid.IntRange(0, 50).Draw(t, "n"))
			at += took
			x := sample(took, n)
			s.add(at, x)
			want.Took += took
			want.Offered += n
			want.Answered += n
			want.Events += 2 * n
			want.Load = max(want.Load, float64(n))
			want.Connected = int(n)
			for i, u := range x.Usage {
				want.Usage[i].CPU += u.CPU
				want.Usage[i].Resident = max(want.Usage[i].Resident, u.Resident)
			}
			counted += int64(n)
		}
		got := sumOf(s)
		if got.Took != want.Took || got.Offered != want.Offered || got.Answered != want.Answered || got.Events != want.Events ||
			got.Load != want.Load || got.Connected != want.Connected || got.Usage[0] != want.Usage[0] || got.Usage[1] != want.Usage[1] {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if len(s.Slots) > intervalsMost || at-1500*time.Millisecond > time.Duration(len(s.Slots))*s.Width {
			t.Fatalf("%d slots of %v for %v", len(s.Slots), s.Width, at)
		}
		last := -1.0
		for _, v := range s.intervals() {
			counted -= v.Latency["ack"].Count
			if v.At <= last || v.At > at.Seconds() {
				t.Fatalf("an interval at %v after %v", v.At, last)
			}
			last = v.At
		}
		if counted != 0 {
			t.Fatalf("%d latencies are missing", counted)
		}
	})
}

// Rates are those of the time that was watched, and late ticks stay in their intervals.
func TestIntervals(t *testing.T) {
	s := newSeries()
	s.add(1100*time.Millisecond, sample(time.Second, 100))
	s.add(2*time.Second, sample(900*time.Millisecond, 90))
	s.add(5*time.Second, sample(2*time.Second, 50))
	got := s.intervals()
	if len(got) != 3 || got[0].At != 0 || got[1].At != 1 || got[2].At != 4 {
		t.Fatalf("%+v", got)
	}
	if got[0].Offered != 100 || got[1].Offered != 100 || got[2].Offered != 25 || got[2].Answered != 25 || got[2].Events != 50 {
		t.Errorf("%+v", got)
	}
	if p := got[1].Processes; len(p) != 2 || p[0].Cores < 0.0999 || p[0].Cores > 0.1001 || p[0].Resident != 90 {
		t.Errorf("%+v", p)
	}
	if got := newSeries().intervals(); len(got) != 0 {
		t.Errorf("%+v of nothing", got)
	}
}

// Processes that saw the same time add up, whatever the width of their intervals; only one of them watches the server.
func TestJoin(t *testing.T) {
	long, short := newSeries(), newSeries()
	for i := range 2 * intervalsMost {
		long.add(time.Duration(i+1)*time.Second, sample(time.Second, 1))
	}
	for i := range 10 {
		x := sample(time.Second, 5)
		x.Usage = nil
		short.add(time.Duration(i+1)*time.Second, x)
	}
	if long.Width != 2*time.Second || short.Width != time.Second {
		t.Fatal(long.Width, short.Width)
	}
	sum := newSeries()
	sum.join(short)
	sum.join(long)
	if sum.Width != 2*time.Second || len(sum.Slots) != intervalsMost {
		t.Fatalf("%d slots of %v", len(sum.Slots), sum.Width)
	}
	got := sum.intervals()
	if got[0].Offered != 6 || got[0].Connected != 6 || got[4].Offered != 6 || got[5].Offered != 1 || len(got[0].Processes) != 2 {
		t.Fatalf("%+v", got[:6])
	}
}
