package presence

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// room is a channel that somebody looks at. It watches all members, and makes frames of them, one an Interval at most, which all who look read: what one
// member does costs a change of the room, and not one of each who looks.
//
// What says nothing else belongs to who takes in what is new, Server.tend: one goroutine.
type room struct {
	*watcher
	key     channelKey
	began   time.Time // when it was made
	members map[string]*member
	order   []*member            // is never changed, but replaced
	counts  [rankOffline + 1]int // of members, by their ranks
	looking int                  // of members, who are told so
	lookers map[string]bool      // who has a view that is to be told of; not all of them are
	frozen  time.Time            // as of hub.take
	framed  time.Time            // when the newest frame was made; zero: there is none
	frame   atomic.Pointer[frame]

	views          map[*window]struct{} // rooms.mu guards these
	lookersChanged bool                 // who looks has changed
	membersChanged bool                 // who is a member may have
	size           int                  // of members, as it counts for the limit
	left           time.Time            // when the last view was closed
	last           personKey            // whose that was
}

// member is somebody in a room. It is never changed, but replaced.
type member struct {
	*edgev1.Entry // what is told
	news
	rank    int
	looking bool
	gone    bool // replaced, or no member any more; belongs to the room's goroutine
}

// frame is a room as it is at a time. It is never changed.
type frame struct {
	order  []*member
	counts *edgev1.Entry
	old    *edgev1.Entry // since when it may be old; nil: it is true
}

// Ranks are the order of members.
const (
	rankOnline = iota
	rankBusy
	rankDoNotDisturb
	rankAway
	rankUnknown
	rankOffline
)

func rankOf(s presencev1.State) int {
	switch s {
	case presencev1.State_STATE_ONLINE:
		return rankOnline
	case presencev1.State_STATE_BUSY:
		return rankBusy
	case presencev1.State_STATE_DO_NOT_DISTURB:
		return rankDoNotDisturb
	case presencev1.State_STATE_AWAY:
		return rankAway
	case presencev1.State_STATE_OFFLINE, presencev1.State_STATE_INVISIBLE:
		return rankOffline
	case presencev1.State_STATE_UNSPECIFIED:
	}
	return rankUnknown // also what a newer process knows
}

func compareMembers(a, b *member) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.user, b.user))
}

func newRoom(k channelKey, now time.Time) *room {
	r := &room{watcher: newWatcher(0), key: k, began: now, members: map[string]*member{}, views: map[*window]struct{}{}, lookersChanged: true, membersChanged: true}
	r.seesHidden = true
	return r
}

// looks is the end of an encoded Entry of somebody who looks.
var looks = marshal(&presencev1.Entry{Looking: true})

// member is somebody as they are seen in the room.
func (r *room) member(n news) *member {
	state := n.status().GetState()
	if state == presencev1.State_STATE_UNSPECIFIED {
		n.seen = unknown(0) // since when would tell who comes later that others have looked then
	}
	m := &member{news: n, rank: rankOf(state)}
	m.looking = r.lookers[n.user] && !n.hidden && m.rank < rankUnknown
	body := n.seen
	if m.looking {
		body = slices.Concat(body, looks)
	}
	m.Entry = &edgev1.Entry{Key: n.user, Body: body}
	return m
}

// apply takes in what is new of members, who is none any more, who looks (nil: as before), and since when all may be old. It returns whether anybody
// who looks sees anything of it.
func (r *room) apply(list []news, gone []string, lookers map[string]bool, frozen time.Time) (seen bool) {
	for _, user := range gone {
		if m := r.members[user]; m != nil {
			r.count(m, -1)
			m.gone, seen = true, true
			delete(r.members, user)
		}
	}
	fresh := make([]*member, 0, len(list))
	if lookers != nil {
		before := r.lookers
		r.lookers = lookers
		told := make(map[string]bool, len(list))
		for _, n := range list {
			told[n.user] = true
		}
		for _, some := range []map[string]bool{before, lookers} {
			for user := range some {
				if m := r.members[user]; m != nil && before[user] != lookers[user] && !told[user] {
					fresh = append(fresh, r.member(m.news))
				}
			}
		}
	}
	for _, n := range list {
		fresh = append(fresh, r.member(n))
	}
	for _, m := range fresh {
		old := r.members[m.user]
		if old != nil {
			r.count(old, -1)
			old.gone = true
		}
		seen = seen || old == nil || !bytes.Equal(old.GetBody(), m.GetBody())
		r.count(m, 1)
		r.members[m.user] = m
	}
	if len(fresh)+len(gone) > 0 {
		r.sort(fresh)
	}
	seen = seen || !frozen.Equal(r.frozen)
	r.frozen = frozen
	return seen
}

func (r *room) count(m *member, n int) {
	r.counts[m.rank] += n
	if m.looking {
		r.looking += n
	}
}

// sort puts members in their places: those who are new are sorted, the others are in order already.
func (r *room) sort(fresh []*member) {
	slices.SortFunc(fresh, compareMembers)
	order := make([]*member, 0, len(r.members))
	for _, m := range r.order {
		if m.gone {
			continue
		}
		for len(fresh) > 0 && compareMembers(fresh[0], m) < 0 {
			order, fresh = append(order, fresh[0]), fresh[1:]
		}
		order = append(order, m)
	}
	r.order = append(order, fresh...)
}

// makeFrame makes a frame of the room as it is.
func (r *room) makeFrame(now time.Time) {
	counts := &presencev1.Counts{
		Members: uint32(len(r.members)), Online: uint32(r.counts[rankOnline]), Away: uint32(r.counts[rankAway]), Busy: uint32(r.counts[rankBusy]),
		DoNotDisturb: uint32(r.counts[rankDoNotDisturb]), Offline: uint32(r.counts[rankOffline]), Unknown: uint32(r.counts[rankUnknown]), Looking: uint32(r.looking),
	}
	f := &frame{order: r.order, counts: &edgev1.Entry{Key: entryCounts, Body: marshal(&presencev1.Entry{Counts: counts})}}
	if !r.frozen.IsZero() {
		f.old = ofView(r.frozen)
	}
	r.framed = now
	r.frame.Store(f)
}

// in is what a frame has in a window.
func (f *frame) in(w *presencev1.Window) []*edgev1.Entry {
	from := min(int(w.GetOffset()), len(f.order))
	to := min(from+int(w.GetLimit()), len(f.order))
	list := make([]*edgev1.Entry, 0, 2+to-from)
	list = append(list, f.counts)
	if f.old != nil {
		list = append(list, f.old)
	}
	for _, m := range f.order[from:to] {
		list = append(list, m.Entry)
	}
	return list
}

// difference is what has to be told to whom something was told, for them to have what there is now.
func difference(told, now []*edgev1.Entry) (list []*edgev1.Entry, removed int) {
	if slices.Equal(told, now) {
		return nil, 0
	}
	before := make(map[string]*edgev1.Entry, len(told))
	for _, e := range told {
		before[e.GetKey()] = e
	}
	for _, e := range now {
		if old := before[e.GetKey()]; old == nil || old != e && !bytes.Equal(old.GetBody(), e.GetBody()) {
			list = append(list, e)
		}
		delete(before, e.GetKey())
	}
	for key := range before {
		list = append(list, &edgev1.Entry{Key: key, Removed: true})
	}
	return list, len(before)
}
