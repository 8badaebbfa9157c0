package scenario

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"plenum.internal/loadtest/internal/pace"
	"plenum.internal/loadtest/internal/run"
)

// Mixed is an office day with people who come and go: laptops sleep, trains drive into tunnels.
type Mixed struct {
	Office
	Churn float64 `help:"Share of the connections that breaks each second, and comes back." default:"0.002"`
}

// Run implements Scenario.
func (s *Mixed) Run(ctx context.Context, r *run.Run) error {
	if s.Churn <= 0 || s.Churn > 0.2 || !r.Reconnect {
		return errors.New("--churn must be more than 0 and at most 0.2, and clients must --reconnect")
	}
	people, err := s.open(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	return r.Measure(ctx, func(ctx context.Context) error {
		seed := r.Seed + uint64(r.Peers.Index)
		random := rand.New(rand.NewPCG(seed, 3))
		churn := pace.Load{PerSecond: s.Churn * float64(len(people)), Poisson: true, Seed: seed}
		ended := make(chan error, 1)
		go func() {
			_, err := churn.Run(ctx, func(time.Time) { go people[random.IntN(len(people))].m.Cut() })
			ended <- err
		}()
		return errors.Join(s.work(ctx, r, people), <-ended)
	})
}
