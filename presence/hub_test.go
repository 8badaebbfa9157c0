package presence

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/registry"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// world is a cluster as it really is, beside what its hubs believe: people who come and go, gateways and processes that die, freeze and come back,
// and learn of each other late. Times are its own.
type world struct {
	*rapid.T
	now      time.Time
	cfg      Config
	births   int
	hubs     map[string]*hub // by the ids of their nodes; those that live
	nodes    map[string]registry.Node
	gateways map[string]*edge // by incarnation; those that live
	people   map[string]*reality
	choices  map[string]choice       // that people have made
	doubted  map[string]bool         // processes that may be taken for dead, by the ids of their nodes: they hear nothing of the others
	taken    map[string]bool         // those of them that are
	mute     bool                    // what people have chosen can't be read
	written  map[sessionKey][]record // what was written down of sessions
}

// reality is what is true of somebody.
type reality struct {
	at    map[string]uint64 // their connections, by the incarnations of gateways
	since time.Time         // of the first of them, since when there always was one
	last  time.Time         // when the last one ended
	said  map[presencev1.ActivityKind]bool

	began  map[uint64]time.Time // when connections began, by their numbers
	there  map[string][]span    // when there were connections of sessions
	hidden []span               // when they were invisible
}

func newReality() *reality {
	return &reality{at: map[string]uint64{}, said: map[presencev1.ActivityKind]bool{}, began: map[uint64]time.Time{}, there: map[string][]span{}}
}

// hides says whether they are invisible.
func (p *reality) hides() bool { return len(p.hidden) > 0 && p.hidden[len(p.hidden)-1].to.IsZero() }

// span is a time; a zero end: it lasts.
type span struct{ from, to time.Time }

// edge is a gateway that lives.
type edge struct {
	incarnation string
	frozen      bool
	cut         map[string]bool // processes that it can't reach
	place       registry.Placement
	numbers     map[uint64]string // its connections: whose
	streams     map[registry.Node]*gateway
	unsaid      []func() // what it has not got round to tell, while it is frozen
}

var crowd = []string{"ada", "bob", "cyn", "dan", "eve", "fay"}

func newWorld(t *rapid.T) *world {
	w := &world{
		T: t, now: time.Unix(1_000_000, 0), cfg: DefaultConfig(), hubs: map[string]*hub{}, nodes: map[string]registry.Node{}, gateways: map[string]*edge{},
		people: map[string]*reality{}, choices: map[string]choice{}, doubted: map[string]bool{}, taken: map[string]bool{}, written: map[sessionKey][]record{},
	}
	for _, name := range crowd {
		w.people[name] = newReality()
	}
	for range 2 {
		w.startNode(fmt.Sprintf("presence-%d", len(w.hubs)+1))
		w.startGateway()
	}
	w.learn()
	return w
}

func (w *world) incarnation() string {
	w.births++
	return fmt.Sprint("life-", w.births)
}

// place is where the processes are, as the others see it.
func (w *world) place() registry.Placement {
	var nodes []registry.Node
	for id, n := range w.nodes {
		if !w.taken[id] {
			nodes = append(nodes, n)
		}
	}
	return registry.NewPlacement(nodes)
}

// revive has a process be taken for alive again.
func (w *world) revive(id string) {
	delete(w.doubted, id)
	delete(w.taken, id)
	w.learnNode(id)
}

func (w *world) startNode(id string) {
	delete(w.doubted, id)
	delete(w.taken, id)
	w.nodes[id] = registry.Node{ID: id, Service: "presence", Incarnation: w.incarnation()}
	w.hubs[id] = newHub(w.cfg, id)
	w.hubs[id].setRecorded(map[string]time.Time{"w": {}}, w.now)
}

func (w *world) startGateway() {
	g := &edge{incarnation: w.incarnation(), cut: map[string]bool{}, numbers: map[uint64]string{}, streams: map[registry.Node]*gateway{}}
	w.gateways[g.incarnation] = g
}

// learn has everybody find out where everybody is.
func (w *world) learn() {
	for _, id := range slices.Sorted(maps.Keys(w.hubs)) {
		w.learnNode(id)
	}
	for _, in := range slices.Sorted(maps.Keys(w.gateways)) {
		w.learnGateway(w.gateways[in])
	}
}

func (w *world) learnNode(id string) {
	h := w.hubs[id]
	switch {
	case h == nil:
		return
	case w.doubted[id]:
		h.setPlacement(w.now, h.placement, slices.Collect(maps.Keys(h.living)), false)
	default:
		h.setPlacement(w.now, w.place(), slices.Collect(maps.Keys(w.gateways)), true)
	}
	w.answer(h)
}

// frank is all that somebody may have told of them.
var frank = privacy{inferActivity: true, country: true}

// answer tells a hub what people have chosen, and writes down what it has recorded.
func (w *world) answer(h *hub) {
	if w.mute {
		return
	}
	chosen := map[personKey]choice{}
	for _, k := range h.nextLoads(100) {
		c, made := w.choices[k.user]
		if !made {
			c.privacy = frank
		}
		chosen[k] = c
	}
	h.load(chosen, w.now)
	w.write(h)
}

// write writes down what a hub has recorded, as Server.record does.
func (w *world) write(h *hub) {
	for _, r := range h.takeEnded(maxEnded) {
		k := sessionKey{r.personKey, r.session}
		var last time.Time
		for _, before := range w.written[k] {
			if before.start.Before(r.end) {
				last = latest(last, before.end)
			}
		}
		if r.trim(last) {
			w.written[k] = append(w.written[k], r)
		}
	}
}

// hide has somebody choose to be invisible, or not to be any more.
func (w *world) hide(user string) {
	w.learn() // it is done where they are at home
	p := w.people[user]
	c := choice{privacy: frank, shown: w.now}
	if p.hides() {
		p.hidden[len(p.hidden)-1].to = w.now
	} else {
		p.hidden = append(p.hidden, span{from: w.now})
		c = choice{privacy: frank, state: presencev1.State_STATE_INVISIBLE}
	}
	w.choices[user] = c
	if h := w.hubs[w.place().Home(personKey{"w", user}.route()).ID]; h != nil {
		h.choose(map[personKey]choice{{"w", user}: c}, w.now)
		w.write(h)
	}
}

// checkRecords compares what was written down with what is true: no more than there was, nothing twice, and nothing of who was invisible.
func (w *world) checkRecords() {
	for k, list := range w.written {
		p := w.people[k.user]
		slices.SortFunc(list, func(a, b record) int { return a.start.Compare(b.start) })
		for i, r := range list {
			if i > 0 && r.start.Before(list[i-1].end) {
				w.Fatalf("records of %v overlap: %v to %v, and from %v", k, list[i-1].start, list[i-1].end, r.start)
			}
			if r.end.Sub(r.start) > maxStretch || !r.end.After(r.start) {
				w.Fatalf("a record of %v lasts %v", k, r.end.Sub(r.start))
			}
			for _, h := range p.hidden {
				if r.start.Before(h.to) && h.from.Before(r.end) || h.to.IsZero() && h.from.Before(r.end) {
					w.Fatalf("%v is recorded from %v to %v, and was invisible from %v to %v", k, r.start, r.end, h.from, h.to)
				}
			}
			if !w.bridged(p.there[k.session], r) {
				w.Fatalf("%v is recorded from %v to %v: %v", k, r.start, r.end, p.there[k.session])
			}
		}
	}
}

// bridged says whether a record lies in times that a session was there, pauses of which that are no longer than the bound don't count.
func (w *world) bridged(there []span, r record) bool {
	at := r.start
	for _, t := range there {
		to := t.to.Add(w.bound())
		if t.to.IsZero() {
			to = w.now
		}
		if !at.Before(t.from.Add(-time.Second)) && to.After(at) {
			at = to
		}
	}
	return !at.Before(r.end)
}

// learnGateway has a gateway find out where the processes are, and tell what it has to there: as gateway/roster.go does.
func (w *world) learnGateway(g *edge) {
	if g.frozen {
		return
	}
	before := g.place
	g.place = w.place()
	for n, stream := range g.streams {
		if !slices.Contains(g.place.Nodes(), n) {
			delete(g.streams, n)
			if h := w.hubs[n.ID]; h != nil {
				h.closeStream(stream, w.now)
			}
		}
	}
	for _, n := range g.place.Nodes() {
		if g.streams[n] == nil {
			w.begin(g, n)
		} else if before.Number() != g.place.Number() {
			q := &rosterv1.ReportRequest{Complete: g.place.Number()}
			for number, user := range g.numbers {
				was, is := before.Home(personKey{"w", user}.route()) == n, g.place.Home(personKey{"w", user}.route()) == n
				if is && !was {
					q.Opened = append(q.Opened, w.connection(number, user))
				} else if was && !is {
					q.Closed = append(q.Closed, number)
				}
			}
			w.tell(g, n, q)
		}
	}
}

// connection is as connectionOf, with when it began.
func (w *world) connection(number uint64, user string) *rosterv1.Connection {
	c := connectionOf(number, user)
	c.AgeS = uint32(w.now.Sub(w.people[user].began[number]).Seconds())
	return c
}

func connectionOf(number uint64, user string) *rosterv1.Connection {
	agents := []string{"", "plenum-desktop/1", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"}
	return &rosterv1.Connection{Number: number, Workspace: "w", User: user, Session: fmt.Sprint("s", number%2), Agent: agents[number%3], Country: "DE"}
}

func (w *world) begin(g *edge, n registry.Node) {
	h := w.hubs[n.ID]
	if h == nil || g.cut[n.ID] || w.nodes[n.ID] != n {
		return
	}
	g.streams[n] = h.openStream(g.incarnation, w.now)
	q := &rosterv1.ReportRequest{Complete: g.place.Number()}
	for number, user := range g.numbers {
		if g.place.Home(personKey{"w", user}.route()) == n {
			q.Opened = append(q.Opened, w.connection(number, user))
		}
	}
	w.tell(g, n, q)
}

func (w *world) tell(g *edge, n registry.Node, q *rosterv1.ReportRequest) {
	h := w.hubs[n.ID]
	if h == nil || w.nodes[n.ID] != n || g.cut[n.ID] || g.streams[n] == nil { // a stream loses nothing: it breaks
		delete(g.streams, n)
		return
	}
	if !h.report(g.streams[n], q, w.now) {
		delete(g.streams, n)
		return
	}
	w.answer(h)
}

// do has a gateway do something, now or when it is thawed.
func (w *world) do(g *edge, f func()) {
	if g.frozen {
		g.unsaid = append(g.unsaid, f)
		return
	}
	f()
}

func (w *world) connect(user string, g *edge) {
	p := w.people[user]
	if _, is := p.at[g.incarnation]; is || g.frozen {
		return
	}
	w.births++
	number := uint64(6*w.births) + uint64(w.now.Unix())%6 // of the same session and agent for all who connect at the same time
	if len(p.at) == 0 {
		p.since = w.now
	}
	p.at[g.incarnation], g.numbers[number] = number, user
	p.began[number] = w.now
	w.appear(p, connectionOf(number, user).GetSession())
	home := g.place.Home(personKey{"w", user}.route())
	w.tell(g, home, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{w.connection(number, user)}})
}

func (w *world) disconnect(user string, g *edge) {
	p := w.people[user]
	number, is := p.at[g.incarnation]
	if !is {
		return
	}
	delete(p.at, g.incarnation)
	w.disappear(p, number)
	if len(p.at) == 0 {
		p.last = w.now
	}
	w.do(g, func() {
		delete(g.numbers, number)
		w.tell(g, g.place.Home(personKey{"w", user}.route()), &rosterv1.ReportRequest{Closed: []uint64{number}})
	})
}

// signOut ends all connections of some people, who are signed out. Gateways tell it that have heard of it.
func (w *world) signOut(users ...string) {
	for _, in := range slices.Sorted(maps.Keys(w.gateways)) {
		g := w.gateways[in]
		for _, user := range users {
			w.do(g, func() {
				w.tell(g, g.place.Home(personKey{"w", user}.route()), &rosterv1.ReportRequest{Ended: []*rosterv1.Ended{{Workspace: "w", User: user}}})
			})
		}
		for _, user := range users {
			w.disconnect(user, g)
		}
	}
}

// act has a gateway tell that somebody does something.
func (w *world) act(user string, g *edge) {
	if number, is := w.people[user].at[g.incarnation]; is && !g.frozen {
		w.tell(g, g.place.Home(personKey{"w", user}.route()), &rosterv1.ReportRequest{
			Deeds: []*rosterv1.Deed{{Number: number, Kinds: []edgev1.Doing{edgev1.Doing_DOING_MEET}}},
		})
	}
}

// say has somebody say that they are doing something, if they are here.
func (w *world) say(user string, kind presencev1.ActivityKind) {
	k := personKey{"w", user}
	if h := w.hubs[w.place().Home(k.route()).ID]; h != nil && h.setActivity(k, said{kind: kind}, w.now) == nil {
		w.people[user].said[kind] = true
	}
}

// honest checks that no more is told of somebody than may be.
func (w *world) honest(name string, s *presencev1.Status) {
	switch s.GetState() {
	case presencev1.State_STATE_UNSPECIFIED, presencev1.State_STATE_OFFLINE:
		if bare := (&presencev1.Status{State: s.GetState(), AsOfMs: s.GetAsOfMs()}); !proto.Equal(s, bare) {
			w.Fatalf("%s is told as %v", name, s)
		}
	default:
		a := s.GetActivity()
		if s.GetCountry() != "DE" {
			w.Fatalf("%s is told as %v, where they are", name, s)
		}
		if a != nil && !a.GetInferred() && !w.people[name].said[a.GetKind()] || a.GetInferred() && a.GetKind() != presencev1.ActivityKind_ACTIVITY_KIND_MEETING {
			w.Fatalf("%s is told as doing %v, and has said %v", name, a, w.people[name].said)
		}
		if a.GetInferred() && s.GetState() == presencev1.State_STATE_AWAY {
			w.Fatalf("%s is away, and told as doing %v", name, a)
		}
	}
}

// appear and disappear note when there are connections of a session.
func (w *world) appear(p *reality, session string) {
	if all := p.there[session]; len(all) == 0 || !all[len(all)-1].to.IsZero() {
		p.there[session] = append(all, span{from: w.now})
	}
}

func (w *world) disappear(p *reality, number uint64) {
	session := connectionOf(number, "").GetSession()
	for _, other := range p.at {
		if connectionOf(other, "").GetSession() == session {
			return
		}
	}
	p.there[session][len(p.there[session])-1].to = w.now
}

// kill ends a gateway, and with it the connections of its clients.
func (w *world) kill(g *edge) {
	delete(w.gateways, g.incarnation)
	for n, stream := range g.streams {
		if h := w.hubs[n.ID]; h != nil && w.nodes[n.ID] == n {
			h.closeStream(stream, w.now)
		}
	}
	for _, p := range w.people {
		if number, is := p.at[g.incarnation]; is {
			if delete(p.at, g.incarnation); len(p.at) == 0 {
				p.last = w.now
			}
			w.disappear(p, number)
		}
	}
}

// pass lets time go by, second by second: gateways give signs of life, and try again where they have no stream; every ten seconds everybody learns
// where everybody is.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(time.Second)
		if w.now.Unix()%10 == 0 {
			w.learn()
		}
		for _, g := range w.gateways {
			if g.frozen {
				continue
			}
			for _, n := range g.place.Nodes() {
				if g.streams[n] == nil {
					w.begin(g, n)
				} else {
					w.tell(g, n, &rosterv1.ReportRequest{})
				}
			}
		}
		for _, h := range w.hubs {
			h.tick(w.now)
			w.write(h)
		}
	}
}

// bound is how long after the end of their last connection somebody may be shown at most: until the stream of a gateway that was frozen is given
// up, and the time of grace.
func (w *world) bound() time.Duration {
	return 10*time.Second + reportSilence + w.cfg.Grace + 2*time.Second
}

// check compares what each hub tells with what is true.
func (w *world) check() {
	for id, h := range w.hubs {
		for name, p := range w.people {
			k := personKey{"w", name}
			if p := h.people[k]; p != nil && p.home != h.isHome(k) {
				w.Fatalf("%s is taken for at home at %s: %t", name, id, p.home)
			}
			if w.place().Home(k.route()).ID != id || !h.isHome(k) || !h.frozen.IsZero() { // who is frozen says so
				continue
			}
			w.honest(name, h.status(k))
			switch state := h.status(k).GetState(); state {
			case presencev1.State_STATE_UNSPECIFIED:
			case presencev1.State_STATE_OFFLINE:
				if here := w.now.Sub(p.since); len(p.at) > 0 && here > w.bound() && here < w.cfg.Dormant && !p.hides() { // who is there for longer may be dormant
					w.Fatalf("%s tells that %s is offline, who has been connected for %v: %v", id, name, w.now.Sub(p.since), p.at)
				}
			default:
				if len(p.at) == 0 && (p.last.IsZero() || w.now.Sub(p.last) > w.bound()) {
					w.Fatalf("%s tells that %s is %v, who left %v ago", id, name, state, w.now.Sub(p.last))
				}
				if p.hides() && w.now.Sub(p.hidden[len(p.hidden)-1].from) > w.bound() {
					w.Fatalf("%s tells that %s is %v, who has hidden for %v", id, name, state, w.now.Sub(p.hidden[len(p.hidden)-1].from))
				}
			}
		}
	}
}

// certain checks that all is known and true once everybody has learned of everybody, and nothing has happened for long enough.
func (w *world) certain() {
	for _, g := range w.gateways {
		w.thaw(g)
		clear(g.cut)
	}
	clear(w.doubted)
	clear(w.taken)
	w.learn()
	w.pass(2 * time.Second)
	w.learn()
	w.pass(w.bound())
	for name, p := range w.people {
		k := personKey{"w", name}
		want := presencev1.State_STATE_OFFLINE
		if len(p.at) > 0 && !p.hides() {
			want = presencev1.State_STATE_ONLINE
		}
		if len(w.gateways) == 0 || len(w.hubs) == 0 {
			continue
		}
		got := w.hubs[w.place().Home(k.route()).ID].status(k).GetState()
		if len(p.at) > 0 && w.now.Sub(p.since) >= w.cfg.Idle && got != presencev1.State_STATE_UNSPECIFIED { // they did nothing for so long
			continue
		}
		if got != want {
			w.Errorf("%s is told as %v when all is quiet, want %v", name, got, want)
		}
	}
}

func (w *world) thaw(g *edge) {
	if !g.frozen {
		return
	}
	g.frozen = false
	for _, f := range g.unsaid {
		f()
	}
	g.unsaid = nil
}

// with adds to a test's actions what happens to gateways and processes in any world.
func (w *world) with(gateway func() *edge, node func() string, actions map[string]func(*rapid.T)) map[string]func(*rapid.T) {
	maps.Copy(actions, map[string]func(*rapid.T){
		"kill a gateway": func(*rapid.T) { w.kill(gateway()) },
		"start a gateway": func(*rapid.T) {
			if len(w.gateways) < 4 {
				w.startGateway()
			}
		},
		"freeze a gateway": func(*rapid.T) { gateway().frozen = true },
		"thaw a gateway":   func(*rapid.T) { w.thaw(gateway()) },
		"cut a gateway":    func(*rapid.T) { g, n := gateway(), node(); g.cut[n] = !g.cut[n] },
		"kill a process": func(*rapid.T) {
			id := node()
			delete(w.hubs, id)
			delete(w.nodes, id)
		},
		"start a process": func(*rapid.T) {
			if id := node(); w.hubs[id] == nil {
				w.startNode(id)
			}
		},
		"a process learns": func(*rapid.T) { w.learnNode(node()) },
		"a gateway learns": func(*rapid.T) { w.learnGateway(gateway()) },
		"all learn":        func(*rapid.T) { w.learn() },
	})
	return actions
}

// TestHubIsTrue: whatever happens, nobody is told as here for longer than the bound who is not, nor as gone who has been here for as long; and when
// all is quiet all is known.
func TestHubIsTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		someone := rapid.SampledFrom(crowd)
		gateway := func() *edge {
			all := slices.Sorted(maps.Keys(w.gateways))
			if len(all) == 0 {
				t.Skip("no gateway is left")
			}
			return w.gateways[rapid.SampledFrom(all).Draw(t, "gateway")]
		}
		node := func() string {
			return rapid.SampledFrom([]string{"presence-1", "presence-2", "presence-3"}).Draw(t, "node")
		}
		t.Repeat(w.with(gateway, node, map[string]func(*rapid.T){
			"":        func(*rapid.T) { w.check(); w.checkRecords() },
			"connect": func(t *rapid.T) { w.connect(someone.Draw(t, "who"), gateway()) },
			"say": func(t *rapid.T) {
				w.say(someone.Draw(t, "who"), rapid.SampledFrom([]presencev1.ActivityKind{nothing, writing, onBreak}).Draw(t, "kind"))
			},
			"act":        func(t *rapid.T) { w.act(someone.Draw(t, "who"), gateway()) },
			"hide":       func(t *rapid.T) { w.hide(someone.Draw(t, "who")) },
			"disconnect": func(t *rapid.T) { w.disconnect(someone.Draw(t, "who"), gateway()) },
			"sign out":   func(t *rapid.T) { w.signOut(someone.Draw(t, "who")) },
			"pass": func(t *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(t, "s") {
					w.pass(time.Second)
					w.check()
				}
			},
			"a process may be taken for dead": func(t *rapid.T) {
				if id := node(); w.hubs[id] != nil {
					w.doubted[id], w.taken[id] = true, rapid.Bool().Draw(t, "it is")
					w.learnNode(id)
				}
			},
			"a process is alive": func(*rapid.T) { w.revive(node()) },
			"a process freezes again and again": func(t *rapid.T) {
				id := node()
				for range 4 {
					w.doubted[id], w.taken[id] = true, true
					w.learn()
					w.pass(time.Duration(rapid.IntRange(1, 20).Draw(t, "frozen for s")) * time.Second)
					w.revive(id)
					w.learn()
					for range rapid.IntRange(1, 40).Draw(t, "alive for s") {
						w.pass(time.Second)
						w.check()
					}
				}
			},
		}))
		w.certain()
	})
}

// TestDeaf: somebody who is not told of is told as not known once a gateway that lives has told nothing for the time of grace; who is told of by
// another one is not.
func TestDeaf(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := newHub(DefaultConfig(), "presence-1")
	place := placeOf("presence-1")
	settle := func(gateways ...string) { h.setPlacement(now, place, gateways, true) }
	pass := func(d time.Duration, g *gateway) {
		for end := now.Add(d); now.Before(end); {
			now = now.Add(time.Second)
			h.report(g, &rosterv1.ReportRequest{}, now)
			h.tick(now)
		}
	}
	expect := func(what, ada, bob string) {
		t.Helper()
		if got := h.status(personKey{"w", "ada"}).GetState().String() + " " + h.status(personKey{"w", "bob"}).GetState().String(); got != "STATE_"+ada+" STATE_"+bob {
			t.Errorf("%s: %s", what, got)
		}
	}
	settle("a", "b")
	a, b := h.openStream("a", now), h.openStream("b", now)
	h.report(a, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(1, "ada")}, Complete: place.Number()}, now)
	h.report(b, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(1, "bob")}, Complete: place.Number()}, now)
	h.load(map[personKey]choice{{"w", "ada"}: {}, {"w", "bob"}: {}}, now)
	expect("both are told of", "ONLINE", "ONLINE")
	h.closeStream(b, now)
	pass(h.cfg.Grace-time.Second, a)
	expect("within the time of grace", "ONLINE", "ONLINE")
	pass(2*time.Second, a)
	expect("b lives and says nothing", "ONLINE", "UNSPECIFIED")
	settle("a")
	expect("b has died", "ONLINE", "OFFLINE")
	settle("a", "c")
	pass(h.cfg.Grace+2*time.Second, a)
	expect("c lives and has said nothing", "ONLINE", "UNSPECIFIED")
	h.report(h.openStream("c", now), &rosterv1.ReportRequest{Complete: place.Number()}, now)
	expect("c has told all", "ONLINE", "OFFLINE")
}

// TestSignedOut: who is signed out is offline with their last connection, or at once if they have none; others, and what they have on other devices, have
// the time of grace.
func TestSignedOut(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := newHub(DefaultConfig(), "presence-1")
	h.setPlacement(now, placeOf("presence-1"), []string{"a"}, true)
	g := h.openStream("a", now)
	report := func(q *rosterv1.ReportRequest) {
		h.report(g, q, now)
		answer(h, now)
	}
	on := func(number uint64, user, device string) *rosterv1.ReportRequest {
		return &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: number, Workspace: "w", User: user, Device: device, Session: "s-" + device, Agent: "plenum-desktop/1"}}}
	}
	ended := func(user, device string) *rosterv1.ReportRequest {
		return &rosterv1.ReportRequest{Ended: []*rosterv1.Ended{{Workspace: "w", User: user, Device: device}}}
	}
	closed := func(numbers ...uint64) *rosterv1.ReportRequest { return &rosterv1.ReportRequest{Closed: numbers} }
	expect := func(what, want string) {
		t.Helper()
		now = now.Add(time.Second)
		h.tick(now)
		var got []string
		for _, user := range []string{"ada", "bob"} {
			got = append(got, strings.TrimPrefix(h.status(personKey{"w", user}).GetState().String(), "STATE_"))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	report(&rosterv1.ReportRequest{Complete: h.placement.Number()})
	report(on(1, "ada", "phone"))
	report(on(2, "ada", "laptop"))
	report(on(3, "bob", "phone"))
	report(ended("ada", "phone"))
	expect("a connection is to be closed", "ONLINE ONLINE")
	report(closed(1))
	expect("another device is there", "ONLINE ONLINE")
	report(closed(2, 3))
	expect("the time of grace of the others", "ONLINE ONLINE")
	report(ended("ada", "laptop"))
	report(ended("bob", "laptop"))
	expect("signed out within it", "OFFLINE ONLINE")
	report(ended("bob", ""))
	expect("deactivated within it", "OFFLINE OFFLINE")
	report(on(4, "ada", "phone"))
	report(ended("ada", "phone"))
	report(on(5, "ada", "phone"))
	report(closed(4, 5))
	expect("who has come back since", "ONLINE OFFLINE")
	if len(h.people) != 1 {
		t.Errorf("%d are known", len(h.people))
	}
}

// TestPlaces: who has lived here all along stays known while processes come and go; who was at home elsewhere in between does not.
func TestPlaces(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := newHub(DefaultConfig(), "presence-1")
	node := func(id string) registry.Node { return registry.Node{ID: id, Incarnation: id} }
	alone, both := registry.NewPlacement([]registry.Node{node("presence-1")}), registry.NewPlacement([]registry.Node{node("presence-1"), node("presence-2")})
	var stays, moves personKey
	for i := range 100 {
		if k := (personKey{"w", fmt.Sprint("user-", i)}); both.Home(k.route()).ID == "presence-1" {
			stays = k
		} else {
			moves = k
		}
	}
	h.setPlacement(now, alone, []string{"a"}, true)
	g := h.openStream("a", now)
	h.report(g, &rosterv1.ReportRequest{Complete: alone.Number()}, now)
	if !h.knows(stays) || !h.knows(moves) {
		t.Fatal("not all is known")
	}
	change := func() {
		h.setPlacement(now, both, []string{"a"}, true)
		h.setPlacement(now, alone, []string{"a"}, true)
	}
	h.report(g, &rosterv1.ReportRequest{Complete: both.Number()}, now) // it has heard of it first
	change()
	if !h.knows(stays) || h.knows(moves) {
		t.Errorf("known: %t who has always lived here, %t who has not", h.knows(stays), h.knows(moves))
	}
	for range maxPlacements { // more than is remembered
		h.report(g, &rosterv1.ReportRequest{Complete: 1}, now) // it has heard of something else by now
		change()
	}
	if h.knows(stays) {
		t.Error("what nobody remembers is known")
	}
	h.report(g, &rosterv1.ReportRequest{Complete: alone.Number()}, now)
	if !h.knows(stays) || !h.knows(moves) {
		t.Error("not all is known in the end")
	}
}

// TestInvisible: nothing that is told of who is invisible, nor when, differs from what is told of who is offline.
func TestInvisible(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := newHub(DefaultConfig(), "presence-1")
	place := placeOf("presence-1")
	hidden, gone := personKey{"w", "hidden"}, personKey{"w", "gone"}
	w := newWatcher(0)
	h.watch(w, []personKey{hidden, gone})
	check := func(what string) {
		t.Helper()
		list, _ := h.takeNews(w)
		told := map[personKey]string{}
		for _, n := range list {
			told[n.personKey] = string(n.seen)
		}
		if len(told) == 1 || told[hidden] != told[gone] {
			t.Errorf("%s: told %q of who is hidden, and %q of who is gone", what, told[hidden], told[gone])
		}
	}
	check("in the beginning")
	h.setPlacement(now, place, []string{"a"}, true)
	g := h.openStream("a", now)
	h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(1, "hidden")}}, now)
	check("one is told of")
	h.report(g, &rosterv1.ReportRequest{Complete: place.Number()}, now)
	check("all was told")
	h.load(map[personKey]choice{hidden: {state: presencev1.State_STATE_INVISIBLE, text: "hidden"}}, now)
	check("it is known that they hide")
	if got := h.status(gone).GetState(); got != presencev1.State_STATE_OFFLINE {
		t.Errorf("who is gone is told as %v", got)
	}
	for _, at := range []time.Duration{time.Second, h.cfg.Idle, h.cfg.Dormant} {
		now = now.Add(at)
		h.report(g, &rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: 1}}}, now)
		h.tick(now)
		check(fmt.Sprint("after ", at))
	}
	h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(2, "hidden")}, Closed: []uint64{1}}, now)
	check("another session of theirs")
	h.closeStream(g, now)
	for range 100 {
		now = now.Add(time.Second)
		h.tick(now)
		check("nothing is heard of the gateway")
	}
	g = h.openStream("a", now)
	h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(3, "hidden")}, Complete: place.Number()}, now)
	h.load(map[personKey]choice{hidden: {state: presencev1.State_STATE_INVISIBLE}}, now)
	check("it is back")
	h.setPlacement(now, place, []string{"a"}, false)
	now = now.Add(time.Minute)
	h.setPlacement(now, place, []string{"a"}, true)
	check("frozen, and thawed")
}

// TestTooMany: whoever there was no room for is not told as gone, nor is anybody else who may be among them; when there is room, all is told anew.
func TestTooMany(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	cfg := DefaultConfig()
	cfg.People = 10
	h := newHub(cfg, "presence-1")
	place := placeOf("presence-1")
	h.setPlacement(now, place, []string{"a"}, true)
	g := h.openStream("a", now)
	h.report(g, opened(0, 10), now)
	h.report(g, &rosterv1.ReportRequest{Complete: place.Number()}, now)
	answer(h, now)
	status := func(i int) string {
		return h.status(personKey{"w", fmt.Sprint("user-", i)}).GetState().String()
	}
	if status(0) != "STATE_ONLINE" || status(10) != "STATE_OFFLINE" {
		t.Fatalf("%s, %s", status(0), status(10))
	}
	w := newWatcher(0)
	h.watch(w, []personKey{{"w", "user-12"}})
	if list, _ := h.takeNews(w); len(list) != 1 || list[0].status().GetState() != presencev1.State_STATE_UNSPECIFIED {
		t.Errorf("who looks at somebody for whom there is no room is told %v", list)
	}
	h.forget(w, nil, now)
	h.report(g, opened(10, 11), now)
	if status(0) != "STATE_ONLINE" || status(10) != "STATE_UNSPECIFIED" || status(11) != "STATE_UNSPECIFIED" {
		t.Errorf("there is no room for one: %s, %s, %s", status(0), status(10), status(11))
	}
	h.report(g, &rosterv1.ReportRequest{Closed: []uint64{1, 2}}, now)
	now = now.Add(cfg.Grace)
	h.report(g, &rosterv1.ReportRequest{}, now)
	h.tick(now) // they are forgotten, …
	h.tick(now) // … and there is room
	select {
	case <-g.ended:
	default:
		t.Error("the gateway is not asked to tell all anew")
	}
}

// TestFullTellsNobody: where there is no room for anybody more, who begins to look is told of those alone who are here: who hides has a place and who has gone
// has none, and whom others look at have one, too.
func TestFullTellsNobody(t *testing.T) {
	for _, others := range []bool{false, true} {
		h, g, now := full(2) // user-0 hides, user-1 leaves
		keys := []personKey{{"w", "user-0"}, {"w", "user-1"}, {"w", "user-2"}, {"w", "nobody"}}
		before := newWatcher(0)
		if others {
			h.watch(before, keys[:3])
		}
		h.choose(map[personKey]choice{keys[0]: {state: presencev1.State_STATE_INVISIBLE}}, now)
		confirmAll(h, g, now)
		h.report(g, &rosterv1.ReportRequest{Closed: []uint64{2}}, now)
		now = now.Add(h.cfg.Grace)
		h.report(g, opened(2, 3), now)
		answer(h, now)
		h.tick(now)
		told := func(by *watcher) (states []presencev1.State) {
			list, _ := h.takeNews(by)
			slices.SortFunc(list, func(a, b news) int {
				return cmp.Compare(slices.Index(keys, a.personKey), slices.Index(keys, b.personKey))
			})
			for _, n := range list {
				states = append(states, n.status().GetState())
			}
			return states
		}
		offline, online, unknown := presencev1.State_STATE_OFFLINE, presencev1.State_STATE_ONLINE, presencev1.State_STATE_UNSPECIFIED
		if got, want := told(before), []presencev1.State{offline, offline, online}; others && !slices.Equal(got, want) {
			t.Errorf("who has looked before is told %v", got)
		}
		for _, room := range []struct {
			places int
			want   []presencev1.State
		}{{4, []presencev1.State{offline, offline, online, offline}}, {0, []presencev1.State{unknown, unknown, online, unknown}}} {
			if h.cfg.People = room.places; room.places == 0 {
				h.cfg.People = len(h.people)
			}
			by := newWatcher(0)
			h.watch(by, keys)
			if got := told(by); !slices.Equal(got, room.want) {
				t.Errorf("others look: %t; room for %d: told %v, want %v", others, h.cfg.People, got, room.want)
			}
			if room.places == 0 { // there is room again
				h.cfg.People = 10
				h.tick(now)
				if got, want := told(by), []presencev1.State{offline, offline, offline}; !slices.Equal(got, want) || len(by.watches) != len(keys) || h.crowded {
					t.Errorf("others look: %t; there is room again: told %v, want %v", others, got, want)
				}
			}
			h.forget(by, nil, now)
			h.expireLingering(now.Add(lingerTime)) // it is long ago
		}
		h.report(g, &rosterv1.ReportRequest{Closed: []uint64{3}}, now)
		h.tick(now.Add(h.cfg.Grace))
		if got, want := told(before), []presencev1.State{offline}; others && !slices.Equal(got, want) {
			t.Errorf("who has looked before is told %v", got)
		}
	}
}

// TestComeLater: who comes to look is told nothing that says whether others look already: neither since when somebody isn't known, nor what was known before
// this process was taken for dead.
func TestComeLater(t *testing.T) {
	here, gone := personKey{"w", "user-0"}, personKey{"w", "gone"}
	for _, others := range []bool{false, true} {
		h, _, now := full(1)
		first := newWatcher(0)
		if others {
			h.watch(first, []personKey{gone, here})
			h.takeNews(first)
		}
		told := func(what string, by *watcher, want ...[]byte) {
			t.Helper()
			list, _ := h.takeNews(by)
			var got [][]byte
			for _, n := range list { // "gone" comes first
				got = append(got, n.seen)
			}
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("others look: %t; %s: told %q, want %q", others, what, got, want)
			}
		}
		online := h.people[here].seen
		later := func(what string, want ...[]byte) *watcher {
			t.Helper()
			by := newWatcher(0)
			h.watch(by, []personKey{gone, here})
			told(what, by, want...)
			return by
		}
		place := h.placement
		h.setPlacement(now, place, []string{"a"}, false)
		frozen := later("it may be taken for dead", unknown(0), online)
		h.setPlacement(now, place, []string{"a"}, true)
		g := h.openStream("a", now)
		again := opened(0, 1)
		again.Complete = place.Number()
		h.report(g, again, now)
		answer(h, now)
		told("it is alive again", frozen, offline, online)
		h.forget(frozen, nil, now)
		h.setPlacement(now, place, []string{"a", "b"}, true)
		now = now.Add(h.cfg.Grace)
		h.report(g, &rosterv1.ReportRequest{}, now)
		h.setPlacement(now, place, []string{"a", "b"}, true) // it has waited for b long enough
		if others {
			told("who has seen them before", first, unknown(now.UnixMilli()), online)
		}
		deaf := later("a gateway says nothing", unknown(0), online)
		h.setPlacement(now, place, []string{"a"}, true)
		told("it has gone", deaf, offline)
	}
}

// TestManyAnswers: answers come in parts, of each connection the newest; of one that has ended there is none.
func TestManyAnswers(t *testing.T) {
	const people = 2*answerBatch + answerBatch/2
	h, g, now := full(people)
	h.choose(map[personKey]choice{{"w", "user-7"}: {state: presencev1.State_STATE_INVISIBLE}}, now)
	h.report(g, &rosterv1.ReportRequest{Closed: []uint64{1}}, now)
	told := map[uint64]bool{}
	for range 3 {
		select {
		case <-g.kick:
		default:
			t.Fatal("nothing is to be told")
		}
		res := h.answers(g)
		if n := len(res.GetShown()) + len(res.GetHidden()); n > answerBatch {
			t.Errorf("%d connections in one answer", n)
		}
		for _, n := range res.GetShown() {
			told[n] = true
		}
		for _, n := range res.GetHidden() {
			told[n] = false
		}
	}
	if shown, hidden := told[7], told[8]; len(told) != people-1 || !shown || hidden {
		t.Errorf("%d are told, one who is seen %t, one who hides %t", len(told), shown, hidden)
	}
	if _, ended := told[1]; ended || h.answers(g) != nil || len(g.kick) > 0 {
		t.Error("there is more")
	}
}

// TestDone: what is done in a session, or with its device, counts from when it was done, of each kind.
func TestDone(t *testing.T) {
	h, g, now := full(0)
	k := personKey{"w", "ada"}
	h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{
		{Number: 1, Workspace: "w", User: "ada", Session: "a", Device: "one", IdleS: proto.Uint32(400)}, {Number: 2, Workspace: "w", User: "ada", Session: "b", Device: "two", IdleS: proto.Uint32(400)},
	}}, now)
	answer(h, now)
	begin := now
	expect := func(what string, state presencev1.State, active map[string]time.Duration) {
		t.Helper()
		if got := h.status(k).GetState(); got != state {
			t.Errorf("%s: seen as %v, want %v", what, got, state)
		}
		for id, at := range active {
			if got := h.people[k].session(id).active.Sub(begin); got != at {
				t.Errorf("%s: %s was active last at %v, want %v", what, id, got, at)
			}
		}
	}
	write, chat := []edgev1.Doing{edgev1.Doing_DOING_WRITE}, []edgev1.Doing{edgev1.Doing_DOING_CHAT, 77}
	expect("in the beginning", presencev1.State_STATE_AWAY, map[string]time.Duration{"a": -400 * time.Second, "b": -400 * time.Second})
	h.report(g, &rosterv1.ReportRequest{Acts: []*rosterv1.Act{{Workspace: "w", User: "ada", Device: "three"}, {Workspace: "w", User: "eve", Device: "one"}, {Workspace: "v", User: "ada", Device: "one"}}}, now)
	expect("somebody else", presencev1.State_STATE_AWAY, map[string]time.Duration{"a": -400 * time.Second})
	h.report(g, &rosterv1.ReportRequest{Acts: []*rosterv1.Act{{Workspace: "w", User: "ada", Device: "two", Kinds: chat, AgoS: 30}}}, now)
	expect("a call outside", presencev1.State_STATE_ONLINE, map[string]time.Duration{"a": -400 * time.Second, "b": -30 * time.Second})
	now = now.Add(time.Minute)
	h.report(g, &rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: 1, Kinds: write}, {Number: 2, AgoS: 100}, {Number: 3}}}, now)
	expect("a deed, and an older one", presencev1.State_STATE_ONLINE, map[string]time.Duration{"a": time.Minute, "b": -30 * time.Second})
	now = now.Add(h.cfg.Idle - time.Second)
	h.tick(now)
	expect("almost idle", presencev1.State_STATE_ONLINE, nil)
	now = now.Add(time.Second)
	h.tick(now)
	expect("idle", presencev1.State_STATE_AWAY, nil)
}

// TestNotSaid: whoever comes back without saying when something was done last is as idle as they were, and as who comes for the first time since then.
func TestNotSaid(t *testing.T) {
	h, g, now := full(0)
	open := func(number uint64, age uint32) {
		h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: number, Workspace: "w", User: "ada", Session: "a", AgeS: age}}}, now)
		answer(h, now)
	}
	expect := func(what string, want presencev1.State) {
		t.Helper()
		if got := h.status(personKey{"w", "ada"}).GetState(); got != want {
			t.Errorf("%s: seen as %v, want %v", what, got, want)
		}
	}
	open(1, 0)
	for n := uint64(2); n < 32; n++ { // polls, one after the other
		expect("at first", presencev1.State_STATE_ONLINE)
		h.report(g, &rosterv1.ReportRequest{Closed: []uint64{n - 1}}, now)
		now = now.Add(h.cfg.Idle / 31)
		h.tick(now)
		open(n, 0)
	}
	now = now.Add(h.cfg.Idle / 30)
	h.tick(now)
	open(32, 0)
	expect("who only asks", presencev1.State_STATE_AWAY)
	h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: 33, Workspace: "w", User: "ada", Session: "a", IdleS: proto.Uint32(0)}}}, now)
	expect("who says so", presencev1.State_STATE_ONLINE)
	h.report(g, &rosterv1.ReportRequest{Closed: []uint64{31, 32, 33}}, now)
	for end := now.Add(h.cfg.Grace); now.Before(end); h.tick(now) {
		now = now.Add(5 * time.Second)
		h.report(g, &rosterv1.ReportRequest{}, now)
	}
	if _, here := h.people[personKey{"w", "ada"}]; here {
		t.Error("ada has not gone")
	}
	open(34, uint32(h.cfg.Idle/time.Second))
	expect("who came long ago, as a gateway tells another process", presencev1.State_STATE_AWAY)
}
