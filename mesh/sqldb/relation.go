package sqldb

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Relation hands a set of rows to a statement whose text doesn't depend on their number, so that one round trip serves a whole batch
// and the statement stays prepared: PostgreSQL unnests an array for each column, SQLite reads JSON.
type Relation struct {
	dialect Dialect
	columns []column
}

type column struct {
	name, kind string
}

// NewRelation declares a relation by its columns, each a name and one of the types text, integer, bigint and boolean:
// NewRelation(d, "id text", "at bigint").
func NewRelation(d Dialect, columns ...string) Relation {
	r := Relation{dialect: d}
	for _, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		r.columns = append(r.columns, column{name, kind})
	}
	return r
}

// SQL returns the FROM item, named k. Its parameters are the statement's first: one on SQLite, one for each column on PostgreSQL.
func (r Relation) SQL() string {
	var from, names []string
	for i, c := range r.columns {
		names = append(names, c.name)
		if r.dialect == Postgres {
			from = append(from, fmt.Sprintf("$%d::%s[]", i+1, c.kind))
		} else {
			from = append(from, fmt.Sprintf("value ->> %d AS %s", i, c.name))
		}
	}
	if r.dialect == Postgres {
		return fmt.Sprintf("unnest(%s) AS k(%s)", strings.Join(from, ", "), strings.Join(names, ", "))
	}
	return fmt.Sprintf("(SELECT %s FROM json_each($1) LIMIT -1) AS k", strings.Join(from, ", ")) // LIMIT: decode each row once
}

// Lookup returns the join, INNER or LEFT, of the one row of table that on finds by a unique index to each row in front of it. A
// busy statement must look each of its keys up by the index, whatever PostgreSQL believes about the size of a table that was empty
// when it last looked: a plain join may read the whole table instead.
func (r Relation) Lookup(kind, table, alias, on string) string {
	if r.dialect == Postgres {
		return fmt.Sprintf("%s JOIN LATERAL (SELECT * FROM %s %s WHERE %s LIMIT 1) %s ON true", kind, table, alias, on, alias)
	}
	if kind == "INNER" {
		kind = "CROSS" // SQLite keeps the order of such a join
	}
	return fmt.Sprintf("%s JOIN %s %s ON %s", kind, table, alias, on)
}

// Args returns the parameters for rows, whose values are string, int64 or bool, as the columns are declared. It panics on a value of
// another type: that is a mistake in the program, which the engines would take differently.
func (r Relation) Args(rows [][]any) []any {
	for _, row := range rows {
		for i, c := range r.columns {
			if !c.holds(row[i]) {
				panic(fmt.Sprintf("sqldb: a %T in the column %s of a relation, which is %s", row[i], c.name, c.kind))
			}
		}
	}
	if r.dialect != Postgres {
		if rows == nil {
			rows = [][]any{} // null would be one row
		}
		b, err := json.Marshal(rows)
		if err != nil {
			panic(fmt.Sprintf("sqldb: encode the rows of a relation: %v", err)) // strings, integers and booleans can be encoded
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

func (c column) holds(v any) bool {
	switch v.(type) {
	case string:
		return c.kind == "text"
	case bool:
		return c.kind == "boolean"
	case int64:
		return c.kind == "bigint" || c.kind == "integer"
	default:
		return false
	}
}

// array is column i of rows, all of which hold a T there.
func array[T any](rows [][]any, i int) []T {
	values := make([]T, len(rows))
	for j, row := range rows {
		values[j], _ = row[i].(T)
	}
	return values
}
