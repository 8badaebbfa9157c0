package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	subprotocol = "plenum.v1.proto"
	// messageBytes is the longest message that is read; a server's are mostly below 128 KiB.
	messageBytes = 8 << 20
	writeTime    = 10 * time.Second
	closeTime    = time.Second
)

// Config says where to connect, and as whom.
type Config struct {
	// Address of a gateway, "http://127.0.0.1:8080".
	Address string
	// Local is the source address; the zero value lets the system choose. One address has about 28,000 ports for each gateway.
	Local netip.Addr
	Token string
	// Transport is websocket, sse or poll. Empty: websocket. The other two are the client library's, whose events are decoded: they say
	// how a system does under them, not how little a client of them may cost.
	Transport string
	// ClientID and SessionID are 128 random bits each, as base64url.
	ClientID, SessionID string
	// Wants are subscribed with Hello, in one message.
	Wants []*edgev1.Want
	// Idle is for how long the client's person has done nothing.
	Idle time.Duration
}

// Handler takes what a connection gets. All methods are called from the connection's one reading goroutine, and must not block; what
// they get is valid during the call only.
type Handler interface {
	// Event is one event of a topic in mode EVENTS.
	Event(topic []byte, e Event)
	// Frame is any other frame but Ping, Pong and Events.
	Frame(f *edgev1.ServerFrame)
}

// Conn is one signed-in connection.
type Conn struct {
	ws       *websocket.Conn // nil: the next but one
	raw      *line           // below it
	requests client.Conn     // by server-sent events or polls
	handler  Handler
	calls    atomic.Uint32
	// Welcome is the answer to Hello.
	Welcome *edgev1.Welcome

	mu     sync.Mutex // guards the next two
	closed bool       // by Close
	err    error      // why reading ended
	done   chan struct{}
}

// Refused is what a gateway says as it closes a connection.
type Refused struct{ Why *edgev1.Error }

// Error implements error.
func (r *Refused) Error() string {
	return fmt.Sprintf("%d %s: %s", r.Why.GetCode(), r.Why.GetReason(), r.Why.GetMessage())
}

// Reason is a short name for the network's errors, so that they can be counted.
func Reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection lost"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no port is left at the source address"
	case errors.Is(err, syscall.EMFILE):
		return "too many open files"
	}
	return "network"
}

// Dial connects, signs in and subscribes in one round trip, and returns when Welcome is there. The connection then reads by itself until
// Close or until it breaks. Errors: *Refused where the gateway said why; else the network's.
func Dial(ctx context.Context, cfg Config, h Handler) (*Conn, error) {
	dialer := &net.Dialer{}
	if cfg.Local.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.Local, 0))
	}
	if cfg.Transport == "sse" || cfg.Transport == "poll" {
		return dialRequests(ctx, cfg, dialer, h)
	}
	// A transport of its own, without keep-alive: it goes with the request, and the connection stays.
	raw := &line{}
	dial := func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		raw.Conn, err = dialer.DialContext(ctx, network, address)
		return raw, err
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true, ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10}
	ws, resp, err := websocket.Dial(ctx, cfg.Address+"/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library owns it
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{subprotocol},
	})
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("%w (%s)", err, resp.Status)
		}
		return nil, fmt.Errorf("connect to %s: %w", cfg.Address, err)
	}
	ws.SetReadLimit(messageBytes)
	c := &Conn{ws: ws, raw: raw, handler: h, done: make(chan struct{})}
	if err := c.Send(cfg.hello()...); err != nil {
		return nil, errors.Join(err, ws.CloseNow())
	}
	stop := context.AfterFunc(ctx, func() { _ = ws.CloseNow() })
	rest, err := c.welcome()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, ws.CloseNow())
	}
	go c.read(rest) //nolint:gosec // it lives as long as the connection, which Close ends
	return c, nil
}

// hello is the first message.
func (cfg *Config) hello() []*edgev1.ClientFrame {
	hello := []*edgev1.ClientFrame{{Frame: &edgev1.ClientFrame_Hello{Hello: &edgev1.Hello{
		Token: cfg.Token, ClientId: cfg.ClientID, SessionId: cfg.SessionID, Agent: "plenum-loadtest", IdleS: new(uint32(cfg.Idle / time.Second)),
	}}}}
	if len(cfg.Wants) > 0 {
		hello = append(hello, &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: &edgev1.Subscribe{Id: 1, Wants: cfg.Wants}}})
	}
	return hello
}

// welcome reads the first message, whose first frame it takes.
func (c *Conn) welcome() (rest []*edgev1.ServerFrame, err error) {
	_, data, err := c.ws.Read(context.Background())
	if err != nil {
		return nil, fmt.Errorf("wait for Welcome: %w", err)
	}
	var m edgev1.ServerMessage
	if err := proto.Unmarshal(data, &m); err != nil || len(m.GetFrames()) == 0 {
		return nil, fmt.Errorf("the first message can't be read: %w", err)
	}
	return c.welcomed(&m)
}

func (c *Conn) welcomed(m *edgev1.ServerMessage) (rest []*edgev1.ServerFrame, err error) {
	first := m.GetFrames()[0]
	if g := first.GetGoodbye(); g != nil {
		return nil, &Refused{g.GetError()}
	}
	if c.Welcome = first.GetWelcome(); c.Welcome == nil {
		return nil, fmt.Errorf("the first frame is %T, not Welcome", first.GetFrame())
	}
	return m.GetFrames()[1:], nil
}

// Send writes frames as one message. Safe for concurrent use.
func (c *Conn) Send(frames ...*edgev1.ClientFrame) error {
	if c.requests != nil {
		return c.requests.Write(context.Background(), &edgev1.ClientMessage{Frames: frames}) //nolint:wrapcheck // says what it was
	}
	data, err := proto.Marshal(&edgev1.ClientMessage{Frames: frames})
	if err != nil {
		return fmt.Errorf("encode frames: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageBinary, data); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// NewCall makes the frame of a call, and the number by which its Reply is known. seq 0: no mutation.
func (c *Conn) NewCall(method string, body proto.Message, seq uint64) (f *edgev1.ClientFrame, id uint32, err error) {
	data, err := proto.Marshal(body)
	if err != nil {
		return nil, 0, fmt.Errorf("encode %s: %w", method, err)
	}
	id = c.calls.Add(1)
	return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: &edgev1.Call{Id: id, Method: method, Body: data, ClientSeq: seq}}}, id, nil
}

// read is the connection's goroutine.
func (c *Conn) read(first []*edgev1.ServerFrame) {
	defer close(c.done)
	c.frames(first)
	if c.requests != nil {
		c.readRequests()
		return
	}
	var buf []byte
	for {
		_, r, err := c.ws.Reader(context.Background())
		if err == nil {
			buf, err = readAll(r, buf[:0])
		}
		if err == nil {
			err = scan(buf, c.handler.Event, c.frame)
		}
		if err != nil {
			c.end(err)
			return
		}
		if cap(buf) > 16<<10 {
			buf = nil // was a burst; thousands of connections must not each keep it
		}
	}
}

func (c *Conn) frames(all []*edgev1.ServerFrame) {
	for _, f := range all {
		if events := f.GetEvents(); events != nil {
			c.events(events)
		} else {
			c.frame(f)
		}
	}
}

// events hands over events that came decoded, with Welcome.
func (c *Conn) events(m *edgev1.Events) {
	e := Event{After: m.GetAfter(), HasAfter: m.After != nil}
	for i, ev := range m.GetEvents() {
		e.Offset, e.TimeMs, e.Mutation, e.Body = ev.GetOffset(), ev.GetTimeMs(), ev.GetMutation(), ev.GetBody()
		if e.Last = i == len(m.GetEvents())-1; e.Last {
			e.Upto = m.GetUpto()
		}
		c.handler.Event([]byte(m.GetTopic()), e)
		e.After, e.HasAfter = ev.GetOffset(), true
	}
}

func (c *Conn) frame(f *edgev1.ServerFrame) {
	switch {
	case f.GetPing() != nil:
		pong := &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Pong{Pong: &edgev1.Pong{Nonce: f.GetPing().GetNonce()}}}
		_ = c.Send(pong) // if it fails, reading does too
	case f.GetPong() != nil:
	case f.GetGoodbye() != nil:
		c.end(&Refused{f.GetGoodbye().GetError()})
		c.handler.Frame(f)
	default:
		c.handler.Frame(f)
	}
}

func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err is why the connection ended; nil after Close.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	return c.err
}

// Close says goodbye and waits for the reading goroutine.
func (c *Conn) Close() { c.leave(func() { _ = c.ws.Close(websocket.StatusNormalClosure, "") }) }

// Cut breaks the connection without a word, as a lost network does to the client.
func (c *Conn) Cut() { c.leave(func() { _ = c.ws.CloseNow() }) }

func (c *Conn) leave(how func()) {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	if c.requests != nil {
		_ = c.requests.Close()
		<-c.done
		return
	}
	t := time.AfterFunc(closeTime, func() { _ = c.raw.Close() }) // the library would wait for its close frame to be answered
	how()
	<-c.done
	t.Stop()
}

// readAll is io.ReadAll into a buffer that is used again.
func readAll(r io.Reader, buf []byte) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err //nolint:wrapcheck // ends the connection
		}
	}
}
