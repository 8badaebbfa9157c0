package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/gateway/internal/testsvc/testv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// unfinished begins a message of so many bytes, and leaves it at that. It waits for what the gateway takes of it.
func (c *client) unfinished(size int) {
	go func() {
		w, err := c.ws.Writer(c.s.t.Context(), websocket.MessageBinary)
		if err == nil {
			_, _ = w.Write(bytes.Repeat([]byte{0}, size)) // the gateway may close
		}
	}()
	synctest.Wait()
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Who has not said who they are is listened to for 64 KiB; what belongs to a log-in and is longer comes right behind.
func TestFirstMessage(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.connect(nil)
		c.unfinished(64<<10 + 8<<10)
		last, code := c.end()
		if e := last.GetGoodbye().GetError(); e.GetReason() != "edge.FIRST_MESSAGE" || int(code) != int(edgev1.Code_CODE_MESSAGE_TOO_LARGE) {
			t.Errorf("%v, closed with %d", last, code)
		}
		c = s.connect(nil)
		defer c.close()
		c.send(hello(s.token("u", time.Minute)))
		c.send(ask(1, "None", &testv1.EchoRequest{Text: string(bytes.Repeat([]byte{'x'}, 1<<20))}), ask(2, "Echo", nil))
		if e := c.reply(2, nil); e != nil {
			t.Error(e)
		}
	})
}

// However many begin long messages and leave it at that: what is held stays within its bounds, for strangers, for one user and in all,
// and others go on.
func TestUnfinishedMessages(t *testing.T) {
	const total = 80 << 20
	const margin = 8 << 20 // what so many connections take by themselves, at both ends
	inBubble(t, func(c *Config) { c.IntakeBytes = total }, func(t *testing.T, s *system) {
		shares := s.g.cfg.intake()
		var all []*client
		flood := func(n int, signIn func(i int) *client, size, bound int) {
			before, held, closed := heap(), s.g.intake.Held(), s.metric("intake_full_total")
			for i := range n {
				c := signIn(i)
				c.unfinished(size)
				all = append(all, c)
			}
			now := s.g.intake.Held() - held
			if now > bound || now < bound/2 {
				t.Errorf("%d of %d bytes are counted", now, bound)
			}
			if refused := s.metric("intake_full_total") - closed; refused == 0 {
				t.Error("nobody was refused")
			}
			if grown := heap() - before; grown > bound+margin {
				t.Errorf("the heap has grown by %d bytes, %d are admitted", grown, bound)
			}
		}
		flood(150, func(int) *client { return s.connect(nil) }, 60<<10, shares.Address)
		long := int(s.g.cfg.Limits.MessageBytes) - 1
		flood(6, func(int) *client { return s.signIn("one") }, long, shares.User)
		last, code := all[len(all)-1].end()
		if e := last.GetGoodbye().GetError(); e.GetReason() != "edge.INTAKE" || e.GetRetryAfterMs() == 0 || int(code) != int(edgev1.Code_CODE_OVERLOADED) {
			t.Errorf("%v, closed with %d", last, code)
		}
		flood(90, func(i int) *client { return s.signIn(fmt.Sprint("u", i)) }, long, total-s.g.intake.Held())

		other := s.signIn("other", ask(1, "Echo", &testv1.EchoRequest{Text: "what is short goes through"}))
		if e := other.reply(1, nil); e != nil {
			t.Error(e)
		}
		time.Sleep(silence)
		synctest.Wait()
		if n := s.g.intake.Held(); n != 0 {
			t.Errorf("%d bytes are held for connections that ended", n)
		}
		for _, c := range append(all, other) {
			_ = c.ws.CloseNow()
		}
	})
}

// Calls count until they are answered, those that wait behind others as well; what a session leaves behind is given back.
func TestHeldCalls(t *testing.T) {
	inBubble(t, func(c *Config) { c.IntakeBytes = userShare * 2 * int(c.Limits.MessageBytes) }, func(t *testing.T, s *system) {
		const calls, size = 60, 3500 // so that the messages go through
		slow := func(id, lane uint32) *edgev1.ClientFrame {
			return inLane(ask(id, "Echo", &testv1.EchoRequest{WaitMs: 4000, Text: string(bytes.Repeat([]byte{'x'}, size))}), lane, 0)
		}
		room := s.g.cfg.intake().User
		var clients []*client
		id := uint32(0)
		for ; room >= 0; room -= len(slow(1, 1).GetCall().GetBody()) {
			if id %= calls; id == 0 {
				synctest.Wait() // the last call is to be the last that is taken in
				clients = append(clients, s.signIn("u"))
			}
			id++
			clients[len(clients)-1].send(slow(id, id%2+1))
		}
		synctest.Wait()
		held := s.g.intake.Held()
		if held > s.g.cfg.intake().User || held < s.g.cfg.intake().User-2*size {
			t.Errorf("%d bytes are held", held)
		}
		last := clients[len(clients)-1]
		if e := last.reply(id, nil); e.GetCode() != edgev1.Code_CODE_UNAVAILABLE || e.GetReason() != "edge.INTAKE" || e.GetRetryAfterMs() == 0 {
			t.Errorf("the last: %v", e)
		}
		res, data := s.call("u", &testv1.EchoRequest{Text: string(bytes.Repeat([]byte{'x'}, 60<<10))})
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("over HTTP: %s %.100s", res.Status, data)
		}
		for _, c := range clients {
			_ = c.ws.CloseNow()
		}
		synctest.Wait()
		if now := s.g.intake.Held(); now >= held {
			t.Errorf("%d bytes are held for those who wait and are gone", now)
		}
		time.Sleep(5 * time.Second) // those that ran
		synctest.Wait()
		if n := s.g.intake.Held(); n != 0 {
			t.Errorf("%d bytes are held for nobody", n)
		}
		if res, data := s.call("u", &testv1.EchoRequest{Text: string(bytes.Repeat([]byte{'x'}, 60<<10))}); res.StatusCode != http.StatusOK {
			t.Errorf("over HTTP: %s %.100s", res.Status, data)
		}
	})
}

// call calls Echo over HTTP.
func (s *system) call(user string, q *testv1.EchoRequest) (response, []byte) {
	body, err := proto.Marshal(q)
	s.must(err)
	return s.request("POST", "/plenum.test.v1.TestService/Echo", string(body), "Content-Type", "application/proto", "Authorization", "Bearer "+s.token(user, time.Minute))
}

// A body that was announced and does not come takes room only for what has come.
func TestUnfinishedBody(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		conn, err := s.dial(t.Context(), "", "")
		s.must(err)
		_, err = io.WriteString(conn, "POST /plenum.test.v1.TestService/Hello HTTP/1.1\r\nHost: plenum.test\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n")
		s.must(err)
		_, err = conn.Write(bytes.Repeat([]byte{' '}, 20_000))
		s.must(err)
		synctest.Wait()
		if n := s.g.intake.Held(); n < 16<<10 || n > 64<<10 {
			t.Errorf("%d bytes are held", n)
		}
		begin := time.Now()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		s.must(err)
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		s.must(err)
		synctest.Wait()
		if d := time.Since(begin); d > requestTime || s.g.intake.Held() != 0 {
			t.Errorf("after %v %d bytes are held", d, s.g.intake.Held())
		}
		_ = conn.Close()
	})
}

// Who floods gets a slow connection, and nobody else; what is asked of the service in the usual measure is never slowed.
func TestFloodIsSlowed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c, other := s.signIn("u"), s.signIn("other")
		const messages, frames = 300, 64
		pings := make([]*edgev1.ClientFrame, frames)
		for i := range pings {
			pings[i] = &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: uint32(i)}}}
		}
		begin := time.Now()
		go func() {
			for range messages {
				c.send(pings...)
			}
		}()
		for range messages * frames {
			if f := c.next(); f.GetPong() == nil {
				t.Fatalf("%v", f)
			}
		}
		if d := time.Since(begin); d < 10*time.Second || d > 30*time.Second {
			t.Errorf("%d frames took %v", messages*frames, d)
		}
		begin = time.Now()
		other.send(pings...)
		for range frames {
			other.next()
		}
		if d := time.Since(begin); d > 0 {
			t.Errorf("the other waited for %v", d)
		}
		begin = time.Now()
		go func() {
			for range 200 {
				other.send(refresh(s.token("other", 10*time.Minute)))
			}
		}()
		for range 200 {
			other.next()
		}
		if d := time.Since(begin); d < 2*time.Second {
			t.Errorf("200 signatures were verified in %v", d)
		}
		c.close()
		other.close()
	})
}

// What names more topics than anybody may follow ends the connection before it is looked at; what is wanted counts until it is opened.
func TestTooManyNames(t *testing.T) {
	names := make([]string, maxNames+1)
	wants := make([]*edgev1.Want, maxAnswered)
	for i := range wants {
		wants[i] = &edgev1.Want{}
	}
	var many []*edgev1.ClientFrame
	for range maxNames/maxAnswered + 1 {
		many = append(many, subscribe(1, wants...))
	}
	inBubble(t, nil, func(t *testing.T, s *system) {
		for _, frames := range [][]*edgev1.ClientFrame{
			many, {{Frame: &edgev1.ClientFrame_Unsubscribe{Unsubscribe: &edgev1.Unsubscribe{Topics: names}}}},
		} {
			c := s.signIn("u")
			c.send(frames...)
			if last, code := c.end(); int(code) != int(edgev1.Code_CODE_MALFORMED) {
				t.Errorf("closed with %d: %v", code, last)
			}
		}
	})
	inBubble(t, func(c *Config) { c.IntakeBytes = userShare * 2 * int(c.Limits.MessageBytes) }, func(t *testing.T, s *system) {
		s.svc.Set(func(s *testsvc.Service) { s.Lag = 5 * time.Second })
		var clients []*client
		for range 4 {
			c := s.signIn("u", append([]*edgev1.ClientFrame{subscribe(1, events(room))}, many[:5]...)...)
			clients = append(clients, c)
		}
		synctest.Wait()
		if n := s.g.intake.Held(); n > s.g.cfg.intake().User || s.metric("intake_full_total") == 0 {
			t.Errorf("%d bytes are held", n)
		}
		for _, c := range clients {
			_ = c.ws.CloseNow()
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := s.g.intake.Held(); n != 0 {
			t.Errorf("%d bytes are held for nobody", n)
		}
	})
}
