package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// maxGap is how far versions that are written down may lie apart at most, however old they are: reading any version goes over so many events.
	maxGap      = 5000
	maxGapBytes = 32 << 20 // and over so many bytes of them, or one event
	// thinBatch is how many versions are taken away at a time, and thinRead of how many it is decided.
	thinBatch, thinRead         = 50, 2000
	jobThin             jobKind = "thin"
	thinGap                     = 10 * time.Minute // between two looks at a document that is closed; later ones are further apart
)

// thinned says which of a document's versions, ascending, are taken away: of the last hour the last of each minute stays, of the last day
// the last of each hour, of the last 30 days the last of each day, and of all before the last of each month, in UTC. The newest stays, and
// what has a name or is the floor, and what has to so that no gap becomes wider than so many events, or so many bytes of them.
func thinned(now time.Time, list []versionRow, gap uint64, gapBytes int64) (gone []uint64) {
	stays, bytes := uint64(0), int64(0) // the last one that does, and what lies since; the log begins behind 0, or at the floor
	for i, v := range list {
		bytes += v.bytes
		if v.floor {
			stays, bytes = v.version, 0
			continue
		}
		last := i == len(list)-1
		if last || v.name != "" || span(now, v.timeMs) != span(now, list[i+1].timeMs) || list[i+1].version-stays > gap || bytes+list[i+1].bytes > gapBytes {
			stays, bytes = v.version, 0
			continue
		}
		gone = append(gone, v.version)
	}
	return gone
}

// span is what a time shares with those of whose versions one stays.
func span(now time.Time, ms int64) string {
	t := time.UnixMilli(ms).UTC()
	switch age := now.Sub(t); {
	case age < time.Hour:
		return t.Format("2006-01-02 15:04")
	case age < 24*time.Hour:
		return t.Format("2006-01-02 15")
	case age < 30*24*time.Hour:
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01")
}

// thinsNext is when more of a document's versions may have to go, of which none has to now: when the next of those that another one stands before
// becomes of a longer span. The older they are, the longer it takes. The zero time: they stay.
func thinsNext(now time.Time, list []versionRow) (next time.Time) {
	if len(list) < 2 {
		return next
	}
	for _, v := range list[1:] {
		for _, age := range []time.Duration{time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
			if at := time.UnixMilli(v.timeMs).Add(age); at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	newest := time.UnixMilli(list[len(list)-1].timeMs)
	if soon := now.Add(max(thinGap, now.Sub(newest)/4)); !next.IsZero() && next.Before(soon) {
		return soon
	}
	return next
}

// thinOut takes away what is not to stay of a document's versions, the oldest first, a batch of them. Who edited is told of the version
// behind it, then. It returns when there may be more to take away; the zero time: never, as they are.
func (s *Server) thinOut(ctx context.Context, k docKey, term uint64, now time.Time) (next time.Time, err error) {
	var list []versionRow
	err = each(ctx, s.db.Query, `SELECT `+versionColumns+` FROM docs_version WHERE workspace = $1 AND document = $2
			AND version >= (SELECT floor FROM docs_document WHERE workspace = $1 AND id = $2) ORDER BY version LIMIT $3`,
		[]any{k.workspace, k.id, thinRead}, func(r *sql.Rows) error {
			v, err := scanVersion(r)
			list = append(list, v)
			return err
		})
	if err != nil {
		return next, fmt.Errorf("docs: read versions: %w", err)
	}
	gone := thinned(now, list, maxGap, maxGapBytes)
	if len(gone) == 0 {
		return thinsNext(now, list), nil
	}
	gone = gone[:min(len(gone), thinBatch)]
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		left := gone
		var legacy versionRow // of those that have gone, to the next one that stays
		for _, v := range list {
			if len(left) > 0 && v.version == left[0] {
				legacy.bytes += v.bytes
				legacy.authors.merge(v.authors)
				left, legacy.version = left[1:], v.version
				if err := deleteVersion(ctx, tx, k, term, v.version); err != nil {
					return err
				}
			} else if legacy.version > 0 {
				v.bytes += legacy.bytes
				v.authors.merge(legacy.authors)
				legacy = versionRow{}
				if err := updateVersion(ctx, tx, k, v); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if errors.Is(err, errFenced) {
		return next, err
	}
	if err != nil {
		return next, fmt.Errorf("docs: thin versions out: %w", err)
	}
	return now, nil
}

// thinClosed thins out the versions of a document that nobody has open, as they become older. While somebody has, that is the owner's to do.
func (s *Server) thinClosed(ctx context.Context, k docKey) (next time.Time, err error) {
	var d document
	err = s.db.QueryRow(ctx, `SELECT term, node FROM docs_document WHERE workspace = $1 AND id = $2`, k.workspace, k.id).Scan(&d.term, &d.node)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return next, nil
	case err != nil:
		return next, fmt.Errorf("docs: read a document: %w", err)
	case d.node != "" && s.peers.Lives(d.node):
		return time.Now().Add(thinGap), nil
	}
	next, err = s.thinOut(ctx, k, d.term, time.Now())
	if errors.Is(err, errFenced) { // it was just opened
		return time.Now().Add(thinGap), nil
	}
	return next, err
}

// deleteVersion takes a version away, unless it has a name or is the floor by now, or the document another owner.
func deleteVersion(ctx context.Context, tx *sql.Tx, k docKey, term, version uint64) error {
	res, err := tx.ExecContext(ctx, `DELETE FROM docs_version WHERE workspace = $1 AND document = $2 AND version = $3 AND name = '' AND NOT floor
		AND EXISTS (SELECT 1 FROM docs_document WHERE workspace = $1 AND id = $2 AND term = $4)`, k.workspace, k.id, int64(version), int64(term))
	if err != nil {
		return fmt.Errorf("delete a version: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return errFenced
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM docs_snapshot WHERE workspace = $1 AND document = $2 AND version = $3`, k.workspace, k.id, int64(version)); err != nil {
		return fmt.Errorf("delete its content: %w", err)
	}
	return nil
}

// updateVersion writes what lies between a version and the one before, which is another one now.
func updateVersion(ctx context.Context, tx *sql.Tx, k docKey, v versionRow) error {
	if _, err := tx.ExecContext(ctx, `UPDATE docs_version SET bytes = $4, authors = $5 WHERE workspace = $1 AND document = $2 AND version = $3`,
		k.workspace, k.id, int64(v.version), v.bytes, v.authors.String()); err != nil {
		return fmt.Errorf("update a version: %w", err)
	}
	return nil
}
