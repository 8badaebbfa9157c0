// Package sqldb opens the SQL database of a service, SQLite or PostgreSQL, and runs its transactions.
//
// Statements use `$1` parameters, which work on both engines. Where a hot statement differs, write one for each and
// pick it by Dialect: PostgreSQL takes whole columns as arrays (`unnest($1::text[], $2::bigint[])`), SQLite takes them
// as JSON (`json_each($1)`) or as many VALUES rows.
package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Dialect is the SQL that an engine speaks.
type Dialect int

// The two engines.
const (
	SQLite Dialect = iota
	Postgres
)

// String returns the name of the dialect as goose and the migrations' folders have it.
func (d Dialect) String() string {
	if d == Postgres {
		return "postgres"
	}
	return "sqlite"
}

// Config says which database to open, and its limits.
type Config struct {
	// URL is "sqlite:<path of the file>" or "postgres://user:password@host/database?…".
	URL string `koanf:"url" doc:"sqlite:<path> or postgres://user@host/database"`
	// MaxConns bounds the connections that read, and on PostgreSQL those that write. 0: 16.
	MaxConns int `koanf:"max_conns" doc:"connections at the most"`
	// Timeout bounds a connection attempt and the wait for a lock. 0: 5 s.
	Timeout time.Duration `koanf:"timeout" doc:"bound on connecting and on waiting for a lock"`
}

// DB is one service's database.
type DB struct {
	dialect Dialect
	// Invariant: on SQLite write has one connection, so that writers queue in the process and never meet SQLITE_BUSY.
	write *sql.DB
	read  *sql.DB
}

// Open opens the database and checks that it answers.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 16
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	var (
		db  *DB
		err error
	)
	switch {
	case strings.HasPrefix(cfg.URL, "sqlite:"):
		db, err = openSQLite(strings.TrimPrefix(cfg.URL, "sqlite:"), cfg)
	case strings.HasPrefix(cfg.URL, "postgres://"), strings.HasPrefix(cfg.URL, "postgresql://"):
		db, err = openPostgres(cfg)
	default:
		return nil, fmt.Errorf("database url %q: write sqlite:<path> or postgres://…", redact(cfg.URL))
	}
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", redact(cfg.URL), err)
	}
	if err := db.Ping(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open database %s: %w", redact(cfg.URL), err)
	}
	return db, nil
}

func openSQLite(path string, cfg Config) (*DB, error) {
	if path == "" || path == ":memory:" {
		return nil, fmt.Errorf("sqlite needs the path of a file")
	}
	dsn := func(extra ...string) string {
		q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
			fmt.Sprintf("busy_timeout(%d)", cfg.Timeout.Milliseconds()),
			"journal_mode(WAL)",
			"synchronous(FULL)", // NORMAL can lose commits on power loss
			"foreign_keys(1)",
			"secure_delete(1)", // what is redacted leaves the file, too
			"temp_store(memory)",
			"cache_size(-16384)",
		}, extra...)}
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
	}
	write, err := sql.Open("sqlite", dsn())
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn("query_only(1)"))
	if err != nil {
		return nil, err
	}
	read.SetMaxOpenConns(cfg.MaxConns)
	read.SetMaxIdleConns(cfg.MaxConns)
	return &DB{SQLite, write, read}, nil
}

func openPostgres(cfg Config) (*DB, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("not a url") // the parser's own error would show the password
	}
	q := u.Query()
	for name, value := range map[string]string{
		"connect_timeout": fmt.Sprint(int(max(1, cfg.Timeout.Seconds()))),
		"lock_timeout":    fmt.Sprint(cfg.Timeout.Milliseconds()),
		// A client that vanished without closing its connection must not hold its locks for hours.
		"idle_in_transaction_session_timeout": fmt.Sprint(2 * cfg.Timeout.Milliseconds()),
	} {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	pool, err := sql.Open("pgx", u.String())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(cfg.MaxConns)
	pool.SetMaxIdleConns(cfg.MaxConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return &DB{Postgres, pool, pool}, nil
}

// Dialect returns the engine's dialect.
func (db *DB) Dialect() Dialect { return db.dialect }

// Query reads rows outside of a transaction. Errors of the engine are classified, see Classify.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := db.read.QueryContext(ctx, query, args...)
	return rows, Classify(err)
}

// QueryRow reads one row outside of a transaction.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return db.read.QueryRowContext(ctx, query, args...)
}

// Ping checks that the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.write.PingContext(ctx); err != nil {
		return Classify(err)
	}
	return Classify(db.read.PingContext(ctx))
}

// Close closes all connections; transactions under way fail.
func (db *DB) Close() error {
	err := db.write.Close()
	if db.read != db.write {
		if readErr := db.read.Close(); err == nil {
			err = readErr
		}
	}
	return err
}

// redact leaves out of a URL what must not be logged.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}
