package presence

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/sqldb"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// village is a hub of which one or two gateways tell, second by second.
type village struct {
	*testing.T
	*hub
	now     time.Time
	place   registry.Placement
	streams map[string]*gateway // of gateways
	choices map[personKey]choice
	number  uint64
}

func newVillage(t *testing.T, nodes ...string) *village {
	v := &village{T: t, hub: newHub(DefaultConfig(), "presence-1"), now: time.Unix(1_000_000, 0), place: placeOf(nodes...), streams: map[string]*gateway{}, choices: map[personKey]choice{}}
	v.setPlacement(v.now, v.place, []string{"a", "b"}, true)
	return v
}

// tell has a gateway tell all, by a new stream if it has none.
func (v *village) tell(gateway string, users ...string) {
	g := v.streams[gateway]
	q := &rosterv1.ReportRequest{Complete: v.place.Number()}
	if g == nil {
		g = v.openStream(gateway, v.now)
		v.streams[gateway] = g
	}
	for _, user := range users {
		v.number++
		q.Opened = append(q.Opened, connectionOf(v.number, user))
	}
	if !v.report(g, q, v.now) {
		v.Fatalf("the stream of %s has ended", gateway)
	}
	v.learnAll()
}

func (v *village) learnAll() {
	chosen := map[personKey]choice{}
	for _, k := range v.nextLoads(choiceBatch) {
		chosen[k] = v.choices[k]
	}
	v.load(chosen, v.now)
}

// cut ends the stream of a gateway.
func (v *village) cut(gateway string) {
	v.closeStream(v.streams[gateway], v.now)
	delete(v.streams, gateway)
}

// pass lets time go by, and looks at each second.
func (v *village) pass(d time.Duration, look func()) {
	for end := v.now.Add(d); v.now.Before(end); {
		v.now = v.now.Add(time.Second)
		for _, g := range v.streams {
			v.report(g, &rosterv1.ReportRequest{}, v.now)
		}
		v.tick(v.now)
		if look != nil {
			look()
		}
	}
}

func (v *village) expect(what string, want map[string]string) {
	v.Helper()
	for user, state := range want {
		if got := v.status(personKey{"w", user}).GetState(); got.String() != "STATE_"+state {
			v.Errorf("%s: %s is seen as %v, want %s", what, user, got, state)
		}
	}
}

// freeze has the process be taken for dead for a while; the gateways' streams end soon after it noticed.
func (v *village) freeze(d time.Duration) {
	gateways := []string{"a", "b"}
	v.setPlacement(v.now, v.place, gateways, false)
	v.pass(time.Second, nil)
	for _, g := range gateways {
		v.cut(g)
	}
	v.pass(d-time.Second, nil)
	v.setPlacement(v.now, v.place, gateways, true)
}

// TestThawed: a process that others could take for dead tells nobody as here again before a gateway tells of them. Who was in the time of grace has it
// from when they left, and who was connected as it froze has it anew, as unknown; however often it freezes.
func TestThawed(t *testing.T) {
	for _, d := range []time.Duration{5 * time.Second, 2 * time.Minute} {
		t.Run(d.String(), func(t *testing.T) {
			v := newVillage(t, "presence-1")
			v.tell("a", "ada", "bob")
			v.tell("b", "dan")
			v.report(v.streams["b"], &rosterv1.ReportRequest{Closed: []uint64{3}}, v.now)
			left := v.now
			v.pass(10*time.Second, nil)
			v.expect("before", map[string]string{"ada": "ONLINE", "bob": "ONLINE", "dan": "ONLINE", "eve": "OFFLINE"})
			var thawed time.Time
			for n := range 4 {
				v.freeze(d)
				if n == 0 {
					thawed = v.now
				}
				v.expect("nobody has told anything", map[string]string{"ada": "UNSPECIFIED", "bob": "UNSPECIFIED", "dan": "UNSPECIFIED", "eve": "UNSPECIFIED"})
				v.tell("a", "ada")
				v.expect("one has told all", map[string]string{"ada": "UNSPECIFIED"})
				v.tell("b")
				v.pass(30*time.Second, func() {
					want := map[string]string{"ada": "ONLINE", "bob": "UNSPECIFIED", "dan": "UNSPECIFIED", "eve": "OFFLINE"}
					if v.now.Sub(thawed) >= v.cfg.Grace {
						want["bob"] = "OFFLINE"
					}
					if v.now.Sub(left) >= v.cfg.Grace {
						want["dan"] = "OFFLINE"
					}
					v.expect(fmt.Sprint("time ", n, ", ", v.now.Sub(thawed), " after the first"), want)
				})
			}
			v.tell("a", "bob")
			v.expect("who comes back", map[string]string{"bob": "ONLINE"})
		})
	}
}

// TestHiddenMeanwhile: of two who were here as a process froze, one leaves and one hides at another home; what is told of them then is the same.
func TestHiddenMeanwhile(t *testing.T) {
	v := newVillage(t, "presence-1")
	hides, leaves := personKey{"w", "hides"}, personKey{"w", "leaves"}
	for _, k := range []personKey{hides, leaves} {
		v.choices[k] = choice{state: presencev1.State_STATE_BUSY}
	}
	v.tell("a", "hides", "leaves")
	v.tell("b")
	for _, k := range []personKey{hides, leaves} {
		if err := v.setActivity(k, said{kind: writing}, v.now); err != nil {
			t.Fatal(err)
		}
	}
	w := newWatcher(0)
	v.watch(w, []personKey{hides, leaves})
	v.takeNews(w)
	var told []string
	look := func() {
		list, _ := v.takeNews(w)
		switch {
		case len(list) == 0:
		case len(list) == 1 || !bytes.Equal(list[0].seen, list[1].seen):
			t.Errorf("told after %v: %v", v.now, list)
		default:
			told = append(told, strings.TrimPrefix(list[0].status().GetState().String(), "STATE_"))
		}
	}
	v.freeze(20 * time.Second)
	v.choices[hides] = choice{state: presencev1.State_STATE_INVISIBLE}
	look()
	v.pass(3*time.Second, look)
	v.tell("a", "hides")
	v.tell("b")
	v.pass(2*v.cfg.Grace, look)
	if want := []string{"UNSPECIFIED", "OFFLINE"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// TestVanished: a gateway and a home die within the time of grace. Who was at both is unknown at the new home until a gateway tells of them, or that time
// is over; of all others it is known at once whether they are here. The same where one of them dies alone.
func TestVanished(t *testing.T) {
	alone, both := placeOf("presence-1"), placeOf("presence-1", "presence-2")
	var stays, moves, comes string
	for i := 0; stays == "" || comes == ""; i++ {
		switch user := fmt.Sprint("user-", i); {
		case both.Home(personKey{"w", user}.route()).ID == "presence-1":
			stays = user
		case moves == "":
			moves = user
		default:
			comes = user
		}
	}
	type step struct {
		place    registry.Placement
		gateways []string
	}
	all := []string{"a", "b"}
	for name, c := range map[string]struct {
		steps   []step
		unknown bool // who has moved
	}{
		"both at once":                 {[]step{{alone, []string{"a"}}}, true},
		"the home first":               {[]step{{alone, all}, {alone, []string{"a"}}}, true},
		"the gateway first":            {[]step{{both, []string{"a"}}, {alone, []string{"a"}}}, true},
		"the home alone":               {[]step{{alone, all}}, false},
		"the gateway, which was alive": {[]step{{both, []string{"a"}}, {alone, []string{"a"}}, {alone, all}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVillage(t, "presence-1", "presence-2")
			v.tell("a")
			v.tell("b")
			v.pass(time.Minute, nil)
			v.expect("before", map[string]string{stays: "OFFLINE", moves: "UNSPECIFIED"})
			died := v.now
			var gateways []string
			for _, s := range c.steps {
				v.place, gateways = s.place, s.gateways
				v.setPlacement(v.now, v.place, gateways, true)
				died = v.now
				if !slices.Contains(gateways, "b") && v.streams["b"] != nil {
					v.cut("b")
				}
				for _, g := range gateways {
					if g == "a" || !c.unknown { // b has died, whatever is known of it
						v.tell(g)
					}
				}
				v.pass(time.Second, nil)
			}
			state := map[bool]string{true: "UNSPECIFIED", false: "OFFLINE"}
			w := newWatcher(0)
			v.watch(w, []personKey{{"w", moves}})
			v.tell("a")
			for _, at := range []time.Duration{20 * time.Second, v.cfg.Grace - 5*time.Second} {
				v.expect(fmt.Sprint("after ", v.now.Sub(died)), map[string]string{stays: "OFFLINE", moves: state[c.unknown], comes: state[c.unknown]})
				v.pass(at-v.now.Sub(died), nil)
			}
			err := v.setActivity(personKey{"w", moves}, said{kind: writing}, v.now)
			if want := map[bool]error{true: errAway, false: errOffline}[c.unknown]; err != want { //nolint:errorlint // these very ones
				t.Errorf("who is %s says something: %v", state[c.unknown], err)
			}
			v.tell("a", comes)
			v.expect("somebody has come back", map[string]string{comes: "ONLINE", moves: state[c.unknown]})
			v.pass(10*time.Second, nil)
			v.expect("the time of grace is over", map[string]string{comes: "ONLINE", moves: "OFFLINE", stays: "OFFLINE"})
			if list, _ := v.takeNews(w); len(list) != 1 || list[0].status().GetState() != presencev1.State_STATE_OFFLINE {
				t.Errorf("who looks is told %v", list)
			}
			if len(v.vanished) > 0 || v.sinceVanished != nil {
				t.Errorf("%v vanished, since %v: kept", v.vanished, v.sinceVanished)
			}
		})
	}
}

// TestBegins: a process that has just started, and is alone, knows for the time of grace only of those who have come.
func TestBegins(t *testing.T) {
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: meshtest.SQLite(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	all, err := Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	s, err := New(DefaultConfig(), Deps{DB: db, Chat: newFakeChat().serve(t)})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s.Run)
	<-s.Ready()
	h, now := s.hub, time.Now()
	h.report(h.openStream("", now), &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(1, "ada")}, Complete: h.placement.Number()}, now)
	ada, bob := personKey{"w", "ada"}, personKey{"w", "bob"}
	for h.status(ada).GetState() != presencev1.State_STATE_ONLINE {
		<-time.After(10 * time.Millisecond) // what they have chosen is read
	}
	if got := h.status(bob).GetState(); got != presencev1.State_STATE_UNSPECIFIED {
		t.Errorf("who may be on their way is seen as %v", got)
	}
	h.tick(now.Add(h.cfg.Grace - 5*time.Second))
	if got := h.status(bob).GetState(); got != presencev1.State_STATE_UNSPECIFIED {
		t.Errorf("who may still be is seen as %v", got)
	}
	h.tick(now.Add(h.cfg.Grace))
	if got := h.status(bob).GetState(); got != presencev1.State_STATE_OFFLINE {
		t.Errorf("who has not come is seen as %v", got)
	}
}

// TestManySessions: somebody has so many sessions at most, the one that left first makes room, and else the one in which something was done last takes
// in one more connection; however many come and go, the hub looks at each person once as their gateway ends.
func TestManySessions(t *testing.T) {
	h, g, now := full(0)
	k := personKey{"w", "ada"}
	number := uint64(0)
	open := func(session string, idle uint32) uint64 {
		number++
		h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: number, Workspace: "w", User: "ada", Session: session, Device: session, IdleS: &idle, Country: "DE"}}}, now)
		answer(h, now)
		return number
	}
	end := func(n uint64) { h.report(g, &rosterv1.ReportRequest{Closed: []uint64{n}}, now) }
	first := open("stays", 100)
	for i := range 1000 { // polls
		end(open(fmt.Sprint("poll-", i), 200))
		now = now.Add(time.Millisecond)
	}
	p := h.people[k]
	if len(p.sessions) != maxSessions || p.session("stays") == nil || p.session("poll-999") == nil || p.session(fmt.Sprint("poll-", 1000-maxSessions)) != nil {
		t.Fatalf("%d sessions: %v", len(p.sessions), p.sessions)
	}
	var opened []uint64
	for i := range 5 * maxSessions {
		opened = append(opened, open(fmt.Sprint("more-", i), 50))
	}
	if busy := p.session("more-0"); len(p.sessions) != maxSessions || len(busy.connections) != 1+4*maxSessions+1 || busy.token != "more-0" {
		t.Fatalf("%d sessions, %d connections of the first one, with %q", len(p.sessions), len(busy.connections), busy.token)
	}
	for _, n := range opened {
		end(n)
	}
	end(first)
	if p := h.people[k]; p == nil || len(p.sessions) != maxSessions || slices.ContainsFunc(p.sessions, func(s *session) bool { return len(s.connections) > 0 }) || len(g.connections) > 0 {
		t.Fatalf("%v, and %d connections, when all have ended", p, len(g.connections))
	}
	h.tick(now.Add(h.cfg.Grace))
	h.tick(now.Add(h.cfg.Grace))
	if h.people[k] != nil || h.status(k).GetState() != presencev1.State_STATE_OFFLINE {
		t.Error("ada has not gone")
	}
}
