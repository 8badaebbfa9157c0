package identity

import (
	"context"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// join spends a link: it creates an account, and before it the workspace if the link sets one up.
type join struct {
	link                          string
	create                        *sqlstore.Workspace // nil: joins the one of the link
	role                          identityv1.Role
	handle, displayName, password string // the password's hash
}

func (*join) needs() policy.Permission { return "" }

func (j *join) apply(ctx context.Context, c *change) error {
	link, err := c.LockLink(ctx, j.link)
	if err != nil {
		return err
	}
	if !usable(link, c.nowMs) {
		return errLink
	}
	if may, err := mayStillInvite(ctx, c.Reads, link); err != nil {
		return err
	} else if !may {
		return errLink
	}
	if link.ID == sqlstore.FirstRun { // another link may have been quicker: the first run is over then
		if first, err := c.Workspaces(ctx, "", 1); err != nil {
			return err
		} else if len(first) > 0 {
			return errLink
		}
	}
	if taken, err := c.HandleTaken(ctx, c.workspace, j.handle); err != nil {
		return err
	} else if taken {
		return errHandle
	}
	if j.create != nil {
		w := *j.create
		w.CreatedMs, w.Version = c.nowMs, 1
		if added, err := c.AddWorkspace(ctx, w); err != nil { // the last check, and the first write
			return err
		} else if !added {
			return errSlug
		}
		if err := c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_WorkspaceChanged{
			WorkspaceChanged: &identityv1.WorkspaceChanged{Workspace: workspaceProto(w)},
		}}); err != nil {
			return err
		}
	}
	id := sqlstore.NewID()
	if err := c.UseLink(ctx, j.link, id, c.nowMs); err != nil {
		return err
	}
	p := sqlstore.Person{
		ID: id, Workspace: c.workspace, Handle: j.handle, DisplayName: j.displayName, Role: j.role, Version: 1, CreatedMs: c.nowMs,
		Pseudonym: sqlstore.NewID(), Password: j.password,
	}
	if err := c.addPerson(ctx, p); err != nil {
		return err
	}
	c.answer = &identityv1.JoinResponse{Session: &identityv1.Session{Person: &identityv1.Person{Id: id}}}
	if j.create != nil {
		c.audit("workspace.created", p.Pseudonym, details{"slug": j.create.Slug})
	}
	c.audit("person.joined", p.Pseudonym, details{"handle": p.Handle, "role": policy.Name(p.Role), "link": j.link})
	return nil
}

// usable reports whether a link may be followed.
func usable(l sqlstore.Link, nowMs int64) bool {
	return l.UsedMs == 0 && l.RevokedMs == 0 && (l.ExpiresMs == 0 || nowMs < l.ExpiresMs)
}

// addPerson writes an account whose handle is free, and tells those who follow.
func (c *change) addPerson(ctx context.Context, p sqlstore.Person) error {
	if err := c.MoveHandle(ctx, p.Workspace, p.ID, "", p.Handle); err != nil {
		return err
	}
	if err := c.AddPerson(ctx, p); err != nil {
		return err
	}
	return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonAdded{PersonAdded: &identityv1.PersonAdded{Person: personProto(p)}}})
}

// invite creates an invitation.
type invite struct {
	role       identityv1.Role
	note       string
	ttlMs      int64
	secretHash string
}

func (i *invite) needs() policy.Permission { return inviting(i.role) }

// inviting is the permission that it takes to invite somebody to a role.
func inviting(role identityv1.Role) policy.Permission {
	if role == identityv1.Role_ROLE_ADMIN {
		return policy.Manage
	}
	return policy.Invite
}

// mayStillInvite reports whether the author of an invitation could make it now.
func mayStillInvite(ctx context.Context, r sqlstore.Reads, l sqlstore.Link) (bool, error) {
	return authorMay(ctx, r, l.Workspace, l.CreatedBy, func(role identityv1.Role) bool { return policy.May(role, inviting(l.Role)) })
}

func (i *invite) apply(ctx context.Context, c *change) error {
	l := sqlstore.Link{
		ID: sqlstore.NewID(), SecretHash: i.secretHash, Workspace: c.workspace, Role: i.role, Note: i.note, CreatedBy: c.actor.ID,
		CreatedMs: c.nowMs, ExpiresMs: c.nowMs + i.ttlMs,
	}
	if err := c.AddLink(ctx, l); err != nil {
		return err
	}
	c.answer = &identityv1.InviteResponse{Invitation: &identityv1.Invitation{Id: l.ID}}
	c.audit("invitation.created", l.ID, details{"role": policy.Name(l.Role), "expires_ms": l.ExpiresMs})
	return nil
}

// revokeInvitation ends an invitation.
type revokeInvitation struct{ id string }

func (*revokeInvitation) needs() policy.Permission { return policy.Invite }

func (r *revokeInvitation) apply(ctx context.Context, c *change) error {
	if !isID(r.id) {
		return errInvitation
	}
	l, err := c.Link(ctx, c.workspace, r.id)
	if isNotFound(err) {
		return errInvitation
	} else if err != nil {
		return err
	}
	if l.RevokedMs != 0 {
		return nil
	}
	if ok, err := c.RevokeLink(ctx, c.workspace, r.id, c.nowMs); err != nil {
		return err
	} else if !ok {
		return errLinkUsed
	}
	c.audit("invitation.revoked", r.id, nil)
	return nil
}
