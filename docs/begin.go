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

// begin does what is to be done once, since another version of the service, or another configuration, ran before.
func (s *Server) begin(ctx context.Context) {
	steps := []func(context.Context) error{s.mendEntries, s.writeTitles}
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

// mendEntries makes the entries that are missing, and has the trash looked through.
func (s *Server) mendEntries(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // says what failed
		for _, q := range []string{
			`INSERT INTO docs_entry (workspace, document, creator, folder, title, trashed_ms)
				SELECT d.workspace, d.id, d.creator, '', NULL, CASE WHEN d.trashed THEN 1 ELSE 0 END FROM docs_document d
				WHERE NOT EXISTS (SELECT 1 FROM docs_entry e WHERE e.workspace = d.workspace AND e.document = d.id) ON CONFLICT DO NOTHING`,
			`INSERT INTO docs_job (workspace, document, kind, due_ms, asked)
				SELECT workspace, id, 'trash', 0, 1 FROM docs_document WHERE trashed ON CONFLICT DO NOTHING`,
		} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return fmt.Errorf("docs: mend entries: %w", err)
			}
		}
		return nil
	})
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

// askForHistory has all documents looked through whose history may be too old: it may have been kept for longer before.
func (s *Server) askForHistory(ctx context.Context) error {
	var last docKey
	for more := true; more; {
		var rows []docKey
		err := each(ctx, s.db.Query, `SELECT workspace, id FROM docs_document WHERE (workspace, id) > ($1, $2) ORDER BY workspace, id LIMIT $3`,
			[]any{last.workspace, last.id, beginBatch}, func(r *sql.Rows) error {
				var k docKey
				err := r.Scan(&k.workspace, &k.id)
				rows = append(rows, k)
				return err //nolint:wrapcheck // said below
			})
		if err != nil {
			return fmt.Errorf("docs: read documents: %w", err)
		}
		if more = len(rows) == beginBatch; len(rows) > 0 {
			last = rows[len(rows)-1]
		}
		err = s.db.Write(ctx, func(tx *sql.Tx) error {
			for _, k := range rows {
				_, err := tx.ExecContext(ctx, `INSERT INTO docs_job (workspace, document, kind, due_ms, asked) VALUES ($1, $2, $3, $4, 1) ON CONFLICT DO NOTHING`,
					k.workspace, k.id, string(jobHistory), time.Now().UnixMilli())
				if err != nil {
					return fmt.Errorf("ask for a job: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("docs: %w", err)
		}
	}
	return nil
}

// writeTitles writes down what titles are compared by where that is missing.
func (s *Server) writeTitles(ctx context.Context) error {
	var last docKey
	for more := true; more; {
		titles := map[docKey]string{}
		err := each(ctx, s.db.Query, `SELECT d.workspace, d.id, d.title FROM docs_entry e, docs_document d WHERE (e.workspace, e.document) > ($1, $2) AND e.title IS NULL
			AND d.workspace = e.workspace AND d.id = e.document ORDER BY e.workspace, e.document LIMIT $3`, []any{last.workspace, last.id, beginBatch}, func(r *sql.Rows) error {
			var title string
			err := r.Scan(&last.workspace, &last.id, &title)
			titles[last] = title
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return fmt.Errorf("docs: read titles: %w", err)
		}
		more = len(titles) == beginBatch
		err = s.db.Write(ctx, func(tx *sql.Tx) error {
			for k, title := range titles {
				if _, err := tx.ExecContext(ctx, `UPDATE docs_entry SET title = $3 WHERE workspace = $1 AND document = $2 AND title IS NULL`, k.workspace, k.id, folded(title)); err != nil {
					return fmt.Errorf("write a title: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("docs: %w", err)
		}
	}
	return nil
}
