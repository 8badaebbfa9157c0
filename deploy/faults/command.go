package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"plenum.internal/deploy/faults/skew"
	"plenum.internal/deploy/faults/space"
)

const usage = `Plenum as a cluster whose parts fail by a schedule, under load, and what clients make of it.

  faults         run; exit code 1 if anything acknowledged was lost, doubled or out of order, or was shown wrongly
  faults build   build the programs, with clocks that can be set wrong, into --bin

As root, with ip and TUN devices, each process has a network of its own, and the kernel clears away what is left. Otherwise everything is on
loopback, and only those faults are done that need no network, disk or freezer.

Those whose names begin with owner are done to processes that own documents, while nothing else fails. In half an hour and more 50 owners are
stopped, at least; --only owner-stop --for 12m does that alone.

`

// Command is the command line: it returns the exit code.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg := DefaultConfig()
	flags := pflag.NewFlagSet("faults", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&cfg.Seed, "seed", 0, "of the schedule and the load; 0: at random")
	flags.DurationVar(&cfg.For, "for", cfg.For, "how long people work and parts fail, at most 1h")
	only := flags.StringSlice("only", nil, fmt.Sprintf("kinds of faults: %v", kinds))
	flags.StringVar(&cfg.Dir, "dir", cfg.Dir, "folder for everything the run writes; emptied first, and kept where something is wrong")
	flags.StringVar(&cfg.Bin, "bin", cfg.Bin, "folder with the programs")
	flags.StringVar(&cfg.Transport, "transport", cfg.Transport, "how devices connect: websocket, sse or poll, or a mix of them")
	flags.IntVar(&cfg.People, "people", cfg.People, "people, 2 to 30; every second one has two devices")
	flags.IntVar(&cfg.Channels, "channels", cfg.Channels, "channels, 1 to 20")
	flags.IntVar(&cfg.Documents, "documents", cfg.Documents, "documents, 1 to 12; each has three programs that edit it")
	flags.IntVar(&cfg.Comers, "comers", cfg.Comers, "people who come and go, 1 to 30, while others look at who is here")
	flags.DurationVar(&cfg.Pause, "pause", cfg.Pause, "of a device between two operations")
	flags.DurationVar(&cfg.Patience, "patience", cfg.Patience, "how long all may take to settle after the last fault")
	flags.Usage = func() { fmt.Fprint(stderr, usage, flags.FlagUsages()) }
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "faults:", err)
		return 1
	}
	for _, k := range *only {
		cfg.Only = append(cfg.Only, Kind(k))
	}
	if cfg.Seed == 0 {
		cfg.Seed = 1 + rand.Uint64N(1e9)
	}
	again := fmt.Sprintf("faults --seed %d", cfg.Seed)
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "seed" {
			again += fmt.Sprintf(" --%s %s", f.Name, strings.Trim(f.Value.String(), "[]"))
		}
	})
	code, err := command(ctx, cfg, flags.Args(), again, stdout)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return code
}

// command does what the arguments say; again is the command line that runs the same schedule.
func command(ctx context.Context, cfg Config, args []string, again string, out io.Writer) (code int, err error) {
	if err := cfg.Validate(); err != nil {
		return 0, err
	}
	if slices.Equal(args, []string{"build"}) {
		return 0, build(ctx, cfg.Bin)
	}
	if len(args) > 0 {
		return 0, fmt.Errorf("faults: %v: unknown; see faults --help", args)
	}
	if !space.Inside() {
		why := space.Possible()
		if why == nil {
			return space.Enter(ctx)
		}
		fmt.Fprintf(out, "All on loopback, without faults of networks, disks and freezers: %v\n", why)
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return 0, fmt.Errorf("faults: %w", err)
	}
	if err := empty(cfg.Dir); err != nil {
		return 0, err
	}
	v, err := Run(ctx, cfg, out)
	if err != nil || len(v.Faults) > 0 {
		for _, fault := range v.Faults {
			fmt.Fprintln(out, fault)
		}
		fmt.Fprintf(out, "The history, the plan and the logs are in %s. The same schedule again: %s\n", cfg.Dir, again)
		return 1, err
	}
	fmt.Fprintln(out, "Nothing that was acknowledged is lost, doubled or out of order, in channels and documents, and everybody was shown the same, and who is here.")
	return 0, os.RemoveAll(cfg.Dir)
}

// build makes the programs.
func build(ctx context.Context, bin string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	if err := skew.Build(ctx, bin, "plenum.internal/deploy/cmd/gateway", "plenum.internal/chat/cmd/chat", "plenum.internal/docs/cmd/docs", "plenum.internal/presence/cmd/presence", "plenum.internal/services/identity/cmd/identity"); err != nil {
		return err
	}
	for _, tool := range []string{"nats-server", "server"} {
		link := filepath.Join(bin, tool)
		if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("faults: %w", err)
		}
		if err := os.Symlink(filepath.Join("..", tool), link); err != nil {
			return fmt.Errorf("faults: %w", err)
		}
	}
	return nil
}

// runMark is a file in the folder of a run: nothing else is ever emptied.
const runMark = ".faults-run"

// empty makes the folder of a run empty.
func empty(dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, runMark)); err != nil {
			return fmt.Errorf("faults: %s is not empty, and no run has made it: name a folder that does not exist yet", dir)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // the umask
		return fmt.Errorf("faults: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, runMark), nil, 0o600); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	return nil
}
