package gateway

import (
	"slices"
	"testing"
	"time"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/mesh/auth"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// A service may grant from memory, as of an older head: what was taken since is taken at its offset, whether the hub has it in its
// ring, has to read it, or is made by the subscription.
func TestStaleGrant(t *testing.T) {
	for name, c := range map[string]struct {
		ring   int
		others bool
	}{"in the ring": {100, true}, "behind the ring": {1, true}, "no hub yet": {100, false}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(cfg *Config) { cfg.Ring = c.ring }, func(t *testing.T, s *system) {
				if c.others {
					other := s.open("b", events(room))
					defer other.close()
				}
				s.fill(room, 1, 3)
				s.svc.Append("w", room, "4", func(r *topicv1.Record) {
					r.Access = []*topicv1.Access{{Principal: "a"}, {Principal: "c", Read: true}}
				})
				s.fill(room, 5, 6)
				s.svc.Bar("a", room, false) // the service doesn't know it yet
				s.svc.Set(func(svc *testsvc.Service) {
					svc.Grant = func(_ string, g *topicv1.Grant) { g.Head.Offset = 3 }
				})
				time.Sleep(time.Second)
				a := s.open("a", events(room))
				defer a.close()
				if got := a.texts(room, 1); !slices.Equal(got, []string{"4"}) {
					t.Errorf("up to the removal: %v", got)
				}
				if f := a.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_REVOKED {
					t.Errorf("behind the removal: %v", f)
				}
				d := s.signIn("a", subscribe(1, events(room, 5))) // from where the removal isn't seen any more
				defer d.close()
				if e := d.subscribed()[room].GetError(); e.GetCode() != edgev1.Code_CODE_RESET_EPOCH {
					t.Errorf("from beyond the grant: %v", e)
				}
				quiet := s.open("c", events(room)) // was granted signals
				defer quiet.close()
				quiet.texts(room, 3)
				listener := s.open("e", events(room))
				defer listener.close()
				listener.texts(room, 3)
				quiet.send(typing(room, "k"), ask(1, "Echo", nil))
				if f := quiet.next(); f.GetReply() == nil {
					t.Errorf("%v", f)
				}
				time.Sleep(time.Second)
				listener.send(ask(1, "Echo", nil))
				if f := listener.next(); f.GetReply() == nil {
					t.Errorf("a signal without the right to it: %v", f)
				}
			})
		})
	}
}

// Everybody loses the right to signal at the record that takes it, but those whom it names; everybody reads on.
func TestNobodySignals(t *testing.T) {
	for name, everybody := range map[string]*topicv1.Access{
		"taken": {Principal: "*", Read: true}, "asked anew": {Principal: "*"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *system) {
				a, b := s.open("a", events(room)), s.open("b", events(room))
				defer a.close()
				defer b.close()
				s.svc.Set(func(svc *testsvc.Service) {
					svc.Grant = func(user string, g *topicv1.Grant) { g.Signal = user == "b" }
				})
				s.svc.Append("w", room, "1", func(r *topicv1.Record) {
					r.Access = []*topicv1.Access{everybody, {Principal: "b", Read: true, Signal: true}}
				})
				a.texts(room, 1)
				b.texts(room, 1)
				a.send(typing(room, "k"))
				time.Sleep(2 * time.Second)
				a.send(typing(room, "k"))
				b.send(typing(room, "k"))
				if got := a.next().GetSignal(); got.GetFrom() != "b/session" {
					t.Errorf("%v", got)
				}
				s.svc.Append("w", room, "2", nil)
				if got := b.texts(room, 1); !slices.Equal(got, []string{"2"}) {
					t.Errorf("b reads %v", got)
				}
				if got := a.texts(room, 1); !slices.Equal(got, []string{"2"}) {
					t.Errorf("a reads %v", got)
				}
			})
		})
	}
}

// Of an event that tells of something older than a subscriber may read, that subscriber gets the place alone: live and replayed.
func TestEventsAboutWhatIsHidden(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Set(func(svc *testsvc.Service) {
			svc.Grant = func(user string, g *topicv1.Grant) {
				g.Floor.Offset = map[string]uint64{"late": 3, "later": 4}[user]
			}
		})
		s.fill(room, 1, 4)
		all, late, later := s.open("all", events(room)), s.open("late", events(room)), s.open("later", events(room))
		s.svc.Append("w", room, "of 3", func(r *topicv1.Record) { r.About = 3 })
		s.svc.Append("w", room, "of 4", func(r *topicv1.Record) { r.About = 4 })
		s.svc.Append("w", room, "of none", nil)
		replayed := s.open("late", events(room, 4))
		for name, c := range map[string]struct {
			*client
			want []string
		}{
			"all":      {all, []string{"of 3", "of 4", "of none"}},
			"late":     {late, []string{"", "of 4", "of none"}},
			"later":    {later, []string{"", "", "of none"}},
			"replayed": {replayed, []string{"", "of 4", "of none"}},
		} {
			at := uint64(5)
			for len(c.want) > 0 {
				for _, e := range c.next().GetEvents().GetEvents() {
					hidden := c.want[0] == ""
					if e.GetOffset() != at || text(e) != c.want[0] || hidden && (e.GetMutation() != 0 || len(e.GetBody()) > 0) || e.GetTimeMs() == 0 {
						t.Errorf("%s: %v, not %q at %d", name, e, c.want[0], at)
					}
					c.want = c.want[1:]
					at++
				}
			}
			c.close()
		}
	})
}

// A new token that gives other rights doesn't keep what the old one opened, even where it overtakes the old one's revocation.
func TestRefreshWithOtherRights(t *testing.T) {
	for name, change := range map[string]func(*auth.Claims){
		"a guest":           func(c *auth.Claims) { c.Kind = auth.KindGuest },
		"another role":      func(c *auth.Claims) { c.Role = "admin" },
		"fewer permissions": func(c *auth.Claims) { c.Permissions = []string{"read"} },
		"the same":          nil,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *system) {
				a := s.open("a", events(room))
				defer a.close()
				claims := auth.Claims{
					User: "a", Workspace: "w", Device: "d-a", Role: "member", Kind: auth.KindPerson, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour),
				}
				if change != nil {
					change(&claims)
				}
				token, err := auth.Sign(signingKey, claims)
				s.must(err)
				a.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Refresh{Refresh: &edgev1.Refresh{Token: token}}})
				if change == nil {
					if f := a.next(); f.GetRefreshed() == nil {
						t.Errorf("%v", f)
					}
					return
				}
				if last, code := a.end(); int(code) != int(edgev1.Code_CODE_TOKEN_REFUSED) || last.GetGoodbye() == nil {
					t.Errorf("%v, %d", last, code)
				}
			})
		})
	}
}
