package topic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"plenum.internal/mesh/sqldb"
)

// Append is what one call of Log.Append writes under one route.
type Append struct {
	Workspace, Route, User string // User: the rows' author; may be empty
	Entries                []Entry
	// Sources are the partitions that the follower derives this from: with FollowerConfig.Announce it is told together with their heads.
	// None: all that the transaction derives from.
	Sources PartitionSet
}

// PartitionSet is a set of partitions.
type PartitionSet uint64

// Add puts a partition into the set.
func (s *PartitionSet) Add(number uint32) { *s |= 1 << (number % Partitions) }

// Has reports whether a partition is in the set.
func (s PartitionSet) Has(number uint32) bool { return s&(1<<(number%Partitions)) != 0 }

// Append writes events inside a follower's transaction, without a key: the follower's cursor makes them happen once. Call it at most
// once in a transaction, with all there is to append, because the partitions' locks are taken in ascending order, and before anything
// that the planner also writes, or PostgreSQL will have deadlocks to undo. ctx is the one that Follower.Handle (or Transact) got. The
// rows are published after the COMMIT.
func (l *Log) Append(ctx context.Context, tx *sql.Tx, appends []Append) error {
	after, ok := ctx.Value(afterKey{}).(*afterCommit)
	if !ok {
		return errors.New("topic: Append needs the context of a follower's transaction")
	}
	works := make([]*work, len(appends))
	numbers := make([]uint32, len(appends))
	for i, a := range appends {
		w, err := newWork(Mutation{Workspace: a.Workspace, Route: a.Route, Key: Key{User: a.User}})
		if err != nil {
			return err
		}
		w.step.Entries = a.Entries
		works[i], numbers[i] = w, w.partition
	}
	t := l.begin(tx)
	if err := t.lock(ctx, numbers); err != nil {
		return err
	}
	if err := t.load(ctx, works); err != nil {
		return err
	}
	for _, w := range works {
		if err := t.number(w); err != nil {
			return err
		}
	}
	if err := t.write(ctx); err != nil {
		return err
	}
	sources := make(map[topicKey]PartitionSet, len(t.touched))
	for _, a := range appends {
		if a.Sources == 0 {
			a.Sources = ^PartitionSet(0)
		}
		for i := range a.Entries {
			sources[topicKey{a.Workspace, a.Entries[i].Topic}] |= a.Sources
		}
	}
	for _, s := range t.touched {
		after.moved = append(after.moved, appended{s.state(), sources[s.topicKey]})
	}
	after.calls = append(after.calls, func() { l.committed(t) })
	after.unknown = append(after.unknown, func() {
		for n := range t.parts {
			l.digests.miss(n)
		}
	})
	return nil
}

// Transact runs fn in one transaction of the log's database, in which Append may be called, for jobs that no request started. Whether it took place
// is not known where the COMMIT's answer is lost: the job has to find out by what it has written besides.
func (l *Log) Transact(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	var after *afterCommit
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		var inner context.Context
		inner, after = withAfterCommit(ctx)
		return fn(inner, tx)
	})
	if errors.Is(err, sqldb.ErrUnknownOutcome) { // what it wrote, if it did, is not published: make gateways look
		for _, f := range after.unknown {
			f()
		}
	}
	if err != nil {
		return numbered(fmt.Errorf("topic: transaction: %w", err))
	}
	after.run()
	return nil
}

// afterCommit collects what a transaction leaves to be done after its COMMIT, once.
type afterCommit struct {
	moved   []appended
	calls   []func()
	unknown []func() // in their place, where nobody knows whether it took place
	once    sync.Once
}

// appended is a topic that was appended to, because of what.
type appended struct {
	State
	sources PartitionSet
}

// of returns the topics that were appended to because of a partition.
func (a *afterCommit) of(number uint32) (states []State) {
	for _, m := range a.moved {
		if m.sources.Has(number) {
			states = append(states, m.State)
		}
	}
	return states
}

type afterKey struct{}

func withAfterCommit(ctx context.Context) (context.Context, *afterCommit) {
	a := &afterCommit{}
	return context.WithValue(ctx, afterKey{}, a), a
}

func (a *afterCommit) run() {
	a.once.Do(func() {
		for _, f := range a.calls {
			f()
		}
	})
}
