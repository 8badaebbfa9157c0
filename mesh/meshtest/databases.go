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
	"time"

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
// server is started by the first call, writes with fsync, and ends with the process, however that ends.
func Postgres(t testing.TB) string {
	t.Helper()
	base, err := sharedPostgres()
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	admin, err := sql.Open("pgx", base.String())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() {
		admin, err := sql.Open("pgx", base.String())
		if err != nil {
			return
		}
		defer admin.Close()
		_, _ = admin.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
	})
	u := *base
	u.Path = "/" + name
	return u.String()
}

var (
	databases      atomic.Int64
	sharedPostgres = sync.OnceValues(func() (*url.URL, error) {
		dir, err := os.MkdirTemp("", "plenum-pg-")
		if err != nil {
			return nil, err
		}
		return startPostgres(dir)
	})
)

func startPostgres(dir string) (*url.URL, error) {
	cred, err := unprivileged()
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
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// The shell outlives this process by a moment: when its input ends, it stops the server and removes the folder.
	script := `"$@" & pid=$!; while read _; do :; done; kill -QUIT $pid; wait $pid; rm -rf "` + dir + `"`
	cmd := exec.Command("sh", "-c", script, "sh", filepath.Join(postgresBin, "postgres"), "-D", data, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300", "-c", "shared_buffers=256MB",
		"-c", "max_wal_size=4GB", "-c", "log_min_messages=warning")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	if _, err := cmd.StdinPipe(); err != nil { // held open until this process ends
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	base := &url.URL{Scheme: "postgres", User: url.User("plenum"), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/postgres", RawQuery: "sslmode=disable"}
	keepStdin = append(keepStdin, cmd)
	return base, awaitPostgres(base.String(), log.Name())
}

// keepStdin holds the commands whose input pipe must stay open: a finalizer would close it.
var keepStdin []*exec.Cmd

func awaitPostgres(dsn, log string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := db.Ping()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log)
			return fmt.Errorf("not ready after 30 s: %w\n%s", err, said)
		}
		time.Sleep(20 * time.Millisecond)
	}
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
