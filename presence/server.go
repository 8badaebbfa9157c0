package presence

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Peers are where the processes are: *node.Peers in a cluster.
type Peers interface {
	Node() registry.Node                                       // this process
	Nodes(service string) []registry.Node                      // the processes of a service that live, as far as is known
	Changed() <-chan struct{}                                  // closed when one comes or goes
	Valid() bool                                               // the others must believe at this moment that this process lives
	Conn(incarnation string) (grpc.ClientConnInterface, error) // to another process of presence
}

// Deps are what the service works with.
type Deps struct {
	DB       *sqldb.DB
	Peers    Peers                    // nil: this process is alone, and one gateway tells it of sessions
	Chat     grpc.ClientConnInterface // who shares channels, and how fast people answer there
	Identity grpc.ClientConnInterface // what is kept of workspaces; nil: nothing
	Log      *slog.Logger             // nil: silent
	Metrics  prometheus.Registerer
	Tracer   trace.TracerProvider // nil: no traces
}

// Server is the service in one process.
type Server struct {
	presencev1.UnimplementedPresenceServiceServer
	cfg         Config
	db          *sqldb.DB
	peers       Peers
	chat        grpc.ClientConnInterface
	logger      *slog.Logger
	hub         *hub
	memberships *memberships
	views       *views
	rooms       *rooms
	follower    *topic.Follower // of workspaces; nil: nothing is kept
	keeping     keepStatements
	figures     figures
	ready       chan struct{}
	tasks       sync.WaitGroup

	tracer      trace.Tracer
	deliveries  deliveries
	tooManyKept bool                            // belongs to writeRecords
	analysing   *rpc.Turns                      // of workspaces, to compute analytics
	clock       func() time.Time                // by which days are told
	overdue     bool                            // there is more to be forgotten of when people were here last; belongs to keepSeen
	choosing    [topic.Partitions]chan struct{} // held, by sending, by who writes down what somebody of the partition has chosen
}

const tickGap = 100 * time.Millisecond // between two looks at what is due, and at where the processes are

// New checks the configuration and starts nothing.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	if deps.DB == nil || deps.Chat == nil {
		return nil, errors.New("presence: a database and the connection to chat are needed")
	}
	s := &Server{
		cfg: cfg, db: deps.DB, peers: deps.Peers, chat: deps.Chat, logger: deps.Log, memberships: newMemberships(),
		views: newViews(), rooms: newRooms(), ready: make(chan struct{}), keeping: newKeepStatements(deps.DB.Dialect()), figures: newFigures(deps.DB.Dialect()),
		analysing: rpc.NewTurns(analyses), clock: time.Now,
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if deps.Tracer == nil {
		deps.Tracer = noop.NewTracerProvider()
	}
	s.tracer = deps.Tracer.Tracer("presence")
	if s.peers == nil {
		s.peers = alone{}
	}
	for i := range s.choosing {
		s.choosing[i] = make(chan struct{}, 1)
	}
	s.hub = newHub(cfg, s.peers.Node().ID)
	if err := s.newFollower(deps); err != nil {
		return nil, err
	}
	register(deps.Metrics, s)
	return s, nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the service's schema, for sqldb.DB.Migrate.
func Migrations() (fs.FS, error) {
	own, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	return own, nil
}

// Callers is who in the mesh may call the methods that are not exposed: rpc.ServerDeps.Internal.
func Callers() map[string][]string {
	return map[string][]string{
		topicv1.TopicService_Open_FullMethodName:     {"gateway"},
		topicv1.TopicService_OpenEach_FullMethodName: {"gateway"},
		topicv1.TopicService_TailEach_FullMethodName: {"gateway"},
		rosterv1.RosterService_Report_FullMethodName: {"gateway"},
		presencev1.HomeService_Watch_FullMethodName:  {"presence"},
	}
}

// Register adds the service's methods to a server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	presencev1.RegisterPresenceServiceServer(r, s)
	rosterv1.RegisterRosterServiceServer(r, roster{s: s})
	presencev1.RegisterHomeServiceServer(r, home{s: s})
	topicv1.RegisterTopicServiceServer(r, topics{s: s})
}

// Ready is closed when the service can answer. What it can't know before others have told it, it tells as not known.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run works until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	defer s.tasks.Wait()
	if s.peers == (alone{}) {
		s.hub.startAlone(time.Now())
	}
	s.tasks.Go(func() { s.loadChoices(ctx) })
	s.tasks.Go(func() { s.followHomes(ctx) })
	s.tasks.Go(func() { s.followChat(ctx) })
	s.tasks.Go(func() { s.keepRooms(ctx) })
	s.tasks.Go(func() { s.keepSeen(ctx) })
	if s.follower != nil {
		s.tasks.Go(func() { s.writeRecords(ctx) })
		s.tasks.Go(func() { s.purgeRecords(ctx) })
		s.tasks.Go(func() {
			if err := s.follower.Run(ctx); err != nil {
				s.logger.ErrorContext(ctx, "identity is not followed any more", "error", err)
			}
		})
	}
	tick := time.NewTicker(tickGap)
	defer tick.Stop()
	for first := true; ; first = false {
		changed := s.peers.Changed()
		s.place(time.Now())
		if first {
			close(s.ready)
		}
		select {
		case <-changed:
		case <-tick.C:
			s.hub.tick(time.Now())
		case <-ctx.Done():
			return nil
		}
	}
}

// place tells the hub where the processes are now.
func (s *Server) place(now time.Time) {
	var gateways []string
	for _, g := range s.peers.Nodes("gateway") {
		gateways = append(gateways, g.Incarnation)
	}
	s.hub.setPlacement(now, s.placement(), gateways, s.peers.Valid())
}

// What is answered.
var (
	errPerson  = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "presence.PERSON", "Name yourself: what others have chosen is theirs.").On("user")
	errTopic   = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "presence.TOPIC", "There is no such topic.")
	errOffline = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "presence.OFFLINE",
		"Others see you as offline, and are not told what you do. Connect, or choose another status first. If you have only just connected, try again.")
	errAway       = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "presence.AWAY", "Who is here is not known at this moment. Try again.")
	errViews      = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "presence.AWAY", "Too many people are looking. Try again.")
	errOwnViews   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "presence.VIEWS", "You have %d views of people and channels open. Close some of them first.", MaxOwnViews)
	errOwnMembers = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "presence.VIEWS",
		"The channels that you look at have too many members, taken together. Close the views of some of them first.")
	errForbid = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "presence.FORBIDDEN", "Your role doesn't allow this. Ask an administrator.")
	errNone   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "presence.NOT_RECORDED",
		"This workspace keeps no records of presence. An administrator can have them kept, from then on.")
	errNumber = rpc.Errorf(edgev1.Code_CODE_CONFLICT, "presence.KEY_REUSED", "Another request had this number. Give each change the next one.").On("client_seq")
	errSlow   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "presence.TOO_MUCH", "That is too much to be computed in time. Ask for fewer days.")
	errBusy   = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "presence.BUSY", "Analytics are being computed for others. Try again shortly.").RetryIn(5 * time.Second)
)

func badField(field, format string, args ...any) error {
	return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "presence.BAD_FIELD", format, args...).On(field)
}

// placement is of people and channels among the processes, as far as is known here.
func (s *Server) placement() registry.Placement {
	return registry.NewPlacement(s.peers.Nodes("presence"))
}

// personal is a request about who calls.
type personal interface {
	proto.Message
	GetUser() string
}

// atHome does for who calls what they ask of themselves, at their home: here, or by sending the call on to the process that it is.
func (s *Server) atHome(ctx context.Context, method string, q personal, res proto.Message, do func(personKey) error) error {
	k, err := own(ctx, q)
	if err != nil {
		return err
	}
	home := s.placement().Home(k.route())
	switch {
	case home.ID == s.peers.Node().ID:
		return do(k)
	case home.ID == "" || rpc.Forwarded(ctx): // the processes disagree, for a moment
		return errAway
	}
	cc, err := s.peers.Conn(home.Incarnation)
	if err != nil {
		return errAway.Because(err)
	}
	return cc.Invoke(rpc.Forward(ctx), method, q, res) //nolint:wrapcheck // the other's own answer
}

// own is who calls, if that is whom they name.
func own(ctx context.Context, q personal) (personKey, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return personKey{}, err //nolint:wrapcheck // numbered
	}
	if q.GetUser() != c.User {
		return personKey{}, errPerson
	}
	return personKey{c.Workspace, c.User}, nil
}

// alone is a process that has no others beside it.
type alone struct{}

func (alone) Node() registry.Node { return registry.Node{ID: "presence", Service: "presence"} }

func (a alone) Nodes(service string) []registry.Node {
	if service == "presence" {
		return []registry.Node{a.Node()}
	}
	return []registry.Node{{ID: service, Service: service}}
}

func (alone) Changed() <-chan struct{}                      { return nil }
func (alone) Valid() bool                                   { return true }
func (alone) Conn(string) (grpc.ClientConnInterface, error) { return nil, errAway }
