package docs

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"plenum.internal/mesh/topic"
)

// A session can end without giving its document up: it broke down, its process had withdrawn, the database was away when it was to be told, or the claim
// took place after the session had given up waiting for it. The document's row goes on to name this process, which lives, so that the one that the
// document belongs to by then may not claim it. So it is given up afterwards, whoever is asked for it.

const (
	leftGap    = time.Second // between two looks for documents that were left
	leftAtOnce = 64          // are given up
)

// names notes that a document's row is about to name this process, for a session.
func (s *Server) names(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named[x.docKey] = x
}

// unnames notes that the row does so no more, unless another session has claimed the document since.
func (s *Server) unnames(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named[x.docKey] == x {
		delete(s.named, x.docKey)
	}
}

// leftOver are the sessions that are open no more, and have not given their documents up. Of a process that has withdrawn nobody believes that it owns any.
func (s *Server) leftOver() (all []*session) {
	if s.peers.Withdrawn() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, x := range s.named {
		if s.open[k] != x {
			all = append(all, x)
		}
	}
	return all
}

// giveUpLeft gives up what was left, until ctx ends.
func (s *Server) giveUpLeft(ctx context.Context) {
	tick := time.NewTicker(leftGap)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		g := &errgroup.Group{}
		g.SetLimit(leftAtOnce)
		for _, x := range s.leftOver() {
			g.Go(func() error { return s.disown(ctx, x) })
		}
		if err := g.Wait(); err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "could not give up documents that were left; tried again", "error", err)
		}
	}
}

// giveUp gives a document up, if it was left, for a caller who may have come for that.
func (s *Server) giveUp(ctx context.Context, k docKey) {
	s.mu.Lock()
	x := s.named[k]
	left := x != nil && s.open[k] != x
	s.mu.Unlock()
	if !left || s.peers.Withdrawn() {
		return
	}
	if err := s.disown(ctx, x); err != nil {
		s.logger.WarnContext(ctx, "could not give a document up", "workspace", k.workspace, "document", k.id, "error", err)
	}
}

// disown gives up a document that a session has left.
func (s *Server) disown(ctx context.Context, x *session) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	o := &disown{docKey: x.docKey, node: s.peers.Self()}
	err := s.log.Mutate(ctx, topic.Mutation{Workspace: x.workspace, Route: x.id, Op: o}, nil)
	if err == nil {
		s.unnames(x)
	}
	return err //nolint:wrapcheck // the caller says what failed
}
