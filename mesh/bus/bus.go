package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
)

// Errors of this package. None of them loses anything that the log does not hold.
var (
	ErrAway     = errors.New("bus: no NATS server reachable")
	ErrFull     = errors.New("bus: the outgoing queue is full")
	ErrTooLarge = errors.New("bus: message larger than MaxPayload")
	ErrClosed   = errors.New("bus: closed")
)

// Deps are the bus's surroundings; the zero value works.
type Deps struct {
	Log     *slog.Logger          // nil: silent
	Metrics prometheus.Registerer // nil: counted, but not registered
	// InProcess connects to a NATS server in this process, without a socket; URLs are ignored then.
	InProcess nats.InProcessConnProvider
}

// Bus is one connection to NATS, kept for ever. Its methods may be called from any goroutine.
type Bus struct {
	conn    *nats.Conn
	log     *slog.Logger
	metrics *metrics
	out     outbox
	in      chan *nats.Msg // filled by the connection's reader, emptied by deliver
	up      atomic.Bool
	started atomic.Bool
	stop    chan struct{}
	done    sync.WaitGroup

	mu          sync.RWMutex // guards the maps; held for reading while a message is handed over
	subs        map[*nats.Subscription]*Subscription
	onReconnect map[*func()]struct{}
	closed      bool
}

// Connect opens the connection. It returns an error for a wrong configuration only: with no server reachable it comes
// back within one round of attempts and goes on trying in the background until Close.
func Connect(ctx context.Context, cfg Config, deps Deps) (*Bus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	if deps.InProcess != nil {
		opts = append(opts, nats.InProcessServer(deps.InProcess))
	}
	b := newBus(cfg, deps)
	opts = append(opts,
		nats.ConnectHandler(b.connected),
		nats.ReconnectHandler(b.connected),
		nats.DisconnectErrHandler(b.disconnected),
		nats.ErrorHandler(b.fault),
	)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := nats.Connect(strings.Join(cfg.URLs, ","), opts...)
	if err != nil {
		return nil, fmt.Errorf("bus: connect: %w", err)
	}
	b.start(conn)
	return b, nil
}

func newBus(cfg Config, deps Deps) *Bus {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	b := &Bus{
		log:         deps.Log,
		metrics:     newMetrics(deps.Metrics),
		in:          make(chan *nats.Msg, cfg.Receive),
		stop:        make(chan struct{}),
		subs:        map[*nats.Subscription]*Subscription{},
		onReconnect: map[*func()]struct{}{},
	}
	b.out = outbox{limit: cfg.QueueBytes, wake: make(chan struct{}, 1)}
	return b
}

func (b *Bus) start(conn *nats.Conn) {
	b.conn = conn
	if conn.IsConnected() {
		b.setUp(true)
	}
	b.started.Store(true)
	b.done.Go(b.deliver)
	b.done.Go(b.write)
}

// Connected tells whether a server is reachable as far as is known; a dead one is noticed within three pings.
func (b *Bus) Connected() bool { return b.up.Load() }

// OnReconnect has fn called after each time that the connection was lost and found again, and once when the first
// connection came later than Connect. Calls come one at a time; fn must not block. What was published in between was
// missed: read from the log.
func (b *Bus) OnReconnect(fn func()) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onReconnect[&fn] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.onReconnect, &fn)
	}
}

// Close ends the connection and everything that uses it, at once: Flush first what should still leave.
func (b *Bus) Close() {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if closed {
		return
	}
	b.out.close()
	b.setUp(false)
	close(b.stop)
	b.conn.Close()
	b.done.Wait()
	for _, m := range b.out.take() {
		m.end(ErrClosed)
	}
}

// setUp tells whether that was a change.
func (b *Bus) setUp(up bool) bool {
	if up {
		b.metrics.connected.Set(1)
	} else {
		b.metrics.connected.Set(0)
	}
	return b.up.Swap(up) != up
}

// connected runs on the connection's callback goroutine, like disconnected and fault.
func (b *Bus) connected(*nats.Conn) {
	again := b.setUp(true)
	if !again || !b.started.Load() { // inside Connect nobody has subscribed yet, so nobody has missed anything
		return
	}
	b.metrics.reconnects.Inc()
	b.log.Info("connected to NATS")
	b.mu.RLock()
	calls := make([]func(), 0, len(b.onReconnect))
	for fn := range b.onReconnect {
		calls = append(calls, *fn)
	}
	b.mu.RUnlock()
	for _, fn := range calls {
		fn()
	}
}

func (b *Bus) disconnected(_ *nats.Conn, err error) {
	b.setUp(false)
	if errors.Is(b.away(), ErrClosed) {
		return
	}
	b.log.Warn("NATS is away; live delivery waits, nothing is lost", "err", err)
}

func (b *Bus) fault(_ *nats.Conn, sub *nats.Subscription, err error) {
	if sub != nil && errors.Is(err, nats.ErrSlowConsumer) {
		b.metrics.dropped.WithLabelValues("receive").Inc() // at least one; told once an episode
	}
	b.log.Warn("NATS reports a fault", "err", err)
}

// backoff grows from 50 ms to longest and is spread by full jitter over its upper half.
func backoff(longest time.Duration) nats.ReconnectDelayHandler {
	return func(round int) time.Duration {
		d := min(50*time.Millisecond<<min(round, 10), longest)
		return d/2 + rand.N(d/2+1)
	}
}

// Subject is where the events of a topic are published: plenum.<workspace>.<kind>.<id> for the topic "<kind>/<id>".
func Subject(workspace, topic string) string {
	return "plenum." + workspace + "." + strings.Replace(topic, "/", ".", 1)
}

// SignalSubject is where clients' signals on a topic are published: apart from its events, so that a gateway, which passes signals
// on, has no right to publish events.
func SignalSubject(workspace, topic string) string {
	return "plenum._.signal." + workspace + "." + strings.Replace(topic, "/", ".", 1)
}
