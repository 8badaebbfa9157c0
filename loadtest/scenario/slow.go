package scenario

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/run"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	// slowBuffer is what the kernel takes in for a slow reader, in bytes: the rest is the server's to bear. It holds a segment of loopback,
	// or else the two kernels would agree on one only after many seconds once it reads.
	slowBuffer  = 128 << 10
	slowMessage = 8 << 20 // bytes of the longest message that is read
	slowDial    = 30 * time.Second
	slowRest    = 20 * time.Second // to read what had waited
)

// slowReaders are connections that follow topics and read nothing of them: the server has to bear them, and so have the others.
type slowReaders struct {
	run *run.Run
	// Each ends one, once it has read what had waited, and tells whether the server gave it up: its topics or its connection.
	ends []func() bool
}

// connectSlow opens n of them on topics, as the accounts of this process in turn.
func connectSlow(ctx context.Context, r *run.Run, n int, topics []*edgev1.Want) (*slowReaders, error) {
	s := &slowReaders{run: r}
	for i := range r.Share(n) {
		ws, err := dialSlow(ctx, r.API.Address(), r.Accounts[i%len(r.Accounts)].Access, topics)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("connect a slow reader: %w", err)
		}
		s.ends = append(s.ends, func() bool {
			defer func() { _ = ws.CloseNow() }()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), slowRest)
			defer cancel()
			err := readUntil(ctx, ws, func(f *edgev1.ServerFrame) bool { return f.GetStopped() != nil })
			return err == nil || ctx.Err() == nil
		})
	}
	return s, nil
}

// close ends them.
func (s *slowReaders) close() {
	var stopped atomic.Int64
	var readers sync.WaitGroup
	for _, end := range s.ends {
		readers.Go(func() {
			if end() {
				stopped.Add(1)
			}
		})
	}
	readers.Wait()
	if len(s.ends) > 0 {
		s.run.Figure("slow readers that the server gave up", float64(stopped.Load()), "")
	}
}

// dialSlow returns once the topics are subscribed.
func dialSlow(ctx context.Context, address, token string, topics []*edgev1.Want) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, slowDial)
	defer cancel()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err //nolint:wrapcheck // the transport does
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			err = tcp.SetReadBuffer(slowBuffer)
		}
		return c, err //nolint:wrapcheck // the transport does
	}
	ws, _, err := websocket.Dial(ctx, address+"/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library owns it
		HTTPClient:   &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
		Subprotocols: []string{"plenum.v1.proto"},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	ws.SetReadLimit(slowMessage)
	hello, err := proto.Marshal(&edgev1.ClientMessage{Frames: []*edgev1.ClientFrame{
		{Frame: &edgev1.ClientFrame_Hello{Hello: &edgev1.Hello{
			Token: token, ClientId: account.NewID(), SessionId: account.NewID(), Agent: "plenum-loadtest",
		}}},
		{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: &edgev1.Subscribe{Id: 1, Wants: topics}}},
	}})
	if err == nil {
		err = ws.Write(ctx, websocket.MessageBinary, hello)
	}
	if err == nil {
		err = readUntil(ctx, ws, func(f *edgev1.ServerFrame) bool { return f.GetSubscribed() != nil })
	}
	if err != nil {
		return nil, errors.Join(err, ws.CloseNow())
	}
	return ws, nil
}

// readUntil reads messages up to the first with such a frame.
func readUntil(ctx context.Context, ws *websocket.Conn, found func(*edgev1.ServerFrame) bool) error {
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		var m edgev1.ServerMessage
		if err := proto.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("decode a message: %w", err)
		}
		if slices.ContainsFunc(m.GetFrames(), found) {
			return nil
		}
	}
}
