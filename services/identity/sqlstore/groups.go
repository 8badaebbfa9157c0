package sqlstore

import "context"

// Group is a row of identity_group.
type Group struct {
	ID, Workspace, Handle, Name string
	Version                     int64
}

const groupColumns = "id, workspace, handle, name, version"

func scanGroup(s scanner, g *Group) error {
	return s.Scan(&g.ID, &g.Workspace, &g.Handle, &g.Name, &g.Version)
}

// Group returns a group of a workspace.
func (r Reads) Group(ctx context.Context, workspace, id string) (Group, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT "+groupColumns+" FROM identity_group WHERE workspace = $1 AND id = $2", workspace, id), scanGroup, "group")
}

// Groups returns at most limit groups whose handles come after one.
func (r Reads) Groups(ctx context.Context, workspace, after string, limit int) ([]Group, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+groupColumns+" FROM identity_group WHERE workspace = $1 AND handle > $2 ORDER BY handle LIMIT $3", workspace, after, limit)
	return list(rows, err, scanGroup, "groups")
}

// CountGroups counts the groups of a workspace.
func (r Reads) CountGroups(ctx context.Context, workspace string) (int, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT count(*) FROM identity_group WHERE workspace = $1", workspace), func(s scanner, n *int) error { return s.Scan(n) }, "groups")
}

// Members returns the ids of a group's members, sorted.
func (r Reads) Members(ctx context.Context, workspace, group string) ([]string, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT person FROM identity_member WHERE workspace = $1 AND group_id = $2 ORDER BY person", workspace, group)
	return list(rows, err, scanString, "members")
}

// GroupsOf returns the groups that a person is a member of.
func (r Reads) GroupsOf(ctx context.Context, workspace, person string) ([]Group, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT g.id, g.workspace, g.handle, g.name, g.version FROM identity_group g
		JOIN identity_member m ON m.workspace = g.workspace AND m.group_id = g.id WHERE m.workspace = $1 AND m.person = $2 ORDER BY g.id`, workspace, person)
	return list(rows, err, scanGroup, "groups")
}

// AddGroup inserts a group, whose handle was taken before.
func (t Tx) AddGroup(ctx context.Context, g Group) error {
	_, err := t.exec(ctx, "add group", "INSERT INTO identity_group ("+groupColumns+") VALUES ($1, $2, $3, $4, $5)", g.ID, g.Workspace, g.Handle, g.Name, g.Version)
	return err
}

// UpdateGroup writes handle, name and version.
func (t Tx) UpdateGroup(ctx context.Context, g Group) error {
	_, err := t.exec(ctx, "update group", "UPDATE identity_group SET handle = $3, name = $4, version = $5 WHERE workspace = $1 AND id = $2", g.Workspace, g.ID, g.Handle, g.Name, g.Version)
	return err
}

// DeleteGroup deletes a group and its membership.
func (t Tx) DeleteGroup(ctx context.Context, workspace, id string) error {
	if _, err := t.exec(ctx, "delete group", "DELETE FROM identity_member WHERE workspace = $1 AND group_id = $2", workspace, id); err != nil {
		return err
	}
	_, err := t.exec(ctx, "delete group", "DELETE FROM identity_group WHERE workspace = $1 AND id = $2", workspace, id)
	return err
}

// AddMember adds a person to a group.
func (t Tx) AddMember(ctx context.Context, workspace, group, person string) error {
	_, err := t.exec(ctx, "add member", "INSERT INTO identity_member (workspace, group_id, person) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", workspace, group, person)
	return err
}

// RemoveMember removes a person from a group.
func (t Tx) RemoveMember(ctx context.Context, workspace, group, person string) error {
	_, err := t.exec(ctx, "remove member", "DELETE FROM identity_member WHERE workspace = $1 AND group_id = $2 AND person = $3", workspace, group, person)
	return err
}
