package meter

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"
)

// Nothing that is recorded while seconds are read is lost or counted twice.
func TestRecordWhileRead(t *testing.T) {
	const each, writers = 2000, 8
	l := NewLatency()
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				l.Record(w, time.Duration(i+1)*time.Microsecond)
			}
		})
	}
	stop := make(chan struct{})
	var seconds int64
	reading.Go(func() {
		for {
			seconds += l.Second().TotalCount()
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	writing.Wait()
	close(stop)
	reading.Wait()
	seconds += l.Second().TotalCount()
	total := l.Total()
	if seconds != writers*each || total.TotalCount() != writers*each {
		t.Fatalf("%d in seconds, %d in all, %d recorded", seconds, total.TotalCount(), writers*each)
	}
	if s := Summarise(total); s.Max < each || s.Max > each+each/1000 || s.P50 < each/2-1 || s.P50 > each/2+2 {
		t.Fatalf("%+v", s)
	}
}

// Reset forgets what was recorded before, read or not; Total is a copy.
func TestReset(t *testing.T) {
	l := NewLatency()
	l.Record(0, time.Second)
	l.Second()
	l.Record(1, time.Second)
	l.Reset()
	l.Record(2, time.Millisecond)
	total := l.Total()
	if total.TotalCount() != 1 || total.Max() > 1001 {
		t.Fatalf("%d, at most %d us", total.TotalCount(), total.Max())
	}
	l.Record(3, time.Millisecond)
	if total.TotalCount() != 1 || l.Total().TotalCount() != 2 {
		t.Fatal("a total changed, or a record is lost")
	}
}

// What is outside the bounds counts at the bound: clocks jump, and servers hang.
func TestBounds(t *testing.T) {
	l := NewLatency()
	l.Record(0, -time.Second)
	l.Record(0, 0)
	l.Record(0, time.Hour)
	s := Summarise(l.Total())
	if s.Count != 3 || s.P50 != 1 || s.Max < highest || s.Max > highest+highest/500 {
		t.Fatalf("%+v", s)
	}
}

func TestEmpty(t *testing.T) {
	if s := Summarise(NewLatency().Total()); s != (Summary{}) {
		t.Errorf("%+v", s)
	}
	if s := (Bars)(nil).Summary(); s != (Summary{}) {
		t.Errorf("%+v", s)
	}
}

func draw(t *rapid.T, label string) *hdrhistogram.Histogram {
	h := newHistogram()
	for _, us := range rapid.SliceOfN(rapid.Int64Range(lowest, highest), 0, 50).Draw(t, label) {
		if err := h.RecordValue(us); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// A histogram is the same on the other side, and its bars tell the same quantiles.
func TestEncodeAndBars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		data, err := Encode(a)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(data)
		if err != nil || !back.Equals(a) {
			t.Fatalf("another histogram came back: %v", err)
		}
		before := slices.Clone(BarsOf(a))
		mine := BarsOf(a)
		merged := mine.Merge(BarsOf(b))
		if !slices.Equal(mine, before) {
			t.Fatal("merging changed what was merged")
		}
		a.Merge(b)
		if !slices.Equal(merged, BarsOf(a)) {
			t.Fatalf("%v, want %v", merged, BarsOf(a))
		}
		got, want := merged.Summary(), Summarise(a)
		got.Mean, want.Mean = 0, 0 // of bounds, of middles
		if got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// Coarse bars are few, lose nothing, and are off by less than a hundredth.
func TestCoarse(t *testing.T) {
	l := NewLatency()
	for us := int64(1); us < highest; us += 1 + us/500 {
		l.Record(0, time.Duration(us)*time.Microsecond)
	}
	total := l.Total()
	bars := Coarse(total)
	if len(bars) > 2700 || len(bars) < 1000 {
		t.Errorf("%d bars", len(bars))
	}
	got, want := bars.Summary(), Summarise(total)
	if got.Count != want.Count {
		t.Errorf("%d of %d", got.Count, want.Count)
	}
	for _, q := range [][2]int64{{got.P50, want.P50}, {got.P90, want.P90}, {got.P99, want.P99}, {got.P999, want.P999}, {got.Max, want.Max}} {
		if off := float64(q[0]-q[1]) / float64(q[1]); off < -0.01 || off > 0.01 {
			t.Errorf("%d for %d", q[0], q[1])
		}
	}
}

func FuzzDecode(f *testing.F) {
	l := NewLatency()
	l.Record(0, time.Millisecond)
	data, err := Encode(l.Total())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, err := Decode(data); (h == nil) == (err == nil) {
			t.Fatalf("%v and %v", h, err)
		}
	})
}
