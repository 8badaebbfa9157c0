package ctl

import (
	"context"
	"strings"

	"plenum.internal/client"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

type groupCmd struct {
	List   groupListCmd   `cmd:"" default:"1" help:"List the groups, and who is in them."`
	Create groupCreateCmd `cmd:"" help:"Make a group, of nobody or of these people."`
	Add    groupAddCmd    `cmd:"" help:"Put people into a group."`
	Remove groupRemoveCmd `cmd:"" help:"Take people out of a group."`
	Delete groupDeleteCmd `cmd:"" help:"Delete a group. What was shared with it isn't any more."`
}

type groupListCmd struct{}

func (groupListCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		var groups []*identityv1.Group
		if err := eachGroup(ctx, h, func(g *identityv1.Group) { groups = append(groups, g) }); err != nil {
			return err
		}
		for _, g := range groups {
			var members []string
			for _, id := range g.GetMembers() {
				members = append(members, p.handle(id))
			}
			if err := e.print(g, "@%-23s %s: %s", g.GetHandle(), clean(g.GetName()), strings.Join(members, ", ")); err != nil {
				return err
			}
		}
		return nil
	})
}

type groupCreateCmd struct {
	Handle string   `arg:"" help:"Its handle, by which it is mentioned and shared with."`
	Who    []string `arg:"" optional:"" help:"Handles of its first members."`
	Name   string   `help:"Its name. Absent: the handle."`
}

func (c *groupCreateCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		ids, err := p.ids(c.Who)
		if err != nil {
			return err
		}
		res, err := identityv1.NewAdminServiceClient(h).CreateGroup(ctx, &identityv1.CreateGroupRequest{
			Handle: strings.TrimPrefix(c.Handle, "@"), Name: c.Name, Members: ids,
		})
		if err != nil {
			return err
		}
		return e.print(res, "Created @%s (%s).", res.GetGroup().GetHandle(), res.GetGroup().GetId())
	})
}

type groupArg struct {
	Group string `arg:"" help:"Handle of the group."`
}

// groupPeople are a group, and people to put into it or take out.
type groupPeople struct {
	groupArg
	Who []string `arg:"" help:"Handles."`
}

// change puts people into the group, or takes them out.
func (c *groupPeople) change(e *env, in bool) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		id, err := groupID(ctx, h, c.Group)
		if err != nil {
			return err
		}
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		ids, err := p.ids(c.Who)
		if err != nil {
			return err
		}
		q, done := &identityv1.ChangeGroupMembersRequest{GroupId: id, Add: ids}, "In @%s now: %s."
		if !in {
			q, done = &identityv1.ChangeGroupMembersRequest{GroupId: id, Remove: ids}, "Not in @%s any more: %s."
		}
		res, err := identityv1.NewAdminServiceClient(h).ChangeGroupMembers(ctx, q)
		if err != nil {
			return err
		}
		var handles []string
		for _, id := range ids {
			handles = append(handles, p.handle(id))
		}
		return e.print(res, done, strings.TrimPrefix(c.Group, "@"), strings.Join(handles, ", "))
	})
}

type groupAddCmd struct{ groupPeople }

func (c *groupAddCmd) Run(e *env) error { return c.change(e, true) }

type groupRemoveCmd struct{ groupPeople }

func (c *groupRemoveCmd) Run(e *env) error { return c.change(e, false) }

type groupDeleteCmd struct {
	groupArg
	sure
}

func (c *groupDeleteCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		id, err := groupID(ctx, h, c.Group)
		if err != nil {
			return err
		}
		res, err := identityv1.NewAdminServiceClient(h).DeleteGroup(ctx, &identityv1.DeleteGroupRequest{GroupId: id})
		if err != nil {
			return err
		}
		return e.print(res, "Deleted @%s.", strings.TrimPrefix(c.Group, "@"))
	})
}
