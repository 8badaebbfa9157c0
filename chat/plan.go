package chat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// op is one mutation. need says what the whole batch must load before, so that a batch costs as many statements as one send; plan
// decides on what was loaded, and changes it, so that the batch's later ops see what the earlier ones did. An *rpc.Error refuses the
// op alone.
type op interface {
	need(n *needs)
	plan(b *batch, st *topic.Step) error
}

// needs is what a batch loads.
type needs struct {
	access  map[memberKey]bool
	handles map[handleKey]bool
	threads map[threadKey]bool
	heads   map[channelKey]bool
	mine    map[memberKey]bool
	follows map[followKey]bool
}

type handleKey struct{ workspace, handle string }

type threadKey struct {
	channelKey
	root uint64
}

// batch is what the ops of one transaction share. Never used by two goroutines.
type batch struct {
	*Server
	ctx      context.Context //nolint:containedctx // a batch lives for one call
	tx       *sql.Tx
	channels map[channelKey]*channel
	members  map[memberKey]*member
	named    map[handleKey][]named
	threads  map[threadKey]*thread
	heads    map[channelKey]uint64
	messages map[threadKey]*message // by (channel, offset), loaded when first asked for
	demoted  map[memberKey]bool     // owners who left or lost the role in this batch
	user     userState
}

// later holds an op's own columns of its row, and what is written once the row's offset is known.
type later struct {
	kind   kind
	parent uint64 // thread of a reply; message of an edit or a pin
	reply  bool
	write  func(ctx context.Context, tx *sql.Tx, row *topic.Row) error
}

// kind tells History which rows to show. Stored: append only.
type kind int

const (
	kindOther   kind = 0 // rows of chat.user, and whatever is not shown
	kindMessage kind = 1 // shown in the channel
	kindReply   kind = 2 // shown in its thread only
	kindEdit    kind = 3
	kindSystem  kind = 4 // members, channel, pin: shown in the channel
)

// Plan runs one batch's ops on one load of what they need.
func (s planner) Plan(ctx context.Context, tx *sql.Tx, steps []*topic.Step) error {
	return s.plan(ctx, tx, steps, s.remembered.opens(steps))
}

// plan does so; of the partitions in open, access is remembered.
func (s *Server) plan(ctx context.Context, tx *sql.Tx, steps []*topic.Step, open topic.PartitionSet) error {
	n := &needs{
		access: map[memberKey]bool{}, handles: map[handleKey]bool{}, threads: map[threadKey]bool{}, heads: map[channelKey]bool{},
		mine: map[memberKey]bool{}, follows: map[followKey]bool{},
	}
	for _, st := range steps {
		o, ok := st.Op.(op)
		if !ok {
			return fmt.Errorf("chat: %T is no op", st.Op)
		}
		o.need(n)
	}
	b := &batch{Server: s, ctx: ctx, tx: tx, messages: map[threadKey]*message{}, demoted: map[memberKey]bool{}}
	if err := b.load(n, open); err != nil {
		return err
	}
	for _, st := range steps {
		if err := st.Op.(op).plan(b, st); err != nil { //nolint:forcetypeassert // checked above
			if _, refused := errors.AsType[*rpc.Error](err); !refused {
				return fmt.Errorf("chat: %T: %w", st.Op, err)
			}
			st.Entries, st.Answer, st.Err = nil, nil, err
		}
	}
	return b.finishUsers()
}

func (b *batch) load(n *needs, open topic.PartitionSet) (err error) {
	q := b.tx.QueryContext
	b.channels, b.members = make(map[channelKey]*channel, len(n.access)), make(map[memberKey]*member, len(n.access))
	if unknown := b.remembered.find(open, n.access, b.channels, b.members); len(unknown) > 0 {
		channels, members, err := b.loadAccess(b.ctx, q, unknown)
		if err != nil {
			return err
		}
		b.remembered.keep(open, channels, members)
		maps.Copy(b.channels, channels)
		maps.Copy(b.members, members)
	}
	if b.named, err = b.loadHandles(b.ctx, q, keysOf(n.handles)); err != nil {
		return err
	}
	if b.threads, err = b.loadThreads(b.ctx, q, keysOf(n.threads)); err != nil {
		return err
	}
	if b.heads, err = b.loadHeads(b.ctx, q, keysOf(n.heads)); err != nil {
		return err
	}
	return b.loadUsers(n)
}

// Insert writes the batch's rows with one statement, then what waited for their offsets.
func (s planner) Insert(ctx context.Context, tx *sql.Tx, rows []topic.Row) error {
	if err := s.insertRows(ctx, tx, rows); err != nil {
		return err
	}
	if err := s.countReplies(ctx, tx, rows); err != nil {
		return err
	}
	for i := range rows {
		if l, ok := rows[i].Extra.(*later); ok && l.write != nil {
			if err := l.write(ctx, tx, &rows[i]); err != nil {
				return fmt.Errorf("chat: write after row: %w", err)
			}
		}
	}
	return nil
}

// access is what a caller may do with a channel now, within the batch.
func (b *batch) access(caller auth.Caller, channel string) access {
	k := memberKey{caller.Workspace, channel, caller.User}
	return access{caller: caller, ch: b.channels[channelKey{k.workspace, channel}], me: b.members[k]}
}

func (n *needs) member(caller auth.Caller, channel string) {
	n.access[memberKey{caller.Workspace, channel, caller.User}] = true
}

// entry is an event of a channel. The mutation's user is its actor.
func entry(ch string, actor string, e *chatv1.ChannelEvent, l *later) (topic.Entry, error) {
	e.Actor = actor
	body, err := proto.Marshal(e)
	if err != nil {
		return topic.Entry{}, fmt.Errorf("encode event: %w", err)
	}
	return topic.Entry{Topic: topicChannel + ch, Body: body, Extra: l}, nil
}

// answer returns the answer made of the first row's offset; nothing happened: 0.
func answer(of func(offset uint64) proto.Message) func([]topic.Row) proto.Message {
	return func(rows []topic.Row) proto.Message {
		if len(rows) == 0 {
			return of(0)
		}
		return of(rows[0].Offset)
	}
}

func keysOf[K comparable, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// exec runs a statement for its effect.
func exec(ctx context.Context, tx *sql.Tx, q string, args ...any) error {
	if _, err := tx.ExecContext(ctx, q, args...); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
