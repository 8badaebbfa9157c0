package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"

	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/gateway/internal/door"
	"plenum.internal/gateway/internal/heads"
	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/limit"
	"plenum.internal/gateway/internal/site"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/topic"
)

// Deps are what the gateway works with. Services, Verifier and Bus are required, and are run by whoever made them.
type Deps struct {
	Services Services       // Static or Registered; the gateway's own identity there is "gateway"
	Verifier *auth.Verifier // follows identity's revocations
	Refusals *auth.Reporter // of tokens and origins, run by whoever made it; nil: not on record
	Tickets  Redeemer       // identity; nil: nobody has a ticket
	Bus      *bus.Bus
	// Incarnation is by what presence knows this process: as the registry has it, empty where all is one process.
	Incarnation string
	Listener    net.Listener // for clients, already listening; Run serves and closes it. Nil: Run listens at Config.Listen
	Static      fs.FS        // the web application as it was built, read once: GET and HEAD of all that isn't the edge's; nil: none
	Log         *slog.Logger // nil: silent
	Metrics     prometheus.Registerer
}

// Gateway serves clients.
type Gateway struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics
	proxies []netip.Prefix
	// certificate is what clients see; nil: plain HTTP.
	certificate *certificate
	ready       chan struct{}
	learner     *learner
	shards      []*shard
	index       *heads.Index
	people      people
	roster      *roster
	alarms      *alarms
	windows     windows
	bundles     crew // opens bundles
	shared      shared
	strangers   strangers

	openings  openings
	looks     looks
	turners   *turners
	exchanges *exchanges
	content   *url.URL   // Config.ContentOrigin; nil: none
	site      *site.Site // Deps.Static; nil: none

	base     context.Context //nolint:containedctx // of sessions, calls and reads: ends behind the drain
	stop     context.CancelFunc
	draining atomic.Bool
	sessions *limit.Crowd[netip.Addr] // by the address of their client, as prefix has it
	requests *limit.Crowd[netip.Addr] // over HTTP, likewise
	calling  atomic.Int64
	views    atomic.Int64  // open
	ringSize atomic.Int64  // bytes of all rings
	emptied  chan struct{} // a session ended while draining; capacity 1
	calls    sync.WaitGroup
	tasks    sync.WaitGroup
	reads    chan struct{} // a token for each read of the log under way
	decoding chan struct{} // a token for each long message that is being decoded

	bucketsMu sync.Mutex // guards buckets
	buckets   *limit.Table[bucket]
	intake    *intake.Ledger
	shedder   *shedder

	feedsMu sync.Mutex // guards fed
	fed     map[feed]*topic.HeadsFeed
	// rechecks are due; true: and once more after that. Guarded by feedsMu.
	rechecks map[recheck]bool
	live     sync.Map // heads.Name of every hub, so that heads of other topics cost nothing

	addrMu sync.Mutex // guards addr
	addr   string
}

// maxBuckets are kept: those used longest ago go, and are full again.
const maxBuckets = 100_000

// New checks the configuration and starts nothing.
func New(cfg Config, deps Deps) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Services == nil || deps.Verifier == nil || deps.Bus == nil {
		return nil, errors.New("gateway: needs services, a verifier and a bus")
	}
	ledger := intake.New(cfg.intake())
	shedder := newShedder(cfg.ShedBytes)
	m, err := newMetrics(deps.Metrics, ledger, shedder)
	if err != nil {
		return nil, err
	}
	buckets, err := limit.NewTable[bucket](maxBuckets)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{
		cfg: cfg, deps: deps, log: deps.Log, metrics: m, ready: make(chan struct{}), index: heads.New(),
		alarms: newAlarms(), people: people{every: map[*session]struct{}{}, sessions: map[person]*fellows{}}, shared: shared{lists: map[heads.Name]*followed{}}, emptied: make(chan struct{}, 1),
		reads: make(chan struct{}, cfg.MaxReads), decoding: make(chan struct{}, runtime.GOMAXPROCS(0)), buckets: buckets, intake: ledger, shedder: shedder, fed: map[feed]*topic.HeadsFeed{}, rechecks: map[recheck]bool{},
	}
	g.sessions = limit.NewCrowd[netip.Addr](cfg.MaxSessions, cfg.MaxSessionsAddress)
	g.requests = limit.NewCrowd[netip.Addr](cfg.MaxRequests, cfg.MaxRequestsAddress)
	g.bundles = crew{most: bundleOpens, start: g.calls.Go}
	g.windows = windows{length: cfg.Window, clock: g.alarms}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	for _, p := range cfg.Proxies {
		g.proxies = append(g.proxies, netip.MustParsePrefix(p)) // Validate has parsed them
	}
	g.base, g.stop = context.WithCancel(context.Background())
	g.turners = newTurners(g.base)
	g.openings = openings{g: g, nodes: map[grpc.ClientConnInterface]*node{}}
	g.looks = looks{g: g, streams: map[grpc.ClientConnInterface]*lookout{}}
	g.learner = newLearner(g)
	g.roster = newRoster(g)
	if cfg.TLS.Enabled() {
		if g.certificate, err = openCertificate(cfg.TLS, g.log, m.certificateEnds); err != nil {
			return nil, err
		}
	}
	if cfg.ContentOrigin != "" {
		if g.content, err = url.Parse(cfg.ContentOrigin); err != nil {
			return nil, fmt.Errorf("gateway.content_origin: %w", err)
		}
	}
	if deps.Static != nil {
		if g.site, err = site.New(deps.Static, cfg.Offline); err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
	}
	g.exchanges = newExchanges(cfg.MaxExchanges)
	g.shards = newShards(g)
	return g, nil
}

// Ready is closed when clients are accepted and every service was learned.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// Addr is the address that the gateway listens at, with the port that was chosen; empty before it does.
func (g *Gateway) Addr() string {
	g.addrMu.Lock()
	defer g.addrMu.Unlock()
	return g.addr
}

// Listening is how to listen for clients. TCP need not probe them, which would be four system calls for each connection: sessions are
// pinged, streams have their comments, and requests have their times.
func Listening() *net.ListenConfig { return &net.ListenConfig{KeepAlive: -1, Control: limitSilence} }

// Run listens and serves until ctx ends; then it drains and returns nil. It fails if it can't listen.
func (g *Gateway) Run(ctx context.Context) error {
	l := g.deps.Listener
	if l == nil {
		var err error
		if l, err = Listening().Listen(ctx, "tcp", g.cfg.Listen); err != nil {
			return fmt.Errorf("gateway: can't listen for clients: %w", err)
		}
	}
	g.addrMu.Lock()
	g.addr = l.Addr().String()
	g.addrMu.Unlock()
	return g.serve(ctx, l)
}

// serve is Run on a listener.
func (g *Gateway) serve(ctx context.Context, l net.Listener) error {
	defer g.stop()
	cancelRevocations := g.deps.Verifier.OnRevocation(g.revoked)
	defer cancelRevocations()

	for _, s := range g.shards {
		g.tasks.Go(func() { s.run(g.base) })
	}
	g.tasks.Go(func() { g.learner.run(g.base) })
	g.tasks.Go(func() { g.roster.run(g.base) })
	limits := door.Limits{All: g.cfg.MaxPlain, Address: g.cfg.MaxPlainAddress, Silent: g.certificate != nil}
	entrance := door.New(l, limits, g.household, g.metrics.turnedAway.Inc)
	server := g.newServer(entrance)
	failed := make(chan error, 1)
	if g.certificate == nil {
		g.tasks.Go(func() { failed <- server.Serve(entrance) })
	} else {
		g.tasks.Go(func() { g.certificate.run(g.base) })
		g.tasks.Go(func() { failed <- server.ServeTLS(entrance, "", "") })
	}
	g.tasks.Go(func() {
		select {
		case <-g.learner.ready:
			if g.heardOf() {
				close(g.ready)
			}
		case <-g.base.Done():
		}
	})

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("gateway: %w", err)
	}
	stopping := time.Now()
	g.drain()
	g.exchanges.close(g.cfg.Drain - time.Since(stopping))
	shutdown, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = server.Shutdown(shutdown) // ctx has ended. Calls over HTTP that take longer are cut
	_ = server.Close()
	g.stop()
	g.exchanges.wait()
	g.tasks.Wait()
	g.calls.Wait()
	return err
}

// feedsTime is how long a gateway that starts waits for its feeds; while a service is away it does without.
const feedsTime = 5 * time.Second

// heardOf waits until all feeds know where they start: what moved before is in what a session opens, what moves later is told. It
// returns false when the gateway has stopped meanwhile.
func (g *Gateway) heardOf() bool {
	late := time.NewTimer(feedsTime)
	defer late.Stop()
	g.feedsMu.Lock()
	feeds := slices.Collect(maps.Values(g.fed))
	g.feedsMu.Unlock()
	for _, f := range feeds {
		select {
		case <-f.Ready():
		case <-late.C:
			return true
		case <-g.base.Done():
			return false
		}
	}
	return true
}

// drain sends the clients elsewhere, spread over cfg.Drain, and leaves when they are gone or late.
func (g *Gateway) drain() {
	g.draining.Store(true)
	for _, s := range g.people.all() {
		g.metrics.drained.Inc()
		s.mail(0, func(s *session) { s.goodbye(errDraining.RetryIn(rand.N(g.cfg.Drain + 1))) })
	}
	late := time.NewTimer(drainGrace)
	defer late.Stop()
	for g.sessions.Inside() > 0 {
		select {
		case <-g.emptied:
		case <-late.C:
			for _, s := range g.people.all() {
				s.kill()
			}
			return
		}
	}
}

// drainGrace is how long clients may take to read their Goodbye and close.
const drainGrace = 5 * time.Second

// done counts a session out.
func (g *Gateway) done(s *session) {
	defer g.calls.Done()
	s.metrics().sessions.Dec()
	g.unseat(s.address)
}

// unseat counts out whom refusesNew has counted in.
func (g *Gateway) unseat(address netip.Addr) {
	g.sessions.Leave(prefix(address))
	if g.draining.Load() {
		select {
		case g.emptied <- struct{}{}:
		default:
		}
	}
}

func (g *Gateway) catalog() *catalog.Catalog { return g.learner.current.Load() }

// httpLog turns the HTTP server's complaints about clients into debug lines.
func (g *Gateway) httpLog() *log.Logger { return slog.NewLogLogger(g.log.Handler(), slog.LevelDebug) }
