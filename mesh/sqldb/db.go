// Package sqldb opens the SQL database of a service, SQLite or PostgreSQL, and runs its transactions.
//
// Statements use `$1` parameters, which work on both engines. A set of rows is passed by a Relation. Where a hot statement of
// many rows has to differ, write one for each engine and pick it by Dialect:
//
//   - PostgreSQL: whole columns as arrays, []int64, []string or [][]byte for BYTEA. One text of the statement serves any
//     number of rows, so it is prepared once: `INSERT INTO t (a, b) SELECT * FROM unnest($1::bigint[], $2::text[])`, and
//     `WHERE a = ANY($1)`. A nil slice is NULL, an empty one is no rows.
//   - SQLite writes: `INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), …` in steps of the same size, for each text is
//     compiled by itself and a connection keeps 128, and at most 32,766 parameters; or one prepared statement for each row, which is nearly as fast,
//     for there is no way to the server.
//   - SQLite reads: `WHERE a IN (SELECT value FROM json_each($1))` with the keys as one JSON array.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"modernc.org/sqlite"
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
	// MaxConns bounds the connections. On PostgreSQL half of them write and half of them read, so that slow reads don't
	// keep writes waiting, and Reach opens one more; on SQLite all of them read, and one more writes. 0: 16.
	MaxConns int `koanf:"max_conns" doc:"connections at the most, beside one that asks whether PostgreSQL answers; SQLite reads by eight, or two for each processor where these are more"`
	// Timeout bounds a connection attempt and the wait for a lock. 0: 5 s.
	Timeout time.Duration `koanf:"timeout" doc:"bound on connecting and on waiting for a lock"`
}

// DB is one service's database.
type DB struct {
	dialect Dialect
	// Invariant: on SQLite write has one connection, so that writers queue in the process and never meet SQLITE_BUSY.
	write  *sql.DB
	read   *sql.DB
	probe  *sql.DB // of one connection, which Reach opens; on SQLite it is read
	counts counts
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

// quietTime is how long a connection to SQLite that nobody needs keeps its cache, which takes twice the memory that SQLite counts: a page
// and its header are a little more than the allocator's classes are made for. Readers live for readerLife at most: the one that is left
// after a burst would have its few pages in every region of the allocator's that the others have emptied, and keep them all. To open
// another takes about a millisecond.
const (
	quietTime  = 15 * time.Second
	readerLife = 30 * time.Second
)

func openSQLite(path string, cfg Config) (*DB, error) {
	if path == "" || path == ":memory:" {
		return nil, fmt.Errorf("sqlite needs the path of a file")
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	dsn := func(extra ...string) string {
		q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
			fmt.Sprintf("busy_timeout(%d)", cfg.Timeout.Milliseconds()),
			"journal_mode(WAL)",
			"synchronous(FULL)", // NORMAL can lose commits on power loss
			"foreign_keys(1)",
			"secure_delete(1)", // what is redacted leaves the file, too
			"temp_store(memory)",
			"journal_size_limit(67108864)", // a WAL that a long read made grow shrinks again
		}, extra...)}
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
	}
	write := sql.OpenDB(connector{&sqlite.Driver{}, dsn("cache_size(-16384)")})
	write.SetMaxOpenConns(1)
	read := sql.OpenDB(connector{&sqlite.Driver{}, dsn("query_only(1)", "cache_size(-2048)")}) // each has its own, which a commit empties
	readers := min(cfg.MaxConns, max(8, 2*runtime.GOMAXPROCS(0)))                              // more would only hold more memory: reads compute, they hardly wait
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	write.SetConnMaxIdleTime(quietTime)
	read.SetConnMaxLifetime(readerLife)
	read.SetConnMaxIdleTime(quietTime) // the one used last is taken first: few are left when most have gone
	return &DB{dialect: SQLite, write: write, read: read, probe: read}, nil
}

// createPrivate makes a new file that nobody else may read, whatever the folder's mode; SQLite gives its other files the mode of this
// one. A file that is there is not touched: to open and close it would drop the locks that SQLite holds on it in this process.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator's path
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

const (
	idleTimeout = "idle_in_transaction_session_timeout"
	// lockIdle is how long a transaction that writes may wait for its client: one that was frozen, or has gone without closing its
	// connection, keeps others from its locks no longer. Who is only slow has its transaction run again.
	lockIdle = 2 * time.Second
)

func openPostgres(cfg Config) (*DB, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("not a url") // the parser's own error would show the password
	}
	milliseconds := func(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
	pool := func(most int, settings map[string]string) (*sql.DB, error) {
		own := *u
		q := own.Query()
		settings["connect_timeout"] = fmt.Sprint(int(max(1, cfg.Timeout.Seconds())))
		settings["lock_timeout"] = milliseconds(cfg.Timeout)
		for name, value := range settings {
			if !q.Has(name) { // the operator's choice
				q.Set(name, value)
			}
		}
		own.RawQuery = q.Encode()
		pool, err := sql.Open("pgx", own.String())
		if err != nil {
			return nil, err
		}
		pool.SetMaxOpenConns(most)
		pool.SetMaxIdleConns(most)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		return pool, nil
	}
	half := max(1, cfg.MaxConns/2)
	write, err := pool(half, map[string]string{
		idleTimeout: milliseconds(lockIdle),
		// A writer's statements take arrays or look single rows up. PostgreSQL would plan some of them for each call, because it believes a
		// plan for three rows to be cheaper than one for any number; the planning costs more than the running does.
		"plan_cache_mode": "force_generic_plan",
	})
	if err != nil {
		return nil, err
	}
	readOnly := map[string]string{
		idleTimeout:                     milliseconds(2 * cfg.Timeout), // they hold no locks
		"default_transaction_read_only": "on",                          // as SQLite's query_only
	}
	read, err := pool(half, readOnly)
	if err != nil {
		return nil, err
	}
	probe, err := pool(1, readOnly)
	if err != nil {
		return nil, err
	}
	return &DB{dialect: Postgres, write: write, read: read, probe: probe}, nil
}

// Dialect returns the engine's dialect.
func (db *DB) Dialect() Dialect { return db.dialect }

// Query reads rows outside of a transaction, from the pool that cannot write; where its connection turns out to be broken,
// another is tried. Its error is classified; what Scan and rows.Err return later is the driver's, for Classify.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	db.counts.reads.Add(1)
	for attempt := 1; ; attempt++ {
		rows, err := db.read.QueryContext(ctx, query, args...)
		if err = Classify(err); attempt == attempts || !lost(err) {
			return rows, err
		}
	}
}

// QueryRow reads one row outside of a transaction, as Query does. What Scan returns is the driver's, for Classify.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	db.counts.reads.Add(1)
	for attempt := 1; ; attempt++ {
		row := db.read.QueryRowContext(ctx, query, args...)
		if attempt == attempts || !lost(Classify(row.Err())) {
			return row
		}
	}
}

// Ping checks that the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.write.PingContext(ctx); err != nil {
		return Classify(err)
	}
	return Classify(db.read.PingContext(ctx))
}

// Reach checks that the database answers, without waiting for those who use it: on PostgreSQL by a connection of its own, beside the others.
func (db *DB) Reach(ctx context.Context) error { return Classify(db.probe.PingContext(ctx)) }

// Close closes all connections; transactions under way fail.
func (db *DB) Close() error {
	return errors.Join(db.write.Close(), db.read.Close(), db.probe.Close())
}

// redact leaves out of a URL what must not be logged.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}
