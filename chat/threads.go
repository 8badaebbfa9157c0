package chat

import (
	"context"
	"database/sql"
	"fmt"

	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// thread is the root of a thread with its summary; a message without replies is one, too.
type thread struct {
	root    uint64
	author  string // of the root
	deleted bool   // the root
	replies uint32 // without deleted ones
	last    uint64 // offset of the last reply
	lastMs  int64
}

func (t *thread) proto() *chatv1.Thread {
	return &chatv1.Thread{Root: t.root, Replies: t.replies, LastReply: t.last, LastReplyMs: t.lastMs}
}

// loadThreads reads the threads that messages are in. A reply stands for its thread; both keys then lead to one thread.
func (s *Server) loadThreads(ctx context.Context, q query, keys []threadKey) (map[threadKey]*thread, error) {
	threads := map[threadKey]*thread{}
	if len(keys) == 0 {
		return threads, nil
	}
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.workspace, k.channel, int64(k.root)}
	}
	err := each(ctx, q, s.sql.threads, s.sql.offsets.Args(rows), func(r *sql.Rows) error {
		var k threadKey
		var t thread
		if err := r.Scan(&k.workspace, &k.channel, &k.root, &t.root, &t.author, &t.deleted, &t.replies, &t.last, &t.lastMs); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		root := threadKey{k.channelKey, t.root}
		if threads[root] == nil {
			threads[root] = &t
		}
		threads[k] = threads[root]
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("chat: read threads: %w", err)
	}
	return threads, nil
}

// thread is the thread to reply to.
func (b *batch) thread(a access, root uint64) (*thread, error) {
	t := b.threads[threadKey{a.ch.channelKey, root}]
	switch {
	case t == nil, root < a.from(), t.root < a.from():
		return nil, errMessage.On("root")
	case t.deleted, b.messages[threadKey{a.ch.channelKey, t.root}] != nil && b.messages[threadKey{a.ch.channelKey, t.root}].deleted:
		return nil, errDeleted.On("root")
	}
	return t, nil
}

// loadThread reads a thread that nobody announced in need.
func (b *batch) loadThread(a access, root uint64) (*thread, error) {
	k := threadKey{a.ch.channelKey, root}
	if t := b.threads[k]; t != nil {
		return t, nil
	}
	found, err := b.loadThreads(b.ctx, b.tx.QueryContext, []threadKey{k})
	if err != nil {
		return nil, err
	}
	if found[k] == nil {
		return nil, fmt.Errorf("a reply's thread %v is not there", k)
	}
	b.threads[k] = found[k]
	return found[k], nil
}

// countReplies raises the reply counts of all threads that the batch's rows reply to.
func (s *Server) countReplies(ctx context.Context, tx *sql.Tx, rows []topic.Row) error {
	type count struct {
		n      int64
		last   uint64
		lastMs int64
	}
	counts := map[threadKey]*count{}
	for i := range rows {
		l, ok := rows[i].Extra.(*later)
		if !ok || !l.reply {
			continue
		}
		k := threadKey{channelKey{rows[i].Workspace, topic.ID(rows[i].Topic)}, l.parent}
		if counts[k] == nil {
			counts[k] = &count{}
		}
		counts[k].n++
		counts[k].last, counts[k].lastMs = rows[i].Offset, rows[i].TimeMs
	}
	if len(counts) == 0 {
		return nil
	}
	tuples := make([][]any, 0, len(counts))
	for k, c := range counts {
		tuples = append(tuples, []any{k.workspace, k.channel, int64(k.root), c.n, int64(c.last), c.lastMs})
	}
	return exec(ctx, tx, s.sql.replied, s.sql.replies.Args(tuples)...)
}
