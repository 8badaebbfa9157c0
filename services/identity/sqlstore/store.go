// Package sqlstore keeps what identity knows in SQL, on SQLite and PostgreSQL alike.
package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"plenum.internal/mesh/sqldb"
)

//go:embed migrations
var files embed.FS

// Migrations are the schema's steps, for sqldb.DB.Migrate.
func Migrations() (fs.FS, error) { return fs.Sub(files, "migrations") }

// ErrNotFound says that there is no such row in the workspace.
var ErrNotFound = errors.New("sqlstore: not found")

// Store reads and writes the tables of identity.
type Store struct{ db *sqldb.DB }

// New returns a store over a migrated database.
func New(db *sqldb.DB) *Store { return &Store{db} }

// Reads returns what can be read outside of a transaction.
func (s *Store) Reads() Reads { return Reads{pool{s.db}} }

// Write runs fn in one transaction, again if the engine asks for it; fn may be called several times.
func (s *Store) Write(ctx context.Context, fn func(Tx) error) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error { return fn(s.In(tx)) })
}

// In returns the store inside somebody else's transaction: that of the log's planner.
func (s *Store) In(tx *sql.Tx) Tx {
	t := Tx{Reads: Reads{tx}, tx: tx}
	if s.db.Dialect() == sqldb.Postgres {
		t.lock = " FOR UPDATE" // SQLite has one writer
	}
	return t
}

// Reads are the queries that lock nothing. Invariant: each names the workspace it reads, but those of the installation
// (links by secret, accounts by a token's device id, keys, revocations), whose keys can't be guessed or aren't a user's to give.
type Reads struct{ q reader }

// Tx is a transaction.
//
// Invariant: locks are taken in this order, so that no two transactions wait for each other: people, their resets, devices, links, the
// counter of revocations, heads of audit chains in ascending order.
type Tx struct {
	Reads
	tx   *sql.Tx
	lock string // suffix of a SELECT that locks its rows
}

type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// pool reads outside of transactions.
type pool struct{ db *sqldb.DB }

func (p pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.db.Query(ctx, query, args...)
}

func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.db.QueryRow(ctx, query, args...)
}

// exec runs a statement and tells how many rows it changed.
func (t Tx) exec(ctx context.Context, what, query string, args ...any) (int64, error) {
	res, err := t.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return n, nil
}

type scanner interface{ Scan(dest ...any) error }

// one reads the only row of a query.
func one[T any](row *sql.Row, scan func(scanner, *T) error, what string) (T, error) {
	var v T
	if err := scan(row, &v); errors.Is(err, sql.ErrNoRows) {
		return v, ErrNotFound
	} else if err != nil {
		return v, fmt.Errorf("read %s: %w", what, err)
	}
	return v, nil
}

// list reads all rows of a query, which is bounded by its LIMIT or by its table.
func list[T any](rows *sql.Rows, err error, scan func(scanner, *T) error, what string) ([]T, error) {
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, fmt.Errorf("read %s: %w", what, err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return out, nil
}

func scanString(s scanner, v *string) error { return s.Scan(v) }

// in writes "($from, $from+1, …)" for n values.
func in(from, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(", $" + strconv.Itoa(from+i))
	}
	return "(" + b.String()[2:] + ")"
}

func anys(first []any, rest []string) []any {
	for _, r := range rest {
		first = append(first, r)
	}
	return first
}

// NewID returns a new id: 128 random bits in lower-case base32, 26 characters.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return ID(b[:])
}

// ID writes the first 128 bits of b as an id.
func ID(b []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:16]))
}

// Hash is how secrets of 128 bits and more, which nobody guesses, are kept.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
