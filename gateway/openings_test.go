package gateway

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/gateway/internal/testsvc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Sessions that come while a call is under way share the next one; each is answered by its own right. A service of a version that
// doesn't know the shared call is called for each.
func TestSessionsOpenTogether(t *testing.T) {
	const sessions = 200
	for name, c := range map[string]struct {
		old         bool
		least, most int // calls
	}{"together": {false, 2, 6}, "one by one": {true, sessions, sessions}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *system) {
				s.svc.Set(func(svc *testsvc.Service) { svc.Old, svc.Lag = c.old, 20*time.Millisecond })
				s.svc.Bar("u7", room, true)
				var clients []*client
				for i := range sessions {
					clients = append(clients, s.signIn(fmt.Sprint("u", i)))
				}
				synctest.Wait()
				for i, c := range clients {
					c.send(subscribe(1, events(room), events("test.room/own"+fmt.Sprint(i))))
				}
				for i, c := range clients {
					got := map[string]*edgev1.Subscription{}
					for len(got) < 2 {
						maps.Copy(got, c.subscribed())
					}
					if refused := got[room].GetError() != nil; refused != (i == 7) {
						t.Errorf("u%d: %v", i, got[room])
					}
					if x := got[fmt.Sprint("test.room/own", i)]; x.GetStart() == nil {
						t.Errorf("u%d: %v", i, got)
					}
					c.close()
				}
				s.svc.Set(func(svc *testsvc.Service) {
					if svc.Calls < c.least || svc.Calls > c.most || svc.Opens != sessions {
						t.Errorf("%d calls for %d openings", svc.Calls, svc.Opens)
					}
				})
			})
		})
	}
}

// A node that doesn't answer keeps nobody waiting for ever, and those who have left keep nobody waiting at all.
func TestOpeningsEnd(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Set(func(svc *testsvc.Service) { svc.Lag = time.Minute })
		first := s.signIn("a", subscribe(1, events(room)))
		synctest.Wait()
		gone := s.signIn("b", subscribe(1, events(room)))
		synctest.Wait()
		waits := s.signIn("c", subscribe(1, events(room)))
		synctest.Wait()
		gone.close()
		begin := time.Now()
		var wg sync.WaitGroup
		for _, c := range []*client{first, waits} {
			wg.Go(func() {
				if x := c.subscribed()[room]; x.GetError().GetCode() != edgev1.Code_CODE_OUTCOME_UNKNOWN && x.GetError().GetCode() != edgev1.Code_CODE_UNAVAILABLE {
					t.Errorf("answered %v", x)
				}
			})
		}
		wg.Wait()
		if d := time.Since(begin); d > 2*openTime {
			t.Errorf("answered after %v", d)
		}
		s.svc.Set(func(svc *testsvc.Service) {
			if svc.Lag = 0; svc.Opens != 2 {
				t.Errorf("%d openings reached the service", svc.Opens)
			}
		})
		if x := s.signIn("d", subscribe(1, events(room))).subscribed()[room]; x.GetStart() == nil {
			t.Errorf("afterwards: %v", x)
		}
	})
}

// Where one of those who share a call breaks it, the others are asked for by themselves.
func TestOneBreaksTheSharedCall(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Set(func(svc *testsvc.Service) { svc.Poison, svc.Lag = "u7", 20*time.Millisecond })
		var clients []*client
		for i := range 20 {
			clients = append(clients, s.signIn(fmt.Sprint("u", i)))
		}
		synctest.Wait()
		for _, c := range clients {
			c.send(subscribe(1, events(room)))
		}
		for i, c := range clients {
			if x := c.subscribed()[room]; (x.GetError() != nil) != (i == 7) {
				t.Errorf("u%d: %v", i, x)
			}
			c.close()
		}
	})
}
