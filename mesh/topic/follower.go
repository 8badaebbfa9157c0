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
	// Announce keeps the heads of what was derived from, in <prefix>_derived (DerivedSQL), for Server.Deriving, and tells feeds with
	// FeedDeps.Derived of each transaction. One follower of a service at most, of the service's own log.
	Announce bool
}

// FollowerDeps are a follower's surroundings.
type FollowerDeps struct {
	Source topicv1.TopicServiceClient
	DB     *sqldb.DB
	// Handle derives from records within the transaction that moves the cursors: each record exactly once, whatever dies. They are a run
	// of each partition that has moved, in commit order; records of different partitions have no order. It must not wait for a Log of
	// the same database but may call Log.Append with ctx. An error is logged and the runs tried again, for ever.
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
//
// A round takes all partitions that have moved, in few transactions: each costs a flush to disk, and locks what senders need, too. Under
// load rounds are some time apart, so that what many records of a run derive is written once (moves.go).
type Follower struct {
	cfg     FollowerConfig
	deps    FollowerDeps
	sql     cursorStatements
	moves   chan *move    // Invariant: each partition has one under way at most, so that nobody waits to put one in
	records int           // that one transaction should derive from; the worker's
	stopped chan struct{} // closed when no more moves are made
	pending atomic.Int32  // partitions whose end was not reached yet
	warned  atomic.Int64  // second of the last warning
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
	f := &Follower{
		cfg: cfg, deps: deps, sql: newCursorStatements(cfg.Prefix, deps.DB.Dialect()),
		moves: make(chan *move, Partitions), records: moveRecords, stopped: make(chan struct{}), ready: make(chan struct{}),
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
	wg.Go(func() {
		defer close(f.stopped)
		f.work(ctx)
	})
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
// one that starts or restarts is no reason to warn.
func (f *Follower) tell(ctx context.Context, number uint32, err error) {
	if reason := rpc.FromError(err).GetReason(); reason == rpc.ReasonDraining || reason == errStarting.Reason {
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
	// after is left of a transaction whose COMMIT was lost: due once a cursor of it shows that it took place.
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
			err := f.move(ctx, &move{place: p, to: mark{epoch: r.GetEpoch()}, reset: true})
			if err == nil {
				err = errMoved // by ourselves: start there
			}
			return true, err
		case len(r.GetRecords()) > 0:
			f.lag.note(p.number, time.UnixMilli(r.GetRecords()[0].GetEvent().GetTimeMs()), less(r.GetHead(), p.position))
			err := f.move(ctx, &move{place: p, to: to, records: r.GetRecords()})
			if err != nil {
				return progress, err
			}
			f.lag.clear(p.number)
			progress = true
		case to.epoch == p.epoch && to.position > p.position: // a source that leaves records out has come so far
			if err := f.move(ctx, &move{place: p, to: to}); err != nil {
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

// less is a - b, not below zero.
func less(a, b uint64) uint64 { return a - min(a, b) }
