package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// A document's floor is the oldest version that can be read. What is read begins at its content then, a snapshot, and never at the log's beginning:
// the events up to it have no bodies, or lose them. No threads and no suggestions stand further back: what they were was written down as of it, or later.

const (
	jobHistory jobKind = "history"
	historyGap         = 24 * time.Hour // between two looks at what is too old in one document
)

// EraseHistory raises the floor, for an owner.
func (s *Server) EraseHistory(ctx context.Context, q *docsv1.EraseHistoryRequest) (*docsv1.EraseHistoryResponse, error) {
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	m := topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}
	res := &docsv1.EraseHistoryResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_EraseHistory_FullMethodName, q, res, func(x *session) error {
		return x.raiseFloor(ctx, m, res, q.GetBeforeVersion(), func() error { return x.allowChange(c, owner) }, func(version uint64) { res.Version = version })
	})
}

// raiseFloor makes a version the oldest one that can be read, if allow, in the session, does not say why not.
func (x *session) raiseFloor(ctx context.Context, m topic.Mutation, res proto.Message, floor uint64, allow func() error, done func(version uint64)) error {
	var stands stands
	var at, has uint64
	err := x.do(ctx, func() error {
		if err := allow(); err != nil {
			return err
		}
		if _, repeated := x.recent.known[mutationOf(m.Key)]; repeated {
			return errRepeated
		}
		if floor == 0 || floor > x.storedAt {
			return errVersion
		}
		stands, at, has = x.stands(), x.storedAt, x.cover.floor
		return nil
	})
	if mayBeRepeated(err) {
		return x.s.firstAnswer(ctx, m, res, err)
	}
	if err != nil {
		return err
	}
	let, err := x.holdInTurn(ctx)
	if err != nil {
		return err
	}
	defer let()
	if floor > has {
		if err := x.prepareFloor(ctx, floor, at, stands); err != nil {
			return err
		}
	}
	return x.change(ctx, m, res, func() (*change, error) {
		if err := allow(); err != nil || floor <= x.cover.floor {
			return nil, err
		}
		return &change{
			event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_HistoryErased{HistoryErased: &docsv1.HistoryErased{Floor: floor}}},
			amend: amend{
				answer: func(row *topic.Row) proto.Message { return &docsv1.EraseHistoryResponse{Version: row.Offset} },
				write:  func(b *batch, st *topic.Step) error { return b.raiseFloor(x.docKey, floor, st) },
			},
			follow: func() { x.raised(floor) },
		}, nil
	}, done)
}

// prepareFloor writes down what a version needs to be the floor: its content, and where threads and suggestions stood as of it or later. The caller
// holds the versions.
func (x *session) prepareFloor(ctx context.Context, floor, at uint64, stands stands) error {
	n, err := x.neighbours(ctx, floor)
	if err != nil {
		return err
	}
	if n.there.version == 0 {
		if err := x.insertVersion(ctx, n.before.version, floor, n.after); err != nil {
			return err
		}
	}
	suggestions := suggestedText(stands.suggestions)
	err = x.s.db.Write(ctx, func(tx *sql.Tx) error {
		var term uint64
		err := tx.QueryRowContext(ctx, `SELECT term FROM docs_document WHERE workspace = $1 AND id = $2`+x.s.sql.hold, x.workspace, x.id).Scan(&term)
		if errors.Is(err, sql.ErrNoRows) || err == nil && term != x.term {
			return errAway
		}
		if err != nil {
			return fmt.Errorf("hold a document: %w", err)
		}
		if err := writeStands(ctx, tx, writeAnchors, x.docKey, at, stands.threads); err != nil {
			return err
		}
		return writeStands(ctx, tx, writeSuggested, x.docKey, at, suggestions)
	})
	if err != nil {
		return fmt.Errorf("docs: prepare a floor: %w", err)
	}
	return nil
}

// raiseFloor is the floor's part in the transaction of its event. Versions below are hidden by it, and are erased by the job that it leaves.
//
// Invariant: the floor's content is written down, and nobody thins it out.
func (b *batch) raiseFloor(k docKey, floor uint64, st *topic.Step) error {
	res, err := b.tx.ExecContext(b.ctx, `UPDATE docs_version SET floor = true WHERE workspace = $1 AND document = $2 AND version = $3`, k.workspace, k.id, int64(floor))
	if err != nil {
		return fmt.Errorf("keep the floor: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return errAway // another owner has thinned it out
	}
	if err := b.toErase(k, false); err != nil {
		return err
	}
	if err := setJob(b.ctx, b.tx, k, jobErase, st.Now); err != nil {
		return err
	}
	b.documents[k].floor, st.Entries[0].Floor = floor, floor
	return nil
}

// raised takes over that the floor has risen.
func (x *session) raised(floor uint64) {
	x.cover.floor = floor
	for version := range x.kept {
		if version < floor {
			delete(x.kept, version)
		}
	}
}

// eraseOld raises the floor of a document to the newest version that is older than the operator has history kept, and says when the next one will be.
func (s *Server) eraseOld(ctx context.Context, k docKey) (next time.Time, err error) {
	if s.cfg.History == 0 {
		return next, nil
	}
	var d document
	err = s.db.QueryRow(ctx, `SELECT floor, head FROM docs_document WHERE workspace = $1 AND id = $2`, k.workspace, k.id).Scan(&d.floor, &d.head)
	if errors.Is(err, sql.ErrNoRows) {
		return next, nil
	}
	if err != nil {
		return next, fmt.Errorf("docs: read a document: %w", err)
	}
	floor, err := s.newestBefore(ctx, k, d.floor, d.head, time.Now().Add(-s.cfg.History))
	if err == nil && floor == d.floor+1 {
		var own bool
		if own, err = s.raises(ctx, k, floor); own { // that is no history
			if floor == d.head {
				return next, err
			}
			floor = d.floor
		}
	}
	if err != nil {
		return next, err
	}
	if floor > d.floor {
		err := s.inSession(ctx, k, func(x *session) error {
			m := topic.Mutation{Workspace: k.workspace, Route: k.id}
			return x.raiseFloor(ctx, m, nil, floor, func() error { return nil }, func(uint64) {})
		})
		if next, err = s.later(err); err != nil || !next.IsZero() {
			return next, err
		}
	}
	if floor == d.head { // nothing is left but the event of the floor
		return next, nil
	}
	return time.Now().Add(historyGap), nil
}

// newestBefore is the newest version, from one on to another, whose event is of before a time. Times rise with versions.
func (s *Server) newestBefore(ctx context.Context, k docKey, from, to uint64, end time.Time) (version uint64, err error) {
	n := sort.Search(int(to-from), func(i int) bool {
		var ms int64
		if err == nil {
			err = s.db.QueryRow(ctx, `SELECT time_ms FROM docs_log WHERE workspace = $1 AND topic = $2 AND "offset" = $3`,
				k.workspace, k.topic(), int64(from)+int64(i)+1).Scan(&ms)
		}
		return err != nil || ms >= end.UnixMilli()
	})
	if err != nil {
		return from, fmt.Errorf("docs: read times: %w", err)
	}
	return from + uint64(n), nil
}

// raises says whether an event is the one of a floor that rises.
func (s *Server) raises(ctx context.Context, k docKey, version uint64) (bool, error) {
	var body []byte
	err := s.db.QueryRow(ctx, `SELECT body FROM docs_log WHERE workspace = $1 AND topic = $2 AND "offset" = $3`, k.workspace, k.topic(), int64(version)).Scan(&body)
	var e docsv1.DocumentEvent
	if err == nil {
		err = proto.Unmarshal(body, &e)
	}
	if err != nil {
		return false, fmt.Errorf("docs: read an event: %w", err)
	}
	return e.GetHistoryErased() != nil, nil
}
