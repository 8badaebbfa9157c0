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
	first := newWatcher()
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
	again := newWatcher()
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
	<-h.mirrored // nobody is told of, but the home lives
	h.settle(now, registry.NewPlacement([]registry.Node{{ID: "presence-1"}}), nil, true)
	if len(h.mirrored) == 0 {
		t.Error("a home that is no more is followed further")
	}
}

// words are what a stream is sent; it asks for nothing.
type words struct {
	presencev1.HomeService_WatchServer
	sent chan *presencev1.WatchResponse
	end  chan struct{}
}

func (w words) Recv() (*presencev1.WatchRequest, error) {
	<-w.end
	return nil, io.EOF
}

func (w words) Send(res *presencev1.WatchResponse) error {
	w.sent <- res
	return nil
}

// A home says that it lives though others hold its lock, but not for ever. Time is real: who waits for a lock stops the clock of a bubble.
func TestHomeLives(t *testing.T) {
	s := &Server{house: newHouse(DefaultConfig(), "presence-1")}
	const signs = int(watchPatience / watchLife)
	s.house.mu.Lock()
	for range 20 { // of two that are ready select takes either
		life, ended, said := make(chan time.Time, 2*signs), make(chan error, 1), 0
		for range 2 * signs {
			life <- time.Time{}
		}
		_, err := home{s: s}.take(newWatcher(), life, ended, func(*presencev1.WatchResponse) error {
			if said++; said == signs {
				ended <- io.EOF
			}
			return nil
		})
		if !errors.Is(err, io.EOF) || said != signs {
			t.Fatalf("%v after %d signs of life", err, said)
		}
	}
	w, ended := words{sent: make(chan *presencev1.WatchResponse, 100), end: make(chan struct{})}, make(chan error, 1)
	go func() { ended <- home{s: s}.Watch(w) }()
	<-w.sent
	close(w.end)
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	s.house.mu.Unlock()
	s.tasks.Wait()
}
