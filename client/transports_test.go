package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// over runs a test over each transport: what is promised doesn't depend on it.
func over(t *testing.T, run func(t *testing.T, h *hall, dial Dialer)) {
	t.Helper()
	for name, dialer := range map[string]func(*http.Client) Dialer{"websocket": DialWebSocket, "sse": DialEvents, "poll": DialPolls} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t)
				run(t, h, dialer(h.client()))
			})
		})
	}
}

// visitor runs a client at the hall until the test ends.
func visitor(t *testing.T, dial Dialer, change func(*Config)) (*Client, *tokens) {
	t.Helper()
	source := &tokens{}
	cfg := Config{Server: "http://hall", Tokens: source, Dial: dial}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	watchdog := time.AfterFunc(1000*time.Hour, func() { panic("the test waits for ever") })
	t.Cleanup(func() { cancel(); running.Wait(); watchdog.Stop() })
	return c, source
}

// gathered returns the offsets of all events up to the last, and fails where they are not each once, in order.
func gathered(t *testing.T, c *Client, topic string, last uint64) {
	t.Helper()
	sub, err := c.Follow(t.Context(), topic, From(&edgev1.Cursor{Epoch: 1}))
	if err != nil {
		t.Error(err)
		return
	}
	want := uint64(1)
	for want <= last {
		u, err := sub.Next(t.Context())
		if err != nil || u.Reset != nil {
			t.Errorf("%s after %d: %v, %v", topic, want-1, u.Reset, err)
			return
		}
		for _, e := range u.Events {
			if e.GetOffset() != want {
				t.Errorf("%s: %d instead of %d", topic, e.GetOffset(), want)
				return
			}
			want++
		}
	}
}

// Whatever is cut and refused: every event comes once, in order, and every mutation takes place once, in order.
func TestNothingLostOverAnyTransport(t *testing.T) {
	over(t, func(t *testing.T, h *hall, dial Dialer) {
		const events, mutations = 300, 60
		h.budget = random(7, 6000)
		tries := 0
		h.answer = func(_ *edgev1.Call, _ string) edgev1.Code {
			if tries++; tries%5 == 0 {
				return edgev1.Code_CODE_UNAVAILABLE
			}
			return 0
		}
		c, _ := visitor(t, dial, nil)
		var tasks sync.WaitGroup
		for _, topic := range []string{"chat.channel/a", "chat.channel/b"} {
			tasks.Go(func() { gathered(t, c, topic, events) })
		}
		tasks.Go(func() {
			for range events {
				h.set(func() { h.heads["chat.channel/a"]++; h.heads["chat.channel/b"]++ })
				time.Sleep(150 * time.Millisecond)
			}
			h.set(func() { h.budget = nil })
		})
		var want []string
		for i := range mutations {
			text := fmt.Sprint(i)
			p, err := c.Enqueue(chatv1.ChatService_Send_FullMethodName, &chatv1.SendRequest{Channel: "a", Text: text})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, text)
			tasks.Go(func() {
				if err := p.Wait(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(300 * time.Millisecond)
			if i == mutations/2 {
				h.cut()
			}
		}
		tasks.Wait()
		h.get(func() {
			if !slices.Equal(h.done, want) {
				t.Errorf("took place: %v", h.done)
			}
		})
	})
}

// The token is replaced in mid-session, before it ends.
func TestRefreshOverAnyTransport(t *testing.T) {
	over(t, func(t *testing.T, h *hall, dial Dialer) {
		states := make(chan State, 16)
		c, source := visitor(t, dial, func(cfg *Config) { cfg.OnState = func(s State) { states <- s } })
		sub, err := c.Follow(t.Context(), topicA)
		if err != nil {
			t.Fatal(err)
		}
		<-c.Ready()
		time.Sleep(20 * time.Minute)
		if n := len(source.asked()); n < 3 || n > 4 { // at the beginning, and every 9 minutes
			t.Errorf("the source was asked %d times", n)
		}
		h.get(func() {
			if h.tokens["token-b"] == 0 || h.tokens["token-c"] == 0 {
				t.Errorf("tokens: %v", h.tokens)
			}
		})
		h.set(func() { h.heads[topicA]++ })
		if got := take(t, sub, 1); got[0] != 1 {
			t.Errorf("got %v", got)
		}
		if len(states) != 1 {
			t.Errorf("the state changed %d times: %+v", len(states), <-states)
		}
	})
}

func TestResetAndStopOverAnyTransport(t *testing.T) {
	over(t, func(t *testing.T, h *hall, dial Dialer) {
		c, _ := visitor(t, dial, nil)
		sub, err := c.Follow(t.Context(), topicA)
		if err != nil {
			t.Fatal(err)
		}
		other, err := c.Follow(t.Context(), "chat.channel/b")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		h.set(func() { h.heads[topicA] = 2 })
		take(t, sub, 2)
		h.set(func() { h.heads[topicA], h.stopping[topicA] = 5, edgev1.Code_CODE_LAGGED })
		if got := take(t, sub, 3); !slices.Equal(got, []uint64{3, 4, 5}) {
			t.Errorf("after it lagged: %v", got)
		}
		h.set(func() {
			h.stopping[topicA], h.stopping["chat.channel/b"], h.epoch = edgev1.Code_CODE_RESET_EPOCH, edgev1.Code_CODE_RESET_EPOCH, 2
		})
		u, err := sub.Next(t.Context())
		if err != nil || u.Reset == nil {
			t.Fatalf("%+v, %v", u, err)
		}
		if err := sub.Resume(t.Context(), &edgev1.Cursor{Epoch: 2, Offset: 5}); err != nil {
			t.Fatal(err)
		}
		h.set(func() { h.heads[topicA] = 6 })
		if got := take(t, sub, 1); got[0] != 6 {
			t.Errorf("after the reset: %v", got)
		}
		if u, err := other.Next(t.Context()); err != nil || u.Reset == nil { // its epoch is another one, too
			t.Errorf("the other one: %+v, %v", u, err)
		}
		h.set(func() { h.stopping[topicA] = edgev1.Code_CODE_REVOKED })
		if _, err := sub.Next(t.Context()); CodeOf(err) != edgev1.Code_CODE_REVOKED {
			t.Errorf("after it was revoked: %v", err)
		}
		other.Close()
		time.Sleep(5 * time.Second)
		h.set(func() { h.refuse["chat.channel/x"] = edgev1.Code_CODE_NOT_FOUND })
		refused, err := c.Follow(t.Context(), "chat.channel/x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := refused.Next(t.Context()); CodeOf(err) != edgev1.Code_CODE_NOT_FOUND {
			t.Errorf("what is refused: %v", err)
		}
	})
}

// Signals get there, the latest of a key at last.
func TestSignalsOverAnyTransport(t *testing.T) {
	over(t, func(t *testing.T, h *hall, dial Dialer) {
		c, _ := visitor(t, dial, nil)
		sub, err := c.Follow(t.Context(), topicA)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for i := range 5 {
			if err := sub.Signal(t.Context(), "typing", []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		h.get(func() {
			if n := len(h.heard); n == 0 || h.heard[n-1].GetBody()[0] != 4 || h.heard[n-1].GetTopic() != topicA {
				t.Errorf("heard %v", h.heard)
			}
		})
	})
}

// Who is told to go comes back when it was told to; who is signed out doesn't.
func TestGoodbyeOverAnyTransport(t *testing.T) {
	over(t, func(t *testing.T, h *hall, dial Dialer) {
		states := make(chan State, 16)
		c, _ := visitor(t, dial, func(cfg *Config) { cfg.OnState = func(s State) { states <- s } })
		if _, err := c.Follow(t.Context(), topicA); err != nil {
			t.Fatal(err)
		}
		<-states
		h.set(func() { h.leave = &edgev1.Error{Code: edgev1.Code_CODE_DRAINING, RetryAfterMs: 3000} })
		begun := time.Now()
		if s := <-states; s.Connected || CodeOf(s.Cause) != edgev1.Code_CODE_DRAINING {
			t.Errorf("state: %+v", s)
		}
		h.set(func() { h.leave = nil })
		if s := <-states; !s.Connected || time.Since(begun) < 3*time.Second || time.Since(begun) > 4*time.Second {
			t.Errorf("after %v: %+v", time.Since(begun), s)
		}
		h.set(func() { h.leave = &edgev1.Error{Code: edgev1.Code_CODE_SESSION_REVOKED} })
		if s := <-states; CodeOf(s.Cause) != edgev1.Code_CODE_SESSION_REVOKED {
			t.Errorf("state: %+v", s)
		}
	})
}

// An application that takes nothing loses nothing by it.
func TestSlowApplicationOverAnyTransport(t *testing.T) {
	over(t, func(t *testing.T, h *hall, dial Dialer) {
		const events = 120_000 // more than waits for Next
		c, _ := visitor(t, dial, nil)
		sub, err := c.Follow(t.Context(), topicA, From(&edgev1.Cursor{Epoch: 1}))
		if err != nil {
			t.Fatal(err)
		}
		for range events / 4000 {
			h.set(func() { h.heads[topicA] += 4000 })
			time.Sleep(100 * time.Millisecond)
		}
		want := uint64(1)
		for want <= events {
			u, err := sub.Next(t.Context())
			if err != nil || u.Reset != nil {
				t.Fatalf("%v, %v", u.Reset, err)
			}
			for _, e := range u.Events {
				if e.GetOffset() != want {
					t.Fatalf("%d instead of %d", e.GetOffset(), want)
				}
				want++
			}
		}
	})
}

// A connection that is open and dead is noticed, by silence or by a Probe; one that is only quiet is left alone.
func TestHalfOpenOverAnyTransport(t *testing.T) {
	over(t, func(t *testing.T, h *hall, dial Dialer) {
		states := make(chan State, 16)
		c, _ := visitor(t, dial, func(cfg *Config) { cfg.OnState = func(s State) { states <- s } })
		if _, err := c.Follow(t.Context(), topicA); err != nil {
			t.Fatal(err)
		}
		<-states
		time.Sleep(5 * time.Minute)
		c.Probe()
		time.Sleep(time.Minute)
		if len(states) > 0 {
			t.Fatalf("given up without need: %+v", <-states)
		}
		h.set(func() { h.mute = true })
		begun := time.Now()
		if s := <-states; s.Connected || time.Since(begun) > silence+pongBy+time.Second {
			t.Errorf("after %v: %+v", time.Since(begun), s)
		}
		h.set(func() { h.mute = false })
		if s := <-states; !s.Connected {
			t.Errorf("state: %+v", s)
		}
		time.Sleep(time.Second)
		h.set(func() { h.mute = true })
		begun = time.Now()
		c.Probe()
		if s := <-states; s.Connected || time.Since(begun) != pongBy {
			t.Errorf("after a probe, %v: %+v", time.Since(begun), s)
		}
	})
}

// Calls of one lane take place in their order, over as many polls as it takes; the others don't wait for each other.
func TestLanesOverAnyTransport(t *testing.T) {
	over(t, func(t *testing.T, h *hall, dial Dialer) {
		c, _ := visitor(t, dial, nil)
		<-c.Ready()
		var tasks sync.WaitGroup
		var want []string
		for i := range 20 {
			text := fmt.Sprint(i)
			want = append(want, text)
			body, err := encode(&chatv1.SendRequest{Text: text})
			if err != nil {
				t.Fatal(err)
			}
			tasks.Go(func() {
				if _, err := c.Call(t.Context(), Call{Method: chatv1.ChatService_Send_FullMethodName, Body: body, Seq: uint64(i + 1), Lane: 2}); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(time.Millisecond)
		}
		tasks.Wait()
		h.get(func() {
			if !slices.Equal(h.done, want) {
				t.Errorf("took place: %v", h.done)
			}
		})
		h.set(func() { h.answer = func(*edgev1.Call, string) edgev1.Code { return edgev1.Code_CODE_RATE_LIMITED } })
		body, _ := encode(&chatv1.SendRequest{Text: "x"})
		if _, err := c.Call(t.Context(), Call{Method: chatv1.ChatService_Send_FullMethodName, Body: body, Seq: 99, Lane: 2}); CodeOf(err) != edgev1.Code_CODE_RATE_LIMITED {
			t.Errorf("beyond the rate: %v", err)
		}
		h.set(func() { h.answer = nil })
		if _, err := c.Call(t.Context(), Call{Method: chatv1.ChatService_Send_FullMethodName, Body: body, Seq: 100, Lane: 2}); CodeOf(err) != edgev1.Code_CODE_UNAVAILABLE {
			t.Errorf("behind what is to be repeated: %v", err)
		}
		if _, err := c.Call(t.Context(), Call{Method: chatv1.ChatService_Send_FullMethodName, Body: body, Seq: 99, Lane: 2}); err != nil {
			t.Errorf("repeated: %v", err)
		}
	})
}
