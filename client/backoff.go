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
	ceiling := min(backoffBase<<b.failures, backoffMax)
	b.failures = min(b.failures+1, backoffMost)
	return notBefore + time.Duration(rand.Int64N(int64(ceiling)))
}

func (b *backoff) reset() { b.failures = 0 }

// served makes failures good by what went well: a connection that lived so long. A server that is restarted again and again is come
// back to quickly; one that accepts and drops is not.
func (b *backoff) served(lived time.Duration) {
	b.failures = max(0, b.failures-int(lived/backoffGood))
}
