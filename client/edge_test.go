package client

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// edge is a gateway in memory that the test plays.
type edge struct {
	accepted chan *peer
	mu       sync.Mutex
	down     error       // connecting fails; guarded by mu
	dials    []time.Time // guarded by mu
	servers  []string    // of the dials; guarded by mu
}

// peer is the gateway's end of a connection, and the client's, as a Conn.
type peer struct {
	in     chan *edgev1.ClientMessage
	out    chan *edgev1.ServerMessage
	frames []*edgev1.ClientFrame // received, not taken yet
	gone   chan struct{}         // the client has closed it
	once   sync.Once
	ended  chan struct{} // the gateway has ended it, because of why
	why    error
}

func (e *edge) dial(ctx context.Context, server string) (Conn, error) {
	e.mu.Lock()
	e.servers = append(e.servers, server)
	e.dials = append(e.dials, time.Now())
	down := e.down
	e.mu.Unlock()
	if down != nil {
		return nil, down
	}
	p := &peer{in: make(chan *edgev1.ClientMessage, 64), out: make(chan *edgev1.ServerMessage, 64), gone: make(chan struct{}), ended: make(chan struct{})}
	select {
	case e.accepted <- p:
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *edge) attempts() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]time.Time(nil), e.dials...)
}

// next waits until the client dials, and leaves the connection to be accepted.
func (e *edge) next(t *testing.T) {
	t.Helper()
	for n := len(e.attempts()); len(e.attempts()) == n; synctest.Wait() {
		time.Sleep(time.Millisecond)
	}
}

func (e *edge) setDown(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = err
}

func (p *peer) Read(ctx context.Context) (*edgev1.ServerMessage, error) {
	select {
	case m := <-p.out:
		return m, nil
	default:
	}
	select {
	case m := <-p.out:
		return m, nil
	case <-p.ended:
		return nil, p.why
	case <-p.gone:
		return nil, errors.New("closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *peer) Write(ctx context.Context, m *edgev1.ClientMessage) error {
	if n := len(m.GetFrames()); n == 0 || n > 64 || proto.Size(m) > 1<<20+64<<10 {
		panic("a message beyond the protocol's limits")
	}
	select {
	case p.in <- proto.CloneOf(m):
		return nil
	case <-p.ended:
		return p.why
	case <-p.gone:
		return errors.New("closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *peer) Close() error {
	p.once.Do(func() { close(p.gone) })
	return nil
}

// cut ends the connection, as a network does.
func (p *peer) cut() {
	p.why = errors.New("connection reset by peer")
	close(p.ended)
}

// frame waits for the client's next frame; nil: it has closed the connection.
func (p *peer) frame() *edgev1.ClientFrame {
	for len(p.frames) == 0 {
		select {
		case m := <-p.in:
			p.frames = m.GetFrames()
			continue
		default:
		}
		select {
		case m := <-p.in:
			p.frames = m.GetFrames()
		case <-p.gone:
			return nil
		}
	}
	f := p.frames[0]
	p.frames = p.frames[1:]
	return f
}

// idle reports that the client has nothing more to say now.
func (p *peer) idle() bool { return len(p.frames) == 0 && len(p.in) == 0 }

// expect waits for the client's next frame, which must be of one kind.
func expect[F any](t *testing.T, p *peer) F {
	t.Helper()
	f, ok := p.frame().GetFrame().(F)
	if !ok {
		t.Fatalf("the client sent no %T", f)
	}
	return f
}

func (p *peer) send(frames ...*edgev1.ServerFrame) {
	m := proto.CloneOf(&edgev1.ServerMessage{Frames: frames})
	select {
	case p.out <- m:
	case <-p.gone:
	}
}

func welcome() *edgev1.ServerFrame {
	return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Welcome{Welcome: &edgev1.Welcome{HeartbeatMs: 25_000, TokenTtlMs: 600_000, Limits: &edgev1.Limits{Calls: 32}}}}
}

func goodbye(code edgev1.Code, retry time.Duration) *edgev1.ServerFrame {
	return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{Error: wireError(code, retry)}}}
}

func wireError(code edgev1.Code, retry time.Duration) *edgev1.Error {
	return &edgev1.Error{Code: code, RetryAfterMs: uint32(retry.Milliseconds())}
}

func replied(id uint32, answer proto.Message) *edgev1.ServerFrame {
	body, err := proto.Marshal(answer)
	if err != nil {
		panic(err)
	}
	return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: id, Result: &edgev1.Reply_Body{Body: body}}}}
}

func failed(id uint32, code edgev1.Code, retry time.Duration) *edgev1.ServerFrame {
	return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: id, Result: &edgev1.Reply_Error{Error: wireError(code, retry)}}}}
}

func subscribedTo(id uint32, subs ...*edgev1.Subscription) *edgev1.ServerFrame {
	return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: &edgev1.Subscribed{Id: id, Subscriptions: subs}}}
}

func eventsOf(topic string, offsets ...uint64) *edgev1.ServerFrame {
	m := &edgev1.Events{Topic: topic}
	for _, o := range offsets {
		m.Events = append(m.Events, &edgev1.Event{Offset: o})
	}
	return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: m}}
}

// tokens is a TokenSource that counts.
type tokens struct {
	mu    sync.Mutex
	n     int
	stale []string
	fail  error
}

func (s *tokens) Token(_ context.Context, stale string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale = append(s.stale, stale)
	if s.fail != nil {
		return "", s.fail
	}
	if stale == s.name() {
		s.n++
	}
	return s.name(), nil
}

func (s *tokens) name() string { return "token-" + string(rune('a'+s.n)) }

func (s *tokens) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// asked returns the arguments of the calls so far.
func (s *tokens) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.stale...)
}

type fixture struct {
	*edge
	tokens *tokens
	client *Client
	ran    chan error // Run's result
}

// start runs a client against an edge in memory until the test ends.
func start(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{edge: &edge{accepted: make(chan *peer)}, tokens: &tokens{}, ran: make(chan error, 1)}
	cfg := Config{Server: "http://edge", Tokens: f.tokens, Dial: f.dial}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.client = c
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.ran <- c.Run(ctx) })
	watchdog := time.AfterFunc(1000*time.Hour, func() { panic("the test waits for ever") })
	t.Cleanup(func() { cancel(); running.Wait(); watchdog.Stop() })
	return f
}

// login accepts the next connection, takes its Hello and says Welcome.
func (f *fixture) login(t *testing.T) *peer {
	t.Helper()
	p := <-f.accepted
	expect[*edgev1.ClientFrame_Hello](t, p)
	p.send(welcome())
	return p
}

// sendText calls Send by the generated client, in the background.
func (f *fixture) sendText(ctx context.Context, text string) (result chan error) {
	result = make(chan error, 1)
	go func() {
		_, err := chatv1.NewChatServiceClient(f.client).Send(ctx, &chatv1.SendRequest{Channel: "c", Text: text})
		result <- err
	}()
	return result
}
