package sqldb

import (
	"context"
	"database/sql"
)

// Read runs fn on one state of the database: what is committed after its first statement, none of its statements sees. It reads from
// the pool that cannot write, and keeps a connection until fn returns. When the connection breaks the whole of it runs again, at most
// 8 times, so fn must not keep effects of its own. Its error is fn's, classified.
func (db *DB) Read(ctx context.Context, fn func(tx *sql.Tx) error) error {
	db.counts.reads.Add(1)
	for attempt := 1; ; attempt++ {
		if err := db.tryRead(ctx, fn); attempt == attempts || !lost(err) {
			return err
		}
	}
}

func (db *DB) tryRead(ctx context.Context, fn func(tx *sql.Tx) error) error {
	// SQLite reads one state in any transaction, PostgreSQL from this level on.
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return Classify(err)
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to commit
	return Classify(fn(tx))
}
