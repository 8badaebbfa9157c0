package presence

import (
	"context"
	"slices"
	"sync"
	"time"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

const (
	// roomLinger is how long a room is kept that nobody looks at: who turns the page comes back.
	roomLinger = 5 * time.Second
	// roomPatience is how long a room waits for other homes to tell of its members, before its first frame says that they are not known.
	roomPatience = 500 * time.Millisecond
	roomBatch    = 1000 // members who are watched while others wait for the hub
	// ownMembers is how much less than all members for which there is room the channels may have, taken together, that one person looks at: a fifth of
	// them. One channel they may look at in any case.
	ownMembers = 5
)

// rooms are those that somebody looks at. Nobody holds two of their lock, the hub's, that of memberships and that of views.
type rooms struct {
	mu      sync.Mutex // guards all below, and what room says
	all     map[channelKey]*room
	of      map[personKey]map[*room]int // how many views people have of which; 0: theirs was the last, and it is kept for them
	members int                         // of all
}

func newRooms() *rooms { return &rooms{all: map[channelKey]*room{}, of: map[personKey]map[*room]int{}} }

// enter has somebody look at a channel. Whether there is room for it does not depend on whether others look at it.
func (a *rooms) enter(k channelKey, v *window, size, most int, now time.Time) (*room, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.all[k]
	if _, own := a.of[v.who][r]; !own {
		open, kept := 0, 0
		for other, n := range a.of[v.who] {
			if n > 0 {
				open += other.size
			} else {
				kept += other.size
			}
		}
		switch {
		case open > 0 && open+size > most/ownMembers:
			return nil, errOwnMembers
		case kept > 0 && open+kept+size > most/ownMembers, a.members+size > most:
			return nil, errViews // those that are kept won't be for long
		}
	}
	if r == nil {
		r = newRoom(k, now)
		a.all[k] = r
		a.resize(r, size)
	}
	r.views[v] = struct{}{}
	if a.of[v.who] == nil {
		a.of[v.who] = map[*room]int{}
	}
	a.of[v.who][r]++
	a.uncount(r.last, r)
	r.lookersChanged = r.lookersChanged || v.want.GetLooking()
	v.kick.raise()
	return r, nil
}

func (a *rooms) leave(r *room, v *window, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(r.views, v)
	if a.of[v.who][r]--; len(r.views) > 0 {
		a.uncount(v.who, r)
	}
	r.lookersChanged = r.lookersChanged || v.want.GetLooking()
	r.left, r.last = now, v.who
}

// uncount has a room count no more for somebody who has no view of it.
func (a *rooms) uncount(who personKey, r *room) {
	if a.of[who][r] > 0 {
		return
	}
	if delete(a.of[who], r); len(a.of[who]) == 0 {
		delete(a.of, who)
	}
}

func (a *rooms) resize(r *room, size int) {
	a.members += size - r.size
	r.size = size
}

// recheck has rooms find out who is a member of some channels now, and recheckAll of all.
func (a *rooms) recheck(changed []*chatv1.Room) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range changed {
		if r := a.all[channelKey{c.GetWorkspace(), c.GetChannel()}]; r != nil {
			r.membersChanged = true
		}
	}
}

func (a *rooms) recheckAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.all {
		r.membersChanged = true
	}
}

// due are the rooms in which something may be new at a time, and those that nobody looks at any more, which are taken off the list.
func (a *rooms) due(now time.Time, interval time.Duration) (due, ended []*room) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, r := range a.all {
		switch {
		case len(r.views) == 0 && now.Sub(r.left) >= roomLinger:
			a.resize(r, 0)
			a.uncount(r.last, r)
			delete(a.all, k)
			ended = append(ended, r)
		case !r.framed.IsZero() && now.Sub(r.framed) < interval:
		case r.framed.IsZero() || r.lookersChanged || r.membersChanged || len(r.kick) > 0:
			due = append(due, r)
		}
	}
	return due, ended
}

// takeChanges returns who looks at a room, nil: as before; and whether who is a member may have changed.
func (a *rooms) takeChanges(r *room) (lookers map[string]bool, stale bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.lookersChanged {
		lookers = map[string]bool{}
		for v := range r.views {
			if v.want.GetLooking() {
				lookers[v.who.user] = true
			}
		}
	}
	stale = r.membersChanged
	r.lookersChanged, r.membersChanged = false, false
	return lookers, stale
}

// wake has all who look at a room see that it has changed.
func (a *rooms) wake(r *room) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.resize(r, len(r.members))
	for v := range r.views {
		v.kick.raise()
	}
}

// keepRooms has the rooms show what is new, until ctx ends.
func (s *Server) keepRooms(ctx context.Context) {
	tick := time.NewTicker(tickGap)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.updateRooms(time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// updateRooms does what is due in the rooms at a time.
func (s *Server) updateRooms(now time.Time) {
	due, ended := s.rooms.due(now, s.cfg.Interval)
	for _, r := range due {
		seen := s.updateRoom(r, now)
		if r.framed.IsZero() {
			seen = r.counts[rankUnknown] == 0 || now.Sub(r.began) >= roomPatience
		}
		if seen {
			r.makeFrame(now)
			s.rooms.wake(r)
		}
	}
	for _, r := range ended {
		var all []personKey
		for user := range r.members {
			all = append(all, personKey{r.key.workspace, user})
		}
		for some := range slices.Chunk(all, roomBatch) {
			s.hub.forget(r.watcher, some, now)
		}
		s.hub.forget(r.watcher, nil, now)
	}
}

// updateRoom takes in what is new in a room.
func (s *Server) updateRoom(r *room, now time.Time) (seen bool) {
	select {
	case <-r.kick:
	default:
	}
	lookers, stale := s.rooms.takeChanges(r)
	var gone []string
	if stale {
		gone = s.updateMembers(r, now)
	}
	list, frozen := s.hub.takeNews(r.watcher)
	return r.apply(list, gone, lookers, frozen)
}

// updateMembers has those watched who have come to a channel, and returns who has left.
func (s *Server) updateMembers(r *room, now time.Time) (gone []string) {
	members := s.memberships.members(r.key)
	var come, left []personKey
	for user := range members {
		if r.members[user] == nil {
			come = append(come, personKey{r.key.workspace, user})
		}
	}
	for user := range r.members {
		if _, is := members[user]; !is {
			gone, left = append(gone, user), append(left, personKey{r.key.workspace, user})
		}
	}
	for some := range slices.Chunk(left, roomBatch) {
		s.hub.forget(r.watcher, some, now)
	}
	for some := range slices.Chunk(come, roomBatch) {
		s.hub.watch(r.watcher, some)
	}
	return gone
}
