package topic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"plenum.internal/mesh/sqldb"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// move takes a follower from its place in a partition to another, with what is derived from the records in between.
type move struct {
	*place
	to      mark
	records []*topicv1.Record
	reset   bool // the history has begun anew: what was derived of it is forgotten
	done    chan error
}

const (
	// A pause after a transaction is so many times as long as that took, and those of a round are longPause at most: whoever derives holds
	// the locks of partitions that senders wait for, and must not do so most of the time.
	pauseTimes = 8
	longPause  = 200 * time.Millisecond
	// moveRecords is about how many records one round derives from; one partition's run may go beyond it.
	moveRecords = 4000
	// holdTime is how long one transaction of a round should take: a sender waits for no more than one of them. On SQLite it keeps all
	// senders waiting, on PostgreSQL those of the people whom it tells something.
	holdTime = 10 * time.Millisecond
	// moveTime bounds it: a connection that has gone without a word must not hold all partitions up.
	moveTime = 10 * time.Second
)

// move waits for its turn and for the COMMIT. The place is the worker's until then.
func (f *Follower) move(ctx context.Context, m *move) error {
	m.done = make(chan error, 1)
	f.moves <- m
	select {
	case err := <-m.done:
		return err
	case <-f.stopped:
	}
	select {
	case err := <-m.done:
		return err
	default:
		return ctx.Err()
	}
}

// work moves what waits, a round after the other, until ctx ends.
func (f *Follower) work(ctx context.Context) {
	for {
		select {
		case m := <-f.moves:
			moves, more := f.gather(m)
			for left := moves; len(left) > 0; {
				begun, n := time.Now(), f.portion(left)
				f.settle(ctx, left[:n])
				took := time.Since(begun)
				f.learn(left[:n], took)
				if !more {
					sleep(ctx, min(pauseTimes*took, longPause*time.Duration(n)/time.Duration(len(moves))))
				}
				left = left[n:]
			}
		case <-ctx.Done():
			return
		}
	}
}

// gather adds what else waits, and reports whether it left some: then there is no time for a pause.
func (f *Follower) gather(first *move) (moves []*move, more bool) {
	moves = []*move{first}
	for n := len(first.records); n < moveRecords; {
		select {
		case m := <-f.moves:
			moves, n = append(moves, m), n+len(m.records)
		default:
			return moves, false
		}
	}
	return moves, true
}

// portion is how many of the moves holdTime is enough for, by what the last ones took.
func (f *Follower) portion(moves []*move) int {
	n, records := 1, len(moves[0].records)
	for n < len(moves) && records+len(moves[n].records) <= f.records {
		records += len(moves[n].records)
		n++
	}
	return n
}

// learn fits the next portions to what one took.
func (f *Follower) learn(moves []*move, took time.Duration) {
	records := 0
	for _, m := range moves {
		records += len(m.records)
	}
	switch {
	case took > holdTime:
		f.records = max(1, min(records, f.records)/2)
	case took < holdTime/2 && records > f.records/2:
		f.records = min(2*f.records, moveRecords)
	}
}

// settle brings moves to their outcomes. Where one spoils the transaction, halving finds it.
func (f *Follower) settle(ctx context.Context, moves []*move) {
	err := f.commit(ctx, moves)
	if err != nil && len(moves) > 1 && (!outage(err) || errors.Is(err, sqldb.ErrConflict)) {
		f.settle(ctx, moves[:len(moves)/2])
		f.settle(ctx, moves[len(moves)/2:])
		return
	}
	if err != nil {
		for _, m := range moves {
			m.done <- err
		}
	}
}

// commit makes moves in one transaction. Those whose cursor another process has moved are told so; the others fail together.
func (f *Follower) commit(ctx context.Context, moves []*move) error {
	ctx, cancel := context.WithTimeout(ctx, moveTime)
	defer cancel()
	var after *afterCommit
	var due []*move
	err := f.deps.DB.Write(ctx, func(tx *sql.Tx) (err error) {
		var inner context.Context
		inner, after = withAfterCommit(ctx)
		if due, err = f.lock(ctx, tx, moves); err != nil || len(due) == 0 {
			return err
		}
		if f.derived != nil {
			if err := f.keep(ctx, tx, due, after); err != nil {
				return err
			}
		}
		if err := f.derive(inner, tx, due); err != nil {
			return fmt.Errorf("derive: %w", err)
		}
		return f.place(ctx, tx, due)
	})
	if errors.Is(err, sqldb.ErrUnknownOutcome) {
		for _, m := range due {
			m.after, m.place.to = after, m.to // load will see
		}
	}
	if err != nil {
		return err
	}
	after.run()
	for _, m := range moves {
		if !slices.Contains(due, m) {
			m.done <- errMoved
			continue
		}
		m.mark = m.to
		m.done <- nil
	}
	return nil
}

// lock takes the cursors, and returns the moves that start where these stand.
//
// Invariant: cursors are compared under their locks before anything is derived, so that no record is applied twice.
func (f *Follower) lock(ctx context.Context, tx *sql.Tx, moves []*move) ([]*move, error) {
	var all, unknown [][]any
	for _, m := range moves {
		all = append(all, []any{int64(m.number)})
		if m.mark == (mark{}) { // perhaps it has none
			unknown = append(unknown, []any{int64(m.number)})
		}
	}
	if len(unknown) > 0 {
		if _, err := tx.ExecContext(ctx, f.sql.create, append(f.sql.numbers.Args(unknown), f.cfg.Name)...); err != nil {
			return nil, fmt.Errorf("make cursors: %w", err)
		}
	}
	at := make(map[uint32]mark, len(moves))
	err := each(tx.QueryContext(ctx, f.sql.lock, append(f.sql.numbers.Args(all), f.cfg.Name)...))(func(r *sql.Rows) error {
		var n uint32
		var m mark
		err := r.Scan(&n, &m.epoch, &m.position)
		at[n] = m
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lock cursors: %w", err)
	}
	due := make([]*move, 0, len(moves))
	for _, m := range moves {
		if now, ok := at[m.number]; ok && now == m.mark {
			due = append(due, m)
		}
	}
	return due, nil
}

// keep writes the heads of what is being derived from, and has them announced after the COMMIT: before what was appended is
// published, so that who gets both can tell them together.
func (f *Follower) keep(ctx context.Context, tx *sql.Tx, moves []*move, after *afterCommit) error {
	var all []*derived
	for _, m := range moves {
		heads, from, to := headsOf(m.records, m.number, m.to.epoch), m.mark, m.to
		all = append(all, heads...)
		after.calls = append(after.calls, func() { f.derived.announce(m.number, from, to, after.of(m.number), heads) })
	}
	if err := f.derived.keep(ctx, tx, all); err != nil {
		return fmt.Errorf("keep heads: %w", err)
	}
	return nil
}

// derive hands over the records, after what begins anew has been forgotten.
func (f *Follower) derive(ctx context.Context, tx *sql.Tx, moves []*move) error {
	var records []*topicv1.Record
	for _, m := range moves {
		records = append(records, m.records...)
		if !m.reset {
			continue
		}
		if f.derived != nil {
			if err := f.derived.begun(ctx, tx, m.number, m.to.epoch); err != nil {
				return err
			}
		}
		if err := f.deps.Reset(ctx, tx, m.number); err != nil {
			return err
		}
	}
	if len(records) == 0 {
		return nil
	}
	return f.deps.Handle(ctx, tx, records)
}

// place moves the cursors.
func (f *Follower) place(ctx context.Context, tx *sql.Tx, moves []*move) error {
	var rows [][]any
	for _, m := range moves {
		rows = append(rows, []any{int64(m.number), signed(m.to.epoch), signed(m.to.position)})
	}
	if _, err := tx.ExecContext(ctx, f.sql.move, append(f.sql.places.Args(rows), f.cfg.Name)...); err != nil {
		return fmt.Errorf("move cursors: %w", err)
	}
	return nil
}

// cursorStatements are those of a table of cursors. The follower's name is their last parameter.
type cursorStatements struct {
	read, create, lock, move string
	numbers                  sqldb.Relation // of create and lock
	places                   sqldb.Relation // of move
}

func newCursorStatements(prefix string, d sqldb.Dialect) cursorStatements {
	s := cursorStatements{
		numbers: sqldb.NewRelation(d, "partition integer"),
		places:  sqldb.NewRelation(d, "partition integer", "epoch bigint", "position bigint"),
	}
	table := prefix + "_cursor"
	name := func(r sqldb.Relation) string { return "$" + strconv.Itoa(len(r.Args(nil))+1) }
	s.read = "SELECT epoch, position FROM " + table + " WHERE follower = $1 AND partition = $2"
	s.create = "INSERT INTO " + table + " (follower, partition, epoch, position) SELECT " + name(s.numbers) + ", k.partition, 0, 0 FROM " +
		s.numbers.SQL() + " WHERE true ON CONFLICT DO NOTHING"
	s.lock = "SELECT partition, epoch, position FROM " + table + " WHERE follower = " + name(s.numbers) +
		" AND partition IN (SELECT k.partition FROM " + s.numbers.SQL() + ") ORDER BY partition"
	if d == sqldb.Postgres {
		s.lock += " FOR UPDATE"
	}
	s.move = "UPDATE " + table + " SET epoch = k.epoch, position = k.position FROM " + s.places.SQL() +
		" WHERE follower = " + name(s.places) + " AND " + table + ".partition = k.partition"
	return s
}
