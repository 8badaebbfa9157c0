package chat

import (
	"context"
	"fmt"
	"strings"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// maxBundle is how many channels one person's bundle shows.
const maxBundle = 5000

var errTopic = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "chat.TOPIC", "There is no such topic.")

var errBelowFloor = rpc.Errorf(edgev1.Code_CODE_RESET_FLOOR, "chat.BEFORE_JOINING", "What lies before is not for you to read. Load the channel again.")

// Open grants topics to a user: two statements for any number of channels, and three more for the bundle.
//
// Invariant: heads are read before access, so that what is revoked in between lies behind the head, where the hub sees it.
func (s opener) Open(ctx context.Context, caller auth.Caller, wants []*edgev1.Want) ([]*topicv1.Grant, error) {
	grants := make([]*topicv1.Grant, len(wants))
	var keys []memberKey
	var names []string
	for i, w := range wants {
		g := &topicv1.Grant{Topic: w.GetTopic()}
		grants[i] = g
		kind, id, _ := strings.Cut(w.GetTopic(), "/")
		mine := id == "me" || id == caller.User
		switch {
		case kind+"/" == topicChannel && validID(id):
			keys = append(keys, memberKey{caller.Workspace, id, caller.User})
			names = append(names, w.GetTopic())
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
			if err := s.openBundle(ctx, caller, g); err != nil {
				return nil, err
			}
		default:
			g.Error = rpc.FromError(errTopic)
		}
	}
	if len(keys) == 0 {
		return grants, nil
	}
	states, err := s.log.States(ctx, caller.Workspace, names...)
	if err != nil {
		return nil, fmt.Errorf("chat: read heads: %w", err)
	}
	channels, members, err := s.loadAccess(ctx, s.db.Query, keys)
	if err != nil {
		return nil, err
	}
	next := 0
	for i, g := range grants {
		if !strings.HasPrefix(g.GetTopic(), topicChannel) || g.GetError() != nil {
			continue
		}
		k, st := keys[next], states[next]
		next++
		grantChannel(g, access{caller: caller, ch: channels[channelKey{k.workspace, k.channel}], me: members[k]}, st, wants[i].GetCursor())
	}
	return grants, nil
}

// grantChannel decides on one channel. Who may read it from an offset on gets a floor, and no resumption from below it.
func grantChannel(g *topicv1.Grant, a access, st topic.State, cursor *edgev1.Cursor) {
	if err := a.readable(); err != nil {
		g.Error = rpc.FromError(err)
		return
	}
	g.Signal = a.posts()
	st.Floor = max(st.Floor, less(a.from(), 1))
	g.Head, g.Floor = st.Cursor(), st.Start()
	if cursor != nil && cursor.GetEpoch() == st.Epoch && cursor.GetOffset() < less(a.from(), 1) {
		g.Error = rpc.FromError(errBelowFloor)
	}
}

// openBundle fills in a person's channels with heads and badges.
func (s opener) openBundle(ctx context.Context, caller auth.Caller, g *topicv1.Grant) error {
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
