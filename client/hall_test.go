package client

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// hall is a gateway in memory that plays itself, over every transport. Its topics are logs whose events have an offset and nothing else.
type hall struct {
	t        *testing.T
	arrivals chan net.Conn
	server   *http.Server

	mu       sync.Mutex // guards all below
	changed  chan struct{}
	heads    map[string]uint64
	epoch    uint64
	stopping map[string]edgev1.Code // whoever follows the topic next is told so
	refuse   map[string]edgev1.Code // what Subscribe of a topic is answered
	answers  map[uint64]*edgev1.ServerFrame
	done     []string // texts of calls, as they took place
	answer   func(q *edgev1.Call, text string) edgev1.Code
	heard    []*edgev1.Signal
	tokens   map[string]int // by which sessions came
	opened   map[string]int // sessions, by transport
	budget   func() int     // bytes that a connection carries to the client; nil: any
	mute     bool           // what is written is swallowed
	blocked  map[string]int // paths -> status
	refused  map[string]int // requests to blocked paths
	silent   bool           // upgrades succeed, and carry nothing
	buffered bool           // streams are held back
	life     time.Duration  // of streams
	leave    *edgev1.Error  // told to all
	conns    map[net.Conn]bool
}

func newHall(t *testing.T) *hall {
	t.Helper()
	h := &hall{t: t, arrivals: make(chan net.Conn), changed: make(chan struct{}), heads: map[string]uint64{}, epoch: 1, answers: map[uint64]*edgev1.ServerFrame{},
		tokens: map[string]int{}, opened: map[string]int{}, stopping: map[string]edgev1.Code{}, refuse: map[string]edgev1.Code{}, blocked: map[string]int{}, refused: map[string]int{}, life: 10 * time.Minute, conns: map[net.Conn]bool{}}
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: time.Hour}
	var serving sync.WaitGroup
	closed := make(chan struct{})
	serving.Go(func() { _ = h.server.Serve(&doorway{h, closed}) })
	t.Cleanup(func() { close(closed); _ = h.server.Close(); serving.Wait() })
	return h
}

type doorway struct {
	h      *hall
	closed chan struct{}
}

func (d *doorway) Accept() (net.Conn, error) {
	select {
	case c := <-d.h.arrivals:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}
func (d *doorway) Close() error   { return nil }
func (d *doorway) Addr() net.Addr { return &net.TCPAddr{} }

// client is an HTTP client of the hall alone.
func (h *hall) client() *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		h.mu.Lock()
		c := &fragile{Conn: far, h: h, left: -1}
		if h.budget != nil {
			c.left = h.budget()
		}
		h.conns[c] = true
		h.mu.Unlock()
		select {
		case h.arrivals <- c:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	h.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// fragile is a connection that is cut after some bytes, or swallows them.
type fragile struct {
	net.Conn
	h    *hall
	left int // negative: no end
}

func (c *fragile) Write(b []byte) (int, error) {
	c.h.mu.Lock()
	mute := c.h.mute
	c.h.mu.Unlock()
	switch {
	case mute:
		return len(b), nil
	case c.left < 0:
		return c.Conn.Write(b)
	case c.left < len(b):
		n, _ := c.Conn.Write(b[:c.left])
		_ = c.Close()
		return n, io.ErrClosedPipe
	}
	c.left -= len(b)
	return c.Conn.Write(b)
}

func (c *fragile) Close() error {
	c.h.mu.Lock()
	delete(c.h.conns, c)
	c.h.mu.Unlock()
	return c.Conn.Close()
}

// cut ends all connections, as a network does.
func (h *hall) cut() {
	h.mu.Lock()
	var all []net.Conn
	for c := range h.conns {
		all = append(all, c)
	}
	h.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

func (h *hall) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *hall) get(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *hall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var status int
	var buffered bool
	h.get(func() { status, buffered = h.blocked[r.URL.Path], h.buffered })
	if status != 0 {
		h.get(func() { h.refused[r.URL.Path]++ })
		http.Error(w, "no", status)
		return
	}
	switch r.URL.Path {
	case EdgePath:
		h.serveWebSocket(w, r)
	case EventsPath:
		h.session(r.Context(), r, &visit{kind: "sse", send: func(m *edgev1.ServerMessage) error {
			if buffered {
				return nil
			}
			data, err := proto.Marshal(m)
			if err != nil {
				return err
			}
			_, err = io.WriteString(w, ": x\n\ndata: "+base64.StdEncoding.EncodeToString(data)+"\n\n")
			return errors.Join(err, http.NewResponseController(w).Flush())
		}, beat: func() error {
			if buffered {
				return nil
			}
			_, err := io.WriteString(w, ":\n\n")
			return errors.Join(err, http.NewResponseController(w).Flush())
		}})
	case PollPath:
		wait := 25 * time.Second
		if q := r.URL.Query().Get("wait"); q != "" {
			ms, _ := strconv.Atoi(q)
			wait = time.Duration(ms) * time.Millisecond
		}
		h.session(r.Context(), r, &visit{kind: "poll", wait: wait, send: func(m *edgev1.ServerMessage) error {
			data, err := proto.Marshal(m)
			if err != nil {
				return err
			}
			_, err = w.Write(data)
			return errors.Join(err, http.NewResponseController(w).Flush())
		}})
	}
}

func (h *hall) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		return
	}
	ws.SetReadLimit(readLimit)
	defer ws.CloseNow()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var silent bool
	if h.get(func() { silent = h.silent }); silent {
		_, _, _ = ws.Read(ctx)
		_, _, _ = ws.Read(ctx)
		return
	}
	in := make(chan *edgev1.ClientMessage)
	go func() {
		defer cancel()
		for {
			_, data, err := ws.Read(ctx)
			m := new(edgev1.ClientMessage)
			if err != nil || proto.Unmarshal(data, m) != nil {
				return
			}
			select {
			case in <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	h.session(ctx, nil, &visit{kind: "ws", in: in, send: func(m *edgev1.ServerMessage) error {
		data, err := proto.Marshal(m)
		if err != nil {
			return err
		}
		return ws.Write(ctx, websocket.MessageBinary, data)
	}})
}

// visit is one session, whatever carries it.
type visit struct {
	kind string
	in   chan *edgev1.ClientMessage // of a WebSocket
	wait time.Duration              // of a poll
	send func(*edgev1.ServerMessage) error
	beat func() error

	out     []*edgev1.ServerFrame
	news    bool
	greeted bool // Hello came
	subs    map[string]uint64
	broken  map[uint32]uint64 // lanes
}

// session serves a client until ctx ends, or what it asked is answered.
func (h *hall) session(ctx context.Context, r *http.Request, v *visit) {
	v.subs, v.broken = map[string]uint64{}, map[uint32]uint64{}
	if r != nil {
		data, err := io.ReadAll(r.Body)
		m := new(edgev1.ClientMessage)
		if err != nil || proto.Unmarshal(data, m) != nil {
			return
		}
		m.GetFrames()[0].GetHello().Token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		h.take(v, m)
	}
	began, beats := time.Now(), time.Now()
	for {
		h.mu.Lock()
		changed := h.changed
		ends := h.tell(v, time.Since(began))
		h.mu.Unlock()
		if len(v.out) > 0 {
			m := &edgev1.ServerMessage{Frames: v.out}
			v.out, beats = nil, time.Now()
			if v.send(m) != nil {
				return
			}
		}
		if ends {
			return
		}
		select {
		case m := <-v.in:
			h.take(v, m)
		case <-changed:
		case <-time.After(time.Second):
			if v.beat != nil && time.Since(beats) >= 15*time.Second {
				if beats = time.Now(); v.beat() != nil {
					return
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// tell queues what is new, and reports that the session is at its end. It needs the lock.
func (h *hall) tell(v *visit, age time.Duration) bool {
	if h.leave != nil && v.greeted {
		v.out = append(v.out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{Error: h.leave}}})
		return true
	}
	for topic, at := range v.subs {
		if code, ok := h.stopping[topic]; ok {
			delete(h.stopping, topic)
			delete(v.subs, topic)
			v.out = append(v.out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{topic}, Error: wireError(code, 0)}}})
			v.news = true
			continue
		}
		if head := h.heads[topic]; at < head {
			var offsets []uint64
			for o := at + 1; o <= head; o++ {
				offsets = append(offsets, o)
			}
			v.out, v.news, v.subs[topic] = append(v.out, eventsOf(topic, offsets...)), true, head
		}
	}
	switch v.kind {
	case "sse":
		if age >= h.life {
			v.out = append(v.out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{
				Error: &edgev1.Error{Code: edgev1.Code_CODE_DRAINING, Reason: rotated, RetryAfterMs: 500}}}})
			return true
		}
	case "poll":
		return v.news || len(v.subs) == 0 || age >= v.wait
	}
	return false
}

func (h *hall) take(v *visit, m *edgev1.ClientMessage) {
	for _, frame := range m.GetFrames() {
		switch f := frame.GetFrame().(type) {
		case *edgev1.ClientFrame_Hello:
			v.greeted = true
			h.get(func() { h.tokens[f.Hello.GetToken()]++; h.opened[v.kind]++ })
			v.out = append(v.out, welcome())
		case *edgev1.ClientFrame_Subscribe:
			for _, w := range f.Subscribe.GetWants() {
				s := &edgev1.Subscription{Topic: w.GetTopic(), Start: w.GetCursor()}
				h.get(func() {
					code, refused := h.refuse[w.GetTopic()]
					switch {
					case w.GetCursor() != nil && w.GetCursor().GetEpoch() != h.epoch:
						s.Error = wireError(edgev1.Code_CODE_RESET_EPOCH, 0)
						delete(h.stopping, w.GetTopic()) // is told
					case refused:
						s.Error = wireError(code, 0)
					case s.Start == nil:
						s.Start = &edgev1.Cursor{Epoch: h.epoch, Offset: h.heads[w.GetTopic()]}
					}
				})
				if s.Error == nil {
					v.subs[w.GetTopic()] = s.GetStart().GetOffset()
				}
				v.news = v.news || s.Error != nil
				v.out = append(v.out, subscribedTo(f.Subscribe.GetId(), s))
			}
		case *edgev1.ClientFrame_Unsubscribe:
			for _, topic := range f.Unsubscribe.GetTopics() {
				delete(v.subs, topic)
			}
		case *edgev1.ClientFrame_Call:
			v.out = append(v.out, h.call(v, f.Call))
		case *edgev1.ClientFrame_Signal:
			h.get(func() { h.heard = append(h.heard, f.Signal) })
		case *edgev1.ClientFrame_Refresh:
			h.get(func() { h.tokens[f.Refresh.GetToken()]++ })
			v.out = append(v.out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Refreshed{Refreshed: &edgev1.Refreshed{TokenTtlMs: 600_000}}})
		case *edgev1.ClientFrame_Ping:
			v.out = append(v.out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Pong{Pong: &edgev1.Pong{Nonce: f.Ping.GetNonce()}}})
		}
	}
}

// call does what was asked for, once for each number.
func (h *hall) call(v *visit, q *edgev1.Call) *edgev1.ServerFrame {
	h.mu.Lock()
	defer h.mu.Unlock()
	if first := v.broken[q.GetLane()]; q.GetLane() != 0 && first != 0 && q.GetClientSeq() != first {
		return failed(q.GetId(), edgev1.Code_CODE_UNAVAILABLE, 0)
	}
	delete(v.broken, q.GetLane())
	if known := h.answers[q.GetClientSeq()]; known != nil && q.GetClientSeq() != 0 {
		again := proto.CloneOf(known)
		again.GetReply().Id = q.GetId()
		return again
	}
	var send chatv1.SendRequest
	if err := proto.Unmarshal(q.GetBody(), &send); err != nil {
		panic(err)
	}
	if h.answer != nil {
		if code := h.answer(q, send.GetText()); code != 0 {
			if q.GetClientSeq() != 0 && retryable(code) {
				v.broken[q.GetLane()] = q.GetClientSeq()
			}
			return failed(q.GetId(), code, 0)
		}
	}
	h.done = append(h.done, send.GetText())
	f := replied(q.GetId(), &chatv1.SendResponse{Offset: uint64(len(h.done))})
	h.answers[q.GetClientSeq()] = f
	return f
}

// random cuts each connection after some bytes.
func random(seed uint64, most int) func() int {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() int { return 200 + r.IntN(most) }
}
