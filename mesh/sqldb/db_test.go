package sqldb_test

import (
	"database/sql"
	"errors"
	"testing"
	"testing/fstest"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
)

var tables = fstest.MapFS{"00001_init.sql": {Data: []byte("-- +goose Up\nCREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT NOT NULL);\n")}}

func open(t *testing.T, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestWrite(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := open(t, url)
		insert := func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO thing (id, name) VALUES ($1, $2)", 1, "one")
			return err
		}
		if err := db.Write(t.Context(), insert); err != nil {
			t.Fatal(err)
		}
		if err := db.Write(t.Context(), insert); !errors.Is(err, sqldb.ErrUniqueViolation) {
			t.Fatalf("second insert: %v", err)
		}
		var name string
		if err := db.QueryRow(t.Context(), "SELECT name FROM thing WHERE id = $1", 1).Scan(&name); err != nil || name != "one" {
			t.Fatal(name, err)
		}
	})
}
