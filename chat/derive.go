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

// deriving gathers what one run of records means for whom.
type deriving struct {
	*Server
	ctx      context.Context //nolint:containedctx // lives for one call
	tx       *sql.Tx
	people   map[string]*derived           // by workspace "/" user
	authors  [][]any                       // (workspace, channel, offset) of messages whose author their event tells no more
	said     map[threadKey]*said           // messages that name somebody, or were edited: what the newest of the run says
	threads  map[threadKey]*topicv1.Record // newest reply
	repliers map[threadKey]map[string]uint64
}

// said is what a mention needs of its message.
type said struct {
	author  string
	root    uint64
	names   *chatv1.Mentions
	edited  bool // may have named others before
	counted bool
	timeMs  int64
}

// derive turns channel events into events and tables of the people they concern, in the follower's transaction.
func (s *Server) derive(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
	d := &deriving{
		Server: s, ctx: ctx, tx: tx, people: map[string]*derived{}, said: map[threadKey]*said{},
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
	if err := d.plan(d.ctx, d.tx, steps, 0); err != nil {
		return err
	}
	var appends []topic.Append
	for _, st := range steps {
		if st.Err != nil {
			return st.Err
		}
		if len(st.Entries) > 0 {
			appends = append(appends, topic.Append{
				Workspace: st.Workspace, Route: st.Route, User: st.Route, Entries: st.Entries,
				Sources: d.people[st.Workspace+"/"+st.Route].sources,
			})
		}
	}
	if len(appends) == 0 {
		return nil
	}
	return d.log.Append(d.ctx, d.tx, appends)
}

// person is whom something in a channel concerns.
func (d *deriving) person(k memberKey) *derived {
	name := k.workspace + "/" + k.user
	p := d.people[name]
	if p == nil {
		p = &derived{
			workspace: k.workspace, user: k.user, markers: map[string]*chatv1.Marker{}, mentions: map[mentionKey]*chatv1.Mention{},
			counted: map[mentionKey]bool{}, replies: map[followKey]*reply{},
		}
		d.people[name] = p
	}
	p.sources.Add(topic.PartitionOf(k.workspace, k.channel))
	return p
}

func (d *deriving) record(r *topicv1.Record) error {
	id, ok := strings.CutPrefix(r.GetTopic(), topicChannel)
	if !ok {
		return nil
	}
	ws, at := r.GetWorkspace(), r.GetEvent().GetOffset()
	if len(r.GetEvent().GetBody()) == 0 { // redacted before anything was derived: it names nobody any more, but its author wrote it
		d.authors = append(d.authors, []any{ws, id, int64(at)})
		return nil
	}
	var e chatv1.ChannelEvent
	if err := proto.Unmarshal(r.GetEvent().GetBody(), &e); err != nil {
		return fmt.Errorf("chat: decode event: %w", err)
	}
	switch x := e.GetEvent().(type) {
	case *chatv1.ChannelEvent_Posted:
		d.posted(r, id, e.GetActor(), x.Posted)
	case *chatv1.ChannelEvent_Edited:
		return d.edited(r, id, e.GetActor(), x.Edited)
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
	p := d.person(memberKey{workspace, l.channel, user})
	p.lists = append(p.lists, l)
}

func (d *deriving) posted(r *topicv1.Record, id, author string, m *chatv1.Message) {
	ws, at := r.GetWorkspace(), r.GetEvent().GetOffset()
	k := channelKey{ws, id}
	shown := m.GetRoot() == 0 || m.GetAlsoInChannel()
	if shown {
		d.read(memberKey{ws, id, author}, &chatv1.Marker{Offset: at, Count: r.GetCount(), Calls: r.GetCalls()})
	}
	if names := m.GetMentions(); len(names.GetUsers())+len(names.GetGroups()) > 0 {
		d.said[threadKey{k, at}] = &said{
			author: author, root: m.GetRoot(), names: names, counted: shown && !names.GetEverybody(), timeMs: r.GetEvent().GetTimeMs(),
		}
	}
	if m.GetRoot() != 0 {
		t := threadKey{k, m.GetRoot()}
		d.threads[t] = r
		if d.repliers[t] == nil {
			d.repliers[t] = map[string]uint64{}
		}
		d.repliers[t][author] = at
	}
}

// edited notes whom a message names now. Where the event came without its text (text_omitted), the stored message says whom; where
// that was deleted since, its mentions stay as they are.
func (d *deriving) edited(r *topicv1.Record, id, author string, m *chatv1.MessageEdited) error {
	mentions := m.GetMentions()
	if m.GetTextOmitted() {
		var content []byte
		err := d.tx.QueryRowContext(d.ctx, `SELECT content FROM chat_message WHERE workspace = $1 AND channel = $2 AND at = $3`,
			r.GetWorkspace(), id, int64(m.GetOffset())).Scan(&content)
		if err != nil {
			return fmt.Errorf("chat: read edit: %w", err)
		}
		if content == nil {
			return nil
		}
		var now chatv1.Message
		if err := proto.Unmarshal(content, &now); err != nil {
			return fmt.Errorf("chat: decode edit: %w", err)
		}
		mentions = now.GetMentions()
	}
	shown := m.GetRoot() == 0 || m.GetAlsoInChannel()
	d.said[threadKey{channelKey{r.GetWorkspace(), id}, m.GetOffset()}] = &said{
		author: author, root: m.GetRoot(), names: mentions, edited: true, counted: shown && !mentions.GetEverybody(), timeMs: r.GetEvent().GetTimeMs(),
	}
	return nil
}

// read moves an author's marker to their newest message: who writes has read.
func (d *deriving) read(k memberKey, to *chatv1.Marker) {
	p := d.person(k)
	if p.markers[k.channel].GetOffset() < to.GetOffset() {
		p.markers[k.channel] = to
	}
}

// markers does so for messages that were redacted before anything was derived.
func (d *deriving) markers() error {
	if len(d.authors) == 0 {
		return nil
	}
	return each(d.ctx, d.tx.QueryContext, d.sql.counts, d.sql.offsets.Args(d.authors), func(r *sql.Rows) error {
		var ws, ch, author string
		m := &chatv1.Marker{}
		if err := r.Scan(&ws, &ch, &m.Offset, &author, &m.Count, &m.Calls); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		d.read(memberKey{ws, ch, author}, m)
		return nil
	})
}

// mentions finds which of those named, and of the groups named, may read the message, and who is named no longer. By name goes before by
// group; nobody is told of naming themselves.
func (d *deriving) mentions() error {
	note := func(ws, ch, user, group string, at uint64) {
		s := d.said[threadKey{channelKey{ws, ch}, at}]
		k := mentionKey{memberKey{ws, ch, user}, at}
		if s.author == user {
			return
		}
		p := d.person(k.memberKey)
		if p.mentions[k] == nil {
			p.mentions[k] = &chatv1.Mention{Channel: ch, Offset: at, Root: s.root, Author: s.author, Group: group, TimeMs: s.timeMs}
			p.counted[k] = s.counted
		}
		if t := (followKey{k.memberKey, s.root}); s.root != 0 {
			p.thread(t, &reply{at: at, auto: true, since: at - 1})
		}
	}
	var users, groups, edited [][]any // spans: (workspace, user or group, channel, offset, root)
	for k, s := range d.said {
		span := func(id string) []any { return []any{k.workspace, id, k.channel, int64(k.root), int64(s.root)} }
		for _, u := range s.names.GetUsers() {
			users = append(users, span(u))
		}
		for _, g := range s.names.GetGroups() {
			groups = append(groups, span(g))
		}
		if s.edited {
			edited = append(edited, span(""))
		}
	}
	var ws, ch, user, group string
	var at uint64
	read := func(q string, spans [][]any, into []any, row func()) error {
		if len(spans) == 0 {
			return nil
		}
		return each(d.ctx, d.tx.QueryContext, q, d.sql.spans.Args(spans), func(r *sql.Rows) error {
			if err := r.Scan(into...); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			row()
			return nil
		})
	}
	if err := read(d.sql.readers, users, []any{&ws, &ch, &user, &at}, func() { note(ws, ch, user, "", at) }); err != nil {
		return err
	}
	if err := read(d.sql.groupReaders, groups, []any{&ws, &ch, &group, &at, &user}, func() { note(ws, ch, user, group, at) }); err != nil {
		return err
	}
	return read(d.sql.mentioned, edited, []any{&ws, &ch, &user, &at, &group}, func() {
		k, names := mentionKey{memberKey{ws, ch, user}, at}, d.said[threadKey{channelKey{ws, ch}, at}].names
		p := d.person(k.memberKey)
		if p.mentions[k] == nil && !slices.Contains(names.GetUsers(), user) && !slices.Contains(names.GetGroups(), group) {
			p.unnamed = append(p.unnamed, k)
		}
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
	err := each(d.ctx, d.tx.QueryContext, d.sql.followers, d.sql.offsets.Args(rows), func(r *sql.Rows) error {
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
		tell := func(user string, r *reply) {
			m := memberKey{k.workspace, k.channel, user}
			d.person(m).thread(followKey{m, k.root}, r)
		}
		at := last.GetEvent().GetOffset()
		for _, u := range followers[k] {
			tell(u, &reply{at: at})
		}
		full := len(followers[k]) >= MaxFollowers
		for u, own := range d.repliers[k] {
			tell(u, &reply{at: at, own: own, auto: !full, since: own})
		}
		if t := roots[k]; t != nil && !full && !slices.Contains(followers[k], t.author) {
			tell(t.author, &reply{at: at, auto: true})
		}
	}
	return nil
}
