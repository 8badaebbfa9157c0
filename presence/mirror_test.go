package presence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/mesh/registry"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
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
	s := &Server{hub: newHub(DefaultConfig(), "presence-1")}
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
	if n := len(s.hub.watchers); n > 0 {
		t.Errorf("%d still watch", n)
	}
}

// Whom nobody looks at any more is known for a while to who looks again, and then let go of: not to who looks for the first time, nor for ever.
func TestMirrorLingers(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := newHub(DefaultConfig(), "presence-1")
	away := registry.Node{ID: "presence-2"}
	place := registry.NewPlacement([]registry.Node{{ID: "presence-1"}, away})
	h.setPlacement(now, place, nil, true)
	h.tick(now)
	who := personKey{"w", "bob"}
	for i := 0; place.Home(who.route()) != away; i++ {
		who.user = fmt.Sprint("bob-", i)
	}
	seen := func(w *watcher) presencev1.State {
		list, _ := h.takeNews(w)
		if len(list) != 1 {
			t.Fatalf("%d are told", len(list))
		}
		return list[0].status().GetState()
	}
	first := newWatcher(0)
	h.watch(first, []personKey{who})
	if state := seen(first); state != presencev1.State_STATE_UNSPECIFIED {
		t.Errorf("told as %v before the home has told", state)
	}
	m := h.mirrors[away]
	online := &presencev1.Seen{Person: &presencev1.Person{Workspace: who.workspace, User: who.user}, Status: &presencev1.Status{State: presencev1.State_STATE_ONLINE}}
	h.receive(m, &presencev1.WatchResponse{Seen: []*presencev1.Seen{online}})
	if state := seen(first); state != presencev1.State_STATE_ONLINE {
		t.Errorf("told as %v", state)
	}
	h.forget(first, nil, now)
	h.tick(now.Add(lingerTime - time.Second))
	again := newWatcher(0)
	h.watch(again, []personKey{who})
	if state := seen(again); state != presencev1.State_STATE_ONLINE || len(m.todo) != 1 {
		t.Errorf("told as %v, and the home is asked for %v", state, m.todo)
	}
	h.tick(now.Add(lingerTime)) // what was planned as nobody looked
	if len(m.people) != 1 {
		t.Error("somebody was let go of whom somebody looks at")
	}
	h.forget(again, nil, now.Add(lingerTime))
	h.tick(now.Add(2*lingerTime - time.Second))
	if len(h.people) != 1 {
		t.Error("somebody was let go of too early")
	}
	h.tick(now.Add(2 * lingerTime))
	if len(h.people) != 0 || len(m.people) != 0 || m.todo[who] || len(h.due) != 0 {
		t.Errorf("%d are known, %d told of, %d planned", len(h.people), len(m.people), len(h.due))
	}
	<-h.mirrored // nobody is told of, but the home lives
	h.setPlacement(now, placeOf("presence-1"), nil, true)
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
	s := &Server{hub: newHub(DefaultConfig(), "presence-1")}
	const signs = int(watchPatience / watchLife)
	s.hub.mu.Lock()
	for range 20 { // of two that are ready select takes either
		life, ended, said := make(chan time.Time, 2*signs), make(chan error, 1), 0
		for range 2 * signs {
			life <- time.Time{}
		}
		_, err := home{s: s}.awaitNews(newWatcher(0), life, ended, func(*presencev1.WatchResponse) error {
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
	s.hub.mu.Unlock()
	s.tasks.Wait()
}

// TestBeginning: when a view begins, what it begins with, and when it shows who comes later, doesn't tell whether others look at the same people: only whether
// anybody's home is elsewhere, as all can know.
func TestBeginning(t *testing.T) {
	self, away := registry.Node{ID: "presence-1"}, registry.Node{ID: "presence-2"}
	place := registry.NewPlacement([]registry.Node{self, away})
	at := func(home registry.Node, prefix string) (user string) {
		for i := 0; user == "" || place.Home(personKey{"w", user}.route()) != home; i++ {
			user = fmt.Sprint(prefix, i)
		}
		return user
	}
	near, far, late := at(self, "near-"), at(away, "far-"), at(away, "late-")
	tell := 100 * time.Millisecond // the other home's
	type update struct {
		at  time.Duration
		who []string
	}
	for name, q := range map[string]struct {
		users  []string
		others bool // look at the same people
		tells  bool // the other home does
		over   bool // others look no more
		want   []update
	}{
		"all at home":                     {[]string{near}, false, true, false, []update{{0, []string{near}}}},
		"all at home, and others look":    {[]string{near}, true, true, false, []update{{0, []string{near}}}},
		"elsewhere":                       {[]string{far, late, near}, false, true, false, []update{{homeTime, []string{far, near}}, {20*time.Second + homeTime, []string{late}}}},
		"elsewhere, and others look":      {[]string{far, late, near}, true, true, false, []update{{homeTime, []string{far, near}}, {20*time.Second + homeTime, []string{late}}}},
		"elsewhere, and others did":       {[]string{far, late, near}, true, true, true, []update{{homeTime, []string{far, near}}, {20*time.Second + homeTime, []string{late}}}},
		"elsewhere, and the home is away": {[]string{far, near}, false, false, false, []update{{homeWait, []string{far, near}}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Server{cfg: DefaultConfig(), hub: newHub(DefaultConfig(), self.ID), memberships: newMemberships(), views: newViews()}
				s.hub.setPlacement(time.Now(), place, nil, true)
				ctx, end := context.WithCancel(t.Context())
				s.tasks.Go(func() { // the other home
					for q.tells {
						select {
						case <-time.After(tell):
						case <-ctx.Done():
							return
						}
						s.hub.mu.Lock()
						m, res := s.hub.mirrors[away], &presencev1.WatchResponse{}
						if m != nil {
							for k, watched := range m.todo {
								if delete(m.todo, k); watched {
									res.Seen = append(res.Seen, &presencev1.Seen{
										Person: &presencev1.Person{Workspace: k.workspace, User: k.user}, Status: &presencev1.Status{State: presencev1.State_STATE_ONLINE},
									})
								}
							}
						}
						s.hub.mu.Unlock()
						if m != nil {
							s.hub.receive(m, res)
						}
					}
				})
				join := func(users ...string) {
					_, joined := s.memberships.change([]*chatv1.Room{{Workspace: "w", Channel: "lobby", Members: users}})
					s.views.recheck(joined, true)
				}
				join("ada", near, far)
				if q.others {
					w := newWatcher(0)
					var all []personKey
					for _, user := range q.users {
						all = append(all, personKey{"w", user})
					}
					s.hub.watch(w, all)
					time.Sleep(10 * time.Second)
					if q.over {
						s.hub.forget(w, nil, time.Now())
					}
				}
				var got []update
				begin := time.Now()
				v := &view{watcher: newWatcher(0), who: personKey{"w", "ada"}, users: slices.Sorted(slices.Values(q.users))}
				if err := s.views.open(v.who, v.watcher, 1); err != nil {
					t.Fatal(err)
				}
				s.tasks.Go(func() {
					_ = s.tail(ctx, v, nil, func(res *topicv1.TailResponse) error {
						u := update{at: time.Since(begin)}
						for _, e := range res.GetView().GetEntries() {
							u.who = append(u.who, e.GetKey())
							if seen := (news{seen: e.GetBody()}).status().GetState(); q.tells && e.GetKey() != near && seen != presencev1.State_STATE_ONLINE {
								t.Errorf("%s is told as %v", e.GetKey(), seen)
							}
						}
						got = append(got, u)
						return nil
					})
				})
				time.Sleep(20 * time.Second)
				join(late)
				time.Sleep(20 * time.Second)
				end()
				s.tasks.Wait()
				if !slices.EqualFunc(got, q.want, func(a, b update) bool { return a.at == b.at && slices.Equal(a.who, b.who) }) {
					t.Errorf("told %v, want %v", got, q.want)
				}
			})
		})
	}
}
