package client

import (
	"math/rand/v2"
	"time"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
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

// course says what to do after a connection has ended.
type course int

const (
	again    course = iota // reconnect after a wait
	newToken               // reconnect with a new token
	stop                   // don't reconnect this way
	wipe                   // signed out: forget everything
)

// courseOf reads a close code by its range.
func courseOf(code edgev1.Code) course {
	switch {
	case code >= 4200 && code < 4300:
		return newToken
	case code >= 4300 && code < 4400:
		return stop
	case code >= 4400 && code < 4500:
		return wipe
	default:
		return again
	}
}

// fault turns the wire's error into the one that callers see.
func fault(e *edgev1.Error) *rpc.Error {
	return &rpc.Error{Code: e.GetCode(), Reason: e.GetReason(), Message: e.GetMessage(), Field: e.GetField(),
		RetryAfter: time.Duration(e.GetRetryAfterMs()) * time.Millisecond}
}

// retryable reports whether a call with this answer may be repeated with the same client_seq.
func retryable(code edgev1.Code) bool { return code >= 200 && code < 300 }
