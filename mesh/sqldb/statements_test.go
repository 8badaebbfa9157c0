package sqldb

import (
	"context"
	"database/sql"
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
	open := func() *sql.Rows {
		t.Helper()
		rows, err := conn.QueryContext(t.Context(), "SELECT * FROM a ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	exec("CREATE TABLE a (n INTEGER)")
	exec("INSERT INTO a VALUES (1), (2)")
	before := idle()

	one, two := open(), open()
	var n int
	for _, rows := range []*sql.Rows{one, two} {
		for want := 1; want <= 2; want++ {
			if !rows.Next() || rows.Scan(&n) != nil || n != want {
				t.Fatalf("row %d is %d, %v", want, n, rows.Err())
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := idle(); got != before+1 {
		t.Fatalf("%d statements are kept, want %d", got, before+1)
	}
	exec("ALTER TABLE a ADD COLUMN m INTEGER DEFAULT 7")
	rows := open()
	if cols, err := rows.Columns(); err != nil || len(cols) != 2 || !rows.Next() {
		t.Fatalf("after the change: %v, %v", cols, err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
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
