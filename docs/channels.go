package docs

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const topicChannel = "chat.channel/"

// moveMembers applies chat's events to docs' own table of members, in the follower's transaction. A channel that is archived keeps its
// members.
func (s *Server) moveMembers(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
	for _, r := range records {
		id, ok := strings.CutPrefix(r.GetTopic(), topicChannel)
		if !ok || len(r.GetEvent().GetBody()) == 0 {
			continue
		}
		var e chatv1.ChannelEvent
		if err := proto.Unmarshal(r.GetEvent().GetBody(), &e); err != nil {
			return fmt.Errorf("docs: decode chat's event: %w", err)
		}
		came, went := moved(&e)
		err := s.left(ctx, tx, r.GetWorkspace(), aChannel+id, went)
		if err == nil {
			err = s.joined(ctx, tx, r.GetWorkspace(), aChannel+id, came)
		}
		if err != nil {
			return fmt.Errorf("docs: apply chat's event: %w", err)
		}
	}
	return nil
}

// moved is who came to a channel, and who went.
func moved(e *chatv1.ChannelEvent) (came, went []string) {
	switch x := e.GetEvent().(type) {
	case *chatv1.ChannelEvent_Members:
		for _, m := range x.Members.GetJoined() {
			came = append(came, m.GetUser())
		}
		return came, x.Members.GetLeft()
	case *chatv1.ChannelEvent_Channel:
		switch people := x.Channel.GetChannel().GetPeople(); {
		case !x.Channel.GetCreated():
		case len(people) > 0: // a direct one
			return people, nil
		default:
			return []string{e.GetActor()}, nil
		}
	}
	return nil, nil
}

// forgetChannels forgets who is in the channels of a partition.
func (s *Server) forgetChannels(ctx context.Context, tx *sql.Tx, partition uint32) error {
	of := func(q string, do func(docKey) error) error {
		var list []docKey
		err := each(ctx, tx.QueryContext, q, nil, func(r *sql.Rows) error {
			var k docKey
			err := r.Scan(&k.workspace, &k.id)
			if topic.PartitionOf(k.workspace, strings.TrimPrefix(k.id, aChannel)) == partition {
				list = append(list, k)
			}
			return err
		})
		for _, k := range list {
			if err == nil {
				err = do(k)
			}
		}
		if err != nil {
			return fmt.Errorf("docs: forget channels: %w", err)
		}
		return nil
	}
	err := of(`SELECT DISTINCT workspace, container FROM docs_member WHERE container LIKE 'channel/%'`, func(k docKey) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM docs_member WHERE workspace = $1 AND container = $2`, k.workspace, k.id)
		return err //nolint:wrapcheck // by of
	})
	if err != nil {
		return err
	}
	return of(`SELECT DISTINCT workspace, container FROM docs_share WHERE container LIKE 'channel/%'`, func(k docKey) error {
		return s.review(ctx, tx, k, time.Now().Add(forgetPause))
	})
}
