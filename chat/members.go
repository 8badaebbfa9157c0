package chat

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// add brings people into a channel: oneself into a public one, or others.
type add struct {
	caller  auth.Caller
	channel string
	users   []string
	self    bool
}

func (o *add) need(n *needs) {
	n.member(o.caller, o.channel)
	for _, u := range o.users {
		n.access[memberKey{o.caller.Workspace, o.channel, u}] = true
	}
}

func (o *add) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.channel)
	if err := a.readable(); err != nil {
		return err
	}
	if direct(a.ch.kind) {
		return errWrongKind
	}
	if a.ch.archived {
		return errArchived
	}
	st.Answer = answer(func(n uint64) proto.Message {
		if o.self {
			return &chatv1.JoinChannelResponse{Offset: n}
		}
		return &chatv1.AddMembersResponse{Offset: n}
	})
	if !o.self && !a.moderates() && (a.me == nil || o.caller.Kind == auth.KindGuest) {
		return errForbidden
	}
	guests := map[string]bool{}
	if o.self {
		guests[o.caller.User] = o.caller.Kind == auth.KindGuest
	} else {
		var err error
		if guests, err = b.people(a.ch.workspace, o.users); err != nil {
			return err
		}
	}
	var fresh []string
	for _, u := range o.users {
		if b.members[memberKey{a.ch.workspace, o.channel, u}] == nil {
			if guests[u] && !a.moderates() {
				return errForbidden
			}
			fresh = append(fresh, u)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if int(a.ch.members)+len(fresh) > MaxMembers {
		return errLimit("A channel has at most %d members.", MaxMembers)
	}
	if err := b.room(a.ch.workspace, fresh, o.caller.User); err != nil {
		return err
	}
	fromNow := a.ch.history == chatv1.ChannelHistory_CHANNEL_HISTORY_JOINED
	join := b.join(a.ch, fresh, guests, chatv1.ChannelRole_CHANNEL_ROLE_MEMBER, st.Now.UnixMilli(), fromNow)
	e, err := b.membership(a, o.caller, &chatv1.MembersChanged{Joined: join.members}, len(fresh), join.write)
	if err != nil {
		return err
	}
	e.Access = join.access
	st.Entries = []topic.Entry{e}
	return nil
}

// room is nil when each of the people can be in one more channel.
func (b *batch) room(workspace string, people []string, caller string) error {
	rows := make([][]any, len(people))
	for i, id := range people {
		rows[i] = []any{workspace, "", id}
	}
	var full []string
	err := each(b.ctx, b.tx.QueryContext, b.sql.full, b.sql.keys.Args(rows), func(r *sql.Rows) error {
		var id string
		if err := r.Scan(&id); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		full = append(full, id)
		return nil
	})
	switch {
	case err != nil:
		return err
	case slices.Contains(full, caller):
		return errLimit("You are in %d channels. Leave one first.", MaxChannels)
	case len(full) > 0:
		return errLimit("Somebody of these is in %d channels already. They must leave one first.", MaxChannels)
	}
	return nil
}

// membership makes the event of a change by delta members; write does the rest.
func (b *batch) membership(a access, caller auth.Caller, event *chatv1.MembersChanged, delta int,
	write func(ctx context.Context, tx *sql.Tx, row *topic.Row) error,
) (topic.Entry, error) {
	a.ch.members = uint32(int(a.ch.members) + delta)
	event.Members = a.ch.members
	k, total := a.ch.channelKey, int64(a.ch.members)
	return entry(k.channel, caller.User, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Members{Members: event}}, &later{
		kind: kindSystem,
		write: func(ctx context.Context, tx *sql.Tx, row *topic.Row) error {
			if delta != 0 {
				if err := exec(ctx, tx, `UPDATE chat_channel SET members = $3 WHERE workspace = $1 AND id = $2`, k.workspace, k.channel, total); err != nil {
					return err
				}
			}
			return write(ctx, tx, row)
		},
	})
}

// leave takes somebody out of a channel: oneself, or another.
type leave struct {
	caller  auth.Caller
	channel string
	user    string
	self    bool
}

func (o *leave) need(n *needs) {
	n.member(o.caller, o.channel)
	n.access[memberKey{o.caller.Workspace, o.channel, o.user}] = true
}

func (o *leave) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.channel)
	if err := a.readable(); err != nil {
		return err
	}
	if direct(a.ch.kind) {
		return errWrongKind
	}
	k := memberKey{a.ch.workspace, o.channel, o.user}
	m := b.members[k]
	st.Answer = answer(func(n uint64) proto.Message {
		if o.self {
			return &chatv1.LeaveChannelResponse{Offset: n}
		}
		return &chatv1.RemoveMemberResponse{Offset: n}
	})
	if !o.self {
		if !a.moderates() || m != nil && m.role > chatv1.ChannelRole_CHANNEL_ROLE_MEMBER && !a.owns() {
			return errForbidden
		}
		if a.ch.archived {
			return errArchived
		}
	}
	if m == nil {
		return nil
	}
	if m.role == chatv1.ChannelRole_CHANNEL_ROLE_OWNER && a.ch.members > 1 {
		if err := b.anotherOwner(a.ch.channelKey, o.user); err != nil {
			return err
		}
	}
	delete(b.members, k)
	b.demoted[k] = true
	e, err := b.membership(a, o.caller, &chatv1.MembersChanged{Left: []string{o.user}}, -1,
		func(ctx context.Context, tx *sql.Tx, _ *topic.Row) error {
			return exec(ctx, tx, `DELETE FROM chat_member WHERE workspace = $1 AND channel = $2 AND user_id = $3`, k.workspace, k.channel, k.user)
		})
	if err != nil {
		return err
	}
	stays := a.ch.kind == chatv1.ChannelKind_CHANNEL_KIND_PUBLIC && !m.guest
	e.Access = []*topicv1.Access{{Principal: o.user, Read: stays}}
	st.Entries = []topic.Entry{e}
	return nil
}

// anotherOwner is nil when somebody besides user owns the channel. What this batch changed counts.
func (b *batch) anotherOwner(k channelKey, user string) error {
	found := false
	err := each(b.ctx, b.tx.QueryContext, `SELECT user_id FROM chat_member WHERE workspace = $1 AND channel = $2 AND role = 3`,
		[]any{k.workspace, k.channel}, func(r *sql.Rows) error {
			var id string
			if err := r.Scan(&id); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			mk := memberKey{k.workspace, k.channel, id}
			found = found || id != user && !b.demoted[mk]
			return nil
		})
	if err != nil || found {
		return err
	}
	return errLastOwner
}

// promote changes somebody's role.
type promote struct {
	caller auth.Caller
	req    *chatv1.SetMemberRoleRequest
}

func (o *promote) need(n *needs) {
	n.member(o.caller, o.req.GetChannel())
	n.access[memberKey{o.caller.Workspace, o.req.GetChannel(), o.req.GetUser()}] = true
}

func (o *promote) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.req.GetChannel())
	if err := a.readable(); err != nil {
		return err
	}
	switch {
	case direct(a.ch.kind):
		return errWrongKind
	case !a.owns():
		return errForbidden
	case a.ch.archived:
		return errArchived
	}
	k := memberKey{a.ch.workspace, o.req.GetChannel(), o.req.GetUser()}
	m := b.members[k]
	if m == nil {
		return errPerson.On("user")
	}
	st.Answer = answer(func(n uint64) proto.Message { return &chatv1.SetMemberRoleResponse{Offset: n} })
	role := o.req.GetRole()
	if m.role == role {
		return nil
	}
	if m.guest && role != chatv1.ChannelRole_CHANNEL_ROLE_MEMBER {
		return errForbidden
	}
	if m.role == chatv1.ChannelRole_CHANNEL_ROLE_OWNER {
		if err := b.anotherOwner(a.ch.channelKey, k.user); err != nil {
			return err
		}
		b.demoted[k] = true
	}
	changed := *m
	changed.role = role
	b.members[k] = &changed
	event := &chatv1.MembersChanged{Roles: []*chatv1.Member{{User: k.user, Role: role, JoinedMs: m.joined, Guest: m.guest}}}
	e, err := b.membership(a, o.caller, event, 0, func(ctx context.Context, tx *sql.Tx, _ *topic.Row) error {
		return exec(ctx, tx, `UPDATE chat_member SET role = $4 WHERE workspace = $1 AND channel = $2 AND user_id = $3`,
			k.workspace, k.channel, k.user, int64(role))
	})
	e.Access = []*topicv1.Access{{Principal: k.user, Read: true, Signal: a.ch.takes(role)}}
	st.Entries = []topic.Entry{e}
	return err
}

// JoinChannel brings the caller into a public channel.
func (s *Server) JoinChannel(ctx context.Context, req *chatv1.JoinChannelRequest) (*chatv1.JoinChannelResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	res := &chatv1.JoinChannelResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &add{caller, req.GetChannel(), []string{caller.User}, true}, res)
}

// LeaveChannel takes the caller out of a channel.
func (s *Server) LeaveChannel(ctx context.Context, req *chatv1.LeaveChannelRequest) (*chatv1.LeaveChannelResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	res := &chatv1.LeaveChannelResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &leave{caller, req.GetChannel(), caller.User, true}, res)
}

// AddMembers brings others into a channel.
func (s *Server) AddMembers(ctx context.Context, req *chatv1.AddMembersRequest) (*chatv1.AddMembersResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	users := slices.Clone(req.GetUsers())
	slices.Sort(users)
	users = slices.Compact(users)
	if len(users) == 0 || len(req.GetUsers()) > MaxAdded {
		return nil, badField("users", "Name 1 to %d people.", MaxAdded)
	}
	if slices.ContainsFunc(users, func(id string) bool { return !validID(id) }) {
		return nil, errPerson.On("users")
	}
	res := &chatv1.AddMembersResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &add{caller, req.GetChannel(), users, false}, res)
}

// RemoveMember puts somebody out of a channel.
func (s *Server) RemoveMember(ctx context.Context, req *chatv1.RemoveMemberRequest) (*chatv1.RemoveMemberResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if req.GetUser() == caller.User {
		return nil, badField("user", "To go yourself, leave the channel.")
	}
	if !validID(req.GetUser()) {
		return nil, errPerson.On("user")
	}
	res := &chatv1.RemoveMemberResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &leave{caller, req.GetChannel(), req.GetUser(), false}, res)
}

// SetMemberRole changes somebody's role in a channel.
func (s *Server) SetMemberRole(ctx context.Context, req *chatv1.SetMemberRoleRequest) (*chatv1.SetMemberRoleResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if _, known := chatv1.ChannelRole_name[int32(req.GetRole())]; !known || req.GetRole() == 0 {
		return nil, badField("role", "Member, moderator or owner.")
	}
	if !validID(req.GetUser()) {
		return nil, errPerson.On("user")
	}
	res := &chatv1.SetMemberRoleResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &promote{caller, req}, res)
}
