package client

import (
	"context"
	"errors"
	"sync"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// State is how the client stands to the server.
type State struct {
	Connected bool
	// Since is when this state began.
	Since time.Time
	// Retry is when the next attempt starts; zero while connected or connecting.
	Retry time.Time
	// Cause is why there is no connection; nil while connected or not yet tried.
	Cause error
	// Waiting is how many entries of the outbox are not settled.
	Waiting int
	// Violations counts events that were shown before what they depend on had come.
	Violations uint64
}

// Client is one session with a Plenum server. Its methods may be called by any goroutine, before Run and while it runs.
type Client struct {
	cfg Config

	mail    chan func(*session) // to the goroutine that owns the session
	stopped chan struct{}       // closed when Run has ended
	why     error               // what those who wait then are told; valid once stopped is closed
	ready   chan struct{}       // closed after the first Welcome
	once    sync.Once

	mu    sync.Mutex
	state State // guarded by mu
	run   bool  // Run was called; guarded by mu
}

// New makes a client. It does nothing before Run.
func New(cfg Config) (*Client, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, mail: make(chan func(*session), 64), stopped: make(chan struct{}), ready: make(chan struct{})}, nil
}

// Ready is closed after the first connection was accepted.
func (c *Client) Ready() <-chan struct{} { return c.ready }

// Outbox is the one of the Config, or the one in memory: its client_id and its numbers name this client's mutations.
func (c *Client) Outbox() *Outbox { return c.cfg.Outbox }

// State returns how the client stands now.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	s.Waiting = c.cfg.Outbox.Len()
	return s
}

func (c *Client) setState(change func(*State)) {
	c.mu.Lock()
	change(&c.state)
	c.mu.Unlock()
	if c.cfg.OnState != nil {
		c.cfg.OnState(c.State())
	}
}

// Run connects, and stays connected until ctx ends. It returns nil then, and otherwise why there is no use in going on:
// an *Error whose code is CODE_SESSION_REVOKED (signed out: wipe what is stored), CODE_TOKEN_REFUSED (sign in
// again), or of 4300-4399 (update the client).
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	again := c.run
	c.run = true
	c.mu.Unlock()
	if again {
		return errors.New("client: Run was called twice")
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &session{Client: c, ctx: ctx, used: time.Now().Add(-c.cfg.Idle), calls: make(map[uint32]*call), sending: make(map[uint64]struct{}), topics: make(map[string]*Subscription),
		holding: make(map[*Subscription]struct{}), delivered: make(map[string]*edgev1.Cursor)}
	err := s.loop()
	cancel()
	s.end(err)
	return err
}

var errStopped = errorf(edgev1.Code_CODE_UNAVAILABLE, "client.STOPPED", "The client has stopped.")

// do runs f on the session's goroutine.
func (c *Client) do(ctx context.Context, f func(*session)) error {
	select {
	case c.mail <- f:
		return nil
	case <-c.stopped:
		return c.why
	case <-ctx.Done():
		return ctx.Err()
	}
}
