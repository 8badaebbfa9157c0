package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/internal/scrape"
)

// Reconnect cuts a share of the connections at once, as a power cut does, or kills a gateway, while people go on writing.
type Reconnect struct {
	Office
	Share float64       `help:"Share of the connections that are cut." default:"0.5"`
	After time.Duration `help:"When, since measuring began." default:"5s"`
	Kill  int           `help:"Kill this process instead, by SIGKILL: one of several gateways on this machine." placeholder:"PID"`
	Pages []string      `help:"Metrics pages of the services, http://host:port/metrics, to count what the database is read meanwhile." name:"metrics" placeholder:"URL"`
}

// databaseReads is the services' counter of them.
const databaseReads = "plenum_sqldb_reads_total"

// Run implements Scenario.
func (s *Reconnect) Run(ctx context.Context, r *run.Run) error {
	switch {
	case s.Share <= 0 || s.Share > 1 || s.After >= r.Duration || !r.Reconnect:
		return errors.New("--share must be more than 0 and at most 1, --after less than --duration, and clients must --reconnect")
	case s.Kill < 0 || s.Kill > 0 && (len(r.Address) < 2 || slices.Contains(r.PID, s.Kill)):
		return errors.New("--kill takes the process of a gateway, with a second --address to go on at, and not one that --pid measures")
	}
	people, err := s.open(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	var (
		loss  crowd.Loss
		reads float64
	)
	err = r.Measure(ctx, func(ctx context.Context) error {
		over := make(chan error, 1)
		go func() {
			select {
			case <-time.After(r.Warmup + s.After):
				var err error
				reads, err = s.reading(ctx, r, func() (err error) {
					loss, err = s.strike(ctx, r)
					return err
				})
				over <- err
			case <-ctx.Done():
				over <- nil
			}
		}()
		return errors.Join(s.work(ctx, r, people), <-over)
	})
	if err != nil {
		return err
	}
	if loss.Away > 0 {
		r.Fail("%d of %d sessions that were lost are not resumed at the end: --duration %v is too short, or the server too slow", loss.Away, loss.Lost, r.Duration)
	}
	all, err := peers.Gather(ctx, r.Peers, "resumed", loss)
	if err != nil || slices.ContainsFunc(all, func(l crowd.Loss) bool { return l.Away > 0 }) {
		return err
	}
	lost := 0
	for _, l := range all {
		lost += l.Lost
	}
	last := slices.MaxFunc(all, func(a, b crowd.Loss) int { return cmp.Compare(a.Took, b.Took) })
	r.Figure("sessions lost", float64(lost), "")
	r.Figure("resumed within", last.Took.Seconds(), "s")
	if len(s.Pages) > 0 {
		r.Figure("database reads meanwhile", reads, "")
	}
	return nil
}

// reading counts what the services read from the database while f runs.
func (s *Reconnect) reading(ctx context.Context, r *run.Run, f func() error) (float64, error) {
	if len(s.Pages) == 0 || r.Peers.Index > 0 {
		return 0, f()
	}
	before, err := scrape.Sum(ctx, s.Pages, databaseReads)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := scrape.Sum(context.WithoutCancel(ctx), s.Pages, databaseReads)
	return after - before, err
}

// strike breaks connections, and returns when they are resumed.
func (s *Reconnect) strike(ctx context.Context, r *run.Run) (crowd.Loss, error) {
	if s.Kill > 0 {
		return r.Crowd.Lose(ctx, func() error {
			if r.Peers.Index > 0 {
				return nil // one of the processes is enough
			}
			if err := syscall.Kill(s.Kill, syscall.SIGKILL); err != nil {
				return fmt.Errorf("--kill %d: %w", s.Kill, err)
			}
			return nil
		})
	}
	members := r.Crowd.Members
	random := rand.New(rand.NewPCG(r.Seed+uint64(r.Peers.Index), 2))
	chosen := make([]*crowd.Member, 0, len(members))
	for _, i := range random.Perm(len(members))[:int(s.Share*float64(len(members)))] {
		chosen = append(chosen, members[i])
	}
	return r.Crowd.Cut(ctx, chosen), nil
}
