package faults

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"plenum.internal/deploy/cluster"
	"plenum.internal/deploy/faults/onlookers"
	"plenum.internal/deploy/faults/skew"
	"plenum.internal/deploy/faults/space"
	"plenum.internal/deploy/faults/wire"
)

const (
	block    = 10      // first octet of addresses in networks of the lab's own: a private range
	net      = 79      // their second octet, and of those on loopback: a cluster of `make cluster` may run beside
	diskSize = 1 << 30 // bytes of the database's disk
)

// clients is the address of the load.
var clients = netip.AddrFrom4([4]byte{block, net, 255, 1})

// lab is a cluster that can be made to fail.
type lab struct {
	cluster *cluster.Cluster
	dir     string
	apart   bool         // each process has a network of its own; else all are on loopback
	wire    *wire.Switch // between them
	disk    *space.Disk  // the database's; nil: that of the machine
	keeper  keeper

	mu       sync.Mutex                // guards what follows
	networks map[string]*space.Network // by address
	clocks   map[string]bool           // files that were made
	disorder []string                  // processes that were told to end, and did not in order
}

// able are the kinds of faults that can be done here.
func (l *lab) able() []Kind {
	able := []Kind{Kill, Stop, Skew, OwnerKill, OwnerStop, OwnerDrain}
	if l.apart {
		able = append(able, Power, Partition, OneWay, Slow, Cut)
		if space.CanFreeze() == nil {
			able = append(able, Freeze)
		}
	}
	if l.disk != nil {
		able = append(able, Disk)
	}
	return able
}

// open starts the cluster.
func open(ctx context.Context, cfg Config) (_ *lab, err error) {
	l := &lab{dir: cfg.Dir, apart: space.Inside(), networks: map[string]*space.Network{}, clocks: map[string]bool{}}
	set := cluster.DefaultConfig()
	set.Dir, set.Bin, set.Net, set.Launch = filepath.Join(cfg.Dir, "c"), cfg.Bin, net, l.launch
	set.Grace = onlookers.Grace
	if l.apart {
		set.Block, l.wire = block, &wire.Switch{}
		if err := l.join(ctx); err != nil {
			return nil, err
		}
	}
	if l.cluster, err = cluster.New(set); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if err := l.cluster.Start(ctx); err != nil {
		return nil, err
	}
	l.keeper.start(l.cluster)
	if l.apart {
		err = l.useDisk(ctx)
	}
	return l, err
}

// join makes the load a part of the network.
func (l *lab) join(ctx context.Context) error {
	if err := space.Settle(ctx); err != nil {
		return err
	}
	device, err := space.OpenDevice(ctx, netip.PrefixFrom(clients, 16))
	if err != nil {
		return err
	}
	return l.wire.Plug(clients, device)
}

// clockFile says how wrong the clock is of the process at an address.
func (l *lab) clockFile(ip string) string { return filepath.Join(l.dir, "clock-"+ip) }

// launch starts a process in its network, which outlives it.
func (l *lab) launch(ip string, cmd *exec.Cmd) error {
	clock := l.clockFile(ip)
	cmd.Env = append(cmd.Env, skew.Env+"="+clock)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.clocks[clock] { // a later start finds the clock as it is
		if err := skew.Set(clock, 0); err != nil {
			return err
		}
		l.clocks[clock] = true
	}
	if !l.apart {
		return cmd.Start()
	}
	network := l.networks[ip]
	if network == nil {
		address, err := netip.ParseAddr(ip)
		if err != nil {
			return fmt.Errorf("faults: %w", err)
		}
		if network, err = space.NewNetwork(context.Background(), netip.PrefixFrom(address, 16)); err != nil {
			return err
		}
		if err := l.wire.Plug(address, network.Device); err != nil {
			return errors.Join(err, network.Close())
		}
		l.networks[ip] = network
	}
	return network.Start(cmd)
}

// useDisk gives the database a small disk.
func (l *lab) useDisk(ctx context.Context) error {
	defer l.keeper.away("postgres")()
	if err := l.cluster.Stop("postgres"); err != nil {
		return err
	}
	disk, err := space.NewDisk(l.cluster.Data("postgres"), diskSize)
	if err != nil {
		return err
	}
	l.disk = disk
	return l.cluster.StartAgain(ctx, "postgres")
}

// addresses are those of processes, and of the load.
func (l *lab) addresses(names ...string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, name := range names {
		if name == Clients {
			out = append(out, clients)
			continue
		}
		address, err := netip.ParseAddr(l.cluster.IP(name))
		if err != nil {
			return nil, fmt.Errorf("faults: %s: %w", name, err)
		}
		out = append(out, address)
	}
	return out, nil
}

// close ends everything; what it leaves on disk is the caller's.
func (l *lab) close() error {
	l.keeper.stop()
	var errs []error
	for _, name := range l.cluster.Names() { // nobody waits for an orderly end
		if l.cluster.Running(name) {
			errs = append(errs, l.cluster.Thaw(name), l.cluster.Kill(name))
		}
	}
	if l.wire != nil {
		errs = append(errs, l.wire.Close())
	}
	if l.disk != nil {
		errs = append(errs, l.disk.Close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, network := range l.networks {
		errs = append(errs, network.Close())
	}
	return errors.Join(errs...)
}

// crashed are the logs of processes that ended by a defect of their own.
func (l *lab) crashed() []string {
	var out []string
	for _, name := range l.cluster.Names() {
		text, err := os.ReadFile(l.cluster.Log(name))
		if err == nil && ours(name) && panicked(text) {
			out = append(out, l.cluster.Log(name))
		}
	}
	return out
}
