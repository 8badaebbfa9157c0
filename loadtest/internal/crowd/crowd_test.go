package crowd

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/meter"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gateway welcomes everybody, lets them subscribe with Hello, counts who is there, and tells the tokens that it is shown.
func gateway(t *testing.T) (address string, there *atomic.Int32, shown <-chan string) {
	t.Helper()
	there = new(atomic.Int32)
	tokens := make(chan string, 100)
	welcome, err := proto.Marshal(&edgev1.ServerMessage{Frames: []*edgev1.ServerFrame{{Frame: &edgev1.ServerFrame_Welcome{Welcome: &edgev1.Welcome{}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"plenum.v1.proto"}})
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		there.Add(1)
		defer there.Add(-1)
		for {
			_, data, err := ws.Read(r.Context())
			var m edgev1.ClientMessage
			if err != nil || proto.Unmarshal(data, &m) != nil {
				return
			}
			switch f := m.GetFrames()[0].GetFrame().(type) {
			case *edgev1.ClientFrame_Hello:
				tokens <- f.Hello.GetToken()
				err = ws.Write(r.Context(), websocket.MessageBinary, welcome)
				for _, f := range m.GetFrames()[1:] {
					err = errors.Join(err, ws.Write(r.Context(), websocket.MessageBinary, subscribed(t, f.GetSubscribe())))
				}
			case *edgev1.ClientFrame_Refresh:
				tokens <- f.Refresh.GetToken()
			case *edgev1.ClientFrame_Unsubscribe: // breaks the connection
				return
			}
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, there, tokens
}

// subscribed is the answer to a Subscribe.
func subscribed(t *testing.T, asked *edgev1.Subscribe) []byte {
	t.Helper()
	yes := &edgev1.Subscribed{Id: asked.GetId()}
	for _, w := range asked.GetWants() {
		yes.Subscriptions = append(yes.Subscriptions, answer(w.GetTopic(), 0, 0).GetSubscriptions()...)
	}
	data, err := proto.Marshal(&edgev1.ServerMessage{Frames: []*edgev1.ServerFrame{{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: yes}}}})
	if err != nil {
		t.Error(err)
	}
	return data
}

// A member that is on its way back when the crowd leaves does not stay behind, and nobody waits for it for long.
func TestLeaveWhileConnecting(t *testing.T) {
	address, there, _ := gateway(t)
	c := New(Config{Addresses: []string{address}, Reconnect: true})
	signing, left := make(chan struct{}), make(chan struct{})
	times := 0
	c.SignIn = func(context.Context, *account.Account) error {
		if times++; times == 2 {
			close(signing)
			<-left
		}
		return nil
	}
	m := c.Add(&account.Account{})
	if err := c.ConnectAll(t.Context(), 0); err != nil || c.Connected() != 1 {
		t.Fatal(c.Connected(), err)
	}
	m.Cut()
	<-signing
	go func() {
		<-c.left
		close(left)
	}()
	done := make(chan struct{})
	go func() {
		c.Leave(nil)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Leave waits for a connection that nobody closes")
	}
	if n := c.Connected(); n != 0 {
		t.Errorf("%d are connected", n)
	}
	for begin := time.Now(); there.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("%d are still there", there.Load())
		}
	}
}

// First connections are measured as such; who comes back is not.
func TestConnectCountsFirstConnections(t *testing.T) {
	address, _, _ := gateway(t)
	c := New(Config{Addresses: []string{address}, Reconnect: true})
	m := c.Add(&account.Account{})
	if err := c.ConnectAll(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	m.Cut()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		connections := m.connections
		m.mu.Unlock()
		if connections == 2 && m.live.Load() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not come back")
		}
	}
	c.Leave(nil)
	if n := c.Connect.Total().TotalCount(); n != 1 {
		t.Errorf("%d first connections of one member", n)
	}
}

// A token that is about to end is renewed once for all of its user's connections, and shown to each gateway.
func TestTokens(t *testing.T) {
	address, _, shown := gateway(t)
	var renewed atomic.Int32
	c := New(Config{Addresses: []string{address}, Renew: func(_ context.Context, a *account.Account) error {
		renewed.Add(1)
		a.Access, a.Expires = a.Access+" again", time.Now().Add(10*time.Minute)
		return nil
	}})
	ends := &account.Account{Access: "ends", Expires: time.Now().Add(tokenReserve - time.Second)}
	lasts := &account.Account{Access: "lasts", Expires: time.Now().Add(tokenReserve + time.Hour)}
	for _, a := range []*account.Account{ends, ends, lasts} {
		c.Add(a)
	}
	if err := c.ConnectAll(t.Context(), 0); err != nil || c.Connected() != 3 {
		t.Fatal(c.Connected(), err)
	}
	for range 2 { // the second time there is nothing to do
		c.renewTokens(t.Context())
	}
	got := map[string]int{}
	for range 5 {
		got[<-shown]++
	}
	c.Leave(nil)
	if renewed.Load() != 1 || got["ends"] != 2 || got["ends again"] != 2 || got["lasts"] != 1 || len(shown) > 0 {
		t.Errorf("%d were renewed, %v were shown", renewed.Load(), got)
	}
}

// Tokens are looked after from the first connection on, until the crowd leaves.
func TestKeepTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		times := 0
		c := New(Config{Renew: func(_ context.Context, a *account.Account) error {
			times++
			a.Expires = time.Now().Add(10 * time.Minute)
			return nil
		}})
		c.Add(&account.Account{Expires: time.Now().Add(10 * time.Minute)})
		c.watch.Go(func() { c.keepTokens(t.Context()) })
		time.Sleep(time.Hour)
		c.Leave(nil)
		if times != 6 {
			t.Errorf("renewed %d times in an hour", times)
		}
	})
}

// A mutation that was sent twice is answered twice, and counts once.
func TestAnsweredTwice(t *testing.T) {
	c := New(Config{})
	m := c.Add(&account.Account{})
	s := &send{seq: 1}
	m.unacked, m.calls = []*send{s}, map[uint32]*send{1: s, 2: s}
	c.Measure()
	s.due = []time.Time{time.Now()}
	for id := range uint32(3) {
		m.replied(&edgev1.Reply{Id: id})
	}
	if n := c.Ack.Total().TotalCount(); n != 1 || c.Answered.Load() != 1 || m.Unacked() != 0 {
		t.Errorf("%d latencies, %d answers, %d open", n, c.Answered.Load(), m.Unacked())
	}
}

// What is not answered is measured as if it were by now, and a topic that was not opened is no open one.
func TestCharge(t *testing.T) {
	c := New(Config{})
	m := c.Add(&account.Account{}, &edgev1.Want{Topic: "chat.channel/a", Mode: edgev1.Mode_MODE_EVENTS})
	c.Measure()
	due := time.Now().Add(time.Millisecond)
	for range maxUnacked + 2 { // for the last two there is no room
		m.Send("a", due, 100)
	}
	if c.settled() {
		t.Error("nothing is answered, and all is settled")
	}
	c.Charge(due.Add(3 * time.Second))
	sum := meter.Summarise(c.Ack.Total())
	if sum.Count != maxUnacked+2 || sum.P50 < 2_900_000 {
		t.Errorf("%+v", sum)
	}
	if n := c.NotOpen(); n != 1 {
		t.Errorf("%d topics are not open, want 1", n)
	}
}
