package chat

import (
	"strconv"

	"plenum.internal/mesh/sqldb"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// statements are those whose text depends on the engine, made once.
type statements struct {
	keys, offsets, replies, spans, mine, mentions, follows, members             sqldb.Relation
	access, heads, among, handles, threads, replied                             string
	rules, memberships, membership                                              string
	readMine, saveMine, countMentions, addMentions, readFollows, saveFollows    string
	unreadReplies, counts, readers, followers, groupReaders, people, addMembers string
	reactions, byOffset, met, full, mentioned, dropMentions                     string
}

// readBundle is all that a person's own rows and the derived heads tell: who is listed, was derived, and a marker never stands before
// the joining.
const readBundle = `SELECT n.channel, c.kind, n.marker, n.version, n.count, n.calls, n.muted, n.level,
		(SELECT count(*) FROM chat_mention x WHERE x.workspace = n.workspace AND x.user_id = n.user_id AND x.channel = n.channel
			AND x.at > n.marker AND x.counted),
		d.epoch, d.head, d.count, d.calls, d.redacted
	FROM chat_mine n JOIN chat_channel c ON c.workspace = n.workspace AND c.id = n.channel
	JOIN chat_derived d ON d.workspace = n.workspace AND d.topic = 'chat.channel/' || n.channel
	WHERE n.workspace = $1 AND n.user_id = $2 AND n.listed ORDER BY n.channel LIMIT $3`

func newStatements(d sqldb.Dialect) *statements {
	s := &statements{
		keys:    sqldb.NewRelation(d, "ws text", "ch text", "usr text"),
		offsets: sqldb.NewRelation(d, "ws text", "ch text", "at bigint"),
		replies: sqldb.NewRelation(d, "ws text", "ch text", "root bigint", "n bigint", "last bigint", "ms bigint"),
		spans:   sqldb.NewRelation(d, "ws text", "usr text", "ch text", "at bigint", "root bigint"),
		mine: sqldb.NewRelation(d, "ws text", "usr text", "ch text", "source bigint", "listed boolean", "marker bigint", "version bigint",
			"count bigint", "calls bigint", "muted boolean", "level bigint"),
		mentions: sqldb.NewRelation(d, "ws text", "usr text", "ch text", "at bigint", "root bigint", "counted boolean", "author text",
			"grp text", "ms bigint"),
		follows: sqldb.NewRelation(d, "ws text", "usr text", "ch text", "root bigint", "following boolean", "seen bigint", "told bigint"),
	}
	s.members = sqldb.NewRelation(d, "ws text", "ch text", "usr text", "role bigint", "guest boolean", "ms bigint", "at bigint", "vis bigint")
	keys, offsets, spans := s.keys.SQL(), s.offsets.SQL(), s.spans.SQL()
	one, left := func(table, alias, on string) string { return s.keys.Lookup("INNER", table, alias, on) }, func(table, alias, on string) string {
		return s.keys.Lookup("LEFT", table, alias, on)
	}

	s.access = `SELECT k.ws, k.ch, k.usr, ` + channelColumns + `, m.role, coalesce(p.guest, m.guest), m.joined_ms,
			m.joined_offset, m.visible_from
		FROM ` + keys + ` ` + one("chat_channel", "c", `c.workspace = k.ws AND c.id = k.ch`) + `
		` + left("chat_member", "m", `m.workspace = k.ws AND m.channel = k.ch AND m.user_id = k.usr`) + `
		` + left("chat_person", "p", `p.workspace = k.ws AND p.id = k.usr`)
	// What grants are made of. Of a member, all is told by the channel alone who has a member's rights, and may read from the start on.
	plain := strconv.Itoa(int(chatv1.ChannelRole_CHANNEL_ROLE_MEMBER))
	limit := "$" + strconv.Itoa(1+len(s.keys.Args(nil)))
	s.rules = `SELECT k.ws, k.ch, c.kind, c.posting, c.archived FROM ` + keys + ` ` + one("chat_channel", "c", `c.workspace = k.ws AND c.id = k.ch`)
	s.memberships = `SELECT k.ws, k.usr, (SELECT string_agg(CASE WHEN x.role = ` + plain + ` AND x.visible_from = 0 THEN x.channel
			ELSE x.channel || ' ' || x.role || ' ' || x.visible_from END, ',')
		FROM (SELECT m.channel, m.role, m.visible_from FROM chat_member m WHERE m.workspace = k.ws AND m.user_id = k.usr LIMIT ` + limit + `) x)
		FROM ` + keys
	s.membership = `SELECT k.ws, k.ch, k.usr, m.role, m.visible_from FROM ` + keys + `
		` + one("chat_member", "m", `m.workspace = k.ws AND m.channel = k.ch AND m.user_id = k.usr`)
	s.heads = `SELECT k.ws, k.ch, t.head FROM ` + keys + `
		` + one("chat_topic", "t", `t.workspace = k.ws AND t.topic = 'chat.channel/' || k.ch`)
	s.among = `SELECT m.user_id FROM ` + keys + `
		JOIN chat_member m ON m.workspace = k.ws AND m.channel = k.ch AND m.user_id = k.usr`
	s.handles = `SELECT k.ws, k.ch, p.id, false, p.guest FROM ` + keys + `
		JOIN chat_person p ON p.workspace = k.ws AND p.handle = k.ch AND p.active
		UNION ALL SELECT k.ws, k.ch, g.id, true, false FROM ` + keys + `
		JOIN chat_group g ON g.workspace = k.ws AND g.handle = k.ch`
	s.threads = `SELECT k.ws, k.ch, k.at, r."offset", r.user_id, coalesce(m.deleted, false), coalesce(t.replies, 0),
			coalesce(t.last_reply, 0), coalesce(t.last_ms, 0)
		FROM ` + offsets + `
		` + one("chat_log", "l", `l.workspace = k.ws AND l.topic = 'chat.channel/' || k.ch AND l."offset" = k.at AND l.kind IN (1, 2)`) + `
		` + one("chat_log", "r", `r.workspace = k.ws AND r.topic = l.topic
			AND r."offset" = CASE WHEN l.parent > 0 THEN l.parent ELSE l."offset" END`) + `
		` + left("chat_message", "m", `m.workspace = k.ws AND m.channel = k.ch AND m.at = r."offset"`) + `
		` + left("chat_thread", "t", `t.workspace = k.ws AND t.channel = k.ch AND t.root = r."offset"`)
	s.replied = `INSERT INTO chat_thread (workspace, channel, root, replies, last_reply, last_ms)
		SELECT k.ws, k.ch, k.root, k.n, k.last, k.ms FROM ` + s.replies.SQL() + ` WHERE true
		ON CONFLICT (workspace, channel, root) DO UPDATE SET replies = chat_thread.replies + excluded.replies,
			last_reply = excluded.last_reply, last_ms = excluded.last_ms`

	// A person's state in a channel, with the topic's counters as of what was derived for people; before the first marker it is where they joined.
	s.readMine = `SELECT k.ws, k.ch, k.usr, c.kind, m.role, coalesce(m.joined_offset, 0), coalesce(m.visible_from, 0),
			coalesce(j.count, 0), coalesce(j.calls, 0), n.source, n.listed, n.marker, n.version, n.count, n.calls, n.muted, n.level,
			t.epoch, t.head, d.epoch, d.head, d.count, d.calls, d.redacted
		FROM ` + keys + ` ` + one("chat_channel", "c", `c.workspace = k.ws AND c.id = k.ch`) + `
		` + left("chat_member", "m", `m.workspace = k.ws AND m.channel = k.ch AND m.user_id = k.usr`) + `
		` + left("chat_mine", "n", `n.workspace = k.ws AND n.user_id = k.usr AND n.channel = k.ch`) + `
		` + left("chat_topic", "t", `t.workspace = k.ws AND t.topic = 'chat.channel/' || k.ch`) + `
		` + left("chat_derived", "d", `d.workspace = k.ws AND d.topic = 'chat.channel/' || k.ch`) + `
		` + left("chat_log", "j", `j.workspace = k.ws AND j.topic = 'chat.channel/' || k.ch AND j."offset" = m.joined_offset`)
	s.saveMine = `INSERT INTO chat_mine (workspace, user_id, channel, source, listed, marker, version, count, calls, muted, level)
		SELECT k.ws, k.usr, k.ch, k.source, k.listed, k.marker, k.version, k.count, k.calls, k.muted, k.level
		FROM ` + s.mine.SQL() + ` WHERE true
		ON CONFLICT (workspace, user_id, channel) DO UPDATE SET source = excluded.source, listed = excluded.listed,
			marker = excluded.marker, version = excluded.version, count = excluded.count, calls = excluded.calls,
			muted = excluded.muted, level = excluded.level`
	s.countMentions = `SELECT k.ws, k.ch, k.usr, count(*) FROM ` + spans + `
		JOIN chat_mention x ON x.workspace = k.ws AND x.user_id = k.usr AND x.channel = k.ch AND x.at > k.at AND x.counted
		GROUP BY k.ws, k.ch, k.usr`
	s.addMentions = `INSERT INTO chat_mention (workspace, user_id, channel, at, root, counted, author, group_id, time_ms)
		SELECT k.ws, k.usr, k.ch, k.at, k.root, k.counted, k.author, k.grp, k.ms FROM ` + s.mentions.SQL() + ` WHERE true
		ON CONFLICT DO NOTHING RETURNING workspace, user_id, channel, at`
	s.mentioned = `SELECT k.ws, k.ch, x.user_id, k.at, x.group_id FROM ` + spans + `
		JOIN chat_mention x ON x.workspace = k.ws AND x.channel = k.ch AND x.at = k.at`
	s.dropMentions = `DELETE FROM chat_mention WHERE (workspace, user_id, channel, at) IN (SELECT k.ws, k.usr, k.ch, k.at FROM ` + spans + `)`
	s.readFollows = `SELECT k.ws, k.ch, k.usr, k.root, f.following, f.seen, f.told FROM ` + spans + `
		` + one("chat_follow", "f", `f.workspace = k.ws AND f.user_id = k.usr AND f.channel = k.ch AND f.root = k.root`)
	s.saveFollows = `INSERT INTO chat_follow (workspace, user_id, channel, root, following, seen, told)
		SELECT k.ws, k.usr, k.ch, k.root, k.following, k.seen, k.told FROM ` + s.follows.SQL() + ` WHERE true
		ON CONFLICT (workspace, user_id, channel, root) DO UPDATE SET following = excluded.following, seen = excluded.seen,
			told = excluded.told`
	s.unreadReplies = `SELECT k.ws, k.ch, k.usr, k.root, count(*) FROM ` + spans + `
		JOIN chat_log l ON l.workspace = k.ws AND l.topic = 'chat.channel/' || k.ch AND l.parent = k.root AND l.parent > 0 AND l."offset" > k.at
			AND l.kind IN (1, 2) AND l.user_id <> k.usr
		GROUP BY k.ws, k.ch, k.usr, k.root`

	// What the deriver asks of the channel's side. Who joined after a message isn't told of it, whenever this is asked.
	s.counts = `SELECT k.ws, k.ch, k.at, l.user_id, l.count, l.calls FROM ` + offsets + `
		` + one("chat_log", "l", `l.workspace = k.ws AND l.topic = 'chat.channel/' || k.ch AND l."offset" = k.at AND l.kind = 1`)
	s.readers = `SELECT k.ws, k.ch, k.usr, k.at FROM ` + spans + `
		JOIN chat_member m ON m.workspace = k.ws AND m.channel = k.ch AND m.user_id = k.usr AND m.joined_offset <= k.at`
	s.groupReaders = `SELECT k.ws, k.ch, k.usr, k.at, g.user_id FROM ` + spans + `
		JOIN chat_group_member g ON g.workspace = k.ws AND g.group_id = k.usr
		JOIN chat_member m ON m.workspace = k.ws AND m.channel = k.ch AND m.user_id = g.user_id AND m.joined_offset <= k.at`
	s.followers = `SELECT k.ws, k.ch, k.at, f.user_id FROM ` + offsets + `
		JOIN chat_follow f ON f.workspace = k.ws AND f.channel = k.ch AND f.root = k.at AND f.following`

	s.people = `SELECT p.id, p.guest FROM ` + keys + ` JOIN chat_person p ON p.workspace = k.ws AND p.id = k.usr AND p.active`
	s.full = `SELECT k.usr FROM ` + keys + ` WHERE (SELECT count(*) FROM chat_member m WHERE m.workspace = k.ws AND m.user_id = k.usr) >= ` + strconv.Itoa(MaxChannels)
	// Of those in the third column, whom the second meets in a channel; who has left it since keeps a row in chat_mine.
	s.met = `SELECT k.usr FROM ` + keys + ` WHERE EXISTS (SELECT 1 FROM chat_member m
		LEFT JOIN chat_member o ON o.workspace = m.workspace AND o.channel = m.channel AND o.user_id = k.usr
		LEFT JOIN chat_mine n ON n.workspace = m.workspace AND n.user_id = k.usr AND n.channel = m.channel
		WHERE m.workspace = k.ws AND m.user_id = k.ch AND (o.user_id IS NOT NULL OR n.user_id IS NOT NULL))`
	s.addMembers = `INSERT INTO chat_member (workspace, channel, user_id, role, guest, joined_ms, joined_offset, visible_from)
		SELECT k.ws, k.ch, k.usr, k.role, k.guest, k.ms, k.at, k.vis FROM ` + s.members.SQL()
	s.reactions = `SELECT k.at, r.emoji, r.user_id FROM ` + offsets + `
		JOIN chat_reaction r ON r.workspace = k.ws AND r.channel = k.ch AND r.at = k.at ORDER BY k.at, r.seq`
	s.byOffset = messageColumns + ` JOIN ` + offsets + ` ON k.at = l."offset" AND k.ws = l.workspace AND l.topic = 'chat.channel/' || k.ch
		WHERE l.kind IN (1, 2) ORDER BY l."offset"`
	return s
}
