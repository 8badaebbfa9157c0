package chat

import (
	"context"
	"database/sql"
	"fmt"

	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// mine is one person's state in a channel.
//
// Invariant: unread = head's count - marker's count, mentions = those after the marker + head's calls - marker's calls; nothing else
// counts, so that every device comes to the same numbers.
type mine struct {
	key      memberKey
	kind     chatv1.ChannelKind
	role     chatv1.ChannelRole // 0: not in the channel
	joined   uint64             // offset by which they joined: the marker never stands before it
	from     uint64             // first offset that they may read
	source   uint64             // newest membership event that was applied
	listed   bool
	marker   *chatv1.Marker
	muted    bool
	level    chatv1.NotifyLevel
	head     *edgev1.Head   // of the channel's topic, as far as it was derived for people
	cursor   *edgev1.Cursor // of the channel's topic, as committed
	mentions uint64         // after the marker; filled by countMentions
}

// loadMine reads people's states: one statement for a whole batch. Unknown channels are left out.
//
// Invariant: role and heads come from one statement, so that nobody is shown where a channel stands behind their removal.
func (s *Server) loadMine(ctx context.Context, q query, keys []memberKey) (map[memberKey]*mine, error) {
	found := make(map[memberKey]*mine, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.workspace, k.channel, k.user}
	}
	err := each(ctx, q, s.sql.readMine, s.sql.keys.Args(rows), func(r *sql.Rows) error {
		m := &mine{marker: &chatv1.Marker{}}
		var role, source, marker, version, count, calls, level, epoch, head, life, derived, total, called, redacted sql.NullInt64
		var listed, muted sql.NullBool
		var joinedCount, joinedCalls uint64
		if err := r.Scan(&m.key.workspace, &m.key.channel, &m.key.user, &m.kind, &role, &m.joined, &m.from, &joinedCount, &joinedCalls,
			&source, &listed, &marker, &version, &count, &calls, &muted, &level, &epoch, &head, &life, &derived, &total, &called, &redacted); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		m.role, m.level = chatv1.ChannelRole(n32(role)), chatv1.NotifyLevel(n32(level))
		m.source, m.listed, m.muted = n64(source), listed.Bool, muted.Bool
		m.marker.Offset, m.marker.Version, m.marker.Count, m.marker.Calls = n64(marker), n64(version), n64(count), n64(calls)
		if m.marker.GetOffset() < m.joined {
			m.marker.Offset, m.marker.Count, m.marker.Calls = m.joined, joinedCount, joinedCalls
		}
		m.cursor = &edgev1.Cursor{Epoch: max(n64(epoch), 1), Offset: n64(head)}
		m.head = &edgev1.Head{
			Topic: topicChannel + m.key.channel, Epoch: max(n64(life), m.cursor.GetEpoch()), Offset: n64(derived), Count: n64(total),
			Calls: n64(called), Redacted: n64(redacted),
		}
		found[m.key] = m
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("chat: read people's channels: %w", err)
	}
	return found, nil
}

func n64(n sql.NullInt64) uint64 { return uint64(n.Int64) }

func n32(n sql.NullInt64) int32 { return int32(n.Int64) }

// countMentions fills in the mentions by name and group after each marker.
func (s *Server) countMentions(ctx context.Context, q query, all map[memberKey]*mine) error {
	if len(all) == 0 {
		return nil
	}
	var rows [][]any
	for k, m := range all {
		m.mentions = 0
		rows = append(rows, []any{k.workspace, k.user, k.channel, int64(m.marker.GetOffset()), int64(0)})
	}
	err := each(ctx, q, s.sql.countMentions, s.sql.spans.Args(rows), func(r *sql.Rows) error {
		var k memberKey
		var n uint64
		if err := r.Scan(&k.workspace, &k.channel, &k.user, &n); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		all[k].mentions = n
		return nil
	})
	if err != nil {
		return fmt.Errorf("chat: count mentions: %w", err)
	}
	return nil
}

func (m *mine) badge() *chatv1.Badge {
	return &chatv1.Badge{
		Marker: proto.CloneOf(m.marker), Mentions: m.mentions, Muted: m.muted, Level: m.level, Kind: m.kind,
	}
}

// shown is where the channel stands for the person: where it was derived to, so that no message of their own is without its marker
// and a removal is known; further only if they have read further.
func (m *mine) shown() *edgev1.Head {
	h := proto.CloneOf(m.head)
	if m.marker.GetOffset() > h.GetOffset() {
		h.Offset, h.Count, h.Calls = m.marker.GetOffset(), m.marker.GetCount(), m.marker.GetCalls()
	}
	return h
}

// entry is the person's bundle entry for the channel.
func (m *mine) entry() (*edgev1.Head, error) {
	if m.role == chatv1.ChannelRole_CHANNEL_ROLE_UNSPECIFIED {
		return &edgev1.Head{Topic: m.head.GetTopic(), Removed: true}, nil
	}
	h := m.shown()
	var err error
	if h.Badge, err = proto.Marshal(m.badge()); err != nil {
		return nil, fmt.Errorf("encode badge: %w", err)
	}
	return h, nil
}

func (m *mine) proto() *chatv1.Mine {
	return &chatv1.Mine{
		Role: m.role, Marker: m.marker, Muted: m.muted, Level: m.level, ReadableFrom: m.from, Head: m.cursor,
		Unread:   less(m.head.GetCount(), m.marker.GetCount()),
		Mentions: m.mentions + less(m.head.GetCalls(), m.marker.GetCalls()),
	}
}

// less is a - b, not below zero.
func less(a, b uint64) uint64 { return a - min(a, b) }

// follow is one person's state in a thread.
type follow struct {
	following bool
	seen      uint64 // last reply that was read
	told      uint64 // newest reply that was announced
	stored    bool
}

type followKey struct {
	memberKey
	root uint64
}

func (s *Server) loadFollows(ctx context.Context, q query, keys []followKey) (map[followKey]*follow, error) {
	found := map[followKey]*follow{}
	if len(keys) == 0 {
		return found, nil
	}
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.workspace, k.user, k.channel, int64(0), int64(k.root)}
	}
	err := each(ctx, q, s.sql.readFollows, s.sql.spans.Args(rows), func(r *sql.Rows) error {
		var k followKey
		f := &follow{stored: true}
		if err := r.Scan(&k.workspace, &k.channel, &k.user, &k.root, &f.following, &f.seen, &f.told); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		found[k] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("chat: read followed threads: %w", err)
	}
	return found, nil
}

// myThreads describes threads as the people who follow them see them. Threads that are not there are left out.
func (s *Server) myThreads(ctx context.Context, q query, follows map[followKey]*follow) (map[followKey]*chatv1.MyThread, error) {
	mine := make(map[followKey]*chatv1.MyThread, len(follows))
	if len(follows) == 0 {
		return mine, nil
	}
	var keys []threadKey
	var rows [][]any
	for k, f := range follows {
		keys = append(keys, threadKey{channelKey{k.workspace, k.channel}, k.root})
		rows = append(rows, []any{k.workspace, k.user, k.channel, int64(f.seen), int64(k.root)})
	}
	threads, err := s.loadThreads(ctx, q, keys)
	if err != nil {
		return nil, err
	}
	for k, f := range follows {
		if t := threads[threadKey{channelKey{k.workspace, k.channel}, k.root}]; t != nil {
			mine[k] = &chatv1.MyThread{Channel: k.channel, Thread: t.proto(), Read: f.seen, Following: f.following}
		}
	}
	err = each(ctx, q, s.sql.unreadReplies, s.sql.spans.Args(rows), func(r *sql.Rows) error {
		var k followKey
		var n uint64
		if err := r.Scan(&k.workspace, &k.channel, &k.user, &k.root, &n); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if t := mine[k]; t != nil {
			t.Unread = n
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("chat: count unread replies: %w", err)
	}
	return mine, nil
}
