package docs

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// What stands on covers is read from SQL, at whichever process is asked.

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

// coverFor is cover for who calls.
func (s *Server) coverFor(ctx context.Context, id string) (d document, role docsv1.Role, err error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return d, 0, err
	}
	return s.cover(ctx, c, id)
}

// cover reads a document that the caller may read.
func (s *Server) cover(ctx context.Context, c auth.Caller, id string) (d document, role docsv1.Role, err error) {
	var r int32
	err = each(ctx, s.db.Query, `SELECT `+documentColumns+`, `+s.sql.roleOf+` FROM docs_document d WHERE d.workspace = $1 AND d.id = $5`,
		[]any{c.Workspace, c.User, c.Kind != auth.KindGuest, time.Now().UnixMilli(), id}, func(rows *sql.Rows) error { return d.scan(rows, &r) })
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
	err = each(ctx, s.db.Query, `SELECT * FROM (SELECT `+documentColumns+`, `+s.sql.roleOf+` AS mine FROM docs_document d
			WHERE d.workspace = $1 AND d.trashed = $5 AND (d.changed_ms < $6 OR (d.changed_ms = $6 AND d.id > $7))) x
		WHERE x.mine >= $8 ORDER BY x.changed_ms DESC, x.id LIMIT $9`,
		[]any{c.Workspace, c.User, c.Kind != auth.KindGuest, time.Now().UnixMilli(), q.GetTrashed(), before, behind, int32(need), limit + 1}, func(rows *sql.Rows) error {
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
	all, err := s.grants(ctx, d.docKey)
	if err != nil {
		return nil, err
	}
	res := &docsv1.ListRolesResponse{}
	for principal, g := range all.of {
		if g.now() == g.role {
			res.Grants = append(res.Grants, &docsv1.Grant{Principal: principal, Role: g.role, ExpiresMs: g.expiresMs})
		}
	}
	slices.SortFunc(res.GetGrants(), func(a, b *docsv1.Grant) int { return strings.Compare(a.GetPrincipal(), b.GetPrincipal()) })
	return res, nil
}
