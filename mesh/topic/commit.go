package topic

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/sqldb"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// work is one mutation on its way through a writer. Whoever submitted it reads the outcome after Submit returned nil, never before.
type work struct {
	step      Step
	partition uint32
	request   []byte // deterministic marshalling
	unknown   bool   // a COMMIT with it was lost, and not settled since

	answer []byte
	err    error
}

const maxClientSeq = 1<<53 - 1

func newWork(m Mutation) (*work, error) {
	if !ValidID(m.Workspace) || !ValidID(m.Route) {
		return nil, errBadWorkspace.Because(fmt.Errorf("workspace %q, route %q", m.Workspace, m.Route))
	}
	if m.Key.named() && (m.Key.User == "" || len(m.Key.ClientID) > 64 || m.Key.Seq == 0 || m.Key.Seq > maxClientSeq) {
		return nil, errBadKey
	}
	w := &work{step: Step{Mutation: m}, partition: PartitionOf(m.Workspace, m.Route)}
	if m.Request != nil {
		var err error
		if w.request, err = (proto.MarshalOptions{Deterministic: true}).Marshal(m.Request); err != nil {
			return nil, fmt.Errorf("topic: encode request: %w", err)
		}
	}
	return w, nil
}

type fullKey struct {
	workspace, user, client string
	seq                     uint64
	partition               uint32
}

func (w *work) key() fullKey {
	k := w.step.Key
	return fullKey{w.step.Workspace, k.User, k.ClientID, k.Seq, w.partition}
}

// commit settles every work of a batch; it never returns an error, for each has its own outcome. The same key twice in a batch goes
// in two rounds, so that the second finds what the first left.
func (l *Log) commit(ctx context.Context, batch []*work) error {
	for len(batch) > 0 {
		var again []*work
		seen := make(map[fullKey]bool, len(batch))
		round := batch[:0:0]
		for _, w := range batch {
			if w.step.Key.named() {
				if seen[w.key()] {
					again = append(again, w)
					continue
				}
				seen[w.key()] = true
			}
			round = append(round, w)
		}
		l.settle(ctx, round)
		batch = again
	}
	return nil
}

// settle brings works to an outcome. Where a step spoils its batch, halving finds it.
func (l *Log) settle(ctx context.Context, works []*work) {
	err := l.attempt(ctx, works)
	switch {
	case err == nil:
	case len(works) > 1 && !outage(err):
		l.settle(ctx, works[:len(works)/2])
		l.settle(ctx, works[len(works)/2:])
	default:
		l.log.WarnContext(ctx, "a commit failed", "service", l.cfg.Service, "mutations", len(works), "error", err)
		for _, w := range works {
			w.err = numbered(err)
			if w.unknown {
				w.err = errOutcomeUnknown.Because(err)
			}
		}
	}
}

// attempt runs works in one transaction. A lost COMMIT is settled by doing it again: the locks of the partitions wait for the end of
// the lost transaction, then the keys tell what it did.
func (l *Log) attempt(ctx context.Context, works []*work) error {
	var lost time.Time
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		t, err := l.try(ctx, works)
		switch {
		case err == nil:
			for _, w := range works {
				if w.unknown { // what the lost transaction wrote was never published: make gateways look
					l.digests.miss(w.partition)
					w.unknown = false
				}
			}
			l.committed(t)
			return nil
		case errors.Is(err, sqldb.ErrUnknownOutcome):
			l.metrics.lost.Inc()
			if lost.IsZero() {
				lost = time.Now()
			}
			for _, w := range works {
				w.unknown = true
			}
		case lost.IsZero() || !outage(err):
			return err
		}
		if time.Since(lost) >= l.cfg.Settle || !sleep(ctx, wait) {
			return err
		}
	}
}

func (l *Log) try(ctx context.Context, works []*work) (t *transaction, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Settle)
	defer cancel()
	err = l.db.Write(ctx, func(tx *sql.Tx) error {
		t = l.begin(tx)
		return t.run(ctx, works)
	})
	return t, err
}

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
	number          uint32
	epoch, position uint64
	moved           bool
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
		if err := r.Scan(&p.number, &p.epoch, &p.position); err != nil {
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
	tuples := make([][]any, 0, len(works))
	for i, w := range works {
		w.answer, w.err = nil, nil
		if k := w.step.Key; k.named() {
			tuples = append(tuples, []any{int64(i), int64(w.partition), w.step.Workspace, k.User, k.ClientID, signed(k.Seq)})
		}
	}
	if len(tuples) == 0 {
		return works, nil
	}
	args, err := keyRelation.args(t.dialect, tuples)
	if err != nil {
		return nil, err
	}
	settled := map[int]bool{}
	err = each(t.tx.QueryContext(ctx, t.sql.keys, args...))(func(r *sql.Rows) error {
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
		w.step.Now, w.step.Entries, w.step.Answer, w.step.Err = t.now, nil, nil, nil
		steps[i] = &w.step
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
	p.moved = true
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

// write stores rows, erasures and heads.
func (t *transaction) write(ctx context.Context) error {
	if len(t.rows) > 0 {
		if err := t.planner.Insert(ctx, t.tx, t.rows); err != nil {
			return fmt.Errorf("topic: insert: %w", err)
		}
	}
	for _, e := range t.erased {
		if err := t.erase(ctx, t.tx, e); err != nil {
			return err
		}
		for i := range t.rows {
			if r := &t.rows[i]; r.Topic == e.topic && r.Workspace == e.workspace && slices.Contains(e.offsets, r.Offset) {
				r.Body, r.Salt, r.Digest = nil, nil, nil
				t.records[i].GetEvent().Body = nil
			}
		}
	}
	if err := t.writeTopics(ctx); err != nil {
		return err
	}
	if err := t.writePartitions(ctx); err != nil {
		return err
	}
	return t.writeKeys(ctx)
}

func (l *Log) erase(ctx context.Context, tx *sql.Tx, e erasure) error {
	tuples := make([][]any, len(e.offsets))
	for i, o := range e.offsets {
		tuples[i] = []any{signed(o)}
	}
	args, err := offsetRelation.args(l.dialect, tuples)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, l.sql.erase, append([]any{e.workspace, e.topic}, args...)...); err != nil {
		return fmt.Errorf("topic: redact: %w", err)
	}
	return nil
}

// table collects values by column for insert.
type table struct {
	columns relation
	values  [][]any
}

func newTable(columns relation) *table {
	return &table{columns, make([][]any, len(columns))}
}

func (t *table) add(row ...any) {
	for i, v := range row {
		t.values[i] = append(t.values[i], v)
	}
}

var (
	topicTable = relation{
		{Name: "workspace", Type: "text"}, {Name: "topic", Type: "text"}, {Name: "partition", Type: "integer"}, {Name: "epoch", Type: "bigint"},
		{Name: "head", Type: "bigint"}, {Name: "count", Type: "bigint"}, {Name: "calls", Type: "bigint"}, {Name: "floor", Type: "bigint"},
		{Name: "redacted", Type: "bigint"}, {Name: "position", Type: "bigint"},
	}
	partitionTable = relation{
		{Name: "partition", Type: "integer"}, {Name: "epoch", Type: "bigint"}, {Name: "position", Type: "bigint"}, {Name: "pruned", Type: "bigint"},
	}
	keyTable = relation{
		{Name: "partition", Type: "integer"}, {Name: "workspace", Type: "text"}, {Name: "user_id", Type: "text"}, {Name: "client_id", Type: "text"},
		{Name: "client_seq", Type: "bigint"}, {Name: "time_ms", Type: "bigint"}, {Name: "digest", Type: "bytea"}, {Name: "salt", Type: "bytea"},
		{Name: "answer", Type: "bytea"},
	}
)

func (t *transaction) writeTopics(ctx context.Context) error {
	if len(t.touched) == 0 {
		return nil
	}
	v := newTable(topicTable)
	for _, s := range t.touched {
		v.add(s.workspace, s.topic, int64(s.partition), signed(s.epoch), signed(s.head), signed(s.count), signed(s.calls), signed(s.floor),
			signed(s.redacted), signed(s.position))
	}
	return insert(ctx, t.tx, t.dialect, t.cfg.Schema.table("topic"), v.columns, v.values, "ON CONFLICT (workspace, topic) DO UPDATE SET"+
		" head = excluded.head, count = excluded.count, calls = excluded.calls, redacted = excluded.redacted, position = excluded.position")
}

func (t *transaction) writePartitions(ctx context.Context) error {
	v := newTable(partitionTable)
	for _, p := range t.parts {
		if p.moved {
			v.add(int64(p.number), signed(p.epoch), signed(p.position), int64(0))
		}
	}
	return insert(ctx, t.tx, t.dialect, t.cfg.Schema.table("partition"), v.columns, v.values,
		"ON CONFLICT (partition) DO UPDATE SET position = excluded.position")
}

func (t *transaction) writeKeys(ctx context.Context) error {
	v := newTable(keyTable)
	for _, w := range t.keys {
		k, salt := w.step.Key, newSalt()
		v.add(int64(w.partition), w.step.Workspace, k.User, k.ClientID, signed(k.Seq), t.now.UnixMilli(), digestOf(salt, w.request), salt,
			blob(w.answer))
	}
	return insert(ctx, t.tx, t.dialect, t.cfg.Schema.table("key"), v.columns, v.values, "")
}

// createPartitions makes the 64 rows on the first start.
func (l *Log) createPartitions(tx *sql.Tx) error {
	v := newTable(partitionTable)
	for n := range int64(Partitions) {
		v.add(n, time.Now().Unix(), int64(0), int64(0))
	}
	ctx := context.Background()
	if err := insert(ctx, tx, l.dialect, l.cfg.Schema.table("partition"), v.columns, v.values, "ON CONFLICT (partition) DO NOTHING"); err != nil {
		return err
	}
	columns := ""
	for _, c := range append(prescribed[:len(prescribed):len(prescribed)], l.cfg.Schema.Extra...) {
		columns += c.Name + ", "
	}
	rows, err := tx.QueryContext(ctx, "SELECT "+columns+"1 FROM "+l.cfg.Schema.table("log")+" WHERE partition < 0")
	if err != nil {
		return fmt.Errorf("topic: the table %s is not as the schema says: %w", l.cfg.Schema.table("log"), err)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// each runs f for every row of a query.
func each(rows *sql.Rows, err error) func(f func(*sql.Rows) error) error {
	return func(f func(*sql.Rows) error) error {
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			if err := f(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}
