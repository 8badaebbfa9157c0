// Package meter gathers latencies and counts of many goroutines, by the second and for the whole run.
package meter

import (
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// Latencies are kept from 1 us to 2 minutes with three digits; what is longer counts as 2 minutes.
	lowest, highest, digits = 1, int64(2 * time.Minute / time.Microsecond), 3
	shards                  = 8
)

// Latency is a histogram that many goroutines fill.
type Latency struct {
	shards [shards]struct {
		mu  sync.Mutex // guards now
		now *hdrhistogram.Histogram
		_   [40]byte // keeps neighbours off one cache line
	}
	mu    sync.Mutex              // guards total; never taken while a shard's is held
	total *hdrhistogram.Histogram // since Reset
}

// NewLatency returns an empty histogram.
func NewLatency() *Latency {
	l := &Latency{total: newHistogram()}
	for i := range l.shards {
		l.shards[i].now = newHistogram()
	}
	return l
}

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, digits) }

// Record notes one latency; hint spreads the callers, for instance a connection's number.
func (l *Latency) Record(hint int, d time.Duration) {
	us := min(max(d.Microseconds(), lowest), highest)
	s := &l.shards[hint%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.now.RecordValue(us) // is within the bounds
}

// Second returns what was recorded since the last call, and adds it to the total.
func (l *Latency) Second() *hdrhistogram.Histogram {
	second := newHistogram()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		second.Merge(s.now)
		s.now.Reset()
		s.mu.Unlock()
	}
	l.total.Merge(second)
	return second
}

// Reset forgets all: the warm-up is over.
func (l *Latency) Reset() {
	l.Second()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total.Reset()
}

// Total returns a copy of everything since Reset, for Merge and Summarise.
func (l *Latency) Total() *hdrhistogram.Histogram {
	l.Second()
	l.mu.Lock()
	defer l.mu.Unlock()
	total := newHistogram()
	total.Merge(l.total)
	return total
}

// Summary is what people read of a histogram.
type Summary struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_us"`
	P50   int64   `json:"p50_us"`
	P90   int64   `json:"p90_us"`
	P99   int64   `json:"p99_us"`
	P999  int64   `json:"p99_9_us"`
	Max   int64   `json:"max_us"`
}

// Summarise reads the usual quantiles.
func Summarise(h *hdrhistogram.Histogram) Summary {
	return Summary{
		Count: h.TotalCount(), Mean: h.Mean(), P50: h.ValueAtQuantile(50), P90: h.ValueAtQuantile(90), P99: h.ValueAtQuantile(99),
		P999: h.ValueAtQuantile(99.9), Max: h.Max(),
	}
}

// Encode writes a histogram for another process.
func Encode(h *hdrhistogram.Histogram) ([]byte, error) {
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode a histogram: %w", err)
	}
	return b, nil
}

// Decode reads what Encode wrote.
func Decode(b []byte) (*hdrhistogram.Histogram, error) {
	h, err := hdrhistogram.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("decode a histogram: %w", err)
	}
	return h, nil
}
