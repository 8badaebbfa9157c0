package docs

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

// scores are what is known of workspaces that have styles and a score told, for those whose documents are looked at.
type scores struct {
	mu sync.Mutex // guards all below
	of map[string]scored
}

type scored struct {
	on    bool
	asked time.Time // last
}

const (
	scoreTime  = time.Second // for which it is relied on, and for asking
	maxScores  = 1000        // workspaces that it is known of
	scoreQuery = `SELECT score FROM docs_workspace WHERE id = $1`
)

// scored reports whether a workspace has styles and the score told: not unless it says so. One asks the database for all; what was known holds meanwhile,
// and while it can't be asked.
func (s *Server) scored(ctx context.Context, workspace string) bool {
	s.scores.mu.Lock()
	now, known := time.Now(), s.scores.of[workspace]
	if now.Sub(known.asked) < scoreTime {
		s.scores.mu.Unlock()
		return known.on
	}
	if len(s.scores.of) >= maxScores {
		clear(s.scores.of)
	}
	s.scores.of[workspace] = scored{known.on, now}
	s.scores.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, scoreTime)
	defer cancel()
	err := s.db.QueryRow(ctx, scoreQuery, workspace).Scan(&known.on)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		known.on = false
	case err != nil:
		s.logger.WarnContext(ctx, "whether a workspace has scores told can't be read", "workspace", workspace, "error", err)
	}
	s.scores.mu.Lock()
	defer s.scores.mu.Unlock()
	s.scores.of[workspace] = scored{known.on, now}
	return known.on
}
