// Package heads is the index of topics that sessions follow in mode HEADS: about ten bytes for each (session, topic).
package heads

import (
	"sync"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Name is a topic of a workspace.
type Name struct{ Workspace, Topic string }

// Follower is one list of topics of one session (a bundle), kept in a slot. It is told from the goroutine that
// moves the head, with the index locked: it must only note the topic.
type Follower interface{ Moved(topic uint32) }

// Index knows the heads of the followed topics and who follows them.
//
// Invariant: a topic has an entry as long as it has followers; its number means no other topic until the last one left.
type Index struct {
	mu        sync.RWMutex // guards all below
	numbers   map[Name]uint32
	topics    []entry // by number; 0 is none
	free      []uint32
	followers []Follower // by slot
	slots     []uint32   // free ones
	recent    recent     // of topics that nobody follows
}

type entry struct {
	name    Name
	head    position
	members []uint32 // slots
}

// position is edgev1.Head without what belongs to a session.
type position struct{ epoch, offset, count, calls, redacted uint64 }

// New returns an empty index.
func New() *Index {
	return &Index{numbers: map[Name]uint32{}, topics: make([]entry, 1), followers: make([]Follower, 1)}
}

// Join gives a follower its slot.
func (x *Index) Join(f Follower) (slot uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.slots); n > 0 {
		slot, x.slots = x.slots[n-1], x.slots[:n-1]
		x.followers[slot] = f
		return slot
	}
	x.followers = append(x.followers, f)
	return uint32(len(x.followers) - 1)
}

// Leave takes the slot back; the topics are those that it follows.
func (x *Index) Leave(slot uint32, topics []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range topics {
		x.remove(slot, t)
	}
	x.followers[slot] = nil
	x.slots = append(x.slots, slot)
}

// Follow adds a topic to a slot's list and returns its number. Nobody follows the same topic twice in one slot.
//
// Invariant: the index knows what Move told, and nothing that one follower learned by another way: it may not be for the others
// to know yet.
func (x *Index) Follow(slot uint32, name Name) (topic uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	topic, ok := x.numbers[name]
	if !ok {
		if n := len(x.free); n > 0 {
			topic, x.free = x.free[n-1], x.free[:n-1]
		} else {
			x.topics = append(x.topics, entry{})
			topic = uint32(len(x.topics) - 1)
		}
		x.numbers[name] = topic
		x.topics[topic].name = name
	}
	e := &x.topics[topic]
	if !ok {
		e.head = x.recent.take(name)
	}
	e.members = append(e.members, slot)
	return topic
}

// Unfollow takes a topic off a slot's list.
func (x *Index) Unfollow(slot, topic uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(slot, topic)
}

func (x *Index) remove(slot, topic uint32) {
	e := &x.topics[topic]
	for i, m := range e.members {
		if m == slot {
			last := len(e.members) - 1
			e.members[i] = e.members[last]
			e.members = e.members[:last]
			break
		}
	}
	if len(e.members) == 0 {
		x.recent.note(time.Now(), e.name, e.head)
		delete(x.numbers, e.name)
		*e = entry{}
		x.free = append(x.free, topic)
	}
}

// Move tells of a head; the followers are told if it is news.
func (x *Index) Move(name Name, head *edgev1.Head) {
	x.mu.Lock()
	defer x.mu.Unlock()
	topic, ok := x.numbers[name]
	if !ok {
		p := x.recent.take(name)
		p.raise(head)
		x.recent.note(time.Now(), name, p)
		return
	}
	if !x.topics[topic].head.raise(head) {
		return
	}
	for _, slot := range x.topics[topic].members {
		x.followers[slot].Moved(topic)
	}
}

// Head returns what a client is told of a topic that it follows: number, offset, counts and epoch; 0 where nothing was told yet.
func (x *Index) Head(topic uint32) (Name, *edgev1.Head) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	e := &x.topics[topic]
	h := e.head
	return e.name, &edgev1.Head{Ref: topic, Epoch: h.epoch, Offset: h.offset, Count: h.count, Calls: h.calls, Redacted: h.redacted}
}

// Number finds a followed topic; 0: nobody follows it.
func (x *Index) Number(name Name) uint32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.numbers[name]
}

// Size is the number of topics that are followed.
func (x *Index) Size() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.numbers)
}

// raise takes over what is newer by (epoch, offset). The counts of one offset are always the same.
func (h *position) raise(n *edgev1.Head) bool {
	if n.GetEpoch() < h.epoch || n.GetEpoch() == h.epoch && n.GetOffset() <= h.offset {
		return false
	}
	*h = position{n.GetEpoch(), n.GetOffset(), n.GetCount(), n.GetCalls(), n.GetRedacted()}
	return true
}
