package presence

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// memberships is who shares a channel with whom: all memberships of all workspaces in memory, as chat tells them, so that a storm of views costs
// nobody's database anything. It is not known before chat has told all once, and stays as it was while chat is away.
type memberships struct {
	known chan struct{} // closed when chat has told all once

	mu       sync.RWMutex            // guards all below
	users    map[personKey]*[]uint32 // the numbers of their channels, ascending
	channels map[channelKey]*channel
	next     uint32 // the number of the next channel that is new
}

// channelKey names a channel.
type channelKey struct{ workspace, channel string }

// channel is a channel with members.
type channel struct {
	number  uint32
	members map[string]struct{} // ids
}

func newMemberships() *memberships {
	return &memberships{known: make(chan struct{}), users: map[personKey]*[]uint32{}, channels: map[channelKey]*channel{}}
}

// visible are those of some people who share a channel with somebody, or are themselves.
func (m *memberships) visible(who personKey, others []string) (list []string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	mine := m.users[who]
	list = make([]string, 0, len(others))
	for _, other := range others {
		if other == who.user {
			list = append(list, other)
			continue
		}
		if theirs := m.users[personKey{who.workspace, other}]; mine != nil && theirs != nil && intersect(*mine, *theirs) {
			list = append(list, other)
		}
	}
	return list
}

// has says whether somebody is in a channel.
func (m *memberships) has(k channelKey, user string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if r := m.channels[k]; r != nil {
		_, is := r.members[user]
		return is
	}
	return false
}

// members are those of a channel.
func (m *memberships) members(k channelKey) map[string]struct{} {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if r := m.channels[k]; r != nil {
		return maps.Clone(r.members)
	}
	return nil
}

// size is how many members a channel has.
func (m *memberships) size(k channelKey) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if r := m.channels[k]; r != nil {
		return len(r.members)
	}
	return 0
}

// intersect says whether two ascending lists have a number in common.
func intersect(a, b []uint32) bool {
	for len(a) > 0 && len(b) > 0 {
		switch cmp.Compare(a[0], b[0]) {
		case -1:
			a = a[1:]
		case 1:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}

// join and part change who is in a channel. c.mu is held.
func (m *memberships) join(k channelKey, user string) {
	r := m.channels[k]
	if r == nil {
		r = &channel{number: m.next, members: map[string]struct{}{}}
		m.channels[k] = r
		m.next++
	}
	if _, is := r.members[user]; is {
		return
	}
	r.members[user] = struct{}{}
	of := m.users[personKey{k.workspace, user}]
	if of == nil {
		of = &[]uint32{}
		m.users[personKey{k.workspace, user}] = of
	}
	at, _ := slices.BinarySearch(*of, r.number)
	*of = slices.Insert(*of, at, r.number)
}

func (m *memberships) leave(k channelKey, user string) bool {
	r := m.channels[k]
	if r == nil {
		return false
	}
	if _, is := r.members[user]; !is {
		return false
	}
	if delete(r.members, user); len(r.members) == 0 {
		delete(m.channels, k)
	}
	who := personKey{k.workspace, user}
	of := m.users[who]
	if at, found := slices.BinarySearch(*of, r.number); found {
		*of = slices.Delete(*of, at, at+1)
	}
	if len(*of) == 0 {
		delete(m.users, who)
	}
	return true
}

// replace takes over all memberships, in the place of those that were known.
func (m *memberships) replace(all *memberships) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users, m.channels, m.next = all.users, all.channels, all.next
	select {
	case <-m.known:
	default:
		close(m.known)
	}
}

// joinAll takes in who is in channels, while nobody else has it.
func (m *memberships) joinAll(rooms []*chatv1.Room) {
	for _, r := range rooms {
		for _, user := range r.GetMembers() {
			m.join(channelKey{r.GetWorkspace(), r.GetChannel()}, user)
		}
	}
}

// change takes in who has come to channels, and who has left. It returns those who have left one, and all who are in one that somebody has come to, each
// once: chat tells of a channel as often as somebody comes to it.
func (m *memberships) change(rooms []*chatv1.Room) (left, joined []personKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	grown := map[channelKey]struct{}{}
	for _, r := range rooms {
		k := channelKey{r.GetWorkspace(), r.GetChannel()}
		for _, user := range r.GetLeft() {
			if m.leave(k, user) {
				left = append(left, personKey{k.workspace, user})
			}
		}
		for _, user := range r.GetMembers() {
			m.join(k, user)
		}
		if len(r.GetMembers()) > 0 {
			grown[k] = struct{}{}
		}
	}
	here := map[personKey]struct{}{}
	for k := range grown {
		if r := m.channels[k]; r != nil { // else all have left again
			for user := range r.members {
				here[personKey{k.workspace, user}] = struct{}{}
			}
		}
	}
	return left, slices.Collect(maps.Keys(here))
}

// awaitMemberships waits until it is known who shares channels.
func (s *Server) awaitMemberships(ctx context.Context) error {
	select {
	case <-s.memberships.known:
		return nil
	case <-time.After(membershipsWait):
		return errAway
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // whoever asked has gone
	}
}

const (
	membershipsWait    = 2 * time.Second  // for chat's first word
	membershipsPause   = time.Second      // before chat is asked again, and as long again at random
	membershipsSilence = 30 * time.Second // without a word from chat, before it is asked anew
)

// followChat keeps memberships as chat tells them, until ctx ends.
func (s *Server) followChat(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.readMemberships(ctx)
		if ctx.Err() == nil {
			s.logger.WarnContext(ctx, "chat does not tell who shares channels; asked again", "error", err)
		}
		select {
		case <-time.After(membershipsPause + rand.N(membershipsPause)):
		case <-ctx.Done():
		}
	}
}

// readMemberships reads them by one stream.
func (s *Server) readMemberships(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(membershipsSilence, cancel)
	defer silent.Stop()
	stream, err := chatv1.NewAcquaintanceServiceClient(s.chat).FollowRooms(ctx, &chatv1.FollowRoomsRequest{})
	if err != nil {
		return fmt.Errorf("presence: follow rooms: %w", err)
	}
	for fresh := newMemberships(); ; {
		res, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("presence: follow rooms: %w", err)
		}
		silent.Reset(membershipsSilence)
		if fresh == nil {
			left, joined := s.memberships.change(res.GetRooms())
			s.rooms.recheck(res.GetRooms())
			s.views.recheck(joined, true)
			s.views.recheck(left, false)
			s.hub.recheck(left)
			continue
		}
		fresh.joinAll(res.GetRooms())
		if res.GetComplete() {
			s.memberships.replace(fresh)
			fresh = nil
			s.rooms.recheckAll()
			s.views.recheckAll()
		}
	}
}
