package docs

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// versionRow is a row of docs_version.
type versionRow struct {
	version uint64
	timeMs  int64
	bytes   int64 // of the events since the one before
	authors authors
	name    string
	floor   bool // it is the document's, or was: it stays
}

const versionColumns = `version, time_ms, bytes, authors, name, floor`

func scanVersion(r *sql.Rows) (v versionRow, err error) {
	var users string
	err = r.Scan(&v.version, &v.timeMs, &v.bytes, &users, &v.name, &v.floor)
	v.authors = parseAuthors(users)
	return v, err //nolint:wrapcheck // the caller's
}

// tells says of a version that it is worth listing: somebody edited since the one before, or it has a name, or nothing is before it. Of the others
// nothing is new but comments, say: they are there to begin reading at. Who edited was not written down once, nor were the bytes.
const tells = `(authors <> '' OR name <> '' OR floor OR bytes = 0)`

// ListVersions lists what was written down, from SQL, at whichever process is asked.
func (s *Server) ListVersions(ctx context.Context, q *docsv1.ListVersionsRequest) (*docsv1.ListVersionsResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit := int(q.GetLimit())
	switch {
	case limit == 0:
		limit = page
	case limit > MaxPage:
		return nil, badField("limit", "A page has at most %d versions.", MaxPage)
	}
	before, err := decodeVersionPage(q.GetPage())
	if err != nil {
		return nil, err
	}
	d, _, err := s.cover(ctx, c, q.GetDocument())
	if err != nil {
		return nil, err
	}
	res := &docsv1.ListVersionsResponse{}
	err = each(ctx, s.db.Query, `SELECT `+versionColumns+` FROM docs_version
		WHERE workspace = $1 AND document = $2 AND version < $3 AND version >= $6 AND (NOT $4 OR name <> '') AND `+tells+` ORDER BY version DESC LIMIT $5`,
		[]any{c.Workspace, d.id, before, q.GetNamed(), limit + 1, int64(d.floor)}, func(r *sql.Rows) error {
			v, err := scanVersion(r)
			if err != nil {
				return err
			}
			if n := len(res.GetVersions()); n == limit {
				res.Next = encodeVersionPage(res.GetVersions()[n-1].GetVersion())
				return nil
			}
			res.Versions = append(res.Versions, &docsv1.Version{
				Version: v.version, TimeMs: v.timeMs, Authors: v.authors.users, MoreAuthors: v.authors.more, Name: v.name,
			})
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("docs: list versions: %w", err)
	}
	return res, nil
}

func encodeVersionPage(last uint64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendUint(nil, last, 10))
}

func decodeVersionPage(s string) (before int64, err error) {
	if s == "" {
		return 1 << 62, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		if before, err = strconv.ParseInt(string(text), 10, 64); err == nil && before > 0 {
			return before, nil
		}
	}
	return 0, badField("page", "Send the next of the page before, or nothing.")
}

// NameVersion gives a version a name or takes it. What gets one is written down first, if it isn't yet.
func (s *Server) NameVersion(ctx context.Context, q *docsv1.NameVersionRequest) (*docsv1.NameVersionResponse, error) {
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	name, err := checkLine("name", q.GetName(), MaxName)
	if err != nil {
		return nil, err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	m := topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}
	res := &docsv1.NameVersionResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_NameVersion_FullMethodName, q, res, func(x *session) error {
		err := x.do(ctx, func() error { return x.allowVersion(c, key, q.GetVersion()) })
		if errors.Is(err, errRepeated) {
			return s.firstAnswer(ctx, m, res, err)
		}
		if err != nil {
			return err
		}
		let, err := x.holdInTurn(ctx)
		if err != nil {
			return err
		}
		defer let()
		has, err := x.pin(ctx, q.GetVersion(), name)
		if err != nil {
			return err
		}
		return x.change(ctx, m, res, func() (*change, error) {
			if err := x.allowChange(c, editor); err != nil || has == name {
				return nil, err
			}
			named := &docsv1.VersionNamed{Version: q.GetVersion(), Name: name}
			return &change{
				event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_VersionNamed{VersionNamed: named}},
				amend: amend{name: named, answer: func(row *topic.Row) proto.Message { return &docsv1.NameVersionResponse{Version: row.Offset} }},
			}, nil
		}, func(version uint64) { res.Version = version })
	})
}

// allowVersion says why a caller may not have something done with a version. What they are told must not come from who has lost the document.
func (x *session) allowVersion(c auth.Caller, key topic.Key, version uint64) error {
	if err := x.allowChange(c, editor); err != nil {
		return err
	}
	if _, repeated := x.recent.known[mutationOf(key)]; repeated {
		return errRepeated
	}
	switch {
	case version == 0 || version > x.storedAt:
		return errVersion
	case version < x.cover.floor:
		return errErased(x.cover.floor)
	}
	return nil
}

// neighbours are the versions that are written down around one.
type neighbours struct {
	before, there, after versionRow // none: of version 0
	named                int        // how many have names, of all
}

func (x *session) neighbours(ctx context.Context, version uint64) (n neighbours, err error) {
	err = each(ctx, x.s.db.Query, `SELECT `+versionColumns+` FROM docs_version WHERE workspace = $1 AND document = $2 AND (name <> ''
			OR version = (SELECT max(version) FROM docs_version WHERE workspace = $1 AND document = $2 AND version <= $3)
			OR version = (SELECT min(version) FROM docs_version WHERE workspace = $1 AND document = $2 AND version > $3))
		AND version >= (SELECT floor FROM docs_document WHERE workspace = $1 AND id = $2)
		ORDER BY version`, []any{x.workspace, x.id, int64(version)}, func(r *sql.Rows) error {
		v, err := scanVersion(r)
		if v.name != "" {
			n.named++
		}
		switch {
		case v.version < version:
			n.before = v
		case v.version == version:
			n.there = v
		case n.after.version == 0:
			n.after = v
		}
		return err
	})
	if err != nil {
		return n, fmt.Errorf("docs: read versions: %w", err)
	}
	return n, nil
}

// pin says which name a version has, and sees to it that it can have another one: it is written down, and there aren't too many.
// The caller holds the versions.
func (x *session) pin(ctx context.Context, version uint64, name string) (has string, err error) {
	n, err := x.neighbours(ctx, version)
	switch {
	case err != nil:
		return "", err
	case name == "" || n.there.name != "":
		return n.there.name, nil
	case n.named >= MaxNamed:
		return "", errLimit("A document has at most %d versions with a name. Take the name of another one away first.", MaxNamed)
	case n.there.version != 0:
		return "", nil
	}
	return "", x.insertVersion(ctx, n.before.version, version, n.after)
}

// insertVersion writes a version down between two others; after may be none.
func (x *session) insertVersion(ctx context.Context, before, version uint64, after versionRow) error {
	v := versionRow{version: version}
	content, err := x.made(ctx, version)
	if err != nil {
		return err
	}
	rest := versionRow{version: after.version}
	err = x.s.events(ctx, x.docKey, x.epoch, before, max(version, after.version), func(e event) error {
		row := &v
		if e.version > version {
			row = &rest
		}
		row.timeMs, row.bytes = e.timeMs, row.bytes+int64(e.bytes)
		if e.edit.Count() > 0 {
			row.authors.add(e.author)
			row.authors.add(e.credited)
		}
		return nil
	})
	if err != nil {
		return x.s.damaged(x.docKey, err)
	}
	if err := x.s.writeVersion(ctx, x.docKey, x.term, v, content, stands{}); err != nil {
		if errors.Is(err, errFenced) {
			return errAway
		}
		return fmt.Errorf("docs: write a version: %w", err)
	}
	if after.version != 0 {
		err := x.s.db.Write(ctx, func(tx *sql.Tx) error { return updateVersion(ctx, tx, x.docKey, rest) })
		if err != nil {
			return fmt.Errorf("docs: %w", err)
		}
	}
	return x.do(ctx, func() error { x.saved(version); return nil })
}

// nameVersion is the naming's part in the transaction of its event.
func (b *batch) nameVersion(k docKey, n *docsv1.VersionNamed) error {
	res, err := b.tx.ExecContext(b.ctx, `UPDATE docs_version SET name = $4 WHERE workspace = $1 AND document = $2 AND version = $3`,
		k.workspace, k.id, int64(n.GetVersion()), n.GetName())
	if err != nil {
		return fmt.Errorf("name a version: %w", err)
	}
	if rows, err := res.RowsAffected(); err == nil && rows == 0 {
		return errAway // another owner has thinned it out
	}
	return nil
}
