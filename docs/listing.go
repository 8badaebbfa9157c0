package docs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// A listing begins where there is least to look through. Of what a filter leaves there may be few: then all of it is looked at. Else the workspace's
// documents are gone over in the order that was asked for, so many at a time and for each page, whether the caller may read them or not: what
// the next page begins behind is sealed.

const (
	fewDocuments  = 1000 // are looked at whole, for each page
	mostDocuments = 1000 // of a workspace are gone over for a page
)

// The orders.
const (
	byChange = docsv1.DocumentOrder_DOCUMENT_ORDER_CHANGED
	byOpened = docsv1.DocumentOrder_DOCUMENT_ORDER_OPENED
	byTitle  = docsv1.DocumentOrder_DOCUMENT_ORDER_TITLE
)

// folded is what titles are compared by.
func folded(title string) []byte { return []byte(strings.ToLower(title)) }

// lookThrough is how many documents are looked at for a page.
type lookThrough struct{ few, most int }

// listing is what somebody wants to have listed.
type listing struct {
	*Server
	q     *docsv1.ListDocumentsRequest
	c     auth.Caller
	order docsv1.DocumentOrder
	limit int
	need  docsv1.Role
	fits  []clause // conditions on d, a document, and e, its entry
	few   []clause // queries of documents, one column named document, among which are all that fit
}

// clause is a part of a statement.
type clause func(*params) string

// params are the parameters of a statement, numbered as they are named first.
type params struct {
	c      auth.Caller
	at     time.Time
	values []any
	number map[string]int
}

func (l *listing) params() *params { return &params{c: l.c, at: time.Now(), number: map[string]int{}} }

func (p *params) of(name string, value any) string {
	n, ok := p.number[name]
	if !ok {
		p.values = append(p.values, value)
		n = len(p.values)
		p.number[name] = n
	}
	return fmt.Sprintf("$%d", n)
}

func (p *params) workspace() string { return p.of("workspace", p.c.Workspace) }
func (p *params) user() string      { return p.of("user", p.c.User) }
func (p *params) member() string    { return p.of("member", p.c.Kind != auth.KindGuest) }
func (p *params) now() string       { return p.of("now", p.at.UnixMilli()) }

// listed is a document in a list.
type listed struct {
	document
	role docsv1.Role
	fits bool
	at   place
}

// place is where a document stands in its order.
type place struct {
	Ms    int64  `json:"m,omitempty"`
	Title []byte `json:"t,omitempty"`
	ID    string `json:"i"` // empty: before all
}

// ListDocuments lists what the caller may read.
func (s *Server) ListDocuments(ctx context.Context, q *docsv1.ListDocumentsRequest) (*docsv1.ListDocumentsResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	l, err := s.newListing(ctx, c, q)
	if err != nil {
		return nil, err
	}
	var from place
	if q.GetPage() != "" {
		text, err := s.unseal(ctx, l.purpose(), q.GetPage())
		if errors.Is(err, errSeal) {
			return nil, errPage
		}
		if err == nil {
			err = json.Unmarshal(text, &from)
		}
		if err != nil {
			return nil, fmt.Errorf("docs: read a page's place: %w", err)
		}
	}
	list, next, err := l.page(ctx, from)
	if err != nil {
		return nil, err
	}
	res := &docsv1.ListDocumentsResponse{}
	for i := range list {
		res.Documents = append(res.Documents, list[i].proto(list[i].role))
	}
	if err := s.describe(ctx, c, res.GetDocuments()); err != nil {
		return nil, err
	}
	if next.ID != "" {
		text, err := json.Marshal(next)
		if err != nil {
			return nil, fmt.Errorf("docs: encode a place: %w", err)
		}
		if res.Next, err = s.seal(ctx, l.purpose(), text); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// purpose is whose a page's place is, and of what list.
func (l *listing) purpose() []byte {
	q := proto.CloneOf(l.q)
	q.Page, q.Limit = "", 0
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(q)
	if err != nil {
		panic(err) // it was a message
	}
	return fmt.Appendf(nil, "%s %s %t %x", l.c.Workspace, l.c.User, l.c.Kind == auth.KindGuest, text)
}

// newListing makes clauses of what was asked for.
func (s *Server) newListing(ctx context.Context, c auth.Caller, q *docsv1.ListDocumentsRequest) (*listing, error) {
	l := &listing{Server: s, q: q, c: c, order: q.GetOrder(), limit: int(q.GetLimit()), need: viewer}
	if l.limit == 0 {
		l.limit = page
	}
	if l.order == docsv1.DocumentOrder_DOCUMENT_ORDER_UNSPECIFIED {
		l.order = byChange
	}
	switch {
	case l.limit > MaxPage:
		return nil, badField("limit", "A page has at most %d documents.", MaxPage)
	case l.order < byChange || l.order > byTitle:
		return nil, badField("order", "There is no such order.")
	case len(q.GetTitle()) > MaxTitle:
		return nil, badField("title", "No title is longer than %d bytes.", MaxTitle)
	case q.Folder != nil && c.Kind == auth.KindGuest:
		return nil, errMayFolder
	}
	if l.order == byOpened {
		l.few = append(l.few, func(p *params) string {
			return `SELECT document FROM docs_recent WHERE workspace = ` + p.workspace() + ` AND user_id = ` + p.user()
		})
	}
	if q.GetStarred() {
		stars := func(p *params) string {
			return `SELECT document FROM docs_star WHERE workspace = ` + p.workspace() + ` AND user_id = ` + p.user()
		}
		l.few = append(l.few, stars)
		l.fit(func(p *params) string { return `d.id IN (` + stars(p) + `)` })
	}
	if q.GetTrashed() {
		l.need = owner
		l.few = append(l.few, func(p *params) string {
			return `SELECT document FROM docs_entry WHERE workspace = ` + p.workspace() + ` AND trashed_ms > 0`
		})
	}
	l.fit(func(p *params) string { return `d.trashed = ` + p.of("trashed", q.GetTrashed()) })
	names := func(p *params) string { return `SELECT CAST(` + p.user() + ` AS text) AS name` }
	if own := names; q.GetShared() {
		l.fit(func(p *params) string {
			return `d.creator <> ` + p.user() + ` AND ` + roleOf(s.db.Dialect(), p.user(), `false`, p.now()) + ` > 0`
		})
	} else {
		names = func(p *params) string { return own(p) + ` UNION ALL SELECT '*' WHERE ` + p.member() }
	}
	l.few = append(l.few, func(p *params) string {
		return fmt.Sprintf(s.sql.given, p.workspace(), p.user(), names(p))
	})
	if q.GetMine() {
		l.few = append(l.few, func(p *params) string {
			return `SELECT document FROM docs_entry WHERE workspace = ` + p.workspace() + ` AND creator = ` + p.user()
		})
		l.fit(func(p *params) string { return `d.creator = ` + p.user() })
	}
	if q.Folder != nil {
		names, err := s.standingFor(ctx, c.Workspace, q.GetFolder())
		if err != nil {
			return nil, err
		}
		l.few = append(l.few, func(p *params) string {
			return `SELECT document FROM docs_entry WHERE workspace = ` + p.workspace() + ` AND ` + s.among(p, `folder`, names)
		})
		l.fit(func(p *params) string { return s.among(p, `e.folder`, names) })
	}
	if q.GetTitle() != "" {
		l.fit(func(p *params) string {
			return fmt.Sprintf(s.sql.contains, `e.title`, p.of("title", folded(q.GetTitle())))
		})
	}
	return l, nil
}

func (l *listing) fit(condition clause) { l.fits = append(l.fits, condition) }

// standingFor are the folders that a document may name that stands in one: itself, and those that were deleted and stand for it.
func (s *Server) standingFor(ctx context.Context, workspace, id string) (names []string, err error) {
	there, err := s.hasFolder(ctx, workspace, id)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, errFolder
	}
	deleted, err := readFolders(ctx, s.db.Query, workspace, true)
	if err != nil {
		return nil, err
	}
	names = []string{id}
	for other := range deleted {
		if deleted.standsFor(other) == id {
			names = append(names, other)
		}
	}
	return names, nil
}

// among says that a column is one of some folders.
func (s *Server) among(p *params, column string, names []string) string {
	if s.db.Dialect() == sqldb.Postgres {
		return column + ` = ANY(` + p.of("folders", names) + `::text[])`
	}
	text, err := json.Marshal(names)
	if err != nil {
		panic(err) // strings can be encoded
	}
	return column + ` IN (SELECT value FROM json_each(` + p.of("folders", string(text)) + `))`
}

// page lists what is behind a place, and where the next page begins; nowhere: this is the last one.
func (l *listing) page(ctx context.Context, from place) (list []listed, next place, err error) {
	few, err := l.begin(ctx)
	if err != nil {
		return nil, next, err
	}
	if few != nil {
		list, err := l.readFew(ctx, few, from, l.limit+1)
		if err == nil && len(list) > l.limit {
			list = list[:l.limit]
			next = list[l.limit-1].at
		}
		return list, next, err
	}
	chunk := 2 * l.limit
	for looked := 0; looked < l.through.most; chunk *= 4 {
		chunk = min(chunk, l.through.most-looked)
		part, err := l.readNext(ctx, from, chunk)
		if err != nil {
			return nil, next, err
		}
		for _, d := range part {
			if from = d.at; d.fits && d.role >= l.need {
				if list = append(list, d); len(list) == l.limit {
					return list, from, nil
				}
			}
		}
		if len(part) < chunk {
			return list, next, nil
		}
		looked += len(part)
	}
	return list, from, nil
}

// begin chooses what to begin with: the query of documents that are few, or none.
func (l *listing) begin(ctx context.Context) (few clause, err error) {
	if l.order == byOpened || l.q.GetStarred() {
		return l.few[0], nil // their number is bounded
	}
	p := l.params()
	counts, numbers, into := make([]string, len(l.few)), make([]int, len(l.few)), make([]any, len(l.few))
	for i, q := range l.few {
		counts[i] = fmt.Sprintf(`(SELECT count(*) FROM (%s LIMIT %d) x)`, q(p), l.through.few+1)
		into[i] = &numbers[i]
	}
	if err := l.db.QueryRow(ctx, `SELECT `+strings.Join(counts, `, `), p.values...).Scan(into...); err != nil {
		return nil, fmt.Errorf("docs: count documents: %w", err)
	}
	if i := slices.Index(numbers, slices.Min(numbers)); numbers[i] <= l.through.few {
		return l.few[i], nil
	}
	return nil, nil
}

// readFew reads those of a few documents that fit and stand behind a place, in order.
func (l *listing) readFew(ctx context.Context, few clause, from place, most int) ([]listed, error) {
	p := l.params()
	text := `(SELECT DISTINCT document FROM (` + few(p) + `) f) k ` + l.lookup("docs_document", "d", `d.workspace = `+p.workspace()+` AND d.id = k.document`) + ` ` +
		l.lookup("docs_entry", "e", `e.workspace = `+p.workspace()+` AND e.document = k.document`)
	role := l.role(p)
	where := []string{l.fit1(p), role + ` >= ` + p.of("need", int32(l.need))}
	order, key, behind := l.ordered(p, from)
	switch l.order {
	case byOpened:
		text += ` ` + l.lookup("docs_recent", "o", `o.workspace = `+p.workspace()+` AND o.user_id = `+p.user()+` AND o.document = k.document`)
	case byTitle:
		where = append(where, `e.title IS NOT NULL`)
	}
	if behind != "" {
		where = append(where, behind)
	}
	return l.scan(ctx, `SELECT `+documentColumns+`, `+role+`, true, `+key+` FROM `+text+` WHERE `+strings.Join(where, ` AND `)+
		` ORDER BY `+order+` LIMIT `+p.of("most", most), p)
}

// readNext reads the workspace's documents behind a place, in order, whether they fit or not.
func (l *listing) readNext(ctx context.Context, from place, most int) ([]listed, error) {
	p := l.params()
	order, key, behind := l.ordered(p, from)
	if behind != "" {
		behind = ` AND ` + behind
	}
	limit := ` ORDER BY ` + order + ` LIMIT ` + p.of("most", most)
	var text string
	if l.order == byTitle {
		text = `(SELECT * FROM docs_entry e WHERE e.workspace = ` + p.workspace() + ` AND e.title IS NOT NULL` + behind + limit + `) e ` +
			l.lookup("docs_document", "d", `d.workspace = `+p.workspace()+` AND d.id = e.document`)
	} else {
		text = `(SELECT * FROM docs_document d WHERE d.workspace = ` + p.workspace() + behind + limit + `) d ` +
			l.lookup("docs_entry", "e", `e.workspace = `+p.workspace()+` AND e.document = d.id`)
	}
	fits := l.fit1(p)
	return l.scan(ctx, `SELECT `+documentColumns+`, CASE WHEN `+fits+` THEN `+l.role(p)+` ELSE 0 END, coalesce(`+fits+`, false), `+key+
		` FROM `+text+` ORDER BY `+order, p)
}

func (l *listing) role(p *params) string {
	return roleOf(l.db.Dialect(), p.user(), p.member(), p.now())
}

// fit1 is all conditions in one.
func (l *listing) fit1(p *params) string {
	all := make([]string, len(l.fits))
	for i, fit := range l.fits {
		all[i] = fit(p)
	}
	return strings.Join(all, ` AND `)
}

// ordered is how the order is told of: by what, where a document stands in it, and that one stands behind a place.
func (l *listing) ordered(p *params, from place) (order, key, behind string) {
	switch l.order {
	case byTitle:
		order, key = `e.title, e.document`, `0, e.title`
		if from.ID != "" {
			behind = `(e.title, e.document) > (` + p.of("at", from.Title) + `, ` + p.of("id", from.ID) + `)`
		}
	case byOpened:
		order, key = `o.opened_ms DESC, o.document DESC`, `o.opened_ms, NULL`
		if from.ID != "" {
			behind = `(o.opened_ms, o.document) < (` + p.of("at", from.Ms) + `, ` + p.of("id", from.ID) + `)`
		}
	default:
		order, key = `d.changed_ms DESC, d.id DESC`, `d.changed_ms, NULL`
		if from.ID != "" {
			behind = `(d.changed_ms, d.id) < (` + p.of("at", from.Ms) + `, ` + p.of("id", from.ID) + `)`
		}
	}
	return order, key, behind
}

// scan reads documents with what is told of them in a list.
func (l *listing) scan(ctx context.Context, text string, p *params) (list []listed, err error) {
	err = each(ctx, l.db.Query, text, p.values, func(r *sql.Rows) error {
		var d listed
		var role int32
		if err := d.scan(r, &role, &d.fits, &d.at.Ms, &d.at.Title); err != nil {
			return err
		}
		d.role, d.at.ID = docsv1.Role(role), d.id
		list = append(list, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("docs: list documents: %w", err)
	}
	return list, nil
}

// lookup joins the one row of a table that a condition finds.
func (l *listing) lookup(table, alias, on string) string {
	return l.sql.keys.Lookup("INNER", table, alias, on)
}
