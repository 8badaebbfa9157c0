package testsvc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// NATS is a NATS server over pipes, so that the real client can run inside a synctest bubble: CONNECT, PING, PUB, SUB and UNSUB.
type NATS struct {
	mu    sync.Mutex // guards all below
	peers map[*peer]struct{}
	away  bool
	// Late is how many publications are still not seen by a new subscription, as with a distant server.
	Late int
}

type peer struct {
	conn net.Conn
	out  chan []byte
	subs map[string]*interest // by sid
}

type interest struct {
	subject string
	late    int
}

// NewNATS returns a server without connections.
func NewNATS() *NATS { return &NATS{peers: map[*peer]struct{}{}} }

// InProcessConn implements nats.InProcessConnProvider.
func (n *NATS) InProcessConn() (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return nil, fmt.Errorf("no server")
	}
	ours, theirs := net.Pipe()
	p := &peer{conn: ours, out: make(chan []byte, 100_000), subs: map[string]*interest{}}
	n.peers[p] = struct{}{}
	p.out <- []byte("INFO {\"server_id\":\"t\",\"version\":\"2.10.0\",\"proto\":1,\"max_payload\":1048576}\r\n")
	go p.write()
	go n.read(p)
	return theirs, nil
}

// Away cuts all connections and refuses new ones, until it is called with false.
func (n *NATS) Away(away bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = away
	if away {
		for p := range n.peers {
			_ = p.conn.Close()
		}
	}
}

func (p *peer) write() {
	for b := range p.out {
		if _, err := p.conn.Write(b); err != nil {
			_ = p.conn.Close()
			for range p.out { // until read closes it
			}
			return
		}
	}
}

func (n *NATS) read(p *peer) {
	defer func() {
		n.mu.Lock()
		delete(n.peers, p)
		close(p.out)
		n.mu.Unlock()
		_ = p.conn.Close()
	}()
	r := bufio.NewReader(p.conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		switch strings.ToUpper(f[0]) {
		case "PING":
			n.send(p, []byte("PONG\r\n"))
		case "SUB":
			n.mu.Lock()
			p.subs[f[len(f)-1]] = &interest{f[1], n.Late}
			n.mu.Unlock()
		case "UNSUB":
			n.mu.Lock()
			delete(p.subs, f[1])
			n.mu.Unlock()
		case "PUB":
			size, err := strconv.Atoi(f[len(f)-1])
			if err != nil {
				return
			}
			data := make([]byte, size+2)
			if _, err := io.ReadFull(r, data); err != nil {
				return
			}
			n.route(f[1], data)
		}
	}
}

func (n *NATS) send(p *peer, b []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.peers[p]; ok {
		p.out <- b
	}
}

func (n *NATS) route(subject string, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.peers {
		for sid, i := range p.subs {
			if !matches(i.subject, subject) {
				continue
			}
			if i.late > 0 {
				i.late--
				continue
			}
			p.out <- append(fmt.Appendf(nil, "MSG %s %s %d\r\n", subject, sid, len(data)-2), data...)
		}
	}
}

func matches(pattern, subject string) bool {
	a, b := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i := range a {
		if a[i] == ">" {
			return len(b) > i
		}
		if i >= len(b) || a[i] != "*" && a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
