package gateway

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/mesh/registry"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// act is one step of a history of desks.
type act struct {
	kind  string
	user  int
	desk  int
	most  int           // of a derivation
	fate  testsvc.Fate  // of its announcement
	lose  bool          // what it publishes
	pause time.Duration // afterwards
}

func drawAct(t *rapid.T) act {
	return act{
		kind:  rapid.SampledFrom([]string{"say", "say", "say", "move", "move", "derive", "derive", "derive", "derive", "door"}).Draw(t, "kind"),
		user:  rapid.IntRange(0, users-1).Draw(t, "user"),
		desk:  rapid.IntRange(0, 1).Draw(t, "desk"),
		most:  rapid.IntRange(1, 4).Draw(t, "most"),
		fate:  rapid.SampledFrom([]testsvc.Fate{testsvc.Arrives, testsvc.Arrives, testsvc.Lost, testsvc.Late}).Draw(t, "fate"),
		lose:  rapid.Bool().Draw(t, "lose"),
		pause: rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 70 * time.Millisecond, 1200 * time.Millisecond}).Draw(t, "pause"),
	}
}

const users = 2

// TestHeadsFollowWhatIsDerived: whatever is lost, late or slow, and however often people are removed and come back, nobody is told of
// a head behind their removal, nobody's own word is ever unread, no head goes back; and in the end everybody knows where all stands.
func TestHeadsFollowWhatIsDerived(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acts := rapid.SliceOfN(rapid.Custom(drawAct), 20, 60).Draw(rt, "acts")
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = play(t, acts) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// play runs a history, and returns the first thing that was wrong.
func play(t *testing.T, acts []act) (fault string) {
	s := newSystem(t, nil)
	s.svc.Set(func(svc *testsvc.Service) { svc.Lag = 15 * time.Millisecond })
	sits := map[[2]int]bool{}
	move := func(user, desk int) {
		k := [2]int{user, desk}
		sits[k] = !sits[k]
		s.svc.Sit(fmt.Sprint("u", user), fmt.Sprint("d", desk), sits[k])
	}
	watchers := map[int]*watcher{}
	leave := func(w *watcher) {
		_ = w.c.ws.Close(websocket.StatusNormalClosure, "")
		<-w.done
		fault = cmpOr(fault, w.fault)
	}
	for user := range users {
		move(user, 0)
		move(user, 1)
		w := s.watch(fmt.Sprint("u", user), events("test.user/me")) // so that their log has a hub before there is a bundle
		defer leave(w)
	}
	s.svc.Derive(10, testsvc.Arrives)
	for _, a := range acts {
		user := fmt.Sprint("u", a.user)
		switch {
		case a.kind == "say" && sits[[2]int{a.user, a.desk}]:
			s.svc.Say(user, fmt.Sprint("d", a.desk))
		case a.kind == "say", a.kind == "move":
			move(a.user, a.desk)
		case a.kind == "derive":
			s.svc.Set(func(svc *testsvc.Service) { svc.Publish = func(*topicv1.Record) bool { return !a.lose } })
			s.svc.Derive(a.most, a.fate)
			s.svc.Set(func(svc *testsvc.Service) { svc.Publish = nil })
		case watchers[a.user] == nil:
			watchers[a.user] = s.watch(user, &edgev1.Want{Topic: "test.mine/me", Mode: edgev1.Mode_MODE_HEADS})
		default:
			leave(watchers[a.user])
			delete(watchers, a.user)
		}
		time.Sleep(a.pause)
		synctest.Wait()
	}
	for range len(acts) {
		s.svc.Derive(4, testsvc.Arrives)
	}
	time.Sleep(10 * time.Second)
	synctest.Wait()
	for _, w := range watchers {
		fault = cmpOr(fault, w.differs(s.svc.Truth(w.user)))
		leave(w)
	}
	return fault
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// watcher is a client that follows its bundle.
type watcher struct {
	s    *system
	user string
	c    *client
	done chan struct{}

	mu    sync.Mutex // guards all below
	fault string
	names map[uint32]string
	heads map[string]*edgev1.Head
}

func (s *system) watch(user string, want *edgev1.Want) *watcher {
	s.t.Helper()
	w := &watcher{s: s, user: user, c: s.signIn(user, subscribe(1, want)), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *watcher) run() {
	defer close(w.done)
	for _, f := range w.c.frames { // came with the welcome
		w.take(f.GetHeads())
	}
	for {
		_, data, err := w.c.ws.Read(w.s.t.Context())
		if err != nil {
			return
		}
		var m edgev1.ServerMessage
		if err := proto.Unmarshal(data, &m); err != nil {
			w.note(err.Error())
		}
		for _, f := range m.GetFrames() {
			w.take(f.GetHeads())
		}
	}
}

func (w *watcher) note(fault string) { w.fault = cmpOr(w.fault, fault) }

func (w *watcher) take(h *edgev1.Heads) {
	if h == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.GetSnapshot() {
		w.names, w.heads = map[uint32]string{}, map[string]*edgev1.Head{}
	}
	for _, x := range h.GetHeads() {
		if x.GetTopic() != "" {
			w.names[x.GetRef()] = x.GetTopic()
		}
		name := w.names[x.GetRef()]
		old := w.heads[name]
		switch {
		case name == "":
			w.note(fmt.Sprint("an unknown number: ", x))
			continue
		case x.GetRemoved():
			delete(w.names, x.GetRef())
			delete(w.heads, name)
			continue
		case old.GetOffset() > x.GetOffset():
			w.note(fmt.Sprintf("%s is told that %s goes back from %d to %d", w.user, name, old.GetOffset(), x.GetOffset()))
		}
		if x.Badge == nil {
			x.Badge = old.GetBadge()
		}
		w.heads[name] = x
		if why := w.s.svc.Fault(w.user, name, x.GetOffset(), readOf(x)); why != "" {
			w.note(fmt.Sprintf("%s is told %v of %s: %s", w.user, x, name, why))
		}
	}
}

func readOf(h *edgev1.Head) uint64 {
	var b testv1.Badge
	_ = proto.Unmarshal(h.GetBadge(), &b)
	return b.GetMentions()
}

// differs tells where the watcher's bundle is not the truth.
func (w *watcher) differs(truth map[string]*edgev1.Head) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(truth) != len(w.heads) {
		return fmt.Sprintf("%s knows %v, not %v", w.user, w.heads, truth)
	}
	for name, want := range truth {
		if got := w.heads[name]; got.GetOffset() != want.GetOffset() || got.GetCount() != want.GetCount() || readOf(got) != readOf(want) {
			return fmt.Sprintf("%s knows %v of %s, not %v", w.user, got, name, want)
		}
	}
	return ""
}

// What was derived while a bundle was being opened is told no earlier than what belongs to it, even if the gateway has forgotten
// that it heard of both.
func TestBundleBeginsWithItsOwnLog(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		for _, user := range []string{"a", "b"} {
			s.svc.Sit(user, "d", true)
			w := s.watch(user, events("test.user/me"))
			defer w.c.close()
		}
		s.svc.Derive(2, testsvc.Arrives)
		b := s.watch("b", &edgev1.Want{Topic: "test.mine/me", Mode: edgev1.Mode_MODE_HEADS}) // so that the gateway follows the desk
		defer b.c.close()
		time.Sleep(5 * time.Second)
		s.svc.Set(func(svc *testsvc.Service) {
			svc.Lag = 10 * time.Millisecond
			svc.Publish = func(*topicv1.Record) bool { return false }
		})
		a := s.watch("a", &edgev1.Want{Topic: "test.mine/me", Mode: edgev1.Mode_MODE_HEADS})
		defer a.c.close()
		time.Sleep(time.Millisecond)
		s.svc.Say("a", "d")
		s.svc.Derive(1, testsvc.Arrives)
		synctest.Wait()
		for i := range 60_000 {
			s.g.derived("w", &edgev1.Head{Topic: fmt.Sprint(testsvc.Desk, i), Epoch: testsvc.Epoch, Offset: 1})
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for _, w := range []*watcher{a, b} {
			if fault := cmpOr(w.fault, w.differs(s.svc.Truth(w.user))); fault != "" {
				t.Error(fault)
			}
		}
	})
}

// A change that knows less of its topic than the snapshot did is told by another snapshot.
func TestChangeOlderThanTheSnapshot(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c, l := s.bundle("u", member(1, 9))
		defer c.close()
		s.svc.Members("u", &edgev1.Head{Topic: "test.room/m1", Epoch: testsvc.Epoch, Offset: 9, Count: 9, Badge: badge(7)})
		s.svc.Append("w", "test.user/u", "read", func(r *topicv1.Record) {
			r.Heads = []*edgev1.Head{{Topic: "test.room/m1", Epoch: testsvc.Epoch, Offset: 5, Count: 5, Badge: badge(7)}}
		})
		h := c.subscribedThenHeads()
		l.take(t, h)
		if got := l.heads["test.room/m1"]; !h.GetSnapshot() || got.GetOffset() != 9 || readOf(got) != 7 {
			t.Errorf("%v", h)
		}
	})
}

// A node that goes may have committed something that nobody was told of: the log is asked at once.
func TestNodeLeaves(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.open("u", events(room))
		defer c.close()
		s.svc.Set(func(svc *testsvc.Service) { svc.Publish = func(*topicv1.Record) bool { return false } })
		nodes := []registry.Node{{ID: "test-1", Service: "test"}, {ID: "test-2", Service: "test"}}
		for i := range 3 {
			time.Sleep(7100 * time.Millisecond)
			begun := time.Now()
			s.svc.Append("w", room, fmt.Sprint(i), nil)
			s.g.left(nodes, nodes[:1])
			c.texts(room, 1)
			if d := time.Since(begun); d > 300*time.Millisecond {
				t.Errorf("told after %v", d)
			}
		}
	})
}
