package docs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// A link is a container that whoever has its secret becomes a member of. Of the secret its SHA-256 is stored: it is as random as that, so that
// nothing slower is needed.

// newSecret makes 256 bits, as they stand in a URL.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// linksAllowed reports whether links count in a workspace.
func (s *Server) linksAllowed(ctx context.Context, workspace string) (allowed bool, err error) {
	err = s.db.QueryRow(ctx, `SELECT links FROM docs_workspace WHERE id = $1`, workspace).Scan(&allowed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("docs: read whether links count: %w", err)
	}
	return allowed, nil
}

// CreateLink makes a link.
func (s *Server) CreateLink(ctx context.Context, q *docsv1.CreateLinkRequest) (*docsv1.CreateLinkResponse, error) {
	if q.GetRole() < viewer || q.GetRole() > editor {
		return nil, badField("role", "A link makes viewers, commenters or editors.")
	}
	if err := checkExpiry(q.GetExpiresMs(), maxLinkExpiry, "366 days"); err != nil {
		return nil, err
	}
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	id, to, secret := newID(c.Workspace, key, k.id), grant{q.GetRole(), q.GetExpiresMs()}, newSecret()
	digest := sha256.Sum256([]byte(secret))
	res := &docsv1.CreateLinkResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_CreateLink_FullMethodName, q, res, func(x *session) error {
		allowed, err := s.linksAllowed(ctx, k.workspace)
		if err != nil {
			return err
		}
		m := topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}
		return x.change(ctx, m, res, func() (*change, error) {
			if err := x.allowChange(c, owner); err != nil {
				return nil, err
			}
			if !allowed {
				return nil, errNoLinks
			}
			if err := x.roomFor(aLink+id, grant{}, to); err != nil {
				return nil, err
			}
			g := &docsv1.Grant{Principal: aLink + id, Role: to.role, ExpiresMs: to.expiresMs}
			return &change{
				event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_RoleSet{RoleSet: &docsv1.RoleSet{Grant: g}}},
				amend: amend{
					role:   g,
					answer: func(row *topic.Row) proto.Message { return &docsv1.CreateLinkResponse{Link: id, Version: row.Offset} }, // kept, and so without the secret
					write: func(b *batch, _ *topic.Step) error {
						return b.exec(`INSERT INTO docs_link (workspace, document, link, digest) VALUES ($1, $2, $3, $4)`, k.workspace, k.id, id, digest[:])
					},
				},
				follow: func() { x.grants.set(aLink+id, to) },
			}, nil
		}, func(version uint64) { res.Link, res.Secret, res.Version = id, secret, version })
	})
}

// OpenLink makes the caller a member of a link. Whatever is wrong with it has one answer, for who has no access must not learn what there is.
func (s *Server) OpenLink(ctx context.Context, q *docsv1.OpenLinkRequest) (*docsv1.OpenLinkResponse, error) {
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	if !validID(k.id) {
		return nil, errLink
	}
	link, err := s.linkOf(ctx, k, q.GetSecret())
	if err != nil {
		return nil, err
	}
	var role docsv1.Role
	res := &docsv1.OpenLinkResponse{}
	m := topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}
	if link == "" {
		return res, s.firstAnswer(ctx, m, res, errLink)
	}
	principal := aLink + link
	err = s.find(ctx, k, docsv1.DocsService_OpenLink_FullMethodName, q, res, func(x *session) error {
		before, err := s.memberships(ctx, k.workspace, &unread{users: []string{c.User}, containers: []string{principal}})
		if err != nil {
			return err
		}
		return x.change(ctx, m, res, func() (*change, error) {
			if role = x.grants.of[principal].now(); role < viewer || x.cover.trashed {
				return nil, errLink
			}
			if len(before[c.User].in) > 0 {
				return nil, nil //nolint:nilnil // nothing changes
			}
			return &change{
				event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_LinkOpened{LinkOpened: &docsv1.LinkOpened{Link: link}}},
				amend: amend{
					committed: x.members.forget, // before it is answered: who has joined is let in at once
					answer:    func(row *topic.Row) proto.Message { return &docsv1.OpenLinkResponse{Role: role, Version: row.Offset} },
					write: func(b *batch, _ *topic.Step) error {
						return b.exec(`INSERT INTO docs_member (workspace, container, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, k.workspace, principal, c.User)
					},
				},
			}, nil
		}, func(version uint64) { res.Version = version })
	})
	if err == nil && res.GetRole() < viewer { // it was not answered before, or elsewhere
		res.Role = role
	}
	return res, err
}

// linkOf is the id of the link of a document that a secret opens now; empty: none.
func (s *Server) linkOf(ctx context.Context, k docKey, secret string) (link string, err error) {
	digest := sha256.Sum256([]byte(secret))
	err = each(ctx, s.db.Query, `SELECT l.link, l.digest FROM docs_link l
			INNER JOIN docs_share s ON s.workspace = l.workspace AND s.document = l.document AND s.container = '`+aLink+`' || l.link AND s.expires_ms > $3
			INNER JOIN docs_workspace w ON w.id = l.workspace AND w.links
		WHERE l.workspace = $1 AND l.document = $2`, []any{k.workspace, k.id, time.Now().UnixMilli()}, func(r *sql.Rows) error {
		var id string
		var of []byte
		err := r.Scan(&id, &of)
		if subtle.ConstantTimeCompare(of, digest[:]) == 1 {
			link = id
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("docs: look for a link: %w", err)
	}
	return link, nil
}
