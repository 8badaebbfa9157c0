package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// What takes somebody's access without being done to the document: they leave a group or a channel, links are not allowed any more, a grant
// expires. The document's log tells it, so that it has an offset, and whoever follows is asked for anew there.

// The jobs that see to it.
const (
	jobAccess    jobKind = "access"    // somebody may have lost access to a document by what they are a member of
	jobSweep     jobKind = "sweep"     // likewise, of many documents at a time: who loses access to few waits for none of these
	jobExpiry    jobKind = "expiry"    // a grant of a document expires
	jobContainer jobKind = "container" // in place of a document's id stands a container's, and all documents that name it are to be looked at
)

// reviewPage is how many documents are marked to be looked at in one transaction.
const reviewPage = 200

// review has the documents looked at that name a container, from a time on: by jobs of their own, or if they are many, by one that goes over them page
// by page. aLink alone names all links of the workspace.
func (s *Server) review(ctx context.Context, tx *sql.Tx, container docKey, due time.Time) error {
	list, err := s.naming(ctx, tx, container, "")
	if err != nil {
		return err
	}
	if len(list) == reviewPage {
		return setJob(ctx, tx, container, jobContainer, due)
	}
	return s.markThem(ctx, tx, container, list, jobAccess, due)
}

// naming is a page of the documents that name a container, behind one.
func (s *Server) naming(ctx context.Context, tx *sql.Tx, container docKey, behind string) ([]string, error) {
	q, args := `SELECT document FROM docs_share WHERE workspace = $1 AND container = $4 AND document > $2 ORDER BY document LIMIT $3`,
		[]any{container.workspace, behind, reviewPage, container.id}
	if container.id == aLink {
		q, args = `SELECT DISTINCT document FROM docs_link WHERE workspace = $1 AND document > $2 ORDER BY document LIMIT $3`, args[:3]
	}
	list, err := texts(ctx, tx.QueryContext, q, args...)
	if err != nil {
		return nil, fmt.Errorf("docs: look for documents that name %s: %w", container.id, err)
	}
	return list, nil
}

// markThem asks for a job of each of the documents that name a container.
func (s *Server) markThem(ctx context.Context, tx *sql.Tx, container docKey, list []string, kind jobKind, due time.Time) error {
	if len(list) == 0 {
		return nil
	}
	keys := make([][]any, len(list))
	for i, document := range list {
		keys[i] = []any{container.workspace, document}
	}
	if _, err := tx.ExecContext(ctx, s.sql.mark, append(s.sql.keys.Args(keys), string(kind), due.UnixMilli())...); err != nil {
		return fmt.Errorf("docs: mark documents that name %s: %w", container.id, err)
	}
	return nil
}

// reviewContainer marks all documents that name a container, a page after the other.
func (s *Server) reviewContainer(ctx context.Context, container docKey) (next time.Time, err error) {
	for last, more := "", true; more && err == nil; {
		err = s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // says what failed
			list, err := s.naming(ctx, tx, container, last)
			if more = len(list) == reviewPage; more {
				last = list[len(list)-1]
			}
			if err != nil {
				return err
			}
			return s.markThem(ctx, tx, container, list, jobSweep, time.Now())
		})
	}
	return time.Time{}, err //nolint:wrapcheck // says what failed
}

// accessJob has a document's session tell that somebody may have lost access.
func (s *Server) accessJob(ctx context.Context, k docKey) (next time.Time, err error) {
	named := false
	err = s.db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM docs_share WHERE workspace = $1 AND document = $2)`, k.workspace, k.id).Scan(&named)
	if err != nil || !named {
		return time.Time{}, err //nolint:wrapcheck // whose job says what failed
	}
	_, err = s.reviewed(ctx, k, true)
	return s.later(err)
}

// expiryJob has a document's session take the grants away that have expired.
func (s *Server) expiryJob(ctx context.Context, k docKey) (next time.Time, err error) {
	if next, err = s.reviewed(ctx, k, false); err == nil {
		return next, nil
	}
	return s.later(err)
}

// later is when what has failed is tried again: at the next look where another process has the document, for it is to be here.
func (s *Server) later(err error) (time.Time, error) {
	_, elsewhere := errors.AsType[*ownedBy](err)
	switch reason := rpc.FromError(err).GetReason(); {
	case elsewhere || isAway(err):
		return time.Now().Add(jobGap), nil
	case reason == errDocument.Reason: // there is none
		return time.Time{}, nil
	case reason == errDamaged.Reason: // nobody reads it
		return time.Now().Add(time.Hour), nil
	}
	return time.Time{}, err
}

// reviewed looks at a document, opens it if it isn't, and returns when its next grant expires.
func (s *Server) reviewed(ctx context.Context, k docKey, left bool) (expires time.Time, err error) {
	for {
		x, err := s.session(ctx, k)
		if err != nil {
			return time.Time{}, err
		}
		expires, err := x.review(ctx, left)
		if !errors.Is(err, errEnded) {
			x.rest()
			return expires, err
		}
		select {
		case <-x.gone:
		case <-ctx.Done():
			return time.Time{}, errAway.Because(ctx.Err())
		}
	}
}

// review takes away what has expired. If that, or who has left what has a role, may have taken somebody's access, it is told.
//
// Invariant: behind the event nobody does anything by what was known of their memberships before it.
func (x *session) review(ctx context.Context, left bool) (expires time.Time, err error) {
	var a *amendment
	err = x.once(ctx, func() error {
		expired := x.grants.expired()
		x.members.forget()
		if len(expired) > 0 || left && x.grants.containers > 0 && !x.cover.trashed { // in the trash nobody has access by a container
			if a, err = x.tellAccess(expired); err != nil {
				return err
			}
		}
		expires = x.grants.expires()
		return nil
	})
	if err == nil && a != nil {
		err = x.outcome(ctx, a, func(uint64) {})
	}
	return expires, err
}

// tellAccess begins to commit that access may have changed.
func (x *session) tellAccess(expired []string) (*amendment, error) {
	entry, err := x.entry("", &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_AccessChanged{AccessChanged: &docsv1.AccessChanged{Expired: expired}}})
	if err != nil {
		return nil, err
	}
	entry.Access = []*topicv1.Access{{Principal: everybody}}
	a, err := x.amend(topic.Mutation{}, &amend{
		entry:  entry,
		answer: func(*topic.Row) proto.Message { return &docsv1.SetRoleResponse{} },
		write: func(b *batch, _ *topic.Step) error {
			for _, principal := range expired {
				if err := setRole(b.ctx, b.tx, x.docKey, principal, grant{}); err != nil {
					return err
				}
			}
			return nil
		},
	}, ot.Delta{}, nil)
	if err != nil {
		return nil, err
	}
	for _, principal := range expired {
		x.grants.set(principal, grant{})
	}
	return a, nil
}

// rest ends a session that nobody but jobs has used: of many documents that are looked at, each would stay open for a while.
func (x *session) rest() { x.tell(func() { x.leaving = x.leaving || !x.wanted }) }
