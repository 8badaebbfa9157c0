package chat

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// grantTTL counts only while a gateway's feed of access changes is stale.
const grantTTL = 60 * time.Second

// maxBundle is how many channels one person's bundle shows.
const maxBundle = 5000

var errTopic = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "chat.TOPIC", "There is no such topic.")

// Open grants topics to a user: two statements for any number of channels, and three more for the bundle.
func (s opener) Open(ctx context.Context, caller auth.Caller, wants []*edgev1.Want) ([]*topicv1.Grant, error) {
	grants := make([]*topicv1.Grant, len(wants))
	var keys []memberKey
	var topics []string // whose heads are needed
	for i, w := range wants {
		grants[i] = &topicv1.Grant{Topic: w.GetTopic(), TtlMs: uint32(grantTTL.Milliseconds())}
		name := w.GetTopic()
		switch id := name[strings.Index(name, "/")+1:]; {
		case strings.HasPrefix(name, topicChannel) && validID(id):
			keys = append(keys, memberKey{caller.Workspace, id, caller.User})
			topics = append(topics, name)
		case strings.HasPrefix(name, topicUser) && (id == "me" || id == caller.User):
			grants[i].Canonical = topicUser + caller.User
			topics = append(topics, topicUser+caller.User)
		case strings.HasPrefix(name, topicMine) && (id == "me" || id == caller.User):
			grants[i].Canonical = topicMine + caller.User
			if err := s.openBundle(ctx, caller, grants[i]); err != nil {
				return nil, err
			}
		default:
			grants[i].Error = rpc.FromError(errTopic)
		}
	}
	channels, members, err := s.loadAccess(ctx, s.db.Query, keys)
	if err != nil {
		return nil, err
	}
	// Heads come after access: who was let in before the head was read may read up to it.
	states, err := s.log.States(ctx, caller.Workspace, topics...)
	if err != nil {
		return nil, fmt.Errorf("chat: read heads: %w", err)
	}
	for i, next := 0, 0; i < len(grants); i++ {
		g := grants[i]
		if g.GetError() != nil || strings.HasPrefix(g.GetTopic(), topicMine) {
			continue
		}
		st := states[next]
		next++
		if id, ok := strings.CutPrefix(g.GetTopic(), topicChannel); ok {
			k := memberKey{caller.Workspace, id, caller.User}
			a := access{caller: caller, ch: channels[channelKey{k.workspace, id}], me: members[k]}
			if err := a.readable(); err != nil {
				g.Error = rpc.FromError(err)
				continue
			}
			g.Signal = a.posts()
			st.Floor = max(st.Floor, less(a.from(), 1))
		}
		g.Head, g.Floor = st.Cursor(), st.Start()
	}
	return grants, nil
}

// openBundle fills in a person's channels with heads and badges.
func (s *Server) openBundle(ctx context.Context, caller auth.Caller, g *topicv1.Grant) error {
	keys, err := s.memberships(ctx, caller, "", maxBundle)
	if err != nil {
		return err
	}
	mines, err := s.mines(ctx, keys)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if m := mines[k]; m != nil && m.role != 0 {
			h, err := m.entry()
			if err != nil {
				return err
			}
			g.Members = append(g.Members, h)
		}
	}
	return nil
}
