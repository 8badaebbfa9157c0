package docs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// Who is named in a comment, has written in a thread, or has suggested something, is told of it by their own topic. The transaction of the event
// writes down that there is news, and asks for a job of the document; that tells it to whoever may read the document at that moment.

const jobNews jobKind = "news"

const tellPage = 100 // people who are looked at, and told, in one transaction

// The kinds of notices.
const (
	noticeMentioned = docsv1.NoticeKind_NOTICE_KIND_MENTIONED
	noticeReplied   = docsv1.NoticeKind_NOTICE_KIND_REPLIED
	noticeResolved  = docsv1.NoticeKind_NOTICE_KIND_RESOLVED
	noticeReopened  = docsv1.NoticeKind_NOTICE_KIND_REOPENED
	noticeAccepted  = docsv1.NoticeKind_NOTICE_KIND_ACCEPTED
	noticeRejected  = docsv1.NoticeKind_NOTICE_KIND_REJECTED
)

// noticeStatements are those of notices.
type noticeStatements struct {
	hearing                               sqldb.Relation
	bearers, hearers, addNotices, tooMany string
}

func (s *statements) addNoticeStatements(d sqldb.Dialect) {
	s.hearing = sqldb.NewRelation(d, "usr text", "kind integer")
	s.bearers = `SELECT k.doc, p.id, false FROM ` + s.keys.SQL() + ` INNER JOIN docs_person p ON p.workspace = k.ws AND p.handle = k.doc AND p.active
		UNION ALL SELECT k.doc, g.id, true FROM ` + s.keys.SQL() + ` INNER JOIN docs_group g ON g.workspace = k.ws AND g.handle = k.doc`
	p := func(relation sqldb.Relation, i int) string { return fmt.Sprint(`$`, len(relation.Args(nil))+i) }
	workspace, document, version, thread, comment := p(s.users, 1), p(s.users, 2), p(s.users, 3), p(s.users, 4), p(s.users, 5)
	actor, told, now, unknown := p(s.users, 6), p(s.users, 7), p(s.users, 8), p(s.users, 9)
	reads := roleOf(d, `u.id`, `coalesce(p.active AND NOT p.guest, `+unknown+`)`, now) + fmt.Sprintf(` >= CASE WHEN d.trashed THEN %d ELSE %d END`, owner, viewer)
	knows := fmt.Sprintf(`EXISTS (SELECT 1 FROM docs_notice n WHERE n.workspace = d.workspace AND n.user_id = u.id AND n.document = d.id AND n.kind = %d AND n.comment = %s)`, noticeMentioned, comment)
	concerned := `SELECT k.usr AS id, 1 AS named FROM ` + s.users.SQL() + `
		UNION ALL SELECT c.author, 0 FROM docs_comment c
			WHERE c.workspace = ` + workspace + ` AND c.document = ` + document + ` AND c.thread = ` + thread + ` AND c.comment < ` + version
	s.hearers = `SELECT u.id, u.named, ` + reads + ` AND NOT ` + knows + ` FROM (SELECT x.id, max(x.named) AS named FROM (` + concerned + `) x
			WHERE x.id <> ` + actor + ` AND x.id > ` + told + ` GROUP BY x.id ORDER BY x.id LIMIT ` + strconv.Itoa(tellPage) + `) u
		INNER JOIN docs_document d ON d.workspace = ` + workspace + ` AND d.id = ` + document + `
		LEFT JOIN docs_person p ON p.workspace = d.workspace AND p.id = u.id ORDER BY u.id`
	workspace, document, version = p(s.hearing, 1), p(s.hearing, 2), p(s.hearing, 3)
	s.addNotices = `INSERT INTO docs_notice (workspace, user_id, at, document, kind, thread, comment, suggestions, actor, time_ms)
		SELECT n.workspace, k.usr, t.head, n.document, k.kind, n.thread, n.comment, n.suggestions, n.actor, n.time_ms FROM ` + s.hearing.SQL() + ` ` +
		s.hearing.Lookup("INNER", "docs_topic", "t", `t.workspace = `+workspace+` AND t.topic = '`+topicUser+`' || k.usr`) + ` ` +
		s.hearing.Lookup("INNER", "docs_news", "n", `n.workspace = `+workspace+` AND n.document = `+document+` AND n.version = `+version)
	s.tooMany = fmt.Sprintf(`SELECT k.usr, (SELECT n.at FROM docs_notice n WHERE n.workspace = %s AND n.user_id = k.usr ORDER BY n.at DESC LIMIT 1 OFFSET %d) FROM %s`,
		workspace, MaxNotices, s.hearing.SQL())
}

// news is what people are to be told of.
type news struct {
	version         uint64 // of the event
	kind            docsv1.NoticeKind
	thread, comment uint64
	suggestions     []uint64
	users, groups   []string // whom it concerns besides those who had written in the thread

	// These are known once it is written down.
	actor  string
	timeMs int64
	told   string // the last person, in the order of ids, to whom it needn't be told any more
}

// toWriters says whether it is told to those who had written in the thread.
func (n *news) toWriters() bool {
	return n.kind == noticeReplied || n.kind == noticeResolved || n.kind == noticeReopened
}

// kindFor is what it is for somebody: who is named in a reply is told that.
func (n *news) kindFor(named bool) docsv1.NoticeKind {
	if named && n.kind == noticeReplied {
		return noticeMentioned
	}
	return n.kind
}

// tell writes down that there is news, if there may be somebody to be told.
func (b *batch) tell(k docKey, n news, st *topic.Step) error {
	users := notAmong(n.users, []string{st.Key.User})
	if !n.toWriters() && len(users)+len(n.groups) == 0 {
		return nil
	}
	suggestions, err := json.Marshal(n.suggestions)
	if err != nil {
		return fmt.Errorf("encode ids: %w", err)
	}
	err = b.exec(`INSERT INTO docs_news (workspace, document, version, kind, thread, comment, suggestions, actor, time_ms, users, named_groups, told)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '')`, k.workspace, k.id, int64(n.version), int32(n.kind), int64(n.thread), int64(n.comment),
		string(suggestions), st.Key.User, st.Now.UnixMilli(), strings.Join(users, " "), strings.Join(n.groups, " "))
	if err != nil {
		return err
	}
	return setJob(b.ctx, b.tx, k, jobNews, st.Now)
}

// tellNews tells people what is new for them in a document. It comes back to forget what is too old of what they were told.
func (s *Server) tellNews(ctx context.Context, k docKey) (next time.Time, err error) {
	for more := true; more; {
		if more, err = s.tellSome(ctx, k); err != nil {
			return next, err
		}
	}
	return s.forgetNotices(ctx, k, time.Now())
}

var (
	errTold   = errors.New("docs: somebody else has told it")
	errPurged = errors.New("docs: there is no such document any more")
)

// tellSome tells the first news of a document to the next people, and says whether there may be more.
//
// Invariant: the transaction that tells it moves the news on, from where it was found. So everybody is told once, whoever else does this at the
// same time, and wherever it breaks off.
func (s *Server) tellSome(ctx context.Context, k docKey) (more bool, err error) {
	err = s.log.Transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := firstNews(ctx, tx, k)
		if more = n != nil; err != nil || !more {
			return err
		}
		rows, last, err := s.hearers(ctx, tx, k, n)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			if err := s.tellThem(ctx, tx, k, n, rows); err != nil {
				return err
			}
		}
		return s.moveOn(ctx, tx, k, n, last)
	})
	switch {
	case errors.Is(err, errTold):
		return true, nil
	case errors.Is(err, errPurged):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("docs: tell news: %w", err)
	}
	return more, nil
}

// firstNews reads the first that isn't told to all yet; nil: there is none.
func firstNews(ctx context.Context, tx *sql.Tx, k docKey) (*news, error) {
	n := &news{}
	var suggestions, users, groups string
	err := tx.QueryRowContext(ctx, `SELECT version, kind, thread, comment, suggestions, actor, time_ms, users, named_groups, told FROM docs_news
		WHERE workspace = $1 AND document = $2 ORDER BY version LIMIT 1`, k.workspace, k.id).
		Scan(&n.version, &n.kind, &n.thread, &n.comment, &suggestions, &n.actor, &n.timeMs, &users, &groups, &n.told)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil //nolint:nilnil // there is none
	case err == nil:
		err = json.Unmarshal([]byte(suggestions), &n.suggestions)
	}
	if err != nil {
		return nil, fmt.Errorf("read news: %w", err)
	}
	n.users, n.groups = strings.Fields(users), strings.Fields(groups)
	return n, nil
}

// hearers are those of the next whom it concerns who may read the document, each with the kind that it is for them. Who was told that a comment names
// them isn't told again. It returns the last it has looked at, too, or nobody if there are no more.
func (s *Server) hearers(ctx context.Context, tx *sql.Tx, k docKey, n *news) (rows [][]any, last string, err error) {
	users := n.users
	for _, group := range n.groups { // of each as many as are looked at: no others of it are among the next
		next, err := texts(ctx, tx.QueryContext, `SELECT user_id FROM docs_member WHERE workspace = $1 AND container = $2 AND user_id > $3 AND user_id <> $4
			ORDER BY user_id LIMIT $5`, k.workspace, aGroup+group, n.told, n.actor, tellPage)
		if err != nil {
			return nil, "", fmt.Errorf("read a group: %w", err)
		}
		users = append(users, next...)
	}
	writers := uint64(0)
	if n.toWriters() {
		writers = n.thread
	}
	args := append(s.sql.users.Args(rowsOf(users)), k.workspace, k.id, int64(n.version), int64(writers), int64(n.comment), n.actor, n.told, time.Now().UnixMilli(), !s.knowsPeople)
	looked := 0
	err = each(ctx, tx.QueryContext, s.sql.hearers, args, func(r *sql.Rows) error {
		var named, hears bool
		err := r.Scan(&last, &named, &hears)
		if looked++; hears {
			rows = append(rows, []any{last, int64(n.kindFor(named))})
		}
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("look for who is to be told: %w", err)
	}
	if looked < tellPage {
		last = ""
	}
	return rows, last, nil
}

// tellThem appends an event to each person's topic, writes down that they were told, and forgets the oldest of what they were told before.
func (s *Server) tellThem(ctx context.Context, tx *sql.Tx, k docKey, n *news, rows [][]any) error {
	appends := make([]topic.Append, len(rows))
	for i, row := range rows {
		user, kind := row[0].(string), row[1].(int64) //nolint:forcetypeassert // as hearers made them
		notice := n.notice(k.id, docsv1.NoticeKind(kind))
		body, err := proto.Marshal(&docsv1.UserEvent{Event: &docsv1.UserEvent_Notice{Notice: notice}})
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		appends[i] = topic.Append{Workspace: k.workspace, Route: user, User: user, Entries: []topic.Entry{{Topic: topicUser + user, Body: body}}}
	}
	if err := s.log.Append(ctx, tx, appends); err != nil {
		return err //nolint:wrapcheck // the log's own
	}
	args := append(s.sql.hearing.Args(rows), k.workspace)
	// Each topic's head is the offset of its event: its partition is held since it was appended.
	res, err := tx.ExecContext(ctx, s.sql.addNotices, append(args[:len(args):len(args)], k.id, int64(n.version))...)
	if err == nil {
		err = found(res, len(rows), errTold)
	}
	if err != nil {
		return fmt.Errorf("write notices: %w", err)
	}
	last := map[string]int64{} // of what is to be forgotten
	err = each(ctx, tx.QueryContext, s.sql.tooMany, args, func(r *sql.Rows) error {
		var user string
		var at sql.NullInt64
		err := r.Scan(&user, &at)
		if at.Valid {
			last[user] = at.Int64
		}
		return err
	})
	for user, at := range last {
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM docs_notice WHERE workspace = $1 AND user_id = $2 AND at <= $3`, k.workspace, user, at)
		}
	}
	if err != nil {
		return fmt.Errorf("forget the oldest: %w", err)
	}
	return nil
}

func (n *news) notice(document string, kind docsv1.NoticeKind) *docsv1.Notice {
	return &docsv1.Notice{
		Document: document, Kind: kind, Actor: n.actor, TimeMs: n.timeMs, Thread: n.thread, Comment: n.comment, Suggestions: n.suggestions,
	}
}

// moveOn writes down who was told, up to the last; nobody: it is told to all. The document is held meanwhile, as by whoever writes something of it down beside the log (purge).
func (s *Server) moveOn(ctx context.Context, tx *sql.Tx, k docKey, n *news, last string) error {
	what, args := `DELETE FROM docs_news`, []any{k.workspace, k.id, int64(n.version), n.told}
	if last != "" {
		what, args = `UPDATE docs_news SET told = $5`, append(args, last)
	}
	res, err := tx.ExecContext(ctx, what+` WHERE workspace = $1 AND document = $2 AND version = $3 AND told = $4`, args...)
	if err == nil {
		err = found(res, 1, errTold)
	}
	if err != nil {
		return fmt.Errorf("move news on: %w", err)
	}
	var one int
	err = tx.QueryRowContext(ctx, `SELECT 1 FROM docs_document WHERE workspace = $1 AND id = $2`+s.sql.hold, k.workspace, k.id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return errPurged
	}
	if err != nil {
		return fmt.Errorf("hold a document: %w", err)
	}
	return nil
}

// found says that a statement has written another number of rows than it should have.
func found(res sql.Result, want int, otherwise error) error {
	n, err := res.RowsAffected()
	if err == nil && n != int64(want) {
		err = otherwise
	}
	return err //nolint:wrapcheck // by the caller
}

// forgetNotices forgets what people were told of a document too long ago, and says when there is more of that.
func (s *Server) forgetNotices(ctx context.Context, k docKey, now time.Time) (next time.Time, err error) {
	for {
		var oldest int64
		err := s.db.QueryRow(ctx, `SELECT coalesce(min(time_ms), 0) FROM docs_notice WHERE workspace = $1 AND document = $2`, k.workspace, k.id).Scan(&oldest)
		if err != nil {
			return next, fmt.Errorf("docs: look for old notices: %w", err)
		}
		if end := time.UnixMilli(oldest).Add(keepNotices); oldest == 0 {
			return next, nil
		} else if end.After(now) {
			return end, nil
		}
		err = s.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM docs_notice WHERE workspace = $1 AND (user_id, at) IN (SELECT user_id, at FROM docs_notice
				WHERE workspace = $1 AND document = $2 AND time_ms <= $3 LIMIT $4)`, k.workspace, k.id, now.Add(-keepNotices).UnixMilli(), eraseRows)
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return next, fmt.Errorf("docs: forget old notices: %w", err)
		}
	}
}
