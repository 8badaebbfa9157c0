package pace

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Bursts is how people type: each by itself, some strokes at a pace, and then a pause.
type Bursts struct {
	People    int
	PerSecond float64 // strokes of each, on average
	To        float64 // of each in the end: the rate rises, or falls, evenly over Over; 0: it stays
	Over      time.Duration
	Length    int     // strokes of a burst, on average; 1: each comes by itself
	Pace      float64 // strokes a second within a burst
	Seed      uint64
}

// Run calls start for each stroke as Load.Run does, with the person whose it is.
func (b Bursts) Run(ctx context.Context, start func(person int, due time.Time)) (n int, err error) {
	if b.People < 1 || !(b.PerSecond > 0) || b.Length < 1 || b.Length > 1 && !(b.Pace > 0) || b.To < 0 || b.To > 0 && b.Over <= 0 {
		return 0, errors.New("people, their rate and their bursts must be positive")
	}
	if b.Length > 1 && !(max(b.PerSecond, b.To) < b.Pace) {
		return 0, errors.New("whoever types in bursts types faster than on average")
	}
	random := rand.New(rand.NewPCG(b.Seed, 6))
	begin := time.Now()
	hands := make(hands, b.People)
	for i := range hands {
		hands[i] = hand{person: i, due: begin}
		hands[i].pause(b, random, begin)
		if b.Length > 1 && random.Float64() < b.PerSecond/b.Pace { // as at any other time, some are amid a burst
			hands[i].due, hands[i].left = begin.Add(seconds(random.Float64()/b.Pace)), 1+random.IntN(b.Length)
		}
	}
	heap.Init(&hands)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := &hands[0]
		if wait := time.Until(next.due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return n, nil
			case <-timer.C:
			}
		} else if ctx.Err() != nil {
			return n, nil
		}
		start(next.person, next.due)
		n++
		if next.left--; next.left > 0 {
			next.due = next.due.Add(seconds((0.5 + random.Float64()) / b.Pace))
		} else {
			next.pause(b, random, begin)
		}
		heap.Fix(&hands, 0)
	}
}

// hand is when a person's next stroke is due.
type hand struct {
	person int
	due    time.Time
	left   int // strokes of the burst that it begins or belongs to
}

// pause has the next burst begin after a time that makes the rate.
func (h *hand) pause(b Bursts, random *rand.Rand, begin time.Time) {
	h.left = 1
	if b.Length > 1 {
		h.left = 1 + random.IntN(2*b.Length-1)
	}
	rate := b.PerSecond
	if b.To > 0 {
		rate += (b.To - b.PerSecond) * min(1, h.due.Sub(begin).Seconds()/b.Over.Seconds())
	}
	mean := float64(b.Length) / rate
	if b.Length > 1 {
		mean -= float64(b.Length-1) / b.Pace
	}
	h.due = h.due.Add(seconds(random.ExpFloat64() * mean))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// hands are a heap, the one that is due next first.
type hands []hand

func (h hands) Len() int           { return len(h) }
func (h hands) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h hands) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hands) Push(x any)        { *h = append(*h, x.(hand)) } //nolint:forcetypeassert // a heap of hands
func (h *hands) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
