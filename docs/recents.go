package docs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/sqldb"
)

// opening is somebody's opening of a document.
type opening struct{ workspace, user, document string }

const (
	recentQueue  = 4096                   // openings that wait to be written down; more are forgotten
	recentBatch  = 256                    // are gathered at a time
	recentWrite  = 16                     // are written in one transaction: on SQLite nobody else writes meanwhile
	recentRest   = 4                      // times what that took, nothing is written: others do
	recentWait   = 200 * time.Millisecond // for others to write with
	recentGap    = time.Minute            // between two that are written for one person and document
	recentMemory = 16_384                 // openings of the last gap that are not written again
)

// recents writes down who has opened what, beside their reading, which neither waits for it nor fails with it.
type recents struct {
	queue   chan opening
	written map[opening]int64 // Unix milliseconds; belongs to the one that writes
}

func newRecents() recents {
	return recents{queue: make(chan opening, recentQueue), written: map[opening]int64{}}
}

// opened notes that somebody has opened a document.
func (s *Server) opened(c auth.Caller, k docKey) {
	select {
	case s.recents.queue <- opening{k.workspace, c.User, k.id}:
	default:
		s.metrics.forgotten.Inc()
	}
}

// writeRecents writes openings down until ctx ends.
func (s *Server) writeRecents(ctx context.Context) {
	for {
		var list []opening
		select {
		case o := <-s.recents.queue:
			list = append(list, o)
		case <-ctx.Done():
			return
		}
		for wait := time.After(recentWait); wait != nil && len(list) < recentBatch; {
			select {
			case o := <-s.recents.queue:
				list = append(list, o)
			case <-wait:
				wait = nil
			case <-ctx.Done():
				return
			}
		}
		if fresh := s.recents.fresh(time.Now(), list); len(fresh) > 0 {
			for portion := range slices.Chunk(fresh, recentWrite) {
				begin := time.Now()
				if err := s.saveRecents(ctx, begin, portion); err != nil && ctx.Err() == nil {
					s.logger.WarnContext(ctx, "could not write down who opened what", "openings", len(portion), "error", err)
				}
				select {
				case <-time.After(recentRest * time.Since(begin)):
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// fresh are the openings that were not written down within the gap, each once.
func (r *recents) fresh(now time.Time, list []opening) (fresh []opening) {
	if len(r.written)+len(list) > recentMemory {
		for o, ms := range r.written {
			if now.UnixMilli()-ms >= recentGap.Milliseconds() {
				delete(r.written, o)
			}
		}
		if len(r.written)+len(list) > recentMemory {
			clear(r.written) // SQL compares, too
		}
	}
	for _, o := range list {
		if ms, ok := r.written[o]; ok && now.UnixMilli()-ms < recentGap.Milliseconds() {
			continue
		}
		r.written[o] = now.UnixMilli()
		fresh = append(fresh, o)
	}
	return fresh
}

// saveRecents writes openings down, of documents that there are and which it holds, and forgets each person's oldest beyond the limit.
func (s *Server) saveRecents(ctx context.Context, now time.Time, list []opening) error {
	rows := make([][]any, 0, len(list))
	for _, o := range list {
		rows = append(rows, []any{o.workspace, o.user, o.document})
	}
	args := s.sql.openings.Args(rows)
	n := len(args)
	return s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // the caller says what failed
		if _, err := tx.ExecContext(ctx, s.sql.addOpenings, append(args[:n:n], now.UnixMilli(), recentGap.Milliseconds())...); err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		beyond := map[opening]int{} // of people, without a document
		err := each(ctx, tx.QueryContext, s.sql.tooManyOpenings, append(args[:n:n], MaxRecent), func(r *sql.Rows) error {
			var o opening
			var many int
			err := r.Scan(&o.workspace, &o.user, &many)
			beyond[o] = many - MaxRecent
			return err
		})
		if err != nil {
			return fmt.Errorf("look for who has too many: %w", err)
		}
		for o, many := range beyond {
			_, err := tx.ExecContext(ctx, `DELETE FROM docs_recent WHERE workspace = $1 AND user_id = $2 AND document IN
				(SELECT document FROM docs_recent WHERE workspace = $1 AND user_id = $2 ORDER BY opened_ms, document LIMIT $3)`, o.workspace, o.user, many)
			if err != nil {
				return fmt.Errorf("forget the oldest: %w", err)
			}
		}
		return nil
	})
}

// recentStatements are of openings.
type recentStatements struct {
	openings                     sqldb.Relation
	addOpenings, tooManyOpenings string
}

func (s *statements) addRecentStatements(d sqldb.Dialect) {
	s.openings = sqldb.NewRelation(d, "ws text", "usr text", "doc text")
	n := len(s.openings.Args(nil))
	hold := ""
	if s.hold != "" {
		hold = s.hold + ` OF d`
	}
	s.addOpenings = fmt.Sprintf(`INSERT INTO docs_recent (workspace, user_id, document, opened_ms)
		SELECT k.ws, k.usr, k.doc, CAST($%d AS bigint) FROM %s %s WHERE true ORDER BY k.ws, k.usr, k.doc%s
		ON CONFLICT (workspace, user_id, document) DO UPDATE SET opened_ms = excluded.opened_ms WHERE docs_recent.opened_ms <= excluded.opened_ms - CAST($%d AS bigint)`,
		n+1, s.openings.SQL(), s.openings.Lookup("INNER", "docs_document", "d", `d.workspace = k.ws AND d.id = k.doc`), hold, n+2)
	s.tooManyOpenings = fmt.Sprintf(`SELECT ws, usr, many
		FROM (SELECT k.ws, k.usr, (SELECT count(*) FROM docs_recent o WHERE o.workspace = k.ws AND o.user_id = k.usr) AS many FROM %s) x WHERE many > $%d`, s.openings.SQL(), n+1)
}
