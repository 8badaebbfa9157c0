package presence

import (
	"strconv"
	"strings"

	"plenum.internal/mesh/sqldb"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// figures are the statements by which analytics are computed, for an engine: each reads the records once, by the index of when they began; that of
// shares reads one day's. A record counts for the day on which it began, but where it says otherwise. Programs are no people.
type figures struct {
	pieces, spans                sqldb.Relation
	days, hours, shares, lengths string
}

// rowKind says what a row tells. Of days and hours it has two parts of the ruler and a number of people; of shares a name, an amount, and people.
type rowKind int

const (
	rowBegan  rowKind = iota // a day; how many who began a record on it have written something, and how many began one
	rowThere                 // from which part to which so many were there; one person's don't overlap, so that whose holds a part was there in it
	rowMonth                 // likewise, with everybody there for a month
	rowPeople                // no parts; how many began a record on any of the days that count
	rowAll                   // all time
	rowState                 // by status, and so on
	rowActivity
	rowDevice
	rowCountry
)

func newFigures(d sqldb.Dialect) figures {
	f := figures{
		pieces: sqldb.NewRelation(d, "from_ms bigint", "to_ms bigint", "place bigint", "length bigint"),
		spans:  sqldb.NewRelation(d, "from_ms bigint", "to_ms bigint"),
	}
	system := strconv.Itoa(int(presencev1.Device_DEVICE_SYSTEM))
	param := func(n int) string { return "$" + strconv.Itoa(n) }
	kind := func(k rowKind) string { return "SELECT " + strconv.Itoa(int(k)) + ", " }

	// Who was there from which part of a ruler to which. Of cross joins SQLite takes the tables in their order: a range of the index for each piece.
	ruled := len(f.pieces.Args(nil))
	there := `WITH k AS MATERIALIZED (SELECT * FROM ` + f.pieces.SQL() + `),
		there AS MATERIALIZED (
			SELECT r.user_id, a.place + (r.start_ms - a.from_ms) / a.length AS lo, b.place + (r.end_ms - 1 - b.from_ms) / b.length AS hi,
				max(CASE WHEN r.chat_min + r.write_min > 0 THEN 1 ELSE 0 END) AS wrote
			FROM k a CROSS JOIN presence_record r CROSS JOIN k b
			WHERE r.workspace = ` + param(ruled+1) + ` AND r.start_ms >= a.from_ms AND r.start_ms < a.to_ms AND r.start_ms >= ` + param(ruled+2) + ` AND r.start_ms < ` + param(ruled+3) + `
				AND b.from_ms < r.end_ms AND b.to_ms >= r.end_ms AND r.device <> ` + system + ` GROUP BY 1, 2, 3)
		`
	runs := func(k rowKind, further int) string {
		return kind(k) + `CASE WHEN lo > before THEN lo ELSE before + 1 END, hi, count(*) FROM (SELECT lo, hi, coalesce(max(hi) OVER (
				PARTITION BY user_id ORDER BY lo, hi ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -1) AS before
			FROM (SELECT user_id, lo, hi + ` + strconv.Itoa(further) + ` AS hi FROM there) x) y WHERE hi > before GROUP BY 2, 3`
	}
	f.hours = there + runs(rowThere, 0)
	f.days = there + `, began AS MATERIALIZED (SELECT lo AS day, sum(wrote) AS wrote, count(*) AS people FROM (SELECT lo, user_id, max(wrote) AS wrote FROM there GROUP BY 1, 2) x GROUP BY lo)
		` + runs(rowThere, 0) + ` UNION ALL ` + runs(rowMonth, monthDays-1) + ` UNION ALL ` + kind(rowBegan) + `day, wrote, people FROM began
		UNION ALL ` + kind(rowPeople) + `0, 0, count(*) FROM (SELECT DISTINCT user_id FROM there WHERE lo IN (SELECT day FROM began
			WHERE day BETWEEN ` + param(ruled+4) + ` AND ` + param(ruled+5) + ` AND people >= ` + param(ruled+6) + `)) x`

	total := func(column string) string { return `CAST(coalesce(sum(` + column + `), 0) AS bigint)` }
	var sums, rows []string
	for _, m := range measures {
		sums = append(sums, `sum(`+m.column+`) AS `+m.column)
		rows = append(rows, kind(m.of)+`'`+m.name+`', `+total(m.column)+`, count(*) FROM people WHERE `+m.column+` > 0`)
	}
	rows = append(rows,
		kind(rowAll)+`'', `+total("ms")+`, count(*) FROM people`,
		kind(rowDevice)+`CAST(device AS text), `+total("ms")+`, count(*) FROM (SELECT device, user_id, sum(ms) AS ms FROM parts GROUP BY 1, 2) x GROUP BY device`,
		kind(rowCountry)+`country, `+total("ms")+`, count(*) FROM (SELECT country, user_id, sum(ms) AS ms FROM parts
			WHERE country <> '' AND device <> `+system+` GROUP BY 1, 2) x GROUP BY country`)
	f.shares = `WITH parts AS MATERIALIZED (SELECT r.user_id, r.device, r.country, sum(r.end_ms - r.start_ms) AS ms, ` + strings.Join(sums, ", ") + `
			FROM presence_record r WHERE r.workspace = $1 AND r.start_ms >= $2 AND r.start_ms < $3 GROUP BY 1, 2, 3),
		people AS MATERIALIZED (SELECT user_id, sum(ms) AS ms, ` + strings.Join(sums, ", ") + ` FROM parts WHERE device <> ` + system + ` GROUP BY user_id)
		` + strings.Join(rows, ` UNION ALL `)
	// How many records have so many minutes.
	f.lengths = `SELECT (r.end_ms - r.start_ms) / 60000, count(*) FROM ` + f.spans.SQL() + ` CROSS JOIN presence_record r
		WHERE r.workspace = ` + param(len(f.spans.Args(nil))+1) + ` AND r.start_ms >= k.from_ms AND r.start_ms < k.to_ms AND r.device <> ` + system + ` GROUP BY 1 ORDER BY 1`
	return f
}

// measures are the columns of which shares are computed, and what they are called.
var measures = []struct {
	of           rowKind
	column, name string
}{
	{rowState, "online_ms", "online"}, {rowState, "away_ms", "away"}, {rowState, "busy_ms", "busy"}, {rowState, "do_not_disturb_ms", "do_not_disturb"},
	{rowActivity, "write_min", "writing"}, {rowActivity, "review_min", "reviewing"}, {rowActivity, "meet_min", "meeting"}, {rowActivity, "chat_min", "chatting"},
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

// part is one of a whole, before it is decided whether it is told.
type part struct {
	name           string
	amount, people int64
}
