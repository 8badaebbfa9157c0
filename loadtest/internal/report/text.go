// Package report shows the result of a run: a table for people, JSON for programs, a page with plots.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"plenum.internal/loadtest/internal/run"
)

// Name is what a scenario is called on the command line.
func Name(scenario any) string { return strings.ToLower(reflect.TypeOf(scenario).Elem().Name()) }

// Write shows the table, and writes the files that were asked for. With "-" for JSON, standard output holds that and nothing else.
func Write(res *run.Result, stdout io.Writer, jsonFile, htmlFile string) error {
	said := stdout
	show := Text
	if jsonFile == "-" {
		said, show, jsonFile = io.Discard, writeJSON, ""
	}
	if err := show(res, stdout); err != nil {
		return err
	}
	var errs []error
	for _, file := range []struct {
		name  string
		write func(*run.Result, io.Writer) error
	}{{jsonFile, writeJSON}, {htmlFile, HTML}} {
		if file.name == "" {
			continue
		}
		f, err := os.Create(file.name)
		if err == nil {
			err = errors.Join(file.write(res, f), f.Close())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write the report: %w", err))
			continue
		}
		fmt.Fprintln(said, "written to", file.name)
	}
	return errors.Join(errs...)
}

func writeJSON(res *run.Result, w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(res) //nolint:wrapcheck // Write does
}

// Writable fails where a report could not be written: before a run, not behind it.
func Writable(files ...string) error {
	for _, name := range files {
		if name == "" || name == "-" {
			continue
		}
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // the user's file
		if err != nil {
			return fmt.Errorf("the report can't be written: %w", err)
		}
		_ = f.Close()
	}
	return nil
}

// Text writes the table.
func Text(res *run.Result, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\n%s, %.1f s measured\n\n", res.Scenario, res.Measured)
	fmt.Fprint(w, "latency\tcount\tp50\tp90\tp99\tp99.9\tmax\t\n")
	for _, l := range res.Latency {
		if l.Count > 0 {
			fmt.Fprintf(w, "%s\t%d\t%v\t%v\t%v\t%v\t%v\t\n", l.Name, l.Count, us(l.P50), us(l.P90), us(l.P99), us(l.P999), us(l.Max))
		}
	}
	fmt.Fprintln(w)
	for _, f := range res.Figures {
		if f.Value != 0 || f.Name == run.ConnectedAtEnd {
			fmt.Fprintf(w, "%s\t%.6g\t %s\n", f.Name, f.Value, f.Unit)
		}
	}
	f := res.Findings
	fmt.Fprintf(w, "\nevents\tlost\ttwice\tout of order\tgaps\tbefore their cause\tstored twice\tother content\tresets\t\n%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
		f.Events, f.Lost, f.Duplicates, f.Disorder, f.Gaps, f.Causal, f.Doubled, f.Diverged, f.Resets)
	if len(res.Refusals) > 0 {
		fmt.Fprint(w, "\nrefusals and lost connections\n")
		for _, why := range slices.Sorted(maps.Keys(res.Refusals)) {
			fmt.Fprintf(w, "%s\t %d\n", why, res.Refusals[why])
		}
	}
	fmt.Fprintln(w)
	for _, p := range res.Problems {
		fmt.Fprintln(w, "FAILED:", p)
	}
	return w.Flush() //nolint:wrapcheck // Write does
}

func us(n int64) time.Duration {
	d := time.Duration(n) * time.Microsecond
	if d > 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d
}
