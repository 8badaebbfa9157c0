package topic

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Sizes of answers, in bytes of bodies with recordBytes for each record's envelope.
const (
	responseBytes = 64 << 10
	tailBytes     = 1 << 20 // of Tail where the caller names no limit
	maxTailBytes  = 8 << 20
	recordBytes   = 64
	headsLimit    = 1000 // in one answer
	followRows    = 500  // in one read
)

// State is what a topic's head row says.
type State struct {
	Workspace, Topic string
	Epoch            uint64
	Offset           uint64 // of the newest event; 0: none yet
	Count, Calls     uint64
	Floor            uint64 // what lies at or below was compacted away
	Redacted         uint64 // offset of the newest redaction
}

// Head returns the state in the form that digests and bundles carry.
func (s State) Head() *edgev1.Head {
	return &edgev1.Head{Topic: s.Topic, Epoch: s.Epoch, Offset: s.Offset, Count: s.Count, Calls: s.Calls, Redacted: s.Redacted}
}

// Cursor returns the place of the newest event.
func (s State) Cursor() *edgev1.Cursor { return &edgev1.Cursor{Epoch: s.Epoch, Offset: s.Offset} }

// Start returns the place before the oldest event.
func (s State) Start() *edgev1.Cursor { return &edgev1.Cursor{Epoch: s.Epoch, Offset: s.Floor} }

func (t *topicState) state() State {
	return State{t.workspace, t.topic, t.epoch, t.head, t.count, t.calls, t.floor, t.redacted}
}

type query func(ctx context.Context, q string, args ...any) (*sql.Rows, error)

// loadTopics reads the head rows that exist.
func (l *Log) loadTopics(ctx context.Context, q query, keys []topicKey) ([]topicState, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	tuples := make([][]any, len(keys))
	for i, k := range keys {
		tuples[i] = []any{k.workspace, k.topic}
	}
	found := make([]topicState, 0, len(keys))
	err := each(q(ctx, l.sql.topics, l.sql.topicRows.Args(tuples)...))(func(r *sql.Rows) error {
		s, err := scanTopic(r)
		found = append(found, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("topic: read heads: %w", err)
	}
	return found, nil
}

func scanTopic(r *sql.Rows) (topicState, error) {
	var s topicState
	var partition, epoch, head, count, calls, floor, redacted, position int64 // as in records
	err := r.Scan(&s.workspace, &s.topic, &partition, &epoch, &head, &count, &calls, &floor, &redacted, &position)
	s.partition, s.epoch, s.head, s.count, s.calls = uint32(partition), unsigned(epoch), unsigned(head), unsigned(count), unsigned(calls)
	s.floor, s.redacted, s.position = unsigned(floor), unsigned(redacted), unsigned(position)
	return s, err
}

// States reads the heads of topics, in the order asked for. A topic without events has offset 0 and its partition's epoch.
func (l *Log) States(ctx context.Context, workspace string, topics ...string) ([]State, error) {
	keys := make([]topicKey, len(topics))
	for i, t := range topics {
		keys[i] = topicKey{workspace, t}
	}
	heads, err := l.heads(ctx, keys)
	if err != nil {
		return nil, err
	}
	states := make([]State, len(topics))
	for i, k := range keys {
		states[i] = heads[k]
	}
	return states, nil
}

// heads is States for topics of any workspace; a topic may be asked for more than once.
func (l *Log) heads(ctx context.Context, keys []topicKey) (map[topicKey]State, error) {
	heads := make(map[topicKey]State, len(keys))
	once := make([]topicKey, 0, len(keys))
	for _, k := range keys {
		if _, ok := heads[k]; !ok {
			heads[k], once = State{}, append(once, k)
		}
	}
	found, err := l.loadTopics(ctx, l.db.Query, once)
	if err != nil {
		return nil, numbered(err)
	}
	for i := range found {
		heads[found[i].topicKey] = found[i].state()
	}
	if len(found) == len(once) {
		return heads, nil
	}
	parts, err := l.marks(ctx)
	if err != nil {
		return nil, numbered(err)
	}
	for k, h := range heads {
		if h.Topic == "" {
			heads[k] = State{Workspace: k.workspace, Topic: k.topic, Epoch: parts[PartitionOf(k.workspace, ID(k.topic))].epoch}
		}
	}
	return heads, nil
}

// marks reads epoch and position of every partition. Invariant: a partition has an epoch before anybody hears of it; until the first
// start has made the rows, nothing is answered.
func (l *Log) marks(ctx context.Context) ([]mark, error) {
	parts := make([]mark, Partitions)
	found := 0
	err := each(l.db.Query(ctx, l.sql.partitions))(func(r *sql.Rows) error {
		var (
			n, pruned uint64
			m         mark
		)
		if err := r.Scan(&n, &m.epoch, &m.position, &pruned); err != nil {
			return err
		}
		parts[n%Partitions] = m
		found++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("topic: read partitions: %w", err)
	}
	if found < Partitions {
		return nil, errStarting
	}
	return parts, nil
}

// Tail sends what a topic holds after a cursor (nil: from its floor), in responses of at most 64 KiB or one record, and returns at
// its end. Where that can't be, one response holds a reset: epoch, floor, or more than maxBytes (0: 1 MiB). Nothing precedes a reset.
func (l *Log) Tail(ctx context.Context, workspace, topic string, after *edgev1.Cursor, maxBytes int, send func(*topicv1.TailResponse) error) error {
	if !ValidID(workspace) {
		return errBadWorkspace
	}
	if !ValidName(topic) {
		return errBadTopic
	}
	states, err := l.States(ctx, workspace, topic)
	if err != nil {
		return err
	}
	s := states[0]
	if after == nil {
		after = s.Start()
	}
	if maxBytes <= 0 {
		maxBytes = tailBytes
	}
	maxBytes = min(maxBytes, maxTailBytes)
	reset := func(e *rpc.Error) error {
		return send(&topicv1.TailResponse{Reset_: rpc.FromError(e), Head: s.Cursor()})
	}
	switch {
	case after.GetEpoch() != s.Epoch || after.GetOffset() > s.Offset:
		return reset(resetEpoch)
	case after.GetOffset() < s.Floor:
		return reset(resetFloor)
	case s.Offset-after.GetOffset() > uint64(maxBytes/recordBytes):
		return reset(resetTooLong)
	case after.GetOffset() == s.Offset: // most of those who come back
		return send(&topicv1.TailResponse{Head: s.Cursor()})
	}
	var records []*topicv1.Record
	size := 0
	err = l.records(ctx, l.sql.tail, []any{workspace, topic, signed(after.GetOffset()), signed(s.Offset)}, func(r *topicv1.Record) bool {
		r.Epoch = s.Epoch // what survived a restore belongs to the new life
		records = append(records, r)
		size += sizeOf(r)
		return size <= maxBytes
	})
	if err != nil {
		return numbered(err)
	}
	if size > maxBytes && len(records) > 1 {
		return reset(resetTooLong)
	}
	if slices.ContainsFunc(records, func(r *topicv1.Record) bool { return len(r.GetEvent().GetBody()) == 0 }) {
		// Perhaps the floor has risen since it was looked at, and what lies below was erased.
		now, err := l.States(ctx, workspace, topic)
		if err != nil {
			return err
		}
		if after.GetOffset() < now[0].Floor {
			return reset(resetFloor)
		}
	}
	head := s.Cursor()
	for first := true; first || len(records) > 0; first = false {
		n := prefix(records, responseBytes)
		if err := send(&topicv1.TailResponse{Records: records[:n], Head: head}); err != nil {
			return err
		}
		records, head = records[n:], nil
	}
	return nil
}

// rangeRows is how many rows Range asks for at a time, unless they are long.
const rangeRows = 512

// Range goes over what a topic holds after a cursor, up to and with the offset last, however much that is; a service's own reading, which no
// client's memory bounds. Rows come in parts, so that it holds neither much of them nor the database for long. Errors: what do returns;
// CODE_RESET_EPOCH and CODE_RESET_FLOOR where Tail would answer so; CODE_RESET_EPOCH, too, where last is beyond the head.
func (l *Log) Range(ctx context.Context, workspace, topic string, after *edgev1.Cursor, last uint64, do func(*topicv1.Record) error) error {
	states, err := l.States(ctx, workspace, topic)
	if err != nil {
		return err
	}
	at := after.GetOffset()
	switch s := states[0]; {
	case after.GetEpoch() != s.Epoch || last > s.Offset:
		return resetEpoch
	case at < s.Floor:
		return resetFloor
	}
	for rows := uint64(rangeRows); at < last; {
		var records []*topicv1.Record
		size := 0
		err := l.records(ctx, l.sql.tail, []any{workspace, topic, signed(at), signed(min(last, at+rows))}, func(r *topicv1.Record) bool {
			r.Epoch = after.GetEpoch()
			records = append(records, r)
			size += sizeOf(r)
			return size < tailBytes
		})
		if err != nil {
			return numbered(err)
		}
		for _, r := range records {
			if err := do(r); err != nil {
				return err
			}
			at = r.GetEvent().GetOffset()
		}
		switch {
		case size >= tailBytes: // what was read beyond was read in vain
			rows = max(1, uint64(len(records)))
		case len(records) == 0: // a hole, for do to see
			at += rows
		default:
			rows = min(2*rows, rangeRows)
		}
	}
	return nil
}

func sizeOf(r *topicv1.Record) int { return len(r.GetEvent().GetBody()) + recordBytes }

// prefix returns how many records fit into limit bytes, at least one where there is one.
func prefix(records []*topicv1.Record, limit int) int {
	size := 0
	for i, r := range records {
		size += sizeOf(r)
		if size > limit && i > 0 {
			return i
		}
	}
	return len(records)
}

// records reads rows of the log until f returns false.
func (l *Log) records(ctx context.Context, q string, args []any, f func(*topicv1.Record) bool) error {
	rows, err := l.db.Query(ctx, q, args...)
	if err != nil {
		return fmt.Errorf("topic: read the log: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			envelope                                         []byte
			epoch, offset, position, mutation, count, called int64 // database/sql takes a detour by text to unsigned numbers
		)
		r := &topicv1.Record{Event: &edgev1.Event{}}
		e := r.GetEvent()
		if err := rows.Scan(&r.Workspace, &r.Topic, &epoch, &offset, &position, &e.TimeMs, &mutation, &e.Body, &envelope, &count, &called); err != nil {
			return fmt.Errorf("topic: read the log: %w", err)
		}
		r.Epoch, r.Position, r.Count, r.Calls = unsigned(epoch), unsigned(position), unsigned(count), unsigned(called)
		e.Offset, e.Mutation = unsigned(offset), unsigned(mutation)
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(envelope, r); err != nil {
			return fmt.Errorf("topic: decode an envelope: %w", err)
		}
		if !f(r) {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("topic: read the log: %w", err)
	}
	return nil
}

// envelopeOf packs what an entry tells besides its body.
func envelopeOf(e *Entry) ([]byte, error) {
	if len(e.Access)+len(e.Redacts)+len(e.Heads) == 0 && e.About == 0 && e.Floor == 0 {
		return nil, nil
	}
	b, err := proto.Marshal(&topicv1.Record{Access: e.Access, Redacts: e.Redacts, Heads: e.Heads, About: e.About, Floor: e.Floor})
	if err != nil {
		return nil, fmt.Errorf("topic: encode envelope: %w", err)
	}
	return b, nil
}

// record is what is published of a row.
func (r *Row) record(e *Entry) *topicv1.Record {
	return &topicv1.Record{
		Workspace: r.Workspace, Topic: r.Topic, Epoch: r.Epoch, Position: r.Position, Access: e.Access, Redacts: e.Redacts, Heads: e.Heads,
		About: e.About, Floor: e.Floor, Count: r.Count, Calls: r.Calls, Event: &edgev1.Event{Offset: r.Offset, Body: r.Body, TimeMs: r.TimeMs, Mutation: r.Mutation},
	}
}
