package meshtest_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"plenum.internal/mesh/meshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// TestPostgresDies: with its settings, a server is killed and comes back on the same port with what was committed.
func TestPostgresDies(t *testing.T) {
	s := meshtest.StartPostgres(t, "wal_level=minimal", "max_wal_senders=0")
	db := open(t, meshtest.Database(t, s))
	var level string
	if err := db.QueryRowContext(t.Context(), "SHOW wal_level").Scan(&level); err != nil || level != "minimal" {
		t.Fatal(level, err)
	}
	exec(t, db, "CREATE TABLE thing (id INT)")
	for i, end := range []func(){s.Kill, s.Stop, s.Kill} {
		exec(t, db, fmt.Sprintf("INSERT INTO thing VALUES (%d)", i))
		end()
		eventually(t, "nothing answers", func() bool { return db.PingContext(t.Context()) != nil })
		s.Start(t)
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM thing").Scan(&n); err != nil || n != i+1 {
			t.Fatalf("%d rows after %d deaths: %v", n, i+1, err)
		}
	}
}

func TestFreshDatabases(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, dsn string) {
		if after, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
			if _, err := os.Stat(after); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("the file is there: %v", err)
			}
			return
		}
		exec(t, open(t, dsn), "CREATE TABLE thing (id INT)")
		exec(t, open(t, meshtest.Postgres(t)), "CREATE TABLE thing (id INT)")
	})
}

func TestNATSDies(t *testing.T) {
	s := meshtest.StartNATS(t)
	for _, end := range []func(){s.Kill, s.Stop} {
		conn, err := nats.Connect(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		end()
		if conn, err := nats.Connect(s.URL); err == nil {
			conn.Close()
			t.Fatal("it still answers")
		}
		s.Start(t)
	}
	s.Freeze()
	if conn, err := nats.Connect(s.URL, nats.Timeout(50*time.Millisecond)); err == nil {
		conn.Close()
		t.Fatal("it answers while it is frozen")
	}
	s.Thaw()
	conn, err := nats.Connect(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestNothingOutlivesACrash: the test's process is killed, and its servers go with it, their folder too.
func TestNothingOutlivesACrash(t *testing.T) {
	if meshtest.IsChild() {
		pg, n := meshtest.StartPostgres(t), meshtest.StartNATS(t)
		var data string
		if err := open(t, pg.URL).QueryRowContext(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
			t.Fatal(err)
		}
		fmt.Println("servers", pg.Addr, n.Addr, data)
		select {}
	}
	child := meshtest.StartChild(t, "TMPDIR="+tempDirForAll(t))
	line, ok := child.Line()
	var pg, n, data string
	if _, err := fmt.Sscanf(line, "servers %s %s %s", &pg, &n, &data); !ok || err != nil {
		stderr, _ := child.Wait()
		t.Fatalf("the child printed %q\n%s", line, stderr)
	}
	child.Kill()
	for _, addr := range []string{pg, n} {
		eventually(t, addr+" is gone", func() bool {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				_ = conn.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
	}
	eventually(t, data+" is gone", func() bool {
		_, err := os.Stat(filepath.Dir(data))
		return errors.Is(err, os.ErrNotExist)
	})
	if _, err := child.Wait(); err == nil {
		t.Error("the child ended well, although it was killed")
	}
}

// tempDirForAll is a folder that any user may enter, which takes what the killed child leaves.
func tempDirForAll(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "plenum-crash-") //nolint:usetesting // other users can't enter that
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// eventually waits for what another process does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 20 s: %s", what)
		}
	}
}

// echo is a server that answers every line with the same line.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestProxy(t *testing.T) {
	p := meshtest.StartProxy(t, echo(t))
	conn := dial(t, p)
	ask := func(wait time.Duration) error {
		_ = conn.SetDeadline(time.Now().Add(wait))
		if _, err := io.WriteString(conn, "hello\n"); err != nil {
			return err
		}
		_, err := bufio.NewReader(conn).ReadString('\n')
		return err
	}
	if err := ask(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	p.Delay(30 * time.Millisecond)
	if begun := time.Now(); ask(10*time.Second) != nil || time.Since(begun) < 60*time.Millisecond {
		t.Errorf("it came after %v, want 30 ms each way", time.Since(begun))
	}
	p.Delay(0)
	p.Stall(true)
	if err := ask(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while stalled: %v", err)
	}
	p.Stall(false)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "hello\n" {
		t.Errorf("what was held back came as %q, %v", line, err)
	}
	p.Cut()
	if err := ask(10 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the cut: %v", err)
	}
	p.Refuse(true)
	if conn = dial(t, p); ask(10*time.Second) == nil {
		t.Error("it passes although it refuses")
	}
	p.Refuse(false)
	if conn = dial(t, p); ask(10*time.Second) != nil {
		t.Error("it refuses although it passes")
	}
}

func dial(t *testing.T, p *meshtest.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestTrapAtCommit: rows that speak of a commit pass, COMMIT springs it, and the row tells on which side of the server.
func TestTrapAtCommit(t *testing.T) {
	for name, forward := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			direct := meshtest.Postgres(t)
			u, err := url.Parse(direct)
			if err != nil {
				t.Fatal(err)
			}
			p := meshtest.StartProxy(t, u.Host)
			u.Host = p.Addr
			db, through := open(t, direct), open(t, u.String())
			exec(t, db, "CREATE TABLE thing (name TEXT)")
			trap := meshtest.AtCommit(forward, 1)
			p.Set(trap)
			err = write(t.Context(), through, "commit", strings.Repeat("commit;", 50_000))
			if err == nil || trap.Sprung() != 1 {
				t.Fatalf("%v, the trap cut %d connections", err, trap.Sprung())
			}
			var n int
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM thing").Scan(&n); err != nil || n != map[bool]int{true: 2}[forward] {
				t.Fatalf("%d rows, %v", n, err)
			}
			if err := write(t.Context(), through, "more"); err != nil {
				t.Fatalf("the trap is gone: %v", err)
			}
		})
	}
}

func write(ctx context.Context, db *sql.DB, names ...string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, name := range names {
		if _, err := tx.ExecContext(ctx, "INSERT INTO thing VALUES ($1)", name); err != nil {
			return fmt.Errorf("insert: %w", err)
		}
	}
	return tx.Commit()
}
