package chat

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// roomsBatch is how many members are read, and told, at a time.
const roomsBatch = 2000

// errRoomsAnew ends a stream whose follower has to begin again.
var errRoomsAnew = rpc.Errorf(edgev1.Code_CODE_RESET_EPOCH, "chat.ROOMS_ANEW", "The history has begun anew: ask again.")

// FollowRooms tells who is in which channel, and then what changes. What changes while it is read is told again: it makes no difference.
func (a acquaintances) FollowRooms(_ *chatv1.FollowRoomsRequest, stream grpc.ServerStreamingServer[chatv1.FollowRoomsResponse]) error {
	ends, err := a.s.log.Ends(stream.Context())
	if err != nil {
		return err
	}
	if err := a.s.tellRooms(stream.Context(), stream.Send); err != nil {
		return err
	}
	var mu sync.Mutex // guards the stream's Send
	g, ctx := errgroup.WithContext(stream.Context())
	for partition, end := range ends {
		g.Go(func() error {
			return a.s.log.Follow(ctx, uint32(partition), end.Epoch, end.Position, true, func(r *topicv1.FollowResponse) error {
				if r.GetReset_() != nil {
					return errRoomsAnew
				}
				res := &chatv1.FollowRoomsResponse{}
				for _, record := range r.GetRecords() {
					if err := appendMoves(res, record); err != nil {
						return err
					}
				}
				if len(res.GetRooms()) == 0 && (partition > 0 || len(r.GetRecords()) > 0) { // one partition's signs of life are enough
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				return stream.Send(res)
			})
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("chat: follow rooms: %w", err)
	}
	return nil
}

// tellRooms tells of all members there are, page by page, so that no statement waits for who is told.
func (s *Server) tellRooms(ctx context.Context, send func(*chatv1.FollowRoomsResponse) error) error {
	var workspace, channel, user string // the last one told
	for n := roomsBatch; n == roomsBatch; {
		res := &chatv1.FollowRoomsResponse{}
		n = 0
		err := each(ctx, s.db.Query, `SELECT workspace, channel, user_id FROM chat_member WHERE (workspace, channel, user_id) > ($1, $2, $3)
			ORDER BY workspace, channel, user_id LIMIT $4`, []any{workspace, channel, user, roomsBatch}, func(r *sql.Rows) error {
			if err := r.Scan(&workspace, &channel, &user); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			n++
			last := len(res.GetRooms()) - 1
			if last < 0 || res.GetRooms()[last].GetWorkspace() != workspace || res.GetRooms()[last].GetChannel() != channel {
				res.Rooms = append(res.Rooms, &chatv1.Room{Workspace: workspace, Channel: channel})
				last++
			}
			res.Rooms[last].Members = append(res.Rooms[last].Members, user)
			return nil
		})
		if err != nil {
			return fmt.Errorf("chat: read members: %w", err)
		}
		res.Complete = n < roomsBatch
		if err := send(res); err != nil {
			return err
		}
	}
	return nil
}

// appendMoves adds who has come to a channel and who has left it, by one record of the log.
func appendMoves(res *chatv1.FollowRoomsResponse, record *topicv1.Record) error {
	id, ok := strings.CutPrefix(record.GetTopic(), topicChannel)
	if !ok || len(record.GetAccess()) == 0 || len(record.GetEvent().GetBody()) == 0 { // what changes nobody's access moves nobody
		return nil
	}
	var e chatv1.ChannelEvent
	if err := proto.Unmarshal(record.GetEvent().GetBody(), &e); err != nil {
		return fmt.Errorf("decode an event: %w", err)
	}
	room := &chatv1.Room{Workspace: record.GetWorkspace(), Channel: id}
	switch x := e.GetEvent().(type) {
	case *chatv1.ChannelEvent_Members:
		for _, m := range x.Members.GetJoined() {
			room.Members = append(room.Members, m.GetUser())
		}
		room.Left = x.Members.GetLeft()
	case *chatv1.ChannelEvent_Channel:
		if !x.Channel.GetCreated() {
			return nil
		}
		if room.Members = x.Channel.GetChannel().GetPeople(); len(room.GetMembers()) == 0 { // else it is a direct one
			room.Members = []string{e.GetActor()}
		}
	}
	if len(room.GetMembers())+len(room.GetLeft()) > 0 {
		res.Rooms = append(res.Rooms, room)
	}
	return nil
}
