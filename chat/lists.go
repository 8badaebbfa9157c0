package chat

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// pageToken is where the next page goes on: the sort keys of the last entry.
func pageToken(keys ...any) string {
	b, err := json.Marshal(keys)
	if err != nil {
		panic(err) // strings and integers can be encoded
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// readPage reads a token into pointers; an empty one leaves them.
func readPage(token string, keys ...any) error {
	if token == "" {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	var raw []json.RawMessage
	if err == nil {
		err = json.Unmarshal(b, &raw)
	}
	if err != nil || len(raw) != len(keys) || bytes.Contains(b, []byte(`\u0000`)) { // PostgreSQL takes no zero bytes
		return badField("page", "Take the page from the answer before.")
	}
	for i, k := range keys {
		if json.Unmarshal(raw[i], k) != nil {
			return badField("page", "Take the page from the answer before.")
		}
	}
	return nil
}

// GetChannel returns one channel.
func (s *Server) GetChannel(ctx context.Context, req *chatv1.GetChannelRequest) (*chatv1.GetChannelResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	res := &chatv1.GetChannelResponse{}
	return res, s.reading(ctx, caller, req.GetChannel(), func(tx *sql.Tx, a access) error {
		res.Channel, res.Mine = a.ch.proto(), nil
		if a.me == nil {
			return nil
		}
		k := memberKey{caller.Workspace, req.GetChannel(), caller.User}
		mines, err := s.mines(ctx, tx, []memberKey{k})
		if m := mines[k]; err == nil && m != nil {
			res.Mine = m.proto()
		}
		return err
	})
}

// mines reads people's states with their mentions counted.
func (s *Server) mines(ctx context.Context, tx *sql.Tx, keys []memberKey) (map[memberKey]*mine, error) {
	found, err := s.loadMine(ctx, tx.QueryContext, keys)
	if err != nil {
		return nil, err
	}
	return found, s.countMentions(ctx, tx.QueryContext, found)
}

// memberships lists the channels that a person is in, by id, beyond one.
func memberships(ctx context.Context, tx *sql.Tx, caller auth.Caller, beyond string, limit int) ([]memberKey, error) {
	var keys []memberKey
	err := each(ctx, tx.QueryContext, `SELECT channel FROM chat_member WHERE workspace = $1 AND user_id = $2 AND channel > $3
		ORDER BY channel LIMIT $4`, []any{caller.Workspace, caller.User, beyond, limit}, func(r *sql.Rows) error {
		k := memberKey{workspace: caller.Workspace, user: caller.User}
		if err := r.Scan(&k.channel); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		keys = append(keys, k)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("chat: list memberships: %w", err)
	}
	return keys, nil
}

// ListMyChannels lists the channels that the caller is in.
func (s *Server) ListMyChannels(ctx context.Context, req *chatv1.ListMyChannelsRequest) (*chatv1.ListMyChannelsResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(req.GetLimit(), 200, 500)
	if err != nil {
		return nil, err
	}
	beyond := ""
	if err := readPage(req.GetPage(), &beyond); err != nil {
		return nil, err
	}
	res := &chatv1.ListMyChannelsResponse{}
	return res, s.db.Read(ctx, func(tx *sql.Tx) error {
		keys, err := memberships(ctx, tx, caller, beyond, limit+1)
		if err != nil {
			return err
		}
		res.Next = ""
		if len(keys) > limit {
			keys = keys[:limit]
			res.Next = pageToken(keys[limit-1].channel)
		}
		res.Channels, err = s.myChannels(ctx, tx, keys)
		return err
	})
}

// myChannels reads channels with a person's part in each.
func (s *Server) myChannels(ctx context.Context, tx *sql.Tx, keys []memberKey) ([]*chatv1.MyChannel, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	channels, _, err := s.loadAccess(ctx, tx.QueryContext, keys)
	if err != nil {
		return nil, err
	}
	mines, err := s.mines(ctx, tx, keys)
	if err != nil {
		return nil, err
	}
	var found []*chatv1.MyChannel
	for _, k := range keys {
		ch, m := channels[k.of()], mines[k]
		if ch != nil && m != nil && m.role != 0 {
			found = append(found, &chatv1.MyChannel{Channel: ch.proto(), Mine: m.proto()})
		}
	}
	return found, nil
}

// ListMembers lists the members of a channel.
func (s *Server) ListMembers(ctx context.Context, req *chatv1.ListMembersRequest) (*chatv1.ListMembersResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(req.GetLimit(), 200, 500)
	if err != nil {
		return nil, err
	}
	beyond := ""
	if err := readPage(req.GetPage(), &beyond); err != nil {
		return nil, err
	}
	res := &chatv1.ListMembersResponse{}
	err = s.reading(ctx, caller, req.GetChannel(), func(tx *sql.Tx, a access) (err error) {
		res.Members, err = membersOf(ctx, tx, a.ch, beyond, limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(res.GetMembers()) > limit {
		res.Members = res.GetMembers()[:limit]
		res.Next = pageToken(res.GetMembers()[limit-1].GetUser())
	}
	return res, nil
}

// membersOf lists the members of a channel, by id, beyond one.
func membersOf(ctx context.Context, tx *sql.Tx, ch *channel, beyond string, limit int) ([]*chatv1.Member, error) {
	var found []*chatv1.Member
	err := each(ctx, tx.QueryContext, `SELECT m.user_id, m.role, m.joined_ms, coalesce(p.guest, m.guest) FROM chat_member m
		LEFT JOIN chat_person p ON p.workspace = m.workspace AND p.id = m.user_id
		WHERE m.workspace = $1 AND m.channel = $2 AND m.user_id > $3 ORDER BY m.user_id LIMIT $4`,
		[]any{ch.workspace, ch.channel, beyond, limit}, func(r *sql.Rows) error {
			m := &chatv1.Member{}
			if err := r.Scan(&m.User, &m.Role, &m.JoinedMs, &m.Guest); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			found = append(found, m)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("chat: list members: %w", err)
	}
	return found, nil
}

// newest begins a list that goes back in time.
const newest = int64(1) << 62

// ListMentions lists the caller's mentions in channels that they are in, newest first.
func (s *Server) ListMentions(ctx context.Context, req *chatv1.ListMentionsRequest) (*chatv1.ListMentionsResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(req.GetLimit(), 50, 100)
	if err != nil {
		return nil, err
	}
	ms, ch, at := newest, "", int64(0)
	if err := readPage(req.GetPage(), &ms, &ch, &at); err != nil {
		return nil, err
	}
	res := &chatv1.ListMentionsResponse{}
	err = each(ctx, s.db.Query, `SELECT x.channel, x.at, x.root, x.author, x.group_id, x.time_ms FROM chat_mention x
		JOIN chat_member m ON m.workspace = x.workspace AND m.channel = x.channel AND m.user_id = x.user_id AND m.visible_from <= x.at
		WHERE x.workspace = $1 AND x.user_id = $2 AND (x.time_ms, x.channel, x.at) < ($3, $4, $5)
		ORDER BY x.time_ms DESC, x.channel DESC, x.at DESC LIMIT $6`,
		[]any{caller.Workspace, caller.User, ms, ch, at, limit + 1}, func(r *sql.Rows) error {
			m := &chatv1.Mention{}
			if err := r.Scan(&m.Channel, &m.Offset, &m.Root, &m.Author, &m.Group, &m.TimeMs); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			res.Mentions = append(res.Mentions, m)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("chat: list mentions: %w", err)
	}
	if len(res.GetMentions()) > limit {
		res.Mentions = res.GetMentions()[:limit]
		last := res.GetMentions()[limit-1]
		res.Next = pageToken(last.GetTimeMs(), last.GetChannel(), last.GetOffset())
	}
	return res, nil
}

// ListThreads lists the threads that the caller follows, last reply first.
func (s *Server) ListThreads(ctx context.Context, req *chatv1.ListThreadsRequest) (*chatv1.ListThreadsResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(req.GetLimit(), 50, 100)
	if err != nil {
		return nil, err
	}
	ms, ch, root := newest, "", int64(0)
	if err := readPage(req.GetPage(), &ms, &ch, &root); err != nil {
		return nil, err
	}
	res := &chatv1.ListThreadsResponse{}
	return res, s.db.Read(ctx, func(tx *sql.Tx) error {
		keys, times, follows, err := followed(ctx, tx, caller, []any{ms, ch, root, req.GetUnread(), limit + 1})
		if err != nil {
			return err
		}
		res.Next, res.Threads = "", nil
		if len(keys) > limit {
			delete(follows, keys[limit])
			keys = keys[:limit]
			res.Next = pageToken(times[limit-1], keys[limit-1].channel, keys[limit-1].root)
		}
		mine, err := s.myThreads(ctx, tx.QueryContext, follows)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if t := mine[k]; t != nil {
				res.Threads = append(res.Threads, t)
			}
		}
		return nil
	})
}

// followed lists the threads that a person follows and may read, with the times of their last replies, newest first. What the page is
// of: the sort keys before it, whether only unread ones, and how many.
func followed(ctx context.Context, tx *sql.Tx, caller auth.Caller, page []any) ([]followKey, []int64, map[followKey]*follow, error) {
	var keys []followKey
	var times []int64
	follows := map[followKey]*follow{}
	err := each(ctx, tx.QueryContext, `SELECT f.channel, f.root, f.seen, t.last_ms FROM chat_follow f
		JOIN chat_member m ON m.workspace = f.workspace AND m.channel = f.channel AND m.user_id = f.user_id AND m.visible_from <= f.root
		JOIN chat_thread t ON t.workspace = f.workspace AND t.channel = f.channel AND t.root = f.root
		WHERE f.workspace = $1 AND f.user_id = $2 AND f.following AND (t.last_ms, f.channel, f.root) < ($3, $4, $5)
			AND (NOT $6 OR EXISTS (SELECT 1 FROM chat_log l WHERE l.workspace = f.workspace AND l.topic = 'chat.channel/' || f.channel
				AND l.parent = f.root AND l.parent > 0 AND l."offset" > f.seen AND l.kind IN (1, 2) AND l.user_id <> f.user_id))
		ORDER BY t.last_ms DESC, f.channel DESC, f.root DESC LIMIT $7`,
		append([]any{caller.Workspace, caller.User}, page...), func(r *sql.Rows) error {
			k := followKey{memberKey: memberKey{workspace: caller.Workspace, user: caller.User}}
			f := &follow{following: true}
			var last int64
			if err := r.Scan(&k.channel, &k.root, &f.seen, &last); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			keys, times, follows[k] = append(keys, k), append(times, last), f
			return nil
		})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("chat: list threads: %w", err)
	}
	return keys, times, follows, nil
}
