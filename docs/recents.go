package docs

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/sqldb"
)

// opening is somebody's opening of a document.
type opening struct{ workspace, user, document string }

const (
	recentQueue  = 4096                   // openings that wait to be written down; more are forgotten
	recentBatch  = 256                    // are written at a time
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
			if err := s.saveRecents(ctx, time.Now(), fresh); err != nil && ctx.Err() == nil {
				s.logger.WarnContext(ctx, "could not write down who opened what", "openings", len(fresh), "error", err)
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

// saveRecents writes openings down, of documents that there are, and forgets each person's oldest beyond the limit.
func (s *Server) saveRecents(ctx context.Context, now time.Time, list []opening) error {
	rel := sqldb.NewRelation(s.db.Dialect(), "ws text", "usr text", "doc text")
	rows := make([][]any, 0, len(list))
	for _, o := range list {
		rows = append(rows, []any{o.workspace, o.user, o.document})
	}
	args := rel.Args(rows)
	n := len(args)
	return s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // the caller says what failed
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`INSERT INTO docs_recent (workspace, user_id, document, opened_ms)
			SELECT k.ws, k.usr, k.doc, CAST($%d AS bigint) FROM %s %s WHERE true ORDER BY k.ws, k.usr, k.doc
			ON CONFLICT (workspace, user_id, document) DO UPDATE SET opened_ms = excluded.opened_ms WHERE docs_recent.opened_ms <= excluded.opened_ms - CAST($%d AS bigint)`,
			n+1, rel.SQL(), rel.Lookup("INNER", "docs_document", "d", `d.workspace = k.ws AND d.id = k.doc`), n+2),
			append(args[:n:n], now.UnixMilli(), recentGap.Milliseconds())...)
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf(`DELETE FROM docs_recent WHERE (workspace, user_id, document) IN
			(SELECT workspace, user_id, document FROM (SELECT o.workspace, o.user_id, o.document,
					row_number() OVER (PARTITION BY o.workspace, o.user_id ORDER BY o.opened_ms DESC, o.document DESC) AS place
				FROM (SELECT DISTINCT k.ws, k.usr FROM %s) u JOIN docs_recent o ON o.workspace = u.ws AND o.user_id = u.usr) x WHERE x.place > $%d)`,
			rel.SQL(), n+1), append(args[:n:n], MaxRecent)...)
		if err != nil {
			return fmt.Errorf("forget the oldest: %w", err)
		}
		return nil
	})
}
