package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	jobTrash jobKind = "trash"
	// trashGap is how long a document in the trash is left alone at most, so that another Config.Trash soon counts for it, too.
	trashGap = 24 * time.Hour
	// trashedBefore stands for a time that was not written down: the trash begins to count when the job comes by.
	trashedBefore = 1
)

// addEntry begins what lists look for in a document.
func (b *batch) addEntry(k docKey, creator, title string) error {
	return b.exec(`INSERT INTO docs_entry (workspace, document, creator, folder, title, trashed_ms) VALUES ($1, $2, $3, '', $4, 0)`,
		k.workspace, k.id, creator, folded(title))
}

func (b *batch) retitle(k docKey, title string) error {
	return b.exec(`UPDATE docs_entry SET title = $3 WHERE workspace = $1 AND document = $2`, k.workspace, k.id, folded(title))
}

// trash writes down since when a document is in the trash, and has somebody look after it.
func (b *batch) trash(k docKey, trashed bool, now time.Time) error {
	since := int64(0)
	if trashed {
		since = now.UnixMilli()
		if err := setJob(b.ctx, b.tx, k, jobTrash, now.Add(min(trashGap, max(b.cfg.Trash, time.Minute)))); err != nil {
			return err
		}
	}
	return b.exec(`UPDATE docs_entry SET trashed_ms = $3 WHERE workspace = $1 AND document = $2`, k.workspace, k.id, since)
}

// PurgeDocument deletes for good what is in the trash.
func (s *Server) PurgeDocument(ctx context.Context, q *docsv1.PurgeDocumentRequest) (*docsv1.PurgeDocumentResponse, error) {
	res := &docsv1.PurgeDocumentResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_PurgeDocument_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allow(c, owner); err != nil {
			return nil, err
		}
		if !x.cover.trashed {
			return nil, errNotTrashed
		}
		return x.purge(), nil
	}, func(version uint64) { res.Version = version })
}

// purge is the end of the document: nobody finds it from its commit on, and what is left of it is erased by the job that it leaves.
func (x *session) purge() *change {
	return &change{
		event:  &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Purged{Purged: &docsv1.Purged{}}},
		access: []*topicv1.Access{{Principal: everybody}},
		amend: amend{
			answer: func(row *topic.Row) proto.Message { return &docsv1.PurgeDocumentResponse{Version: row.Offset} },
			write: func(b *batch, st *topic.Step) error {
				st.Entries[0].Floor = b.documents[x.docKey].head
				return b.purge(x.docKey, st.Now)
			},
		},
		follow: func() { x.purged, x.leaving = true, true },
	}
}

// purge takes away what says that there is a document, and whose, and what was to be done with it.
//
// Invariant: who writes something of a document down beside the log holds its row meanwhile: what is to be erased is there when it is gone.
func (b *batch) purge(k docKey, now time.Time) error {
	if err := b.toErase(k, true); err != nil {
		return err
	}
	for _, table := range []string{"docs_document WHERE workspace = $1 AND id = $2", "docs_entry WHERE workspace = $1 AND document = $2", "docs_role WHERE workspace = $1 AND document = $2", "docs_share WHERE workspace = $1 AND document = $2", "docs_job WHERE workspace = $1 AND document = $2"} {
		if err := b.exec(`DELETE FROM `+table, k.workspace, k.id); err != nil {
			return err
		}
	}
	delete(b.documents, k)
	return setJob(b.ctx, b.tx, k, jobErase, now)
}

// purgeTrashed purges a document that has been in the trash for long enough.
func (s *Server) purgeTrashed(ctx context.Context, k docKey) (next time.Time, err error) {
	var trashed, entered bool
	var since int64
	err = s.db.QueryRow(ctx, `SELECT d.trashed, e.document IS NOT NULL, coalesce(e.trashed_ms, 0) FROM docs_document d
		LEFT JOIN docs_entry e ON e.workspace = d.workspace AND e.document = d.id WHERE d.workspace = $1 AND d.id = $2`, k.workspace, k.id).Scan(&trashed, &entered, &since)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && !trashed: // purged, or taken out
		return next, nil
	case err != nil:
		return next, fmt.Errorf("docs: read the trash: %w", err)
	case !entered: // another version of the service has made it, and that is still to be mended (begin.go)
		return time.Now().Add(jobPause), nil
	}
	now := time.Now()
	if since <= trashedBefore {
		since = now.UnixMilli()
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE docs_entry SET trashed_ms = $3 WHERE workspace = $1 AND document = $2 AND trashed_ms <= $4`, k.workspace, k.id, since, trashedBefore)
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return next, fmt.Errorf("docs: write the trash: %w", err)
		}
	}
	end := time.UnixMilli(since).Add(s.cfg.Trash)
	if s.cfg.Trash == 0 || end.After(now) {
		next = now.Add(trashGap)
		if s.cfg.Trash > 0 && end.Before(next) {
			next = end
		}
		return next, nil
	}
	err = s.inSession(ctx, k, func(x *session) error {
		return x.change(ctx, topic.Mutation{Workspace: k.workspace, Route: k.id}, nil, func() (*change, error) {
			if !x.cover.trashed { // just taken out
				return nil, nil //nolint:nilnil // nothing changes
			}
			return x.purge(), nil
		}, func(uint64) {})
	})
	return s.later(err)
}

// inSession does something of the service's own in a document's session, which is here. What it has to open for that it closes again: of many
// documents that are looked at, each would stay open for a while.
func (s *Server) inSession(ctx context.Context, k docKey, do func(x *session) error) error {
	for {
		s.mu.Lock()
		open := s.open[k]
		s.mu.Unlock()
		x, err := s.session(ctx, k)
		if err != nil {
			return err
		}
		err = do(x)
		if x != open {
			x.leave()
		}
		if !errors.Is(err, errEnded) {
			return err
		}
		select { // it was closing, or has lost the document: what is true is read again
		case <-x.gone:
		case <-x.adrift:
		case <-ctx.Done():
			return errAway.Because(ctx.Err())
		}
	}
}
