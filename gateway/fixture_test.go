package gateway

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// system is a gateway with everything behind it, inside a synctest bubble: pipes instead of sockets, and time that jumps.
type system struct {
	t           *testing.T
	nats        *testsvc.NATS
	svc         *testsvc.Service
	server      *rpc.Server
	identity    *auth.Memory
	verifier    *auth.Verifier
	bus         *bus.Bus
	registry    *prometheus.Registry
	g           *Gateway
	clients     *pipes
	stop        context.CancelFunc // of the gateway
	stopService context.CancelFunc
	stopped     chan error
}

var signingKey = func() auth.SigningKey {
	seed := sha256.Sum256([]byte("a key for tests"))
	return auth.SigningKey{ID: "k1", Private: ed25519.NewKeyFromSeed(seed[:])}
}()

// inBubble runs a test with a system of its own.
func inBubble(t *testing.T, change func(*Config), test func(*testing.T, *system)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newSystem(t, change))
	})
}

// newSystem makes a system; more adds services to it.
func newSystem(t *testing.T, change func(*Config), more ...func(*system) (name string, conn grpc.ClientConnInterface)) *system {
	clients := newPipes()
	s := newSystemAt(t, clients, change, more...)
	s.clients = clients
	synctest.Wait()
	return s
}

// newSystemAt serves clients of any listener.
func newSystemAt(t *testing.T, l net.Listener, change func(*Config), more ...func(*system) (name string, conn grpc.ClientConnInterface)) *system {
	s := &system{t: t, nats: testsvc.NewNATS(), identity: auth.NewMemory(signingKey), registry: prometheus.NewRegistry(), stopped: make(chan error, 1)}
	var err error
	s.verifier, err = auth.NewVerifier(auth.VerifierConfig{}, s.identity, auth.VerifierDeps{})
	s.must(err)
	s.run(s.verifier.Run)
	<-s.verifier.Ready()
	s.bus, err = bus.Connect(t.Context(), bus.DefaultConfig(), bus.Deps{InProcess: s.nats})
	s.must(err)
	s.svc = testsvc.New(s.bus)
	s.server, err = rpc.NewServer(rpc.ServerConfig{}, rpc.ServerDeps{Service: "test", Verifier: s.verifier, Internal: testsvc.Internal})
	s.must(err)
	s.svc.Register(s.server)
	s.stopService = s.run(s.server.Run)
	<-s.server.Ready()

	cfg := DefaultConfig()
	cfg.Roster = "" // a test that is about it sets it
	if change != nil {
		change(&cfg)
	}
	services := map[string]Server{"test": s.server}
	for _, add := range more {
		name, conn := add(s)
		services[name] = way{conn}
	}
	s.g, err = New(cfg, Deps{
		Services: Static(services),
		Verifier: s.verifier, Bus: s.bus, Metrics: s.registry,
		Static: fstest.MapFS{"index.html": {Data: []byte("the application")}, "assets/main-1.js": {Data: []byte("its script")}},
	})
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.stopped <- s.g.serve(ctx, l) }()
	t.Cleanup(s.close)
	<-s.g.Ready()
	return s
}

// way is a service to which one connection leads.
type way struct{ conn grpc.ClientConnInterface }

func (w way) Pipe(string) grpc.ClientConnInterface     { return w.conn }
func (w way) BulkPipe(string) grpc.ClientConnInterface { return w.conn }

// run runs a component until the test ends, or stop is called.
func (s *system) run(f func(context.Context) error) (stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil {
			s.t.Error(err)
		}
	}()
	s.t.Cleanup(func() { cancel(); <-done })
	return cancel
}

func (s *system) close() {
	s.stop()
	if err := <-s.stopped; err != nil {
		s.t.Error(err)
	}
	s.bus.Close()
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// metric is the sum of a metric's values.
func (s *system) metric(name string) (sum float64) {
	families, err := s.registry.Gather()
	s.must(err)
	for _, f := range families {
		if f.GetName() == "plenum_gateway_"+name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func (s *system) token(user string, life time.Duration) string {
	now := time.Now()
	issued := now.Add(min(0, life-time.Second))
	token, err := auth.Sign(signingKey, auth.Claims{User: user, Workspace: "w", Device: "d-" + user, Role: "member", Kind: auth.KindPerson, IssuedAt: issued, Expires: now.Add(life)})
	s.must(err)
	return token
}

// pipes is a listener whose connections are net.Pipes.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// pipe is one end that tells where it comes from.
type pipe struct {
	net.Conn
	remote string
}

func (p pipe) RemoteAddr() net.Addr {
	a, _ := net.ResolveTCPAddr("tcp", p.remote)
	return a
}

func (s *system) dial(context.Context, string, string) (net.Conn, error) {
	return s.dialFrom("192.0.2.7")
}

func (s *system) dialFrom(address string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case s.clients.conns <- pipe{theirs, net.JoinHostPort(address, "1234")}:
		return ours, nil
	case <-s.clients.done:
		return nil, errors.New("connection refused")
	}
}

// httpFrom is http from another address.
func (s *system) httpFrom(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return s.dialFrom(address) }}}
}

// http returns a client that reaches the gateway; its connections end with each request.
func (s *system) http() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: s.dial, DisableKeepAlives: true}}
}

// client is one connection.
type client struct {
	s      *system
	ws     *websocket.Conn
	frames []*edgev1.ServerFrame // received, not looked at
	read   int                   // messages that were received
	closed error
}

func (s *system) connect(header http.Header) *client { return s.connectBy(s.http(), header) }

func (s *system) connectBy(by *http.Client, header http.Header) *client {
	s.t.Helper()
	ws, res, err := websocket.Dial(s.t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library has
		HTTPClient: by, Subprotocols: []string{wire.ProtoName}, HTTPHeader: header,
	})
	if err != nil {
		s.t.Fatalf("dial: %v (%v)", err, res)
	}
	ws.SetReadLimit(64 << 20)
	return &client{s: s, ws: ws}
}

// signIn connects and is welcomed.
func (s *system) signIn(user string, more ...*edgev1.ClientFrame) *client {
	s.t.Helper()
	c := s.connect(nil)
	c.send(append([]*edgev1.ClientFrame{hello(s.token(user, 10*time.Minute))}, more...)...)
	if f := c.next(); f.GetWelcome() == nil {
		s.t.Fatalf("no welcome: %v", f)
	}
	return c
}

func hello(token string) *edgev1.ClientFrame {
	return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Hello{Hello: &edgev1.Hello{Token: token, ClientId: "client", SessionId: "session", Agent: "test/1", IdleS: proto.Uint32(0)}}}
}

func (c *client) send(frames ...*edgev1.ClientFrame) {
	c.s.t.Helper()
	data, err := proto.Marshal(&edgev1.ClientMessage{Frames: frames})
	c.s.must(err)
	c.s.must(c.ws.Write(c.s.t.Context(), websocket.MessageBinary, data))
}

// next is the next frame, or nil when the connection is closed.
func (c *client) next() *edgev1.ServerFrame {
	c.s.t.Helper()
	for len(c.frames) == 0 {
		if c.closed != nil {
			return nil
		}
		_, data, err := c.ws.Read(c.s.t.Context())
		if err != nil {
			c.closed = err
			return nil
		}
		var m edgev1.ServerMessage
		c.s.must(proto.Unmarshal(data, &m))
		c.read++
		c.frames = append(c.frames, m.GetFrames()...)
	}
	f := c.frames[0]
	c.frames = c.frames[1:]
	if p := f.GetPing(); p != nil {
		c.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Pong{Pong: &edgev1.Pong{Nonce: p.GetNonce()}}})
		return c.next()
	}
	return f
}

// end reads to the end and returns the last frame and the close code.
func (c *client) end() (last *edgev1.ServerFrame, code websocket.StatusCode) {
	for f := c.next(); f != nil; f = c.next() {
		last = f
	}
	return last, websocket.CloseStatus(c.closed)
}

func ask(id uint32, method string, m proto.Message) *edgev1.ClientFrame {
	body, _ := proto.Marshal(m)
	return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: &edgev1.Call{Id: id, Method: "plenum.test.v1.TestService/" + method, Body: body}}}
}

func inLane(f *edgev1.ClientFrame, lane uint32, seq uint64) *edgev1.ClientFrame {
	f.GetCall().Lane, f.GetCall().ClientSeq = lane, seq
	return f
}

func subscribe(id uint32, wants ...*edgev1.Want) *edgev1.ClientFrame {
	return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: &edgev1.Subscribe{Id: id, Wants: wants}}}
}

func events(topic string, after ...uint64) *edgev1.Want {
	w := &edgev1.Want{Topic: topic, Mode: edgev1.Mode_MODE_EVENTS}
	if len(after) > 0 {
		w.Cursor = &edgev1.Cursor{Epoch: testsvc.Epoch, Offset: after[0]}
	}
	return w
}

func (c *client) reply(id uint32, into proto.Message) *edgev1.Error {
	c.s.t.Helper()
	for {
		f := c.next()
		if f == nil {
			c.s.t.Fatalf("closed before reply %d: %v", id, c.closed)
		}
		if r := f.GetReply(); r.GetId() == id {
			if into != nil {
				c.s.must(proto.Unmarshal(r.GetBody(), into))
			}
			return r.GetError()
		}
	}
}

func (c *client) subscribed() map[string]*edgev1.Subscription {
	c.s.t.Helper()
	f := c.next()
	if f.GetSubscribed() == nil {
		c.s.t.Fatalf("not Subscribed: %v", f)
	}
	out := map[string]*edgev1.Subscription{}
	for _, x := range f.GetSubscribed().GetSubscriptions() {
		out[x.GetTopic()] = x
	}
	return out
}

func text(e *edgev1.Event) string {
	var p testv1.Posted
	if err := proto.Unmarshal(e.GetBody(), &p); err != nil {
		return fmt.Sprint(err)
	}
	return p.GetText()
}

// texts reads events of a topic until n have come.
func (c *client) texts(topic string, n int) (out []string) {
	c.s.t.Helper()
	for len(out) < n {
		f := c.next()
		if f.GetEvents() == nil || f.GetEvents().GetTopic() != topic {
			c.s.t.Fatalf("after %v: %v", out, f)
		}
		for _, e := range f.GetEvents().GetEvents() {
			out = append(out, text(e))
		}
	}
	return out
}

func (c *client) close() { _ = c.ws.Close(websocket.StatusNormalClosure, "") }
