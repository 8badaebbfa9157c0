package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What was purged, and what lies below a floor, is hidden at once and erased afterwards, portion by portion, by a job that goes on where it stopped:
// first what the service has made of the log, then the bodies of the log's events.

const (
	jobErase  jobKind = "erase"
	eraseTime         = 2 * time.Second // of one turn; others' jobs wait for it
	eraseRows         = 500             // events, or rows that are short, at a time
	eraseRest         = 4               // times what a portion took, nothing is done: others write
)

// made are the tables of what the service has made of a document's log: by the column that numbers the rows of one, and how many of them are taken
// at a time. Those whose numbers are versions lose what lies below the floor; all lose everything with the document.
var made = []struct {
	table, number string
	most          int
	versions      bool
}{
	{"docs_version", "version", eraseRows, true},
	{"docs_snapshot", "version", 8, true},        // a megabyte each, or more
	{"docs_blame", "version", 8, false},          // those of an older floor are taken apart (historyErased)
	{"docs_comment", "thread", eraseRows, false}, // and all of the last one's
	{"docs_comment_text", "version", eraseRows, false},
	{"docs_thread", "thread", eraseRows, false},
	{"docs_anchors", "version", eraseRows, false},
	{"docs_suggestion", "suggestion", eraseRows, false},
	{"docs_suggested", "version", eraseRows, false},
	{"docs_link", "link", eraseRows, false},
	{"docs_star", "user_id", eraseRows, false},
	{"docs_recent", "user_id", eraseRows, false},
	{"docs_news", "version", eraseRows, false},
	{"docs_notice", "at", eraseRows, false},
}

// toErase writes down that something of a document is hidden by now.
//
// Invariant: who asks for an erasure takes its row before the document's, as its end does (finish). So what is asked for while it ends is found by
// it, or asked for anew.
func (b *batch) toErase(k docKey, purged bool) error {
	return b.exec(`INSERT INTO docs_erasure (workspace, document, purged, done) VALUES ($1, $2, $3, 0)
		ON CONFLICT (workspace, document) DO UPDATE SET purged = excluded.purged`, k.workspace, k.id, purged)
}

// eraseClosed has the text erased that something quotes which is closed just now, if the version that it was made at isn't above the floor.
func (b *batch) eraseClosed(k docKey, version, floor uint64, now time.Time) error {
	if version > floor {
		return nil
	}
	err := b.exec(`INSERT INTO docs_erasure (workspace, document, purged, done) VALUES ($1, $2, false, $3)
		ON CONFLICT (workspace, document) DO UPDATE SET done = docs_erasure.done`, k.workspace, k.id, int64(floor))
	if err != nil {
		return err
	}
	return setJob(b.ctx, b.tx, k, jobErase, now)
}

// erasing is one turn of the job.
type erasing struct {
	*Server
	docKey
	purged bool
	done   uint64 // events up to here are empty
	floor  uint64 // up to here they are to be
	until  time.Time
}

// errMore: there is more to be erased than fits into a turn.
var errMore = errors.New("docs: more is to be erased")

// eraseHidden erases what is hidden of a document.
func (s *Server) eraseHidden(ctx context.Context, k docKey) (next time.Time, err error) {
	e := &erasing{Server: s, docKey: k, until: time.Now().Add(eraseTime)}
	err = s.db.QueryRow(ctx, `SELECT purged, done FROM docs_erasure WHERE workspace = $1 AND document = $2`, k.workspace, k.id).Scan(&e.purged, &e.done)
	if errors.Is(err, sql.ErrNoRows) {
		return next, nil
	}
	if err != nil {
		return next, fmt.Errorf("docs: read what is to be erased: %w", err)
	}
	states, err := s.log.States(ctx, k.workspace, k.topic())
	if err != nil {
		return next, fmt.Errorf("docs: read the floor: %w", err)
	}
	e.floor = states[0].Floor
	// Legal holds: whoever has to keep a document is to be asked here, before anything of it is erased. Hidden it is already.
	for _, step := range []func(context.Context) error{e.openers, e.tables, e.closed, e.events, e.finish} {
		if err = step(ctx); err != nil {
			break
		}
	}
	if errors.Is(err, errMore) {
		return time.Now(), nil
	}
	return next, err
}

// portion does a part of the work and rests, so that others get at the database.
func (e *erasing) portion(ctx context.Context, do func() error) error {
	begin := time.Now()
	if begin.After(e.until) {
		return errMore
	}
	if err := do(); err != nil {
		return err
	}
	select {
	case <-time.After(eraseRest * time.Since(begin)):
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the service stops, or the job has taken too long
	}
}

// openers forgets who has opened the document's links.
func (e *erasing) openers(ctx context.Context) error {
	if !e.purged {
		return nil
	}
	links, err := texts(ctx, e.db.Query, `SELECT link FROM docs_link WHERE workspace = $1 AND document = $2`, e.workspace, e.id)
	if err != nil {
		return fmt.Errorf("docs: read links: %w", err)
	}
	for _, link := range links {
		of := `workspace = $1 AND container = $2`
		rows := fmt.Sprintf(`SELECT user_id FROM docs_member WHERE %s LIMIT %d`, of, eraseRows)
		if err := e.rows(ctx, rows, `DELETE FROM docs_member WHERE `+of+` AND user_id IN (`+rows+`)`, e.workspace, aLink+link); err != nil {
			return err
		}
	}
	return nil
}

// tables erases what was made of the log, and of the document besides.
func (e *erasing) tables(ctx context.Context) error {
	for _, t := range made {
		if !e.purged && !t.versions {
			continue
		}
		of := `workspace = $1 AND document = $2`
		rows := fmt.Sprintf(`SELECT %s FROM %s WHERE %s LIMIT %d`, t.number, t.table, of, t.most)
		if !e.purged {
			rows = fmt.Sprintf(`SELECT %s FROM %s WHERE %s AND %s < %d LIMIT %d`, t.number, t.table, of, t.number, e.floor, t.most)
		}
		if err := e.rows(ctx, rows, fmt.Sprintf(`DELETE FROM %s WHERE %s AND %s IN (%s)`, t.table, of, t.number, rows), e.workspace, e.id); err != nil {
			return err
		}
	}
	return nil
}

// closed erases what is quoted of the history, where nobody needs it any more to decide: by threads that are resolved or orphaned, and by suggestions
// that are closed, which lose their deltas, too. What is open stays as it is.
func (e *erasing) closed(ctx context.Context) error {
	if e.purged {
		return nil
	}
	const of = `workspace = $1 AND document = $2`
	resolved, closed := e.quoting()
	if err := e.rows(ctx, resolved, `UPDATE docs_thread SET quote = '' WHERE `+of+` AND thread IN (`+resolved+`)`, e.workspace, e.id); err != nil {
		return err
	}
	err := e.rows(ctx, closed, `UPDATE docs_suggestion SET quote = '', delta = '`+noDelta+`' WHERE `+of+` AND suggestion IN (`+closed+`)`, e.workspace, e.id)
	if err != nil {
		return err
	}
	orphans, err := e.orphans(ctx)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(orphans, eraseRows) {
		err := e.portion(ctx, func() error {
			return e.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // says what failed
				for _, thread := range some {
					if _, err := tx.ExecContext(ctx, `UPDATE docs_thread SET quote = '' WHERE `+of+` AND thread = $3`, e.workspace, e.id, int64(thread)); err != nil {
						return fmt.Errorf("docs: erase a quote: %w", err)
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// quoting are a portion of the threads that are resolved, and of the suggestions that are closed, and quote the history still.
func (e *erasing) quoting() (resolved, closed string) {
	const of = `workspace = $1 AND document = $2`
	return fmt.Sprintf(`SELECT thread FROM docs_thread WHERE %s AND thread <= %d AND resolved AND length(quote) > 0 LIMIT %d`, of, e.floor, eraseRows),
		fmt.Sprintf(`SELECT suggestion FROM docs_suggestion WHERE %s AND revision <= %d AND state <> %d AND (length(quote) > 0 OR delta <> '%s') LIMIT %d`,
			of, e.floor, suggestionOpen, noDelta, eraseRows)
}

// orphans are the threads whose quotes are to be erased since they stand nowhere, which was written down with the floor, or later.
func (e *erasing) orphans(ctx context.Context) (list []uint64, err error) {
	var at uint64
	var text string
	err = e.db.QueryRow(ctx, `SELECT version, anchors FROM docs_anchors WHERE workspace = $1 AND document = $2`, e.workspace, e.id).Scan(&at, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("docs: read anchors: %w", err)
	}
	stand, err := parseAnchors(at, text)
	if err != nil {
		return nil, err
	}
	err = each(ctx, e.db.Query, `SELECT thread FROM docs_thread WHERE workspace = $1 AND document = $2 AND thread <= $3 AND length(quote) > 0`,
		[]any{e.workspace, e.id, int64(min(at, e.floor))}, func(r *sql.Rows) error {
			var thread uint64
			err := r.Scan(&thread)
			if stand.of(thread) == nil {
				list = append(list, thread)
			}
			return err //nolint:wrapcheck // said below
		})
	if err != nil {
		return nil, fmt.Errorf("docs: read quotes: %w", err)
	}
	return list, nil
}

// rows erases rows, a portion after the other, until none are left.
func (e *erasing) rows(ctx context.Context, portion, erase string, args ...any) error {
	for {
		var left int
		if err := e.db.QueryRow(ctx, `SELECT count(*) FROM (`+portion+`) x`, args...).Scan(&left); err != nil {
			return fmt.Errorf("docs: look for what is to be erased: %w", err)
		}
		if left == 0 {
			return nil
		}
		err := e.portion(ctx, func() error {
			return e.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // says what failed
				if _, err := tx.ExecContext(ctx, erase, args...); err != nil {
					return fmt.Errorf("docs: erase rows: %w", err)
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
}

// events erases the bodies of the log's events, and writes down how far it has come.
func (e *erasing) events(ctx context.Context) error {
	for e.done < e.floor {
		err := e.portion(ctx, func() (err error) {
			if e.done, err = e.log.Erase(ctx, e.workspace, e.topic(), e.done, eraseRows); err != nil {
				return fmt.Errorf("docs: erase events: %w", err)
			}
			return e.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // says what failed
				_, err := tx.ExecContext(ctx, `UPDATE docs_erasure SET done = $3 WHERE workspace = $1 AND document = $2`, e.workspace, e.id, int64(e.done))
				if err != nil {
					return fmt.Errorf("docs: write how far it is erased: %w", err)
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// finish looks whether all is erased, and forgets that it was to be.
func (e *erasing) finish(ctx context.Context) error {
	return e.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // says what failed
		// First: who closes something meanwhile has taken this row, and is waited for, or waits (toErase).
		if _, err := tx.ExecContext(ctx, `DELETE FROM docs_erasure WHERE workspace = $1 AND document = $2 AND purged = $3`, e.workspace, e.id, e.purged); err != nil {
			return fmt.Errorf("docs: end an erasure: %w", err)
		}
		if e.purged {
			return nil
		}
		return e.historyErased(ctx, tx)
	})
}

// historyErased takes away what was written down of the history while it was erased. If something that quotes it was closed since that was looked at,
// there is more to be done.
//
// Who writes something down holds the document's row until it is committed, and finds out by it what the floor is. So once the row was to be had
// for oneself, nothing more of what was begun before the floor rose can come.
func (e *erasing) historyErased(ctx context.Context, tx *sql.Tx) error {
	var floor int64
	err := tx.QueryRowContext(ctx, `SELECT floor FROM docs_document WHERE workspace = $1 AND id = $2`+e.sql.seize, e.workspace, e.id).Scan(&floor)
	switch {
	case errors.Is(err, sql.ErrNoRows): // purged meanwhile: that is another erasure
		return errMore
	case err != nil:
		return fmt.Errorf("docs: hold a document: %w", err)
	case uint64(floor) != e.floor: // it has risen again
		return errMore
	}
	resolved, closed := e.quoting()
	for _, quoting := range []string{resolved, closed} {
		var left int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (`+quoting+`) x`, e.workspace, e.id).Scan(&left); err != nil {
			return fmt.Errorf("docs: look for what is to be erased: %w", err)
		}
		if left > 0 {
			return errMore
		}
	}
	for _, q := range []string{
		`DELETE FROM docs_version WHERE workspace = $1 AND document = $2 AND version < $3`,
		`DELETE FROM docs_snapshot WHERE workspace = $1 AND document = $2 AND version < $3`,
		`DELETE FROM docs_blame WHERE workspace = $1 AND document = $2 AND floor < $3`,
	} {
		if _, err := tx.ExecContext(ctx, q, e.workspace, e.id, floor); err != nil {
			return fmt.Errorf("docs: erase what was written down: %w", err)
		}
	}
	return e.forgetClosed(ctx, tx)
}

// forgetClosed takes what suggestions were that are closed out of what was written down while they were open.
func (e *erasing) forgetClosed(ctx context.Context, tx *sql.Tx) error {
	var text string
	err := tx.QueryRowContext(ctx, `SELECT suggestions FROM docs_suggested WHERE workspace = $1 AND document = $2`+e.sql.seize, e.workspace, e.id).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	var list []suggested
	if err == nil {
		list, err = parseSuggested(text)
	}
	if err != nil {
		return fmt.Errorf("docs: read what suggestions were: %w", err)
	}
	open := map[uint64]bool{}
	err = each(ctx, tx.QueryContext, `SELECT suggestion FROM docs_suggestion WHERE workspace = $1 AND document = $2 AND state = $3`,
		[]any{e.workspace, e.id, int32(suggestionOpen)}, func(r *sql.Rows) error {
			var id uint64
			err := r.Scan(&id)
			open[id] = true
			return err //nolint:wrapcheck // said below
		})
	if err != nil {
		return fmt.Errorf("docs: read which suggestions are open: %w", err)
	}
	left := slices.DeleteFunc(slices.Clone(list), func(o suggested) bool { return !open[o.id] })
	if len(left) == len(list) {
		return nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE docs_suggested SET suggestions = $3 WHERE workspace = $1 AND document = $2`, e.workspace, e.id, suggestedText(left))
	if err != nil {
		return fmt.Errorf("docs: forget what suggestions were: %w", err)
	}
	return nil
}
