package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// oneKeyOneMessage: the same send by way of every gateway is one message with one answer; the same key with another text
// is refused.
func oneKeyOneMessage(t *testing.T, s *shape) {
	p := s.member(t)
	channel := s.channel(t, private, p)
	token, err := p.Account.Token(within(t, patience), "")
	if err != nil {
		t.Fatal(err)
	}
	key := client.NewID()
	send := func(gateway, text string) (*chatv1.SendResponse, error) {
		h := &client.HTTP{
			Server: gateway, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, Token: token,
			ClientID: key, Seq: func() (uint64, error) { return 7, nil },
		}
		return chatv1.NewChatServiceClient(h).Send(within(t, patience), &chatv1.SendRequest{Channel: channel, Text: text})
	}
	var first uint64
	for range 2 {
		for _, gateway := range s.gateways {
			answer, err := send(gateway, "once")
			if err != nil {
				t.Fatal(err)
			}
			if first == 0 {
				first = answer.GetOffset()
			}
			if answer.GetOffset() != first {
				t.Errorf("the same key was answered %d, then %d", first, answer.GetOffset())
			}
		}
	}
	if _, err := send(s.gateways[0], "twice"); check.Code(err) != edgev1.Code_CODE_CONFLICT {
		t.Errorf("the same key with another text: %v", err)
	}
	var l ledger
	l.note("once", first)
	l.check(t, channel, p, p.read(t, channel))
}

// removedInMidStream: nothing after the removal's offset reaches who was removed, while others go on.
func removedInMidStream(t *testing.T, s *shape) {
	stays, goes := s.member(t), s.member(t)
	channel := s.channel(t, private, stays, goes)
	witness, removed := stays.read(t, channel), goes.read(t, channel)
	before := s.owner.send(t, channel, "before")
	removed.upTo(t, before)

	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() { // a stream of messages around the removal
		defer close(sent)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := stays.Chat.Send(context.Background(), &chatv1.SendRequest{Channel: channel, Text: "stream " + client.NewID()}); err != nil {
				t.Errorf("send: %v", err)
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	time.Sleep(200 * time.Millisecond)
	answer, err := s.owner.Chat.RemoveMember(within(t, patience), &chatv1.RemoveMemberRequest{Channel: channel, User: goes.ID})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	<-sent
	after := s.owner.send(t, channel, "after")
	witness.upTo(t, after)
	select {
	case <-removed.Done():
	case <-time.After(patience):
		t.Error("the subscription of the one who was removed did not end")
	}
	_, last := removed.Seen()
	if last > answer.GetOffset() {
		t.Errorf("removed at %d, was shown %d", answer.GetOffset(), last)
	}
	if c := check.Code(removed.Last()); c != edgev1.Code_CODE_REVOKED && c != edgev1.Code_CODE_NOT_FOUND {
		t.Errorf("was told %v", removed.Last())
	}
	_, err = goes.Chat.History(within(t, patience), &chatv1.HistoryRequest{Channel: channel})
	expectNotFound(t, "History", err)
}

// revokedDevice: its connection ends within two seconds, and its token is of no use over any way; where its data is to be
// wiped, it is told so.
func revokedDevice(t *testing.T, s *shape) {
	revoke(t, s, false, edgev1.Code_CODE_PERMISSION_DENIED)
	revoke(t, s, true, edgev1.Code_CODE_SESSION_REVOKED)
}

func revoke(t *testing.T, s *shape, wipe bool, want edgev1.Code) {
	p := s.member(t)
	token, err := p.Account.Token(within(t, patience), "")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := s.owner.Admin.RevokeDevices(within(t, patience), &identityv1.RevokeDevicesRequest{UserId: p.ID, Wipe: wipe}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.Ended:
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the connection ended after %v", took)
		}
		if check.Code(err) != want {
			t.Errorf("wipe %v: the client was told %v", wipe, err)
		}
		p.Ended <- nil
	case <-time.After(patience):
		t.Fatal("the connection of a revoked device stays")
	}
	for _, gateway := range s.gateways {
		h := &client.HTTP{Server: gateway, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, Token: token}
		eventually(t, "every gateway refuses", func(ctx context.Context) error {
			_, err := identityv1.NewPeopleServiceClient(h).WhoAmI(ctx, &identityv1.WhoAmIRequest{})
			if err == nil {
				return fmt.Errorf("a revoked token is accepted at %s", gateway)
			}
			return nil
		})
	}
}

// refusalsAtTheDoor: what does not belong gets a numbered error, and no more.
func refusalsAtTheDoor(t *testing.T, s *shape) {
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for name, token := range map[string]string{"no token": "", "forged token": "eyJhbGciOiJFZERTQSIsImtpZCI6IngifQ.e30.AAAA", "no token at all": strings.Repeat("x", 100)} {
		h := &client.HTTP{Server: s.server, Client: plain, Token: token}
		if _, err := identityv1.NewPeopleServiceClient(h).WhoAmI(within(t, patience), &identityv1.WhoAmIRequest{}); check.Code(err) != edgev1.Code_CODE_TOKEN_REFUSED {
			t.Errorf("%s: %v", name, err)
		}
	}
	request, err := http.NewRequestWithContext(within(t, patience), http.MethodGet, s.server+"/edge/v1/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Protocol": "plenum.v1.proto", "Origin": "https://evil.example",
	} {
		request.Header.Set(key, value)
	}
	answer, err := plain.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another origin: %s", answer.Status)
	}
	// What is not exposed does not exist.
	token, err := s.owner.Account.Token(within(t, patience), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/plenum.auth.v1.AuthService/Revocations", "/plenum.identity.v1.OperatorService/RotateKeys", "/plenum.topic.v1.TopicService/Heads", "/no.such.Service/Method"} {
		request, err := http.NewRequestWithContext(within(t, patience), http.MethodPost, s.server+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/proto")
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := plain.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("POST %s: %s", path, answer.Status)
		}
	}
	channel := s.channel(t, private)
	for name, text := range map[string]string{"empty": "", "blank": " \n\t", "too long": strings.Repeat("x", 16<<10+1)} {
		if _, err := s.owner.Chat.Send(within(t, patience), &chatv1.SendRequest{Channel: channel, Text: text}); check.Code(err) != edgev1.Code_CODE_INVALID_ARGUMENT {
			t.Errorf("%s text: %v", name, err)
		}
	}
	if _, err := s.owner.Chat.ArchiveChannel(within(t, patience), &chatv1.ArchiveChannelRequest{Channel: channel, Archived: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.owner.Chat.Send(within(t, patience), &chatv1.SendRequest{Channel: channel, Text: "x"}); check.Code(err) != edgev1.Code_CODE_FAILED_PRECONDITION {
		t.Errorf("to an archived channel: %v", err)
	}
}
