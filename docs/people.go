package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// meet applies identity's events to docs' own tables of people, groups and workspaces, in the follower's transaction.
//
// Who is a guest, or may not sign in any more, is for the caller's token to say: identity revokes those that say otherwise. What stands here is
// of whom others name.
func (s *Server) meet(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
	for _, r := range records {
		if len(r.GetEvent().GetBody()) == 0 {
			continue
		}
		var e identityv1.WorkspaceEvent
		if err := proto.Unmarshal(r.GetEvent().GetBody(), &e); err != nil {
			return fmt.Errorf("docs: decode identity's event: %w", err)
		}
		if err := s.meetOne(ctx, tx, r.GetWorkspace(), &e); err != nil {
			return fmt.Errorf("docs: apply identity's event: %w", err)
		}
	}
	return nil
}

func (s *Server) meetOne(ctx context.Context, tx *sql.Tx, ws string, e *identityv1.WorkspaceEvent) error {
	switch x := e.GetEvent().(type) {
	case *identityv1.WorkspaceEvent_WorkspaceChanged:
		return s.putWorkspace(ctx, tx, x.WorkspaceChanged.GetWorkspace())
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
		if err := putGroup(ctx, tx, ws, g); err != nil {
			return err
		}
		return s.joined(ctx, tx, ws, aGroup+g.GetId(), g.GetMembers())
	case *identityv1.WorkspaceEvent_GroupChanged:
		return putGroup(ctx, tx, ws, x.GroupChanged.GetGroup())
	case *identityv1.WorkspaceEvent_GroupMembersChanged:
		g := x.GroupMembersChanged
		if err := s.left(ctx, tx, ws, aGroup+g.GetGroupId(), g.GetRemoved()); err != nil {
			return err
		}
		return s.joined(ctx, tx, ws, aGroup+g.GetGroupId(), g.GetAdded())
	case *identityv1.WorkspaceEvent_GroupDeleted:
		return s.dropGroup(ctx, tx, ws, x.GroupDeleted.GetGroupId())
	}
	return nil
}

// putWorkspace takes over what is allowed. Where links aren't any more, who has only those has lost access.
func (s *Server) putWorkspace(ctx context.Context, tx *sql.Tx, w *identityv1.Workspace) error {
	var links bool
	err := tx.QueryRowContext(ctx, `SELECT links FROM docs_workspace WHERE id = $1`, w.GetId()).Scan(&links)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read a workspace: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO docs_workspace (id, links, score, version) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET links = excluded.links, score = excluded.score, version = excluded.version WHERE docs_workspace.version < excluded.version`,
		w.GetId(), w.GetDocumentLinks(), w.GetCollaborationScore(), int64(w.GetVersion()))
	if err != nil {
		return fmt.Errorf("write a workspace: %w", err)
	}
	if !links || w.GetDocumentLinks() {
		return nil
	}
	return s.review(ctx, tx, docKey{w.GetId(), aLink}, time.Now())
}

func putPerson(ctx context.Context, tx *sql.Tx, ws string, p *identityv1.Person) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO docs_person (workspace, id, handle, guest, active, version) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (workspace, id) DO UPDATE SET handle = excluded.handle, guest = excluded.guest, active = excluded.active,
			version = excluded.version WHERE docs_person.version < excluded.version`,
		ws, p.GetId(), p.GetHandle(), p.GetRole() == identityv1.Role_ROLE_GUEST, !p.GetDeactivated(), int64(p.GetVersion()))
	if err != nil {
		return fmt.Errorf("write a person: %w", err)
	}
	return nil
}

func putGroup(ctx context.Context, tx *sql.Tx, ws string, g *identityv1.Group) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO docs_group (workspace, id, handle, name, version) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (workspace, id) DO UPDATE SET handle = excluded.handle, name = excluded.name, version = excluded.version
			WHERE docs_group.version < excluded.version`, ws, g.GetId(), g.GetHandle(), g.GetName(), int64(g.GetVersion()))
	if err != nil {
		return fmt.Errorf("write a group: %w", err)
	}
	return nil
}

// dropGroup forgets a group. What it was granted stays on the documents' lists, and counts for nobody.
func (s *Server) dropGroup(ctx context.Context, tx *sql.Tx, ws, id string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM docs_member WHERE workspace = $1 AND container = $2`, ws, aGroup+id); err != nil {
		return fmt.Errorf("take members away: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM docs_group WHERE workspace = $1 AND id = $2`, ws, id); err != nil {
		return fmt.Errorf("drop a group: %w", err)
	}
	return s.review(ctx, tx, docKey{ws, aGroup + id}, time.Now())
}

// forgetPeople makes what is known of a partition's workspaces count as older than anything that follows: nobody is in a group, and nobody may
// be named.
func (s *Server) forgetPeople(ctx context.Context, tx *sql.Tx, partition uint32) error {
	all, err := texts(ctx, tx.QueryContext, `SELECT workspace FROM docs_person UNION SELECT workspace FROM docs_group UNION SELECT id FROM docs_workspace`)
	if err != nil {
		return fmt.Errorf("docs: list workspaces: %w", err)
	}
	for _, ws := range all {
		if topic.PartitionOf(ws, ws) != partition {
			continue
		}
		named, err := texts(ctx, tx.QueryContext, `SELECT DISTINCT container FROM docs_share WHERE workspace = $1 AND container LIKE 'group/%'`, ws)
		if err != nil {
			return fmt.Errorf("docs: list groups: %w", err)
		}
		for _, q := range []string{
			`UPDATE docs_person SET version = -1, active = false WHERE workspace = $1`,
			`UPDATE docs_workspace SET version = -1, links = false, score = false WHERE id = $1`,
			`DELETE FROM docs_group WHERE workspace = $1`,
			`DELETE FROM docs_member WHERE workspace = $1 AND container LIKE 'group/%'`,
		} {
			if _, err := tx.ExecContext(ctx, q, ws); err != nil {
				return fmt.Errorf("docs: forget people: %w", err)
			}
		}
		for _, container := range append(named, aLink) {
			if err := s.review(ctx, tx, docKey{ws, container}, time.Now().Add(forgetPause)); err != nil {
				return err
			}
		}
	}
	return nil
}
