package topic

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// MaxWants is how many topics one Open may ask for.
const MaxWants = 500

// Opener decides who may open what; it is the service's authorisation.
type Opener interface {
	// Open returns one grant for each want, in their order: with an error (CODE_NOT_FOUND for what may not be known), or with the
	// rights. Topics of the kind BUNDLE carry their members. Head and floor of a log's topic are left to the server, which read
	// them before this call: so no change of access can lie between the head and the decision. A grant that names a canonical topic
	// gets the head of that one.
	Open(ctx context.Context, caller auth.Caller, wants []*edgev1.Want) ([]*topicv1.Grant, error)
}

// Server is the TopicService of one log.
type Server struct {
	topicv1.UnimplementedTopicServiceServer
	log      *Log
	opener   Opener
	deriving *Follower // may be nil
}

// NewServer returns the service; who may call its methods is the rpc server's to know.
func NewServer(l *Log, o Opener) *Server { return &Server{log: l, opener: o} }

// Deriving makes the server tell what a follower with FollowerConfig.Announce has derived. It returns s.
func (s *Server) Deriving(f *Follower) *Server {
	s.deriving = f
	return s
}

// Open authorises, as the user.
func (s *Server) Open(ctx context.Context, req *topicv1.OpenRequest) (*topicv1.OpenResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if len(req.GetWants()) > MaxWants {
		return nil, errTooMany
	}
	grants := make([]*topicv1.Grant, len(req.GetWants()))
	var (
		wants []*edgev1.Want
		names []string
		place []int
	)
	for i, w := range req.GetWants() {
		if !ValidName(w.GetTopic()) {
			grants[i] = &topicv1.Grant{Topic: w.GetTopic(), Error: rpc.FromError(errBadTopic)}
			continue
		}
		wants, names, place = append(wants, w), append(names, w.GetTopic()), append(place, i)
	}
	if len(wants) == 0 {
		return &topicv1.OpenResponse{Grants: grants}, nil
	}
	// Invariant: heads are read before access is decided. What is revoked in between has an offset behind the head, so the hub sees it.
	states, err := s.log.States(ctx, caller.Workspace, names...)
	if err != nil {
		return nil, err
	}
	opened, err := s.opener.Open(ctx, caller, wants)
	if err != nil {
		return nil, err
	}
	if len(opened) != len(wants) {
		return nil, errors.New("topic: the opener must grant or refuse each topic")
	}
	if err := s.canonical(ctx, caller.Workspace, opened, states); err != nil {
		return nil, err
	}
	for i, g := range opened {
		g.Topic = names[i]
		if g.GetError() == nil && g.GetHead() == nil && g.GetMembers() == nil {
			g.Head, g.Floor = states[i].Cursor(), states[i].Start()
		}
		grants[place[i]] = g
	}
	return &topicv1.OpenResponse{Grants: grants}, nil
}

// canonical replaces the states of aliases. Their access never changes: an alias names what is the caller's own.
func (s *Server) canonical(ctx context.Context, workspace string, grants []*topicv1.Grant, states []State) error {
	var (
		names []string
		place []int
	)
	for i, g := range grants {
		if g.GetError() == nil && g.GetCanonical() != "" {
			names, place = append(names, g.GetCanonical()), append(place, i)
		}
	}
	if len(names) == 0 {
		return nil
	}
	own, err := s.log.States(ctx, workspace, names...)
	for i := range own {
		states[place[i]] = own[i]
	}
	return err
}

// Heads tells what moved since a watermark, or what of it was derived.
func (s *Server) Heads(ctx context.Context, req *topicv1.HeadsRequest) (*topicv1.HeadsResponse, error) {
	switch {
	case !req.GetDerived():
	case s.deriving == nil:
		return nil, errNotDerived
	default:
		return s.deriving.Heads(ctx, req.GetSince(), req.GetWorkspace())
	}
	return s.log.Heads(ctx, req.GetSince(), req.GetWorkspace())
}

// Tail reads one topic.
func (s *Server) Tail(req *topicv1.TailRequest, stream grpc.ServerStreamingServer[topicv1.TailResponse]) error {
	return s.log.Tail(stream.Context(), req.GetWorkspace(), req.GetTopic(), req.GetAfter(), int(req.GetMaxBytes()), stream.Send)
}

// Follow reads one partition.
func (s *Server) Follow(req *topicv1.FollowRequest, stream grpc.ServerStreamingServer[topicv1.FollowResponse]) error {
	return s.log.Follow(stream.Context(), req.GetPartition(), req.GetEpoch(), req.GetAfter(), req.GetWait(), stream.Send)
}
