package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/gateway/internal/testsvc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const room = "test.room/a"

// open signs in, subscribes to the room and waits until that began.
func (s *system) open(user string, want *edgev1.Want) *client {
	s.t.Helper()
	c := s.signIn(user, subscribe(1, want))
	if x := c.subscribed()[want.GetTopic()]; x.GetError() != nil {
		s.t.Fatalf("%s: %v", want.GetTopic(), x.GetError())
	}
	return c
}

func numbers(from, to int) (out []string) {
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func (s *system) fill(topic string, from, to int) {
	for _, n := range numbers(from, to) {
		s.svc.Append("w", topic, n, nil)
	}
}

// Whatever becomes of the publications (lost, late, doubled, out of order, too large), every subscriber, whenever it comes and
// whatever its cursor, is given exactly the log; and one who is removed, exactly the log up to the removal.
func TestAnyLossEndsInTheLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		total := rapid.IntRange(5, 30).Draw(rt, "events")
		removal := rapid.IntRange(2, total).Draw(rt, "removal")
		fates := rapid.SliceOfN(rapid.IntRange(0, 5), total, total).Draw(rt, "fates")
		joins := rapid.SliceOfN(rapid.IntRange(0, total-1), 1, 4).Draw(rt, "joins")
		back := rapid.SliceOfN(rapid.IntRange(0, total), 4, 4).Draw(rt, "back")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 40), total, total).Draw(rt, "pauses")
		ringSize := rapid.IntRange(1, 10).Draw(rt, "ring")
		inBubble(t, func(c *Config) { c.Ring = ringSize }, func(t *testing.T, s *system) {
			type reader struct {
				c    *client
				from int
			}
			var readers []reader
			removed := s.open("removed", events(room, 0))
			n := 0
			s.svc.Set(func(svc *testsvc.Service) {
				svc.Digest = true
				svc.Publish = func(rec *topicv1.Record) bool {
					fate := fates[n]
					n++
					rec = proto.CloneOf(rec)
					switch fate {
					case 0: // lost
					case 1: // late
						time.AfterFunc(70*time.Millisecond, func() { s.svc.Send("w", room, rec) })
					case 2: // doubled
						go s.svc.Send("w", room, rec, rec)
					case 3:
						rec.BodyOmitted, rec.Event.Body = true, nil
						go s.svc.Send("w", room, rec)
					default:
						return true
					}
					return false
				}
			})
			for i := range total {
				for j, at := range joins {
					if at == i {
						from := min(back[j], i)
						readers = append(readers, reader{s.open(fmt.Sprint("u", j), events(room, uint64(from))), from})
					}
				}
				s.svc.Append("w", room, fmt.Sprint(i+1), func(r *topicv1.Record) {
					if i+1 == removal {
						r.Access = []*topicv1.Access{{Principal: "removed", Read: false}}
					}
				})
				time.Sleep(time.Duration(pauses[i]) * time.Millisecond)
			}
			for _, r := range readers {
				if got, want := r.c.texts(room, total-r.from), numbers(r.from+1, total); !slices.Equal(got, want) {
					rt.Errorf("from %d: %v", r.from, got)
				}
			}
			if got := removed.texts(room, removal); !slices.Equal(got, numbers(1, removal)) {
				rt.Errorf("removed at %d: %v", removal, got)
			}
			if f := removed.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_REVOKED {
				rt.Errorf("behind the removal: %v", f)
			}
			time.Sleep(2 * time.Second)
			removed.send(ask(1, "Echo", nil))
			if f := removed.next(); f.GetReply() == nil {
				rt.Errorf("behind Stopped: %v", f)
			}
			for _, r := range readers {
				r.c.send(ask(1, "Echo", nil))
				if f := r.c.next(); f.GetReply() == nil {
					rt.Errorf("too much: %v", f)
				}
				r.c.close()
			}
			removed.close()
		})
	})
}

// A commit that was never published, and whose digest tells of it, arrives; without a digest, through the next sweep of the heads.
func TestUnpublishedCommitsArrive(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.open("u", events(room))
		defer c.close()
		time.Sleep(5 * time.Second)
		s.svc.Set(func(svc *testsvc.Service) {
			svc.Publish = func(*topicv1.Record) bool { return false }
			svc.Digest = true
		})
		begin := time.Now()
		s.svc.Append("w", room, "1", nil)
		if got := c.texts(room, 1); got[0] != "1" || time.Since(begin) > time.Second {
			t.Errorf("%v after %v", got, time.Since(begin))
		}
		s.svc.Set(func(svc *testsvc.Service) { svc.Digest = false })
		begin = time.Now()
		s.svc.Append("w", room, "2", nil)
		if got := c.texts(room, 1); got[0] != "2" || time.Since(begin) > 5*time.Second {
			t.Errorf("%v after %v", got, time.Since(begin))
		}
	})
}

// The interest of a new hub may reach a distant server late: the hub compares itself with the log.
func TestInterestThatArrivesLate(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.nats.Late = 3
		c := s.open("u", events(room))
		defer c.close()
		begin := time.Now()
		s.fill(room, 1, 3)
		// Twice the first age, and 150 ms by which feeds spread their questions.
		if got := c.texts(room, 3); !slices.Equal(got, numbers(1, 3)) || time.Since(begin) > 350*time.Millisecond {
			t.Errorf("%v after %v", got, time.Since(begin))
		}
	})
}

// However many hubs are new, the log is asked a few times what moved, and each hub reads its own topic once.
func TestNewHubsShareTheirComparison(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		var tails, sweeps int
		s.svc.Set(func(svc *testsvc.Service) { tails, sweeps = svc.Tails, svc.Sweeps })
		const hubs = 150
		var wants []*edgev1.Want
		for i := range hubs {
			wants = append(wants, events(fmt.Sprint("test.room/", i)))
		}
		c := s.signIn("u")
		defer c.close()
		c.send(subscribe(1, wants...))
		time.Sleep(4 * time.Second)
		s.svc.Set(func(svc *testsvc.Service) {
			if n := svc.Tails - tails; n != hubs {
				t.Errorf("%d reads of %d topics", n, hubs)
			}
			if n := svc.Sweeps - sweeps; n < 2 || n > 10 {
				t.Errorf("asked %d times what moved", n)
			}
		})
	})
}

func TestAllOfNATSAway(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.open("u", events(room))
		s.fill(room, 1, 2)
		c.texts(room, 2)
		s.nats.Away(true)
		synctest.Wait()
		s.fill(room, 3, 5)
		begin := time.Now()
		if got := c.texts(room, 3); !slices.Equal(got, numbers(3, 5)) {
			t.Errorf("%v", got)
		}
		if d := time.Since(begin); d > 10*time.Second {
			t.Errorf("late by %v", d)
		}
		other := s.open("v", events("test.room/b")) // new topics open, too
		s.svc.Append("w", "test.room/b", "x", nil)
		other.texts("test.room/b", 1)
		s.nats.Away(false)
		time.Sleep(5 * time.Second)
		begin = time.Now()
		s.fill(room, 6, 7)
		if got := c.texts(room, 2); !slices.Equal(got, numbers(6, 7)) || time.Since(begin) > time.Second {
			t.Errorf("afterwards %v after %v", got, time.Since(begin))
		}
		c.close()
		other.close()
	})
}

// A storm of those who come back is answered from the ring: reads of the log don't grow with their number.
func TestReconnectsAreServedFromTheRing(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.fill(room, 1, 100)
		first := s.open("u", events(room, 50))
		first.texts(room, 50)
		time.Sleep(5 * time.Second)
		var before int
		s.svc.Set(func(svc *testsvc.Service) { before = svc.Tails })
		for i := range 20 {
			c := s.open(fmt.Sprint("u", i), events(room, uint64(60+i)))
			if got := c.texts(room, 40-i); !slices.Equal(got, numbers(61+i, 100)) {
				t.Fatalf("%d: %v", i, got)
			}
			c.close()
		}
		s.svc.Set(func(svc *testsvc.Service) {
			if svc.Tails != before {
				t.Errorf("%d reads for 20 who came back", svc.Tails-before)
			}
		})
		first.close()
		synctest.Wait()
		time.Sleep(5 * time.Second) // the hub lingers
		c := s.open("v", events(room, 90))
		c.texts(room, 10)
		c.close()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := s.metric("hubs"); n != 0 {
			t.Errorf("%v hubs are left", n)
		}
	})
}

func TestCursorsThatCannotBeReplayed(t *testing.T) {
	big := strings.Repeat("x", 60<<10)
	inBubble(t, nil, func(t *testing.T, s *system) {
		for range 20 {
			s.svc.Append("w", room, big, nil)
		}
		other := events(room, 3)
		other.Cursor.Epoch = testsvc.Epoch - 1
		c := s.signIn("u")
		for name, x := range map[string]struct {
			want *edgev1.Want
			code edgev1.Code
		}{
			"too long":     {events(room, 0), edgev1.Code_CODE_RESET_TOO_LONG},
			"ahead":        {events(room, 21), edgev1.Code_CODE_RESET_EPOCH},
			"another life": {other, edgev1.Code_CODE_RESET_EPOCH},
		} {
			c.send(subscribe(1, x.want))
			if got := c.subscribed()[room]; got.GetError().GetCode() != x.code {
				t.Errorf("%s: %v", name, got)
			}
		}
		c.send(subscribe(2, events(room, 10)))
		if got := c.subscribed()[room]; got.GetError() != nil || got.GetStart().GetOffset() != 10 {
			t.Fatalf("half: %v", got)
		}
		c.texts(room, 10)
		s.svc.Restart()
		s.svc.Append("w", room, "x", nil)
		if f := c.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_RESET_EPOCH {
			t.Errorf("a new life: %v", f)
		}
		c.close()
	})
}

func TestRefusedTopics(t *testing.T) {
	inBubble(t, func(c *Config) { c.Limits.Subscriptions = 2; c.Limits.Heads = 2 }, func(t *testing.T, s *system) {
		s.svc.Bar("u", "test.room/private", true)
		heads := func(topic string) *edgev1.Want { return &edgev1.Want{Topic: topic, Mode: edgev1.Mode_MODE_HEADS} }
		c := s.signIn("u")
		defer c.close()
		c.send(subscribe(1, events("test.room/private"), events("other.kind/x"), events("test.room/"), heads("test.view/x"), events("test.mine/me"),
			heads("test.room/h1"), heads("test.room/h2"), heads("test.room/h3"),
			events("test.room/1"), events("test.room/2"), events("test.room/3")))
		got := map[string]edgev1.Code{}
		for len(got) < 11 {
			for _, x := range c.next().GetSubscribed().GetSubscriptions() {
				got[x.GetTopic()] = x.GetError().GetCode()
			}
		}
		for topic, code := range map[string]edgev1.Code{
			"test.room/private": edgev1.Code_CODE_NOT_FOUND, "other.kind/x": edgev1.Code_CODE_NOT_FOUND, "test.room/": edgev1.Code_CODE_NOT_FOUND,
			"test.view/x": edgev1.Code_CODE_UNSUPPORTED, "test.mine/me": edgev1.Code_CODE_UNSUPPORTED,
			"test.room/h2": 0, "test.room/h3": edgev1.Code_CODE_TOO_MANY_TOPICS, "test.room/2": 0, "test.room/3": edgev1.Code_CODE_TOO_MANY_TOPICS,
		} {
			if got[topic] != code {
				t.Errorf("%s: %v, want %v", topic, got[topic], code)
			}
		}
		s.svc.Set(func(svc *testsvc.Service) { svc.Down = errors.New("away") })
		c.send(subscribe(2, events("test.room/1"))) // replaces: frees its place
		if x := c.subscribed()["test.room/1"]; x.GetError() == nil {
			t.Errorf("the service is down: %v", x)
		}
		s.svc.Set(func(svc *testsvc.Service) { svc.Down = nil })
		c.send(subscribe(3, events("test.room/4")))
		if x := c.subscribed()["test.room/4"]; x.GetError() != nil {
			t.Errorf("there is room again: %v", x)
		}
		// An empty one is not answered; a topic that stands in one twice is answered twice, and once followed.
		c.send(subscribe(4), subscribe(5, heads("test.view/x"), events("test.room/4"), heads("test.view/x")))
		for n := 0; n < 3; {
			x := c.next().GetSubscribed()
			if n += len(x.GetSubscriptions()); x.GetId() != 5 {
				t.Fatalf("%v", x)
			}
		}
	})
}

// When everybody's right is taken, those who still have one of their own go on without a word; the others stop at that offset.
func TestEverybodyIsAskedAnew(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		member, guest := s.open("member", events(room)), s.open("guest", events(room))
		defer member.close()
		defer guest.close()
		s.svc.Append("w", room, "1", nil)
		s.svc.Bar("guest", room, true)
		s.svc.Append("w", room, "2", func(r *topicv1.Record) { r.Access = []*topicv1.Access{{Principal: "*", Read: false}} })
		s.fill(room, 3, 4)
		if got := member.texts(room, 4); !slices.Equal(got, numbers(1, 4)) {
			t.Errorf("member: %v", got)
		}
		if got := guest.texts(room, 2); !slices.Equal(got, numbers(1, 2)) {
			t.Errorf("guest: %v", got)
		}
		if f := guest.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_REVOKED || f.GetStopped().GetTopics()[0] != room {
			t.Errorf("guest: %v", f)
		}
	})
}

// A service that breaks down when it is asked anew has taken nobody's right: it is asked until it can answer.
func TestServiceBreaksDownWhenAskedAnew(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		member := s.open("member", events(room))
		defer member.close()
		s.svc.Set(func(svc *testsvc.Service) { svc.Poison = "member" })
		s.svc.Append("w", room, "1", func(r *topicv1.Record) { r.Access = []*topicv1.Access{{Principal: "*", Read: false}} })
		s.fill(room, 2, 3)
		time.AfterFunc(3*time.Second, func() { s.svc.Set(func(svc *testsvc.Service) { svc.Poison = "" }) })
		if got := member.texts(room, 3); !slices.Equal(got, numbers(1, 3)) {
			t.Errorf("%v", got)
		}
	})
}

// One who was removed and let in again before opening isn't cut off by the old removal.
func TestOldRemovalsAreInTheGrant(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Append("w", room, "1", nil)
		s.svc.Append("w", room, "2", func(r *topicv1.Record) { r.Access = []*topicv1.Access{{Principal: "u", Read: false}} })
		s.svc.Append("w", room, "3", func(r *topicv1.Record) { r.Access = []*topicv1.Access{{Principal: "u", Read: true}} })
		c := s.open("u", events(room, 0))
		defer c.close()
		if got := c.texts(room, 3); !slices.Equal(got, numbers(1, 3)) {
			t.Errorf("%v", got)
		}
	})
}

func TestRedactedBodiesAreNotReplayed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		first := s.open("u", events(room, 0))
		s.fill(room, 1, 2)
		first.texts(room, 2)
		s.svc.Append("w", room, "3", func(r *topicv1.Record) { r.Redacts = []uint64{1} })
		first.texts(room, 1)
		c := s.open("v", events(room, 0))
		if got := c.texts(room, 3); !slices.Equal(got, []string{"", "2", "3"}) {
			t.Errorf("%q", got)
		}
		first.close()
		c.close()
	})
}

// A floor that rises: who is live goes on without a word; who comes with a cursor below is reset, from memory, too, and with a grant that knew
// nothing of it.
func TestFloorRises(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		first := s.open("u", events(room, 0))
		defer first.close()
		s.fill(room, 1, 4)
		first.texts(room, 4)
		s.svc.Append("w", room, "5", func(r *topicv1.Record) { r.Floor = 3 })
		s.fill(room, 6, 6)
		if got := first.texts(room, 2); !slices.Equal(got, numbers(5, 6)) {
			t.Errorf("%v", got)
		}
		c := s.open("v", events(room, 3))
		defer c.close()
		if got := c.texts(room, 3); !slices.Equal(got, numbers(4, 6)) {
			t.Errorf("%v", got)
		}
		for _, below := range []uint64{0, 2} {
			c.send(subscribe(2, events(room, below)))
			if x := c.subscribed()[room]; x.GetError().GetCode() != edgev1.Code_CODE_RESET_FLOOR {
				t.Errorf("from %d: %v", below, x)
			}
		}
	})
}

// An alias is answered under its own name.
func TestAliases(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.open("u", events("test.user/me"))
		defer c.close()
		s.svc.Append("w", "test.user/u", "mine", nil)
		s.svc.Append("w", "test.user/other", "not mine", nil)
		if got := c.texts("test.user/me", 1); got[0] != "mine" {
			t.Error(got)
		}
	})
}

// A client that stops reading loses its topics behind its backlog, then its connection; others don't notice, and it resumes.
func TestSlowReader(t *testing.T) {
	inBubble(t, func(c *Config) { c.Ring = 1000 }, func(t *testing.T, s *system) {
		slow, fast := s.open("slow", events(room)), s.open("fast", events(room))
		text := strings.Repeat("x", 10<<10)
		for range 60 {
			s.svc.Append("w", room, text, nil)
			begin := time.Now()
			fast.texts(room, 1)
			if d := time.Since(begin); d > 20*time.Millisecond {
				t.Errorf("the other waited %v", d)
			}
		}
		n := 0
		var f *edgev1.ServerFrame
		for f = slow.next(); f.GetEvents() != nil; f = slow.next() {
			n += len(f.GetEvents().GetEvents())
		}
		if f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_LAGGED || n == 0 || n >= 60 {
			t.Fatalf("%d events, then %v", n, f)
		}
		slow.send(subscribe(2, events(room, uint64(n))))
		slow.subscribed()
		if got := slow.texts(room, 60-n); len(got) != 60-n {
			t.Errorf("resumed with %d", len(got))
		}
		slow.close()
		fast.close()
	})
}

// A write that doesn't end within 30 s ends the connection.
func TestStuckReader(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.open("u", events(room))
		s.svc.Append("w", room, "x", nil)
		synctest.Wait()
		time.Sleep(writeTime + writeTime/4 + time.Second)
		synctest.Wait()
		if n := s.metric("sessions"); n != 0 {
			t.Errorf("%v sessions", n)
		}
		if n := testutil.ToFloat64(s.g.metrics.closed.WithLabelValues("4002")); n != 1 {
			t.Errorf("%v were too slow", n)
		}
		_ = c.ws.CloseNow()
	})
}

// Replays of several topics take turns, in parts.
func TestReplaysTakeTurns(t *testing.T) {
	text := strings.Repeat("x", 20<<10)
	inBubble(t, nil, func(t *testing.T, s *system) {
		wants := []*edgev1.Want{}
		for i := range 3 {
			topic := fmt.Sprint("test.room/r", i)
			for range 40 {
				s.svc.Append("w", topic, text, nil)
			}
			wants = append(wants, events(topic, 0))
		}
		c := s.signIn("u", subscribe(1, wants...))
		got := map[string]int{}
		last, row := "", 0
		for got["test.room/r0"]+got["test.room/r1"]+got["test.room/r2"] < 120 {
			f := c.next()
			if f.GetStopped() != nil {
				t.Fatalf("%v after %v", f, got)
			}
			e := f.GetEvents()
			if e == nil {
				continue
			}
			if size := proto.Size(e); size > 2*partBytes {
				t.Errorf("a frame of %d bytes", size)
			}
			if row++; e.GetTopic() != last {
				last, row = e.GetTopic(), 1
			}
			if row > 2 && len(got) == 3 && got["test.room/r0"] < 40 && got["test.room/r1"] < 40 && got["test.room/r2"] < 40 {
				t.Errorf("%s had %d turns in a row: %v", last, row, got)
			}
			got[e.GetTopic()] += len(e.GetEvents())
		}
		c.close()
	})
}

// What is asked beyond the limit is refused one by one, but not without end: the answers are longer than what asked for them.
func TestTooManyWants(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		wants := func(n int) (all []*edgev1.Want) {
			for i := range n {
				all = append(all, &edgev1.Want{Topic: fmt.Sprint("test.room/m", i), Mode: edgev1.Mode_MODE_HEADS})
			}
			return all
		}
		c := s.signIn("u", subscribe(1, wants(maxAnswered)...))
		refused, granted := 0, 0
		for refused+granted < maxAnswered {
			for _, x := range c.next().GetSubscribed().GetSubscriptions() {
				switch x.GetError().GetCode() {
				case edgev1.Code_CODE_UNSPECIFIED:
					granted++
				case edgev1.Code_CODE_TOO_MANY_TOPICS:
					refused++
				default:
					t.Fatal(x)
				}
			}
		}
		if granted != maxWants {
			t.Errorf("%d granted", granted)
		}
		c.send(subscribe(2, wants(maxAnswered+1)...))
		if f, code := c.end(); f.GetGoodbye().GetError().GetCode() != edgev1.Code_CODE_MALFORMED || int(code) != int(edgev1.Code_CODE_MALFORMED) {
			t.Errorf("%v, %d", f, code)
		}
	})
}
