package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"plenum.internal/deploy/check"
)

const usage = `Plenum as separate processes on this machine.

  cluster [up]             start it and return; data of a cluster that was stopped is found again
  cluster status           which processes run
  cluster down             stop it; the folder stays
  cluster kill NAME        end a process by SIGKILL
  cluster stop NAME        end a process in order
  cluster start NAME...    start processes that ended
  cluster restart NAME     stop and start
  cluster freeze NAME      SIGSTOP; cluster thaw NAME lets it go on
  cluster operator ARG...  plenumctl operator, with the operator's certificate: --help lists what there is. cluster's own flags
                           stand before the word
  cluster check            clients write and read while you kill what you like in another terminal, and say what was lost;
                           exit code 1 if anything was. --for, --devices, --rate
  cluster check LINK       the same with any other Plenum, by a link for setting up a workspace
  cluster wipe             stop it and delete the folder

`

// Command is the command line of a cluster: it returns the exit code.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, checking := DefaultConfig(), check.DefaultConfig()
	flags := pflag.NewFlagSet("cluster", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.Dir, "dir", cfg.Dir, "folder with everything the cluster writes")
	flags.StringVar(&cfg.Bin, "bin", cfg.Bin, "folder with nats-server, server (etcd), identity, chat, docs, presence and gateway")
	flags.IntVar(&cfg.Net, "net", cfg.Net, "second octet of a new cluster's loopback addresses")
	flags.IntVar(&cfg.Replicas, "replicas", cfg.Replicas, "processes of each service")
	flags.IntVar(&cfg.Gateways, "gateways", cfg.Gateways, "gateways")
	flags.DurationVar(&checking.For, "for", checking.For, "check: how long clients write, at most 1h")
	flags.IntVar(&checking.Devices, "devices", checking.Devices, "check: clients, at most 50")
	flags.IntVar(&checking.Rate, "rate", checking.Rate, "check: messages a second of each client, at most 10")
	flags.DurationVar(&checking.Patience, "patience", checking.Patience, "check: how long anything may take, the last answers above all")
	if slices.Contains(args, operator) { // its flags are plenumctl's
		flags.SetInterspersed(false)
	}
	flags.Usage = func() { fmt.Fprint(stderr, usage, flags.FlagUsages()) }
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "cluster:", err)
		return 1
	}
	verb, names := "up", flags.Args()
	if len(names) > 0 {
		verb, names = names[0], names[1:]
	}
	chosen := map[string]string{}
	flags.Visit(func(f *pflag.Flag) { chosen[f.Name] = f.Value.String() })
	if err := command(ctx, cfg, checking, chosen, verb, names, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// command does what the arguments say; chosen are the flags that were given, by name.
func command(ctx context.Context, cfg Config, checking check.Config, chosen map[string]string, verb string, names []string, out io.Writer) error {
	c, err := Open(cfg.Dir)
	if verb == "check" && len(names) == 1 {
		return checkAt(ctx, names[0], checking, out)
	}
	if verb == "up" {
		if err == nil && c.half {
			err = cmp.Or(c.clear(), ErrNone)
		}
		if errors.Is(err, ErrNone) {
			c, err = New(cfg)
		} else if err == nil {
			err = c.same(chosen)
		}
		if err != nil {
			return err
		}
		return c.up(ctx, out)
	}
	if err != nil {
		return err
	}
	switch verb {
	case "status":
		c.status(out)
		return nil
	case operator:
		return c.operator(ctx, names, out)
	case "check":
		return c.check(ctx, checking, out)
	case "down":
		return c.Down()
	case "wipe":
		return c.wipe()
	case "start":
		return c.StartAgain(ctx, names...)
	}
	one := map[string]func(string) error{
		"kill": c.Kill, "stop": c.Stop, "freeze": c.Freeze, "thaw": c.Thaw,
		"restart": func(name string) error { return c.Restart(ctx, name) },
	}[verb]
	if one == nil || len(names) != 1 {
		return fmt.Errorf("cluster: %s %v: unknown command, or not one name; see cluster --help", verb, names)
	}
	return one(names[0])
}

// same refuses what a cluster that is there can't become.
func (c *Cluster) same(chosen map[string]string) error {
	for _, f := range []struct {
		name  string
		value int
	}{{"net", c.cfg.Net}, {"replicas", c.cfg.Replicas}, {"gateways", c.cfg.Gateways}} {
		if v, ok := chosen[f.name]; ok && v != strconv.Itoa(f.value) {
			return fmt.Errorf("cluster: the one in %s has --%s %d: leave that out, or name another folder with --dir", c.cfg.Dir, f.name, f.value)
		}
	}
	return nil
}

// clear makes room where a first start did not come to its end, unless it is going on.
func (c *Cluster) clear() error {
	if slices.ContainsFunc(c.order, c.Running) {
		return fmt.Errorf("cluster: the first start in %s is going on, or was killed: wait for it, or end it first (cluster down)", c.cfg.Dir)
	}
	return c.wipe()
}

func (c *Cluster) wipe() error {
	return errors.Join(c.Down(), os.RemoveAll(c.cfg.postgresHome()), os.RemoveAll(c.cfg.Dir))
}

func (c *Cluster) up(ctx context.Context, out io.Writer) error {
	began := time.Now()
	if err := c.Start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d processes serve after %v; logs in %s\n", len(c.order), time.Since(began).Round(time.Millisecond), c.cfg.path("logs"))
	for _, address := range c.Addresses() {
		fmt.Fprintf(out, "  http://%s\n", address)
	}
	deserted, err := c.deserted(ctx)
	if err != nil {
		return err
	}
	if deserted {
		fmt.Fprintf(out, "The first workspace is made, once, by:\n\n  plenumctl setup '%s'\n\n", c.SetupLink())
	}
	fmt.Fprintf(out, "The operator's certificate is %s: `make cluster CMD='operator workspaces'` uses it.\n", c.files(operator).Cert)
	fmt.Fprintln(out, "`make cluster CMD=down` stops it.")
	return nil
}

func (c *Cluster) status(out io.Writer) {
	for _, name := range c.order {
		word := "down"
		if p := c.processes[name]; p.running() {
			word = fmt.Sprintf("runs as %d", p.id.PID)
		}
		fmt.Fprintf(out, "%-12s %s\n", name, word)
	}
}

// operator runs plenumctl as the operator, at the first identity process that runs.
func (c *Cluster) operator(ctx context.Context, args []string, out io.Writer) error {
	number := 1
	for n := range c.cfg.Replicas {
		if c.Running(fmt.Sprintf("identity-%d", n+1)) {
			number = n + 1
			break
		}
	}
	f := c.files(operator)
	cmd := exec.CommandContext(ctx, filepath.Join(c.cfg.Bin, "plenumctl"), append([]string{
		operator, "--address", c.cfg.IP(kindIdentity, number) + ":" + portRPC, "--ca", f.CA, "--cert", f.Cert, "--key", f.Key,
		"--server", "http://" + c.Addresses()[0],
	}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cluster: plenumctl operator: %w", err)
	}
	return nil
}
