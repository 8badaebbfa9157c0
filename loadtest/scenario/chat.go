package scenario

import (
	"context"

	"plenum.internal/loadtest/internal/run"
)

// Chat is an office day.
type Chat struct{ Office }

// Run implements Scenario.
func (s *Chat) Run(ctx context.Context, r *run.Run) error {
	people, err := s.open(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	return r.Measure(ctx, func(ctx context.Context) error { return s.work(ctx, r, people) })
}
