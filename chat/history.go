package chat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// messageColumns selects messages with what became of them, of all rows of the log; its caller appends joins and conditions.
const messageColumns = messageFields + ` FROM chat_log l` + messageJoins

// threadColumns selects the messages of thread $3 of topic $2 in workspace $1: its first one and the replies, each by an index.
const threadColumns = messageFields + ` FROM (
		SELECT * FROM chat_log WHERE workspace = $1 AND topic = $2 AND parent = $3 AND parent > 0 AND kind IN (1, 2)
		UNION ALL SELECT * FROM chat_log WHERE workspace = $1 AND topic = $2 AND "offset" = $3) l` + messageJoins

const (
	messageFields = `SELECT l."offset", l.time_ms, l.user_id, l.mutation, l.kind, l.body, m.content, coalesce(m.edits, 0),
		coalesce(m.edited_ms, 0), coalesce(m.deleted, false), coalesce(m.pinned, 0), coalesce(m.reactions, 0),
		coalesce(t.replies, 0), coalesce(t.last_reply, 0), coalesce(t.last_ms, 0)`
	messageJoins = `
	LEFT JOIN chat_message m ON m.workspace = l.workspace AND m.channel = substr(l.topic, 14) AND m.at = l."offset"
	LEFT JOIN chat_thread t ON t.workspace = l.workspace AND t.channel = substr(l.topic, 14) AND t.root = l."offset"`
)

// page reads messages from a condition on, in an order.
type page struct {
	tx    *sql.Tx
	a     access
	root  uint64
	limit int
}

// read returns at most limit messages beyond an offset, in ascending order, and whether there are more.
func (s *Server) read(ctx context.Context, p page, up bool, bound uint64, limit int) ([]*chatv1.Message, bool, error) {
	if limit <= 0 {
		return nil, false, nil
	}
	q := messageColumns + ` WHERE l.workspace = $1 AND l.topic = $2 AND l."offset" >= $5 AND l.kind IN (1, 4)
		AND (l.kind = 1 OR l.parent = 0 OR l.parent >= $5) AND CAST($3 AS bigint) = 0`
	if p.root != 0 {
		q = threadColumns + ` WHERE l."offset" >= $5`
	}
	if up {
		q += ` AND l."offset" >= $4 ORDER BY l."offset" LIMIT $6`
	} else {
		q += ` AND l."offset" < $4 ORDER BY l."offset" DESC LIMIT $6`
	}
	messages, err := s.messages(ctx, p.tx, p.a, q, p.a.ch.workspace, p.a.ch.log(), int64(p.root), int64(min(bound, 1<<62)),
		int64(p.a.from()), int64(limit)+1)
	if err != nil {
		return nil, false, err
	}
	more := len(messages) > limit
	if more {
		messages = messages[:limit]
	}
	if !up {
		slices.Reverse(messages)
	}
	return messages, more, nil
}

// messages runs a statement that begins with messageColumns.
func (s *Server) messages(ctx context.Context, tx *sql.Tx, a access, q string, args ...any) ([]*chatv1.Message, error) {
	var found []*chatv1.Message
	var reacted [][]any
	byOffset := map[uint64]*chatv1.Message{}
	err := each(ctx, tx.QueryContext, q, args, func(r *sql.Rows) error {
		m, reactions, err := scanMessage(r)
		if err != nil {
			return err
		}
		found = append(found, m)
		byOffset[m.GetOffset()] = m
		if reactions > 0 {
			reacted = append(reacted, []any{a.ch.workspace, a.ch.channel, int64(m.GetOffset())})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("chat: read messages: %w", err)
	}
	if len(reacted) == 0 {
		return found, nil
	}
	err = each(ctx, tx.QueryContext, s.sql.reactions, s.sql.offsets.Args(reacted), func(r *sql.Rows) error {
		var at uint64
		var emoji, user string
		if err := r.Scan(&at, &emoji, &user); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		byOffset[at].Reactions = addReaction(byOffset[at].GetReactions(), emoji, user, user == a.caller.User)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("chat: read reactions: %w", err)
	}
	return found, nil
}

// shownUsers is how many of those who reacted are named.
const shownUsers = 20

func addReaction(all []*chatv1.Reaction, emoji, user string, mine bool) []*chatv1.Reaction {
	i := slices.IndexFunc(all, func(r *chatv1.Reaction) bool { return r.GetEmoji() == emoji })
	if i < 0 {
		i, all = len(all), append(all, &chatv1.Reaction{Emoji: emoji})
	}
	r := all[i]
	r.Count++
	r.Mine = r.GetMine() || mine
	if len(r.GetUsers()) < shownUsers {
		r.Users = append(r.Users, user)
	}
	return all
}

// scanMessage makes a message of its row.
func scanMessage(r *sql.Rows) (*chatv1.Message, int, error) {
	var (
		at, mutation, edits, pinned, replies, last int64
		timeMs, editedMs, lastMs                   int64
		author                                     string
		k                                          kind
		body, content                              []byte
		deleted                                    bool
		reactions                                  int
	)
	if err := r.Scan(&at, &timeMs, &author, &mutation, &k, &body, &content, &edits, &editedMs, &deleted, &pinned, &reactions,
		&replies, &last, &lastMs); err != nil {
		return nil, 0, fmt.Errorf("scan: %w", err)
	}
	var e chatv1.ChannelEvent
	if err := proto.Unmarshal(body, &e); err != nil {
		return nil, 0, fmt.Errorf("decode event at %d: %w", at, err)
	}
	m := &chatv1.Message{}
	switch x := e.GetEvent().(type) {
	case *chatv1.ChannelEvent_Posted:
		m = x.Posted
	case *chatv1.ChannelEvent_Members:
		m.System = &chatv1.System{Change: &chatv1.System_Members{Members: x.Members}}
	case *chatv1.ChannelEvent_Channel:
		m.System = &chatv1.System{Change: &chatv1.System_Channel{Channel: x.Channel}}
	case *chatv1.ChannelEvent_Pin:
		m.System = &chatv1.System{Change: &chatv1.System_Pin{Pin: x.Pin}}
	}
	if content != nil && !deleted {
		var edited chatv1.Message
		if err := proto.Unmarshal(content, &edited); err != nil {
			return nil, 0, fmt.Errorf("decode edit of %d: %w", at, err)
		}
		m.Text, m.Mentions, m.Context = edited.GetText(), edited.GetMentions(), edited.GetContext()
	}
	m.Offset, m.TimeMs, m.Author, m.Mutation = uint64(at), timeMs, author, uint64(mutation)
	m.Edits, m.EditedMs, m.Deleted, m.Pinned, m.Thread = uint32(edits), editedMs, deleted, pinned > 0, nil
	if last > 0 {
		m.Thread = &chatv1.Thread{Root: m.GetOffset(), Replies: uint32(replies), LastReply: uint64(last), LastReplyMs: lastMs}
	}
	return m, reactions, nil
}

// History reads a page of a channel, or of one of its threads.
func (s *Server) History(ctx context.Context, req *chatv1.HistoryRequest) (*chatv1.HistoryResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(req.GetLimit(), 50, 100)
	if err != nil {
		return nil, err
	}
	res := &chatv1.HistoryResponse{}
	return res, s.reading(ctx, caller, req.GetChannel(), func(tx *sql.Tx, a access) (err error) {
		p := page{tx: tx, a: a, root: req.GetRoot(), limit: limit}
		if p.root != 0 {
			if err := s.checkRoot(ctx, tx, a, p.root); err != nil {
				return err
			}
		}
		if res.Cursor, err = cursor(ctx, tx, a.ch); err != nil {
			return err
		}
		return s.fill(ctx, p, req, res)
	})
}

// fill reads the page that a request asks for.
func (s *Server) fill(ctx context.Context, p page, req *chatv1.HistoryRequest, res *chatv1.HistoryResponse) (err error) {
	switch place := req.GetPlace().(type) {
	case nil:
		res.Messages, res.MoreBefore, err = s.read(ctx, p, false, 1<<62, p.limit)
	case *chatv1.HistoryRequest_Before:
		res.Messages, res.MoreBefore, err = s.read(ctx, p, false, place.Before, p.limit)
		if err == nil {
			var newer []*chatv1.Message
			newer, _, err = s.read(ctx, p, true, place.Before, 1)
			res.MoreAfter = len(newer) > 0
		}
	case *chatv1.HistoryRequest_After:
		from := min(place.After, 1<<62) + 1
		res.Messages, res.MoreAfter, err = s.read(ctx, p, true, from, p.limit)
		if err == nil {
			var older []*chatv1.Message
			older, _, err = s.read(ctx, p, false, from, 1)
			res.MoreBefore = len(older) > 0
		}
	case *chatv1.HistoryRequest_Around:
		err = s.around(ctx, p, place.Around, res)
	case *chatv1.HistoryRequest_AtMs:
		var at uint64
		if at, err = offsetAt(ctx, p, place.AtMs, res.GetCursor().GetOffset()); err == nil {
			err = s.around(ctx, p, at, res)
		}
	}
	return err
}

// around reads both sides of an offset; what one side lacks goes to the other.
func (s *Server) around(ctx context.Context, p page, at uint64, res *chatv1.HistoryResponse) error {
	below, moreBelow, err := s.read(ctx, p, false, at, p.limit)
	if err != nil {
		return err
	}
	above, moreAbove, err := s.read(ctx, p, true, at, p.limit)
	if err != nil {
		return err
	}
	keep := min(len(below), max(p.limit/2, p.limit-len(above)))
	res.MoreBefore = moreBelow || keep < len(below)
	below = below[len(below)-keep:]
	room := p.limit - keep
	res.MoreAfter = moreAbove || len(above) > room
	res.Messages = append(below, above[:min(room, len(above))]...)
	return nil
}

// offsetAt finds the first event at or after a time, by halving: times of a topic rise with its offsets.
func offsetAt(ctx context.Context, p page, ms int64, head uint64) (uint64, error) {
	low, high := max(p.a.from(), 1), head+1
	for low < high {
		mid := low + (high-low)/2
		var at int64
		err := p.tx.QueryRowContext(ctx, `SELECT time_ms FROM chat_log WHERE workspace = $1 AND topic = $2 AND "offset" = $3`,
			p.a.ch.workspace, p.a.ch.log(), int64(mid)).Scan(&at)
		if err != nil && !errors.Is(err, sql.ErrNoRows) { // no row: compacted, thus older than all that is there
			return 0, fmt.Errorf("chat: find date: %w", err)
		}
		if err == nil && at >= ms {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low, nil
}

// checkRoot is nil when the thread's first message may be read; a reply is no root.
func (s *Server) checkRoot(ctx context.Context, tx *sql.Tx, a access, root uint64) error {
	if err := checkOffset("root", root); err != nil {
		return err
	}
	k := threadKey{a.ch.channelKey, root}
	found, err := s.loadThreads(ctx, tx.QueryContext, []threadKey{k})
	if err != nil {
		return err
	}
	if t := found[k]; t == nil || t.root != root || root < a.from() {
		return errMessage.On("root")
	}
	return nil
}

// cursor is where the channel's topic stands.
func cursor(ctx context.Context, tx *sql.Tx, ch *channel) (*edgev1.Cursor, error) {
	c := &edgev1.Cursor{}
	err := tx.QueryRowContext(ctx, `SELECT epoch, head FROM chat_topic WHERE workspace = $1 AND topic = $2`, ch.workspace, ch.log()).
		Scan(&c.Epoch, &c.Offset)
	if err != nil {
		return nil, fmt.Errorf("chat: read cursor: %w", err)
	}
	return c, nil
}

// GetMessages reads messages by their offsets.
func (s *Server) GetMessages(ctx context.Context, req *chatv1.GetMessagesRequest) (*chatv1.GetMessagesResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	offsets := slices.Clone(req.GetOffsets())
	slices.Sort(offsets)
	offsets = slices.Compact(offsets)
	if n := len(offsets); n == 0 || n > 100 {
		return nil, badField("offsets", "Name 1 to 100 offsets.")
	}
	res := &chatv1.GetMessagesResponse{}
	return res, s.reading(ctx, caller, req.GetChannel(), func(tx *sql.Tx, a access) (err error) {
		if res.Cursor, err = cursor(ctx, tx, a.ch); err != nil {
			return err
		}
		var rows [][]any
		for _, at := range offsets {
			if at >= a.from() && at < 1<<53 {
				rows = append(rows, []any{a.ch.workspace, a.ch.channel, int64(at)})
			}
		}
		res.Messages, err = s.messages(ctx, tx, a, s.sql.byOffset, s.sql.offsets.Args(rows)...)
		return err
	})
}

// ListPins returns the pinned messages, newest pin first.
func (s *Server) ListPins(ctx context.Context, req *chatv1.ListPinsRequest) (*chatv1.ListPinsResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	res := &chatv1.ListPinsResponse{}
	return res, s.reading(ctx, caller, req.GetChannel(), func(tx *sql.Tx, a access) (err error) {
		res.Messages, err = s.messages(ctx, tx, a, messageColumns+` WHERE l.workspace = $1 AND l.topic = $2 AND l."offset" >= $3
			AND m.pinned > 0 AND m.workspace = $1 AND m.channel = $4 ORDER BY m.pinned DESC LIMIT 100`,
			a.ch.workspace, a.ch.log(), int64(a.from()), a.ch.channel)
		return err
	})
}
