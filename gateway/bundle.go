package gateway

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

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
type bundle struct {
	s      *session
	x      *subscription
	slot   uint32
	single bool // one log, no BUNDLE

	mu     sync.Mutex // guards the next two
	moves  heads.Conflator
	posted bool // the session knows that there is something to tell

	// All below belongs to the session's turn.
	topics  []uint32                // ascending
	changed map[string]*edgev1.Head // of the user's own part, not yet told, by topic
	watch   *subscription           // brings the changes; nil for a single log
}

// moved is news of a single log: where it stood before the right to know was asked for.
type moved struct {
	b    *bundle
	ref  uint32
	head *edgev1.Head
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

// follow begins a subscription in mode HEADS with a snapshot.
func (s *session) follow(x *subscription, g *topicv1.Grant) {
	b := &bundle{s: s, x: x}
	x.list = b
	b.slot = s.g.index.Join(b)
	told := &edgev1.Subscription{Topic: x.topic}
	members := g.GetMembers()
	if b.single = s.g.catalog().Kind(x.topic).Class == edgev1.TopicClass_TOPIC_CLASS_LOG; b.single {
		told.Head = g.GetHead()
		members = []*edgev1.Head{{Topic: x.log.Topic, Epoch: g.GetHead().GetEpoch(), Offset: g.GetHead().GetOffset()}}
	} else if g.GetHead() != nil { // the log that x.log names brings what changes
		b.watch = &subscription{s: s, topic: x.log.Topic, service: x.service, log: x.log, id: x.id, user: x.user, watches: b, granted: g.GetHead(), cursor: g.GetHead()}
	}
	s.answer(x, told)
	s.tellAnswers()
	b.topics = make([]uint32, 0, len(members))
	snapshot := make([]*edgev1.Head, 0, len(members))
	for _, m := range members {
		if h := b.add(m); h != nil {
			snapshot = append(snapshot, h)
		}
	}
	b.tell(snapshot, true)
	s.g.metrics.followed.Set(float64(s.g.index.Size()))
	if b.watch != nil {
		b.watch.attach()
	}
}

// add follows a member and returns what the client is told of it; nil if it is followed already.
func (b *bundle) add(m *edgev1.Head) *edgev1.Head {
	name := heads.Name{Workspace: b.s.caller.Workspace, Topic: m.GetTopic()}
	if b.find(m.GetTopic()) != 0 {
		return nil
	}
	ref := b.s.g.index.Follow(b.slot, name, m)
	i, _ := slices.BinarySearch(b.topics, ref)
	b.topics = slices.Insert(b.topics, i, ref)
	b.s.heads++
	_, h := b.s.g.index.Head(ref)
	h.Badge = m.GetBadge()
	if h.Topic = m.GetTopic(); b.single {
		h.Topic = b.x.topic // as the client names it
	}
	return h
}

// find returns the number of a followed topic, or 0.
func (b *bundle) find(name string) uint32 {
	ref := b.s.g.index.Number(heads.Name{Workspace: b.s.caller.Workspace, Topic: name})
	if _, ok := slices.BinarySearch(b.topics, ref); !ok {
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
	if len(changes) == 0 {
		return true
	}
	return s.offer(x, size, func(s *session) { x.watches.apply(changes) })
}

// apply takes over changes of the user's own part.
func (b *bundle) apply(changes []*edgev1.Head) {
	if b.x.stopped {
		return
	}
	if b.changed == nil {
		b.changed = map[string]*edgev1.Head{}
	}
	for _, h := range changes {
		b.changed[h.GetTopic()] = h
	}
	b.s.note(b)
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

// tellDue tells the bundle's news if a second has passed, and reports whether it has none any more.
func (b *bundle) tellDue(now time.Time) bool {
	b.mu.Lock()
	if now.Before(b.moves.Last().Add(heads.Quiet)) {
		b.mu.Unlock()
		return false
	}
	moved := b.moves.Take(now)
	b.moves.Told(now)
	b.posted = false
	b.mu.Unlock()

	if b.single {
		for _, ref := range moved {
			b.s.confirm(b, ref)
		}
		return true
	}
	news := make([]*edgev1.Head, 0, len(moved)+len(b.changed))
	told := map[uint32]bool{}
	for _, m := range b.changed {
		ref := b.find(m.GetTopic())
		switch {
		case m.GetRemoved() && ref != 0:
			b.remove(ref)
			news = append(news, &edgev1.Head{Ref: ref, Removed: true})
		case m.GetRemoved():
			continue
		case ref == 0:
			if b.s.heads >= int(b.s.g.cfg.Limits.Heads) {
				b.s.g.log.Warn("a bundle has too many members to be followed whole", "user", b.x.user, "topic", b.x.topic)
				continue
			}
			news = append(news, b.add(m))
		default:
			b.s.g.index.Raise(ref, m)
			_, h := b.s.g.index.Head(ref)
			h.Badge = m.GetBadge()
			news = append(news, h)
		}
		told[news[len(news)-1].GetRef()] = true
	}
	b.changed = nil
	for _, ref := range moved {
		if _, ok := slices.BinarySearch(b.topics, ref); ok && !told[ref] {
			_, h := b.s.g.index.Head(ref)
			news = append(news, h)
		}
	}
	slices.SortStableFunc(news, func(x, y *edgev1.Head) int { // a number that went may come back for another topic
		return cmp.Compare(rank(x), rank(y))
	})
	b.tell(news, false)
	return true
}

func rank(h *edgev1.Head) int {
	if h.GetRemoved() {
		return 0
	}
	return 1
}

func (b *bundle) remove(ref uint32) {
	i, ok := slices.BinarySearch(b.topics, ref)
	if !ok {
		return
	}
	b.topics = slices.Delete(b.topics, i, i+1)
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
		b.s.g.metrics.headFrames.Inc()
		b.s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Heads{Heads: &edgev1.Heads{Topic: b.x.topic, Heads: news[:n], Snapshot: snapshot && first}}})
		news = news[n:]
	}
}

// unfollow ends a subscription in mode HEADS.
func (s *session) unfollow(x *subscription) {
	b := x.list
	s.heads -= len(b.topics)
	s.g.index.Leave(b.slot, b.topics)
	b.topics = nil
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
	if x.stopped || s.subs[x.topic] != x {
		return
	}
	caller, todo := s.caller, []opened{{want: &edgev1.Want{Topic: x.topic, Mode: x.mode}}}
	s.g.calls.Go(func() {
		s.g.open(s.ctx, caller, todo)
		s.mail(0, func(s *session) {
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

// confirm tells where a single log stands once the user is found to have the right to know: nobody reads the log here, so nobody
// sees a change of access in it.
//
// Invariant: what is told was true before access was granted, so nothing behind a removal is told to who was removed.
func (s *session) confirm(b *bundle, ref uint32) {
	_, head := s.g.index.Head(ref)
	s.moved = append(s.moved, moved{b, ref, head})
	s.confirmAll()
}

// confirmAll asks for all that waits, a few times a second at most.
func (s *session) confirmAll() {
	if s.confirming || len(s.moved) == 0 || s.state != open {
		return
	}
	n := min(len(s.moved), maxWants)
	list := slices.Clone(s.moved[:n])
	s.moved = slices.Delete(s.moved, 0, n)
	todo := make([]opened, n)
	for i, m := range list {
		todo[i].want = &edgev1.Want{Topic: m.b.x.topic, Mode: m.b.x.mode}
	}
	s.confirming = true
	caller := s.caller
	s.g.calls.Go(func() {
		s.g.open(s.ctx, caller, todo)
		s.mail(0, func(s *session) {
			for i, m := range list {
				s.confirmed(m, todo[i].err)
			}
			time.AfterFunc(headsPause, func() {
				s.mail(0, func(s *session) {
					s.confirming = false
					s.confirmAll()
				})
			})
		})
	})
}

func (s *session) confirmed(m moved, err error) {
	switch {
	case m.b.x.stopped || s.state != open:
	case err != nil && isTransient(err):
		m.b.Moved(m.ref)
	case err != nil:
		s.stop(m.b.x, errRevoked)
	default:
		m.b.tell([]*edgev1.Head{m.head}, false)
	}
}
