package docs

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// What another version of the service wrote, before this one or beside it while a cluster is brought up to date, has no entries, or not all that
// stands in them now. It is mended where a process starts, for all documents, and where a document is opened.

const beginBatch = 1000 // documents at a time

// begin does what is to be done once, since another version of the service, or another configuration, ran before. Jobs don't wait for it.
func (s *Server) begin(ctx context.Context) {
	steps := []func(context.Context) error{s.mendEntries}
	if s.cfg.History > 0 {
		steps = append(steps, s.askForHistory)
	}
	for _, step := range steps {
		for {
			err := step(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			s.logger.WarnContext(ctx, "what is to be done once failed; tried again", "error", err)
			select {
			case <-time.After(jobPause):
			case <-ctx.Done():
			}
		}
	}
}

// unmended is a document with what is missing of it.
type unmended struct {
	docKey
	title            string
	entry, name, job bool // missing: its entry, what its title is compared by, and the job of what is in the trash
}

// mendEntries makes entries, and what titles are compared by, where they are missing, and has the trash looked through. It goes over the documents
// page by page, and writes those of a page that something is missing of.
func (s *Server) mendEntries(ctx context.Context) error {
	var last docKey
	for more := true; more; {
		seen := 0
		var list []unmended
		err := each(ctx, s.db.Query, `SELECT d.workspace, d.id, d.title, e.document IS NULL, e.document IS NOT NULL AND e.title IS NULL, d.trashed AND j.document IS NULL
			FROM (SELECT workspace, id, title, trashed FROM docs_document WHERE (workspace, id) > ($1, $2) ORDER BY workspace, id LIMIT $3) d
			LEFT JOIN docs_entry e ON e.workspace = d.workspace AND e.document = d.id
			LEFT JOIN docs_job j ON j.workspace = d.workspace AND j.document = d.id AND j.kind = $4
			ORDER BY d.workspace, d.id`, []any{last.workspace, last.id, beginBatch, string(jobTrash)}, func(r *sql.Rows) error {
			var u unmended
			err := r.Scan(&u.workspace, &u.id, &u.title, &u.entry, &u.name, &u.job)
			if u.entry || u.name || u.job {
				list = append(list, u)
			}
			seen, last = seen+1, u.docKey
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return fmt.Errorf("docs: look for entries to be mended: %w", err)
		}
		more = seen == beginBatch
		if len(list) == 0 {
			continue
		}
		err = s.db.Write(ctx, func(tx *sql.Tx) error {
			for _, u := range list {
				if err := s.mend(ctx, tx, u); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("docs: mend entries: %w", err)
		}
	}
	return nil
}

// mend writes what is missing of a document. One that was purged meanwhile gets nothing; one that has another title by now was opened for that, and mended.
func (s *Server) mend(ctx context.Context, tx *sql.Tx, u unmended) error {
	statement := func(missing bool, q string, args ...any) error {
		if !missing {
			return nil
		}
		_, err := tx.ExecContext(ctx, q, append([]any{u.workspace, u.id}, args...)...)
		return err //nolint:wrapcheck // the caller's
	}
	return errors.Join(
		statement(u.entry, `INSERT INTO docs_entry (workspace, document, creator, folder, title, trashed_ms)
			SELECT workspace, id, creator, '', $3, CASE WHEN trashed THEN 1 ELSE 0 END FROM docs_document
			WHERE workspace = $1 AND id = $2 AND title = $4`+s.sql.hold+` ON CONFLICT DO NOTHING`, folded(u.title), u.title),
		statement(u.name, `UPDATE docs_entry SET title = $3 WHERE workspace = $1 AND document = $2 AND title IS NULL`, folded(u.title)),
		statement(u.job, `INSERT INTO docs_job (workspace, document, kind, due_ms, asked)
			SELECT workspace, id, $3, 0, 1 FROM docs_document WHERE workspace = $1 AND id = $2 AND trashed`+s.sql.hold+` ON CONFLICT DO NOTHING`, string(jobTrash)),
	)
}

// mendEntry makes a document's entry what it has to be, and returns the folder that it names.
func (s *Server) mendEntry(ctx context.Context, d document) (folder string, err error) {
	var title []byte
	var trashedMs int64
	err = s.db.QueryRow(ctx, `SELECT folder, title, trashed_ms FROM docs_entry WHERE workspace = $1 AND document = $2`, d.workspace, d.id).Scan(&folder, &title, &trashedMs)
	if err == nil && bytes.Equal(title, folded(d.title)) && (trashedMs > 0) == d.trashed {
		return folder, nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("docs: read an entry: %w", err)
	}
	trashedMs = 0
	if d.trashed {
		trashedMs = trashedBefore
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if d.trashed {
			if err := setJob(ctx, tx, d.docKey, jobTrash, time.Now()); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, s.sql.mendEntry, d.workspace, d.id, folded(d.title), trashedMs)
		return err //nolint:wrapcheck // said below
	})
	if err != nil {
		return "", fmt.Errorf("docs: mend an entry: %w", err)
	}
	return folder, nil
}

// askForHistory has all documents looked through whose history may be too old: it may have been kept for longer before. Those that have none, or have
// the job, cost nothing but to be read.
func (s *Server) askForHistory(ctx context.Context) error {
	var last docKey
	for more := true; more; {
		first, seen, missing := last, 0, false
		err := each(ctx, s.db.Query, `SELECT d.workspace, d.id, d.floor < d.head AND j.document IS NULL
			FROM (SELECT workspace, id, floor, head FROM docs_document WHERE (workspace, id) > ($1, $2) ORDER BY workspace, id LIMIT $3) d
			LEFT JOIN docs_job j ON j.workspace = d.workspace AND j.document = d.id AND j.kind = $4
			ORDER BY d.workspace, d.id`, []any{last.workspace, last.id, beginBatch, string(jobHistory)}, func(r *sql.Rows) error {
			var unasked bool
			err := r.Scan(&last.workspace, &last.id, &unasked)
			seen, missing = seen+1, missing || unasked
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return fmt.Errorf("docs: read documents: %w", err)
		}
		more = seen == beginBatch
		if !missing {
			continue
		}
		err = s.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO docs_job (workspace, document, kind, due_ms, asked)
				SELECT workspace, id, $5, CAST($6 AS bigint), 1 FROM docs_document
				WHERE (workspace, id) > ($1, $2) AND (workspace, id) <= ($3, $4) AND floor < head ON CONFLICT DO NOTHING`,
				first.workspace, first.id, last.workspace, last.id, string(jobHistory), time.Now().UnixMilli())
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return fmt.Errorf("docs: ask for jobs: %w", err)
		}
	}
	return nil
}
