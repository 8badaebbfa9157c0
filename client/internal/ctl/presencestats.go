package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a machine may know no time zones

	"plenum.internal/client"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

type presenceStatsCmd struct {
	From string `help:"The first day, as 2026-11-01, in the workspace's time zone. Absent: 28 days up to the last." placeholder:"DATE"`
	To   string `help:"The last day, likewise. Absent: today. A day is told once it has been over for 25 hours." placeholder:"DATE"`
}

func (c *presenceStatsCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		who, err := identityv1.NewPeopleServiceClient(h).WhoAmI(ctx, &identityv1.WhoAmIRequest{})
		if err != nil {
			return err
		}
		req, err := c.request(who.GetWorkspace().GetTimeZone(), time.Now())
		if err != nil {
			return err
		}
		res, err := presencev1.NewPresenceServiceClient(h).GetAnalytics(ctx, req)
		if err != nil {
			return err
		}
		return e.print(res, "%s", strings.TrimRight(statsText(res), "\n"))
	})
}

// request is what is asked for, in a time zone.
func (c *presenceStatsCmd) request(zone string, now time.Time) (*presencev1.GetAnalyticsRequest, error) {
	z, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("this plenumctl does not know the workspace's time zone %q: update it", clean(zone))
	}
	last, err := day("to", c.To, now.In(z))
	if err != nil {
		return nil, err
	}
	first, err := day("from", c.From, last.AddDate(0, 0, -27))
	if err != nil {
		return nil, err
	}
	if last.Before(first) {
		return nil, fmt.Errorf("--from %s: name a day that is not behind the last one", first.Format(time.DateOnly))
	}
	return &presencev1.GetAnalyticsRequest{FromMs: first.UnixMilli(), ToMs: last.AddDate(0, 0, 1).UnixMilli()}, nil
}

// day is the beginning of one.
func day(flag, text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		text = otherwise.Format(time.DateOnly)
	}
	t, err := time.ParseInLocation(time.DateOnly, text, otherwise.Location())
	if err != nil {
		return t, fmt.Errorf("--%s %s: name a day, as 2026-11-01", flag, text)
	}
	return t, nil
}

// statsText is analytics for people.
func statsText(a *presencev1.GetAnalyticsResponse) string {
	var out strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&out, "%-12s %s\n", name, text)
		}
	}
	fmt.Fprintf(&out, "Days and hours are of %s. What fewer than %d people are behind is left out.\n", clean(a.GetTimeZone()), a.GetMinPeople())
	if a.GetLastDay() == "" {
		out.WriteString("None of these days is told: a day is once it has been over for 25 hours, and until its records are deleted.\n")
	} else {
		fmt.Fprintf(&out, "Told are %s to %s: a day is once it has been over for 25 hours.\n", clean(a.GetFirstDay()), clean(a.GetLastDay()))
	}
	if a.GetPeople() == 0 {
		return out.String()
	}
	line("people", fmt.Sprint(a.GetPeople()))
	line("daily", fmt.Sprintf("%s of those of 30 days are active, %s of these write", percent(a.GetDailyActivePerMille()), percent(a.GetEngagedPerMille())))
	if s := a.GetSessionLength(); s != nil {
		line("sessions", fmt.Sprintf("%d, of %s in the mean, half of them under %s, 95 of 100 under %s", s.GetSessions(), lasting(s.GetMeanMs()), under(s.GetMedianMs()), under(s.GetP95Ms())))
	}
	if a.GetResponseMs() > 0 {
		line("answers", "after "+lasting(a.GetResponseMs())+" (median)")
	}
	for _, part := range []struct {
		name   string
		shares []*presencev1.Share
	}{{"states", a.GetStates()}, {"devices", a.GetDevices()}, {"countries", a.GetCountries()}, {"activities", a.GetActivities()}} {
		var words []string
		for _, s := range part.shares {
			words = append(words, fmt.Sprintf("%s %s (%d)", clean(s.GetName()), percent(s.GetPerMille()), s.GetPeople()))
		}
		line(part.name, strings.Join(words, ", "))
	}
	if len(a.GetDays()) > 0 {
		fmt.Fprintf(&out, "\n%-12s active  write\n", "day")
	}
	for _, d := range a.GetDays() {
		fmt.Fprintf(&out, "%-12s %6d %6s\n", clean(d.GetDate()), d.GetActive(), orDash(d.GetEngaged()))
	}
	if len(a.GetHours()) > 0 {
		out.WriteString("\npeople by hour\n" + week(a.GetHours()))
	}
	return out.String()
}

// week is how many people are there in its hours.
func week(hours []*presencev1.Hour) string {
	var people [7][24]uint32
	for _, h := range hours {
		if w := h.GetWeekday() - 1; w < 7 && h.GetHour() < 24 {
			people[w][h.GetHour()] = h.GetPeople()
		}
	}
	var out strings.Builder
	out.WriteString("   ")
	for hour := range 24 {
		fmt.Fprintf(&out, " %4d", hour)
	}
	for w, name := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
		out.WriteString("\n" + name)
		for _, n := range people[w] {
			fmt.Fprintf(&out, " %4s", orDash(n))
		}
	}
	return out.String()
}

func orDash(n uint32) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func percent(perMille uint32) string { return fmt.Sprintf("%d.%d %%", perMille/10, perMille%10) }

// under is what something lasts less than whose length was rounded down to a minute.
func under(ms int64) string {
	return strings.TrimSuffix((time.Duration(ms)*time.Millisecond + time.Minute).Truncate(time.Minute).String(), "0s")
}

func lasting(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(time.Second).String()
}
