// Package cli is the command line of loadtest: it runs a scenario in one or several processes and reports what they found.
package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/report"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/scenario"
)

// Exit codes.
const (
	exitFailed = 1 // the run found broken promises, or could not be made
	exitUsage  = 2
)

type flags struct {
	run.Options
	scenario.All
	Member member `cmd:"" hidden:"" default:"withargs"`
}

// member takes part in a run that another process leads.
type member struct {
	Join string `help:"Take part in the run whose first process listens there; its secret stands in $LOADTEST_SECRET." placeholder:"HOST:PORT"`
}

const description = `Puts a load on a Plenum, checks what each client gets, and measures.

Accounts come from "plenumctl admin seed". The load is open: messages are due at their times, whether or not the server keeps up, and
latency counts from then. Exit code 1: a promise was broken, or not all took place that should have; 2: the flags are wrong.`

// setupTime bounds what comes before and after the measurement: accounts, channels, connections, the last checks.
const setupTime = 30 * time.Minute

// endTime is how long a process that was started may take from being interrupted to its end.
const endTime = 3 * time.Minute

// Main is the program; it returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv(secretName) == "" { // who has joined may be told twice: by the terminal, and by the first process
		context.AfterFunc(ctx, stop) // a second one ends the program at once
	}
	code, err := start(ctx, args, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "loadtest:", err)
	}
	return code
}

func start(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	f, sc, err := parse(args, stdout)
	if err != nil {
		return exitUsage, err
	}
	if f == nil { // help was asked for
		return 0, nil
	}
	if err := report.Writable(f.JSON, f.HTML); err != nil {
		return exitUsage, err //nolint:wrapcheck // says it all
	}
	if sc == nil {
		return join(ctx, f.Member.Join, stdout, stderr)
	}
	g := peers.Alone()
	if f.Processes > 1 {
		if g, err = lead(ctx, f, args, stderr); err != nil {
			return exitFailed, err
		}
		defer g.Close()
	}
	return play(ctx, f, sc, g, stdout, stderr)
}

// parse returns the flags, which are valid, and the scenario that was chosen, if any; nil flags where help was printed.
func parse(args []string, stdout io.Writer) (f *flags, sc scenario.Scenario, err error) {
	f = &flags{}
	exited := false
	parser, err := kong.New(f, kong.Name("loadtest"), kong.Description(description), kong.Writers(stdout, stdout), kong.Exit(func(int) { exited = true }))
	if err != nil {
		return nil, nil, fmt.Errorf("command line: %w", err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	chosen, err := parser.Parse(args)
	if exited {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w; see loadtest --help", err)
	}
	sc, _ = chosen.Selected().Target.Addr().Interface().(scenario.Scenario)
	if err := size(f, sc, chosen.Path); err != nil {
		return nil, nil, err
	}
	return f, sc, nil
}

// size has a scenario say how many connections there are, if it knows.
func size(f *flags, sc scenario.Scenario, given []*kong.Path) error {
	sized, ok := sc.(scenario.Sized)
	if !ok {
		return nil
	}
	n := sized.Connections()
	if slices.ContainsFunc(given, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == "connections" }) && f.Connections != n {
		return fmt.Errorf("this scenario's flags make %d connections: leave --connections out, or change them", n)
	}
	f.Connections = n
	return f.Validate() //nolint:wrapcheck // says it all
}

// lead waits for the other processes, and starts them unless that is done elsewhere.
func lead(ctx context.Context, f *flags, args []string, stderr io.Writer) (*peers.Group, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.Listen)
	if err != nil {
		return nil, fmt.Errorf("wait for other processes: %w", err)
	}
	secret := rand.Text()
	if !f.Spawn {
		fmt.Fprintf(stderr, "waiting for %d processes: %s=%s loadtest --join %s\n", f.Processes-1, secretName, secret, l.Addr())
	} else if err := spawn(ctx, l.Addr().String(), secret, f.Processes-1, stderr); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return peers.Lead(ctx, l, secret, f.Processes, args) //nolint:wrapcheck // says it all
}

// secretName is the variable of the environment by which the processes of a run know each other: the accounts' tokens go between them.
const secretName = "LOADTEST_SECRET"

func spawn(ctx context.Context, address, secret string, n int, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start other processes: %w", err)
	}
	for range n {
		c := exec.CommandContext(ctx, self, "--join", address) //nolint:gosec // this program
		c.Env = append(os.Environ(), secretName+"="+secret)
		c.Stderr = stderr
		c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it tells what it found
		c.WaitDelay = endTime
		if err := c.Start(); err != nil {
			return fmt.Errorf("start another process: %w", err)
		}
		go func() { _ = c.Wait() }() // its end is told by the group
	}
	return nil
}

func join(ctx context.Context, address string, stdout, stderr io.Writer) (int, error) {
	if address == "" {
		return exitUsage, errors.New("name a scenario; see loadtest --help")
	}
	var args []string
	g, err := peers.Join(ctx, address, os.Getenv(secretName), &args)
	if err != nil {
		return exitFailed, err //nolint:wrapcheck // says it all
	}
	defer g.Close()
	f, sc, err := parse(args, stdout)
	if err != nil {
		return exitFailed, err
	}
	if sc == nil {
		return exitFailed, errors.New("the leader runs no scenario")
	}
	return play(ctx, f, sc, g, stdout, stderr)
}

// play runs the scenario in this process.
func play(ctx context.Context, f *flags, sc scenario.Scenario, g *peers.Group, stdout, stderr io.Writer) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.Warmup+f.Duration+setupTime, errors.New("the run took too long"))
	defer cancel()
	progress := stderr
	if g.Index != 0 {
		progress = io.Discard
	}
	r, err := run.New(ctx, f.Options, g, progress)
	if err != nil {
		return exitFailed, err //nolint:wrapcheck // says it all
	}
	res, err := r.Play(ctx, sc.Run, report.Name(sc), sc)
	if err != nil || res == nil {
		return exitOf(err), err
	}
	if err := report.Write(res, stdout, f.JSON, f.HTML); err != nil {
		return exitFailed, err //nolint:wrapcheck // says it all
	}
	if len(res.Problems) > 0 {
		return exitFailed, nil
	}
	return 0, nil
}

func exitOf(err error) int {
	if err != nil {
		return exitFailed
	}
	return 0
}
