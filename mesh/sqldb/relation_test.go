package sqldb_test

import (
	"fmt"
	"slices"
	"testing"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
)

func TestRelation(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := open(t, url)
		r := sqldb.NewRelation(db.Dialect(), "name text", "part integer", "at bigint", "seen boolean")
		for _, rows := range [][][]any{
			nil,
			{{"", int64(0), int64(0), false}},
			{{"Grüße, \"'\\\n", int64(63), int64(1<<53 - 1), true}, {"", int64(0), int64(-1), false}, {"", int64(0), int64(-1), false}},
		} {
			got := [][]any{}
			args := r.Args(rows)
			text := fmt.Sprintf("SELECT k.name, k.part, k.at, k.seen FROM %s WHERE k.at < $%d", r.SQL(), len(args)+1)
			found, err := db.Query(t.Context(), text, append(args, int64(1<<53))...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = found.Close() }()
			for found.Next() {
				var name string
				var part, at int64
				var seen bool
				if err := found.Scan(&name, &part, &at, &seen); err != nil {
					t.Fatal(err)
				}
				got = append(got, []any{name, part, at, seen})
			}
			if err := found.Err(); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(got, rows, slices.Equal) {
				t.Errorf("%v, want %v", got, rows)
			}
		}
	})
}

// A value that PostgreSQL would refuse or SQLite would compare as another type is refused by both.
func TestRelationRefusesOtherTypes(t *testing.T) {
	for _, d := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		for kind, value := range map[string]any{"text": int64(1), "bigint": 1, "integer": "1", "boolean": nil} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%v: a column of %s takes %T", d, kind, value)
					}
				}()
				sqldb.NewRelation(d, "a "+kind).Args([][]any{{value}})
			}()
		}
	}
}
