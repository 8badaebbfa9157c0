package chat

import (
	"context"
	"database/sql"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// meet applies identity's events to chat's own tables of people and groups, in the follower's transaction.
func (s *Server) meet(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
	for _, r := range records {
		if len(r.GetEvent().GetBody()) == 0 {
			continue
		}
		var e identityv1.WorkspaceEvent
		if err := proto.Unmarshal(r.GetEvent().GetBody(), &e); err != nil {
			return fmt.Errorf("chat: decode identity's event: %w", err)
		}
		if err := meetOne(ctx, tx, r.GetWorkspace(), &e); err != nil {
			return fmt.Errorf("chat: apply identity's event: %w", err)
		}
	}
	return nil
}

// forget makes identity's state of a partition's workspaces count as older than anything that follows.
func (s *Server) forget(ctx context.Context, tx *sql.Tx, partition uint32) error {
	var workspaces []string
	err := each(ctx, tx.QueryContext, `SELECT DISTINCT workspace FROM chat_person`, nil, func(r *sql.Rows) error {
		var ws string
		if err := r.Scan(&ws); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if topic.PartitionOf(ws, ws) == partition {
			workspaces = append(workspaces, ws)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("chat: list workspaces: %w", err)
	}
	for _, ws := range workspaces {
		for _, q := range []string{
			`UPDATE chat_person SET version = -1, active = false WHERE workspace = $1`,
			`DELETE FROM chat_group_member WHERE workspace = $1`, `DELETE FROM chat_group WHERE workspace = $1`,
		} {
			if err := exec(ctx, tx, q, ws); err != nil {
				return err
			}
		}
	}
	return nil
}

func meetOne(ctx context.Context, tx *sql.Tx, ws string, e *identityv1.WorkspaceEvent) error {
	switch x := e.GetEvent().(type) {
	case *identityv1.WorkspaceEvent_PersonAdded:
		return putPerson(ctx, tx, ws, x.PersonAdded.GetPerson())
	case *identityv1.WorkspaceEvent_PersonChanged:
		return putPerson(ctx, tx, ws, x.PersonChanged.GetPerson())
	case *identityv1.WorkspaceEvent_RoleChanged:
		return putPerson(ctx, tx, ws, x.RoleChanged.GetPerson())
	case *identityv1.WorkspaceEvent_PersonDeactivated:
		return putPerson(ctx, tx, ws, x.PersonDeactivated.GetPerson())
	case *identityv1.WorkspaceEvent_PersonReactivated:
		return putPerson(ctx, tx, ws, x.PersonReactivated.GetPerson())
	case *identityv1.WorkspaceEvent_GroupCreated:
		g := x.GroupCreated.GetGroup()
		if err := putGroup(ctx, tx, ws, g.GetId(), g.GetHandle(), g.GetVersion()); err != nil {
			return err
		}
		return groupMembers(ctx, tx, ws, g.GetId(), g.GetMembers(), nil)
	case *identityv1.WorkspaceEvent_GroupChanged:
		g := x.GroupChanged.GetGroup()
		return putGroup(ctx, tx, ws, g.GetId(), g.GetHandle(), g.GetVersion())
	case *identityv1.WorkspaceEvent_GroupMembersChanged:
		g := x.GroupMembersChanged
		return groupMembers(ctx, tx, ws, g.GetGroupId(), g.GetAdded(), g.GetRemoved())
	case *identityv1.WorkspaceEvent_GroupDeleted:
		id := x.GroupDeleted.GetGroupId()
		if err := exec(ctx, tx, `DELETE FROM chat_group_member WHERE workspace = $1 AND group_id = $2`, ws, id); err != nil {
			return err
		}
		return exec(ctx, tx, `DELETE FROM chat_group WHERE workspace = $1 AND id = $2`, ws, id)
	}
	return nil // a workspace's name is nothing to chat
}

func putPerson(ctx context.Context, tx *sql.Tx, ws string, p *identityv1.Person) error {
	return exec(ctx, tx, `INSERT INTO chat_person (workspace, id, handle, guest, active, version) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (workspace, id) DO UPDATE SET handle = excluded.handle, guest = excluded.guest, active = excluded.active,
			version = excluded.version WHERE chat_person.version < excluded.version`,
		ws, p.GetId(), p.GetHandle(), p.GetRole() == identityv1.Role_ROLE_GUEST, !p.GetDeactivated(), int64(p.GetVersion()))
}

func putGroup(ctx context.Context, tx *sql.Tx, ws, id, handle string, version uint64) error {
	return exec(ctx, tx, `INSERT INTO chat_group (workspace, id, handle, version) VALUES ($1, $2, $3, $4)
		ON CONFLICT (workspace, id) DO UPDATE SET handle = excluded.handle, version = excluded.version
			WHERE chat_group.version < excluded.version`, ws, id, handle, int64(version))
}

func groupMembers(ctx context.Context, tx *sql.Tx, ws, id string, added, removed []string) error {
	for _, u := range removed {
		if err := exec(ctx, tx, `DELETE FROM chat_group_member WHERE workspace = $1 AND group_id = $2 AND user_id = $3`, ws, id, u); err != nil {
			return err
		}
	}
	for _, u := range added {
		if err := exec(ctx, tx, `INSERT INTO chat_group_member (workspace, group_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			ws, id, u); err != nil {
			return err
		}
	}
	return nil
}
