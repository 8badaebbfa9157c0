package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"plenum.internal/gateway/internal/door"
	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/limit"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/gateway/internal/ws"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// serveWebSocket turns a request into a session. A wrong origin gets a plain 403; every other refusal is told after the upgrade,
// where a browser's script can see it.
func (g *Gateway) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if !g.originAllowed(r) {
		secure(w.Header(), g.encrypted(r))
		g.refuseOrigin(w, r)
		return
	}
	address := g.address(r)
	refuse := g.refusesNew(address)
	conn, early, name, err := ws.Upgrade(w, r, wire.ProtoName, wire.JSONName)
	visit, ok := visitOf(conn)
	if err != nil || !ok {
		if refuse == nil {
			g.unseat(address)
		}
		if conn != nil {
			_ = conn.Close() // it did not come through the door, which has to count it
		}
		return
	}
	enc, kind := wire.Proto, ws.Binary
	switch name {
	case wire.JSONName:
		enc, kind = wire.JSON, ws.Text
	case wire.ProtoName:
	default:
		if refuse == nil {
			g.unseat(address)
		}
		refuse = errVersion
	}
	if refuse != nil {
		go newSocket(conn, early, kind).refuse(enc, refuse, g) // outlives the request; the door counts it on
		return
	}
	if plain := visit.Stay(); conn == net.Conn(visit) {
		conn = plain
	}
	g.begin(g.newSession(newSocket(conn, early, kind), enc, address, bearer(r), r.UserAgent(), g.country(r))) // outlives the request. The HTTP server's goroutine, its stack and its buffers are given back
}

// begin has a session run that refusesNew has counted in.
func (g *Gateway) begin(s *session) {
	s.metrics().sessions.Inc()
	g.calls.Add(1) // until done
	g.people.enter(s)
	s.start((*session).setAlarm)
	go s.listen() // outlives whoever has begun it
}

// visitOf is what came through the door: the connection itself, or what lies below TLS.
func visitOf(conn net.Conn) (*door.Visit, bool) {
	if secret, ok := conn.(*tls.Conn); ok {
		conn = secret.NetConn()
	}
	visit, ok := conn.(*door.Visit)
	return visit, ok
}

type visitKey struct{}

// withVisit lets requests find what came through the door.
func withVisit(ctx context.Context, conn net.Conn) context.Context {
	if visit, ok := visitOf(conn); ok {
		return context.WithValue(ctx, visitKey{}, visit)
	}
	return ctx
}

// refusesNew counts a new session in, or says why there can't be one.
func (g *Gateway) refusesNew(address netip.Addr) *rpc.Error {
	if g.draining.Load() {
		return errDraining.RetryIn(time.Second)
	}
	if err := g.sheds("session", errShedding); err != nil {
		return err
	}
	if err := g.takeAddress(address, "accept", g.cfg.Accept, 1); err != nil {
		return errOverloaded
	}
	switch g.sessions.Enter(prefix(address)) {
	case limit.Full:
		return errOverloaded
	case limit.TooMany:
		return errAddressSessions
	case limit.Entered:
	}
	return nil
}

// socket is the transport over WebSocket.
type socket struct {
	ws.Conn
	kind ws.Kind
}

func newSocket(conn net.Conn, early []byte, kind ws.Kind) *socket {
	t := &socket{kind: kind}
	t.Begin(conn, early)
	return t
}

func (t *socket) await() { t.Await() }

func (t *socket) read(hold *intake.Hold, limit int) ([]byte, error) {
	kind, err := t.Next()
	if err != nil {
		return nil, err //nolint:wrapcheck // ends the session, whatever it is
	}
	data, err := hold.Read(&t.Conn, limit)
	switch {
	case err != nil:
		return nil, err //nolint:wrapcheck // likewise
	case kind != t.kind:
		return []byte{0xff}, nil // is malformed in both encodings
	}
	return data, nil
}

func (t *socket) frames() int { return t.Frames() }

func (t *socket) write(data []byte) error { return t.Write(t.kind, data, writeTime) } //nolint:wrapcheck // ends the session

func (t *socket) discard() { t.Discard() }

func (t *socket) close(c edgev1.Code, reason string) { t.Close(int(c), reason) }

func (t *socket) kill() { t.Kill() }

// refuse tells a client that there is no session for it.
func (t *socket) refuse(enc wire.Encoding, e *rpc.Error, g *Gateway) {
	go t.discard()
	p := rpc.FromError(e)
	f := &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{Error: p}}}
	if t.write(wire.Append(nil, enc, f, "", g.catalog())) == nil {
		t.close(p.GetCode(), p.GetReason())
	}
	t.kill()
	g.metrics.closed.WithLabelValues(code(p.GetCode())).Inc()
	g.metrics.unwelcome.WithLabelValues(p.GetReason()).Inc()
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
