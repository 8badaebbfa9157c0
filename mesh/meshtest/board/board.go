// Package board is the example of a service: its topics live in its memory, walls of the class RING and notes of the class VIEW; its HTTP
// routes carry attachments.
package board

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest/board/boardv1"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	httpv1 "plenum.internal/proto/plenum/http/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Callers is the allow-list for rpc.ServerDeps.
func Callers() map[string][]string {
	all := map[string][]string{
		"/plenum.topic.v1.TopicService/Open": {"gateway"}, "/plenum.topic.v1.TopicService/OpenEach": {"gateway"},
		"/plenum.topic.v1.TopicService/Tail": {"gateway"}, "/plenum.topic.v1.TopicService/TailEach": {"gateway"},
	}
	maps.Copy(all, rpc.HTTPCallers())
	return all
}

// Limits of boards.
const (
	maxBoards = 1000
	maxBanned = 1000 // on one board
	maxText   = 4 << 10
	maxPrefix = 32
)

// Kinds of topics.
const (
	wall  = "board.wall"
	notes = "board.notes"
)

var (
	errTopic  = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "board.TOPIC", "There is no such board.")
	errID     = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "board.ID", "A board's id has letters, digits, - and _ alone.").On("board")
	errText   = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "board.TEXT", "The text has at most 4 KiB: write less.").On("text")
	errPrefix = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "board.PREFIX", "The prefix has at most 32 bytes: take its beginning.").On("params")
	errFull   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "board.FULL", "There is no room for another board.")
	errClass  = rpc.Errorf(edgev1.Code_CODE_UNSUPPORTED, "board.CLASS", "A wall is followed; notes are viewed.")
)

// Config bounds what a board keeps.
type Config struct {
	Wall  topic.RingLimits
	Notes topic.ViewLimits
	// Attachments is their folder, made if needed, which all processes of the service share.
	Attachments string
	Log         *slog.Logger // nil: silent
}

// Service implements BoardService, TopicService and, for its attachments, HttpService.
type Service struct {
	boardv1.UnimplementedBoardServiceServer
	topicv1.UnimplementedTopicServiceServer
	epoch uint64
	cfg   Config
	files *attachments
	http  httpv1.HttpServiceServer // their routes

	mu     sync.Mutex // guards all below
	boards map[name]*board
}

type name struct{ workspace, id string }

type board struct {
	wall  *topic.Ring
	notes *topic.View

	mu     sync.Mutex // guards all below
	banned map[string]bool
	last   map[string]post // by user and client; as many as notes may be. Invariant: of each client the newest
}

// post is what became of a client's newest Post.
type post struct{ seq, offset uint64 }

// New returns a service without boards. epoch is its incarnation: Unix milliseconds of its start.
func New(epoch uint64, cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	files, err := openAttachments(cfg.Attachments, cfg.Log)
	if err != nil {
		return nil, err
	}
	routes, err := rpc.NewHTTPService(boardv1.BoardService_ServiceDesc.ServiceName, files.handler())
	return &Service{epoch: epoch, cfg: cfg, files: files, http: routes, boards: map[name]*board{}}, err
}

// Close gives the folder of the attachments free.
func (s *Service) Close() error { return s.files.root.Close() }

// Node is the service as a part of a process, whose start is the incarnation.
func Node(cfg Config) node.Service {
	return node.Service{Name: "board", Internal: Callers(), New: func(n *node.Node) (node.Part, error) {
		cfg.Log = n.Obs.Log
		s, err := New(uint64(time.Now().UnixMilli()), cfg)
		return part{s}, err
	}}
}

// part is ready at once, and has nothing to do but to answer.
type part struct{ *Service }

func (part) Ready() <-chan struct{} {
	ready := make(chan struct{})
	close(ready)
	return ready
}

func (p part) Run(ctx context.Context) error {
	<-ctx.Done()
	return p.Close()
}

// Register puts its services on a server.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	boardv1.RegisterBoardServiceServer(r, s)
	topicv1.RegisterTopicServiceServer(r, s)
	httpv1.RegisterHttpServiceServer(r, s.http)
}

// board finds or makes one.
func (s *Service) board(workspace, id string) (*board, error) {
	if !topic.ValidName(wall + "/" + id) {
		return nil, errID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boards[name{workspace, id}]
	if b == nil {
		if len(s.boards) >= maxBoards {
			return nil, errFull
		}
		b = &board{
			wall: topic.NewRing(workspace, wall+"/"+id, s.epoch, s.cfg.Wall), notes: topic.NewView(s.epoch, s.cfg.Notes),
			banned: map[string]bool{}, last: map[string]post{},
		}
		s.boards[name{workspace, id}] = b
	}
	return b, nil
}

// may is the authorisation, on every path.
func (b *board) may(user string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.banned[user] {
		return errTopic
	}
	return nil
}

// enter finds the board of a call whose caller may use it.
func (s *Service) enter(ctx context.Context, id string) (*board, auth.Caller, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, caller, err
	}
	b, err := s.board(caller.Workspace, id)
	if err != nil {
		return nil, caller, err
	}
	return b, caller, b.may(caller.User)
}

// Ban takes from a user the right to a board. What followers of the wall get up to there, they may have.
func (s *Service) Ban(workspace, id, user string) (offset uint64, err error) {
	b, err := s.board(workspace, id)
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	if len(b.banned) >= maxBanned {
		b.mu.Unlock()
		return 0, errFull
	}
	b.banned[user] = true
	b.mu.Unlock()
	b.notes.Recheck()
	return b.wall.Append(&topicv1.Record{Access: []*topicv1.Access{{Principal: user}}})
}

// Post implements BoardService.
func (s *Service) Post(ctx context.Context, r *boardv1.PostRequest) (*boardv1.PostResponse, error) {
	b, caller, err := s.enter(ctx, r.GetBoard())
	if err != nil {
		return nil, err
	}
	if len(r.GetText()) > maxText {
		return nil, errText
	}
	body, err := proto.Marshal(&boardv1.Posted{Author: caller.User, Text: r.GetText()})
	if err != nil {
		return nil, err
	}
	id, seq, _ := rpc.MutationFrom(ctx)
	key := topic.Key{User: caller.User, ClientID: id, Seq: seq}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.last[caller.User+"/"+id]; seq != 0 && p.seq == seq {
		return &boardv1.PostResponse{Offset: p.offset}, nil
	}
	at, err := b.wall.Append(&topicv1.Record{Event: &edgev1.Event{Body: body, Mutation: key.Mutation()}})
	if err != nil {
		return nil, err
	}
	if len(b.last) >= maxBanned {
		clear(b.last) // an example forgets what a service would keep
	}
	b.last[caller.User+"/"+id] = post{seq, at}
	return &boardv1.PostResponse{Offset: at}, nil
}

// Put implements BoardService.
func (s *Service) Put(ctx context.Context, r *boardv1.PutRequest) (*boardv1.PutResponse, error) {
	b, caller, err := s.enter(ctx, r.GetBoard())
	if err != nil {
		return nil, err
	}
	if len(r.GetText()) > maxText {
		return nil, errText
	}
	body, err := proto.Marshal(&boardv1.Note{Author: caller.User, Text: r.GetText()})
	if err != nil {
		return nil, err
	}
	return &boardv1.PutResponse{}, b.notes.Set(r.GetKey(), body)
}

// Remove implements BoardService.
func (s *Service) Remove(ctx context.Context, r *boardv1.RemoveRequest) (*boardv1.RemoveResponse, error) {
	b, _, err := s.enter(ctx, r.GetBoard())
	if err != nil {
		return nil, err
	}
	b.notes.Remove(r.GetKey())
	return &boardv1.RemoveResponse{}, nil
}

// Open implements TopicService.
func (s *Service) Open(ctx context.Context, r *topicv1.OpenRequest) (*topicv1.OpenResponse, error) {
	return topic.OpenOne(ctx, r, s.open)
}

// OpenEach implements TopicService.
func (s *Service) OpenEach(ctx context.Context, r *topicv1.OpenEachRequest) (*topicv1.OpenEachResponse, error) {
	return topic.OpenEach(ctx, r, s.open)
}

func (s *Service) open(_ context.Context, openings []*topic.Opening) error {
	for _, o := range openings {
		for _, w := range o.Wants {
			g, err := s.grant(o.Caller, w)
			if err != nil {
				g = &topicv1.Grant{Topic: w.GetTopic(), Error: rpc.FromError(err)}
			}
			o.Grants = append(o.Grants, g)
		}
	}
	return nil
}

func (s *Service) grant(caller auth.Caller, w *edgev1.Want) (*topicv1.Grant, error) {
	b, err := s.board(caller.Workspace, topic.ID(w.GetTopic()))
	if err != nil {
		return nil, err
	}
	var g *topicv1.Grant
	switch kind, _, _ := strings.Cut(w.GetTopic(), "/"); kind {
	case wall:
		g = b.wall.Grant(w.GetTopic(), true) // before may: see there
	case notes:
		if _, err := keep(w.GetParams()); err != nil {
			return nil, err
		}
		g = &topicv1.Grant{Topic: w.GetTopic()}
	default:
		return nil, errTopic
	}
	return g, b.may(caller.User)
}

// keep is the filter that the parameters of notes ask for.
func keep(params []byte) (func(key string) bool, error) {
	p := &boardv1.NotesParams{}
	if err := topic.ReadParams(params, p); err != nil {
		return nil, err
	}
	if len(p.GetPrefix()) > maxPrefix {
		return nil, errPrefix
	}
	return func(key string) bool { return strings.HasPrefix(key, p.GetPrefix()) }, nil
}

// Tail implements TopicService: a wall, as a hub. Who may see what is in the grants, and in the records.
func (s *Service) Tail(r *topicv1.TailRequest, stream grpc.ServerStreamingServer[topicv1.TailResponse]) error {
	kind, id, _ := strings.Cut(r.GetTopic(), "/")
	if kind != wall {
		return errClass
	}
	b, err := s.board(r.GetWorkspace(), id)
	if err != nil {
		return err
	}
	return b.wall.Tail(stream.Context(), r, stream.Send)
}

// TailEach implements TopicService: notes, as their users.
func (s *Service) TailEach(stream topic.EachStream) error { return topic.TailEach(stream, s.look) }

func (s *Service) look(ctx context.Context, r *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
	kind, id, _ := strings.Cut(r.GetTopic(), "/")
	if kind != notes {
		return errClass
	}
	b, caller, err := s.enter(ctx, id)
	if err != nil {
		return err
	}
	keep, err := keep(r.GetParams())
	if err != nil {
		return err
	}
	may := func() error { return b.may(caller.User) }
	return b.notes.Watch(ctx, topic.Watch{After: r.GetAfter(), Keep: keep, May: may}, send)
}
