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
	return OpenOne(ctx, req, s.Grant)
}

// OpenEach authorises, as several users.
func (s *Server) OpenEach(ctx context.Context, req *topicv1.OpenEachRequest) (*topicv1.OpenEachResponse, error) {
	return OpenEach(ctx, req, s.Grant)
}

// callersOwn is the id of aliases (edge.v1.Want.topic): no log has it.
const callersOwn = "me"

// Grant answers openings: a statement for the heads of them all, and one for those of aliases.
//
// Invariant: heads are read before access is decided. What is revoked in between has an offset behind the head, so the hub sees it.
func (s *Server) Grant(ctx context.Context, openings []*Opening) error {
	var named []topicKey
	for _, o := range openings {
		for _, w := range o.Wants {
			if ValidName(w.GetTopic()) && ID(w.GetTopic()) != callersOwn {
				named = append(named, topicKey{o.Caller.Workspace, w.GetTopic()})
			}
		}
	}
	heads, err := s.log.heads(ctx, named)
	if err != nil {
		return err
	}
	// Access to aliases never changes: an alias names what is the caller's own.
	var aliases []topicKey
	for _, o := range openings {
		if err := s.decide(ctx, o); err != nil {
			return err
		}
		for _, g := range o.Grants {
			if g.GetError() == nil && g.GetCanonical() != "" {
				aliases = append(aliases, topicKey{o.Caller.Workspace, g.GetCanonical()})
			}
		}
	}
	own, err := s.log.heads(ctx, aliases)
	if err != nil {
		return err
	}
	for _, o := range openings {
		for i, g := range o.Grants {
			if g.GetError() != nil || g.GetHead() != nil || g.GetMembers() != nil {
				continue
			}
			head := heads[topicKey{o.Caller.Workspace, g.GetTopic()}]
			if g.GetCanonical() != "" {
				head = own[topicKey{o.Caller.Workspace, g.GetCanonical()}]
			}
			g.Head, g.Floor = head.Cursor(), head.Start()
			if o.Wants[i].GetMode() == edgev1.Mode_MODE_HEADS {
				g.Members = []*edgev1.Head{head.Head()}
			}
		}
	}
	return nil
}

// decide asks the opener for one user.
func (s *Server) decide(ctx context.Context, o *Opening) error {
	o.Grants = make([]*topicv1.Grant, len(o.Wants))
	var wants []*edgev1.Want
	var place []int
	for i, w := range o.Wants {
		if !ValidName(w.GetTopic()) {
			o.Grants[i] = &topicv1.Grant{Topic: w.GetTopic(), Error: rpc.FromError(errBadTopic)}
			continue
		}
		wants, place = append(wants, w), append(place, i)
	}
	if len(wants) == 0 {
		return nil
	}
	opened, err := s.opener.Open(ctx, o.Caller, wants)
	if err != nil {
		return err
	}
	if len(opened) != len(wants) {
		return errors.New("topic: the opener must grant or refuse each topic")
	}
	for i, g := range opened {
		g.Topic = wants[i].GetTopic()
		o.Grants[place[i]] = g
	}
	return nil
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
