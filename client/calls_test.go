package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// A mutation keeps its number over lost connections and refusals for a while, so that it takes place once.
func TestMutationIsRepeatedWithItsNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sent := f.sendText(t.Context(), "hello")
		first := expect[*edgev1.ClientFrame_Call](t, p).Call
		p.cut()
		p = f.login(t)
		second := expect[*edgev1.ClientFrame_Call](t, p).Call
		p.send(failed(second.GetId(), edgev1.Code_CODE_UNAVAILABLE, 3*time.Second))
		begun := time.Now()
		third := expect[*edgev1.ClientFrame_Call](t, p).Call
		if wait := time.Since(begun); wait < 3*time.Second {
			t.Errorf("repeated after %v", wait)
		}
		p.send(replied(third.GetId(), &chatv1.SendResponse{}))
		if err := <-sent; err != nil {
			t.Error(err)
		}
		if first.GetClientSeq() == 0 || first.GetClientSeq() != second.GetClientSeq() || second.GetClientSeq() != third.GetClientSeq() {
			t.Errorf("numbers %d, %d, %d", first.GetClientSeq(), second.GetClientSeq(), third.GetClientSeq())
		}
		again := f.sendText(t.Context(), "hello")
		other := expect[*edgev1.ClientFrame_Call](t, p).Call
		if other.GetClientSeq() == first.GetClientSeq() {
			t.Error("another mutation has the same number")
		}
		p.send(failed(other.GetId(), edgev1.Code_CODE_FAILED_PRECONDITION, 0))
		if err := <-again; CodeOf(err) != edgev1.Code_CODE_FAILED_PRECONDITION || status.Code(err) != codes.FailedPrecondition {
			t.Errorf("an answer that is not to be repeated: %v", err)
		}
	})
}

// What says nothing about repeating is sent once.
func TestUnnumberedIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		result := make(chan error, 1)
		go func() {
			_, err := identityv1.NewSessionServiceClient(f.client).SignIn(t.Context(), &identityv1.SignInRequest{})
			result <- err
		}()
		if c := expect[*edgev1.ClientFrame_Call](t, p).Call; c.GetClientSeq() != 0 {
			t.Errorf("it has the number %d", c.GetClientSeq())
		}
		p.cut()
		if err := <-result; CodeOf(err) != edgev1.Code_CODE_OUTCOME_UNKNOWN {
			t.Error(err)
		}
		p = f.login(t)
		synctest.Wait()
		if !p.idle() {
			t.Error("it was sent again")
		}
	})
}

func TestDeadlineAndCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		sent := f.sendText(ctx, "hello")
		call := expect[*edgev1.ClientFrame_Call](t, p).Call
		if call.GetTimeoutMs() != 2000 {
			t.Errorf("timeout_ms %d", call.GetTimeoutMs())
		}
		if err := <-sent; CodeOf(err) != edgev1.Code_CODE_OUTCOME_UNKNOWN || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a mutation: %v", err)
		}
		if got := expect[*edgev1.ClientFrame_Cancel](t, p).Cancel.GetId(); got != call.GetId() {
			t.Errorf("cancelled %d, not %d", got, call.GetId())
		}
		p.send(replied(call.GetId(), &chatv1.SendResponse{})) // too late, and harmless

		ctx, stop := context.WithCancel(t.Context())
		read := make(chan error, 1)
		go func() {
			_, err := chatv1.NewChatServiceClient(f.client).History(ctx, &chatv1.HistoryRequest{})
			read <- err
		}()
		expect[*edgev1.ClientFrame_Call](t, p)
		stop()
		if err := <-read; CodeOf(err) != edgev1.Code_CODE_UNAVAILABLE || !errors.Is(err, context.Canceled) {
			t.Errorf("a read: %v", err)
		}
	})
}

// The client keeps within the server's limit, and refuses what would pile up without end.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		<-f.client.Ready()
		results := make(chan error, 300)
		for range 300 {
			go func() { results <- <-f.sendText(t.Context(), "hello") }()
		}
		synctest.Wait()
		if n := len(results); n != 300-maxCalls {
			t.Errorf("%d of 300 calls were refused", n)
		}
		for range 300 - maxCalls {
			if err := <-results; CodeOf(err) != edgev1.Code_CODE_TOO_MANY_CALLS {
				t.Error(err)
			}
		}
		for answered := 0; answered < maxCalls; {
			var batch []*edgev1.Call
			for synctest.Wait(); !p.idle(); synctest.Wait() {
				batch = append(batch, expect[*edgev1.ClientFrame_Call](t, p).Call)
			}
			if len(batch) == 0 || len(batch) > 31 {
				t.Fatalf("%d calls are under way", len(batch))
			}
			for _, c := range batch {
				p.send(replied(c.GetId(), &chatv1.SendResponse{}))
			}
			answered += len(batch)
		}
		for range maxCalls {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStaleTokenIsReplacedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sent := f.sendText(t.Context(), "hello")
		p.send(failed(expect[*edgev1.ClientFrame_Call](t, p).Call.GetId(), edgev1.Code_CODE_TOKEN_STALE, 0))
		if got := expect[*edgev1.ClientFrame_Refresh](t, p).Refresh.GetToken(); got != "token-b" {
			t.Errorf("refreshed with %s", got)
		}
		p.send(replied(expect[*edgev1.ClientFrame_Call](t, p).Call.GetId(), &chatv1.SendResponse{}))
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// A body that would end the connection is refused before.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		text := strings.Repeat("x", maxBody)
		if err := <-f.sendText(t.Context(), text); CodeOf(err) != edgev1.Code_CODE_BODY_TOO_LARGE {
			t.Error(err)
		}
		if _, err := f.client.Enqueue(chatv1.ChatService_Send_FullMethodName, &chatv1.SendRequest{Text: text}); CodeOf(err) != edgev1.Code_CODE_BODY_TOO_LARGE {
			t.Error(err)
		}
		if _, err := f.client.Enqueue(chatv1.ChatService_History_FullMethodName, &chatv1.HistoryRequest{}); err == nil {
			t.Error("a read was put into the outbox")
		}
		if err := f.client.Invoke(t.Context(), "plenum.nobody.v1.NoService/Do", &chatv1.SendRequest{}, &chatv1.SendResponse{}); CodeOf(err) != edgev1.Code_CODE_NOT_FOUND {
			t.Error(err)
		}
		synctest.Wait()
		if !p.idle() {
			t.Error("something was sent")
		}
	})
}

// When Run ends, everybody who waits hears why.
func TestEndOfRunEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sub, err := f.client.Follow(t.Context(), "chat.channel/a")
		if err != nil {
			t.Fatal(err)
		}
		sent := f.sendText(t.Context(), "hello")
		synctest.Wait()
		p.send(goodbye(edgev1.Code_CODE_SESSION_REVOKED, 0))
		for what, err := range map[string]error{"Run": <-f.ran, "the call": <-sent} {
			if CodeOf(err) != edgev1.Code_CODE_SESSION_REVOKED {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := sub.Next(t.Context()); CodeOf(err) != edgev1.Code_CODE_SESSION_REVOKED {
			t.Errorf("Next: %v", err)
		}
		if _, err := f.client.Follow(t.Context(), "chat.channel/b"); err == nil {
			t.Error("a topic can be followed after the end")
		}
	})
}

// A call by name is sent once, with what its caller says.
func TestCallByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		type outcome struct {
			answer []byte
			err    error
		}
		results := make(chan outcome, 2)
		call := func(q Call) {
			answer, err := f.client.Call(t.Context(), q)
			results <- outcome{answer, err}
		}
		go call(Call{Method: "/plenum.unknown.v1.NewService/Do", Body: []byte("in"), Seq: 9, Lane: 2})
		c := expect[*edgev1.ClientFrame_Call](t, p).Call
		if c.GetMethod() != "plenum.unknown.v1.NewService/Do" || string(c.GetBody()) != "in" || c.GetClientSeq() != 9 || c.GetLane() != 2 {
			t.Errorf("sent %v", c)
		}
		p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: c.GetId(), Result: &edgev1.Reply_Body{Body: []byte("out")}}}})
		if r := <-results; string(r.answer) != "out" || r.err != nil {
			t.Errorf("%q, %v", r.answer, r.err)
		}
		go call(Call{Method: "plenum.unknown.v1.NewService/Do"})
		p.send(failed(expect[*edgev1.ClientFrame_Call](t, p).Call.GetId(), edgev1.Code_CODE_RATE_LIMITED, time.Second))
		if r := <-results; CodeOf(r.err) != edgev1.Code_CODE_RATE_LIMITED {
			t.Errorf("%q, %v", r.answer, r.err)
		}
		for _, lane := range []uint32{outboxLane, maxLane + 1} {
			if _, err := f.client.Call(t.Context(), Call{Lane: lane}); err == nil {
				t.Errorf("lane %d is taken", lane)
			}
		}
	})
}
