// Package ring is the contiguous run of a topic's newest events: it puts publications in order, notices what is missing, and
// answers what came after a cursor.
package ring

import (
	"slices"
	"sort"

	"google.golang.org/protobuf/proto"

	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Limits bound what a ring keeps. Beyond Count or Bytes the oldest events go; beyond Early those that are furthest ahead.
type Limits struct {
	Count int // events
	Bytes int // of their bodies, with about 100 for each event
	Early int // events that came ahead of a missing one
}

// Ring is the run of one topic in one epoch. It does no I/O and is not safe for concurrent use.
//
// Invariant: entries holds every event of the log with From < offset <= Head, ascending; Head only grows.
// Invariant: no entry, early or in order, has a body that a record seen so far redacts, and none lies at or below a floor that one told.
type Ring struct {
	limits  Limits
	epoch   uint64
	from    uint64
	head    uint64
	target  uint64 // the highest offset heard of
	entries []*topicv1.Record
	bytes   int
	early   map[uint64]*topicv1.Record
	// redacted are offsets whose bodies are gone, kept while a read is under way, that may have seen them before.
	redacted map[uint64]struct{}
	floor    uint64 // what lies at or below is gone
	keep     func() uint64
}

// New returns an empty run that begins behind head. keep, if not nil, says from which cursor on events must be kept although
// the limits are exceeded: the smallest that somebody is still reading from; ^uint64(0) where nobody is.
func New(epoch, head uint64, limits Limits, keep func() uint64) *Ring {
	return &Ring{limits: limits, epoch: epoch, from: head, head: head, target: head, keep: keep}
}

// Epoch is the life of the log that the run belongs to.
func (r *Ring) Epoch() uint64 { return r.epoch }

// From is the oldest cursor that Since can answer.
func (r *Ring) From() uint64 { return r.from }

// Head is the newest offset of the run.
func (r *Ring) Head() uint64 { return r.head }

// Behind reports that the log is known to have more than the run.
func (r *Ring) Behind() bool { return r.target > r.head }

// Heard tells that the log reaches to offset.
func (r *Ring) Heard(offset uint64) { r.target = max(r.target, offset) }

// Bytes is about what the events in order take.
func (r *Ring) Bytes() int { return r.bytes }

// Publish takes records as they come from the bus, in any order, doubled, with holes; all are of this epoch. It returns those that
// continue the run. What is not whole (BodyOmitted) counts as missing.
func (r *Ring) Publish(records []*topicv1.Record) (fresh []*topicv1.Record) {
	for _, rec := range records {
		at := rec.GetEvent().GetOffset()
		r.Heard(at)
		switch {
		case at <= r.head || rec.GetBodyOmitted():
		case at == r.head+1:
			fresh = r.follow(fresh, rec)
		default:
			r.hold(rec)
		}
	}
	r.trim()
	return fresh
}

// Read takes what a read of the log after the cursor `after` answered, in its order: between two neighbours the log has nothing.
// It returns what continues the run.
func (r *Ring) Read(after uint64, records []*topicv1.Record) (fresh []*topicv1.Record) {
	if after > r.head {
		return nil // between the run and the read there may be more
	}
	for _, rec := range records {
		r.clear(rec)
		if at := rec.GetEvent().GetOffset(); at > r.head {
			r.Heard(at)
			fresh = r.follow(fresh, rec)
		}
	}
	r.trim()
	return fresh
}

// Prepend takes what a read of the log after the cursor `after` answered where it lies before the run, so that the run begins
// at `after`, or at the floor if that has risen above it. The answer must reach to From.
func (r *Ring) Prepend(after uint64, records []*topicv1.Record) {
	if after = max(after, r.floor); after >= r.from {
		return
	}
	behind := func(offset uint64) int {
		return sort.Search(len(records), func(i int) bool { return records[i].GetEvent().GetOffset() > offset })
	}
	older := slices.Clone(records[behind(after):behind(r.from)])
	for _, rec := range older {
		r.clear(rec)
		r.bytes += size(rec)
	}
	r.entries = append(older, r.entries...)
	r.from = after
	r.redact(older...)
	r.trim()
}

// Since returns the events after a cursor, at most about maxBytes of them but one at least, and the cursor behind them; ok is
// false where the run begins later or the cursor is ahead of it.
func (r *Ring) Since(after uint64, maxBytes int) (records []*topicv1.Record, upto uint64, ok bool) {
	if after < r.from || after > r.head {
		return nil, after, false
	}
	first := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].GetEvent().GetOffset() > after })
	end, bytes := first, 0
	for end < len(r.entries) && (end == first || bytes+size(r.entries[end]) <= maxBytes) {
		bytes += size(r.entries[end])
		end++
	}
	if end == len(r.entries) {
		return r.entries[first:], r.head, true
	}
	return r.entries[first:end:end], r.entries[end-1].GetEvent().GetOffset(), true
}

// Reading tells that a read of the log begins: until Settled its answer may hold what was redacted meanwhile.
func (r *Ring) Reading() {
	if r.redacted == nil {
		r.redacted = map[uint64]struct{}{}
	}
}

// Settled tells that no read is under way.
func (r *Ring) Settled() { r.redacted = nil }

// Shrink drops the oldest events beyond count and bytes, as if the limits were these.
func (r *Ring) Shrink(count, bytes int) { r.shrink(count, bytes) }

// follow appends a record, and what waited for it.
func (r *Ring) follow(fresh []*topicv1.Record, rec *topicv1.Record) []*topicv1.Record {
	for rec != nil {
		r.head = rec.GetEvent().GetOffset()
		r.target = max(r.target, r.head)
		r.entries = append(r.entries, rec)
		r.bytes += size(rec)
		fresh = append(fresh, rec)
		r.redact(rec)
		r.floor = max(r.floor, rec.GetFloor())
		delete(r.early, r.head)
		rec = r.early[r.head+1]
	}
	for at := range r.early {
		if at <= r.head {
			delete(r.early, at)
		}
	}
	return fresh
}

// hold keeps a record that came ahead of its turn. When too many wait, the furthest goes: a read will bring it again.
func (r *Ring) hold(rec *topicv1.Record) {
	if r.early == nil {
		r.early = map[uint64]*topicv1.Record{}
	}
	r.early[rec.GetEvent().GetOffset()] = rec
	if len(r.early) > r.limits.Early {
		furthest := uint64(0)
		for at := range r.early {
			furthest = max(furthest, at)
		}
		delete(r.early, furthest)
	}
}

// redact empties what the records say is gone.
func (r *Ring) redact(records ...*topicv1.Record) {
	for _, rec := range records {
		for _, at := range rec.GetRedacts() {
			if r.redacted != nil {
				r.redacted[at] = struct{}{}
			}
			i := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].GetEvent().GetOffset() >= at })
			if i < len(r.entries) && r.entries[i].GetEvent().GetOffset() == at {
				r.empty(r.entries[i])
			}
		}
	}
}

// clear empties a record that a read brought, if it was redacted since the read began.
func (r *Ring) clear(rec *topicv1.Record) {
	if _, gone := r.redacted[rec.GetEvent().GetOffset()]; gone {
		rec.Event.Body = nil
	}
}

func (r *Ring) empty(rec *topicv1.Record) {
	r.bytes -= len(rec.GetEvent().GetBody())
	rec.Event.Body = nil
}

// trim forgets what lies at or below the floor, also what is kept for somebody, since the log doesn't tell it any more; and what is too much.
func (r *Ring) trim() {
	if r.floor > r.from {
		r.from = r.floor
		r.drop(sort.Search(len(r.entries), func(i int) bool { return r.entries[i].GetEvent().GetOffset() > r.floor }))
	}
	r.shrink(r.limits.Count, r.limits.Bytes)
}

func (r *Ring) shrink(count, bytes int) {
	keep := ^uint64(0)
	if r.keep != nil && (len(r.entries) > count || r.bytes > bytes) {
		keep = r.keep()
	}
	n, left := 0, r.bytes
	for n < len(r.entries) && (len(r.entries)-n > count || left > bytes) && r.entries[n].GetEvent().GetOffset() <= keep {
		left -= size(r.entries[n])
		n++
	}
	if n > 0 {
		r.from = r.entries[n-1].GetEvent().GetOffset()
		r.drop(n)
	}
}

// drop takes the oldest entries away.
func (r *Ring) drop(n int) {
	if n == 0 {
		return
	}
	for _, rec := range r.entries[:n] {
		r.bytes -= size(rec)
	}
	clear(r.entries[:n])
	r.entries = r.entries[n:]
	if cap(r.entries) > 4*len(r.entries)+16 {
		r.entries = slices.Clone(r.entries)
	}
}

const overhead = 100

func size(rec *topicv1.Record) int {
	n := overhead + len(rec.GetEvent().GetBody())
	for _, h := range rec.GetHeads() {
		n += proto.Size(h)
	}
	return n + 40*len(rec.GetAccess()) + 8*len(rec.GetRedacts())
}
