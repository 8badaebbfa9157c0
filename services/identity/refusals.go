package identity

import (
	"context"
	"time"

	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	"plenum.internal/services/identity/sqlstore"
)

const (
	maxRefusals     = 100 // in one report
	maxAddressBytes = 64
)

// Report puts on record what a part of the mesh refused.
func (a *authService) Report(ctx context.Context, q *authv1.ReportRequest) (*authv1.ReportResponse, error) {
	refusals := q.GetRefusals()
	if len(refusals) == 0 || len(refusals) > maxRefusals {
		return nil, invalid("refusals", "Report 1 to %d at once.", maxRefusals)
	}
	for _, f := range refusals {
		if !reason(f.GetReason()) {
			return nil, invalid("refusals.reason", "A reason has 1 to 40 letters a-z, dots and underscores.")
		}
		if len(f.GetAddress()) > maxAddressBytes {
			return nil, invalid("refusals.address", "An address has at most %d bytes.", maxAddressBytes)
		}
	}
	now := time.Now().UnixMilli()
	m := marks{}
	for _, f := range refusals {
		workspace, target, err := a.s.concerns(ctx, f)
		if err != nil {
			return nil, err
		}
		m.audit(workspace, now, "refused."+f.GetReason(), "", target,
			details{"by": rpc.Peer(ctx), "count": max(f.GetCount(), 1), "since_ms": f.GetSinceMs()}.from(f.GetAddress()))
	}
	if err := a.s.store.Write(ctx, func(tx sqlstore.Tx) error { return m.write(ctx, tx) }); err != nil {
		return nil, err
	}
	return &authv1.ReportResponse{}, nil
}

// concerns tells in which workspace's log a refusal stands, and whom it is about (a pseudonym). What names no workspace of ours
// stands in the installation's; but while there is one workspace alone, its administrators are those who are to know.
func (s *Server) concerns(ctx context.Context, f *authv1.Refusal) (workspace, target string, err error) {
	reads := s.store.Reads()
	if f.GetWorkspace() != "" {
		if p, err := reads.Person(ctx, f.GetWorkspace(), f.GetUser()); err == nil {
			return p.Workspace, p.Pseudonym, nil
		} else if !isNotFound(err) {
			return "", "", err
		}
		if w, err := reads.Workspace(ctx, f.GetWorkspace()); err == nil {
			return w.ID, "", nil
		} else if !isNotFound(err) {
			return "", "", err
		}
	}
	all, err := reads.Workspaces(ctx, "", 2)
	if err != nil || len(all) != 1 {
		return "", "", err
	}
	return all[0].ID, "", nil
}

// reason reports whether s may stand in the name of an audit entry.
func reason(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '.' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}
