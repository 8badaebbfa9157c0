package client

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Logging in takes one round trip: what waits goes out together with Hello.
func TestLoginIsPipelined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(cfg *Config) { cfg.SessionID, cfg.Agent = "session", "test/1" })
		if _, err := f.client.Follow(t.Context(), "chat.channel/a", From(&edgev1.Cursor{Epoch: 3, Offset: 7})); err != nil {
			t.Fatal(err)
		}
		sent := f.sendText(t.Context(), "hello")
		if _, err := f.client.Enqueue(chatv1.ChatService_Send_FullMethodName, &chatv1.SendRequest{Channel: "c"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p := <-f.accepted
		hello := expect[*edgev1.ClientFrame_Hello](t, p).Hello
		if hello.GetToken() != "token-a" || hello.GetSessionId() != "session" || hello.GetAgent() != "test/1" || len(hello.GetClientId()) != 22 {
			t.Errorf("Hello: %v", hello)
		}
		want := expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe.GetWants()
		if len(want) != 1 || want[0].GetTopic() != "chat.channel/a" || want[0].GetMode() != edgev1.Mode_MODE_EVENTS || want[0].GetCursor().GetOffset() != 7 {
			t.Errorf("Subscribe: %v", want)
		}
		direct, queued := expect[*edgev1.ClientFrame_Call](t, p).Call, expect[*edgev1.ClientFrame_Call](t, p).Call
		if direct.GetMethod() != "plenum.chat.v1.ChatService/Send" || direct.GetClientSeq() == 0 || direct.GetLane() != 0 {
			t.Errorf("Call: %v", direct)
		}
		if queued.GetLane() == 0 || queued.GetClientSeq() == 0 || queued.GetClientSeq() == direct.GetClientSeq() {
			t.Errorf("the outbox's Call: %v", queued)
		}
		if s := f.client.State(); s.Connected || s.Waiting != 1 {
			t.Errorf("before Welcome: %+v", s)
		}
		p.send(welcome(), replied(direct.GetId(), &chatv1.SendResponse{}))
		<-f.client.Ready()
		if err := <-sent; err != nil || !f.client.State().Connected {
			t.Errorf("after Welcome: %v, %+v", err, f.client.State())
		}
	})
}

// A server that accepts and fails at once is no reason to come back quickly; one that has served for a while is.
func TestBackoffOfShortConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		var longest time.Duration
		for range 20 {
			p := f.login(t)
			synctest.Wait()
			begun := time.Now()
			p.cut()
			f.next(t)
			longest = max(longest, time.Since(begun))
		}
		if longest < 2*backoffBase {
			t.Errorf("at most %v between 20 attempts", longest)
		}
		p := f.login(t)
		time.Sleep(backoffMost*backoffGood + time.Second)
		begun := time.Now()
		p.cut()
		f.next(t)
		if wait := time.Since(begun); wait > backoffBase {
			t.Errorf("after a steady connection: %v", wait)
		}
		for range 20 { // restarts, each after some seconds of service
			p := f.login(t)
			time.Sleep(2*backoffGood + time.Second)
			begun := time.Now()
			p.cut()
			f.next(t)
			if wait := time.Since(begun); wait > backoffBase {
				t.Errorf("after %v of service: %v", 2*backoffGood, wait)
			}
		}
		f.login(t)
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		synctest.Wait()
		f.setDown(errors.New("connection refused"))
		(<-f.accepted).cut() // the first attempt began before
		time.Sleep(20 * time.Minute)
		dials := f.attempts()
		var total, longest time.Duration
		for i := range dials[1:] {
			wait, ceiling := dials[i+1].Sub(dials[i]), min(backoffBase<<min(i, 10), backoffMax)
			if wait > ceiling {
				t.Errorf("wait %d: %v, beyond its ceiling %v", i, wait, ceiling)
			}
			total, longest = total+wait, max(longest, wait)
		}
		// Uniform between 0 and 30 s: about 80 attempts in 20 minutes.
		if len(dials) < 50 || len(dials) > 130 || longest < backoffMax/2 {
			t.Errorf("%d attempts, the longest wait %v", len(dials), longest)
		}
		if s := f.client.State(); s.Connected || s.Cause == nil || s.Retry.Before(time.Now()) {
			t.Errorf("state: %+v", s)
		}
		f.setDown(nil)
		f.login(t)
		synctest.Wait()
		if s := f.client.State(); !s.Connected || s.Cause != nil || !s.Retry.IsZero() {
			t.Errorf("state once it is back: %+v", s)
		}
	})
}

// When a gateway is lost, the next one is tried.
func TestOtherGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(cfg *Config) { cfg.Others = []string{"http://b", "http://c"} })
		for range 4 {
			f.login(t).cut()
		}
		f.login(t)
		f.mu.Lock()
		defer f.mu.Unlock()
		if want := []string{"http://edge", "http://b", "http://c", "http://edge", "http://b"}; !slices.Equal(f.servers, want) {
			t.Errorf("tried %v", f.servers)
		}
	})
}

// How a connection ends decides what follows.
func TestEndsByCode(t *testing.T) {
	for _, test := range []struct {
		code        edgev1.Code
		after       time.Duration
		min, max    time.Duration // until the next attempt
		token       string        // in the next Hello
		ends        bool          // Run returns the code
		description string
	}{
		{code: 4000, max: backoffBase, token: "token-a", description: "fault"},
		{code: 4057, after: time.Second, min: time.Second, max: time.Second + backoffBase, token: "token-a", description: "unknown, of the range to reconnect"},
		{code: edgev1.Code_CODE_DRAINING, after: 7 * time.Second, min: 7 * time.Second, max: 7*time.Second + backoffBase, token: "token-a", description: "drain"},
		{code: edgev1.Code_CODE_OVERLOADED, after: 90 * time.Second, min: 90 * time.Second, max: 90*time.Second + backoffBase, token: "token-a", description: "overload: longer than the backoff's ceiling"},
		{code: edgev1.Code_CODE_TOKEN_EXPIRED, max: backoffBase, token: "token-b", description: "token expired"},
		{code: 4299, max: backoffBase, token: "token-b", description: "unknown, of the range for tokens"},
		{code: edgev1.Code_CODE_MALFORMED, ends: true, description: "malformed"},
		{code: 4399, ends: true, description: "unknown, of the range to stop"},
		{code: edgev1.Code_CODE_SESSION_REVOKED, ends: true, description: "signed out"},
	} {
		t.Run(test.description, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, nil)
				p := f.login(t)
				p.send(goodbye(test.code, test.after))
				begun := time.Now()
				if test.ends {
					if err := <-f.ran; CodeOf(err) != test.code {
						t.Errorf("Run: %v", err)
					}
					if err := <-f.sendText(t.Context(), "too late"); CodeOf(err) != test.code {
						t.Errorf("a call after the end: %v", err)
					}
					return
				}
				next := <-f.accepted
				if wait := time.Since(begun); wait < test.min || wait > test.max {
					t.Errorf("reconnected after %v, not within %v and %v", wait, test.min, test.max)
				}
				if got := expect[*edgev1.ClientFrame_Hello](t, next).Hello.GetToken(); got != test.token {
					t.Errorf("reconnected with %s", got)
				}
			})
		})
	}
}

// A refused token is replaced once; when the next is refused, too, only signing in helps.
func TestRefusedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		for _, want := range []string{"token-a", "token-b"} {
			p := <-f.accepted
			if got := expect[*edgev1.ClientFrame_Hello](t, p).Hello.GetToken(); got != want {
				t.Errorf("Hello with %s, not %s", got, want)
			}
			p.send(goodbye(edgev1.Code_CODE_TOKEN_REFUSED, 0))
		}
		if err := <-f.ran; CodeOf(err) != edgev1.Code_CODE_TOKEN_REFUSED {
			t.Errorf("Run: %v", err)
		}
	})
}

// Refusals with a good session between them are no reason to give up.
func TestRefusedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		for range 5 {
			p := <-f.accepted
			expect[*edgev1.ClientFrame_Hello](t, p)
			p.send(goodbye(edgev1.Code_CODE_TOKEN_REFUSED, 0))
			p = f.login(t)
			time.Sleep(time.Second)
			p.cut()
		}
		f.login(t)
	})
}

// The token's source decides whether there is any use in going on.
func TestTokenSourceFails(t *testing.T) {
	for _, test := range []struct {
		code edgev1.Code
		ends bool
	}{
		{edgev1.Code_CODE_PERMISSION_DENIED, true},
		{edgev1.Code_CODE_SESSION_REVOKED, true},
		{edgev1.Code_CODE_UNAVAILABLE, false},
		{edgev1.Code_CODE_OUTCOME_UNKNOWN, false},
		{edgev1.Code_CODE_INTERNAL, false},
	} {
		t.Run(test.code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, nil)
				p := f.login(t)
				f.tokens.setFail(errorf(test.code, "", "no"))
				p.cut() // the next attempt needs a token
				if test.ends {
					if err := <-f.ran; CodeOf(err) != test.code {
						t.Errorf("Run: %v", err)
					}
					return
				}
				time.Sleep(time.Minute)
				f.tokens.setFail(nil)
				f.login(t)
			})
		})
	}
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Ping{Ping: &edgev1.Ping{Nonce: 5}}})
		if got := expect[*edgev1.ClientFrame_Pong](t, p).Pong.GetNonce(); got != 5 {
			t.Errorf("Pong %d", got)
		}
		begun := time.Now()
		ping := expect[*edgev1.ClientFrame_Ping](t, p).Ping
		if wait := time.Since(begun); wait != silence {
			t.Errorf("Ping after %v of silence", wait)
		}
		time.Sleep(pongBy - time.Millisecond)
		p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Pong{Pong: &edgev1.Pong{Nonce: ping.GetNonce()}}})
		begun = time.Now()
		expect[*edgev1.ClientFrame_Ping](t, p) // not answered: half-open
		<-p.gone
		if wait := time.Since(begun); wait != silence+pongBy {
			t.Errorf("given up after %v", wait)
		}
		f.login(t)
	})
}

// Whoever connects says for how long their person has done nothing; what they do is told once a minute at most.
func TestActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		comes := func(want time.Duration) *peer {
			t.Helper()
			p := <-f.accepted
			hello := expect[*edgev1.ClientFrame_Hello](t, p).Hello
			if hello.IdleS == nil || time.Duration(hello.GetIdleS())*time.Second != want {
				t.Errorf("Hello says that nothing was done for %d s (%t), want %v", hello.GetIdleS(), hello.IdleS != nil, want)
			}
			p.send(welcome())
			synctest.Wait()
			return p
		}
		p := comes(0)
		time.Sleep(10 * time.Second)
		p.send(goodbye(edgev1.Code_CODE_DRAINING, 5*time.Second))
		p = comes(15 * time.Second)
		f.client.Active()
		ping := expect[*edgev1.ClientFrame_Ping](t, p).Ping
		p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Pong{Pong: &edgev1.Pong{Nonce: ping.GetNonce()}}})
		for range 20 { // keys, for 20 s
			f.client.Active()
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if !ping.GetActive() || !p.idle() {
			t.Errorf("told by %v, and more: %t", ping, !p.idle())
		}
		p.send(goodbye(edgev1.Code_CODE_DRAINING, 5*time.Second))
		p = comes(6 * time.Second)
		sent := f.sendText(t.Context(), "hello")
		p.send(replied(expect[*edgev1.ClientFrame_Call](t, p).Call.GetId(), &chatv1.SendResponse{}))
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		p.send(goodbye(edgev1.Code_CODE_DRAINING, 7*time.Second))
		comes(7 * time.Second)
	})
}

// Who has done nothing for long says so, until they do something.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(cfg *Config) { cfg.Idle = time.Hour })
		p := <-f.accepted
		if idle := expect[*edgev1.ClientFrame_Hello](t, p).Hello.GetIdleS(); idle != 3600 {
			t.Errorf("Hello says that nothing was done for %d s", idle)
		}
		p.send(welcome())
		f.client.Active()
		p.send(goodbye(edgev1.Code_CODE_DRAINING, 5*time.Second))
		p = <-f.accepted
		if idle := expect[*edgev1.ClientFrame_Hello](t, p).Hello.GetIdleS(); idle != 5 {
			t.Errorf("Hello says that nothing was done for %d s", idle)
		}
	})
	for _, idle := range []time.Duration{-1, (1 << 32) * time.Second} {
		if _, err := New(Config{Server: "http://127.0.0.1", Tokens: &Account{}, Idle: idle}); err == nil {
			t.Errorf("%v passes", idle)
		}
	}
}

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		synctest.Wait()
		begun := time.Now()
		f.client.Probe()
		expect[*edgev1.ClientFrame_Ping](t, p)
		<-p.gone
		if wait := time.Since(begun); wait != pongBy {
			t.Errorf("a dead connection was given up %v after the probe", wait)
		}
		p = f.login(t)
		p.send(goodbye(edgev1.Code_CODE_DRAINING, time.Hour))
		synctest.Wait()
		begun = time.Now()
		f.client.Probe()
		f.login(t)
		if wait := time.Since(begun); wait != 0 {
			t.Errorf("a probe did not cut the wait short: %v", wait)
		}
	})
}

func TestNoWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := <-f.accepted
		begun := time.Now()
		<-p.gone
		if wait := time.Since(begun); wait != welcomeBy {
			t.Errorf("given up after %v", wait)
		}
		f.login(t)
	})
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		go func(p *peer) { // the connection stays alive
			for {
				select {
				case <-p.gone:
					return
				case <-time.After(20 * time.Second):
					p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Pong{Pong: &edgev1.Pong{}}})
				}
			}
		}(p)
		begun := time.Now()
		if got := expect[*edgev1.ClientFrame_Refresh](t, p).Refresh.GetToken(); got != "token-b" {
			t.Errorf("refreshed with %s", got)
		}
		// 10 minutes valid: due a minute before, less a spread of at most 30 s.
		if wait := time.Since(begun); wait < 510*time.Second || wait > 540*time.Second {
			t.Errorf("refreshed after %v", wait)
		}
		p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Refreshed{Refreshed: &edgev1.Refreshed{TokenTtlMs: 600_000}}})
		synctest.Wait()
		begun = time.Now()
		f.tokens.setFail(errorf(edgev1.Code_CODE_UNAVAILABLE, "", "identity is away"))
		time.Sleep(560 * time.Second)
		if n := len(f.tokens.asked()); n < 5 {
			t.Errorf("the source was asked %d times: it failed, and 60 s are left", n)
		}
		f.tokens.setFail(nil)
		if got := expect[*edgev1.ClientFrame_Refresh](t, p).Refresh.GetToken(); got != "token-c" || time.Since(begun) > 570*time.Second {
			t.Errorf("refreshed with %s after %v", got, time.Since(begun))
		}
		p.cut()
		p = <-f.accepted
		if got := expect[*edgev1.ClientFrame_Hello](t, p).Hello.GetToken(); got != "token-c" {
			t.Errorf("reconnected with %s", got)
		}
	})
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := make(chan State, 16)
		f := start(t, func(cfg *Config) { cfg.OnState = func(s State) { states <- s } })
		f.login(t).cut()
		f.login(t)
		for i, want := range []bool{true, false, true} {
			if s := <-states; s.Connected != want || s.Connected == (s.Cause != nil) || s.Connected != s.Retry.IsZero() {
				t.Errorf("state %d: %+v", i, s)
			}
		}
	})
}

func TestRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		f.login(t)
		if err := f.client.Run(context.Background()); err == nil {
			t.Error("Run can be called twice")
		}
	})
}
