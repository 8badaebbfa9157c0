package identity

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/audit"
	"plenum.internal/services/identity/sqlstore"
)

// operator serves whoever runs the installation; the rpc server admits the service identity "operator" alone.
type operator struct {
	identityv1.UnimplementedOperatorServiceServer
	s *Server
}

func (r *operator) IssueSetup(ctx context.Context, q *identityv1.IssueSetupRequest) (*identityv1.IssueSetupResponse, error) {
	ttl, err := linkTTL(q.GetTtlMs(), setupTTL)
	if err != nil {
		return nil, err
	}
	secret, now := newSecret(), time.Now().UnixMilli()
	l := sqlstore.Link{
		ID: sqlstore.NewID(), SecretHash: sqlstore.Hash(secret), Role: identityv1.Role_ROLE_OWNER, CreatedMs: now, ExpiresMs: now + ttl,
	}
	if err := r.s.store.Write(ctx, func(tx sqlstore.Tx) error {
		m := marks{}
		m.audit("", now, "setup.issued", "", l.ID, details{"expires_ms": l.ExpiresMs})
		if err := tx.AddLink(ctx, l); err != nil {
			return err
		}
		return m.write(ctx, tx)
	}); err != nil {
		return nil, err
	}
	return &identityv1.IssueSetupResponse{Secret: secret, ExpiresMs: l.ExpiresMs}, nil
}

// newSecret is one of the operator's links: told once, and never again.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return linkSecret(b[:])
}

// IssueReset helps where nobody in the workspace can or may: with a sole owner who forgot the password. The people of the workspace
// see in their own audit log that it happened.
func (r *operator) IssueReset(ctx context.Context, q *identityv1.IssueResetRequest) (*identityv1.IssueResetResponse, error) {
	w, err := r.s.workspaceBySlug(ctx, q.GetWorkspaceSlug())
	if isNotFound(err) {
		return nil, errWorkspace
	} else if err != nil {
		return nil, err
	}
	secret, now := newSecret(), time.Now().UnixMilli()
	expires := now + resetTTL.Milliseconds()
	if err := r.s.store.Write(ctx, func(tx sqlstore.Tx) error {
		p, err := tx.PersonByHandle(ctx, w.ID, storable(q.GetHandle()))
		if err == nil {
			p, err = tx.LockPerson(ctx, w.ID, p.ID)
		}
		if isNotFound(err) {
			return errPerson.On("handle")
		} else if err != nil {
			return err
		}
		if !hasPassword(p) {
			return errNoReset
		}
		if err := tx.PutReset(ctx, sqlstore.Reset{Person: p.ID, Workspace: w.ID, SecretHash: sqlstore.Hash(secret), ExpiresMs: expires}); err != nil {
			return err
		}
		m := marks{}
		m.audit(w.ID, now, "password.reset_issued", "", p.Pseudonym, details{"by": "operator", "expires_ms": expires})
		return m.write(ctx, tx)
	}); err != nil {
		return nil, err
	}
	return &identityv1.IssueResetResponse{Secret: secret, ExpiresMs: expires}, nil
}

func (r *operator) ListWorkspaces(ctx context.Context, q *identityv1.ListWorkspacesRequest) (*identityv1.ListWorkspacesResponse, error) {
	const page = 200
	after, err := decodePage(q.GetPage(), 1)
	if err != nil {
		return nil, err
	}
	rows, err := r.s.store.Reads().Workspaces(ctx, after[0], page+1)
	if err != nil {
		return nil, err
	}
	out := &identityv1.ListWorkspacesResponse{}
	if len(rows) > page {
		rows = rows[:page]
		out.Next = pageToken(rows[page-1].Slug)
	}
	out.Workspaces = each(rows, workspaceProto)
	return out, nil
}

// chain is the id under which a workspace's audit chain stands, by its slug; an empty one stands for the installation.
func (r *operator) chain(ctx context.Context, slug string) (string, error) {
	if slug == "" {
		return "", nil
	}
	w, err := r.s.workspaceBySlug(ctx, slug)
	if isNotFound(err) {
		return "", errWorkspace
	}
	return w.ID, err
}

func (r *operator) ListChain(ctx context.Context, q *identityv1.ListChainRequest) (*identityv1.ListChainResponse, error) {
	workspace, err := r.chain(ctx, q.GetWorkspaceSlug())
	if err != nil {
		return nil, err
	}
	out := &identityv1.ListChainResponse{}
	if out.Entries, err = r.s.listAudit(ctx, workspace, q.GetBefore(), q.GetLimit()); err != nil {
		return nil, err
	}
	var named []string
	for _, e := range out.GetEntries() {
		for _, id := range []string{e.GetActorId(), e.GetTargetId()} {
			if id != "" && !slices.Contains(named, id) {
				named = append(named, id)
			}
		}
	}
	people, err := r.s.store.Reads().PeopleByID(ctx, workspace, named)
	out.People = each(people, personProto)
	return out, err
}

func (r *operator) VerifyChain(ctx context.Context, q *identityv1.VerifyChainRequest) (*identityv1.VerifyChainResponse, error) {
	workspace, err := r.chain(ctx, q.GetWorkspaceSlug())
	if err != nil {
		return nil, err
	}
	report, err := r.s.verifyChain(ctx, workspace, audit.Head{Seq: q.GetKnownSeq(), Hash: q.GetKnownHash()})
	if err != nil {
		return nil, err
	}
	return &identityv1.VerifyChainResponse{
		Intact: report.Problem == "", Entries: report.Entries, HeadSeq: report.Head.Seq, HeadHash: report.Head.Hash, BrokenSeq: report.Broken, Problem: report.Problem,
	}, nil
}

func (r *operator) RotateKeys(ctx context.Context, q *identityv1.RotateKeysRequest) (*identityv1.RotateKeysResponse, error) {
	if err := r.s.rotateKeys(ctx, q.GetDistrust()); err != nil {
		return nil, err
	}
	return &identityv1.RotateKeysResponse{}, nil
}
