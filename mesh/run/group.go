// Package run starts the parts of a process in order, stops them in reverse, and ends all when one fails.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Component is a part of a process.
type Component interface {
	// Run works until ctx ends, then cleans up and returns nil. An earlier return is a failure, with or without an error.
	Run(ctx context.Context) error
	// Ready is closed when what depends on the component may start.
	Ready() <-chan struct{}
}

// DefaultStopTimeout is how long each component may take to stop.
const DefaultStopTimeout = 15 * time.Second

const slowStart = 10 * time.Second // between two words on what a start waits for

// Group is a Component made of others.
type Group struct {
	log         *slog.Logger
	stopTimeout time.Duration
	parts       []*part
	ready       chan struct{}
}

// NewGroup returns an empty group. A stopTimeout of 0 means DefaultStopTimeout for each component; log may be nil.
func NewGroup(log *slog.Logger, stopTimeout time.Duration) *Group {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if stopTimeout <= 0 {
		stopTimeout = DefaultStopTimeout
	}
	return &Group{log: log, stopTimeout: stopTimeout, ready: make(chan struct{})}
}

type part struct {
	Component
	name  string
	stop  context.CancelFunc
	ended chan struct{} // closed when Run has returned
	err   error         // what it returned; read after ended
}

// Add appends a component: it starts when the one before it is ready, and stops before it. Before Run only.
func (g *Group) Add(name string, c Component) {
	g.parts = append(g.parts, &part{Component: c, name: name, ended: make(chan struct{})})
}

// Ready is closed when all components are.
func (g *Group) Ready() <-chan struct{} { return g.ready }

// Run runs all components until ctx ends or one of them does, and returns after all have stopped, or after their time is over.
// The error names the component that failed first; it is nil if everything ended because ctx did.
func (g *Group) Run(ctx context.Context) error {
	failed := make(chan *part, len(g.parts))
	started, err := g.start(ctx, failed)
	if err == nil && ctx.Err() == nil {
		close(g.ready)
		select {
		case <-ctx.Done():
		case p := <-failed:
			err = p.failure()
		}
	}
	if err != nil {
		g.log.ErrorContext(ctx, "stopping, for a component failed", "error", err)
	}
	for i := started - 1; i >= 0; i-- {
		if e := g.halt(g.parts[i]); err == nil {
			err = e
		}
	}
	return err
}

// start starts the components one after the other, and returns how many it has started.
func (g *Group) start(ctx context.Context, failed chan *part) (int, error) {
	for i, p := range g.parts {
		select {
		case <-ctx.Done():
			return i, nil
		default:
		}
		var own context.Context
		own, p.stop = context.WithCancel(context.WithoutCancel(ctx)) // ended in its turn, not all at once
		go func() {
			p.err = p.Run(own)
			close(p.ended)
			failed <- p
		}()
		if err := g.await(ctx, p, failed); err != nil {
			return i + 1, err
		}
	}
	return len(g.parts), nil
}

// await waits until p is ready. It returns early with nil when ctx ends, and with an error when p fails, or one before it.
func (g *Group) await(ctx context.Context, p *part, failed <-chan *part) error {
	slow := time.NewTicker(slowStart)
	defer slow.Stop()
	begin := time.Now()
	for {
		select {
		case <-p.Ready():
			g.log.DebugContext(ctx, "ready", "component", p.name, "after", time.Since(begin))
			return nil
		case q := <-failed:
			return q.failure()
		case <-ctx.Done():
			return nil
		case <-slow.C:
			g.log.WarnContext(ctx, "still waiting for a component to be ready", "component", p.name, "for", time.Since(begin))
		}
	}
}

func (p *part) failure() error {
	if p.err == nil {
		return fmt.Errorf("%s ended by itself", p.name)
	}
	return fmt.Errorf("%s: %w", p.name, p.err)
}

// halt stops a component and waits for it.
func (g *Group) halt(p *part) error {
	p.stop()
	late := time.NewTimer(g.stopTimeout)
	defer late.Stop()
	select {
	case <-p.ended:
		if p.err != nil && !errors.Is(p.err, context.Canceled) {
			return p.failure()
		}
		g.log.Debug("stopped", "component", p.name)
		return nil
	case <-late.C:
		g.log.Error("a component did not stop in time", "component", p.name, "after", g.stopTimeout)
		return fmt.Errorf("%s did not stop within %s", p.name, g.stopTimeout)
	}
}
