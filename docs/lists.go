package docs

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// What stands on covers is read from SQL, at whichever process is asked.

// roleOf is the caller's role by docs_role r: the better one of their own and, but for guests, everybody's.
const roleOf = `(SELECT coalesce(max(r.role), 0) FROM docs_role r WHERE r.workspace = d.workspace AND r.document = d.id
	AND (r.user_id = $2 OR (r.user_id = '*' AND $3)))`

// GetDocument reads a cover.
func (s *Server) GetDocument(ctx context.Context, q *docsv1.GetDocumentRequest) (*docsv1.GetDocumentResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	d, role, err := s.cover(ctx, c, q.GetDocument())
	if err != nil {
		return nil, err
	}
	return &docsv1.GetDocumentResponse{Document: d.proto(role)}, nil
}

// cover reads a document that the caller may read.
func (s *Server) cover(ctx context.Context, c auth.Caller, id string) (d document, role docsv1.Role, err error) {
	var r int32
	err = each(ctx, s.db.Query, `SELECT `+documentColumns+`, `+roleOf+` FROM docs_document d WHERE d.workspace = $1 AND d.id = $4`,
		[]any{c.Workspace, c.User, c.Kind != auth.KindGuest, id}, func(rows *sql.Rows) error { return d.scan(rows, &r) })
	if err != nil {
		return d, 0, fmt.Errorf("docs: read a document: %w", err)
	}
	if role = docsv1.Role(r); role < viewer || d.trashed && role < owner {
		return d, 0, errDocument
	}
	return d, role, nil
}

// ListDocuments lists what the caller may read.
func (s *Server) ListDocuments(ctx context.Context, q *docsv1.ListDocumentsRequest) (*docsv1.ListDocumentsResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit := int(q.GetLimit())
	switch {
	case limit == 0:
		limit = page
	case limit > MaxPage:
		return nil, badField("limit", "A page has at most %d documents.", MaxPage)
	}
	before, behind, err := decodePage(q.GetPage())
	if err != nil {
		return nil, err
	}
	need := viewer
	if q.GetTrashed() {
		need = owner
	}
	res := &docsv1.ListDocumentsResponse{}
	var last document
	err = each(ctx, s.db.Query, `SELECT * FROM (SELECT `+documentColumns+`, `+roleOf+` AS mine FROM docs_document d
			WHERE d.workspace = $1 AND d.trashed = $4 AND (d.changed_ms < $5 OR (d.changed_ms = $5 AND d.id > $6))) x
		WHERE x.mine >= $7 ORDER BY x.changed_ms DESC, x.id LIMIT $8`,
		[]any{c.Workspace, c.User, c.Kind != auth.KindGuest, q.GetTrashed(), before, behind, int32(need), limit + 1}, func(rows *sql.Rows) error {
			var d document
			var role int32
			if err := d.scan(rows, &role); err != nil {
				return err
			}
			if len(res.GetDocuments()) == limit {
				res.Next = encodePage(last)
				return nil
			}
			last = d
			res.Documents = append(res.Documents, d.proto(docsv1.Role(role)))
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("docs: list documents: %w", err)
	}
	return res, nil
}

func encodePage(last document) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(last.changedMs, 10) + " " + last.id))
}

func decodePage(s string) (changedMs int64, id string, err error) {
	if s == "" {
		return 1 << 62, "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		ms, rest, _ := strings.Cut(string(text), " ")
		if changedMs, err = strconv.ParseInt(ms, 10, 64); err == nil && validID(rest) {
			return changedMs, rest, nil
		}
	}
	return 0, "", badField("page", "Send the next of the page before, or nothing.")
}

// ListRoles lists who has a role.
func (s *Server) ListRoles(ctx context.Context, q *docsv1.ListRolesRequest) (*docsv1.ListRolesResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	d, _, err := s.cover(ctx, c, q.GetDocument())
	if err != nil {
		return nil, err
	}
	roles, err := s.roles(ctx, d.docKey)
	if err != nil {
		return nil, err
	}
	res := &docsv1.ListRolesResponse{}
	for user, role := range roles {
		res.Grants = append(res.Grants, &docsv1.Grant{User: user, Role: role})
	}
	slices.SortFunc(res.GetGrants(), func(a, b *docsv1.Grant) int { return strings.Compare(a.GetUser(), b.GetUser()) })
	return res, nil
}
