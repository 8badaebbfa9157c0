package topic

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/sqldb"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// transaction is one attempt: what it locked, numbered and inserts.
type transaction struct {
	*Log
	tx      *sql.Tx
	now     time.Time
	parts   map[uint32]*partition
	topics  map[topicKey]*topicState
	touched []*topicState // in order of their first row
	rows    []Row
	records []*topicv1.Record // of rows, to be published
	erased  []erasure
	keys    []*work // without rows
}

type partition struct {
	number                  uint32
	epoch, position, writer uint64
	alone                   bool // nobody else has mutated here since this process did
	written                 bool
}

type topicKey struct{ workspace, topic string }

type topicState struct {
	topicKey
	partition                                            uint32
	epoch, head, count, calls, floor, redacted, position uint64
	touched                                              bool
}

// erasure empties rows of a topic.
type erasure struct {
	topicKey
	offsets []uint64
}

func (l *Log) begin(tx *sql.Tx) *transaction {
	return &transaction{Log: l, tx: tx, now: time.Now(), parts: map[uint32]*partition{}, topics: map[topicKey]*topicState{}}
}

// run does everything between BEGIN and COMMIT.
func (t *transaction) run(ctx context.Context, works []*work) error {
	numbers := make([]uint32, 0, len(works))
	for _, w := range works {
		numbers = append(numbers, w.partition)
	}
	if err := t.lock(ctx, numbers); err != nil {
		return err
	}
	t.recall()
	open, err := t.dedup(ctx, works)
	if err != nil {
		return err
	}
	if open, err = t.plan(ctx, open); err != nil {
		return err
	}
	if err := t.load(ctx, open); err != nil {
		return err
	}
	for _, w := range open {
		if err := t.number(w); err != nil {
			return err
		}
	}
	return t.write(ctx)
}

// lock takes the partitions' heads in ascending order.
func (t *transaction) lock(ctx context.Context, numbers []uint32) error {
	slices.Sort(numbers)
	list := make([]int32, 0, len(numbers))
	for _, n := range slices.Compact(numbers) {
		list = append(list, int32(n))
	}
	var arg any = list
	if t.dialect != sqldb.Postgres {
		data, err := json.Marshal(list)
		if err != nil {
			return fmt.Errorf("topic: encode partitions: %w", err)
		}
		arg = string(data)
	}
	err := each(t.tx.QueryContext(ctx, t.sql.lock, arg))(func(r *sql.Rows) error {
		p := &partition{}
		if err := r.Scan(&p.number, &p.epoch, &p.position, &p.writer); err != nil {
			return err
		}
		t.parts[p.number] = p
		return nil
	})
	if err != nil {
		return fmt.Errorf("topic: lock partitions: %w", err)
	}
	if len(t.parts) < len(list) {
		return fmt.Errorf("topic: %s has no rows for some partitions of %v", t.cfg.Schema.table("partition"), list)
	}
	return nil
}

// dedup answers retries and returns the others. Invariant: it runs under the locks of the partitions, so that nobody can use a key
// between its look-up and COMMIT.
func (t *transaction) dedup(ctx context.Context, works []*work) ([]*work, error) {
	for _, w := range works {
		w.answer, w.err = nil, nil
	}
	places, err := t.perhapsUsed(ctx, works)
	if err != nil || len(places) == 0 {
		return works, err
	}
	tuples := make([][]any, 0, len(places))
	for _, i := range places {
		w, k := works[i], works[i].step.Key
		tuples = append(tuples, []any{int64(i), int64(w.partition), w.step.Workspace, k.User, k.ClientID, signed(k.Seq)})
	}
	settled := map[int]bool{}
	err = each(t.tx.QueryContext(ctx, t.sql.keys, t.sql.keyRows.Args(tuples)...))(func(r *sql.Rows) error {
		var (
			i                    int
			known                bool
			digest, salt, answer []byte
		)
		if err := r.Scan(&i, &known, &digest, &salt, &answer); err != nil {
			return err
		}
		settled[i] = true
		w := works[i]
		switch {
		case !known:
			w.err = errKeyTooOld
		case digest != nil && !hmac.Equal(digest, digestOf(salt, w.request)): // a redacted one matches everything
			w.err = errKeyReused
		default:
			w.answer = answer
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("topic: look keys up: %w", err)
	}
	t.metrics.retries.Add(float64(len(settled)))
	if len(settled) == 0 {
		return works, nil
	}
	open := make([]*work, 0, len(works)-len(settled))
	for i, w := range works {
		if !settled[i] {
			open = append(open, w)
		}
	}
	return open, nil
}

func digestOf(salt, request []byte) []byte {
	h := hmac.New(sha256.New, salt)
	h.Write(request)
	return h.Sum(nil)
}

// plan asks the service, and returns the works that it didn't refuse.
func (t *transaction) plan(ctx context.Context, works []*work) ([]*work, error) {
	if len(works) == 0 {
		return nil, nil
	}
	steps := make([]*Step, len(works))
	for i, w := range works {
		p := t.parts[w.partition]
		w.step.Now, w.step.Alone, w.step.Entries, w.step.Answer, w.step.Err = t.now, p.alone, nil, nil, nil
		steps[i] = &w.step
		p.writer, p.written = t.incarnation, true // whatever the planner makes of it
	}
	if err := t.planner.Plan(ctx, t.tx, steps); err != nil {
		return nil, fmt.Errorf("topic: plan: %w", err)
	}
	open := works[:0:0]
	for _, w := range works {
		if w.err = w.step.Err; w.err == nil {
			open = append(open, w)
		}
	}
	return open, nil
}

// load reads the heads of the topics that works append to.
func (t *transaction) load(ctx context.Context, works []*work) error {
	var keys []topicKey
	for _, w := range works {
		for i := range w.step.Entries {
			e := &w.step.Entries[i]
			k := topicKey{w.step.Workspace, e.Topic}
			if t.topics[k] != nil {
				continue
			}
			if !ValidName(e.Topic) || PartitionOf(k.workspace, ID(e.Topic)) != w.partition {
				return fmt.Errorf("topic: %q doesn't lie in the partition of route %q", e.Topic, w.step.Route)
			}
			t.topics[k] = &topicState{topicKey: k, partition: w.partition, epoch: t.parts[w.partition].epoch}
			keys = append(keys, k)
		}
	}
	found, err := t.loadTopics(ctx, t.tx.QueryContext, keys)
	for i := range found {
		if f := &found[i]; f.partition != t.topics[f.topicKey].partition {
			return fmt.Errorf("topic: %q is stored in partition %d", f.topic, f.partition)
		}
		t.topics[found[i].topicKey] = &found[i]
	}
	return err
}

// number gives a work's entries their places, and makes its answer.
func (t *transaction) number(w *work) error {
	first := len(t.rows)
	for i := range w.step.Entries {
		if err := t.append(&w.step.Entries[i], &w.step.Mutation, w.partition); err != nil {
			return err
		}
	}
	if w.step.Answer != nil {
		m := w.step.Answer(t.rows[first:len(t.rows):len(t.rows)])
		var err error
		if w.answer, err = proto.Marshal(m); err != nil {
			return fmt.Errorf("topic: encode answer: %w", err)
		}
	}
	if !w.step.Key.named() {
		return nil
	}
	if len(w.step.Entries) == 0 {
		t.keys = append(t.keys, w)
		return nil
	}
	r := &t.rows[first]
	r.ClientID, r.ClientSeq, r.Answer = w.step.Key.ClientID, w.step.Key.Seq, w.answer
	r.Salt = newSalt()
	r.Digest = digestOf(r.Salt, w.request)
	return nil
}

func newSalt() []byte {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	return salt
}

// append numbers one entry.
func (t *transaction) append(e *Entry, m *Mutation, number uint32) error {
	s, p := t.topics[topicKey{m.Workspace, e.Topic}], t.parts[number]
	if len(e.Body) > t.cfg.MaxBody {
		return errTooLarge
	}
	p.position++
	p.written = true
	s.head++
	s.position = p.position
	if e.Countable {
		s.count++
		if e.CallsAll {
			s.calls++
		}
	}
	if len(e.Redacts) > 0 {
		if err := checkRedacts(e.Redacts, s.head); err != nil {
			return fmt.Errorf("topic: %q: %w", e.Topic, err)
		}
		s.redacted = s.head
		t.erased = append(t.erased, erasure{s.topicKey, e.Redacts})
	}
	if e.Floor > 0 {
		if e.Floor >= s.head {
			return fmt.Errorf("topic: %q: event %d can't raise the floor to %d", e.Topic, s.head, e.Floor)
		}
		s.floor, s.redacted = max(s.floor, e.Floor), s.head
	}
	if !s.touched {
		s.touched = true
		t.touched = append(t.touched, s)
	}
	envelope, err := envelopeOf(e)
	if err != nil {
		return err
	}
	t.rows = append(t.rows, Row{
		Partition: number, Position: p.position, Workspace: m.Workspace, Topic: e.Topic, Epoch: s.epoch, Offset: s.head,
		TimeMs: t.now.UnixMilli(), Mutation: m.Key.Mutation(), Body: e.Body, Envelope: envelope, Count: s.count, Calls: s.calls,
		User: m.Key.User, Extra: e.Extra,
	})
	t.records = append(t.records, t.rows[len(t.rows)-1].record(e))
	return nil
}

func checkRedacts(offsets []uint64, own uint64) error {
	if len(offsets) > 1000 {
		return fmt.Errorf("%d redactions in one event", len(offsets))
	}
	for _, o := range offsets {
		if o == 0 || o >= own {
			return fmt.Errorf("event %d can't redact %d", own, o)
		}
	}
	return nil
}
