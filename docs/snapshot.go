package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"plenum.internal/docs/ot"
)

// snapshot has the content written down when enough has been edited since the last time.
func (x *session) snapshot() {
	if x.broken || x.writing || x.storedAt < x.written+uint64(x.s.cfg.Snapshot) {
		return
	}
	x.writing = true
	content, version, anchors := x.stored.Clone(), x.storedAt, x.threads.text()
	x.s.tasks.Go(func() {
		err := x.s.writeSnapshot(x.s.working, x.docKey, x.term, version, content, anchors)
		x.tell(func() {
			x.writing = false
			x.written = version // where it failed, too: the next one is tried after as many edits again
			if err != nil {
				x.s.logger.Warn("could not write a snapshot", "workspace", x.workspace, "document", x.id, "version", version, "error", err)
			}
		})
	})
}

// close writes down what the next who opens it would have to read edit by edit, and gives the document up.
func (x *session) close(ctx context.Context) {
	if x.storedAt >= x.written+uint64(x.s.cfg.Snapshot)/10 {
		if err := x.s.writeSnapshot(ctx, x.docKey, x.term, x.storedAt, x.stored, x.threads.text()); err != nil {
			x.s.logger.WarnContext(ctx, "could not write a snapshot", "workspace", x.workspace, "document", x.id, "version", x.storedAt, "error", err)
		}
	}
	x.s.release(ctx, x.docKey, x.term)
}

// errFenced: somebody else owns the document now.
var errFenced = errors.New("docs: the term has ended")

const snapshotTime = 30 * time.Second

// writeSnapshot writes content down, and where threads stand in it, if the term is still the document's.
func (s *Server) writeSnapshot(ctx context.Context, k docKey, term, version uint64, content *ot.Document, anchors string) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	text := content.AppendJSON(nil)
	return s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // the caller says what failed
		res, err := tx.ExecContext(ctx, `INSERT INTO docs_snapshot (workspace, document, version, created_ms, content)
			SELECT workspace, id, $3, $4, $5 FROM docs_document WHERE workspace = $1 AND id = $2 AND term = $6
			ON CONFLICT DO NOTHING`, k.workspace, k.id, int64(version), time.Now().UnixMilli(), text, int64(term))
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		if n, err := res.RowsAffected(); err == nil && n == 0 {
			return errFenced
		}
		if anchors == "" {
			return nil
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO docs_anchors (workspace, document, version, anchors) VALUES ($1, $2, $3, $4)
			ON CONFLICT (workspace, document) DO UPDATE SET version = excluded.version, anchors = excluded.anchors WHERE docs_anchors.version < excluded.version`,
			k.workspace, k.id, int64(version), anchors)
		if err != nil {
			return fmt.Errorf("write anchors: %w", err)
		}
		return nil
	})
}
