package topic

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

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
	if _, err := tx.ExecContext(ctx, l.sql.erase, append(l.sql.offsetRows.Args(tuples), e.workspace, e.topic)...); err != nil {
		return fmt.Errorf("topic: redact: %w", err)
	}
	return nil
}

// table collects values by column for insert.
type table struct {
	columns []Column
	values  [][]any
}

func newTable(columns []Column) *table {
	return &table{columns, make([][]any, len(columns))}
}

func (t *table) add(row ...any) {
	for i, v := range row {
		t.values[i] = append(t.values[i], v)
	}
}

var (
	topicTable = []Column{
		{Name: "workspace", Type: "text"}, {Name: "topic", Type: "text"}, {Name: "partition", Type: "integer"}, {Name: "epoch", Type: "bigint"},
		{Name: "head", Type: "bigint"}, {Name: "count", Type: "bigint"}, {Name: "calls", Type: "bigint"}, {Name: "floor", Type: "bigint"},
		{Name: "redacted", Type: "bigint"}, {Name: "position", Type: "bigint"},
	}
	partitionTable = []Column{
		{Name: "partition", Type: "integer"}, {Name: "epoch", Type: "bigint"}, {Name: "position", Type: "bigint"}, {Name: "pruned", Type: "bigint"},
		{Name: "writer", Type: "bigint"},
	}
	keyTable = []Column{
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
		" head = excluded.head, count = excluded.count, calls = excluded.calls, floor = excluded.floor, redacted = excluded.redacted,"+
		" position = excluded.position")
}

func (t *transaction) writePartitions(ctx context.Context) error {
	v := newTable(partitionTable)
	for _, p := range t.parts {
		if p.written {
			v.add(int64(p.number), signed(p.epoch), signed(p.position), int64(0), signed(p.writer))
		}
	}
	return insert(ctx, t.tx, t.dialect, t.cfg.Schema.table("partition"), v.columns, v.values,
		"ON CONFLICT (partition) DO UPDATE SET position = excluded.position, writer = excluded.writer")
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

// createPartitions makes the 64 rows on the first start, and checks the log's columns.
func (l *Log) createPartitions(ctx context.Context, tx *sql.Tx) error {
	v := newTable(partitionTable)
	for n := range int64(Partitions) {
		v.add(n, time.Now().Unix(), int64(0), int64(0), int64(0))
	}
	if err := insert(ctx, tx, l.dialect, l.cfg.Schema.table("partition"), v.columns, v.values, "ON CONFLICT (partition) DO NOTHING"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, l.sql.check); err != nil {
		return fmt.Errorf("topic: the table %s is not as the schema says: %w", l.cfg.Schema.table("log"), err)
	}
	return nil
}
