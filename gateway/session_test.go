package gateway

import (
	"strings"
	"testing"
	"time"

	"plenum.internal/gateway/internal/testsvc/testv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Signing in takes one round trip: Hello, Subscribe and Call leave together.
func TestPipelinedHello(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Append("w", "test.room/a", "old", nil)
		c := s.signIn("u1", subscribe(1, events("test.room/a"), events("test.room/b", 0)), ask(1, "Echo", &testv1.EchoRequest{Text: "hi"}))
		defer c.close()
		got := map[string]*edgev1.Subscription{}
		var echo testv1.EchoResponse
		for len(got) < 2 || echo.GetText() == "" {
			f := c.next()
			switch {
			case f.GetSubscribed() != nil:
				for _, x := range f.GetSubscribed().GetSubscriptions() {
					got[x.GetTopic()] = x
				}
			case f.GetReply() != nil:
				c.frames = append([]*edgev1.ServerFrame{f}, c.frames...)
				if e := c.reply(1, &echo); e != nil {
					t.Fatal(e)
				}
			default:
				t.Fatalf("unexpected %v", f)
			}
		}
		if a := got["test.room/a"]; a.GetError() != nil || a.GetStart().GetOffset() != 1 || a.GetHead().GetOffset() != 1 {
			t.Errorf("a: %v", a)
		}
		if echo.GetUser() != "u1" || echo.GetAddress() != "192.0.2.7" {
			t.Errorf("the service saw %v", &echo)
		}
		s.svc.Append("w", "test.room/a", "new", nil)
		if got := c.texts("test.room/a", 1); got[0] != "new" {
			t.Error(got)
		}
	})
}

// Who greets wrongly is told which field, and what to do about it.
func TestWrongHello(t *testing.T) {
	good := func(change func(*edgev1.Hello)) func(*system) *edgev1.ClientFrame {
		return func(s *system) *edgev1.ClientFrame {
			f := hello(s.token("u", time.Minute))
			change(f.GetHello())
			return f
		}
	}
	inBubble(t, nil, func(t *testing.T, s *system) {
		for field, x := range map[string]struct {
			frame func(*system) *edgev1.ClientFrame
			code  edgev1.Code
		}{
			"hello":            {func(*system) *edgev1.ClientFrame { return ask(1, "Echo", nil) }, edgev1.Code_CODE_MALFORMED},
			"hello.client_id":  {good(func(h *edgev1.Hello) { h.ClientId = "a/b" }), edgev1.Code_CODE_MALFORMED},
			"hello.session_id": {good(func(h *edgev1.Hello) { h.SessionId = strings.Repeat("x", 65) }), edgev1.Code_CODE_MALFORMED},
			"hello.agent":      {good(func(h *edgev1.Hello) { h.Agent = strings.Repeat("x", 65) }), edgev1.Code_CODE_MALFORMED},
			"hello.features":   {good(func(h *edgev1.Hello) { h.Features = []string{strings.Repeat("x", 33)} }), edgev1.Code_CODE_MALFORMED},
			"hello.token":      {good(func(h *edgev1.Hello) { h.Token = "" }), edgev1.Code_CODE_TOKEN_REFUSED},
		} {
			c := s.connect(nil)
			c.send(x.frame(s))
			last, code := c.end()
			if e := last.GetGoodbye().GetError(); e.GetCode() != x.code || int(code) != int(x.code) || e.GetField() != field || len(e.GetMessage()) < 30 {
				t.Errorf("%s: closed with %d, told %v", field, code, e)
			}
		}
		c := s.signIn("u", hello("x"))
		last, _ := c.end()
		if e := last.GetGoodbye().GetError(); e.GetCode() != edgev1.Code_CODE_MALFORMED || e.GetReason() != "edge.HELLO" {
			t.Errorf("twice: %v", e)
		}
	})
}

func TestEndsOfSessions(t *testing.T) {
	cases := map[string]struct {
		first func(*system) []*edgev1.ClientFrame
		then  func(*system)
		code  edgev1.Code
		after time.Duration
	}{
		"nothing said": {nil, nil, edgev1.Code_CODE_SILENT, helloTime},
		"no hello": {func(*system) []*edgev1.ClientFrame {
			return []*edgev1.ClientFrame{ask(1, "Echo", &testv1.EchoRequest{})}
		}, nil, edgev1.Code_CODE_MALFORMED, 0},
		"forged": {func(*system) []*edgev1.ClientFrame { return []*edgev1.ClientFrame{hello("x.y.z")} }, nil, edgev1.Code_CODE_TOKEN_REFUSED, 0},
		"expired": {func(s *system) []*edgev1.ClientFrame { return []*edgev1.ClientFrame{hello(s.token("u", -time.Minute))} }, nil,
			edgev1.Code_CODE_TOKEN_EXPIRED, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *system) {
				begin := time.Now()
				x := s.connect(nil)
				if c.first != nil {
					x.send(c.first(s)...)
				}
				last, code := x.end()
				if last.GetGoodbye().GetError().GetCode() != c.code || int(code) != int(c.code) {
					t.Errorf("%v, closed with %d, want %d", last, code, c.code)
				}
				if d := time.Since(begin); d != c.after {
					t.Errorf("after %v, want %v", d, c.after)
				}
			})
		})
	}
}
