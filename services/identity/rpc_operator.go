package identity

import (
	"context"
	"crypto/rand"
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
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	secret, now := linkSecret(b[:]), time.Now().UnixMilli()
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

func (r *operator) VerifyChain(ctx context.Context, q *identityv1.VerifyChainRequest) (*identityv1.VerifyChainResponse, error) {
	report, err := r.s.verifyChain(ctx, q.GetWorkspaceId(), audit.Head{Seq: q.GetKnownSeq(), Hash: q.GetKnownHash()})
	if isNotFound(err) {
		return nil, errWorkspace
	} else if err != nil {
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
