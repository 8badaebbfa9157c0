package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unique"

	"plenum.internal/gateway/internal/limit"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// receive takes a message of the client.
func (s *session) receive(data []byte) {
	s.reading = false
	if s.state >= closing {
		s.readOut()
		return
	}
	frames, err := s.g.decode(s.enc, data)
	if err != nil {
		s.g.metrics.malformed.Inc()
		s.goodbye(unreadable(err))
		return
	}
	s.heard, s.pinged = s.g.alarms.now(), false
	if t := s.stream(); t != nil {
		if len(frames) == 0 { // and no other message will come
			s.goodbye(errNoHello)
			return
		}
		t.begin(frames)
	}
	s.pace(frames)
	for _, f := range frames {
		if s.state >= closing {
			return
		}
		s.g.metrics.received.WithLabelValues(kind(f)).Inc()
		s.frame(f)
	}
	s.readOn()
}

// longBytes is what a message may have to be decoded at once.
const longBytes = 64 << 10

// decode reads a message of a client, who may not have said yet who they are. Decoded it takes up to a hundred times its bytes
// (empty wants, empty names), so only as many long ones are decoded at the same time as there are processors to do it.
func (g *Gateway) decode(e wire.Encoding, data []byte) ([]wire.Frame, error) {
	defer g.queueUp(len(data))()
	frames, err := wire.Decode(e, data, g.catalog())
	names := 0
	for _, f := range frames {
		names += len(f.GetSubscribe().GetWants()) + len(f.GetUnsubscribe().GetTopics())
	}
	if names > maxNames {
		return nil, errNames
	}
	return frames, err //nolint:wrapcheck // wraps ErrMalformed
}

// queueUp waits for a turn to decode so many bytes; done ends the turn.
func (g *Gateway) queueUp(bytes int) (done func()) {
	if bytes <= longBytes {
		return func() {}
	}
	g.decoding <- struct{}{}
	return func() { <-g.decoding }
}

// maxNames is how many topics one message may name: more than a client may follow.
const maxNames = 10_000

// framesRate is how many frames a client may send without being slowed down: far more than its other limits leave of use.
var framesRate = limit.Rate{PerSecond: 1000, Burst: 5000}

const refreshCost = 50 // frames: its signature is verified

// pace makes the reader wait where a client sends more frames than framesRate: who floods slows down its own connection, no other.
func (s *session) pace(frames []wire.Frame) {
	cost := 1.0 // an empty message
	if x, ok := s.conn.(interface{ frames() int }); ok {
		cost = float64(x.frames()) // of a message in parts, and of control: a pong costs a system call
	}
	for _, f := range frames {
		if cost++; f.GetRefresh() != nil {
			cost += refreshCost
		}
	}
	s.paceBy(cost)
}

func (s *session) paceBy(cost float64) {
	wait, ok := s.frames.Take(framesRate, cost, time.Now())
	if s.paused = !ok; s.paused {
		time.AfterFunc(wait, func() {
			s.mail(0, func(s *session) {
				s.paceBy(cost)
				s.ease()
			})
		})
	}
}

func (s *session) frame(f wire.Frame) {
	hello, isHello := f.GetFrame().(*edgev1.ClientFrame_Hello)
	switch {
	case isHello && s.state != greeting:
		s.goodbye(errSecondHello)
		return
	case !isHello && s.state == greeting:
		s.goodbye(errNoHello)
		return
	}
	switch x := f.GetFrame().(type) {
	case *edgev1.ClientFrame_Hello:
		s.hello(hello.Hello)
	case *edgev1.ClientFrame_Call:
		if x.Call.GetClientSeq() != 0 {
			s.act(s.g.catalog().Doing(x.Call.GetMethod()))
		}
		s.call(x.Call, f.Err)
	case *edgev1.ClientFrame_Cancel:
		s.cancelCall(x.Cancel.GetId())
	case *edgev1.ClientFrame_Subscribe:
		if len(x.Subscribe.GetWants()) > maxAnswered { // an answer to each would be many times as long as what was sent
			s.goodbye(errWants)
			return
		}
		s.subscribe(x.Subscribe)
	case *edgev1.ClientFrame_Unsubscribe:
		s.unsubscribe(x.Unsubscribe.GetTopics())
	case *edgev1.ClientFrame_Signal:
		s.act(edgev1.Doing_DOING_UNSPECIFIED)
		if t := s.stream(); t != nil {
			t.signals = append(t.signals, f)
			return
		}
		s.signal(x.Signal, f.Err)
	case *edgev1.ClientFrame_Refresh:
		s.refresh(x.Refresh.GetToken())
	case *edgev1.ClientFrame_Ping:
		if x.Ping.GetActive() {
			s.act(edgev1.Doing_DOING_UNSPECIFIED)
		}
		s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Pong{Pong: &edgev1.Pong{Nonce: x.Ping.GetNonce()}}})
	case *edgev1.ClientFrame_Pong: // that it came is all
	}
}

// hello opens the session, or ends it.
func (s *session) hello(h *edgev1.Hello) {
	token := h.GetToken()
	if token == "" {
		token = s.caller.Token
	}
	s.caller.Token = ""
	if err := faultOf(h); err != nil {
		s.goodbye(err)
		return
	}
	caller, err := s.g.verify(s.g.base, token)
	if err != nil {
		s.g.deps.Refusals.Token(err, s.address)
		s.g.log.Debug("a session was refused", "address", s.address, "error", err)
		e := refusal(err)
		if token == "" {
			e = errNoToken
		}
		s.goodbye(e)
		return
	}
	if s.g.deps.Verifier.Stale() {
		s.goodbye(errUnchecked)
		return
	}
	s.state, s.caller = open, caller
	s.clientID = h.GetClientId()
	s.from = caller.User + "/" + h.GetSessionId()
	if t := s.stream(); t != nil {
		t.welcome(s)
	}
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	if !s.g.admit(s) {
		s.g.metrics.unwelcome.WithLabelValues(errSessions.Reason).Inc()
		s.goodbye(errSessions)
		return
	}
	// A revocation that came between the verification and admit was told to nobody: it is seen now.
	if _, err := s.g.verify(s.g.base, token); err != nil {
		s.g.deps.Refusals.Token(err, s.address)
		s.goodbye(refusal(err))
		return
	}
	s.agent = unique.Make(strings.TrimSpace(h.GetAgent() + " " + s.agent.Value()))
	idle := notSaid
	if h.IdleS != nil {
		idle = time.Duration(h.GetIdleS()) * time.Second
	}
	s.g.roster.attend(s, idle)
	s.g.metrics.opened.WithLabelValues(s.encoding()).Inc()
	s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Welcome{Welcome: &edgev1.Welcome{
		HeartbeatMs: uint32(heartbeat.Milliseconds()), TokenTtlMs: s.ttl(), ServerTimeMs: time.Now().UnixMilli(),
		Limits: s.limits(), ConnectionId: base64.RawURLEncoding.EncodeToString(id[:]),
	}}})
}

// limits are the session's.
func (s *session) limits() *edgev1.Limits {
	l := s.g.cfg.Limits.proto()
	l.Subscriptions = s.mostTopics()
	return l
}

// mostTopics is how many the session may follow in mode EVENTS.
func (s *session) mostTopics() uint32 {
	if s.stream() != nil {
		return min(s.g.cfg.Limits.Subscriptions, streamTopics)
	}
	return s.g.cfg.Limits.Subscriptions
}

func (s *session) encoding() string {
	if s.enc == wire.JSON {
		return "json"
	}
	return "proto"
}

// faultOf says what is wrong with a Hello, and how to put it right.
func faultOf(h *edgev1.Hello) *rpc.Error {
	fault := func(field, how string) *rpc.Error {
		return rpc.Errorf(edgev1.Code_CODE_MALFORMED, "edge.HELLO", "%s", how).On("hello." + field)
	}
	switch {
	case !validID(h.GetClientId()):
		return fault("client_id", "Hello: client_id has at most 64 letters, digits, - and _. Make 16 random bytes and write them as base64url without padding.")
	case !validID(h.GetSessionId()):
		return fault("session_id", "Hello: session_id has at most 64 letters, digits, - and _. Make 16 random bytes and write them as base64url without padding.")
	case len(h.GetAgent()) > maxAgent:
		return fault("agent", "Hello: agent has at most 64 bytes. Send the program's name and version alone.")
	case len(h.GetFeatures()) > maxFeatures, slices.ContainsFunc(h.GetFeatures(), func(f string) bool { return len(f) > maxFeature }):
		return fault("features", "Hello: features has at most 16 names of at most 32 bytes. Ask only for those that you use.")
	}
	return nil
}

// validID admits base64url, and nothing: who has no client_id makes no changes that need one.
func validID(id string) bool {
	return len(id) <= maxID && strings.IndexFunc(id, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-'
	}) < 0
}

// ttl is what is left of the token, in ms.
func (s *session) ttl() uint32 {
	return uint32(min(max(time.Until(s.caller.Expires).Milliseconds(), 0), 1<<31))
}

// refresh takes a new token of the same user, device and workspace.
func (s *session) refresh(token string) {
	caller, err := s.g.verify(s.g.base, token)
	if err == nil && (caller.User != s.caller.User || caller.Device != s.caller.Device || caller.Workspace != s.caller.Workspace) {
		err = auth.Foreign(caller)
	}
	if err != nil {
		s.g.deps.Refusals.Token(err, s.address)
		s.g.log.Debug("a refresh was refused", "address", s.address, "user", s.caller.User, "error", err)
		s.goodbye(refusal(err))
		return
	}
	if !sameRights(caller, s.caller) { // what is open was granted to another role; the revocation of its tokens may come later
		s.goodbye(errTokenRefused)
		return
	}
	s.caller = caller
	_ = s.g.admit(s) // is known
	s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Refreshed{Refreshed: &edgev1.Refreshed{TokenTtlMs: s.ttl()}}})
}

func sameRights(a, b auth.Caller) bool {
	return a.Kind == b.Kind && a.Role == b.Role && slices.Equal(a.Permissions, b.Permissions)
}

const verifyTime = 5 * time.Second

// verify reads a token. It waits only where identity must be asked for a key.
func (g *Gateway) verify(ctx context.Context, token string) (auth.Caller, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	return g.deps.Verifier.Verify(ctx, token) //nolint:wrapcheck // its errors are what callers look at
}

func kind(f wire.Frame) string {
	switch f.GetFrame().(type) {
	case *edgev1.ClientFrame_Hello:
		return "hello"
	case *edgev1.ClientFrame_Call:
		return "call"
	case *edgev1.ClientFrame_Cancel:
		return "cancel"
	case *edgev1.ClientFrame_Subscribe:
		return "subscribe"
	case *edgev1.ClientFrame_Unsubscribe:
		return "unsubscribe"
	case *edgev1.ClientFrame_Signal:
		return "signal"
	case *edgev1.ClientFrame_Refresh:
		return "refresh"
	case *edgev1.ClientFrame_Ping, *edgev1.ClientFrame_Pong:
		return "ping"
	}
	return "unknown"
}
