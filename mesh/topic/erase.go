package topic

import (
	"context"
	"database/sql"
	"fmt"
)

// eraseBytes bounds what one call of Erase empties, beside the number of rows, unless a single row is longer.
const eraseBytes = 4 << 20

// Erase empties what a topic holds at or below its floor: bodies, with digests and salts, of at most so many rows behind an offset. It returns
// the offset up to which all that lies behind `after` is empty: at the floor there is no more. The rows, their envelopes, keys and answers stay.
func (l *Log) Erase(ctx context.Context, workspace, topic string, after uint64, most int) (upto uint64, err error) {
	states, err := l.States(ctx, workspace, topic)
	if err != nil {
		return after, err
	}
	floor := states[0].Floor
	if after >= floor {
		return after, nil
	}
	upto = min(floor, after+uint64(most))
	bytes, first := 0, true
	err = each(l.db.Query(ctx, l.sql.sizes, workspace, topic, signed(after), signed(upto)))(func(r *sql.Rows) error {
		var offset, size int64
		if err := r.Scan(&offset, &size); err != nil {
			return err
		}
		if bytes += int(size); bytes > eraseBytes && !first {
			upto = min(upto, unsigned(offset)-1)
		}
		first = false
		return nil
	})
	if err != nil {
		return after, numbered(fmt.Errorf("topic: look for what is to be erased: %w", err))
	}
	if first { // nothing, and nothing comes behind the floor any more
		return upto, nil
	}
	err = l.db.Write(ctx, func(tx *sql.Tx) error {
		if err := l.begin(tx).lock(ctx, []uint32{PartitionOf(workspace, ID(topic))}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, l.sql.eraseRun, workspace, topic, signed(after), signed(upto))
		return err
	})
	if err != nil {
		return after, numbered(fmt.Errorf("topic: erase: %w", err))
	}
	return upto, nil
}
