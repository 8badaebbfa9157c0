package report

import (
	"fmt"
	"math"

	"plenum.internal/loadtest/internal/run"
)

const barsPerDecade = 20

// histogram draws how often each latency was seen. Both axes are logarithmic: what matters is rare.
func histogram(l run.Latency) plot {
	p := plot{Title: "How " + title(l.Name) + " was distributed", XTitle: "latency (logarithmic)", YTitle: "count (logarithmic)"}
	counts := map[int]int64{}
	first, last := math.MaxInt, math.MinInt
	most := int64(0)
	for _, b := range l.Bars {
		i := int(math.Floor(math.Log10(float64(max(b.To, 1))) * barsPerDecade))
		counts[i] += b.Count
		first, last, most = min(first, i), max(last, i), max(most, counts[i])
	}
	if len(counts) == 0 {
		return p
	}
	x := logarithmic(bound(first), bound(last+1), leftEdge, rightEdge, latency)
	y := logarithmic(1, max(float64(most), 10), floorEdge, topEdge, number)
	p.X, p.Y = x.ticks, y.ticks
	for i := first; i <= last; i++ {
		if counts[i] == 0 {
			continue
		}
		// A bar of one has some height too.
		from, to, height := x.at(bound(i)), x.at(bound(i+1)), y.at(float64(counts[i]))
		height = min(height, floorEdge-3)
		p.Bars = append(p.Bars, box{from, height, round(max(to-from-0.5, 0.5)), round(floorEdge - height),
			fmt.Sprintf("%s to %s: %s", latency(bound(i)), latency(bound(i+1)), grouped(counts[i]))})
	}
	for i, q := range []struct {
		name  string
		value int64
	}{{"p50", l.P50}, {"p99", l.P99}, {"p99.9", l.P999}} {
		p.Marks = append(p.Marks, newMark(i, x.at(float64(q.value)), q.name+" "+latency(float64(q.value))))
	}
	return p
}

// bound is where bar i begins.
func bound(i int) float64 { return math.Pow(10, float64(i)/barsPerDecade) }
