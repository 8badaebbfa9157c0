package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// threads are what a session knows of its document's comments. Their texts stand in SQL alone.
type threads struct {
	all     map[uint64]*thread // by id, with all that is under way
	open    int                // how many are not resolved
	changed map[uint64]comment // the comments that the session has changed, as they are with all that is under way
	anchors anchors            // as of what is committed: nothing else is told
}

// thread is what decides what may be done in one.
type thread struct {
	resolved bool
	comments int
}

func (t *threads) add(id uint64, resolved bool, comments int) {
	t.all[id] = &thread{resolved, comments}
	if !resolved {
		t.open++
	}
}

// text is where they stand, as it is stored; empty: there are none.
func (t *threads) text() string {
	if len(t.all) == 0 {
		return ""
	}
	return t.anchors.text()
}

// threads reads a document's threads: where they stood when that was written down last, and those of later versions, by which they begin.
func (s *Server) threads(ctx context.Context, k docKey) (t threads, later map[uint64]anchor, err error) {
	t = threads{all: map[uint64]*thread{}, changed: map[uint64]comment{}}
	made := map[uint64]anchor{}
	first := uint64(0)
	err = each(ctx, s.db.Query, `SELECT thread, starts, ends, resolved, comments FROM docs_thread WHERE workspace = $1 AND document = $2 ORDER BY thread`,
		[]any{k.workspace, k.id}, func(r *sql.Rows) error {
			var o anchor
			var resolved bool
			var comments int
			if err := r.Scan(&o.thread, &o.from, &o.to, &resolved, &comments); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			t.add(o.thread, resolved, comments)
			if made[o.thread] = o; first == 0 {
				first = o.thread
			}
			return nil
		})
	if err != nil {
		return t, nil, fmt.Errorf("docs: read threads: %w", err)
	}
	if len(made) == 0 {
		return t, nil, nil
	}
	var at uint64
	var text string
	err = s.db.QueryRow(ctx, `SELECT version, anchors FROM docs_anchors WHERE workspace = $1 AND document = $2`, k.workspace, k.id).Scan(&at, &text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		at, text = first-1, "[]"
	case err != nil:
		return t, nil, fmt.Errorf("docs: read anchors: %w", err)
	}
	if t.anchors, err = parseAnchors(at, text); err != nil {
		return t, nil, err
	}
	later = map[uint64]anchor{}
	for id, o := range made {
		if id > at {
			later[id] = o
		}
	}
	return t, later, nil
}

// openThreads reads the threads, and moves them to where they are now. The tail are the events behind the newest snapshot.
func (x *session) openThreads(ctx context.Context, tail []event) error {
	var later map[uint64]anchor
	var err error
	if x.threads, later, err = x.s.threads(ctx, x.docKey); err != nil {
		return err
	}
	at := &x.threads.anchors
	if len(x.threads.all) == 0 {
		at.at = x.version
		return nil
	}
	x.tried = min(x.tried, at.at) // what was written down for a name since has no anchors
	follow := func(e event) error {
		if e.version <= at.at {
			return nil
		}
		at.follow(e.version, e.edit)
		if o, ok := later[e.version]; ok {
			at.add(o)
		}
		return nil
	}
	if err := x.s.events(ctx, x.docKey, x.epoch, at.at, x.written, follow); err != nil { // mostly none: both are written down together
		return err
	}
	for _, e := range tail {
		_ = follow(e)
	}
	return nil
}

// CreateThread begins a thread.
func (s *Server) CreateThread(ctx context.Context, q *docsv1.CreateThreadRequest) (*docsv1.CreateThreadResponse, error) {
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if q.GetFrom() >= q.GetTo() {
		return nil, badField("to", "Select some text to comment on.")
	}
	said, err := s.said(ctx, q)
	if err != nil {
		return nil, err
	}
	res := &docsv1.CreateThreadResponse{}
	k := docKey{c.Workspace, q.GetDocument()}
	return res, s.atOwner(ctx, k, docsv1.DocsService_CreateThread_FullMethodName, q, res, func(x *session) error {
		p := &placing{caller: c, epoch: q.GetEpoch(), base: q.GetBase(), at: anchor{from: int(q.GetFrom()), to: int(q.GetTo())}, said: said}
		m := topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}
		return s.changeSince(ctx, x, m, res, p, func() (*change, error) { return x.createThread(p) }, func(version uint64) { res.Thread = version })
	})
}

// since is a change on its way into the session that is of a base.
type since interface {
	version() uint64
	follow(ctx context.Context, edits []recentEdit) error
}

// changeSince makes a change that decide has follow what came since its base. What takes long is done here, beside the session.
func (s *Server) changeSince(ctx context.Context, x *session, m topic.Mutation, res proto.Message, p since, decide func() (*change, error), done func(version uint64)) error {
	for {
		err := x.change(ctx, m, res, decide, done)
		behind, ok := errors.AsType[*farBehind](err)
		if !ok {
			return err
		}
		err = s.catchUp(ctx, x, behind, p.version(), m.Key, func(edits []recentEdit) error { return p.follow(ctx, edits) })
		switch {
		case mayBeRepeated(err):
			return s.firstAnswer(ctx, m, res, err)
		case err != nil:
			return err
		}
	}
}

// placing is a thread on its way into the session.
type placing struct {
	caller auth.Caller
	epoch  uint64 // of the topic that base is of; 0: not said
	base   uint64 // the version that its range is of by now
	at     anchor
	said   said
}

func (p *placing) version() uint64 { return p.base }

// follow moves the range to follow edits.
func (p *placing) follow(ctx context.Context, edits []recentEdit) error {
	for _, e := range edits {
		if !p.at.over(e.edit) {
			return errGone
		}
		p.base = e.version
		if ctx.Err() != nil {
			return errAway.Because(ctx.Err())
		}
	}
	return nil
}

// createThread begins a thread, unless its base is so far behind that what came since is not in memory. All that is, can be gone over here:
// a range follows an edit faster than an operation does, and recentBytes bounds them.
func (x *session) createThread(p *placing) (*change, error) {
	if err := x.allowComment(p.caller); err != nil {
		return nil, err
	}
	switch {
	case p.epoch != 0 && p.epoch != x.epoch:
		return nil, errBaseTooOld
	case p.base > x.version:
		return nil, errFuture
	case p.base < x.cover.floor:
		return nil, errBaseTooOld
	case x.version-p.base > uint64(x.s.cfg.Transform):
		return nil, errBaseTooOld
	case x.threads.open >= MaxOpenThreads:
		return nil, errLimit("A document has %d open threads at most. Resolve some first.", MaxOpenThreads)
	case len(x.threads.all) >= MaxThreads:
		return nil, errLimit("A document has %d threads at most.", MaxThreads)
	}
	edits, ok := x.recent.since(p.base)
	if !ok {
		return nil, &farBehind{first: x.recent.first()}
	}
	if err := p.follow(context.Background(), edits); err != nil {
		return nil, err
	}
	id, o := x.version+1, p.at
	o.thread = id
	quote, err := quoted(x.content, o.from, o.to, MaxQuote)
	if err != nil {
		return nil, err
	}
	said, err := x.mentioned(p.caller, p.said)
	if err != nil {
		return nil, err
	}
	return &change{
		event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_ThreadCreated{ThreadCreated: &docsv1.ThreadCreated{
			From: uint32(o.from), To: uint32(o.to), Quote: quote, Text: said.text, Mentions: said.mentions, Groups: said.groups,
		}}},
		amend: amend{
			anchor: &o,
			answer: func(row *topic.Row) proto.Message { return &docsv1.CreateThreadResponse{Thread: row.Offset} },
			write: func(b *batch, st *topic.Step) error {
				err := b.exec(`INSERT INTO docs_thread (workspace, document, thread, starts, ends, quote, comments, resolved, resolved_by, resolved_ms)
					VALUES ($1, $2, $3, $4, $5, $6, 1, false, '', 0)`, x.workspace, x.id, int64(id), o.from, o.to, []byte(quote))
				if err != nil {
					return err
				}
				return b.addComment(x.docKey, id, id, 0, said, st)
			},
		},
		follow: func() { x.threads.add(id, false, 1) },
	}, nil
}

// quoted is what stands in a range, or how it begins, at most so many code units; where it can't be a range, it says why.
func quoted(content *ot.Document, from, to, most int) (text string, err error) {
	if to > content.Len() {
		return "", errPastEnd
	}
	if content.Cuts(from) || content.Cuts(to) {
		return "", errSplitPair
	}
	end := min(to, from+most)
	if content.Cuts(end) {
		end--
	}
	part, err := content.Slice(from, end)
	if err != nil {
		return "", refusal(err)
	}
	for _, op := range part.Ops() {
		if op.Embed() != nil {
			text += "\uFFFC"
		}
		text += op.Text()
	}
	return text, nil
}

// ResolveThread closes a thread, or opens it again.
func (s *Server) ResolveThread(ctx context.Context, q *docsv1.ResolveThreadRequest) (*docsv1.ResolveThreadResponse, error) {
	res := &docsv1.ResolveThreadResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_ResolveThread_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allowComment(c); err != nil {
			return nil, err
		}
		t := x.threads.all[q.GetThread()]
		switch {
		case t == nil:
			return nil, errThread
		case t.resolved == q.GetResolved():
			return nil, nil //nolint:nilnil // nothing changes
		case !q.GetResolved() && x.threads.open >= MaxOpenThreads:
			return nil, errLimit("A document has %d open threads at most. Resolve another one first.", MaxOpenThreads)
		}
		n := news{version: x.version + 1, kind: noticeReopened, thread: q.GetThread()}
		if q.GetResolved() {
			n.kind = noticeResolved
		}
		floor := x.cover.floor
		return &change{
			event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_ThreadResolved{ThreadResolved: &docsv1.ThreadResolved{Thread: q.GetThread(), Resolved: q.GetResolved()}}},
			amend: amend{
				answer: func(row *topic.Row) proto.Message { return &docsv1.ResolveThreadResponse{Version: row.Offset} },
				write: func(b *batch, st *topic.Step) error {
					if err := b.eraseClosed(x.docKey, q.GetThread(), floor, st.Now); err != nil {
						return err
					}
					err := b.exec(`UPDATE docs_thread SET resolved = $4, resolved_by = $5, resolved_ms = $6 WHERE workspace = $1 AND document = $2 AND thread = $3`,
						x.workspace, x.id, int64(q.GetThread()), q.GetResolved(), c.User, st.Now.UnixMilli())
					if err != nil {
						return err
					}
					return b.tell(x.docKey, n, st)
				},
			},
			follow: func() {
				if t.resolved = q.GetResolved(); t.resolved {
					x.threads.open--
				} else {
					x.threads.open++
				}
			},
		}, nil
	}, func(version uint64) { res.Version = version })
}
