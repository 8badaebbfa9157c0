package gateway

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// The abuse list: what a hostile client can do to the edge, one test for each attack. Each tells what the attacker gets, and that a session
// beside it goes on as if nothing were.
//
//   - abuse_slow_test.go   who takes for ever: headers, bodies, messages, answers that nobody takes, peers that are gone
//   - abuse_flood_test.go  who sends without end: headers, frames of WebSocket
//   - abuse_http2_test.go  the same within one connection of HTTP/2
//   - abuse_bomb_test.go   what is small on the wire and large in memory
//   - abuse_crowd_test.go  who comes in numbers: sessions, requests, calls; and from which address; shedding
//   - abuse_topics_test.go who asks for what others own
//
// More of it stands with what it belongs to: bytes that are held in intake_test.go, calls and their rates in calls_test.go, slow readers in
// topics_test.go, connections in http_test.go, a stuck TLS handshake in certificate_test.go. Passwords and refreshes are identity's.

// bystander is a session whose user must not notice anything.
type bystander struct {
	*client
	calls uint32
}

func (s *system) bystander() *bystander { return &bystander{client: s.signIn("bystander")} }

// undisturbed has the bystander do something: it is answered, at once, and is told nothing else.
func (b *bystander) undisturbed() {
	b.s.t.Helper()
	b.calls++
	begun := time.Now()
	b.send(ask(b.calls, "Echo", nil))
	if f := b.next(); f.GetReply().GetId() != b.calls || f.GetReply().GetError() != nil || time.Since(begun) > 0 {
		b.s.t.Errorf("the bystander: %v after %v", f, time.Since(begun))
	}
}

// passes lets time pass, in which the bystander does something now and then.
func (b *bystander) passes(d time.Duration) {
	b.s.t.Helper()
	for step := 10 * time.Second; d > 0; d -= step {
		time.Sleep(min(d, step))
		b.undisturbed()
	}
}

// raw is a connection whose client says what it likes, and takes all it is told.
type raw struct {
	net.Conn
	mu     sync.Mutex // guards said
	said   []byte     // by the gateway
	closed chan struct{}
	busy   sync.WaitGroup // writing
}

func newRaw(conn net.Conn, from io.Reader) *raw {
	c := &raw{Conn: conn, closed: make(chan struct{})}
	go func() {
		defer close(c.closed)
		b := make([]byte, 4096)
		for {
			n, err := from.Read(b)
			c.mu.Lock()
			c.said = append(c.said, b[:n]...)
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return c
}

// raw connects and says nothing yet.
func (s *system) raw() *raw {
	s.t.Helper()
	conn, err := s.dial(s.t.Context(), "", "")
	s.must(err)
	return newRaw(conn, conn)
}

const upgrade = "GET /edge/v1/ws HTTP/1.1\r\nHost: plenum.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: "

// socket is a WebSocket whose client writes its frames itself. Its handshake offers compression.
func (s *system) socket(protocol string) *raw {
	s.t.Helper()
	conn, err := s.dial(s.t.Context(), "", "")
	s.must(err)
	_, err = io.WriteString(conn, upgrade+protocol+"\r\n\r\n")
	s.must(err)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	s.must(err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Extensions") != "" {
		s.t.Fatalf("%s, extensions %q", res.Status, res.Header.Get("Sec-WebSocket-Extensions"))
	}
	return newRaw(conn, r)
}

// greeted is a socket that was welcomed.
func (s *system) greeted(user string) *raw {
	s.t.Helper()
	c := s.socket("plenum.v1.proto")
	data, err := proto.Marshal(&edgev1.ClientMessage{Frames: []*edgev1.ClientFrame{hello(s.token(user, 10*time.Minute))}})
	s.must(err)
	_, err = c.Write(frame(0x82, data))
	s.must(err)
	synctest.Wait()
	return c
}

// frame is a frame of a client, masked with zeros.
func frame(first byte, body []byte) []byte {
	b := []byte{first}
	switch n := len(body); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xfe), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0xff), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), body...)
}

// pour writes the same again and again, until the gateway takes no more, and returns how often it did.
func (c *raw) pour(b []byte, times int) (taken int) {
	for taken < times {
		if _, err := c.Write(b); err != nil {
			break
		}
		taken++
	}
	return taken
}

// told returns the frames that the gateway has sent, by opcode: how many, and the code of the close frame; 0: there was none.
func (c *raw) told() (count map[byte]int, code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count = map[byte]int{}
	for b := c.said; len(b) >= 2; {
		op, n, head := b[0]&0x0f, int(b[1]), 2
		if n == 126 {
			n, head = int(binary.BigEndian.Uint16(b[2:])), 4
		}
		if count[op]++; op == 8 {
			code = int(binary.BigEndian.Uint16(b[head:]))
		}
		b = b[head+n:]
	}
	return count, code
}

// text is what the gateway has said.
func (c *raw) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.said)
}

// ends waits for the end of the connection and returns how long that took.
func (c *raw) ends() time.Duration {
	begun := time.Now()
	<-c.closed
	_ = c.Close()
	took := time.Since(begun)
	c.busy.Wait()
	return took
}

// attacked runs an attack in a bubble, beside a bystander.
func attacked(t *testing.T, change func(*Config), attack func(t *testing.T, s *system, b *bystander)) {
	t.Helper()
	inBubble(t, change, func(t *testing.T, s *system) {
		b := s.bystander()
		attack(t, s, b)
		b.undisturbed()
		b.close()
	})
}
