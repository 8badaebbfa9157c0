package presence

import (
	"fmt"
	"strconv"
	"strings"

	"plenum.internal/mesh/sqldb"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// figures are the statements by which analytics are computed, for an engine. Each reads records by the index of when they began: those of shares and
// countries a day's, so that the people of a day are all that is held at a time, the others all of them once. A record counts for the day on which it
// began, but in runs for all that it reaches into. Programs are no people.
type figures struct {
	pieces, spans                            sqldb.Relation
	measures                                 []measure // what shares has of a day, two columns for each: how much, and of how many people
	shares, countries, runs, people, lengths string
}

// whole is what is divided into shares.
type whole int

const (
	wholeTime    whole = iota // one share: all of it, of all people
	wholeWriting              // likewise, of those who wrote
	wholeState
	wholeActivity
	wholeDevice
	wholeCountry
	wholes
)

// measure is a share of a whole, and how much of it a record has.
type measure struct {
	of           whole
	name, amount string
}

func newMeasures(system string) []measure {
	list := []measure{
		{wholeTime, "", "end_ms - start_ms"}, {wholeWriting, "", "chat_min + write_min"},
		{wholeState, "online", "online_ms"}, {wholeState, "away", "away_ms"}, {wholeState, "busy", "busy_ms"}, {wholeState, "do_not_disturb", "do_not_disturb_ms"},
		{wholeActivity, "writing", "write_min"}, {wholeActivity, "reviewing", "review_min"}, {wholeActivity, "meeting", "meet_min"}, {wholeActivity, "chatting", "chat_min"},
	}
	for i, m := range list {
		list[i].amount = `CASE WHEN device <> ` + system + ` THEN ` + m.amount + ` ELSE 0 END`
	}
	for n := presencev1.Device_DEVICE_UNSPECIFIED + 1; int(n) < len(presencev1.Device_name); n++ {
		name := strings.ToLower(strings.TrimPrefix(n.String(), "DEVICE_"))
		list = append(list, measure{wholeDevice, name, fmt.Sprintf(`CASE WHEN device = %d THEN end_ms - start_ms ELSE 0 END`, n)})
	}
	return list
}

// runKind is of which parts a run is.
type runKind int

const (
	runHours  runKind = iota
	runDays           // in which somebody was there
	runMonths         // up to such days
	runKinds
)

func newFigures(d sqldb.Dialect) figures {
	system := strconv.Itoa(int(presencev1.Device_DEVICE_SYSTEM))
	people := ` AND device <> ` + system
	f := figures{
		pieces:   sqldb.NewRelation(d, "from_ms bigint", "to_ms bigint", "hour bigint", "hour_ms bigint", "day_from_ms bigint", "day bigint", "day_ms bigint"),
		spans:    sqldb.NewRelation(d, "from_ms bigint", "to_ms bigint"),
		measures: newMeasures(system),
	}

	// Of a day on which enough people began a record. What a record has of a measure is an integer, of which PostgreSQL adds up sums in half the time.
	const day = ` FROM presence_record WHERE workspace = $1 AND start_ms >= $2 AND start_ms < $3`
	var each, all []string
	for i, m := range f.measures {
		each = append(each, fmt.Sprintf(`sum(CAST(%s AS integer)) AS m%d`, m.amount, i))
		all = append(all, fmt.Sprintf(`CAST(sum(m%d) AS bigint), count(CASE WHEN m%[1]d > 0 THEN 1 END)`, i))
	}
	f.shares = `SELECT ` + strings.Join(all, ", ") + ` FROM (SELECT ` + strings.Join(each, ", ") + day + ` GROUP BY user_id) x HAVING count(CASE WHEN m0 > 0 THEN 1 END) >= $4`
	f.countries = `SELECT country, CAST(sum(ms) AS bigint), count(*)
		FROM (SELECT country, sum(CAST(end_ms - start_ms AS integer)) AS ms` + day + people + ` AND country <> '' GROUP BY country, user_id) x GROUP BY country`

	// From which hour or day to which so many were there: one person's don't overlap, so that whose holds a part was there in it. Of cross joins SQLite
	// takes the tables in their order: a range of the index for each piece.
	n := len(f.pieces.Args(nil))
	f.runs = fmt.Sprintf(`WITH k AS MATERIALIZED (SELECT * FROM %s),
		there AS (
			SELECT user_id, start_ms, a.hour + (start_ms - a.from_ms) / a.hour_ms AS hour, b.hour + (end_ms - 1 - b.from_ms) / b.hour_ms AS last_hour,
				a.day + (start_ms - a.day_from_ms) / a.day_ms AS day, b.day + (end_ms - 1 - b.day_from_ms) / b.day_ms AS last_day
			FROM k a CROSS JOIN presence_record CROSS JOIN k b
			WHERE workspace = $%d AND start_ms >= a.from_ms AND start_ms < a.to_ms AND start_ms >= $%d AND start_ms < $%d AND b.from_ms < end_ms AND b.to_ms >= end_ms%s),
		runs AS MATERIALIZED (SELECT hour, last_hour, hour_before, day, last_day, day_before
			FROM (SELECT hour, last_hour, max(last_hour) OVER before AS hour_before, day, last_day, max(last_day) OVER before AS day_before
				FROM there WINDOW before AS (PARTITION BY user_id ORDER BY start_ms ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) x
			WHERE hour_before IS NULL OR last_hour > hour_before)
		`, f.pieces.SQL(), n+1, n+2, n+3, people)
	run := func(kind runKind, part string, further int) string { // with everybody there for so many parts more
		return fmt.Sprintf(`SELECT %d, CASE WHEN %[2]s_before + %[3]d >= %[2]s THEN %[2]s_before + %[3]d + 1 ELSE %[2]s END, last_%[2]s + %[3]d, count(*)
			FROM runs WHERE %[2]s_before IS NULL OR last_%[2]s > %[2]s_before GROUP BY 2, 3`, kind, part, further)
	}
	f.runs += run(runHours, "hour", 0) + ` UNION ALL ` + run(runDays, "day", 0) + ` UNION ALL ` + run(runMonths, "day", monthDays-1)

	// How many people there were, and how many records have so many minutes.
	spans := ` FROM ` + f.spans.SQL() + fmt.Sprintf(` CROSS JOIN presence_record r WHERE r.workspace = $%d AND r.start_ms >= k.from_ms AND r.start_ms < k.to_ms`, len(f.spans.Args(nil))+1) + people
	f.people = `SELECT count(*) FROM (SELECT DISTINCT user_id` + spans + `) x`
	f.lengths = `SELECT (r.end_ms - r.start_ms) / 60000, count(*)` + spans + ` GROUP BY 1 ORDER BY 1`
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

// part is one of a whole, before it is decided whether it is told.
type part struct {
	name           string
	amount, people int64
}
