package presence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"plenum.internal/mesh/sqldb"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

const (
	recordGap    = time.Second      // between two looks at what is to be written down, and of whom
	recordBatch  = 1000             // records in one transaction
	recordTime   = 10 * time.Second // for one transaction
	lastTime     = 5 * time.Second  // for what is written down in the end
	purgeGap     = time.Minute      // between two looks at what is to be deleted
	maxRecorded  = 10_000           // workspaces of which records are kept, the first by their ids; of others none are, which is logged once
	purgeBatch   = 1000             // records that are deleted in one transaction
	purgeBatches = 1000             // transactions of one look
)

// keepStatements are those whose text depends on the engine, made once.
type keepStatements struct {
	workspaces, sessions, rows sqldb.Relation
	kept, last, insert         string
}

func newKeepStatements(d sqldb.Dialect) keepStatements {
	s := keepStatements{
		workspaces: sqldb.NewRelation(d, "ws text"),
		sessions:   sqldb.NewRelation(d, "i bigint", "ws text", "usr text", "ses text", "until_ms bigint"),
		rows: sqldb.NewRelation(d, "ws text", "usr text", "ses text", "start_ms bigint", "end_ms bigint", "device integer", "country text",
			"online bigint", "away bigint", "busy bigint", "dnd bigint", "chat bigint", "wrote bigint", "review bigint", "meet bigint"),
	}
	s.kept = `SELECT w.id, w.since_ms FROM ` + s.workspaces.SQL() + ` JOIN presence_workspace w ON w.id = k.ws WHERE w.records`
	if d == sqldb.Postgres {
		// One writes at a time, so that no two write of one session; who switches records off waits, and deletes what was written.
		s.kept += ` ORDER BY w.id FOR NO KEY UPDATE OF w`
	}
	s.last = `SELECT k.i, (SELECT r.end_ms FROM presence_record r WHERE r.workspace = k.ws AND r.user_id = k.usr AND r.session = k.ses
			AND r.start_ms < k.until_ms ORDER BY r.start_ms DESC LIMIT 1) FROM ` + s.sessions.SQL()
	s.insert = `INSERT INTO presence_record (workspace, user_id, session, start_ms, end_ms, device, country, online_ms, away_ms, busy_ms, do_not_disturb_ms,
			chat_min, write_min, review_min, meet_min)
		SELECT k.ws, k.usr, k.ses, k.start_ms, k.end_ms, k.device, k.country, k.online, k.away, k.busy, k.dnd, k.chat, k.wrote, k.review, k.meet
		FROM ` + s.rows.SQL() + ` WHERE true ON CONFLICT DO NOTHING`
	return s
}

// writeRecords writes records down as sessions end, until ctx ends, and then what is left. Without the database they wait in the hub.
func (s *Server) writeRecords(ctx context.Context) {
	tick := time.NewTicker(recordGap)
	defer tick.Stop()
	for {
		err := s.loadRecorded(ctx)
		for err == nil {
			batch := s.hub.takeEnded(recordBatch)
			if len(batch) == 0 {
				break
			}
			for err = s.recordTimely(ctx, batch, time.Now()); err != nil && ctx.Err() == nil; err = s.recordTimely(ctx, batch, time.Now()) {
				s.logger.WarnContext(ctx, "records of sessions can't be written down; tried again", "records", len(batch), "error", err)
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
			if err != nil {
				s.lastWords(ctx, batch)
				return
			}
		}
		if err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "it is not known whose sessions are recorded; asked again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.lastWords(ctx, nil)
			return
		}
	}
}

// Closing writes down what goes on as if it ended, while this process is still its home: a moment later another one is, which goes on with it, and takes
// off what was written. Where that takes longer than ctx what is left is lost.
func (s *Server) Closing(ctx context.Context) {
	if s.follower != nil {
		s.lastRecords(ctx, nil)
	}
}

// lastWords writes down what is left at the end, be it that ctx has ended.
func (s *Server) lastWords(ctx context.Context, batch []record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	s.lastRecords(ctx, batch)
}

// lastRecords writes down what is left, and what has not ended where it is still this process's: one program's is to the end.
func (s *Server) lastRecords(ctx context.Context, batch []record) {
	if s.peers.Valid() {
		s.hub.endStretches(time.Now())
	}
	for more := true; more; more = len(batch) > 0 {
		if err := s.recordTimely(ctx, batch, time.Now()); err != nil {
			s.logger.WarnContext(ctx, "the last records of sessions are lost", "error", err)
			return
		}
		batch = s.hub.takeEnded(recordBatch)
	}
}

// recordTimely writes records down that have not waited for too long: what is told of their days doesn't change any more.
func (s *Server) recordTimely(ctx context.Context, batch []record, now time.Time) error {
	told := now.Add(-s.settled())
	timely := slices.DeleteFunc(slices.Clone(batch), func(r record) bool { return r.start.Before(told) })
	err := s.record(ctx, timely)
	if err == nil && len(timely) < len(batch) {
		s.logger.WarnContext(ctx, "records of sessions have waited for too long, and are lost", "records", len(batch)-len(timely))
		s.hub.countLost(len(batch) - len(timely))
	}
	return err
}

// loadRecorded finds out of which workspaces records are kept.
func (s *Server) loadRecorded(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	recorded, more := map[string]time.Time{}, false
	err := each(ctx, s.db.Query, `SELECT id, since_ms FROM presence_workspace WHERE records ORDER BY id LIMIT $1`, []any{maxRecorded + 1}, func(r *sql.Rows) error {
		var id string
		var sinceMs int64
		err := r.Scan(&id, &sinceMs)
		if more = len(recorded) == maxRecorded; !more {
			recorded[id] = time.UnixMilli(sinceMs)
		}
		return err
	})
	if err != nil {
		return err
	}
	if more && !s.tooManyKept {
		s.logger.ErrorContext(ctx, "more workspaces are to be recorded than can be: of the last ones, by their ids, nothing is; switch it off for some", "most", maxRecorded)
	}
	s.tooManyKept = more
	s.hub.setRecorded(recorded, time.Now())
	return nil
}

// record writes records down, once: what a session has already of their time counts for nothing more, nor what is not to be kept.
func (s *Server) record(ctx context.Context, batch []record) error {
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	ctx, span := s.tracer.Start(ctx, "presence.record")
	defer span.End()
	return s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // said below
		known := map[string]int64{}
		var workspaces, sessions, rows [][]any
		for i, r := range batch {
			if _, named := known[r.workspace]; !named {
				known[r.workspace] = -1
				workspaces = append(workspaces, []any{r.workspace})
			}
			sessions = append(sessions, []any{int64(i), r.workspace, r.user, r.session, r.end.UnixMilli()})
		}
		err := each(ctx, tx.QueryContext, s.keeping.kept, s.keeping.workspaces.Args(workspaces), func(rows *sql.Rows) error {
			var id string
			var sinceMs int64
			err := rows.Scan(&id, &sinceMs)
			known[id] = sinceMs
			return err
		})
		if err != nil {
			return err
		}
		last := make([]sql.NullInt64, len(batch))
		err = each(ctx, tx.QueryContext, s.keeping.last, s.keeping.sessions.Args(sessions), func(rows *sql.Rows) error {
			var i int
			var endMs sql.NullInt64
			err := rows.Scan(&i, &endMs)
			last[i] = endMs
			return err
		})
		if err != nil {
			return err
		}
		written := map[sessionKey]int64{}
		for i, r := range batch {
			k := sessionKey{r.personKey, r.session}
			from := max(known[r.workspace], last[i].Int64, written[k])
			if known[r.workspace] < 0 || !r.trim(time.UnixMilli(from)) {
				continue
			}
			written[k] = r.end.UnixMilli()
			rows = append(rows, r.row())
		}
		if len(rows) == 0 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, s.keeping.insert, s.keeping.rows.Args(rows)...); err != nil {
			return fmt.Errorf("presence: write records: %w", err)
		}
		return nil
	})
}

// sessionKey names a session.
type sessionKey struct {
	personKey
	session string
}

// trim takes off a record what lies before a time, and returns whether anything is left.
func (r *record) trim(from time.Time) bool {
	if from.After(r.start) {
		r.start = from
	}
	var spent time.Duration
	for _, d := range r.spent {
		spent += d
	}
	length := r.end.Sub(r.start)
	if length < time.Millisecond {
		return false
	}
	if spent > length { // how it was spent that was taken off isn't known
		for i, d := range r.spent {
			r.spent[i] = time.Duration(float64(d) * float64(length) / float64(spent))
		}
	}
	return true
}

// row is the record as it is written down.
func (r *record) row() []any {
	of := func(state presencev1.State) int64 { return r.spent[state].Milliseconds() }
	in := func(kind edgev1.Doing) int64 { return r.minutes[kind].count }
	return []any{
		r.workspace, r.user, r.session, r.start.UnixMilli(), r.end.UnixMilli(), int64(r.device), r.country,
		of(presencev1.State_STATE_ONLINE), of(presencev1.State_STATE_AWAY), of(presencev1.State_STATE_BUSY), of(presencev1.State_STATE_DO_NOT_DISTURB),
		in(edgev1.Doing_DOING_CHAT), in(edgev1.Doing_DOING_WRITE), in(edgev1.Doing_DOING_REVIEW), in(edgev1.Doing_DOING_MEET),
	}
}

// purgeRecords deletes what is old, and what is not to be kept any more, until ctx ends.
func (s *Server) purgeRecords(ctx context.Context) {
	tick := time.NewTicker(recordGap)
	defer tick.Stop()
	for looked := (time.Time{}); ; {
		old := time.Since(looked) >= purgeGap
		if old {
			looked = time.Now()
		}
		if err := s.purge(ctx, time.Now(), old); err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "old records of sessions can't be deleted; tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// cleared is a workspace of which records are deleted.
type cleared struct {
	id       string
	beforeMs int64 // that began before
	version  int64 // of the workspace, as it has switched them off; 0: they are old
}

// toClear finds out which workspaces have switched their records off, and, if old ones are to be deleted, which else may have any: the others, most of
// all, are not written to. Those of a history that has begun anew since may have been recorded before.
func (s *Server) toClear(ctx context.Context, now time.Time, old bool) (list []cleared, err error) {
	const text = `SELECT id, records, since_ms, clear, version FROM presence_workspace WHERE clear OR $1 AND (records OR version < 0)`
	err = each(ctx, s.db.Query, text, []any{old}, func(r *sql.Rows) error {
		var c cleared
		var records, off bool
		var sinceMs, version int64
		err := r.Scan(&c.id, &records, &sinceMs, &off, &version)
		switch c.beforeMs = now.Add(-s.cfg.Retention).UnixMilli(); {
		case off && records: // and on again
			c.beforeMs, c.version = max(c.beforeMs, sinceMs), version
		case off:
			c.beforeMs, c.version = now.Add(maxStretch).UnixMilli(), version
		}
		list = append(list, c)
		return err
	})
	return list, err
}

// purge deletes the records of workspaces that have switched them off, and the old ones of all, in batches.
func (s *Server) purge(ctx context.Context, now time.Time, old bool) error {
	list, err := s.toClear(ctx, now, old)
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := s.purgeOf(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) purgeOf(ctx context.Context, c cleared) error {
	for range purgeBatches {
		more := false
		err := s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // said below
			done, err := tx.ExecContext(ctx, `DELETE FROM presence_record WHERE workspace = $1 AND (user_id, session, start_ms) IN (
				SELECT user_id, session, start_ms FROM presence_record WHERE workspace = $1 AND start_ms < $2 ORDER BY start_ms LIMIT $3)`, c.id, c.beforeMs, purgeBatch)
			if err != nil {
				return err //nolint:wrapcheck // said below
			}
			n, err := done.RowsAffected()
			if more = n == purgeBatch; err != nil || more || c.version == 0 {
				return err //nolint:wrapcheck // said below
			}
			_, err = tx.ExecContext(ctx, `UPDATE presence_workspace SET clear = false WHERE id = $1 AND version = $2
				AND NOT EXISTS (SELECT 1 FROM presence_record WHERE workspace = $1 AND start_ms < $3)`, // another process may have deleted these, and not the rest
				c.id, c.version, c.beforeMs)
			return err //nolint:wrapcheck // said below
		})
		if err != nil && !errors.Is(err, sqldb.ErrUnknownOutcome) { // then it is done again
			return fmt.Errorf("presence: delete records: %w", err)
		}
		if err == nil && !more {
			return nil
		}
	}
	return nil
}
