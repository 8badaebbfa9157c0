package presence

import (
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// TestPeople goes the way of somebody who comes, chooses, hides and leaves, as another one sees it who shares a channel with them.
func TestPeople(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		c.chat.move("general", []string{"ada", "bob"}, nil)
		c.chat.move("other", []string{"eve"}, nil)
		p := c.start("presence-1", "presence-1~1", shortGrace)
		g := p.report()
		g.complete(p)
		e := p.look("ada", nil, "bob", "eve", "nobody", "ada")
		e.until("bob", "OFFLINE")
		g.open(1, "bob")
		e.until("bob", "ONLINE")
		p.choose("bob", presencev1.State_STATE_DO_NOT_DISTURB, "writing", 0)
		e.until("bob", "DO_NOT_DISTURBwriting")
		p.choose("bob", presencev1.State_STATE_INVISIBLE, "hidden", 0)
		e.until("bob", "OFFLINE")
		mine, err := p.api().GetStatus(c.ctx("bob"), &presencev1.GetStatusRequest{User: "bob"})
		if err != nil || mine.GetChosen() != presencev1.State_STATE_INVISIBLE || mine.GetCustom().GetText() != "hidden" || mine.GetStatus().GetState() != presencev1.State_STATE_OFFLINE {
			t.Errorf("bob has chosen %v, %v", mine, err)
		}
		p.choose("bob", presencev1.State_STATE_BUSY, "", time.Second)
		e.until("bob", "BUSY")
		e.until("bob", "ONLINE") // that has ended
		if _, told := e.seen["eve"]; told || len(e.seen) != 2 {
			t.Errorf("ada sees %v", e.seen)
		}
		c.chat.move("general", nil, []string{"bob"})
		e.until("bob", "")
		c.chat.move("general", []string{"bob"}, nil)
		e.until("bob", "ONLINE")
	})
}

// TestAnswers: a gateway is told of each connection whether its person may be seen, when it is known and when it changes, also by itself.
func TestAnswers(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		p := c.start("presence-1", "presence-1~1")
		g := p.report()
		g.complete(p)
		told := map[uint64]string{}
		until := func(number uint64, want string) {
			t.Helper()
			for told[number] != want {
				res, err := g.stream.Recv()
				if err != nil {
					t.Fatalf("%d is told as %q, want %q: %v", number, told[number], want, err)
				}
				for _, n := range res.GetShown() {
					told[n] = "shown"
				}
				for _, n := range res.GetHidden() {
					told[n] = "hidden"
				}
			}
		}
		g.open(1, "bob")
		until(1, "shown")
		p.choose("bob", presencev1.State_STATE_INVISIBLE, "", 0)
		until(1, "hidden")
		g.open(2, "bob")
		g.open(3, "ada")
		until(2, "hidden")
		until(3, "shown")
		p.choose("bob", presencev1.State_STATE_BUSY, "", 0)
		until(1, "shown")
		until(2, "shown")
		p.choose("bob", presencev1.State_STATE_INVISIBLE, "", time.Second)
		until(1, "hidden")
		until(2, "hidden")
		until(1, "shown") // that has ended
		until(2, "shown")
		p.choose("bob", presencev1.State_STATE_INVISIBLE, "", 0)
		until(2, "hidden")
		clear(told)
		g = p.report() // the gateway tells all anew
		g.open(4, "bob")
		until(4, "hidden")
	})
}

// TestAgain: who knows a view is told all where anything is new, or where it shows others now, and nothing else; who else looks changes nothing of that.
func TestAgain(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	c.chat.move("general", []string{"ada", "bob", "cyn"}, nil)
	p := c.start("presence-1", "presence-1~1")
	g := p.report()
	g.complete(p)
	e := p.look("ada", nil, "bob", "cyn")
	g.open(1, "cyn")
	e.until("cyn", "ONLINE")
	e.end()
	p.look("bob", nil, "ada", "bob", "cyn").end()
	same := p.look("ada", e.at, "bob", "cyn")
	if same.told != 0 || same.reset != 0 || !proto.Equal(same.at, e.at) {
		t.Errorf("%d entries and %d snapshots were told at %v, though nothing is new since %v", same.told, same.reset, same.at, e.at)
	}
	g.open(2, "bob")
	same.until("bob", "ONLINE")
	if same.told != 1 || same.reset != 0 {
		t.Errorf("%d entries and %d snapshots were told, though one is new", same.told, same.reset)
	}
	again := p.look("ada", e.at, "bob", "cyn")
	if again.told != 2 || again.reset != 1 || again.seen["bob"] != "ONLINE" {
		t.Errorf("%d entries and %d snapshots were told to who has missed one: %v", again.told, again.reset, again.seen)
	}
	other := p.look("ada", again.at, "bob", "cyn", "ada")
	other.until("ada", "OFFLINE")
	if other.reset != 1 || other.told != 3 {
		t.Errorf("%d entries and %d snapshots were told of other people", other.told, other.reset)
	}
}

// TestWhileNobodyLooks: who comes back to a view is told what has become of somebody meanwhile, though nobody looked, and nothing was kept of them.
func TestWhileNobodyLooks(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	c.chat.move("general", []string{"ada", "bob", "cyn"}, nil)
	p := c.start("presence-1", "presence-1~1", shortGrace)
	g := p.report()
	g.open(1, "bob")
	g.complete(p)
	e := p.look("ada", nil, "bob")
	e.until("bob", "ONLINE")
	e.end()
	g.tell(&rosterv1.ReportRequest{Closed: []uint64{1}})
	for forgotten := false; !forgotten; {
		<-time.After(10 * time.Millisecond) // the time of grace has to pass
		p.server.hub.mu.Lock()
		p.server.hub.expireLingering(time.Now().Add(lingerTime))
		forgotten = p.server.hub.people[personKey{"w", "bob"}] == nil
		p.server.hub.mu.Unlock()
	}
	again := p.look("ada", e.at, "bob")
	if again.seen["bob"] != "OFFLINE" || again.reset != 1 {
		t.Errorf("bob is seen as %q, after %d snapshots", again.seen["bob"], again.reset)
	}
}

// TestAskedAgain: who asks again and again with a cursor, as polls do, is told of people what they are, wherever their homes are, and then nothing while
// nothing is new.
func TestAskedAgain(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	first, all := []string{"ada", "bob", "cyn", "dan", "eve", "fay"}, []string{"gil", "hal", "ida", "jon", "kim", "leo"}
	c.chat.move("general", slices.Concat(first, all), nil)
	p, q := c.start("presence-1", "presence-1~1"), c.start("presence-2", "presence-2~1")
	p.report().complete(p)
	q.report().complete(q)
	e := p.look("ada", nil, first...)
	for _, user := range first { // all is known
		e.until(user, "OFFLINE")
	}
	var at *edgev1.Cursor
	for i := range 4 {
		e := p.look("ada", at, all...)
		if want := len(all); i == 0 && (len(e.seen) != want || e.told != want) || i > 0 && (e.told != 0 || e.reset != 0) {
			t.Errorf("at the %d. time %d entries are told, after %d snapshots: %v", i+1, e.told, e.reset, e.seen)
		}
		for user, state := range e.seen {
			if state != "OFFLINE" {
				t.Errorf("at the %d. time %s is told as %s", i+1, user, state)
			}
		}
		at = e.at
		e.end()
	}
}

// TestChosenWhileMoving: what somebody chooses while their home moves is not called done by the home that it was: the new one may have read before what
// they had chosen.
func TestChosenWhileMoving(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	p := c.start("presence-1", "presence-1~1")
	p.report().complete(p)
	other := &process{cluster: c, node: registry.Node{ID: "presence-2", Service: "presence", Incarnation: "presence-2~1"}}
	after := registry.NewPlacement([]registry.Node{p.node, other.node})
	who := personKey{workspace: "w"}
	for i := 0; after.Home(who.route()) != other.node; i++ {
		who.user = fmt.Sprint("user-", i)
	}
	stays := func(*sql.Tx) error { return nil }
	moves := func(*sql.Tx) error {
		c.change(func() { c.processes[other.node.ID] = other })
		return nil
	}
	for _, q := range []struct {
		do   func(*sql.Tx) error
		want string
	}{{stays, ""}, {moves, "presence.AWAY"}} {
		err := p.server.write(t.Context(), who, "", nil, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), writeChoice, who.workspace, who.user, int32(presencev1.State_STATE_INVISIBLE), "", "", 0, 1); err != nil {
				return err
			}
			return q.do(tx)
		})
		if reason := rpc.FromError(err).GetReason(); reason != q.want {
			t.Errorf("%v, want %q", err, q.want)
		}
	}
	c.change(func() { delete(c.processes, other.node.ID) })
}

// TestHomeThatRefuses: who is at home at a process that lives, as far as is known, and takes no connections is unknown.
func TestHomeThatRefuses(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	users := []string{"ada", "bob", "cyn", "dan", "eve", "fay", "gil", "hal"}
	c.chat.move("general", users, nil)
	one, two := c.start("presence-1", "presence-1~1"), c.start("presence-2", "presence-2~1")
	homes := map[*process]*teller{one: one.report(), two: two.report()}
	abroad := ""
	for i, user := range users {
		p := one
		if two.server.hub.isHome(personKey{"w", user}) {
			p, abroad = two, user
		}
		homes[p].open(uint64(i+1), user)
	}
	for p, g := range homes {
		g.complete(p)
	}
	e := one.look("ada", nil, users...)
	e.until(abroad, "ONLINE")
	begin := time.Now()
	two.stop() // and yet it is among the nodes
	e.until(abroad, "UNSPECIFIED")
	if took := time.Since(begin); took > 5*mirrorPatience {
		t.Errorf("%s is unknown after %v", abroad, took)
	}
}

// TestThawedMeanwhile: who was told that a view may be old, and comes back when it is true again, is told that.
func TestThawedMeanwhile(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	c.chat.move("general", []string{"ada", "bob"}, nil)
	p := c.start("presence-1", "presence-1~1")
	p.report().complete(p)
	e := p.look("ada", nil, "bob")
	e.until("bob", "OFFLINE")
	c.change(func() { p.frozen = true })
	e.until(entryView, "old")
	e.end()
	other := p.look("bob", nil, "bob")
	c.change(func() { p.frozen = false })
	other.until(entryView, "")
	p.report().complete(p)
	other.until("bob", "OFFLINE")
	again := p.look("ada", e.at, "bob")
	if _, old := again.seen[entryView]; old || again.reset != 1 || again.seen["bob"] != "OFFLINE" {
		t.Errorf("told after %d snapshots: %v", again.reset, again.seen)
	}
}

// TestWrong: what is asked for wrongly is answered by what is wrong with it, and changes nothing.
func TestWrong(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	p := c.start("presence-1", "presence-1~1")
	p.report().complete(p)
	for name, q := range map[string]*presencev1.SetStatusRequest{
		"state":          {User: "ada", State: 77},
		"online":         {User: "ada", State: presencev1.State_STATE_ONLINE},
		"another's":      {User: "bob", State: presencev1.State_STATE_AWAY},
		"nobody's":       {State: presencev1.State_STATE_AWAY},
		"much text":      {User: "ada", Custom: &presencev1.Custom{Text: strings.Repeat("x", 10<<10)}},
		"two lines":      {User: "ada", Custom: &presencev1.Custom{Text: "a\nb"}},
		"a long emoji":   {User: "ada", Custom: &presencev1.Custom{Emoji: strings.Repeat("x", MaxEmoji+1)}},
		"a blank emoji":  {User: "ada", Custom: &presencev1.Custom{Emoji: "a b"}},
		"no emoji":       {User: "ada", Custom: &presencev1.Custom{Emoji: "notemoji"}},
		"a direction":    {User: "ada", Custom: &presencev1.Custom{Text: "a\u202eb"}},
		"ended long ago": {User: "ada", State: presencev1.State_STATE_AWAY, UntilMs: 1},
		"ends far ahead": {User: "ada", State: presencev1.State_STATE_AWAY, UntilMs: time.Now().Add(MaxAhead + time.Hour).UnixMilli()},
		"ends never":     {User: "ada", State: presencev1.State_STATE_AWAY, UntilMs: math.MaxInt64},
	} {
		_, err := p.api().SetStatus(key(c.ctx("ada")), q)
		code, reason := rpc.CodeOf(err), rpc.FromError(err).GetReason()
		if ok := code == edgev1.Code_CODE_INVALID_ARGUMENT && reason == "presence.BAD_FIELD" || code == edgev1.Code_CODE_NOT_FOUND && reason == "presence.PERSON"; !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if mine, err := p.api().GetStatus(c.ctx("ada"), &presencev1.GetStatusRequest{User: "ada"}); err != nil || mine.GetChosen() != 0 || mine.GetCustom() != nil {
		t.Errorf("ada has chosen %v, %v", mine, err)
	}
}

// TestHomes: people are told of by their homes, whichever process is asked; they are unknown while a home has just died, and true again once the
// gateway has told all anew.
func TestHomes(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		users := []string{"ada", "bob", "cyn", "dan", "eve", "fay", "gil", "hal"}
		c.chat.move("general", users, nil)
		one, two := c.start("presence-1", "presence-1~1"), c.start("presence-2", "presence-2~1")
		homes := map[*process]*teller{one: one.report(), two: two.report()}
		home := map[string]*process{}
		for i, user := range users {
			p := one
			if two.server.hub.isHome(personKey{"w", user}) {
				p = two
			}
			home[user] = p
			homes[p].open(uint64(i+1), user)
		}
		for p, g := range homes {
			g.complete(p)
		}
		e := one.look("ada", nil, users...)
		for _, user := range users {
			e.until(user, "ONLINE")
			one.choose(user, presencev1.State_STATE_UNSPECIFIED, "!", 0) // wherever they live
			e.until(user, "ONLINE!")
		}
		two.kill()
		for _, user := range users {
			if home[user] == two {
				e.until(user, "UNSPECIFIED")
			} else if e.seen[user] != "ONLINE!" {
				t.Errorf("%s, whose home lives, is seen as %s", user, e.seen[user])
			}
		}
		for i, user := range users {
			if home[user] == two && user != "hal" && user != "gil" {
				homes[one].open(uint64(i+1), user)
			}
		}
		homes[one].complete(one)
		for _, user := range users {
			want := "ONLINE!" // what they have chosen is known anew
			if home[user] == two && (user == "hal" || user == "gil") {
				want = "OFFLINE" // they have gone meanwhile
			}
			e.until(user, want)
		}
	})
}

// TestFrozen: while a process may be taken for dead by others it says since when what it tells may be old, and changes nothing of it. Nothing is known
// then until it is told anew, and of who isn't told of nothing before the time of grace is over.
func TestFrozen(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	c.chat.move("general", []string{"ada", "bob", "cyn"}, nil)
	p := c.start("presence-1", "presence-1~1", shortGrace)
	g := p.report()
	g.open(1, "bob")
	g.open(2, "cyn")
	g.complete(p)
	e := p.look("ada", nil, "bob", "cyn")
	e.until("bob", "ONLINE")
	e.until("cyn", "ONLINE")
	begin := time.Now()
	c.change(func() { p.frozen = true })
	e.until(entryView, "old")
	g.end()
	if p.look("ada", nil, "bob").until(entryView, "old"); e.seen["bob"] != "ONLINE" {
		t.Errorf("bob is seen as %s", e.seen["bob"])
	}
	mine := func() *presencev1.GetStatusResponse {
		t.Helper()
		res, err := p.api().GetStatus(c.ctx("bob"), &presencev1.GetStatusRequest{User: "bob"})
		if err != nil {
			t.Error(err)
		}
		return res
	}
	if state := mine().GetStatus().GetState(); state != presencev1.State_STATE_ONLINE {
		t.Errorf("bob is told to be seen as %v", state)
	}
	if since := time.UnixMilli(mine().GetAsOfMs()); since.Before(begin.Truncate(time.Millisecond)) || since.After(time.Now()) {
		t.Errorf("bob is told that this is of %v", since)
	}
	c.change(func() { p.frozen = false })
	e.until(entryView, "")
	if since := mine().GetAsOfMs(); since != 0 {
		t.Errorf("bob is told that this is of %d", since)
	}
	e.until("bob", "UNSPECIFIED")
	e.until("cyn", "UNSPECIFIED")
	g = p.report()
	g.open(1, "cyn")
	g.complete(p)
	e.until("cyn", "ONLINE")
	if e.seen["bob"] != "UNSPECIFIED" && e.seen["bob"] != "OFFLINE" {
		t.Errorf("bob is seen as %s, and nobody tells of him", e.seen["bob"])
	}
	e.until("bob", "OFFLINE")
}

// A channel is walked through once for all who come to it, or to others of the same people.
func TestMembershipsChange(t *testing.T) {
	m := newMemberships()
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprint("user-", i))
	}
	m.joinAll([]*chatv1.Room{{Workspace: "w", Channel: "general", Members: all}, {Workspace: "w", Channel: "random", Members: all}})
	var rooms []*chatv1.Room
	for i := range 50 {
		who := []string{fmt.Sprint("new-", i)}
		rooms = append(rooms, &chatv1.Room{Workspace: "w", Channel: "general", Members: who}, &chatv1.Room{Workspace: "w", Channel: "random", Members: who},
			&chatv1.Room{Workspace: "w", Channel: "gone", Members: who}, &chatv1.Room{Workspace: "w", Channel: "gone", Left: who})
	}
	left, joined := m.change(rooms)
	seen := map[personKey]bool{}
	for _, k := range joined {
		seen[k] = true
	}
	if len(left) != 50 || len(joined) != 150 || len(seen) != 150 {
		t.Errorf("%d have left, %d keys of %d people are in what somebody has come to", len(left), len(joined), len(seen))
	}
}
