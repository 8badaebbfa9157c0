package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// said is what a comment says.
type said struct {
	text     string
	mentions []string // ids that came with it; once they are looked at in the session, of all whom it names
	byHandle []string // ids of people whose handles stand in the text
	groups   []string // ids of groups, likewise
}

// checkComment accepts a text with something to see in it, and ids of people, each once.
func checkComment(q written) (said, error) {
	text := q.GetText()
	switch {
	case len(text) > MaxComment:
		return said{}, badField("text", "Too long: %d bytes are allowed, these are %d.", MaxComment, len(text))
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return said{}, badField("text", "A comment is UTF-8 without zero bytes.")
	case !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }):
		return said{}, badField("text", "The comment is empty. Write something.")
	case len(q.GetMentions()) > MaxMentions:
		return said{}, badField("mentions", "A comment names %d people at most.", MaxMentions)
	}
	s := said{text: text}
	for _, user := range q.GetMentions() {
		if !validID(user) {
			return said{}, badField("mentions", "Name people by their ids.")
		}
		if !slices.Contains(s.mentions, user) {
			s.mentions = append(s.mentions, user)
		}
	}
	return s, nil
}

// allowComment says why a caller may not comment.
func (x *session) allowComment(c auth.Caller) error { return x.allowNext(c, commenter) }

// allowNext says why a caller may not have anything told now that needs a role.
func (x *session) allowNext(c auth.Caller, need docsv1.Role) error {
	if err := x.allowChange(c, need); err != nil {
		return err
	}
	return x.room(c.User)
}

// comment is what decides what may be done with one.
type comment struct {
	author  string // empty: there is none
	texts   int    // it has had
	deleted bool
}

// comment reads one as it is committed.
func (s *Server) comment(ctx context.Context, k docKey, thread, id uint64) (c comment, err error) {
	err = s.db.QueryRow(ctx, `SELECT c.author, c.deleted, (SELECT count(*) FROM docs_comment_text t WHERE t.workspace = c.workspace AND t.document = c.document AND t.comment = c.comment)
		FROM docs_comment c WHERE c.workspace = $1 AND c.document = $2 AND c.thread = $3 AND c.comment = $4`, k.workspace, k.id, int64(thread), int64(id)).
		Scan(&c.author, &c.deleted, &c.texts)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("docs: read a comment: %w", err)
	}
	return c, nil
}

// comment is one as it is with all that is under way. What was read is of no earlier than the session was opened, and nobody else has changed
// comments since: it is true unless the session has changed the comment, too.
func (x *session) comment(id uint64, read comment) (comment, error) {
	c, changed := x.threads.changed[id]
	if !changed {
		c = read
	}
	if read.author == "" { // of another thread, too
		return c, errComment
	}
	return c, nil
}

// AddComment replies in a thread.
func (s *Server) AddComment(ctx context.Context, q *docsv1.AddCommentRequest) (*docsv1.AddCommentResponse, error) {
	said, err := s.said(ctx, q)
	if err != nil {
		return nil, err
	}
	res := &docsv1.AddCommentResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_AddComment_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allowComment(c); err != nil {
			return nil, err
		}
		t := x.threads.all[q.GetThread()]
		switch {
		case t == nil:
			return nil, errThread
		case t.comments >= MaxComments:
			return nil, errLimit("A thread has %d comments at most. Begin another one.", MaxComments)
		}
		said, err := x.mentioned(c, said)
		if err != nil {
			return nil, err
		}
		id, place := x.version+1, t.comments
		return &change{
			event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_CommentAdded{CommentAdded: &docsv1.CommentAdded{
				Thread: q.GetThread(), Text: said.text, Mentions: said.mentions, Groups: said.groups,
			}}},
			amend: amend{
				answer: func(row *topic.Row) proto.Message { return &docsv1.AddCommentResponse{Comment: row.Offset} },
				write: func(b *batch, st *topic.Step) error {
					err := b.exec(`UPDATE docs_thread SET comments = comments + 1 WHERE workspace = $1 AND document = $2 AND thread = $3`, x.workspace, x.id, int64(q.GetThread()))
					if err != nil {
						return err
					}
					return b.addComment(x.docKey, q.GetThread(), id, place, said, st)
				},
			},
			follow: func() { t.comments++ },
		}, nil
	}, func(version uint64) { res.Comment = version })
}

// addComment writes a comment, that its event has its text, and who is to be told of it.
func (b *batch) addComment(k docKey, thread, id uint64, place int, said said, st *topic.Step) error {
	err := b.exec(`INSERT INTO docs_comment (workspace, document, thread, comment, place, author, text, mentions, named_groups, created_ms, edited_ms, deleted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, false)`, k.workspace, k.id, int64(thread), int64(id), place, st.Key.User,
		said.text, strings.Join(said.mentions, " "), strings.Join(said.groups, " "), st.Now.UnixMilli())
	if err != nil {
		return err
	}
	if err := b.hasText(k, id, id); err != nil {
		return err
	}
	n := news{version: id, kind: noticeMentioned, thread: thread, comment: id, users: said.mentions, groups: said.groups}
	if place > 0 {
		n.kind = noticeReplied
	}
	return b.tell(k, n, st)
}

// hasText writes down that an event has a comment's text.
func (b *batch) hasText(k docKey, version, comment uint64) error {
	return b.exec(`INSERT INTO docs_comment_text (workspace, document, version, comment, erased) VALUES ($1, $2, $3, $4, false)`,
		k.workspace, k.id, int64(version), int64(comment))
}

func (b *batch) exec(q string, args ...any) error {
	if _, err := b.tx.ExecContext(b.ctx, q, args...); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}

// ofComment is a request that names a comment.
type ofComment interface {
	named
	GetThread() uint64
	GetComment() uint64
}

// changeComment makes a change of a comment, which decide gets as it is with all that is under way.
func (s *Server) changeComment(ctx context.Context, q ofComment, res proto.Message, method string, decide func(x *session, c auth.Caller, of comment) (*change, error), done func(version uint64)) error {
	c, key, err := caller(ctx)
	if err != nil {
		return err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	return s.atOwner(ctx, k, method, q, res, func(x *session) error {
		read, err := s.comment(ctx, k, q.GetThread(), q.GetComment()) // behind the opening, and not in the goroutine that others wait for
		if err != nil {
			return err
		}
		return x.change(ctx, topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}, res, func() (*change, error) {
			if err := x.allowComment(c); err != nil {
				return nil, err
			}
			of, err := x.comment(q.GetComment(), read)
			if err != nil {
				return nil, err
			}
			return decide(x, c, of)
		}, done)
	})
}

// EditComment replaces the text of one's own comment.
func (s *Server) EditComment(ctx context.Context, q *docsv1.EditCommentRequest) (*docsv1.EditCommentResponse, error) {
	said, err := s.said(ctx, q)
	if err != nil {
		return nil, err
	}
	res := &docsv1.EditCommentResponse{}
	return res, s.changeComment(ctx, q, res, docsv1.DocsService_EditComment_FullMethodName, func(x *session, c auth.Caller, of comment) (*change, error) {
		switch {
		case of.author != c.User:
			return nil, errNotAuthor
		case of.deleted:
			return nil, errDeleted
		case of.texts > MaxCommentEdits:
			return nil, errLimit("A comment can be edited %d times.", MaxCommentEdits)
		}
		said, err := x.mentioned(c, said)
		if err != nil {
			return nil, err
		}
		version := x.version + 1
		of.texts++
		return &change{
			event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_CommentEdited{CommentEdited: &docsv1.CommentEdited{
				Thread: q.GetThread(), Comment: q.GetComment(), Text: said.text, Mentions: said.mentions, Groups: said.groups,
			}}},
			amend: amend{
				answer: func(row *topic.Row) proto.Message { return &docsv1.EditCommentResponse{Version: row.Offset} },
				write:  func(b *batch, st *topic.Step) error { return b.editComment(x.docKey, q, version, said, st) },
			},
			follow: func() { x.threads.changed[q.GetComment()] = of },
		}, nil
	}, func(version uint64) { res.Version = version })
}

// editComment writes what a comment says now, and that those are to be told of it whom it did not name before.
func (b *batch) editComment(k docKey, q *docsv1.EditCommentRequest, version uint64, said said, st *topic.Step) error {
	of := []any{k.workspace, k.id, int64(q.GetThread()), int64(q.GetComment())}
	var users, groups string
	err := b.tx.QueryRowContext(b.ctx, `SELECT mentions, named_groups FROM docs_comment WHERE workspace = $1 AND document = $2 AND thread = $3 AND comment = $4`, of...).Scan(&users, &groups)
	if err != nil {
		return fmt.Errorf("read whom a comment names: %w", err)
	}
	err = b.exec(`UPDATE docs_comment SET text = $5, mentions = $6, named_groups = $7, edited_ms = $8 WHERE workspace = $1 AND document = $2 AND thread = $3 AND comment = $4`,
		append(of, said.text, strings.Join(said.mentions, " "), strings.Join(said.groups, " "), st.Now.UnixMilli())...)
	if err != nil {
		return err
	}
	if err := b.hasText(k, version, q.GetComment()); err != nil {
		return err
	}
	return b.tell(k, news{
		version: version, kind: noticeMentioned, thread: q.GetThread(), comment: q.GetComment(),
		users: notAmong(said.mentions, strings.Fields(users)), groups: notAmong(said.groups, strings.Fields(groups)),
	}, st)
}

// notAmong are those of a list that another one doesn't have.
func notAmong(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(one string) bool { return slices.Contains(others, one) })
}

// DeleteComment empties a comment for ever.
func (s *Server) DeleteComment(ctx context.Context, q *docsv1.DeleteCommentRequest) (*docsv1.DeleteCommentResponse, error) {
	res := &docsv1.DeleteCommentResponse{}
	return res, s.changeComment(ctx, q, res, docsv1.DocsService_DeleteComment_FullMethodName, func(x *session, c auth.Caller, of comment) (*change, error) {
		if of.author != c.User {
			if err := x.allow(c, owner); err != nil {
				return nil, err
			}
		}
		if of.deleted {
			return nil, nil //nolint:nilnil // nothing changes
		}
		of.deleted = true
		return &change{
			event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_CommentDeleted{CommentDeleted: &docsv1.CommentDeleted{Thread: q.GetThread(), Comment: q.GetComment()}}},
			amend: amend{
				answer: func(row *topic.Row) proto.Message { return &docsv1.DeleteCommentResponse{Version: row.Offset} },
				write:  func(b *batch, st *topic.Step) error { return b.deleteComment(x.docKey, q, st) },
			},
			follow: func() { x.threads.changed[q.GetComment()] = of },
		}, nil
	}, func(version uint64) { res.Version = version })
}

// deleteComment empties a comment's row and, by what its event redacts, all events that have its text.
func (b *batch) deleteComment(k docKey, q *docsv1.DeleteCommentRequest, st *topic.Step) error {
	of := []any{k.workspace, k.id, int64(q.GetComment())}
	e := &st.Entries[0]
	err := each(b.ctx, b.tx.QueryContext, `SELECT version FROM docs_comment_text WHERE workspace = $1 AND document = $2 AND comment = $3`, of, func(r *sql.Rows) error {
		var version uint64
		err := r.Scan(&version)
		e.Redacts = append(e.Redacts, version)
		return err
	})
	if err != nil {
		return fmt.Errorf("read a comment's events: %w", err)
	}
	if err := b.exec(`UPDATE docs_comment_text SET erased = true WHERE workspace = $1 AND document = $2 AND comment = $3`, of...); err != nil {
		return err
	}
	if err := b.exec(`DELETE FROM docs_news WHERE workspace = $1 AND document = $2 AND comment = $3`, of...); err != nil { // whoever was not told yet isn't
		return err
	}
	return b.exec(`UPDATE docs_comment SET text = '', mentions = '', named_groups = '', deleted = true WHERE workspace = $1 AND document = $2 AND thread = $4 AND comment = $3`,
		append(of, int64(q.GetThread()))...)
}

// erased are the versions between two whose events were emptied with a comment.
func (s *Server) erased(ctx context.Context, k docKey, behind, last uint64) (map[uint64]bool, error) {
	gone := map[uint64]bool{}
	err := each(ctx, s.db.Query, `SELECT version FROM docs_comment_text WHERE workspace = $1 AND document = $2 AND version > $3 AND version <= $4 AND erased`,
		[]any{k.workspace, k.id, int64(behind), int64(last)}, func(r *sql.Rows) error {
			var version uint64
			err := r.Scan(&version)
			gone[version] = true
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("docs: read what was emptied: %w", err)
	}
	return gone, nil
}
