package presence

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// newFollower makes the one that takes over from identity's log what is kept of workspaces.
func (s *Server) newFollower(deps Deps) error {
	if deps.Identity == nil {
		return nil
	}
	f, err := topic.NewFollower(topic.FollowerConfig{Name: "presence.workspaces", Service: "identity", Prefix: "presence"}, topic.FollowerDeps{
		Source: topicv1.NewTopicServiceClient(deps.Identity), DB: deps.DB, Handle: applyWorkspaces, Reset: forgetWorkspaces, Log: deps.Log, Metrics: deps.Metrics,
	})
	if err != nil {
		return fmt.Errorf("presence: follow identity: %w", err)
	}
	s.follower = f
	return nil
}

// applyWorkspaces applies identity's events of workspaces, in the follower's transaction.
func applyWorkspaces(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
	for _, r := range records {
		var e identityv1.WorkspaceEvent
		if err := proto.Unmarshal(r.GetEvent().GetBody(), &e); err != nil {
			return fmt.Errorf("presence: decode identity's event: %w", err)
		}
		if w := e.GetWorkspaceChanged().GetWorkspace(); w != nil {
			if err := putWorkspace(ctx, tx, w, time.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// putWorkspace takes over what is kept of one. What came before it was switched on is none of it.
func putWorkspace(ctx context.Context, tx *sql.Tx, w *identityv1.Workspace, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO presence_workspace (id, records, since_ms, clear, time_zone, version) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET records = excluded.records, clear = presence_workspace.clear OR excluded.clear, time_zone = excluded.time_zone, version = excluded.version,
			since_ms = CASE WHEN presence_workspace.records AND excluded.records THEN presence_workspace.since_ms ELSE excluded.since_ms END
		WHERE presence_workspace.version < excluded.version`,
		w.GetId(), w.GetPresenceRecords(), now.UnixMilli(), !w.GetPresenceRecords(), w.GetTimeZone(), int64(w.GetVersion()))
	if err != nil {
		return fmt.Errorf("presence: write a workspace: %w", err)
	}
	return nil
}

// forgetWorkspaces makes what is known of a partition's workspaces count as older than anything that follows: until then nothing is kept of them.
func forgetWorkspaces(ctx context.Context, tx *sql.Tx, partition uint32) error {
	var ids []string
	err := each(ctx, tx.QueryContext, `SELECT id FROM presence_workspace`, nil, func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		if topic.PartitionOf(id, id) == partition {
			ids = append(ids, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, `UPDATE presence_workspace SET version = -1, records = false WHERE id = $1`, id); err != nil {
			return fmt.Errorf("presence: forget a workspace: %w", err)
		}
	}
	return nil
}
