package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
)

// show writes the table, and below it what went wrong.
func show(w io.Writer, bars []Bar) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "bar\tmedian\tgoal\t\tcontrol\tratio\truns\tload")
	for _, b := range bars {
		sign, verdict := "<=", "missed"
		if b.Better == higher {
			sign = ">="
		}
		switch {
		case b.OK && b.Better == lower && b.Value > b.Goal:
			verdict = "ok by ratio"
		case b.OK:
			verdict = "ok"
		}
		value, control, ratio := "-", "-", "-"
		if len(b.Samples) > 0 {
			value = number(b.Value) + " " + b.Unit
		}
		if b.Control > 0 {
			control, ratio = number(b.Control)+" "+b.Unit, number(b.Ratio)
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", b.Name, value, sign, number(b.Goal), verdict, control, ratio, list(b.Samples), list(b.Load))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	for _, b := range bars {
		if b.Problem != "" {
			fmt.Fprintf(w, "%s: %s\n", b.Name, b.Problem)
		}
	}
	return nil
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
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = number(v)
	}
	return strings.Join(out, " ")
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
