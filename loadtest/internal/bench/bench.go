package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

type flags struct {
	Only []string `help:"Groups to run: idle, bundle, fanout, connect, sends, chat, slow. Default: all." placeholder:"GROUP"`
	Runs int      `help:"Runs of each; the median counts." default:"5"`
	Out  string   `help:"File for the results." default:"bench-results.json" placeholder:"FILE"`
	Log  string   `help:"File for what the programs say." default:"bench.log" placeholder:"FILE"`
}

const description = `Holds a Plenum against its bars, server and generator on this machine's cores. Each run has a server of its own.`

// Main is the program; it returns the exit code: 1 if a run failed, whatever the bars say.
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
	f := &flags{}
	exited := false
	parser, err := kong.New(f, kong.Name("bench"), kong.Description(description), kong.Writers(stdout, stdout), kong.Exit(func(int) { exited = true }))
	if err != nil {
		return fmt.Errorf("command line: %w", err)
	}
	if _, err := parser.Parse(args); exited || err != nil {
		return err //nolint:wrapcheck // names the flag
	}
	chosen, err := choose(f.Only)
	if err != nil {
		return err
	}
	if f.Runs < 1 || f.Runs > 100 {
		return errors.New("--runs must be 1 to 100")
	}
	log, err := os.Create(f.Log)
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	l, err := open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var bars []Bar
	for _, g := range chosen {
		these, err := measure(ctx, l, g, f.Runs, stdout)
		if err != nil {
			return fmt.Errorf("%s: %w (%s tells more)", g.name, err, f.Log)
		}
		bars = append(bars, these...)
	}
	return errors.Join(show(stdout, bars), write(f.Out, bars))
}

// choose finds groups by their names, and fails for a name that none has.
func choose(only []string) ([]group, error) {
	if len(only) == 0 {
		return groups, nil
	}
	var chosen []group
	for _, name := range only {
		i := slices.IndexFunc(groups, func(g group) bool { return g.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no group %q", name)
		}
		chosen = append(chosen, groups[i])
	}
	return chosen, nil
}

// measure runs a group so many times.
func measure(ctx context.Context, l *lab, g group, runs int, progress io.Writer) ([]Bar, error) {
	samples := make([][]float64, len(g.goals))
	var loads []float64
	for i := range runs {
		got, err := g.run(ctx, l)
		if err != nil {
			return nil, err
		}
		load := loadAverage()
		loads = append(loads, load)
		for j, v := range got {
			samples[j] = append(samples[j], v)
			fmt.Fprintf(progress, "%s %d/%d: %s: %s %s (load %.1f)\n", g.name, i+1, runs, g.goals[j].name, number(v), g.goals[j].unit, load)
		}
	}
	bars := make([]Bar, len(g.goals))
	for j, goal := range g.goals {
		bars[j] = goal.judge(samples[j], loads)
	}
	return bars, nil
}

// loadAverage is that of the last minute; 0 where the system doesn't tell.
func loadAverage() (load float64) {
	data, _ := os.ReadFile("/proc/loadavg")
	_, _ = fmt.Sscan(strings.SplitN(string(data), " ", 2)[0], &load)
	return load
}
