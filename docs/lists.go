package docs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
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
	res := &docsv1.GetDocumentResponse{Document: d.proto(role)}
	return res, s.describe(ctx, c, []*docsv1.Document{res.GetDocument()})
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
	if !validID(id) {
		return d, 0, errDocument
	}
	var r int32
	err = each(ctx, s.db.Query, `SELECT `+documentColumns+`, `+s.sql.roleOf+` FROM docs_document d WHERE d.workspace = $1 AND d.id = $5`,
		[]any{c.Workspace, c.User, c.Kind != auth.KindGuest, time.Now().UnixMilli(), id}, func(rows *sql.Rows) error { return d.scan(rows, &r) })
	if err != nil {
		return d, 0, fmt.Errorf("docs: read a document: %w", err)
	}
	if role = docsv1.Role(r); !d.shownTo(role) {
		return d, 0, errDocument
	}
	return d, role, nil
}

// shownTo says whether somebody with a role may know of the document.
func (d *document) shownTo(role docsv1.Role) bool {
	return role >= viewer && (!d.trashed || role >= owner)
}

// describe adds to documents what doesn't stand in their rows: where they are, and what the caller has to do with them.
func (s *Server) describe(ctx context.Context, c auth.Caller, list []*docsv1.Document) error {
	keys, at := make([][]any, len(list)), make(map[string]*docsv1.Document, len(list))
	for i, d := range list {
		keys[i], at[d.GetId()] = []any{c.Workspace, d.GetId()}, d
	}
	args := s.sql.keys.Args(keys)
	gone := false
	err := each(ctx, s.db.Query, fmt.Sprintf(s.sql.describe, len(args)+1), append(args, c.User), func(r *sql.Rows) error {
		var id, folder string
		var deleted, starred bool
		var trashedMs, openedMs int64
		if err := r.Scan(&id, &folder, &deleted, &trashedMs, &starred, &openedMs); err != nil {
			return err //nolint:wrapcheck // said below
		}
		d := at[id]
		d.Folder, d.Starred, d.OpenedMs, gone = folder, starred, openedMs, gone || deleted
		if d.GetTrashed() && trashedMs > trashedBefore {
			if d.TrashedMs = trashedMs; s.cfg.Trash > 0 {
				d.PurgeMs = trashedMs + s.cfg.Trash.Milliseconds()
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("docs: describe documents: %w", err)
	}
	if !gone {
		return nil
	}
	t, err := readFolders(ctx, s.db.Query, c.Workspace, true)
	for _, d := range list {
		d.Folder = t.standsFor(d.GetFolder())
	}
	return err
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
