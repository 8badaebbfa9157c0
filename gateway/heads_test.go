package gateway

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/gateway/internal/testsvc/testv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func badge(mentions uint64) []byte {
	b, _ := proto.Marshal(&testv1.Badge{Mentions: mentions})
	return b
}

func member(i int, offset uint64) *edgev1.Head {
	return &edgev1.Head{Topic: fmt.Sprint("test.room/m", i), Epoch: testsvc.Epoch, Offset: offset, Count: offset, Badge: badge(uint64(i))}
}

// list is what a client knows of a bundle, kept as PROTOCOL.md says.
type list struct {
	topics map[uint32]string
	heads  map[string]*edgev1.Head
	frames int
}

func (l *list) take(t *testing.T, h *edgev1.Heads) {
	t.Helper()
	if l.frames++; h.GetSnapshot() {
		l.topics, l.heads = map[uint32]string{}, map[string]*edgev1.Head{}
	}
	if size := proto.Size(h); size > headsBytes+200 {
		t.Errorf("a frame of %d bytes", size)
	}
	for _, x := range h.GetHeads() {
		if x.GetTopic() != "" {
			l.topics[x.GetRef()] = x.GetTopic()
		}
		name := l.topics[x.GetRef()]
		if name == "" {
			t.Fatalf("an unknown number: %v", x)
		}
		if x.GetRemoved() {
			delete(l.topics, x.GetRef())
			delete(l.heads, name)
			continue
		}
		if old := l.heads[name]; old != nil && x.Badge == nil {
			x.Badge = old.GetBadge()
		}
		l.heads[name] = x
	}
}

func (s *system) bundle(user string, members ...*edgev1.Head) (*client, *list) {
	s.t.Helper()
	s.svc.Members(user, members...)
	c := s.signIn(user, subscribe(1, &edgev1.Want{Topic: "test.mine/me", Mode: edgev1.Mode_MODE_HEADS}))
	if x := c.subscribed()["test.mine/me"]; x.GetError() != nil {
		s.t.Fatal(x)
	}
	l := &list{}
	l.take(s.t, c.next().GetHeads())
	whole := c.read
	for len(l.heads) < len(members) {
		l.take(s.t, c.next().GetHeads())
	}
	if c.read != whole { // a client can't know otherwise when it has all of it
		s.t.Errorf("the list of %d came in %d messages, in %d frames", len(members), 1+c.read-whole, l.frames)
	}
	return c, l
}

func TestBundle(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Set(func(svc *testsvc.Service) { svc.Digest = true })
		var members []*edgev1.Head
		for i := range 300 {
			members = append(members, member(i, 5))
			s.fill(fmt.Sprint("test.room/m", i), 1, 5)
		}
		c, l := s.bundle("u", members...)
		defer c.close()
		if len(l.heads) != 300 || l.frames < 2 || l.heads["test.room/m7"].GetOffset() != 5 || proto.Size(l.heads["test.room/m7"]) == 0 {
			t.Fatalf("snapshot of %d in %d frames", len(l.heads), l.frames)
		}
		time.Sleep(3 * time.Second)

		// What moves after a quiet time is told at once, the next not before a second has passed, and then together.
		begin := time.Now()
		s.svc.Append("w", "test.room/m3", "x", nil)
		l.take(t, c.next().GetHeads())
		if d := time.Since(begin); d > 20*time.Millisecond || l.heads["test.room/m3"].GetOffset() != 6 || l.heads["test.room/m3"].GetCount() != 6 {
			t.Errorf("after %v: %v", d, l.heads["test.room/m3"])
		}
		frames := l.frames
		for range 10 {
			s.svc.Append("w", "test.room/m4", "x", nil)
			s.svc.Append("w", "test.room/m5", "x", nil)
			time.Sleep(20 * time.Millisecond)
		}
		l.take(t, c.next().GetHeads())
		if d := time.Since(begin); d < time.Second || l.frames != frames+1 || l.heads["test.room/m4"].GetOffset() != 15 || l.heads["test.room/m5"].GetOffset() != 15 {
			t.Errorf("%d frames after %v: %v", l.frames-frames, d, l.heads["test.room/m4"])
		}

		// The user's own topic brings badges, new members and removed ones.
		s.svc.Append("w", "test.user/u", "read", func(r *topicv1.Record) {
			r.Heads = []*edgev1.Head{
				{Topic: "test.room/m4", Epoch: testsvc.Epoch, Offset: 15, Count: 15, Badge: badge(99)},
				{Topic: "test.room/m5", Removed: true},
				{Topic: "test.room/new", Epoch: testsvc.Epoch, Badge: badge(1)},
			}
		})
		l.take(t, c.next().GetHeads())
		var b testv1.Badge
		_ = proto.Unmarshal(l.heads["test.room/m4"].GetBadge(), &b)
		if b.GetMentions() != 99 || l.heads["test.room/m5"] != nil || l.heads["test.room/new"] == nil || len(l.heads) != 300 {
			t.Errorf("badge %v, removed %v, new %v, %d", &b, l.heads["test.room/m5"], l.heads["test.room/new"], len(l.heads))
		}
		s.svc.Append("w", "test.room/m5", "x", nil)
		s.svc.Append("w", "test.room/new", "x", nil)
		l.take(t, c.next().GetHeads())
		if l.heads["test.room/m5"] != nil || l.heads["test.room/new"].GetOffset() != 1 {
			t.Errorf("removed %v, new %v", l.heads["test.room/m5"], l.heads["test.room/new"])
		}
		if n := s.metric("followed_topics"); n != 300 {
			t.Logf("%v topics followed", n)
		}
		c.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Unsubscribe{Unsubscribe: &edgev1.Unsubscribe{Topics: []string{"test.mine/me"}}}})
		s.svc.Append("w", "test.room/m3", "x", nil)
		time.Sleep(2 * time.Second)
		c.send(ask(1, "Echo", nil))
		if f := c.next(); f.GetReply() == nil {
			t.Errorf("after Unsubscribe: %v", f)
		}
		if n := s.g.index.Size(); n != 0 {
			t.Errorf("%d topics are still followed", n)
		}
	})
}

// A list is whole with the last frame of its message, however long it is: PROTOCOL.md §7 says so, and clients go by it.
func TestBundlesListIsOneMessage(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		var members []*edgev1.Head
		size := 0
		for i := range 3000 {
			members = append(members, member(i, 5))
			size += proto.Size(members[i])
		}
		if size <= flushBytes {
			t.Fatalf("a list of %d bytes is no longer than other messages are", size)
		}
		c, l := s.bundle("u", members...) // which looks
		defer c.close()
		if len(l.heads) != len(members) || l.frames < size/headsBytes {
			t.Errorf("%d heads in %d frames", len(l.heads), l.frames)
		}
	})
}

// What can't be followed on is opened anew: the client gets a new snapshot.
func TestBundleIsRenewed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c, l := s.bundle("u", member(1, 0))
		defer c.close()
		synctest.Wait()
		s.svc.Members("u", member(2, 0))
		s.svc.Restart()
		s.svc.Append("w", "test.user/u", "x", nil)
		l.take(t, c.subscribedThenHeads())
		if len(l.heads) != 1 || l.heads["test.room/m2"] == nil {
			t.Errorf("%v", l.heads)
		}
	})
}

func (c *client) subscribedThenHeads() *edgev1.Heads {
	c.s.t.Helper()
	f := c.next()
	if f.GetSubscribed() != nil {
		f = c.next()
	}
	if f.GetHeads() == nil {
		c.s.t.Fatalf("no heads: %v", f)
	}
	return f.GetHeads()
}

// A single log in mode HEADS is a bundle of one. Who lost the right to follow it is told nothing that came after.
func TestHeadsOfOneLog(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Set(func(svc *testsvc.Service) { svc.Digest = true })
		s.fill(room, 1, 3)
		c := s.signIn("u", subscribe(1, &edgev1.Want{Topic: room, Mode: edgev1.Mode_MODE_HEADS}))
		defer c.close()
		c.subscribed()
		l := &list{}
		l.take(t, c.next().GetHeads())
		if h := l.heads[room]; h.GetOffset() != 3 || h.GetCount() != 3 {
			t.Errorf("%v", h)
		}
		time.Sleep(time.Second)
		s.svc.Append("w", room, "x", nil)
		l.take(t, c.next().GetHeads())
		if l.heads[room].GetOffset() != 4 || l.heads[room].GetCount() != 4 {
			t.Errorf("%v", l.heads)
		}
		time.Sleep(2 * time.Second)
		s.svc.Bar("u", room, true)
		s.svc.Append("w", room, "x", nil)
		if f := c.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_REVOKED {
			t.Errorf("told who may not know it: %v", f)
		}
	})
}

func typing(topic, key string) *edgev1.ClientFrame {
	body, _ := proto.Marshal(&testv1.Typing{Active: true})
	return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Signal{Signal: &edgev1.Signal{Topic: topic, Key: key, Body: body, From: "somebody/else"}}}
}

func TestSignals(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		a, b := s.open("a", events(room)), s.open("b", events(room))
		defer b.close()
		a.send(typing(room, "typing"), typing("test.room/unknown", "typing"))
		got := b.next().GetSignal()
		if got.GetFrom() != "a/session" || got.GetTopic() != room || got.GetKey() != "typing" || len(got.GetBody()) == 0 {
			t.Errorf("%v", got)
		}
		time.Sleep(time.Second)
		a.send(typing(room, "1"), typing(room, "2"), typing(room, "3"), typing(room, "4"))
		a.send(typing(room, "1"), typing(room, "1"))
		keys := map[string]int{}
		time.Sleep(time.Second)
		b.send(ask(1, "Echo", nil))
		for f := b.next(); f.GetSignal() != nil; f = b.next() {
			keys[f.GetSignal().GetKey()]++
		}
		if keys["1"] == 0 || keys["2"] != 1 || keys["3"] != 1 || keys["4"] != 0 {
			t.Errorf("four keys a topic, of which the latest counts: %v", keys)
		}
		a.send(ask(1, "Echo", nil))
		if f := a.next(); f.GetReply() == nil {
			t.Errorf("one's own signals come back: %v", f)
		}
		for range 5 {
			var many []*edgev1.ClientFrame
			for range 60 {
				many = append(many, typing(room, "1"))
			}
			if err := trySend(a, many); err != nil {
				break
			}
		}
		if last, code := a.end(); int(code) != int(edgev1.Code_CODE_FLOOD) || last.GetGoodbye().GetError().GetRetryAfterMs() == 0 {
			t.Errorf("a flood: %v, %d", last, code)
		}
	})
}

// Whose right to signal is taken signals no more, and hears the others still.
func TestRightToSignal(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		a, b := s.open("a", events(room)), s.open("b", events(room))
		defer a.close()
		defer b.close()
		s.svc.Append("w", room, "1", func(r *topicv1.Record) { r.Access = []*topicv1.Access{{Principal: "a", Read: true}} })
		a.texts(room, 1)
		b.texts(room, 1)
		a.send(typing(room, "k"))
		b.send(typing(room, "k"))
		if got := a.next().GetSignal(); got.GetFrom() != "b/session" {
			t.Errorf("%v", got)
		}
		time.Sleep(time.Second)
		b.send(ask(1, "Echo", nil))
		if f := b.next(); f.GetReply() == nil {
			t.Errorf("%v", f)
		}
	})
}

func trySend(c *client, frames []*edgev1.ClientFrame) error {
	data, err := proto.Marshal(&edgev1.ClientMessage{Frames: frames})
	c.s.must(err)
	return c.ws.Write(c.s.t.Context(), 2, data)
}

// While a service's log can't be asked, somebody may have been removed and nobody here knows: signals rest until it can.
func TestNoSignalsWhileAccessIsUnknown(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		a, b := s.open("a", events(room)), s.open("b", events(room))
		defer a.close()
		defer b.close()
		s.svc.Set(func(s *testsvc.Service) { s.Down = errors.New("away") })
		time.Sleep(10 * time.Second) // no digest comes, and no answer
		a.send(typing(room, "unseen"))
		time.Sleep(time.Second)
		s.svc.Set(func(s *testsvc.Service) { s.Down = nil })
		time.Sleep(10 * time.Second)
		a.send(typing(room, "seen"))
		if got := b.next().GetSignal(); got.GetKey() != "seen" {
			t.Errorf("%v", got)
		}
	})
}
