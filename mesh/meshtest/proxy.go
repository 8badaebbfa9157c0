package meshtest

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy passes TCP connections on to a server, and cuts them when told to.
type Proxy struct {
	Addr string // where it listens

	target   string
	listener net.Listener
	refuse   atomic.Bool
	trap     atomic.Pointer[Trap]
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // both sides of every connection; guarded by mu
}

// Trap cuts the connection on which certain bytes pass.
type Trap struct {
	// Match is sought in what the client sends, in one segment: []byte("commit") for the driver's COMMIT.
	Match []byte
	// Forward lets the bytes reach the server and loses its answer; else they are lost on their way.
	Forward bool
	// Times is how many connections are cut; then the trap is gone.
	Times  int64
	sprung atomic.Int64
}

// Sprung returns how many connections the trap has cut.
func (tr *Trap) Sprung() int { return int(tr.sprung.Load()) }

// StartProxy listens on a loopback port and passes connections on to target ("host:port") until the test ends.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, conns: make(map[net.Conn]struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Set arms a trap, or disarms with nil.
func (p *Proxy) Set(tr *Trap) { p.trap.Store(tr) }

// Cut ends every connection at once; new ones pass.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Refuse makes the proxy close new connections at once (and cuts the present ones), as if the server was away.
func (p *Proxy) Refuse(away bool) {
	p.refuse.Store(away)
	if away {
		p.Cut()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.refuse.Load() {
			_ = client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		var muted atomic.Bool
		p.wg.Go(func() { p.pass(server, client, &muted, true) })
		p.wg.Go(func() { p.pass(client, server, &muted, false) })
	}
}

func (p *Proxy) pass(to, from net.Conn, muted *atomic.Bool, watched bool) {
	defer func() {
		p.mu.Lock()
		delete(p.conns, from)
		p.mu.Unlock()
		_ = from.Close()
		_ = to.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !watched && muted.Load() {
			return // the answer that the trap swallows
		}
		if n > 0 && watched {
			if tr := p.trap.Load(); tr != nil && bytes.Contains(bytes.ToLower(buf[:n]), tr.Match) && tr.sprung.Add(1) <= tr.Times {
				if !tr.Forward {
					return
				}
				muted.Store(true)
			}
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
