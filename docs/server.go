package docs

import (
	linked "container/list"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Deps are the service's surroundings.
type Deps struct {
	DB       *sqldb.DB                // migrated with Migrations
	Bus      Bus                      // nil: nothing is published, and nobody is heard to be in a document
	Peers    Peers                    // nil: there are no other processes of this service
	Identity grpc.ClientConnInterface // to identity's TopicService; nil: people and groups are not known, and links not allowed
	Chat     grpc.ClientConnInterface // to chat's TopicService; nil: nobody is a member of a channel
	Log      *slog.Logger             // nil: silent
	Metrics  prometheus.Registerer    // nil: not registered
}

// Bus is *bus.Bus: events go out by it, and what people signal of where they are comes in.
type Bus interface {
	topic.Bus
	Subscribe(subject string, ch chan<- bus.Message) (*bus.Subscription, error)
	Connected() bool
}

// Server is the service.
type Server struct {
	docsv1.UnimplementedDocsServiceServer
	cfg     Config
	db      *sqldb.DB
	sql     *statements
	log     *topic.Log
	bus     Bus // may be nil
	peers   Peers
	limits  ot.Limits
	logger  *slog.Logger
	metrics metrics

	recents recents
	sealer  sealer
	through lookThrough

	diffs  *shelf[ot.Delta]
	blames *shelf[*blame]
	heavy  *turns // of what takes a core for long
	rooms  *turns // of those who have a document closed for another one
	behind *turns // of edits that follow what came since their base, beside the sessions
	jobs   map[jobKind]job

	followers   []*topic.Follower
	knowsPeople bool // by one of them

	working context.Context //nolint:containedctx // of the sessions; ends when the service stops
	stop    context.CancelFunc
	tasks   sync.WaitGroup // the sessions, and what they have begun

	scores  scores // which workspaces have styles and the score told
	looking looks  // who looks at who is in documents

	numbers  atomic.Uint64 // of the newest session, of all that there were
	holding  atomic.Int64  // calls that wait for an owner
	watching atomic.Int64  // documents that somebody looks at who is in
	underWay atomic.Int64  // bytes of what waits to be committed
	reading  chan struct{} // a token for each content that is being made of what is stored
	saving   chan struct{} // a token for each version that is being written down

	mu       sync.Mutex // guards all below
	open     map[docKey]*session
	used     *linked.List      // of those that are open; the one that nobody has used for longest comes first, and none that is being closed for another one
	promised int               // of those that may be open, how many are for those who have had another one closed
	adrift   int               // sessions that have not ended, and are open no more
	named    map[docKey]uint64 // by which session, by its number, this process was last to be named in documents' rows. Invariant: it is named in no others
	stopping bool              // no more are opened
}

// New validates cfg and returns the service; nothing runs, and the database isn't touched, before Run.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	if deps.DB == nil {
		return nil, errors.New("docs: a database is needed")
	}
	s := &Server{
		cfg: cfg, db: deps.DB, sql: newStatements(deps.DB.Dialect()), bus: deps.Bus, peers: deps.Peers, limits: ot.DefaultLimits(), logger: deps.Log,
		metrics: newMetrics(deps.Metrics), open: map[docKey]*session{}, named: map[docKey]uint64{}, used: linked.New(), reading: make(chan struct{}, maxReading),
		saving: make(chan struct{}, maxSaving(deps.DB.Dialect())), recents: newRecents(), through: lookThrough{fewDocuments, mostDocuments},
		diffs: newShelf[ot.Delta](), blames: newShelf[*blame](), heavy: newLongTurns(heavyWaiting), rooms: newRoomTurns(cfg.Open), behind: newLongTurns(max(1, cfg.UnderWay/shares)),
	}
	s.working, s.stop = context.WithCancel(context.Background())
	if s.peers == nil {
		s.peers = newAlone()
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.scores.of = map[string]scored{}
	s.looking.of = map[person]*sights{}
	logConfig := topic.DefaultConfig("docs")
	logConfig.Schema, logConfig.Batch, logConfig.Queue, logConfig.Writers = logSchema(), cfg.Batch, cfg.Queue, cfg.Writers
	logConfig.MaxBody = maxEvent
	var err error
	if s.log, err = topic.NewLog(logConfig, topic.Deps{DB: deps.DB, Bus: deps.Bus, Planner: planner{s}, Log: deps.Log, Metrics: deps.Metrics}); err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	s.jobs = map[jobKind]job{
		jobAccess: s.accessJob, jobSweep: s.accessJob, jobExpiry: s.expiryJob, jobContainer: s.reviewContainer,
		jobThin: s.thinClosed, jobTrash: s.purgeTrashed, jobErase: s.eraseHidden, jobHistory: s.eraseOld, jobFolder: s.clearFolder, jobNews: s.tellNews,
	}
	if err := s.newFollowers(deps); err != nil {
		return nil, err
	}
	return s, nil
}

// Bounds of memory besides those of sessions.
const (
	maxUnderWay = 256 << 20 // bytes of edits that wait to be committed, in all documents; more are told to come back
	maxReading  = 32        // contents that are made of snapshots and edits at the same time; others wait
)

// heavyWaiting is how many calls of one person may wait for a core.
const heavyWaiting = 16

// maxSaving is how many versions are written down at the same time. The others wait here, not for the database, where edits would wait among them:
// many documents come due at once when they were opened at once.
func maxSaving(d sqldb.Dialect) int {
	if d == sqldb.SQLite { // it has one writer
		return 1
	}
	return 4
}

// maxEvent is more than an edit has that was accepted: transformed it may have become longer.
const maxEvent = 3 * MaxDelta

//go:embed migrations/*.sql
var migrations embed.FS

func logSchema() topic.Schema { return topic.Schema{Prefix: "docs"} }

// Migrations returns the service's schema, the log's tables included, for sqldb.DB.Migrate.
func Migrations() (fs.FS, error) {
	own, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	return logSchema().Migrations(own, "00001_log.sql")
}

// Restored makes a database that was restored from a backup fit to be served, before any process starts on it: a new life of the
// history begins, whose epoch is returned.
func Restored(ctx context.Context, db *sqldb.DB, now time.Time) (epoch uint64, err error) {
	return logSchema().BumpEpoch(ctx, db, now)
}

// Register adds the service's methods to a server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	docsv1.RegisterDocsServiceServer(r, s)
	topicv1.RegisterTopicServiceServer(r, topics{topic.NewServer(s.log, opener{s}), s})
}

// Callers is who in the mesh may call the methods that are not exposed: rpc.ServerDeps.Internal.
func Callers() map[string][]string {
	return map[string][]string{
		topicv1.TopicService_Open_FullMethodName:     {"gateway"},
		topicv1.TopicService_OpenEach_FullMethodName: {"gateway"},
		topicv1.TopicService_Heads_FullMethodName:    {"gateway"},
		topicv1.TopicService_Tail_FullMethodName:     {"gateway"},
		topicv1.TopicService_TailEach_FullMethodName: {"gateway"},
		topicv1.TopicService_Follow_FullMethodName:   {rpc.AnyPeer},
	}
}

// Ready is closed when the service can answer.
func (s *Server) Ready() <-chan struct{} { return s.log.Ready() }

// Run works until ctx ends: it writes the log, and hands documents over to the processes that they belong to. In the end it commits what is
// under way, and gives every document up.
func (s *Server) Run(ctx context.Context) error {
	defer s.stop()
	logCtx, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLog()
	g, logCtx := errgroup.WithContext(logCtx)
	g.Go(func() error { return s.log.Run(logCtx) })
	s.tasks.Go(func() { s.begin(s.working) })
	s.tasks.Go(func() { s.workJobs(s.working) })
	s.tasks.Go(func() { s.giveUpLeft(s.working) })
	s.tasks.Go(func() { s.writeRecents(s.working) })
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	defer context.AfterFunc(logCtx, stopFollowing)()
	for _, f := range s.followers {
		g.Go(func() error { return f.Run(following) })
	}
	g.Go(func() error {
		defer stopLog()
		err := s.place(ctx, logCtx)
		s.mu.Lock()
		s.stopping = true
		s.mu.Unlock()
		s.stop()
		s.tasks.Wait()
		return err
	})
	return g.Wait() //nolint:wrapcheck // the log's own
}

// metrics count what sessions do.
type metrics struct {
	open                    prometheus.Gauge
	claims, lost, forwarded prometheus.Counter
	forgotten, unheard      prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "plenum_docs_" + name, Help: help})
	}
	m := metrics{
		open:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "plenum_docs_open", Help: "Documents that this process has open."}),
		claims:    counter("claims_total", "Documents that this process became the owner of."),
		lost:      counter("lost_total", "Documents whose state was read again, since an edit could not be committed as it was planned."),
		forwarded: counter("forwarded_total", "Calls that were sent on to the process that owns their document."),
		unheard:   counter("signals_dropped_total", "Signals of where people are in documents that were dropped, since too many came."),
		forgotten: counter("openings_forgotten_total", "Openings of documents that were not written down for lists, since too many waited."),
	}
	if r != nil {
		r.MustRegister(m.open, m.claims, m.lost, m.forwarded, m.forgotten, m.unheard)
	}
	return m
}
