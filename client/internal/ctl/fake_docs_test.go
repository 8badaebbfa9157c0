package ctl

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// fakeDocs are the fake's documents. Its lock is the fake's.
type fakeDocs struct {
	docsv1.UnimplementedDocsServiceServer
	all     []*fakeDoc
	folders []*docsv1.Folder
	offset  uint64 // of the topics that are no document's
	links   bool   // are allowed
	ending  bool   // whoever follows a document is told all, and that they may not any more
	talk    bool   // there are notices
	read    uint64 // up to here they are read
}

type fakeDoc struct {
	*docsv1.Document
	content *ot.Document
	log     []*edgev1.Event
	edits   []ot.Delta
	grants  []*docsv1.Grant
	keys    map[string]*docsv1.SubmitResponse

	suggestions fakeSuggestions
	threads     []*docsv1.Thread
	names       map[uint64]string // of versions
}

func (d *fakeDoc) event(ctx context.Context, e *docsv1.DocumentEvent, edit ot.Delta) uint64 {
	c := callerOf(ctx)
	e.Actor = "u-" + c.token
	body, _ := proto.Marshal(e)
	d.edits = append(d.edits, edit)
	d.Version = uint64(len(d.edits))
	d.ChangedMs = at(d.Version)
	event := &edgev1.Event{Offset: d.Version, TimeMs: at(d.Version), Body: body}
	if id, seq, ok := strings.Cut(c.key, "/"); ok && seq != "" && e.GetEdited() != nil {
		event.Mutation = client.Mutation(id, uint64([]rune(seq)[0]))
	}
	d.log = append(d.log, event)
	return d.Version
}

func (f *fakeDocs) find(id string) (*fakeDoc, error) {
	for _, d := range f.all {
		if d.GetId() == id {
			return d, nil
		}
	}
	return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT", "There is no such document, or it was not shared with you.")
}

func (f *fakeDocs) CreateDocument(ctx context.Context, q *docsv1.CreateDocumentRequest) (*docsv1.CreateDocumentResponse, error) {
	var content ot.Delta
	if q.GetContent() != "" {
		var err error
		if content, err = ot.Parse([]byte(q.GetContent()), ot.DefaultLimits()); err != nil {
			return nil, err
		}
	}
	text, err := ot.NewDocument(content, ot.DefaultLimits(), nil)
	if err != nil {
		return nil, err
	}
	title := q.GetTitle()
	if title == "" {
		title = "Untitled"
	}
	d := &fakeDoc{Document: &docsv1.Document{Id: "d" + string(rune('1'+len(f.all))), Title: title, Role: docsv1.Role_ROLE_OWNER}, content: text, keys: map[string]*docsv1.SubmitResponse{},
		grants: []*docsv1.Grant{{Principal: "u-" + callerOf(ctx).token, Role: docsv1.Role_ROLE_OWNER}}}
	f.all = append(f.all, d)
	return &docsv1.CreateDocumentResponse{Document: d.GetId(), Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Created{Created: &docsv1.Created{Title: title, Delta: q.GetContent()}}}, content)}, nil
}

func (f *fakeDocs) ListDocuments(_ context.Context, q *docsv1.ListDocumentsRequest) (*docsv1.ListDocumentsResponse, error) {
	res := &docsv1.ListDocumentsResponse{}
	for _, d := range f.all {
		if d.GetTrashed() == q.GetTrashed() && (q.Folder == nil || d.GetFolder() == q.GetFolder()) && (!q.GetStarred() || d.GetStarred()) &&
			strings.Contains(strings.ToLower(d.GetTitle()), strings.ToLower(q.GetTitle())) && !q.GetShared() && (q.GetOrder() != docsv1.DocumentOrder_DOCUMENT_ORDER_OPENED || d.GetOpenedMs() > 0) {
			res.Documents = append(res.Documents, d.Document)
		}
	}
	if q.GetOrder() == docsv1.DocumentOrder_DOCUMENT_ORDER_TITLE {
		slices.SortStableFunc(res.GetDocuments(), func(a, b *docsv1.Document) int { return strings.Compare(b.GetTitle(), a.GetTitle()) })
	}
	// A page holds what it holds: here one document, and every other one is empty.
	at := len(q.GetPage())
	if next := at + 1; next < 2*len(res.GetDocuments()) {
		res.Next = strings.Repeat("x", next)
	}
	if at%2 == 1 || len(res.GetDocuments()) == 0 {
		res.Documents = nil
		return res, nil
	}
	res.Documents = res.GetDocuments()[at/2 : at/2+1]
	return res, nil
}

func (f *fakeDocs) ReadDocument(_ context.Context, q *docsv1.ReadDocumentRequest) (*docsv1.ReadDocumentResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	content, _ := ot.NewDocument(ot.Delta{}, ot.DefaultLimits(), nil)
	version := d.GetVersion()
	if q.GetVersion() != 0 {
		version = q.GetVersion()
	}
	for _, edit := range d.edits[:version] {
		if err := content.Apply(edit); err != nil {
			return nil, err
		}
	}
	hash := content.Hash()
	return &docsv1.ReadDocumentResponse{Delta: content.Delta().JSON(), Version: version, Epoch: 1, Length: uint32(content.Len()), Hash: hash[:]}, nil
}

func (f *fakeDocs) Submit(ctx context.Context, q *docsv1.SubmitRequest) (*docsv1.SubmitResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	if known := d.keys[callerOf(ctx).key]; known != nil {
		return known, nil
	}
	if strings.Contains(q.GetDelta(), "bad") {
		return nil, refuse(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "Your role does not allow this. Ask an owner of the document.")
	}
	edit, err := ot.Parse([]byte(q.GetDelta()), ot.DefaultLimits())
	for _, before := range d.edits[q.GetBase():] {
		if err == nil {
			edit, err = before.Transform(edit, ot.Earlier, nil)
		}
	}
	if err == nil {
		err = d.content.Apply(edit)
	}
	if err != nil {
		return nil, err
	}
	d.suggestions.follow(edit)
	res := &docsv1.SubmitResponse{Epoch: 1, Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: edit.JSON()}}}, edit)}
	d.keys[callerOf(ctx).key] = res
	return res, nil
}

func (f *fakeDocs) GetDocument(_ context.Context, q *docsv1.GetDocumentRequest) (*docsv1.GetDocumentResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	return &docsv1.GetDocumentResponse{Document: d.Document}, nil
}

func (f *fakeDocs) RenameDocument(ctx context.Context, q *docsv1.RenameDocumentRequest) (*docsv1.RenameDocumentResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	if d.GetTitle() == q.GetTitle() {
		return &docsv1.RenameDocumentResponse{}, nil
	}
	d.Title = q.GetTitle()
	return &docsv1.RenameDocumentResponse{Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Renamed{Renamed: &docsv1.Renamed{Title: q.GetTitle()}}}, ot.Delta{})}, nil
}

func (f *fakeDocs) TrashDocument(ctx context.Context, q *docsv1.TrashDocumentRequest) (*docsv1.TrashDocumentResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	if d.GetTrashed() == q.GetTrashed() {
		return &docsv1.TrashDocumentResponse{}, nil
	}
	d.Trashed = q.GetTrashed()
	return &docsv1.TrashDocumentResponse{Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Trashed{Trashed: &docsv1.Trashed{Trashed: q.GetTrashed()}}}, ot.Delta{})}, nil
}

func (f *fakeDocs) SetRole(ctx context.Context, q *docsv1.SetRoleRequest) (*docsv1.SetRoleResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	is := func(g *docsv1.Grant) bool { return g.GetPrincipal() == q.GetPrincipal() }
	if q.GetRole() == 0 && !slices.ContainsFunc(d.grants, is) {
		return &docsv1.SetRoleResponse{}, nil
	}
	d.grants = slices.DeleteFunc(d.grants, is)
	g := &docsv1.Grant{Principal: q.GetPrincipal(), Role: q.GetRole(), ExpiresMs: q.GetExpiresMs()}
	if q.GetRole() != 0 {
		d.grants = append(d.grants, g)
	}
	return &docsv1.SetRoleResponse{Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_RoleSet{RoleSet: &docsv1.RoleSet{Grant: g}}}, ot.Delta{})}, nil
}

func (f *fakeDocs) ListRoles(_ context.Context, q *docsv1.ListRolesRequest) (*docsv1.ListRolesResponse, error) {
	d, err := f.find(q.GetDocument())
	return &docsv1.ListRolesResponse{Grants: d.grants}, err
}

func (f *fakeDocs) CreateLink(ctx context.Context, q *docsv1.CreateLinkRequest) (*docsv1.CreateLinkResponse, error) {
	d, err := f.find(q.GetDocument())
	switch {
	case err != nil:
		return nil, err
	case !f.links:
		return nil, refuse(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "This workspace does not allow links to documents. An administrator can allow them.")
	case len(d.grants) > 0 && d.grants[len(d.grants)-1].GetPrincipal() == "link/l1":
		return &docsv1.CreateLinkResponse{Link: "l1"}, nil // as after a lost answer
	}
	g := &docsv1.Grant{Principal: "link/l1", Role: q.GetRole(), ExpiresMs: q.GetExpiresMs()}
	d.grants = append(d.grants, g)
	return &docsv1.CreateLinkResponse{Link: "l1", Secret: "s3cret", Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_RoleSet{RoleSet: &docsv1.RoleSet{Grant: g}}}, ot.Delta{})}, nil
}

func (f *fakeDocs) OpenLink(ctx context.Context, q *docsv1.OpenLinkRequest) (*docsv1.OpenLinkResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil || q.GetSecret() != "s3cret" {
		return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "docs.LINK", "This link does not open a document, or not any more. Ask whoever gave it to you for a new one.")
	}
	return &docsv1.OpenLinkResponse{Role: docsv1.Role_ROLE_VIEWER, Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_LinkOpened{LinkOpened: &docsv1.LinkOpened{Link: "l1"}}}, ot.Delta{})}, nil
}

// follow is what a document's topic tells behind a cursor. It needs the fake's lock.
func (f *fakeDocs) follow(topic string, after uint64) (out []*edgev1.ServerFrame) {
	d, err := f.find(strings.TrimPrefix(topic, "docs.document/"))
	if err == nil {
		out = append(out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: topic, Events: d.log[after:], Upto: d.GetVersion()}}})
	}
	if f.ending {
		out = append(out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{topic},
			Error: &edgev1.Error{Code: edgev1.Code_CODE_REVOKED, Message: "You may not read this document any more."}}}})
	}
	return out
}

// at a version, and before the first: nothing.
func (d *fakeDoc) at(version uint64) (*ot.Document, error) {
	content, err := ot.NewDocument(ot.Delta{}, ot.DefaultLimits(), nil)
	for _, edit := range d.edits[:version] {
		if err == nil {
			err = content.Apply(edit)
		}
	}
	return content, err
}

func (f *fakeDocs) ListVersions(_ context.Context, q *docsv1.ListVersionsRequest) (*docsv1.ListVersionsResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	if d.GetVersion() == 1 {
		return &docsv1.ListVersionsResponse{}, nil
	}
	named := &docsv1.Version{Version: 2, TimeMs: at(2), Authors: []string{"u-ada"}, Name: cmp.Or(d.names[2], "first draft")}
	if q.GetPage() != "" || q.GetNamed() {
		return &docsv1.ListVersionsResponse{Versions: []*docsv1.Version{named}}, nil
	}
	return &docsv1.ListVersionsResponse{Versions: []*docsv1.Version{{Version: d.GetVersion(), TimeMs: at(d.GetVersion()), Authors: []string{"u-ada", "u-bob"}, MoreAuthors: true}}, Next: "2"}, nil
}

// DiffVersions answers an operation at a time.
func (f *fakeDocs) DiffVersions(_ context.Context, q *docsv1.DiffVersionsRequest) (*docsv1.DiffVersionsResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	to := q.GetTo()
	if to == 0 {
		to = d.GetVersion()
	}
	before, err := d.at(q.GetFrom())
	if err != nil {
		return nil, err
	}
	after, err := d.at(to)
	if err != nil {
		return nil, err
	}
	diff, err := before.Delta().Diff(after.Delta(), 1<<20)
	if err != nil {
		return nil, err
	}
	begin := 0
	for _, op := range diff.Ops() {
		if begin == int(q.GetAfter()) {
			part, err := diff.Slice(begin, begin+op.Len())
			return &docsv1.DiffVersionsResponse{Delta: part.JSON(), To: to, More: begin+op.Len() < diff.Length()}, err
		}
		begin += op.Len()
	}
	return &docsv1.DiffVersionsResponse{Delta: ot.Delta{}.JSON(), To: to}, nil
}

func (f *fakeDocs) RestoreVersion(ctx context.Context, q *docsv1.RestoreVersionRequest) (*docsv1.RestoreVersionResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	then, err := d.at(q.GetVersion())
	if err != nil {
		return nil, err
	}
	edit, err := d.content.Delta().Diff(then.Delta(), 1<<20)
	if err != nil || edit.Count() == 0 {
		return &docsv1.RestoreVersionResponse{}, err
	}
	if err := d.content.Apply(edit); err != nil {
		return nil, err
	}
	version := d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: edit.JSON(), Restored: q.GetVersion()}}}, edit)
	d.log[version-1].Mutation = 0 // another number in each run
	return &docsv1.RestoreVersionResponse{Epoch: 1, Version: version}, nil
}

func (f *fakeDocs) ImportDocument(ctx context.Context, q *docsv1.ImportDocumentRequest) (*docsv1.ImportDocumentResponse, error) {
	content, err := new(ot.Builder).Insert(q.GetFormat().String()+": "+string(q.GetContent()), nil).Delta()
	if err != nil {
		return nil, err
	}
	res, err := f.CreateDocument(ctx, &docsv1.CreateDocumentRequest{Title: q.GetTitle(), Content: content.JSON()})
	return &docsv1.ImportDocumentResponse{Document: res.GetDocument(), Version: res.GetVersion()}, err
}

func (f *fakeDocs) ExportDocument(_ context.Context, q *docsv1.ExportDocumentRequest) (*docsv1.ExportDocumentResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil {
		return nil, err
	}
	return &docsv1.ExportDocumentResponse{Content: q.GetFormat().String() + " of " + d.GetTitle() + "\n", Version: d.GetVersion()}, nil
}
