package chat

import (
	"context"
	"fmt"
	"strings"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

var errTopic = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "chat.TOPIC", "There is no such topic.")

// Open grants what is the caller's own: their log, and their bundle. Channels are topics' to grant.
func (s opener) Open(ctx context.Context, caller auth.Caller, wants []*edgev1.Want) ([]*topicv1.Grant, error) {
	grants := make([]*topicv1.Grant, len(wants))
	for i, w := range wants {
		g := &topicv1.Grant{Topic: w.GetTopic()}
		grants[i] = g
		kind, id, _ := strings.Cut(w.GetTopic(), "/")
		mine := id == "me" || id == caller.User
		switch {
		case kind+"/" == topicUser && mine:
			g.Canonical = topicUser + caller.User // the server adds the head
		case kind+"/" == topicMine && mine:
			// The log whose records' heads change the bundle; its head is read before the members, so that no change is missed.
			g.Canonical = topicUser + caller.User
			own, err := s.log.States(ctx, caller.Workspace, g.GetCanonical())
			if err != nil {
				return nil, fmt.Errorf("chat: read heads: %w", err)
			}
			g.Head = own[0].Cursor()
			if g.Members, err = s.bundle(ctx, caller); err != nil {
				return nil, err
			}
		default:
			g.Error = rpc.FromError(errTopic)
		}
	}
	return grants, nil
}
