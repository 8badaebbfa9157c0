package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// rightAgain is how long people may be unknown when a process of presence has died, or hangs.
const rightAgain = 10 * time.Second

// gaze is how somebody sees others.
type gaze struct {
	done chan struct{}

	mu   sync.Mutex // guards what follows
	seen map[string]*presencev1.Entry
	all  map[string][]presencev1.State // whatever each was seen as
	old  bool                          // it was said to be
	anew int                           // snapshots
	last error
}

func (p *person) gaze(t *testing.T, people ...*person) *gaze {
	t.Helper()
	q := &presencev1.People{}
	for _, other := range people {
		q.Users = append(q.Users, other.ID)
	}
	return p.view(t, "presence.people/me", q)
}

// view opens a view of people, or of a channel.
func (p *person) view(t *testing.T, topic string, of proto.Message) *gaze {
	t.Helper()
	params, err := proto.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := p.Client.Follow(within(t, patience), topic, client.WithParams(params))
	if err != nil {
		t.Fatal(err)
	}
	g := &gaze{done: make(chan struct{}), seen: map[string]*presencev1.Entry{}, all: map[string][]presencev1.State{}}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(g.done)
		for {
			u, err := sub.Next(ctx)
			g.take(u.View, err)
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { stop(); <-g.done; sub.Close() })
	return g
}

func (g *gaze) take(v *edgev1.View, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last = err; v.GetSnapshot() {
		clear(g.seen)
		g.old = false
		g.anew++
	}
	for _, e := range v.GetEntries() {
		m := &presencev1.Entry{}
		if err := proto.Unmarshal(e.GetBody(), m); err != nil {
			g.last = err
			continue
		}
		switch {
		case e.GetKey() == "~":
			g.old = !e.GetRemoved()
		case e.GetRemoved():
			delete(g.seen, e.GetKey())
		default:
			g.seen[e.GetKey()] = m
			g.all[e.GetKey()] = append(g.all[e.GetKey()], m.GetStatus().GetState())
		}
	}
}

// sees waits until somebody is seen as in a state.
func (g *gaze) sees(t *testing.T, p *person, want presencev1.State) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s is seen as %v", p.Handle, want), func(context.Context) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if s := g.seen[p.ID].GetStatus(); s == nil || s.GetState() != want {
			return fmt.Errorf("is seen as %v (%v)", s.GetState(), g.last) //nolint:errorlint // often there is none
		}
		return nil
	})
}

// afresh forgets what everybody was seen as.
func (g *gaze) afresh() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.all)
}

// never fails the test if somebody was seen in a state.
func (g *gaze) never(t *testing.T, p *person, state presencev1.State) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.all[p.ID] {
		if s == state {
			t.Errorf("%s was seen as %v among %v", p.Handle, s, g.all[p.ID])
			return
		}
	}
}

// whoIsHere: people who share a channel see each other come, choose and hide; others are not told of. Who hides is seen to leave, and not to type.
func whoIsHere(t *testing.T, s *shape) {
	bob, cyn, eve := s.member(t), s.member(t), s.member(t)
	channel := s.channel(t, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE, bob, cyn)
	typing, heard := cyn.read(t, channel), bob.read(t, channel)
	g := bob.gaze(t, cyn, eve, bob)
	g.sees(t, bob, presencev1.State_STATE_ONLINE)
	g.sees(t, cyn, presencev1.State_STATE_ONLINE)
	types := func(key string) {
		t.Helper()
		eventually(t, bob.Handle+" hears "+key, func(ctx context.Context) error {
			if err := typing.Sub.Signal(ctx, key, nil); err != nil {
				return err
			}
			return heard.hears(cyn, key)
		})
	}
	types("before")
	var hid time.Time
	for _, state := range []presencev1.State{presencev1.State_STATE_DO_NOT_DISTURB, presencev1.State_STATE_INVISIBLE, presencev1.State_STATE_BUSY, presencev1.State_STATE_UNSPECIFIED} {
		_, err := presencev1.NewPresenceServiceClient(cyn.Client).SetStatus(within(t, patience), &presencev1.SetStatusRequest{User: cyn.ID, State: state})
		if err != nil {
			t.Fatal(err)
		}
		switch state {
		case presencev1.State_STATE_INVISIBLE:
			hid, state = time.Now(), presencev1.State_STATE_OFFLINE
		case presencev1.State_STATE_UNSPECIFIED:
			state = presencev1.State_STATE_ONLINE
		}
		g.sees(t, cyn, state)
		if state == presencev1.State_STATE_OFFLINE {
			if took := time.Since(hid); took < grace-time.Second {
				t.Errorf("%s, who hides, is seen as gone after %v", cyn.Handle, took)
			}
			for range 20 {
				if err := typing.Sub.Signal(within(t, patience), "hidden", nil); err != nil {
					t.Fatal(err)
				}
			}
			cyn.send(t, channel, "I am not here") // goes the same way
		}
	}
	types("after")
	if err := heard.hears(cyn, "hidden"); err == nil {
		t.Errorf("%s hears %s type, who hides", bob.Handle, cyn.Handle)
	}
	again := s.device(t, cyn).read(t, channel)
	begun := time.Now()
	typing = again
	types("fresh")
	t.Logf("who has just come is heard typing after %v", time.Since(begun))
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, told := g.seen[eve.ID]; told {
		t.Errorf("%s sees %s, with whom no channel is shared", bob.Handle, eve.Handle)
	}
}

// counts waits until a channel's members are counted so.
func (g *gaze) counts(t *testing.T, want *presencev1.Counts) {
	t.Helper()
	eventually(t, fmt.Sprintf("members are %v", want), func(context.Context) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if c := g.seen["#"].GetCounts(); !proto.Equal(c, want) {
			return fmt.Errorf("they are %v (%v)", c, g.last) //nolint:errorlint // often there is none
		}
		return nil
	})
}

// ends waits until a view is over, because one may not look.
func (g *gaze) ends(t *testing.T, what string) {
	t.Helper()
	select {
	case <-g.done:
	case <-time.After(patience):
		t.Fatalf("%s: the view goes on", what)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if code := client.CodeOf(g.last); code != edgev1.Code_CODE_REVOKED {
		t.Errorf("%s: %v", what, g.last)
	}
}

// whoIsInAChannel: members see how many of them are here, and who, and who looks; nobody else sees anything, nor who has left.
func whoIsInAChannel(t *testing.T, s *shape) {
	bob, cyn, dan, eve := s.member(t), s.member(t), s.member(t), s.member(t)
	channel := s.channel(t, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE, bob, cyn, dan)
	topic := "presence.channel/" + channel
	g := bob.view(t, topic, &presencev1.Window{Limit: 10, Looking: true}) // at once, though the channel was made a moment ago
	const all = 4                                                         // with who made it
	g.counts(t, &presencev1.Counts{Members: all, Online: all, Looking: 1})
	for _, p := range []*person{bob, cyn, dan} {
		g.sees(t, p, presencev1.State_STATE_ONLINE)
	}
	set := func(p *person, state presencev1.State) {
		t.Helper()
		if _, err := presencev1.NewPresenceServiceClient(p.Client).SetStatus(within(t, patience), &presencev1.SetStatusRequest{User: p.ID, State: state}); err != nil {
			t.Fatal(err)
		}
	}
	set(dan, presencev1.State_STATE_INVISIBLE)
	theirs := cyn.view(t, topic, &presencev1.Window{Limit: 1, Looking: true})
	dan.view(t, topic, &presencev1.Window{Looking: true}).counts(t, &presencev1.Counts{Members: all, Online: all - 1, Offline: 1, Looking: 2})
	g.counts(t, &presencev1.Counts{Members: all, Online: all - 1, Offline: 1, Looking: 2})
	set(cyn, presencev1.State_STATE_DO_NOT_DISTURB)
	g.sees(t, cyn, presencev1.State_STATE_DO_NOT_DISTURB)
	eve.view(t, topic, &presencev1.Window{Limit: 10}).ends(t, "who is no member")
	eve.view(t, topic+"x", &presencev1.Window{Limit: 10}).ends(t, "where there is no channel")
	if _, err := chatv1.NewChatServiceClient(cyn.Client).LeaveChannel(within(t, patience), &chatv1.LeaveChannelRequest{Channel: channel}); err != nil {
		t.Fatal(err)
	}
	theirs.ends(t, "who has left")
	g.counts(t, &presencev1.Counts{Members: all - 1, Online: all - 2, Offline: 1, Looking: 1})
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.anew != 1 {
		t.Errorf("what changed was told by %d snapshots, not by differences", g.anew-1)
	}
}

// hears says whether somebody was heard to signal.
func (r *reader) hears(from *person, key string) error {
	for _, s := range r.Heard() {
		if user, _, _ := strings.Cut(s.GetFrom(), "/"); user == from.ID && s.GetKey() == key {
			return nil
		}
	}
	return errors.New("silence")
}

// presenceOutlivesDeaths: processes of presence and gateways die, hang and come back; nobody who is here is ever seen as gone, and who was unknown
// is known again in time.
func presenceOutlivesDeaths(t *testing.T, s *shape) {
	var people []*person
	for range 6 {
		people = append(people, s.member(t))
	}
	channel := s.channel(t, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE, people...)
	g, room := people[0].gaze(t, people...), people[0].view(t, "presence.channel/"+channel, &presencev1.Window{Limit: 10})
	var failed time.Time // since when they may have been unknown
	all := func(what string) {
		t.Helper()
		for _, p := range people {
			g.sees(t, p, presencev1.State_STATE_ONLINE)
			room.sees(t, p, presencev1.State_STATE_ONLINE)
		}
		if took := time.Since(failed); took > rightAgain {
			t.Errorf("%s: all were seen as they are after %v", what, took)
		} else {
			t.Logf("%s: all are seen as they are after %v at most", what, took)
		}
	}
	change := func(what string, err error) {
		t.Helper()
		failed = time.Now()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	failed = time.Now()
	all("in the beginning")
	for _, view := range []*gaze{g, room} {
		view.afresh() // who has just come was not here yet when the view was opened, perhaps
	}
	for _, name := range []string{"presence-1", "presence-2", "gateway-1"} {
		change("kill "+name, s.cluster.Kill(name))
		time.Sleep(rightAgain / 2)
		all(name + " was killed")
		change("start "+name, s.cluster.StartAgain(t.Context(), name))
		time.Sleep(rightAgain / 4)
		all(name + " came back")
		change("freeze "+name, s.cluster.Freeze(name))
		time.Sleep(rightAgain / 2)
		all(name + " was stopped")
		change("thaw "+name, s.cluster.Thaw(name))
		time.Sleep(rightAgain / 4)
		all(name + " went on")
	}
	for _, p := range people {
		g.never(t, p, presencev1.State_STATE_OFFLINE)
		room.never(t, p, presencev1.State_STATE_OFFLINE)
	}
}
