package scenario

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/run"
)

// Reconnect cuts a share of the connections at once, as a lost gateway or a power cut does, while people go on writing.
type Reconnect struct {
	Office
	Share float64       `help:"Share of the connections that are cut." default:"0.5"`
	After time.Duration `help:"When, since measuring began." default:"5s"`
}

// Run implements Scenario.
func (s *Reconnect) Run(ctx context.Context, r *run.Run) error {
	if s.Share <= 0 || s.Share > 1 || s.After >= r.Duration || !r.Reconnect {
		return errors.New("--share must be more than 0 and at most 1, --after less than --duration, and clients must --reconnect")
	}
	people, err := s.open(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	err = r.Measure(ctx, func(ctx context.Context) error {
		time.AfterFunc(r.Warmup+s.After, func() { cut(r.Crowd.Members, s.Share, r.Seed) })
		return s.work(ctx, r, people)
	})
	if n, want := r.Crowd.Connected(), len(r.Crowd.Members); err == nil && n < want {
		r.Fail("%d of %d connections are not back at the end", want-n, want)
	}
	return err
}

// cut breaks the connections of a random share of the members.
func cut(members []*crowd.Member, share float64, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 2))
	for _, i := range random.Perm(len(members))[:int(share*float64(len(members)))] {
		go members[i].Cut()
	}
}
