package presence

import (
	"slices"
	"time"
)

// ruler divides a time into hours, or days, of a time zone: each begins where the one before ends, in Unix milliseconds.
type ruler []int64

// calendar is the days that a time is asked of, with the hours of the week, as a time zone counts them.
type calendar struct {
	zone  *time.Location
	days  ruler // from 31 days before the first to the second behind the last
	hours ruler // of these
	first int   // place of the first day
	last  int   // and of the last
}

const monthDays = 30 // the days that who is active on a day is compared with, with the day itself

// newCalendar rounds a time to days.
func newCalendar(from, to time.Time, zone *time.Location) *calendar {
	c := &calendar{zone: zone}
	from, to = from.In(zone), to.In(zone)
	var day time.Time // that the last one of days is
	for t := from.Add(-(monthDays + 3) * 24 * time.Hour); ; {
		if date := dateOf(t); len(c.days) == 0 || date.After(day) { // a clock that is set back at midnight doesn't bring the day before back
			day, c.days = date, append(c.days, t.UnixMilli())
			if t.After(to.Add(5 * 24 * time.Hour)) {
				break
			}
		}
		c.hours = append(c.hours, t.UnixMilli())
		next := t.Add(time.Hour - time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
		if _, end := t.ZoneBounds(); !end.IsZero() && end.Before(next) {
			next = end.In(zone)
		}
		t = next
	}
	c.days = c.days[1:] // it was cut off
	c.first = c.days.place(from.UnixMilli())
	if c.last = c.days.place(to.UnixMilli()); c.days[c.last] == to.UnixMilli() && c.last > c.first {
		c.last--
	}
	c.days = c.days[c.first-monthDays-1 : c.last+4]
	c.first, c.last = monthDays+1, c.last-c.first+monthDays+1
	begin, _ := slices.BinarySearch(c.hours, c.days[0])
	end, _ := slices.BinarySearch(c.hours, c.days[len(c.days)-1])
	c.hours = c.hours[begin : end+1]
	return c
}

// clip leaves of the days that are asked of those that begin at a time at the earliest, and end at another one at the latest, and returns whether there
// are any, and since when the records of all such days count: those of the day before the first reach into it.
func (c *calendar) clip(from, to int64) (since int64, left bool) {
	earliest, _ := slices.BinarySearch(c.days, from)
	c.first = max(c.first, earliest)
	for c.last >= c.first && c.days[c.last+1] > to {
		c.last--
	}
	if c.last < c.first {
		return 0, false
	}
	return c.days[earliest] - maxStretch.Milliseconds(), true
}

// date is how a day is written.
func (c *calendar) date(day int) string {
	return time.UnixMilli(c.days[day]).In(c.zone).Format(time.DateOnly)
}

// dateOf is a time's date, as midnight of UTC.
func dateOf(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// from and to are where the days that are asked of begin and end.
func (c *calendar) from() int64 { return c.days[c.first] }
func (c *calendar) to() int64   { return c.days[c.last+1] }

// place is in which part of a ruler a time lies.
func (r ruler) place(ms int64) int {
	at, found := slices.BinarySearch(r, ms)
	if !found {
		at--
	}
	return at
}

// pieces are both rulers as few rows (from, to, hour, length of hours, from when days are counted, day, length of days), in each of which hours and days
// have one length: the place of a time is the row's, and its distance from where that begins divided by the length. There are more than one where clocks
// are set anew.
func (c *calendar) pieces() (rows [][]any) {
	hourMs, dayMs := int64(0), int64(0)
	for i, from := range c.hours[:len(c.hours)-1] {
		day := c.days.place(from)
		if hour, length := c.hours[i+1]-from, c.days[day+1]-c.days[day]; hour != hourMs || length != dayMs {
			hourMs, dayMs = hour, length
			rows = append(rows, []any{from, from, int64(i), hourMs, c.days[day], int64(day), dayMs})
		}
		rows[len(rows)-1][1] = c.hours[i+1]
	}
	return rows
}
