package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/gateway/internal/testsvc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Sessions of one user keep one list of what their bundle follows, until it changes for one of them; nothing of it is left at the end.
func TestSessionsShareTheirBundle(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Set(func(svc *testsvc.Service) { svc.Digest = true })
		var members []*edgev1.Head
		for i := range 50 {
			members = append(members, member(i, 5))
			s.fill(fmt.Sprint("test.room/m", i), 1, 5)
		}
		sharers := func() (n int) {
			s.g.shared.mu.Lock()
			defer s.g.shared.mu.Unlock()
			for _, l := range s.g.shared.lists {
				n += l.by
			}
			return n
		}
		var clients []*client
		var lists []*list
		for range 3 {
			c, l := s.bundle("u", members...)
			clients, lists = append(clients, c), append(lists, l)
		}
		other, theirs := s.bundle("v", members[:10]...)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := sharers(); n != 4 || len(s.g.shared.lists) != 2 {
			t.Errorf("%d share %d lists", n, len(s.g.shared.lists))
		}
		s.svc.Append("w", "test.user/u", "left and joined", func(r *topicv1.Record) {
			r.Heads = []*edgev1.Head{{Topic: "test.room/m5", Removed: true}, {Topic: "test.room/new", Epoch: testsvc.Epoch, Badge: badge(1)}}
		})
		for i, c := range clients {
			lists[i].take(t, c.next().GetHeads())
			if l := lists[i].heads; len(l) != 50 || l["test.room/m5"] != nil || l["test.room/new"] == nil {
				t.Errorf("session %d knows %d", i, len(l))
			}
		}
		time.Sleep(2 * time.Second)
		s.svc.Append("w", "test.room/m7", "x", nil)
		for i, c := range append(clients, other) { // each follows what it did
			l := append(lists, theirs)[i]
			if l.take(t, c.next().GetHeads()); l.heads["test.room/m7"].GetOffset() != 6 {
				t.Errorf("session %d: %v", i, l.heads["test.room/m7"])
			}
		}
		if n := sharers(); n != 1 {
			t.Errorf("%d share a list that has changed", n)
		}
		for _, c := range append(clients, other) {
			c.close()
		}
		synctest.Wait()
		if n := s.g.index.Size(); n != 0 || len(s.g.shared.lists) != 0 {
			t.Errorf("%d topics are still followed, %d lists kept", n, len(s.g.shared.lists))
		}
	})
}
