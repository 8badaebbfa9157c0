package topic

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"plenum.internal/mesh/sqldb"
)

// insert writes len(values[0]) rows with as few statements as the engine allows: PostgreSQL unnests one array for each column, so
// that the text doesn't depend on the number of rows and stays prepared; SQLite takes chunks of VALUES. values is by column.
func insert(ctx context.Context, tx *sql.Tx, d sqldb.Dialect, table string, columns []Column, values [][]any, suffix string) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	into := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") "
	n := len(values[0])
	if n == 0 {
		return nil
	}
	if d == sqldb.Postgres {
		args := make([]any, len(columns))
		from := make([]string, len(columns))
		for i, c := range columns {
			var err error
			if args[i], err = array(c.Type, values[i]); err != nil {
				return err
			}
			from[i] = "$" + strconv.Itoa(i+1) + "::" + arrayType[c.Type]
		}
		// WHERE true keeps "ON CONFLICT" from being read as part of a join.
		_, err := tx.ExecContext(ctx, into+"SELECT * FROM unnest("+strings.Join(from, ", ")+") AS r WHERE true "+suffix, args...)
		if err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
		return nil
	}
	for at := 0; at < n; {
		chunk := sqliteChunk(n - at)
		args := make([]any, 0, chunk*len(columns))
		for row := at; row < at+chunk; row++ {
			for i := range columns {
				args = append(args, values[i][row])
			}
		}
		if _, err := tx.ExecContext(ctx, into+"VALUES "+tuples(chunk, len(columns))+" "+suffix, args...); err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
		at += chunk
	}
	return nil
}

// sqliteChunk keeps the number of different statements small.
func sqliteChunk(left int) int {
	for _, n := range []int{64, 16, 4} {
		if left >= n {
			return n
		}
	}
	return 1
}

func tuples(rows, columns int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
	return strings.TrimSuffix(strings.Repeat(one+",", rows), ",")
}

// array gives the driver a slice of one type; a null becomes a nil pointer or slice.
func array(kind string, values []any) (any, error) {
	switch kind {
	case "bytea":
		a := make([][]byte, len(values))
		for i, v := range values {
			b, ok := v.([]byte)
			if !ok && v != nil {
				return nil, fmt.Errorf("topic: %T for a column of bytea", v)
			}
			a[i] = b
		}
		return a, nil
	case "text":
		return slice[string](values)
	case "boolean":
		return slice[bool](values)
	default:
		return slice[int64](values)
	}
}

// slice is one of T where there is no null, which costs no pointer for each value.
func slice[T any](values []any) (any, error) {
	plain := make([]T, len(values))
	for i, v := range values {
		t, ok := v.(T)
		if !ok {
			break
		}
		plain[i] = t
		if i == len(values)-1 {
			return plain, nil
		}
	}
	a := make([]*T, len(values))
	for i, v := range values {
		if t, ok := v.(T); ok {
			a[i] = &t
		} else if v != nil {
			return nil, fmt.Errorf("topic: %T for a column of %T", v, t)
		}
	}
	return a, nil
}

// statements are the texts that name the log's tables.
type statements struct {
	check, lock, newest, keys   string
	topics                      string
	partitions                  string
	erase, eraseRun, sizes      string
	tail, follow, heads, lookup string

	clientRows sqldb.Relation // of newest
	keyRows    sqldb.Relation // of keys
	topicRows  sqldb.Relation // of topics
	offsetRows sqldb.Relation // of erase
}

const (
	topicColumns = "t.workspace, t.topic, t.partition, t.epoch, t.head, t.count, t.calls, t.floor, t.redacted, t.position"
	logColumns   = `l.workspace, l.topic, l.epoch, l."offset", l.position, l.time_ms, l.mutation, l.body, l.envelope, l.count, l.calls`
)

func newStatements(s Schema, d sqldb.Dialect) statements {
	client := func(a string) string {
		return strings.ReplaceAll("A.partition = k.partition AND A.workspace = k.workspace AND A.user_id = k.user_id AND A.client_id = k.client_id",
			"A.", a+".")
	}
	lock := "SELECT partition, epoch, position, writer FROM " + s.table("partition") + " WHERE partition IN (SELECT value FROM json_each($1)) ORDER BY partition"
	if d == sqldb.Postgres {
		lock = "SELECT partition, epoch, position, writer FROM " + s.table("partition") + " WHERE partition = ANY($1::integer[]) ORDER BY partition FOR UPDATE"
	}
	columns := make([]string, 0, len(prescribed)+len(s.Extra))
	for _, c := range append(prescribed[:len(prescribed):len(prescribed)], s.Extra...) {
		columns = append(columns, c.Name)
	}
	named := "workspace = $1 AND topic = $2"
	behind := named + ` AND "offset" > $3 AND "offset" <= $4`
	holds := "(body IS NOT NULL OR salt IS NOT NULL OR digest IS NOT NULL)"
	clientRows := sqldb.NewRelation(d, "i bigint", "partition integer", "workspace text", "user_id text", "client_id text")
	keyRows := sqldb.NewRelation(d, "i bigint", "partition integer", "workspace text", "user_id text", "client_id text", "client_seq bigint")
	topicRows := sqldb.NewRelation(d, "workspace text", "topic text")
	offsetRows := sqldb.NewRelation(d, "at bigint")
	return statements{
		clientRows: clientRows, keyRows: keyRows, topicRows: topicRows, offsetRows: offsetRows,
		check:      "SELECT " + strings.Join(columns, ", ") + " FROM " + s.table("log") + " WHERE partition < 0",
		lock:       lock,
		partitions: "SELECT partition, epoch, position, pruned FROM " + s.table("partition") + " ORDER BY partition",
		newest: "SELECT k.i," +
			" coalesce((SELECT l.client_seq FROM " + s.table("log") + " l WHERE " + client("l") + " ORDER BY l.client_seq DESC LIMIT 1), 0)," +
			" coalesce((SELECT n.client_seq FROM " + s.table("key") + " n WHERE " + client("n") + " ORDER BY n.client_seq DESC LIMIT 1), 0)," +
			" coalesce((SELECT c.floor FROM " + s.table("client") + " c WHERE " + client("c") + "), 0) FROM " + clientRows.SQL(),
		keys: "SELECT k.i, l.partition IS NOT NULL OR n.partition IS NOT NULL, coalesce(l.digest, n.digest), coalesce(l.salt, n.salt)," +
			" coalesce(l.answer, n.answer) FROM " + keyRows.SQL() +
			" " + keyRows.Lookup("LEFT", s.table("log"), "l", client("l")+" AND l.client_seq = k.client_seq") +
			" " + keyRows.Lookup("LEFT", s.table("key"), "n", client("n")+" AND n.client_seq = k.client_seq") +
			" " + keyRows.Lookup("LEFT", s.table("client"), "c", client("c")) +
			" WHERE l.partition IS NOT NULL OR n.partition IS NOT NULL OR c.floor >= k.client_seq",
		topics: "SELECT " + topicColumns + " FROM " + topicRows.SQL() + " " +
			topicRows.Lookup("INNER", s.table("topic"), "t", "t.workspace = k.workspace AND t.topic = k.topic"),
		erase: "UPDATE " + s.table("log") + " SET body = NULL, salt = NULL, digest = NULL WHERE workspace = $2 AND topic = $3" +
			` AND "offset" IN (SELECT at FROM ` + offsetRows.SQL() + ")",
		eraseRun: "UPDATE " + s.table("log") + " SET body = NULL, salt = NULL, digest = NULL WHERE " + behind + " AND " + holds,
		sizes:    `SELECT "offset", coalesce(length(body), 0) FROM ` + s.table("log") + " WHERE " + behind + " AND " + holds + ` ORDER BY "offset"`,
		lookup:   "SELECT " + topicColumns + " FROM " + s.table("topic") + " t WHERE " + named,
		tail:     "SELECT " + logColumns + " FROM " + s.table("log") + " l WHERE " + behind + ` ORDER BY "offset"`,
		follow:   "SELECT " + logColumns + " FROM " + s.table("log") + " l WHERE partition = $1 AND position > $2 ORDER BY position LIMIT $3",
		heads:    movedStatement(d, topicColumns, s.table("topic")),
	}
}

// marksRelation is what movedStatement compares with: a position for each partition that is looked at.
func marksRelation(d sqldb.Dialect) sqldb.Relation {
	return sqldb.NewRelation(d, "partition integer", "position bigint")
}

// movedStatement reads the topics of a table that moved since positions; it takes a further condition and a limit.
func movedStatement(d sqldb.Dialect, columns, table string) string {
	return "SELECT " + columns + " FROM " + marksRelation(d).SQL() + " JOIN " + table +
		" t ON t.partition = k.partition AND t.position > k.position WHERE true%s ORDER BY t.partition, t.position LIMIT %d"
}

// each runs f for every row of a query.
func each(rows *sql.Rows, err error) func(f func(*sql.Rows) error) error {
	return func(f func(*sql.Rows) error) error {
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			if err := f(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}
