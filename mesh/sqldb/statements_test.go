package sqldb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A file is private. A connection keeps what it compiled, compiles a text twice that is in use twice, keeps no more than its bound, and goes on after the
// schema changed under a kept statement.
func TestStatementsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept.db")
	db, err := Open(t.Context(), Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	conn, err := db.write.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	idle := func() (n int) {
		if err := conn.Raw(func(c any) error { n = c.(*keepingConn).idle.Len(); return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	exec := func(text string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	read := func(columns int, between func()) {
		t.Helper()
		rows, err := conn.QueryContext(t.Context(), "SELECT * FROM a ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if names, err := rows.Columns(); err != nil || len(names) != columns {
			t.Fatalf("columns %v, %v", names, err)
		}
		n := 0
		for rows.Next() {
			n++
			between()
		}
		if err := rows.Err(); err != nil || n != 2 {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
	exec("CREATE TABLE a (n INTEGER)")
	exec("INSERT INTO a VALUES (1), (2)")
	before := idle()

	read(1, func() { read(1, func() {}) })
	if got := idle(); got != before+1 {
		t.Fatalf("%d statements are kept, want %d", got, before+1)
	}
	exec("ALTER TABLE a ADD COLUMN m INTEGER DEFAULT 7")
	read(2, func() {})
	for i := range 2 * keptStatements {
		exec(fmt.Sprintf("UPDATE a SET n = n WHERE n = %d", -i))
	}
	if got := idle(); got != keptStatements {
		t.Fatalf("%d statements are kept, the bound is %d", got, keptStatements)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkQueryRow(b *testing.B) {
	db, err := Open(b.Context(), Config{URL: "sqlite:" + filepath.Join(b.TempDir(), "bench.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var n int
	for b.Loop() {
		if err := db.QueryRow(context.Background(), "SELECT count(*) FROM sqlite_schema WHERE name = $1 AND type IN ('table', 'index')", "a").Scan(&n); err != nil {
			b.Fatal(err)
		}
	}
}
