package sqlstore

import (
	"context"
	"fmt"
	"iter"

	"plenum.internal/services/identity/audit"
)

const auditColumns = "seq, time_ms, action, actor, target, digest, salt, detail, hash"

func scanAudit(s scanner, e *audit.Entry) error {
	return s.Scan(&e.Seq, &e.TimeMs, &e.Action, &e.Actor, &e.Target, &e.Digest, &e.Salt, &e.Detail, &e.Hash)
}

func scanHead(s scanner, h *audit.Head) error { return s.Scan(&h.Seq, &h.Hash) }

// Audit appends entries to the chain of a workspace ("": the installation's). It locks the chain's head: call it last, and for
// several workspaces in their ascending order.
func (t Tx) Audit(ctx context.Context, workspace string, entries []audit.Entry) error {
	head, err := one(t.q.QueryRowContext(ctx, "SELECT seq, hash FROM identity_audit_head WHERE workspace = $1"+t.lock, workspace), scanHead, "head of the audit log")
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		head = audit.Next(head, e)
		if _, err := t.exec(ctx, "audit", "INSERT INTO identity_audit (workspace, "+auditColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
			workspace, e.Seq, e.TimeMs, e.Action, e.Actor, e.Target, e.Digest, e.Salt, e.Detail, e.Hash); err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, "audit", "UPDATE identity_audit_head SET seq = $2, hash = $3 WHERE workspace = $1", workspace, head.Seq, head.Hash)
	return err
}

// AuditHead returns the recorded end of a chain.
func (r Reads) AuditHead(ctx context.Context, workspace string) (audit.Head, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT seq, hash FROM identity_audit_head WHERE workspace = $1", workspace), scanHead, "head of the audit log")
}

// AuditBefore returns at most limit entries before a number, newest first.
func (r Reads) AuditBefore(ctx context.Context, workspace string, before int64, limit int) ([]audit.Entry, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT "+auditColumns+" FROM identity_audit WHERE workspace = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3", workspace, before, limit)
	return list(rows, err, scanAudit, "audit log")
}

// AuditUpTo walks a chain from its start to a number, in pages, so that nobody waits for the walk.
func (r Reads) AuditUpTo(ctx context.Context, workspace string, last uint64) iter.Seq2[audit.Entry, error] {
	const page = 500
	return func(yield func(audit.Entry, error) bool) {
		for after, more := int64(0), true; more; {
			rows, err := r.q.QueryContext(ctx, "SELECT "+auditColumns+" FROM identity_audit WHERE workspace = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4",
				workspace, after, last, page)
			entries, err := list(rows, err, scanAudit, "audit log")
			if err != nil {
				yield(audit.Entry{}, err)
				return
			}
			for _, e := range entries {
				after = int64(e.Seq)
				if !yield(e, nil) {
					return
				}
			}
			more = len(entries) == page
		}
	}
}

// Pseudonyms returns the accounts of a workspace behind pseudonyms, as far as there are any.
func (r Reads) Pseudonyms(ctx context.Context, workspace string, pseudonyms []string) (map[string]string, error) {
	if len(pseudonyms) == 0 {
		return nil, nil
	}
	rows, err := r.q.QueryContext(ctx, "SELECT pseudonym, id FROM identity_person WHERE workspace = $1 AND pseudonym IN "+in(2, len(pseudonyms)), anys([]any{workspace}, pseudonyms)...)
	pairs, err := list(rows, err, func(s scanner, p *[2]string) error { return s.Scan(&p[0], &p[1]) }, "pseudonyms")
	if err != nil {
		return nil, fmt.Errorf("read pseudonyms: %w", err)
	}
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		out[p[0]] = p[1]
	}
	return out, nil
}
