package chat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// mark moves a person's marker. Markers are ordered by (version, offset) and the greatest wins: a last-writer register whose only
// step back raises the version, so that it doesn't matter in which order two devices are heard.
type mark struct {
	caller   auth.Caller
	channel  string
	to       *chatv1.Marker // with the counts at its offset
	known    uint64         // version that the device knows
	response func(m *chatv1.Marker, applied bool) proto.Message
}

func (o *mark) need(n *needs) {
	n.mine[memberKey{o.caller.Workspace, o.channel, o.caller.User}] = true
}

func (o *mark) plan(b *batch, st *topic.Step) error {
	m, err := b.mineOf(o.caller, o.channel)
	if err != nil {
		return err
	}
	if o.known > m.marker.GetVersion() {
		return rpc.Errorf(edgev1.Code_CODE_CONFLICT, "chat.MARKER_AHEAD", "This device is ahead of the server. Read the channel's state again.").On("version")
	}
	if ahead(o.to, m.marker) && o.to.GetOffset() >= m.joined {
		m.marker = o.to
		b.changed(m)
		b.tell(st, o.caller.User, m, func() *chatv1.UserEvent {
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Marker{Marker: &chatv1.MarkerMoved{Channel: o.channel, Badge: m.badge()}}}
		})
	}
	now := proto.CloneOf(m.marker)
	applied := now.GetVersion() == o.to.GetVersion() && now.GetOffset() == o.to.GetOffset()
	st.Answer = func([]topic.Row) proto.Message { return o.response(now, applied) }
	return nil
}

// ahead tells whether marker a wins over b.
func ahead(a, b *chatv1.Marker) bool {
	return a.GetVersion() > b.GetVersion() || a.GetVersion() == b.GetVersion() && a.GetOffset() > b.GetOffset()
}

// mineOf is the caller's state in a channel that they are in.
func (b *batch) mineOf(caller auth.Caller, channel string) (*mine, error) {
	m := b.user.mines[memberKey{caller.Workspace, channel, caller.User}]
	switch {
	case m == nil:
		return nil, errChannel
	case m.role != chatv1.ChannelRole_CHANNEL_ROLE_UNSPECIFIED:
		return m, nil
	case m.kind == chatv1.ChannelKind_CHANNEL_KIND_PUBLIC && caller.Kind != auth.KindGuest:
		return nil, errNotMember
	}
	return nil, errChannel
}

// notify sets a person's mute and level.
type notify struct {
	caller auth.Caller
	req    *chatv1.SetNotificationsRequest
}

func (o *notify) need(n *needs) {
	n.mine[memberKey{o.caller.Workspace, o.req.GetChannel(), o.caller.User}] = true
}

func (o *notify) plan(b *batch, st *topic.Step) error {
	m, err := b.mineOf(o.caller, o.req.GetChannel())
	if err != nil {
		return err
	}
	st.Answer = answer(func(n uint64) proto.Message { return &chatv1.SetNotificationsResponse{Offset: n} })
	if m.muted == o.req.GetMuted() && m.level == o.req.GetLevel() {
		return nil
	}
	m.muted, m.level = o.req.GetMuted(), o.req.GetLevel()
	b.changed(m)
	b.tell(st, o.caller.User, m, func() *chatv1.UserEvent {
		return &chatv1.UserEvent{Event: &chatv1.UserEvent_Notifications{Notifications: &chatv1.NotificationsSet{
			Channel: o.req.GetChannel(), Muted: o.req.GetMuted(), Level: o.req.GetLevel(),
		}}}
	})
	return nil
}

// MarkRead moves the caller's marker forward.
func (s *Server) MarkRead(ctx context.Context, req *chatv1.MarkReadRequest) (*chatv1.MarkReadResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkOffset("offset", req.GetOffset()); err != nil {
		return nil, err
	}
	to, err := s.markerAt(ctx, caller, req.GetChannel(), req.GetOffset())
	if err != nil {
		return nil, err
	}
	to.Version = req.GetVersion()
	res := &chatv1.MarkReadResponse{}
	return res, s.mutateOwn(ctx, caller, req, &mark{
		caller: caller, channel: req.GetChannel(), to: to, known: req.GetVersion(),
		response: func(m *chatv1.Marker, applied bool) proto.Message {
			return &chatv1.MarkReadResponse{Marker: m, Applied: applied}
		},
	}, res)
}

// MarkUnread moves the caller's marker back.
func (s *Server) MarkUnread(ctx context.Context, req *chatv1.MarkUnreadRequest) (*chatv1.MarkUnreadResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkOffset("offset", req.GetOffset()), checkVersion(req.GetVersion())); err != nil {
		return nil, err
	}
	a, err := s.access(ctx, s.db.Query, caller, req.GetChannel())
	if err == nil {
		err = a.member()
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.markerAt(ctx, caller, req.GetChannel(), req.GetOffset()); err != nil {
		return nil, err
	}
	to := &chatv1.Marker{}
	if at := max(req.GetOffset()-1, a.me.at); at > 0 { // nothing from before they joined was ever unread
		if to, err = s.markerAt(ctx, caller, req.GetChannel(), at); err != nil {
			return nil, err
		}
	}
	to.Version = req.GetVersion() + 1
	res := &chatv1.MarkUnreadResponse{}
	return res, s.mutateOwn(ctx, caller, req, &mark{
		caller: caller, channel: req.GetChannel(), to: to, known: req.GetVersion(),
		response: func(m *chatv1.Marker, applied bool) proto.Message {
			return &chatv1.MarkUnreadResponse{Marker: m, Applied: applied}
		},
	}, res)
}

func checkVersion(v uint64) error {
	if v >= 1<<53 {
		return badField("version", "A version is below 2^53.")
	}
	return nil
}

// markerAt returns the counts at an offset of a channel that the caller may read. They never change, so no lock is needed.
func (s *Server) markerAt(ctx context.Context, caller auth.Caller, channel string, at uint64) (*chatv1.Marker, error) {
	a, err := s.access(ctx, s.db.Query, caller, channel)
	if err == nil {
		err = a.member()
	}
	if err != nil {
		return nil, err
	}
	m := &chatv1.Marker{Offset: at}
	q := `SELECT count, calls FROM chat_log WHERE workspace = $1 AND topic = $2 AND "offset" = $3`
	err = s.db.QueryRow(ctx, q, caller.Workspace, a.ch.log(), int64(at)).Scan(&m.Count, &m.Calls)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, badField("offset", "The channel has not come so far.")
	}
	if err != nil {
		return nil, fmt.Errorf("chat: read counts: %w", err)
	}
	return m, nil
}

// SetNotifications sets the caller's mute and level for a channel.
func (s *Server) SetNotifications(ctx context.Context, req *chatv1.SetNotificationsRequest) (*chatv1.SetNotificationsResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if _, known := chatv1.NotifyLevel_name[int32(req.GetLevel())]; !known {
		return nil, badField("level", "There is no such level.")
	}
	if !validID(req.GetChannel()) {
		return nil, errChannel
	}
	res := &chatv1.SetNotificationsResponse{}
	return res, s.mutate(ctx, caller, caller.User, req, &notify{caller, req}, res)
}
