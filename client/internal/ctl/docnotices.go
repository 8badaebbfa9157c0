package ctl

import (
	"context"
	"fmt"
	"time"

	"plenum.internal/client"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type docNoticesCmd struct {
	Read bool `help:"Mark them as read, once they are shown."`
}

func (c *docNoticesCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		docs := docsv1.NewDocsServiceClient(h)
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		newest, known := uint64(0), titles{}
		for q := (&docsv1.ListNoticesRequest{}); ; {
			res, err := docs.ListNotices(ctx, q)
			if err != nil {
				return err
			}
			for _, n := range res.GetNotices() {
				where, err := known.of(ctx, docs, n.GetDocument())
				if err != nil {
					return err
				}
				unread := " "
				if n.GetOffset() > res.GetRead() {
					unread = "*"
				}
				if err := e.print(n, "%s  %s  %-16s %s", unread, time.UnixMilli(n.GetTimeMs()).Format("2006-01-02 15:04:05"), p.handle(n.GetActor()), noticeText(n, where)); err != nil {
					return err
				}
				newest = max(newest, n.GetOffset())
			}
			if q.Page = res.GetNext(); q.GetPage() != "" {
				continue
			}
			if c.Read && newest > res.GetRead() {
				_, err = docs.MarkNotices(ctx, &docsv1.MarkNoticesRequest{Offset: newest})
			}
			return err
		}
	})
}

// titles are documents as people know them, by id: each is asked for once.
type titles map[string]string

func (t titles) of(ctx context.Context, docs docsv1.DocsServiceClient, id string) (string, error) {
	if t[id] == "" {
		res, err := docs.GetDocument(ctx, &docsv1.GetDocumentRequest{Document: id})
		if t[id] = id; err == nil {
			t[id] = fmt.Sprintf("%s (%s)", clean(res.GetDocument().GetTitle()), id)
		} else if client.CodeOf(err) != edgev1.Code_CODE_NOT_FOUND { // lost a moment ago
			return "", err
		}
	}
	return t[id], nil
}

// noticeText says what somebody did, in a line.
func noticeText(n *docsv1.Notice, where string) string {
	switch n.GetKind() {
	case docsv1.NoticeKind_NOTICE_KIND_MENTIONED:
		return fmt.Sprintf("mentioned you in thread %d of %s", n.GetThread(), where)
	case docsv1.NoticeKind_NOTICE_KIND_REPLIED:
		return fmt.Sprintf("replied in thread %d of %s", n.GetThread(), where)
	case docsv1.NoticeKind_NOTICE_KIND_RESOLVED:
		return fmt.Sprintf("resolved thread %d of %s", n.GetThread(), where)
	case docsv1.NoticeKind_NOTICE_KIND_REOPENED:
		return fmt.Sprintf("opened thread %d of %s again", n.GetThread(), where)
	case docsv1.NoticeKind_NOTICE_KIND_ACCEPTED:
		return fmt.Sprintf("accepted what you suggested (%s) in %s", numbers(n.GetSuggestions()), where)
	case docsv1.NoticeKind_NOTICE_KIND_REJECTED:
		return fmt.Sprintf("rejected what you suggested (%s) in %s", numbers(n.GetSuggestions()), where)
	case docsv1.NoticeKind_NOTICE_KIND_UNSPECIFIED:
	}
	return "did something in " + where + " that this program doesn't know"
}
