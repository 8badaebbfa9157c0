package chat

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// at makes the same person call another process.
func (u *user) at(w *world) *user {
	other := *u
	other.world = w
	return &other
}

// opens is what the person is granted of a channel, as a session subscribes to it.
func (u *user) opens(ch string) *topicv1.Grant {
	u.tb.Helper()
	return u.open(&edgev1.Want{Topic: topicChannel + ch, Mode: edgev1.Mode_MODE_EVENTS})[0]
}

func (w *world) fresh() { w.tb.Helper(); eventually(w.tb, "fresh", w.server.feed.fresh) }

// A storm of sessions on the same channels costs as many statements as one: none when they were opened before, and the statements
// of a load or two when nothing is in memory.
func TestStormOfSessions(t *testing.T) {
	const sessions, channels = 150, 20
	nats := meshtest.NATS(t)
	direct, err := url.Parse(meshtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := meshtest.StartProxy(t, direct.Host)
	direct.Host = proxy.Addr
	w := newWorld(t, direct.String(), withBus(t, nats))
	var people []*user
	for i := range sessions {
		people = append(people, w.person("w1", fmt.Sprint("u", i), plain))
	}
	w.settle()
	wants := make([]*edgev1.Want, channels)
	for i := range wants {
		ch := people[0].private(fmt.Sprint("c", i))
		wants[i] = &edgev1.Want{Topic: topicChannel + ch, Mode: edgev1.Mode_MODE_EVENTS}
		for group := range slices.Chunk(people[1:], MaxAdded) {
			people[0].add(ch, group...)
		}
	}
	w.settle()
	w.fresh()
	w.server.cache.clear()
	var loads atomic.Int32
	begun, release := make(chan struct{}), make(chan struct{})
	read := w.server.loader.read
	w.server.loader.read = func(ctx context.Context, asks []*asked) (map[channelKey]*held, error) {
		if loads.Add(1) == 1 {
			close(begun)
			<-release
		}
		return read(ctx, asks)
	}
	storm := func(people []*user) *sync.WaitGroup {
		var wg sync.WaitGroup
		for _, u := range people {
			wg.Go(func() {
				res, err := w.gateway.Open(u.read(), &topicv1.OpenRequest{Wants: wants})
				for _, g := range res.GetGrants() {
					if g.GetError() != nil || !g.GetSignal() {
						t.Errorf("%s: %v", u.handle, g)
					}
				}
				if err != nil || len(res.GetGrants()) != channels {
					t.Errorf("%s: %v", u.handle, err)
				}
			})
		}
		return &wg
	}
	first := storm(people[:1])
	<-begun
	rest := storm(people[1:])
	eventually(t, "all ask", func() bool {
		w.server.loader.mu.Lock()
		defer w.server.loader.mu.Unlock()
		return w.server.loader.next != nil && w.server.loader.next.keys == (sessions-1)*channels
	})
	close(release)
	first.Wait()
	rest.Wait()
	if n := loads.Load(); n != 2 {
		t.Errorf("%d loads", n)
	}
	if n, members := w.server.cache.size(); n != channels || members != sessions*channels {
		t.Errorf("%d channels, %d memberships", n, members)
	}
	proxy.Refuse(true) // from here on a statement fails
	storm(people).Wait()
	if n := loads.Load(); n != 2 {
		t.Errorf("%d loads", n)
	}
	if n := testutil.ToFloat64(w.server.metrics.hits); n != sessions*channels {
		t.Errorf("%v hits", n)
	}
	if _, err := w.gateway.Open(people[0].read(), &topicv1.OpenRequest{Wants: []*edgev1.Want{{Topic: topicChannel + "unknown"}}}); err == nil {
		t.Error("a refusal without the database")
	}
	proxy.Refuse(false)
}

// Who shares a call is granted what they would be granted alone; a token that is no good is refused by itself, and no want may be left
// out or made up.
func TestOpenEach(t *testing.T) {
	nats := meshtest.NATS(t)
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := newWorld(t, url, withBus(t, nats))
		anna, bob, carl, visitor, stranger := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain), w.person("w1", "visitor", guest), w.person("w2", "stranger", plain)
		w.settle()
		w.fresh()
		open, secret, news := anna.public("open"), anna.private("secret"), anna.private("news")
		anna.add(secret, bob)
		anna.send(secret, "early")
		must(w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: secret, History: chatv1.ChannelHistory_CHANNEL_HISTORY_JOINED}))(t)
		must(w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: news, Posting: moderators}))(t)
		anna.add(secret, carl)
		anna.add(news, carl, visitor)
		w.settle()
		var wants []*edgev1.Want
		for _, name := range []string{topicChannel + open, topicChannel + secret, topicChannel + news, topicUser + "me", topicChannel + "unknown", "chat.channel/?"} {
			wants = append(wants, &edgev1.Want{Topic: name, Mode: edgev1.Mode_MODE_EVENTS})
		}
		people := []*user{anna, bob, carl, visitor, stranger}
		for _, from := range []string{"database", "memory"} {
			var alone [][]*topicv1.Grant
			req := &topicv1.OpenEachRequest{Wants: wants, Openings: []*topicv1.Opening{{Token: "rubbish", Wants: []uint32{0}}, {Wants: []uint32{0}}}}
			for _, u := range people {
				alone = append(alone, u.open(wants...))
				req.Openings = append(req.Openings, &topicv1.Opening{Token: u.token, Wants: []uint32{0, 1, 2, 3, 4, 5, 1}})
			}
			if from == "database" {
				w.server.cache.clear()
			}
			res := must(w.gateway.OpenEach(t.Context(), req))(t)
			for i, o := range res.GetOpened() {
				if i < 2 {
					if o.GetError().GetCode() != edgev1.Code_CODE_TOKEN_REFUSED || len(o.GetGrants()) > 0 {
						t.Errorf("%s: a bad token: %v", from, o)
					}
					continue
				}
				if len(o.GetGrants()) != 7 {
					t.Fatalf("%s: %d grants", from, len(o.GetGrants()))
				}
				for j, at := range o.GetGrants() {
					if got, want := res.GetGrants()[at], alone[i-2][[]int{0, 1, 2, 3, 4, 5, 1}[j]]; !proto.Equal(got, want) {
						t.Errorf("%s: %s is granted %v, alone %v", from, people[i-2].handle, got, want)
					}
				}
			}
		}
		for what, req := range map[string]*topicv1.OpenEachRequest{
			"a want that isn't there": {Wants: wants, Openings: []*topicv1.Opening{{Token: anna.token, Wants: []uint32{6}}}},
			"too many openings":       {Openings: make([]*topicv1.Opening, topic.MaxOpenings+1)},
			"too many wants of one":   {Wants: wants, Openings: []*topicv1.Opening{{Token: anna.token, Wants: make([]uint32, topic.MaxWants+1)}}},
			"too many wants":          {Wants: wants, Openings: slices.Repeat([]*topicv1.Opening{{Token: anna.token, Wants: make([]uint32, topic.MaxWants)}}, topic.MaxEachWants/topic.MaxWants+1)},
		} {
			for i, o := range req.GetOpenings() {
				if o == nil {
					req.Openings[i] = &topicv1.Opening{}
				}
			}
			if _, err := w.gateway.OpenEach(t.Context(), req); rpc.CodeOf(err) != edgev1.Code_CODE_INVALID_ARGUMENT {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// What one process changes, the other hears. Until then it grants as of before, so that a hub sees the change; and never refuses from
// memory.
func TestGrantsFollow(t *testing.T) {
	nats := meshtest.NATS(t)
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := newWorld(t, url, withBus(t, nats))
		other := w.replica(url, withBus(t, nats))
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		w.settle()
		w.fresh()
		other.fresh()
		ch := anna.private("secret")
		there := func(u *user) *topicv1.Grant { return u.at(other).opens(ch) }
		hits := func() float64 { return testutil.ToFloat64(other.server.metrics.hits) }
		// changes are heard of: until `now`, all is as of before.
		heard := func(what string, u *user, at uint64, now func(*topicv1.Grant) bool) {
			t.Helper()
			eventually(t, what, func() bool {
				g := there(u)
				if now(g) {
					return true
				}
				if g.GetError() != nil || g.GetHead().GetOffset() >= at {
					t.Fatalf("%s: changed at %d, granted %v", what, at, g)
				}
				return false
			})
		}
		if g := there(bob); g.GetError() == nil {
			t.Fatalf("bob is no member: %v", g)
		}
		for range 3 {
			anna.add(ch, bob)
			if g := there(bob); g.GetError() != nil || !g.GetSignal() {
				t.Fatalf("bob was let in: %v", g)
			}
			before := hits()
			eventually(t, "memory", func() bool { there(bob); return hits() > before })
			at := must(w.api.RemoveMember(anna.write(), &chatv1.RemoveMemberRequest{Channel: ch, User: bob.id}))(t).GetOffset()
			heard("removed", bob, at, func(g *topicv1.Grant) bool { return g.GetError() != nil })
		}
		anna.add(ch, bob, carl)
		there(bob)
		at := must(w.api.ArchiveChannel(anna.write(), &chatv1.ArchiveChannelRequest{Channel: ch, Archived: true}))(t).GetOffset()
		heard("archived", bob, at, func(g *topicv1.Grant) bool { return g.GetError() == nil && !g.GetSignal() })
		at = must(w.api.ArchiveChannel(anna.write(), &chatv1.ArchiveChannelRequest{Channel: ch}))(t).GetOffset()
		heard("brought back", bob, at, func(g *topicv1.Grant) bool { return g.GetSignal() })
		at = must(w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: ch, Posting: moderators}))(t).GetOffset()
		heard("moderators post", bob, at, func(g *topicv1.Grant) bool { return !g.GetSignal() })
		at = must(w.api.SetMemberRole(anna.write(), &chatv1.SetMemberRoleRequest{Channel: ch, User: bob.id, Role: moderator}))(t).GetOffset()
		heard("a moderator", bob, at, func(g *topicv1.Grant) bool { return g.GetSignal() })
		// Messages raise the head; what a cursor knows of is never granted as of before it.
		for range 20 {
			at = anna.send(ch, "x")
			g := other.grant(bob, &edgev1.Want{Topic: topicChannel + ch, Cursor: &edgev1.Cursor{Epoch: there(bob).GetHead().GetEpoch(), Offset: at}})
			if g.GetError() != nil || g.GetHead().GetOffset() < at {
				t.Fatalf("a cursor at %d is granted %v", at, g)
			}
		}
		// In mode HEADS nobody reads along, so the database is asked.
		before := hits()
		eventually(t, "memory", func() bool { there(carl); return hits() > before })
		before = hits()
		if g := other.grant(carl, &edgev1.Want{Topic: topicChannel + ch, Mode: edgev1.Mode_MODE_HEADS}); g.GetError() != nil || hits() != before ||
			len(g.GetMembers()) != 1 || g.GetMembers()[0].GetOffset() != g.GetHead().GetOffset() || g.GetMembers()[0].GetCount() == 0 {
			t.Fatalf("carl is granted %v", g)
		}
		at = must(w.api.LeaveChannel(carl.write(), &chatv1.LeaveChannelRequest{Channel: ch}))(t).GetOffset()
		if g := other.grant(carl, &edgev1.Want{Topic: topicChannel + ch, Mode: edgev1.Mode_MODE_HEADS}); g.GetError() == nil {
			t.Fatalf("carl left at %d and is granted %v", at, g)
		}
	})
}

const (
	moderators = chatv1.ChannelPosting_CHANNEL_POSTING_MODERATORS
	moderator  = chatv1.ChannelRole_CHANNEL_ROLE_MODERATOR
)

// grant opens one topic at this process.
func (w *world) grant(u *user, want *edgev1.Want) *topicv1.Grant {
	w.tb.Helper()
	return u.at(w).open(want)[0]
}

// Without NATS every grant is the database's; when NATS is back, memory serves again, and knows what happened meanwhile.
func TestGrantsWithoutBus(t *testing.T) {
	nats := meshtest.StartNATS(t)
	w := newWorld(t, meshtest.SQLite(t), withBus(t, nats.URL))
	anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
	w.settle()
	w.fresh()
	ch := anna.private("secret")
	anna.add(ch, bob)
	bob.opens(ch)
	nats.Kill()
	eventually(t, "away", func() bool { return !w.server.feed.fresh() })
	hits := testutil.ToFloat64(w.server.metrics.hits)
	must(w.api.RemoveMember(anna.write(), &chatv1.RemoveMemberRequest{Channel: ch, User: bob.id}))(t)
	if g := bob.opens(ch); g.GetError() == nil {
		t.Errorf("bob is granted %v", g)
	}
	if g := anna.opens(ch); g.GetError() != nil || testutil.ToFloat64(w.server.metrics.hits) != hits {
		t.Errorf("anna is granted %v", g)
	}
	nats.Start(t)
	w.fresh()
	anna.opens(ch)
	eventually(t, "memory", func() bool {
		if g := bob.opens(ch); g.GetError() == nil {
			t.Fatalf("bob is granted %v", g)
		}
		anna.opens(ch)
		return testutil.ToFloat64(w.server.metrics.hits) > hits
	})
}

// Whatever changes who may post tells so in the envelope, free of domain.
func TestRightsAreInTheEnvelope(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		w.settle()
		ch := anna.private("secret")
		anna.add(ch, bob)
		update := func(req *chatv1.UpdateChannelRequest) uint64 {
			req.Channel = ch
			return must(w.api.UpdateChannel(anna.write(), req))(t).GetOffset()
		}
		archive := func(on bool) uint64 {
			return must(w.api.ArchiveChannel(anna.write(), &chatv1.ArchiveChannelRequest{Channel: ch, Archived: on}))(t).GetOffset()
		}
		role := func(r chatv1.ChannelRole) uint64 {
			return must(w.api.SetMemberRole(anna.write(), &chatv1.SetMemberRoleRequest{Channel: ch, User: bob.id, Role: r}))(t).GetOffset()
		}
		name := "renamed"
		for _, c := range []struct {
			what string
			at   uint64
			want []*topicv1.Access
		}{
			{"renamed", update(&chatv1.UpdateChannelRequest{Name: &name}), nil},
			{"archived", archive(true), []*topicv1.Access{{Principal: "*", Read: true}}},
			{"brought back", archive(false), []*topicv1.Access{{Principal: "*"}}},
			{"a role where all post", role(moderator), []*topicv1.Access{{Principal: bob.id, Read: true, Signal: true}}},
			{"moderators post", update(&chatv1.UpdateChannelRequest{Posting: moderators}), []*topicv1.Access{{Principal: "*"}}},
			{"a role taken", role(chatv1.ChannelRole_CHANNEL_ROLE_MEMBER), []*topicv1.Access{{Principal: bob.id, Read: true}}},
			{"added", anna.add(ch, carl), []*topicv1.Access{{Principal: carl.id, Read: true}}},
		} {
			got := w.tail("w1", topicChannel+ch, nil)[c.at-1].GetAccess()
			if !slices.EqualFunc(got, c.want, func(a, b *topicv1.Access) bool { return proto.Equal(a, b) }) {
				t.Errorf("%s: %v, want %v", c.what, got, c.want)
			}
		}
	})
}

// Who may read from joining on learns nothing of what becomes of earlier messages: the envelope tells hubs, and the history leaves
// such pins out.
func TestEventsAboutEarlierMessages(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		w.settle()
		ch := anna.private("secret")
		anna.add(ch, bob)
		old := anna.send(ch, "old")
		must(w.api.AddReaction(bob.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: old, Emoji: "👍"}))(t)
		must(w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: ch, History: chatv1.ChannelHistory_CHANNEL_HISTORY_JOINED}))(t)
		anna.add(ch, carl)
		young := anna.send(ch, "young")
		floor := carl.opens(ch).GetFloor().GetOffset()
		if bob.opens(ch).GetFloor().GetOffset() != 0 || floor < old {
			t.Fatalf("carl's floor is %d", floor)
		}
		from := young + 1
		for _, at := range []uint64{old, young} {
			must(w.api.AddReaction(bob.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: at, Emoji: "🎉"}))(t)
			must(w.api.RemoveReaction(bob.write(), &chatv1.RemoveReactionRequest{Channel: ch, Offset: at, Emoji: "🎉"}))(t)
			must(w.api.PinMessage(bob.write(), &chatv1.PinMessageRequest{Channel: ch, Offset: at, Pinned: true}))(t)
			must(w.api.EditMessage(anna.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: at, Text: "edited"}))(t)
			if at == young {
				break
			}
			must(w.api.DeleteMessage(anna.write(), &chatv1.DeleteMessageRequest{Channel: ch, Offset: at}))(t)
		}
		var about []uint64
		for _, r := range w.tail("w1", topicChannel+ch, nil) {
			if r.GetEvent().GetOffset() >= from {
				about = append(about, r.GetAbout())
			} else if r.GetAbout() != 0 {
				t.Errorf("before anybody was kept from it: %v", r)
			}
		}
		equal(t, "about", about, []uint64{old, old, old, old, old, 0, 0, 0, 0})
		pins := func(u *user) (of []uint64) {
			for _, m := range must(w.api.History(u.read(), &chatv1.HistoryRequest{Channel: ch}))(t).GetMessages() {
				if p := m.GetSystem().GetPin(); p != nil {
					of = append(of, p.GetOffset())
				}
			}
			return of
		}
		equal(t, "bob sees pins", pins(bob), []uint64{old, young})
		equal(t, "carl sees pins", pins(carl), []uint64{young})
	})
}

// Who becomes a guest keeps the channels that they are in; the public ones are closed to them with the first token that says so,
// over every call and topic. Identity revokes the tokens that say otherwise.
func TestBecomingGuest(t *testing.T) {
	nats := meshtest.NATS(t)
	w := newWorld(t, meshtest.SQLite(t), withBus(t, nats))
	anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
	w.settle()
	w.fresh()
	open, shared := anna.public("open"), anna.public("shared")
	bob.join(shared)
	at := anna.send(open, "for members")
	if g := bob.opens(open); g.GetError() != nil {
		t.Fatal(g)
	}
	bob.token = w.token(bob, auth.KindGuest, permissions[identityv1.Role_ROLE_GUEST]...)
	bob.change(guest, false)
	w.settle()
	for range 2 { // the second time memory has heard of bob
		if g := bob.opens(open); g.GetError().GetReason() != "chat.CHANNEL" {
			t.Errorf("a public channel: %v", g)
		}
		if g := bob.opens(shared); g.GetError() != nil {
			t.Errorf("a shared one: %v", g)
		}
	}
	for name, call := range map[string]func() error{
		"GetChannel": func() error {
			_, err := w.api.GetChannel(bob.read(), &chatv1.GetChannelRequest{Channel: open})
			return err
		},
		"History": func() error {
			_, err := w.api.History(bob.read(), &chatv1.HistoryRequest{Channel: open})
			return err
		},
		"GetMessages": func() error {
			_, err := w.api.GetMessages(bob.read(), &chatv1.GetMessagesRequest{Channel: open, Offsets: []uint64{at}})
			return err
		},
		"ListMembers": func() error {
			_, err := w.api.ListMembers(bob.read(), &chatv1.ListMembersRequest{Channel: open})
			return err
		},
		"JoinChannel": func() error {
			_, err := w.api.JoinChannel(bob.write(), &chatv1.JoinChannelRequest{Channel: open})
			return err
		},
		"Send": func() error {
			_, err := w.api.Send(bob.write(), &chatv1.SendRequest{Channel: open, Text: "x"})
			return err
		},
	} {
		if got := rpcError(call()).GetReason(); got != "chat.CHANNEL" {
			t.Errorf("%s: %s", name, got)
		}
	}
	list := must(w.api.BrowseChannels(bob.read(), &chatv1.BrowseChannelsRequest{}))(t).GetChannels()
	if len(list) != 1 || list[0].GetId() != shared {
		t.Errorf("bob browses %v", list)
	}
	if b := bob.bundle(); len(b) != 1 || b[shared] == nil {
		t.Errorf("bob's bundle: %v", b)
	}
}

// BenchmarkOpen opens 20 channels for one of 512 people, by as many callers as there are cores.
func BenchmarkOpen(b *testing.B) {
	for _, way := range []string{"memory", "database"} {
		b.Run(way, func(b *testing.B) {
			w := newWorld(b, meshtest.SQLite(b), withBus(b, meshtest.NATS(b)))
			var people []*user
			for i := range 512 {
				people = append(people, w.person("w1", fmt.Sprint("u", i), plain))
			}
			w.settle()
			w.fresh()
			wants := make([]*edgev1.Want, 20)
			for i := range wants {
				wants[i] = &edgev1.Want{Topic: topicChannel + people[0].public(fmt.Sprint("c", i)), Mode: edgev1.Mode_MODE_EVENTS}
			}
			if way == "database" {
				w.server.feed.whole.Store(false)
			}
			server := topics{topic.NewServer(w.server.log, opener{w.server}), w.server}
			contexts := make([]context.Context, len(people))
			for i, u := range people {
				caller, err := w.caller(u)
				if err != nil {
					b.Fatal(err)
				}
				contexts[i] = auth.NewContext(b.Context(), caller)
				if _, err := server.Open(contexts[i], &topicv1.OpenRequest{Wants: wants}); err != nil {
					b.Fatal(err)
				}
			}
			var next atomic.Int64
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := server.Open(contexts[next.Add(1)%int64(len(people))], &topicv1.OpenRequest{Wants: wants})
					if err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
