package docs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// noticePage is how many are listed if the caller doesn't say.
const noticePage = 50

// ListNotices lists what the caller was told, of documents that they may still read.
func (s *Server) ListNotices(ctx context.Context, q *docsv1.ListNoticesRequest) (*docsv1.ListNoticesResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit := int(q.GetLimit())
	switch {
	case limit == 0:
		limit = noticePage
	case limit > MaxNoticePage:
		return nil, badField("limit", "A page has at most %d notices.", MaxNoticePage)
	}
	before := uint64(1 << 63)
	if q.GetPage() != "" {
		if before, err = strconv.ParseUint(q.GetPage(), 10, 63); err != nil || before == 0 {
			return nil, errPage
		}
	}
	res := &docsv1.ListNoticesResponse{}
	err = s.db.QueryRow(ctx, `SELECT at FROM docs_notice_read WHERE workspace = $1 AND user_id = $2`, c.Workspace, c.User).Scan(&res.Read)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("docs: read what was read: %w", err)
	}
	list, err := s.notices(ctx, c, time.Now())
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		if n.GetOffset() > res.GetRead() {
			res.Unread++
		}
		switch {
		case n.GetOffset() >= before:
		case len(res.GetNotices()) < limit:
			res.Notices = append(res.Notices, n)
		case res.GetNext() == "":
			res.Next = strconv.FormatUint(res.GetNotices()[limit-1].GetOffset(), 10)
		}
	}
	return res, nil
}

// notices reads all that can be listed for somebody, the newest first: their number is bounded.
func (s *Server) notices(ctx context.Context, c auth.Caller, now time.Time) (list []*docsv1.Notice, err error) {
	err = each(ctx, s.db.Query, `SELECT n.at, n.document, n.kind, n.thread, n.comment, n.suggestions, n.actor, n.time_ms, d.trashed, `+s.sql.roleOf+`
		FROM docs_notice n INNER JOIN docs_document d ON d.workspace = n.workspace AND d.id = n.document
		WHERE n.workspace = $1 AND n.user_id = $2 AND n.time_ms > $5 ORDER BY n.at DESC`,
		[]any{c.Workspace, c.User, c.Kind != auth.KindGuest, now.UnixMilli(), now.Add(-keepNotices).UnixMilli()}, func(r *sql.Rows) error {
			var d document
			var role int32
			var suggestions string
			n := &docsv1.Notice{}
			if err := r.Scan(&n.Offset, &n.Document, &n.Kind, &n.Thread, &n.Comment, &suggestions, &n.Actor, &n.TimeMs, &d.trashed, &role); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			if d.shownTo(docsv1.Role(role)) {
				list = append(list, n)
			}
			return json.Unmarshal([]byte(suggestions), &n.Suggestions)
		})
	if err != nil {
		return nil, fmt.Errorf("docs: read notices: %w", err)
	}
	return list, nil
}

// MarkNotices marks the caller's notices as read.
func (s *Server) MarkNotices(ctx context.Context, q *docsv1.MarkNoticesRequest) (*docsv1.MarkNoticesResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if q.GetOffset() == 0 || q.GetOffset() >= 1<<53 {
		return nil, badField("offset", "Name the offset of a notice.")
	}
	res := &docsv1.MarkNoticesResponse{}
	o := &readTo{c.Workspace, c.User, q.GetOffset()}
	return res, s.log.Mutate(ctx, topic.Mutation{Workspace: c.Workspace, Route: c.User, Key: topic.Key{User: c.User}, Request: q, Op: o}, res)
}

// readTo moves forward up to where somebody has read their notices. Done again it does nothing, so it needs no key.
type readTo struct {
	workspace, user string
	offset          uint64
}

func (o *readTo) key() docKey { return docKey{workspace: o.workspace} }

// plan moves it to a notice that is there: what is still to come is not read.
func (o *readTo) plan(b *batch, _ *document, st *topic.Step) error {
	var read, to uint64
	err := b.tx.QueryRowContext(b.ctx, `SELECT coalesce((SELECT at FROM docs_notice_read WHERE workspace = $1 AND user_id = $2), 0),
		coalesce((SELECT max(at) FROM docs_notice WHERE workspace = $1 AND user_id = $2 AND at <= $3), 0)`, o.workspace, o.user, int64(o.offset)).Scan(&read, &to)
	if err != nil {
		return fmt.Errorf("read what was read: %w", err)
	}
	if to > read {
		read = to
		err := b.exec(`INSERT INTO docs_notice_read (workspace, user_id, at) VALUES ($1, $2, $3) ON CONFLICT (workspace, user_id) DO UPDATE SET at = excluded.at`,
			o.workspace, o.user, int64(read))
		if err != nil {
			return err
		}
		body, err := proto.Marshal(&docsv1.UserEvent{Event: &docsv1.UserEvent_NoticesRead{NoticesRead: &docsv1.NoticesRead{Read: read}}})
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		st.Entries = []topic.Entry{{Topic: topicUser + o.user, Body: body}}
	}
	st.Answer = func([]topic.Row) proto.Message { return &docsv1.MarkNoticesResponse{Read: read} }
	return nil
}
