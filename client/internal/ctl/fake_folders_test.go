package ctl

import (
	"context"
	"fmt"
	"slices"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func (f *fakeDocs) told() uint64 {
	f.offset++
	return f.offset
}

func (f *fakeDocs) ListFolders(context.Context, *docsv1.ListFoldersRequest) (*docsv1.ListFoldersResponse, error) {
	return &docsv1.ListFoldersResponse{Folders: slices.Clone(f.folders), Epoch: 1, Offset: f.offset}, nil
}

func (f *fakeDocs) CreateFolder(ctx context.Context, q *docsv1.CreateFolderRequest) (*docsv1.CreateFolderResponse, error) {
	d := &docsv1.Folder{Id: fmt.Sprint("f", len(f.folders)+1), Name: q.GetName(), Parent: q.GetParent(), Creator: "u-" + callerOf(ctx).token}
	f.folders = append(f.folders, d)
	return &docsv1.CreateFolderResponse{Folder: d.GetId(), Offset: f.told()}, nil
}

func (f *fakeDocs) folder(id string) *docsv1.Folder {
	return f.folders[slices.IndexFunc(f.folders, func(d *docsv1.Folder) bool { return d.GetId() == id })]
}

func (f *fakeDocs) RenameFolder(_ context.Context, q *docsv1.RenameFolderRequest) (*docsv1.RenameFolderResponse, error) {
	d := f.folder(q.GetFolder())
	if d.GetName() == q.GetName() {
		return &docsv1.RenameFolderResponse{}, nil
	}
	d.Name = q.GetName()
	return &docsv1.RenameFolderResponse{Offset: f.told()}, nil
}

func (f *fakeDocs) MoveFolder(_ context.Context, q *docsv1.MoveFolderRequest) (*docsv1.MoveFolderResponse, error) {
	f.folder(q.GetFolder()).Parent = q.GetParent()
	return &docsv1.MoveFolderResponse{Offset: f.told()}, nil
}

func (f *fakeDocs) DeleteFolder(_ context.Context, q *docsv1.DeleteFolderRequest) (*docsv1.DeleteFolderResponse, error) {
	if slices.ContainsFunc(f.folders, func(d *docsv1.Folder) bool { return d.GetParent() == q.GetFolder() }) {
		return nil, refuse(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.NOT_EMPTY", "There are folders in it. Move or delete them first.")
	}
	gone := f.folder(q.GetFolder())
	f.folders = slices.DeleteFunc(f.folders, func(d *docsv1.Folder) bool { return d == gone })
	for _, d := range f.all {
		if d.GetFolder() == gone.GetId() {
			d.Folder = gone.GetParent()
		}
	}
	return &docsv1.DeleteFolderResponse{Offset: f.told()}, nil
}

func (f *fakeDocs) MoveDocument(ctx context.Context, q *docsv1.MoveDocumentRequest) (*docsv1.MoveDocumentResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil || d.GetFolder() == q.GetFolder() {
		return &docsv1.MoveDocumentResponse{}, err
	}
	d.Folder = q.GetFolder()
	return &docsv1.MoveDocumentResponse{Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Moved{Moved: &docsv1.Moved{Folder: q.GetFolder()}}}, ot.Delta{})}, nil
}

func (f *fakeDocs) StarDocument(_ context.Context, q *docsv1.StarDocumentRequest) (*docsv1.StarDocumentResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil || d.GetStarred() == q.GetStarred() {
		return &docsv1.StarDocumentResponse{}, err
	}
	d.Starred, d.OpenedMs = q.GetStarred(), 1000
	return &docsv1.StarDocumentResponse{Offset: f.told()}, nil
}

func (f *fakeDocs) PurgeDocument(_ context.Context, q *docsv1.PurgeDocumentRequest) (*docsv1.PurgeDocumentResponse, error) {
	d, err := f.find(q.GetDocument())
	switch {
	case err != nil:
		return nil, err
	case !d.GetTrashed():
		return nil, refuse(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.NOT_TRASHED", "The document is not in the trash. Put it there first.")
	}
	f.all = slices.DeleteFunc(f.all, func(o *fakeDoc) bool { return o == d })
	return &docsv1.PurgeDocumentResponse{Version: d.GetVersion() + 1}, nil
}

func (f *fakeDocs) EraseHistory(ctx context.Context, q *docsv1.EraseHistoryRequest) (*docsv1.EraseHistoryResponse, error) {
	d, err := f.find(q.GetDocument())
	if err != nil || d.GetFloor() >= q.GetBeforeVersion() {
		return &docsv1.EraseHistoryResponse{}, err
	}
	d.Floor = q.GetBeforeVersion()
	return &docsv1.EraseHistoryResponse{Version: d.event(ctx, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_HistoryErased{HistoryErased: &docsv1.HistoryErased{Floor: d.GetFloor()}}}, ot.Delta{})}, nil
}
