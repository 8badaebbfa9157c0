package node

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// guard takes the process off the list of its service while its database can't be reached from here, so that callers ask the others and what it
// owns finds another owner. Who is the only one left stays: then nobody could do better, and callers are told what is wrong.
type guard struct {
	ping      func(ctx context.Context) error
	others    func() bool // whether another process of the service is on the list
	announce  func() error
	withdraw  func()
	withdrawn atomic.Bool
	times     atomic.Int64 // that it has
	log       *slog.Logger
}

const (
	guardGap      = 500 * time.Millisecond // between two pings
	guardTime     = time.Second            // for the answer to one
	guardPatience = 2 * time.Second        // without an answer
	guardMisses   = 2                      // in a row, at least: a process that was stopped for that long knows nothing of the database
)

// Run pings until ctx ends.
func (g *guard) Run(ctx context.Context) error {
	tick := time.NewTicker(guardGap)
	defer tick.Stop()
	misses := 0
	for answered := time.Now(); ; {
		err := g.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if misses++; err == nil {
			answered, misses = time.Now(), 0
		}
		if err := g.decide(err == nil, misses >= guardMisses && time.Since(answered) >= guardPatience); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (g *guard) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, guardTime)
	defer cancel()
	return g.ping(ctx)
}

func (g *guard) decide(answers, away bool) error {
	switch gone := g.withdrawn.Load(); {
	case !gone && away && g.others():
		g.log.Warn("the database can't be reached from here: other processes of this service take over")
		g.times.Add(1)
		g.withdrawn.Store(true)
		g.withdraw()
	case gone && (answers || !g.others()):
		g.log.Info("the process takes part again", "database", answers)
		g.withdrawn.Store(false)
		return g.announce()
	}
	return nil
}
