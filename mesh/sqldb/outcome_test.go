package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
)

func count(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM thing").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDeadline: a deadline that ends before COMMIT is a definite answer, one that ends in it isn't.
func TestDeadline(t *testing.T) {
	url, proxy := through(t)
	db := open(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := db.Write(ctx, func(tx *sql.Tx) error {
		if err := insert(ctx, 1)(tx); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sqldb.ErrUnknownOutcome) {
		t.Errorf("before COMMIT: %v", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows of a transaction that did not take place", n)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = db.Write(ctx, func(tx *sql.Tx) error {
		err := insert(ctx, 1)(tx)
		proxy.Stall(true) // the network swallows COMMIT
		return err
	})
	proxy.Stall(false)
	if !errors.Is(err, sqldb.ErrUnknownOutcome) {
		t.Errorf("in COMMIT: %v", err)
	}
}

// TestBrokenBeforeCommit: a connection that breaks in the middle of a transaction, or in the pool, is replaced, and the caller
// hears nothing of it.
func TestBrokenBeforeCommit(t *testing.T) {
	url, proxy := through(t)
	db := open(t, url)
	runs := 0
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		if runs++; runs == 1 {
			proxy.Cut()
		}
		return insert(t.Context(), 1)(tx)
	})
	if err != nil || runs != 2 || count(t, db) != 1 {
		t.Errorf("%v after %d runs", err, runs)
	}
	proxy.Cut()
	if err := db.Write(t.Context(), insert(t.Context(), 2)); err != nil || count(t, db) != 2 {
		t.Errorf("with broken connections in the pool: %v", err)
	}
	proxy.Cut()
	rows, err := db.Query(t.Context(), "SELECT id FROM thing")
	if err != nil {
		t.Fatalf("a read with broken connections in the pool: %v", err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil || n != 2 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// TestServerDies: PostgreSQL is killed and started again under an open DB.
func TestServerDies(t *testing.T) {
	server := meshtest.StartPostgres(t)
	db := open(t, meshtest.Database(t, server))
	if err := db.Write(t.Context(), insert(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	id := 1
	var err error
	for err == nil { // PostgreSQL's process of a connection outlives its master by a moment
		id++
		err = db.Write(ctx, insert(ctx, id))
	}
	if !errors.Is(err, sqldb.ErrUnavailable) && !errors.Is(err, sqldb.ErrUnknownOutcome) {
		t.Errorf("while it was dead: %v", err)
	}
	server.Start(t)
	if n := count(t, db); n < id-1 {
		t.Errorf("%d rows of %d that were acknowledged", n, id-1)
	}
	if err := db.Write(t.Context(), insert(t.Context(), id+1)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestDiskFull: writes are refused, reads go on, and nothing needs a restart when there is room. SQLite meets the end of the
// pages that it may have; PostgreSQL raises the condition, in a statement and at COMMIT, for a full disk needs one of its own.
func TestDiskFull(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		db := open(t, meshtest.SQLite(t))
		limit := func(pages string) func(*sql.Tx) error {
			return func(tx *sql.Tx) error {
				var n int
				return tx.QueryRowContext(t.Context(), "PRAGMA max_page_count = "+pages).Scan(&n)
			}
		}
		if err := errors.Join(db.Write(t.Context(), insert(t.Context(), 1)), db.Write(t.Context(), limit("1"))); err != nil {
			t.Fatal(err)
		}
		big := func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO thing (id, name) VALUES (2, $1)", strings.Repeat("x", 1<<20))
			return err
		}
		if err := db.Write(t.Context(), big); !errors.Is(err, sqldb.ErrDiskFull) {
			t.Errorf("without room: %v", err)
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows", n)
		}
		if err := errors.Join(db.Write(t.Context(), limit("1000000")), db.Write(t.Context(), big)); err != nil {
			t.Errorf("with room: %v", err)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		db := open(t, meshtest.Postgres(t))
		exec := func(statement string) error {
			return db.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), statement)
				return err
			})
		}
		if err := exec("DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$"); !errors.Is(err, sqldb.ErrDiskFull) {
			t.Errorf("in a statement: %v", err)
		}
		for _, statement := range []string{
			"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$",
			"CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON thing INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION full_disk()",
		} {
			if err := exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		err := db.Write(t.Context(), insert(t.Context(), 1))
		if !errors.Is(err, sqldb.ErrDiskFull) || errors.Is(err, sqldb.ErrUnknownOutcome) {
			t.Errorf("at COMMIT: %v", err)
		}
		if err := errors.Join(exec("DROP TRIGGER full_disk ON thing"), db.Write(t.Context(), insert(t.Context(), 1))); err != nil {
			t.Errorf("with room: %v", err)
		}
	})
}

// TestSwallowedError: PostgreSQL rolls a transaction back whose failed statement was overlooked, and says so: that is known.
func TestSwallowedError(t *testing.T) {
	db := open(t, meshtest.Postgres(t))
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, _ = tx.ExecContext(t.Context(), "INSERT INTO nowhere VALUES (1)")
		return nil
	})
	if err == nil || errors.Is(err, sqldb.ErrUnknownOutcome) {
		t.Errorf("%v", err)
	}
}

func TestPanicRollsBack(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := open(t, url)
		func() {
			defer func() { _ = recover() }()
			_ = db.Write(t.Context(), func(tx *sql.Tx) error {
				_ = insert(t.Context(), 1)(tx)
				panic("in the middle")
			})
		}()
		if err := db.Write(t.Context(), insert(t.Context(), 2)); err != nil || count(t, db) != 1 {
			t.Errorf("%v, %d rows", err, count(t, db))
		}
	})
}

func TestReadersCannotWrite(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := open(t, url)
		var id int
		if err := db.QueryRow(t.Context(), "INSERT INTO thing (id, name) VALUES (1, 'x') RETURNING id").Scan(&id); err == nil {
			t.Error("a reader wrote")
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestOneConnection: with the fewest connections migrations and transactions still work.
func TestOneConnection(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url, MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for range 2 {
			if err := db.Migrate(ctx, tables); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Write(ctx, insert(ctx, 1)); err != nil || count(t, db) != 1 {
			t.Fatal(err)
		}
	})
}

// TestMigrationsByDialect: a folder named after the engine wins over the root; a migration that fails says which.
func TestMigrationsByDialect(t *testing.T) {
	up := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte("-- +goose Up\n" + s + "\n")} }
	both := fstest.MapFS{
		"sqlite/00001_init.sql":   up("CREATE TABLE thing (id INTEGER PRIMARY KEY, engine TEXT DEFAULT 'sqlite');"),
		"postgres/00001_init.sql": up("CREATE TABLE thing (id BIGINT PRIMARY KEY, engine TEXT DEFAULT 'postgres');"),
	}
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Migrate(t.Context(), both); err != nil {
			t.Fatal(err)
		}
		var engine string
		err = db.Write(t.Context(), func(tx *sql.Tx) error {
			return tx.QueryRowContext(t.Context(), "INSERT INTO thing (id) VALUES (1) RETURNING engine").Scan(&engine)
		})
		if err != nil || engine != db.Dialect().String() {
			t.Errorf("%q, %v", engine, err)
		}
		wrong := fstest.MapFS{db.Dialect().String() + "/00002_wrong.sql": up("CREATE TABLE other (id INTEGER); CREATE NONSENSE;")}
		wrong[db.Dialect().String()+"/00001_init.sql"] = both[db.Dialect().String()+"/00001_init.sql"]
		if err := db.Migrate(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "00002_wrong.sql") {
			t.Errorf("%v, want the name of the migration", err)
		}
		if err := db.QueryRow(t.Context(), "SELECT id FROM other").Err(); err == nil {
			t.Error("half of a migration took place")
		}
	})
}

func TestOddPath(t *testing.T) {
	u := "sqlite:" + t.TempDir() + "/a b%20?c#d&_pragma=x.db"
	db := open(t, u)
	if err := db.Write(t.Context(), insert(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, open(t, u)); n != 1 {
		t.Errorf("%d rows in the file when opened again", n)
	}
}

// TestManyRows: the statements that the package's doc advises, with NULLs and bytes.
func TestManyRows(t *testing.T) {
	schema := fstest.MapFS{
		"sqlite/1_init.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE file (id INTEGER PRIMARY KEY, name TEXT, body BLOB);\n")},
		"postgres/1_init.sql": {Data: []byte("-- +goose Up\nCREATE TABLE file (id BIGINT PRIMARY KEY, name TEXT, body BYTEA);\n")},
	}
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Migrate(t.Context(), schema); err != nil {
			t.Fatal(err)
		}
		name := "one"
		err = db.Write(t.Context(), func(tx *sql.Tx) error {
			var err error
			if db.Dialect() == sqldb.Postgres {
				_, err = tx.ExecContext(t.Context(), "INSERT INTO file (id, name, body) SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])",
					[]int64{1, 2, 3}, []*string{&name, nil, &name}, [][]byte{{0, 255}, nil, {}})
			} else {
				_, err = tx.ExecContext(t.Context(), "INSERT INTO file (id, name, body) VALUES ($1, $2, $3), ($4, $5, $6), ($7, $8, $9)",
					1, name, []byte{0, 255}, 2, nil, nil, 3, name, []byte{})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		byID, arg := "SELECT count(*) FROM file WHERE id = ANY($1)", any([]int64{1, 2, 9})
		byBody, bodies := "SELECT count(*) FROM file WHERE body = ANY($1)", any([][]byte{{0, 255}})
		if db.Dialect() == sqldb.SQLite {
			byID, arg = "SELECT count(*) FROM file WHERE id IN (SELECT value FROM json_each($1))", "[1,2,9]"
			byBody, bodies = "SELECT count(*) FROM file WHERE body IN (SELECT unhex(value) FROM json_each($1))", `["00ff"]`
		}
		var n, m, nulls int
		err = errors.Join(db.QueryRow(t.Context(), byID, arg).Scan(&n), db.QueryRow(t.Context(), byBody, bodies).Scan(&m),
			db.QueryRow(t.Context(), "SELECT count(*) FROM file WHERE name IS NULL AND body IS NULL").Scan(&nulls))
		if err != nil || n != 2 || m != 1 || nulls != 1 {
			t.Errorf("%d, %d and %d rows: %v", n, m, nulls, err)
		}
	})
}
