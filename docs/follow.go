package docs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/mesh/topic"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// docs knows people, groups and channels from the logs of identity and chat, which it follows into tables of its own.

// newFollowers makes those whose source is there. Where all services are one process, chat follows identity in it, too, by another name.
func (s *Server) newFollowers(deps Deps) error {
	if deps.Identity != nil {
		s.knowsPeople = true
		if err := s.addFollower(deps, "docs.people", "identity", topicv1.NewTopicServiceClient(deps.Identity), s.meet, s.forgetPeople); err != nil {
			return err
		}
	}
	if deps.Chat != nil {
		return s.addFollower(deps, "docs.channels", "chat", memberLog{topicv1.NewTopicServiceClient(deps.Chat)}, s.moveMembers, s.forgetChannels)
	}
	return nil
}

func (s *Server) addFollower(deps Deps, name, of string, source topicv1.TopicServiceClient,
	handle func(context.Context, *sql.Tx, []*topicv1.Record) error, reset func(context.Context, *sql.Tx, uint32) error,
) error {
	f, err := topic.NewFollower(topic.FollowerConfig{Name: name, Service: of, Prefix: "docs"}, topic.FollowerDeps{
		Source: source, DB: deps.DB, Handle: handle, Reset: reset, Log: deps.Log, Metrics: deps.Metrics,
	})
	if err != nil {
		return fmt.Errorf("docs: follow %s: %w", of, err)
	}
	s.followers = append(s.followers, f)
	return nil
}

// memberLog is chat's log without what changes nobody's access, as messages don't, of which there are most.
type memberLog struct{ topicv1.TopicServiceClient }

// skipMost is how many positions are passed over before the cursor is moved for their sake.
const skipMost = 1000

// Follow follows a partition.
func (l memberLog) Follow(ctx context.Context, req *topicv1.FollowRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[topicv1.FollowResponse], error) {
	s, err := l.TopicServiceClient.Follow(ctx, req, opts...)
	if err != nil {
		return nil, err
	}
	return &memberStream{s, req.GetAfter()}, nil
}

type memberStream struct {
	grpc.ServerStreamingClient[topicv1.FollowResponse]
	from uint64 // position of the last response handed over
}

// Recv returns the next response with something in it.
func (s *memberStream) Recv() (*topicv1.FollowResponse, error) {
	for {
		r, err := s.ServerStreamingClient.Recv()
		if err != nil || r.GetReset_() != nil {
			return r, err
		}
		if len(r.GetRecords()) == 0 { // a sign of life, from where the follower knows to be
			r.Upto = s.from
			return r, nil
		}
		r.Records = slices.DeleteFunc(r.GetRecords(), func(rec *topicv1.Record) bool { return len(rec.GetAccess()) == 0 })
		if len(r.GetRecords()) > 0 || r.GetUpto() >= s.from+skipMost {
			s.from = r.GetUpto()
			return r, nil
		}
	}
}

// joined and left change who is in a container, in a follower's transaction. Who has left may have lost access to documents.
func (s *Server) joined(ctx context.Context, tx *sql.Tx, workspace, container string, users []string) error {
	if len(users) == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, s.sql.join, append(s.sql.users.Args(rowsOf(users)), workspace, container)...); err != nil {
		return fmt.Errorf("add members: %w", err)
	}
	return nil
}

func (s *Server) left(ctx context.Context, tx *sql.Tx, workspace, container string, users []string) error {
	if len(users) == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, s.sql.part, append(s.sql.users.Args(rowsOf(users)), workspace, container)...); err != nil {
		return fmt.Errorf("take members away: %w", err)
	}
	return s.review(ctx, tx, docKey{workspace, container}, time.Now())
}

func rowsOf(ids []string) (rows [][]any) {
	for _, id := range ids {
		rows = append(rows, []any{id})
	}
	return rows
}

// texts reads rows of one text.
func texts(ctx context.Context, q query, text string, args ...any) (list []string, err error) {
	err = each(ctx, q, text, args, func(r *sql.Rows) error {
		var one string
		err := r.Scan(&one)
		list = append(list, one)
		return err
	})
	return list, err
}

// forgetPause is how long after a history has begun anew documents are looked at for who has lost access: by then most of it was followed
// again. Until it was, nobody is let in by what isn't known.
const forgetPause = 10 * time.Second
