package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The kinds of failure that callers tell apart, with errors.Is.
var (
	ErrUnavailable     = errors.New("the database cannot be reached")
	ErrUnknownOutcome  = errors.New("the connection was lost while committing")
	ErrDiskFull        = errors.New("the database's disk is full")
	ErrConflict        = errors.New("the transaction met another one")
	ErrUniqueViolation = errors.New("a row with this key exists")
)

// Classify wraps an engine's error in the kind it belongs to. Errors that are no engine's, sql.ErrNoRows and those of
// a context among them, are returned as they are.
func Classify(err error) error {
	kind := kindOf(err)
	if kind == nil || errors.Is(err, kind) {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// classifyCommit is Classify for the answer to COMMIT, where a lost connection says nothing of what took place.
func classifyCommit(err error) error {
	switch kind := kindOf(err); {
	case errors.Is(kind, ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, sql.ErrTxDone):
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	case kind == nil:
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) || errors.Is(err, pgx.ErrTxCommitRollback) {
			return err // the server's word: rolled back
		}
		if lite := (*sqlite.Error)(nil); errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_CONSTRAINT {
			return err // a deferred constraint: still open, and about to be rolled back
		}
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	default:
		return Classify(err)
	}
}

// lost says that err is a connection that broke before COMMIT, so that nothing took place and another connection may do.
func lost(err error) bool {
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknownOutcome) {
		return false
	}
	var (
		connect *pgconn.ConnectError
		lite    *sqlite.Error
		pg      *pgconn.PgError
	)
	if errors.As(err, &connect) || errors.As(err, &lite) {
		return false // the server is away, or the file is
	}
	return !errors.As(err, &pg) || strings.HasPrefix(pg.Code, "57P") || pg.Code == "25P03"
}

func kindOf(err error) error {
	if err == nil {
		return nil
	}
	for _, kind := range []error{ErrUnknownOutcome, ErrUnavailable, ErrDiskFull, ErrConflict, ErrUniqueViolation} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	var connect *pgconn.ConnectError
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		kind := kindOfPostgres(pg.Code)
		if kind == nil && errors.As(err, &connect) { // whatever keeps the server from serving: with a full disk it is an internal error
			kind = ErrUnavailable
		}
		return kind
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return kindOfSQLite(lite.Code())
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	var network net.Error
	if errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, pgconn.ErrConnClosed) {
		return ErrUnavailable
	}
	return nil
}

// kindOfPostgres reads a SQLSTATE (PostgreSQL's manual, appendix A).
func kindOfPostgres(code string) error {
	switch {
	case code == "23505":
		return ErrUniqueViolation
	case code == "53100":
		return ErrDiskFull
	case code == "40003": // completion unknown
		return ErrUnavailable
	case strings.HasPrefix(code, "40"), code == "55P03": // serialisation, deadlock; lock_timeout
		return ErrConflict
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "53"),
		code == "25006", code == "25P03", code == "58030": // a standby; idle for too long; an I/O error
		return ErrUnavailable
	}
	return nil
}

func kindOfSQLite(code int) error {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return ErrUniqueViolation
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the index of the WAL finds no room
		return ErrDiskFull
	}
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return ErrDiskFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrConflict
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return ErrUnavailable
	}
	return nil
}
