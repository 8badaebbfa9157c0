package run

import (
	"context"
	"fmt"
	"time"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/proc"
)

// distributions are the kinds of latency, in the order in which they are shown.
var distributions = []string{"connect", "open", "resume", "ack", "deliver"}

func latencies(c *crowd.Crowd) map[string]*meter.Latency {
	return map[string]*meter.Latency{"connect": c.Connect, "open": c.Open, "resume": c.Resume, "ack": c.Ack, "deliver": c.Deliver}
}

// worthNoting is the part of a last second from which on its rates say something.
const worthNoting = 200 * time.Millisecond

// Watch notes each second of the run and prints a progress line, until ctx ends.
func (r *Run) Watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	w := watcher{last: time.Now()}
	w.usage, _ = proc.Each(r.PID) // a process that is gone is told by Measure
	for {
		select {
		case <-ctx.Done():
			if time.Since(w.last) > worthNoting || len(r.series.Slots) == 0 {
				r.watch(&w)
			}
			return
		case <-tick.C:
			r.watch(&w)
		}
	}
}

// watcher is where the counts stood at the last tick.
type watcher struct {
	last                      time.Time
	offered, answered, events uint64
	usage                     []proc.Usage
}

func (r *Run) watch(w *watcher) {
	now := time.Now()
	x := slot{Took: now.Sub(w.last), Latency: map[string]meter.Bars{}}
	w.last = now
	if each, err := proc.Each(r.PID); err == nil {
		for i, u := range each {
			if len(w.usage) == len(each) {
				u.CPU -= w.usage[i].CPU
			}
			x.Usage = append(x.Usage, u)
		}
		w.usage = each
	}
	r.mu.Lock()
	c, since, phase := r.watched, r.since, r.phase
	r.mu.Unlock()
	line := fmt.Sprintf("%4.0fs %-9s", now.Sub(r.begin).Seconds(), phase)
	if c != nil {
		offered, answered, events := c.Offered.Load(), c.Answered.Load(), c.Counts.Events.Load()
		x.Connected, x.Offered, x.Answered, x.Events = c.Connected(), offered-w.offered, answered-w.answered, events-w.events
		w.offered, w.answered, w.events = offered, answered, events
		x.Load, _ = proc.LoadAverage() // 0: unknown
		for name, l := range latencies(c) {
			x.Latency[name] = meter.Coarse(l.Second())
		}
		r.mu.Lock()
		r.series.add(now.Sub(since), x)
		r.mu.Unlock()
		line += fmt.Sprintf(" %6d connected %8.0f events/s  ack p99 %-8v deliver p99 %-8v", x.Connected, float64(x.Events)/x.Took.Seconds(),
			us(x.Latency["ack"].Summary().P99), us(x.Latency["deliver"].Summary().P99))
	}
	if len(x.Usage) > 0 {
		u := proc.Sum(x.Usage)
		line += fmt.Sprintf("  %.2f cores %d MB", u.CPU.Seconds()/x.Took.Seconds(), u.Resident>>20)
	}
	r.sayf("%s", line)
}

func us(n int64) time.Duration {
	return (time.Duration(n) * time.Microsecond).Round(100 * time.Microsecond)
}
