package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
	"plenum.internal/services/identity/guess"
	"plenum.internal/services/identity/keyring"
	"plenum.internal/services/identity/password"
	"plenum.internal/services/identity/sqlstore"
)

// Deps are the service's surroundings.
type Deps struct {
	DB  *sqldb.DB // migrated with Migrations
	Bus topic.Bus // nil: nothing is published
	// Chat is a connection to chat, which knows whom guests meet. Nil: they see nobody but themselves.
	Chat    grpc.ClientConnInterface
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: not registered
}

// Server is the service.
type Server struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	store     *sqlstore.Store
	topics    *topic.Log
	chat      chatv1.AcquaintanceServiceClient // nil without Deps.Chat
	ring      *keyring.Ring
	passwords *password.Hasher
	addresses *guess.Addresses
	keys      keys
	feed      feed
	metrics   metrics
	ready     chan struct{}

	mu    sync.Mutex // guards setup
	setup string     // secret of the first run while that is due
}

// New validates cfg and returns the service; nothing runs, and the database isn't touched, before Run.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	if deps.DB == nil {
		return nil, errors.New("identity: a database is needed")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, deps: deps, log: deps.Log, store: sqlstore.New(deps.DB), ready: make(chan struct{})}
	if deps.Chat != nil {
		s.chat = chatv1.NewAcquaintanceServiceClient(deps.Chat)
	}
	s.feed.init()
	var err error
	if s.ring, err = cfg.ring(); err != nil {
		return nil, err
	}
	if s.passwords, err = password.New(cfg.password()); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(deps.Metrics, s.passwords); err != nil {
		return nil, err
	}
	if s.addresses, err = guess.NewAddresses(cfg.addressLimit(), cfg.Addresses); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	logConfig := topic.DefaultConfig("identity")
	logConfig.Schema = logSchema()
	if s.topics, err = topic.NewLog(logConfig, topic.Deps{DB: deps.DB, Bus: deps.Bus, Planner: s, Log: deps.Log, Metrics: deps.Metrics}); err != nil {
		return nil, err
	}
	return s, nil
}

func logSchema() topic.Schema { return topic.Schema{Prefix: "identity"} }

// Migrations returns the service's schema, the log's tables included, for sqldb.DB.Migrate.
func Migrations() (fs.FS, error) {
	own, err := sqlstore.Migrations()
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return logSchema().Migrations(own, "00002_log.sql")
}

// Register adds the service's methods to a server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	identityv1.RegisterSessionServiceServer(r, &sessions{s: s})
	identityv1.RegisterPeopleServiceServer(r, &people{s: s})
	identityv1.RegisterAdminServiceServer(r, &admin{s: s})
	identityv1.RegisterOperatorServiceServer(r, &operator{s: s})
	authv1.RegisterAuthServiceServer(r, &authService{s: s})
	topicv1.RegisterTopicServiceServer(r, topic.NewServer(s.topics, opener{s}))
}

// Callers is who in the mesh may call the methods that are not exposed: rpc.ServerDeps.Internal.
func Callers() map[string][]string {
	return map[string][]string{
		authv1.AuthService_Keys_FullMethodName:                   {rpc.AnyPeer},
		authv1.AuthService_Revocations_FullMethodName:            {rpc.AnyPeer},
		authv1.AuthService_Report_FullMethodName:                 {rpc.AnyPeer}, // every server refuses tokens
		authv1.AuthService_Redeem_FullMethodName:                 {"gateway"},
		topicv1.TopicService_Open_FullMethodName:                 {"gateway"},
		topicv1.TopicService_OpenEach_FullMethodName:             {"gateway"},
		topicv1.TopicService_Heads_FullMethodName:                {"gateway"},
		topicv1.TopicService_Tail_FullMethodName:                 {"gateway"},
		topicv1.TopicService_TailEach_FullMethodName:             {"gateway"}, // there are no views: unimplemented
		topicv1.TopicService_Follow_FullMethodName:               {rpc.AnyPeer},
		identityv1.OperatorService_IssueSetup_FullMethodName:     {"operator"},
		identityv1.OperatorService_ListWorkspaces_FullMethodName: {"operator"},
		identityv1.OperatorService_IssueReset_FullMethodName:     {"operator"},
		identityv1.OperatorService_ListChain_FullMethodName:      {"operator"},
		identityv1.OperatorService_VerifyChain_FullMethodName:    {"operator"},
		identityv1.OperatorService_RotateKeys_FullMethodName:     {"operator"},
	}
}

// Ready is closed when the service can answer.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run works until ctx ends: it writes the log, rotates keys, follows revocations and forgets what is over.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.topics.Run(ctx) })
	g.Go(func() error { return s.start(ctx) })
	g.Go(func() error { s.every(ctx, keyCheck, s.loadKeys); return nil })
	g.Go(func() error { s.feed.run(ctx, s); return nil })
	g.Go(func() error { s.every(ctx, pruneGap, s.prune); return nil })
	return g.Wait()
}

const (
	keyCheck = 10 * time.Second // between two looks at the signing keys, which another process may have ended
	pruneGap = 10 * time.Minute
)

// start makes the service ready, waiting for the database as long as that is away.
func (s *Server) start(ctx context.Context) error {
	select {
	case <-s.topics.Ready():
	case <-ctx.Done():
		return nil
	}
	for err := s.prepare(ctx); err != nil; err = s.prepare(ctx) {
		s.log.WarnContext(ctx, "identity can't start yet", "error", err)
		if !sleep(ctx, time.Second) {
			return nil
		}
	}
	close(s.ready)
	return nil
}

// prepare does what must be done before the first answer.
func (s *Server) prepare(ctx context.Context) error {
	if err := s.loadKeys(ctx); err != nil {
		return err
	}
	return s.armFirstRun(ctx)
}

// every calls f once for each interval until ctx ends; a failure is logged and tried again.
func (s *Server) every(ctx context.Context, interval time.Duration, f func(context.Context) error) {
	for sleep(ctx, interval) {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "identity's upkeep failed", "error", err)
		}
	}
}

// armFirstRun makes the set-up secret valid while the installation has no workspace.
func (s *Server) armFirstRun(ctx context.Context) error {
	secret := s.cfg.SetupSecret.Reveal()
	if secret == "" && s.cfg.Generate {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails since Go 1.24
		secret = base64.RawURLEncoding.EncodeToString(b[:])
	}
	if secret == "" {
		if first, err := s.store.Reads().Workspaces(ctx, "", 1); err != nil || len(first) > 0 {
			return err
		}
		s.log.WarnContext(ctx, "there is no workspace yet, and no setup_secret in the configuration to make one with")
		return nil
	}
	due := false
	err := s.store.Write(ctx, func(tx sqlstore.Tx) (err error) {
		due, err = tx.ArmFirstRun(ctx, sqlstore.Hash(secret), time.Now().UnixMilli())
		return err
	})
	if err != nil || !due {
		return err
	}
	if s.cfg.SetupSecret != "" {
		s.log.InfoContext(ctx, "there is no workspace yet: open <address>/#setup=<setup_secret of the configuration> to make the first")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setup = secret
	return nil
}

// SetupLink returns the link that makes the first workspace, under an origin like "http://127.0.0.1:8080", or "" once there is one.
// Call it when the service is ready.
func (s *Server) SetupLink(origin string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.setup == "" {
		return ""
	}
	return strings.TrimSuffix(origin, "/") + "/#setup=" + s.setup
}

// disarm forgets the secret of the first run once it is used.
func (s *Server) disarm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setup = ""
}

// prune forgets what is over.
func (s *Server) prune(ctx context.Context) error {
	now := time.Now()
	return s.store.Write(ctx, func(tx sqlstore.Tx) error {
		return errors.Join(
			tx.PruneGuesses(ctx, now.UnixMilli()),
			tx.PruneRevocations(ctx, now.Add(-revocationLife).UnixMilli()),
			tx.PruneDevices(ctx, now.Add(-s.cfg.RefreshTTL-deviceMemory).UnixMilli()),
			tx.PruneKeys(ctx, now.UnixMilli()),
			tx.PruneResets(ctx, now.UnixMilli()),
		)
	})
}

const (
	clockSkewMs    = 1000               // replicas' clocks agree within it: a token from a fast one ends with what a slow one revokes
	revocationLife = 3 * time.Hour      // longer than any access token, whoever configured it
	deviceMemory   = 7 * 24 * time.Hour // how long after its last token a device is still known
	maxDevices     = 100                // of a person
	serviceClient  = "service"          // stands for the client of a service account's only device
)

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

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
}
