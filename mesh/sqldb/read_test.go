package sqldb_test

import (
	"database/sql"
	"errors"
	"testing"

	"plenum.internal/mesh/meshtest"
)

func countIn(t *testing.T, tx *sql.Tx) (n int) {
	t.Helper()
	if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM thing").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReadIsOfOneState: what is committed between two statements is seen by neither, it is not held up by them, and none writes.
func TestReadIsOfOneState(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := open(t, url)
		refusal := errors.New("refused")
		err := db.Read(t.Context(), func(tx *sql.Tx) error {
			before := countIn(t, tx)
			if err := db.Write(t.Context(), insert(t.Context(), 1)); err != nil {
				t.Fatal(err)
			}
			if after := countIn(t, tx); before != 0 || after != 0 {
				t.Errorf("%d rows, then %d", before, after)
			}
			if err := insert(t.Context(), 2)(tx); err == nil {
				t.Error("a read wrote")
			}
			return refusal
		})
		if !errors.Is(err, refusal) || count(t, db) != 1 {
			t.Errorf("%v, %d rows", err, count(t, db))
		}
	})
}

func TestReadOnABrokenConnection(t *testing.T) {
	url, proxy := through(t)
	db := open(t, url)
	runs, n := 0, -1
	err := db.Read(t.Context(), func(tx *sql.Tx) error {
		if runs++; runs == 1 {
			proxy.Cut()
		}
		return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM thing").Scan(&n)
	})
	if err != nil || runs != 2 || n != 0 {
		t.Errorf("%v after %d runs, %d rows", err, runs, n)
	}
}
