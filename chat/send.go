package chat

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/markdown"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// send posts a message: the hot path.
type send struct {
	caller  auth.Caller
	req     *chatv1.SendRequest
	handles []string // of the text, parsed before the transaction
}

func (o *send) need(n *needs) {
	n.member(o.caller, o.req.GetChannel())
	n.named(o.caller.Workspace, o.handles)
	if o.req.GetRoot() != 0 {
		n.threads[threadKey{channelKey{o.caller.Workspace, o.req.GetChannel()}, o.req.GetRoot()}] = true
	}
	for _, d := range o.req.GetContext() {
		if id, ok := strings.CutPrefix(d.GetTopic(), topicChannel); ok && validID(id) {
			n.access[memberKey{o.caller.Workspace, id, o.caller.User}] = true
			n.heads[channelKey{o.caller.Workspace, id}] = true
		}
	}
}

func (o *send) plan(b *batch, st *topic.Step) error {
	a := b.access(o.caller, o.req.GetChannel())
	if err := a.active(); err != nil {
		return err
	}
	shown := o.req.GetRoot() == 0 || o.req.GetAlsoInChannel()
	if !o.caller.May(mayPost) || shown && !a.posts() {
		return errForbidden
	}
	msg := &chatv1.Message{Author: o.caller.User, Text: o.req.GetText()}
	l := &later{kind: kindMessage}
	if !shown {
		l.kind = kindReply
	}
	if o.req.GetRoot() != 0 {
		t, err := b.thread(a, o.req.GetRoot())
		if err != nil {
			return err
		}
		t.replies++
		l.reply, l.parent = true, t.root
		msg.Root, msg.AlsoInChannel, msg.Thread = t.root, shown, &chatv1.Thread{Root: t.root, Replies: t.replies}
	}
	var err error
	if msg.Mentions, err = b.mentions(a, o.handles, shown); err != nil {
		return err
	}
	if msg.Context, err = b.context(a, o.req.GetContext()); err != nil {
		return err
	}
	e, err := entry(a.ch.channel, o.caller.User, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Posted{Posted: msg}}, l)
	if err != nil {
		return err
	}
	e.Countable, e.CallsAll = shown, shown && msg.GetMentions().GetEverybody()
	st.Entries = []topic.Entry{e}
	st.Answer = func(rows []topic.Row) proto.Message {
		return &chatv1.SendResponse{Offset: rows[0].Offset, Epoch: rows[0].Epoch, TimeMs: rows[0].TimeMs}
	}
	return nil
}

// context keeps what every reader of the channel may read, too, and what is there: the channel itself, and public channels where no
// guest is a reader.
func (b *batch) context(a access, deps []*chatv1.Dependency) ([]*chatv1.Dependency, error) {
	var kept []*chatv1.Dependency
	guests := -1
	for _, d := range deps {
		id, ok := strings.CutPrefix(d.GetTopic(), topicChannel)
		k := channelKey{a.ch.workspace, id}
		if !ok || b.channels[k] == nil || d.GetCursor().GetOffset() == 0 || d.GetCursor().GetOffset() > b.heads[k] {
			continue
		}
		if id != a.ch.channel {
			if b.channels[k].kind != chatv1.ChannelKind_CHANNEL_KIND_PUBLIC {
				continue
			}
			if guests < 0 {
				q := `SELECT count(*) FROM chat_member m LEFT JOIN chat_person p ON p.workspace = m.workspace AND p.id = m.user_id
					WHERE m.workspace = $1 AND m.channel = $2 AND coalesce(p.guest, m.guest)`
				if err := b.tx.QueryRowContext(b.ctx, q, a.ch.workspace, a.ch.channel).Scan(&guests); err != nil {
					return nil, fmt.Errorf("count guests: %w", err)
				}
			}
			if guests > 0 {
				continue
			}
		}
		kept = append(kept, d)
	}
	return kept, nil
}

// loadHeads reads the heads of channels that causal contexts name.
func (s *Server) loadHeads(ctx context.Context, q query, keys []channelKey) (map[channelKey]uint64, error) {
	heads := map[channelKey]uint64{}
	if len(keys) == 0 {
		return heads, nil
	}
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.workspace, k.channel, ""}
	}
	err := each(ctx, q, s.sql.heads, s.sql.keys.Args(rows), func(r *sql.Rows) error {
		var k channelKey
		var head uint64
		if err := r.Scan(&k.workspace, &k.channel, &head); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		heads[k] = head
		return nil
	})
	return heads, err
}

// named is a person or group that a handle names.
type named struct {
	group bool
	id    string
	guest bool
}

// everybody are the handles that mean all members.
var everybody = []string{"all", "channel"}

func (n *needs) named(workspace string, handles []string) {
	for _, h := range handles {
		if !slices.Contains(everybody, h) {
			n.handles[handleKey{workspace, h}] = true
		}
	}
}

// mentions resolves what the author may name: everybody with the permission, people and groups of the workspace; a guest only names
// members of the channel. What can't be resolved stays plain text.
func (b *batch) mentions(a access, handles []string, shown bool) (*chatv1.Mentions, error) {
	m := &chatv1.Mentions{}
	var people []string
	for _, h := range handles {
		if slices.Contains(everybody, h) {
			m.Everybody = m.GetEverybody() || shown && (a.caller.May(mayCall) || a.moderates())
			continue
		}
		for _, x := range b.named[handleKey{a.ch.workspace, h}] {
			switch {
			case !x.group:
				people = append(people, x.id)
			case a.caller.Kind != auth.KindGuest && len(m.GetGroups()) < MaxGroups && !slices.Contains(m.GetGroups(), x.id):
				m.Groups = append(m.Groups, x.id)
			}
		}
	}
	if a.caller.Kind == auth.KindGuest && len(people) > 0 {
		ids, err := b.membersAmong(a.ch.channelKey, people)
		if err != nil {
			return nil, err
		}
		people = slices.DeleteFunc(people, func(id string) bool { return !ids[id] })
	}
	for _, id := range people {
		if len(m.GetUsers()) < MaxMentions && !slices.Contains(m.GetUsers(), id) {
			m.Users = append(m.Users, id)
		}
	}
	if !m.GetEverybody() && len(m.GetUsers())+len(m.GetGroups()) == 0 {
		return nil, nil
	}
	return m, nil
}

// membersAmong tells which of the people are in the channel.
func (b *batch) membersAmong(k channelKey, people []string) (map[string]bool, error) {
	rows := make([][]any, len(people))
	for i, id := range people {
		rows[i] = []any{k.workspace, k.channel, id}
	}
	in := map[string]bool{}
	err := each(b.ctx, b.tx.QueryContext, b.sql.among, b.sql.keys.Args(rows), func(r *sql.Rows) error {
		var id string
		if err := r.Scan(&id); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		in[id] = true
		return nil
	})
	return in, err
}

// loadHandles finds the people and groups that bear the handles.
func (s *Server) loadHandles(ctx context.Context, q query, keys []handleKey) (map[handleKey][]named, error) {
	found := map[handleKey][]named{}
	if len(keys) == 0 {
		return found, nil
	}
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.workspace, k.handle, ""}
	}
	err := each(ctx, q, s.sql.handles, s.sql.keys.Args(rows), func(r *sql.Rows) error {
		var k handleKey
		var x named
		if err := r.Scan(&k.workspace, &k.handle, &x.id, &x.group, &x.guest); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		found[k] = append(found[k], x)
		return nil
	})
	return found, err
}

// Send posts a message.
func (s *Server) Send(ctx context.Context, req *chatv1.SendRequest) (*chatv1.SendResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkText(req.GetText()); err != nil {
		return nil, err
	}
	if req.GetAlsoInChannel() && req.GetRoot() == 0 {
		return nil, badField("also_in_channel", "Only a reply can be shown in the channel, too.")
	}
	if req.GetRoot() >= 1<<53 {
		return nil, errMessage.On("root")
	}
	if err := checkContext(req.GetContext()); err != nil {
		return nil, err
	}
	res := &chatv1.SendResponse{}
	o := &send{caller: caller, req: req, handles: markdown.Handles(req.GetText())}
	return res, s.mutate(ctx, caller, req.GetChannel(), req, o, res)
}

func checkContext(deps []*chatv1.Dependency) error {
	if len(deps) > MaxContext {
		return badField("context", "At most %d entries.", MaxContext)
	}
	for _, d := range deps {
		if len(d.GetTopic()) > 96 || d.GetCursor().GetOffset() >= 1<<53 {
			return badField("context", "An entry is no topic with a cursor.")
		}
	}
	return nil
}
