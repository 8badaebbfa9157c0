package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// op is one step of a batch: plan decides on the document's row, and changes it, so that the batch's later ops see what the earlier ones
// did. An *rpc.Error refuses the op alone.
type op interface {
	key() docKey                                      // without an id: it decides on no document
	plan(b *batch, d *document, st *topic.Step) error // d: nil where there is none
}

type docKey struct{ workspace, id string }

func (k docKey) topic() string { return topicDocument + k.id }

// route is what places the document among the service's processes: what gateways route its calls by.
func (k docKey) route() string { return topic.RouteKey(k.workspace, k.id) }

// document is a row of docs_document.
type document struct {
	docKey
	title, creator       string
	createdMs, changedMs int64
	trashed              bool
	term                 uint64
	node                 string
	head                 uint64
	floor                uint64 // the oldest version that can be read; 0: all can
}

func (d *document) proto(role docsv1.Role) *docsv1.Document {
	return &docsv1.Document{
		Id: d.id, Title: d.title, Creator: d.creator, CreatedMs: d.createdMs, ChangedMs: d.changedMs, Version: d.head, Trashed: d.trashed, Role: role, Floor: d.floor,
	}
}

// batch is what the ops of one transaction share.
type batch struct {
	*Server
	ctx       context.Context //nolint:containedctx // a batch lives for one call
	tx        *sql.Tx
	documents map[docKey]*document
	changed   map[docKey]bool
	trees     map[string]folders // by workspace
}

// statements are those whose text depends on the engine, made once.
type statements struct {
	keys, rows, ids             sqldb.Relation
	read, save, mayRead, roleOf string
	suggestions, close          string
	describe                    string // what stands beside documents' rows, for a person: %d
	memberStatements
	noticeStatements
	recentStatements

	// Of a row that is read in a transaction: it is not deleted before that ends; nobody else holds it either.
	hold, seize string
	// What is written down of a document beside its row, which is held meanwhile, and says whether it may be.
	addVersion, addBlame, addStar, mendEntry string

	contains string // that bytes stand in others; the operands are %[1]s and %[2]s
	given    string // the documents that somebody has a role in, or had: of a workspace, a user, and the query of names in docs_role
}

func newStatements(d sqldb.Dialect) *statements {
	s := &statements{
		keys:     sqldb.NewRelation(d, "ws text", "doc text"),
		rows:     sqldb.NewRelation(d, "ws text", "doc text", "title text", "creator text", "created bigint", "changed bigint", "trashed boolean", "term bigint", "node text", "head bigint", "floor bigint"),
		contains: `instr(%[1]s, %[2]s) > 0`,
		// The order of such a join is kept.
		given: `SELECT r.document FROM (%[3]s) p CROSS JOIN docs_role r ON r.workspace = %[1]s AND r.user_id = p.name
			UNION ALL SELECT s.document FROM docs_member m CROSS JOIN docs_share s ON s.workspace = m.workspace AND s.container = m.container WHERE m.workspace = %[1]s AND m.user_id = %[2]s`,
		ids: sqldb.NewRelation(d, "id bigint"),
	}
	if d == sqldb.Postgres {
		s.contains = `position(%[2]s IN %[1]s) > 0`
		s.given = `SELECT r.document FROM docs_role r WHERE r.workspace = %[1]s AND r.user_id = ANY(ARRAY(%[3]s))
			UNION ALL SELECT s.document FROM docs_member m INNER JOIN docs_share s ON s.workspace = m.workspace AND s.container = m.container WHERE m.workspace = %[1]s AND m.user_id = %[2]s`
		s.hold, s.seize = ` FOR KEY SHARE`, ` FOR UPDATE`
	}
	these := `workspace = $2 AND document = $3 AND suggestion IN (SELECT k.id FROM ` + s.ids.SQL() + `)`
	s.suggestions = `SELECT suggestion, author, description, state, revision, delta, quote, created_ms, revised_ms, closed, closed_by, closed_ms
		FROM docs_suggestion WHERE ` + these + ` ORDER BY suggestion DESC`
	s.close = `UPDATE docs_suggestion SET state = $4, closed = $5, closed_by = $6, closed_ms = $7 WHERE ` + these
	s.read = `SELECT ` + documentColumns + ` FROM ` + s.keys.SQL() + ` ` + s.keys.Lookup("INNER", "docs_document", "d", `d.workspace = k.ws AND d.id = k.doc`)
	s.roleOf = roleOf(d, `$2`, `$3`, `$4`)
	n := len(s.keys.Args(nil))
	s.mayRead = `SELECT d.id, d.trashed, ` + roleOf(d, fmt.Sprint(`$`, n+1), fmt.Sprint(`$`, n+2), fmt.Sprint(`$`, n+3)) + ` FROM ` + s.keys.SQL() + ` ` +
		s.keys.Lookup("INNER", "docs_document", "d", `d.workspace = k.ws AND d.id = k.doc`)
	s.addMembers(d)
	s.addNoticeStatements(d)
	s.addRecentStatements(d)
	s.describe = `SELECT k.doc, coalesce(e.folder, ''), coalesce(f.deleted, false), coalesce(e.trashed_ms, 0), s.document IS NOT NULL, coalesce(o.opened_ms, 0) FROM ` + s.keys.SQL() + ` ` +
		s.keys.Lookup("LEFT", "docs_entry", "e", `e.workspace = k.ws AND e.document = k.doc`) + ` ` +
		s.keys.Lookup("LEFT", "docs_folder", "f", `f.workspace = k.ws AND f.id = e.folder`) + ` ` +
		s.keys.Lookup("LEFT", "docs_star", "s", `s.workspace = k.ws AND s.user_id = $%[1]d AND s.document = k.doc`) + ` ` +
		s.keys.Lookup("LEFT", "docs_recent", "o", `o.workspace = k.ws AND o.user_id = $%[1]d AND o.document = k.doc`)
	s.addVersion = `INSERT INTO docs_version (workspace, document, version, time_ms, bytes, authors, name)
		SELECT workspace, id, $3, $4, $5, $6, '' FROM docs_document WHERE workspace = $1 AND id = $2 AND term = $7 AND floor <= $3` + s.hold + ` ON CONFLICT DO NOTHING`
	s.addBlame = `INSERT INTO docs_blame (workspace, document, version, ranges, floor)
		SELECT workspace, id, $3, $4, floor FROM docs_document WHERE workspace = $1 AND id = $2 AND floor = $5` + s.hold + ` ON CONFLICT DO NOTHING`
	s.addStar = `INSERT INTO docs_star (workspace, user_id, document, starred_ms)
		SELECT workspace, $2, id, $4 FROM docs_document WHERE workspace = $1 AND id = $3` + s.hold + ` ON CONFLICT DO NOTHING`
	s.mendEntry = `INSERT INTO docs_entry (workspace, document, creator, folder, title, trashed_ms)
		SELECT workspace, id, creator, '', $3, $4 FROM docs_document WHERE workspace = $1 AND id = $2` + s.hold + `
		ON CONFLICT (workspace, document) DO UPDATE SET title = excluded.title, trashed_ms = excluded.trashed_ms`
	s.save = `INSERT INTO docs_document (workspace, id, title, creator, created_ms, changed_ms, trashed, term, node, head, floor)
		SELECT k.ws, k.doc, k.title, k.creator, k.created, k.changed, k.trashed, k.term, k.node, k.head, k.floor FROM ` + s.rows.SQL() + ` WHERE true
		ON CONFLICT (workspace, id) DO UPDATE SET title = excluded.title, changed_ms = excluded.changed_ms, trashed = excluded.trashed,
			term = excluded.term, node = excluded.node, head = excluded.head, floor = excluded.floor`
	return s
}

const documentColumns = `d.workspace, d.id, d.title, d.creator, d.created_ms, d.changed_ms, d.trashed, d.term, d.node, d.head, d.floor`

func (d *document) scan(r interface{ Scan(...any) error }, more ...any) error {
	return r.Scan(append([]any{&d.workspace, &d.id, &d.title, &d.creator, &d.createdMs, &d.changedMs, &d.trashed, &d.term, &d.node, &d.head, &d.floor}, more...)...) //nolint:wrapcheck // the caller's
}

// planner keeps what the log calls apart from what people call.
type planner struct{ *Server }

// Plan runs one batch's ops on one load of their documents.
func (s planner) Plan(ctx context.Context, tx *sql.Tx, steps []*topic.Step) error {
	b := &batch{Server: s.Server, ctx: ctx, tx: tx, documents: map[docKey]*document{}, changed: map[docKey]bool{}, trees: map[string]folders{}}
	var keys [][]any
	for _, st := range steps {
		o, ok := st.Op.(op)
		if !ok {
			return fmt.Errorf("docs: %T is no op", st.Op)
		}
		if k := o.key(); k.id != "" && b.documents[k] == nil {
			b.documents[k] = &document{docKey: k}
			keys = append(keys, []any{k.workspace, k.id})
		}
	}
	clear(b.documents)
	err := each(ctx, tx.QueryContext, s.sql.read, s.sql.keys.Args(keys), func(r *sql.Rows) error {
		d := &document{}
		if err := d.scan(r); err != nil {
			return err
		}
		b.documents[d.docKey] = d
		return nil
	})
	if err != nil {
		return fmt.Errorf("docs: read documents: %w", err)
	}
	for _, st := range steps {
		o := st.Op.(op) //nolint:forcetypeassert // checked above
		if err := o.plan(b, b.documents[o.key()], st); err != nil {
			if _, refused := errors.AsType[*rpc.Error](err); !refused {
				return fmt.Errorf("docs: %T: %w", st.Op, err)
			}
			st.Entries, st.Answer, st.Err = nil, nil, err
		}
	}
	return b.save()
}

// save writes the rows that ops have changed.
func (b *batch) save() error {
	if len(b.changed) == 0 {
		return nil
	}
	rows := make([][]any, 0, len(b.changed))
	for k := range b.changed {
		if d := b.documents[k]; d != nil { // else it was purged
			rows = append(rows, []any{d.workspace, d.id, d.title, d.creator, d.createdMs, d.changedMs, d.trashed, int64(d.term), d.node, int64(d.head), int64(d.floor)})
		}
	}
	if _, err := b.tx.ExecContext(b.ctx, b.sql.save, b.sql.rows.Args(rows)...); err != nil {
		return fmt.Errorf("docs: write documents: %w", err)
	}
	return nil
}

// change has the row of a document written. An op that refuses must not have called it.
func (b *batch) change(d *document) { b.changed[d.docKey] = true }

// Insert writes the batch's rows.
func (s planner) Insert(ctx context.Context, tx *sql.Tx, rows []topic.Row) error {
	return logSchema().InsertRows(ctx, tx, s.db.Dialect(), rows)
}

// create makes a document.
type create struct {
	docKey
	user, title string
	content     string // a delta
	answer      func(document string, version uint64) proto.Message
}

func (o *create) key() docKey { return o.docKey }

func (o *create) plan(b *batch, d *document, st *topic.Step) error {
	if d != nil {
		return errors.New("docs: the id is taken") // 128 bits of a key that the log has forgotten: refused as too old before
	}
	entry, err := o.entry(o.user, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Created{Created: &docsv1.Created{Title: o.title, Delta: o.content}}})
	if err != nil {
		return err
	}
	if err := setRole(b.ctx, b.tx, o.docKey, o.user, grant{role: owner}); err != nil {
		return err
	}
	now := st.Now.UnixMilli()
	if err := b.addEntry(o.docKey, o.user, o.title); err != nil {
		return err
	}
	if b.cfg.History > 0 {
		if err := setJob(b.ctx, b.tx, o.docKey, jobHistory, st.Now.Add(b.cfg.History)); err != nil {
			return err
		}
	}
	d = &document{docKey: o.docKey, title: o.title, creator: o.user, createdMs: now, changedMs: now, term: 1, head: 1}
	b.documents[o.docKey] = d
	b.change(d)
	st.Entries = []topic.Entry{entry}
	st.Answer = func(rows []topic.Row) proto.Message {
		return o.answer(o.id, rows[0].Offset)
	}
	return nil
}

// entry is an event of a document.
func (k docKey) entry(actor string, e *docsv1.DocumentEvent) (topic.Entry, error) {
	e.Actor = actor
	body, err := proto.Marshal(e)
	if err != nil {
		return topic.Entry{}, fmt.Errorf("encode event: %w", err)
	}
	return topic.Entry{Topic: k.topic(), Body: body}, nil
}

// amend is an event that a document's owner appends, and what it changes besides.
type amend struct {
	docKey
	term, head uint64 // what the owner believes
	entry      topic.Entry
	answer     func(row *topic.Row) proto.Message
	edit       bool // of the content
	title      string
	trashed    *bool
	role       *docsv1.Grant
	name       *docsv1.VersionNamed
	write      func(b *batch, st *topic.Step) error // what else it changes, in SQL; it may add to the entry, and run again
	anchor     *anchor                              // of the thread that it makes
	credited   string                               // who else the edit is by; empty: nobody
	committed  func()                               // changes what the session knows as committed, in its goroutine; nil: nothing does

	// Written when it is numbered; 0: the key was used before, and this was not done.
	at     uint64 // the version that it made
	timeMs int64  // when
}

func (o *amend) key() docKey { return o.docKey }

// plan keeps the invariant that an append is conditional on (term, head).
func (o *amend) plan(b *batch, d *document, st *topic.Step) error {
	if d == nil || d.term != o.term || d.head != o.head {
		return errAway
	}
	st.Entries = []topic.Entry{o.entry}
	if o.write != nil {
		if err := o.write(b, st); err != nil {
			return err
		}
	}
	if o.role != nil {
		if err := setRole(b.ctx, b.tx, o.docKey, o.role.GetPrincipal(), grant{o.role.GetRole(), o.role.GetExpiresMs()}); err != nil {
			return err
		}
	}
	if o.name != nil {
		if err := b.nameVersion(o.docKey, o.name); err != nil {
			return err
		}
	}
	d.head++
	if o.edit {
		d.changedMs = st.Now.UnixMilli()
	}
	if o.title != "" {
		d.title = o.title
		if err := b.retitle(o.docKey, o.title); err != nil {
			return err
		}
	}
	if o.trashed != nil {
		d.trashed = *o.trashed
		if err := b.trash(o.docKey, d.trashed, st.Now); err != nil {
			return err
		}
	}
	b.change(d)
	st.Answer = func(rows []topic.Row) proto.Message {
		o.at, o.timeMs = rows[0].Offset, rows[0].TimeMs
		return o.answer(&rows[0])
	}
	return nil
}

// claim makes a process the owner of a document, unless another one that lives is.
type claim struct {
	docKey
	node  string
	lives func(node string) bool

	// plan writes these.
	found document // as it is then
	other string   // the owner, if it is another process; then the claim is refused
}

func (o *claim) key() docKey { return o.docKey }

func (o *claim) plan(b *batch, d *document, _ *topic.Step) error {
	o.other = ""
	switch {
	case d == nil:
		return errDocument
	case d.node != "" && d.node != o.node && o.lives(d.node):
		o.other = d.node
		return errAway
	}
	d.term++
	d.node = o.node
	o.found = *d
	b.change(d)
	return nil
}

// release gives a document up, if it is still owned.
type release struct {
	docKey
	term uint64
}

func (o *release) key() docKey { return o.docKey }

func (o *release) plan(b *batch, d *document, st *topic.Step) error {
	if d == nil || d.term != o.term {
		return nil
	}
	d.node = ""
	b.change(d)
	if b.cfg.History > 0 && d.floor < d.head {
		return setJob(b.ctx, b.tx, o.docKey, jobHistory, st.Now.Add(historyGap))
	}
	return nil
}

// disown gives a document up that a session has left, whatever its term.
//
// Invariant: no document is given up that this process has open: the session's claim may have been made since the other one was found to have left it.
type disown struct {
	sessionID
	node string
}

func (o *disown) key() docKey { return o.docKey }

func (o *disown) plan(b *batch, d *document, _ *topic.Step) error { //nolint:unparam // an op
	if d != nil && d.node == o.node && b.isLeft(o.sessionID) {
		d.node = ""
		b.change(d)
	}
	return nil
}

// repeat asks for the first answer of a key: what is planned was not used.
type repeat struct{ docKey }

func (o repeat) key() docKey { return o.docKey }

func (o repeat) plan(*batch, *document, *topic.Step) error { return errUnused }

// query is a read pool's or a transaction's.
type query func(ctx context.Context, q string, args ...any) (*sql.Rows, error)

// each runs a query and hands its rows on.
func each(ctx context.Context, q query, text string, args []any, row func(*sql.Rows) error) error {
	rows, err := q(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	return nil
}
