package chat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// watch changes what the caller has of a thread: whether they follow it, or how far they read it.
type watch struct {
	caller  auth.Caller
	key     followKey
	last    uint64 // newest reply when the call came
	seen    uint64 // marker to rise to; 0: not this
	follow  bool
	reading bool
}

func (o *watch) need(n *needs) { n.mine[o.key.memberKey], n.follows[o.key] = true, true }

func (o *watch) plan(b *batch, st *topic.Step) error {
	if _, err := b.mineOf(o.caller, o.key.channel); err != nil {
		return err
	}
	f := b.user.follows[o.key]
	was := follow{}
	if f != nil {
		was = *f
	} else {
		f = &follow{}
	}
	if o.reading {
		if f.stored {
			f.seen = max(f.seen, o.seen)
		}
	} else {
		if !f.stored {
			f.seen, f.told = o.last, o.last
		}
		f.following = o.follow
	}
	changed := f.stored && *f != was || !f.stored && !o.reading
	if changed {
		f.stored = true
		b.user.follows[o.key], b.user.moved[o.key] = f, f
		b.tell(st, o.caller.User, nil, func() *chatv1.UserEvent { return threadMoved(b.user.threads[o.key]) })
	}
	now := *f
	st.Answer = func(rows []topic.Row) proto.Message {
		if !o.reading {
			return answer(func(n uint64) proto.Message { return &chatv1.FollowThreadResponse{Offset: n} })(rows)
		}
		t := b.user.threads[o.key]
		if t == nil { // nothing changed: the counts are read after the transaction
			t = &chatv1.MyThread{Channel: o.key.channel, Read: now.seen, Following: now.following}
		}
		return &chatv1.MarkThreadReadResponse{Thread: t}
	}
	return nil
}

// threadOf finds the thread that a message is in, for a member who may read it.
func (s *Server) threadOf(ctx context.Context, caller auth.Caller, channel string, at uint64) (*thread, error) {
	a, err := s.access(ctx, s.db.Query, caller, channel)
	if err == nil {
		err = a.member()
	}
	if err != nil {
		return nil, err
	}
	k := threadKey{a.ch.channelKey, at}
	found, err := s.loadThreads(ctx, s.db.Query, []threadKey{k})
	if err != nil {
		return nil, err
	}
	if t := found[k]; t != nil && t.root >= a.from() {
		return t, nil
	}
	return nil, errMessage.On("root")
}

// FollowThread follows a thread, or no longer.
func (s *Server) FollowThread(ctx context.Context, req *chatv1.FollowThreadRequest) (*chatv1.FollowThreadResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkOffset("root", req.GetRoot()); err != nil {
		return nil, err
	}
	t, err := s.threadOf(ctx, caller, req.GetChannel(), req.GetRoot())
	if err != nil {
		return nil, err
	}
	res := &chatv1.FollowThreadResponse{}
	k := followKey{memberKey{caller.Workspace, req.GetChannel(), caller.User}, t.root}
	return res, s.mutate(ctx, caller, caller.User, req, &watch{caller: caller, key: k, last: t.last, follow: req.GetFollow()}, res)
}

// MarkThreadRead moves the caller's marker in a thread forward.
func (s *Server) MarkThreadRead(ctx context.Context, req *chatv1.MarkThreadReadRequest) (*chatv1.MarkThreadReadResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkOffset("root", req.GetRoot()), checkOffset("offset", req.GetOffset())); err != nil {
		return nil, err
	}
	t, err := s.threadOf(ctx, caller, req.GetChannel(), req.GetRoot())
	if err != nil {
		return nil, err
	}
	res := &chatv1.MarkThreadReadResponse{}
	k := followKey{memberKey{caller.Workspace, req.GetChannel(), caller.User}, t.root}
	o := &watch{caller: caller, key: k, last: t.last, seen: min(req.GetOffset(), t.last), reading: true}
	if err := s.mutateOwn(ctx, caller, req, o, res); err != nil || res.GetThread().GetThread() != nil {
		return res, err
	}
	now := &follow{following: res.GetThread().GetFollowing(), seen: res.GetThread().GetRead()}
	return res, s.reading(ctx, caller, req.GetChannel(), func(tx *sql.Tx, _ access) error {
		mine, err := s.myThreads(ctx, tx.QueryContext, map[followKey]*follow{k: now})
		res.Thread = mine[k]
		return err
	})
}

// draft keeps what the caller is writing. A register by version: who writes the next version first wins, and the other is told.
type draft struct {
	caller auth.Caller
	req    *chatv1.SetDraftRequest
}

func (o *draft) need(n *needs) {
	n.mine[memberKey{o.caller.Workspace, o.req.GetChannel(), o.caller.User}] = true
}

func (o *draft) plan(b *batch, st *topic.Step) error {
	if _, err := b.mineOf(o.caller, o.req.GetChannel()); err != nil {
		return err
	}
	ws, user, ch, root := o.caller.Workspace, o.caller.User, o.req.GetChannel(), int64(o.req.GetRoot())
	d := &chatv1.Draft{Channel: ch, Root: o.req.GetRoot()}
	err := b.tx.QueryRowContext(b.ctx, `SELECT text, version, time_ms FROM chat_draft
		WHERE workspace = $1 AND user_id = $2 AND channel = $3 AND root = $4`, ws, user, ch, root).Scan(&d.Text, &d.Version, &d.TimeMs)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read draft: %w", err)
	}
	switch version := o.req.GetVersion(); {
	case version > d.GetVersion()+1:
		return rpc.Errorf(edgev1.Code_CODE_CONFLICT, "chat.DRAFT_AHEAD", "This device is ahead of the server. Read the draft again.").On("version")
	case version == d.GetVersion()+1:
		if err := b.draftFits(ws, user, d, o.req.GetText()); err != nil {
			return err
		}
		d.Text, d.Version, d.TimeMs = o.req.GetText(), version, st.Now.UnixMilli()
		if err := exec(b.ctx, b.tx, `INSERT INTO chat_draft (workspace, user_id, channel, root, text, version, time_ms)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace, user_id, channel, root)
			DO UPDATE SET text = excluded.text, version = excluded.version, time_ms = excluded.time_ms`,
			ws, user, ch, root, d.GetText(), int64(version), d.GetTimeMs()); err != nil {
			return err
		}
		b.tell(st, user, nil, func() *chatv1.UserEvent {
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Draft{Draft: &chatv1.DraftChanged{
				Channel: ch, Root: o.req.GetRoot(), Version: version, Cleared: o.req.GetText() == "",
			}}}
		})
	}
	applied := d.GetVersion() == o.req.GetVersion() && d.GetText() == o.req.GetText()
	st.Answer = func([]topic.Row) proto.Message { return &chatv1.SetDraftResponse{Draft: d, Applied: applied} }
	return nil
}

// draftFits is nil while the person has room for one more draft.
func (b *batch) draftFits(workspace, user string, d *chatv1.Draft, text string) error {
	if text == "" || d.GetText() != "" {
		return nil
	}
	n := 0
	q := `SELECT count(*) FROM chat_draft WHERE workspace = $1 AND user_id = $2 AND text <> ''`
	if err := b.tx.QueryRowContext(b.ctx, q, workspace, user).Scan(&n); err != nil {
		return fmt.Errorf("count drafts: %w", err)
	}
	if n >= MaxDrafts {
		return errLimit("You have %d drafts. Send or clear one first.", MaxDrafts)
	}
	return nil
}

// SetDraft keeps what the caller is writing.
func (s *Server) SetDraft(ctx context.Context, req *chatv1.SetDraftRequest) (*chatv1.SetDraftResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkPlain("text", req.GetText(), MaxText), checkOffset("version", req.GetVersion())); err != nil {
		return nil, err
	}
	if !validID(req.GetChannel()) {
		return nil, errChannel
	}
	if req.GetRoot() != 0 {
		if err := checkOffset("root", req.GetRoot()); err != nil {
			return nil, err
		}
		if _, err := s.threadOf(ctx, caller, req.GetChannel(), req.GetRoot()); err != nil {
			return nil, err
		}
	}
	res := &chatv1.SetDraftResponse{}
	return res, s.mutateOwn(ctx, caller, req, &draft{caller, req}, res)
}

// ListDrafts returns the caller's drafts in channels that they are in.
func (s *Server) ListDrafts(ctx context.Context, req *chatv1.ListDraftsRequest) (*chatv1.ListDraftsResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if req.GetChannel() != "" && !validID(req.GetChannel()) {
		return nil, errChannel
	}
	res := &chatv1.ListDraftsResponse{}
	err = each(ctx, s.db.Query, `SELECT d.channel, d.root, d.text, d.version, d.time_ms FROM chat_draft d
		JOIN chat_member m ON m.workspace = d.workspace AND m.channel = d.channel AND m.user_id = d.user_id
		WHERE d.workspace = $1 AND d.user_id = $2 AND d.text <> '' AND ($3 = '' OR d.channel = $3) ORDER BY d.channel, d.root`,
		[]any{caller.Workspace, caller.User, req.GetChannel()}, func(r *sql.Rows) error {
			d := &chatv1.Draft{}
			if err := r.Scan(&d.Channel, &d.Root, &d.Text, &d.Version, &d.TimeMs); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			res.Drafts = append(res.Drafts, d)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("chat: read drafts: %w", err)
	}
	return res, nil
}
