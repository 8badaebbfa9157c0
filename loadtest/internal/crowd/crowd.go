// Package crowd is the clients of a load test: it connects them, lets them send, and checks and measures what each of them gets.
package crowd

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/tally"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Config says who the clients are and where they go.
type Config struct {
	Addresses []string     // of gateways; clients take them in turn
	Locals    []netip.Addr // source addresses, in turn; none: the system chooses
	Transport string       // websocket, sse or poll; empty: websocket
	// Renew gets new tokens for an account whose own are about to end; nil: they last.
	Renew SignIn
	// Dialing bounds the connections that are being made at the same time. 0: 128.
	Dialing int
	// Reconnect: who loses the connection comes back.
	Reconnect bool
	// First is the number of the first member among those of all processes.
	First uint32
}

// Crowd is all clients of one process.
type Crowd struct {
	cfg     Config
	Members []*Member
	// SignIn, if set, gets a member's tokens just before it connects.
	SignIn SignIn

	Counts tally.Counts
	// Connect is from when a first connection was due to Welcome, Open to the last Subscribed, Resume from when one was lost until all its topics
	// are open again; Ack is from when a mutation was due to its Reply, Deliver from when a message was due to each reader, by this
	// machine's clock.
	Connect, Open, Resume, Ack, Deliver *meter.Latency
	Acked                               *Heads
	measured                            atomic.Int64 // Unix nanoseconds: what was due earlier is not measured; 0: nothing is

	witnessed map[string]bool // topics
	watch     sync.WaitGroup  // goroutines of members
	left      chan struct{}   // closed by Leave
	tokens    sync.Mutex      // guards the tokens in accounts

	mu       sync.Mutex // guards refusals and unsent
	refusals map[string]int
	unsent   []time.Time   // when sends were due that there was no room for
	Offered  atomic.Uint64 // mutations that were due
	Answered atomic.Uint64 // of them that took place
	Dropped  atomic.Uint64 // connections that ended and were not meant to
	Unsent   atomic.Uint64 // sends that a client had no room for: the server answers too slowly
	Failed   atomic.Uint64 // sends that were refused
	Heads    atomic.Uint64 // entries of frames of heads
	Signals  atomic.Uint64 // that came
	Causes   atomic.Uint64 // that messages named, of topics that their reader follows
	Gone     atomic.Uint64 // members that left for good
}

// SignIn gets an account's tokens.
type SignIn func(ctx context.Context, a *account.Account) error

// New returns a crowd without members.
func New(cfg Config) *Crowd {
	if cfg.Dialing <= 0 {
		cfg.Dialing = 128
	}
	return &Crowd{
		cfg: cfg, refusals: map[string]int{}, left: make(chan struct{}), witnessed: map[string]bool{}, Acked: &Heads{heads: map[string]uint64{}},
		Connect: meter.NewLatency(), Open: meter.NewLatency(), Resume: meter.NewLatency(), Ack: meter.NewLatency(), Deliver: meter.NewLatency(),
	}
}

// Add makes a member that signs in as acc and follows wants; it connects later.
func (c *Crowd) Add(acc *account.Account, wants ...*edgev1.Want) *Member {
	m := &Member{
		Account: acc, crowd: c, n: len(c.Members), wants: wants, clientID: account.NewID(), session: account.NewID(),
		topics: map[string]*topic{}, calls: map[uint32]*send{},
	}
	m.number = c.cfg.First + uint32(m.n)
	for _, w := range wants {
		if w.GetMode() != edgev1.Mode_MODE_EVENTS {
			continue
		}
		t := &topic{}
		if !c.witnessed[w.GetTopic()] { // one member for each topic looks for messages that were stored twice
			c.witnessed[w.GetTopic()], t.marks = true, map[[2]uint64]uint64{}
		}
		m.topics[w.GetTopic()] = t
	}
	c.Members = append(c.Members, m)
	return m
}

// ConnectAll connects the members from the first on, perSecond of them each second (0: all at once), and returns when all have tried.
func (c *Crowd) ConnectAll(ctx context.Context, perSecond float64) error {
	if c.cfg.Renew != nil {
		c.watch.Go(func() { c.keepTokens(ctx) })
	}
	return c.connect(ctx, c.Members, perSecond)
}

func (c *Crowd) connect(ctx context.Context, members []*Member, perSecond float64) error {
	room := make(chan struct{}, c.cfg.Dialing)
	var wg sync.WaitGroup
	defer wg.Wait()
	begin := time.Now()
	for i, m := range members {
		due := time.Now()
		if perSecond > 0 {
			due = begin.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return fmt.Errorf("connect: %w", ctx.Err())
			}
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("connect: %w", ctx.Err())
		}
		wg.Go(func() {
			defer func() { <-room }()
			m.connect(ctx, due)
		})
	}
	return nil
}

// Measure forgets what was measured so far; the checks go on.
func (c *Crowd) Measure() {
	for _, l := range []*meter.Latency{c.Ack, c.Deliver} {
		l.Reset()
	}
	c.measured.Store(time.Now().UnixNano())
}

// counts tells whether what was due then is measured.
func (c *Crowd) counts(due time.Time) bool {
	since := c.measured.Load()
	return since != 0 && due.UnixNano() >= since
}

// Connected counts the members that are connected.
func (c *Crowd) Connected() (n int) {
	for _, m := range c.Members {
		if m.live.Load() {
			n++
		}
	}
	return n
}

// WaitOpen waits until every connected member has an answer for each of its topics, or longest has passed.
func (c *Crowd) WaitOpen(ctx context.Context, longest time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	wait(ctx, c.Members, (*Member).opened)
}

// Settle waits until no event has come for quiet, everything is answered and everybody is connected who comes back, or longest has passed.
func (c *Crowd) Settle(ctx context.Context, quiet, longest time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	last, since := c.Counts.Events.Load(), time.Now()
	for tick := time.NewTicker(quiet / 4); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if now := c.Counts.Events.Load(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) >= quiet && c.settled() {
			tick.Stop()
			return
		}
	}
}

func (c *Crowd) settled() bool {
	for _, m := range c.Members {
		if m.Unacked() > 0 || c.cfg.Reconnect && !m.live.Load() && !m.gone.Load() {
			return false
		}
	}
	return true
}

// maxUnsent bounds the memory of sends that there was no room for.
const maxUnsent = 1 << 16

func (c *Crowd) noRoom(due time.Time) {
	c.Unsent.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unsent) < maxUnsent {
		c.unsent = append(c.unsent, due)
	}
}

// Charge measures what has no answer by now, as if it came now: a server that stalls must not look quick because only what it answered
// is measured.
func (c *Crowd) Charge(now time.Time) {
	c.mu.Lock()
	due := c.unsent
	c.unsent = nil
	c.mu.Unlock()
	for _, m := range c.Members {
		m.mu.Lock()
		due = append(due, m.pending()...)
		m.mu.Unlock()
	}
	for i, at := range due {
		if c.counts(at) {
			c.Ack.Record(i, now.Sub(at))
		}
	}
}

// NotOpen counts the topics that members want and don't have.
func (c *Crowd) NotOpen() (n int) {
	for _, m := range c.Members {
		n += m.notOpen()
	}
	return n
}

// Leave is called once: it closes all connections, and counts what each member has not got of what heads say was acknowledged.
func (c *Crowd) Leave(heads map[string]uint64) {
	var wg sync.WaitGroup
	room := make(chan struct{}, c.cfg.Dialing)
	close(c.left)
	for _, m := range c.Members {
		room <- struct{}{}
		wg.Go(func() {
			m.leave(heads)
			<-room
		})
	}
	wg.Wait()
	c.watch.Wait()
}

// Refusals are the reasons for which connections and sends were refused, with how often.
func (c *Crowd) Refusals() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int, len(c.refusals))
	maps.Copy(out, c.refusals)
	return out
}

const maxRefusals = 64 // different reasons

func (c *Crowd) refused(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.refusals[why]; ok || len(c.refusals) < maxRefusals {
		c.refusals[why]++
	} else {
		c.refusals["others"]++
	}
}

// Heads is the greatest acknowledged offset of each topic. Safe for concurrent use.
type Heads struct {
	mu    sync.Mutex // guards heads
	heads map[string]uint64
}

// Note takes over an offset.
func (h *Heads) Note(topic string, offset uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heads[topic] = max(h.heads[topic], offset)
}

// Read copies the heads.
func (h *Heads) Read() map[string]uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[string]uint64, len(h.heads))
	maps.Copy(out, h.heads)
	return out
}
