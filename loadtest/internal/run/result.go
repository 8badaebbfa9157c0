package run

import (
	"time"

	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/tally"
)

// Result is what a run found; it is also the form of --json.
type Result struct {
	Scenario string         `json:"scenario"`
	Options  Options        `json:"options"`
	Flags    any            `json:"flags,omitempty"` // of the scenario
	Started  time.Time      `json:"started"`
	Measured float64        `json:"measured_s"` // seconds
	Figures  []Figure       `json:"figures"`
	Latency  []Latency      `json:"latency"`
	Findings tally.Findings `json:"findings"`
	Refusals map[string]int `json:"refusals,omitempty"`
	// Intervals are the run from its first connection on, at most 600 of equal width.
	Intervals []Interval `json:"intervals"`
	// Width is that of each interval, in seconds.
	Width float64 `json:"interval_s"`
	// Window is the part of the run that was measured, in seconds of Intervals.
	Window   [2]float64 `json:"window_s"`
	Programs []string   `json:"programs,omitempty"` // of Options.PID
	Problems []string   `json:"problems,omitempty"` // why the run failed; none: it passed
}

// Figure is one number.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Latency is one distribution over the whole run.
type Latency struct {
	Name string `json:"name"`
	meter.Summary
	Bars meter.Bars `json:"bars,omitempty"`
}

// Interval is a part of the run, of all processes together.
type Interval struct {
	At        float64                  `json:"at_s"`   // since the first connection was due
	Took      float64                  `json:"took_s"` // of it was watched
	Connected int                      `json:"connected"`
	Offered   float64                  `json:"offered_per_s"` // mutations that were due
	Answered  float64                  `json:"took_place_per_s"`
	Events    float64                  `json:"events_per_s"` // that clients took
	Latency   map[string]meter.Summary `json:"latency"`
	Processes []Process                `json:"processes,omitempty"` // of --pid, in their order
	Load      float64                  `json:"load_average"`
}

// Process is what one process of the server used in an interval.
type Process struct {
	Cores    float64 `json:"cores"`
	Resident int64   `json:"resident"` // bytes, at its most
}
