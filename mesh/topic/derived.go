package topic

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/sqldb"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// derivations keeps the heads of the topics that a follower has derived from, and announces them.
//
// Who shows people where topics stand, together with what was derived for them, must follow these heads in place of those of the
// log: at a committed head somebody's own part of it may not exist yet.
type derivations struct {
	service string
	bus     Bus // nil: nothing is announced
	dialect sqldb.Dialect
	table   string
	sql     struct{ marks, moved, renew string }

	mu    sync.Mutex // guards parts
	parts [Partitions]struct {
		at   mark
		sent time.Time // zero: where the follower stands isn't known
	}
}

var derivedTable = []Column{
	{Name: "workspace", Type: "text"}, {Name: "topic", Type: "text"}, {Name: "partition", Type: "integer"}, {Name: "epoch", Type: "bigint"},
	{Name: "head", Type: "bigint"}, {Name: "count", Type: "bigint"}, {Name: "calls", Type: "bigint"}, {Name: "redacted", Type: "bigint"},
	{Name: "position", Type: "bigint"},
}

func newDerivations(cfg FollowerConfig, d sqldb.Dialect, b Bus) *derivations {
	v := &derivations{service: cfg.Service, bus: b, dialect: d, table: cfg.Prefix + "_derived"}
	v.sql.marks = "SELECT partition, epoch, position FROM " + cfg.Prefix + "_cursor WHERE follower = $1"
	v.sql.moved = movedStatement(d, "t.workspace, t.topic, t.partition, t.epoch, t.head, t.count, t.calls, 0, t.redacted, t.position", v.table)
	v.sql.renew = "UPDATE " + v.table + " SET epoch = $1 WHERE partition = $2"
	return v
}

// derived is the head of a topic after a run of records.
type derived struct {
	State
	partition uint32
	position  uint64
}

// headsOf returns the heads after a run of records of a partition, in the order of their first record.
func headsOf(records []*topicv1.Record, number uint32, epoch uint64) []*derived {
	var heads []*derived
	known := make(map[topicKey]*derived, len(records))
	for _, r := range records {
		k := topicKey{r.GetWorkspace(), r.GetTopic()}
		h := known[k]
		if h == nil {
			h = &derived{State: State{Workspace: k.workspace, Topic: k.topic, Epoch: epoch}, partition: number}
			known[k], heads = h, append(heads, h)
		}
		h.Offset, h.Count, h.Calls, h.position = r.GetEvent().GetOffset(), r.GetCount(), r.GetCalls(), r.GetPosition()
		if len(r.GetRedacts()) > 0 {
			h.Redacted = h.Offset
		}
	}
	return heads
}

// keep writes heads in the follower's transaction, before anything is derived, so that what is derived sees them.
//
// Invariant: a row is never ahead of the cursor that the same transaction moves; only while a restored history is derived again,
// where all of it was derived before.
func (v *derivations) keep(ctx context.Context, tx *sql.Tx, heads []*derived) error {
	values := newTable(derivedTable)
	for _, h := range heads {
		values.add(h.Workspace, h.Topic, int64(h.partition), signed(h.Epoch), signed(h.Offset), signed(h.Count), signed(h.Calls), signed(h.Redacted),
			signed(h.position))
	}
	return insert(ctx, tx, v.dialect, v.table, values.columns, values.values, "ON CONFLICT (workspace, topic) DO UPDATE SET epoch = excluded.epoch,"+
		" head = excluded.head, count = excluded.count, calls = excluded.calls, position = excluded.position,"+
		" redacted = CASE WHEN excluded.redacted > "+v.table+".redacted THEN excluded.redacted ELSE "+v.table+".redacted END"+
		" WHERE excluded.head >= "+v.table+".head")
}

// begun takes the rows over into the new life of a history that is derived again.
func (v *derivations) begun(ctx context.Context, tx *sql.Tx, number uint32, epoch uint64) error {
	if _, err := tx.ExecContext(ctx, v.sql.renew, signed(epoch), int64(number)); err != nil {
		return fmt.Errorf("renew heads: %w", err)
	}
	return nil
}

// announce tells that a transaction took the follower from one place of a partition to another: what was appended to because of it, then
// what was derived from.
//
// Invariant: no head is announced without those of what was derived from it, or whoever misses the one message would show a head ahead of
// somebody's removal or badge.
func (v *derivations) announce(number uint32, from, to mark, appended []State, heads []*derived) {
	m := &topicv1.Derived{Epoch: to.epoch, After: from.position, Upto: to.position}
	if from.epoch != to.epoch {
		m.After = 0
	}
	tell := func(s State) {
		m.Heads, m.Workspaces = append(m.Heads, s.Head()), append(m.Workspaces, s.Workspace)
	}
	for _, s := range appended {
		tell(s)
	}
	for _, h := range heads {
		tell(h.State)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.parts[number].at = to
	v.send(number, m)
}

// send needs the lock.
func (v *derivations) send(number uint32, m *topicv1.Derived) {
	v.parts[number].sent = time.Now()
	if v.bus == nil {
		return
	}
	if data, err := proto.Marshal(m); err == nil {
		_ = v.bus.Publish(DerivedSubject(v.service, number), data) // a lost one is seen by the next
	}
}

// stands tells where the follower stands in a partition.
func (v *derivations) stands(number uint32, at mark) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p := &v.parts[number]; p.sent.IsZero() || p.at != at {
		p.at = at
		v.send(number, &topicv1.Derived{Epoch: at.epoch, After: at.position, Upto: at.position})
	}
}

// run gives signs of life until ctx ends.
func (v *derivations) run(ctx context.Context) {
	for sleep(ctx, digestTick) {
		v.beat(time.Now())
	}
}

func (v *derivations) beat(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for n := range v.parts {
		if p := &v.parts[n]; !p.sent.IsZero() && now.Sub(p.sent) >= digestGap {
			v.send(uint32(n), &topicv1.Derived{Epoch: p.at.epoch, After: p.at.position, Upto: p.at.position})
		}
	}
}

// marks reads how far a follower has come.
func (v *derivations) marks(ctx context.Context, db *sqldb.DB, follower string) ([]mark, error) {
	marks := make([]mark, Partitions)
	err := each(db.Query(ctx, v.sql.marks, follower))(func(r *sql.Rows) error {
		var n uint64
		var m mark
		err := r.Scan(&n, &m.epoch, &m.position)
		marks[n%Partitions] = m
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("topic: read cursors: %w", err)
	}
	return marks, nil
}

// Heads tells which topics the follower has derived from since a watermark, as Log.Heads tells what was committed. It needs
// FollowerConfig.Announce.
func (f *Follower) Heads(ctx context.Context, since, workspace string) (*topicv1.HeadsResponse, error) {
	if f.derived == nil {
		return nil, errNotDerived
	}
	now, err := f.derived.marks(ctx, f.deps.DB, f.cfg.Name)
	if err != nil {
		return nil, numbered(err)
	}
	return movedSince(ctx, f.deps.DB, f.derived.sql.moved, now, since, workspace)
}

// DerivedSubject is where is announced what the follower of a service has derived from a partition.
func DerivedSubject(service string, partition uint32) string {
	return "plenum._.derived." + service + "." + strconv.FormatUint(uint64(partition), 10)
}

// intervals puts announcements of a partition in order: each goes on where the one before ended, whoever made it. Pure: time is
// given.
//
// Invariant: what is taken out is everything that was derived up to a position, or an answer has told it.
type intervals struct {
	parts [Partitions]struct {
		known mark
		later []*topicv1.Derived // behind a hole
		heard time.Time
	}
	started bool // known is where the follower stood at some time
	waiting int  // cost of all of later
}

// maxLater is what is kept behind holes, by cost; what goes beyond comes with the answer.
const maxLater = 10_000

// cost counts an announcement and its heads: those without any come every second.
func cost(d *topicv1.Derived) int { return 1 + len(d.GetHeads()) }

func newIntervals(now time.Time) *intervals {
	v := &intervals{}
	for i := range v.parts {
		v.parts[i].heard = now
	}
	return v
}

// take returns the announcements that are due with this one, and whether something before it was missed.
func (v *intervals) take(now time.Time, number uint32, d *topicv1.Derived) (due []*topicv1.Derived, missed bool) {
	p := &v.parts[number]
	p.heard = now
	if !v.started {
		return nil, false // the answer to the first question tells where it starts
	}
	switch order(p.known, d) {
	case stale:
		return nil, false
	case next:
		p.known = mark{d.GetEpoch(), d.GetUpto()}
		return append([]*topicv1.Derived{d}, v.drain(number)...), false
	default:
		if v.waiting+cost(d) <= maxLater {
			p.later = append(p.later, d)
			v.waiting += cost(d)
		}
		return nil, true
	}
}

// answered takes over how far an answer has told, and returns the announcements that are due now.
func (v *intervals) answered(upto []mark) (due []*topicv1.Derived) {
	v.started = true
	for n := range upto {
		p := &v.parts[n]
		if m := upto[n]; m.epoch > p.known.epoch || m.epoch == p.known.epoch && m.position > p.known.position {
			p.known = m
		}
		due = append(due, v.drain(uint32(n))...)
	}
	return due
}

// drain takes out what waits and goes on where known ends.
func (v *intervals) drain(number uint32) (due []*topicv1.Derived) {
	p := &v.parts[number]
	for again := true; again; {
		again = false
		kept := p.later[:0]
		for _, d := range p.later {
			switch order(p.known, d) {
			case stale:
				v.waiting -= cost(d)
			case next:
				v.waiting -= cost(d)
				p.known = mark{d.GetEpoch(), d.GetUpto()}
				due, again = append(due, d), true
			default:
				kept = append(kept, d)
			}
		}
		clear(p.later[len(kept):])
		p.later = kept
	}
	return due
}

// tick reports whether a partition has fallen silent, or waits for what an answer did not bring.
func (v *intervals) tick(now time.Time) (missed bool) {
	for i := range v.parts {
		p := &v.parts[i]
		if now.Sub(p.heard) >= silence {
			p.heard = now
			missed = true
		}
		missed = missed || len(p.later) > 0
	}
	return missed
}

const (
	stale = iota // tells nothing new
	next         // goes on where known ends
	hole         // something lies between
)

func order(known mark, d *topicv1.Derived) int {
	switch {
	case d.GetEpoch() < known.epoch, d.GetEpoch() == known.epoch && d.GetUpto() <= known.position && d.GetAfter() <= known.position:
		return stale
	case d.GetEpoch() == known.epoch && d.GetAfter() <= known.position, d.GetEpoch() > known.epoch && d.GetAfter() == 0:
		return next
	}
	return hole
}
