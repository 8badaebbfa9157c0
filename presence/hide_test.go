package presence

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/mesh/registry"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// twins are two people in a world to whom the same happens, until one of them hides and the other one's connections end. Their homes are the same
// wherever processes are, and their minutes begin at the same time.
type twins struct {
	*world
	hides, leaves string
	hidden        bool
	watchers      map[*hub]*watcher // of who looks at both all the time; none: nobody does
	looks         bool
}

func newTwins(t *rapid.T) *twins {
	w := &twins{world: newWorld(t), hides: "ada", watchers: map[*hub]*watcher{}, looks: rapid.Bool().Draw(t, "somebody looks at them all the time")}
	homes := func(user string) (order string) {
		nodes := []string{"presence-1", "presence-2", "presence-3"}
		slices.SortFunc(nodes, func(a, b string) int {
			if registry.NewPlacement([]registry.Node{{ID: a}, {ID: b}}).Home(personKey{"w", user}.route()).ID == a {
				return -1
			}
			return 1
		})
		return fmt.Sprint(nodes)
	}
	now := time.Unix(0, 0)
	phase := newDoing(personKey{"w", w.hides}, now).phase
	for i := 0; w.leaves == ""; i++ {
		if name := fmt.Sprint("twin-", i); newDoing(personKey{"w", name}, now).phase == phase && homes(name) == homes(w.hides) {
			w.leaves = name
		}
	}
	w.people[w.leaves] = newReality()
	for _, user := range w.both() {
		w.choices[user] = choice{privacy: frank}
	}
	w.look()
	return w
}

func (w *twins) both() []string { return []string{w.hides, w.leaves} }

// those are to whom something happens.
func (w *twins) those() []string {
	if w.hidden {
		return w.both()[:1]
	}
	return w.both()
}

func (w *twins) keys() []personKey { return []personKey{{"w", w.hides}, {"w", w.leaves}} }

// look has somebody look at the twins at every process, if anybody does.
func (w *twins) look() {
	for _, h := range w.hubs {
		if w.looks && w.watchers[h] == nil {
			w.watchers[h] = newWatcher(0)
			h.watch(w.watchers[h], w.keys())
		}
	}
}

// home is the process that is the twins' home.
func (w *twins) home() *hub { return w.hubs[w.place().Home(w.keys()[0].route()).ID] }

// alike checks that what is told of one is what is told of the other: to who looks all the time, and to who comes to look.
func (w *twins) alike() {
	w.look()
	for _, h := range w.hubs {
		if by := w.watchers[h]; by != nil {
			w.compare("told", h, by)
		}
		by := newWatcher(0)
		h.watch(by, w.keys())
		w.compare("told who comes", h, by)
		h.forget(by, nil, w.now)
		if p := h.people[w.keys()[0]]; p != nil && p.departed != nil {
			for _, s := range p.departed.sessions {
				if theirs := p.session(s.id); theirs == nil || len(theirs.connections) == 0 && !theirs.left.IsZero() && theirs.left.Before(s.left) {
					w.Fatalf("%s is seen by %v, and has %v", w.hides, s, theirs)
				}
			}
		}
	}
}

func (w *twins) compare(what string, h *hub, by *watcher) {
	list, _ := h.takeNews(by)
	told := map[string][]byte{}
	for _, n := range list {
		told[n.user] = n.seen
	}
	if !slices.IsSortedFunc(list, func(a, b news) int { return strings.Compare(a.user, b.user) }) {
		w.Fatalf("%s at %s in this order: %v", what, h.self, list)
	}
	if len(told) == 1 || !bytes.Equal(told[w.hides], told[w.leaves]) {
		w.Fatalf("%s at %s, hidden %t: %q of who hides, %q of who leaves", what, h.self, w.hidden, told[w.hides], told[w.leaves])
	}
}

// pass lets time go by, and looks at each second.
func (w *twins) pass(d time.Duration) {
	for ; d > 0; d -= time.Second {
		w.world.pass(time.Second)
		w.alike()
	}
}

// quiet has everybody reach everybody, so that all of them hear what happens in the moment that it does.
func (w *twins) quiet() {
	for _, g := range w.gateways {
		w.thaw(g)
		clear(g.cut)
	}
	w.learn()
	w.pass(time.Second)
	w.learn()
}

// choose has somebody choose.
func (w *twins) choose(user string, c choice) {
	if w.mute {
		return
	}
	w.choices[user] = c
	if h := w.home(); h != nil {
		h.choose(map[personKey]choice{{"w", user}: c}, w.now)
	}
}

// act has something done in a session of each, told by a gateway.
func (w *twins) act(g *edge, q func(number uint64) *rosterv1.ReportRequest) {
	for _, user := range w.those() {
		if number, is := w.people[user].at[g.incarnation]; is && !g.frozen {
			w.tell(g, g.place.Home(personKey{"w", user}.route()), q(number))
		}
	}
}

// confirm has gateways confirm that somebody hides.
func (w *twins) confirm(user string) {
	for _, g := range w.gateways {
		if number, is := w.people[user].at[g.incarnation]; is {
			w.tell(g, g.place.Home(personKey{"w", user}.route()), &rosterv1.ReportRequest{Hidden: []uint64{number}})
		}
	}
}

// hide has one of the twins hide, and the connections of the other one end when all gateways confirm that, or the time for it is over.
func (w *twins) hide(confirms bool) {
	w.quiet()
	h := w.home()
	if h == nil || w.mute {
		return
	}
	one, other := h.people[w.keys()[0]], h.people[w.keys()[1]]
	if one == nil || other == nil || !one.loaded || !other.loaded || one.visibility != shown { // it isn't known yet who they were: who hides then comes invisible
		return
	}
	if rapid.Bool().Draw(w.T, "both say what they are doing") {
		for _, k := range w.keys() {
			_ = h.setActivity(k, said{kind: writing}, w.now)
		}
	}
	w.hidden = true
	w.choose(w.hides, choice{state: presencev1.State_STATE_INVISIBLE, text: "hidden", privacy: w.choices[w.hides].privacy})
	w.alike()
	if confirms {
		w.confirm(w.hides)
	} else {
		w.pass(confirmTime)
	}
	for _, g := range w.gateways {
		w.disconnect(w.leaves, g)
	}
	w.alike()
}

// TestInvisibleInTime: somebody who becomes invisible is told as a twin whose connections really end at that moment is: the same bytes, at the same
// times, to whoever looks, whatever they go on to do and whatever happens to gateways and processes.
func TestInvisibleInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTwins(t)
		gateway := func() *edge {
			all := slices.Sorted(maps.Keys(w.gateways))
			if len(all) == 0 {
				w.startGateway()
				w.learn()
				all = slices.Sorted(maps.Keys(w.gateways))
			}
			return w.gateways[rapid.SampledFrom(all).Draw(t, "gateway")]
		}
		node := func() string {
			return rapid.SampledFrom([]string{"presence-1", "presence-2", "presence-3"}).Draw(t, "node")
		}
		state := rapid.SampledFrom([]presencev1.State{
			presencev1.State_STATE_UNSPECIFIED, presencev1.State_STATE_UNSPECIFIED, presencev1.State_STATE_AWAY, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB,
		})
		chosen := func() choice {
			c := choice{privacy: w.choices[w.hides].privacy, state: state.Draw(t, "state"), text: rapid.SampledFrom([]string{"", "mending"}).Draw(t, "text")}
			if s := rapid.IntRange(0, 90).Draw(t, "until s"); s > 30 {
				c.until = w.now.Add(time.Duration(s) * time.Second)
			}
			return c
		}
		t.Repeat(w.with(gateway, node, map[string]func(*rapid.T){
			"": func(*rapid.T) { w.alike() },
			"connect": func(*rapid.T) {
				g := gateway()
				for _, user := range w.those() {
					w.connect(user, g)
				}
			},
			"disconnect": func(*rapid.T) {
				g := gateway()
				for _, user := range w.those() {
					w.disconnect(user, g)
				}
			},
			"sign out": func(*rapid.T) { // both, though one hides and the other one has left
				w.quiet()
				w.signOut(w.both()...)
			},
			"choose": func(*rapid.T) {
				c := chosen()
				if w.hidden {
					c.state, c.until = presencev1.State_STATE_INVISIBLE, time.Time{} // still
				}
				for _, user := range w.those() {
					w.choose(user, c)
				}
			},
			"act": func(t *rapid.T) {
				kind := rapid.SampledFrom([]edgev1.Doing{0, edgev1.Doing_DOING_MEET, edgev1.Doing_DOING_CHAT}).Draw(t, "kind")
				w.act(gateway(), func(n uint64) *rosterv1.ReportRequest {
					return &rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: n, Kinds: []edgev1.Doing{kind}}}}
				})
			},
			"say": func(t *rapid.T) {
				what := said{kind: rapid.SampledFrom([]presencev1.ActivityKind{nothing, writing, onBreak}).Draw(t, "kind"), sinceMs: w.now.UnixMilli()}
				for _, user := range w.those() {
					if h := w.home(); h != nil {
						_ = h.setActivity(personKey{"w", user}, what, w.now) // who isn't seen may not
					}
				}
			},
			"clear": func(*rapid.T) {
				for _, user := range w.those() {
					if h := w.home(); h != nil {
						_ = h.clearActivities(personKey{"w", user}, w.now) // nor where it isn't at home any more
					}
				}
			},
			"let more be told, or less": func(t *rapid.T) {
				p := privacy{inferActivity: rapid.Bool().Draw(t, "activity"), country: rapid.Bool().Draw(t, "country")}
				for _, user := range w.those() {
					c := w.choices[user]
					c.privacy = p
					w.choose(user, c)
				}
			},
			"act by the way": func(*rapid.T) {
				q, ago := &rosterv1.ReportRequest{}, uint32(rapid.IntRange(0, 60).Draw(t, "ago"))
				for _, user := range w.those() {
					q.Acts = append(q.Acts, &rosterv1.Act{Workspace: "w", User: user, AgoS: ago})
				}
				g := gateway()
				for _, n := range g.place.Nodes() {
					w.tell(g, n, q)
				}
			},
			"hide": func(*rapid.T) {
				if w.hidden {
					return
				}
				if w.hide(rapid.Bool().Draw(t, "gateways confirm it")); rapid.Bool().Draw(t, "both are signed out then") {
					w.pass(time.Duration(rapid.IntRange(0, 50).Draw(t, "s")) * time.Second)
					w.quiet()
					w.signOut(w.both()...)
				}
			},
			"pass":  func(t *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 60).Draw(t, "s")) * time.Second) },
			"idle":  func(t *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 6).Draw(t, "minutes")) * time.Minute) },
			"quiet": func(*rapid.T) { w.quiet() },
			"a process comes and goes": func(t *rapid.T) {
				id := node()
				for range 2 {
					if w.hubs[id] == nil {
						w.startNode(id)
					} else {
						delete(w.hubs, id)
						delete(w.nodes, id)
					}
					w.learn()
					w.pass(time.Duration(rapid.IntRange(0, 20).Draw(t, "s")) * time.Second)
				}
			},
			"a process is taken for dead": func(t *rapid.T) {
				if id := node(); w.hubs[id] != nil {
					w.doubted[id] = true
					w.learnNode(id)
					w.pass(time.Duration(rapid.IntRange(0, 60).Draw(t, "s")) * time.Second)
					w.doubted[id] = false
					w.learnNode(id)
				}
			},
			"the database is away, or back": func(*rapid.T) {
				w.mute = !w.mute
				w.learn()
			},
		}))
	})
}

// TestConfirm: the time of grace of who hides begins when all gateways that have a connection of theirs confirm it, or have it no more, at the latest after a
// second; until then they are seen as before, also by what they do. Choosing otherwise ends it.
func TestConfirm(t *testing.T) {
	cfg := DefaultConfig()
	k := personKey{"w", "ada"}
	place := placeOf("presence-1")
	online, hides := presencev1.State_STATE_ONLINE, choice{state: presencev1.State_STATE_INVISIBLE}
	begin := time.Unix(1_000_000, 0)
	for name, c := range map[string]struct {
		do   func(h *hub, a, b *gateway, at func(time.Duration) time.Time)
		left time.Duration // behind the choice
	}{
		"all confirm": {left: 200 * time.Millisecond, do: func(h *hub, a, b *gateway, at func(time.Duration) time.Time) {
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{1}}, at(100*time.Millisecond))
			h.report(b, &rosterv1.ReportRequest{Hidden: []uint64{2, 77}}, at(150*time.Millisecond))
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{3}}, at(200*time.Millisecond))
		}},
		"one says nothing": {left: confirmTime, do: func(h *hub, a, _ *gateway, at func(time.Duration) time.Time) {
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{1, 3}}, at(100*time.Millisecond))
		}},
		"one ends": {left: 300 * time.Millisecond, do: func(h *hub, a, b *gateway, at func(time.Duration) time.Time) {
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{1, 3}}, at(100*time.Millisecond))
			h.closeStream(b, at(300*time.Millisecond))
		}},
		"connections end": {left: 300 * time.Millisecond, do: func(h *hub, a, b *gateway, at func(time.Duration) time.Time) {
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{1}, Closed: []uint64{3}}, at(100*time.Millisecond))
			h.report(b, &rosterv1.ReportRequest{Closed: []uint64{2}}, at(300*time.Millisecond))
		}},
		"another begins": {left: 200 * time.Millisecond, do: func(h *hub, a, b *gateway, at func(time.Duration) time.Time) {
			h.report(a, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: 4, Workspace: "w", User: "ada", Session: "d"}}}, at(100*time.Millisecond))
			h.report(b, &rosterv1.ReportRequest{Hidden: []uint64{2}}, at(100*time.Millisecond))
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{1, 3}}, at(200*time.Millisecond))
		}},
		"chosen again": {left: 400 * time.Millisecond, do: func(h *hub, a, b *gateway, at func(time.Duration) time.Time) {
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{1, 3}}, at(100*time.Millisecond))
			h.choose(map[personKey]choice{k: {}}, at(200*time.Millisecond))
			h.choose(map[personKey]choice{k: hides}, at(300*time.Millisecond))
			h.choose(map[personKey]choice{k: hides}, at(300*time.Millisecond))
			h.report(b, &rosterv1.ReportRequest{Hidden: []uint64{2}}, at(300*time.Millisecond))
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{1, 3}}, at(400*time.Millisecond))
		}},
		"shown again": {left: -1, do: func(h *hub, a, b *gateway, at func(time.Duration) time.Time) {
			h.choose(map[personKey]choice{k: {}}, at(200*time.Millisecond))
			h.report(a, &rosterv1.ReportRequest{Hidden: []uint64{1, 3}}, at(300*time.Millisecond))
			h.report(b, &rosterv1.ReportRequest{Hidden: []uint64{2}}, at(300*time.Millisecond))
		}},
	} {
		h := newHub(cfg, "presence-1")
		h.setPlacement(begin, place, []string{"a", "b"}, true)
		a, b := h.openStream("a", begin), h.openStream("b", begin)
		opened := func(number uint64, session string) *rosterv1.Connection {
			return &rosterv1.Connection{Number: number, Workspace: "w", User: "ada", Session: session}
		}
		h.report(a, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{opened(1, "a"), opened(3, "c")}, Complete: place.Number()}, begin)
		h.report(b, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{opened(2, "a")}, Complete: place.Number()}, begin)
		h.load(map[personKey]choice{k: {}}, begin)
		h.choose(map[personKey]choice{k: hides}, begin)
		now := begin
		c.do(h, a, b, func(d time.Duration) time.Time { now = begin.Add(d); return now })
		state := func(at time.Time) presencev1.State {
			h.tick(at)
			return h.status(k).GetState()
		}
		for ; now.Before(begin.Add(confirmTime)); now = now.Add(100 * time.Millisecond) {
			if got := state(now); got != online {
				t.Errorf("%s: %v after the choice they are seen as %v", name, now.Sub(begin), got)
			}
		}
		state(begin.Add(confirmTime))
		for _, g := range []*gateway{a, b} { // they go on
			h.report(g, &rosterv1.ReportRequest{}, begin.Add(cfg.Grace))
		}
		gone := time.Duration(-1)
		for at := begin.Add(confirmTime); at.Before(begin.Add(cfg.Grace + 2*confirmTime)); at = at.Add(50 * time.Millisecond) {
			if h.report(a, &rosterv1.ReportRequest{}, at); gone < 0 && state(at) != online {
				gone = at.Sub(begin) - cfg.Grace
			}
			h.report(b, &rosterv1.ReportRequest{}, at)
		}
		if gone != c.left {
			t.Errorf("%s: the time of grace begins %v after the choice, want %v", name, gone, c.left)
		}
	}
}
