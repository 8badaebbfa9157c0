package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"
)

// attempts bounds how often a transaction or a read is tried that may run again.
const attempts = 8

// Write runs fn in one transaction and commits it. When the engine asks for it (a serialisation failure, a deadlock,
// a busy file), or when the connection broke before COMMIT, the whole of it runs again, at most 8 times, so fn must not
// keep effects of its own. It must not swallow a statement's error either (PostgreSQL then rolls back, SQLite does not),
// nor call Write: on SQLite there is one writer, and it would wait for itself.
//
// Errors: what fn returned, classified; the context's when it ended before COMMIT was sent, and nothing took place;
// ErrUnknownOutcome when the connection was lost or the context ended at COMMIT, so that the transaction may or may not
// have taken place: settle it by a key before telling anybody. A wait has no bound of its own: give ctx a deadline.
func (db *DB) Write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	db.counts.transactions.Add(1)
	for attempt := 1; ; attempt++ {
		err := db.try(ctx, fn)
		if err == nil || attempt == attempts || !errors.Is(err, ErrConflict) && !lost(err) {
			return err
		}
		wait := time.Duration(rand.Int64N(int64(time.Millisecond << min(attempt, 6))))
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (db *DB) try(ctx context.Context, fn func(tx *sql.Tx) error) error {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return Classify(err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return Classify(err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := fn(tx); err != nil {
		return Classify(err)
	}
	if err := ctx.Err(); err != nil {
		return err // COMMIT was not sent
	}
	err = tx.Commit()
	if err == nil {
		return nil
	}
	if db.dialect == SQLite {
		// A COMMIT that failed (a full disk) leaves the transaction open on its connection.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return classifyCommit(err)
}
