package topic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// FollowerConfig names a follower.
type FollowerConfig struct {
	Name    string // of its cursors: "mentions"
	Service string // whose log it follows
	Prefix  string // of the table of cursors in its database: FollowerSQL(prefix)
	Busy    int    // transactions at a time; 0: 4
	// Announce keeps the heads of what was derived from, in <prefix>_derived (DerivedSQL), for Server.Deriving, and tells feeds with
	// FeedDeps.Derived of each transaction. One follower of a service at most, of the service's own log.
	Announce bool
}

// FollowerDeps are a follower's surroundings.
type FollowerDeps struct {
	Source topicv1.TopicServiceClient
	DB     *sqldb.DB
	// Handle derives from a run of records of one partition, in commit order, within the transaction that moves the cursor: each
	// record exactly once, whatever dies. It must not wait for a Log of the same database but may call Log.Append with ctx. An error
	// is logged and the run tried again, for ever.
	Handle func(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error
	// Reset forgets what was derived of a partition, because its history has begun anew; all records follow again. Nil: Run ends
	// with an error instead.
	Reset   func(ctx context.Context, tx *sql.Tx, partition uint32) error
	Bus     Bus                   // for Announce; nil: nothing is published
	Log     *slog.Logger          // nil: silent
	Metrics prometheus.Registerer // nil: not registered
}

// Follower derives tables from a log, exactly once: its cursor in a partition moves in the transaction of what it derives. Several
// processes may run the same follower; they take turns by losing races.
type Follower struct {
	cfg     FollowerConfig
	deps    FollowerDeps
	sql     struct{ read, create, lock, move string } // of the cursor
	busy    chan struct{}
	pending atomic.Int32 // partitions whose end was not reached yet
	warned  atomic.Int64 // second of the last warning
	lag     lag
	derived *derivations // nil: not announced
	ready   chan struct{}
}

var (
	errMoved = errors.New("another process has moved the cursor")
	errReset = errors.New("the followed history has begun anew")
)

// NewFollower checks the configuration.
func NewFollower(cfg FollowerConfig, deps FollowerDeps) (*Follower, error) {
	if cfg.Name == "" || cfg.Service == "" || !identifier.MatchString(cfg.Prefix) {
		return nil, fmt.Errorf("topic: follower %q of %q needs a name, a service and a prefix", cfg.Name, cfg.Service)
	}
	if deps.Source == nil || deps.DB == nil || deps.Handle == nil {
		return nil, errors.New("topic: a follower needs a source, a database and a handler")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Busy <= 0 {
		cfg.Busy = 4
	}
	if deps.DB.Dialect() == sqldb.SQLite {
		cfg.Busy = 1
	}
	f := &Follower{cfg: cfg, deps: deps, busy: make(chan struct{}, cfg.Busy), ready: make(chan struct{})}
	table := cfg.Prefix + "_cursor"
	f.sql.read = "SELECT epoch, position FROM " + table + " WHERE follower = $1 AND partition = $2"
	f.sql.create = "INSERT INTO " + table + " (follower, partition, epoch, position) VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING"
	f.sql.move = "UPDATE " + table + " SET epoch = $3, position = $4 WHERE follower = $1 AND partition = $2"
	if f.sql.lock = f.sql.read; deps.DB.Dialect() == sqldb.Postgres {
		f.sql.lock += " FOR UPDATE"
	}
	if b, ok := deps.Bus.(*bus.Bus); ok && b == nil {
		deps.Bus = nil
	}
	if cfg.Announce {
		f.derived = newDerivations(cfg, deps.DB.Dialect(), deps.Bus)
	}
	f.lag.register(deps.Metrics, cfg)
	f.pending.Store(Partitions)
	return f, nil
}

// Ready is closed once every partition was read to its end.
func (f *Follower) Ready() <-chan struct{} { return f.ready }

// Run follows until ctx ends. It outlasts every failure but a reset that it has no handler for.
func (f *Follower) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for n := range uint32(Partitions) {
		wg.Go(func() {
			if err := f.follow(ctx, n); err != nil {
				cancel(err)
			}
		})
	}
	if f.derived != nil {
		wg.Go(func() { f.derived.run(ctx) })
	}
	wg.Wait()
	if err := context.Cause(ctx); errors.Is(err, errReset) {
		return err
	}
	return nil
}

func (f *Follower) follow(ctx context.Context, number uint32) error {
	p := &place{number: number}
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		progress, err := f.stream(ctx, p)
		if errors.Is(err, errReset) {
			return err
		}
		if progress {
			wait = minRetry
		}
		switch {
		case errors.Is(err, errMoved):
			f.lag.clear(number) // who moved it has applied what we had
		case ctx.Err() == nil:
			f.lag.note(number, time.Now(), 0)
			f.tell(ctx, number, err)
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// tell logs why a partition is not followed for now. A source that goes away fails all partitions: one line a second says so;
// one that restarts is no reason to warn.
func (f *Follower) tell(ctx context.Context, number uint32, err error) {
	if rpc.FromError(err).GetReason() == rpc.ReasonDraining {
		return
	}
	if now := time.Now().Unix(); f.warned.Swap(now) != now {
		f.deps.Log.WarnContext(ctx, "following broke off", "follower", f.cfg.Name, "owner", f.cfg.Service, "partition", number, "error", err)
	}
}

const (
	minRetry = 50 * time.Millisecond
	maxRetry = 2 * time.Second
)

// place is where a follower stands in a partition.
type place struct {
	number uint32
	mark
	caught bool
	// after is left of a transaction whose COMMIT was lost: due once the cursor shows that it took place.
	after *afterCommit
	to    mark
}

// stream follows one stream until it breaks off.
func (f *Follower) stream(ctx context.Context, p *place) (progress bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := f.load(ctx, p); err != nil {
		return false, err
	}
	stream, err := f.deps.Source.Follow(ctx, &topicv1.FollowRequest{Partition: p.number, Epoch: p.epoch, After: p.position, Wait: true})
	if err != nil {
		return false, fmt.Errorf("follow: %w", err)
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return progress, fmt.Errorf("follow: %w", err)
		}
		to := mark{r.GetEpoch(), r.GetUpto()}
		switch {
		case r.GetReset_() != nil && f.deps.Reset == nil:
			return false, fmt.Errorf("follower %s of %s, partition %d: %w, and it can't be rebuilt", f.cfg.Name, f.cfg.Service, p.number, errReset)
		case r.GetReset_() != nil:
			f.deps.Log.WarnContext(ctx, "the history has begun anew: deriving again", "follower", f.cfg.Name, "partition", p.number)
			err := f.move(ctx, p, mark{epoch: r.GetEpoch()}, nil, func(ctx context.Context, tx *sql.Tx) error {
				if f.derived != nil {
					if err := f.derived.begun(ctx, tx, p.number, r.GetEpoch()); err != nil {
						return err
					}
				}
				return f.deps.Reset(ctx, tx, p.number)
			})
			if err == nil {
				err = errMoved // by ourselves: start there
			}
			return true, err
		case len(r.GetRecords()) > 0:
			f.lag.note(p.number, time.UnixMilli(r.GetRecords()[0].GetEvent().GetTimeMs()), less(r.GetHead(), p.position))
			err := f.move(ctx, p, to, r.GetRecords(), func(ctx context.Context, tx *sql.Tx) error { return f.deps.Handle(ctx, tx, r.GetRecords()) })
			if err != nil {
				return progress, err
			}
			f.lag.clear(p.number)
			progress = true
		case to.epoch == p.epoch && to.position > p.position: // a source that leaves records out has come so far
			if err := f.move(ctx, p, to, nil, func(context.Context, *sql.Tx) error { return nil }); err != nil {
				return progress, err
			}
			progress = true
		default:
			f.lag.clear(p.number)
			if !p.caught {
				p.caught = true
				if f.pending.Add(-1) == 0 {
					close(f.ready)
				}
			}
		}
	}
}

// load reads the cursor.
func (f *Follower) load(ctx context.Context, p *place) error {
	p.mark = mark{}
	err := f.deps.DB.QueryRow(ctx, f.sql.read, f.cfg.Name, int64(p.number)).Scan(&p.epoch, &p.position)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read cursor: %w", err)
	}
	if p.after != nil {
		if p.mark == p.to {
			p.after.run()
		}
		p.after = nil
	}
	if f.derived != nil {
		f.derived.stands(p.number, p.mark)
	}
	return nil
}

// move derives and moves the cursor in one transaction.
//
// Invariant: the cursor is compared under its lock before anything is derived, so that no record is applied twice.
func (f *Follower) move(ctx context.Context, p *place, to mark, records []*topicv1.Record, derive func(ctx context.Context, tx *sql.Tx) error) error {
	select {
	case f.busy <- struct{}{}:
		defer func() { <-f.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var after *afterCommit
	err := f.deps.DB.Write(ctx, func(tx *sql.Tx) error {
		var inner context.Context
		inner, after = withAfterCommit(ctx)
		if _, err := tx.ExecContext(ctx, f.sql.create, f.cfg.Name, int64(p.number)); err != nil {
			return fmt.Errorf("make cursor: %w", err)
		}
		var at mark
		if err := tx.QueryRowContext(ctx, f.sql.lock, f.cfg.Name, int64(p.number)).Scan(&at.epoch, &at.position); err != nil {
			return fmt.Errorf("lock cursor: %w", err)
		}
		if at != p.mark {
			return errMoved
		}
		if f.derived != nil {
			if err := f.keep(inner, tx, p, to, records, after); err != nil {
				return err
			}
		}
		if err := derive(inner, tx); err != nil {
			return fmt.Errorf("derive: %w", err)
		}
		if _, err := tx.ExecContext(ctx, f.sql.move, f.cfg.Name, int64(p.number), signed(to.epoch), signed(to.position)); err != nil {
			return fmt.Errorf("move cursor: %w", err)
		}
		return nil
	})
	if errors.Is(err, sqldb.ErrUnknownOutcome) {
		p.after, p.to = after, to // load will see
	}
	if err != nil {
		return err
	}
	after.run()
	p.mark = to
	return nil
}

// keep writes the heads of what is being derived from, and has them announced after the COMMIT: before what was appended is
// published, so that who gets both can tell them together.
func (f *Follower) keep(ctx context.Context, tx *sql.Tx, p *place, to mark, records []*topicv1.Record, after *afterCommit) error {
	heads := headsOf(records, to.epoch)
	if err := f.derived.keep(ctx, tx, p.number, heads); err != nil {
		return fmt.Errorf("keep heads: %w", err)
	}
	from := p.mark
	after.calls = append(after.calls, func() { f.derived.announce(p.number, from, to, after.moved, heads) })
	return nil
}

// less is a - b, not below zero.
func less(a, b uint64) uint64 { return a - min(a, b) }
