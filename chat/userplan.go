package chat

import (
	"database/sql"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// userState is what the ops of people's partitions share in a batch: they change it, then it is saved with one statement for each
// table, then the events are made, so that a badge shows all that the batch did.
type userState struct {
	mines    map[memberKey]*mine
	dirty    map[memberKey]*mine // to be saved
	shown    map[memberKey]*mine // whose badge goes into an event
	follows  map[followKey]*follow
	moved    map[followKey]*follow // to be saved and told
	mentions map[mentionKey]*chatv1.Mention
	counted  map[mentionKey]bool
	unnamed  []mentionKey        // mentions to be taken back
	fresh    map[mentionKey]bool // those that were new
	threads  map[followKey]*chatv1.MyThread
	finish   []func() error
}

type mentionKey struct {
	memberKey
	at uint64
}

func (b *batch) loadUsers(n *needs) (err error) {
	u := &b.user
	u.dirty, u.shown, u.moved = map[memberKey]*mine{}, map[memberKey]*mine{}, map[followKey]*follow{}
	u.mentions, u.counted, u.fresh = map[mentionKey]*chatv1.Mention{}, map[mentionKey]bool{}, map[mentionKey]bool{}
	if u.mines, err = b.loadMine(b.ctx, b.tx.QueryContext, keysOf(n.mine)); err != nil {
		return err
	}
	u.follows, err = b.loadFollows(b.ctx, b.tx.QueryContext, keysOf(n.follows))
	return err
}

// finishUsers saves what changed and makes the events.
func (b *batch) finishUsers() (err error) {
	u, q := &b.user, b.tx.QueryContext
	if len(u.finish)+len(u.unnamed) == 0 {
		return nil
	}
	if err := b.dropMentions(); err != nil {
		return err
	}
	if err := b.saveMentions(); err != nil {
		return err
	}
	if err := b.saveMines(); err != nil {
		return err
	}
	if err := b.saveFollows(); err != nil {
		return err
	}
	if err := b.countMentions(b.ctx, q, u.shown); err != nil {
		return err
	}
	if u.threads, err = b.myThreads(b.ctx, q, u.moved); err != nil {
		return err
	}
	for _, f := range u.finish {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) saveMentions() error {
	u := &b.user
	if len(u.mentions) == 0 {
		return nil
	}
	var rows [][]any
	for k, m := range u.mentions {
		rows = append(rows, []any{
			k.workspace, k.user, k.channel, int64(k.at), int64(m.GetRoot()), u.counted[k], m.GetAuthor(), m.GetGroup(), m.GetTimeMs(),
		})
	}
	return each(b.ctx, b.tx.QueryContext, b.sql.addMentions, b.sql.mentions.Args(rows), func(r *sql.Rows) error {
		var k mentionKey
		if err := r.Scan(&k.workspace, &k.user, &k.channel, &k.at); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		u.fresh[k] = true
		return nil
	})
}

func (b *batch) dropMentions() error {
	if len(b.user.unnamed) == 0 {
		return nil
	}
	var rows [][]any
	for _, k := range b.user.unnamed {
		rows = append(rows, []any{k.workspace, k.user, k.channel, int64(k.at), int64(0)})
	}
	return exec(b.ctx, b.tx, b.sql.dropMentions, b.sql.spans.Args(rows)...)
}

func (b *batch) saveMines() error {
	if len(b.user.dirty) == 0 {
		return nil
	}
	var rows [][]any
	for k, m := range b.user.dirty {
		rows = append(rows, []any{
			k.workspace, k.user, k.channel, int64(m.source), m.listed, int64(m.marker.GetOffset()), int64(m.marker.GetVersion()),
			int64(m.marker.GetCount()), int64(m.marker.GetCalls()), m.muted, int64(m.level),
		})
	}
	return exec(b.ctx, b.tx, b.sql.saveMine, b.sql.mine.Args(rows)...)
}

func (b *batch) saveFollows() error {
	if len(b.user.moved) == 0 {
		return nil
	}
	var rows [][]any
	for k, f := range b.user.moved {
		rows = append(rows, []any{
			k.workspace, k.user, k.channel, int64(k.root), f.following, int64(f.seen), int64(f.told),
		})
	}
	return exec(b.ctx, b.tx, b.sql.saveFollows, b.sql.follows.Args(rows)...)
}

// changed marks a state to be saved and shown.
func (b *batch) changed(m *mine) { b.user.dirty[m.key], b.user.shown[m.key] = m, m }

// tell appends an event to the person's topic, made when the batch is saved. With a state, its bundle entry goes along.
func (b *batch) tell(st *topic.Step, user string, m *mine, event func() *chatv1.UserEvent) {
	b.user.finish = append(b.user.finish, func() error {
		e := event()
		if e == nil {
			return nil
		}
		body, err := proto.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		entry := topic.Entry{Topic: topicUser + user, Body: body, Extra: &later{}}
		if m != nil {
			head, err := m.entry()
			if err != nil {
				return err
			}
			entry.Heads = []*edgev1.Head{head}
		}
		st.Entries = append(st.Entries, entry)
		return nil
	})
}
