package editors

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// leash is the network of one program, which can be taken away from it in a moment.
type leash struct {
	transport *http.Transport
	off       atomic.Bool
	writing   sync.RWMutex // held, to read, while bytes go out

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu
}

func newLeash() *leash {
	l := &leash{conns: map[net.Conn]struct{}{}}
	l.transport = &http.Transport{DialContext: l.dial}
	return l
}

// client is for what the program does over HTTP.
func (l *leash) client() *http.Client { return &http.Client{Transport: l.transport, Timeout: httpTime} }

const httpTime = 30 * time.Second

var errCut = errors.New("editors: the program has no network")

func (l *leash) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.off.Load() {
		return nil, errCut
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off.Load() { // meanwhile
		return nil, errors.Join(errCut, c.Close())
	}
	l.conns[c] = struct{}{}
	return &leashed{c, l}, nil
}

// cut ends all connections and refuses others.
//
// Invariant: when it has returned, nothing goes out any more before mend.
func (l *leash) cut() {
	l.mu.Lock()
	l.off.Store(true)
	for c := range l.conns {
		_ = c.Close() // whoever writes to it is told so
	}
	clear(l.conns)
	l.mu.Unlock()
	l.writing.Lock() // until those who began before have ended
	defer l.writing.Unlock()
}

// mend lets the program connect again.
func (l *leash) mend() { l.off.Store(false) }

// close is for when the program has ended.
func (l *leash) close() {
	l.cut()
	l.transport.CloseIdleConnections()
}

// leashed is a connection of the program's.
type leashed struct {
	net.Conn

	leash *leash
}

func (c *leashed) Write(b []byte) (int, error) {
	c.leash.writing.RLock()
	defer c.leash.writing.RUnlock()
	if c.leash.off.Load() {
		return 0, errCut
	}
	return c.Conn.Write(b)
}

func (c *leashed) Close() error {
	c.leash.mu.Lock()
	delete(c.leash.conns, c.Conn)
	c.leash.mu.Unlock()
	return c.Conn.Close()
}
