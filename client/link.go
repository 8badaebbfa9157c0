package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Conn is one connection to a gateway. Read and Write may be called at the same time, each by one goroutine.
type Conn interface {
	// Read returns the next message. After the connection has ended it returns an error; an *Error where the other side
	// said why.
	Read(ctx context.Context) (*edgev1.ServerMessage, error)
	// Write sends a message.
	Write(ctx context.Context, m *edgev1.ClientMessage) error
	// Close ends the connection at once.
	Close() error
}

// Dialer opens a connection to a gateway's base address.
type Dialer func(ctx context.Context, server string) (Conn, error)

// EdgePath is where gateways accept WebSockets.
const EdgePath = "/edge/v1/ws"

// subprotocol names the protocol's major version and its encoding.
const subprotocol = "plenum.v1.proto"

// DialWebSocket returns the usual dialer.
func DialWebSocket(h *http.Client) Dialer {
	bare := *h
	bare.Timeout = 0 // it would end the connection; dialling is bounded by its context
	return func(ctx context.Context, server string) (Conn, error) {
		url := "ws" + strings.TrimPrefix(strings.TrimSuffix(server, "/"), "http") + EdgePath
		ws, res, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &bare, Subprotocols: []string{subprotocol}}) //nolint:bodyclose // the library closes it
		if err != nil {
			if res != nil {
				e := errorf(edgev1.Code_CODE_UNAVAILABLE, "client.HTTP_STATUS", "%s answered %s. Is it a Plenum server?", server, res.Status).because(err)
				e.status = res.StatusCode
				return nil, e
			}
			return nil, unreachable(server, err)
		}
		if ws.Subprotocol() != subprotocol {
			_ = ws.CloseNow()
			return nil, errorf(edgev1.Code_CODE_VERSION, "client.VERSION", "%s does not speak %s. Is it a Plenum server, and a recent one?", server, subprotocol)
		}
		ws.SetReadLimit(readLimit)
		return &socket{ws}, nil
	}
}

type socket struct{ ws *websocket.Conn }

func (s *socket) Read(ctx context.Context) (*edgev1.ServerMessage, error) {
	_, data, err := s.ws.Read(ctx)
	if err != nil {
		if closed := (websocket.CloseError{}); errors.As(err, &closed) && closed.Code >= 4000 {
			return nil, errorf(edgev1.Code(closed.Code), "", "%s", closed.Reason)
		}
		return nil, err
	}
	m := new(edgev1.ServerMessage)
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("read a message: %w", err)
	}
	return m, nil
}

func (s *socket) Write(ctx context.Context, m *edgev1.ClientMessage) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return s.ws.Write(ctx, websocket.MessageBinary, data)
}

func (s *socket) Close() error { return s.ws.CloseNow() }

// link is a connection with its two goroutines: one reads, one writes. The client's loop talks to it over channels.
type link struct {
	conn   Conn
	cancel context.CancelFunc
	in     chan *edgev1.ServerMessage
	out    chan *edgev1.ClientFrame
	// ended yields why, once, when either goroutine has stopped.
	ended chan error

	welcome *edgev1.Welcome   // nil until it came
	refs    map[uint32]string // Head.ref -> topic
	since   time.Time
	heard   time.Time // when the last message came
	pinged  time.Time // when a Ping went out that is not answered; else zero
}

// What waits between the loop and the connection: messages in, frames out.
const (
	inQueue  = 64
	outQueue = 256
)

func newLink(ctx context.Context, conn Conn, run func(func())) *link {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{conn: conn, cancel: cancel, in: make(chan *edgev1.ServerMessage, inQueue), out: make(chan *edgev1.ClientFrame, outQueue),
		ended: make(chan error, 2), refs: make(map[uint32]string)}
	run(func() { l.ended <- broken(l.read(ctx)) })
	run(func() { l.ended <- broken(l.write(ctx)) })
	return l
}

// broken is why a connection ended, where the other side did not say it.
func broken(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return errorf(edgev1.Code_CODE_CONNECTION_FAULT, "client.CONNECTION_LOST", "The connection was lost.").because(err)
}

func (l *link) read(ctx context.Context) error {
	for {
		m, err := l.conn.Read(ctx)
		if err != nil {
			return err
		}
		select {
		case l.in <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write sends what waits, as many frames in a message as the protocol allows. The first message is read by a gateway that does not
// know yet whose it is.
func (l *link) write(ctx context.Context) error {
	var next *edgev1.ClientFrame
	for most := firstMessage; ; most = maxBody {
		if next == nil {
			select {
			case next = <-l.out:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		m := &edgev1.ClientMessage{}
		for bytes := 0; next != nil && len(m.Frames) < maxFrames; {
			if bytes += proto.Size(next) + frameBytes; bytes > most && len(m.Frames) > 0 {
				break
			}
			m.Frames = append(m.Frames, next)
			select {
			case next = <-l.out:
			default:
				next = nil
			}
		}
		if err := l.conn.Write(ctx, m); err != nil {
			return err
		}
	}
}

// send queues a frame; false means that the connection takes nothing and is as good as dead.
func (l *link) send(f *edgev1.ClientFrame) bool {
	select {
	case l.out <- f:
		return true
	default:
		return false
	}
}

func (l *link) close() {
	l.cancel()
	_ = l.conn.Close()
}
