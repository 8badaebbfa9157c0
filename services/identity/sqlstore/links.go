package sqlstore

import (
	"context"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Link is a row of identity_link: a one-time secret, kept as its hash. Without a workspace it sets one up.
type Link struct {
	ID, SecretHash, Workspace string
	Role                      identityv1.Role
	Note, CreatedBy           string
	CreatedMs, ExpiresMs      int64
	UsedBy                    string
	UsedMs, RevokedMs         int64
}

// FirstRun is the id of the link of the installation's first run.
const FirstRun = "first-run"

const linkColumns = "id, secret_hash, workspace, role, note, created_by, created_ms, expires_ms, used_by, used_ms, revoked_ms"

func scanLink(s scanner, l *Link) error {
	return s.Scan(&l.ID, &l.SecretHash, &l.Workspace, &l.Role, &l.Note, &l.CreatedBy, &l.CreatedMs, &l.ExpiresMs, &l.UsedBy, &l.UsedMs, &l.RevokedMs)
}

// LinkBySecret returns a link for the bearer of its secret.
func (r Reads) LinkBySecret(ctx context.Context, secretHash string) (Link, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+linkColumns+" FROM identity_link WHERE secret_hash = $1", secretHash), scanLink, "link")
}

// Link returns a link of a workspace.
func (r Reads) Link(ctx context.Context, workspace, id string) (Link, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+linkColumns+" FROM identity_link WHERE workspace = $1 AND id = $2", workspace, id), scanLink, "link")
}

// Links returns at most limit invitations of a workspace, newest first, that stand behind a place in that order.
func (r Reads) Links(ctx context.Context, workspace string, beforeMs int64, beforeID string, limit int) ([]Link, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+linkColumns+` FROM identity_link WHERE workspace = $1 AND (created_ms < $2 OR created_ms = $2 AND id < $3)
		ORDER BY created_ms DESC, id DESC LIMIT $4`, workspace, beforeMs, beforeID, limit)
	return list(rows, err, scanLink, "links")
}

// AddLink inserts a link.
func (t Tx) AddLink(ctx context.Context, l Link) error {
	_, err := t.exec(ctx, "add link", "INSERT INTO identity_link ("+linkColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		l.ID, l.SecretHash, l.Workspace, l.Role, l.Note, l.CreatedBy, l.CreatedMs, l.ExpiresMs, l.UsedBy, l.UsedMs, l.RevokedMs)
	return err
}

// ArmFirstRun makes secretHash that of the first run. It reports false, and does nothing, once there is a workspace.
func (t Tx) ArmFirstRun(ctx context.Context, secretHash string, nowMs int64) (bool, error) {
	n, err := t.exec(ctx, "arm the first run", `INSERT INTO identity_link (`+linkColumns+`)
		SELECT $1, $2, '', $3, '', '', $4, 0, '', 0, 0 WHERE NOT EXISTS (SELECT 1 FROM identity_workspace)
		ON CONFLICT (id) DO UPDATE SET secret_hash = excluded.secret_hash WHERE identity_link.used_ms = 0`,
		FirstRun, secretHash, identityv1.Role_ROLE_OWNER, nowMs)
	return n > 0, err
}

// LockLink returns a link and keeps others from using or revoking it before the transaction ends.
func (t Tx) LockLink(ctx context.Context, id string) (Link, error) {
	return one(t.q.QueryRowContext(ctx, "SELECT "+linkColumns+" FROM identity_link WHERE id = $1"+t.lock, id), scanLink, "link")
}

// UseLink marks a locked link as used.
func (t Tx) UseLink(ctx context.Context, id, by string, nowMs int64) error {
	_, err := t.exec(ctx, "use link", "UPDATE identity_link SET used_by = $2, used_ms = $3 WHERE id = $1", id, by, nowMs)
	return err
}

// RevokeLink marks a link as revoked, if it was not used before.
func (t Tx) RevokeLink(ctx context.Context, workspace, id string, nowMs int64) (bool, error) {
	n, err := t.exec(ctx, "revoke link", "UPDATE identity_link SET revoked_ms = $3 WHERE workspace = $1 AND id = $2 AND used_ms = 0 AND revoked_ms = 0", workspace, id, nowMs)
	return n > 0, err
}
