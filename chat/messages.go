package chat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/markdown"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// message is what became of a posted message. Its text is loaded for edits only.
type message struct {
	author    string
	kind      kind
	parent    uint64 // thread of a reply
	body      []byte // the event as it was posted
	content   []byte // after an edit
	edits     uint32
	deleted   bool
	pinned    uint64
	reactions map[string]map[string]bool // emoji -> users; nil until asked for
	edited    bool                       // in this very batch: the edit has no offset yet
}

// errTogether makes the log run the batch's steps one by one: one of them needs the offset of another.
var errTogether = errors.New("chat: an edit and a deletion of one message can't share a batch")

// message returns a message that the caller may read.
func (b *batch) message(a access, at uint64) (*message, error) {
	if at < a.from() {
		return nil, errMessage
	}
	k := threadKey{a.ch.channelKey, at}
	if m, ok := b.messages[k]; ok {
		return m, nil
	}
	m := &message{}
	var content []byte
	var edits, pinned sql.NullInt64
	var deleted sql.NullBool
	err := b.tx.QueryRowContext(b.ctx, `SELECT l.user_id, l.kind, l.parent, l.body, m.content, m.edits, m.deleted, m.pinned
		FROM chat_log l LEFT JOIN chat_message m ON m.workspace = l.workspace AND m.channel = $3 AND m.at = l."offset"
		WHERE l.workspace = $1 AND l.topic = $2 AND l."offset" = $4 AND l.kind IN (1, 2)`,
		k.workspace, a.ch.log(), k.channel, int64(at)).
		Scan(&m.author, &m.kind, &m.parent, &m.body, &content, &edits, &deleted, &pinned)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errMessage
	}
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	m.content, m.edits, m.deleted, m.pinned = content, uint32(edits.Int64), deleted.Bool, uint64(pinned.Int64)
	b.messages[k] = m
	return m, nil
}

// alive is a message that can still change.
func (b *batch) alive(a access, at uint64) (*message, error) {
	m, err := b.message(a, at)
	if err == nil && m.deleted {
		err = errDeleted
	}
	return m, err
}

// current decodes what the message says now.
func (m *message) current() (*chatv1.Message, error) {
	var e chatv1.ChannelEvent
	if err := proto.Unmarshal(m.body, &e); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	msg := e.GetPosted()
	if m.content != nil {
		msg = &chatv1.Message{}
		if err := proto.Unmarshal(m.content, msg); err != nil {
			return nil, fmt.Errorf("decode edit: %w", err)
		}
	}
	return msg, nil
}

// state upserts one column set of chat_message.
func state(ctx context.Context, tx *sql.Tx, k channelKey, at uint64, set string, args ...any) error {
	if err := exec(ctx, tx, `INSERT INTO chat_message (workspace, channel, at, edits, edited_ms, deleted, pinned, reactions)
		VALUES ($1, $2, $3, 0, 0, false, 0, 0) ON CONFLICT DO NOTHING`, k.workspace, k.channel, int64(at)); err != nil {
		return err
	}
	return exec(ctx, tx, `UPDATE chat_message SET `+set+` WHERE workspace = $1 AND channel = $2 AND at = $3`,
		append([]any{k.workspace, k.channel, int64(at)}, args...)...)
}

// edit replaces a message's text.
type edit struct {
	caller  auth.Caller
	req     *chatv1.EditMessageRequest
	handles []string
}

func (o *edit) need(n *needs) {
	n.member(o.caller, o.req.GetChannel())
	n.named(o.caller.Workspace, o.handles)
}

func (o *edit) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.req.GetChannel())
	if err := a.active(); err != nil {
		return err
	}
	at := o.req.GetOffset()
	m, err := b.alive(a, at)
	if err != nil {
		return err
	}
	if m.author != o.caller.User {
		return errNotAuthor
	}
	if !o.caller.May(mayEdit) {
		return errForbidden
	}
	old, err := m.current()
	if err != nil {
		return err
	}
	st.Answer = answer(func(n uint64) proto.Message { return &chatv1.EditMessageResponse{Offset: n} })
	if old.GetText() == o.req.GetText() {
		return nil
	}
	if m.edits >= MaxEdits {
		return errLimit("A message can be edited %d times. Write a new one.", MaxEdits)
	}
	mentions, err := b.mentions(a, o.handles, false)
	if err != nil {
		return err
	}
	if old.GetMentions().GetEverybody() { // called when it was posted; an edit neither calls nor takes it back
		if mentions == nil {
			mentions = &chatv1.Mentions{}
		}
		mentions.Everybody = true
	}
	content, err := proto.Marshal(&chatv1.Message{Text: o.req.GetText(), Mentions: mentions, Context: old.GetContext()})
	if err != nil {
		return fmt.Errorf("encode edit: %w", err)
	}
	m.content, m.edits, m.edited = content, m.edits+1, true
	event := &chatv1.MessageEdited{
		Offset: at, Text: o.req.GetText(), Mentions: mentions, Edits: m.edits, Root: m.parent, AlsoInChannel: m.parent != 0 && m.kind == kindMessage,
	}
	if at < a.ch.sealed { // some readers came later than the message
		event.Text, event.Mentions, event.TextOmitted = "", nil, true
	}
	edits, now := m.edits, st.Now.UnixMilli()
	e, err := entry(a.ch.channel, o.caller.User, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Edited{Edited: event}}, &later{
		kind: kindEdit, parent: at,
		write: func(ctx context.Context, tx *sql.Tx, _ *topic.Row) error {
			return state(ctx, tx, a.ch.channelKey, at, `content = $4, edits = $5, edited_ms = $6`, content, edits, now)
		},
	})
	e.About = a.ch.about(at)
	st.Entries = []topic.Entry{e}
	return err
}

// remove deletes a message.
type remove struct {
	caller auth.Caller
	req    *chatv1.DeleteMessageRequest
}

func (o *remove) need(n *needs) { n.member(o.caller, o.req.GetChannel()) }

func (o *remove) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.req.GetChannel())
	if err := a.active(); err != nil {
		return err
	}
	at := o.req.GetOffset()
	m, err := b.message(a, at)
	if err != nil {
		return err
	}
	own := m.author == o.caller.User && o.caller.May(mayEdit)
	if !own && (direct(a.ch.kind) || !a.moderates() && !o.caller.May(mayDelete)) {
		return errForbidden
	}
	st.Answer = answer(func(n uint64) proto.Message { return &chatv1.DeleteMessageResponse{Offset: n} })
	if m.deleted {
		return nil
	}
	if m.edited {
		return errTogether
	}
	gone := []uint64{at}
	err = each(b.ctx, b.tx.QueryContext, `SELECT "offset" FROM chat_log WHERE workspace = $1 AND topic = $2 AND parent = $3 AND parent > 0 AND kind = 3`,
		[]any{a.ch.workspace, a.ch.log(), int64(at)}, func(r *sql.Rows) error {
			var n uint64
			if err := r.Scan(&n); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			gone = append(gone, n)
			return nil
		})
	if err != nil {
		return err
	}
	event := &chatv1.MessageDeleted{Offset: at}
	if m.parent != 0 {
		t, err := b.loadThread(a, m.parent)
		if err != nil {
			return err
		}
		t.replies--
		event.Thread = &chatv1.Thread{Root: t.root, Replies: t.replies, LastReply: t.last, LastReplyMs: t.lastMs}
	}
	m.deleted, m.content, m.reactions, m.pinned = true, nil, map[string]map[string]bool{}, 0
	e, err := entry(a.ch.channel, o.caller.User, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Deleted{Deleted: event}}, &later{
		write: func(ctx context.Context, tx *sql.Tx, _ *topic.Row) error {
			k := a.ch.channelKey
			if m.parent != 0 {
				if err := exec(ctx, tx, `UPDATE chat_thread SET replies = replies - 1 WHERE workspace = $1 AND channel = $2 AND root = $3`,
					k.workspace, k.channel, int64(m.parent)); err != nil {
					return err
				}
			}
			if err := exec(ctx, tx, `DELETE FROM chat_reaction WHERE workspace = $1 AND channel = $2 AND at = $3`,
				k.workspace, k.channel, int64(at)); err != nil {
				return err
			}
			return state(ctx, tx, k, at, `deleted = true, content = NULL, pinned = 0, reactions = 0`)
		},
	})
	if err != nil {
		return err
	}
	e.Redacts, e.About = gone, a.ch.about(at)
	st.Entries = []topic.Entry{e}
	return nil
}

// pending stands for an offset that the transaction has yet to give: greater than any.
const pending = 1<<63 - 1

// EditMessage replaces the text of one's own message.
func (s *Server) EditMessage(ctx context.Context, req *chatv1.EditMessageRequest) (*chatv1.EditMessageResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkText(req.GetText()), checkOffset("offset", req.GetOffset())); err != nil {
		return nil, err
	}
	res := &chatv1.EditMessageResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &edit{caller, req, markdown.Handles(req.GetText())}, res)
}

// DeleteMessage hides a message and empties it.
func (s *Server) DeleteMessage(ctx context.Context, req *chatv1.DeleteMessageRequest) (*chatv1.DeleteMessageResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkOffset("offset", req.GetOffset()); err != nil {
		return nil, err
	}
	res := &chatv1.DeleteMessageResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &remove{caller, req}, res)
}
