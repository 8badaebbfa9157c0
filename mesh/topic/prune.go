package topic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// pruneRows is how much of a partition one transaction looks through.
const pruneRows = 1000

// pruneForEver begins half a minute to a minute after the start, which has enough to do: processes that restart together don't prune
// together, and one that restarts again and again prunes all the same.
func (l *Log) pruneForEver(ctx context.Context) {
	first := min(l.cfg.PruneGap, time.Minute)
	for wait := first/2 + rand.N(first/2+1); sleep(ctx, wait); wait = l.cfg.PruneGap {
		if err := l.Prune(ctx, time.Now().Add(-l.cfg.KeyLife)); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "pruning keys failed; it will be tried again", "owner", l.cfg.Service, "error", err)
		}
	}
}

// Prune forgets the keys of mutations before a time, with digest and answer, and raises their clients' floors: a key at or below its
// floor is refused as too old, never executed again. The log runs it by itself.
func (l *Log) Prune(ctx context.Context, before time.Time) error {
	for n := range uint32(Partitions) {
		for more := true; more; {
			err := l.db.Write(ctx, func(tx *sql.Tx) (err error) {
				more, err = l.prune(ctx, tx, n, before.UnixMilli())
				return err
			})
			if err != nil {
				return fmt.Errorf("topic: prune partition %d: %w", n, err)
			}
		}
	}
	return nil
}

type clientKey struct{ workspace, user, client string }

// prune works under the partition's lock, like every writer.
func (l *Log) prune(ctx context.Context, tx *sql.Tx, number uint32, before int64) (more bool, err error) {
	if err := l.begin(tx).lock(ctx, []uint32{number}); err != nil {
		return false, err
	}
	table := l.cfg.Schema.table
	var pruned int64
	q := "SELECT pruned FROM " + table("partition") + " WHERE partition = $1"
	if err := tx.QueryRowContext(ctx, q, int64(number)).Scan(&pruned); err != nil {
		return false, err
	}
	floors := map[clientKey]int64{}
	upto, moreRows, err := l.oldRows(ctx, tx, number, pruned, before, floors)
	if err != nil {
		return false, err
	}
	until, moreKeys, err := l.someKeys(ctx, tx, number, before)
	if err != nil {
		return false, err
	}
	if err := l.oldKeys(ctx, tx, number, until, floors); err != nil {
		return false, err
	}
	if err := l.raise(ctx, tx, number, floors); err != nil {
		return false, err
	}
	for _, x := range []struct {
		q    string
		args []any
	}{
		{"UPDATE " + table("log") + " SET client_id = NULL, client_seq = NULL, digest = NULL, salt = NULL, answer = NULL" +
			" WHERE partition = $1 AND position > $2 AND position <= $3 AND client_id IS NOT NULL", []any{int64(number), pruned, upto}},
		{"DELETE FROM " + table("key") + " WHERE partition = $1 AND time_ms < $2", []any{int64(number), until}},
		{"UPDATE " + table("partition") + " SET pruned = $2 WHERE partition = $1", []any{int64(number), upto}},
	} {
		if _, err := tx.ExecContext(ctx, x.q, x.args...); err != nil {
			return false, err
		}
	}
	return moreRows || moreKeys, nil
}

// someKeys is the time before which a transaction forgets keys that have no row in the log: pruneRows of them, and those of the same
// moment as the last.
func (l *Log) someKeys(ctx context.Context, tx *sql.Tx, number uint32, before int64) (until int64, more bool, err error) {
	q := "SELECT time_ms FROM " + l.cfg.Schema.table("key") + " WHERE partition = $1 AND time_ms < $2 ORDER BY time_ms LIMIT 1 OFFSET $3"
	err = tx.QueryRowContext(ctx, q, int64(number), before, int64(pruneRows-1)).Scan(&until)
	if errors.Is(err, sql.ErrNoRows) {
		return before, false, nil
	}
	return until + 1, err == nil, err
}

// oldRows notes the newest numbers of clients in the log's next rows, in the order of positions, up to the first that is young.
func (l *Log) oldRows(ctx context.Context, tx *sql.Tx, number uint32, after, before int64, floors map[clientKey]int64) (upto int64, more bool, err error) {
	q := "SELECT position, time_ms, workspace, user_id, client_id, client_seq FROM " + l.cfg.Schema.table("log") +
		" WHERE partition = $1 AND position > $2 ORDER BY position LIMIT $3"
	looked, old := 0, true
	upto = after
	err = each(tx.QueryContext(ctx, q, int64(number), after, int64(pruneRows)))(func(r *sql.Rows) error {
		var (
			k            clientKey
			client       sql.NullString
			seq          sql.NullInt64
			position, at int64
		)
		if err := r.Scan(&position, &at, &k.workspace, &k.user, &client, &seq); err != nil {
			return err
		}
		if old = old && at < before; !old {
			return nil
		}
		looked++
		upto = position
		if client.Valid {
			k.client = client.String
			floors[k] = max(floors[k], seq.Int64)
		}
		return nil
	})
	return upto, looked == pruneRows, err
}

// oldKeys notes the newest numbers of clients among the old keys that have no row in the log.
func (l *Log) oldKeys(ctx context.Context, tx *sql.Tx, number uint32, before int64, floors map[clientKey]int64) error {
	q := "SELECT workspace, user_id, client_id, max(client_seq) FROM " + l.cfg.Schema.table("key") +
		" WHERE partition = $1 AND time_ms < $2 GROUP BY workspace, user_id, client_id"
	return each(tx.QueryContext(ctx, q, int64(number), before))(func(r *sql.Rows) error {
		var (
			k   clientKey
			seq int64
		)
		if err := r.Scan(&k.workspace, &k.user, &k.client, &seq); err != nil {
			return err
		}
		floors[k] = max(floors[k], seq)
		return nil
	})
}

// raise writes floors, none of which is ever lowered.
func (l *Log) raise(ctx context.Context, tx *sql.Tx, number uint32, floors map[clientKey]int64) error {
	if len(floors) == 0 {
		return nil
	}
	v := newTable(clientTable)
	for k, floor := range floors {
		v.add(int64(number), k.workspace, k.user, k.client, floor)
	}
	client := l.cfg.Schema.table("client")
	return insert(ctx, tx, l.dialect, client, v.columns, v.values, "ON CONFLICT (partition, workspace, user_id, client_id)"+
		" DO UPDATE SET floor = CASE WHEN excluded.floor > "+client+".floor THEN excluded.floor ELSE "+client+".floor END")
}

var clientTable = []Column{
	{Name: "partition", Type: "integer"}, {Name: "workspace", Type: "text"}, {Name: "user_id", Type: "text"}, {Name: "client_id", Type: "text"},
	{Name: "floor", Type: "bigint"},
}
