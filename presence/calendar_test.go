package presence

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(tb rapid.TB, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return z
}

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana"}

// TestCalendar: days and hours are those of the time zone, also where clocks are set anew.
func TestCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(append(zones, "Africa/Cairo", "Pacific/Apia")).Draw(t, "zone"))
		from := time.UnixMilli(rapid.Int64Range(0, 2_000_000_000_000).Draw(t, "from"))
		to := from.Add(time.Duration(rapid.Int64Range(1, maxDays*86_400_000).Draw(t, "length")) * time.Millisecond)
		c := newCalendar(from, to, z)
		if c.from() > from.UnixMilli() || c.days[c.first+1] <= from.UnixMilli() || c.to() < to.UnixMilli() || c.days[c.last] >= to.UnixMilli() {
			t.Fatalf("%v to %v is rounded to %v to %v", from, to, time.UnixMilli(c.from()), time.UnixMilli(c.to()))
		}
		if c.first < monthDays || c.days[c.first-monthDays] > c.from()-(monthDays-1)*86_400_000 || c.hours[0] > c.from()-86_400_000 || c.hours[len(c.hours)-1] < c.to()+86_400_000 || len(c.days) < c.last+3 {
			t.Fatal("what reaches into the time has no place")
		}
		if !slices.IsSorted(c.days) || !slices.IsSorted(c.hours) {
			t.Fatal("times go back")
		}
		for i := c.first; i <= c.last; i++ {
			before, begin := time.UnixMilli(c.days[i]-1).In(z), time.UnixMilli(c.days[i]).In(z)
			if _, hour := slices.BinarySearch(c.hours, c.days[i]); !hour {
				t.Fatalf("the day that begins at %v begins within an hour", begin)
			}
			if dateOf(begin).Equal(dateOf(before)) {
				t.Fatalf("a day begins at %v, on the date before", begin)
			}
		}
		for i := range c.hours[:len(c.hours)-1] {
			first, last := time.UnixMilli(c.hours[i]).In(z), time.UnixMilli(c.hours[i+1]-1).In(z)
			if first.Hour() != last.Hour() || last.Sub(first) >= time.Hour {
				t.Fatalf("an hour lasts from %v to %v", first, last)
			}
		}
		pieces := c.pieces()
		if n := len(pieces); n > 20 {
			t.Fatalf("%d pieces", n)
		}
		at, found := rapid.Int64Range(c.days[0], c.days[len(c.days)-1]-1).Draw(t, "at"), 0
		for _, row := range pieces {
			n := func(i int) int64 { return row[i].(int64) } // from, to, hour, its length, from when days are counted, day, its length
			if n(0) > at || at >= n(1) {
				continue
			}
			found++
			hour, day := int(n(2)+(at-n(0))/n(3)), int(n(5)+(at-n(4))/n(6))
			if hour != c.hours.place(at) || day != c.days.place(at) || c.hours[hour] > at || c.hours[hour+1] <= at || c.days[day] > at || c.days[day+1] <= at {
				t.Fatalf("%d lies in the hour %d of the day %d, want %d of %d", at, hour, day, c.hours.place(at), c.days.place(at))
			}
		}
		if found != 1 {
			t.Fatalf("%d lies in %d pieces", at, found)
		}
	})
}

// TestDayOfTwoMidnights: a clock that is set back at midnight to the day before doesn't bring that back.
func TestDayOfTwoMidnights(t *testing.T) {
	z := zone(t, "Africa/Cairo")
	c := newCalendar(time.Date(2025, 10, 30, 12, 0, 0, 0, z), time.Date(2025, 11, 1, 12, 0, 0, 0, z), z)
	var got []string
	for i := c.first; i <= c.last+1; i++ {
		got = append(got, time.UnixMilli(c.days[i]).UTC().Format("02 15:04"))
	}
	if want := []string{"29 21:00", "30 22:00", "31 22:00", "01 22:00"}; !slices.Equal(got, want) {
		t.Errorf("days begin at %q, want %q", got, want)
	}
}
