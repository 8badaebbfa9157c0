package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/crowd"
	"plenum.internal/deploy/faults/editors"
	"plenum.internal/deploy/faults/history"
	"plenum.internal/deploy/faults/onlookers"
	"plenum.internal/deploy/faults/sights"
	"plenum.internal/deploy/faults/versions"
)

// Config of a run.
type Config struct {
	Dir       string // new, for all that the run writes; parents open to the user that runs PostgreSQL
	Bin       string // nats-server, server (etcd), identity, chat, docs, presence and gateway; the latter five by skew.Build
	Seed      uint64
	For       time.Duration // of the load and its faults, at most an hour
	Only      []Kind        // of faults; none: all that can be done here
	Transport string        // of the devices, see crowd.Config
	People    int
	Channels  int
	Documents int
	Comers    int           // who come and go, while others look at who is here
	Pause     time.Duration // of a device between two operations
	Patience  time.Duration // how long healing may take, and anything that somebody waits for afterwards
}

// DefaultConfig is a run of a minute.
func DefaultConfig() Config {
	c, e, o := crowd.DefaultConfig(), editors.DefaultConfig(), onlookers.DefaultConfig()
	return Config{
		Dir: ".faults", Bin: "bin/faulty", For: time.Minute, Transport: c.Transport, People: c.People, Channels: c.Channels, Documents: e.Documents, Comers: o.People,
		Pause: c.Pause, Patience: c.Patience,
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
	return errors.Join(c.crowd().Validate(), c.editors().Validate(), c.onlookers().Validate())
}

// crowd is the load on chat, but for where it goes.
func (c Config) crowd() crowd.Config {
	return crowd.Config{Doors: c.doors(), People: c.People, Channels: c.Channels, Pause: c.Pause, Seed: c.Seed, Patience: c.Patience}
}

// editors is the load on documents, likewise.
func (c Config) editors() editors.Config {
	set := editors.DefaultConfig()
	set.Doors, set.Documents, set.Seed, set.Patience = c.doors(), c.Documents, c.Seed, c.Patience
	return set
}

// onlookers are the load on presence, likewise.
func (c Config) onlookers() onlookers.Config {
	set := onlookers.DefaultConfig()
	set.Doors, set.People, set.Seed, set.Patience = c.doors(), c.Comers, c.Seed, c.Patience
	return set
}

func (c Config) doors() check.Doors { return check.Doors{Transport: c.Transport, Dir: c.Dir} }

// Verdict is the outcome of a run.
type Verdict struct {
	Chat   history.Verdict
	Docs   versions.Verdict
	Here   sights.Verdict
	Faults []string // what must not be, of all of them and of the processes
}

func (v Verdict) String() string {
	return v.Chat.String() + "\n" + v.Docs.String() + "\n" + v.Here.String()
}

// progressEvery is how often a run tells how it stands.
const progressEvery = 5 * time.Second

// Run makes a cluster, has people work with it while parts of it fail, and judges. An error means that the run could not take place.
func Run(ctx context.Context, cfg Config, out io.Writer) (v Verdict, err error) {
	if err := cfg.Validate(); err != nil {
		return v, err
	}
	l, err := open(ctx, cfg)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	plan := Plan(cfg.Seed, cfg.For, l.cluster.Names(), only(l.able(), cfg.Only))
	p, err := l.gather(ctx, cfg)
	if err != nil {
		return v, err
	}
	defer p.close()
	_, _, devices := p.crowd.Counts()
	_, _, programs := p.editors.Counts()
	fmt.Fprintf(out, "%d processes, %d devices, %d programs at %d documents, %d faults in %v, seed %d\n",
		len(l.cluster.Names()), devices, programs, cfg.Documents, len(plan), cfg.For, cfg.Seed)
	done, err := l.work(ctx, cfg, p, plan, out)
	if err != nil {
		return v, err
	}
	found := map[string]any{"plan.json": plan}
	if found["history.json"], v.Chat, err = p.crowd.Settle(context.WithoutCancel(ctx)); err != nil {
		return v, err
	}
	if found["documents.json"], v.Docs, err = p.editors.Settle(context.WithoutCancel(ctx), done); err != nil {
		return v, err
	}
	found["sights.json"], v.Here = p.onlookers.Settle(context.WithoutCancel(ctx), felt(done))
	v.Faults = slices.Concat(v.Chat.Faults, v.Docs.Faults, v.Here.Faults, l.disorder)
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
		return v, keep(cfg, found)
	}
	return v, nil
}

// people are all who work with a cluster.
type people struct {
	crowd     *crowd.Crowd
	editors   *editors.Editors
	onlookers *onlookers.Onlookers
}

func (p *people) close() {
	if p.crowd != nil {
		p.crowd.Close()
	}
	if p.editors != nil {
		p.editors.Close()
	}
	if p.onlookers != nil {
		p.onlookers.Close()
	}
}

// gather brings in the people.
func (l *lab) gather(ctx context.Context, cfg Config) (*people, error) {
	var gateways []string
	for _, address := range l.cluster.Addresses() {
		gateways = append(gateways, "http://"+address)
	}
	chatting, writing, looking := cfg.crowd(), cfg.editors(), cfg.onlookers()
	chatting.Gateways, writing.Gateways, looking.Gateways, writing.Home, writing.Homes = gateways, gateways, gateways, l.home, l.owners()
	for _, secret := range []*string{&chatting.Secret, &writing.Secret, &looking.Secret} {
		var err error
		if *secret, err = l.cluster.IssueSetup(ctx); err != nil {
			return nil, err
		}
	}
	p := &people{}
	var err error
	if p.crowd, err = crowd.Gather(ctx, chatting); err == nil {
		p.editors, err = editors.Gather(ctx, writing)
	}
	if err == nil {
		err = l.settled(ctx, p.editors.Homes())
	}
	if err == nil {
		p.onlookers, err = onlookers.Gather(ctx, looking)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// work has people work while parts fail, and returns when everything is healed and all they asked for is answered, or patience has ended: with
// what was done, and when.
func (l *lab) work(ctx context.Context, cfg Config, p *people, plan []Step, out io.Writer) ([]versions.Fault, error) {
	begun := time.Now()
	var one sync.Mutex // line at a time
	say := func(format string, args ...any) {
		one.Lock()
		defer one.Unlock()
		fmt.Fprintf(out, "%6.1f s  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
	}
	working, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { p.crowd.Run(working) })
	all.Go(func() { p.editors.Run(working, begun) })
	all.Go(func() { p.onlookers.Run(working, begun) })
	all.Go(func() { progress(working, p, say) })
	done, err := l.follow(working, plan, begun, say)
	if err != nil {
		return nil, err
	}
	sleep(ctx, cfg.For-time.Since(begun))
	stop()
	say("the load ends; everything is healed, and has %v to settle", cfg.Patience)
	healed, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Patience)
	defer cancel()
	if err := l.keeper.serving(healed); err != nil {
		return nil, err
	}
	say("every process serves")
	all.Wait()
	return done, nil
}

// progress tells how it stands.
func progress(ctx context.Context, p *people, say func(string, ...any)) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			answered, connected, devices := p.crowd.Counts()
			settled, reached, programs := p.editors.Counts()
			here, comers := p.onlookers.Counts()
			say("%d operations and %d edits answered, %d of %d devices and %d of %d programs connected, %d of %d comers here", answered, settled, connected, devices,
				reached, programs, here, comers)
		}
	}
}

// follow does the plan's steps, and returns when all of them are undone, or ctx has ended. Some take their time to be done or undone where the machine
// is busy: then all that follows comes as much later, and owners of documents are left alone all the same.
func (l *lab) follow(ctx context.Context, plan []Step, begun time.Time, say func(string, ...any)) ([]versions.Fault, error) {
	var all sync.WaitGroup
	failed, done := make([]error, len(plan)), make([]versions.Fault, len(plan))
	late := time.Duration(0)
	for i, step := range plan {
		at := step.At + late
		if step.Kind.hitsOwner() && i > 0 {
			all.Wait()
			for _, f := range done[:i] {
				at = max(at, f.To+alone)
			}
		}
		if !sleep(ctx, at-time.Since(begun)) {
			done = done[:i]
			break
		}
		f, text := &done[i], step.String()
		*f = versions.Fault{Kind: string(step.Kind), Targets: step.Targets}
		if step.Kind.hitsProcess() && isOwner(step.Targets[0]) {
			n := l.open(ctx, step.Targets[0])
			f.Owner = n > 0
			text += fmt.Sprintf(", with %d documents open", n)
		}
		f.From = time.Since(begun)
		heal, err := l.inject(step)
		if err != nil {
			failed[i] = fmt.Errorf("%v: %w", step, err)
			break
		}
		late = max(late, time.Since(begun)-step.At)
		say("%s", text)
		all.Go(func() {
			sleep(ctx, step.For)
			if err := heal(); err != nil {
				failed[i] = fmt.Errorf("the end of %v: %w", step, err)
			}
			f.To = time.Since(begun)
			say("%-11s is over", step.Kind)
		})
		if step.Kind.hitsOwner() {
			all.Wait()
		}
	}
	all.Wait()
	return done, errors.Join(failed...)
}

// felt is what the faults that were made may have to do with presence.
func felt(done []versions.Fault) (out []sights.Fault) {
	for _, f := range done {
		out = append(out, sights.Fault{Reach: reach(Kind(f.Kind), f.Targets), From: f.From, To: f.To})
	}
	return out
}

// reach: what people are signed in by, and write with, has no part in who is here.
func reach(k Kind, targets []string) sights.Reach {
	switch k {
	case Partition, OneWay, Slow, Power:
		return sights.Cut
	case Disk:
		return sights.Stopped
	case Cut, Skew:
		return sights.Apart
	default: // of one process
	}
	if kind, _, _ := strings.Cut(targets[0], "-"); kind == "identity" || kind == "chat" || kind == "docs" {
		return sights.Apart
	}
	if k == Kill {
		return sights.Ended
	}
	return sights.Stopped
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

// keep writes down what was found, by the names of files, beside the processes' logs.
func keep(cfg Config, found map[string]any) error {
	for name, content := range found {
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
