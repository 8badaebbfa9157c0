package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Times of the choice between transports.
const (
	trialBy    = 4 * time.Second  // a transport that is open and says nothing for so long is held back by something on the way
	betterFrom = 10 * time.Minute // after which a better transport than what works is tried again; twice as long after each time in vain
	betterMost = time.Hour
)

// DialAny returns a dialer that takes the best transport that gets through: a WebSocket, else server-sent events, else polls. One is given up
// for the next where it is refused by what lies on the way, or opened and not answered within 4 s, as by a proxy that holds answers back. What has
// worked is taken for the next 10 minutes, up to an hour where the better one fails again and again; then the better one is tried, without
// a break where it can't be opened at all. A server that can't be reached, or says why it refuses, is no reason to take another one.
func DialAny(h *http.Client) Dialer {
	return (&ladder{rungs: []Dialer{DialWebSocket(h), DialEvents(h), DialPolls(h)}}).dial
}

// DialBy returns the dialer for a transport by its name: websocket, sse or poll. Any other name, such as auto, is DialAny.
func DialBy(transport string, h *http.Client) Dialer {
	switch transport {
	case "websocket":
		return DialWebSocket(h)
	case "sse":
		return DialEvents(h)
	case "poll":
		return DialPolls(h)
	}
	return DialAny(h)
}

// ladder is transports, the best first, and what is known of them. It is shared by all connections of a dialer.
type ladder struct {
	rungs []Dialer

	mu     sync.Mutex // guards what follows
	rung   int        // that is to be taken
	better time.Time  // when those above it are tried again; zero: nothing was found out about them
	wait   time.Duration
}

func (l *ladder) dial(ctx context.Context, server string) (Conn, error) {
	l.mu.Lock()
	if l.rung > 0 && !l.better.IsZero() && !time.Now().Before(l.better) {
		l.rung, l.better = 0, time.Time{}
	}
	rung := l.rung
	l.mu.Unlock()
	for {
		limited, cancel := context.WithTimeout(ctx, trialBy)
		conn, err := l.rungs[rung](limited, server)
		cancel()
		if err == nil {
			return l.try(conn, rung, server), nil
		}
		if ctx.Err() != nil || !blocked(err) || rung+1 == len(l.rungs) {
			return nil, err
		}
		rung++
		l.mu.Lock()
		l.rung = rung
		l.mu.Unlock()
	}
}

// blocked reports whether an error speaks against the transport, not against the server: that one was reached.
func blocked(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if ok && e.status >= 500 { // what stands before a server that is away says 502 to 504, the server itself 503
		return false
	}
	if op, dial := errors.AsType[*net.OpError](err); dial && op.Op == "dial" {
		return false
	}
	return !ok || e.local() && e.Reason != "client.UNTRUSTED"
}

// worked notes that a transport has brought an answer.
func (l *ladder) worked(rung int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rung = rung
	switch {
	case rung == 0:
		l.better, l.wait = time.Time{}, 0
	case l.better.IsZero():
		l.wait = min(max(2*l.wait, betterFrom), betterMost)
		l.better = time.Now().Add(l.wait)
	}
}

// failed notes that a transport was open and brought nothing. After the last one the first is tried again.
func (l *ladder) failed(rung int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rung = (rung + 1) % len(l.rungs)
	l.better = time.Time{}
}

// trial is a connection that has to prove itself.
type trial struct {
	Conn
	ladder *ladder
	rung   int
	server string
	proven bool // by the goroutine that reads

	ctx    context.Context //nolint:containedctx // ends with the connection
	cancel context.CancelFunc
}

func (l *ladder) try(conn Conn, rung int, server string) Conn {
	t := &trial{Conn: conn, ladder: l, rung: rung, server: server}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Read implements Conn.
func (t *trial) Read(ctx context.Context) (*edgev1.ServerMessage, error) {
	if t.proven {
		return t.Conn.Read(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, trialBy)
	defer cancel()
	m, err := t.Conn.Read(limited)
	switch {
	case err == nil && len(m.GetFrames()) > 0:
		t.proven = true
		t.ladder.worked(t.rung)
		if t.rung > 0 {
			go t.climb()
		}
	case err != nil && ctx.Err() == nil && t.ctx.Err() == nil && blocked(err):
		t.ladder.failed(t.rung)
	}
	return m, err
}

// climb ends the connection when a better transport can be opened again: the session comes back by that one.
func (t *trial) climb() {
	for {
		t.ladder.mu.Lock()
		at := t.ladder.better
		t.ladder.mu.Unlock()
		select {
		case <-time.After(time.Until(at)):
		case <-t.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(t.ctx, dialTimeout)
		conn, err := t.ladder.rungs[0](ctx, t.server)
		cancel()
		if err == nil {
			_ = conn.Close()
			_ = t.Close()
			return
		}
		t.ladder.mu.Lock()
		t.ladder.wait = min(2*t.ladder.wait, betterMost)
		t.ladder.better = time.Now().Add(t.ladder.wait)
		t.ladder.mu.Unlock()
	}
}

// Close implements Conn.
func (t *trial) Close() error {
	t.cancel()
	return t.Conn.Close()
}
