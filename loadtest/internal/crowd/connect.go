package crowd

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"plenum.internal/loadtest/internal/edge"
)

const (
	dialTime = 30 * time.Second
	// Who lost the connection comes back after a random wait of 0 to backoff * 2^attempt, at most backoffMost (PROTOCOL.md section 9).
	backoff     = 500 * time.Millisecond
	backoffMost = 30 * time.Second
)

// connect makes a connection that was due at a time, and returns when it is there or has failed.
func (m *Member) connect(ctx context.Context, due time.Time) {
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	token, err := m.crowd.sign(dialing, m.Account, m.crowd.SignIn)
	if err != nil {
		m.crowd.refused(reason(err))
		m.again(ctx, err)
		return
	}
	m.mu.Lock()
	m.since = due
	cfg := edge.Config{
		Address: m.crowd.cfg.Addresses[(m.n+m.moves)%len(m.crowd.cfg.Addresses)], Local: m.local(), Token: token, Transport: m.crowd.cfg.Transport,
		ClientID: m.clientID, SessionID: m.session, Wants: m.resume(), Idle: m.idle(),
	}
	m.opening, m.complete, m.denied, m.later = len(cfg.Wants), false, 0, nil
	m.connections++
	m.dialed++
	m.comes()
	m.mu.Unlock()
	conn, err := edge.Dial(dialing, cfg, m)
	if err != nil {
		m.crowd.refused(reason(err))
		m.mu.Lock()
		m.connections--
		m.left(time.Now(), Lost) // the gateway may have had it for a moment
		m.mu.Unlock()
		m.again(ctx, err)
		return
	}
	m.mu.Lock()
	if m.leaving.Load() || m.gone.Load() { // meanwhile; who ended it has not seen this connection
		m.mu.Unlock()
		conn.Close()
		return
	}
	m.live.Store(true) // before anybody is told
	m.came(time.Now())
	if m.connections == 1 {
		m.crowd.Connect.Record(m.n, time.Since(due))
	}
	m.conn, m.attempt, m.subscribes = conn, 0, 1
	for _, w := range m.later { // stopped since
		m.subscribe(w)
	}
	unacked := m.unacked
	m.calls = map[uint32]*send{}
	m.mu.Unlock()
	for _, s := range unacked {
		m.transmit(s)
	}
	m.crowd.watch.Go(func() {
		<-conn.Done()
		m.ended(ctx, conn)
	})
}

func (m *Member) local() (a netip.Addr) {
	if l := m.crowd.cfg.Locals; len(l) > 0 {
		a = l[(m.n/len(m.crowd.cfg.Addresses))%len(l)]
	}
	return a
}

// ended is called once for each connection.
func (m *Member) ended(ctx context.Context, conn *edge.Conn) {
	m.live.Store(false)
	err := conn.Err()
	if m.leaving.Load() {
		return
	}
	m.mu.Lock()
	m.since = time.Now()
	m.left(m.since, Lost)
	m.mu.Unlock()
	if err != nil {
		m.crowd.Dropped.Add(1)
		m.crowd.refused(reason(err))
	}
	m.again(ctx, err)
}

// again comes back after a while, at another gateway.
func (m *Member) again(ctx context.Context, err error) {
	if !m.crowd.cfg.Reconnect || m.leaving.Load() || m.gone.Load() || ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	wait := rand.N(min(backoffMost, backoff<<min(m.attempt, 10)))
	if refused, ok := errors.AsType[*edge.Refused](err); ok && refused.Why.GetRetryAfterMs() > 0 {
		wait = time.Duration(refused.Why.GetRetryAfterMs()) * time.Millisecond
	}
	due := m.since
	if m.pause > 0 {
		wait, m.pause = m.pause, 0
		due = time.Now().Add(wait)
	}
	m.attempt++
	m.moves++
	m.mu.Unlock()
	m.crowd.watch.Go(func() {
		select {
		case <-time.After(wait):
			m.connect(ctx, due)
		case <-m.crowd.left:
		case <-ctx.Done():
		}
	})
}

// Cut breaks the connection without a word; the member comes back if its crowd reconnects.
func (m *Member) Cut() {
	m.mu.Lock()
	conn, live := m.conn, m.live.Swap(false)
	m.mu.Unlock()
	if live {
		conn.Cut()
	}
}

// leave closes the connection and counts what is missing.
func (m *Member) leave(heads map[string]uint64) {
	m.leaving.Store(true)
	m.mu.Lock()
	conn := m.conn
	m.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settleCauses(time.Now())
	for name, t := range m.topics {
		if t.begun && !t.gone {
			t.reader.End(heads[name], &m.crowd.Counts)
		}
	}
}
