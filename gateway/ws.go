package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"plenum.internal/gateway/internal/door"
	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// serveWebSocket turns a request into a session. A wrong origin gets a plain 403; every other refusal is told after the upgrade,
// where a browser's script can see it.
func (g *Gateway) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if !g.originAllowed(r) {
		g.deps.Refusals.Origin(g.address(r))
		secure(w.Header(), g.encrypted(r))
		http.Error(w, "origin not allowed", http.StatusForbidden)
		return
	}
	address := g.address(r)
	refuse := g.refusesNew(address)
	slim := &slimWriter{ResponseWriter: w, encrypted: g.encrypted(r)}
	conn, err := websocket.Accept(slim, r, &websocket.AcceptOptions{
		Subprotocols: []string{wire.ProtoName, wire.JSONName}, InsecureSkipVerify: true, // originAllowed has looked
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if refuse == nil {
			g.sessions.Add(-1)
		}
		return // Accept has answered
	}
	conn.SetReadLimit(-1) // read counts, to answer with 4301
	t := &socket{ws: conn, net: slim.conn, kind: websocket.MessageBinary}
	enc := wire.Proto
	switch conn.Subprotocol() {
	case wire.JSONName:
		enc, t.kind = wire.JSON, websocket.MessageText
	case wire.ProtoName:
	default:
		if refuse == nil {
			g.sessions.Add(-1)
		}
		refuse = errVersion
	}
	if refuse != nil {
		go t.refuse(enc, refuse, g) // outlives the request
		return
	}
	slim.conn.Conn = slim.visit.Stay()
	g.metrics.sessions.Inc()
	g.calls.Add(1) // until done
	s := g.newSession(t, enc, address, bearer(r))
	g.people.enter(s)
	s.start((*session).setTimer)
	go s.read() // outlives the request. The HTTP server's goroutine, its stack and its buffers are given back
}

// refusesNew counts a new session in, or says why there can't be one.
func (g *Gateway) refusesNew(address netip.Addr) *rpc.Error {
	if g.draining.Load() {
		return errDraining.RetryIn(time.Second)
	}
	if err := g.takeAddress(address, "accept", g.cfg.Accept, 1); err != nil {
		return errOverloaded
	}
	if g.sessions.Add(1) > int64(g.cfg.MaxSessions) {
		g.sessions.Add(-1)
		return errOverloaded
	}
	return nil
}

// socket is the transport over WebSocket.
type socket struct {
	ws   *websocket.Conn
	net  *corked
	kind websocket.MessageType
	rest io.Reader // of the message that was not read to its end
}

// messages are buffers for what clients send, most of which is shorter.
var messages = sync.Pool{New: func() any { b := make([]byte, 0, intake.Free); return &b }}

func (t *socket) read(hold *intake.Hold, limit int) ([]byte, error) {
	kind, r, err := t.ws.Reader(context.Background())
	if err != nil {
		return nil, err //nolint:wrapcheck // ends the session, whatever it is
	}
	first := messages.Get().(*[]byte) //nolint:forcetypeassert // holds nothing else
	data, err := hold.ReadInto(*first, r, limit)
	if err != nil || cap(data) != cap(*first) { // else receive gives it back
		messages.Put(first)
	}
	switch {
	case err != nil:
		t.rest = r
		return nil, err //nolint:wrapcheck // likewise
	case kind != t.kind:
		return []byte{0xff}, nil // is malformed in both encodings
	}
	return data, nil
}

func (t *socket) write(data []byte) error {
	_ = t.net.SetWriteDeadline(time.Now().Add(writeTime))
	t.net.cork()
	err := t.ws.Write(context.Background(), t.kind, data)
	if e := t.net.uncork(); err == nil {
		err = e
	}
	_ = t.net.SetWriteDeadline(time.Time{})
	return err //nolint:wrapcheck // ends the session
}

func (t *socket) discard() {
	for r, err := t.rest, error(nil); err == nil; _, r, err = t.ws.Reader(context.Background()) {
		if r != nil {
			_, _ = io.Copy(io.Discard, r)
		}
	}
}

func (t *socket) close(c edgev1.Code, reason string) {
	_ = t.ws.Close(websocket.StatusCode(c), reason) // the client may be gone
}

func (t *socket) kill() { _ = t.net.Close() }

// refuse tells a client that there is no session for it.
func (t *socket) refuse(enc wire.Encoding, e *rpc.Error, g *Gateway) {
	p := rpc.FromError(e)
	f := &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{Error: p}}}
	if t.write(wire.Append(nil, enc, f, "", g.catalog())) == nil {
		t.close(p.GetCode(), p.GetReason())
	}
	t.kill()
	g.metrics.closed.WithLabelValues(code(p.GetCode())).Inc()
}

// slimWriter hands the WebSocket library small buffers instead of the HTTP server's.
type slimWriter struct {
	http.ResponseWriter
	encrypted bool
	visit     *door.Visit
	conn      *corked
}

// WriteHeader gives an answer that is no upgrade what every answer carries.
func (w *slimWriter) WriteHeader(status int) {
	if status != http.StatusSwitchingProtocols {
		secure(w.Header(), w.encrypted)
	}
	w.ResponseWriter.WriteHeader(status)
}

const bufferBytes = 512

// Hijack implements http.Hijacker.
func (w *slimWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, old, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // goes to the library
	}
	var ok bool
	if w.visit, ok = conn.(*door.Visit); !ok {
		return nil, nil, errors.Join(errors.New("gateway: not a connection of its door"), conn.Close())
	}
	_ = conn.SetDeadline(time.Time{}) // the HTTP server's are for requests
	early, err := old.Peek(old.Reader.Buffered())
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	w.conn = &corked{Conn: conn}
	r := bufio.NewReaderSize(bytes.NewReader(bytes.Clone(early)), max(bufferBytes, len(early)))
	if _, err := r.Peek(len(early)); err != nil { // the library looks for what is buffered
		return nil, nil, errors.Join(err, conn.Close())
	}
	return w.conn, bufio.NewReadWriter(r, bufio.NewWriterSize(w.conn, bufferBytes)), nil
}

// corked gathers the pieces in which the library writes a message, so that they leave in one system call.
type corked struct {
	net.Conn
	mu  sync.Mutex // guards buf and on, and orders writes
	buf []byte
	on  bool
}

func (c *corked) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on {
		c.buf = append(c.buf, p...)
		return len(p), nil
	}
	return c.Conn.Write(p) //nolint:wrapcheck // goes to the library
}

func (c *corked) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on, c.buf = true, (*buffers.Get().(*[]byte))[:0] //nolint:forcetypeassert // holds nothing else
}

func (c *corked) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Conn.Write(c.buf)
	if cap(c.buf) <= 2*flushBytes {
		b := c.buf
		buffers.Put(&b)
	}
	c.on, c.buf = false, nil
	return err //nolint:wrapcheck // ends the session
}

// bearer is the token of an Authorization header, or empty.
func bearer(r *http.Request) string {
	const scheme = "Bearer "
	h := r.Header.Get("Authorization")
	if len(h) > len(scheme) && strings.EqualFold(h[:len(scheme)], scheme) {
		return h[len(scheme):]
	}
	return ""
}
