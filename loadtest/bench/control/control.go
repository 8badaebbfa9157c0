// Package control is a bare server beside which latency is measured: the WebSocket library of the edge, and of its protocol only what a
// load test needs. It keeps nothing and checks nobody.
package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	subprotocol = "plenum.v1.proto"
	bundle      = "chat.mine/me"
	channelKind = "chat.channel/"
	epoch       = 1
	tokenTime   = 24 * time.Hour // longer than any run: nobody renews
	writeTime   = 10 * time.Second
	headerTime  = 10 * time.Second
)

// Server holds topics in memory. Safe for concurrent use.
type Server struct {
	// mu orders who subscribes against what is published: the answer to Subscribe comes before the events that follow it.
	mu        sync.RWMutex
	topics    map[string]*topic    // guarded by mu
	documents map[string]*document // by id; guarded by mu
	sessions  sync.WaitGroup
}

// New returns a server without topics.
func New() *Server { return &Server{topics: map[string]*topic{}, documents: map[string]*document{}} }

// Accounts are people whom the server knows as well as any others.
func Accounts(n int) []account.Account {
	all := make([]account.Account, n)
	for i := range all {
		name := "u" + strconv.Itoa(i)
		all[i] = account.Account{
			Workspace: "control", Handle: name, User: name, ClientID: account.NewID(), Refresh: name, Access: name,
			Expires: time.Now().Add(tokenTime),
		}
	}
	return all
}

// Serve answers on l until ctx ends, and returns once all sessions have ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /edge/v1/ws", s.session)
	mux.HandleFunc("POST "+chatv1.ChatService_CreateChannel_FullMethodName, s.createChannel)
	mux.HandleFunc("POST "+docsv1.DocsService_CreateDocument_FullMethodName, s.createDocument)
	mux.HandleFunc("POST "+docsv1.DocsService_ReadDocument_FullMethodName, s.readDocument)
	for _, method := range []string{chatv1.ChatService_AddMembers_FullMethodName, docsv1.DocsService_SetRole_FullMethodName} {
		mux.HandleFunc("POST "+method, func(http.ResponseWriter, *http.Request) {}) // everybody is in
	}
	h := &http.Server{Handler: mux, ReadHeaderTimeout: headerTime, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() })
	defer stop()
	defer s.sessions.Wait()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}

func (s *Server) createChannel(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	id := "c" + strconv.Itoa(len(s.topics))
	s.addTopic(channelKind + id)
	s.mu.Unlock()
	answer(w, &chatv1.CreateChannelResponse{Channel: id})
}

// addTopic needs the lock.
func (s *Server) addTopic(name string) *topic {
	t := &topic{name: name, readers: map[*websocket.Conn]bool{}}
	s.topics[name] = t
	return t
}

func answer(w http.ResponseWriter, m proto.Message) {
	body, err := proto.Marshal(m)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body) // who asked may be gone
}

// session is one connection, until it or the server ends.
func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	s.sessions.Add(1)
	defer s.sessions.Done()
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = ws.CloseNow() }()
	defer s.leave(ws)
	c := &session{Conn: ws}
	for {
		_, data, err := ws.Read(r.Context())
		if err != nil {
			return
		}
		var m edgev1.ClientMessage
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		for _, f := range m.GetFrames() {
			if s.take(r.Context(), c, f) != nil {
				return
			}
		}
	}
}

// session is who is connected.
type session struct {
	*websocket.Conn
	id string // client_id
}

// take answers one frame. Others than these need no answer.
func (s *Server) take(ctx context.Context, c *session, f *edgev1.ClientFrame) error {
	switch f := f.GetFrame().(type) {
	case *edgev1.ClientFrame_Hello:
		c.id = f.Hello.GetClientId()
		return write(ctx, c.Conn, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Welcome{Welcome: &edgev1.Welcome{
			TokenTtlMs: uint32(tokenTime.Milliseconds()), ServerTimeMs: time.Now().UnixMilli(),
		}}})
	case *edgev1.ClientFrame_Subscribe:
		return s.subscribe(ctx, c.Conn, f.Subscribe)
	case *edgev1.ClientFrame_Call:
		return s.call(ctx, c, f.Call)
	}
	return nil
}

// encode makes a message of frames.
func encode(frames ...*edgev1.ServerFrame) ([]byte, error) {
	data, err := proto.Marshal(&edgev1.ServerMessage{Frames: frames})
	if err != nil {
		return nil, fmt.Errorf("encode frames: %w", err)
	}
	return data, nil
}

func write(ctx context.Context, ws *websocket.Conn, frames ...*edgev1.ServerFrame) error {
	data, err := encode(frames...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return ws.Write(ctx, websocket.MessageBinary, data) //nolint:wrapcheck // ends the connection, whatever it is
}
