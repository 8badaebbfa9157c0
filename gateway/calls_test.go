package gateway

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/limit"
	"plenum.internal/gateway/internal/testsvc/testv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestRefusedCalls(t *testing.T) {
	large := &testv1.PostRequest{Room: "a", Text: strings.Repeat("x", 5000)}
	broken := ask(1, "Post", nil)
	broken.GetCall().Body = []byte{0x0a, 0xff}
	noNumber := inLane(ask(1, "Post", &testv1.PostRequest{Room: "a"}), 0, 1<<53)
	cases := map[string]struct {
		frame  *edgev1.ClientFrame
		code   edgev1.Code
		reason string
	}{
		"unknown method":     {ask(1, "Nothing", nil), edgev1.Code_CODE_NOT_FOUND, "edge.METHOD"},
		"not exposed":        {ask(1, "Hidden", nil), edgev1.Code_CODE_NOT_FOUND, "edge.METHOD"},
		"internal service":   {&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: &edgev1.Call{Id: 1, Method: "plenum.topic.v1.TopicService/Tail"}}}, edgev1.Code_CODE_NOT_FOUND, "edge.METHOD"},
		"too large":          {ask(1, "Post", large), edgev1.Code_CODE_BODY_TOO_LARGE, "edge.BODY_TOO_LARGE"},
		"no wire format":     {broken, edgev1.Code_CODE_INVALID_ARGUMENT, "edge.BODY"},
		"no number":          {noNumber, edgev1.Code_CODE_INVALID_ARGUMENT, "edge.CLIENT_SEQ"},
		"the service's":      {ask(1, "Echo", &testv1.EchoRequest{Code: 103}), edgev1.Code_CODE_FAILED_PRECONDITION, "test.ASKED"},
		"a close code of it": {ask(1, "Echo", &testv1.EchoRequest{Code: 4400}), edgev1.Code_CODE_TOKEN_STALE, "edge.TOKEN_STALE"},
		"without a key":      {ask(1, "Post", &testv1.PostRequest{Room: "a"}), edgev1.Code_CODE_INVALID_ARGUMENT, "test.KEY_MISSING"},
	}
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.signIn("u")
		defer c.close()
		for name, x := range cases {
			c.send(x.frame)
			if e := c.reply(1, nil); e.GetCode() != x.code || e.GetReason() != x.reason {
				t.Errorf("%s: %v", name, e)
			}
		}
		c.send(ask(2, "Echo", &testv1.EchoRequest{Text: "still here"}))
		if e := c.reply(2, nil); e != nil {
			t.Errorf("the connection should have survived: %v", e)
		}
	})
}

// A retry with the same number gets the first answer, over another connection too.
func TestMutationsCarryTheirNumber(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		var first, second testv1.PostResponse
		post := inLane(ask(1, "Post", &testv1.PostRequest{Room: "a", Text: "x"}), 1, 5)
		for i, into := range []*testv1.PostResponse{&first, &second} {
			c := s.signIn("u", post)
			if e := c.reply(1, into); e != nil {
				t.Fatalf("%d: %v", i, e)
			}
			c.close()
		}
		if first.GetOffset() != 1 || second.GetOffset() != 1 {
			t.Errorf("offsets %d and %d", first.GetOffset(), second.GetOffset())
		}
	})
}

// A lane's calls run one after the other; one that failed for a while holds the later ones back until it returns.
func TestLaneKeepsOrder(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.signIn("u")
		defer c.close()
		echo := func(id, code uint32, seq uint64) *edgev1.ClientFrame {
			return inLane(ask(id, "Echo", &testv1.EchoRequest{WaitMs: 100, Code: code}), 3, seq)
		}
		c.send(echo(1, 0, 1), echo(2, 203, 2), echo(3, 0, 3), ask(4, "Echo", &testv1.EchoRequest{}))
		begin := time.Now()
		var order []uint32
		codes := map[uint32]edgev1.Code{}
		for len(order) < 4 {
			r := c.next().GetReply()
			order = append(order, r.GetId())
			codes[r.GetId()] = r.GetError().GetCode()
		}
		if order[0] != 4 || order[1] != 1 || order[2] != 2 || order[3] != 3 || codes[2] != 203 || codes[3] != 200 {
			t.Errorf("order %v, codes %v", order, codes)
		}
		if d := time.Since(begin); d != 200*time.Millisecond {
			t.Errorf("took %v", d)
		}
		c.send(echo(5, 0, 3))
		if e := c.reply(5, nil); e.GetCode() != 200 {
			t.Errorf("3 overtook 2: %v", e)
		}
		c.send(echo(6, 0, 2), echo(7, 0, 3))
		if e6, e7 := c.reply(6, nil), c.reply(7, nil); e6 != nil || e7 != nil {
			t.Errorf("2 returned: %v %v", e6, e7)
		}
		// A service that doesn't take the token, since its clock is wrong perhaps, is asked again by the client with a new one.
		c.send(echo(8, uint32(edgev1.Code_CODE_TOKEN_REFUSED), 4), echo(9, 0, 5))
		if e8, e9 := c.reply(8, nil), c.reply(9, nil); e8.GetCode() != edgev1.Code_CODE_TOKEN_STALE || e9.GetCode() != edgev1.Code_CODE_UNAVAILABLE {
			t.Errorf("5 overtook 4: %v %v", e8, e9)
		}
	})
}

// 32 execute, 64 are held, the 65th is told so, and the gateway reads on when one ends.
func TestTooManyCalls(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.signIn("u")
		defer c.close()
		var frames []*edgev1.ClientFrame
		for id := range uint32(64) {
			frames = append(frames, ask(id+1, "Echo", &testv1.EchoRequest{WaitMs: 1000}))
		}
		c.send(frames[:60]...)
		c.send(append(frames[60:], ask(65, "Echo", nil))...)
		if r := c.next().GetReply(); r.GetId() != 65 || r.GetError().GetCode() != edgev1.Code_CODE_TOO_MANY_CALLS {
			t.Fatalf("the 65th: %v", r)
		}
		begin := time.Now()
		c.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: 9}}})
		replies := 0
		for {
			f := c.next()
			if f.GetPong() != nil {
				break
			}
			replies++
		}
		if time.Since(begin) != time.Second || replies == 0 {
			t.Errorf("read on after %v and %d replies", time.Since(begin), replies)
		}
		for ; replies < 64; replies++ {
			if e := c.next().GetReply().GetError(); e != nil {
				t.Fatal(e)
			}
		}
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("64 calls of a second took %v, 32 at a time", d)
		}
	})
}

func TestCancelAndTimeout(t *testing.T) {
	inBubble(t, func(c *Config) { c.Limits.Calls = 1 }, func(t *testing.T, s *system) {
		c := s.signIn("u")
		defer c.close()
		cancel := func(id uint32) *edgev1.ClientFrame {
			return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Cancel{Cancel: &edgev1.Cancel{Id: id}}}
		}
		c.send(ask(1, "Echo", &testv1.EchoRequest{WaitMs: 4000}), ask(2, "Echo", nil))
		c.send(cancel(2))
		if e := c.reply(2, nil); e.GetReason() != "edge.CANCELLED" || e.GetCode() != 200 {
			t.Errorf("one that waits: %v", e)
		}
		c.send(cancel(1), cancel(77))
		if e := c.reply(1, nil); e.GetCode() != edgev1.Code_CODE_OUTCOME_UNKNOWN {
			t.Errorf("one that runs: %v", e)
		}
		slow := inLane(ask(3, "Echo", &testv1.EchoRequest{WaitMs: 4000}), 0, 1)
		slow.GetCall().TimeoutMs = 300
		begin := time.Now()
		c.send(slow)
		if e := c.reply(3, nil); e.GetCode() != edgev1.Code_CODE_OUTCOME_UNKNOWN || time.Since(begin) > time.Second {
			t.Errorf("after %v: %v", time.Since(begin), e)
		}
	})
}

func TestRatesByClass(t *testing.T) {
	inBubble(t, func(c *Config) { c.Write = limit.Rate{PerSecond: 1, Burst: 2} }, func(t *testing.T, s *system) {
		c := s.signIn("u")
		defer c.close()
		post := func(id uint32) *edgev1.Error {
			c.send(inLane(ask(id, "Post", &testv1.PostRequest{Room: "a"}), 1, uint64(id)))
			return c.reply(id, nil)
		}
		if e1, e2 := post(1), post(2); e1 != nil || e2 != nil {
			t.Fatal(e1, e2)
		}
		e := post(3)
		if e.GetCode() != edgev1.Code_CODE_RATE_LIMITED || e.GetRetryAfterMs() == 0 || e.GetRetryAfterMs() > 1000 {
			t.Fatalf("the third: %v", e)
		}
		c.send(ask(9, "Echo", nil))
		if e := c.reply(9, nil); e != nil {
			t.Errorf("another class: %v", e)
		}
		for id := range uint32(5) { // what waits for 3 on its lane takes no token from it
			if e := post(20 + id); e.GetCode() != edgev1.Code_CODE_UNAVAILABLE || e.GetRetryAfterMs() == 0 {
				t.Errorf("behind the third: %v", e)
			}
		}
		time.Sleep(time.Duration(e.GetRetryAfterMs()+1) * time.Millisecond)
		if e := post(3); e != nil {
			t.Errorf("after the wait: %v", e)
		}
	})
}

// A message that is too long, or can't be read, ends the connection with its number; memory stays bounded.
func TestUnreadableMessages(t *testing.T) {
	many := make([]*edgev1.ClientFrame, 65)
	for i := range many {
		many[i] = ask(uint32(i), "Echo", nil)
	}
	lots, _ := proto.Marshal(&edgev1.ClientMessage{Frames: many})
	for name, x := range map[string]struct {
		data []byte
		code edgev1.Code
	}{
		"too long":        {bytes.Repeat([]byte{0}, 1<<20+64<<10+1), edgev1.Code_CODE_MESSAGE_TOO_LARGE},
		"no wire format":  {[]byte{0xff, 0xff}, edgev1.Code_CODE_MALFORMED},
		"too many frames": {lots, edgev1.Code_CODE_MALFORMED},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *system) {
				c := s.signIn("u")
				go func() { _ = c.ws.Write(t.Context(), 2, x.data) }() // the rest of it may not be read
				if _, code := c.end(); int(code) != int(x.code) {
					t.Errorf("closed with %d", code)
				}
			})
		})
	}
}

// Long messages are decoded a few at a time; those of usual length don't wait for them.
func TestLongMessagesWait(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		for range cap(s.g.decoding) {
			s.g.decoding <- struct{}{}
		}
		a, b := s.signIn("a"), s.signIn("b")
		defer b.close()
		defer a.close()
		ping := func(nonce uint32) *edgev1.ClientFrame {
			return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: nonce}}}
		}
		a.send(ping(1), ask(1, "None", &testv1.EchoRequest{Text: strings.Repeat("x", longBytes)}))
		b.send(ping(2))
		if f := b.next(); f.GetPong().GetNonce() != 2 {
			t.Errorf("%v", f)
		}
		begin := time.Now()
		time.AfterFunc(time.Second, func() { <-s.g.decoding })
		if f := a.next(); f.GetPong().GetNonce() != 1 || time.Since(begin) < time.Second {
			t.Errorf("after %v: %v", time.Since(begin), f)
		}
	})
}

// flaky are services whose connection was closed under the first call of each method, as that to a frozen node is.
type flaky struct {
	Services
	mu    sync.Mutex // guards tries
	tries map[string]int
}

func (f *flaky) Conn(service, key string) (grpc.ClientConnInterface, error) {
	cc, err := f.Services.Conn(service, key)
	return breaking{cc, f}, err
}

type breaking struct {
	grpc.ClientConnInterface
	*flaky
}

func (b breaking) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	b.mu.Lock()
	b.tries[method]++
	first := b.tries[method] == 1
	b.mu.Unlock()
	err := b.ClientConnInterface.Invoke(ctx, method, in, out, opts...)
	if first {
		return status.Error(codes.Canceled, "grpc: the client connection is closing") //nolint:wrapcheck // as gRPC says it
	}
	return err //nolint:wrapcheck // the connection's
}

// What may be repeated is, and takes place once; of the rest nobody knows, and the client is told so.
func TestCallsWhoseNodeWasLost(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		f := &flaky{Services: s.g.deps.Services, tries: map[string]int{}}
		s.g.deps.Services = f
		c := s.signIn("u")
		defer c.close()
		var posted testv1.PostResponse
		c.send(inLane(ask(1, "Post", &testv1.PostRequest{Room: "a", Text: "x"}), 1, 7))
		if e := c.reply(1, &posted); e != nil || posted.GetOffset() != 1 {
			t.Errorf("a change with a number: %v %v", e, &posted)
		}
		c.send(inLane(ask(2, "Post", &testv1.PostRequest{Room: "a", Text: "y"}), 1, 8))
		if e := c.reply(2, &posted); e != nil || posted.GetOffset() != 2 {
			t.Errorf("the next one: %v %v", e, &posted)
		}
		c.send(ask(3, "Echo", nil))
		if e := c.reply(3, nil); e != nil {
			t.Errorf("a read: %v", e)
		}
		c.send(ask(4, "Hello", nil))
		if e := c.reply(4, nil); e.GetCode() != edgev1.Code_CODE_OUTCOME_UNKNOWN {
			t.Errorf("what may not be repeated: %v", e)
		}
		const service = "/plenum.test.v1.TestService/"
		if f.tries[service+"Post"] != 3 || f.tries[service+"Echo"] != 2 || f.tries[service+"Hello"] != 1 {
			t.Errorf("%v", f.tries)
		}
	})
}
