package chat

import (
	"context"
	"time"

	"plenum.internal/mesh/sqldb"
)

// Restored makes a database that was restored from a backup fit to be served, before any process starts on it: a new life of the
// history begins, whose epoch is returned.
func Restored(ctx context.Context, db *sqldb.DB, now time.Time) (epoch uint64, err error) {
	return logSchema().BumpEpoch(ctx, db, now)
}
