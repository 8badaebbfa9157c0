package docs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// A principal is whom a role is granted to: a person, by their id; everybody; or a container of people, by its kind and its id.
const (
	everybody = "*" // who is in the workspace and no guest
	aGroup    = "group/"
	aChannel  = "channel/"
	aLink     = "link/"
)

// container reports that a principal is one of several people, but everybody.
func container(principal string) bool { return strings.Contains(principal, "/") }

func validPrincipal(p string) bool {
	switch kind, id, contains := strings.Cut(p, "/"); {
	case !contains:
		return p == everybody || validID(p)
	default:
		return (kind+"/" == aGroup || kind+"/" == aChannel || kind+"/" == aLink) && validID(id)
	}
}

// grant is a role that a principal has; the zero value is none.
type grant struct {
	role      docsv1.Role
	expiresMs int64 // 0: never
}

// now is the role that it gives at this moment.
func (g grant) now() docsv1.Role {
	if g.expiresMs != 0 && g.expiresMs <= time.Now().UnixMilli() {
		return docsv1.Role_ROLE_UNSPECIFIED
	}
	return g.role
}

// grants are a document's.
type grants struct {
	of         map[string]grant // by principal
	containers int              // how many are of containers
}

// set gives a principal a role, or takes it.
func (g *grants) set(principal string, to grant) {
	before := len(g.of)
	if to.role == docsv1.Role_ROLE_UNSPECIFIED {
		delete(g.of, principal)
	} else {
		g.of[principal] = to
	}
	if container(principal) {
		g.containers += len(g.of) - before
	}
}

// owners counts the owners but some.
func (g *grants) owners(but map[string]bool) (n int) {
	for principal, o := range g.of {
		if o.role == owner && !but[principal] {
			n++
		}
	}
	return n
}

// best is the best role that some containers give at this moment.
func (g *grants) best(containers []string) (r docsv1.Role) {
	for _, c := range containers {
		r = max(r, g.of[c].now())
	}
	return r
}

// expired are the principals whose grants count nothing any more, ascending.
func (g *grants) expired() (list []string) {
	for principal, o := range g.of {
		if o.now() < o.role {
			list = append(list, principal)
		}
	}
	slices.Sort(list)
	return list
}

// expires is when the next grant does; the zero time: none.
func (g *grants) expires() (next time.Time) {
	for _, o := range g.of {
		if at := time.UnixMilli(o.expiresMs); o.expiresMs != 0 && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// grants reads a document's.
func (s *Server) grants(ctx context.Context, k docKey) (grants, error) {
	all := grants{of: map[string]grant{}}
	err := each(ctx, s.db.Query, `SELECT user_id, role, expires_ms FROM docs_role WHERE workspace = $1 AND document = $2
		UNION ALL SELECT container, role, expires_ms FROM docs_share WHERE workspace = $1 AND document = $2`, []any{k.workspace, k.id}, func(r *sql.Rows) error {
		var principal string
		var g grant
		err := r.Scan(&principal, &g.role, &g.expiresMs)
		all.set(principal, g)
		return err
	})
	if err != nil {
		return all, fmt.Errorf("docs: read roles: %w", err)
	}
	return all, nil
}

// setRole writes a grant, and sees to it that its end is not forgotten. With a link goes what belongs to it.
func setRole(ctx context.Context, tx *sql.Tx, k docKey, principal string, g grant) error {
	table, column := "docs_role", "user_id"
	if container(principal) {
		table, column = "docs_share", "container"
	}
	if g.role != docsv1.Role_ROLE_UNSPECIFIED {
		_, err := tx.ExecContext(ctx, `INSERT INTO `+table+` (workspace, document, `+column+`, role, expires_ms) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (workspace, document, `+column+`) DO UPDATE SET role = excluded.role, expires_ms = excluded.expires_ms`,
			k.workspace, k.id, principal, int32(g.role), g.expiresMs)
		if err != nil {
			return fmt.Errorf("write role: %w", err)
		}
		if g.expiresMs == 0 {
			return nil
		}
		return setJob(ctx, tx, k, jobExpiry, time.UnixMilli(g.expiresMs))
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE workspace = $1 AND document = $2 AND `+column+` = $3`, k.workspace, k.id, principal); err != nil {
		return fmt.Errorf("take role: %w", err)
	}
	link, is := strings.CutPrefix(principal, aLink)
	if !is {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM docs_link WHERE workspace = $1 AND document = $2 AND link = $3`, k.workspace, k.id, link); err != nil {
		return fmt.Errorf("take link: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM docs_member WHERE workspace = $1 AND container = $2`, k.workspace, principal); err != nil {
		return fmt.Errorf("forget who has opened a link: %w", err)
	}
	return nil
}

// SetRole gives a role or takes it away.
func (s *Server) SetRole(ctx context.Context, q *docsv1.SetRoleRequest) (*docsv1.SetRoleResponse, error) {
	principal, to := q.GetPrincipal(), grant{q.GetRole(), q.GetExpiresMs()}
	if err := checkGrant(principal, to); err != nil {
		return nil, err
	}
	c, key, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	res := &docsv1.SetRoleResponse{}
	k := docKey{c.Workspace, q.GetDocument()}
	reach := s.atOwner
	if to.role == owner && mayAppoint(c) && validID(k.id) {
		abandoned, err := s.abandoned(ctx, k)
		if err != nil {
			return nil, err
		}
		if abandoned {
			reach = s.find
		}
	}
	return res, reach(ctx, k, docsv1.DocsService_SetRole_FullMethodName, q, res, func(x *session) error {
		known, err := s.mayName(ctx, c, principal) // not in the goroutine that others wait for
		if err == nil && !known && to.role > docsv1.Role_ROLE_UNSPECIFIED {
			known, err = s.hearOf(ctx, c, k, principal)
		}
		if err != nil {
			return err
		}
		inactive, err := s.inactive(ctx, k)
		if err != nil {
			return err
		}
		return x.change(ctx, topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}, res, func() (*change, error) {
			return x.setRole(c, principal, to, known, inactive)
		}, func(version uint64) { res.Version = version })
	})
}

const (
	maxExpiry     = 10 * 365 * 24 * time.Hour // of a grant, ahead
	maxLinkExpiry = 366 * 24 * time.Hour
)

// checkGrant says what is wrong with a grant, whoever asks for it.
func checkGrant(principal string, to grant) error {
	several := principal == everybody || container(principal)
	switch {
	case !validPrincipal(principal):
		return badField("principal", "Name a person, * for everybody in the workspace, group/…, or channel/….")
	case to.role < docsv1.Role_ROLE_UNSPECIFIED || to.role > owner:
		return badField("role", "There is no such role.")
	case several && to.role == owner:
		return badField("role", "Several people at a time can be editors at most. Name the owners.")
	case to.role > docsv1.Role_ROLE_UNSPECIFIED && strings.HasPrefix(principal, aLink):
		return badField("role", "A link keeps its role. Take it back, and make another one.")
	case to.role == docsv1.Role_ROLE_UNSPECIFIED && to.expiresMs != 0:
		return badField("expires_ms", "What is taken away does not expire.")
	case to.role == owner && to.expiresMs != 0:
		return badField("expires_ms", "Owners stay until somebody takes the role away.")
	}
	if to.expiresMs == 0 {
		return nil
	}
	return checkExpiry(to.expiresMs, maxExpiry, "ten years")
}

// checkExpiry accepts a time that is ahead, and not too far.
func checkExpiry(ms int64, most time.Duration, words string) error {
	if now := time.Now(); ms <= now.UnixMilli() || ms > now.Add(most).UnixMilli() {
		return badField("expires_ms", "This has to be a time in the future, at most %s ahead.", words)
	}
	return nil
}

// mayName reports whether a caller may give a role to a principal that has none yet. Who may not is not told whether there is such a one.
func (s *Server) mayName(ctx context.Context, c auth.Caller, principal string) (ok bool, err error) {
	group, isGroup := strings.CutPrefix(principal, aGroup)
	q, args := `SELECT count(*) FROM docs_person WHERE workspace = $1 AND id = $2 AND active`, []any{c.Workspace, principal}
	switch {
	case principal == everybody || !container(principal) && !s.knowsPeople:
		return true, nil
	case isGroup:
		q, args = `SELECT count(*) FROM docs_group WHERE workspace = $1 AND id = $2`, []any{c.Workspace, group}
	case container(principal):
		q, args = `SELECT count(*) FROM docs_member WHERE workspace = $1 AND container = $2 AND user_id = $3`, append(args, c.User)
	}
	n := 0
	if err := s.db.QueryRow(ctx, q, args...).Scan(&n); err != nil {
		return false, fmt.Errorf("docs: look for a principal: %w", err)
	}
	return n > 0, nil
}

const (
	hearTime = 2 * time.Second // for somebody, or a group, that was made a moment ago to be told of by identity or chat
	hearGap  = 100 * time.Millisecond
)

// hearOf waits for a moment until a principal is known that an owner names: docs follows identity and chat, and may be behind. Others aren't waited for,
// who would learn by it that there is the document. Nor is it where the principal has a grant already, whoever it is: that one can be changed.
func (s *Server) hearOf(ctx context.Context, c auth.Caller, k docKey, principal string) (known bool, err error) {
	if _, role, err := s.cover(ctx, c, k.id); err != nil || role < owner {
		return false, nil //nolint:nilerr // the session says what is wrong
	}
	if all, err := s.grants(ctx, k); err != nil || all.of[principal] != (grant{}) {
		return false, err
	}
	for end := time.Now().Add(hearTime); err == nil && !known && time.Now().Before(end); known, err = s.mayName(ctx, c, principal) {
		select {
		case <-time.After(hearGap):
		case <-ctx.Done():
			return false, errAway.Because(ctx.Err())
		}
	}
	return known, err
}

// inactive are the people with a role in a document who were deactivated, as identity has told. Who it has not told of yet, or not again since its
// history began anew, is none of them.
func (s *Server) inactive(ctx context.Context, k docKey) (map[string]bool, error) {
	list, err := texts(ctx, s.db.Query, `SELECT r.user_id FROM docs_role r INNER JOIN docs_person p ON p.workspace = r.workspace AND p.id = r.user_id
		WHERE r.workspace = $1 AND r.document = $2 AND NOT p.active AND p.version >= 0`, k.workspace, k.id)
	if err != nil {
		return nil, fmt.Errorf("docs: look for who was deactivated: %w", err)
	}
	of := make(map[string]bool, len(list))
	for _, user := range list {
		of[user] = true
	}
	return of, nil
}

// mayAppoint says that somebody may give a document an owner that has none who is active.
func mayAppoint(c auth.Caller) bool { return c.Kind != auth.KindGuest && c.May(mayManage) }

// abandoned reports whether all owners of a document were deactivated.
func (s *Server) abandoned(ctx context.Context, k docKey) (bool, error) {
	inactive, err := s.inactive(ctx, k)
	if err != nil || len(inactive) == 0 {
		return false, err
	}
	all, err := s.grants(ctx, k)
	return all.owners(inactive) == 0, err
}

// setRole changes a grant. known: the caller may name the principal; inactive: who was deactivated, and is no owner to rely on.
func (x *session) setRole(c auth.Caller, principal string, to grant, known bool, inactive map[string]bool) (*change, error) {
	before := x.grants.of[principal]
	if to.role != owner || !mayAppoint(c) || x.purged || x.grants.owners(inactive) > 0 { // or else in the trash, too: nobody can take it out
		if err := x.allowChange(c, owner); err != nil {
			return nil, err
		}
	}
	others := x.grants.owners(inactive)
	if before.role == owner && !inactive[principal] {
		others--
	}
	switch {
	case before == to:
		return nil, nil //nolint:nilnil // nothing changes
	case before.role == owner && to.role != owner && others == 0:
		return nil, errLastOwner
	case before == grant{} && !known:
		return nil, badField("principal", "There is no such person, group or channel that you may share with. Of channels these are the ones that you are a member of.")
	}
	if err := x.roomFor(principal, before, to); err != nil {
		return nil, err
	}
	g := &docsv1.Grant{Principal: principal, Role: to.role, ExpiresMs: to.expiresMs}
	return &change{
		event:  &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_RoleSet{RoleSet: &docsv1.RoleSet{Grant: g}}},
		access: x.access(principal, to.role >= viewer),
		amend:  amend{role: g, answer: func(row *topic.Row) proto.Message { return &docsv1.SetRoleResponse{Version: row.Offset} }},
		follow: func() {
			if x.grants.set(principal, to); container(principal) {
				x.members.forget()
			}
		},
	}, nil
}

// roomFor says why there can't be one more grant.
func (x *session) roomFor(principal string, before, to grant) error {
	switch {
	case before != grant{} || to == grant{}:
		return nil
	case len(x.grants.of) >= MaxRoles:
		return errLimit("A document is shared with %d people, groups and channels at most. Share it with the workspace.", MaxRoles)
	case container(principal) && x.grants.containers >= MaxContainers:
		return errLimit("A document is shared with %d groups, channels and links at most. Take one away first.", MaxContainers)
	}
	return nil
}

// access is what a principal's grant means to those who follow the document. Gateways know people alone; whom something else may let read is
// asked for anew.
func (x *session) access(principal string, reads bool) []*topicv1.Access {
	switch {
	case !container(principal) && (reads || principal == everybody):
		return []*topicv1.Access{{Principal: principal, Read: reads, Signal: reads}}
	case reads: // nobody follows it by this yet who doesn't by something else
		return nil
	case !container(principal) && x.grants.containers == 0 && x.grants.of[everybody].now() < viewer:
		return []*topicv1.Access{{Principal: principal}}
	}
	return []*topicv1.Access{{Principal: everybody}}
}
