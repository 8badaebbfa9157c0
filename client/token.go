package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// refreshed is what the source of tokens answered.
type refreshed struct {
	token string
	err   error
}

// refresh asks for a new token, beside the loop.
func (s *session) refresh() {
	if s.refreshing {
		return
	}
	s.refreshing = true
	stale := s.token
	s.wg.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, dialTimeout)
		defer cancel()
		token, err := s.cfg.Tokens.Token(ctx, stale)
		s.refreshed <- refreshed{token, err}
	})
}

// tokenCame takes over a new token, in mid-connection.
func (s *session) tokenCame(r refreshed) error {
	s.refreshing = false
	if r.err != nil {
		if e, ok := errors.AsType[*Error](r.err); ok && final(e.Code) {
			return e
		}
		s.refreshAt = time.Now().Add(5 * time.Second) // there are 60 s until the token expires, and 60 s of grace
		return nil
	}
	s.token, s.refreshAt = r.token, time.Time{}
	s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Refresh{Refresh: &edgev1.Refresh{Token: r.token}}})
	return nil
}

// validFor notes the token's rest of life. The refresh is spread a little, so that a crowd that signed in together
// does not refresh together.
func (s *session) validFor(ms uint32) {
	left := time.Duration(ms) * time.Millisecond
	s.refreshAt = time.Now().Add(max(left-refreshBefore, left/2) - time.Duration(rand.Int64N(int64(left/20+1))))
}
