package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
	"plenum.internal/services/identity/audit"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// workspaceKind is the topic kind of a workspace's log.
const workspaceKind = "identity.workspace"

func workspaceTopic(workspace string) string { return workspaceKind + "/" + workspace }

// operation is what a mutation does, in the transaction of the log. It may run again with the same change emptied.
type operation interface {
	// needs is the permission that the actor must have by its role as it is now; empty: none.
	needs() policy.Permission
	// apply checks, then writes. Errors of kind *rpc.Error refuse the operation, others fail the transaction.
	apply(ctx context.Context, c *change) error
}

// change collects what an operation does beside writing its tables.
type change struct {
	sqlstore.Tx
	at        time.Time
	nowMs     int64
	workspace string
	address   string          // the client's, for the audit log
	actor     sqlstore.Person // zero: nobody signed in
	entries   []topic.Entry
	marks     marks
	answer    proto.Message // ids and versions alone: it is kept with the key
}

// op is what stands in topic.Mutation.Op.
type op struct {
	operation
	address string
}

// Plan implements topic.Planner.
func (s *Server) Plan(ctx context.Context, tx *sql.Tx, steps []*topic.Step) error {
	all := marks{}
	for _, step := range steps {
		what, ok := step.Op.(op)
		if !ok {
			return fmt.Errorf("identity: %T is no operation", step.Op)
		}
		c := &change{Tx: s.store.In(tx), at: step.Now, nowMs: step.Now.UnixMilli(), workspace: step.Workspace, address: what.address}
		if err := c.run(ctx, step.Key.User, what.operation); err != nil {
			if _, refused := errors.AsType[*rpc.Error](err); !refused {
				return err
			}
			step.Err = err
			continue
		}
		step.Entries = c.entries
		step.Answer = func([]topic.Row) proto.Message { return c.answer }
		all.revocations = append(all.revocations, c.marks.revocations...)
		all.audits = append(all.audits, c.marks.audits...)
	}
	return all.write(ctx, s.store.In(tx))
}

// Insert implements topic.Planner.
func (s *Server) Insert(ctx context.Context, tx *sql.Tx, rows []topic.Row) error {
	return logSchema().InsertRows(ctx, tx, s.deps.DB.Dialect(), rows)
}

// run loads the actor as it is now (its token may be some seconds older) and applies the operation.
func (c *change) run(ctx context.Context, actor string, what operation) error {
	if _, public := what.(*join); !public {
		p, err := c.LockPerson(ctx, c.workspace, actor)
		if errors.Is(err, sqlstore.ErrNotFound) || err == nil && p.DeactivatedMs != 0 {
			return errEnded
		}
		if err != nil {
			return err
		}
		c.actor = p
	}
	if p := what.needs(); p != "" && !policy.May(c.actor.Role, p) {
		return errNotAllowed
	}
	return what.apply(ctx, c)
}

// emit appends an event to the workspace's log.
func (c *change) emit(e *identityv1.WorkspaceEvent, access ...*topicv1.Access) error {
	e.Actor = c.actor.ID
	body, err := proto.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	c.entries = append(c.entries, topic.Entry{Topic: workspaceTopic(c.workspace), Body: body, Access: access})
	return nil
}

// audit notes what was done to a target (a pseudonym, or the id of what isn't a person).
func (c *change) audit(action, target string, detail details) {
	c.marks.audit(c.workspace, c.nowMs, action, c.actor.Pseudonym, target, detail.from(c.address))
}

// revoke ends the access tokens of a person issued up to now: of one device, or of all. ends: they have been signed out.
func (c *change) revoke(p sqlstore.Person, device string, wipe, ends bool) {
	c.marks.revoke(p, device, c.nowMs, wipe, ends)
}

// target loads somebody whom the actor may administer, and keeps others from changing them.
func (c *change) target(ctx context.Context, id string) (sqlstore.Person, error) {
	if !isID(id) {
		return sqlstore.Person{}, errPerson.On("user_id")
	}
	p, err := c.LockPerson(ctx, c.workspace, id)
	if errors.Is(err, sqlstore.ErrNotFound) {
		return p, errPerson.On("user_id")
	}
	if err == nil && !policy.MayHandle(c.actor.Role, p.Role) {
		err = errHigherRole
	}
	return p, err
}

// details are the words of an audit entry.
type details map[string]any

func (d details) from(address string) details {
	if address == "" {
		return d
	}
	out := details{"address": address}
	maps.Copy(out, d)
	return out
}

// marks are the rows whose locks come last in a transaction: revocations, then audit entries.
type marks struct {
	revocations []sqlstore.Revocation
	audits      []workspaceAudit
}

type workspaceAudit struct {
	workspace string
	entry     audit.Entry
}

func (m *marks) audit(workspace string, nowMs int64, action, actor, target string, detail details) {
	text := ""
	if len(detail) > 0 {
		b, err := json.Marshal(detail)
		if err != nil { // only words, numbers and flags stand there
			b = []byte(`{}`)
		}
		text = string(b)
	}
	m.audits = append(m.audits, workspaceAudit{workspace, audit.Entry{TimeMs: nowMs, Action: action, Actor: actor, Target: target, Detail: text}})
}

func (m *marks) revoke(p sqlstore.Person, device string, nowMs int64, wipe, ends bool) {
	m.revocations = append(m.revocations, sqlstore.Revocation{
		TimeMs: nowMs, Workspace: p.Workspace, Person: p.ID, Device: device, IssuedBeforeMs: nowMs + clockSkewMs, Wipe: wipe, Ends: ends,
	})
}

func (m *marks) write(ctx context.Context, tx sqlstore.Tx) error {
	for _, r := range m.revocations {
		if err := tx.Revoke(ctx, r); err != nil {
			return err
		}
	}
	byWorkspace := map[string][]audit.Entry{}
	for _, a := range m.audits {
		byWorkspace[a.workspace] = append(byWorkspace[a.workspace], a.entry)
	}
	for _, workspace := range slices.Sorted(maps.Keys(byWorkspace)) {
		if err := tx.Audit(ctx, workspace, byWorkspace[workspace]); err != nil {
			return err
		}
	}
	return nil
}
