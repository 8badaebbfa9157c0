package wire

import (
	"cmp"
	"container/heap"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAQueueYieldsWhatIsDueInItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Now()
		moment := rapid.Custom(func(t *rapid.T) time.Time {
			return start.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "ms")) * time.Millisecond)
		})
		var q queue
		var waiting []queued // the same, the plain way
		var number uint64
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				number++
				p := queued{moment.Draw(t, "due"), number, []byte{byte(number >> 8), byte(number)}}
				heap.Push(&q, p)
				waiting = append(waiting, p)
			},
			"take": func(t *rapid.T) {
				now := moment.Draw(t, "now")
				slices.SortFunc(waiting, func(a, b queued) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.number, b.number)) })
				due, next := q.take(now)
				for i, packet := range due {
					if i >= len(waiting) || waiting[i].due.After(now) || !slices.Equal(packet, waiting[i].packet) {
						t.Fatalf("packet %d of those taken is %x, waiting are %v", i, packet, waiting)
					}
				}
				waiting = waiting[len(due):]
				var first time.Time
				if len(waiting) > 0 {
					first = waiting[0].due
				}
				if !next.Equal(first) || !first.IsZero() && !first.After(now) {
					t.Fatalf("at %v the next is said to be due at %v, it is at %v", now, next, first)
				}
			},
			"": func(t *rapid.T) {
				if q.Len() != len(waiting) {
					t.Fatalf("%d packets wait, want %d", q.Len(), len(waiting))
				}
			},
		})
	})
}
