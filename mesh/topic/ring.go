package topic

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// RingLimits bound what a Ring keeps for those who come back; beyond, the oldest records go. Zero values mean the defaults.
type RingLimits struct {
	Count int // records; default 1,000
	Bytes int // of their bodies, with 64 for each record; default 1 MiB
}

// MaxRingBody is the longest body of a Ring's record, in bytes: what one response holds.
const MaxRingBody = responseBytes - recordBytes

// Ring is one topic of the class RING in its owner's memory. Its service answers Open by Grant and Tail by Tail; gateways hold one Tail
// each, however many follow the topic there.
//
// What a slow follower has not taken yet is not kept for it alone: it reads from the ring, and if the ring has gone on without it, it is
// told so and ends.
type Ring struct {
	workspace, topic string
	epoch            uint64
	limits           RingLimits

	mu      sync.Mutex // guards all below; nobody blocks while holding it
	records []*topicv1.Record
	bytes   int
	floor   uint64        // what lies at or below is gone
	head    uint64        // Invariant: records hold floor+1 to head, without holes
	moved   chan struct{} // closed by the next append; nil: nobody waits
	closed  *rpc.Error
}

// NewRing returns an empty ring. epoch is its owner's incarnation, such as the Unix milliseconds of its start: whoever makes a topic's ring
// anew, in the same process too, takes a greater one, for the offsets begin again.
func NewRing(workspace, topic string, epoch uint64, limits RingLimits) *Ring {
	if limits.Count <= 0 {
		limits.Count = 1000
	}
	if limits.Bytes <= 0 {
		limits.Bytes = 1 << 20
	}
	return &Ring{workspace: workspace, topic: topic, epoch: epoch, limits: limits}
}

// Append tells all who follow, and returns the record's offset. Of the record it takes the event's body and mutation, access, redacts and
// about; the record is the ring's from then on. Its errors are the caller's to answer with: the body is over MaxRingBody [104], or the ring
// was closed.
func (r *Ring) Append(rec *topicv1.Record) (offset uint64, err error) {
	if len(rec.GetEvent().GetBody()) > MaxRingBody {
		return 0, errTooLarge
	}
	if rec.Event == nil {
		rec.Event = &edgev1.Event{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return 0, r.closed
	}
	r.head++
	rec.Workspace, rec.Topic, rec.Epoch = r.workspace, r.topic, r.epoch
	rec.Event.Offset, rec.Event.TimeMs = r.head, time.Now().UnixMilli()
	r.records, r.bytes = append(r.records, rec), r.bytes+sizeOf(rec)
	for _, at := range rec.GetRedacts() {
		r.redact(at)
	}
	r.trim()
	r.wake()
	return r.head, nil
}

// redact needs the lock. Records are shared with those who are just sending them, so another one takes the place.
func (r *Ring) redact(at uint64) {
	if at <= r.floor || at > r.head {
		return
	}
	old := r.records[at-r.floor-1]
	empty := proto.CloneOf(old)
	empty.Event.Body = nil
	r.records[at-r.floor-1] = empty
	r.bytes -= len(old.GetEvent().GetBody())
}

// trim needs the lock. The newest record always stays.
func (r *Ring) trim() {
	n := 0
	for ; n < len(r.records)-1 && (len(r.records)-n > r.limits.Count || r.bytes > r.limits.Bytes); n++ {
		r.bytes -= sizeOf(r.records[n])
		r.records[n] = nil
	}
	r.records, r.floor = r.records[n:], r.floor+uint64(n)
}

// wake needs the lock.
func (r *Ring) wake() {
	if r.moved != nil {
		close(r.moved)
		r.moved = nil
	}
}

// Close ends every Tail, now and later, with a reason: CODE_TOPIC_GONE where the topic has ended, CODE_UNAVAILABLE where another node goes
// on with it.
func (r *Ring) Close(why *rpc.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = why
	r.wake()
}

// Grant allows somebody to follow; whether they may is the service's to know, and is to be decided after this call: so no change of access
// can lie between the grant's head and the decision. topic is the name as it was wanted; the grant names the ring's own beside it.
func (r *Ring) Grant(topic string, signal bool) *topicv1.Grant {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := &topicv1.Grant{
		Topic: topic, Signal: signal,
		Head: &edgev1.Cursor{Epoch: r.epoch, Offset: r.head}, Floor: &edgev1.Cursor{Epoch: r.epoch, Offset: r.floor},
	}
	if topic != r.topic {
		g.Canonical = r.topic
	}
	return g
}

// Tail answers TopicService.Tail: what lies after req's cursor, and with `follow` all that is appended until ctx ends. The first response
// comes at once. What can't be answered ends with a reset: another epoch, a cursor that is ahead of it or below what is kept, more than
// max_bytes without `follow`, or the reason of Close.
func (r *Ring) Tail(ctx context.Context, req *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
	after, limit := req.GetAfter(), int(req.GetMaxBytes())
	if limit == 0 {
		limit = tailBytes
	}
	if after == nil {
		after = r.Grant(r.topic, false).GetFloor()
	}
	at := after.GetOffset()
	for first := true; ; first = false {
		p := r.part(after.GetEpoch(), at)
		switch {
		case p.reset != nil:
			return send(&topicv1.TailResponse{Reset_: rpc.FromError(p.reset), Head: p.head})
		case first && !req.GetFollow() && p.bytes > limit:
			return send(&topicv1.TailResponse{Reset_: rpc.FromError(resetTooLong), Head: p.head})
		case first || len(p.records) > 0:
			res := &topicv1.TailResponse{Records: p.records}
			if first {
				res.Head = p.head
			}
			if err := send(res); err != nil {
				return err
			}
			at += uint64(len(p.records))
		}
		switch {
		case p.more:
		case !req.GetFollow():
			return nil
		default:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-p.moved:
			}
		}
	}
}

// part is one answer of a ring.
type part struct {
	records []*topicv1.Record
	bytes   int // of all that lies after the cursor
	more    bool
	head    *edgev1.Cursor
	moved   <-chan struct{}
	reset   *rpc.Error
}

// part reads up to responseBytes after a cursor.
func (r *Ring) part(epoch, after uint64) part {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := part{head: &edgev1.Cursor{Epoch: r.epoch, Offset: r.head}}
	switch {
	case r.closed != nil:
		p.reset = r.closed
		return p
	case epoch != r.epoch || after > r.head:
		p.reset = resetEpoch
		return p
	case after < r.floor:
		p.reset = resetFloor
		return p
	}
	rest := r.records[after-r.floor:]
	for _, rec := range rest {
		p.bytes += sizeOf(rec)
	}
	n := prefix(rest, responseBytes)
	p.records, p.more = slices.Clone(rest[:n]), n < len(rest)
	if r.moved == nil {
		r.moved = make(chan struct{})
	}
	p.moved = r.moved
	return p
}
