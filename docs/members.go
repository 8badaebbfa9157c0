package docs

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"strings"
	"time"

	"plenum.internal/mesh/sqldb"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// Who is a member of what stands in SQL, where docs' followers write it (people.go, channels.go). Lists, covers and Open read it there. A session
// looks at it only where what is granted to the caller themselves, and to everybody, is not enough.

// roleOf is a caller's role in a document d: the best of the grants that count for them. Its parameters are the caller, whether they are no guest,
// and the time. The container's member is looked up as a value, for PostgreSQL may read all of a person's containers for each
// document where it is a join.
func roleOf(dialect sqldb.Dialect, user, member, now string) string {
	greatest := "max"
	if dialect == sqldb.Postgres {
		greatest = "greatest"
	}
	return fmt.Sprintf(greatest+`(
		(SELECT coalesce(max(r.role), 0) FROM docs_role r WHERE r.workspace = d.workspace AND r.document = d.id
			AND (r.user_id = %[1]s OR (r.user_id = '*' AND %[2]s)) AND (r.expires_ms = 0 OR r.expires_ms > %[3]s)),
		(SELECT coalesce(max(s.role), 0) FROM docs_share s WHERE s.workspace = d.workspace AND s.document = d.id
			AND (SELECT 1 FROM docs_member m WHERE m.workspace = s.workspace AND m.container = s.container AND m.user_id = %[1]s) = 1
			AND (s.expires_ms = 0 OR s.expires_ms > %[3]s) AND (s.container NOT LIKE 'link/%%' OR EXISTS (SELECT 1 FROM docs_workspace w WHERE w.id = s.workspace AND w.links))))`, user, member, now)
}

// memberStatements are those of memberships.
type memberStatements struct {
	pairs, users                        sqldb.Relation
	memberOf, members, join, part, mark string
}

func (s *statements) addMembers(d sqldb.Dialect) {
	s.pairs, s.users = sqldb.NewRelation(d, "ws text", "container text", "usr text"), sqldb.NewRelation(d, "usr text")
	s.memberOf = `SELECT k.container, k.usr FROM ` + s.pairs.SQL() + ` ` +
		s.pairs.Lookup("INNER", "docs_member", "m", `m.workspace = k.ws AND m.container = k.container AND m.user_id = k.usr`)
	s.members = `SELECT p.id FROM ` + s.keys.SQL() + ` ` + s.keys.Lookup("INNER", "docs_person", "p", `p.workspace = k.ws AND p.id = k.doc`) + ` WHERE p.active AND NOT p.guest`
	n := len(s.users.Args(nil))
	s.join = fmt.Sprintf(`INSERT INTO docs_member (workspace, container, user_id) SELECT $%d, $%d, k.usr FROM %s WHERE true ON CONFLICT DO NOTHING`, n+1, n+2, s.users.SQL())
	s.part = fmt.Sprintf(`DELETE FROM docs_member WHERE workspace = $%d AND container = $%d AND user_id IN (SELECT k.usr FROM %s)`, n+1, n+2, s.users.SQL())
	n = len(s.keys.Args(nil))
	s.mark = fmt.Sprintf(`INSERT INTO docs_job (workspace, document, kind, due_ms, asked) SELECT k.ws, k.doc, $%d, CAST($%d AS bigint), 1 FROM %s WHERE true `, n+1, n+2, s.keys.SQL()) + askAgain
}

// membership is what is known of somebody: in which of a document's containers they are, and whether they are one of everybody.
type membership struct {
	read   time.Time // when this was begun to be read
	in     []string
	member bool // of the workspace, and no guest
}

// memberships are what a session knows of people.
//
// Invariant: what is relied on was read within the last membershipTime, and behind the last forget.
type memberships struct {
	of   map[string]membership
	life uint64 // of what is known: another one since it was forgotten
}

const (
	membershipTime = time.Second
	maxMemberships = 1000 // known to a session
)

// get is what is known of somebody.
func (m *memberships) get(user string) (membership, bool) {
	one, ok := m.of[user]
	return one, ok && time.Since(one.read) < membershipTime
}

// take takes over what was read, unless that was of another life.
func (m *memberships) take(life uint64, read map[string]membership) {
	if life != m.life {
		return
	}
	if len(m.of)+len(read) > maxMemberships {
		for user := range m.of {
			if _, ok := m.get(user); !ok {
				delete(m.of, user)
			}
		}
		if len(m.of)+len(read) > maxMemberships {
			clear(m.of)
		}
	}
	maps.Copy(m.of, read)
}

// forget has all be read again; what is being read just now, too.
func (m *memberships) forget() {
	m.life++
	clear(m.of)
}

// unread: what people are members of has to be read first, beside the session.
type unread struct {
	life              uint64
	users, containers []string
}

func (*unread) Error() string { return "docs: memberships are not known" }

// unread asks for what some people are members of.
func (x *session) unread(users ...string) error {
	u := &unread{life: x.members.life, users: users}
	for principal := range x.grants.of {
		if container(principal) {
			u.containers = append(u.containers, principal)
		}
	}
	return u
}

// memberships reads which of the containers people are in.
func (s *Server) memberships(ctx context.Context, workspace string, u *unread) (map[string]membership, error) {
	now := time.Now()
	read := make(map[string]membership, len(u.users))
	var people, pairs [][]any
	links := false
	for _, user := range u.users {
		read[user] = membership{read: now, member: !s.knowsPeople}
		people = append(people, []any{workspace, user})
		for _, c := range u.containers {
			pairs = append(pairs, []any{workspace, c, user})
			links = links || strings.HasPrefix(c, aLink)
		}
	}
	var err error
	if links {
		if links, err = s.linksAllowed(ctx, workspace); err != nil {
			return nil, err
		}
	}
	err = each(ctx, s.db.Query, s.sql.memberOf, s.sql.pairs.Args(pairs), func(r *sql.Rows) error {
		var in, user string
		err := r.Scan(&in, &user)
		if links || !strings.HasPrefix(in, aLink) {
			one := read[user]
			one.in = append(one.in, in)
			read[user] = one
		}
		return err
	})
	if err == nil && s.knowsPeople {
		err = each(ctx, s.db.Query, s.sql.members, s.sql.keys.Args(people), func(r *sql.Rows) error {
			var user string
			err := r.Scan(&user)
			one := read[user]
			one.member = true
			read[user] = one
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("docs: read memberships: %w", err)
	}
	return read, nil
}

// readers are those who may read the document, by everybody's role, too, if all.
func (x *session) readers(users []string, all bool) (may []string, err error) {
	var unknown []string
	all = all && x.grants.of[everybody].now() >= viewer
	for _, user := range users {
		if x.grants.of[user].now() >= viewer {
			may = append(may, user)
			continue
		}
		if !all && x.grants.containers == 0 {
			continue
		}
		m, ok := x.members.get(user)
		switch {
		case !ok:
			unknown = append(unknown, user)
		case all && m.member || x.grants.best(m.in) >= viewer:
			may = append(may, user)
		}
	}
	if len(unknown) > 0 {
		return nil, x.unread(unknown...)
	}
	return may, nil
}

// byContainers is the role that somebody has by what they are a member of.
func (x *session) byContainers(user string) (docsv1.Role, error) {
	m, ok := x.members.get(user)
	if !ok {
		return 0, x.unread(user)
	}
	return x.grants.best(m.in), nil
}
