package run

import (
	"time"

	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/proc"
)

// intervalsMost bounds what is kept of a run: where it lasts longer, neighbours are merged.
const intervalsMost = 600

// series is a run by intervals of equal width, from when its clients began to connect.
//
// Invariant: at most intervalsMost slots.
type series struct {
	Width time.Duration
	Slots []slot
}

// slot is what happened in one interval.
type slot struct {
	Took      time.Duration // that was watched
	Connected int           // at the end
	Offered   uint64
	Answered  uint64
	Events    uint64
	Latency   map[string]meter.Bars
	Usage     []proc.Usage // by process of the server: used in the interval, resident at its end
	Load      float64
}

func newSeries() *series { return &series{Width: time.Second} }

// add notes what happened until at, since the series began.
func (s *series) add(at time.Duration, x slot) {
	middle := max(0, at-x.Took/2) // so that a late tick does not fall into the next interval
	for middle/s.Width >= intervalsMost {
		s.widen()
	}
	i := int(middle / s.Width)
	for len(s.Slots) <= i {
		s.Slots = append(s.Slots, slot{})
	}
	s.Slots[i].follow(x)
}

// widen merges neighbours.
func (s *series) widen() {
	for i := range s.Slots {
		if i%2 == 0 {
			s.Slots[i/2] = s.Slots[i]
		} else {
			s.Slots[i/2].follow(s.Slots[i])
		}
	}
	half := (len(s.Slots) + 1) / 2
	clear(s.Slots[half:])
	s.Slots, s.Width = s.Slots[:half], 2*s.Width
}

// join adds what another process saw in the same intervals.
func (s *series) join(o *series) {
	for s.Width < o.Width {
		s.widen()
	}
	for o.Width < s.Width {
		o.widen()
	}
	for i, x := range o.Slots {
		if i == len(s.Slots) {
			s.Slots = append(s.Slots, slot{})
		}
		s.Slots[i].beside(x)
	}
}

// follow takes over what happened next.
func (x *slot) follow(next slot) {
	if next.Took == 0 {
		return
	}
	x.Took += next.Took
	x.Connected = next.Connected
	x.Load = max(x.Load, next.Load)
	x.both(next)
	if len(next.Usage) > 0 {
		usage := append([]proc.Usage(nil), next.Usage...)
		for i, u := range x.Usage {
			usage[i].CPU += u.CPU
			usage[i].Resident = max(usage[i].Resident, u.Resident)
		}
		x.Usage = usage
	}
}

// beside takes over what another process saw meanwhile; the server is watched by one alone.
func (x *slot) beside(o slot) {
	x.Took = max(x.Took, o.Took)
	x.Connected += o.Connected
	x.Load = max(x.Load, o.Load)
	if x.Usage == nil {
		x.Usage = o.Usage
	}
	x.both(o)
}

func (x *slot) both(o slot) {
	x.Offered += o.Offered
	x.Answered += o.Answered
	x.Events += o.Events
	if x.Latency == nil {
		x.Latency = map[string]meter.Bars{}
	}
	for name, bars := range o.Latency {
		x.Latency[name] = x.Latency[name].Merge(bars)
	}
}

// intervals is the series as it is reported; intervals in which nothing was seen are left out.
func (s *series) intervals() []Interval {
	out := make([]Interval, 0, len(s.Slots))
	for i, x := range s.Slots {
		if x.Took == 0 {
			continue
		}
		took := x.Took.Seconds()
		v := Interval{
			At: (time.Duration(i) * s.Width).Seconds(), Took: took, Connected: x.Connected, Offered: float64(x.Offered) / took,
			Answered: float64(x.Answered) / took, Events: float64(x.Events) / took, Latency: map[string]meter.Summary{}, Load: x.Load,
		}
		for name, bars := range x.Latency {
			if len(bars) > 0 {
				v.Latency[name] = bars.Summary()
			}
		}
		for _, u := range x.Usage {
			v.Processes = append(v.Processes, Process{u.CPU.Seconds() / took, u.Resident})
		}
		out = append(out, v)
	}
	return out
}
