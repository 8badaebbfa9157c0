package meshtest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// postgresBin is where Debian's package puts the server's programs.
const postgresBin = "/usr/lib/postgresql/15/bin"

// Databases runs test against each engine, as a subtest with a fresh database of its own.
func Databases(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite returns the URL of a new SQLite file, which goes with the test.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
}

// Postgres returns the URL of a new, empty database on a PostgreSQL server that the whole test process shares. The
// server is started by the first call, writes with fsync, and ends with the process, however that ends. A test that
// kills its server, or wants other settings, has one of its own: StartPostgres.
func Postgres(t testing.TB) string {
	t.Helper()
	s, err := sharedPostgres()
	if err != nil {
		t.Fatal(err)
	}
	return Database(t, s)
}

// Database returns the URL of a new, empty database on a PostgreSQL server, which goes with the test.
func Database(t testing.TB, s *Server) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	admin := func(ctx context.Context, statement string) error {
		db, err := sql.Open("pgx", s.URL)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, statement)
		return err
	}
	if err := admin(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() { _ = admin(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)") }) // the server may be dead
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

var (
	databases      atomic.Int64
	sharedPostgres = sync.OnceValues(func() (*Server, error) { return startPostgres(nil) })
)

// StartPostgres starts a PostgreSQL server of the test's own, which ends with the test; settings are as "fsync=off".
func StartPostgres(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := startPostgres(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(s.rm)
	})
	return s
}

func startPostgres(settings []string) (*Server, error) {
	cred, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "plenum-pg-") // not in a test's own folder, which other users can't enter
	if err != nil {
		return nil, err
	}
	if cred != nil {
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(postgresBin, "initdb"), "-D", data, "-U", "plenum", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	initdb.Dir = "/"
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb (is Debian's package postgresql-15 installed?): %w\n%s", err, out)
	}
	s := &Server{cred: cred, log: filepath.Join(dir, "log"), rm: dir, quit: syscall.SIGINT}
	s.ready = func() error {
		db, err := sql.Open("pgx", s.URL)
		if err != nil {
			return err
		}
		defer db.Close()
		return db.Ping()
	}
	settings = append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300",
		"shared_buffers=256MB", "max_wal_size=4GB", "log_min_messages=warning"}, settings...)
	err = s.begin(func(port int) {
		s.Addr = fmt.Sprintf("127.0.0.1:%d", port)
		u := url.URL{Scheme: "postgres", User: url.User("plenum"), Host: s.Addr, Path: "/postgres", RawQuery: "sslmode=disable"}
		s.URL = u.String()
		s.args = []string{filepath.Join(postgresBin, "postgres"), "-D", data, "-p", strconv.Itoa(port)}
		for _, setting := range settings {
			s.args = append(s.args, "-c", setting)
		}
	})
	return s, err
}

// unprivileged returns the user that PostgreSQL is to run as: nobody else where this process is not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root and there is no user 'postgres' or 'nobody'")
}
