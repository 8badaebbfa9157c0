package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Cluster is a set of processes, each known by its name: nats-1 … 3, etcd-1 … 3, postgres, identity-1 …, chat-1 …,
// gateway-1 ….
type Cluster struct {
	cfg Config

	mu        sync.Mutex // guards what follows; not held while a single process starts or stops
	processes map[string]*process
	order     []string          // Invariant: the names in the order of starting; stopping goes backwards
	stages    [][]string        // of order: the processes of a stage start together, once the stage before serves
	secrets   map[string]string // made once, kept in state.json
	half      bool              // the first start did not come to its end: nothing is kept here, and nothing can be started again
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Cluster, error) {
	var err error
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if cfg.Bin, err = filepath.Abs(cfg.Bin); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Cluster{cfg: cfg, processes: map[string]*process{}, secrets: map[string]string{}}, nil
}

// Start makes the folder if it is new, starts every process that does not run and returns when all of them serve. A
// failure stops what was started.
func (c *Cluster) Start(ctx context.Context) error {
	if err := c.vacant(ctx); err != nil {
		return err
	}
	fresh, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	for i, stage := range c.stages {
		if err := c.startStage(ctx, stage); err != nil {
			return errors.Join(err, c.Down())
		}
		if i == 0 && fresh {
			if err := c.fill(ctx); err != nil {
				return errors.Join(err, c.Down())
			}
		}
	}
	return nil
}

// prepare writes certificates, configuration and the empty database into a new folder, or takes up an old one.
func (c *Cluster) prepare(ctx context.Context) (fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.processes) > 0 { // opened, or started before
		return false, nil
	}
	if _, err := os.Stat(statePath(c.cfg.Dir)); err == nil {
		return false, fmt.Errorf("cluster: %s holds one already: end it first (cluster down), or open it", c.cfg.Dir)
	}
	for dir, mode := range map[string]os.FileMode{"": 0o711, "certs": 0o711, "config": 0o700, "data": 0o711, "keys": 0o700, "logs": 0o755} {
		path := c.cfg.path(dir)
		if err := os.MkdirAll(path, mode); err != nil {
			return false, fmt.Errorf("cluster: %w", err)
		}
		if err := os.Chmod(path, mode); err != nil { // the umask, and folders that a test made private
			return false, fmt.Errorf("cluster: %w", err)
		}
	}
	if err := c.credentials(); err != nil {
		return false, err
	}
	if err := c.compose(); err != nil {
		return false, err
	}
	who, err := postgresOwner()
	if err != nil {
		return false, err
	}
	c.half = true
	if err := c.save(); err != nil {
		return false, err
	}
	return true, c.cfg.initPostgres(ctx, who)
}

// fill makes what the services find: from then on there is something to keep.
func (c *Cluster) fill(ctx context.Context) error {
	if err := errors.Join(c.createDatabases(ctx), c.limitEtcd(ctx)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.half = false
	return c.save()
}

// vacant says so where somebody else, another cluster mostly, has an address of a process that is to start.
func (c *Cluster) vacant(ctx context.Context) error {
	if c.cfg.apart() { // nobody else is there
		return nil
	}
	for _, set := range c.members() {
		for i := range set.count {
			if c.Running(set.name(i + 1)) {
				continue
			}
			var config net.ListenConfig
			l, err := config.Listen(ctx, "tcp", net.JoinHostPort(c.cfg.IP(set.kind, i+1), set.port))
			if err != nil {
				return fmt.Errorf("cluster: %s can't have its address (%w): stop the other cluster on this machine, "+
					"or give a new one other addresses, such as --net %d", set.name(i+1), err, c.cfg.Net%254+1)
			}
			_ = l.Close() // nobody came
		}
	}
	return nil
}

func (c *Cluster) createDatabases(ctx context.Context) error {
	who, err := postgresOwner()
	if err != nil {
		return err
	}
	passwords := map[string]string{}
	for _, service := range databases {
		passwords[service] = c.secrets["postgres."+service]
	}
	return c.cfg.createDatabases(ctx, who, passwords)
}

func (c *Cluster) startStage(ctx context.Context, names []string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		p := c.processes[name]
		if p.running() {
			continue
		}
		if err := p.start(); err != nil {
			return err
		}
		group.Go(func() error { return p.ready(ctx) })
	}
	c.mu.Lock()
	err := c.save()
	c.mu.Unlock()
	return errors.Join(group.Wait(), err)
}

// Names lists the processes in the order of their start.
func (c *Cluster) Names() []string { return slices.Clone(c.order) }

// Running tells whether a process is there; a frozen one is.
func (c *Cluster) Running(name string) bool {
	p, err := c.find(name)
	return err == nil && p.running()
}

// Serves tells whether a process answers now.
func (c *Cluster) Serves(ctx context.Context, name string) bool {
	p, err := c.find(name)
	if err != nil || !p.running() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return p.probe(ctx) == nil
}

// Kill ends a process by SIGKILL, with its children, as a crash of its machine would.
func (c *Cluster) Kill(name string) error { return c.with(name, (*process).kill) }

// Stop ends a process in order.
func (c *Cluster) Stop(name string) error { return c.with(name, (*process).stop) }

// Freeze stops a process from doing anything while its connections stay open; Thaw lets it go on.
func (c *Cluster) Freeze(name string) error {
	return c.with(name, func(p *process) error { return p.signalAll(syscall.SIGSTOP) })
}

// Thaw undoes Freeze.
func (c *Cluster) Thaw(name string) error {
	return c.with(name, func(p *process) error { return p.signalAll(syscall.SIGCONT) })
}

// Restart stops a process if it runs, starts it again with the same configuration, and waits until it serves.
func (c *Cluster) Restart(ctx context.Context, name string) error {
	if err := c.Stop(name); err != nil {
		return err
	}
	return c.startAgain(ctx, name)
}

func (c *Cluster) startAgain(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := c.find(name); err != nil {
			return err
		}
	}
	return c.startStage(ctx, names)
}

// StartAgain starts processes that were killed or stopped, together, and waits until they serve: two etcd members that
// were down wait for each other.
func (c *Cluster) StartAgain(ctx context.Context, names ...string) error {
	return c.startAgain(ctx, names...)
}

// Down stops every process, in the reverse order of their start; the folder stays.
func (c *Cluster) Down() error {
	var errs []error
	for _, stage := range slices.Backward(c.stages) {
		var group errgroup.Group
		for _, name := range stage {
			group.Go(c.processes[name].stop)
		}
		errs = append(errs, group.Wait())
	}
	return errors.Join(errs...)
}

// PID is the number of a process that runs; 0: it does not.
func (c *Cluster) PID(name string) int {
	p, err := c.find(name)
	if err != nil || !p.running() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id.PID
}

// Family is the number of a process that runs, and those of its descendants.
func (c *Cluster) Family(name string) []int {
	p, err := c.find(name)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var pids []int
	for _, id := range p.id.family() {
		if id.alive() {
			pids = append(pids, id.PID)
		}
	}
	return pids
}

// Log is the path of a process's log.
func (c *Cluster) Log(name string) string { return c.cfg.path("logs", name+".log") }

// IP is the address of a process; empty: there is none of this name.
func (c *Cluster) IP(name string) string {
	p, err := c.find(name)
	if err != nil {
		return ""
	}
	return p.ip
}

// Data is the folder in which a process keeps what must outlive it; empty: it keeps nothing.
func (c *Cluster) Data(name string) string {
	switch kind, _, _ := strings.Cut(name, "-"); kind {
	case "postgres":
		return filepath.Join(c.cfg.postgresHome(), "data")
	case "etcd":
		return c.cfg.path("data", name)
	default:
		return ""
	}
}

func (c *Cluster) find(name string) (*process, error) {
	if p := c.processes[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("cluster: no process is called %s; there are %v", name, c.order)
}

func (c *Cluster) with(name string, do func(*process) error) error {
	p, err := c.find(name)
	if err != nil {
		return err
	}
	return do(p)
}
