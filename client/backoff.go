package client

import (
	"math/rand/v2"
	"time"
)

// backoff is exponential with full jitter (Brooker, "Exponential Backoff And Jitter", 2015): each wait is uniform between
// nothing and a ceiling that doubles.
type backoff struct{ failures int }

// next returns how long to wait after a failure; notBefore is the server's word and comes first.
func (b *backoff) next(notBefore time.Duration) time.Duration {
	ceiling := min(backoffBase<<min(b.failures, 10), backoffMax)
	b.failures++
	return notBefore + time.Duration(rand.Int64N(int64(ceiling)))
}

func (b *backoff) reset() { b.failures = 0 }
