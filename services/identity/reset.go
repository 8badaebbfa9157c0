package identity

import (
	"context"
	"errors"
	"time"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

const resetTTL = 24 * time.Hour

// issueReset makes the link by which somebody else chooses a new password.
type issueReset struct {
	user       string
	secretHash string
}

func (*issueReset) needs() policy.Permission { return policy.Manage }

func (r *issueReset) apply(ctx context.Context, c *change) error {
	p, err := c.target(ctx, r.user)
	if err != nil {
		return err
	}
	// Who has stolen a session may not take the account by it: one's own password is changed by the one before.
	if p.ID == c.actor.ID || !hasPassword(p) {
		return errNoReset
	}
	expires := c.nowMs + resetTTL.Milliseconds()
	if err := c.PutReset(ctx, sqlstore.Reset{
		Person: p.ID, Workspace: c.workspace, SecretHash: r.secretHash, CreatedBy: c.actor.ID, ExpiresMs: expires,
	}); err != nil {
		return err
	}
	c.answer = &identityv1.ResetPasswordResponse{ExpiresMs: expires}
	c.audit("password.reset_issued", p.Pseudonym, details{"expires_ms": expires})
	return nil
}

// hasPassword reports whether an account may sign in by a password.
func hasPassword(p sqlstore.Person) bool {
	return p.Role != identityv1.Role_ROLE_SERVICE && p.DeactivatedMs == 0
}

func (r *admin) ResetPassword(ctx context.Context, q *identityv1.ResetPasswordRequest) (*identityv1.ResetPasswordResponse, error) {
	answer := &identityv1.ResetPasswordResponse{}
	c, key, err := r.s.mutate(ctx, q, &issueReset{q.GetUserId(), sqlstore.Hash(linkSecret(r.s.ring.Derive("reset", upcoming(ctx)...)))}, answer)
	if err != nil {
		return nil, err
	}
	kept, err := r.s.store.Reads().ResetOf(ctx, c.Workspace, q.GetUserId())
	if isNotFound(err) {
		return nil, errSecretGone
	} else if err != nil {
		return nil, err
	}
	secret, ok := r.s.ring.Matches(func(b []byte) bool { return sameSecret(kept.SecretHash, linkSecret(b)) }, "reset", keyParts(c, key)...)
	if !ok {
		return nil, errSecretGone
	}
	answer.Secret = linkSecret(secret)
	return answer, nil
}

// describeReset tells what a reset is for; client is the one that asks.
func (s *Server) describeReset(ctx context.Context, r sqlstore.Reset, client string) (*identityv1.DescribeLinkResponse, error) {
	if r.UsedBy != "" && r.UsedBy != sqlstore.Hash(client) || time.Now().UnixMilli() >= r.ExpiresMs {
		return nil, errLink
	}
	w, err := s.store.Reads().Workspace(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	p, err := s.store.Reads().Person(ctx, r.Workspace, r.Person)
	if err != nil {
		return nil, err
	}
	return &identityv1.DescribeLinkResponse{Link: &identityv1.DescribeLinkResponse_Reset_{Reset_: &identityv1.ResetLink{
		WorkspaceSlug: w.Slug, WorkspaceName: w.Name, Handle: p.Handle, ExpiresMs: r.ExpiresMs,
	}}}, nil
}

func (r *sessions) UseReset(ctx context.Context, q *identityv1.UseResetRequest) (*identityv1.UseResetResponse, error) {
	session, err := r.s.useReset(ctx, q)
	if err != nil {
		return nil, err
	}
	return &identityv1.UseResetResponse{Session: session}, nil
}

// useReset spends a reset. The client that has spent it is signed in again with the same password, for it may not have heard of its
// success; to all others the link is worthless.
func (s *Server) useReset(ctx context.Context, q *identityv1.UseResetRequest) (*identityv1.Session, error) {
	c, err := client(q.GetClient())
	if err != nil {
		return nil, err
	}
	var r sqlstore.Reset
	if err := s.bySecret(ctx, func() (err error) {
		r, err = s.store.Reads().ResetBySecret(ctx, sqlstore.Hash(q.GetSecret()))
		return err
	}); err != nil {
		return nil, err
	}
	if time.Now().UnixMilli() >= r.ExpiresMs {
		return nil, errLink
	}
	by := sqlstore.Hash(c.GetClientId())
	switch r.UsedBy {
	case "":
	case by:
		p, err := s.store.Reads().Person(ctx, r.Workspace, r.Person)
		if err != nil {
			return nil, err
		}
		return s.signIn(ctx, "reset "+p.ID, p, c, q.GetPassword())
	default:
		return nil, errLink
	}
	password, err := s.passwords.Hash(ctx, sender(ctx), q.GetPassword())
	if err != nil {
		return nil, hashing(err)
	}
	session, err := s.enter(ctx, r.Workspace, r.Person, c, func(tx sqlstore.Tx, m *marks, p *sqlstore.Person) error {
		now := time.Now().UnixMilli()
		if err := spend(ctx, tx, r, *p, by, now); err != nil {
			return err
		}
		p.Password, p.TokensAfterMs = password, now+clockSkewMs
		if err := tx.UpdatePerson(ctx, *p); err != nil {
			return err
		}
		m.revoke(*p, "", now, false, false) // they come in anew by this
		m.audit(p.Workspace, now, "password.reset", p.Pseudonym, p.Pseudonym, details(nil).from(clientAddress(ctx)))
		return tx.RevokeDevices(ctx, p.Workspace, p.ID, "", now, false)
	})
	if errors.Is(err, errSignIn) { // deactivated meanwhile
		err = errLink
	}
	return session, err
}

// authorMay reports whether the author of a link is still there, with a role that may make it: who was dismissed finds no way back in
// by a link of their own. Those of the operator have no author.
func authorMay(ctx context.Context, r sqlstore.Reads, workspace, author string, may func(identityv1.Role) bool) (bool, error) {
	if author == "" {
		return true, nil
	}
	a, err := r.Person(ctx, workspace, author)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && a.DeactivatedMs == 0 && may(a.Role), err
}

// spend marks the reset of a locked person as used, unless it was replaced or used, or its author may not make it any more: the
// one may have become an owner since, the other may have been dismissed.
func spend(ctx context.Context, tx sqlstore.Tx, r sqlstore.Reset, p sqlstore.Person, by string, now int64) error {
	kept, err := tx.ResetOf(ctx, p.Workspace, p.ID)
	if isNotFound(err) || err == nil && (kept != r || now >= kept.ExpiresMs) {
		return errLink
	} else if err != nil {
		return err
	}
	if may, err := authorMay(ctx, tx.Reads, p.Workspace, r.CreatedBy, func(role identityv1.Role) bool { return policy.MayHandle(role, p.Role) }); err != nil {
		return err
	} else if !may {
		return errLink
	}
	return tx.UseReset(ctx, p.Workspace, p.ID, by)
}
