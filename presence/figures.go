package presence

import (
	"context"
	"database/sql"
	"strconv"

	"plenum.internal/mesh/sqldb"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// figures are the statements by which analytics are computed, for an engine. A record counts for the day on which it began, but where it says
// otherwise. Programs are no people.
type figures struct {
	pieces, spans                               sqldb.Relation
	began, runs, people, devices, places, sizes string
}

func newFigures(d sqldb.Dialect) figures {
	f := figures{
		pieces: sqldb.NewRelation(d, "from_ms bigint", "to_ms bigint", "place bigint", "length bigint"),
		spans:  sqldb.NewRelation(d, "from_ms bigint", "to_ms bigint"),
	}
	person := " AND r.device <> " + strconv.Itoa(int(presencev1.Device_DEVICE_SYSTEM))
	at := func(n int) string { return "$" + strconv.Itoa(n) }
	ruled, spanned := len(f.pieces.Args(nil)), len(f.spans.Args(nil))
	// How many people began a record on which day, and how many of them have written something then.
	f.began = `WITH k AS MATERIALIZED (SELECT * FROM ` + f.pieces.SQL() + `)
		SELECT day, count(*), sum(wrote) FROM (
			SELECT k.place + (r.start_ms - k.from_ms) / k.length AS day, r.user_id, max(CASE WHEN r.chat_min + r.write_min > 0 THEN 1 ELSE 0 END) AS wrote
			FROM presence_record r JOIN k ON k.from_ms <= r.start_ms AND r.start_ms < k.to_ms
			WHERE r.workspace = ` + at(ruled+1) + ` AND r.start_ms >= ` + at(ruled+2) + ` AND r.start_ms < ` + at(ruled+3) + person + `
			GROUP BY 1, 2) x GROUP BY day`
	// From which to which part of a ruler somebody was there, and how many were: runs of one person don't overlap, so that whose run holds a part was
	// there in it. Who is there counts for so many further parts.
	f.runs = `WITH k AS MATERIALIZED (SELECT * FROM ` + f.pieces.SQL() + `),
		there AS (SELECT DISTINCT r.user_id, a.place + (r.start_ms - a.from_ms) / a.length AS lo, b.place + (r.end_ms - 1 - b.from_ms) / b.length + ` + at(ruled+4) + ` AS hi
			FROM presence_record r JOIN k a ON a.from_ms <= r.start_ms AND r.start_ms < a.to_ms JOIN k b ON b.from_ms < r.end_ms AND r.end_ms <= b.to_ms
			WHERE r.workspace = ` + at(ruled+1) + ` AND r.start_ms >= ` + at(ruled+2) + ` AND r.start_ms < ` + at(ruled+3) + person + `),
		told AS (SELECT lo, hi, coalesce(max(hi) OVER (PARTITION BY user_id ORDER BY lo, hi ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -1) AS before FROM there)
		SELECT CASE WHEN lo > before THEN lo ELSE before + 1 END, hi, count(*) FROM told WHERE hi > before GROUP BY 1, 2`
	whole := ` FROM ` + f.spans.SQL() + ` JOIN presence_record r ON r.workspace = ` + at(spanned+1) + ` AND r.start_ms >= k.from_ms AND r.start_ms < k.to_ms`
	// For all people: how many there are, and of each status and activity, how much, and how many people are behind it.
	inner, outer := "", ""
	for i, column := range []string{"online_ms", "away_ms", "busy_ms", "do_not_disturb_ms", "write_min", "review_min", "meet_min", "chat_min"} {
		n := strconv.Itoa(i)
		inner += `, sum(r.` + column + `) AS c` + n
		outer += `, CAST(coalesce(sum(c` + n + `), 0) AS bigint), count(CASE WHEN c` + n + ` > 0 THEN 1 END)`
	}
	f.people = `SELECT count(*)` + outer + ` FROM (SELECT r.user_id` + inner + whole + ` WHERE true` + person + ` GROUP BY r.user_id) x`
	// By kind of device, and by country: how much time, and how many people, or programs, are behind it.
	f.devices = `SELECT device, CAST(sum(ms) AS bigint), count(*) FROM (SELECT r.device, r.user_id, sum(r.end_ms - r.start_ms) AS ms` + whole + ` GROUP BY 1, 2) x GROUP BY device`
	f.places = `SELECT country, CAST(sum(ms) AS bigint), count(*) FROM (SELECT r.country, r.user_id, sum(r.end_ms - r.start_ms) AS ms` + whole + `
		WHERE r.country <> ''` + person + ` GROUP BY 1, 2) x GROUP BY country`
	// How many records there are, how long all of them are, and two of them by length.
	f.sizes = `SELECT n, total, ms FROM (
			SELECT ms, row_number() OVER (ORDER BY ms) - 1 AS place, count(*) OVER () AS n, CAST(sum(ms) OVER () AS bigint) AS total FROM (
				SELECT r.end_ms - r.start_ms AS ms` + whole + ` WHERE true` + person + `) x) y
		WHERE place = n / 2 OR place = n * 95 / 100 ORDER BY place`
	return f
}

// stay is that so many were there from one part of a ruler to another.
type stay struct{ first, last, people int64 }

// counts are how many people were there in each part of a ruler.
func counts(parts int, stays []stay) []int64 {
	n := make([]int64, parts+1)
	for _, r := range stays {
		n[min(int(r.first), parts)] += r.people // further parts may lie behind the ruler's end
		n[min(int(r.last)+1, parts)] -= r.people
	}
	for i := 1; i < parts; i++ {
		n[i] += n[i-1]
	}
	return n[:parts]
}

// readCounts computes them, with everybody there for some further parts. Records count that began in a time.
func (f *figures) readCounts(ctx context.Context, tx *sql.Tx, r ruler, workspace string, fromMs, toMs int64, further int) ([]int64, error) {
	var stays []stay
	err := each(ctx, tx.QueryContext, f.runs, append(f.pieces.Args(r.pieces()), workspace, fromMs, toMs, int64(further)), func(rows *sql.Rows) error {
		var one stay
		err := rows.Scan(&one.first, &one.last, &one.people)
		stays = append(stays, one)
		return err
	})
	return counts(len(r)-1, stays), err
}

// part is one of a whole, before it is decided whether it is told.
type part struct {
	name           string
	amount, people int64
}

// readParts reads parts that an engine names by a number or a text.
func readParts(ctx context.Context, tx *sql.Tx, text string, args []any, name func(string) string) (list []part, err error) {
	err = each(ctx, tx.QueryContext, text, args, func(rows *sql.Rows) error {
		var p part
		var word string
		err := rows.Scan(&word, &p.amount, &p.people)
		if p.name = name(word); p.name != "" {
			list = append(list, p)
		}
		return err
	})
	return list, err
}
