package presence

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	// latestMs is the end of the year 9999.
	latestMs = 253_402_300_799_999
)

// GetAnalytics computes how a workspace is present. Nobody is to be singled out by it:
//
//   - A figure behind which there are fewer than min_people people is left out. If that is one share of a whole, the next smallest is, too: what one
//     of them has can't be told by what is missing. Shares are of what is told.
//   - A day on which fewer people began a record is left out of everything, as if nobody had been there: whoever asks for two times, which are of
//     whole days, learns nothing from their difference of a day with fewer.
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
	select {
	case s.analysing <- struct{}{}:
		defer func() { <-s.analysing }()
	case <-ctx.Done():
		return nil, errBusy
	}
	res, err := s.analyse(ctx, caller.Workspace, from, to)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, errSlow.Because(err)
	}
	return res, err
}

func (s *Server) analyse(ctx context.Context, workspace string, from, to time.Time) (*presencev1.GetAnalyticsResponse, error) {
	ctx, span := s.tracer.Start(ctx, "presence.analyse")
	defer span.End()
	a := analysisOf{figures: &s.figures, workspace: workspace, least: int64(s.cfg.MinPeople)}
	var c *calendar
	err := s.db.Read(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // said below
		a.res = &presencev1.GetAnalyticsResponse{MinPeople: uint32(s.cfg.MinPeople)}
		var records bool
		err := tx.QueryRowContext(ctx, `SELECT records, time_zone FROM presence_workspace WHERE id = $1`, workspace).Scan(&records, &a.res.TimeZone)
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
		return a.compute(ctx, tx, c)
	})
	if err != nil {
		return nil, fmt.Errorf("presence: analytics: %w", err)
	}
	answered, err := chatv1.NewPaceServiceClient(s.chat).GetResponseTime(ctx, &chatv1.GetResponseTimeRequest{
		Workspace: workspace, FromMs: c.from(), ToMs: c.to(), MinPeople: uint32(s.cfg.MinPeople),
	})
	if err != nil {
		return nil, errAway.Because(err)
	}
	a.res.ResponseMs = answered.GetMedianMs()
	return a.res, nil
}

// analysisOf is one that is being computed.
type analysisOf struct {
	*figures
	workspace string
	least     int64
	res       *presencev1.GetAnalyticsResponse
}

func (a *analysisOf) compute(ctx context.Context, tx *sql.Tx, c *calendar) error {
	spans, err := a.readDays(ctx, tx, c)
	if err != nil || len(spans) == 0 {
		return err
	}
	if err := a.readHours(ctx, tx, c); err != nil {
		return err
	}
	return a.readShares(ctx, tx, append(a.spans.Args(spans), a.workspace))
}

// readRuns reads who was there in a ruler's parts, of records that began in a time.
func (a *analysisOf) readRuns(ctx context.Context, tx *sql.Tx, text string, r ruler, fromMs, toMs int64, row func(kind rowKind, one stay)) error {
	return each(ctx, tx.QueryContext, text, append(a.pieces.Args(r.pieces()), a.workspace, fromMs, toMs), func(rows *sql.Rows) error {
		var kind rowKind
		var one stay
		err := rows.Scan(&kind, &one.first, &one.last, &one.people)
		row(kind, one)
		return err
	})
}

// readDays computes what is told of days, and which times are those of the days that count.
func (a *analysisOf) readDays(ctx context.Context, tx *sql.Tx, c *calendar) (spans [][]any, err error) {
	began, engaged := make([]int64, len(c.days)), make([]int64, len(c.days))
	var stays, months []stay
	err = a.readRuns(ctx, tx, a.days, c.days, c.days[0], c.to(), func(kind rowKind, one stay) {
		switch kind {
		case rowBegan:
			began[one.first], engaged[one.first] = one.people, one.last
		case rowThere:
			stays = append(stays, one)
		default:
			months = append(months, one)
		}
	})
	if err != nil {
		return nil, err
	}
	active, month := counts(len(c.days), stays), counts(len(c.days), months)
	var daily, writing mean
	for d := c.first; d <= c.last; d++ {
		if began[d] < a.least {
			continue
		}
		if last := len(spans) - 1; last >= 0 && spans[last][1] == c.days[d] {
			spans[last][1] = c.days[d+1]
		} else {
			spans = append(spans, []any{c.days[d], c.days[d+1]})
		}
		day := &presencev1.Day{Date: time.UnixMilli(c.days[d]).In(c.zone).Format(time.DateOnly), Active: uint32(active[d])}
		daily.add(float64(active[d]) / float64(month[d]))
		if engaged[d] >= a.least {
			day.Engaged = uint32(engaged[d])
			writing.add(float64(engaged[d]) / float64(active[d]))
		}
		a.res.Days = append(a.res.Days, day)
	}
	a.res.DailyActivePerMille, a.res.EngagedPerMille = daily.perMille(), writing.perMille()
	return spans, nil
}

// readHours computes how many people are there in the hours of the week.
func (a *analysisOf) readHours(ctx context.Context, tx *sql.Tx, c *calendar) error {
	var stays []stay
	err := a.readRuns(ctx, tx, a.hours, c.hours, c.from()-maxStretch.Milliseconds(), c.to(), func(_ rowKind, one stay) { stays = append(stays, one) })
	if err != nil {
		return err
	}
	var week [7][24]mean
	for i, n := range counts(len(c.hours), stays) {
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
	return nil
}

// readShares computes what is told of the days that count as a whole.
func (a *analysisOf) readShares(ctx context.Context, tx *sql.Tx, args []any) error {
	parts := map[rowKind][]part{}
	err := each(ctx, tx.QueryContext, a.shares, args, func(rows *sql.Rows) error {
		var kind rowKind
		var p part
		err := rows.Scan(&kind, &p.name, &p.amount, &p.people)
		if kind == rowDevice {
			p.name = deviceName(p.name)
		}
		if p.name != "" || kind == rowAll {
			parts[kind] = append(parts[kind], p)
		}
		return err
	})
	if err != nil {
		return err
	}
	a.res.People = uint32(parts[rowAll][0].people)
	a.res.States, a.res.Activities = told(parts[rowState], a.least), told(parts[rowActivity], a.least)
	a.res.Devices, a.res.Countries = told(parts[rowDevice], a.least), told(parts[rowCountry], a.least)

	var minutes, of []int64 // lengths, and how many records have one
	err = each(ctx, tx.QueryContext, a.lengths, args, func(rows *sql.Rows) error {
		var length, records int64
		err := rows.Scan(&length, &records)
		minutes, of = append(minutes, length), append(of, records)
		return err
	})
	if err == nil {
		a.res.SessionLength = sessionLength(minutes, of, parts[rowAll][0].amount)
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

// deviceName is the word for a Device, as its number is written; empty: not known.
func deviceName(number string) string {
	n, err := strconv.Atoi(number)
	if err != nil || n == int(presencev1.Device_DEVICE_UNSPECIFIED) {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(presencev1.Device(n).String(), "DEVICE_"))
}

// told are the parts behind which there are enough people. A single one that is left out takes the next smallest with it.
func told(parts []part, least int64) (shares []*presencev1.Share) {
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
	var whole mean
	for _, p := range parts[:n] {
		whole.sum += float64(p.amount)
	}
	for _, p := range parts[:n] {
		shares = append(shares, &presencev1.Share{Name: p.name, PerMille: mean{float64(p.amount), whole.sum}.perMille(), People: uint32(p.people)})
	}
	slices.SortStableFunc(shares, func(a, b *presencev1.Share) int { return cmp.Compare(b.GetPerMille(), a.GetPerMille()) })
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
