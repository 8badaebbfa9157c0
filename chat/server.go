package chat

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Deps are the service's surroundings.
type Deps struct {
	DB       *sqldb.DB                // migrated with Migrations
	Bus      topic.Bus                // nil: nothing is published
	Self     grpc.ClientConnInterface // to chat's own TopicService: people's state is derived from its log
	Identity grpc.ClientConnInterface // to identity's TopicService: people and groups are derived from its log
	Log      *slog.Logger             // nil: silent
	Metrics  prometheus.Registerer    // nil: not registered
}

// Server is the service.
type Server struct {
	chatv1.UnimplementedChatServiceServer
	db         *sqldb.DB
	sql        *statements
	log        *topic.Log
	followers  []*topic.Follower
	deriver    *topic.Follower // the one of them that derives what people have of channels
	loader     *accessLoader   // what grants of channels are made of, …
	cache      *accessCache    // … of what is known without it, …
	feed       *accessFeed     // … as long as this is fresh
	metrics    accessMetrics
	remembered remembered
	bundles    bundleLoads
}

// planner and opener keep what the log calls apart from what people call.
type (
	planner struct{ *Server }
	opener  struct{ *Server }
)

// New validates cfg and returns the service; nothing runs, and the database isn't touched, before Run.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	if deps.DB == nil || deps.Self == nil || deps.Identity == nil {
		return nil, errors.New("chat: a database and the connections to itself and to identity are needed")
	}
	s := &Server{db: deps.DB, sql: newStatements(deps.DB.Dialect()), bundles: bundleLoads{turns: newTurnstile(bundleReads, bundleQueue), next: map[personKey]*bundleLoad{}}}
	s.remembered.limit = max(1, cfg.CacheMembers/topic.Partitions)
	logConfig := topic.DefaultConfig("chat")
	logConfig.Schema, logConfig.Batch, logConfig.Queue, logConfig.Writers = logSchema(), cfg.Batch, cfg.Queue, cfg.Writers
	var err error
	if s.log, err = topic.NewLog(logConfig, topic.Deps{
		DB: deps.DB, Bus: deps.Bus, Planner: planner{s}, Log: deps.Log, Metrics: deps.Metrics,
	}); err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	if err := s.keepAccess(cfg, deps); err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	for _, f := range []struct {
		name, service string
		source        topicv1.TopicServiceClient
		handle        func(context.Context, *sql.Tx, []*topicv1.Record) error
		reset         func(context.Context, *sql.Tx, uint32) error
		announce      bool
	}{
		{"people", "identity", topicv1.NewTopicServiceClient(deps.Identity), s.meet, s.forget, false},
		// What is derived from one's own log bears being derived again.
		{"mine", "chat", gather{topicv1.NewTopicServiceClient(deps.Self)}, s.derive, func(context.Context, *sql.Tx, uint32) error { return nil }, true},
	} {
		follower, err := topic.NewFollower(topic.FollowerConfig{Name: f.name, Service: f.service, Prefix: "chat", Announce: f.announce}, topic.FollowerDeps{
			Source: f.source, DB: deps.DB, Handle: f.handle, Reset: f.reset, Bus: deps.Bus, Log: deps.Log, Metrics: deps.Metrics,
		})
		if err != nil {
			return nil, fmt.Errorf("chat: follow %s: %w", f.service, err)
		}
		s.followers = append(s.followers, follower)
		if f.announce {
			s.deriver = follower
		}
	}
	return s, nil
}

//go:embed migrations/*.sql
var migrations embed.FS

func logSchema() topic.Schema {
	return topic.Schema{Prefix: "chat", Extra: []topic.Column{
		{Name: "kind", Type: "integer", Default: "0", Value: func(r *topic.Row) any { return int64(extra(r).kind) }},
		{Name: "parent", Type: "bigint", Default: "0", Value: func(r *topic.Row) any { return int64(extra(r).parent) }},
	}}
}

func extra(r *topic.Row) later {
	if l, ok := r.Extra.(*later); ok {
		return *l
	}
	return later{}
}

// Migrations returns the service's schema, the log's tables included, for sqldb.DB.Migrate.
func Migrations() (fs.FS, error) {
	own, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	return logSchema().Migrations(own, "00001_log.sql")
}

// Register adds the service's methods to a server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	chatv1.RegisterChatServiceServer(r, s)
	chatv1.RegisterAcquaintanceServiceServer(r, acquaintances{s: s})
	chatv1.RegisterPaceServiceServer(r, newPace(s.db))
	topicv1.RegisterTopicServiceServer(r, topics{topic.NewServer(s.log, opener{s}).Deriving(s.deriver), s})
}

// Callers is who in the mesh may call the methods that are not exposed: rpc.ServerDeps.Internal.
func Callers() map[string][]string {
	return map[string][]string{
		topicv1.TopicService_Open_FullMethodName:              {"gateway"},
		topicv1.TopicService_OpenEach_FullMethodName:          {"gateway"},
		topicv1.TopicService_Heads_FullMethodName:             {"gateway"},
		topicv1.TopicService_Tail_FullMethodName:              {"gateway"},
		topicv1.TopicService_TailEach_FullMethodName:          {"gateway"}, // there are no views: unimplemented
		topicv1.TopicService_Follow_FullMethodName:            {rpc.AnyPeer},
		chatv1.AcquaintanceService_ListMet_FullMethodName:     {"identity"},
		chatv1.AcquaintanceService_FollowRooms_FullMethodName: {"presence"},
		chatv1.PaceService_GetResponseTime_FullMethodName:     {"presence"},
	}
}

// Ready is closed when the service can answer.
func (s *Server) Ready() <-chan struct{} { return s.log.Ready() }

// Run works until ctx ends: it writes the log and derives what people have of it.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.log.Run(ctx) })
	g.Go(func() error { return s.feed.run(ctx) })
	for _, f := range s.followers {
		g.Go(func() error { return f.Run(ctx) })
	}
	return g.Wait()
}

// key is the name that the client gave the mutation.
func (s *Server) key(ctx context.Context, caller auth.Caller) (topic.Key, error) {
	id, seq, ok := rpc.MutationFrom(ctx)
	if !ok {
		return topic.Key{}, errKey
	}
	return topic.Key{User: caller.User, ClientID: id, Seq: seq}, nil
}

// mutate runs an op under its key, in the partition of route: a channel, or the caller.
func (s *Server) mutate(ctx context.Context, caller auth.Caller, route string, req proto.Message, o op, res proto.Message) error {
	if !validID(route) {
		return errChannel
	}
	key, err := s.key(ctx, caller)
	if err != nil {
		return err
	}
	return s.log.Mutate(ctx, topic.Mutation{Workspace: caller.Workspace, Route: route, Key: key, Request: req, Op: o}, res)
}

// mutateOwn runs an op of the caller's own that carries a version in place of a key.
func (s *Server) mutateOwn(ctx context.Context, caller auth.Caller, req proto.Message, o op, res proto.Message) error {
	return s.log.Mutate(ctx, topic.Mutation{
		Workspace: caller.Workspace, Route: caller.User, Key: topic.Key{User: caller.User}, Request: req, Op: o,
	}, res)
}

// insertRows writes the log's rows with one statement.
func (s *Server) insertRows(ctx context.Context, tx *sql.Tx, rows []topic.Row) error {
	return logSchema().InsertRows(ctx, tx, s.db.Dialect(), rows)
}
