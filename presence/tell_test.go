package presence

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/registry"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	couples    = 2500 // of two people each; one leaves, one hides
	neighbours = 250  // couples in one bureau
	// tellApart is how many of a hundred a learner may tell right. Who knows nothing does better with half of so many people once in three million
	// times.
	tellApart = 55
	soonest   = 80 * time.Second      // that anybody leaves or hides
	spread    = 40 * time.Second      // behind that
	aftermath = 60 * time.Second      // that those who look stay
	asked     = 40 * time.Millisecond // between two questions of who wants to know the moment
)

// bureau is a process of presence with a gateway, and people who come, go, do something, hide, and look at each other.
type bureau struct {
	*Server
	g *gateway

	mu       sync.Mutex // guards all below
	numbers  uint64
	choices  map[personKey]choice
	shown    map[uint64]bool // connections whose signals the gateway lets pass
	ends     []uint64        // connections that have ended, to be told with the next beat
	confirms []uint64        // of whom it is confirmed that they hide, likewise
}

const beat = 100 * time.Millisecond // of what a gateway tells

func newBureau() *bureau {
	cfg := DefaultConfig()
	o := &bureau{
		Server:  &Server{cfg: cfg, hub: newHub(cfg, alone{}.Node().ID), memberships: newMemberships(), views: newViews(), rooms: newRooms(), peers: alone{}},
		choices: map[personKey]choice{}, shown: map[uint64]bool{},
	}
	close(o.memberships.known)
	place := registry.NewPlacement([]registry.Node{alone{}.Node()})
	o.hub.setPlacement(time.Now(), place, []string{"a"}, true)
	o.g = o.hub.openStream("a", time.Now())
	o.tell(&rosterv1.ReportRequest{Complete: place.Number()})
	return o
}

func (o *bureau) tell(q *rosterv1.ReportRequest) { o.hub.report(o.g, q, time.Now()) }

// run does until ctx ends what the service and the gateway do by themselves.
func (o *bureau) run(ctx context.Context, tasks *sync.WaitGroup) {
	every := func(d time.Duration, do func()) {
		tasks.Go(func() {
			for tick := time.NewTicker(d); ; {
				select {
				case <-tick.C:
					do()
				case <-ctx.Done():
					tick.Stop()
					return
				}
			}
		})
	}
	every(tickGap, func() { o.hub.tick(time.Now()) })
	tasks.Go(func() { o.keepRooms(ctx) })
	every(beat, func() {
		o.mu.Lock()
		q := &rosterv1.ReportRequest{Closed: o.ends, Hidden: o.confirms}
		o.ends, o.confirms = nil, nil
		o.mu.Unlock()
		o.tell(q)
	})
	tasks.Go(func() {
		for {
			select {
			case <-time.After(answerGap/2 + rand.N(answerGap)):
			case <-ctx.Done():
				return
			}
			for res := o.hub.answers(o.g); res != nil; res = o.hub.answers(o.g) {
				o.mu.Lock()
				for _, n := range res.GetShown() {
					o.shown[n] = true
				}
				for _, n := range res.GetHidden() {
					o.shown[n] = false
				}
				o.confirms = append(o.confirms, res.GetHidden()...)
				o.mu.Unlock()
			}
		}
	})
	tasks.Go(func() {
		for {
			select {
			case <-o.hub.loads:
			case <-ctx.Done():
				return
			}
			chosen := map[personKey]choice{}
			for _, k := range o.hub.nextLoads(choiceBatch) {
				o.mu.Lock()
				chosen[k] = o.choices[k]
				o.mu.Unlock()
			}
			o.hub.load(chosen, time.Now())
		}
	})
}

func (o *bureau) choose(user string, c choice) {
	k := personKey{"w", user}
	o.mu.Lock()
	o.choices[k] = c
	o.mu.Unlock()
	o.hub.choose(map[personKey]choice{k: c}, time.Now())
}

// look has somebody look at people until ctx ends.
func (o *bureau) look(ctx context.Context, who string, users []string, after *edgev1.Cursor, send func(*topicv1.TailResponse) error) error {
	v := &view{watcher: newWatcher(0), who: personKey{"w", who}, users: slices.Sorted(slices.Values(users))}
	if err := o.views.open(v.who, v.watcher, o.cfg.Views); err != nil {
		return err
	}
	defer o.views.close(v.who, v.watcher)
	defer func() { o.hub.forget(v.watcher, nil, time.Now()) }()
	return o.tail(ctx, v, after, send)
}

// enter has somebody look at somebody's channel until ctx ends.
func (o *bureau) enter(ctx context.Context, who, channel string, w *presencev1.Window, after *edgev1.Cursor, send func(*topicv1.TailResponse) error) error {
	params, err := proto.Marshal(w)
	if err != nil {
		return err
	}
	return o.tailChannel(ctx, personKey{"w", who}, channel, params, after, send)
}

// sign is something that is seen of somebody.
type sign struct {
	at      time.Duration
	signal  bool // else an entry
	size    int
	status  *presencev1.Status
	looking bool
	counts  *presencev1.Counts // of their channel
	frame   int                // which one of the view
	gap     time.Duration      // behind the frame before
	place   int                // among the entries of the frame
	entries int                // of it
	cursor  uint64             // behind it
}

// screen is what is seen in one view, by the keys of its entries.
type screen struct {
	frames int
	last   time.Duration
	signs  map[string][]sign
}

// glance is what somebody sees who looks for a moment.
type glance struct {
	at       time.Duration
	wait     time.Duration // for the first frame
	snapshot bool
	entries  int
	moved    bool // the cursor is another one than before
	state    presencev1.State
}

// onlooker is who looks at a couple.
type onlooker struct {
	name string

	mu      sync.Mutex // guards all below
	begin   time.Time
	people  screen                   // the couple
	rooms   map[string]*screen       // the channel of each
	glances map[string][2][]glance   // at each, and at the channel of each
	gone    map[string]time.Duration // when who asks again and again was told first that they are offline
}

// see takes in what is told in a view.
func (l *onlooker) see(s *screen, res *topicv1.TailResponse) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, v := time.Since(l.begin), res.GetView()
	for i, e := range v.GetEntries() {
		m := &presencev1.Entry{}
		if err := proto.Unmarshal(e.GetBody(), m); err != nil {
			return err
		}
		s.signs[e.GetKey()] = append(s.signs[e.GetKey()], sign{
			at: now, size: len(e.GetBody()), status: m.GetStatus(), looking: m.GetLooking(), counts: m.GetCounts(),
			frame: s.frames, gap: now - s.last, place: i, entries: len(v.GetEntries()), cursor: v.GetAt().GetEpoch(),
		})
	}
	s.frames++
	s.last = now
	return nil
}

// ask is what somebody is told who comes to look.
func (l *onlooker) ask(o *bureau, user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.gone[user]; !known && o.hub.status(personKey{"w", user}).GetState() == presencev1.State_STATE_OFFLINE {
		l.gone[user] = time.Since(l.begin)
	}
}

func (l *onlooker) hear(user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.people.signs[user] = append(l.people.signs[user], sign{at: time.Since(l.begin), signal: true})
}

// peek looks at somebody, or at their channel, now and then until ctx ends, each time with the cursor of the time before.
func (l *onlooker) peek(ctx context.Context, o *bureau, random *rand.Rand, user string, room int) error {
	var at *edgev1.Cursor
	for {
		select {
		case <-time.After(time.Second + time.Duration(random.Float64()*float64(12*time.Second))):
		case <-ctx.Done():
			return nil
		}
		moment, end := context.WithTimeout(ctx, 1500*time.Millisecond)
		opened := time.Now()
		var g *glance
		see := func(res *topicv1.TailResponse) error {
			v := res.GetView()
			if g == nil {
				g = &glance{at: time.Since(l.begin), wait: time.Since(opened), snapshot: v.GetSnapshot(), moved: !proto.Equal(at, v.GetAt())}
			}
			g.entries += len(v.GetEntries())
			for _, e := range v.GetEntries() {
				m := &presencev1.Entry{}
				if err := proto.Unmarshal(e.GetBody(), m); err != nil {
					return err
				}
				if e.GetKey() == user {
					g.state = m.GetStatus().GetState()
				}
			}
			at = v.GetAt()
			return nil
		}
		var err error
		if room == 1 {
			err = o.enter(moment, l.name, user, &presencev1.Window{Limit: 10}, at, see)
		} else {
			err = o.look(moment, l.name, []string{user}, at, see)
		}
		over := moment.Err() != nil
		if end(); !over {
			return err
		}
		l.mu.Lock()
		both := l.glances[user]
		if g != nil {
			both[room] = append(both[room], *g)
		}
		l.glances[user] = both
		l.mu.Unlock()
	}
}

// life is what somebody does, from beginning to end: things to do at some times.
type life struct {
	*rand.Rand
	o      *bureau
	l      *onlooker
	user   string
	end    time.Duration // when they leave, or hide
	hides  bool
	open   []uint64 // their connections
	things []thing
	looks  func() (end func()) // has them look at others, as who is connected does
	away   func()              // ends that; nil: they look at nobody
}

type thing struct {
	at time.Duration
	do func()
}

func (p *life) between(a, b time.Duration) time.Duration {
	return a + time.Duration(p.Float64()*float64(b-a))
}

// plan adds something to do; who has left does nothing any more.
func (p *life) plan(at time.Duration, do func()) {
	if at < p.end || p.hides {
		p.things = append(p.things, thing{at, do})
	}
}

func (p *life) live() {
	agents := []string{
		"", "plenum-desktop/1", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1",
	}
	all := p.end + aftermath
	connect := func(session, agent string) {
		p.o.mu.Lock()
		p.o.numbers++
		n := p.o.numbers
		p.o.mu.Unlock()
		p.open = append(p.open, n)
		p.o.tell(&rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{
			Number: n, Workspace: "w", User: p.user, Session: session, Agent: agent, IdleS: new(uint32(p.IntN(330)) * uint32(p.IntN(2))),
		}}})
		if p.away == nil {
			p.away = p.looks()
		}
	}
	disconnect := func() {
		if len(p.open) > 0 {
			i := p.IntN(len(p.open))
			p.o.mu.Lock()
			p.o.ends = append(p.o.ends, p.open[i])
			p.o.mu.Unlock()
			if p.open = slices.Delete(p.open, i, i+1); len(p.open) == 0 {
				p.away()
				p.away = nil
			}
		}
	}
	for i := range 1 + p.IntN(3) {
		session, agent := fmt.Sprint("s", i), agents[p.IntN(len(agents))]
		p.plan(p.between(0, 40*time.Second), func() { connect(session, agent) })
		for range p.IntN(3) { // it reconnects
			at := p.between(40*time.Second, all)
			p.plan(at, disconnect)
			p.plan(at+p.between(0, 10*time.Second), func() { connect(session, agent) })
		}
		if p.IntN(4) == 0 { // and is over, perhaps
			p.plan(p.between(40*time.Second, all), disconnect)
		}
	}
	p.plan(soonest-time.Second, func() { connect("s0", agents[1]) }) // somebody is here in any case
	for range p.IntN(4) {
		c := choice{state: []presencev1.State{0, 0, presencev1.State_STATE_AWAY, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB}[p.IntN(5)]}
		c.text = []string{"", "mending", "at lunch until two"}[p.IntN(3)]
		at := p.between(0, all)
		p.plan(at, func() {
			if p.IntN(3) == 0 {
				c.until = time.Now().Add(p.between(time.Second, 2*time.Minute))
			}
			if p.hides && at >= p.end {
				c.state, c.until = presencev1.State_STATE_INVISIBLE, time.Time{}
			}
			p.o.choose(p.user, c)
		})
	}
	for range p.IntN(6) { // they look at something else, and back
		p.plan(p.between(0, all), func() {
			if p.away != nil {
				p.away()
				p.away = p.looks()
			}
		})
	}
	for gap, at := p.between(time.Second, 30*time.Second), time.Duration(0); at < all; at += p.between(gap/2, 2*gap) {
		signals := p.IntN(2) == 0
		p.plan(at, func() {
			if len(p.open) == 0 {
				return
			}
			n := p.open[p.IntN(len(p.open))]
			p.o.tell(&rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: n}}})
			p.o.mu.Lock()
			defer p.o.mu.Unlock()
			if signals && p.o.shown[n] {
				p.l.hear(p.user)
			}
		})
	}
	for at := p.end - p.between(0, 5*time.Second); at < p.end+time.Second; at += p.between(30*time.Millisecond, 90*time.Millisecond) {
		p.plan(at, func() { // it is typed until the last moment, and beyond
			p.o.mu.Lock()
			defer p.o.mu.Unlock()
			if len(p.open) > 0 && p.o.shown[p.open[0]] {
				p.l.hear(p.user)
			}
		})
	}
	for at := p.end + p.o.cfg.Grace - p.between(50*time.Millisecond, 100*time.Millisecond); at < p.end+p.o.cfg.Grace+2*time.Second; at += asked {
		p.things = append(p.things, thing{at, func() { p.l.ask(p.o, p.user) }})
	}
	p.things = append(p.things, thing{p.end, func() {
		if p.hides {
			p.o.choose(p.user, choice{state: presencev1.State_STATE_INVISIBLE})
			return
		}
		for len(p.open) > 0 {
			disconnect()
		}
	}})
	slices.SortStableFunc(p.things, func(a, b thing) int { return cmp.Compare(a.at, b.at) })
	begin := time.Now()
	for _, x := range p.things {
		time.Sleep(x.at - time.Since(begin))
		x.do()
	}
	if p.away != nil {
		p.away()
	}
}

func seconds(d time.Duration) float64 { return d.Seconds() }

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// roomFeatures are what can be told of what was seen in somebody's channel, who was seen to go at a time.
func roomFeatures(s screen, user string, end time.Duration) (f []float64) {
	var last, looked, counted sign
	var theirs, behind, frames [2]float64 // up to the end, and behind it: signs of them, of their channel, and frames
	for _, x := range s.signs[user] {
		i := int(one(x.at > end+time.Second))
		theirs[i]++
		frames[i] = float64(x.frame)
		if x.looking {
			looked = x
		}
		if last.status.GetState() != presencev1.State_STATE_OFFLINE || i == 0 {
			last = x
		}
	}
	for _, x := range s.signs[entryCounts] {
		behind[int(one(x.at > end+time.Second))]++
		if x.at <= end+time.Second {
			counted = x
		}
	}
	for _, x := range []sign{last, looked, counted} {
		f = append(f, seconds(end-x.at), seconds(x.gap), float64(x.size), float64(x.place), float64(x.entries), float64(x.frame), float64(x.cursor),
			float64(x.status.GetState()), float64(x.counts.GetOnline()), float64(x.counts.GetOffline()), float64(x.counts.GetLooking()))
	}
	return append(f, theirs[0], theirs[1], behind[0], behind[1], frames[0], frames[1], float64(s.frames))
}

// glanceFeatures are what can be told of what was seen of somebody by looking now and then, who was seen to go at a time.
func glanceFeatures(all []glance, end time.Duration) (f []float64) {
	var count, snapshots, moved, entries [2]float64 // before the end, and behind it
	var waits, longest [2]time.Duration
	var gone glance
	for _, g := range all {
		i := int(one(g.at > end))
		count[i]++
		snapshots[i] += one(g.snapshot)
		moved[i] += one(g.moved)
		entries[i] += float64(g.entries)
		waits[i] += g.wait
		longest[i] = max(longest[i], g.wait)
		if gone.at == 0 && g.at > soonest && g.state == presencev1.State_STATE_OFFLINE {
			gone = g
		}
	}
	f = append(f, seconds(gone.at-end), seconds(gone.wait), float64(gone.entries))
	for i := range count {
		f = append(f, count[i], snapshots[i], moved[i], entries[i], seconds(waits[i])/max(1, count[i]), seconds(longest[i]))
	}
	return f
}

// features are all that can be told of what was seen of somebody, as numbers.
func features(l *onlooker, user string, until, gone time.Duration) []float64 {
	var f []float64
	signs := slices.DeleteFunc(l.people.signs[user], func(s sign) bool { return s.at > until })
	offline := slices.IndexFunc(signs, func(s sign) bool { return s.at > soonest && s.status.GetState() == presencev1.State_STATE_OFFLINE })
	if offline < 0 {
		offline = len(signs) - 1
	}
	end := signs[offline]
	var last [8]time.Duration // when something of a kind was seen last before
	var count [8]float64
	var before sign
	bytes, devices := 0, map[string]bool{}
	for _, s := range signs[:offline] {
		kind := int(s.status.GetState())
		if s.signal {
			kind = 7
		} else {
			before = s
		}
		last[kind] = s.at
		count[kind]++
		bytes += s.size
		devices[fmt.Sprint(s.status.GetDevices())] = true
	}
	newest := slices.Max(last[:])
	for i := range last {
		f = append(f, seconds(end.at-last[i]), count[i], seconds(newest-last[i]))
	}
	f = append(f, seconds(end.at-newest), math.Mod(seconds(end.at), 1), seconds(end.gap), float64(end.size), float64(end.place), float64(end.entries), float64(end.frame),
		float64(bytes), float64(len(devices)), float64(len(signs)-offline), float64(len(signs)), float64(before.size), float64(before.status.GetState()),
		float64(len(before.status.GetDevices())), float64(len(before.status.GetCustom().GetText())), seconds(end.at-before.at), seconds(before.gap), float64(before.entries),
		float64(end.frame-before.frame), float64(end.cursor), float64(signs[len(signs)-1].cursor), seconds(gone-last[7]))
	for i := range 4 { // the last gaps between signs
		if offline > i {
			f = append(f, seconds(signs[offline-i].at-signs[offline-i-1].at))
		} else {
			f = append(f, -1)
		}
	}
	room := screen{l.rooms[user].frames, 0, map[string][]sign{}}
	for key, signs := range l.rooms[user].signs {
		room.signs[key] = slices.DeleteFunc(signs, func(s sign) bool { return s.at > until })
	}
	f = append(f, roomFeatures(room, user, end.at)...)
	for _, all := range l.glances[user] {
		f = append(f, glanceFeatures(slices.DeleteFunc(all, func(g glance) bool { return g.at > until }), end.at)...)
	}
	return f
}

// example is somebody as they were seen, and whether they hid.
type example struct {
	seen  []float64
	hides bool
}

// stump is a question about one number, and how much its answer counts.
type stump struct {
	feature int
	above   float64
	weight  float64 // that who is above it hides; negative: that who isn't does
}

func (s stump) says(seen []float64) float64 {
	if seen[s.feature] > s.above {
		return s.weight
	}
	return -s.weight
}

// learnStumps finds the questions that tell best who hides, each where those before it were wrong (AdaBoost, Freund and Schapire 1997).
func learnStumps(examples []example, rounds int) (all []stump) {
	weights := make([]float64, len(examples))
	for i := range weights {
		weights[i] = 1 / float64(len(weights))
	}
	order := make([][]int, len(examples[0].seen))
	for f := range order {
		for i := range examples {
			order[f] = append(order[f], i)
		}
		slices.SortFunc(order[f], func(a, b int) int { return cmp.Compare(examples[a].seen[f], examples[b].seen[f]) })
	}
	for range rounds {
		best, fewest := stump{}, 0.5
		for f, by := range order {
			wrong := 0.0 // of: all hide
			for _, x := range by {
				if !examples[x].hides {
					wrong += weights[x]
				}
			}
			for i, x := range by {
				if examples[x].hides { // those up to here don't
					wrong += weights[x]
				} else {
					wrong -= weights[x]
				}
				if i+1 < len(by) && examples[by[i+1]].seen[f] == examples[x].seen[f] {
					continue
				}
				if wrong < fewest {
					best, fewest = stump{f, examples[x].seen[f], 1}, wrong
				}
				if 1-wrong < fewest {
					best, fewest = stump{f, examples[x].seen[f], -1}, 1-wrong
				}
			}
		}
		if fewest >= 0.5 {
			return all
		}
		best.weight *= math.Log((1-fewest)/max(fewest, 1e-9)) / 2
		all = append(all, best)
		sum := 0.0
		for i, e := range examples {
			says := best.says(e.seen)
			if !e.hides {
				says = -says
			}
			weights[i] *= math.Exp(-says)
			sum += weights[i]
		}
		for i := range weights {
			weights[i] /= sum
		}
	}
	return all
}

// right is how many of a hundred are told right by stumps.
func right(examples []example, stumps []stump) float64 {
	n := 0
	for _, e := range examples {
		sum := 0.0
		for _, s := range stumps {
			sum += s.says(e.seen)
		}
		if (sum > 0) == e.hides {
			n++
		}
	}
	return 100 * float64(n) / float64(len(examples))
}

// watchCouples has some couples live, and watched, in one bureau, from the first of them on.
func watchCouples(t *testing.T, random *rand.Rand, seed uint64, first int) (examples []example) {
	o := newBureau()
	ctx, cancel := context.WithCancel(t.Context())
	var tasks, lives sync.WaitGroup
	o.run(ctx, &tasks)
	type couple struct {
		*onlooker
		lives [2]*life
	}
	var all []couple
	for i := first; i < first+neighbours; i++ {
		c := couple{onlooker: &onlooker{
			name: fmt.Sprint("looker-", i), begin: time.Now(), people: screen{signs: map[string][]sign{}}, rooms: map[string]*screen{}, glances: map[string][2][]glance{},
			gone: map[string]time.Duration{},
		}}
		hides := random.IntN(2)
		var users []string
		for j := range c.lives {
			user := fmt.Sprintf("%08x-%d", random.Uint32(), 2*i+j) // no name says who hides
			c.lives[j] = &life{
				Rand: rand.New(rand.NewPCG(seed, uint64(2*i+j+1))), o: o, l: c.onlooker, user: user, hides: j == hides,
				end: soonest + time.Duration(random.Float64()*float64(spread)),
			}
			users = append(users, user)
		}
		start := time.Duration(random.Float64() * float64(time.Second))
		begin := func(ctx context.Context, do func(ctx context.Context) error) {
			tasks.Go(func() {
				if err := do(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			})
		}
		for _, user := range users {
			o.memberships.change([]*chatv1.Room{{Workspace: "w", Channel: user, Members: []string{user, c.name}}})
		}
		begin(ctx, func(ctx context.Context) error {
			time.Sleep(start)
			return o.look(ctx, c.name, users, nil, func(res *topicv1.TailResponse) error { return c.see(&c.people, res) })
		})
		for _, p := range c.lives {
			room := &screen{signs: map[string][]sign{}}
			c.rooms[p.user] = room
			begin(ctx, func(ctx context.Context) error {
				time.Sleep(start)
				return o.enter(ctx, c.name, p.user, &presencev1.Window{Limit: 10}, nil, func(res *topicv1.TailResponse) error { return c.see(room, res) })
			})
			for kind := range 2 {
				random := rand.New(rand.NewPCG(seed, random.Uint64()))
				begin(ctx, func(ctx context.Context) error { return c.peek(ctx, o, random, p.user, kind) })
			}
			p.looks = func() (end func()) {
				looks, end := context.WithCancel(ctx)
				nothing := func(*topicv1.TailResponse) error { return nil }
				begin(looks, func(ctx context.Context) error { return o.look(ctx, p.user, []string{p.user, c.name}, nil, nothing) })
				begin(looks, func(ctx context.Context) error {
					return o.enter(ctx, p.user, p.user, &presencev1.Window{Looking: true}, nil, nothing)
				})
				return end
			}
			lives.Go(p.live)
		}
		all = append(all, c)
	}
	time.Sleep(soonest + spread + aftermath)
	lives.Wait()
	cancel()
	tasks.Wait()
	for _, c := range all {
		for _, p := range c.lives {
			examples = append(examples, example{features(c.onlooker, p.user, p.end+aftermath, c.gone[p.user]), p.hides})
		}
	}
	return examples
}

// TestNobodyCanTell: who looks at people, and at channels, all the time and now and then, can't learn to tell who hides, and goes on looking at others, from
// who leaves, by all that they see of them: what is told, when, in which order and how often, by which cursors, and what they signal.
func TestNobodyCanTell(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var examples []example
	for first := 0; first < couples; first += neighbours { // the race detector knows no more than 8,128 goroutines at a time
		synctest.Test(t, func(t *testing.T) { examples = append(examples, watchCouples(t, random, seed, first)...) })
	}
	half := len(examples) / 2
	for name, rounds := range map[string]int{"one question": 1, "forty questions": 40} {
		stumps := learnStumps(examples[:half], rounds)
		got := right(examples[half:], stumps)
		t.Logf("%s: %.1f of a hundred are told right (%.1f of those that it was learned from)", name, got, right(examples[:half], stumps))
		if got > tellApart {
			t.Errorf("%s: who hides is told from who leaves, of a hundred %.1f right: %v", name, got, stumps[:min(3, len(stumps))])
		}
	}
}
