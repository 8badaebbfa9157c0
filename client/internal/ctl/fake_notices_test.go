package ctl

import (
	"context"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// ListNotices answers one at a time: one of each kind, and of a kind that is still to come.
func (f *fakeDocs) ListNotices(_ context.Context, q *docsv1.ListNoticesRequest) (*docsv1.ListNoticesResponse, error) {
	res := &docsv1.ListNoticesResponse{Read: f.read}
	newest := uint64(len(docsv1.NoticeKind_name))
	if !f.talk {
		return res, nil
	}
	res.Unread = uint32(newest - f.read)
	place := newest - uint64(len(q.GetPage()))
	n := &docsv1.Notice{Document: "d1", Kind: docsv1.NoticeKind(place), Actor: "u-bob", TimeMs: at(place), Offset: place, Thread: 3}
	switch n.GetKind() {
	case docsv1.NoticeKind_NOTICE_KIND_MENTIONED, docsv1.NoticeKind_NOTICE_KIND_REPLIED:
		n.Comment = 4
	case docsv1.NoticeKind_NOTICE_KIND_ACCEPTED, docsv1.NoticeKind_NOTICE_KIND_REJECTED:
		n.Thread, n.Suggestions = 0, []uint64{5, 6}
	default:
		n.Document = "d2"
	}
	if res.Notices = append(res.Notices, n); place > 1 {
		res.Next = q.GetPage() + "x"
	}
	return res, nil
}

func (f *fakeDocs) MarkNotices(_ context.Context, q *docsv1.MarkNoticesRequest) (*docsv1.MarkNoticesResponse, error) {
	f.read = max(f.read, q.GetOffset())
	return &docsv1.MarkNoticesResponse{Read: f.read}, nil
}
