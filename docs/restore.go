package docs

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// RestoreVersion makes the content what it was at a version: what differs is found outside of the session, and goes through it like any
// other edit, behind what came meanwhile.
func (s *Server) RestoreVersion(ctx context.Context, q *docsv1.RestoreVersionRequest) (*docsv1.RestoreVersionResponse, error) {
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	m := topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}
	res := &docsv1.RestoreVersionResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_RestoreVersion_FullMethodName, q, res, func(x *session) error {
		r := &restoring{edit: edit{caller: c, key: key}, version: q.GetVersion(), mutation: m}
		err := x.prepareRestore(ctx, r)
		for more := err == nil; more; {
			err = x.do(ctx, func() error { return x.restore(r) })
			var far *farBehind
			if far, more = errors.AsType[*farBehind](err); more { // as an edit that takes long (Server.edit)
				err = s.catchUp(ctx, x, far, r.base, key, func(edits []recentEdit) error { return r.follow(ctx, edits, &r.steps) })
				if err != nil {
					break
				}
			}
		}
		if err == nil && r.last != nil {
			err = x.outcome(ctx, r.last, func(version uint64) { res.Version, res.Epoch = version, x.epoch })
		}
		if errors.Is(err, errRepeated) || err == nil && r.last == nil { // it may be as it was since this very call came before
			return s.firstAnswer(ctx, m, res, err)
		}
		return err
	})
}

// restoring is a version on its way back: an edit of what differs, nothing if nothing does. It has no request.
type restoring struct {
	edit
	version  uint64
	mutation topic.Mutation
	last     *amendment // the last one that it has become
}

// prepareRestore finds what differs between what is committed and the version.
func (x *session) prepareRestore(ctx context.Context, r *restoring) error {
	var now *ot.Document
	err := x.do(ctx, func() error {
		if err := x.allowVersion(r.caller, r.key, r.version); err != nil {
			return err
		}
		if err := x.owns(ctx); err != nil {
			return err
		}
		now, r.base = x.stored.Clone(), x.storedAt
		return nil
	})
	if err != nil {
		return err
	}
	// The key may have been used longer ago than the session remembers. It stands in the last of the edits that a version comes back by, so the
	// others would be made anew.
	if err := x.s.firstAnswer(ctx, r.mutation, nil, errFresh); !errors.Is(err, errFresh) {
		if err == nil {
			return errRepeated
		}
		return err
	}
	done, err := x.s.heavy.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	then, err := x.made(ctx, r.version)
	if err != nil {
		return err
	}
	if r.delta, err = now.Delta().Diff(then.Delta(), diffEffort); err != nil {
		return fmt.Errorf("docs: compare versions: %w", err)
	}
	return nil
}

// errFresh: the key was never used.
var errFresh = errors.New("docs: the key was not used")

// restore edits the content as was prepared.
//
// Invariant: nothing stands between its edits, and where the last one is committed all are.
func (x *session) restore(r *restoring) error {
	if err := x.allowVersion(r.caller, r.key, r.version); err != nil || r.delta.Count() == 0 {
		return err
	}
	edits, ok := x.recent.since(r.base)
	switch {
	case !ok || x.room(r.caller.User) != nil:
		return errBusy
	case takesLong(r.delta.Count(), edits):
		return &farBehind{edits: edits}
	}
	if err := r.follow(context.Background(), edits, new(int)); err != nil {
		return err
	}
	parts, err := divided(r.delta, MaxDelta)
	if err != nil {
		return refusal(err)
	}
	contents, entries := make([]*ot.Document, len(parts)), make([]topic.Entry, len(parts))
	content := x.content
	for i, part := range parts {
		content = content.Clone()
		if err := content.Apply(part); err != nil {
			return refusal(err)
		}
		contents[i] = content
		edited := &docsv1.Edited{Delta: string(part.AppendJSON(nil)), Restored: r.version}
		if entries[i], err = x.entry(r.caller.User, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: edited}}); err != nil {
			return err
		}
	}
	x.snapshot(true) // so that what was before it is on the list
	for i, part := range parts {
		m := topic.Mutation{Key: topic.Key{User: r.caller.User}}
		if i == len(parts)-1 {
			m = r.mutation
		}
		o := &amend{entry: entries[i], edit: true, answer: func(row *topic.Row) proto.Message {
			return &docsv1.RestoreVersionResponse{Version: row.Offset, Epoch: row.Epoch}
		}}
		if r.last, err = x.amend(m, o, part, contents[i]); err != nil {
			return err
		}
	}
	return nil
}

// divided makes of one edit several that do the same one after the other, of about most bytes each: first those that take away and format, then
// those that insert, so that the content is never longer than before or behind them all.
func divided(delta ot.Delta, most int) ([]ot.Delta, error) {
	if len(delta.JSON()) <= most { // as almost always
		return []ot.Delta{delta}, nil
	}
	var d division
	d.most = most
	for _, op := range delta.Ops() {
		switch op.Action() {
		case ot.Retain:
			d.step(op, func() { retain(&d.b, op) })
			d.at += op.Len()
		case ot.Delete:
			d.step(op, func() { d.b.Delete(op.Len()) })
		case ot.Insert:
		}
	}
	d.cut()
	d.at = 0
	for _, op := range delta.Ops() {
		switch {
		case op.Action() == ot.Retain:
			d.at += op.Len()
			d.b.Retain(op.Len(), nil)
		case op.Action() == ot.Delete:
		case op.Embed() != nil:
			d.step(op, func() { d.b.InsertEmbed(op.Embed(), op.Attributes()) })
			d.at++
		default:
			if err := d.insert(op); err != nil {
				return nil, err
			}
		}
	}
	d.cut()
	return d.parts, d.err
}

// division is an edit while it is divided.
type division struct {
	most  int
	parts []ot.Delta
	b     ot.Builder // of the next part
	bytes int        // that it has, about
	at    int        // where it is, in the content behind the parts
	err   error
}

// step adds an operation to the part, or begins the next one with it.
func (d *division) step(op ot.Op, add func()) {
	if d.bytes+weight(op) > d.most && d.bytes > 0 {
		d.cut()
		d.b.Retain(d.at, nil)
	}
	d.bytes += weight(op)
	add()
}

// cut ends a part.
func (d *division) cut() {
	part, err := d.b.Delta()
	if err != nil && d.err == nil {
		d.err = err
	}
	if changes(part) {
		d.parts = append(d.parts, part)
	}
	d.b, d.bytes = ot.Builder{}, 0
}

// changes reports that a delta does not go over the content alone.
func changes(delta ot.Delta) bool {
	for _, op := range delta.Ops() {
		if op.Action() != ot.Retain || op.Attributes() != nil || op.Embed() != nil {
			return true
		}
	}
	return false
}

// insert adds a text, of which a part may take a piece alone.
func (d *division) insert(op ot.Op) error {
	piece := max(1, d.most/8) // a code unit has up to six bytes as JSON
	var b ot.Builder
	whole, err := b.Insert(op.Text(), op.Attributes()).Delta()
	if err != nil {
		return fmt.Errorf("docs: divide an edit: %w", err)
	}
	for from := 0; from < op.Len(); {
		to := min(from+piece, op.Len())
		text, err := whole.Slice(from, to)
		if e, ok := errors.AsType[*ot.Error](err); ok && e.Kind == ot.SplitPair {
			to++
			text, err = whole.Slice(from, to)
		}
		if err != nil {
			return fmt.Errorf("docs: divide an edit: %w", err)
		}
		for _, op := range text.Ops() {
			d.step(op, func() { d.b.Insert(op.Text(), op.Attributes()) })
			d.at += op.Len()
		}
		from = to
	}
	return nil
}

func retain(b *ot.Builder, op ot.Op) {
	if op.Embed() != nil {
		b.RetainEmbed(op.Embed(), op.Attributes())
	} else {
		b.Retain(op.Len(), op.Attributes())
	}
}
