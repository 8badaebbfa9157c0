package presence

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// forAges is longer ago than records of tests are.
const forAges = 100 * 365 * 24 * time.Hour

// people is a set of them.
type people map[string]bool

func into[K comparable](sets map[K]people, k K, user string) {
	if sets[k] == nil {
		sets[k] = people{}
	}
	sets[k][user] = true
}

// reference computes analytics quarter of an hour by quarter of an hour, as the contract says them at a time, of records that are kept for so long.
func reference(records []record, from, to time.Time, z *time.Location, least int, now time.Time, kept time.Duration) *presencev1.GetAnalyticsResponse {
	type hour struct {
		date   time.Time
		hour   int
		offset int
	}
	label := func(t time.Time) hour {
		_, offset := t.In(z).Zone()
		return hour{dateOf(t.In(z)), t.In(z).Hour(), offset}
	}
	const quarter = 15 * time.Minute
	reached := func(t time.Time) (date time.Time) { // the latest that clocks have shown
		for before := time.Duration(0); before < 3*time.Hour; before += quarter / 3 {
			if d := dateOf(t.Add(-before).In(z)); d.After(date) {
				date = d
			}
		}
		return date
	}
	first, last := dateOf(from.In(z)), dateOf(to.Add(-time.Millisecond).In(z))
	if over := reached(now.Add(-25*time.Hour-45*time.Second)).AddDate(0, 0, -1); last.After(over) {
		last = over
	}
	whole := reached(now.Add(25*time.Hour-kept-time.Millisecond)).AddDate(0, 0, 1) // the first day all of which is kept, and the one before
	if first.Before(whole) {
		first = whole
	}
	if last.Before(first) {
		return &presencev1.GetAnalyticsResponse{MinPeople: uint32(least), TimeZone: z.String()}
	}
	records = slices.DeleteFunc(slices.Clone(records), func(r record) bool { return reached(r.start.Add(24 * time.Hour)).Before(whole) })
	began, engaged, there, inHour := map[time.Time]people{}, map[time.Time]people{}, map[time.Time]people{}, map[hour]people{}
	for _, r := range records {
		if r.device == presencev1.Device_DEVICE_SYSTEM {
			continue
		}
		into(began, dateOf(r.start.In(z)), r.user)
		if r.minutes[edgev1.Doing_DOING_CHAT].count+r.minutes[edgev1.Doing_DOING_WRITE].count > 0 {
			into(engaged, dateOf(r.start.In(z)), r.user)
		}
		for t := r.start.Truncate(quarter); t.Before(r.end); t = t.Add(quarter) {
			into(there, dateOf(t.In(z)), r.user)
			into(inHour, label(t), r.user)
		}
	}
	res := &presencev1.GetAnalyticsResponse{MinPeople: uint32(least), TimeZone: z.String(), ResponseMs: pace, FirstDay: first.Format(time.DateOnly), LastDay: last.Format(time.DateOnly)}
	round := func(sum float64, n int) uint32 { return uint32(sum/float64(max(1, n)) + 0.5) }
	daily, writing, writingDays := 0.0, 0.0, 0
	for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
		if len(began[d]) < least {
			continue
		}
		month := people{}
		for before := range 30 {
			maps.Copy(month, there[d.AddDate(0, 0, -before)])
		}
		day := &presencev1.Day{Date: d.Format(time.DateOnly), Active: uint32(len(there[d]))}
		daily += 1000 * float64(len(there[d])) / float64(len(month))
		if n := len(engaged[d]); n >= least {
			day.Engaged = uint32(n)
			writing += 1000 * float64(n) / float64(len(there[d]))
			writingDays++
		}
		res.Days = append(res.Days, day)
	}
	if len(res.GetDays()) == 0 {
		return res
	}
	res.DailyActivePerMille, res.EngagedPerMille = round(daily, len(res.GetDays())), round(writing, writingDays)

	type ofWeek struct{ weekday, hour int }
	sums, weeks, seen := map[ofWeek]int{}, map[ofWeek]int{}, map[hour]bool{}
	for t := from.Add(-48 * time.Hour).Truncate(quarter); t.Before(to.Add(48 * time.Hour)); t = t.Add(quarter) {
		h := label(t)
		if h.date.Before(first) || h.date.After(last) || seen[h] {
			continue
		}
		seen[h] = true
		w := ofWeek{(int(h.date.Weekday())+6)%7 + 1, h.hour}
		weeks[w]++
		if n := len(inHour[h]); n >= least {
			sums[w] += n
		}
	}
	for _, w := range slices.SortedFunc(maps.Keys(sums), func(a, b ofWeek) int {
		return cmp.Or(cmp.Compare(a.weekday, b.weekday), cmp.Compare(a.hour, b.hour))
	}) {
		if n := round(float64(sums[w]), weeks[w]); n >= uint32(least) {
			res.Hours = append(res.Hours, &presencev1.Hour{Weekday: uint32(w.weekday), Hour: uint32(w.hour), People: n})
		}
	}

	type cell struct {
		date       time.Time
		what, name string
	}
	amounts, behind, all := map[cell]int64{}, map[cell]people{}, people{}
	var lengths []int64
	total := int64(0)
	for _, r := range records {
		date := dateOf(r.start.In(z))
		if date.Before(first) || date.After(last) || len(began[date]) < least {
			continue
		}
		add := func(what, name, user string, amount int64) {
			if k := (cell{date, what, name}); amount > 0 {
				amounts[k] += amount
				into(behind, k, user)
			}
		}
		ms := r.end.Sub(r.start).Milliseconds()
		if name := deviceWords[r.device]; name != "" {
			add("device", name, r.user, ms)
		}
		if r.device == presencev1.Device_DEVICE_SYSTEM {
			continue
		}
		all[r.user] = true
		if r.country != "" {
			add("country", r.country, r.user, ms)
		}
		for state, name := range map[presencev1.State]string{
			presencev1.State_STATE_ONLINE: "online", presencev1.State_STATE_AWAY: "away", presencev1.State_STATE_BUSY: "busy", presencev1.State_STATE_DO_NOT_DISTURB: "do_not_disturb",
		} {
			add("state", name, r.user, r.spent[state].Milliseconds())
		}
		for kind, name := range map[edgev1.Doing]string{
			edgev1.Doing_DOING_CHAT: "chatting", edgev1.Doing_DOING_WRITE: "writing", edgev1.Doing_DOING_REVIEW: "reviewing", edgev1.Doing_DOING_MEET: "meeting",
		} {
			add("activity", name, r.user, r.minutes[kind].count)
		}
		lengths, total = append(lengths, ms), total+ms
	}
	slices.Sort(lengths)
	res.People = uint32(len(all))
	if n := len(lengths); n > 0 {
		res.SessionLength = &presencev1.SessionLength{MeanMs: total / int64(n), MedianMs: lengths[n/2] / 60_000 * 60_000, P95Ms: lengths[n*95/100] / 60_000 * 60_000, Sessions: uint32(n)}
	}
	shares := func(what string) (list []*presencev1.Share) {
		sums, most, whole := map[string]int64{}, map[string]int{}, int64(0)
		for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
			few := 0
			var shown []cell
			for k := range amounts {
				if k.date != d || k.what != what {
					continue
				}
				if len(behind[k]) < least {
					few++
				} else {
					shown = append(shown, k)
				}
			}
			slices.SortFunc(shown, func(a, b cell) int {
				return cmp.Or(cmp.Compare(len(behind[b]), len(behind[a])), cmp.Compare(amounts[b], amounts[a]), cmp.Compare(a.name, b.name))
			})
			if few == 1 && len(shown) > 0 {
				shown = shown[:len(shown)-1]
			}
			for _, k := range shown {
				sums[k.name] += amounts[k]
				most[k.name] = max(most[k.name], len(behind[k]))
				whole += amounts[k]
			}
		}
		for _, name := range slices.SortedFunc(maps.Keys(sums), func(a, b string) int { return cmp.Or(cmp.Compare(sums[b], sums[a]), cmp.Compare(a, b)) }) {
			list = append(list, &presencev1.Share{Name: name, PerMille: uint32(float64(sums[name])/float64(whole)*1000 + 0.5), People: uint32(most[name])})
		}
		return list
	}
	res.States, res.Devices, res.Countries, res.Activities = shares("state"), shares("device"), shares("country"), shares("activity")
	return res
}

var deviceWords = map[presencev1.Device]string{
	presencev1.Device_DEVICE_DESKTOP: "desktop", presencev1.Device_DEVICE_MOBILE: "mobile", presencev1.Device_DEVICE_TABLET: "tablet",
	presencev1.Device_DEVICE_BROWSER: "browser", presencev1.Device_DEVICE_SYSTEM: "system",
}

// switched is a workspace whose records are kept.
func (p *process) switched(tb rapid.TB, workspace, zone string) {
	err := p.server.db.Write(p.tb.Context(), func(tx *sql.Tx) error {
		return putWorkspace(p.tb.Context(), tx, &identityv1.Workspace{Id: workspace, PresenceRecords: true, TimeZone: zone, Version: 1}, time.UnixMilli(0))
	})
	if err != nil {
		tb.Fatalf("%v", err)
	}
}

func draw(t *rapid.T, workspace string, i int, from time.Time, days int) record {
	start := from.Add(time.Duration(rapid.Int64Range(-2*86_400_000, int64(days+1)*86_400_000).Draw(t, "start")) * time.Millisecond)
	length := time.Duration(rapid.SampledFrom([]int64{1, 60_000, 3_600_000, 7_777_777, 36_000_000, 86_400_000}).Draw(t, "length")) * time.Millisecond
	r := record{
		personKey: personKey{workspace, rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "user")}, session: fmt.Sprint("s", i),
		start: start, end: start.Add(length),
		device: presencev1.Device(rapid.IntRange(0, 5).Draw(t, "device")), country: rapid.SampledFrom([]string{"", "", "DE", "FR"}).Draw(t, "country"),
	}
	for _, state := range []presencev1.State{presencev1.State_STATE_ONLINE, presencev1.State_STATE_AWAY, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB} {
		r.spent[state] = (length / time.Duration(rapid.SampledFrom([]int64{4, 8, 1 << 60}).Draw(t, "share"))).Truncate(time.Millisecond)
	}
	for kind := edgev1.Doing_DOING_CHAT; kind <= edgev1.Doing_DOING_MEET; kind++ {
		r.minutes[kind].count = rapid.SampledFrom([]int64{0, 0, 3}).Draw(t, "minutes")
	}
	return r
}

// TestAnalytics: what the database computes of any records is what the reference does, in any time zone, where clocks are set anew, too; and what is
// told once doesn't change by records that come.
func TestAnalytics(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		p := c.start("presence-1", "presence-1~1", func(cfg *Config) { cfg.MinPeople, cfg.Retention = 3, forAges })
		now := time.Time{}
		p.server.clock = func() time.Time { return now }
		n, told, cut := 0, 0, 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			workspace, name := fmt.Sprint("w", n), rapid.SampledFrom(zones).Draw(t, "zone")
			z := zone(t, name)
			from := rapid.SampledFrom([]time.Time{ // before clocks are set anew in one of the zones
				time.Date(2026, 3, 6, 7, 0, 0, 0, time.UTC), time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 23, 12, 0, 0, 0, time.UTC),
				time.Date(2026, 10, 30, 22, 30, 0, 0, time.UTC), time.Date(2026, 4, 3, 1, 0, 0, 0, time.UTC), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC),
			}).Draw(t, "from")
			days := rapid.IntRange(1, 10).Draw(t, "days")
			to := from.Add(time.Duration(days) * 24 * time.Hour)
			now = rapid.SampledFrom([]time.Time{
				to.AddDate(0, 0, 30), to.AddDate(0, 0, 1), from, from.Add(time.Duration(days) * 17 * time.Hour), // some of the days are not over for long enough
				from.AddDate(0, 0, days/2).Add(forAges), from.AddDate(0, 0, -10).Add(forAges), // or some are being deleted
			}).Draw(t, "now").Add(time.Duration(rapid.Int64Range(0, 90_000_000).Draw(t, "later")) * time.Millisecond)
			p.switched(t, workspace, name)
			var records []record
			for i := range rapid.IntRange(0, 120).Draw(t, "records") {
				records = append(records, draw(t, workspace, i, from, days))
			}
			if rapid.Bool().Draw(t, "a month before") {
				for i := range records {
					if i%3 == 0 {
						records[i].start, records[i].end = records[i].start.AddDate(0, 0, -25), records[i].end.AddDate(0, 0, -25)
					}
				}
			}
			if err := p.server.record(p.tb.Context(), slices.Clone(records)); err != nil {
				t.Fatalf("%v", err)
			}
			res, err := p.api().GetAnalytics(c.in(workspace, "boss", readAnalytics), &presencev1.GetAnalyticsRequest{FromMs: from.UnixMilli(), ToMs: to.UnixMilli()})
			if err != nil {
				t.Fatalf("%v", err)
			}
			want := reference(records, from, to, z, 3, now, forAges)
			if !proto.Equal(res, want) {
				t.Fatalf("%s, %v to %v: %s\nwant %s", name, from, to, protojson.Format(res), protojson.Format(want))
			}
			var late []record
			for i := range rapid.IntRange(0, 20).Draw(t, "late records") {
				late = append(late, draw(t, workspace, 1000+i, from, days))
			}
			if err := p.server.recordTimely(p.tb.Context(), late, now); err != nil {
				t.Fatalf("%v", err)
			}
			again, err := p.api().GetAnalytics(c.in(workspace, "boss", readAnalytics), &presencev1.GetAnalyticsRequest{FromMs: from.UnixMilli(), ToMs: to.UnixMilli()})
			if err != nil || !proto.Equal(res, again) {
				t.Fatalf("%s, %v to %v: records that came late change what was told: %s\nnow %s, %v", name, from, to, protojson.Format(res), protojson.Format(again), err)
			}
			told += len(res.GetHours())
			if res.GetLastDay() != "" && res.GetFirstDay() != dateOf(from.In(z)).Format(time.DateOnly) {
				cut++
			}
		})
		if told == 0 || cut == 0 {
			t.Errorf("%d hours were told, and %d times less than was asked for because it is being deleted", told, cut)
		}
	})
}

// TestAnalyticsFor: who may ask, and for what.
func TestAnalyticsFor(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	p := c.start("presence-1", "presence-1~1")
	now := time.Now().UnixMilli()
	for name, x := range map[string]struct {
		permission string
		from, to   int64
		reason     string
	}{
		"an old token":     {"identity.manage", now - 1000, now, "presence.FORBIDDEN"},
		"not switched on":  {readAnalytics, now - 1000, now, "presence.NOT_RECORDED"},
		"no time":          {readAnalytics, now, now, "presence.BAD_FIELD"},
		"backwards":        {readAnalytics, now, now - 1, "presence.BAD_FIELD"},
		"before all times": {readAnalytics, -1, now, "presence.BAD_FIELD"},
		"behind all times": {readAnalytics, now, 1 << 62, "presence.BAD_FIELD"},
		"too long":         {readAnalytics, now - 93*86_400_000, now, "presence.BAD_FIELD"},
	} {
		_, err := p.api().GetAnalytics(c.in("w", "boss", x.permission), &presencev1.GetAnalyticsRequest{FromMs: x.from, ToMs: x.to})
		if reason := rpc.FromError(err).GetReason(); reason != x.reason {
			t.Errorf("%s: %v, want %s", name, err, x.reason)
		}
	}
	p.switched(t, "w", "Mars/Olympus") // known to a newer identity
	noon := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	p.server.clock = func() time.Time { return noon }
	ask := func(days int) (*presencev1.GetAnalyticsResponse, error) {
		c.chat.asked = nil
		return p.api().GetAnalytics(c.in("w", "boss", readAnalytics), &presencev1.GetAnalyticsRequest{FromMs: noon.AddDate(0, 0, -days).UnixMilli(), ToMs: noon.UnixMilli()})
	}
	res, err := ask(92)
	if want := (&presencev1.GetAnalyticsResponse{MinPeople: 5, TimeZone: "UTC", ResponseMs: pace, FirstDay: "2026-02-21", LastDay: "2026-05-18"}); err != nil || !proto.Equal(res, want) {
		t.Errorf("%v, %v", res, err)
	}
	if q := c.chat.asked; q.GetWorkspace() != "w" || q.GetMinPeople() != 5 || q.GetToMs() != time.Date(2026, 5, 19, 0, 0, 0, 0, time.UTC).UnixMilli() || q.GetToMs()-q.GetFromMs() != 87*86_400_000 {
		t.Errorf("chat is asked for %v", q)
	}
	res, err = ask(1)
	if want := (&presencev1.GetAnalyticsResponse{MinPeople: 5, TimeZone: "UTC"}); err != nil || !proto.Equal(res, want) || c.chat.asked != nil {
		t.Errorf("of yesterday and today is told %v, %v; chat is asked for %v", res, err, c.chat.asked)
	}
	for reason, want := range map[string]string{"chat.TOO_MUCH": "presence.TOO_MUCH", "chat.BUSY": "presence.BUSY", "chat.OTHER": "presence.AWAY"} {
		c.chat.refusal = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, reason, "No.")
		if _, err := ask(10); rpc.FromError(err).GetReason() != want {
			t.Errorf("chat answers %s: %v, want %s", reason, err, want)
		}
	}
}

// TestAnalyticsTurns: whoever waits for others of their workspace is told so in time, and others don't wait with them.
func TestAnalyticsTurns(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	p := c.start("presence-1", "presence-1~1")
	p.switched(t, "big", "UTC")
	p.switched(t, "w", "UTC")
	end, err := p.server.analysing.Take(t.Context(), "big") // somebody computes
	if err != nil {
		t.Fatal(err)
	}
	ask := func(workspace string, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(c.in(workspace, "boss", readAnalytics), patience)
		defer cancel()
		_, err := p.api().GetAnalytics(ctx, &presencev1.GetAnalyticsRequest{FromMs: time.Now().AddDate(0, 0, -7).UnixMilli(), ToMs: time.Now().UnixMilli()})
		return err
	}
	if err := ask("big", 50*time.Millisecond); err == nil {
		t.Error("two of one workspace are computed at a time")
	}
	if err := ask("w", time.Minute); err != nil {
		t.Errorf("another workspace: %v", err)
	}
	end()
	if err := ask("big", time.Minute); err != nil {
		t.Errorf("its turn: %v", err)
	}
}

// TestTold: what is left out can't be told from what isn't.
func TestTold(t *testing.T) {
	for name, x := range map[string]struct {
		parts []part
		want  string
	}{
		"all":               {[]part{{"a", 1, 5}, {"b", 3, 9}}, "b 750 9, a 250 5, "},
		"none":              {[]part{{"a", 1, 4}, {"b", 3, 4}}, ""},
		"nobody in one":     {[]part{{"a", 1, 5}, {"b", 3, 9}, {"c", 0, 0}}, "b 750 9, a 250 5, "},
		"one of three":      {[]part{{"a", 1, 5}, {"b", 3, 9}, {"c", 1, 1}}, "b 1000 9, "},
		"two of four":       {[]part{{"a", 1, 5}, {"b", 3, 9}, {"c", 1, 1}, {"d", 1, 2}}, "b 750 9, a 250 5, "},
		"one of two":        {[]part{{"a", 1, 1}, {"b", 3, 9}}, ""},
		"one alone":         {[]part{{"a", 7, 4}}, ""},
		"the next smallest": {[]part{{"a", 50, 7}, {"b", 3, 9}, {"c", 10, 6}, {"d", 1, 1}}, "a 943 7, b 57 9, "},
	} {
		var got strings.Builder
		sums := map[string]part{}
		for _, p := range told(x.parts, 5) {
			sums[p.name] = p
		}
		for _, s := range shared(sums) {
			fmt.Fprint(&got, s.GetName(), " ", s.GetPerMille(), " ", s.GetPeople(), ", ")
		}
		if got.String() != x.want {
			t.Errorf("%s: %q, want %q", name, got.String(), x.want)
		}
	}
}

// TestRecordsAreKept goes the way of sessions from a gateway to analytics, of a workspace that switches records on, and off.
func TestRecordsAreKept(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		p := c.start("presence-1", "presence-1~1", func(cfg *Config) { cfg.Grace = time.Second })
		g := p.report()
		g.complete(p)
		number := uint64(0)
		sessions := func(users ...string) {
			for _, user := range users {
				number++
				g.tell(&rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: number, Workspace: "w", User: user, Session: fmt.Sprint("s", number), Agent: "plenum-desktop/1"}}})
			}
		}
		stored := func() (n int) {
			if err := p.server.db.QueryRow(t.Context(), `SELECT count(*) FROM presence_record`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		eventually := func(what string, is func() bool) {
			t.Helper()
			for !is() {
				select {
				case <-time.After(20 * time.Millisecond): // real databases and streams
				case <-t.Context().Done():
					t.Fatal(what)
				}
			}
		}
		known := func(workspace string) bool {
			p.server.hub.mu.Lock()
			defer p.server.hub.mu.Unlock()
			_, is := p.server.hub.recorded[workspace]
			return is
		}
		sessions("a", "b") // while nothing is kept
		c.identity.put(&identityv1.Workspace{Id: "w", PresenceRecords: true, Version: 2, TimeZone: "Europe/Berlin"}, false)
		eventually("it is switched on", func() bool { return known("w") })
		sessions("c", "d", "e", "f")
		g.tell(&rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: 3, Kinds: []edgev1.Doing{edgev1.Doing_DOING_CHAT}}}})
		eventually("all choices are known", func() bool {
			p.server.hub.mu.Lock()
			defer p.server.hub.mu.Unlock()
			return len(p.server.hub.toLoad) == 0
		})
		if _, err := p.api().SetStatus(key(c.ctx("f")), &presencev1.SetStatusRequest{User: "f", State: presencev1.State_STATE_INVISIBLE}); err != nil {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond) // for the others to have been there
		for n := range number {
			g.tell(&rosterv1.ReportRequest{Closed: []uint64{n + 1}})
		}
		eventually("they are written down", func() bool { return stored() >= 5 })
		p.server.clock = func() time.Time { return time.Now().AddDate(0, 0, 3) } // today is told
		asked := &presencev1.GetAnalyticsRequest{FromMs: time.Now().Add(-time.Hour).UnixMilli(), ToMs: time.Now().Add(time.Hour).UnixMilli()}
		res, err := p.api().GetAnalytics(c.in("w", "boss", readAnalytics), asked)
		if err != nil || res.GetPeople() < 5 || len(res.GetDevices()) != 1 || res.GetDevices()[0].GetName() != "desktop" || res.GetTimeZone() != "Europe/Berlin" {
			t.Errorf("%v, %v", res, err)
		}
		c.identity.put(&identityv1.Workspace{Id: "w", Version: 3}, false)
		eventually("they are deleted", func() bool { return stored() == 0 })
		if _, err := p.api().GetAnalytics(c.in("w", "boss", readAnalytics), asked); rpc.FromError(err).GetReason() != "presence.NOT_RECORDED" {
			t.Error(err)
		}
		eventually("it is switched off", func() bool { return !known("w") })
		c.identity.put(&identityv1.Workspace{Id: "w", PresenceRecords: true, Version: 4}, false)
		eventually("it is switched on again", func() bool { return known("w") })
		c.identity.put(&identityv1.Workspace{Id: "v", PresenceRecords: true, Version: 1}, true)
		eventually("of another history nothing is known of it", func() bool { return known("v") && !known("w") })
	})
}

// TestPurgedByTwo: two processes delete the same records at once, old ones and all of a workspace that has switched them off, while others are written: no
// error, nothing is left, and nothing else is deleted.
func TestPurgedByTwo(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		homes := []*process{c.start("presence-1", "presence-1~1"), c.start("presence-2", "presence-2~1")}
		for _, p := range homes {
			p.stop() // or they purge at times of their own
		}
		now := time.Now()
		batch := func(workspace string, from, n int, start time.Time) (list []record) {
			for i := range n {
				list = append(list, record{personKey: personKey{workspace, fmt.Sprint("u", i%7)}, session: fmt.Sprint(from + i), start: start, end: start.Add(time.Minute)})
			}
			return list
		}
		write := func(p *process, list []record) { // like writeRecords, until it is done
			for p.server.record(t.Context(), list) != nil && t.Context().Err() == nil {
				continue
			}
		}
		put := func(workspace string, records bool, version uint64) {
			err := homes[0].server.db.Write(t.Context(), func(tx *sql.Tx) error {
				return putWorkspace(t.Context(), tx, &identityv1.Workspace{Id: workspace, PresenceRecords: records, Version: version}, now.AddDate(-1, 0, 0))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		put("old", true, 1)
		put("off", true, 1)
		for i := range 2 {
			write(homes[0], batch("old", 1000*i, 1000, now.AddDate(0, 0, -100)))
			write(homes[0], batch("off", 1000*i, 1000, now.AddDate(0, 0, -10).Add(time.Duration(i)*time.Hour)))
		}
		put("off", false, 2)
		var both sync.WaitGroup
		for n, p := range homes {
			both.Go(func() {
				for range 3 {
					if err := p.server.purge(t.Context(), now, true); err != nil {
						t.Error(err)
					}
				}
			})
			both.Go(func() {
				for i := range 8 {
					write(p, batch("old", 100_000*(n+1)+20*i, 20, now.AddDate(0, 0, -1)))
				}
			})
		}
		both.Wait()
		var left, off, marked int
		err := homes[0].server.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM presence_record WHERE workspace = 'old'), (SELECT count(*) FROM presence_record WHERE workspace = 'off'),
			(SELECT count(*) FROM presence_workspace WHERE clear)`).Scan(&left, &off, &marked)
		if err != nil || left != 320 || off != 0 || marked != 0 {
			t.Errorf("%d records are left, want the 320 that are new, %d of a workspace that keeps none; %d are to be cleared: %v", left, off, marked, err)
		}
	})
}

// TestWrittenByTwo: what two homes write of one session at the same time doesn't overlap.
func TestWrittenByTwo(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		var homes []*process
		for _, id := range []string{"presence-1", "presence-2"} {
			homes = append(homes, c.start(id, id+"~1", func(cfg *Config) { cfg.Retention = forAges }))
		}
		db := homes[0].server.db
		err := db.Write(t.Context(), func(tx *sql.Tx) error {
			return putWorkspace(t.Context(), tx, &identityv1.Workspace{Id: "w", PresenceRecords: true, Version: 1}, time.UnixMilli(0))
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			var both sync.WaitGroup
			for n, p := range homes {
				r := record{personKey: personKey{"w", "ada"}, session: fmt.Sprint(i), start: time.UnixMilli(int64(1000 + 4000*n)), end: time.UnixMilli(int64(20_000 - 10_000*n))}
				both.Go(func() {
					if err := p.server.record(t.Context(), []record{r}); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
		overlaps := 0
		err = db.QueryRow(t.Context(), `SELECT count(*) FROM presence_record a JOIN presence_record b ON a.workspace = b.workspace AND a.user_id = b.user_id AND a.session = b.session
			WHERE a.start_ms < b.start_ms AND b.start_ms < a.end_ms`).Scan(&overlaps)
		if err != nil || overlaps > 0 {
			t.Errorf("%d records overlap: %v", overlaps, err)
		}
	})
}

// TestLastRecords: one program that is stopped writes down what goes on.
func TestLastRecords(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	c.identity.put(&identityv1.Workspace{Id: "w", PresenceRecords: true, Version: 1}, false)
	p := c.start("presence-1", "presence-1~1")
	g := p.report()
	g.complete(p)
	g.open(1, "ada")
	for lasts := false; !lasts; <-time.After(10 * time.Millisecond) { // and then for as long
		p.server.hub.mu.Lock()
		ada := p.server.hub.people[personKey{"w", "ada"}]
		lasts = ada != nil && len(ada.sessions) == 1 && ada.sessions[0].stretch != nil
		p.server.hub.mu.Unlock()
	}
	p.stop()
	var n int
	if err := p.server.db.QueryRow(t.Context(), `SELECT count(*) FROM presence_record`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d records are written: %v", n, err)
	}
}

// TestClosing: a home that is stopped writes down what goes on before another one takes over, which goes on with it: no time is lost, and none counts twice.
func TestClosing(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		c.identity.put(&identityv1.Workspace{Id: "w", PresenceRecords: true, Version: 1}, false)
		grace := func(cfg *Config) { cfg.Grace = time.Second }
		old := c.start("presence-1", "presence-1~1", grace)
		lasts := func(p *process) {
			for is := false; !is; <-time.After(10 * time.Millisecond) { // real databases and streams; and then for as long
				p.server.hub.mu.Lock()
				ada := p.server.hub.people[ada]
				is = ada != nil && len(ada.sessions) == 1 && ada.sessions[0].stretch != nil
				p.server.hub.mu.Unlock()
			}
		}
		type row struct{ start, end, online, chat int64 }
		stored := func() (rows []row) {
			err := each(t.Context(), old.server.db.Query, `SELECT start_ms, end_ms, online_ms, chat_min FROM presence_record ORDER BY start_ms`, nil, func(r *sql.Rows) error {
				var one row
				err := r.Scan(&one.start, &one.end, &one.online, &one.chat)
				rows = append(rows, one)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		g := old.report()
		g.complete(old)
		g.open(1, "ada")
		lasts(old)
		g.tell(&rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: 1, Kinds: []edgev1.Doing{edgev1.Doing_DOING_CHAT}}}})
		for noted := false; !noted; <-time.After(10 * time.Millisecond) {
			old.server.hub.mu.Lock()
			noted = old.server.hub.people[ada].sessions[0].stretch.minutes[edgev1.Doing_DOING_CHAT].count == 1
			old.server.hub.mu.Unlock()
		}
		old.server.Closing(t.Context())
		written := stored()
		if len(written) != 1 || written[0].end <= written[0].start || written[0].end-written[0].start-written[0].online > 1 || written[0].chat != 1 {
			t.Fatalf("%+v are written while the lease holds", written)
		}
		c.change(func() { old.frozen = true }) // the lease is given back
		old.kill()
		if again := stored(); !slices.Equal(again, written) {
			t.Fatalf("%+v are written without a lease", again[1:])
		}
		young := c.start("presence-2", "presence-2~1", grace)
		h := young.report()
		h.complete(young)
		h.tell(&rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: 1, Workspace: "w", User: "ada", Session: "s", Agent: "plenum-desktop/1", AgeS: 3}}}) // longer ago than it was
		lasts(young)
		h.tell(&rosterv1.ReportRequest{Closed: []uint64{1}})
		for len(stored()) < 2 {
			<-time.After(20 * time.Millisecond)
		}
		all := stored()
		if len(all) != 2 || all[0] != written[0] || all[1].start != all[0].end || all[1].online > all[1].end-all[1].start {
			t.Errorf("%+v, want that it goes on where %+v ends", all, written[0])
		}
	})
}

// TestWrittenOnce: what is written down twice, or overlaps, or was not to be kept, counts once, or not at all.
func TestWrittenOnce(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		p := c.start("presence-1", "presence-1~1", func(cfg *Config) { cfg.Retention = forAges })
		err := p.server.db.Write(t.Context(), func(tx *sql.Tx) error {
			if err := putWorkspace(t.Context(), tx, &identityv1.Workspace{Id: "off", Version: 1}, time.UnixMilli(0)); err != nil {
				return err
			}
			return putWorkspace(t.Context(), tx, &identityv1.Workspace{Id: "w", PresenceRecords: true, Version: 1}, time.UnixMilli(1000))
		})
		if err != nil {
			t.Fatal(err)
		}
		of := func(workspace, session string, startMs, endMs int64) record {
			return record{personKey: personKey{workspace, "ada"}, session: session, start: time.UnixMilli(startMs), end: time.UnixMilli(endMs)}
		}
		batch := []record{
			of("w", "s", 2000, 3000), of("w", "s", 2500, 4000), of("w", "t", 2000, 3000), of("w", "s", 2600, 3900),
			of("w", "u", 500, 1500), of("w", "u", 100, 900), of("off", "s", 2000, 3000), of("unknown", "s", 2000, 3000),
		}
		for range 2 {
			if err := p.server.record(t.Context(), slices.Clone(batch)); err != nil {
				t.Fatal(err)
			}
		}
		for _, late := range []record{of("w", "s", 0, 9000), of("w", "s", 1000, 1900)} {
			if err := p.server.record(t.Context(), []record{late}); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		err = each(t.Context(), p.server.db.Query, `SELECT workspace, session, start_ms, end_ms FROM presence_record ORDER BY 1, 2, 3`, nil, func(r *sql.Rows) error {
			var workspace, session string
			var startMs, endMs int64
			err := r.Scan(&workspace, &session, &startMs, &endMs)
			got = append(got, fmt.Sprint(workspace, " ", session, " ", startMs, " ", endMs))
			return err
		})
		if want := []string{"w s 1000 1900", "w s 2000 3000", "w s 3000 4000", "w s 4000 9000", "w t 2000 3000", "w u 1000 1500"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, want %q, %v", got, want, err)
		}
	})
}

// TestRetention: what is old is deleted, and what was kept before records were switched off and on again.
func TestRetention(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		p := c.start("presence-1", "presence-1~1")
		p.stop() // or it purges, too
		now := time.Now().Truncate(time.Hour)
		write := func(n int, ago time.Duration) {
			var batch []record
			for i := range n {
				start := now.Add(-ago).Add(time.Duration(i) * time.Millisecond)
				batch = append(batch, record{personKey: personKey{"w", "ada"}, session: fmt.Sprint(ago, i), start: start, end: start.Add(time.Minute)})
			}
			for part := range slices.Chunk(batch, recordBatch) { // as they are written
				if err := p.server.record(t.Context(), part); err != nil {
					t.Fatal(err)
				}
			}
		}
		stored := func() (n int) {
			if err := p.server.db.QueryRow(t.Context(), `SELECT count(*) FROM presence_record`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		put := func(records bool, version uint64, at time.Time) {
			err := p.server.db.Write(t.Context(), func(tx *sql.Tx) error {
				return putWorkspace(t.Context(), tx, &identityv1.Workspace{Id: "w", PresenceRecords: records, Version: version}, at)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		purge := func(now time.Time, old bool) {
			if err := p.server.purge(t.Context(), now, old); err != nil {
				t.Fatal(err)
			}
		}
		put(true, 1, now.Add(-200*24*time.Hour))
		write(2*purgeBatch+1, 100*24*time.Hour)
		write(10, 89*24*time.Hour)
		purge(now, false)
		if n := stored(); n != 2*purgeBatch+11 {
			t.Errorf("%d are left though nothing is to be deleted", n)
		}
		purge(now, true)
		if n := stored(); n != 10 {
			t.Errorf("%d are left, want those that are younger than 90 days", n)
		}
		put(false, 2, now)
		put(true, 3, now.Add(-time.Hour))
		write(3, 30*time.Minute)
		purge(now, false)
		if n := stored(); n != 3 {
			t.Errorf("%d are left, want those since it was switched on again", n)
		}
		put(false, 4, now)
		purge(now, false)
		put(true, 3, now) // an old event
		if n := stored(); n != 0 {
			t.Errorf("%d are left though it was switched off", n)
		}
		if list, err := p.server.toClear(t.Context(), now, true); err != nil || len(list) > 0 {
			t.Errorf("%v, %v are looked through though nothing is recorded", err, list)
		}
		put(true, 5, now.Add(-200*24*time.Hour))
		write(1, 100*24*time.Hour)
		err := p.server.db.Write(t.Context(), func(tx *sql.Tx) error { return forgetWorkspaces(t.Context(), tx, topic.PartitionOf("w", "w")) })
		if err != nil {
			t.Fatal(err)
		}
		purge(now, true)
		if n := stored(); n != 0 {
			t.Errorf("%d old ones are left of a history that has begun anew", n)
		}
	})
}

// Of more workspaces than can be recorded the first are, and that is said once.
func TestMostKept(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		p := c.start("presence-1", "presence-1~1")
		p.stop() // or it looks, too
		var said strings.Builder
		p.server.logger = slog.New(slog.NewTextHandler(&said, nil))
		put := func(from, i int) {
			err := p.server.db.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT $1 + 0 UNION ALL SELECT i + 1 FROM n WHERE i < $2 + 0)
					INSERT INTO presence_workspace (id, records, since_ms, clear, time_zone, version) SELECT 'w-' || (100000 + i), true, 0, false, '', 1 FROM n`, from, i)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		look := func(want int, says bool) {
			t.Helper()
			said.Reset()
			if err := p.server.loadRecorded(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, is := p.server.hub.recorded["w-110001"]; len(p.server.hub.recorded) != want || is || (said.Len() > 0) != says {
				t.Errorf("%d are recorded, the last one too: %t; said: %q", len(p.server.hub.recorded), is, said.String())
			}
		}
		put(1, maxRecorded)
		look(maxRecorded, false)
		put(maxRecorded+1, maxRecorded+1)
		look(maxRecorded, true)
		look(maxRecorded, false)
	})
}
