package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"plenum.internal/docs/ot"
)

// unsaved is who has edited behind the newest snapshot.
type unsaved struct {
	last    map[string]uint64 // user -> the version of their last edit
	firstMs int64             // when the first edit was committed
}

func (u *unsaved) none() bool { return len(u.last) == 0 }

func (u *unsaved) add(author string, version uint64, timeMs int64) {
	if author == "" {
		return
	}
	if u.none() {
		u.firstMs = timeMs
	}
	u.last[author] = version
}

// saved forgets the edits up to a version. Those behind it count as if they were new.
func (u *unsaved) saved(version uint64) {
	for author, last := range u.last {
		if last <= version {
			delete(u.last, author)
		}
	}
	u.firstMs = time.Now().UnixMilli()
}

// due is how long the first edit may still wait for a snapshot.
func (u *unsaved) due(after time.Duration) time.Duration {
	if u.none() {
		return 1 << 62
	}
	return max(0, time.Until(time.UnixMilli(u.firstMs).Add(after)))
}

func (u *unsaved) authors() (a authors) {
	for author := range u.last {
		a.add(author)
	}
	return a
}

// snapshot has the content written down as a version: when it is due, or when the next who opens the document would have to read much.
func (x *session) snapshot(due bool) {
	enough := x.storedAt >= x.tried+uint64(x.s.cfg.Snapshot) || x.grown >= snapshotBytes
	if due = due && !x.unsaved.none(); x.broken || x.writing || !enough && !due {
		return
	}
	content, v, stands := x.stored.Clone(), x.newest(), x.stands()
	x.writing, x.grown = true, 0
	x.s.tasks.Go(func() {
		ok := false
		err := x.s.guarded(x.docKey, func() error { ok = x.writeDown(x.s.working, v, content, stands); return nil })
		x.tell(func() {
			x.writing, x.tried, x.broken = false, v.version, x.broken || err != nil
			if ok {
				x.saved(v.version)
			} else { // tried again with the next one's edits
				x.due.Reset(x.s.cfg.Version)
			}
		})
	})
}

// newest is the version that is committed.
func (x *session) newest() versionRow {
	return versionRow{version: x.storedAt, timeMs: x.storedMs, bytes: int64(x.grown), authors: x.unsaved.authors()}
}

// stands is where threads and suggestions stand in a version, as it is written down.
type stands struct {
	threads     string      // empty: there are none
	suggestions []suggested // the open ones; nil: there never was one
}

func (x *session) stands() stands { return stands{x.threads.text(), x.proposed.standing()} }

// saved takes over that a version was written down.
func (x *session) saved(version uint64) {
	x.written = max(x.written, version)
	x.unsaved.saved(x.written)
	x.due.Reset(x.unsaved.due(x.s.cfg.Version))
}

// writeDown writes a version down, and where threads and suggestions stand in it, and thins the older ones out.
func (x *session) writeDown(ctx context.Context, v versionRow, content *ot.Document, stands stands) (ok bool) {
	warn := func(what string, err error) {
		x.s.logger.WarnContext(ctx, what, "workspace", x.workspace, "document", x.id, "version", v.version, "error", err)
	}
	if err := x.holdVersions(ctx); err != nil {
		warn("could not write a snapshot", err)
		return false
	}
	defer x.letVersions()
	select {
	case x.s.saving <- struct{}{}:
		defer func() { <-x.s.saving }()
	case <-ctx.Done():
		warn("could not write a snapshot", ctx.Err())
		return false
	}
	if err := x.s.writeVersion(ctx, x.docKey, x.term, v, content, stands); err != nil {
		warn("could not write a snapshot", err)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	if _, err := x.s.thinOut(ctx, x.docKey, x.term, time.Now()); err != nil {
		warn("could not thin the versions out", err)
	}
	return true
}

// holdVersions waits until nobody else changes which versions are written down.
func (x *session) holdVersions(ctx context.Context) error {
	select {
	case x.versions <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errAway.Because(ctx.Err())
	}
}

// holdInTurn holds the versions when it is the caller's turn, who may have to make one that is old, and let lets go of them. That turn comes first: whoever
// hands the document over waits for one such caller then, and not for all that wait for theirs.
func (x *session) holdInTurn(ctx context.Context) (let func(), err error) {
	done, err := x.s.heavy.turn(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.holdVersions(ctx); err != nil {
		done()
		return nil, err
	}
	return func() { x.letVersions(); done() }, nil
}

func (x *session) letVersions() { <-x.versions }

// close writes the last edits down, and gives the document up. Who hands many documents over at a time leaves a few edits to the next owner.
func (x *session) close(ctx context.Context) {
	if many := x.storedAt >= x.written+uint64(x.s.cfg.Snapshot)/10; many || x.idle && !x.unsaved.none() {
		ctx, cancel := context.WithTimeout(ctx, snapshotTime)
		defer cancel()
		x.writeDown(ctx, x.newest(), x.stored, x.stands())
	}
	x.s.release(ctx, x)
}

// errFenced: somebody else owns the document now.
var errFenced = errors.New("docs: the term has ended")

const (
	snapshotTime  = 30 * time.Second
	snapshotBytes = 4 << 20 // of edits, after which the content is written down however few they are
)

// writeVersion writes a version and its content down, and where threads and suggestions stand in it, if the term is still the document's.
func (s *Server) writeVersion(ctx context.Context, k docKey, term uint64, v versionRow, content *ot.Document, stands stands) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	text, suggestions := content.AppendJSON(nil), suggestedText(stands.suggestions)
	beside := func(tx *sql.Tx) error {
		if err := writeStands(ctx, tx, writeAnchors, k, v.version, stands.threads); err != nil {
			return err
		}
		return writeStands(ctx, tx, writeSuggested, k, v.version, suggestions)
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // the caller says what failed
		res, err := tx.ExecContext(ctx, s.sql.addVersion, k.workspace, k.id, int64(v.version), v.timeMs, v.bytes, v.authors.String(), int64(term))
		if err != nil {
			return fmt.Errorf("insert a version: %w", err)
		}
		if n, err := res.RowsAffected(); err == nil && n == 0 {
			var there int
			err := tx.QueryRowContext(ctx, `SELECT count(*) FROM docs_version v, docs_document d WHERE v.workspace = $1 AND v.document = $2 AND v.version = $3
				AND d.workspace = $1 AND d.id = $2 AND d.term = $4`, k.workspace, k.id, int64(v.version), int64(term)).Scan(&there)
			switch {
			case err != nil:
				return fmt.Errorf("look for a version: %w", err)
			case there == 0:
				return errFenced
			}
			return beside(tx) // it was given a name meanwhile
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO docs_snapshot (workspace, document, version, created_ms, content) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT DO NOTHING`, k.workspace, k.id, int64(v.version), v.timeMs, text)
		if err != nil {
			return fmt.Errorf("insert its content: %w", err)
		}
		if err := setJob(ctx, tx, k, jobThin, time.Now().Add(thinGap)); err != nil { // however this process ends
			return err
		}
		return beside(tx)
	})
}

const (
	writeAnchors = `INSERT INTO docs_anchors (workspace, document, version, anchors) VALUES ($1, $2, $3, $4)
		ON CONFLICT (workspace, document) DO UPDATE SET version = excluded.version, anchors = excluded.anchors WHERE docs_anchors.version < excluded.version`
	writeSuggested = `INSERT INTO docs_suggested (workspace, document, version, suggestions) VALUES ($1, $2, $3, $4)
		ON CONFLICT (workspace, document) DO UPDATE SET version = excluded.version, suggestions = excluded.suggestions WHERE docs_suggested.version < excluded.version`
)

// writeStands writes down what stands where as of a version, unless that is empty, or a later version's is known.
func writeStands(ctx context.Context, tx *sql.Tx, statement string, k docKey, version uint64, text string) error {
	if text == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, statement, k.workspace, k.id, int64(version), text); err != nil {
		return fmt.Errorf("write what stands where: %w", err)
	}
	return nil
}
