package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Who asks for what others own is answered as for what doesn't exist, to the byte and without waiting for anything, in either mode, also while its topic is busy;
// and gets nothing of it afterwards: no event, head or signal. (That a service answers so is its own to prove: chat/channels_test.go.)
func TestForeignTopics(t *testing.T) {
	const private, absent, user = "test.room/private", "test.room/absent", "test.user/bystander"
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		for _, topic := range []string{private, absent, user} {
			s.svc.Bar("mallory", topic, true)
		}
		s.svc.Append("w", private, "hush", nil)
		b.send(subscribe(1, events(private)))
		if x := b.subscribed()[private]; x.GetError() != nil {
			t.Fatal(x)
		}
		mallory := s.signIn("mallory")
		id := uint32(0)
		for _, mode := range []edgev1.Mode{edgev1.Mode_MODE_EVENTS, edgev1.Mode_MODE_HEADS} {
			var refusal *edgev1.Subscription
			for _, topic := range []string{absent, private, user} {
				id++
				begun := time.Now()
				mallory.send(subscribe(id, &edgev1.Want{Topic: topic, Mode: mode, Cursor: events(topic, 1).GetCursor()}))
				x := mallory.subscribed()[topic]
				x.Topic = ""
				if refusal == nil {
					refusal = x
				}
				if x.GetError().GetCode() != edgev1.Code_CODE_NOT_FOUND || !proto.Equal(x, refusal) || time.Since(begun) > 0 {
					t.Errorf("%s in %v: %v after %v, of what is absent: %v", topic, mode, x, time.Since(begun), refusal)
				}
			}
		}
		s.svc.Append("w", private, "said", nil)
		s.svc.Append("w", user, "for its owner", nil)
		mallory.send(typing(private, "k"))
		b.send(typing(private, "k"))
		if got := b.texts(private, 1); got[0] != "said" {
			t.Error(got)
		}
		b.passes(10 * time.Second)        // and gets no signal of a stranger's
		mallory.send(ask(1, "Echo", nil)) // its answer comes next, for there is nothing else
		if f := mallory.next(); f.GetReply() == nil {
			t.Errorf("%v", f)
		}
		mallory.close()
	})
}

// A topic of the same name in another workspace is another topic.
func TestTopicsOfAnotherWorkspace(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		token, err := auth.Sign(signingKey, auth.Claims{User: "bystander", Workspace: "v", Device: "d", Role: "owner", Kind: auth.KindPerson, IssuedAt: time.Now(), Expires: time.Now().Add(time.Minute)})
		s.must(err)
		s.svc.Append("w", room, "theirs", nil)
		b.send(subscribe(1, events(room, 0)))
		b.subscribed()
		b.texts(room, 1)
		c := s.connect(nil)
		c.send(hello(token), subscribe(1, events(room, 0)))
		c.next() // Welcome
		if x := c.subscribed()[room]; x.GetHead().GetOffset() != 0 {
			t.Errorf("%v", x)
		}
		s.svc.Append("w", room, "theirs", nil)
		b.texts(room, 1)
		synctest.Wait()
		s.svc.Append("v", room, "mine", nil)
		if got := c.texts(room, 1); got[0] != "mine" {
			t.Error(got)
		}
		c.close()
	})
}
