// Package bench holds a Plenum against its bars: it runs the load tests on a server of its own, several times, and prints the medians.
package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// Bar is what a figure is to be.
type Bar struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"` // median of Samples
	Goal   float64 `json:"goal"`
	Better string  `json:"better"` // lower or higher
	OK     bool    `json:"ok"`
	// Samples are those of the runs, in their order.
	Samples []float64 `json:"samples"`
	// Load is the machine's load average at the end of each run.
	Load []float64 `json:"load"`
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

// judge makes a bar of the samples of its runs.
func (g goal) judge(samples, load []float64) Bar {
	b := Bar{Name: g.name, Unit: g.unit, Goal: g.goal, Better: g.better, Samples: samples, Load: load, Value: median(samples)}
	b.OK = len(samples) > 0 && (g.better == lower && b.Value <= g.goal || g.better == higher && b.Value >= g.goal)
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

// show writes the table.
func show(w io.Writer, bars []Bar) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "bar\tmedian\tgoal\t\truns\tload")
	for _, b := range bars {
		sign, verdict := "<=", "missed"
		if b.Better == higher {
			sign = ">="
		}
		if b.OK {
			verdict = "ok"
		}
		fmt.Fprintf(t, "%s\t%s %s\t%s %s\t%s\t%s\t%s\n", b.Name, number(b.Value), b.Unit, sign, number(b.Goal), verdict, list(b.Samples), list(b.Load))
	}
	return t.Flush()
}

// number rounds to three digits or so.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func list(all []float64) string {
	var out strings.Builder
	for i, v := range all {
		if i > 0 {
			out.WriteString(" ")
		}
		out.WriteString(number(v))
	}
	return out.String()
}

// write writes the bars for programs.
func write(path string, bars []Bar) error {
	data, err := json.MarshalIndent(bars, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil { //nolint:gosec // nothing secret
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}
