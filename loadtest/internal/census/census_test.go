package census

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/meter"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

const (
	unknown   = presencev1.State_STATE_UNSPECIFIED
	offline   = presencev1.State_STATE_OFFLINE
	online    = presencev1.State_STATE_ONLINE
	away      = presencev1.State_STATE_AWAY
	busy      = presencev1.State_STATE_BUSY
	invisible = presencev1.State_STATE_INVISIBLE
	asTheyAre = presencev1.State_STATE_UNSPECIFIED // chosen
)

var bounds = Bounds{
	Online: 5 * time.Second, Grace: 45 * time.Second, Offline: 5 * time.Second, Lost: 30 * time.Second, Dead: 65 * time.Second, Unknown: 10 * time.Second,
	IdleAfter: 5 * time.Minute,
}

// stage is somebody who looks at one other person, of whom eve is neither.
type stage struct {
	*Census
	now         time.Time
	ann, bob    *Person
	eve         *Person
	look        *Look
	epoch, told uint64
}

// newStage has ann look at bob, once nothing counts any more that came before.
func newStage() *stage {
	now := time.Unix(1_000_000, 0)
	c := New(bounds, "run", meter.NewLatency(), now)
	s := &stage{Census: c, now: now.Add(time.Minute), ann: c.Add("ann", now), bob: c.Add("bob", now.Add(time.Minute)), eve: c.Add("eve", now), epoch: 1}
	s.look = c.Look(s.ann, []*Person{s.bob}, []*Person{s.eve})
	s.ann.Came(s.now)
	s.look.Began(s.now)
	return s
}

// pass lets time pass, in which it is looked each second.
func (s *stage) pass(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(min(time.Second, end.Sub(s.now)))
		s.Check(s.now)
	}
}

func entry(key string, state presencev1.State, text string) *edgev1.Entry {
	e := &presencev1.Entry{Status: &presencev1.Status{State: state}}
	if text != "" {
		e.Status.Custom = &presencev1.Custom{Text: text}
	}
	body, err := proto.Marshal(e)
	if err != nil {
		panic(err)
	}
	return &edgev1.Entry{Key: key, Body: body}
}

func (s *stage) frame(f *edgev1.View) {
	s.told++
	f.At = &edgev1.Cursor{Epoch: s.epoch, Offset: s.told}
	s.look.Take(f, s.now)
}

func (s *stage) tell(state presencev1.State, text string) {
	s.frame(&edgev1.View{Entries: []*edgev1.Entry{entry("bob", state, text)}})
}

func (s *stage) begin(state presencev1.State) {
	s.frame(&edgev1.View{Snapshot: true, Entries: []*edgev1.Entry{entry("bob", state, "")}})
}

// comes has bob come and be seen.
func (s *stage) comes() {
	s.begin(offline)
	s.bob.Comes()
	s.bob.Came(s.now)
	s.pass(time.Second)
	s.tell(online, "")
	s.pass(10 * time.Second)
}

// What is shown within the bounds breaks nothing, and what is not breaks exactly that which it does.
func TestJudgement(t *testing.T) {
	for name, c := range map[string]struct {
		does func(s *stage)
		want string // kinds of findings
	}{
		"comes": {func(s *stage) { s.comes() }, ""},
		"is seen before they know themselves that they are here": {func(s *stage) {
			s.begin(offline)
			s.bob.Comes()
			s.tell(online, "")
			s.bob.Came(s.now)
			s.pass(time.Minute)
		}, ""},
		"is seen though they never came": {func(s *stage) { s.begin(online) }, "Ghosts"},
		"is not seen to come": {func(s *stage) {
			s.begin(offline)
			s.bob.Came(s.now)
			s.pass(time.Minute)
		}, "Late"},
		"is not told of at all": {func(s *stage) {
			s.frame(&edgev1.View{Snapshot: true})
			s.pass(time.Minute)
		}, "Late"},
		"goes when the grace is over": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Cut)
			s.pass(46 * time.Second)
			s.tell(offline, "")
			s.pass(time.Minute)
		}, ""},
		"goes too early": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Cut)
			s.pass(44 * time.Second)
			s.tell(offline, "")
		}, "Flickers"},
		"goes too late": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Cut)
			s.pass(51 * time.Second)
		}, "Ghosts"},
		"goes with a gateway": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Lost)
			s.pass(74 * time.Second)
			s.tell(offline, "")
		}, ""},
		"goes too late with a gateway": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Lost)
			s.pass(77 * time.Second)
		}, "Ghosts"},
		"falls silent": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Dead)
			s.pass(109 * time.Second)
			s.tell(offline, "")
		}, ""},
		"falls silent and stays": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Dead)
			s.pass(111 * time.Second)
		}, "Ghosts"},
		"flickers, having come back in time": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Lost)
			s.pass(30 * time.Second)
			s.bob.Came(s.now)
			s.pass(20 * time.Second)
			s.tell(offline, "")
		}, "Flickers"},
		"comes back in the last moment": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Cut)
			s.pass(44 * time.Second)
			s.bob.Came(s.now)
			s.pass(time.Second)
			s.tell(offline, "")
			s.pass(2 * time.Second)
			s.tell(online, "")
			s.pass(time.Minute)
		}, ""},
		"goes at once as a home has died": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Cut)
			s.Struck(s.now)
			s.pass(time.Second)
			s.tell(unknown, "")
			s.pass(5 * time.Second)
			s.tell(offline, "")
			s.pass(time.Minute)
		}, ""},
		"flickers as a home has died": {func(s *stage) {
			s.comes()
			s.Struck(s.now)
			s.pass(time.Second)
			s.tell(offline, "")
		}, "Flickers"},
		"tries to come back and can't": {func(s *stage) {
			s.comes()
			s.bob.Left(s.now, crowd.Cut)
			s.pass(30 * time.Second)
			s.bob.Comes()
			s.pass(5 * time.Second)
			s.bob.Left(s.now, crowd.Lost)
			s.pass(11 * time.Second)
			s.tell(offline, "")
			s.pass(20 * time.Second)
			s.tell(online, "") // the gateway had them for a moment
			s.pass(20 * time.Second)
			s.tell(offline, "")
			s.pass(5 * time.Minute)
		}, ""},
		"is unknown for a while": {func(s *stage) {
			s.comes()
			s.tell(unknown, "")
			s.pass(10 * time.Second)
			s.tell(online, "")
		}, ""},
		"is unknown for too long": {func(s *stage) {
			s.comes()
			s.tell(unknown, "")
			s.pass(6 * time.Second)
			s.tell(unknown, "")
			s.pass(6 * time.Second)
		}, "Unknown"},
		"all is old for too long": {func(s *stage) {
			s.comes()
			s.frame(&edgev1.View{Stale: true})
			s.pass(12 * time.Second)
		}, "Unknown"},
		"all is said to be old for too long": {func(s *stage) {
			s.comes()
			s.frame(&edgev1.View{Entries: []*edgev1.Entry{{Key: "~"}}})
			s.pass(12 * time.Second)
		}, "Unknown"},
		"all was old, and what was missed comes": {func(s *stage) {
			s.comes()
			s.frame(&edgev1.View{Stale: true})
			text := s.bob.Choose(busy, s.now)
			s.bob.Chosen(s.now)
			s.pass(9 * time.Second)
			s.frame(&edgev1.View{})
			s.pass(4 * time.Second)
			s.tell(busy, text)
			s.pass(time.Minute)
		}, ""},
		"chooses": {func(s *stage) {
			s.comes()
			text := s.bob.Choose(busy, s.now)
			s.pass(4 * time.Second)
			s.bob.Chosen(s.now)
			s.pass(4 * time.Second)
			s.tell(busy, text)
			s.pass(time.Minute)
		}, ""},
		"chooses, and is not seen so": {func(s *stage) {
			s.comes()
			s.bob.Choose(busy, s.now)
			s.bob.Chosen(s.now)
			s.pass(6 * time.Second)
		}, "Late"},
		"chooses, and is seen otherwise": {func(s *stage) {
			s.comes()
			s.tell(away, s.bob.Choose(busy, s.now))
		}, "Wrong"},
		"is seen as they never chose": {func(s *stage) {
			s.comes()
			s.tell(busy, "run 1")
		}, "Wrong"},
		"is seen as before": {func(s *stage) {
			s.comes()
			first := s.bob.Choose(busy, s.now)
			s.bob.Chosen(s.now)
			s.tell(busy, s.bob.Choose(away, s.now)[:4]+"1")
			s.tell(away, "run 2")
			s.tell(busy, first)
		}, "Backwards"},
		"hides": {func(s *stage) {
			s.comes()
			s.bob.Choose(invisible, s.now)
			s.bob.Chosen(s.now)
			s.pass(48 * time.Second)
			s.tell(offline, "")
			s.pass(time.Minute)
			text := s.bob.Choose(asTheyAre, s.now)
			s.bob.Chosen(s.now)
			s.pass(time.Second)
			s.tell(online, text)
			s.pass(time.Minute)
		}, ""},
		"hides at once": {func(s *stage) {
			s.comes()
			s.bob.Choose(invisible, s.now)
			s.tell(offline, "")
			s.bob.Chosen(s.now)
			s.pass(time.Minute)
		}, ""},
		"hides, and is seen": {func(s *stage) {
			s.comes()
			s.bob.Choose(invisible, s.now)
			s.bob.Chosen(s.now)
			s.pass(51 * time.Second)
		}, "Exposed"},
		"hides, and what they say of it is told": {func(s *stage) {
			s.comes()
			s.tell(online, s.bob.Choose(invisible, s.now))
		}, "Exposed"},
		"does nothing": {func(s *stage) {
			s.comes()
			s.pass(5*time.Minute - 10*time.Second)
			s.tell(away, "")
			s.pass(time.Minute)
			s.bob.Acted(s.now)
			s.pass(time.Second)
			s.tell(online, "")
			s.pass(time.Minute)
		}, ""},
		"does nothing, and is seen as active": {func(s *stage) {
			s.comes()
			s.pass(6 * time.Minute)
		}, "Late"},
		"does something, and is seen as away": {func(s *stage) {
			s.comes()
			s.bob.Acted(s.now)
			s.tell(away, "")
		}, "Wrong"},
		"does something again, and is still seen as away": {func(s *stage) {
			s.comes()
			s.pass(290 * time.Second)
			s.tell(away, "")
			s.pass(20 * time.Second)
			s.bob.Acted(s.now)
			s.pass(10 * time.Second)
		}, "Late"},
		"shares no channel": {func(s *stage) {
			s.comes()
			s.frame(&edgev1.View{Entries: []*edgev1.Entry{entry("eve", offline, "")}})
		}, "Strangers"},
		"an update a second": {func(s *stage) {
			s.comes()
			for range 60 {
				s.tell(online, "")
				s.pass(time.Second)
			}
		}, ""},
		"updates that were held up": {func(s *stage) {
			s.comes()
			for range frameBurst {
				s.tell(online, "")
			}
		}, ""},
		"more than one": {func(s *stage) {
			s.comes()
			for range 30 {
				s.tell(online, "")
				s.pass(time.Second / 2)
			}
		}, "Hurried"},
		"a source in another's place": {func(s *stage) {
			s.comes()
			for range 20 {
				s.epoch++
				s.begin(online)
			}
		}, ""},
		"nobody looks": {func(s *stage) {
			s.comes()
			s.look.Ended()
			s.bob.Left(s.now, crowd.Cut)
			s.pass(10 * time.Minute)
			s.look.Began(s.now)
			s.pass(4 * time.Second)
			s.tell(offline, "")
			s.pass(time.Minute)
		}, ""},
		"nobody tells who looks again": {func(s *stage) {
			s.comes()
			s.look.Ended()
			s.bob.Left(s.now, crowd.Cut)
			s.pass(10 * time.Minute)
			s.look.Began(s.now)
			s.pass(10 * time.Second)
		}, "Ghosts"},
		"what can't be read": {func(s *stage) {
			s.comes()
			s.frame(&edgev1.View{Entries: []*edgev1.Entry{{Key: "bob", Body: []byte{0xff}}}})
		}, "Wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			c.does(s)
			f := s.Findings()
			if got := kinds(f); got != c.want || f.Clean() != (c.want == "") || len(f.Examples) == 0 && c.want != "" {
				t.Errorf("%q was found, not %q: %v", got, c.want, f.Examples)
			}
		})
	}
}

// kinds names what was found.
func kinds(f Findings) string {
	var all []string
	for v, field := reflect.ValueOf(f), 0; field < v.NumField(); field++ {
		name := v.Type().Field(field).Name
		if name != "Frames" && name != "Told" && name != "Examples" && v.Field(field).Uint() > 0 {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

// Rooms are held to what all of their members are, by counts and by the window.
func TestRooms(t *testing.T) {
	counts := func(online, offline, looking uint32) *edgev1.Entry {
		body, err := proto.Marshal(&presencev1.Entry{Counts: &presencev1.Counts{Members: online + offline, Online: online, Offline: offline, Looking: looking}})
		if err != nil {
			t.Fatal(err)
		}
		return &edgev1.Entry{Key: "#", Body: body}
	}
	for name, c := range map[string]struct {
		entries []*edgev1.Entry
		want    string
	}{
		"as it is":              {[]*edgev1.Entry{counts(2, 1, 1), entry("ann", online, ""), entry("bob", online, "")}, ""},
		"counted wrongly":       {[]*edgev1.Entry{counts(3, 0, 1), entry("ann", online, ""), entry("bob", online, "")}, "Miscounts"},
		"not all counted":       {[]*edgev1.Entry{counts(1, 1, 1), entry("ann", online, ""), entry("bob", online, "")}, "Miscounts"},
		"nobody looks":          {[]*edgev1.Entry{counts(2, 1, 0), entry("ann", online, ""), entry("bob", online, "")}, "Miscounts"},
		"another in the window": {[]*edgev1.Entry{counts(2, 1, 1), entry("ann", online, ""), entry("far", offline, "")}, "Miscounts"},
		"one too many in it":    {[]*edgev1.Entry{counts(2, 1, 1), entry("ann", online, ""), entry("bob", online, ""), entry("far", offline, "")}, "Miscounts"},
		"who is no member":      {[]*edgev1.Entry{counts(2, 1, 1), entry("ann", online, ""), entry("bob", online, ""), entry("eve", offline, "")}, "Strangers"},
		"counts never came":     {[]*edgev1.Entry{entry("ann", online, ""), entry("bob", online, "")}, "Miscounts"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			s.comes()
			room := s.LookAt(s.ann, NewRoom("r", []string{"ann", "bob", "far"}), &presencev1.Window{Limit: 2, Looking: true})
			room.Began(s.now)
			room.Take(&edgev1.View{Snapshot: true, Entries: c.entries, At: &edgev1.Cursor{Epoch: 1, Offset: 1}}, s.now)
			s.pass(time.Second)
			everybody := append(s.Stand(s.now), Standing{"far", offline}) // of another process
			s.Compare(everybody, s.Looking(s.now))
			if got := kinds(s.Findings()); got != c.want {
				t.Errorf("%q was found, not %q: %v", got, c.want, s.Findings().Examples)
			}
		})
	}
}

// honest is a server that keeps to the bounds.
type honest struct {
	open    bool
	ended   time.Time // when it notices that the connection has ended
	ever    bool
	active  time.Time
	state   presencev1.State
	text    string
	told    presencev1.State
	toldOf  string
	lastOne time.Time
}

func (h *honest) status(now time.Time) (presencev1.State, string) {
	switch here := h.open || h.ever && now.Before(h.ended.Add(bounds.Grace)); {
	case !here, h.state == invisible:
		return offline, ""
	case h.state != asTheyAre:
		return h.state, h.text
	case now.Before(h.active.Add(bounds.IdleAfter)):
		return online, h.text
	}
	return away, h.text
}

// Whatever people do, a server that keeps to the bounds is never found to break a promise; and in the end it tells what the census says.
func TestHonestServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStage()
		h := &honest{told: offline, active: s.now}
		s.begin(offline)
		step := func(d time.Duration) {
			for end := s.now.Add(d); s.now.Before(end); {
				s.now = s.now.Add(min(500*time.Millisecond, end.Sub(s.now)))
				if state, text := h.status(s.now); (state != h.told || text != h.toldOf) && s.now.Sub(h.lastOne) >= time.Second {
					h.told, h.toldOf, h.lastOne = state, text, s.now
					s.tell(state, text)
				}
				s.Check(s.now)
			}
		}
		here := false
		acts := func() {
			if s.now.Sub(h.active) >= time.Minute { // as gateways tell it
				h.active = s.now
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch what := rapid.SampledFrom([]string{"comes", "leaves", "chooses", "acts", "waits"}).Draw(t, "what"); {
			case what == "comes" && !here:
				s.bob.Comes()
				h.open, h.ever, here = true, true, true
				s.bob.Came(s.now)
			case what == "leaves" && here:
				how := rapid.SampledFrom([]crowd.Ending{crowd.Cut, crowd.Lost, crowd.Dead}).Draw(t, "how")
				s.bob.Left(s.now, how)
				most := map[crowd.Ending]int{crowd.Cut: 0, crowd.Lost: 28, crowd.Dead: 63}[how]
				h.open, h.ended, here = false, s.now.Add(time.Duration(rapid.IntRange(0, most).Draw(t, "noticed after"))*time.Second), false
			case what == "chooses" && here:
				state := rapid.SampledFrom([]presencev1.State{asTheyAre, away, busy, invisible}).Draw(t, "chosen")
				text := s.bob.Choose(state, s.now)
				step(time.Duration(rapid.IntRange(0, 3).Draw(t, "takes")) * time.Second)
				h.state, h.text = state, text
				acts()
				s.bob.Chosen(s.now)
			case what == "acts" && here:
				s.bob.Acted(s.now)
				acts()
			}
			step(time.Duration(rapid.IntRange(0, 100).Draw(t, "then")) * time.Second)
		}
		if here { // else they may be about to be away, or not
			s.bob.Acted(s.now)
			acts()
		}
		step(max(0, s.Settled().Sub(s.now)) + 2*time.Second)
		if f := s.Findings(); !f.Clean() {
			t.Fatalf("%s: %v", f.String(), f.Examples)
		}
		if state, _ := h.status(s.now); state != s.bob.stands(s.now) {
			t.Fatalf("the server tells %v, the census %v", state, s.bob.stands(s.now))
		}
	})
}

// Changes are measured once for each who looks, from when they were made; and so is how long somebody was unknown, and seen as here behind their end.
func TestMeasured(t *testing.T) {
	s := newStage()
	s.comes() // seen after 1 s
	text := s.bob.Choose(busy, s.now)
	s.bob.Chosen(s.now)
	s.pass(2 * time.Second)
	s.tell(busy, text)
	s.tell(busy, text)
	s.tell(unknown, "")
	s.pass(3 * time.Second)
	s.tell(busy, text)
	s.bob.Left(s.now, crowd.Cut)
	s.pass(46 * time.Second)
	s.tell(offline, "")
	for _, x := range []struct {
		name    string
		l       *meter.Latency
		n       int64
		longest time.Duration
	}{{"changes", s.Changes, 2, 2 * time.Second}, {"unknown", s.Unknown, 1, 3 * time.Second}, {"gone", s.Gone, 1, 46 * time.Second}} {
		h := x.l.Total()
		if h.TotalCount() != x.n || time.Duration(h.Max())*time.Microsecond/(100*time.Millisecond) != x.longest/(100*time.Millisecond) {
			t.Errorf("%s: %d, at most %v", x.name, h.TotalCount(), time.Duration(h.Max())*time.Microsecond)
		}
	}
	if f := s.Findings(); !f.Clean() || f.Frames != 7 || f.Told != 7 {
		t.Errorf("%+v", f)
	}
}

func TestBounds(t *testing.T) {
	if err := bounds.Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(b *Bounds){
		func(b *Bounds) { b.Online = 0 }, func(b *Bounds) { b.Offline = 0 }, func(b *Bounds) { b.Lost = 0 }, func(b *Bounds) { b.Dead = 0 },
		func(b *Bounds) { b.Unknown = 0 }, func(b *Bounds) { b.Grace = -1 }, func(b *Bounds) { b.IdleAfter = time.Minute },
	} {
		b := bounds
		change(&b)
		if b.Validate() == nil {
			t.Errorf("%+v was taken", b)
		}
	}
}
