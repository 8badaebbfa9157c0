package registry

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// linger is how long the connection to a node that left serves the calls still running on it.
const linger = 30 * time.Second

// A node whose kernel takes what it is sent, and whose process does not answer (it was stopped, or its host went away without a word)
// looks well to gRPC for 15 s. So each connection that stands is asked for a sign of life.
const (
	probeEvery  = time.Second
	probeTime   = time.Second
	probeMisses = 2 // in a row, before the node is left; about 3 s in all
)

// Watcher is where Conns learns of nodes, ordered by id; *Registry is one.
type Watcher interface {
	Watch(service string) (nodes []Node, changed <-chan struct{})
}

// Conns keeps one connection to each node of the services it is asked for, and a second one to those that long streams go to.
type Conns struct {
	nodes Watcher
	dial  func(Node) (*grpc.ClientConn, error)
	log   *slog.Logger
	ready chan struct{}
	tasks sync.WaitGroup // the goroutines of the links, of Run alone

	mu    sync.RWMutex // guards links and each slice in it, which is replaced and never changed
	links map[string][]*link
}

// link is the connection to one node.
type link struct {
	node   Node
	conn   atomic.Pointer[grpc.ClientConn] // another one once the node was left as frozen
	bulk   bulk
	misses atomic.Int32       // probes in a row that were not answered
	end    context.CancelFunc // ends its goroutine, which closes conn
}

// bulk is a connection for long streams of bytes, so that no call stands behind them; it is dialled when the first one comes.
type bulk struct {
	mu     sync.Mutex // guards all below
	conn   *grpc.ClientConn
	closed bool // the link has ended
}

func (b *bulk) get(dial func() (*grpc.ClientConn, error)) (*grpc.ClientConn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, status.Error(codes.Unavailable, "the node has left; try again")
	}
	if b.conn == nil {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		b.conn = conn
	}
	return b.conn, nil
}

// drop closes the connection, which ends its streams; for ever, or until the next one comes.
func (b *bulk) drop(closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil {
		_ = b.conn.Close() // fails only when closed before
	}
	b.conn, b.closed = nil, closed
}

// NewConns makes an empty set; dial is usually rpc.Dial to the node's address. log may be nil.
func NewConns(nodes Watcher, dial func(Node) (*grpc.ClientConn, error), log *slog.Logger) *Conns {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Conns{nodes: nodes, dial: dial, log: log, ready: make(chan struct{}), links: map[string][]*link{}}
}

// Ready is closed when Run has seen the nodes once.
func (c *Conns) Ready() <-chan struct{} { return c.ready }

// Conn returns the connection to the node of a service that key belongs to by rendezvous hashing; when that node cannot
// be reached, to the next one in the key's order. No node at all: codes.Unavailable. Only callers know what may be
// repeated, so nothing is.
func (c *Conns) Conn(service, key string) (grpc.ClientConnInterface, error) {
	l, err := c.pick(service, key)
	if err != nil {
		return nil, err
	}
	return l.conn.Load(), nil
}

// Bulk returns another connection to the node that Conn would choose, for long streams of bytes.
func (c *Conns) Bulk(service, key string) (grpc.ClientConnInterface, error) {
	l, err := c.pick(service, key)
	if err != nil {
		return nil, err
	}
	return l.bulk.get(func() (*grpc.ClientConn, error) { return c.dial(l.node) })
}

func (c *Conns) pick(service, key string) (*link, error) {
	c.mu.RLock()
	links := c.links[service]
	c.mu.RUnlock()
	var best *link
	var bestHealth int
	var bestScore uint64
	for _, l := range links {
		h, s := health(l.conn.Load().GetState()), score(l.node.ID, key)
		if best == nil || h > bestHealth || h == bestHealth && s > bestScore {
			best, bestHealth, bestScore = l, h, s
		}
	}
	if best == nil {
		return nil, status.Errorf(codes.Unavailable, "no node of %s is known; try again shortly", service)
	}
	return best, nil
}

// To returns the connection to one node of a service. None of that id is known: codes.Unavailable.
func (c *Conns) To(service, id string) (grpc.ClientConnInterface, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, l := range c.links[service] {
		if l.node.ID == id {
			return l.conn.Load(), nil
		}
	}
	return nil, status.Errorf(codes.Unavailable, "the node %s of %s is not known; try again shortly", id, service)
}

// Service is a connection that looks for its node anew with each call, as Conn does: for callers that want a service and
// no node in particular. key spreads them: their own node id serves well.
func (c *Conns) Service(service, key string) grpc.ClientConnInterface {
	return routed{conns: c, service: service, key: key}
}

type routed struct {
	conns        *Conns
	service, key string
}

func (r routed) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	cc, err := r.conns.Conn(r.service, r.key)
	if err != nil {
		return err
	}
	return cc.Invoke(ctx, method, args, reply, opts...)
}

func (r routed) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	cc, err := r.conns.Conn(r.service, r.key)
	if err != nil {
		return nil, err
	}
	return cc.NewStream(ctx, desc, method, opts...)
}

// All returns the connections to every node of a service, in the order of their ids.
func (c *Conns) All(service string) []grpc.ClientConnInterface {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]grpc.ClientConnInterface, 0, len(c.links[service]))
	for _, l := range c.links[service] {
		out = append(out, l.conn.Load())
	}
	return out
}

// health orders states: a connection that fails comes last, one that stands first.
func health(s connectivity.State) int {
	switch s {
	case connectivity.Ready:
		return 2
	case connectivity.Idle, connectivity.Connecting:
		return 1
	default:
		return 0
	}
}

// Run follows the nodes until ctx ends, then closes every connection.
func (c *Conns) Run(ctx context.Context) error {
	defer c.tasks.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for first := true; ; first = false {
		nodes, changed := c.nodes.Watch("")
		c.reconcile(ctx, nodes)
		if first {
			close(c.ready)
		}
		select {
		case <-ctx.Done():
			c.reconcile(ctx, nil)
			return nil
		case <-changed:
		}
	}
}

// reconcile dials nodes that came and gives up those that went. Only Run calls it.
func (c *Conns) reconcile(ctx context.Context, nodes []Node) {
	known := map[Node]*link{}
	c.mu.RLock()
	for _, links := range c.links {
		for _, l := range links {
			known[l.node] = l
		}
	}
	c.mu.RUnlock()

	next := map[string][]*link{}
	for _, n := range nodes {
		if n.Address == "" {
			continue
		}
		l := known[n]
		delete(known, n)
		if l == nil {
			conn, err := c.dial(n)
			if err != nil {
				c.log.Error("cannot dial a node", "service", n.Service, "node", n.ID, "address", n.Address, "err", err)
				continue
			}
			l = c.open(ctx, n, conn)
		}
		next[n.Service] = append(next[n.Service], l)
	}
	c.mu.Lock()
	c.links = next
	c.mu.Unlock()
	for _, gone := range known {
		gone.end()
	}
}

// open keeps a connection warm, so that its state tells whether the node can be reached before a call has to find out, and leaves a
// node that is frozen while another one of its service answers.
func (c *Conns) open(ctx context.Context, n Node, conn *grpc.ClientConn) *link {
	linkCtx, end := context.WithCancel(ctx)
	l := &link{node: n, end: end}
	l.conn.Store(conn)
	c.tasks.Go(func() {
		for linkCtx.Err() == nil {
			conn := l.conn.Load()
			state := conn.GetState()
			if state == connectivity.Idle {
				conn.Connect()
			}
			if l.changes(linkCtx, conn, state) || state != connectivity.Ready || l.answers(linkCtx) || !c.another(l) {
				continue
			}
			c.log.Warn("a node does not answer and is left", "service", n.Service, "node", n.ID, "address", n.Address)
			c.renew(l)
		}
		l.linger(ctx)
		_ = l.conn.Load().Close() // fails only when closed before
		l.bulk.drop(true)
	})
	return l
}

// changes waits until the state of a connection changes, or the next probe is due: after the first that was missed at once.
func (l *link) changes(ctx context.Context, conn *grpc.ClientConn, state connectivity.State) bool {
	if state == connectivity.Ready && l.misses.Load() == 1 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, probeEvery)
	defer cancel()
	return conn.WaitForStateChange(ctx, state)
}

// answers probes a node, and reports whether it may still be believed to live.
func (l *link) answers(ctx context.Context) bool {
	if l.probe(ctx) {
		l.misses.Store(0)
		return true
	}
	return l.misses.Add(1) < probeMisses
}

// probe reports whether a node answers. Any answer will do, an error too.
func (l *link) probe(ctx context.Context) bool {
	probe, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	_, err := grpc_health_v1.NewHealthClient(l.conn.Load()).Check(probe, &grpc_health_v1.HealthCheckRequest{})
	return err == nil || probe.Err() == nil || ctx.Err() != nil
}

// linger lets the calls that run on a node which has left come to their end. One that has left without a word, and does not answer,
// keeps nobody waiting.
func (l *link) linger(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, linger)
	defer cancel()
	for ctx.Err() == nil && l.probe(ctx) {
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
}

// another reports whether the service has a node that answers. Else this one is as good as any: perhaps all are slow.
func (c *Conns) another(l *link) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.ContainsFunc(c.links[l.node.Service], func(x *link) bool {
		return x != l && x.misses.Load() == 0 && x.conn.Load().GetState() == connectivity.Ready
	})
}

// renew closes the connection to a node, which ends the calls that wait for it: nobody knows whether they took place. The next one
// stands as soon as the node answers again.
func (c *Conns) renew(l *link) {
	conn, err := c.dial(l.node)
	if err != nil {
		c.log.Error("cannot dial a node", "service", l.node.Service, "node", l.node.ID, "address", l.node.Address, "err", err)
		return
	}
	l.misses.Store(0)
	_ = l.conn.Swap(conn).Close() // fails only when closed before
	l.bulk.drop(false)
}
