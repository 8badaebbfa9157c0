package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"go.uber.org/goleak"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// through returns the url of a database behind a proxy.
func through(t *testing.T) (string, *meshtest.Proxy) {
	t.Helper()
	u, err := url.Parse(meshtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := meshtest.StartProxy(t, u.Host)
	u.Host = proxy.Addr
	return u.String(), proxy
}

// TestLostCommit: whether the COMMIT reached the server or not, the answer says that nobody knows.
func TestLostCommit(t *testing.T) {
	for name, forward := range map[string]bool{"before it reached the server": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			url, proxy := through(t)
			db := open(t, url)
			trap := meshtest.AtCommit(forward, 1)
			proxy.Set(trap)
			err := db.Write(t.Context(), insert(t.Context(), 1))
			if !errors.Is(err, sqldb.ErrUnknownOutcome) {
				t.Fatalf("%v, want an unknown outcome", err)
			}
			if trap.Sprung() != 1 {
				t.Fatalf("the trap cut %d connections", trap.Sprung())
			}
			// The row tells, once the old transaction is over: a second insert either meets it or not.
			err = db.Write(t.Context(), insert(t.Context(), 1))
			if forward && !errors.Is(err, sqldb.ErrUniqueViolation) || !forward && err != nil {
				t.Fatalf("afterwards: %v", err)
			}
		})
	}
}

func insert(ctx context.Context, id int) func(tx *sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO thing (id, name) VALUES ($1, 'x')", id)
		return err
	}
}

// TestFrozenWriter: who stands still in the middle of a transaction keeps others from its locks for a moment only, and runs it again when it goes on.
func TestFrozenWriter(t *testing.T) {
	url := meshtest.Postgres(t)
	frozen, other := open(t, url), open(t, url)
	if err := other.Write(t.Context(), insert(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	rename := func(tx *sql.Tx, name string) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE thing SET name = name || $1 WHERE id = 1", name)
		return err
	}
	holds, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		runs := 0
		ended <- frozen.Write(t.Context(), func(tx *sql.Tx) error {
			if err := rename(tx, "f"); err != nil {
				return err
			}
			if runs++; runs == 1 { // nothing more is heard of it, as of a process that was stopped
				close(holds)
				<-goOn
			}
			return rename(tx, "F")
		})
	}()
	<-holds
	begun := time.Now()
	err := other.Write(t.Context(), func(tx *sql.Tx) error { return rename(tx, "o") })
	if waited := time.Since(begun); err != nil || waited > 3*time.Second {
		t.Errorf("another writer waited for %v: %v", waited, err)
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("when it went on: %v", err)
	}
	var name string
	if err := other.QueryRow(t.Context(), "SELECT name FROM thing WHERE id = 1").Scan(&name); err != nil || name != "xofF" {
		t.Errorf("%q, %v: the frozen one's first attempt must be gone", name, err)
	}
}

// TestAway: a server that went away is unavailable, and comes back without anything being restarted.
func TestAway(t *testing.T) {
	url, proxy := through(t)
	db := open(t, url)
	proxy.Refuse(true)
	if err := db.Write(t.Context(), insert(t.Context(), 1)); !errors.Is(err, sqldb.ErrUnavailable) {
		t.Fatalf("while it was away: %v", err)
	}
	if _, err := db.Query(t.Context(), "SELECT 1"); !errors.Is(err, sqldb.ErrUnavailable) { //nolint:rowserrcheck,sqlclosecheck // there are no rows
		t.Fatalf("a read while it was away: %v", err)
	}
	proxy.Refuse(false)
	if err := db.Write(t.Context(), insert(t.Context(), 1)); err != nil {
		t.Fatalf("when it was back: %v", err)
	}
}

// TestRefusedConnections: a server that takes no connection is away, whatever it says why; one that ran out of space when it should make a file for it
// calls that an internal error.
func TestRefusedConnections(t *testing.T) {
	for code, want := range map[string]error{"XX000": sqldb.ErrUnavailable, "57P03": sqldb.ErrUnavailable, "53100": sqldb.ErrDiskFull} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var serving sync.WaitGroup
		serving.Go(func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				server := pgproto3.NewBackend(c, c)
				if _, err := server.ReceiveStartupMessage(); err == nil {
					server.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "could not write init file"})
					_ = server.Flush()
				}
				_ = c.Close()
			}
		})
		_, err = pgconn.Connect(t.Context(), "postgres://u@"+listener.Addr().String()+"/x?sslmode=disable")
		if got := sqldb.Classify(err); !errors.Is(got, want) {
			t.Errorf("%s: %v", code, got)
		}
		_ = listener.Close()
		serving.Wait()
	}
	if err := sqldb.Classify(&pgconn.PgError{Code: "XX000"}); errors.Is(err, sqldb.ErrUnavailable) {
		t.Errorf("of a statement: %v", err)
	}
}

// TestConflictsRunAgain: transactions that meet each other run until all have taken place.
func TestConflictsRunAgain(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := open(t, url)
		if err := db.Write(t.Context(), insert(t.Context(), 0)); err != nil {
			t.Fatal(err)
		}
		const writers, each = 4, 10
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					err := db.Write(t.Context(), func(tx *sql.Tx) error {
						if db.Dialect() == sqldb.Postgres {
							if _, err := tx.ExecContext(t.Context(), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
								return err
							}
						}
						_, err := tx.ExecContext(t.Context(), "UPDATE thing SET name = name || 'x' WHERE id = 0")
						return err
					})
					for errors.Is(err, sqldb.ErrConflict) { // eight tries were not enough: say so, and go on as a caller would
						err = db.Write(t.Context(), func(tx *sql.Tx) error {
							_, err := tx.ExecContext(t.Context(), "UPDATE thing SET name = name || 'x' WHERE id = 0")
							return err
						})
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var n int
		if err := db.QueryRow(t.Context(), "SELECT length(name) FROM thing WHERE id = 0").Scan(&n); err != nil || n != 1+writers*each {
			t.Fatalf("%d updates took place, want %d (%v)", n-1, writers*each, err)
		}
	})
}

// TestMigrateAtOnce: replicas that start together migrate once.
func TestMigrateAtOnce(t *testing.T) {
	url := meshtest.Postgres(t)
	more := fstest.MapFS{"00001_init.sql": tables["00001_init.sql"], "00002_more.sql": {Data: []byte("-- +goose Up\nALTER TABLE thing ADD COLUMN more TEXT;\n")}}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if err := db.Migrate(t.Context(), more); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, url := range []string{"", "mysql://x", "sqlite:", "sqlite::memory:", "sqlite:/proc/no/such/folder/x.db", "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable"} {
		db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
		if err == nil {
			_ = db.Close()
			t.Errorf("%q was opened", url)
			continue
		}
		if msg := err.Error(); strings.Contains(msg, "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
