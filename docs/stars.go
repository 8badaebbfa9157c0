package docs

import (
	"context"
	"database/sql"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// What belongs to one person stands in the partition of their id, and its changes are told by their own topic, "docs.user/<user>".

// StarDocument stars a document, or takes the star away.
func (s *Server) StarDocument(ctx context.Context, q *docsv1.StarDocumentRequest) (*docsv1.StarDocumentResponse, error) {
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if !validID(q.GetDocument()) {
		return nil, errDocument
	}
	res := &docsv1.StarDocumentResponse{}
	o := &star{docKey{c.Workspace, q.GetDocument()}, c.User, c.Kind != auth.KindGuest, q.GetStarred()}
	return res, s.log.Mutate(ctx, topic.Mutation{Workspace: c.Workspace, Route: c.User, Key: key, Request: q, Op: o}, res)
}

// star puts a document on somebody's list, or takes it off.
type star struct {
	document docKey
	user     string
	member   bool // no guest
	on       bool
}

func (o *star) key() docKey { return docKey{workspace: o.document.workspace} }

func (o *star) plan(b *batch, _ *document, st *topic.Step) error {
	var changed []string
	var err error
	if o.on {
		changed, err = o.put(b, st)
	} else {
		changed, err = b.unstar(o.document.workspace, o.user, `document = $3`, o.document.id)
	}
	if err != nil {
		return err
	}
	for _, id := range changed {
		body, err := proto.Marshal(&docsv1.UserEvent{Event: &docsv1.UserEvent_Starred{Starred: &docsv1.Starred{Document: id, Starred: o.on && id == o.document.id}}})
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		st.Entries = append(st.Entries, topic.Entry{Topic: topicUser + o.user, Body: body})
	}
	st.Answer = func(rows []topic.Row) proto.Message {
		res := &docsv1.StarDocumentResponse{}
		if len(rows) > 0 {
			res.Offset = rows[0].Offset
		}
		return res
	}
	return nil
}

// put stars the document, if its reader is one, and returns it with those that fall off the list for it.
func (o *star) put(b *batch, st *topic.Step) (changed []string, err error) {
	d := document{}
	var role int32
	args := []any{o.document.workspace, o.user, o.member, st.Now.UnixMilli(), o.document.id}
	err = each(b.ctx, b.tx.QueryContext, `SELECT `+documentColumns+`, `+b.sql.roleOf+` FROM docs_document d WHERE d.workspace = $1 AND d.id = $5`, args,
		func(r *sql.Rows) error { return d.scan(r, &role) })
	if err != nil {
		return nil, fmt.Errorf("read a document: %w", err)
	}
	if !d.shownTo(docsv1.Role(role)) {
		return nil, errDocument
	}
	res, err := b.tx.ExecContext(b.ctx, b.sql.addStar, o.document.workspace, o.user, o.document.id, st.Now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("write a star: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return nil, err //nolint:wrapcheck // drivers' word
	}
	// The new one is not the oldest, even if others have its time.
	gone, err := b.unstar(o.document.workspace, o.user, `document IN (SELECT document FROM docs_star WHERE workspace = $1 AND user_id = $2
		ORDER BY CASE WHEN document = $3 THEN 0 ELSE 1 END, starred_ms DESC, document LIMIT 1000 OFFSET $4)`, o.document.id, MaxStars)
	return append([]string{o.document.id}, gone...), err
}

// unstar takes documents off somebody's list, and returns those that were on it.
func (b *batch) unstar(workspace, user, which string, args ...any) (gone []string, err error) {
	err = each(b.ctx, b.tx.QueryContext, `DELETE FROM docs_star WHERE workspace = $1 AND user_id = $2 AND `+which+` RETURNING document`,
		append([]any{workspace, user}, args...), func(r *sql.Rows) error {
			var id string
			err := r.Scan(&id)
			gone = append(gone, id)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("delete stars: %w", err)
	}
	return gone, nil
}
