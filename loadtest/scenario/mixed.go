package scenario

import (
	"context"
	"errors"
	"fmt"
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
	if s.Churn <= 0 || s.Churn > churnMost || !r.Reconnect {
		return fmt.Errorf("--churn must be more than 0 and at most %g, and clients must --reconnect", churnMost)
	}
	people, err := s.open(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	return r.Measure(ctx, func(ctx context.Context) error {
		churned := churn(ctx, r, s.Churn, len(people), func(i int) { people[i].m.Cut() })
		return errors.Join(s.work(ctx, r, people), <-churned)
	})
}

// churnMost is the greatest share of the connections that breaks in a second.
const churnMost = 0.2

// churn cuts a share of n connections each second, until ctx ends; then it says what went wrong.
func churn(ctx context.Context, r *run.Run, share float64, n int, cut func(i int)) <-chan error {
	ended := make(chan error, 1)
	if share == 0 {
		ended <- nil
		return ended
	}
	seed := r.Seed + uint64(r.Peers.Index)
	random := rand.New(rand.NewPCG(seed, 3))
	load := pace.Load{PerSecond: share * float64(n), Poisson: true, Seed: seed}
	go func() {
		_, err := load.Run(ctx, func(time.Time) { go cut(random.IntN(n)) })
		ended <- err
	}()
	return ended
}
