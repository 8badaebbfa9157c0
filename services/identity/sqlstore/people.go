package sqlstore

import (
	"context"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Workspace is a row of identity_workspace.
type Workspace struct {
	ID, Slug, Name     string
	Version, CreatedMs int64
	WorkspaceSettings
}

// WorkspaceSettings are what is allowed in a workspace, and done in it.
type WorkspaceSettings struct {
	DocumentLinks, CollaborationScore, PresenceRecords bool
	TimeZone                                           string
}

const workspaceColumns = "id, slug, name, version, created_ms, document_links, collaboration_score, presence_records, time_zone"

func scanWorkspace(s scanner, w *Workspace) error {
	return s.Scan(&w.ID, &w.Slug, &w.Name, &w.Version, &w.CreatedMs, &w.DocumentLinks, &w.CollaborationScore, &w.PresenceRecords, &w.TimeZone)
}

// Workspace returns a workspace by id.
func (r Reads) Workspace(ctx context.Context, id string) (Workspace, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+workspaceColumns+" FROM identity_workspace WHERE id = $1", id), scanWorkspace, "workspace")
}

// WorkspaceBySlug returns a workspace by the name that it is signed in to.
func (r Reads) WorkspaceBySlug(ctx context.Context, slug string) (Workspace, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+workspaceColumns+" FROM identity_workspace WHERE slug = $1", slug), scanWorkspace, "workspace")
}

// Workspaces returns at most limit workspaces whose slugs come after one.
func (r Reads) Workspaces(ctx context.Context, after string, limit int) ([]Workspace, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+workspaceColumns+" FROM identity_workspace WHERE slug > $1 ORDER BY slug LIMIT $2", after, limit)
	return list(rows, err, scanWorkspace, "workspaces")
}

// AddWorkspace inserts a workspace, with the head of its audit chain. It reports false, and does nothing, if the slug is taken.
func (t Tx) AddWorkspace(ctx context.Context, w Workspace) (bool, error) {
	n, err := t.exec(ctx, "add workspace", "INSERT INTO identity_workspace ("+workspaceColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
		w.ID, w.Slug, w.Name, w.Version, w.CreatedMs, w.DocumentLinks, w.CollaborationScore, w.PresenceRecords, w.TimeZone)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = t.exec(ctx, "add workspace", "INSERT INTO identity_audit_head (workspace, seq, hash) VALUES ($1, 0, $2)", w.ID, []byte{})
	return err == nil, err
}

// UpdateWorkspace writes name, version and settings.
func (t Tx) UpdateWorkspace(ctx context.Context, w Workspace) error {
	_, err := t.exec(ctx, "update workspace", `UPDATE identity_workspace SET name = $2, version = $3, document_links = $4, collaboration_score = $5, presence_records = $6, time_zone = $7 WHERE id = $1`,
		w.ID, w.Name, w.Version, w.DocumentLinks, w.CollaborationScore, w.PresenceRecords, w.TimeZone)
	return err
}

// Person is a row of identity_person.
type Person struct {
	ID, Workspace, Handle, DisplayName, Title string
	Role                                      identityv1.Role
	DeactivatedMs, Version, CreatedMs         int64
	Pseudonym, Password, SecretHash           string
	TokensAfterMs                             int64
}

const personColumns = "id, workspace, handle, display_name, title, role, deactivated_ms, version, created_ms, pseudonym, password, secret_hash, tokens_after_ms"

func scanPerson(s scanner, p *Person) error {
	return s.Scan(&p.ID, &p.Workspace, &p.Handle, &p.DisplayName, &p.Title, &p.Role, &p.DeactivatedMs, &p.Version, &p.CreatedMs,
		&p.Pseudonym, &p.Password, &p.SecretHash, &p.TokensAfterMs)
}

// Person returns an account of a workspace.
func (r Reads) Person(ctx context.Context, workspace, id string) (Person, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+personColumns+" FROM identity_person WHERE workspace = $1 AND id = $2", workspace, id), scanPerson, "person")
}

// PersonByHandle returns an account of a workspace by its handle.
func (r Reads) PersonByHandle(ctx context.Context, workspace, handle string) (Person, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+personColumns+" FROM identity_person WHERE workspace = $1 AND handle = $2", workspace, handle), scanPerson, "person")
}

// Account returns an account of whichever workspace, for a bearer of its secret.
func (r Reads) Account(ctx context.Context, id string) (Person, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+personColumns+" FROM identity_person WHERE id = $1", id), scanPerson, "account")
}

// LockPerson returns an account and keeps others from changing it before the transaction ends.
func (t Tx) LockPerson(ctx context.Context, workspace, id string) (Person, error) {
	return one(t.q.QueryRowContext(ctx, "SELECT "+personColumns+" FROM identity_person WHERE workspace = $1 AND id = $2"+t.lock, workspace, id), scanPerson, "person")
}

// PeopleByID returns those of the ids, at most some hundreds, that are accounts of the workspace.
func (r Reads) PeopleByID(ctx context.Context, workspace string, ids []string) ([]Person, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := r.q.QueryContext(ctx, "SELECT "+personColumns+" FROM identity_person WHERE workspace = $1 AND id IN "+in(2, len(ids)), anys([]any{workspace}, ids)...)
	return list(rows, err, scanPerson, "people")
}

// People returns at most limit accounts whose handles come after one.
func (r Reads) People(ctx context.Context, workspace, after string, limit int, deactivated bool) ([]Person, error) {
	where := " AND deactivated_ms = 0"
	if deactivated {
		where = ""
	}
	rows, err := r.q.QueryContext(ctx, "SELECT "+personColumns+" FROM identity_person WHERE workspace = $1 AND handle > $2"+where+" ORDER BY handle LIMIT $3", workspace, after, limit)
	return list(rows, err, scanPerson, "people")
}

// OtherOwners counts the active owners of a workspace but one.
func (r Reads) OtherOwners(ctx context.Context, workspace, but string) (int, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT count(*) FROM identity_person WHERE workspace = $1 AND role = $2 AND deactivated_ms = 0 AND id <> $3",
		workspace, identityv1.Role_ROLE_OWNER, but), func(s scanner, n *int) error { return s.Scan(n) }, "owners")
}

// AddPerson inserts an account, whose handle was taken before.
func (t Tx) AddPerson(ctx context.Context, p Person) error {
	_, err := t.exec(ctx, "add person", "INSERT INTO identity_person ("+personColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
		p.ID, p.Workspace, p.Handle, p.DisplayName, p.Title, p.Role, p.DeactivatedMs, p.Version, p.CreatedMs, p.Pseudonym, p.Password, p.SecretHash, p.TokensAfterMs)
	return err
}

// UpdatePerson writes all that may change of an account.
func (t Tx) UpdatePerson(ctx context.Context, p Person) error {
	_, err := t.exec(ctx, "update person", `UPDATE identity_person SET handle = $3, display_name = $4, title = $5, role = $6, deactivated_ms = $7,
		version = $8, password = $9, secret_hash = $10, tokens_after_ms = $11 WHERE workspace = $1 AND id = $2`,
		p.Workspace, p.ID, p.Handle, p.DisplayName, p.Title, p.Role, p.DeactivatedMs, p.Version, p.Password, p.SecretHash, p.TokensAfterMs)
	return err
}

// HandleTaken reports whether a person or group of the workspace goes by the handle.
func (r Reads) HandleTaken(ctx context.Context, workspace, handle string) (bool, error) {
	n, err := one(r.q.QueryRowContext(ctx, "SELECT count(*) FROM identity_handle WHERE workspace = $1 AND handle = $2", workspace, handle),
		func(s scanner, n *int) error { return s.Scan(n) }, "handle")
	return n > 0, err
}

// MoveHandle gives the owner a handle, and frees the one it had (empty: none). An empty new handle only frees.
func (t Tx) MoveHandle(ctx context.Context, workspace, owner, from, to string) error {
	if from != "" {
		if _, err := t.exec(ctx, "free handle", "DELETE FROM identity_handle WHERE workspace = $1 AND handle = $2 AND owner = $3", workspace, from, owner); err != nil {
			return err
		}
	}
	if to == "" {
		return nil
	}
	_, err := t.exec(ctx, "take handle", "INSERT INTO identity_handle (workspace, handle, owner) VALUES ($1, $2, $3)", workspace, to, owner)
	return err
}
