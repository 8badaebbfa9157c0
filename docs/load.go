package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// open claims the document and reads it.
//
// Invariant: it is read behind the claim, so that nobody appends to what was read but this session.
func (x *session) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	x.lease = x.s.peers.Lease()
	found, err := x.s.claim(ctx, x)
	if err != nil {
		return err
	}
	x.term, x.cover, x.version, x.storedAt = found.term, found, found.head, found.head
	if x.grants, err = x.s.grants(ctx, x.docKey); err != nil {
		return err
	}
	states, err := x.s.log.States(ctx, x.workspace, x.topic())
	if err != nil {
		return fmt.Errorf("docs: read the head: %w", err)
	}
	x.epoch = states[0].Epoch
	if states[0].Offset != found.head || states[0].Floor != found.floor {
		return x.s.damaged(x.docKey, fmt.Errorf("its log goes from %d to %d, its row says from %d to %d", states[0].Floor, states[0].Offset, found.floor, found.head))
	}
	if x.folder, err = x.s.mendEntry(ctx, found); err != nil {
		return err
	}
	x.recent = newRecent(x.s.cfg.Recent, found.head)
	var tail []event
	if x.stored, x.written, err = x.s.contentAt(ctx, x.docKey, x.epoch, found.head, func(e event) { tail = append(tail, e) }); err != nil {
		return x.s.damaged(x.docKey, err)
	}
	x.tried = x.written
	// Those who did not hear of their last edits come back with them.
	if from := max(found.floor, found.head-min(found.head, uint64(x.s.cfg.Recent)/4)); from < x.written {
		if err := x.s.events(ctx, x.docKey, x.epoch, from, x.written, func(e event) error { x.recent.add(e.recentEdit); return nil }); err != nil {
			return x.s.damaged(x.docKey, err)
		}
	}
	for _, e := range tail {
		x.recent.add(e.recentEdit)
		x.storedMs, x.grown = e.timeMs, x.grown+e.bytes
		if e.edit.Count() > 0 {
			x.unsaved.add(e.author, e.version, e.timeMs)
			x.unsaved.add(e.credited, e.version, e.timeMs)
		}
	}
	if err := x.openThreads(ctx, tail); err != nil {
		return x.s.damaged(x.docKey, err)
	}
	if err := x.openSuggestions(ctx, tail); err != nil {
		return x.s.damaged(x.docKey, err)
	}
	x.content = x.stored
	return nil
}

// damaged logs why a document can't be read. What is away is no damage.
func (s *Server) damaged(k docKey, err error) error {
	if code := rpc.CodeOf(err); code != edgev1.Code_CODE_INTERNAL {
		return err
	}
	s.logger.Error("a document can't be read", "workspace", k.workspace, "document", k.id, "error", err)
	return errDamaged.Because(err)
}

// contentAt makes the content of a version: from the newest snapshot that is not behind it, whose version it returns, and the edits from there
// on, with which it also calls each. What was accepted once is read whatever the limits are now.
func (s *Server) contentAt(ctx context.Context, k docKey, epoch, version uint64, each func(event)) (content *ot.Document, snapshot uint64, err error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return nil, 0, errAway.Because(ctx.Err())
	}
	var text []byte
	var floor uint64
	err = s.db.QueryRow(ctx, `SELECT d.floor, coalesce(s.version, 0), s.content FROM docs_document d LEFT JOIN docs_snapshot s ON s.workspace = d.workspace AND s.document = d.id
			AND s.version = (SELECT max(version) FROM docs_snapshot WHERE workspace = $1 AND document = $2 AND version <= $3)
		WHERE d.workspace = $1 AND d.id = $2`, k.workspace, k.id, int64(version)).Scan(&floor, &snapshot, &text)
	var start ot.Delta
	switch {
	case errors.Is(err, sql.ErrNoRows): // just purged
		return nil, 0, errDocument
	case err != nil:
		return nil, 0, fmt.Errorf("docs: read a snapshot: %w", err)
	case version < floor:
		return nil, 0, errErased(floor)
	case snapshot < floor:
		return nil, 0, fmt.Errorf("docs: the content of %d, before which all was erased, is missing", floor)
	case snapshot > 0:
		if start, err = ot.Parse(text, ot.Unlimited()); err != nil {
			return nil, 0, fmt.Errorf("docs: snapshot of %d: %w", snapshot, err)
		}
	}
	if content, err = ot.NewDocument(start, ot.Unlimited(), nil); err != nil {
		return nil, 0, fmt.Errorf("docs: snapshot of %d: %w", snapshot, err)
	}
	at := snapshot
	err = s.events(ctx, k, epoch, snapshot, version, func(e event) error {
		if e.edit.Count() > 0 {
			if err := content.Apply(e.edit); err != nil {
				return fmt.Errorf("docs: edit %d does not apply: %w", e.version, err)
			}
		}
		at = e.version
		if each != nil {
			each(e)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if at != version {
		return nil, 0, fmt.Errorf("docs: the log ends at %d, before %d", at, version)
	}
	content.SetLimits(s.limits)
	return content, snapshot, nil
}

// edits reads the events behind a version, up to and with another one, if they are not too much to be followed by an edit.
func (s *Server) edits(ctx context.Context, k docKey, epoch, behind, last uint64) (list []recentEdit, err error) {
	bytes := 0
	err = s.events(ctx, k, epoch, behind, last, func(e event) error {
		if bytes += e.bytes; bytes > editBytes {
			return errBaseTooOld
		}
		list = append(list, e.recentEdit)
		return nil
	})
	if rpc.FromError(err).GetReason() == errVersion.Reason { // erased meanwhile
		err = errBaseTooOld
	}
	return list, err
}

// events reads what a document's log holds behind a version, up to and with another one.
func (s *Server) events(ctx context.Context, k docKey, epoch, behind, last uint64, do func(event) error) error {
	if behind >= last {
		return nil
	}
	next := behind + 1
	var erased map[uint64]bool
	emptied := func(at uint64, damage error) (err error) {
		if !erased[at] { // perhaps since that was read
			erased, err = s.erased(ctx, k, behind, last)
		}
		if err == nil && !erased[at] {
			err = damage
		}
		return err
	}
	err := s.log.Range(ctx, k.workspace, k.topic(), &edgev1.Cursor{Epoch: epoch, Offset: behind}, last, func(rec *topicv1.Record) error {
		if rec.GetEvent().GetOffset() != next {
			return fmt.Errorf("docs: event %d is missing", next)
		}
		e, err := decode(rec)
		if errors.Is(err, errNothing) {
			err = emptied(next, err)
		}
		if err != nil {
			return err
		}
		next++
		return do(e)
	})
	if code := rpc.CodeOf(err); code == edgev1.Code_CODE_RESET_FLOOR || errors.Is(err, errNothing) {
		if gone := s.belowFloor(ctx, k, behind); gone != nil {
			return gone
		}
	}
	switch code := rpc.CodeOf(err); {
	case code == edgev1.Code_CODE_RESET_EPOCH || code == edgev1.Code_CODE_RESET_FLOOR:
		return fmt.Errorf("docs: the log can't be read behind %d: %v", behind, err) //nolint:errorlint // no reset for those who ask, but damage
	case err != nil:
		return fmt.Errorf("docs: read events: %w", err)
	case next != last+1:
		return fmt.Errorf("docs: event %d is missing", next)
	}
	return err
}

// belowFloor says that what follows a version was erased, perhaps just now.
func (s *Server) belowFloor(ctx context.Context, k docKey, behind uint64) error {
	var floor uint64
	err := s.db.QueryRow(ctx, `SELECT floor FROM docs_document WHERE workspace = $1 AND id = $2`, k.workspace, k.id).Scan(&floor)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errDocument
	case err != nil:
		return fmt.Errorf("docs: read the floor: %w", err)
	case behind < floor:
		return errErased(floor)
	}
	return nil
}

// event is one of a document's log.
type event struct {
	recentEdit
	author   string
	credited string // of whose suggestions it is made; empty: of nobody's
	timeMs   int64
}

// errNothing: an event has no body. It was emptied, or is damaged.
var errNothing = errors.New("docs: the event says nothing")

// decode reads an event of a document's log.
func decode(rec *topicv1.Record) (event, error) {
	e := event{recentEdit: recentEdit{version: rec.GetEvent().GetOffset(), bytes: len(rec.GetEvent().GetBody())}, timeMs: rec.GetEvent().GetTimeMs()}
	if len(rec.GetEvent().GetBody()) == 0 {
		return e, fmt.Errorf("docs: event %d: %w", e.version, errNothing)
	}
	var body docsv1.DocumentEvent
	if err := proto.Unmarshal(rec.GetEvent().GetBody(), &body); err != nil {
		return e, fmt.Errorf("docs: event %d: %w", e.version, err)
	}
	e.mutation = mutation{body.GetActor(), rec.GetEvent().GetMutation()}
	e.author, e.credited = body.GetActor(), body.GetEdited().GetCredited()
	text := body.GetEdited().GetDelta()
	if c := body.GetCreated(); c != nil {
		text = c.GetDelta()
	}
	if text == "" {
		if body.GetEdited() != nil || body.GetEvent() == nil {
			return e, fmt.Errorf("docs: event %d says nothing", e.version)
		}
		return e, nil
	}
	var err error
	if e.edit, err = ot.Parse([]byte(text), ot.Unlimited()); err != nil {
		return e, fmt.Errorf("docs: event %d: %w", e.version, err)
	}
	return e, nil
}
