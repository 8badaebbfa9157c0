package chat

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"plenum.internal/mesh/auth"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// query is a read pool's or a transaction's.
type query func(ctx context.Context, q string, args ...any) (*sql.Rows, error)

type channelKey struct{ workspace, channel string }

type memberKey struct{ workspace, channel, user string }

// of is the channel's key.
func (k memberKey) of() channelKey { return channelKey{k.workspace, k.channel} }

// channel is a row of chat_channel.
type channel struct {
	channelKey
	kind                 chatv1.ChannelKind
	name, topic, purpose string
	history              chatv1.ChannelHistory
	posting              chatv1.ChannelPosting
	archived             bool
	creator              string
	createdMs            int64
	members              uint32
	people               []string
	sealed               uint64 // greatest visible_from of a member, ever
}

func (c *channel) log() string { return topicChannel + c.channel }

func (c *channel) proto() *chatv1.Channel {
	return &chatv1.Channel{
		Id: c.channel, Kind: c.kind, Name: c.name, Topic: c.topic, Purpose: c.purpose, History: c.history, Posting: c.posting,
		Archived: c.archived, Creator: c.creator, CreatedMs: c.createdMs, Members: c.members, People: c.people,
	}
}

// member is a row of chat_member.
type member struct {
	role   chatv1.ChannelRole
	guest  bool
	joined int64  // ms
	at     uint64 // offset of the event by which they joined
	from   uint64 // first offset that they may read
}

// access is what one caller may do with one channel.
type access struct {
	caller auth.Caller
	ch     *channel
	me     *member // nil: not a member
}

// readable is nil when the caller may know the channel and read it: its members, and for a public one all but guests.
func (a access) readable() error {
	switch {
	case a.ch == nil:
		return errChannel
	case a.me != nil, a.ch.kind == chatv1.ChannelKind_CHANNEL_KIND_PUBLIC && a.caller.Kind != auth.KindGuest:
		return nil
	}
	return errChannel
}

// from is the first offset that the caller may read.
func (a access) from() uint64 {
	if a.me == nil {
		return 0
	}
	return a.me.from
}

// member is nil for those who are in the channel.
func (a access) member() error {
	if err := a.readable(); err != nil {
		return err
	}
	if a.me == nil {
		return errNotMember
	}
	return nil
}

// active is nil for members of a channel that is not archived.
func (a access) active() error {
	if err := a.readable(); err != nil {
		return err
	}
	if a.ch.archived {
		return errArchived
	}
	return a.member()
}

// role counts chat.manage_channels as owner's, where the channel may be known and has roles.
func (a access) role() chatv1.ChannelRole {
	switch {
	case a.readable() != nil || direct(a.ch.kind):
		return chatv1.ChannelRole_CHANNEL_ROLE_UNSPECIFIED
	case a.caller.May(mayManage):
		return chatv1.ChannelRole_CHANNEL_ROLE_OWNER
	case a.me == nil:
		return chatv1.ChannelRole_CHANNEL_ROLE_UNSPECIFIED
	}
	return a.me.role
}

func (a access) moderates() bool { return a.role() >= chatv1.ChannelRole_CHANNEL_ROLE_MODERATOR }

func (a access) owns() bool { return a.role() == chatv1.ChannelRole_CHANNEL_ROLE_OWNER }

// posts tells whether the caller may write into the channel itself; thread-only replies need mayPost alone.
func (a access) posts() bool {
	return a.caller.May(mayPost) && a.active() == nil && a.ch.takes(a.me.role)
}

// takes tells whether the channel takes messages of members with a role.
func (c *channel) takes(role chatv1.ChannelRole) bool {
	return !c.archived && (c.posting != chatv1.ChannelPosting_CHANNEL_POSTING_MODERATORS || role >= chatv1.ChannelRole_CHANNEL_ROLE_MODERATOR)
}

// about is what an event of an earlier offset says in its envelope: nothing where all readers may read that, too.
func (c *channel) about(at uint64) uint64 {
	if at >= c.sealed {
		return 0
	}
	return at
}

const channelColumns = `c.kind, c.name, c.topic, c.purpose, c.history, c.posting, c.archived, c.creator, c.created_ms, c.members,
	c.people, c.sealed`

func (c *channel) scan() ([]any, func()) {
	var people string
	return []any{&c.kind, &c.name, &c.topic, &c.purpose, &c.history, &c.posting, &c.archived, &c.creator, &c.createdMs,
		&c.members, &people, &c.sealed}, func() { c.people = strings.Fields(people) }
}

// loadAccess reads the channels of keys and, for each key, the user's membership: one statement for a whole batch. A key whose
// user is empty asks for the channel only.
func (s *Server) loadAccess(ctx context.Context, q query, keys []memberKey) (map[channelKey]*channel, map[memberKey]*member, error) {
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.workspace, k.channel, k.user}
	}
	channels, members := map[channelKey]*channel{}, map[memberKey]*member{}
	err := each(ctx, q, s.sql.access, s.sql.keys.Args(rows), func(r *sql.Rows) error {
		var k memberKey
		var ch channel
		var role, joined, at, from sql.NullInt64
		var guest sql.NullBool
		fields, done := ch.scan()
		if err := r.Scan(append([]any{&k.workspace, &k.channel, &k.user}, append(fields, &role, &guest, &joined, &at, &from)...)...); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		done()
		ch.channelKey = channelKey{k.workspace, k.channel}
		if _, ok := channels[ch.channelKey]; !ok {
			channels[ch.channelKey] = &ch
		}
		if role.Valid {
			members[k] = &member{
				role: chatv1.ChannelRole(role.Int64), guest: guest.Bool, joined: joined.Int64,
				at: uint64(at.Int64), from: uint64(from.Int64),
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("chat: read channels: %w", err)
	}
	return channels, members, nil
}

// access reads what the caller may do with one channel.
func (s *Server) access(ctx context.Context, q query, caller auth.Caller, id string) (access, error) {
	a := access{caller: caller}
	if !validID(id) {
		return a, nil
	}
	k := memberKey{caller.Workspace, id, caller.User}
	channels, members, err := s.loadAccess(ctx, q, []memberKey{k})
	if err != nil {
		return a, err
	}
	a.ch, a.me = channels[channelKey{k.workspace, k.channel}], members[k]
	return a, nil
}

// reading runs fn for those who may read a channel; for all others it is errChannel.
//
// Invariant: the right to read and what is read are of one state of the database. Else who is removed in between would read what was
// written after the removal.
func (s *Server) reading(ctx context.Context, caller auth.Caller, id string, fn func(tx *sql.Tx, a access) error) error {
	return s.db.Read(ctx, func(tx *sql.Tx) error {
		a, err := s.access(ctx, tx.QueryContext, caller, id)
		if err == nil {
			err = a.readable()
		}
		if err != nil {
			return err
		}
		return fn(tx, a)
	})
}

// each runs a statement and hands over its rows.
func each(ctx context.Context, q query, text string, args []any, row func(*sql.Rows) error) error {
	rows, err := q(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	return nil
}
