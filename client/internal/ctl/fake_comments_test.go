package ctl

import (
	"cmp"
	"context"
	"slices"
	"unicode/utf16"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func (f *fakeDocs) thread(document string, id uint64) (*fakeDoc, *docsv1.Thread, error) {
	d, err := f.find(document)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range d.threads {
		if t.GetId() == id {
			return d, t, nil
		}
	}
	return nil, nil, refuse(edgev1.Code_CODE_NOT_FOUND, "docs.THREAD", "There is no such thread.")
}

// say appends a comment.
func say(ctx context.Context, t *docsv1.Thread, id uint64, text string) {
	t.Comments = append(t.Comments, &docsv1.Comment{Id: id, Author: "u-" + callerOf(ctx).token, Text: text, CreatedMs: at(id), Deleted: text == "nothing"})
	t.Count++
}

func (f *fakeDocs) CreateThread(ctx context.Context, q *docsv1.CreateThreadRequest) (*docsv1.CreateThreadResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	units := utf16.Encode([]rune(plain(d.content)))
	if int(q.GetTo()) > len(units) || q.GetBase() != d.GetVersion() || q.GetEpoch() != 1 {
		return nil, refuse(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END", "The range goes past the end.")
	}
	quote := string(utf16.Decode(units[q.GetFrom():q.GetTo()]))
	t := &docsv1.Thread{From: q.GetFrom(), To: q.GetTo(), Quote: quote, Orphaned: quote == "gone"}
	t.Id = d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_ThreadCreated{ThreadCreated: &docsv1.ThreadCreated{
		From: q.GetFrom(), To: q.GetTo(), Quote: quote, Text: q.GetText(),
	}}}, ot.Delta{})
	say(ctx, t, t.GetId(), q.GetText())
	d.threads = append(d.threads, t)
	return &docsv1.CreateThreadResponse{Thread: t.GetId()}, nil
}

func (f *fakeDocs) AddComment(ctx context.Context, q *docsv1.AddCommentRequest) (*docsv1.AddCommentResponse, error) {
	d, t, err := f.thread(q.GetDocument(), q.GetThread())
	if err != nil {
		return nil, err
	}
	id := d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_CommentAdded{CommentAdded: &docsv1.CommentAdded{Thread: t.GetId(), Text: q.GetText()}}}, ot.Delta{})
	say(ctx, t, id, q.GetText())
	return &docsv1.AddCommentResponse{Comment: id}, nil
}

func (f *fakeDocs) ResolveThread(ctx context.Context, q *docsv1.ResolveThreadRequest) (*docsv1.ResolveThreadResponse, error) {
	d, t, err := f.thread(q.GetDocument(), q.GetThread())
	if err != nil || t.GetResolved() == q.GetResolved() {
		return &docsv1.ResolveThreadResponse{}, err
	}
	t.Resolved = q.GetResolved()
	return &docsv1.ResolveThreadResponse{Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_ThreadResolved{ThreadResolved: &docsv1.ThreadResolved{
		Thread: t.GetId(), Resolved: t.GetResolved(),
	}}}, ot.Delta{})}, nil
}

// ListThreads answers one at a time, with its first three comments.
func (f *fakeDocs) ListThreads(_ context.Context, q *docsv1.ListThreadsRequest) (*docsv1.ListThreadsResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	res := &docsv1.ListThreadsResponse{Version: d.GetVersion()}
	for i, t := range slices.Backward(d.threads) {
		if !q.GetAll() && t.GetResolved() || q.GetPage() != "" && i >= int(q.GetPage()[0]) {
			continue
		}
		if len(res.GetThreads()) == 1 {
			res.Next = string(rune(i + 1))
			break
		}
		res.Threads = append(res.Threads, withComments(t, t.GetComments()[:min(3, len(t.GetComments()))]))
	}
	return res, nil
}

func withComments(t *docsv1.Thread, comments []*docsv1.Comment) *docsv1.Thread {
	t = proto.CloneOf(t)
	t.Comments = comments
	return t
}

// GetThread answers two comments at a time.
func (f *fakeDocs) GetThread(_ context.Context, q *docsv1.GetThreadRequest) (*docsv1.GetThreadResponse, error) {
	_, t, err := f.thread(q.GetDocument(), q.GetThread())
	if err != nil {
		return nil, err
	}
	after := slices.IndexFunc(t.GetComments(), func(c *docsv1.Comment) bool { return c.GetId() > q.GetAfter() })
	end := min(after+2, len(t.GetComments()))
	return &docsv1.GetThreadResponse{Thread: withComments(t, t.GetComments()[after:end]), More: end < len(t.GetComments())}, nil
}

func (f *fakeDocs) NameVersion(ctx context.Context, q *docsv1.NameVersionRequest) (*docsv1.NameVersionResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil || d.names[q.GetVersion()] == q.GetName() {
		return &docsv1.NameVersionResponse{}, err
	}
	if d.names == nil {
		d.names = map[uint64]string{}
	}
	d.names[q.GetVersion()] = q.GetName()
	return &docsv1.NameVersionResponse{Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_VersionNamed{VersionNamed: &docsv1.VersionNamed{
		Version: q.GetVersion(), Name: q.GetName(),
	}}}, ot.Delta{})}, nil
}

// Blame answers a range at a time: of nobody, and of ada and bob in turns.
func (f *fakeDocs) Blame(_ context.Context, q *docsv1.BlameRequest) (*docsv1.BlameResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	version := cmp.Or(q.GetVersion(), d.GetVersion())
	content, err := d.at(version)
	if err != nil {
		return nil, err
	}
	const each = 4
	left := uint32(content.Len()) - q.GetAfter()
	r := &docsv1.BlameRange{Length: min(each, left)}
	if n := q.GetAfter() / each; n > 0 {
		r.User, r.TimeMs = []string{"u-ada", "u-bob"}[n%2], at(uint64(n))
	}
	if left == 0 {
		return &docsv1.BlameResponse{Version: version}, nil
	}
	return &docsv1.BlameResponse{Version: version, Ranges: []*docsv1.BlameRange{r}, More: left > each}, nil
}
