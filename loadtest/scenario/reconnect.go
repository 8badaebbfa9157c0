package scenario

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/peers"
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
	members := r.Crowd.Members
	random := rand.New(rand.NewPCG(r.Seed, 2))
	chosen := make([]*crowd.Member, 0, len(members))
	for _, i := range random.Perm(len(members))[:int(s.Share*float64(len(members)))] {
		chosen = append(chosen, members[i])
	}
	back := resumption{Away: len(chosen)}
	err = r.Measure(ctx, func(ctx context.Context) error {
		cut := make(chan struct{})
		go func() {
			defer close(cut)
			select {
			case <-time.After(r.Warmup + s.After):
				back.Took, back.Away = r.Crowd.Cut(ctx, chosen)
			case <-ctx.Done():
			}
		}()
		defer func() { <-cut }()
		return s.work(ctx, r, people)
	})
	if err != nil {
		return err
	}
	if back.Away > 0 {
		r.Fail("%d of %d sessions that were cut are not resumed at the end: --duration %v is too short, or the server too slow", back.Away, len(chosen), r.Duration)
	}
	if n, want := r.Crowd.Connected(), len(members); n < want {
		r.Fail("%d of %d connections are not back at the end", want-n, want)
	}
	all, err := peers.Gather(ctx, r.Peers, "resumed", back)
	if err == nil && !slices.ContainsFunc(all, func(p resumption) bool { return p.Away > 0 }) {
		last := slices.MaxFunc(all, func(a, b resumption) int { return cmp.Compare(a.Took, b.Took) })
		r.Figure("resumed within", last.Took.Seconds(), "s")
	}
	return err
}

// resumption is how long it took until the cut sessions of a process had all their topics again, and how many have not.
type resumption struct {
	Took time.Duration
	Away int
}
