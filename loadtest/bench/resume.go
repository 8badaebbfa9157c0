package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// resume is a gateway killed in a cluster: its clients go on at the other one.
func resume() group {
	goals := []goal{
		{"5,000 sessions of a killed gateway resumed", "s", lower, 3},
		{"database reads meanwhile, to those for 1,000 sessions", "x", lower, 1.5},
		{"the same 5,000 with bundle and own topic resumed", "s", lower, 3},
	}
	return group{"resume", goals, func(ctx context.Context, l *lab) ([]sample, error) {
		took, many, err := l.failover(ctx, 5000, "--no-mine")
		if err != nil {
			return nil, err
		}
		_, few, err := l.failover(ctx, 1000, "--no-mine")
		if err != nil {
			return nil, err
		}
		whole, _, err := l.failover(ctx, 5000)
		return []sample{{value: took}, {value: many / max(few, 1)}, {value: whole}}, err
	}}
}

// failover starts a cluster of two gateways, with as many clients at each, kills one, and tells how long its clients took to resume, and what the
// database was read meanwhile.
func (l *lab) failover(ctx context.Context, clients int, flags ...string) (seconds, reads float64, err error) {
	c, err := l.startCluster(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, c.stop(ctx)) }()
	if err := c.seed(ctx, 2*clients); err != nil {
		return 0, 0, err
	}
	victim, err := c.process(ctx, "gateway-1")
	if err != nil {
		return 0, 0, err
	}
	args := append(flags,
		"--address", c.gateway(2), "-n", strconv.Itoa(2*clients), "--sizes", "1000:1,100:1,10:2", "--rate", "50", "--warmup", "5s", "--after", "5s",
		"--duration", "40s", "--kill", strconv.Itoa(victim),
	)
	for replica := range 2 {
		for _, kind := range []int{4, 5} { // identity, chat
			args = append(args, "--metrics", fmt.Sprintf("http://127.%d.%d.%d:9000/metrics", clusterNet, kind, replica+1))
		}
	}
	res, err := c.load(ctx, "reconnect", args...)
	if err != nil {
		return 0, 0, err
	}
	seconds, err = figure(res, "resumed within")
	if err != nil {
		return 0, 0, err
	}
	reads, err = figure(res, "database reads meanwhile")
	return seconds, reads, err
}

// clusterNet is the second octet of the cluster's addresses: one of `make cluster` may run beside.
const clusterNet = 76

// startedCluster is a Plenum of many processes, on loopback.
type startedCluster struct {
	target
	home string // folder of the cluster, which the user of PostgreSQL can enter
	link string // to set it up
}

func (l *lab) startCluster(ctx context.Context) (_ *startedCluster, err error) {
	if err := l.clusterPrograms(ctx); err != nil {
		return nil, err
	}
	t, err := l.newTarget()
	if err != nil {
		return nil, err
	}
	c := &startedCluster{target: t}
	if c.home, err = os.MkdirTemp("", "plenum-"); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	c.address = c.gateway(1)
	if err := os.Chmod(c.home, 0o711); err != nil { //nolint:gosec // see home
		return nil, errors.Join(err, c.stop(ctx))
	}
	var out bytes.Buffer
	if err := c.run(ctx, io.MultiWriter(l.log, &out), "up"); err != nil {
		return nil, errors.Join(err, c.stop(ctx))
	}
	c.link = setupLink.FindString(out.String())
	return c, nil
}

// clusterPrograms builds what a cluster needs beside what `make tools` has built.
func (l *lab) clusterPrograms(ctx context.Context) error {
	for _, name := range []string{"nats-server", "server"} {
		tool, err := filepath.Abs(filepath.Join("bin", name))
		if err != nil {
			return fmt.Errorf("find the tools: %w", err)
		}
		if _, err := os.Stat(tool); err != nil {
			return fmt.Errorf("%w: run `make tools` first", err)
		}
		if err := os.Symlink(tool, filepath.Join(l.dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("take the tools: %w", err)
		}
	}
	return l.tool(ctx, "go", "build", "-o", l.dir+"/", "plenum.internal/deploy/cmd/cluster", "plenum.internal/deploy/cmd/gateway",
		"plenum.internal/chat/cmd/chat", "plenum.internal/docs/cmd/docs", "plenum.internal/presence/cmd/presence", "plenum.internal/services/identity/cmd/identity")
}

func (c *startedCluster) gateway(number int) string {
	return fmt.Sprintf("http://127.%d.6.%d:8080", clusterNet, number)
}

// run does something with the cluster.
func (c *startedCluster) run(ctx context.Context, out io.Writer, verb ...string) error {
	tee := &lab{dir: c.dir, log: out}
	return tee.tool(ctx, filepath.Join(c.dir, "cluster"), append([]string{"--dir", filepath.Join(c.home, "c"), "--bin", c.dir, "--net", strconv.Itoa(clusterNet), "--gateways", "2"}, verb...)...)
}

// seed makes accounts.
func (c *startedCluster) seed(ctx context.Context, accounts int) error {
	ctl, profile := filepath.Join(c.dir, "plenumctl"), filepath.Base(c.data)
	if err := c.told(ctx, "a long password\n", ctl, "--profile", profile, "setup", c.link, "--workspace", "bench", "--handle", "owner", "--password-stdin"); err != nil {
		return err
	}
	return c.tool(ctx, ctl, "--profile", profile, "admin", "seed", "--count", strconv.Itoa(accounts), "--out", c.accounts)
}

// process is the number of a process.
func (c *startedCluster) process(ctx context.Context, name string) (pid int, err error) {
	var out bytes.Buffer
	if err := c.run(ctx, &out, "status"); err != nil {
		return 0, err
	}
	m := regexp.MustCompile(regexp.QuoteMeta(name) + ` +runs as (\d+)`).FindStringSubmatch(out.String())
	if m == nil {
		return 0, fmt.Errorf("the cluster has no %s:\n%s", name, strings.TrimSpace(out.String()))
	}
	return strconv.Atoi(m[1]) //nolint:wrapcheck // digits
}

// stop ends the cluster and takes its data away.
func (c *startedCluster) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	return errors.Join(c.run(ctx, c.log, "wipe"), os.RemoveAll(c.home), os.RemoveAll(c.data))
}
