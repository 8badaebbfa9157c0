package identity

import (
	"context"
	"time"

	"plenum.internal/mesh/sqldb"
	"plenum.internal/services/identity/sqlstore"
)

// Restored makes a database that was restored from a backup fit to be served, before any process starts on it: a new life of the
// history begins (its epoch is returned), and revocations get numbers that nobody has seen, so that those who follow their log miss
// none. What was revoked since the backup is not revoked any more.
func Restored(ctx context.Context, db *sqldb.DB, now time.Time) (epoch uint64, err error) {
	if err := sqlstore.New(db).Write(ctx, func(tx sqlstore.Tx) error { return tx.SkipRevocations(ctx, now.UnixMilli()) }); err != nil {
		return 0, err
	}
	return logSchema().BumpEpoch(ctx, db, now)
}
