package chat

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	// reorderTime is how long a record may be on its way after a digest told of it.
	reorderTime = 100 * time.Millisecond
	// passedRecords bounds what is kept of a channel while it is loaded.
	passedRecords = 256
)

// accessCache holds what grants are made of: where channels stand, and who may do what in them. It reads nothing by itself: loads bring
// what the database says, the feed what was committed since.
//
// Invariant: what is held of a channel was true at the head that is held with it, or later. A grant made of it is as of that head, so
// the hub that serves it sees every change of access that the grant lacks.
// Invariant: a record either follows the held head or ends the entry; what the feed passed while a load was under way is applied to
// what it brought. So no entry stays behind the feed.
type accessCache struct {
	limit int // memberships

	mu       sync.Mutex // guards all below
	channels *simplelru.LRU[channelKey, *held]
	members  int                    // held in all
	loading  map[channelKey]*passed // nil: no load is under way
	// people counts the memberships that are held of somebody: of most who come, there is none yet, and the channels need not be looked
	// through. Invariant: no zeros; the sum is members.
	people map[person]int
}

// anybody is the principal of an Access that concerns everybody.
const anybody = "*"

// held is a channel at one head.
type held struct {
	state   topic.State
	ch      *channel           // what decides of it; nil: there is no such channel
	members map[string]*member // those asked for, by user; nil: not a member
	heard   uint64             // a head that the feed of heads told, beyond state
	since   time.Time          // of heard
}

// passed is what the feed told of a channel during a load.
type passed struct {
	records []*topicv1.Record
	heard   *edgev1.Head
	lost    bool  // there was more
	into    *held // what takes up what was read; nil: nothing does
}

// newAccessCache returns a cache of so many channels and memberships, at most.
func newAccessCache(channels, members int) (*accessCache, error) {
	c := &accessCache{limit: members, people: map[person]int{}}
	var err error
	c.channels, err = simplelru.NewLRU(channels, func(k channelKey, h *held) {
		for user := range h.members {
			c.count(person{k.workspace, user}, -1)
		}
	})
	return c, err
}

// count needs the lock.
func (c *accessCache) count(p person, n int) {
	c.members += n
	if c.people[p] += n; c.people[p] == 0 {
		delete(c.people, p)
	}
}

// deciding is what rights follow from: whatever changes it tells so by an Access of everybody.
func (c *channel) deciding() *channel {
	if c == nil {
		return nil
	}
	return &channel{channelKey: c.channelKey, kind: c.kind, posting: c.posting, archived: c.archived}
}

// find returns what is held for one person, if that is as new as a cursor.
func (c *accessCache) find(k memberKey, cursor *edgev1.Cursor) (v view, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.people[person{k.workspace, k.user}] == 0 {
		return view{}, false
	}
	h, ok := c.channels.Get(k.of())
	if !ok || cursor.GetEpoch() > h.state.Epoch || cursor.GetOffset() > h.state.Offset {
		return view{}, false
	}
	if h.heard > h.state.Offset && time.Since(h.since) > reorderTime { // a record was lost
		c.channels.Remove(k.of())
		return view{}, false
	}
	_, ok = h.members[k.user]
	return h.view(k.user), ok
}

// knows tells whether records of a channel are of use.
func (c *accessCache) knows(k channelKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loading[k] != nil || c.channels.Contains(k)
}

// publish takes records of a channel from the feed.
func (c *accessCache) publish(k channelKey, records []*topicv1.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.loading[k]; p != nil {
		p.lost = p.lost || len(p.records)+len(records) > passedRecords
		if !p.lost {
			p.records = append(p.records, records...)
		}
	}
	e, ok := c.channels.Peek(k)
	if !ok {
		return
	}
	if !e.follow(records, func(user string) { c.count(person{k.workspace, user}, -1) }) {
		c.channels.Remove(k)
	}
}

// head takes a head from the feed: beyond the held one, records are on their way, or lost.
func (c *accessCache) head(k channelKey, h *edgev1.Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.loading[k]; p != nil && (p.heard == nil || h.GetOffset() > p.heard.GetOffset()) {
		p.heard = h
	}
	if e, ok := c.channels.Peek(k); ok && !e.hear(h) {
		c.channels.Remove(k)
	}
}

// clear forgets everything: nobody knows what was missed.
func (c *accessCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.channels.Purge()
	for _, p := range c.loading {
		p.lost = true
	}
}

// begin is called before a load reads; one load at a time.
func (c *accessCache) begin(asks []*asked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loading = map[channelKey]*passed{}
	for _, a := range asks {
		for _, ch := range a.channels {
			if k := (channelKey{a.workspace, ch}); c.loading[k] == nil {
				c.loading[k] = &passed{}
			}
		}
	}
}

// finish takes over what a load has read, if anything: channels, and what was asked of their members.
func (c *accessCache) finish(asks []*asked, read map[channelKey]*held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	loading := c.loading
	c.loading = nil
	for k, r := range read {
		p := loading[k]
		now := &held{state: r.state, ch: r.ch.deciding(), members: map[string]*member{}}
		if r.ch == nil || p.lost || !now.follow(p.records, func(string) {}) || !now.hear(p.heard) {
			continue
		}
		p.records = slices.DeleteFunc(p.records, func(r *topicv1.Record) bool { return len(r.GetAccess()) == 0 })
		if p.into, _ = c.channels.Get(k); p.into == nil || p.into.state.Epoch != now.state.Epoch {
			c.channels.Remove(k)
			c.channels.Add(k, now)
			p.into = now
		} // else it is where the feed is, and now is no older
	}
	for k, p := range loading {
		if h, ok := c.channels.Peek(k); !ok || h != p.into { // there is no room for all
			delete(loading, k)
		}
	}
	for _, a := range asks {
		more := 0
		for i, m := range a.members {
			p := loading[channelKey{a.workspace, a.channels[i]}]
			if p == nil || p.changes(a.user) {
				continue
			}
			more -= len(p.into.members)
			p.into.members[a.user] = m
			more += len(p.into.members)
		}
		if more > 0 {
			c.count(person{a.workspace, a.user}, more)
		}
	}
	for c.members > c.limit {
		c.channels.RemoveOldest()
	}
}

// changes tells whether what was passed changed a user's rights.
func (p *passed) changes(user string) bool {
	for _, r := range p.records {
		for _, a := range r.GetAccess() {
			if a.GetPrincipal() == user {
				return true
			}
		}
	}
	return false
}

// size is how many channels and memberships are held.
func (c *accessCache) size() (channels, members int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.channels.Len(), c.members
}

func (h *held) view(user string) view { return view{h.state, h.ch, h.members[user]} }

// follow raises the head by records, and tells whose rights have changed of those that were held. It returns false where that can't be:
// some are missing, or everybody's rights have changed.
func (h *held) follow(records []*topicv1.Record, changed func(user string)) bool {
	for _, r := range records {
		at := r.GetEvent().GetOffset()
		switch {
		case r.GetEpoch() < h.state.Epoch, r.GetEpoch() == h.state.Epoch && at <= h.state.Offset:
			continue // known
		case r.GetEpoch() > h.state.Epoch, at > h.state.Offset+1:
			return false
		}
		for _, a := range r.GetAccess() {
			if a.GetPrincipal() == anybody {
				return false
			}
			if _, known := h.members[a.GetPrincipal()]; known {
				delete(h.members, a.GetPrincipal())
				changed(a.GetPrincipal())
			}
		}
		h.state.Offset, h.state.Count, h.state.Calls = at, r.GetCount(), r.GetCalls()
		if len(r.GetRedacts()) > 0 {
			h.state.Redacted = at
		}
	}
	return true
}

// hear notes a head. It returns false where the channel began another life.
func (h *held) hear(head *edgev1.Head) bool {
	if head.GetEpoch() > h.state.Epoch {
		return false
	}
	if head.GetEpoch() == h.state.Epoch && head.GetOffset() > h.state.Offset && h.heard <= h.state.Offset {
		h.heard, h.since = head.GetOffset(), time.Now()
	}
	return true
}
