package topic

import (
	"context"
	"database/sql"
	"fmt"
)

// memory is what a writer knows of a partition without asking: the newest key of each of its clients. A key above that one was never
// used, so that the keys of all but retries need no look-up.
//
// Invariant: it is complete as long as the partition's row names this process as the last that mutated there (partition.alone), in the
// same life of the history. Whoever runs a mutation, or may have run one, writes its own name into the row in the same transaction; so
// the lock of the row shows to the next one whether its memory holds. Events that followers append (Log.Append) bear no key, and leave the
// name.
//
// Only the writer that owns the partition uses it; numbers may be too great, which costs a look-up, never too small.
type memory struct {
	epoch   uint64
	clients map[clientKey]uint64 // greatest client_seq, of keys that were pruned too
}

// knownClients bounds a memory between two transactions: some 200 bytes each, in each of 64 partitions. A client beyond it takes the place
// of any other.
const knownClients = 1024

// recall finds out whether the memories of the locked partitions hold, and begins those anew that don't.
func (t *transaction) recall() {
	for n, p := range t.parts {
		m := &t.memories[n]
		p.alone = p.writer == t.incarnation && m.epoch == p.epoch && m.clients != nil
		if !p.alone {
			*m = memory{p.epoch, map[clientKey]uint64{}}
		}
	}
}

// forget is for a transaction whose outcome is not known, or that was undone.
func (l *Log) forget(works []*work) {
	for _, w := range works {
		l.memories[w.partition] = memory{}
	}
}

// trim keeps the bound. Only when all of a transaction's keys are known: one that is taken out before its next mutation in the same
// transaction would seem to be unused.
func (m *memory) trim() {
	for other := range m.clients {
		if len(m.clients) <= knownClients {
			return
		}
		delete(m.clients, other)
	}
}

// perhapsUsed returns the works whose keys may have been used before, by their places, and remembers all of them as used.
func (t *transaction) perhapsUsed(ctx context.Context, works []*work) (places []int, err error) {
	newest, err := t.newest(ctx, works)
	if err != nil {
		return nil, err
	}
	for i, w := range works {
		k := w.step.Key
		if !k.named() {
			continue
		}
		c := clientKey{w.step.Workspace, k.User, k.ClientID}
		m := &t.memories[w.partition]
		at, known := m.clients[c]
		if !known {
			at = newest[i]
		}
		if k.Seq <= at {
			places = append(places, i)
		}
		m.clients[c] = max(at, k.Seq)
	}
	for _, w := range works {
		t.memories[w.partition].trim()
	}
	return places, nil
}

// newest reads the newest keys of clients that the memory doesn't hold, by the works' places.
func (t *transaction) newest(ctx context.Context, works []*work) (map[int]uint64, error) {
	var rows [][]any
	for i, w := range works {
		k := w.step.Key
		if _, known := t.memories[w.partition].clients[clientKey{w.step.Workspace, k.User, k.ClientID}]; k.named() && !known {
			rows = append(rows, []any{int64(i), int64(w.partition), w.step.Workspace, k.User, k.ClientID})
		}
	}
	newest := make(map[int]uint64, len(rows))
	if len(rows) == 0 {
		return newest, nil
	}
	err := each(t.tx.QueryContext(ctx, t.sql.newest, t.sql.clientRows.Args(rows)...))(func(r *sql.Rows) error {
		var i int
		var row, key, floor int64
		err := r.Scan(&i, &row, &key, &floor)
		newest[i] = unsigned(max(row, key, floor))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("topic: read the newest keys: %w", err)
	}
	return newest, nil
}
