package presence

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// shortGrace is for tests in which somebody hides.
const general = "presence.channel/general"

// gather opens a view of a channel, and takes in what it begins with.
func (p *process) gather(user string, w *presencev1.Window) *eyes {
	p.tb.Helper()
	e := p.tail(p.ctx(user), general, w, nil)
	if err := e.next(); err != nil {
		p.tb.Fatal(err)
	}
	return e
}

// TestChannel goes the way of a channel's members, as one of them sees all, and another one a page of them.
func TestChannel(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		c.chat.move("general", []string{"ada", "bob", "cyn", "dan"}, nil)
		c.chat.move("other", []string{"ada", "eve"}, nil)
		p := c.start("presence-1", "presence-1~1", shortGrace)
		g := p.report()
		g.complete(p)
		e := p.gather("ada", &presencev1.Window{Limit: 10, Looking: true})
		e.until(entryCounts, "4 4 offline")
		for i, user := range []string{"ada", "bob", "cyn", "dan"} {
			g.open(uint64(i+1), user)
		}
		e.until(entryCounts, "4 4 online 1 looking")
		e.until("ada", "ONLINE looks")
		p.choose("bob", presencev1.State_STATE_BUSY, "baking", 0)
		p.choose("cyn", presencev1.State_STATE_DO_NOT_DISTURB, "", 0)
		p.choose("dan", presencev1.State_STATE_INVISIBLE, "hidden", 0)
		e.until(entryCounts, "4 1 online 1 busy 1 dnd 1 offline 1 looking")
		e.until("bob", "BUSYbaking")
		page := p.gather("bob", &presencev1.Window{Offset: 1, Limit: 2, Looking: true})
		if want := map[string]string{entryCounts: page.seen[entryCounts], "bob": page.seen["bob"], "cyn": "DO_NOT_DISTURB"}; !maps.Equal(page.seen, want) {
			t.Errorf("the second page is %v", page.seen)
		}
		hidden := p.gather("dan", &presencev1.Window{Looking: true}) // others aren't told that he looks
		page.until(entryCounts, "4 1 online 1 busy 1 dnd 1 offline 2 looking")
		p.choose("ada", presencev1.State_STATE_AWAY, "", 0) // cyn and bob come before her now
		page.until("ada", "AWAY looks")
		page.until("bob", "")
		hidden.end()
		page.end()
		e.until(entryCounts, "4 1 busy 1 dnd 1 away 1 offline 1 looking")
		begin := time.Now()
		c.chat.move("general", []string{"eve"}, []string{"cyn"})
		e.until(entryCounts, "4 1 busy 1 away 2 offline 1 looking")
		e.until("cyn", "")
		if took := time.Since(begin); took > membershipsSilence/2 {
			t.Errorf("who has come and gone was told after %v: not before chat was asked anew", took)
		}
		if e.seen["eve"] != "OFFLINE" || e.reset != 1 {
			t.Errorf("eve is seen as %q, after %d snapshots", e.seen["eve"], e.reset)
		}
	})
}

// TestChannelAskedAgain: who comes back with a cursor is told nothing while nothing is new, as polls want it; of another page, all.
func TestChannelAskedAgain(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	c.chat.move("general", []string{"ada", "bob", "cyn"}, nil)
	p := c.start("presence-1", "presence-1~1")
	g := p.report()
	g.complete(p)
	w := &presencev1.Window{Limit: 2}
	e := p.gather("ada", w)
	e.until(entryCounts, "3 3 offline")
	for _, q := range []struct {
		window            *presencev1.Window
		told, reset, seen int
	}{{w, 0, 0, 0}, {&presencev1.Window{Limit: 1}, 2, 1, 2}, {w, 0, 0, 0}} {
		again := p.tail(c.ctx("ada"), general, q.window, e.at)
		if err := again.next(); err != nil || again.told != q.told || again.reset != q.reset || len(again.seen) != q.seen {
			t.Errorf("%v: %d entries and %d snapshots are told: %v, %v", q.window, again.told, again.reset, again.seen, err)
		}
	}
	at := e.at
	if other := p.gather("bob", w); !proto.Equal(other.at, at) {
		t.Errorf("who looks later is at %v, not at %v", other.at, at)
	}
	g.open(1, "cyn")
	e.until("cyn", "ONLINE")
	again := p.tail(c.ctx("ada"), general, w, at)
	if err := again.next(); err != nil || again.reset != 1 || again.seen["cyn"] != "ONLINE" {
		t.Errorf("%d snapshots are told: %v, %v", again.reset, again.seen, err)
	}
}

// TestChannelIsItsMembers: nobody else is told anything of a channel, nor that there is one; who leaves it is told no more.
func TestChannelIsItsMembers(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		c.chat.move("general", []string{"ada", "bob"}, nil)
		c.chat.move("other", []string{"eve"}, nil)
		p := c.start("presence-1", "presence-1~1", func(cfg *Config) { cfg.Views = 2 })
		p.report().complete(p)
		refused := func(what string, ctx context.Context, topic string, w *presencev1.Window, code edgev1.Code, reason string) {
			t.Helper()
			err := p.tail(ctx, topic, w, nil).next()
			if rpc.CodeOf(err) != code || rpc.FromError(err).GetReason() != reason {
				t.Errorf("%s: %v", what, err)
			}
		}
		none, ada := edgev1.Code_CODE_NOT_FOUND, c.ctx("ada")
		refused("a stranger", c.ctx("eve"), general, &presencev1.Window{}, none, "presence.TOPIC")
		refused("no such channel", ada, "presence.channel/none", &presencev1.Window{}, none, "presence.TOPIC")
		refused("another workspace", c.in("w2", "ada"), general, &presencev1.Window{}, none, "presence.TOPIC")
		refused("no such kind", ada, "presence.nothing/me", &presencev1.Window{}, none, "presence.TOPIC")
		refused("a large page", ada, general, &presencev1.Window{Limit: MaxWindow + 1}, edgev1.Code_CODE_INVALID_ARGUMENT, "presence.BAD_FIELD")
		opened, err := topicv1.NewTopicServiceClient(p.rpc.Pipe("gateway")).Open(ada, &topicv1.OpenRequest{Wants: []*edgev1.Want{
			{Topic: general}, {Topic: general, Params: marshalParams(t, &presencev1.Window{Limit: MaxWindow + 1})}, {Topic: "presence.nothing/me"},
		}})
		if err != nil || opened.GetGrants()[0].GetError() != nil || opened.GetGrants()[1].GetError().GetReason() != "presence.BAD_FIELD" || opened.GetGrants()[2].GetError().GetReason() != "presence.TOPIC" {
			t.Errorf("%v, %v", opened, err)
		}
		e := p.gather("ada", &presencev1.Window{Limit: MaxWindow})
		p.gather("bob", &presencev1.Window{Limit: MaxWindow})
		refused("too many views", ada, general, &presencev1.Window{}, edgev1.Code_CODE_UNAVAILABLE, "presence.AWAY")
		if n := p.server.deliveries.refused.Load(); n != 1 {
			t.Errorf("%d views were refused", n)
		}
		c.chat.move("general", nil, []string{"ada"})
		for err = nil; err == nil; err = e.next() {
		}
		if rpc.CodeOf(err) != none || rpc.FromError(err).GetReason() != "presence.TOPIC" {
			t.Errorf("who has left is told: %v", err)
		}
	})
}

// TestChannelBeforeChat: nothing is told of channels before chat has told who is in them.
func TestChannelBeforeChat(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	c.chat.mu.Lock() // says nothing
	p := c.start("presence-1", "presence-1~1")
	err := p.tail(c.ctx("ada"), general, &presencev1.Window{}, nil).next()
	c.chat.mu.Unlock()
	if rpc.CodeOf(err) != edgev1.Code_CODE_UNAVAILABLE || rpc.FromError(err).GetReason() != "presence.AWAY" {
		t.Error(err)
	}
}

// TestChannelOfManyHomes: members are counted, and shown, as their homes tell, wherever a channel is looked at: who looks, and hides, too.
func TestChannelOfManyHomes(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	var users []string
	for i := range 40 {
		users = append(users, fmt.Sprintf("user-%02d", i))
	}
	c.chat.move("general", users, nil)
	one, two := c.start("presence-1", "presence-1~1", shortGrace), c.start("presence-2", "presence-2~1", shortGrace)
	homes := map[*process]*teller{one: one.report(), two: two.report()}
	var abroad []string // from where it is looked
	for i, user := range users {
		p := one
		if two.server.hub.isHome(personKey{"w", user}) {
			p, abroad = two, append(abroad, user)
		}
		homes[p].open(uint64(i+1), user)
	}
	for p, g := range homes {
		g.complete(p)
	}
	one.gather(abroad[0], &presencev1.Window{Looking: true})
	e := one.gather(users[0], &presencev1.Window{Limit: MaxWindow})
	e.until(entryCounts, "40 40 online 1 looking")
	e.until(abroad[0], "ONLINE looks")
	two.choose(abroad[0], presencev1.State_STATE_INVISIBLE, "", 0)
	e.until(entryCounts, "40 39 online 1 offline")
	e.until(abroad[0], "OFFLINE")
	two.kill()
	e.until(entryCounts, fmt.Sprintf("40 %d online %d unknown", 40-len(abroad), len(abroad)))
	e.until(abroad[0], "UNSPECIFIED")
}

// TestChannelFrozen: while a process may be taken for dead by others, a view says since when what it tells may be old.
func TestChannelFrozen(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	c.chat.move("general", []string{"ada", "bob"}, nil)
	p := c.start("presence-1", "presence-1~1")
	p.report().complete(p)
	e := p.gather("ada", &presencev1.Window{})
	c.change(func() { p.frozen = true })
	e.until(entryView, "old")
	p.gather("bob", &presencev1.Window{}).until(entryView, "old")
	c.change(func() { p.frozen = false })
	e.until(entryView, "")
}

// TestWatchMany: of however many people a home is asked, it tells them in messages of a thousand at most, and who of them hides.
func TestWatchMany(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	p := c.start("presence-1", "presence-1~1")
	g := p.report()
	const people = 3 * mirrorBatch
	for from := 0; from < people; from += 1000 {
		g.tell(opened(from, from+1000))
	}
	g.complete(p)
	for known := 0; known < people; {
		<-time.After(10 * time.Millisecond) // what they have chosen is read
		p.server.hub.mu.Lock()
		known = len(p.server.hub.people) - len(p.server.hub.toLoad)
		p.server.hub.mu.Unlock()
	}
	stream, err := presencev1.NewHomeServiceClient(p.rpc.Pipe("presence")).Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < people; from += mirrorBatch {
		q := &presencev1.WatchRequest{}
		for i := range mirrorBatch {
			q.Watch = append(q.Watch, &presencev1.Person{Workspace: "w", User: fmt.Sprint("user-", from+i)})
		}
		if err := stream.Send(q); err != nil {
			t.Fatal(err)
		}
	}
	for seen := 0; seen < people; {
		res, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if len(res.GetSeen()) > mirrorBatch {
			t.Errorf("a message of %d people", len(res.GetSeen()))
		}
		seen += len(res.GetSeen())
	}
	p.choose("user-7", presencev1.State_STATE_INVISIBLE, "", 0)
	for hidden := false; !hidden; {
		res, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, seen := range res.GetSeen() {
			hidden = hidden || seen.GetHidden() && seen.GetPerson().GetUser() == "user-7"
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
}
