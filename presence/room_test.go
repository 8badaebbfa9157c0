package presence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

var lobby = channelKey{"w", "lobby"}

// stage is a process that is told of all that its rooms are made of, by tests: no chat, no database, and no gateway but one that has told all. Times are its own.
type stage struct {
	*Server
	now  time.Time
	gate *gateway
}

func newStage(change ...func(*Config)) *stage {
	s := &stage{Server: &Server{cfg: DefaultConfig(), memberships: newMemberships(), views: newViews(), rooms: newRooms(), peers: alone{}}, now: time.Unix(1_000_000, 0)}
	for _, f := range change {
		f(&s.cfg)
	}
	s.hub = newHub(s.cfg, "presence")
	close(s.memberships.known)
	place := registry.NewPlacement(s.peers.Nodes("presence"))
	s.hub.setPlacement(s.now, place, []string{"a"}, true)
	s.gate = s.hub.openStream("a", s.now)
	s.hub.report(s.gate, &rosterv1.ReportRequest{Complete: place.Number()}, s.now)
	return s
}

func (s *stage) move(members, left []string) {
	rooms := []*chatv1.Room{{Workspace: "w", Channel: "lobby", Members: members, Left: left}}
	gone, joined := s.memberships.change(rooms)
	s.rooms.recheck(rooms)
	s.views.recheck(joined, true)
	s.views.recheck(gone, false)
}

func (s *stage) connect(number uint64, user string) {
	s.hub.report(s.gate, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: number, Workspace: "w", User: user, Session: "s"}}}, s.now)
	answer(s.hub, s.now)
}

func (s *stage) choose(user string, state presencev1.State) {
	s.hub.choose(map[personKey]choice{{"w", user}: {state: state}}, s.now)
	confirmAll(s.hub, s.gate, s.now)
}

// confirmAll has a gateway take in what it is answered, and confirm it.
func confirmAll(h *hub, g *gateway, now time.Time) {
	for res := h.answers(g); res != nil; res = h.answers(g) {
		h.report(g, &rosterv1.ReportRequest{Hidden: res.GetHidden()}, now)
	}
}

// pass lets time go by in which rooms make a frame of what is new.
func (s *stage) pass() {
	s.now = s.now.Add(s.cfg.Interval)
	s.hub.report(s.gate, &rosterv1.ReportRequest{}, s.now)
	s.hub.tick(s.now)
	s.updateRooms(s.now)
}

// mirrored is what somebody has on their screen of a window.
type mirrored struct {
	*window
	room      *room
	entries   map[string][]byte
	snapshots int
	told      int
}

func (s *stage) open(user string, w *presencev1.Window) *mirrored {
	v := newWindow(personKey{"w", user}, w, nil)
	r, err := s.rooms.enter(lobby, v, s.memberships.size(lobby), s.cfg.Members, s.now)
	if err != nil {
		panic(err)
	}
	return &mirrored{window: v, room: r}
}

// see takes in what there is to tell.
func (m *mirrored) see() {
	u := m.update(m.room.frame.Load())
	if u.GetSnapshot() {
		m.entries, m.snapshots = map[string][]byte{}, m.snapshots+1
	}
	for _, e := range u.GetEntries() {
		m.told++
		if e.GetRemoved() {
			delete(m.entries, e.GetKey())
		} else {
			m.entries[e.GetKey()] = e.GetBody()
		}
	}
}

func (m *mirrored) entry(key string) *presencev1.Entry {
	e := &presencev1.Entry{}
	if err := proto.Unmarshal(m.entries[key], e); err != nil {
		panic(err)
	}
	return e
}

func (m *mirrored) counts() string { return countsWord(m.entry(entryCounts).GetCounts()) }

// TestWindowIsTrue: whatever becomes of members, and of who is one, and of who looks, a window that is told differences, and misses frames, holds what
// it would hold if it was told all; and the states of all members are as many as the members.
func TestWindowIsTrue(t *testing.T) {
	users := []string{"ada", "bob", "cyn", "dan", "eve", "fay", "gil", "hal"}
	states := []presencev1.State{0, presencev1.State_STATE_AWAY, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB, presencev1.State_STATE_INVISIBLE}
	rapid.Check(t, func(t *rapid.T) {
		s := newStage(func(c *Config) { c.People = rapid.IntRange(4, 20).Draw(t, "people") })
		members, numbers, looks := map[string]bool{}, map[string]uint64{}, map[*mirrored]bool{}
		last := uint64(0)
		join := func(user string) {
			s.move([]string{user}, nil)
			members[user] = true
		}
		join("ada")
		user := rapid.SampledFrom(users)
		status := func(user string) *presencev1.Status {
			s.hub.mu.Lock()
			defer s.hub.mu.Unlock()
			if p := s.hub.people[personKey{"w", user}]; p != nil {
				return news{p.key, p.seen, false}.status()
			}
			return &presencev1.Status{}
		}
		scratch := func(w *presencev1.Window) map[string][]byte {
			c, all := &presencev1.Counts{}, slices.Collect(maps.Keys(members))
			entries := map[string]*presencev1.Entry{}
			for _, user := range all {
				e := &presencev1.Entry{Status: status(user)}
				shadow := s.roomOf().watches[personKey{"w", user}].of
				if e.GetStatus().GetState() == 0 || shadow != s.hub.people[personKey{"w", user}] { // it isn't told since when; or there was no room for them
					e.Status = &presencev1.Status{}
				}
				c.Members++
				here := true
				switch e.GetStatus().GetState() {
				case presencev1.State_STATE_ONLINE:
					c.Online++
				case presencev1.State_STATE_AWAY:
					c.Away++
				case presencev1.State_STATE_BUSY:
					c.Busy++
				case presencev1.State_STATE_DO_NOT_DISTURB:
					c.DoNotDisturb++
				case presencev1.State_STATE_OFFLINE:
					c.Offline, here = c.Offline+1, false
				default:
					c.Unknown, here = c.Unknown+1, false
				}
				p := s.hub.people[personKey{"w", user}]
				here = here && p != nil && !p.chosen.hides(s.now)
				for m := range looks {
					e.Looking = e.GetLooking() || here && m.who.user == user && m.want.GetLooking()
				}
				if e.GetLooking() {
					c.Looking++
				}
				entries[user] = e
			}
			order := []presencev1.State{presencev1.State_STATE_ONLINE, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB, presencev1.State_STATE_AWAY, presencev1.State_STATE_UNSPECIFIED, presencev1.State_STATE_OFFLINE}
			slices.SortFunc(all, func(a, b string) int {
				if x, y := slices.Index(order, entries[a].GetStatus().GetState()), slices.Index(order, entries[b].GetStatus().GetState()); x != y {
					return x - y
				}
				return bytes.Compare([]byte(a), []byte(b))
			})
			want := map[string][]byte{entryCounts: marshal(&presencev1.Entry{Counts: c})}
			for i, user := range all {
				if i >= int(w.GetOffset()) && i < int(w.GetOffset()+w.GetLimit()) {
					want[user] = marshal(entries[user])
				}
			}
			if sum := c.GetOnline() + c.GetAway() + c.GetBusy() + c.GetDoNotDisturb() + c.GetOffline() + c.GetUnknown(); sum != c.GetMembers() {
				t.Fatalf("%v", c)
			}
			return want
		}
		t.Repeat(map[string]func(*rapid.T){
			"connect": func(t *rapid.T) {
				user := user.Draw(t, "who")
				if last++; numbers[user] == 0 {
					numbers[user] = last
					s.connect(last, user)
				}
			},
			"disconnect": func(t *rapid.T) {
				user := user.Draw(t, "who")
				s.hub.report(s.gate, &rosterv1.ReportRequest{Closed: []uint64{numbers[user]}}, s.now)
				delete(numbers, user)
			},
			"choose": func(t *rapid.T) {
				s.choose(user.Draw(t, "who"), rapid.SampledFrom(states).Draw(t, "what"))
			},
			"join": func(t *rapid.T) { join(user.Draw(t, "who")) },
			"part": func(t *rapid.T) {
				if user := user.Draw(t, "who"); user != "ada" {
					s.move(nil, []string{user})
					delete(members, user)
					for m := range looks {
						if m.who.user == user {
							s.rooms.leave(m.room, m.window, s.now)
							delete(looks, m)
						}
					}
				}
			},
			"look": func(t *rapid.T) {
				user := user.Draw(t, "who")
				if members[user] && len(looks) < 6 {
					looks[s.open(user, &presencev1.Window{
						Offset: rapid.Uint32Range(0, 6).Draw(t, "offset"), Limit: rapid.Uint32Range(0, 8).Draw(t, "limit"), Looking: rapid.Bool().Draw(t, "looking"),
					})] = true
				}
			},
			"look away": func(*rapid.T) {
				for m := range looks {
					s.rooms.leave(m.room, m.window, s.now)
					delete(looks, m)
					break
				}
			},
			"be away for long": func(t *rapid.T) {
				s.now = s.now.Add(s.cfg.Idle)
				s.hub.report(s.gate, &rosterv1.ReportRequest{}, s.now)
				s.hub.tick(s.now)
			},
			"pass": func(t *rapid.T) {
				s.pass()
				for m := range looks {
					if rapid.Bool().Draw(t, "reads") {
						m.see()
						if want := scratch(m.want); !maps.EqualFunc(m.entries, want, bytes.Equal) {
							t.Fatalf("%v holds %q, want %q", m.want, m.entries, want)
						}
					}
				}
			},
		})
	})
}

// roomOf is the only room.
func (s *stage) roomOf() *room { return s.rooms.all[lobby] }

// TestOrder: members come in the order of what they are seen as, and of their ids.
func TestOrder(t *testing.T) {
	s := newStage()
	var all []string
	for i, user := range []string{"k", "j", "i", "h", "g", "f", "e", "d", "c", "b", "a"} {
		all = append(all, user)
		if i < 10 {
			s.connect(uint64(i+1), user)
		}
		s.choose(user, []presencev1.State{0, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB, presencev1.State_STATE_AWAY, presencev1.State_STATE_INVISIBLE}[i%5])
	}
	s.move(all, nil)
	s.now = s.now.Add(s.cfg.Grace) // who hides is gone
	m := s.open("a", &presencev1.Window{Limit: MaxWindow})
	s.pass()
	m.see()
	var order []string
	for _, x := range m.room.frame.Load().order {
		order = append(order, x.user)
	}
	if want := []string{"f", "k", "e", "j", "d", "i", "c", "h", "a", "b", "g"}; !slices.Equal(order, want) {
		t.Errorf("%v, want %v", order, want)
	}
	if got := m.counts(); got != "11 2 online 2 busy 2 dnd 2 away 3 offline" {
		t.Error(got)
	}
}

// TestHiddenInARoom: who hides is counted and shown as who is offline, by the same bytes; and nothing is told when they begin to look, nor when they end.
func TestHiddenInARoom(t *testing.T) {
	s := newStage()
	s.move([]string{"ada", "hidden", "gone"}, nil)
	s.connect(1, "ada")
	s.connect(2, "hidden")
	m := s.open("ada", &presencev1.Window{Limit: 10})
	theirs := s.open("hidden", &presencev1.Window{Limit: 10, Looking: true})
	s.pass()
	m.see()
	if got := m.counts(); got != "3 2 online 1 offline 1 looking" || !m.entry("hidden").GetLooking() {
		t.Errorf("%s; who looks: %v", got, m.entry("hidden"))
	}
	s.choose("hidden", presencev1.State_STATE_INVISIBLE)
	s.pass()
	m.see()
	if got := m.counts(); got != "3 2 online 1 offline" || m.entry("hidden").GetLooking() {
		t.Errorf("who leaves looks no more: %s; %v", got, m.entry("hidden"))
	}
	s.now = s.now.Add(s.cfg.Grace)
	s.pass()
	m.see()
	if got := m.counts(); got != "3 1 online 2 offline" || !bytes.Equal(m.entries["hidden"], m.entries["gone"]) {
		t.Errorf("%s; %v of who hides, and %v of who is gone", got, m.entries["hidden"], m.entries["gone"])
	}
	before, told := m.room.frame.Load(), m.told
	for range 3 {
		s.rooms.leave(theirs.room, theirs.window, s.now)
		s.pass()
		theirs = s.open("hidden", &presencev1.Window{Limit: 10, Looking: true})
		s.pass()
		m.see()
	}
	if m.room.frame.Load() != before || m.told != told {
		t.Errorf("%d entries were told when somebody looked who hides", m.told-told)
	}
	s.choose("hidden", 0)
	s.pass()
	m.see()
	if got := m.counts(); got != "3 2 online 1 offline 1 looking" {
		t.Errorf("back again: %s", got)
	}
}

// TestSetHidden: who hides looks no more at that moment, though what is seen of them says nothing of it yet; and it is told to nobody else.
func TestSetHidden(t *testing.T) {
	r := newRoom(lobby, time.Time{})
	online := encode(&presencev1.Status{State: presencev1.State_STATE_ONLINE})
	who := personKey{"w", "ada"}
	r.apply([]news{{who, online, false}}, nil, map[string]bool{"ada": true}, time.Time{})
	if !r.members["ada"].looking || r.looking != 1 {
		t.Error("ada isn't told as looking")
	}
	if !r.apply([]news{{who, online, true}}, nil, nil, time.Time{}) || r.looking != 0 || !bytes.Equal(r.members["ada"].GetBody(), online) {
		t.Error("ada is told as looking, though hidden")
	}
	if r.apply(nil, nil, map[string]bool{}, time.Time{}) || r.apply(nil, nil, map[string]bool{"ada": true}, time.Time{}) {
		t.Error("what who hides looks at is told")
	}

	s := newStage()
	s.connect(1, "ada")
	view, room := newWatcher(0), newWatcher(0)
	room.seesHidden = true
	for _, w := range []*watcher{view, room} {
		s.hub.watch(w, []personKey{who})
		s.hub.takeNews(w)
	}
	m := &mirror{people: map[personKey]*person{who: s.hub.people[who]}} // another home tells it
	s.hub.receive(m, &presencev1.WatchResponse{Seen: []*presencev1.Seen{{Person: &presencev1.Person{Workspace: "w", User: "ada"}, Status: s.hub.status(who), Hidden: true}}})
	if list, _ := s.hub.takeNews(view); len(list) != 0 {
		t.Error("a view of people is told that somebody hides")
	}
	if list, _ := s.hub.takeNews(room); len(list) != 1 || !list[0].hidden {
		t.Errorf("a room is told %v", list)
	}
}

// TestStorm: what becomes of many at once is one frame, one Interval after the last one; and what isn't seen is none.
func TestStorm(t *testing.T) {
	s := newStage()
	all := []string{"ada"}
	for i := range 3000 {
		all = append(all, fmt.Sprintf("user-%d", i))
	}
	s.move(all, nil)
	m := s.open("ada", &presencev1.Window{Limit: 5})
	s.pass()
	m.see()
	first := m.room.frame.Load()
	for from := 0; from < 3000; from += 1000 {
		s.hub.report(s.gate, opened(from, from+1000), s.now)
		answer(s.hub, s.now)
		s.now = s.now.Add(s.cfg.Interval / 10)
		s.updateRooms(s.now)
	}
	if m.room.frame.Load() != first {
		t.Error("a frame came too early")
	}
	s.pass()
	m.see()
	if got := m.counts(); got != "3001 3000 online 1 offline" || m.snapshots != 1 || len(m.entries) != 6 {
		t.Errorf("%s, with %d snapshots: %v", got, m.snapshots, slices.Collect(maps.Keys(m.entries)))
	}
	second := m.room.frame.Load()
	s.pass()
	if m.room.frame.Load() != second {
		t.Error("nothing is new, and a frame was made")
	}
}

// TestMuchRemoved: a window whose members change all the time is told anew once more is taken away than may wait at a gateway.
func TestMuchRemoved(t *testing.T) {
	s := newStage()
	all := []string{"ada"}
	for i := range 1000 {
		all = append(all, fmt.Sprintf("user-%d", i))
	}
	s.move(all, nil)
	s.hub.report(s.gate, opened(0, 1000), s.now)
	answer(s.hub, s.now)
	m := s.open("ada", &presencev1.Window{Limit: MaxWindow})
	s.pass()
	m.see()
	waiting := map[string]bool{} // at a gateway whose client reads nothing
	for range 5 {
		for _, e := range m.window.told[1:] {
			s.choose(e.GetKey(), presencev1.State_STATE_AWAY)
		}
		s.pass()
		u := m.update(m.room.frame.Load())
		if u.GetSnapshot() {
			clear(waiting)
			m.snapshots++
		}
		for _, e := range u.GetEntries() {
			waiting[e.GetKey()] = true
		}
		if len(waiting) > maxRemoved+MaxWindow+2 {
			t.Fatalf("%d entries wait", len(waiting))
		}
	}
	if m.snapshots != 2 {
		t.Error("it was never told anew")
	}
}

// TestShares: nobody takes the room of all for views, nor for members; who has taken theirs is told what to do.
func TestShares(t *testing.T) {
	a, w := newViews(), newWatcher(0)
	ada, bob := personKey{"w", "ada"}, personKey{"w", "bob"}
	for i := range MaxOwnViews {
		if err := a.open(ada, w, 10*MaxOwnViews); err != nil {
			t.Fatal(i, err)
		}
		w = newWatcher(0)
	}
	if err := a.open(ada, newWatcher(0), 10*MaxOwnViews); rpc.CodeOf(err) != edgev1.Code_CODE_FAILED_PRECONDITION || rpc.FromError(err).GetReason() != "presence.VIEWS" {
		t.Errorf("one view more: %v", err)
	}
	if err := a.open(bob, w, 10*MaxOwnViews); err != nil {
		t.Errorf("another one's: %v", err)
	}
	if err := a.open(bob, newWatcher(0), a.n); !errors.Is(err, errViews) {
		t.Errorf("too many in all: %v", err)
	}

	s := newStage(func(c *Config) { c.Members = 50 * ownMembers })
	open := map[string]*window{}
	rooms := map[string]*room{}
	enter := func(who personKey, channel string, size int) error {
		v := newWindow(who, &presencev1.Window{}, nil)
		r, err := s.rooms.enter(channelKey{"w", channel}, v, size, s.cfg.Members, s.now)
		if err == nil {
			open[who.user+channel], rooms[channel] = v, r
		}
		return err
	}
	leave := func(who personKey, channel string) { s.rooms.leave(rooms[channel], open[who.user+channel], s.now) }
	expect := func(what string, want, got error) {
		t.Helper()
		if got != want { //nolint:errorlint // the very same
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	expect("one that is larger than a share", nil, enter(ada, "large", 51))
	expect("another one", errOwnMembers, enter(ada, "small", 1))
	expect("another one's", nil, enter(bob, "small", 1))
	expect("the same again", nil, enter(ada, "large", 51))
	leave(ada, "large")
	s.rooms.leave(rooms["large"], firstOf(rooms["large"]), s.now)
	expect("while it is kept for her", errViews, enter(ada, "half", 25))
	expect("the same while it is kept", nil, enter(ada, "large", 51))
	expect("as somebody else comes", nil, enter(bob, "large", 49))
	leave(ada, "large")
	expect("which is kept for somebody else", nil, enter(ada, "half", 25))
	expect("a share", nil, enter(ada, "other half", 25))
	expect("more than a share, though others look already", errOwnMembers, enter(ada, "small", 1))
	for who, channels := range map[personKey][]string{ada: {"half", "other half"}, bob: {"small", "large"}} {
		for _, channel := range channels {
			leave(who, channel)
		}
	}
	s.now = s.now.Add(roomLinger)
	s.updateRooms(s.now)
	if len(s.rooms.of)+len(s.rooms.all)+s.rooms.members != 0 {
		t.Errorf("%v is left, of %v", s.rooms.of, s.rooms.all)
	}
}

// firstOf is any view of a room.
func firstOf(r *room) *window {
	for v := range r.views {
		return v
	}
	return nil
}

// TestRoomLimits: a room is kept for a while when nobody looks, then it watches nobody; and there is room for so many members.
func TestRoomLimits(t *testing.T) {
	s := newStage(func(c *Config) { c.Members = 3 })
	s.move([]string{"ada", "bob"}, nil)
	m := s.open("ada", &presencev1.Window{})
	s.pass()
	m.see()
	if got := m.counts(); got != "2 2 offline" || len(m.entries) != 1 {
		t.Errorf("%s; %v", got, m.entries)
	}
	s.memberships.join(channelKey{"w", "other"}, "eve")
	enter := func(user, channel string, size int) error {
		_, err := s.rooms.enter(channelKey{"w", channel}, newWindow(personKey{"w", user}, &presencev1.Window{}, nil), size, s.cfg.Members, s.now)
		return err
	}
	if enter("bob", "other", 2) == nil || enter("bob", "other", 1) != nil {
		t.Error("there is room for one member more")
	}
	for _, channel := range []string{"other", "another"} {
		if err := enter("cyn", channel, 1); !errors.Is(err, errViews) {
			t.Errorf("%s, at which somebody looks, or nobody: %v", channel, err)
		}
	}
	if err := enter("bob", "other", 1); err != nil {
		t.Errorf("another view of what bob looks at: %v", err)
	}
	s.move([]string{"cyn", "dan"}, nil) // who is there already goes on, beyond the limit
	s.pass()
	if m.see(); m.counts() != "4 4 offline" || s.rooms.members != 5 {
		t.Errorf("%s, of %d", m.counts(), s.rooms.members)
	}
	s.rooms.leave(m.room, m.window, s.now)
	s.pass()
	if again := s.open("ada", &presencev1.Window{}); again.room != m.room {
		t.Error("the room was made anew")
	} else {
		s.rooms.leave(again.room, again.window, s.now)
	}
	s.now = s.now.Add(roomLinger)
	s.pass()
	s.hub.expireLingering(s.now)
	s.hub.expireLingering(s.now.Add(lingerTime))
	if len(s.rooms.all) != 1 || s.rooms.members != 1 || len(s.hub.people) != 1 || len(s.hub.watchers) != 1 {
		t.Errorf("%d rooms of %d members are left, %d people, %d watchers", len(s.rooms.all), s.rooms.members, len(s.hub.people), len(s.hub.watchers))
	}
}

// TestFirstFrame: the first frame waits a moment for those who are not known, and comes without them then.
func TestFirstFrame(t *testing.T) {
	s := newStage(func(c *Config) { c.People = 1 })
	s.move([]string{"ada", "bob"}, nil)
	m := s.open("ada", &presencev1.Window{})
	s.now = s.now.Add(roomPatience / 2)
	s.updateRooms(s.now)
	if m.room.frame.Load() != nil {
		t.Error("the first frame says that they are not known")
	}
	s.now = s.now.Add(roomPatience / 2)
	s.updateRooms(s.now)
	if m.see(); m.counts() != "2 1 unknown 1 offline" {
		t.Error(m.counts())
	}
}

// TestTailChannel: a view is told an update an Interval at most, ends at once when its user is no member any more, and goes to where its channel is at home.
func TestTailChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		moved := &elsewhere{}
		s.peers = moved
		s.move([]string{"ada", "bob", "cyn"}, nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.keepRooms(ctx) }()
		defer func() { stop(); <-done }()
		params := marshalParams(t, &presencev1.Window{Limit: 10})
		updates := make(chan time.Time, 100)
		tail := func(user string) chan error {
			ended := make(chan error, 1)
			go func() {
				ended <- s.tailChannel(ctx, personKey{"w", user}, "lobby", params, nil, func(*topicv1.TailResponse) error {
					if user == "ada" {
						updates <- time.Now()
					}
					return nil
				})
			}()
			return ended
		}
		ada, bob, late, never := tail("ada"), tail("bob"), tail("late"), tail("never")
		time.Sleep(joinWait / 2)
		s.move([]string{"late"}, nil) // chat tells it a moment later
		for i := range 50 {
			s.choose("cyn", []presencev1.State{presencev1.State_STATE_BUSY, presencev1.State_STATE_AWAY}[i%2])
			s.connect(uint64(i+1), "cyn")
			time.Sleep(100 * time.Millisecond)
		}
		if err := <-never; rpc.CodeOf(err) != edgev1.Code_CODE_NOT_FOUND {
			t.Errorf("who is no member is told %v", err)
		}
		if len(updates) < 4 || len(updates) > 7 {
			t.Errorf("%d updates in five seconds", len(updates))
		}
		for before := <-updates; len(updates) > 0; {
			at := <-updates
			if at.Sub(before) < s.cfg.Interval {
				t.Errorf("an update after %v", at.Sub(before))
			}
			before = at
		}
		begin := time.Now()
		s.move(nil, []string{"bob"})
		if err := <-bob; !errors.Is(err, errTopic) || time.Since(begin) > 0 {
			t.Errorf("who has left is told %v after %v", err, time.Since(begin))
		}
		select {
		case err := <-late:
			t.Errorf("who has just come is told %v", err)
		default:
		}
		moved.away.Store(true)
		if err := <-ada; !errors.Is(err, errAway) {
			t.Errorf("when the channel is at home elsewhere: %v", err)
		}
		if err := <-late; !errors.Is(err, errAway) {
			t.Errorf("likewise: %v", err)
		}
	})
}

// elsewhere are peers among which all is at home here, and then at another process.
type elsewhere struct {
	alone
	away atomic.Bool
}

func (e *elsewhere) Nodes(service string) []registry.Node {
	if e.away.Load() {
		return []registry.Node{{ID: "another", Service: service}}
	}
	return e.alone.Nodes(service)
}

func marshalParams(tb testing.TB, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
