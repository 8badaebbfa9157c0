package identity

import (
	"context"
	"slices"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// The bounds of groups.
const (
	maxGroups  = 1000 // in a workspace
	maxMembers = 1000 // in a group
	maxAtOnce  = 500  // ids in one request
)

// createGroup creates a group with its first members.
type createGroup struct {
	handle, name string
	members      []string
}

func (*createGroup) needs() policy.Permission { return policy.Manage }

func (g *createGroup) apply(ctx context.Context, c *change) error {
	if taken, err := c.HandleTaken(ctx, c.workspace, g.handle); err != nil {
		return err
	} else if taken {
		return errHandle
	}
	if n, err := c.CountGroups(ctx, c.workspace); err != nil {
		return err
	} else if n >= maxGroups {
		return rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.TOO_MANY_GROUPS", "A workspace has at most %d groups. Delete one first.", maxGroups)
	}
	members := slices.Compact(slices.Sorted(slices.Values(g.members)))
	if err := c.exist(ctx, "members", members); err != nil {
		return err
	}
	row := sqlstore.Group{ID: sqlstore.NewID(), Workspace: c.workspace, Handle: g.handle, Name: g.name, Version: 1}
	if err := c.MoveHandle(ctx, c.workspace, row.ID, "", row.Handle); err != nil {
		return err
	}
	if err := c.AddGroup(ctx, row); err != nil {
		return err
	}
	for _, m := range members {
		if err := c.AddMember(ctx, c.workspace, row.ID, m); err != nil {
			return err
		}
	}
	c.answer = &identityv1.CreateGroupResponse{Group: &identityv1.Group{Id: row.ID}}
	c.audit("group.created", row.ID, details{"handle": row.Handle, "members": named(members)})
	return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_GroupCreated{
		GroupCreated: &identityv1.GroupCreated{Group: groupProto(row, members)},
	}})
}

// exist refuses ids that aren't active people of the workspace.
func (c *change) exist(ctx context.Context, field string, ids []string) error {
	people, err := c.PeopleByID(ctx, c.workspace, ids)
	if err != nil {
		return err
	}
	active := 0
	for _, p := range people {
		if p.DeactivatedMs == 0 {
			active++
		}
	}
	if active != len(ids) {
		return errPerson.On(field)
	}
	return nil
}

// group loads a group of the workspace.
func (c *change) group(ctx context.Context, id string) (sqlstore.Group, error) {
	if !isID(id) {
		return sqlstore.Group{}, errGroup
	}
	g, err := c.Group(ctx, c.workspace, id)
	if isNotFound(err) {
		err = errGroup
	}
	return g, err
}

// updateGroup changes what a group is called; nil leaves a field as it is.
type updateGroup struct {
	id           string
	handle, name *string
}

func (*updateGroup) needs() policy.Permission { return policy.Manage }

func (u *updateGroup) apply(ctx context.Context, c *change) error {
	g, err := c.group(ctx, u.id)
	if err != nil {
		return err
	}
	previous := g
	if u.handle != nil {
		g.Handle = *u.handle
	}
	if u.name != nil {
		g.Name = *u.name
	}
	c.answer = &identityv1.UpdateGroupResponse{Group: &identityv1.Group{Id: g.ID}}
	if g == previous {
		return nil
	}
	changed := &identityv1.GroupChanged{}
	if g.Handle != previous.Handle {
		if taken, err := c.HandleTaken(ctx, c.workspace, g.Handle); err != nil {
			return err
		} else if taken {
			return errHandle
		}
		if err := c.MoveHandle(ctx, c.workspace, g.ID, previous.Handle, g.Handle); err != nil {
			return err
		}
		changed.PreviousHandle = previous.Handle
	}
	g.Version++
	if err := c.UpdateGroup(ctx, g); err != nil {
		return err
	}
	changed.Group = groupProto(g, nil)
	c.audit("group.changed", g.ID, details{"handle": g.Handle})
	return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_GroupChanged{GroupChanged: changed}})
}

// changeGroupMembers adds and removes members.
type changeGroupMembers struct {
	id          string
	add, remove []string
}

func (*changeGroupMembers) needs() policy.Permission { return policy.Manage }

func (m *changeGroupMembers) apply(ctx context.Context, c *change) error {
	g, err := c.group(ctx, m.id)
	if err != nil {
		return err
	}
	version, err := c.changeMembers(ctx, g, m.add, m.remove)
	if err != nil {
		return err
	}
	c.answer = &identityv1.ChangeGroupMembersResponse{Version: uint64(version)}
	return nil
}

// changeMembers applies what isn't so yet, tells those who follow, and returns the group's version.
func (c *change) changeMembers(ctx context.Context, g sqlstore.Group, add, remove []string) (int64, error) {
	before, err := c.Members(ctx, c.workspace, g.ID)
	if err != nil {
		return 0, err
	}
	diff := func(ids []string, present bool) []string {
		var out []string
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			if _, is := slices.BinarySearch(before, id); is == present {
				out = append(out, id)
			}
		}
		return out
	}
	added, removed := diff(add, false), diff(remove, true)
	switch {
	case slices.ContainsFunc(add, func(id string) bool { return slices.Contains(remove, id) }):
		return 0, invalid("remove", "Nobody can come and go in one call.")
	case len(before)+len(added)-len(removed) > maxMembers:
		return 0, rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.TOO_MANY_MEMBERS", "A group has at most %d members.", maxMembers)
	case len(added)+len(removed) == 0:
		return g.Version, nil
	}
	if err := c.exist(ctx, "add", added); err != nil {
		return 0, err
	}
	for _, id := range added {
		if err := c.AddMember(ctx, c.workspace, g.ID, id); err != nil {
			return 0, err
		}
	}
	for _, id := range removed {
		if err := c.RemoveMember(ctx, c.workspace, g.ID, id); err != nil {
			return 0, err
		}
	}
	g.Version++
	if err := c.UpdateGroup(ctx, g); err != nil {
		return 0, err
	}
	c.audit("group.members", g.ID, details{"added": named(added), "removed": named(removed)})
	return g.Version, c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_GroupMembersChanged{
		GroupMembersChanged: &identityv1.GroupMembersChanged{GroupId: g.ID, Added: added, Removed: removed, Version: uint64(g.Version)},
	}})
}

// named is how people stand in the detail of an audit entry: by their ids, of many only how many.
func named(ids []string) any {
	const most = 30 // of 2 KiB that a detail has, two lists
	if len(ids) == 0 || len(ids) > most {
		return len(ids)
	}
	return ids
}

// deleteGroup deletes a group and frees its handle.
type deleteGroup struct{ id string }

func (*deleteGroup) needs() policy.Permission { return policy.Manage }

func (d *deleteGroup) apply(ctx context.Context, c *change) error {
	g, err := c.group(ctx, d.id)
	if err != nil {
		return err
	}
	if err := c.MoveHandle(ctx, c.workspace, g.ID, g.Handle, ""); err != nil {
		return err
	}
	if err := c.DeleteGroup(ctx, c.workspace, g.ID); err != nil {
		return err
	}
	c.answer = &identityv1.DeleteGroupResponse{}
	c.audit("group.deleted", g.ID, details{"handle": g.Handle})
	return c.emit(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_GroupDeleted{GroupDeleted: &identityv1.GroupDeleted{GroupId: g.ID}}})
}
