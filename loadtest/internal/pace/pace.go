// Package pace starts work at the times of an open-loop load: a slow server does not slow the offered rate, and what starts late
// still knows when it was due.
package pace

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Load is a rate of arrivals.
type Load struct {
	PerSecond float64
	// Poisson draws exponential gaps, as independent people make them; else the gaps are equal.
	Poisson bool
	Seed    uint64
}

// Run calls start for each arrival, with the time at which it was due, until ctx ends, and returns how many there were. start must not
// block: what it delays is started at once afterwards, with its old time.
func (l Load) Run(ctx context.Context, start func(due time.Time)) (n int, err error) {
	if l.PerSecond <= 0 {
		return 0, errors.New("the rate must be positive")
	}
	random := rand.New(rand.NewPCG(l.Seed, 1))
	due := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		gap := 1.0
		if l.Poisson {
			gap = random.ExpFloat64()
		}
		due = due.Add(time.Duration(gap / l.PerSecond * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return n, nil
			case <-timer.C:
			}
		} else if ctx.Err() != nil {
			return n, nil
		}
		start(due)
		n++
	}
}
