package presence

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

const (
	readAnalytics = "analytics.read"
	// maxDays is how long a time analytics are computed of at most.
	maxDays = 92
	// analysis is how long that may take: less than the method's time.
	analysis = 28 * time.Second
	// analyses are computed at the same time, of different workspaces.
	analyses = 2
	// recordLate is how long a record may wait to be written down. One that waited longer, and began on a day that may be told, is lost.
	recordLate = time.Hour
	// latestMs is the end of the year 9999.
	latestMs = 253_402_300_799_999
)

// GetAnalytics computes how a workspace is present. Nobody is to be singled out by it:
//
//   - Only days are told all of whose records have come, and none of whose records is deleted yet. Whoever asks again sees nothing change by who comes,
//     goes or hides.
//   - A figure behind which there are fewer than min_people people is left out. If that is one share of a day's whole, the next smallest is, too: what
//     one of them has can't be told by what is missing. Shares are of what is told.
//   - A day on which fewer people began a record is left out of everything, as if nobody had been there, and of each share what a day has of it that is
//     of fewer people: whoever asks for two times, which are of whole days, learns nothing from their difference that is of fewer.
//   - An hour in which fewer people were there counts as one without any.
func (s *Server) GetAnalytics(ctx context.Context, q *presencev1.GetAnalyticsRequest) (*presencev1.GetAnalyticsResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // numbered
	}
	if !caller.May(readAnalytics) {
		return nil, errForbid
	}
	from, to := time.UnixMilli(q.GetFromMs()), time.UnixMilli(q.GetToMs())
	switch {
	case q.GetFromMs() < 0 || q.GetFromMs() > latestMs:
		return nil, badField("from_ms", "Name a time, in milliseconds.")
	case q.GetToMs() <= q.GetFromMs() || q.GetToMs() > latestMs:
		return nil, badField("to_ms", "Name a time behind the beginning.")
	case to.Sub(from) > maxDays*24*time.Hour+time.Hour: // a day may have 25 hours
		return nil, badField("to_ms", "Ask for %d days at most.", maxDays)
	}
	ctx, cancel := context.WithTimeout(ctx, analysis)
	defer cancel()
	asked := time.Now()
	end, err := s.analysing.Take(ctx, caller.Workspace)
	if err != nil {
		return nil, errBusy
	}
	defer end()
	waited := time.Since(asked)
	res, err := s.analyse(ctx, caller.Workspace, from, to)
	switch late := errors.Is(ctx.Err(), context.DeadlineExceeded); {
	case err != nil && late && waited > analysis/2: // it may have been enough, were it not for the others
		return nil, errBusy.Because(err)
	case err != nil && late:
		return nil, errSlow.Because(err)
	}
	return res, err
}

// settled is how old a record that begins is at most when it is written down: it is cut at its longest, and the session's last connection may have been
// within the time of grace then.
func (s *Server) settled() time.Duration { return maxStretch + s.cfg.Grace + recordLate }

func (s *Server) analyse(ctx context.Context, workspace string, from, to time.Time) (*presencev1.GetAnalyticsResponse, error) {
	ctx, span := s.tracer.Start(ctx, "presence.analyse")
	defer span.End()
	a := analysisOf{figures: &s.figures, workspace: workspace, least: int64(s.cfg.MinPeople)}
	now := s.clock()
	whole, told := now.Add(maxStretch+recordLate-s.cfg.Retention), now.Add(-s.settled())
	var c *calendar
	err := s.db.Read(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // said below
		a.res = &presencev1.GetAnalyticsResponse{MinPeople: uint32(s.cfg.MinPeople)}
		var records bool
		var sinceMs int64
		err := tx.QueryRowContext(ctx, `SELECT records, since_ms, time_zone FROM presence_workspace WHERE id = $1`, workspace).Scan(&records, &sinceMs, &a.res.TimeZone)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !records {
			return errNone
		}
		if err != nil {
			return err //nolint:wrapcheck // said below
		}
		zone, err := time.LoadLocation(a.res.GetTimeZone())
		if err != nil || a.res.GetTimeZone() == "" { // err: of a database that is newer
			zone, a.res.TimeZone = time.UTC, "UTC"
		}
		c = newCalendar(from, to, zone)
		kept, left := c.clip(whole.UnixMilli(), told.UnixMilli())
		if !left {
			c = nil
			return nil
		}
		a.since = max(kept, sinceMs)
		a.res.FirstDay, a.res.LastDay = c.date(c.first), c.date(c.last)
		return a.compute(ctx, tx, c)
	})
	if err != nil {
		return nil, fmt.Errorf("presence: analytics: %w", err)
	}
	if c == nil {
		return a.res, nil
	}
	answered, err := chatv1.NewPaceServiceClient(s.chat).GetResponseTime(ctx, &chatv1.GetResponseTimeRequest{
		Workspace: workspace, FromMs: c.from(), ToMs: c.to(), MinPeople: uint32(s.cfg.MinPeople),
	})
	switch {
	case err == nil:
		a.res.ResponseMs = answered.GetMedianMs()
		return a.res, nil
	case rpc.FromError(err).GetReason() == "chat.TOO_MUCH":
		return nil, errSlow.Because(err)
	case rpc.FromError(err).GetReason() == "chat.BUSY":
		return nil, errBusy.Because(err)
	}
	return nil, errAway.Because(err)
}

// analysisOf is one that is being computed.
type analysisOf struct {
	*figures
	workspace string
	least     int64
	since     int64 // records that began before count no more: they are being deleted, or soon will be
	res       *presencev1.GetAnalyticsResponse
}

func (a *analysisOf) compute(ctx context.Context, tx *sql.Tx, c *calendar) error {
	days, totalMs, err := a.readShares(ctx, tx, c)
	if err != nil || len(days) == 0 {
		return err
	}
	people, err := a.readRuns(ctx, tx, c)
	if err != nil {
		return err
	}
	a.tellDays(c, days, people[runDays], people[runMonths])
	a.tellHours(c, people[runHours])
	return a.readLengths(ctx, tx, c, days, totalMs)
}

// countedDay is a day that counts.
type countedDay struct {
	place   int   // in the calendar
	engaged int64 // how many who began a record on it have written something
}

// span is from when to when records count for a day.
func (a *analysisOf) span(c *calendar, day int) (fromMs, toMs int64) {
	return max(a.since, c.days[day]), c.days[day+1]
}

// readShares computes the shares, each as the sum of what is told of single days, and returns which days count and how much time there was on them in all.
func (a *analysisOf) readShares(ctx context.Context, tx *sql.Tx, c *calendar) (days []countedDay, totalMs int64, err error) {
	var sums [wholes]map[string]part
	for of := range sums {
		sums[of] = map[string]part{}
	}
	for d := c.first; d <= c.last; d++ {
		from, to := a.span(c, d)
		var parts [wholes][]part
		err := each(ctx, tx.QueryContext, a.shares, []any{a.workspace, from, to, a.least}, func(rows *sql.Rows) error {
			list, fields := make([]part, len(a.measures)), []any(nil)
			for i := range list {
				fields = append(fields, &list[i].amount, &list[i].people)
			}
			err := rows.Scan(fields...)
			for i, m := range a.measures {
				list[i].name = m.name
				parts[m.of] = append(parts[m.of], list[i])
			}
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		if parts[wholeTime] == nil { // too few people
			continue
		}
		err = each(ctx, tx.QueryContext, a.countries, []any{a.workspace, from, to}, func(rows *sql.Rows) error {
			var p part
			err := rows.Scan(&p.name, &p.amount, &p.people)
			parts[wholeCountry] = append(parts[wholeCountry], p)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		days = append(days, countedDay{d, parts[wholeWriting][0].people})
		totalMs += parts[wholeTime][0].amount
		for of, list := range parts {
			for _, p := range told(list, a.least) {
				sum := sums[of][p.name]
				sums[of][p.name] = part{p.name, sum.amount + p.amount, max(sum.people, p.people)}
			}
		}
	}
	a.res.States, a.res.Activities = shared(sums[wholeState]), shared(sums[wholeActivity])
	a.res.Devices, a.res.Countries = shared(sums[wholeDevice]), shared(sums[wholeCountry])
	return days, totalMs, nil
}

// readRuns reads how many people were there in the hours of the time and of a month before, in its days, and in months up to these.
func (a *analysisOf) readRuns(ctx context.Context, tx *sql.Tx, c *calendar) (people [runKinds][]int64, err error) {
	var stays [runKinds][]stay
	err = each(ctx, tx.QueryContext, a.runs, append(a.pieces.Args(c.pieces()), a.workspace, max(a.since, c.days[0]), c.to()), func(rows *sql.Rows) error {
		var kind runKind
		var one stay
		err := rows.Scan(&kind, &one.first, &one.last, &one.people)
		stays[kind] = append(stays[kind], one)
		return err
	})
	for kind, of := range []ruler{c.hours, c.days, c.days} {
		people[kind] = counts(len(of), stays[kind])
	}
	return people, err
}

// tellDays tells of days how many people were there, and in months up to them.
func (a *analysisOf) tellDays(c *calendar, days []countedDay, active, month []int64) {
	var daily, writing mean
	for _, d := range days {
		day := &presencev1.Day{Date: c.date(d.place), Active: uint32(active[d.place])}
		daily.add(float64(active[d.place]) / float64(month[d.place]))
		if d.engaged >= a.least {
			day.Engaged = uint32(d.engaged)
			writing.add(float64(d.engaged) / float64(active[d.place]))
		}
		a.res.Days = append(a.res.Days, day)
	}
	a.res.DailyActivePerMille, a.res.EngagedPerMille = daily.perMille(), writing.perMille()
}

// tellHours tells how many people are there in the hours of the week, of those in each hour.
func (a *analysisOf) tellHours(c *calendar, people []int64) {
	var week [7][24]mean
	for i, n := range people {
		if c.hours[i] < c.from() || c.hours[i] >= c.to() {
			continue
		}
		if n < a.least {
			n = 0
		}
		t := time.UnixMilli(c.hours[i]).In(c.zone)
		week[(t.Weekday()+6)%7][t.Hour()].add(float64(n))
	}
	for weekday, hours := range week {
		for hour, m := range hours {
			if n := m.rounded(1); n >= uint32(a.least) {
				a.res.Hours = append(a.res.Hours, &presencev1.Hour{Weekday: uint32(weekday + 1), Hour: uint32(hour), People: n})
			}
		}
	}
}

// readLengths computes how many people there were on the days that count, and how long their sessions, that make so much time in all.
func (a *analysisOf) readLengths(ctx context.Context, tx *sql.Tx, c *calendar, days []countedDay, totalMs int64) error {
	var spans [][]any
	for _, d := range days {
		from, to := a.span(c, d.place)
		spans = append(spans, []any{from, to})
	}
	args := append(a.spans.Args(spans), a.workspace)
	if err := tx.QueryRowContext(ctx, a.people, args...).Scan(&a.res.People); err != nil {
		return err //nolint:wrapcheck // said above
	}
	var minutes, of []int64 // lengths, and how many records have one
	err := each(ctx, tx.QueryContext, a.lengths, args, func(rows *sql.Rows) error {
		var length, records int64
		err := rows.Scan(&length, &records)
		minutes, of = append(minutes, length), append(of, records)
		return err
	})
	if err == nil {
		a.res.SessionLength = sessionLength(minutes, of, totalMs)
	}
	return err
}

// sessionLength is how long records were, by how many have which length in ascending minutes, and how much time all of them are.
func sessionLength(minutes, of []int64, totalMs int64) *presencev1.SessionLength {
	n := int64(0)
	for _, records := range of {
		n += records
	}
	longerThan := func(records int64) int64 {
		for i := range of {
			if records -= of[i]; records < 0 {
				return minutes[i] * time.Minute.Milliseconds()
			}
		}
		return 0
	}
	return &presencev1.SessionLength{MeanMs: totalMs / max(1, n), MedianMs: longerThan(n / 2), P95Ms: longerThan(n * 95 / 100), Sessions: uint32(n)}
}

// told are the parts of a day's whole behind which there are enough people. A single one that is left out takes the next smallest with it.
func told(parts []part, least int64) []part {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.people == 0 })
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(b.people, a.people), cmp.Compare(b.amount, a.amount), cmp.Compare(a.name, b.name))
	})
	n := len(parts)
	for n > 0 && parts[n-1].people < least {
		n--
	}
	if n == len(parts)-1 {
		n = max(0, n-1)
	}
	return parts[:n]
}

// shared are the shares that parts have of their sum, the largest first.
func shared(parts map[string]part) (shares []*presencev1.Share) {
	list := slices.SortedFunc(maps.Values(parts), func(a, b part) int {
		return cmp.Or(cmp.Compare(b.amount, a.amount), cmp.Compare(a.name, b.name))
	})
	var whole mean
	for _, p := range list {
		whole.sum += float64(p.amount)
	}
	for _, p := range list {
		shares = append(shares, &presencev1.Share{Name: p.name, PerMille: mean{float64(p.amount), whole.sum}.perMille(), People: uint32(p.people)})
	}
	return shares
}

// mean is one of numbers.
type mean struct{ sum, n float64 }

func (m *mean) add(x float64) { m.sum, m.n = m.sum+x, m.n+1 }

// rounded is so many times the mean.
func (m mean) rounded(times float64) uint32 {
	if m.n == 0 {
		return 0
	}
	return uint32(m.sum/m.n*times + 0.5)
}

func (m mean) perMille() uint32 { return m.rounded(1000) }
