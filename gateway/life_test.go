package gateway

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc/testv1"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func refresh(token string) *edgev1.ClientFrame {
	return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Refresh{Refresh: &edgev1.Refresh{Token: token}}}
}

// pongs answers pings until the connection closes, and returns its last frame and code.
func (c *client) pongs() (*edgev1.ServerFrame, int) {
	last, code := c.end() // next answers
	return last, int(code)
}

// A token that isn't refreshed: calls are refused from its end on, delivery stops 60 s later.
func TestTokenExpires(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		begin := time.Now()
		c := s.open("u", events(room))
		go func() {
			time.Sleep(10*time.Minute + 10*time.Second)
			c.send(ask(1, "Echo", nil))
			time.Sleep(time.Second) // the answer comes first
			s.svc.Append("w", room, "within the grace", nil)
		}()
		if e := c.reply(1, nil); e.GetCode() != edgev1.Code_CODE_TOKEN_STALE {
			t.Errorf("a call after the end: %v", e)
		}
		if got := c.texts(room, 1); got[0] != "within the grace" {
			t.Error(got)
		}
		if _, code := c.pongs(); code != int(edgev1.Code_CODE_TOKEN_EXPIRED) {
			t.Errorf("closed with %d", code)
		}
		if d := time.Since(begin); d < 11*time.Minute || d > 11*time.Minute+time.Second {
			t.Errorf("after %v", d)
		}
	})
}

func TestRefresh(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		begin := time.Now()
		c := s.signIn("u")
		go func() {
			time.Sleep(9 * time.Minute)
			c.send(refresh(s.token("u", 10*time.Minute)))
		}()
		if f := c.next(); f.GetRefreshed().GetTokenTtlMs() < 599_000 {
			t.Fatalf("%v", f)
		}
		if _, code := c.pongs(); code != int(edgev1.Code_CODE_TOKEN_EXPIRED) || time.Since(begin) < 20*time.Minute {
			t.Errorf("closed with %d after %v", code, time.Since(begin))
		}
		c = s.signIn("u", refresh(s.token("another", 10*time.Minute)))
		if _, code := c.pongs(); code != int(edgev1.Code_CODE_TOKEN_REFUSED) {
			t.Errorf("another's token: %d", code)
		}
	})
}

// A revoked device is out within 2 s, even if its client doesn't read; others stay.
func TestRevocation(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		out, role, other := s.signIn("out"), s.signIn("role"), s.signIn("other")
		deaf := s.open("deaf", events(room))
		s.svc.Append("w", room, "x", nil) // its write waits
		time.Sleep(time.Second)
		begin := time.Now()
		now := begin.UnixMilli()
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "out", Device: "d-out", IssuedBeforeMs: now, Wipe: true})
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "role", IssuedBeforeMs: now})
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "deaf", IssuedBeforeMs: now, Wipe: true})
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "other", Device: "another device", IssuedBeforeMs: now})
		s.identity.Revoke(&authv1.Revocation{Workspace: "v", IssuedBeforeMs: now})
		if _, code := out.end(); code != 4400 {
			t.Errorf("wiped: %d", code)
		}
		if _, code := role.end(); code != 4201 {
			t.Errorf("revoked: %d", code)
		}
		time.Sleep(2*time.Second - time.Since(begin))
		synctest.Wait()
		if n := s.metric("sessions"); n != 1 {
			t.Errorf("%v sessions are left, the deaf one may not be", n)
		}
		other.send(ask(1, "Echo", nil))
		if e := other.reply(1, nil); e != nil {
			t.Errorf("the other: %v", e)
		}
		other.close()
		_ = deaf.ws.CloseNow()
	})
}

// While nobody knows what was revoked, nobody new comes in; who is in stays.
func TestStaleFeedOfRevocations(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.signIn("u")
		s.identity.Silence(true)
		time.Sleep(11 * time.Second)
		late := s.connect(nil)
		late.send(hello(s.token("v", time.Minute)))
		if last, code := late.end(); int(code) != int(edgev1.Code_CODE_OVERLOADED) || last.GetGoodbye().GetError().GetRetryAfterMs() == 0 {
			t.Errorf("%v, %d", last, code)
		}
		c.send(ask(1, "Echo", nil))
		if e := c.reply(1, nil); e != nil {
			t.Errorf("%v", e)
		}
		c.close()
	})
}

// A silent client is asked after 25 s and left after 60.
func TestHeartbeat(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.signIn("u")
		begin := time.Now()
		_, data, err := c.ws.Read(t.Context())
		s.must(err)
		var m edgev1.ServerMessage
		s.must(proto.Unmarshal(data, &m))
		if m.GetFrames()[0].GetPing() == nil || time.Since(begin) != heartbeat {
			t.Errorf("after %v: %v", time.Since(begin), &m)
		}
		if last, code := c.end(); int(code) != int(edgev1.Code_CODE_SILENT) || time.Since(begin) != silence {
			t.Errorf("after %v: %v %d", time.Since(begin), last, code)
		}
	})
}

// On a stop everybody is told when to come back, spread over a time; calls under way are answered.
func TestDrain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		var clients []*client
		for range 20 {
			clients = append(clients, s.signIn("u"))
		}
		s.stop()
		seen := map[uint32]bool{}
		for _, c := range clients {
			last, code := c.end()
			if int(code) != int(edgev1.Code_CODE_DRAINING) {
				t.Errorf("closed with %d", code)
			}
			after := last.GetGoodbye().GetError().GetRetryAfterMs()
			if seen[after] = true; after > 10_000 {
				t.Errorf("retry after %d ms", after)
			}
		}
		if len(seen) < 10 {
			t.Errorf("all at the same time: %v", seen)
		}
	})
}

func TestFullGateway(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxSessions = 1 }, func(t *testing.T, s *system) {
		c := s.signIn("u")
		if _, code := s.connect(nil).end(); int(code) != int(edgev1.Code_CODE_OVERLOADED) {
			t.Errorf("the second: %d", code)
		}
		c.close()
		synctest.Wait()
		s.signIn("u").close()
	})
}

// One user can't take the place of all others; a connection that ends makes room, and a refresh takes none.
func TestTooManySessionsOfOneUser(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxSessionsUser = 2 }, func(t *testing.T, s *system) {
		a, b := s.signIn("u"), s.signIn("u")
		a.send(refresh(s.token("u", time.Minute)))
		if f := a.next(); f.GetRefreshed() == nil {
			t.Errorf("%v", f)
		}
		c := s.connect(nil)
		c.send(hello(s.token("u", time.Minute)))
		last, code := c.end()
		if e := last.GetGoodbye().GetError(); int(code) != int(edgev1.Code_CODE_OVERLOADED) || e.GetReason() != "edge.SESSIONS" || e.GetRetryAfterMs() == 0 {
			t.Errorf("the third: %d %v", code, e)
		}
		s.signIn("other").close()
		a.close()
		synctest.Wait()
		s.signIn("u").close()
		b.close()
	})
}

// The token may stand in the header of the upgrade.
func TestTokenInHeader(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.connect(http.Header{"Authorization": {"Bearer " + s.token("u", time.Minute)}})
		defer c.close()
		c.send(hello(""), ask(1, "Echo", nil))
		var echo testv1.EchoResponse
		if e := c.reply(1, &echo); e != nil || echo.GetUser() != "u" {
			t.Errorf("%v %v", e, &echo)
		}
	})
}
