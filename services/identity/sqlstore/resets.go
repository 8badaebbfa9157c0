package sqlstore

import "context"

// Reset is a row of identity_reset: a one-time secret for a new password, kept as its hash.
type Reset struct {
	Person, Workspace, SecretHash, CreatedBy string
	ExpiresMs                                int64
	UsedBy                                   string // hash of a client; empty: not used
}

const resetColumns = "person, workspace, secret_hash, created_by, expires_ms, used_by"

func scanReset(s scanner, r *Reset) error {
	return s.Scan(&r.Person, &r.Workspace, &r.SecretHash, &r.CreatedBy, &r.ExpiresMs, &r.UsedBy)
}

// ResetBySecret returns a reset for the bearer of its secret. A transaction locks its person before it relies on the answer.
func (r Reads) ResetBySecret(ctx context.Context, secretHash string) (Reset, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+resetColumns+" FROM identity_reset WHERE secret_hash = $1", secretHash), scanReset, "reset")
}

// ResetOf returns the reset of a person, used or not.
func (r Reads) ResetOf(ctx context.Context, workspace, person string) (Reset, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+resetColumns+" FROM identity_reset WHERE workspace = $1 AND person = $2", workspace, person), scanReset, "reset")
}

// PutReset inserts a reset in the place of the person's former one. The person is locked.
func (t Tx) PutReset(ctx context.Context, r Reset) error {
	if err := t.DropReset(ctx, r.Workspace, r.Person); err != nil {
		return err
	}
	_, err := t.exec(ctx, "add reset", "INSERT INTO identity_reset ("+resetColumns+") VALUES ($1, $2, $3, $4, $5, $6)",
		r.Person, r.Workspace, r.SecretHash, r.CreatedBy, r.ExpiresMs, r.UsedBy)
	return err
}

// UseReset marks a person's reset as used by a client. The person is locked.
func (t Tx) UseReset(ctx context.Context, workspace, person, by string) error {
	_, err := t.exec(ctx, "use reset", "UPDATE identity_reset SET used_by = $3 WHERE workspace = $1 AND person = $2", workspace, person, by)
	return err
}

// DropReset makes a person's link worthless, if there is one. The person is locked.
func (t Tx) DropReset(ctx context.Context, workspace, person string) error {
	_, err := t.exec(ctx, "drop reset", "DELETE FROM identity_reset WHERE workspace = $1 AND person = $2", workspace, person)
	return err
}

// PruneResets forgets what has expired.
func (t Tx) PruneResets(ctx context.Context, nowMs int64) error {
	_, err := t.exec(ctx, "prune resets", "DELETE FROM identity_reset WHERE expires_ms <= $1", nowMs)
	return err
}
