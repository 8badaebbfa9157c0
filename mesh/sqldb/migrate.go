package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

// Migrate brings the schema up to the newest of the migrations: goose's SQL files, in a folder "sqlite" or "postgres"
// where the engines differ, else at the root. Several processes may call it at once; on PostgreSQL they take turns.
func (db *DB) Migrate(ctx context.Context, migrations fs.FS) error {
	if sub, err := fs.Sub(migrations, db.dialect.String()); err == nil {
		if entries, err := fs.ReadDir(sub, "."); err == nil && len(entries) > 0 {
			migrations = sub
		}
	}
	dialect := goose.DialectSQLite3
	if db.dialect == Postgres {
		dialect = goose.DialectPostgres
		unlock, err := db.lockMigrations(ctx)
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		defer unlock()
	}
	provider, err := goose.NewProvider(dialect, db.write, migrations, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			return fmt.Errorf("migrate: %s: %w", partial.Failed.Source.Path, Classify(partial.Err))
		}
		return fmt.Errorf("migrate: %w", Classify(err))
	}
	return nil
}

// migrationLock is the key of the advisory lock under which migrations run: "plenum" in ASCII.
const migrationLock = 0x706c656e756d

func (db *DB) lockMigrations(ctx context.Context) (unlock func(), err error) {
	conn, err := db.read.Conn(ctx) // the migrations may need every connection that writes
	if err != nil {
		return nil, Classify(err)
	}
	for _, statement := range []string{"SET lock_timeout = 0", "SELECT pg_advisory_lock($1)", "RESET lock_timeout"} {
		var args []any
		if strings.Contains(statement, "$1") {
			args = append(args, migrationLock)
		}
		if _, err := conn.ExecContext(ctx, statement, args...); err != nil {
			_ = conn.Close()
			return nil, Classify(err)
		}
	}
	return func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock)
		_ = conn.Close()
	}, nil
}
