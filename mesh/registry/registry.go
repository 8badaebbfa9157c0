package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	loadTimeout = 3 * time.Second // limits one reading of all nodes
	reread      = 5 * time.Second // how often they are read though nothing seems to have changed
)

// Registry follows the nodes of all services.
type Registry struct {
	client *clientv3.Client
	log    *slog.Logger
	ready  chan struct{}

	mu      sync.Mutex // guards what follows
	nodes   set
	changed chan struct{} // closed at the next change
}

// New makes a registry on an etcd client, which stays the caller's. log may be nil.
func New(client *clientv3.Client, log *slog.Logger) (*Registry, error) {
	if client == nil {
		return nil, errors.New("registry: needs an etcd client")
	}
	return newRegistry(client, log), nil
}

func newRegistry(client *clientv3.Client, log *slog.Logger) *Registry {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Registry{
		client: client, log: log, ready: make(chan struct{}),
		nodes: newSet(), changed: make(chan struct{}),
	}
}

// Ready is closed when all nodes were read for the first time.
func (r *Registry) Ready() <-chan struct{} { return r.ready }

// Watch returns the nodes of a service ("" means all), ordered by id, and a channel that is closed when any node comes,
// changes or goes: look again then.
func (r *Registry) Watch(service string) (nodes []Node, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes.list(service), r.changed
}

// Run follows etcd until ctx ends; while etcd is away it tries again, for ever.
func (r *Registry) Run(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		began := time.Now()
		err := r.once(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // that it broke off is how it ends
		}
		r.log.Warn("etcd is away; the last known nodes stay in use", "err", err)
		if time.Since(began) > reread {
			attempt = 0
		}
		d := min(50*time.Millisecond<<min(attempt, 10), time.Second)
		select {
		case <-ctx.Done():
		case <-time.After(d/2 + rand.N(d/2+1)):
		}
	}
}

// once reads all nodes and follows them until that breaks off.
func (r *Registry) once(ctx context.Context) error {
	revision, err := r.load(ctx)
	if err != nil {
		return err
	}
	return r.follow(ctx, revision)
}

// load reads all nodes and returns the revision at which they stood.
func (r *Registry) load(ctx context.Context) (revision int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	answer, err := r.client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return 0, fmt.Errorf("read nodes: %w", err)
	}
	var seen []Node
	for _, kv := range answer.Kvs {
		n, err := decode(kv.Key, kv.Value)
		if err != nil {
			r.log.Warn("skips a node it cannot read", "err", err)
			continue
		}
		seen = append(seen, n)
	}
	r.update(func() bool { return r.nodes.replace(seen) })
	select {
	case <-r.ready:
	default:
		close(r.ready)
	}
	return answer.Header.Revision, nil
}

// follow applies changes after a revision until the watch breaks.
func (r *Registry) follow(ctx context.Context, revision int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A member without a leader ends the watch: it might show the past.
	watch := r.client.Watch(clientv3.WithRequireLeader(ctx), prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	tick := time.NewTicker(reread)
	defer tick.Stop()
	for {
		select {
		case answer, ok := <-watch:
			if !ok {
				return errors.New("watch nodes: ended")
			}
			if err := answer.Err(); err != nil {
				return fmt.Errorf("watch nodes: %w", err)
			}
			for _, event := range answer.Events {
				r.apply(event)
			}
		case <-tick.C:
			// A watch finds its way back to an etcd that lost its history, and then waits there for a revision that may
			// never come.
			now, err := r.load(ctx)
			if err == nil && now < revision {
				return fmt.Errorf("watch nodes: etcd went back from revision %d to %d", revision, now)
			}
			if err == nil {
				revision = now
			}
		}
	}
}

func (r *Registry) apply(event *clientv3.Event) {
	if event.Type == clientv3.EventTypeDelete {
		if service, id, ok := identity(event.Kv.Key); ok {
			r.update(func() bool { return r.nodes.remove(service, id) })
		}
		return
	}
	n, err := decode(event.Kv.Key, event.Kv.Value)
	if err != nil {
		r.log.Warn("skips a node it cannot read", "err", err)
		return
	}
	r.update(func() bool { return r.nodes.put(n) })
}

// update tells the watchers when change says so.
func (r *Registry) update(change func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if change() {
		close(r.changed)
		r.changed = make(chan struct{})
	}
}
