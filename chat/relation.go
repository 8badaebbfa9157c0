package chat

import (
	"encoding/json"
	"fmt"
	"strings"

	"plenum.internal/mesh/sqldb"
)

// relation hands a set of tuples to a statement whose text doesn't depend on their number, so that one round trip serves a whole
// batch and statements stay prepared. PostgreSQL unnests arrays, SQLite reads JSON.
type relation struct {
	dialect sqldb.Dialect
	columns []column
}

type column struct {
	name string
	kind string // text, bigint or boolean
}

// rel declares a relation by its columns: rel(d, "ws text", "at bigint").
func rel(d sqldb.Dialect, columns ...string) *relation {
	r := &relation{dialect: d}
	for _, c := range columns {
		n, kind, _ := strings.Cut(c, " ")
		r.columns = append(r.columns, column{n, kind})
	}
	return r
}

// sql is the FROM item, named k; its parameters are the statement's first.
func (r *relation) sql() string {
	var parts, names []string
	for i, c := range r.columns {
		names = append(names, c.name)
		if r.dialect == sqldb.Postgres {
			parts = append(parts, fmt.Sprintf("$%d::%s[]", i+1, c.kind))
		} else {
			parts = append(parts, fmt.Sprintf("value ->> %d AS %s", i, c.name))
		}
	}
	if r.dialect == sqldb.Postgres {
		return fmt.Sprintf("unnest(%s) AS k(%s)", strings.Join(parts, ", "), strings.Join(names, ", "))
	}
	return fmt.Sprintf("(SELECT %s FROM json_each($1) LIMIT -1) AS k", strings.Join(parts, ", ")) // LIMIT: decode each tuple once
}

// args are the parameters for rows, whose values are string, int64 or bool, in the order of the columns.
func (r *relation) args(rows [][]any) []any {
	if r.dialect != sqldb.Postgres {
		if rows == nil {
			rows = [][]any{}
		}
		b, err := json.Marshal(rows)
		if err != nil {
			panic(err) // strings, integers and booleans can be encoded
		}
		return []any{string(b)}
	}
	args := make([]any, len(r.columns))
	for i, c := range r.columns {
		switch c.kind {
		case "text":
			args[i] = array[string](rows, i)
		case "boolean":
			args[i] = array[bool](rows, i)
		default:
			args[i] = array[int64](rows, i)
		}
	}
	return args
}

func array[T any](rows [][]any, i int) []T {
	out := make([]T, len(rows))
	for j, row := range rows {
		out[j], _ = row[i].(T)
	}
	return out
}
