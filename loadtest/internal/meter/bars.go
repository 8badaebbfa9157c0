package meter

import (
	"cmp"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bar is how often a latency was recorded; To is its upper bound in microseconds.
type Bar struct {
	To    int64 `json:"to_us"`
	Count int64 `json:"count"`
}

// Bars are a histogram's bars that are not empty, ascending: small enough to keep some for each second of a run.
type Bars []Bar

// BarsOf takes the bars out of a histogram.
func BarsOf(h *hdrhistogram.Histogram) Bars {
	var out Bars
	for _, b := range h.Distribution() {
		if b.Count > 0 {
			out = append(out, Bar{b.To, b.Count})
		}
	}
	return out
}

// Coarse are the bars of a histogram with two digits, of which there are at most 2,700 however much is merged.
func Coarse(h *hdrhistogram.Histogram) Bars {
	coarse := hdrhistogram.New(lowest, highest, 2)
	coarse.Merge(h)
	return BarsOf(coarse)
}

// Merge adds up two.
func (b Bars) Merge(o Bars) Bars {
	if len(o) == 0 {
		return b
	}
	all := slices.Concat(b, o)
	slices.SortFunc(all, func(x, y Bar) int { return cmp.Compare(x.To, y.To) })
	out := all[:0]
	for _, bar := range all {
		if n := len(out); n > 0 && out[n-1].To == bar.To {
			out[n-1].Count += bar.Count
		} else {
			out = append(out, bar)
		}
	}
	return slices.Clip(out)
}

// Summary reads the usual quantiles, as exact as the bars are.
func (b Bars) Summary() Summary {
	var s Summary
	sum := 0.0
	for _, bar := range b {
		s.Count += bar.Count
		sum += float64(bar.To) * float64(bar.Count)
	}
	if s.Count == 0 {
		return s
	}
	s.Mean, s.Max = sum/float64(s.Count), b[len(b)-1].To
	s.P50, s.P90, s.P99, s.P999 = b.quantile(s.Count, 50), b.quantile(s.Count, 90), b.quantile(s.Count, 99), b.quantile(s.Count, 99.9)
	return s
}

// quantile is the latency that percent of count do not exceed, by the nearest rank as hdrhistogram does.
func (b Bars) quantile(count int64, percent float64) int64 {
	need := max(1, int64(percent/100*float64(count)+0.5))
	for _, bar := range b {
		if need -= bar.Count; need <= 0 {
			return bar.To
		}
	}
	return 0
}
