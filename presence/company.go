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

// company is who shares a channel with whom: all memberships of all workspaces in memory, as chat tells them, so that a storm of views costs
// nobody's database anything. It is not known before chat has told all once, and stays as it was while chat is away.
type company struct {
	known chan struct{} // closed when chat has told all once

	mu    sync.RWMutex            // guards all below
	users map[personKey]*[]uint32 // the numbers of their channels, ascending
	rooms map[roomKey]*room
	next  uint32 // the number of the next channel that is new
}

// roomKey names a channel.
type roomKey struct{ workspace, channel string }

// room is a channel with members.
type room struct {
	number  uint32
	members map[string]struct{} // ids
}

func newCompany() *company {
	return &company{known: make(chan struct{}), users: map[personKey]*[]uint32{}, rooms: map[roomKey]*room{}}
}

// met are those of some people who share a channel with somebody, or are themselves.
func (c *company) met(who personKey, others []string) (met []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	mine := c.users[who]
	met = make([]string, 0, len(others))
	for _, other := range others {
		if other == who.user {
			met = append(met, other)
			continue
		}
		if theirs := c.users[personKey{who.workspace, other}]; mine != nil && theirs != nil && meet(*mine, *theirs) {
			met = append(met, other)
		}
	}
	return met
}

// has says whether somebody is in a channel.
func (c *company) has(k roomKey, user string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if r := c.rooms[k]; r != nil {
		_, is := r.members[user]
		return is
	}
	return false
}

// members are those of a channel.
func (c *company) members(k roomKey) map[string]struct{} {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if r := c.rooms[k]; r != nil {
		return maps.Clone(r.members)
	}
	return nil
}

// size is how many members a channel has.
func (c *company) size(k roomKey) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if r := c.rooms[k]; r != nil {
		return len(r.members)
	}
	return 0
}

// meet says whether two ascending lists have a number in common.
func meet(a, b []uint32) bool {
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
func (c *company) join(k roomKey, user string) {
	r := c.rooms[k]
	if r == nil {
		r = &room{number: c.next, members: map[string]struct{}{}}
		c.rooms[k] = r
		c.next++
	}
	if _, is := r.members[user]; is {
		return
	}
	r.members[user] = struct{}{}
	of := c.users[personKey{k.workspace, user}]
	if of == nil {
		of = &[]uint32{}
		c.users[personKey{k.workspace, user}] = of
	}
	at, _ := slices.BinarySearch(*of, r.number)
	*of = slices.Insert(*of, at, r.number)
}

func (c *company) part(k roomKey, user string) bool {
	r := c.rooms[k]
	if r == nil {
		return false
	}
	if _, is := r.members[user]; !is {
		return false
	}
	if delete(r.members, user); len(r.members) == 0 {
		delete(c.rooms, k)
	}
	who := personKey{k.workspace, user}
	of := c.users[who]
	if at, found := slices.BinarySearch(*of, r.number); found {
		*of = slices.Delete(*of, at, at+1)
	}
	if len(*of) == 0 {
		delete(c.users, who)
	}
	return true
}

// take takes over all memberships, in the place of those that were known.
func (c *company) take(all *company) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users, c.rooms, c.next = all.users, all.rooms, all.next
	select {
	case <-c.known:
	default:
		close(c.known)
	}
}

// add takes in who is in channels, while nobody else has it.
func (c *company) add(rooms []*chatv1.Room) {
	for _, r := range rooms {
		for _, user := range r.GetMembers() {
			c.join(roomKey{r.GetWorkspace(), r.GetChannel()}, user)
		}
	}
}

// change takes in who has come to channels, and who has left. It returns those who have left one, and all who are in one that somebody has come to, each
// once: chat tells of a channel as often as somebody comes to it.
func (c *company) change(rooms []*chatv1.Room) (left, joined []personKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	grown := map[roomKey]struct{}{}
	for _, r := range rooms {
		k := roomKey{r.GetWorkspace(), r.GetChannel()}
		for _, user := range r.GetLeft() {
			if c.part(k, user) {
				left = append(left, personKey{k.workspace, user})
			}
		}
		for _, user := range r.GetMembers() {
			c.join(k, user)
		}
		if len(r.GetMembers()) > 0 {
			grown[k] = struct{}{}
		}
	}
	here := map[personKey]struct{}{}
	for k := range grown {
		if r := c.rooms[k]; r != nil { // else all have left again
			for user := range r.members {
				here[personKey{k.workspace, user}] = struct{}{}
			}
		}
	}
	return left, slices.Collect(maps.Keys(here))
}

// awaitCompany waits until it is known who shares channels.
func (s *Server) awaitCompany(ctx context.Context) error {
	select {
	case <-s.company.known:
		return nil
	case <-time.After(companyWait):
		return errAway
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // whoever asked has gone
	}
}

const (
	companyWait    = 2 * time.Second  // for chat's first word
	companyPause   = time.Second      // before chat is asked again, and as long again at random
	companySilence = 30 * time.Second // without a word from chat, before it is asked anew
)

// followChat keeps the company as chat tells it, until ctx ends.
func (s *Server) followChat(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.readCompany(ctx)
		if ctx.Err() == nil {
			s.logger.WarnContext(ctx, "chat does not tell who shares channels; asked again", "error", err)
		}
		select {
		case <-time.After(companyPause + rand.N(companyPause)):
		case <-ctx.Done():
		}
	}
}

// readCompany reads it by one stream.
func (s *Server) readCompany(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(companySilence, cancel)
	defer silent.Stop()
	stream, err := chatv1.NewAcquaintanceServiceClient(s.chat).FollowRooms(ctx, &chatv1.FollowRoomsRequest{})
	if err != nil {
		return fmt.Errorf("presence: follow rooms: %w", err)
	}
	for fresh := newCompany(); ; {
		res, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("presence: follow rooms: %w", err)
		}
		silent.Reset(companySilence)
		if fresh == nil {
			left, joined := s.company.change(res.GetRooms())
			s.halls.recheck(res.GetRooms())
			s.views.recheck(joined, true)
			s.views.recheck(left, false)
			s.house.reconsider(left)
			continue
		}
		fresh.add(res.GetRooms())
		if res.GetComplete() {
			s.company.take(fresh)
			fresh = nil
			s.halls.recheckAll()
			s.views.recheckAll()
		}
	}
}
