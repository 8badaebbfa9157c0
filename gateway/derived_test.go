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
		kind:  rapid.SampledFrom([]string{"say", "say", "sit", "rise", "derive", "derive", "derive", "come", "go"}).Draw(t, "kind"),
		user:  rapid.IntRange(0, 2).Draw(t, "user"),
		desk:  rapid.IntRange(0, 1).Draw(t, "desk"),
		most:  rapid.IntRange(1, 4).Draw(t, "most"),
		fate:  rapid.SampledFrom([]testsvc.Fate{testsvc.Arrives, testsvc.Arrives, testsvc.Lost, testsvc.Late}).Draw(t, "fate"),
		lose:  rapid.Bool().Draw(t, "lose"),
		pause: rapid.SampledFrom([]time.Duration{0, time.Millisecond, 15 * time.Millisecond, 70 * time.Millisecond, 400 * time.Millisecond, 1200 * time.Millisecond}).Draw(t, "pause"),
	}
}

// TestHeadsFollowWhatIsDerived: whatever is lost, late or slow, and however often people are removed and come back, nobody is told of
// a head behind their removal, nobody's own word is ever unread, no head goes back; and in the end everybody knows where all stands.
func TestHeadsFollowWhatIsDerived(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acts := rapid.SliceOfN(rapid.Custom(drawAct), 1, 40).Draw(rt, "acts")
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
	watchers := map[int]*watcher{}
	leave := func(user int) {
		if w := watchers[user]; w != nil {
			_ = w.c.ws.Close(websocket.StatusNormalClosure, "")
			<-w.done
			fault = cmpOr(fault, w.fault)
			delete(watchers, user)
		}
	}
	sits := map[[2]int]bool{}
	for _, a := range acts {
		user, desk, k := fmt.Sprint("u", a.user), fmt.Sprint("d", a.desk), [2]int{a.user, a.desk}
		switch {
		case a.kind == "say" && sits[k]:
			s.svc.Say(user, desk)
		case a.kind == "sit" && !sits[k], a.kind == "rise" && sits[k]:
			sits[k] = !sits[k]
			s.svc.Sit(user, desk, sits[k])
		case a.kind == "derive":
			s.svc.Set(func(svc *testsvc.Service) { svc.Publish = func(*topicv1.Record) bool { return !a.lose } })
			s.svc.Derive(a.most, a.fate)
			s.svc.Set(func(svc *testsvc.Service) { svc.Publish = nil })
		case a.kind == "come" && watchers[a.user] == nil:
			watchers[a.user] = s.watch(user)
		case a.kind == "go":
			leave(a.user)
		}
		time.Sleep(a.pause)
		synctest.Wait()
	}
	for range 50 {
		s.svc.Derive(4, testsvc.Arrives)
	}
	time.Sleep(10 * time.Second)
	synctest.Wait()
	for user, w := range watchers {
		fault = cmpOr(fault, w.differs(s.svc.Truth(w.user)))
		leave(user)
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

func (s *system) watch(user string) *watcher {
	s.t.Helper()
	w := &watcher{s: s, user: user, c: s.signIn(user, subscribe(1, &edgev1.Want{Topic: "test.mine/me", Mode: edgev1.Mode_MODE_HEADS})), done: make(chan struct{})}
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
