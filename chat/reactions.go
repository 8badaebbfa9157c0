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
)

// react adds or removes a reaction.
type react struct {
	caller         auth.Caller
	channel, emoji string
	at             uint64
	removed        bool
	response       func(offset uint64) proto.Message
}

func (o *react) need(n *needs) { n.member(o.caller, o.channel) }

func (o *react) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.channel)
	if err := a.active(); err != nil {
		return err
	}
	if !o.caller.May(mayPost) {
		return errForbidden
	}
	m, err := b.alive(a, o.at)
	if err != nil {
		return err
	}
	if err := b.loadReactions(a.ch.channelKey, o.at, m); err != nil {
		return err
	}
	st.Answer = answer(o.response)
	if m.reactions[o.emoji][o.caller.User] != o.removed {
		return nil
	}
	user, k := o.caller.User, a.ch.channelKey
	if o.removed {
		delete(m.reactions[o.emoji], user)
		if len(m.reactions[o.emoji]) == 0 {
			delete(m.reactions, o.emoji)
		}
	} else {
		if err := m.reactable(o.emoji, user); err != nil {
			return err
		}
		if m.reactions[o.emoji] == nil {
			m.reactions[o.emoji] = map[string]bool{}
		}
		m.reactions[o.emoji][user] = true
	}
	total := m.total()
	event := &chatv1.ReactionChanged{Offset: o.at, Emoji: o.emoji, Removed: o.removed}
	e, err := entry(o.channel, user, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Reaction{Reaction: event}}, &later{
		write: func(ctx context.Context, tx *sql.Tx, row *topic.Row) error {
			args := []any{k.workspace, k.channel, int64(o.at), o.emoji, user}
			q := `DELETE FROM chat_reaction WHERE workspace = $1 AND channel = $2 AND at = $3 AND emoji = $4 AND user_id = $5`
			if !o.removed {
				q = `INSERT INTO chat_reaction (workspace, channel, at, emoji, user_id, seq) VALUES ($1, $2, $3, $4, $5, $6)`
				args = append(args, int64(row.Offset))
			}
			if err := exec(ctx, tx, q, args...); err != nil {
				return err
			}
			return state(ctx, tx, k, o.at, `reactions = $4`, total)
		},
	})
	e.About = a.ch.about(o.at)
	st.Entries = []topic.Entry{e}
	return err
}

func (m *message) total() int {
	n := 0
	for _, users := range m.reactions {
		n += len(users)
	}
	return n
}

// reactable is nil when one more reaction fits.
func (m *message) reactable(emoji, user string) error {
	own := 0
	for _, users := range m.reactions {
		if users[user] {
			own++
		}
	}
	switch {
	case m.reactions[emoji] == nil && len(m.reactions) >= MaxEmojis:
		return errLimit("A message takes %d different emoji. Use one of these.", MaxEmojis)
	case own >= MaxReactionsOne:
		return errLimit("You can react %d times to a message.", MaxReactionsOne)
	case m.total() >= MaxReactions:
		return errLimit("A message takes %d reactions.", MaxReactions)
	}
	return nil
}

func (b *batch) loadReactions(k channelKey, at uint64, m *message) error {
	if m.reactions != nil {
		return nil
	}
	m.reactions = map[string]map[string]bool{}
	return each(b.ctx, b.tx.QueryContext, `SELECT emoji, user_id FROM chat_reaction WHERE workspace = $1 AND channel = $2 AND at = $3`,
		[]any{k.workspace, k.channel, int64(at)}, func(r *sql.Rows) error {
			var emoji, user string
			if err := r.Scan(&emoji, &user); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			if m.reactions[emoji] == nil {
				m.reactions[emoji] = map[string]bool{}
			}
			m.reactions[emoji][user] = true
			return nil
		})
}

// pin pins or unpins a message.
type pin struct {
	caller auth.Caller
	req    *chatv1.PinMessageRequest
}

func (o *pin) need(n *needs) { n.member(o.caller, o.req.GetChannel()) }

func (o *pin) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.req.GetChannel())
	if err := a.active(); err != nil {
		return err
	}
	if !a.posts() {
		return errForbidden
	}
	at, k := o.req.GetOffset(), a.ch.channelKey
	m, err := b.alive(a, at)
	if err != nil {
		return err
	}
	st.Answer = answer(func(n uint64) proto.Message { return &chatv1.PinMessageResponse{Offset: n} })
	if (m.pinned != 0) == o.req.GetPinned() {
		return nil
	}
	if o.req.GetPinned() {
		pins := 0
		q := `SELECT count(*) FROM chat_message WHERE workspace = $1 AND channel = $2 AND pinned > 0`
		if err := b.tx.QueryRowContext(b.ctx, q, k.workspace, k.channel).Scan(&pins); err != nil {
			return fmt.Errorf("count pins: %w", err)
		}
		for mk, other := range b.messages { // pinned by this very batch
			if mk.channelKey == k && other.pinned == pending {
				pins++
			}
		}
		if pins >= MaxPins {
			return errLimit("A channel has at most %d pins. Unpin one first.", MaxPins)
		}
	}
	m.pinned = 0
	if o.req.GetPinned() {
		m.pinned = pending
	}
	event := &chatv1.PinChanged{Offset: at, Removed: !o.req.GetPinned()}
	e, err := entry(k.channel, o.caller.User, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Pin{Pin: event}}, &later{
		kind: kindSystem, parent: at,
		write: func(ctx context.Context, tx *sql.Tx, row *topic.Row) error {
			n := row.Offset
			if !o.req.GetPinned() {
				n = 0
			}
			return state(ctx, tx, k, at, `pinned = $4`, int64(n))
		},
	})
	e.About = a.ch.about(at)
	st.Entries = []topic.Entry{e}
	return err
}

// AddReaction adds the caller's reaction to a message.
func (s *Server) AddReaction(ctx context.Context, req *chatv1.AddReactionRequest) (*chatv1.AddReactionResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkOffset("offset", req.GetOffset()), checkEmoji(req.GetEmoji())); err != nil {
		return nil, err
	}
	res := &chatv1.AddReactionResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &react{
		caller: caller, channel: req.GetChannel(), emoji: req.GetEmoji(), at: req.GetOffset(),
		response: func(n uint64) proto.Message { return &chatv1.AddReactionResponse{Offset: n} },
	}, res)
}

// RemoveReaction takes the caller's reaction back.
func (s *Server) RemoveReaction(ctx context.Context, req *chatv1.RemoveReactionRequest) (*chatv1.RemoveReactionResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkOffset("offset", req.GetOffset()), checkReaction(req.GetEmoji())); err != nil {
		return nil, err
	}
	res := &chatv1.RemoveReactionResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &react{
		caller: caller, channel: req.GetChannel(), emoji: req.GetEmoji(), at: req.GetOffset(), removed: true,
		response: func(n uint64) proto.Message { return &chatv1.RemoveReactionResponse{Offset: n} },
	}, res)
}

// PinMessage pins or unpins a message.
func (s *Server) PinMessage(ctx context.Context, req *chatv1.PinMessageRequest) (*chatv1.PinMessageResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkOffset("offset", req.GetOffset()); err != nil {
		return nil, err
	}
	res := &chatv1.PinMessageResponse{}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, &pin{caller, req}, res)
}
