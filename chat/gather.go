package chat

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// gather is the source of chat's own log for the follower that derives people's state. It hands over in one run what has come while the
// follower was busy, and leaves out what nothing is derived from: people's own events, of which each derivation makes more.
type gather struct{ topicv1.TopicServiceClient }

const (
	gatherMost = 1000 // records in a run
	skipMost   = 1000 // positions passed over before the cursor is moved for their sake
)

// Follow follows a partition; the stream ends with ctx.
func (g gather) Follow(ctx context.Context, req *topicv1.FollowRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[topicv1.FollowResponse], error) {
	s, err := g.TopicServiceClient.Follow(ctx, req, opts...)
	if err != nil {
		return nil, err
	}
	run := &gathered{ServerStreamingClient: s, from: req.GetAfter(), in: make(chan *topicv1.FollowResponse, 16)}
	go run.pump()
	return run, nil
}

// gathered is one stream. Recv has one caller.
type gathered struct {
	grpc.ServerStreamingClient[topicv1.FollowResponse]
	in   chan *topicv1.FollowResponse // closed behind the last one
	err  error                        // why it was the last; set before that
	next *topicv1.FollowResponse      // came while a run was gathered, and doesn't belong to it
	from uint64                       // position of the last response handed over
}

// pump reads ahead, until the stream ends. Why it has is the stream's to say: its context ends with it, whatever the reason.
func (s *gathered) pump() {
	defer close(s.in)
	for {
		r, err := s.ServerStreamingClient.Recv()
		if s.err = err; err != nil {
			return
		}
		select {
		case s.in <- r:
		case <-s.Context().Done(): // nobody takes it
		}
	}
}

// Recv returns the next run.
func (s *gathered) Recv() (*topicv1.FollowResponse, error) {
	for {
		first, err := s.take()
		if err != nil || first.GetReset_() != nil {
			return first, err
		}
		if len(first.GetRecords()) == 0 { // a sign of life, from where the follower knows to be
			first.Upto = s.from
			return first, nil
		}
		run := &topicv1.FollowResponse{Epoch: first.GetEpoch(), Head: first.GetHead()}
		run.Upto, run.Records = first.GetUpto(), channelRecords(nil, first)
		if len(run.GetRecords()) > 0 {
			s.extend(run)
		}
		if len(run.GetRecords()) > 0 || run.GetUpto() >= s.from+skipMost {
			s.from = run.GetUpto()
			return run, nil
		}
	}
}

func (s *gathered) take() (*topicv1.FollowResponse, error) {
	if n := s.next; n != nil {
		s.next = nil
		return n, nil
	}
	if r, ok := <-s.in; ok {
		return r, nil
	}
	return nil, s.err
}

// extend adds what has come.
func (s *gathered) extend(run *topicv1.FollowResponse) {
	for len(run.GetRecords()) < gatherMost {
		select {
		case n, ok := <-s.in:
			if !ok || n.GetReset_() != nil || n.GetEpoch() != run.GetEpoch() {
				s.next = n
				return
			}
			run.Upto, run.Head, run.Records = n.GetUpto(), n.GetHead(), channelRecords(run.GetRecords(), n)
		default:
			return
		}
	}
}

// channelRecords appends the records of channels.
func channelRecords(to []*topicv1.Record, r *topicv1.FollowResponse) []*topicv1.Record {
	for _, rec := range r.GetRecords() {
		if strings.HasPrefix(rec.GetTopic(), topicChannel) {
			to = append(to, rec)
		}
	}
	return to
}
