package identity

import (
	"context"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/audit"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// admin serves the administration of a workspace. Who may do what is decided by each operation, in its transaction.
type admin struct {
	identityv1.UnimplementedAdminServiceServer
	s *Server
}

// The lifetimes of links.
const (
	minLinkTTL    = time.Minute
	maxLinkTTL    = 30 * 24 * time.Hour
	invitationTTL = 7 * 24 * time.Hour
	setupTTL      = 24 * time.Hour
)

// linkTTL applies a default and the bounds to the wanted lifetime of a link, in ms.
func linkTTL(want uint64, standard time.Duration) (int64, error) {
	if want == 0 {
		return standard.Milliseconds(), nil
	}
	if want < uint64(minLinkTTL.Milliseconds()) || want > uint64(maxLinkTTL.Milliseconds()) {
		return 0, invalid("ttl_ms", "A link lives from a minute to 30 days.")
	}
	return int64(want), nil
}

// keyParts name a mutation for the derivation of what it answers once: the same for every retry.
func keyParts(c auth.Caller, k topic.Key) []string {
	return []string{c.Workspace, k.User, k.ClientID, strconv.FormatUint(k.Seq, 10)}
}

// upcoming is what the mutation under way will be named; empty parts if the caller gave no number, which mutate refuses.
func upcoming(ctx context.Context) []string {
	c, _ := auth.FromContext(ctx)
	k, _ := keyOf(ctx, c)
	return keyParts(c, k)
}

func (r *admin) Invite(ctx context.Context, q *identityv1.InviteRequest) (*identityv1.InviteResponse, error) {
	switch q.GetRole() {
	case identityv1.Role_ROLE_ADMIN, identityv1.Role_ROLE_MEMBER, identityv1.Role_ROLE_GUEST:
	default:
		return nil, invalid("role", "Invite members, guests or administrators.")
	}
	ttl, err := linkTTL(q.GetTtlMs(), invitationTTL)
	if err != nil {
		return nil, err
	}
	note, err := text("note", q.GetNote(), "")
	if err != nil {
		return nil, err
	}
	hash := sqlstore.Hash(linkSecret(r.s.ring.Derive("invitation", upcoming(ctx)...)))
	answer := &identityv1.InviteResponse{}
	c, key, err := r.s.mutate(ctx, q, &invite{q.GetRole(), note, ttl, hash}, answer)
	if err != nil {
		return nil, err
	}
	l, err := r.s.store.Reads().Link(ctx, c.Workspace, answer.GetInvitation().GetId())
	if err != nil {
		return nil, err
	}
	secret, ok := r.s.ring.Matches(func(b []byte) bool { return sameSecret(l.SecretHash, linkSecret(b)) }, "invitation", keyParts(c, key)...)
	if !ok {
		return nil, errSecretGone
	}
	return &identityv1.InviteResponse{Invitation: invitationProto(l), Secret: linkSecret(secret)}, nil
}

func (r *admin) ListInvitations(ctx context.Context, q *identityv1.ListInvitationsRequest) (*identityv1.ListInvitationsResponse, error) {
	c, err := may(ctx, policy.Invite, errNotAllowed)
	if err != nil {
		return nil, err
	}
	n, err := limit(q.GetLimit(), 50, 200)
	if err != nil {
		return nil, err
	}
	before, beforeID := int64(math.MaxInt64), ""
	if q.GetPage() != "" {
		place, err := decodePage(q.GetPage(), 2)
		if err != nil {
			return nil, err
		}
		if before, err = strconv.ParseInt(place[0], 10, 64); err != nil {
			return nil, invalid("page", "This is not a page of ours. Begin with the first.")
		}
		beforeID = place[1]
	}
	rows, err := r.s.store.Reads().Links(ctx, c.Workspace, before, beforeID, n+1)
	if err != nil {
		return nil, err
	}
	out := &identityv1.ListInvitationsResponse{}
	if len(rows) > n {
		rows = rows[:n]
		out.Next = pageToken(strconv.FormatInt(rows[n-1].CreatedMs, 10), rows[n-1].ID)
	}
	out.Invitations = each(rows, invitationProto)
	return out, nil
}

func (r *admin) RevokeInvitation(ctx context.Context, q *identityv1.RevokeInvitationRequest) (*identityv1.RevokeInvitationResponse, error) {
	if _, _, err := r.s.mutate(ctx, q, &revokeInvitation{q.GetInvitationId()}, nil); err != nil {
		return nil, err
	}
	return &identityv1.RevokeInvitationResponse{}, nil
}

// person runs an operation on somebody and answers how they are now.
func (r *admin) person(ctx context.Context, q proto.Message, what operation, id string) (*identityv1.Person, error) {
	c, _, err := r.s.mutate(ctx, q, what, nil)
	if err != nil {
		return nil, err
	}
	p, err := r.s.store.Reads().Person(ctx, c.Workspace, id)
	if err != nil {
		return nil, err
	}
	return personProto(p), nil
}

func (r *admin) ChangeRole(ctx context.Context, q *identityv1.ChangeRoleRequest) (*identityv1.ChangeRoleResponse, error) {
	switch q.GetRole() {
	case identityv1.Role_ROLE_OWNER, identityv1.Role_ROLE_ADMIN, identityv1.Role_ROLE_MEMBER, identityv1.Role_ROLE_GUEST:
	case identityv1.Role_ROLE_SERVICE:
		return nil, errService
	default:
		return nil, invalid("role", "Choose owner, admin, member or guest.")
	}
	p, err := r.person(ctx, q, &changeRole{q.GetUserId(), q.GetRole()}, q.GetUserId())
	if err != nil {
		return nil, err
	}
	return &identityv1.ChangeRoleResponse{Person: p}, nil
}

func (r *admin) SetActive(ctx context.Context, q *identityv1.SetActiveRequest) (*identityv1.SetActiveResponse, error) {
	p, err := r.person(ctx, q, &setActive{q.GetUserId(), q.GetActive()}, q.GetUserId())
	if err != nil {
		return nil, err
	}
	return &identityv1.SetActiveResponse{Person: p}, nil
}

func (r *admin) RevokeDevices(ctx context.Context, q *identityv1.RevokeDevicesRequest) (*identityv1.RevokeDevicesResponse, error) {
	if _, _, err := r.s.mutate(ctx, q, &revokeDevices{q.GetUserId(), q.GetWipe()}, nil); err != nil {
		return nil, err
	}
	return &identityv1.RevokeDevicesResponse{}, nil
}

func (r *admin) CreateGroup(ctx context.Context, q *identityv1.CreateGroupRequest) (*identityv1.CreateGroupResponse, error) {
	h, err := handle(q.GetHandle())
	if err != nil {
		return nil, err
	}
	name, err := text("name", q.GetName(), h)
	if err != nil {
		return nil, err
	}
	if err := ids("members", q.GetMembers()); err != nil {
		return nil, err
	}
	answer := &identityv1.CreateGroupResponse{}
	c, _, err := r.s.mutate(ctx, q, &createGroup{h, name, q.GetMembers()}, answer)
	if err != nil {
		return nil, err
	}
	g, err := r.s.group(ctx, c.Workspace, answer.GetGroup().GetId())
	return &identityv1.CreateGroupResponse{Group: g}, err
}

// group reads a group for an answer; it may be gone when a retry asks.
func (s *Server) group(ctx context.Context, workspace, id string) (*identityv1.Group, error) {
	g, err := s.store.Reads().Group(ctx, workspace, id)
	if isNotFound(err) {
		return &identityv1.Group{Id: id}, nil
	} else if err != nil {
		return nil, err
	}
	return groupProto(g, nil), nil
}

func (r *admin) UpdateGroup(ctx context.Context, q *identityv1.UpdateGroupRequest) (*identityv1.UpdateGroupResponse, error) {
	u := &updateGroup{id: q.GetGroupId()}
	if q.Handle != nil {
		h, err := handle(q.GetHandle())
		if err != nil {
			return nil, err
		}
		u.handle = &h
	}
	if q.Name != nil {
		name, err := text("name", q.GetName(), "")
		if err == nil && name == "" {
			err = invalid("name", "Give a name.")
		}
		if err != nil {
			return nil, err
		}
		u.name = &name
	}
	c, _, err := r.s.mutate(ctx, q, u, nil)
	if err != nil {
		return nil, err
	}
	g, err := r.s.group(ctx, c.Workspace, q.GetGroupId())
	return &identityv1.UpdateGroupResponse{Group: g}, err
}

func (r *admin) ChangeGroupMembers(ctx context.Context, q *identityv1.ChangeGroupMembersRequest) (*identityv1.ChangeGroupMembersResponse, error) {
	if err := ids("add", q.GetAdd()); err != nil {
		return nil, err
	}
	if err := ids("remove", q.GetRemove()); err != nil {
		return nil, err
	}
	answer := &identityv1.ChangeGroupMembersResponse{}
	if _, _, err := r.s.mutate(ctx, q, &changeGroupMembers{q.GetGroupId(), q.GetAdd(), q.GetRemove()}, answer); err != nil {
		return nil, err
	}
	return answer, nil
}

func (r *admin) DeleteGroup(ctx context.Context, q *identityv1.DeleteGroupRequest) (*identityv1.DeleteGroupResponse, error) {
	if _, _, err := r.s.mutate(ctx, q, &deleteGroup{q.GetGroupId()}, nil); err != nil {
		return nil, err
	}
	return &identityv1.DeleteGroupResponse{}, nil
}

func (r *admin) CreateServiceAccount(ctx context.Context, q *identityv1.CreateServiceAccountRequest) (*identityv1.CreateServiceAccountResponse, error) {
	h, err := handle(q.GetHandle())
	if err != nil {
		return nil, err
	}
	name, err := text("display_name", q.GetDisplayName(), h)
	if err != nil {
		return nil, err
	}
	id := sqlstore.NewID()
	hash := sqlstore.Hash(serviceSecret(id, r.s.ring.Derive("service", upcoming(ctx)...)))
	answer := &identityv1.CreateServiceAccountResponse{}
	c, key, err := r.s.mutate(ctx, q, &createService{id, h, name, hash}, answer)
	if err != nil {
		return nil, err
	}
	p, secret, err := r.s.serviceSecret(ctx, c, key, answer.GetPerson().GetId())
	if err != nil {
		return nil, err
	}
	return &identityv1.CreateServiceAccountResponse{Person: personProto(p), Secret: secret}, nil
}

// serviceSecret derives the secret that a mutation gave a service account, if that is still its secret.
func (s *Server) serviceSecret(ctx context.Context, c auth.Caller, key topic.Key, id string) (sqlstore.Person, string, error) {
	p, err := s.store.Reads().Person(ctx, c.Workspace, id)
	if err != nil {
		return p, "", err
	}
	secret, ok := s.ring.Matches(func(b []byte) bool { return sameSecret(p.SecretHash, serviceSecret(id, b)) }, "service", keyParts(c, key)...)
	if !ok {
		return p, "", errSecretGone
	}
	return p, serviceSecret(id, secret), nil
}

func (r *admin) RotateServiceSecret(ctx context.Context, q *identityv1.RotateServiceSecretRequest) (*identityv1.RotateServiceSecretResponse, error) {
	hash := sqlstore.Hash(serviceSecret(q.GetUserId(), r.s.ring.Derive("service", upcoming(ctx)...)))
	c, key, err := r.s.mutate(ctx, q, &rotateService{q.GetUserId(), hash}, nil)
	if err != nil {
		return nil, err
	}
	_, secret, err := r.s.serviceSecret(ctx, c, key, q.GetUserId())
	if err != nil {
		return nil, err
	}
	return &identityv1.RotateServiceSecretResponse{Secret: secret}, nil
}

func (r *admin) UpdateWorkspace(ctx context.Context, q *identityv1.UpdateWorkspaceRequest) (*identityv1.UpdateWorkspaceResponse, error) {
	name, err := text("name", q.GetName(), "")
	if err == nil && name == "" && q.DocumentLinks == nil && q.CollaborationScore == nil && q.PresenceRecords == nil && q.TimeZone == nil {
		err = invalid("name", "Give a name.")
	}
	if err == nil {
		err = timeZone(q.GetTimeZone())
	}
	if err != nil {
		return nil, err
	}
	c, _, err := r.s.mutate(ctx, q, &updateWorkspace{name, q}, nil)
	if err != nil {
		return nil, err
	}
	w, err := r.s.store.Reads().Workspace(ctx, c.Workspace)
	if err != nil {
		return nil, err
	}
	return &identityv1.UpdateWorkspaceResponse{Workspace: workspaceProto(w)}, nil
}

func (r *admin) ListAudit(ctx context.Context, q *identityv1.ListAuditRequest) (*identityv1.ListAuditResponse, error) {
	c, err := may(ctx, policy.Manage, errNotAllowed)
	if err != nil {
		return nil, err
	}
	entries, err := r.s.listAudit(ctx, c.Workspace, q.GetBefore(), q.GetLimit())
	if err != nil {
		return nil, err
	}
	return &identityv1.ListAuditResponse{Entries: entries}, nil
}

// listAudit reads the newest entries of a chain before a number (0: the newest of all).
func (s *Server) listAudit(ctx context.Context, workspace string, before uint64, want uint32) ([]*identityv1.AuditEntry, error) {
	n, err := limit(want, 50, 200)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := s.store.Reads().AuditBefore(ctx, workspace, int64(min(before, math.MaxInt64)), n)
	if err != nil {
		return nil, err
	}
	var pseudonyms []string
	for _, e := range rows {
		pseudonyms = append(pseudonyms, e.Actor, e.Target)
	}
	known, err := s.store.Reads().Pseudonyms(ctx, workspace, pseudonyms)
	if err != nil {
		return nil, err
	}
	return each(rows, func(e audit.Entry) *identityv1.AuditEntry {
		return &identityv1.AuditEntry{
			Seq: e.Seq, TimeMs: e.TimeMs, Action: e.Action, Actor: e.Actor, Target: e.Target, Detail: e.Detail,
			ActorId: known[e.Actor], TargetId: known[e.Target], Hash: e.Hash,
		}
	}), nil
}

func (r *admin) VerifyAudit(ctx context.Context, q *identityv1.VerifyAuditRequest) (*identityv1.VerifyAuditResponse, error) {
	c, err := may(ctx, policy.Manage, errNotAllowed)
	if err != nil {
		return nil, err
	}
	report, err := r.s.verifyChain(ctx, c.Workspace, audit.Head{Seq: q.GetKnownSeq(), Hash: q.GetKnownHash()})
	if err != nil {
		return nil, err
	}
	return &identityv1.VerifyAuditResponse{
		Intact: report.Problem == "", Entries: report.Entries, HeadSeq: report.Head.Seq, HeadHash: report.Head.Hash, BrokenSeq: report.Broken, Problem: report.Problem,
	}, nil
}

// verifyChain walks an audit chain up to where it ends now.
func (s *Server) verifyChain(ctx context.Context, workspace string, anchor audit.Head) (audit.Report, error) {
	head, err := s.store.Reads().AuditHead(ctx, workspace)
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(s.store.Reads().AuditUpTo(ctx, workspace, head.Seq), head, anchor)
}
