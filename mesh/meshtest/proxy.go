package meshtest

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes TCP connections on to a server, and delays, holds back or cuts them when told to.
type Proxy struct {
	Addr string // where it listens

	target   string
	listener net.Listener
	refuse   atomic.Bool
	delay    atomic.Int64 // a time.Duration
	trap     atomic.Pointer[Trap]
	over     <-chan struct{} // closed with the test
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // both sides of every connection; guarded by mu
	// flow is closed while data passes; a stall puts an open one in its place. Guarded by mu.
	flow chan struct{}
}

// Trap cuts the connection on which certain bytes pass.
type Trap struct {
	// Match is sought in what the client sends, in one segment, in lower case: []byte("commit"). AtCommit's trap has none.
	Match []byte
	// Forward lets the bytes reach the server and loses its answer; else they are lost on their way.
	Forward bool
	// Times is how many connections are cut; then the trap is gone.
	Times  int64
	commit bool // springs at PostgreSQL's COMMIT; Match is not used
	sprung atomic.Int64
}

// AtCommit returns a trap that springs when COMMIT passes in PostgreSQL's protocol, and at nothing else that contains the
// word: before the server gets it, or (forward) when the server has answered it. It needs a connection without TLS.
func AtCommit(forward bool, times int64) *Trap {
	return &Trap{Forward: forward, Times: times, commit: true}
}

// Sprung returns how many connections the trap has cut.
func (tr *Trap) Sprung() int { return int(min(tr.sprung.Load(), tr.Times)) }

// springs says that the trap cuts now.
func (tr *Trap) springs(seen bool) bool { return seen && tr.sprung.Add(1) <= tr.Times }

// StartProxy listens on a loopback port and passes connections on to target ("host:port") until the test ends.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, over: over, conns: make(map[net.Conn]struct{}), flow: make(chan struct{})}
	close(p.flow)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		close(over)
		_ = l.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Set arms a trap, or disarms with nil.
func (p *Proxy) Set(tr *Trap) { p.trap.Store(tr) }

// Delay holds each segment back for d, in both directions. It is latency, and bounds the throughput too.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

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

// Stall holds everything back in both directions, on present and new connections, as a network that swallows packets does.
// What was held back passes when the stall ends.
func (p *Proxy) Stall(stalled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
		if stalled {
			p.flow = make(chan struct{})
		}
	default:
		if !stalled {
			close(p.flow)
		}
	}
}

// hold waits for as long as the segment in hand is delayed and the proxy stalled. false: the test is over.
func (p *Proxy) hold() bool {
	if d := time.Duration(p.delay.Load()); d > 0 {
		select {
		case <-time.After(d):
		case <-p.over:
			return false
		}
	}
	p.mu.Lock()
	flow := p.flow
	p.mu.Unlock()
	select {
	case <-flow:
		return true
	case <-p.over:
		return false
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
		select {
		case <-p.over: // it came between
			p.Cut()
		default:
			if p.refuse.Load() {
				p.Cut()
			}
		}
		var muted atomic.Bool
		p.wg.Go(func() { p.pass(server, client, p.watch(&muted)) })
		p.wg.Go(func() { p.pass(client, server, func([]byte) bool { return !muted.Load() }) })
	}
}

// watch returns what sees each segment that the client sends, and says whether it may pass; muted is set where the answer
// is to be swallowed.
func (p *Proxy) watch(muted *atomic.Bool) func(segment []byte) bool {
	var stream postgresStream
	return func(segment []byte) bool {
		commit := stream.commits(segment) > 0
		tr := p.trap.Load()
		if tr == nil {
			return true
		}
		seen := commit
		if !tr.commit {
			seen = bytes.Contains(bytes.ToLower(segment), tr.Match)
		}
		if !tr.springs(seen) {
			return true
		}
		muted.Store(tr.Forward)
		return tr.Forward
	}
}

func (p *Proxy) pass(to, from net.Conn, may func(segment []byte) bool) {
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
		if n > 0 {
			if !p.hold() || !may(buf[:n]) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
