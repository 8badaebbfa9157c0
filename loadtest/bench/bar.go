package bench

import "slices"

// Bar is what a figure is to be, and what it was.
type Bar struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"` // median of Samples
	Goal   float64 `json:"goal"`
	Better string  `json:"better"` // lower or higher
	OK     bool    `json:"ok"`
	// Samples are those of the runs, in their order.
	Samples []float64 `json:"samples"`
	// Control is the median of the control runs beside them; 0: the bar has none.
	Control float64 `json:"control,omitzero"`
	// Ratio is Value to Control.
	Ratio float64 `json:"ratio,omitzero"`
	// Load is the machine's load average at the end of each run.
	Load []float64 `json:"load"`
	// Problem is why runs are missing: the bar is not reached then, whatever the others say.
	Problem string `json:"problem,omitempty"`
}

// Directions of Bar.Better.
const (
	lower  = "lower"
	higher = "higher"
)

// goal is one bar of a group.
type goal struct {
	name, unit, better string
	goal               float64
}

// sample is what one run tells of a bar. Latency has a control: what the machine, the library and the generator take without Plenum.
type sample struct{ value, control float64 }

// controlShare is the part of a bar beyond which the control counts: the machine is then too slow for the bar, which becomes as many
// times the control as it is at that point.
const controlShare = 1. / 3

// judge makes a bar of the samples of its runs.
func (g goal) judge(samples []sample, load []float64, problem error) Bar {
	b := Bar{Name: g.name, Unit: g.unit, Goal: g.goal, Better: g.better, Load: load}
	var controls []float64
	for _, s := range samples {
		b.Samples, controls = append(b.Samples, s.value), append(controls, s.control)
	}
	b.Value, b.Control = median(b.Samples), median(controls)
	if b.Control > 0 {
		b.Ratio = b.Value / b.Control
	}
	switch {
	case problem != nil:
		b.Problem = problem.Error()
	case len(samples) == 0:
	case g.better == higher:
		b.OK = b.Value >= g.goal
	default:
		b.OK = b.Value <= max(g.goal, b.Control/controlShare)
	}
	return b
}

// median is the middle of the samples, or the mean of the two middle ones; 0 without samples.
func median(samples []float64) float64 {
	s := slices.Sorted(slices.Values(samples))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
