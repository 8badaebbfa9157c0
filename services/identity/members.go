package identity

import (
	"context"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// updateProfile changes what the actor is called; nil leaves a field as it is.
type updateProfile struct{ handle, displayName, title *string }

func (*updateProfile) needs() policy.Permission { return "" }

func (u *updateProfile) apply(ctx context.Context, c *change) error {
	p, previous := c.actor, c.actor
	for field, value := range map[*string]*string{&p.Handle: u.handle, &p.DisplayName: u.displayName, &p.Title: u.title} {
		if value != nil {
			*field = *value
		}
	}
	c.answer = &identityv1.UpdateProfileResponse{}
	if p == previous {
		return nil
	}
	changed := &identityv1.PersonChanged{}
	if p.Handle != previous.Handle {
		if taken, err := c.HandleTaken(ctx, c.workspace, p.Handle); err != nil {
			return err
		} else if taken {
			return errHandle
		}
		if err := c.MoveHandle(ctx, c.workspace, p.ID, previous.Handle, p.Handle); err != nil {
			return err
		}
		changed.PreviousHandle = previous.Handle
	}
	p.Version++
	if err := c.UpdatePerson(ctx, p); err != nil {
		return err
	}
	changed.Person = personProto(p)
	c.audit("profile.changed", p.Pseudonym, details{"handle": p.Handle})
	return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonChanged{PersonChanged: changed}})
}

// changePassword sets the actor's password and signs its other devices out. The current password was checked before the
// transaction, because that takes long; the verdict is heeded here, so that a retry after success gets the first answer.
type changePassword struct {
	verified bool
	was      string // the hash that was checked
	password string // hash
	device   string // stays signed in
}

func (*changePassword) needs() policy.Permission { return "" }

func (p *changePassword) apply(ctx context.Context, c *change) error {
	me := c.actor
	if !p.verified || p.was != me.Password {
		return errPassword
	}
	me.Password = p.password
	if err := c.UpdatePerson(ctx, me); err != nil {
		return err
	}
	devices, err := c.Devices(ctx, c.workspace, me.ID, maxDevices)
	if err != nil {
		return err
	}
	if err := c.RevokeDevices(ctx, c.workspace, me.ID, p.device, c.nowMs, false); err != nil {
		return err
	}
	for _, d := range devices {
		if d.ID != p.device {
			c.revoke(me, d.ID, false, true)
		}
	}
	if err := c.DropReset(ctx, c.workspace, me.ID); err != nil {
		return err
	}
	c.answer = &identityv1.ChangePasswordResponse{}
	c.audit("password.changed", me.Pseudonym, nil)
	return nil
}

// revokeDevice signs one device of the actor out.
type revokeDevice struct {
	id   string
	wipe bool
}

func (*revokeDevice) needs() policy.Permission { return "" }

func (r *revokeDevice) apply(ctx context.Context, c *change) error {
	if !isID(r.id) {
		return errDevice
	}
	d, err := c.Device(ctx, r.id)
	if isNotFound(err) || err == nil && (d.Workspace != c.workspace || d.Person != c.actor.ID) {
		return errDevice
	} else if err != nil {
		return err
	}
	live, err := c.RevokeDevice(ctx, c.workspace, c.actor.ID, r.id, c.nowMs, r.wipe)
	if err != nil {
		return err
	}
	c.answer = &identityv1.RevokeDeviceResponse{}
	if live || r.wipe {
		c.revoke(c.actor, r.id, r.wipe, true)
		c.audit("device.revoked", r.id, details{"wipe": r.wipe})
	}
	return nil
}

// revokeDevices signs somebody out everywhere.
type revokeDevices struct {
	user string
	wipe bool
}

func (*revokeDevices) needs() policy.Permission { return policy.Manage }

func (r *revokeDevices) apply(ctx context.Context, c *change) error {
	p, err := c.target(ctx, r.user)
	if err != nil {
		return err
	}
	c.answer = &identityv1.RevokeDevicesResponse{}
	c.audit("devices.revoked", p.Pseudonym, details{"wipe": r.wipe})
	return c.signOut(ctx, &p, r.wipe, true)
}

// signOut ends all tokens of a person, and the sessions of its devices too unless it is merely to refresh. It writes the person.
func (c *change) signOut(ctx context.Context, p *sqlstore.Person, wipe, devices bool) error {
	p.TokensAfterMs = c.nowMs + clockSkewMs
	if err := c.UpdatePerson(ctx, *p); err != nil {
		return err
	}
	c.revoke(*p, "", wipe, devices)
	if !devices || p.Role == identityv1.Role_ROLE_SERVICE { // a service account's only device lives as long as its secret
		return nil
	}
	return c.RevokeDevices(ctx, c.workspace, p.ID, "", c.nowMs, wipe)
}

// changeRole gives somebody another role. Their tokens say the old one, so they end.
type changeRole struct {
	user string
	role identityv1.Role
}

func (*changeRole) needs() policy.Permission { return policy.Manage }

func (r *changeRole) apply(ctx context.Context, c *change) error {
	p, err := c.target(ctx, r.user)
	if err != nil {
		return err
	}
	previous := p.Role
	switch {
	case !policy.MayHandle(c.actor.Role, r.role):
		return errHigherRole
	case previous == identityv1.Role_ROLE_SERVICE:
		return errService
	case previous == r.role:
		c.answer = &identityv1.ChangeRoleResponse{}
		return nil
	}
	if err := c.keepAnOwner(ctx, p); err != nil {
		return err
	}
	p.Role = r.role
	p.Version++
	if err := c.signOut(ctx, &p, false, false); err != nil {
		return err
	}
	c.answer = &identityv1.ChangeRoleResponse{}
	c.audit("role.changed", p.Pseudonym, details{"from": policy.Name(previous), "to": policy.Name(p.Role)})
	return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_RoleChanged{
		RoleChanged: &identityv1.RoleChanged{Person: personProto(p), Previous: previous},
	}}, directoryAccess(p))
}

// keepAnOwner refuses to take the last owner away.
func (c *change) keepAnOwner(ctx context.Context, p sqlstore.Person) error {
	if p.Role != identityv1.Role_ROLE_OWNER {
		return nil
	}
	others, err := c.OtherOwners(ctx, c.workspace, p.ID)
	if err == nil && others == 0 {
		err = errLastOwner
	}
	return err
}

// directoryAccess is what a person may read of the workspace's log from this event on.
func directoryAccess(p sqlstore.Person) *topicv1.Access {
	return &topicv1.Access{Principal: p.ID, Read: p.DeactivatedMs == 0 && policy.May(p.Role, policy.Directory)}
}

// setActive takes away or gives back the right to sign in.
type setActive struct {
	user   string
	active bool
}

func (*setActive) needs() policy.Permission { return policy.Manage }

func (a *setActive) apply(ctx context.Context, c *change) error {
	p, err := c.target(ctx, a.user)
	if err != nil {
		return err
	}
	c.answer = &identityv1.SetActiveResponse{}
	if a.active == (p.DeactivatedMs == 0) {
		return nil
	}
	if a.active {
		p.DeactivatedMs = 0
		p.Version++
		if err := c.UpdatePerson(ctx, p); err != nil {
			return err
		}
		c.audit("person.reactivated", p.Pseudonym, nil)
		return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonReactivated{
			PersonReactivated: &identityv1.PersonReactivated{Person: personProto(p)},
		}}, directoryAccess(p))
	}
	if err := c.keepAnOwner(ctx, p); err != nil {
		return err
	}
	groups, err := c.GroupsOf(ctx, c.workspace, p.ID)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if _, err := c.changeMembers(ctx, g, nil, []string{p.ID}); err != nil {
			return err
		}
	}
	p.DeactivatedMs = c.nowMs
	p.Version++
	if err := c.signOut(ctx, &p, false, true); err != nil {
		return err
	}
	c.audit("person.deactivated", p.Pseudonym, nil)
	return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonDeactivated{
		PersonDeactivated: &identityv1.PersonDeactivated{Person: personProto(p)},
	}}, directoryAccess(p))
}

// createService creates a service account with its secret and its only device.
type createService struct{ id, handle, displayName, secretHash string }

func (*createService) needs() policy.Permission { return policy.Manage }

func (s *createService) apply(ctx context.Context, c *change) error {
	if taken, err := c.HandleTaken(ctx, c.workspace, s.handle); err != nil {
		return err
	} else if taken {
		return errHandle
	}
	p := sqlstore.Person{
		ID: s.id, Workspace: c.workspace, Handle: s.handle, DisplayName: s.displayName, Role: identityv1.Role_ROLE_SERVICE,
		Version: 1, CreatedMs: c.nowMs, Pseudonym: sqlstore.NewID(), SecretHash: s.secretHash,
	}
	if err := c.addPerson(ctx, p); err != nil {
		return err
	}
	if err := c.PutDevice(ctx, sqlstore.Device{
		ID: sqlstore.NewID(), Workspace: c.workspace, Person: p.ID, ClientHash: serviceClient, Name: p.DisplayName, CreatedMs: c.nowMs, SeenMs: c.nowMs,
	}); err != nil {
		return err
	}
	c.answer = &identityv1.CreateServiceAccountResponse{Person: &identityv1.Person{Id: p.ID}}
	c.audit("service.created", p.Pseudonym, details{"handle": p.Handle})
	return nil
}

// rotateService replaces a service account's secret and ends its tokens.
type rotateService struct{ user, secretHash string }

func (*rotateService) needs() policy.Permission { return policy.Manage }

func (r *rotateService) apply(ctx context.Context, c *change) error {
	p, err := c.target(ctx, r.user)
	if err != nil {
		return err
	}
	if p.Role != identityv1.Role_ROLE_SERVICE || p.DeactivatedMs != 0 {
		return errNoService
	}
	p.SecretHash = r.secretHash
	c.answer = &identityv1.RotateServiceSecretResponse{}
	c.audit("service.rotated", p.Pseudonym, nil)
	return c.signOut(ctx, &p, false, false)
}

// updateWorkspace renames the workspace, or changes what is allowed and done in it.
type updateWorkspace struct {
	name string                             // empty: as it is
	to   *identityv1.UpdateWorkspaceRequest // what isn't set stays as it is
}

func (*updateWorkspace) needs() policy.Permission { return policy.Manage }

func (u *updateWorkspace) apply(ctx context.Context, c *change) error {
	w, err := c.Workspace(ctx, c.workspace)
	if err != nil {
		return err
	}
	c.answer = &identityv1.UpdateWorkspaceResponse{}
	before := w.WorkspaceSettings
	if u.name != "" {
		w.Name = u.name
		c.audit("workspace.renamed", "", details{"name": w.Name})
	}
	set(c, "workspace.document_links", "allowed", &w.DocumentLinks, u.to.DocumentLinks)
	set(c, "workspace.collaboration_score", "shown", &w.CollaborationScore, u.to.CollaborationScore)
	set(c, "workspace.presence_records", "kept", &w.PresenceRecords, u.to.PresenceRecords)
	set(c, "workspace.time_zone", "name", &w.TimeZone, u.to.TimeZone)
	if u.name == "" && w.WorkspaceSettings == before {
		return nil
	}
	w.Version++
	if err := c.UpdateWorkspace(ctx, w); err != nil {
		return err
	}
	return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_WorkspaceChanged{
		WorkspaceChanged: &identityv1.WorkspaceChanged{Workspace: workspaceProto(w)},
	}})
}

// set changes a setting, if it is named and another one, and audits it.
func set[T comparable](c *change, action, detail string, setting, to *T) {
	if to != nil && *to != *setting {
		*setting = *to
		c.audit(action, "", details{detail: *to})
	}
}
