package report

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the values are, an axis covers them, its ticks ascend inside it, and they are few.
func TestAxes(t *testing.T) {
	positive := func(t *rapid.T, label string) float64 {
		return math.Pow(10, rapid.Float64Range(-2, 11).Draw(t, label))
	}
	check := func(t *rapid.T, a axis, values ...float64) {
		for _, v := range values {
			if v < a.least*(1-1e-9) || v > a.most*(1+1e-9) {
				t.Fatalf("%v lies outside %v to %v", v, a.least, a.most)
			}
		}
		if len(a.ticks) < 2 || len(a.ticks) > 16 {
			t.Fatalf("%d ticks: %v", len(a.ticks), a.ticks)
		}
		for i, tick := range a.ticks {
			if tick.At < min(a.from, a.to) || tick.At > max(a.from, a.to) {
				t.Fatalf("a tick at %v", tick.At)
			}
			if i > 0 && (tick.At-a.ticks[i-1].At)*(a.to-a.from) <= 0 || i > 0 && tick.Label == a.ticks[i-1].Label {
				t.Fatalf("ticks don't ascend: %v", a.ticks)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v, w := positive(t, "v"), positive(t, "w")
		check(t, linear(v, floorEdge, topEdge, number), v, 0)
		if a := linear(v, floorEdge, topEdge, plain); a.most > 1.5*v {
			t.Fatalf("%v leaves most of its axis to %v empty", v, a.most)
		}
		check(t, logarithmic(min(v, w), max(v, w), leftEdge, rightEdge, plain), v, w)
		end := rapid.Float64Range(0, 90_000).Draw(t, "s")
		a, unit := clock(end, leftEdge, rightEdge)
		check(t, a, end)
		if unit == "" {
			t.Fatal("no unit")
		}
	})
}

func TestPlaces(t *testing.T) {
	a := linear(100, 200, 0, plain)
	for v, want := range map[float64]float64{0: 200, 25: 150, 100: 0, -5: 200, 1000: 0} {
		if got := a.at(v); got != want {
			t.Errorf("%v is at %v, want %v", v, got, want)
		}
	}
	l := logarithmic(1, 100, 0, 200, plain)
	for v, want := range map[float64]float64{1: 0, 10: 100, 100: 200, 0: 0} {
		if got := l.at(v); got != want {
			t.Errorf("%v is at %v, want %v", v, got, want)
		}
	}
	if got := (axis{}).at(5); got != 0 {
		t.Errorf("%v", got)
	}
	if a, _ := clock(0, 0, 1); a.most <= 0 {
		t.Errorf("%+v", a)
	}
	if a := linear(0, 200, 0, plain); a.at(0) != 200 || len(a.ticks) < 2 {
		t.Errorf("%+v", a)
	}
}

func TestTexts(t *testing.T) {
	for _, c := range [][2]string{
		{latency(1), "1 µs"}, {latency(999), "999 µs"}, {latency(1500), "1.5 ms"}, {latency(120e6), "120 s"}, {latency(0), "0 µs"},
		{number(950), "950"}, {number(20_000), "20 k"}, {number(1.5e6), "1.5 M"}, {number(2e9), "2 G"}, {number(0), "0"},
		{grouped(int64(7)), "7"}, {grouped(int64(123)), "123"}, {grouped(uint64(1234567)), "1\u202f234\u202f567"},
		{mebibytes(100), "100 MiB"}, {seconds(12.34), "12.3s"}, {flagName("AllowRemote"), "allow-remote"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
}
