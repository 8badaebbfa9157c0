package docs

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// What is told of threads is read from SQL, but where they stand: that is the session's to say.

const threadColumns = `t.thread, t.quote, t.comments, t.resolved, t.resolved_by, t.resolved_ms, coalesce(c.comment, 0), coalesce(c.author, ''), coalesce(c.text, ''),
	coalesce(c.mentions, ''), coalesce(c.named_groups, ''), coalesce(c.created_ms, 0), coalesce(c.edited_ms, 0), coalesce(c.deleted, false)`

// readThreads reads rows of threadColumns, those of one thread one behind the other.
func (s *Server) readThreads(ctx context.Context, q string, args ...any) (list []*docsv1.Thread, err error) {
	err = each(ctx, s.db.Query, q, args, func(r *sql.Rows) error {
		t, c := &docsv1.Thread{}, &docsv1.Comment{}
		var quote []byte
		var mentions, groups string
		if err := r.Scan(&t.Id, &quote, &t.Count, &t.Resolved, &t.ResolvedBy, &t.ResolvedMs,
			&c.Id, &c.Author, &c.Text, &mentions, &groups, &c.CreatedMs, &c.EditedMs, &c.Deleted); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if len(list) == 0 || list[len(list)-1].GetId() != t.GetId() {
			t.Quote = string(quote)
			list = append(list, t)
		}
		if c.GetId() > 0 {
			c.Mentions, c.Groups = strings.Fields(mentions), strings.Fields(groups)
			last := list[len(list)-1]
			last.Comments = append(last.Comments, c)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("docs: read threads: %w", err)
	}
	return list, nil
}

// stand says where threads stand, and at which version, if the caller may read them.
func (x *session) stand(ctx context.Context, c auth.Caller, list []*docsv1.Thread) (known []*docsv1.Thread, version uint64, err error) {
	err = x.do(ctx, func() error {
		if err := x.allow(c, viewer); err != nil {
			return err
		}
		if err := x.owns(ctx); err != nil {
			return err
		}
		version = x.storedAt
		for _, t := range list {
			if t.GetId() > version { // just committed: whoever follows the document is told next
				continue
			}
			if o := x.threads.anchors.of(t.GetId()); o != nil {
				t.From, t.To = uint32(o.from), uint32(o.to)
			} else {
				t.Orphaned = true
			}
			if t.GetId() <= x.cover.floor && (t.GetResolved() || t.GetOrphaned()) { // as it is soon there, too (erasing.closed)
				t.Quote = ""
			}
			known = append(known, t)
		}
		return nil
	})
	return known, version, err
}

// ListThreads lists threads, newest first.
func (s *Server) ListThreads(ctx context.Context, q *docsv1.ListThreadsRequest) (*docsv1.ListThreadsResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	limit := int(q.GetLimit())
	switch {
	case limit == 0:
		limit = threadPage
	case limit > MaxThreadPage:
		return nil, badField("limit", "A page has at most %d threads.", MaxThreadPage)
	}
	before := int64(1<<63 - 1)
	if q.GetPage() != "" {
		id, err := strconv.ParseUint(q.GetPage(), 10, 63)
		if err != nil || id == 0 {
			return nil, errPage
		}
		before = int64(id)
	}
	k := docKey{c.Workspace, q.GetDocument()}
	res := &docsv1.ListThreadsResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_ListThreads_FullMethodName, q, res, func(x *session) error {
		list, err := s.readThreads(ctx, `SELECT `+threadColumns+` FROM (SELECT * FROM docs_thread WHERE workspace = $1 AND document = $2 AND thread < $3 AND (NOT resolved OR $4)
				ORDER BY thread DESC LIMIT $5) t
			LEFT JOIN docs_comment c ON c.workspace = t.workspace AND c.document = t.document AND c.thread = t.thread AND c.place < $6
			ORDER BY t.thread DESC, c.comment`, k.workspace, k.id, before, q.GetAll(), limit+1, commentsShown)
		if err != nil {
			return err
		}
		if len(list) > limit {
			list = list[:limit]
			res.Next = strconv.FormatUint(list[limit-1].GetId(), 10)
		}
		res.Threads, res.Version, err = x.stand(ctx, c, list)
		return err
	})
}

// GetThread reads a thread with its comments.
func (s *Server) GetThread(ctx context.Context, q *docsv1.GetThreadRequest) (*docsv1.GetThreadResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	res := &docsv1.GetThreadResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_GetThread_FullMethodName, q, res, func(x *session) error {
		list, err := s.readThreads(ctx, `SELECT `+threadColumns+` FROM docs_thread t
			LEFT JOIN docs_comment c ON c.workspace = t.workspace AND c.document = t.document AND c.thread = t.thread AND c.comment > $4
			WHERE t.workspace = $1 AND t.document = $2 AND t.thread = $3 ORDER BY c.comment LIMIT $5`,
			k.workspace, k.id, int64(q.GetThread()), int64(q.GetAfter()), commentPage+1)
		if err != nil {
			return err
		}
		if list, res.Version, err = x.stand(ctx, c, list); err != nil {
			return err
		}
		if len(list) == 0 {
			return errThread
		}
		res.Thread = list[0]
		if n := len(res.GetThread().GetComments()); n > commentPage {
			res.Thread.Comments, res.More = res.GetThread().GetComments()[:commentPage], true
		}
		return nil
	})
}
