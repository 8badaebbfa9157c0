package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
)

// A copy that is made while another process writes holds one moment: of two rows that belong together, both or neither.
func TestCopyWhileOthersWrite(t *testing.T) {
	url := meshtest.SQLite(t)
	theirs := open(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for i := int64(0); ctx.Err() == nil; i += 2 {
			err := theirs.Write(ctx, func(tx *sql.Tx) error {
				for _, id := range []int64{i, i + 1} {
					if _, err := tx.ExecContext(ctx, "INSERT INTO thing (id, name) VALUES ($1, 'x')", id); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil && ctx.Err() == nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	ours, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	most := 0
	for i := range 20 {
		path := filepath.Join(t.TempDir(), "copy.db")
		if err := ours.CopyTo(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy: %v, %v", info, err)
		}
		copied, err := sqldb.Open(t.Context(), sqldb.Config{URL: "sqlite:" + path})
		if err != nil {
			t.Fatal(err)
		}
		var n, last int
		if err := copied.QueryRow(t.Context(), "SELECT count(*), coalesce(max(id), -1) FROM thing").Scan(&n, &last); err != nil {
			t.Fatal(err)
		}
		if n%2 != 0 || last != n-1 {
			t.Errorf("copy %d has %d rows up to %d", i, n, last)
		}
		most = max(most, n)
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
		if err := ours.CopyTo(t.Context(), path); err == nil {
			t.Error("a copy was written over")
		}
	}
	cancel()
	if err := <-ended; err != nil || most == 0 {
		t.Errorf("%d rows at the most, %v", most, err)
	}
}

func TestAlone(t *testing.T) {
	url := meshtest.Postgres(t)
	ours, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	for range 3 {
		if err := ours.Alone(t.Context()); err != nil {
			t.Errorf("alone: %v", err)
		}
	}
	theirs, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if err := ours.Alone(t.Context()); !errors.Is(err, sqldb.ErrInUse) {
		t.Errorf("with another process: %v", err)
	}
	if err := ours.CopyTo(t.Context(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a copy of PostgreSQL: %v", err)
	}
}
