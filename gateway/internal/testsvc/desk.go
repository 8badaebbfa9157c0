package testsvc

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc/testv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Desk is the prefix of topics from whose events a follower derives what their people have of them: who sits there has it in their
// bundle, with a badge that says how far they have read, which is to their own last word.
const Desk = "test.desk/"

// desks is what is known of them. All lie in one partition.
type desks struct {
	line    []said
	derived uint64 // position up to which Derive has come
	heads   map[string]*edgev1.Head
	seats   map[seat]*place
	late    []*topicv1.Derived // held back by Announce
}

type seat struct{ user, desk string }

// place is somebody's part of a desk.
type place struct {
	sits bool
	left uint64 // offset by which they rose last
	came uint64 // offset by which they sat down last
	read uint64 // derived
	own  []uint64
}

// said is one event of a desk.
type said struct {
	desk, user string
	offset     uint64
	sits       *bool // they sit down or rise; nil: a word
}

// Fate is what becomes of an announcement.
type Fate int

// Fates of announcements: a late one comes after the next.
const (
	Arrives Fate = iota
	Lost
	Late
)

// Say appends a word of somebody's at a desk.
func (s *Service) Say(user, desk string) { s.desk(user, desk, nil) }

// Sit has somebody sit down at a desk, or rise.
func (s *Service) Sit(user, desk string, sits bool) { s.desk(user, desk, &sits) }

func (s *Service) desk(user, desk string, sits *bool) {
	at := s.Append("w", Desk+desk, user, func(r *topicv1.Record) {
		if sits != nil {
			r.Access = []*topicv1.Access{{Principal: user, Read: *sits}}
		}
		p := s.place(user, desk)
		switch at := r.GetEvent().GetOffset(); {
		case sits == nil:
			p.own = append(p.own, at)
		case *sits:
			p.sits, p.came, p.own = true, at, nil
		default:
			p.sits, p.left = false, at
		}
	})
	s.Set(func(s *Service) { s.desks.line = append(s.desks.line, said{desk, user, at, sits}) })
}

func (s *Service) place(user, desk string) *place {
	if s.desks.seats == nil {
		s.desks.seats, s.desks.heads = map[seat]*place{}, map[string]*edgev1.Head{}
	}
	p := s.desks.seats[seat{user, desk}]
	if p == nil {
		p = &place{}
		s.desks.seats[seat{user, desk}] = p
	}
	return p
}

// entry is somebody's bundle entry for a desk, as far as it was derived.
func (s *Service) entry(k seat) *edgev1.Head {
	p, h := s.desks.seats[k], s.desks.heads[k.desk]
	if !p.sits {
		return &edgev1.Head{Topic: Desk + k.desk, Removed: true}
	}
	out := &edgev1.Head{Topic: Desk + k.desk, Epoch: s.epoch, Offset: h.GetOffset(), Count: h.GetCount()}
	read := max(p.read, p.came)
	if read > out.GetOffset() {
		out.Offset, out.Count = read, read
	}
	out.Badge, _ = proto.Marshal(&testv1.Badge{Mentions: read})
	return out
}

// bundle is what somebody has.
func (s *Service) bundle(user string) (all []*edgev1.Head) {
	for k, p := range s.desks.seats {
		if k.user == user && p.sits {
			all = append(all, s.entry(k))
		}
	}
	return all
}

// Derive derives from the next events in one transaction, announces that, and publishes what it appended.
func (s *Service) Derive(most int, fate Fate) {
	s.mu.Lock()
	from := s.desks.derived
	n := min(uint64(most), uint64(len(s.desks.line))-from)
	touched := map[seat]bool{}
	d := &topicv1.Derived{Epoch: s.epoch, After: from, Upto: from + n}
	desks := map[string]bool{}
	for _, e := range s.desks.line[from : from+n] {
		s.desks.heads[e.desk] = &edgev1.Head{Topic: Desk + e.desk, Epoch: s.epoch, Offset: e.offset, Count: e.offset}
		desks[e.desk] = true
		touched[seat{e.user, e.desk}] = true
		if p := s.place(e.user, e.desk); e.sits == nil {
			p.read = max(p.read, e.offset)
		}
	}
	s.desks.derived += n
	var recs []*topicv1.Record
	for k := range touched {
		rec := s.append("w", "test.user/"+k.user, "derived", func(r *topicv1.Record) { r.Heads = []*edgev1.Head{s.entry(k)} })
		if s.Publish == nil || s.Publish(rec) {
			recs = append(recs, rec)
		}
		d.Heads = append(d.Heads, &edgev1.Head{Topic: rec.GetTopic(), Epoch: s.epoch, Offset: rec.GetEvent().GetOffset()})
	}
	for _, name := range slices.Sorted(maps.Keys(desks)) {
		d.Heads = append(d.Heads, s.desks.heads[name])
	}
	for range d.GetHeads() {
		d.Workspaces = append(d.Workspaces, "w")
	}
	send := []*topicv1.Derived{d}
	switch fate {
	case Lost:
		send = nil
	case Late:
		s.desks.late = append(s.desks.late, d)
		send = nil
	case Arrives:
		send = append(send, s.desks.late...)
		s.desks.late = nil
	}
	s.mu.Unlock()
	for _, d := range send {
		data, _ := proto.Marshal(d)
		_ = s.Bus.Publish("plenum._.derived.test.0", data)
	}
	for _, r := range recs {
		s.Send("w", r.GetTopic(), r)
	}
}

// derivedHeads answers TopicService.Heads of what was derived: all desks, whenever anything was.
func (s *Service) derivedHeads(r *topicv1.HeadsRequest) *topicv1.HeadsResponse {
	b := binary.AppendVarint([]byte{1}, int64(s.epoch)) // as mesh/topic packs the positions of its partitions
	b = binary.AppendUvarint(b, s.desks.derived)
	for range 63 {
		b = append(b, 0, 0)
	}
	res := &topicv1.HeadsResponse{Next: base64.RawURLEncoding.EncodeToString(b)}
	if r.GetSince() == "" || r.GetSince() == res.GetNext() {
		return res
	}
	for _, h := range s.desks.heads {
		res.Heads, res.Workspaces = append(res.Heads, proto.CloneOf(h)), append(res.Workspaces, "w")
	}
	return res
}

// Fault is what is wrong with telling somebody of a desk's head, with what they know of their own part; empty: nothing.
func (s *Service) Fault(user, topic string, offset, read uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.desks.seats[seat{user, strings.TrimPrefix(topic, Desk)}]
	switch {
	case p == nil:
		return "they never sat there"
	case !p.sits && offset > p.left:
		return "it is behind their removal"
	case p.sits && slices.ContainsFunc(p.own, func(at uint64) bool { return at <= offset && at > read }):
		return "their own word is unread"
	}
	return ""
}

// Truth is somebody's bundle once all is derived, by topic.
func (s *Service) Truth(user string) map[string]*edgev1.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*edgev1.Head{}
	for _, h := range s.bundle(user) {
		all[h.GetTopic()] = h
	}
	return all
}
