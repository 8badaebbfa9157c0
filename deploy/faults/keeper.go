package faults

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"plenum.internal/deploy/cluster"
)

// keeperPause is how soon a supervisor notices that a process has ended, and how long it waits between two attempts.
const keeperPause = time.Second

// keeper starts processes again that have ended, as systemd and Kubernetes do.
type keeper struct {
	cluster *cluster.Cluster
	cancel  context.CancelFunc
	all     sync.WaitGroup

	mu       sync.Mutex      // guards what follows
	absent   map[string]int  // that are not to run, by how many faults
	restarts map[string]int  // after ends that no fault asked for
	killed   map[string]bool // by a fault: their next start is no restart
}

func (k *keeper) start(c *cluster.Cluster) {
	k.cluster, k.absent, k.restarts, k.killed = c, map[string]int{}, map[string]int{}, map[string]bool{}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	for _, name := range c.Names() {
		k.all.Go(func() { k.keep(ctx, name) })
	}
}

func (k *keeper) stop() {
	if k.cancel != nil {
		k.cancel()
		k.all.Wait()
	}
}

// away says that a process is not to run, until back is called.
func (k *keeper) away(name string) (back func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.absent[name]++
	k.killed[name] = true
	return sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.absent[name]--
	})
}

// keep looks after one process.
func (k *keeper) keep(ctx context.Context, name string) {
	tick := time.NewTicker(keeperPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		k.mu.Lock()
		due := k.absent[name] == 0 && !k.cluster.Running(name)
		if due && !k.killed[name] {
			k.restarts[name]++
		}
		if due {
			k.killed[name] = false
		}
		k.mu.Unlock()
		if due {
			_ = k.cluster.StartAgain(ctx, name) // the next attempt follows; what is wrong stands in its log
		}
	}
}

// serving waits until every process runs.
func (k *keeper) serving(ctx context.Context) error {
	for {
		var down []string
		for _, name := range k.cluster.Names() {
			if !k.cluster.Serves(ctx, name) {
				down = append(down, name)
			}
		}
		if len(down) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("faults: these do not come back: %s", strings.Join(down, ", "))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// told are the processes that ended by themselves, and how often.
func (k *keeper) told() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, name := range k.cluster.Names() {
		if n := k.restarts[name]; n > 0 {
			out = append(out, fmt.Sprintf("%s %d times", name, n))
		}
	}
	return strings.Join(out, ", ")
}

// ours is true for processes of Plenum's own code.
func ours(name string) bool {
	kind, _, _ := strings.Cut(name, "-")
	return kind == "identity" || kind == "chat" || kind == "docs" || kind == "presence" || kind == "gateway"
}

// panicked is true for a log in which Go tells of a defect.
func panicked(log []byte) bool {
	for line := range bytes.Lines(log) {
		if bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) || bytes.HasPrefix(line, []byte("WARNING: DATA RACE")) {
			return true
		}
	}
	return false
}
