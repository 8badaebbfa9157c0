package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/crowd"
	"plenum.internal/deploy/faults/history"
)

// Config of a run.
type Config struct {
	Dir       string // new, for all that the run writes; parents open to the user that runs PostgreSQL
	Bin       string // nats-server, server (etcd), identity, chat and gateway; the latter three by skew.Build
	Seed      uint64
	For       time.Duration // of the load and its faults, at most an hour
	Only      []Kind        // of faults; none: all that can be done here
	Transport string        // of the devices, see crowd.Config
	People    int
	Channels  int
	Pause     time.Duration // of a device between two operations
	Patience  time.Duration // how long healing may take, and anything that somebody waits for afterwards
}

// DefaultConfig is a run of a minute.
func DefaultConfig() Config {
	c := crowd.DefaultConfig()
	return Config{
		Dir: ".faults", Bin: "bin/faulty", For: time.Minute, Transport: c.Transport, People: c.People, Channels: c.Channels, Pause: c.Pause, Patience: c.Patience,
	}
}

// Validate keeps a run within bounds.
func (c Config) Validate() error {
	if c.For < warmUp || c.For > time.Hour {
		return fmt.Errorf("faults: a run of %v: take %v to 1h", c.For, warmUp)
	}
	for _, k := range c.Only {
		if !valid(k) {
			return fmt.Errorf("faults: no kind is called %s: there are %v", k, kinds)
		}
	}
	return c.crowd().Validate()
}

// crowd is the load, but for where it goes.
func (c Config) crowd() crowd.Config {
	doors := check.Doors{Transport: c.Transport, Dir: c.Dir}
	return crowd.Config{Doors: doors, People: c.People, Channels: c.Channels, Pause: c.Pause, Seed: c.Seed, Patience: c.Patience}
}

// progressEvery is how often a run tells how it stands.
const progressEvery = 5 * time.Second

// Run makes a cluster, has people work with it while parts of it fail, and judges. An error means that the run could not take place.
func Run(ctx context.Context, cfg Config, out io.Writer) (v history.Verdict, err error) {
	if err := cfg.Validate(); err != nil {
		return v, err
	}
	l, err := open(ctx, cfg)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	plan := Plan(cfg.Seed, cfg.For, l.cluster.Names(), only(l.able(), cfg.Only))
	c, err := l.gather(ctx, cfg)
	if err != nil {
		return v, err
	}
	defer c.Close()
	_, _, devices := c.Counts()
	fmt.Fprintf(out, "%d processes, %d devices, %d faults in %v, seed %d\n", len(l.cluster.Names()), devices, len(plan), cfg.For, cfg.Seed)
	if err := l.work(ctx, cfg, c, plan, out); err != nil {
		return v, err
	}
	h, v, err := c.Settle(context.WithoutCancel(ctx))
	if err != nil {
		return v, err
	}
	for _, log := range l.crashed() {
		v.Faults = append(v.Faults, "CRASHED see "+log)
	}
	if told := l.keeper.told(); told != "" {
		fmt.Fprintf(out, "ended by themselves, and were started again: %s\n", told)
	}
	if l.wire != nil {
		carried, lost := l.wire.Counts()
		fmt.Fprintf(out, "%d packets were carried, %d lost\n", carried, lost)
	}
	fmt.Fprintln(out, v)
	if len(v.Faults) > 0 {
		return v, keep(cfg, h, plan)
	}
	return v, nil
}

// gather brings in the people.
func (l *lab) gather(ctx context.Context, cfg Config) (*crowd.Crowd, error) {
	set := cfg.crowd()
	for _, address := range l.cluster.Addresses() {
		set.Gateways = append(set.Gateways, "http://"+address)
	}
	var err error
	if set.Secret, err = l.cluster.IssueSetup(ctx); err != nil {
		return nil, err
	}
	return crowd.Gather(ctx, set)
}

// work has people work while parts fail, and returns when everything is healed and all they asked for is answered, or patience has ended.
func (l *lab) work(ctx context.Context, cfg Config, c *crowd.Crowd, plan []Step, out io.Writer) error {
	begun := time.Now()
	var one sync.Mutex // line at a time
	say := func(format string, args ...any) {
		one.Lock()
		defer one.Unlock()
		fmt.Fprintf(out, "%6.1f s  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
	}
	working, stop := context.WithTimeout(ctx, cfg.For)
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { c.Run(working) })
	all.Go(func() { progress(working, c, say) })
	if err := l.follow(working, plan, say); err != nil {
		stop()
		return err
	}
	<-working.Done()
	say("the load ends; everything is healed, and has %v to settle", cfg.Patience)
	healed, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Patience)
	defer cancel()
	if err := l.keeper.serving(healed); err != nil {
		return err
	}
	say("every process serves")
	all.Wait()
	return nil
}

// progress tells how it stands.
func progress(ctx context.Context, c *crowd.Crowd, say func(string, ...any)) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			answered, connected, devices := c.Counts()
			say("%d operations answered, %d of %d devices connected", answered, connected, devices)
		}
	}
}

// follow does the plan's steps at their times, and returns when all of them are undone.
func (l *lab) follow(ctx context.Context, plan []Step, say func(string, ...any)) error {
	begun := time.Now()
	var all sync.WaitGroup
	failed := make([]error, len(plan))
	for i, step := range plan {
		if !sleep(ctx, step.At-time.Since(begun)) {
			break
		}
		heal, err := l.inject(step)
		if err != nil {
			failed[i] = fmt.Errorf("%v: %w", step, err)
			break
		}
		say("%v", step)
		all.Go(func() {
			sleep(ctx, step.For)
			if err := heal(); err != nil {
				failed[i] = fmt.Errorf("the end of %v: %w", step, err)
			}
			say("%-9s is over", step.Kind)
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// sleep is false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// keep writes down what was found, beside the processes' logs.
func keep(cfg Config, h *history.History, plan []Step) error {
	for name, content := range map[string]any{"history.json": h, "plan.json": plan} {
		text, err := json.MarshalIndent(content, "", " ")
		if err != nil {
			return fmt.Errorf("faults: %w", err)
		}
		if err := os.WriteFile(filepath.Join(cfg.Dir, name), text, 0o600); err != nil {
			return fmt.Errorf("faults: %w", err)
		}
	}
	return nil
}
