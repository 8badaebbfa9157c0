package gateway

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/heads"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	headsBytes = 4 << 10 // of one frame of heads
	// headOverhead is what the frame takes besides its heads.
	headOverhead = 128
	headsPause   = 200 * time.Millisecond
)

// bundle is what one subscription in mode HEADS follows: the members of a BUNDLE, or one log.
//
// Invariant: a head is told only while the user's own log, which brings badges and removals, was read at least as far as it stood
// when that head was heard of. So nothing behind a removal is told to who was removed, and no head without its badge.
type bundle struct {
	s      *session
	x      *subscription
	slot   uint32
	single bool // one log, no BUNDLE
	// nameless: the client has the list, but not these numbers for its topics. Each head names its topic then.
	nameless bool
	gate     uint32 // the index's number of the user's own log; 0 for a single log

	mu     sync.Mutex // guards the next two
	moves  heads.Conflator
	posted bool // the session knows that there is something to tell

	// All below belongs to the session's turn.
	members members
	joint   *followed               // members.refs is shared; nil: it is this bundle's own
	changed map[string]*edgev1.Head // of the user's own part, not yet told, by topic
	watch   *subscription           // brings the changes; nil for a single log
	read    *edgev1.Cursor          // how far the user's own log was read; nil: the watch has not begun
	fence   uint64                  // its head when the watch began
	held    bool                    // something waits for it
	anew    bool                    // it is being opened anew: nothing is told until then
}

// Moved implements heads.Follower.
func (b *bundle) Moved(topic uint32) {
	b.mu.Lock()
	b.moves.Note(topic)
	first := !b.posted
	b.posted = true
	b.mu.Unlock()
	if first {
		b.s.later(func(s *session) { s.note(b) })
	}
}

func (s *session) note(b *bundle) {
	if !b.x.stopped && !slices.Contains(s.noted, b) {
		s.noted = append(s.noted, b)
	}
}

// follow begins a subscription in mode HEADS, to a topic of a class, with a snapshot. A client that has the same list already, as known says,
// gets none.
func (s *session) follow(x *subscription, g *topicv1.Grant, class edgev1.TopicClass, known uint64) {
	b := &bundle{s: s, x: x}
	x.list = b
	b.slot = s.g.index.Join(b)
	told := &edgev1.Subscription{Topic: x.topic}
	list := g.GetMembers()
	if b.single = class == edgev1.TopicClass_TOPIC_CLASS_LOG; b.single {
		told.Head = g.GetHead()
		if len(list) == 0 { // a service that doesn't say how many of its events count
			list = []*edgev1.Head{{Topic: x.log.Topic, Epoch: told.Head.GetEpoch(), Offset: told.Head.GetOffset()}}
		}
	} else if g.GetHead() != nil { // the log that x.log names brings what changes
		b.watch = &subscription{s: s, topic: x.log.Topic, service: x.service, log: x.log, id: x.id, user: x.user, watches: b, granted: g.GetHead(), cursor: g.GetHead()}
		b.gate = s.g.index.Follow(b.slot, x.log)
	}
	told.Start = &edgev1.Cursor{Offset: listOf(list)} // of a single log, too: else who polls is answered at once, for ever
	s.answer(x, told)
	s.tellAnswers()
	b.members.grow(len(list))
	snapshot := make([]*edgev1.Head, 0, len(list))
	for _, m := range list {
		if b.find(m.GetTopic()) == 0 {
			b.add(m) // the grant is this session's own, and gone after this
			snapshot = append(snapshot, m)
		}
	}
	if b.watch != nil {
		if b.joint = s.g.shared.share(x.log, b.members.refs); b.joint != nil {
			b.members.refs = b.joint.refs
		}
	}
	if b.nameless = known != 0 && known == told.GetStart().GetOffset(); !b.nameless {
		b.tell(snapshot, true)
	}
	s.g.metrics.followed.Set(float64(s.g.index.Size()))
	if b.watch != nil {
		b.watch.attach()
	}
}

// own makes the list of members this bundle's own, before it changes.
func (b *bundle) own() {
	if b.joint != nil {
		b.members.refs, b.joint = b.s.g.shared.take(b.x.log, b.joint), nil
	}
}

// add follows a member, and makes of it what the client is told.
func (b *bundle) add(m *edgev1.Head) {
	b.own()
	ref := b.s.g.index.Follow(b.slot, heads.Name{Workspace: b.s.caller.Workspace, Topic: m.GetTopic()})
	b.members.add(ref, m)
	b.s.heads++
	if _, known := b.s.g.index.Head(ref); b.members.news(known) { // heard of while the grant was under way
		b.Moved(ref)
	}
	if m.Ref = ref; b.single {
		m.Topic = b.x.topic // as the client names it
	}
}

// find returns the number of a followed topic, or 0.
func (b *bundle) find(name string) uint32 {
	ref := b.s.g.index.Number(heads.Name{Workspace: b.s.caller.Workspace, Topic: name})
	if !b.members.has(ref) {
		return 0
	}
	return ref
}

// watched takes records of the log that changes a bundle; called by the hub.
func (s *session) watched(x *subscription, run []*topicv1.Record) bool {
	var changes []*edgev1.Head
	size := 0
	for _, r := range run {
		changes = append(changes, r.GetHeads()...)
	}
	for _, h := range changes {
		size += proto.Size(h)
	}
	upto := run[len(run)-1].GetEvent().GetOffset()
	if len(changes) == 0 {
		s.later(func(*session) { x.watches.apply(nil, upto) })
		return true
	}
	return s.offer(x, size, func(*session) { x.watches.apply(changes, upto) })
}

// begun tells that the watch reads from a cursor on, and where the log's head was afterwards.
func (b *bundle) begun(from *edgev1.Cursor, head uint64) {
	if b.read == nil {
		b.read, b.fence = from, head
	}
	b.apply(nil, b.read.GetOffset())
}

// apply takes over changes of the user's own part, from its log up to an offset.
func (b *bundle) apply(changes []*edgev1.Head, upto uint64) {
	if b.x.stopped || b.read == nil {
		return
	}
	b.read = &edgev1.Cursor{Epoch: b.read.GetEpoch(), Offset: max(b.read.GetOffset(), upto)}
	if b.changed == nil && len(changes) > 0 {
		b.changed = map[string]*edgev1.Head{}
	}
	for _, h := range changes {
		b.changed[h.GetTopic()] = h
	}
	if b.held || len(changes) > 0 {
		b.held = false
		b.s.note(b)
	}
}

// behind tells whether the user's own log was not read as far as it is known to go.
func (b *bundle) behind() bool {
	if b.watch == nil {
		return false
	}
	_, gate := b.s.g.index.Head(b.gate)
	return b.anew || b.read == nil || b.read.GetOffset() < b.fence || gate.GetEpoch() > b.read.GetEpoch() ||
		gate.GetEpoch() == b.read.GetEpoch() && gate.GetOffset() > b.read.GetOffset()
}

// tellHeads tells what moved and changed, at most once a second for each bundle; while the client reads slowly, not at all.
func (s *session) tellHeads() {
	if len(s.noted) == 0 || s.box.backlog() > s.queueLimit()/2 {
		return
	}
	now := time.Now()
	waiting := s.noted[:0]
	for _, b := range s.noted {
		if !b.tellDue(now) {
			waiting = append(waiting, b)
		}
	}
	if s.noted = waiting; len(waiting) == 0 {
		s.noted = nil
	}
}

// headsDue is when tellHeads has something to do.
func (s *session) headsDue() (at time.Time, ok bool) {
	for _, b := range s.noted {
		b.mu.Lock()
		due := b.moves.Last().Add(heads.Quiet)
		b.mu.Unlock()
		if !ok || due.Before(at) {
			at, ok = due, true
		}
	}
	if soon := time.Now().Add(headsPause); ok && at.Before(soon) && s.box.backlog() > s.queueLimit()/2 {
		at = soon
	}
	return at, ok
}

// tellDue tells the bundle's news if a second has passed, and reports whether it has none any more that could be told.
func (b *bundle) tellDue(now time.Time) bool {
	if b.held = b.behind(); b.held { // the hub reads on, and apply comes back to it
		return true
	}
	b.mu.Lock()
	if now.Before(b.moves.Last().Add(heads.Quiet)) {
		b.mu.Unlock()
		return false
	}
	moved := b.moves.Take()
	b.posted = false
	b.mu.Unlock()

	known := make([]*edgev1.Head, 0, len(moved))
	for _, ref := range moved {
		if b.members.has(ref) {
			_, h := b.s.g.index.Head(ref)
			known = append(known, h)
		}
	}
	// Invariant: asked behind the heads, since the gate moves before what it stands for.
	if b.held = b.behind(); b.held {
		b.mu.Lock()
		for _, ref := range moved {
			b.moves.Note(ref)
		}
		b.posted = true
		b.mu.Unlock()
		return true
	}
	news, ok := b.news(known)
	if !ok {
		b.s.renew(b)
		return true
	}
	if len(news) == 0 {
		return true
	}
	b.mu.Lock()
	b.moves.Told(now)
	b.mu.Unlock()
	if b.single {
		for _, h := range news {
			b.s.confirm(b, h)
		}
		return true
	}
	b.tell(news, false)
	return true
}

// news merges what moved and what changed of the user's own part into the heads to be told. Not ok: the client was told a younger head
// of a topic than is known here, so that only a new snapshot can tell where it stands.
func (b *bundle) news(moved []*edgev1.Head) (news []*edgev1.Head, ok bool) {
	told := make(map[uint32]bool, len(b.changed))
	for _, m := range b.changed {
		ref := b.find(m.GetTopic())
		switch {
		case m.GetRemoved() && ref == 0:
			continue
		case m.GetRemoved():
			b.remove(ref)
			gone := &edgev1.Head{Ref: ref, Removed: true}
			if b.nameless {
				gone.Topic = m.GetTopic()
			}
			news = append(news, gone)
		case ref == 0 && b.s.heads >= int(b.s.g.cfg.Limits.Heads):
			b.s.g.log.Warn("a bundle has too many members to be followed whole", "user", b.x.user, "topic", b.x.topic)
			continue
		case ref == 0:
			h := proto.CloneOf(m) // it is told to others, too
			b.add(h)
			news = append(news, h)
		default:
			_, h := b.s.g.index.Head(ref)
			if later(m, h) {
				h = proto.CloneOf(m)
				h.Ref, h.Topic = ref, ""
			}
			h.Badge = m.GetBadge()
			if b.members.older(h) { // it was told by a snapshot that is younger than this change, and isn't known here
				return nil, false
			}
			b.members.tell(h)
			news = append(news, h)
		}
		told[news[len(news)-1].GetRef()] = true
	}
	b.changed = nil
	for _, h := range moved {
		if !told[h.GetRef()] && b.members.news(h) {
			b.members.tell(h)
			news = append(news, h)
		}
	}
	slices.SortStableFunc(news, func(x, y *edgev1.Head) int { // a number that went may come back for another topic
		return cmp.Compare(rank(x), rank(y))
	})
	return news, true
}

func rank(h *edgev1.Head) int {
	if h.GetRemoved() {
		return 0
	}
	return 1
}

func (b *bundle) remove(ref uint32) {
	b.own()
	b.members.remove(ref)
	b.s.g.index.Unfollow(b.slot, ref)
	b.s.heads--
	b.mu.Lock()
	b.moves.Drop(ref)
	b.mu.Unlock()
}

// tell sends heads in frames of about headsBytes. A snapshot's first frame replaces all that was known.
func (b *bundle) tell(news []*edgev1.Head, snapshot bool) {
	for first := true; len(news) > 0 || first && snapshot; first = false {
		n, size := 0, 0
		for n < len(news) && (n == 0 || size+proto.Size(news[n]) <= headsBytes-headOverhead) {
			size += proto.Size(news[n]) + 3 // tag and length
			n++
		}
		if b.nameless {
			b.name(news[:n])
		}
		b.s.g.metrics.headFrames.Inc()
		b.s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Heads{Heads: &edgev1.Heads{Topic: b.x.topic, Heads: news[:n], Snapshot: snapshot && first}}})
		news = news[n:]
	}
}

// name puts the topics' names into heads.
func (b *bundle) name(news []*edgev1.Head) {
	for _, h := range news {
		switch {
		case b.single:
			h.Topic = b.x.topic // as the client names it
		case h.GetTopic() == "":
			name, _ := b.s.g.index.Head(h.GetRef())
			h.Topic = name.Topic
		}
	}
}

// listOf stands for a bundle's list: the same number for the same, below 2^53 as every cursor, in any order of its members.
func listOf(members []*edgev1.Head) (sum uint64) {
	for _, m := range members {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			continue // was read from bytes
		}
		sum += xxhash.Sum64(b)
	}
	return max(sum&maxSeq, 1)
}

// unfollow ends a subscription in mode HEADS.
func (s *session) unfollow(x *subscription) {
	b := x.list
	s.heads -= len(b.members.refs)
	if b.gate != 0 {
		s.g.index.Unfollow(b.slot, b.gate)
	}
	s.g.index.Leave(b.slot, b.members.refs)
	if b.joint != nil {
		s.g.shared.leave(x.log, b.joint)
	}
	b.members, b.joint = members{}, nil
	s.noted = slices.DeleteFunc(s.noted, func(o *bundle) bool { return o == b })
	if b.watch != nil {
		b.watch.stopped = true
		b.watch.detach()
	}
	s.g.metrics.followed.Set(float64(s.g.index.Size()))
}

// renew opens a bundle anew, for its changes can't be followed on: the client gets a fresh snapshot.
func (s *session) renew(b *bundle) {
	x := b.x
	if x.stopped || s.subs.get(x.topic) != x {
		return
	}
	b.anew = true
	todo := []opened{{want: &edgev1.Want{Topic: x.topic, Mode: x.mode}}}
	s.g.open(s.ask(), s.caller, todo, func() {
		s.mail(0, func(s *session) {
			s.answered()
			switch {
			case x.stopped || s.state != open:
			case todo[0].err != nil && isTransient(todo[0].err):
				time.AfterFunc(reopenWait+rand.N(reopenWait), func() { s.mail(0, func(s *session) { s.renew(b) }) })
			case todo[0].err != nil:
				s.stop(x, errRevoked)
			default:
				s.attach(x.id, &todo[0])
			}
		})
	})
}
