package chat

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// derived is what a run of channel events means for one person. It changes nothing when it is applied again: lists and threads
// remember the offset they came to, markers only rise, a mention is one row.
type derived struct {
	workspace, user string
	lists           []listing
	markers         map[string]*chatv1.Marker // by channel: own messages, read by writing them
	mentions        map[mentionKey]*chatv1.Mention
	counted         map[mentionKey]bool
	replies         map[followKey]*reply
}

// listing is a channel that the person came to or left.
type listing struct {
	channel string
	at      uint64
	removed bool
}

// reply is the newest reply of a thread, as far as it concerns the person.
type reply struct {
	at    uint64
	own   uint64 // newest own reply; 0: none
	auto  bool   // follows from now on, if nothing was said before
	since uint64 // where the marker starts then
}

func (o *derived) need(n *needs) {
	for _, l := range o.lists {
		n.mine[memberKey{o.workspace, l.channel, o.user}] = true
	}
	for ch := range o.markers {
		n.mine[memberKey{o.workspace, ch, o.user}] = true
	}
	for k := range o.mentions {
		n.mine[k.memberKey] = true
	}
	for k := range o.replies {
		n.mine[k.memberKey], n.follows[k] = true, true
	}
}

func (o *derived) plan(b *batch, st *topic.Step) error { //nolint:unparam // an op's method
	o.planLists(b, st)
	for ch, to := range o.markers {
		m := b.user.mines[memberKey{o.workspace, ch, o.user}]
		if m == nil || m.role == 0 || to.GetOffset() <= m.marker.GetOffset() {
			continue
		}
		m.marker = &chatv1.Marker{Offset: to.GetOffset(), Version: m.marker.GetVersion(), Count: to.GetCount(), Calls: to.GetCalls()}
		b.changed(m)
		b.tell(st, o.user, m, func() *chatv1.UserEvent {
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Marker{Marker: &chatv1.MarkerMoved{Channel: ch, Badge: m.badge()}}}
		})
	}
	for k, mention := range o.mentions {
		m := b.user.mines[k.memberKey]
		if m == nil || m.role == 0 {
			continue
		}
		b.user.mentions[k], b.user.counted[k], b.user.shown[m.key] = mention, o.counted[k], m
		b.tell(st, o.user, m, func() *chatv1.UserEvent {
			if !b.user.fresh[k] {
				return nil
			}
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Mention{Mention: mention}}
		})
	}
	o.planReplies(b, st)
	return nil
}

func (o *derived) planLists(b *batch, st *topic.Step) {
	for _, l := range o.lists {
		m := b.user.mines[memberKey{o.workspace, l.channel, o.user}]
		if m == nil || l.at <= m.source {
			continue
		}
		m.source, m.listed = l.at, !l.removed
		b.changed(m)
		b.tell(st, o.user, m, func() *chatv1.UserEvent {
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Channel{Channel: &chatv1.ChannelListed{
				Channel: l.channel, Removed: l.removed, Kind: m.kind,
			}}}
		})
	}
}

func (o *derived) planReplies(b *batch, st *topic.Step) {
	for k, r := range o.replies {
		m, f := b.user.mines[k.memberKey], b.user.follows[k]
		if m == nil || m.role == 0 || m.joined > r.at {
			continue
		}
		if f == nil {
			if !r.auto {
				continue
			}
			f = &follow{following: true, seen: r.since}
			b.user.follows[k] = f
		}
		if r.at <= f.told {
			continue
		}
		f.told, f.seen = r.at, max(f.seen, r.own)
		b.user.moved[k] = f
		if f.following {
			b.tell(st, o.user, nil, func() *chatv1.UserEvent { return threadMoved(b.user.threads[k]) })
		}
	}
}

func threadMoved(t *chatv1.MyThread) *chatv1.UserEvent {
	if t == nil {
		return nil
	}
	return &chatv1.UserEvent{Event: &chatv1.UserEvent_Thread{Thread: &chatv1.ThreadMoved{Thread: t}}}
}

// deriving gathers what one run of records means for whom.
type deriving struct {
	*Server
	ctx      context.Context //nolint:containedctx // lives for one call
	tx       *sql.Tx
	people   map[string]*derived // by workspace "/" user
	authors  [][]any             // (workspace, channel, offset) of messages by which authors read their channels
	wrote    map[threadKey]string
	named    [][]any // spans: (workspace, user or group, channel, offset, root)
	groups   [][]any
	said     map[threadKey]*said
	threads  map[threadKey]*topicv1.Record // newest reply
	repliers map[threadKey]map[string]uint64
}

// said is what a mention needs of its message.
type said struct {
	author  string
	root    uint64
	counted bool
	timeMs  int64
}

// derive turns channel events into events and tables of the people they concern, in the follower's transaction.
func (s *Server) derive(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
	d := &deriving{
		Server: s, ctx: ctx, tx: tx, people: map[string]*derived{}, wrote: map[threadKey]string{}, said: map[threadKey]*said{},
		threads: map[threadKey]*topicv1.Record{}, repliers: map[threadKey]map[string]uint64{},
	}
	for _, r := range records {
		if err := d.record(r); err != nil {
			return err
		}
	}
	for _, step := range []func() error{d.markers, d.mentions, d.replies} {
		if err := step(); err != nil {
			return fmt.Errorf("chat: derive: %w", err)
		}
	}
	return d.append()
}

// append plans what each person gets as one batch, and writes it. The people's partitions are locked before they are read, so that
// their own calls don't come between.
func (d *deriving) append() error {
	if len(d.people) == 0 {
		return nil
	}
	now := time.Now()
	var steps []*topic.Step
	parts := map[int64]bool{}
	for _, p := range d.people {
		steps = append(steps, &topic.Step{Mutation: topic.Mutation{Workspace: p.workspace, Route: p.user, Op: p}, Now: now})
		parts[int64(topic.PartitionOf(p.workspace, p.user))] = true
	}
	if d.db.Dialect() == sqldb.Postgres {
		q := `SELECT 1 FROM chat_partition WHERE partition = ANY($1) ORDER BY partition FOR UPDATE`
		if err := exec(d.ctx, d.tx, q, keysOf(parts)); err != nil {
			return fmt.Errorf("chat: lock partitions: %w", err)
		}
	}
	if err := (planner{d.Server}).Plan(d.ctx, d.tx, steps); err != nil {
		return err
	}
	var appends []topic.Append
	for _, st := range steps {
		if st.Err != nil {
			return st.Err
		}
		if len(st.Entries) > 0 {
			appends = append(appends, topic.Append{Workspace: st.Workspace, Route: st.Route, User: st.Route, Entries: st.Entries})
		}
	}
	if len(appends) == 0 {
		return nil
	}
	return d.log.Append(d.ctx, d.tx, appends)
}

func (d *deriving) person(workspace, user string) *derived {
	k := workspace + "/" + user
	p := d.people[k]
	if p == nil {
		p = &derived{
			workspace: workspace, user: user, markers: map[string]*chatv1.Marker{}, mentions: map[mentionKey]*chatv1.Mention{},
			counted: map[mentionKey]bool{}, replies: map[followKey]*reply{},
		}
		d.people[k] = p
	}
	return p
}

func (d *deriving) record(r *topicv1.Record) error {
	id, ok := strings.CutPrefix(r.GetTopic(), topicChannel)
	if !ok || len(r.GetEvent().GetBody()) == 0 { // a person's own event, or redacted before it was derived
		return nil
	}
	var e chatv1.ChannelEvent
	if err := proto.Unmarshal(r.GetEvent().GetBody(), &e); err != nil {
		return fmt.Errorf("chat: decode event: %w", err)
	}
	ws, at := r.GetWorkspace(), r.GetEvent().GetOffset()
	switch x := e.GetEvent().(type) {
	case *chatv1.ChannelEvent_Posted:
		d.posted(r, id, e.GetActor(), x.Posted)
	case *chatv1.ChannelEvent_Edited:
		m := x.Edited
		d.name(r, id, m.GetOffset(), m.GetMentions(), &said{author: e.GetActor(), root: m.GetRoot(), counted: !m.GetMentions().GetEverybody(), timeMs: r.GetEvent().GetTimeMs()})
	case *chatv1.ChannelEvent_Members:
		for _, m := range x.Members.GetJoined() {
			d.list(ws, m.GetUser(), listing{channel: id, at: at})
		}
		for _, u := range x.Members.GetLeft() {
			d.list(ws, u, listing{channel: id, at: at, removed: true})
		}
	case *chatv1.ChannelEvent_Channel:
		if !x.Channel.GetCreated() {
			break
		}
		people := x.Channel.GetChannel().GetPeople()
		if len(people) == 0 {
			people = []string{e.GetActor()}
		}
		for _, u := range people {
			d.list(ws, u, listing{channel: id, at: at})
		}
	}
	return nil
}

func (d *deriving) list(workspace, user string, l listing) {
	p := d.person(workspace, user)
	p.lists = append(p.lists, l)
}

func (d *deriving) posted(r *topicv1.Record, id, author string, m *chatv1.Message) {
	ws, at := r.GetWorkspace(), r.GetEvent().GetOffset()
	k := channelKey{ws, id}
	shown := m.GetRoot() == 0 || m.GetAlsoInChannel()
	if shown {
		d.authors = append(d.authors, []any{ws, id, int64(at)})
		d.wrote[threadKey{k, at}] = author
	}
	d.name(r, id, at, m.GetMentions(), &said{
		author: author, root: m.GetRoot(), counted: shown && !m.GetMentions().GetEverybody(), timeMs: r.GetEvent().GetTimeMs(),
	})
	if m.GetRoot() != 0 {
		t := threadKey{k, m.GetRoot()}
		d.threads[t] = r
		if d.repliers[t] == nil {
			d.repliers[t] = map[string]uint64{}
		}
		d.repliers[t][author] = at
	}
}

// name notes whom a message names; nobody is told of naming themselves.
func (d *deriving) name(r *topicv1.Record, id string, at uint64, m *chatv1.Mentions, s *said) {
	if len(m.GetUsers())+len(m.GetGroups()) == 0 {
		return
	}
	ws := r.GetWorkspace()
	d.said[threadKey{channelKey{ws, id}, at}] = s
	for _, u := range m.GetUsers() {
		d.named = append(d.named, []any{ws, u, id, int64(at), int64(s.root)})
	}
	for _, g := range m.GetGroups() {
		d.groups = append(d.groups, []any{ws, g, id, int64(at), int64(s.root)})
	}
}

// markers moves authors' markers to their newest messages.
func (d *deriving) markers() error {
	if len(d.authors) == 0 {
		return nil
	}
	return each(d.ctx, d.tx.QueryContext, d.sql.counts, d.sql.offsets.args(d.authors), func(r *sql.Rows) error {
		var ws, ch string
		m := &chatv1.Marker{}
		if err := r.Scan(&ws, &ch, &m.Offset, &m.Count, &m.Calls); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		p := d.person(ws, d.wrote[threadKey{channelKey{ws, ch}, m.GetOffset()}])
		if p.markers[ch].GetOffset() < m.GetOffset() {
			p.markers[ch] = m
		}
		return nil
	})
}

// mentions finds which of those named, and of the groups named, may read the message. By name goes before by group.
func (d *deriving) mentions() error {
	note := func(ws, ch, user, group string, at uint64) {
		s := d.said[threadKey{channelKey{ws, ch}, at}]
		k := mentionKey{memberKey{ws, ch, user}, at}
		if s == nil || s.author == user {
			return
		}
		p := d.person(ws, user)
		if p.mentions[k] == nil {
			p.mentions[k] = &chatv1.Mention{Channel: ch, Offset: at, Root: s.root, Author: s.author, Group: group, TimeMs: s.timeMs}
			p.counted[k] = s.counted
		}
		if t := (followKey{k.memberKey, s.root}); s.root != 0 {
			p.thread(t, &reply{at: at, auto: true, since: at - 1})
		}
	}
	var ws, ch, user, group string
	var at uint64
	if len(d.named) > 0 {
		err := each(d.ctx, d.tx.QueryContext, d.sql.readers, d.sql.spans.args(d.named), func(r *sql.Rows) error {
			if err := r.Scan(&ws, &ch, &user, &at); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			note(ws, ch, user, "", at)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(d.groups) == 0 {
		return nil
	}
	return each(d.ctx, d.tx.QueryContext, d.sql.groupReaders, d.sql.spans.args(d.groups), func(r *sql.Rows) error {
		if err := r.Scan(&ws, &ch, &group, &at, &user); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		note(ws, ch, user, group, at)
		return nil
	})
}

// thread merges what two events of a thread mean for the person.
func (o *derived) thread(k followKey, r *reply) {
	old := o.replies[k]
	if old == nil {
		o.replies[k] = r
		return
	}
	if !old.auto {
		old.since = r.since
	} else if r.auto {
		old.since = min(old.since, r.since)
	}
	old.at, old.own, old.auto = max(old.at, r.at), max(old.own, r.own), old.auto || r.auto
}

// replies tells the followers of threads of new replies; the author of the root and of each reply follow by themselves.
func (d *deriving) replies() error {
	if len(d.threads) == 0 {
		return nil
	}
	keys := make([]threadKey, 0, len(d.threads))
	var rows [][]any
	for k := range d.threads {
		keys = append(keys, k)
		rows = append(rows, []any{k.workspace, k.channel, int64(k.root)})
	}
	followers := map[threadKey][]string{}
	err := each(d.ctx, d.tx.QueryContext, d.sql.followers, d.sql.offsets.args(rows), func(r *sql.Rows) error {
		var k threadKey
		var user string
		if err := r.Scan(&k.workspace, &k.channel, &k.root, &user); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		followers[k] = append(followers[k], user)
		return nil
	})
	if err != nil {
		return err
	}
	roots, err := d.loadThreads(d.ctx, d.tx.QueryContext, keys)
	if err != nil {
		return err
	}
	for k, last := range d.threads {
		at := last.GetEvent().GetOffset()
		for _, u := range followers[k] {
			d.person(k.workspace, u).thread(followKey{memberKey{k.workspace, k.channel, u}, k.root}, &reply{at: at})
		}
		full := len(followers[k]) >= MaxFollowers
		for u, own := range d.repliers[k] {
			d.person(k.workspace, u).thread(followKey{memberKey{k.workspace, k.channel, u}, k.root}, &reply{at: at, own: own, auto: !full, since: own})
		}
		if t := roots[k]; t != nil && !full && !slices.Contains(followers[k], t.author) {
			d.person(k.workspace, t.author).thread(followKey{memberKey{k.workspace, k.channel, t.author}, k.root}, &reply{at: at, auto: true})
		}
	}
	return nil
}
