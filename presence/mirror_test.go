package presence

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"plenum.internal/mesh/registry"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// broken is a stream of another process that ends while it goes on to ask.
type broken struct {
	presencev1.HomeService_WatchServer
	ask  chan *presencev1.WatchRequest
	ends chan struct{}
}

func (b broken) Recv() (*presencev1.WatchRequest, error) {
	if q := <-b.ask; q != nil {
		return q, nil
	}
	defer close(b.ends)
	return nil, io.EOF
}

func (broken) Send(*presencev1.WatchResponse) error { return io.ErrClosedPipe }

// Nobody is looked at for a stream that has ended, whatever it asked for at the end.
func TestNothingIsWatchedBehindAStream(t *testing.T) {
	s := &Server{house: newHouse(DefaultConfig(), "presence-1")}
	b := broken{ask: make(chan *presencev1.WatchRequest), ends: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- home{s: s}.Watch(b) }()
	q := &presencev1.WatchRequest{Watch: []*presencev1.Person{{Workspace: "w", User: "ada"}}}
	b.ask <- q
	if err := <-ended; !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	q = &presencev1.WatchRequest{Watch: []*presencev1.Person{{Workspace: "w", User: "bob"}}}
	b.ask <- q
	close(b.ask)
	<-b.ends
	s.tasks.Wait()
	if n := len(s.house.watchers); n > 0 {
		t.Errorf("%d still watch", n)
	}
}

// Whom nobody looks at any more is known for a while to who looks again, and then let go of: not to who looks for the first time, nor for ever.
func TestMirrorLingers(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := newHouse(DefaultConfig(), "presence-1")
	away := registry.Node{ID: "presence-2"}
	place := registry.NewPlacement([]registry.Node{{ID: "presence-1"}, away})
	h.settle(now, place, nil, true)
	h.tick(now)
	who := personKey{"w", "bob"}
	for i := 0; place.Home(who.route()) != away; i++ {
		who.user = fmt.Sprint("bob-", i)
	}
	seen := func(w *watcher) presencev1.State {
		list, _, _ := h.take(w)
		if len(list) != 1 {
			t.Fatalf("%d are told", len(list))
		}
		return list[0].status().GetState()
	}
	first := newWatcher(0)
	h.watch(first, []personKey{who}, 0)
	if state := seen(first); state != presencev1.State_STATE_UNSPECIFIED {
		t.Errorf("told as %v before the home has told", state)
	}
	m := h.mirrors[away]
	online := &presencev1.Seen{Person: &presencev1.Person{Workspace: who.workspace, User: who.user}, Status: &presencev1.Status{State: presencev1.State_STATE_ONLINE}}
	if err := h.reflect(m, &presencev1.WatchResponse{Seen: []*presencev1.Seen{online}}); err != nil {
		t.Fatal(err)
	}
	if state := seen(first); state != presencev1.State_STATE_ONLINE {
		t.Errorf("told as %v", state)
	}
	_, version, _ := h.take(first)
	h.forget(first, nil)
	h.tick(now)
	h.tick(now.Add(keeping - time.Second))
	again := newWatcher(0)
	h.watch(again, []personKey{who}, version)
	if list, _, _ := h.take(again); len(list) > 0 || len(m.people) != 1 {
		t.Errorf("%d are told anew; %d are told of", len(list), len(m.people))
	}
	h.tick(now.Add(keeping)) // what was planned as nobody looked
	if len(m.people) != 1 {
		t.Error("somebody was let go of whom somebody looks at")
	}
	h.forget(again, nil)
	h.tick(now.Add(keeping))
	h.tick(now.Add(2*keeping - time.Second))
	if len(h.people) != 1 {
		t.Error("somebody was let go of too early")
	}
	h.tick(now.Add(2 * keeping))
	if len(h.people) != 0 || len(m.people) != 0 || m.todo[who] || len(h.due) != 0 {
		t.Errorf("%d are known, %d told of, %d planned", len(h.people), len(m.people), len(h.due))
	}
}
