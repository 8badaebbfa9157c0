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
	s.named[x.docKey] = x.number
}

// unnames notes that the row does so no more, unless another session has claimed the document since.
func (s *Server) unnames(l sessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named[l.docKey] == l.number {
		delete(s.named, l.docKey)
	}
}

// sessionID says which session of which document; none other of this process has the number.
type sessionID struct {
	docKey
	number uint64
}

// isLeft reports whether a document's row still names this process for a session, and that is open no more. Another one has its name noted before it
// claims the document.
func (s *Server) isLeft(l sessionID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.open[l.docKey]
	return s.named[l.docKey] == l.number && (x == nil || x.number != l.number)
}

// leftOver are the sessions that are open no more, and have not given their documents up. Of a process that has withdrawn nobody believes that it owns any.
func (s *Server) leftOver() (all []sessionID) {
	if s.peers.Withdrawn() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, number := range s.named {
		if x := s.open[k]; x == nil || x.number != number {
			all = append(all, sessionID{k, number})
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
		for _, l := range s.leftOver() {
			g.Go(func() error { return s.disown(ctx, l) })
		}
		if err := g.Wait(); err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "could not give up documents that were left; tried again", "error", err)
		}
	}
}

// giveUp gives a document up, if it was left, for a caller who may have come for that.
func (s *Server) giveUp(ctx context.Context, k docKey) {
	s.mu.Lock()
	l := sessionID{k, s.named[k]}
	s.mu.Unlock()
	if l.number == 0 || !s.isLeft(l) || s.peers.Withdrawn() {
		return
	}
	if err := s.disown(ctx, l); err != nil {
		s.logger.WarnContext(ctx, "could not give a document up", "workspace", k.workspace, "document", k.id, "error", err)
	}
}

// disown gives up a document that a session has left.
func (s *Server) disown(ctx context.Context, l sessionID) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	o := &disown{sessionID: l, node: s.peers.Self()}
	err := s.log.Mutate(ctx, topic.Mutation{Workspace: l.workspace, Route: l.id, Op: o}, nil)
	if err == nil {
		s.unnames(l)
	}
	return err //nolint:wrapcheck // the caller says what failed
}
