package topic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/sqldb"
)

// Config of a log; start from DefaultConfig.
type Config struct {
	Service string // whose log this is: "chat", in the subjects of digests
	Schema  Schema

	Writers  int           // transactions at a time, each with the partitions p mod Writers; 0: 4 on PostgreSQL; SQLite has 1 always
	Batch    int           // mutations in one transaction, at most
	Queue    int           // mutations that wait for a writer, for each writer; beyond: CODE_UNAVAILABLE
	MaxBody  int           // bytes of an event
	Timeout  time.Duration // of one transaction; beyond: CODE_UNAVAILABLE
	Settle   time.Duration // how long a lost COMMIT is looked for before CODE_OUTCOME_UNKNOWN
	KeyLife  time.Duration // how long keys are kept; offline queues must be younger
	PruneGap time.Duration // between two prunings of keys
	Poll     time.Duration // how often other processes' commits are looked for while somebody follows
}

// DefaultConfig returns the configuration of a service's log.
func DefaultConfig(service string) Config {
	return Config{
		Service: service, Schema: Schema{Prefix: service},
		Batch: 512, Queue: 8192, MaxBody: 512 << 10,
		Timeout: 10 * time.Second, Settle: 10 * time.Second, KeyLife: 35 * 24 * time.Hour, PruneGap: time.Hour, Poll: 200 * time.Millisecond,
	}
}

func (c Config) validate() error {
	switch {
	case !identifier.MatchString(c.Service):
		return fmt.Errorf("topic: service %q is no identifier", c.Service)
	case c.Batch < 1 || c.Queue < c.Batch || c.MaxBody < 1 || c.Writers < 0:
		return errors.New("topic: sizes must be positive, and the queue must hold a batch")
	case c.Timeout <= 0 || c.Settle <= 0 || c.KeyLife <= 0 || c.PruneGap <= 0 || c.Poll <= 0:
		return errors.New("topic: durations must be positive")
	}
	return c.Schema.validate()
}

// Bus is what the log publishes on; *bus.Bus is one. Publish never blocks, and may lose what it was given.
type Bus interface {
	Publish(subject string, data []byte) error
}

// Deps are a log's surroundings.
type Deps struct {
	DB      *sqldb.DB
	Bus     Bus // nil: nothing is published
	Planner Planner
	Log     *slog.Logger          // nil: silent
	Metrics prometheus.Registerer // nil: not registered
	// Assigned tells whose digests this process sends even while it writes nothing there; nil: all partitions.
	Assigned func(partition uint32) bool
}

// Log is the log of one service. Its methods may be called from any goroutine.
type Log struct {
	cfg     Config
	db      *sqldb.DB
	dialect sqldb.Dialect
	planner Planner
	log     *slog.Logger
	metrics *metrics
	sql     statements
	bus     Bus
	digests *digests
	wakes   wakes
	// incarnation is the name of this process in the rows of partitions, and in digests: 1 to 2^63-1.
	incarnation uint64
	memories    [Partitions]memory // each is its writer's
	writers     []*sqldb.Batcher[*work]
	warned      atomic.Int64 // second of the last warning
	ready       chan struct{}
}

// NewLog checks the configuration; nothing runs, and the database isn't touched, before Run.
func NewLog(cfg Config, deps Deps) (*Log, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if deps.DB == nil || deps.Planner == nil {
		return nil, errors.New("topic: a log needs a database and a planner")
	}
	if b, ok := deps.Bus.(*bus.Bus); ok && b == nil {
		deps.Bus = nil
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Assigned == nil {
		deps.Assigned = func(uint32) bool { return true }
	}
	if deps.DB.Dialect() == sqldb.SQLite {
		cfg.Writers = 1
	} else if cfg.Writers == 0 {
		cfg.Writers = 4
	}
	l := &Log{
		incarnation: rand.Uint64()>>1 | 1,
		cfg:         cfg, db: deps.DB, dialect: deps.DB.Dialect(), planner: deps.Planner, log: deps.Log, bus: deps.Bus,
		ready: make(chan struct{}),
	}
	l.digests = newDigests(cfg.Service, l.incarnation, deps.Assigned, deps.Bus)
	l.sql = newStatements(cfg.Schema, l.dialect)
	l.metrics = newMetrics(deps.Metrics, cfg.Service, l.Waiting)
	l.wakes.init()
	for range cfg.Writers {
		l.writers = append(l.writers, sqldb.NewBatcher(sqldb.BatcherConfig{MaxBatch: cfg.Batch, Queue: cfg.Queue}, l.commit))
	}
	return l, nil
}

// Ready is closed once the tables were found and the partitions exist.
func (l *Log) Ready() <-chan struct{} { return l.ready }

// Run writes, publishes digests and prunes until ctx ends. It waits for the database as long as that is away, and fails where the
// tables are not as Schema says.
func (l *Log) Run(ctx context.Context) error {
	if err := l.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	close(l.ready)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(l.writers))
	for _, w := range l.writers {
		wg.Go(func() {
			if err := w.Run(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("topic: writer of %s: %w", l.cfg.Service, err)
				cancel()
			}
		})
	}
	wg.Go(func() { l.digests.run(ctx) })
	wg.Go(func() { l.poll(ctx) })
	wg.Go(func() { l.pruneForEver(ctx) })
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// prepare makes the partitions' rows and checks the log's table.
func (l *Log) prepare(ctx context.Context) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := l.db.Write(ctx, func(tx *sql.Tx) error { return l.createPartitions(ctx, tx) })
		if err == nil || !outage(err) || ctx.Err() != nil {
			return err
		}
		l.log.WarnContext(ctx, "the log waits for its database", "error", err)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// Mutate executes a mutation once and returns after its COMMIT with the reply in answer (nil: not wanted). A retry of a key gets the
// first reply. Errors: what the planner refused it with; CODE_CONFLICT topic.KEY_REUSED; CODE_FAILED_PRECONDITION topic.KEY_TOO_OLD;
// CODE_UNAVAILABLE: not done; CODE_OUTCOME_UNKNOWN, or ctx's end: perhaps done, repeat it with the same key.
func (l *Log) Mutate(ctx context.Context, m Mutation, answer proto.Message) error {
	wait, err := l.Begin(m)
	if err != nil {
		return err
	}
	return wait(ctx, answer)
}

// Begin queues a mutation and returns without waiting for it: of one route, mutations are planned in the order of the calls. wait does the
// rest of Mutate, and is to be called once. An error: it was not queued.
func (l *Log) Begin(m Mutation) (wait func(ctx context.Context, answer proto.Message) error, err error) {
	w, err := newWork(m)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	commit, err := l.writers[int(w.partition)%len(l.writers)].Begin(w)
	if err != nil {
		return nil, l.metrics.mutation(begun, numbered(err))
	}
	return func(ctx context.Context, answer proto.Message) error {
		return l.settled(begun, w, commit(ctx), answer)
	}, nil
}

// settled is the outcome of a mutation whose batch was committed, unless err says that it wasn't.
func (l *Log) settled(begun time.Time, w *work, err error, answer proto.Message) error {
	if err != nil {
		return l.metrics.mutation(begun, numbered(err)) // w may still be in a writer's hands
	}
	if w.err != nil || answer == nil {
		return l.metrics.mutation(begun, w.err)
	}
	if err := proto.Unmarshal(w.answer, answer); err != nil {
		return fmt.Errorf("topic: decode the stored answer: %w", err)
	}
	return l.metrics.mutation(begun, nil)
}

// Waiting is how many mutations are queued or being committed.
func (l *Log) Waiting() (n int) {
	for _, w := range l.writers {
		n += w.Waiting()
	}
	return n
}

// sleep reports whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
