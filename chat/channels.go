package chat

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// derivedID makes an id of 128 bits from what must always give the same id: a mutation's key, or the people of a direct channel.
func derivedID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// create makes a channel, or finds it: a direct one.
type create struct {
	caller auth.Caller
	ch     *channel
	people []string // all members of a direct channel; else the creator alone
}

func (o *create) need(n *needs) {
	n.member(o.caller, o.ch.channel)
	for _, id := range o.people {
		n.access[memberKey{o.ch.workspace, o.ch.channel, id}] = true
	}
}

func (o *create) plan(b *batch, st *topic.Step) error {
	id := o.ch.channel
	st.Answer = func(rows []topic.Row) proto.Message {
		if direct(o.ch.kind) {
			return &chatv1.OpenDirectResponse{Channel: id}
		}
		return &chatv1.CreateChannelResponse{Channel: id, Offset: rows[0].Offset}
	}
	if old := b.channels[o.ch.channelKey]; old != nil {
		if !direct(o.ch.kind) {
			return errNameTaken // the key was pruned: the same client_seq is used again
		}
		return b.access(o.caller, id).readable()
	}
	if !o.caller.May(mayCreate) {
		return errForbidden
	}
	guests, err := b.people(o.ch.workspace, slices.DeleteFunc(slices.Clone(o.people), func(id string) bool { return id == o.caller.User }))
	if err != nil {
		return err
	}
	if err := b.room(o.ch.workspace, o.people, o.caller.User); err != nil {
		return err
	}
	if o.ch.name != "" {
		if err := b.takeName(o.ch.channelKey, o.ch.name); err != nil {
			return err
		}
	}
	ch := *o.ch // the planner may run again with the same op
	ch.createdMs, ch.members = st.Now.UnixMilli(), uint32(len(o.people))
	if direct(ch.kind) {
		ch.people = o.people
	}
	b.channels[ch.channelKey] = &ch
	role := chatv1.ChannelRole_CHANNEL_ROLE_MEMBER
	if !direct(ch.kind) {
		role = chatv1.ChannelRole_CHANNEL_ROLE_OWNER
	}
	created := ch.proto()
	join := b.join(&ch, o.people, guests, role, st.Now.UnixMilli(), false)
	e, err := entry(id, o.caller.User, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Channel{Channel: &chatv1.ChannelChanged{
		Channel: created, Created: true,
	}}}, &later{kind: kindSystem, write: func(ctx context.Context, tx *sql.Tx, row *topic.Row) error {
		if err := exec(ctx, tx, `INSERT INTO chat_channel (workspace, id, kind, name, topic, purpose, history, posting, archived, creator,
			created_ms, members, people, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9, $10, $11, $12, 0)`,
			ch.workspace, id, int64(ch.kind), ch.name, ch.topic, ch.purpose, int64(ch.history), int64(ch.posting), ch.creator, ch.createdMs,
			int64(created.GetMembers()), strings.Join(ch.people, " ")); err != nil {
			return err
		}
		return join.write(ctx, tx, row)
	}})
	if err != nil {
		return err
	}
	if ch.kind == chatv1.ChannelKind_CHANNEL_KIND_PUBLIC {
		e.Access = append(e.Access, &topicv1.Access{Principal: anybody, Read: true})
	}
	e.Access = append(e.Access, join.access...)
	st.Entries = []topic.Entry{e}
	return nil
}

// takeName reserves a name in the workspace.
func (b *batch) takeName(k channelKey, name string) error {
	r, err := b.tx.ExecContext(b.ctx, `INSERT INTO chat_name (workspace, name, channel) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		k.workspace, name, k.channel)
	if err != nil {
		return fmt.Errorf("take name: %w", err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errNameTaken
	}
	return nil
}

// people tells which of the people are guests; errPerson where one isn't an active person of the workspace.
func (b *batch) people(workspace string, ids []string) (map[string]bool, error) {
	guests := map[string]bool{}
	var rows [][]any
	for _, id := range ids {
		rows = append(rows, []any{workspace, "", id})
	}
	err := each(b.ctx, b.tx.QueryContext, b.sql.people, b.sql.keys.Args(rows), func(r *sql.Rows) error {
		var id string
		var guest bool
		if err := r.Scan(&id, &guest); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		guests[id] = guest
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, known := guests[id]; !known {
			return nil, errPerson
		}
	}
	return guests, nil
}

// joining is what becomes of people who come to a channel.
type joining struct {
	access  []*topicv1.Access
	members []*chatv1.Member
	write   func(ctx context.Context, tx *sql.Tx, row *topic.Row) error
}

// join puts people into the batch's state of the channel and returns what goes into the event and the tables.
// fromNow: what lies before is not for them.
func (b *batch) join(ch *channel, ids []string, guests map[string]bool, role chatv1.ChannelRole, now int64, fromNow bool) *joining {
	j := &joining{}
	for _, id := range ids {
		m := &member{role: role, guest: guests[id], joined: now, at: pending}
		if fromNow {
			m.from, ch.sealed = pending, pending
		}
		b.members[memberKey{ch.workspace, ch.channel, id}] = m
		j.access = append(j.access, &topicv1.Access{Principal: id, Read: true, Signal: ch.takes(role)})
		j.members = append(j.members, &chatv1.Member{User: id, Role: role, JoinedMs: now, Guest: guests[id]})
	}
	j.write = func(ctx context.Context, tx *sql.Tx, row *topic.Row) error {
		at, from := int64(row.Offset), int64(0)
		if fromNow {
			from = at
			if err := exec(ctx, tx, `UPDATE chat_channel SET sealed = $3 WHERE workspace = $1 AND id = $2`, ch.workspace, ch.channel, at); err != nil {
				return err
			}
		}
		var rows [][]any
		for _, m := range j.members {
			rows = append(rows, []any{ch.workspace, ch.channel, m.GetUser(), int64(m.GetRole()), m.GetGuest(), now, at, from})
		}
		return exec(ctx, tx, b.sql.addMembers, b.sql.members.Args(rows)...)
	}
	return j
}

// update changes what a channel says of itself, or archives it.
type update struct {
	caller  auth.Caller
	channel string
	change  func(a access, ch *channel) (fields []string, err error)
	answer  func(offset uint64) proto.Message
}

func (o *update) need(n *needs) { n.member(o.caller, o.channel) }

func (o *update) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.channel)
	if err := a.readable(); err != nil {
		return err
	}
	if direct(a.ch.kind) {
		return errWrongKind
	}
	ch := *a.ch
	fields, err := o.change(a, &ch)
	if err != nil {
		return err
	}
	st.Answer = answer(o.answer)
	if len(fields) == 0 {
		return nil
	}
	event := &chatv1.ChannelChanged{Channel: ch.proto(), Fields: fields}
	if ch.name != a.ch.name {
		if err := b.takeName(ch.channelKey, ch.name); err != nil {
			return err
		}
		event.OldName = a.ch.name
		if err := exec(b.ctx, b.tx, `DELETE FROM chat_name WHERE workspace = $1 AND name = $2`, ch.workspace, a.ch.name); err != nil {
			return err
		}
	}
	rights := a.ch.rights(&ch)
	*a.ch = ch
	e, err := entry(o.channel, o.caller.User, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Channel{Channel: event}}, &later{
		kind: kindSystem,
		write: func(ctx context.Context, tx *sql.Tx, _ *topic.Row) error {
			return exec(ctx, tx, `UPDATE chat_channel SET name = $3, topic = $4, purpose = $5, history = $6, posting = $7, archived = $8
				WHERE workspace = $1 AND id = $2`, ch.workspace, ch.channel, ch.name, ch.topic, ch.purpose, int64(ch.history),
				int64(ch.posting), ch.archived)
		},
	})
	e.Access = rights
	st.Entries = []topic.Entry{e}
	return err
}

// rights is what a change of the channel changes of its members' rights: an archived one takes nothing from anybody; who may post
// otherwise depends on each.
func (c *channel) rights(now *channel) []*topicv1.Access {
	switch {
	case now.archived && !c.archived:
		return []*topicv1.Access{{Principal: anybody, Read: true}}
	case now.archived != c.archived, now.posting != c.posting:
		return []*topicv1.Access{{Principal: anybody}}
	}
	return nil
}

// CreateChannel makes a public or private channel.
func (s *Server) CreateChannel(ctx context.Context, req *chatv1.CreateChannelRequest) (*chatv1.CreateChannelResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	name, err := channelName(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := checkAbout(req.GetTopic(), req.GetPurpose()); err != nil {
		return nil, err
	}
	if req.GetKind() != chatv1.ChannelKind_CHANNEL_KIND_PUBLIC && req.GetKind() != chatv1.ChannelKind_CHANNEL_KIND_PRIVATE {
		return nil, badField("kind", "A channel is public or private. Direct channels come by OpenDirect.")
	}
	ch := &channel{
		kind: req.GetKind(), name: name, topic: req.GetTopic(), purpose: req.GetPurpose(), creator: caller.User,
		history: chatv1.ChannelHistory_CHANNEL_HISTORY_ALL, posting: chatv1.ChannelPosting_CHANNEL_POSTING_MEMBERS,
	}
	if _, err := ch.set(req.GetHistory(), req.GetPosting()); err != nil {
		return nil, err
	}
	key, err := s.key(ctx, caller)
	if err != nil {
		return nil, err
	}
	// The id comes from the key, so that a retry finds the partition in which the first answer is kept.
	ch.channelKey = channelKey{caller.Workspace, derivedID("channel", caller.Workspace, caller.User, key.ClientID, strconv.FormatUint(key.Seq, 10))}
	res := &chatv1.CreateChannelResponse{}
	return res, s.mutate(ctx, caller, ch.channel, req, &create{caller: caller, ch: ch, people: []string{caller.User}}, res)
}

// set changes history and posting, where they are given.
func (c *channel) set(history chatv1.ChannelHistory, posting chatv1.ChannelPosting) (fields []string, err error) {
	if _, known := chatv1.ChannelHistory_name[int32(history)]; !known ||
		history == chatv1.ChannelHistory_CHANNEL_HISTORY_JOINED && c.kind != chatv1.ChannelKind_CHANNEL_KIND_PRIVATE {
		return nil, badField("history", "Only a private channel can keep its past from those who join.")
	}
	if _, known := chatv1.ChannelPosting_name[int32(posting)]; !known {
		return nil, badField("posting", "Members or moderators may post.")
	}
	if history != 0 && history != c.history {
		c.history, fields = history, append(fields, "history")
	}
	if posting != 0 && posting != c.posting {
		c.posting, fields = posting, append(fields, "posting")
	}
	return fields, nil
}

func checkAbout(about, purpose string) error {
	if err := checkPlain("topic", about, MaxTopic); err != nil {
		return err
	}
	if err := checkPlain("purpose", purpose, MaxPurpose); err != nil {
		return err
	}
	if err := checkMarks("topic", about); err != nil {
		return err
	}
	return checkMarks("purpose", purpose)
}

// OpenDirect finds or makes the direct channel of some people.
func (s *Server) OpenDirect(ctx context.Context, req *chatv1.OpenDirectRequest) (*chatv1.OpenDirectResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	people := append(slices.Clone(req.GetUsers()), caller.User)
	slices.Sort(people)
	people = slices.Compact(people)
	if len(req.GetUsers()) == 0 || len(req.GetUsers()) > 2*MaxPeople || len(people) > MaxPeople {
		return nil, badField("users", "Name 1 to %d people.", MaxPeople-1)
	}
	if slices.ContainsFunc(people, func(id string) bool { return !validID(id) }) {
		return nil, errPerson
	}
	ch := &channel{
		channelKey: channelKey{caller.Workspace, derivedID(append([]string{"direct", caller.Workspace}, people...)...)},
		kind:       chatv1.ChannelKind_CHANNEL_KIND_DIRECT, creator: caller.User,
		history: chatv1.ChannelHistory_CHANNEL_HISTORY_ALL, posting: chatv1.ChannelPosting_CHANNEL_POSTING_MEMBERS,
	}
	if len(people) > 2 {
		ch.kind = chatv1.ChannelKind_CHANNEL_KIND_GROUP
	}
	res := &chatv1.OpenDirectResponse{}
	return res, s.mutate(ctx, caller, ch.channel, req, &create{caller: caller, ch: ch, people: people}, res)
}

// UpdateChannel changes what a channel says of itself and who may do what in it.
func (s *Server) UpdateChannel(ctx context.Context, req *chatv1.UpdateChannelRequest) (*chatv1.UpdateChannelResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	name := ""
	if req.Name != nil {
		if name, err = channelName(req.GetName()); err != nil {
			return nil, err
		}
	}
	if err := checkAbout(req.GetTopic(), req.GetPurpose()); err != nil {
		return nil, err
	}
	change := func(a access, ch *channel) ([]string, error) {
		if !a.moderates() {
			return nil, errForbidden
		}
		if ch.archived {
			return nil, errArchived
		}
		var fields []string
		if name != "" && name != ch.name {
			ch.name, fields = name, append(fields, "name")
		}
		if req.Topic != nil && req.GetTopic() != ch.topic {
			ch.topic, fields = req.GetTopic(), append(fields, "topic")
		}
		if req.Purpose != nil && req.GetPurpose() != ch.purpose {
			ch.purpose, fields = req.GetPurpose(), append(fields, "purpose")
		}
		more, err := ch.set(req.GetHistory(), req.GetPosting())
		return append(fields, more...), err
	}
	res := &chatv1.UpdateChannelResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &update{
		caller, req.GetChannel(), change,
		func(n uint64) proto.Message { return &chatv1.UpdateChannelResponse{Offset: n} },
	}, res)
}

// ArchiveChannel archives a channel or brings it back.
func (s *Server) ArchiveChannel(ctx context.Context, req *chatv1.ArchiveChannelRequest) (*chatv1.ArchiveChannelResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	change := func(a access, ch *channel) ([]string, error) {
		if !a.owns() {
			return nil, errForbidden
		}
		if ch.archived == req.GetArchived() {
			return nil, nil
		}
		ch.archived = req.GetArchived()
		return []string{"archived"}, nil
	}
	res := &chatv1.ArchiveChannelResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &update{
		caller, req.GetChannel(), change,
		func(n uint64) proto.Message { return &chatv1.ArchiveChannelResponse{Offset: n} },
	}, res)
}
