// Package bench holds a Plenum against its bars: it runs load tests on servers of its own, several times, and prints the medians.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"plenum.internal/loadtest/internal/proc"
)

type flags struct {
	Only []string `help:"Groups to run: ${groups}; the name before a slash alone: all of them. Default: all." placeholder:"GROUP"`
	Runs int      `help:"Runs of each; the median counts." default:"5"`
	Out  string   `help:"File for the results." default:"bench-results.json" placeholder:"FILE"`
	Log  string   `help:"File for what the programs say." default:"bench.log" placeholder:"FILE"`
	Dir  string   `help:"Folder for the servers' data, which goes at the end. It must lie on a disk: sends are synced." default:"${cache}" placeholder:"FOLDER"`
}

const (
	description = `Holds a Plenum against its bars, server and generator on this machine's cores. Each run has a server of its own.

Exit code 1: a run failed. A bar that is missed is no failure.`
	maxRuns = 100
)

// Main is the program; it returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, args, stdout); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func start(ctx context.Context, args []string, stdout io.Writer) (err error) {
	all := groups()
	f, err := parse(args, all, stdout)
	if err != nil || f == nil {
		return err
	}
	chosen, err := choose(all, f.Only)
	if err != nil {
		return err
	}
	log, err := os.Create(f.Log)
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	l, err := open(ctx, f.Dir, log)
	if err != nil {
		return fmt.Errorf("%w (%s tells more)", err, f.Log)
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var bars []Bar
	failed := 0
	for _, g := range chosen {
		these := measure(ctx, l, g, f.Runs, stdout)
		bars = append(bars, these...)
		if these[0].Problem != "" {
			failed++
		}
	}
	if err := errors.Join(show(stdout, bars), write(f.Out, bars), ctx.Err()); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d groups failed; %s tells more", failed, len(chosen), f.Log)
	}
	return nil
}

// parse returns nil where help was asked for.
func parse(args []string, all []group, stdout io.Writer) (*flags, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	var names []string
	for _, g := range all {
		names = append(names, g.name)
	}
	f, exited := &flags{}, false
	parser, err := kong.New(f, kong.Name("bench"), kong.Description(description), kong.Writers(stdout, stdout),
		kong.Exit(func(int) { exited = true }), kong.Vars{"groups": strings.Join(names, ", "), "cache": cache})
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	switch _, err := parser.Parse(args); {
	case exited:
		return nil, nil //nolint:nilnil // help was printed
	case err != nil:
		return nil, fmt.Errorf("%w; see bench --help", err)
	case f.Runs < 1 || f.Runs > maxRuns:
		return nil, fmt.Errorf("--runs must be 1 to %d", maxRuns)
	}
	return f, nil
}

// choose finds groups by their names or by that of their kind, and fails for a name that none has.
func choose(all []group, only []string) ([]group, error) {
	if len(only) == 0 {
		return all, nil
	}
	var chosen []group
	for _, name := range only {
		before := len(chosen)
		for _, g := range all {
			if kind, _, _ := strings.Cut(g.name, "/"); g.name == name || kind == name {
				chosen = append(chosen, g)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("there is no group %q; see bench --help", name)
		}
	}
	return chosen, nil
}

// measure runs a group so many times. A run that fails is its last.
func measure(ctx context.Context, l *lab, g group, runs int, progress io.Writer) []Bar {
	samples := make([][]sample, len(g.goals))
	var loads []float64
	var problem error
	for i := 0; i < runs && problem == nil; i++ {
		var got []sample
		if got, problem = g.run(ctx, l); problem != nil {
			fmt.Fprintf(progress, "%s %d/%d: %v\n", g.name, i+1, runs, problem)
			break
		}
		load, _ := proc.LoadAverage() // 0 where the system doesn't tell
		loads = append(loads, load)
		for j, s := range got {
			samples[j] = append(samples[j], s)
			control := ""
			if s.control > 0 {
				control = fmt.Sprintf("control %s, ", number(s.control))
			}
			fmt.Fprintf(progress, "%s %d/%d: %s: %s %s (%sload %.1f)\n", g.name, i+1, runs, g.goals[j].name, number(s.value), g.goals[j].unit, control, load)
		}
	}
	bars := make([]Bar, len(g.goals))
	for j, goal := range g.goals {
		bars[j] = goal.judge(samples[j], loads, problem)
	}
	return bars
}
