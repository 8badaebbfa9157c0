package presence

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

const (
	writing = presencev1.ActivityKind_ACTIVITY_KIND_WRITING
	onBreak = presencev1.ActivityKind_ACTIVITY_KIND_BREAK
	nothing = presencev1.ActivityKind_ACTIVITY_KIND_UNSPECIFIED
)

// described is how an activity is told in short.
func described(a *presencev1.Activity) string {
	switch {
	case a == nil:
		return ""
	case a.GetInferred():
		return fmt.Sprint(strings.ToLower(a.GetKind().String()[len("ACTIVITY_KIND_"):]), " ", a.GetConfidence())
	}
	return strings.TrimSpace(strings.ToLower(a.GetKind().String()[len("ACTIVITY_KIND_"):]) + " " + a.GetSubject())
}

// office is a hub with a gateway, that some people have sessions at.
type office struct {
	*testing.T
	*hub
	g   *gateway
	now time.Time
}

func newOffice(t *testing.T, chosen choice, people ...string) *office {
	now := time.Unix(1_000_000, 0)
	o := &office{T: t, hub: newHub(DefaultConfig(), "presence-1"), now: now}
	place := placeOf("presence-1")
	o.setPlacement(now, place, []string{"a"}, true)
	o.g = o.openStream("a", now)
	all := map[personKey]choice{}
	for i, user := range people {
		o.report(o.g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(uint64(i+1), user)}}, now)
		all[personKey{"w", user}] = chosen
	}
	o.report(o.g, &rosterv1.ReportRequest{Complete: place.Number()}, now)
	o.load(all, now)
	return o
}

// pass lets time go by, with whatever is done by the session of that number each minute.
func (o *office) pass(d time.Duration, number uint64, letters string) {
	for end := o.now.Add(d); o.now.Before(end); {
		o.now = o.now.Add(time.Second)
		if o.now.Unix()%5 == 0 {
			o.report(o.g, &rosterv1.ReportRequest{}, o.now)
		}
		if o.now.Unix()%60 == 0 && letters != "" {
			o.report(o.g, &rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: number, Kinds: doingOf(letters)}}}, o.now)
		}
		o.tick(o.now)
	}
}

func (o *office) expect(user, state, activity string) *presencev1.Status {
	o.Helper()
	s := o.status(personKey{"w", user})
	if got := s.GetState().String()[len("STATE_"):]; got != state || described(s.GetActivity()) != activity {
		o.Errorf("%s is seen as %s %q, want %s %q", user, got, described(s.GetActivity()), state, activity)
	}
	return s
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// TestInferred: what somebody does is told who has switched that on, as long as they do it, and nothing is known of who hasn't.
func TestInferred(t *testing.T) {
	o := newOffice(t, choice{privacy: privacy{inferActivity: true}}, "ada", "bob")
	ada, bob := personKey{"w", "ada"}, personKey{"w", "bob"}
	o.choose(map[personKey]choice{bob: {}}, o.now)
	o.pass(4*time.Minute, 1, "w")
	o.expect("ada", "ONLINE", "")
	o.pass(2*time.Minute, 1, "w")
	o.expect("ada", "ONLINE", "writing 50")
	o.pass(10*time.Minute, 1, "w")
	if s := o.expect("ada", "ONLINE", "writing 100"); s.GetActivity().GetSinceMs()%60_000 != 0 || s.GetActivity().GetSinceMs() >= o.now.Add(-9*time.Minute).UnixMilli() {
		t.Errorf("since %v, at %v", s.GetActivity().GetSinceMs(), o.now.UnixMilli())
	}
	o.pass(10*time.Minute, 2, "w")
	if o.expect("bob", "ONLINE", ""); o.people[bob].doing != nil {
		t.Error("something is kept of who has not switched it on")
	}
	o.expect("ada", "AWAY", "") // she has done nothing since
	o.pass(11*time.Minute, 1, "")
	if o.people[ada].doing != nil {
		t.Error("what was done long ago is kept")
	}
	o.pass(12*time.Minute, 1, "c")
	o.expect("ada", "ONLINE", "chatting 100")
	o.choose(map[personKey]choice{ada: {state: presencev1.State_STATE_AWAY, privacy: privacy{inferActivity: true}}}, o.now)
	o.expect("ada", "AWAY", "")
	o.choose(map[personKey]choice{ada: {privacy: privacy{inferActivity: true}}}, o.now)
	o.expect("ada", "ONLINE", "") // not at once
	o.pass(4*time.Minute, 1, "c")
	o.expect("ada", "ONLINE", "chatting 100")
	o.choose(map[personKey]choice{ada: {}}, o.now)
	if o.expect("ada", "ONLINE", ""); o.people[ada].doing != nil {
		t.Error("something is kept of who has switched it off")
	}
	var past []string
	list, err := o.activities(ada)
	o.must(err)
	for _, a := range list {
		if past = append(past, described(a.GetActivity())); a.GetUntilMs() == 0 {
			t.Errorf("%v goes on", a)
		}
	}
	if got := strings.Join(past, ", "); got != "chatting 100, chatting 100, writing 70" {
		t.Errorf("ada has been %s", got)
	}
	if list, _ := o.activities(bob); len(list) > 0 {
		t.Errorf("bob has been %v", list)
	}
}

// TestSaid: what somebody says that they are doing comes before what is inferred, and ends when it is to, when they say so, and when they are gone.
func TestSaid(t *testing.T) {
	o := newOffice(t, choice{privacy: privacy{inferActivity: true}}, "ada")
	ada := personKey{"w", "ada"}
	say := func(what said) {
		t.Helper()
		what.sinceMs = o.now.UnixMilli()
		o.must(o.setActivity(ada, what, o.now))
	}
	o.pass(8*time.Minute, 1, "w")
	say(said{kind: onBreak, subject: "tea", untilMs: o.now.Add(5 * time.Minute).UnixMilli()})
	since := o.expect("ada", "ONLINE", "break tea").GetActivity().GetSinceMs()
	o.pass(time.Minute, 1, "w")
	say(said{kind: onBreak, subject: "tea", untilMs: o.now.Add(2 * time.Minute).UnixMilli()}) // it goes on
	if got := o.expect("ada", "ONLINE", "break tea").GetActivity().GetSinceMs(); got != since {
		t.Errorf("it began %d ms later", got-since)
	}
	o.pass(2*time.Minute, 1, "w")
	o.expect("ada", "ONLINE", "writing 100")
	say(said{kind: writing})
	if o.expect("ada", "ONLINE", "writing").GetActivity().GetInferred() {
		t.Error("what she says is told as inferred")
	}
	say(said{})
	o.expect("ada", "ONLINE", "writing 100")
	say(said{kind: writing, subject: "the plan"})
	o.pass(6*time.Minute, 1, "")
	o.expect("ada", "AWAY", "writing the plan")
	o.report(o.g, &rosterv1.ReportRequest{Closed: []uint64{1}}, o.now)
	o.expect("ada", "AWAY", "writing the plan")
	o.pass(o.cfg.Grace, 1, "")
	o.expect("ada", "OFFLINE", "")
	if err := o.setActivity(ada, said{kind: writing}, o.now); rpc.FromError(err).GetReason() != "presence.OFFLINE" {
		t.Errorf("who is gone says something: %v", err)
	}
	o.must(o.setActivity(ada, said{}, o.now))
	o.report(o.g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(2, "ada")}}, o.now)
	if err := o.setActivity(ada, said{kind: writing}, o.now); rpc.FromError(err).GetReason() != "presence.AWAY" {
		t.Errorf("who has just come says something: %v", err)
	}
	o.load(map[personKey]choice{ada: {}}, o.now)
	o.expect("ada", "ONLINE", "")
	list, err := o.activities(ada)
	o.must(err)
	var past []string
	for _, a := range list {
		past = append(past, described(a.GetActivity()))
	}
	if got := strings.Join(past, ", "); got != "writing the plan, writing 100, writing, writing 100, break tea, writing 70" {
		t.Errorf("ada has been %s", got)
	}
}

// TestHiddenDoes: of who is invisible nothing is noted, nor told later, and nothing else may be said.
func TestHiddenDoes(t *testing.T) {
	hidden := choice{state: presencev1.State_STATE_INVISIBLE, privacy: privacy{inferActivity: true, country: true}}
	o := newOffice(t, hidden, "ada")
	ada := personKey{"w", "ada"}
	o.pass(12*time.Minute, 1, "w")
	o.report(o.g, &rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: 1, Kinds: doingOf("w")}}}, o.now)
	if err := o.setActivity(ada, said{kind: writing}, o.now); rpc.FromError(err).GetReason() != "presence.OFFLINE" {
		t.Errorf("who is invisible says something: %v", err)
	}
	if o.people[ada].doing != nil || string(o.people[ada].seen) != string(offline) {
		t.Errorf("of who is invisible %v is kept, and %v told", o.people[ada].doing, o.status(ada))
	}
	hidden.state = 0
	o.choose(map[personKey]choice{ada: hidden}, o.now)
	o.pass(2*time.Minute, 1, "")
	o.expect("ada", "ONLINE", "")
}

// TestCleared: who has it forgotten what they do is told as doing nothing, and what they did before counts no more.
func TestCleared(t *testing.T) {
	o := newOffice(t, choice{privacy: privacy{inferActivity: true}}, "ada")
	ada := personKey{"w", "ada"}
	o.pass(10*time.Minute, 1, "w")
	o.must(o.setActivity(ada, said{kind: onBreak, sinceMs: o.now.UnixMilli()}, o.now))
	o.must(o.clearActivities(ada, o.now))
	if list, err := o.activities(ada); err != nil || len(list) > 0 || o.past.bytes != 0 {
		t.Errorf("ada has been %v, %v; %d bytes", list, err, o.past.bytes)
	}
	o.expect("ada", "ONLINE", "")
	o.pass(4*time.Minute, 1, "w")
	o.expect("ada", "ONLINE", "")
	o.pass(2*time.Minute, 1, "w")
	o.expect("ada", "ONLINE", "writing 50")
}

// TestOthersKnow: what a process knows of what people do it forgets when another one may have been asked about it meanwhile.
func TestOthersKnow(t *testing.T) {
	node := func(id string) registry.Node { return registry.Node{ID: id, Incarnation: id} }
	one, two := registry.NewPlacement([]registry.Node{node("presence-1")}), registry.NewPlacement([]registry.Node{node("presence-1"), node("presence-2")})
	both := func() (stays, moves string) {
		for i := range 100 {
			if user := fmt.Sprint("user-", i); two.Home(personKey{"w", user}.route()).ID == "presence-1" {
				stays = user
			} else {
				moves = user
			}
		}
		return stays, moves
	}
	stays, moves := both()
	o := newOffice(t, choice{}, stays, moves)
	for _, user := range []string{stays, moves} {
		o.must(o.setActivity(personKey{"w", user}, said{kind: onBreak}, o.now))
	}
	o.setPlacement(o.now, two, []string{"a"}, true)
	if _, err := o.activities(personKey{"w", moves}); rpc.FromError(err).GetReason() != "presence.AWAY" {
		t.Errorf("who lives elsewhere is told by this process: %v", err)
	}
	o.setPlacement(o.now, one, []string{"a"}, true)
	past := func(user string) int {
		t.Helper()
		list, err := o.activities(personKey{"w", user})
		o.must(err)
		return len(list)
	}
	if past(stays) != 1 || past(moves) != 0 {
		t.Errorf("%d entries of who stayed, %d of who was elsewhere", past(stays), past(moves))
	}
	o.setPlacement(o.now, one, []string{"a"}, false)
	if o.setActivity(personKey{"w", stays}, said{}, o.now) == nil || o.clearActivities(personKey{"w", stays}, o.now) == nil {
		t.Error("a process that may be taken for dead takes something in")
	}
	o.setPlacement(o.now, one, []string{"a"}, true)
	if past(stays) != 0 || o.people[personKey{"w", stays}].doing != nil {
		t.Error("what a process knew that may have been taken for dead is known")
	}
	o.g = o.openStream("a", o.now) // gateways tell all anew
	o.report(o.g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{connectionOf(1, stays)}, Complete: one.Number()}, o.now)
	o.load(map[personKey]choice{{"w", stays}: {state: presencev1.State_STATE_INVISIBLE}, {"w", moves}: {}}, o.now)
	confirmAll(o.hub, o.g, o.now)
	o.pass(o.cfg.Grace, 1, "")
	o.expect(stays, "OFFLINE", "") // what they have chosen elsewhere meanwhile
}

// TestPast: what people have been doing takes no more than it may, and is forgotten in order: the last hundred things, an hour after somebody has gone.
func TestPast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, now := newPast(rapid.IntRange(0, 60_000).Draw(t, "most")), time.Unix(1_000_000, 0)
		model, here := map[personKey][]string{}, map[personKey]bool{}
		for i := range rapid.IntRange(0, 400).Draw(t, "steps") {
			k := personKey{"w", rapid.SampledFrom(crowd).Draw(t, "who")}
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "s")) * time.Second)
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0:
				p.note(k, nil, now)
			case 1:
				p.forget(k)
				delete(model, k)
			case 2:
				here[k] = !here[k]
			default:
				a := &presencev1.Activity{Kind: writing, Subject: strings.Repeat("x", rapid.IntRange(0, 3).Draw(t, "subject")), SinceMs: int64(i)}
				goesOn := p.of[k] != nil && p.list(k)[0].GetUntilMs() == 0 && described(p.list(k)[0].GetActivity()) == described(a)
				if p.note(k, a, now); !goesOn {
					model[k] = append(model[k], described(a))
				}
			}
			p.expire(now, func(k personKey) bool { return here[k] })
			bytes := 0
			for k := range p.of {
				var got []string
				for i, past := range p.list(k) {
					got = append(got, described(past.GetActivity()))
					if bytes += activityBytes + len(past.GetActivity().GetSubject()); i > 0 && past.GetUntilMs() == 0 {
						t.Fatal("it goes on, though something else came later")
					}
				}
				want := model[k]
				if len(got) > pastMost || len(got) > len(want) {
					t.Fatalf("%d entries, want %d", len(got), len(want))
				}
				for i, w := range got {
					if w != want[len(want)-1-i] {
						t.Fatalf("entry %d is %q, want %q", i, w, want[len(want)-1-i])
					}
				}
				bytes += diaryBytes
			}
			if p.bytes != bytes || bytes > p.most || p.order.Len() != len(p.of) {
				t.Fatalf("%d bytes are counted, of %d at most; there are %d", p.bytes, p.most, bytes)
			}
		}
		clear(here)
		if p.expire(now.Add(pastAfter), func(personKey) bool { return false }); len(p.of) > 0 || p.bytes != 0 {
			t.Fatalf("%d people and %d bytes are left an hour later", len(p.of), p.bytes)
		}
	})
}

// TestPastBytes: what is counted is no less than it takes.
func TestPastBytes(t *testing.T) {
	memory := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	const people = 2000
	var keys []personKey
	for i := range people {
		keys = append(keys, personKey{"w", fmt.Sprint("user-", i)})
	}
	for _, entries := range []int{1, 5, pastMost, 3 * pastMost} {
		before := memory()
		p := newPast(1 << 30)
		for i := range entries {
			for _, k := range keys {
				p.note(k, &presencev1.Activity{Kind: writing, Subject: strings.Repeat("x", i%MaxSubject), SinceMs: int64(i)}, time.Unix(int64(i), 0))
			}
		}
		if n := len(p.list(keys[0])); n != min(entries, pastMost) {
			t.Errorf("%d of %d entries are kept", n, entries)
		}
		if took := memory() - before; took > p.bytes {
			t.Errorf("%d entries of %d people take %d bytes, and are counted as %d", entries, people, took, p.bytes)
		}
		runtime.KeepAlive(p)
	}
}

// TestPastFull: where there is no room, that of somebody is forgotten of whom nothing was noted for longest.
func TestPastFull(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	p := newPast(3 * (diaryBytes + 2*activityBytes))
	note := func(user string, kind presencev1.ActivityKind) {
		now = now.Add(time.Minute)
		p.note(personKey{"w", user}, &presencev1.Activity{Kind: kind}, now)
	}
	for _, kind := range []presencev1.ActivityKind{writing, onBreak} {
		for _, user := range []string{"ada", "bob", "cyn"} {
			note(user, kind)
		}
	}
	note("ada", writing)
	for user, want := range map[string]int{"ada": 3, "bob": 0, "cyn": 2} {
		if n := len(p.list(personKey{"w", user})); n != want {
			t.Errorf("%d entries of %s, want %d", n, user, want)
		}
	}
}

// TestActivity goes the way of what somebody says that they do, as another one sees it.
func TestActivity(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		c.chat.move("general", []string{"ada", "bob"}, nil)
		one, two := c.start("presence-1", "presence-1~1", shortGrace), c.start("presence-2", "presence-2~1", shortGrace)
		for _, p := range []*process{one, two} {
			g := p.report()
			if registry.NewPlacement(p.Nodes("presence")).Home(personKey{"w", "bob"}.route()) == p.node {
				g.open(1, "bob")
			}
			g.complete(p)
		}
		e := one.look("ada", nil, "bob")
		e.until("bob", "ONLINE")
		say := func(q *presencev1.SetActivityRequest) {
			t.Helper()
			q.User = "bob"
			if _, err := two.api().SetActivity(key(c.ctx("bob")), q); err != nil {
				t.Fatal(err)
			}
		}
		privacy := func(p *presencev1.Privacy) {
			t.Helper()
			if _, err := two.api().SetPrivacy(key(c.ctx("bob")), &presencev1.SetPrivacyRequest{User: "bob", Privacy: p}); err != nil {
				t.Fatal(err)
			}
			if got, err := one.api().GetPrivacy(c.ctx("bob"), &presencev1.GetPrivacyRequest{User: "bob"}); err != nil || !proto.Equal(got.GetPrivacy(), p) {
				t.Errorf("bob has decided %v, %v; want %v", got, err, p)
			}
		}
		status := func(state presencev1.State) {
			t.Helper()
			one.choose("bob", state, "!", 0)
		}
		say(&presencev1.SetActivityRequest{Kind: writing, Subject: " R&D plan, part 2 "})
		e.until("bob", "ONLINE WRITING R&D plan, part 2")
		privacy(&presencev1.Privacy{Country: true})
		e.until("bob", "ONLINE WRITING R&D plan, part 2 in DE")
		say(&presencev1.SetActivityRequest{Kind: onBreak, UntilMs: time.Now().Add(500 * time.Millisecond).UnixMilli()})
		e.until("bob", "ONLINE BREAK  in DE")
		e.until("bob", "ONLINE in DE") // that has ended
		say(&presencev1.SetActivityRequest{Kind: writing})
		e.until("bob", "ONLINE WRITING  in DE")
		status(presencev1.State_STATE_BUSY)
		e.until("bob", "BUSY! WRITING  in DE")
		status(presencev1.State_STATE_INVISIBLE)
		e.until("bob", "OFFLINE")
		if _, err := one.api().SetActivity(key(c.ctx("bob")), &presencev1.SetActivityRequest{User: "bob", Kind: writing}); rpc.FromError(err).GetReason() != "presence.OFFLINE" {
			t.Errorf("who is invisible says something: %v", err)
		}
		status(presencev1.State_STATE_UNSPECIFIED)
		e.until("bob", "ONLINE! in DE")
		privacy(&presencev1.Privacy{InferActivity: true, HideLastSeen: true})
		e.until("bob", "ONLINE!") // what he has chosen is as it was
		list, err := two.api().ListActivities(c.ctx("bob"), &presencev1.ListActivitiesRequest{User: "bob"})
		var past []string
		for _, a := range list.GetActivities() {
			past = append(past, described(a.GetActivity()))
		}
		if got := strings.Join(past, "; "); err != nil || got != "writing; break; writing R&D plan, part 2" {
			t.Errorf("bob has been %s, %v", got, err)
		}
		say(&presencev1.SetActivityRequest{Kind: writing})
		e.until("bob", "ONLINE! WRITING ")
		if _, err := one.api().ClearActivities(key(c.ctx("bob")), &presencev1.ClearActivitiesRequest{User: "bob"}); err != nil {
			t.Fatal(err)
		}
		e.until("bob", "ONLINE!")
		if list, err := one.api().ListActivities(c.ctx("bob"), &presencev1.ListActivitiesRequest{User: "bob"}); err != nil || len(list.GetActivities()) > 0 {
			t.Errorf("bob has been %v, %v", list, err)
		}
	})
}

// TestWrongActivity: what is said wrongly is answered by what is wrong with it, and changes nothing; another's is nobody's.
func TestWrongActivity(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	p := c.start("presence-1", "presence-1~1")
	g := p.report()
	g.open(1, "ada")
	g.complete(p)
	ctx, api := c.ctx("ada"), p.api()
	for name, q := range map[string]*presencev1.SetActivityRequest{
		"kind":             {User: "ada", Kind: 77},
		"negative kind":    {User: "ada", Kind: -1},
		"subject alone":    {User: "ada", Subject: "x"},
		"much subject":     {User: "ada", Kind: writing, Subject: strings.Repeat("x", 10<<10)},
		"a byte too many":  {User: "ada", Kind: writing, Subject: strings.Repeat("x", MaxSubject+1)},
		"two lines":        {User: "ada", Kind: writing, Subject: "a\nb"},
		"a link":           {User: "ada", Kind: writing, Subject: "https://example.com/a"},
		"an address":       {User: "ada", Kind: writing, Subject: "ada@example.com"},
		"markup":           {User: "ada", Kind: writing, Subject: "<b>"},
		"hidden direction": {User: "ada", Kind: writing, Subject: "a\u202eb"},
		"no width":         {User: "ada", Kind: writing, Subject: "a\u200bb"},
		"a pile of marks":  {User: "ada", Kind: writing, Subject: "q\u0301\u0301\u0301\u0301\u0301"},
		"a tab":            {User: "ada", Kind: writing, Subject: "a\tb"},
		"ended long ago":   {User: "ada", Kind: writing, UntilMs: 1},
		"ends far ahead":   {User: "ada", Kind: writing, UntilMs: time.Now().Add(MaxAhead + time.Hour).UnixMilli()},
		"another's":        {User: "bob", Kind: writing},
		"nobody's":         {Kind: writing},
	} {
		_, err := api.SetActivity(key(ctx), q)
		code, reason := rpc.CodeOf(err), rpc.FromError(err).GetReason()
		if ok := code == edgev1.Code_CODE_INVALID_ARGUMENT && reason == "presence.BAD_FIELD" || code == edgev1.Code_CODE_NOT_FOUND && reason == "presence.PERSON"; !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	errs := map[string]error{}
	_, errs["list"] = api.ListActivities(ctx, &presencev1.ListActivitiesRequest{User: "bob"})
	_, errs["clear"] = api.ClearActivities(key(ctx), &presencev1.ClearActivitiesRequest{User: "bob"})
	_, errs["get privacy"] = api.GetPrivacy(ctx, &presencev1.GetPrivacyRequest{User: "bob"})
	_, errs["set privacy"] = api.SetPrivacy(key(ctx), &presencev1.SetPrivacyRequest{User: "bob", Privacy: &presencev1.Privacy{}})
	for name, err := range errs {
		if rpc.FromError(err).GetReason() != "presence.PERSON" {
			t.Errorf("%s of another one: %v", name, err)
		}
	}
	if _, err := api.SetPrivacy(key(ctx), &presencev1.SetPrivacyRequest{User: "ada"}); rpc.FromError(err).GetReason() != "presence.BAD_FIELD" {
		t.Errorf("no privacy at all: %v", err)
	}
	if list, err := api.ListActivities(ctx, &presencev1.ListActivitiesRequest{User: "ada"}); err != nil || len(list.GetActivities()) > 0 {
		t.Errorf("ada has been %v, %v", list, err)
	}
}

// FuzzSubject: whatever is taken as a subject is a line without anything that could be a link or an address.
func FuzzSubject(f *testing.F) {
	for _, text := range []string{"", "R&D plan", "Übung (2)", "https://x", "a@b", "a\nb", "\xff", "нет", "a\u0301", "١٢", "a\u202eb", strings.Repeat("ü", 41)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if isSubject(text) && (len(text) > MaxSubject || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n\r\t:/@<>\"\\\u2028\u202e\u200b`$%*=?!|")) {
			t.Errorf("%q is taken", text)
		}
	})
}
