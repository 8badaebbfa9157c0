package topic

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"plenum.internal/mesh/sqldb"
)

// BumpEpoch begins a new life of the history, in all topics and partitions, and returns its epoch. Run it on a database restored from
// a backup, before any service starts on it: clients and followers that saw what the backup doesn't hold are reset instead of being
// left with a silent hole.
//
// Invariant: an epoch is never used for two lives, even when one backup is restored twice; hence the clock.
func (s Schema) BumpEpoch(ctx context.Context, db *sqldb.DB, now time.Time) (epoch uint64, err error) {
	if err := s.validate(); err != nil {
		return 0, err
	}
	err = db.Write(ctx, func(tx *sql.Tx) error {
		q := "SELECT coalesce(max(epoch), 0) FROM (SELECT epoch FROM " + s.table("partition") + " UNION ALL SELECT max(epoch) FROM " + s.table("topic") + ") e"
		var last int64
		if err := tx.QueryRowContext(ctx, q).Scan(&last); err != nil {
			return err
		}
		next := max(last+1, now.Unix())
		epoch = unsigned(next)
		for _, table := range []string{"partition", "topic"} {
			q := strings.Replace("UPDATE ? SET epoch = $1", "?", s.table(table), 1)
			if _, err := tx.ExecContext(ctx, q, next); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("topic: bump the epoch of %s: %w", s.Prefix, err)
	}
	return epoch, nil
}
