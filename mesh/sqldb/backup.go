package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ErrInUse says that other processes are connected to a database that is to be had alone.
var ErrInUse = errors.New("the database is in use")

// CopyTo writes the database, as it is at one moment, to a new file, synced. Others may read and write meanwhile. Only SQLite can do
// so; PostgreSQL has pg_dump.
func (db *DB) CopyTo(ctx context.Context, path string) error {
	if db.dialect != SQLite {
		return errors.ErrUnsupported
	}
	if _, err := db.write.ExecContext(ctx, "VACUUM INTO $1", path); err != nil {
		return fmt.Errorf("copy the database: %w", Classify(err))
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the operator names it
	if err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close())
}

// Alone returns ErrInUse where other clients are connected. SQLite can't tell. Before any other use of db.
func (db *DB) Alone(ctx context.Context) error {
	if db.dialect == SQLite {
		return nil
	}
	// One connection of each pool is open, since Open has used it; both are held, so that no other one is made here.
	writing, err := db.write.Conn(ctx)
	if err != nil {
		return Classify(err)
	}
	defer writing.Close()
	reading, err := db.read.Conn(ctx)
	if err != nil {
		return Classify(err)
	}
	defer reading.Close()
	var own, others int
	if err := reading.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&own); err != nil {
		return Classify(err)
	}
	if err := writing.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), $1)`, own).Scan(&others); err != nil {
		return Classify(err)
	}
	if others > 0 {
		return fmt.Errorf("%w: %d other connections are open", ErrInUse, others)
	}
	return nil
}
