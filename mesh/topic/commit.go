package topic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/sqldb"
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

func newWork(m Mutation) (*work, error) {
	if !ValidID(m.Workspace) || !ValidID(m.Route) {
		return nil, errBadWorkspace.Because(fmt.Errorf("workspace %q, route %q", m.Workspace, m.Route))
	}
	if !m.Key.valid() {
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
	if err != nil {
		l.forget(works)
	}
	switch {
	case err == nil:
	case len(works) > 1 && !outage(err):
		l.settle(ctx, works[:len(works)/2])
		l.settle(ctx, works[len(works)/2:])
	default:
		if now := time.Now().Unix(); l.warned.Swap(now) != now { // an outage fails every batch: one line a second tells it
			l.log.WarnContext(ctx, "a commit failed", "owner", l.cfg.Service, "mutations", len(works), "error", err)
		}
		if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, sqldb.ErrUnknownOutcome) {
			err = errAway.Because(err) // too slow, and rolled back
		}
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
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	err = l.db.Write(ctx, func(tx *sql.Tx) (err error) {
		defer func() { // what a step does wrong is that step's failure, as an error is, and not the others' who write here
			if p := recover(); p != nil {
				l.log.ErrorContext(ctx, "a commit broke down", "owner", l.cfg.Service, "mutations", len(works), "panic", p, "stack", string(debug.Stack()))
				err = fmt.Errorf("topic: it broke down: %v", p)
			}
		}()
		t = l.begin(tx)
		return t.run(ctx, works)
	})
	return t, err
}
