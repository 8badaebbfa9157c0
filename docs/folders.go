package docs

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// Folders are the workspace's: a tree in SQL, whose changes are events of its topic "docs.workspace/<workspace>", in the partition of the
// workspace's id. They decide nothing about documents.

// folder is a row of docs_folder. One that was deleted stands for the one that it stood in, until no document names it any more.
type folder struct {
	id, name, parent, creator string
	createdMs                 int64
	deleted                   bool
}

func (f *folder) proto() *docsv1.Folder {
	return &docsv1.Folder{Id: f.id, Name: f.name, Parent: f.parent, Creator: f.creator, CreatedMs: f.createdMs}
}

// folders are those of a workspace, by id.
type folders map[string]*folder

// readFolders reads a workspace's folders, or those alone that were deleted.
func readFolders(ctx context.Context, q query, workspace string, deletedOnly bool) (folders, error) {
	t := folders{}
	err := each(ctx, q, `SELECT id, name, parent, creator, created_ms, deleted FROM docs_folder WHERE workspace = $1 AND (deleted OR NOT $2)`,
		[]any{workspace, deletedOnly}, func(r *sql.Rows) error {
			f := &folder{}
			err := r.Scan(&f.id, &f.name, &f.parent, &f.creator, &f.createdMs, &f.deleted)
			t[f.id] = f
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("docs: read folders: %w", err)
	}
	return t, nil
}

// get returns a folder that there is.
func (t folders) get(id string) (*folder, error) {
	if f := t[id]; f != nil && !f.deleted {
		return f, nil
	}
	return nil, errFolder
}

// standsFor is the folder that one means: itself, or where it stood if it was deleted.
func (t folders) standsFor(id string) string {
	for f := t[id]; f != nil && f.deleted; f = t[id] {
		id = f.parent
	}
	return id
}

// depth is how deep a folder stands: 1 at the top, of no folder 0.
func (t folders) depth(id string) (n int) {
	for f := t[id]; f != nil; f = t[f.parent] {
		n++
	}
	return n
}

// height is how many folders stand in each other from one on, itself counted.
func (t folders) height(id string) (n int) {
	for _, f := range t {
		if f.parent == id && !f.deleted {
			n = max(n, t.height(f.id))
		}
	}
	return n + 1
}

// holds says whether a folder stands in another one, or is it.
func (t folders) holds(outer, id string) bool {
	for f := t[id]; f != nil; f = t[f.parent] {
		if f.id == outer {
			return true
		}
	}
	return false
}

func (t folders) living() (n int) {
	for _, f := range t {
		if !f.deleted {
			n++
		}
	}
	return n
}

// mayNest says why a tree of folders of a height may not stand in a folder.
func (t folders) mayNest(parent string, height int) error {
	if parent != "" {
		if _, err := t.get(parent); err != nil {
			return errParent
		}
	}
	if t.depth(parent)+height > MaxDepth {
		return errLimit("Folders stand in each other %d deep at most.", MaxDepth)
	}
	return nil
}

// folderOp changes a workspace's folders.
type folderOp struct {
	workspace, user string
	// decide gets all of them, and returns the one that is changed, as it is then; nil: nothing changes. It changes none of them.
	decide func(t folders, now time.Time) (*folder, error)
	answer func(f *folder, offset uint64) proto.Message
}

func (o *folderOp) key() docKey { return docKey{workspace: o.workspace} }

func (o *folderOp) plan(b *batch, _ *document, st *topic.Step) error {
	t := b.trees[o.workspace]
	if t == nil {
		var err error
		if t, err = readFolders(b.ctx, b.tx.QueryContext, o.workspace, false); err != nil {
			return err
		}
		b.trees[o.workspace] = t
	}
	f, err := o.decide(t, st.Now)
	if err != nil {
		return err
	}
	if f == nil {
		st.Answer = func([]topic.Row) proto.Message { return o.answer(f, 0) }
		return nil
	}
	err = b.exec(`INSERT INTO docs_folder (workspace, id, name, parent, creator, created_ms, deleted) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (workspace, id) DO UPDATE SET name = excluded.name, parent = excluded.parent, deleted = excluded.deleted`,
		o.workspace, f.id, f.name, f.parent, f.creator, f.createdMs, f.deleted)
	if err != nil {
		return err
	}
	e := &docsv1.WorkspaceEvent{Actor: o.user, Event: &docsv1.WorkspaceEvent_Folder{Folder: f.proto()}}
	if f.deleted {
		e.Event = &docsv1.WorkspaceEvent_FolderDeleted{FolderDeleted: &docsv1.FolderDeleted{Folder: f.id, Parent: f.parent}}
		if err := setJob(b.ctx, b.tx, docKey{o.workspace, f.id}, jobFolder, st.Now); err != nil {
			return err
		}
	}
	body, err := proto.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	t[f.id] = f
	st.Entries = []topic.Entry{{Topic: topicWorkspace + o.workspace, Body: body}}
	st.Answer = func(rows []topic.Row) proto.Message { return o.answer(f, rows[0].Offset) }
	return nil
}

// changeFolders has the workspace's folders changed.
func (s *Server) changeFolders(ctx context.Context, q, res proto.Message, answer func(f *folder, offset uint64) proto.Message,
	decide func(c auth.Caller, key topic.Key, t folders, now time.Time) (*folder, error),
) error {
	c, key, err := caller(ctx)
	if err != nil {
		return err
	}
	o := &folderOp{workspace: c.Workspace, user: c.User, answer: answer, decide: func(t folders, now time.Time) (*folder, error) { return decide(c, key, t, now) }}
	return s.log.Mutate(ctx, topic.Mutation{Workspace: c.Workspace, Route: c.Workspace, Key: key, Request: q, Op: o}, res)
}

// CreateFolder makes a folder.
func (s *Server) CreateFolder(ctx context.Context, q *docsv1.CreateFolderRequest) (*docsv1.CreateFolderResponse, error) {
	name, err := checkFolder(q.GetName())
	if err != nil {
		return nil, err
	}
	res := &docsv1.CreateFolderResponse{}
	answer := func(f *folder, offset uint64) proto.Message {
		return &docsv1.CreateFolderResponse{Folder: f.id, Offset: offset}
	}
	return res, s.changeFolders(ctx, q, res, answer, func(c auth.Caller, key topic.Key, t folders, now time.Time) (*folder, error) {
		if !c.May(mayCreate) || c.Kind == auth.KindGuest {
			return nil, errMayFolder
		}
		if t.living() >= MaxFolders {
			return nil, errLimit("A workspace has %d folders at most. Delete some first.", MaxFolders)
		}
		if err := t.mayNest(q.GetParent(), 1); err != nil {
			return nil, err
		}
		return &folder{id: newID(c.Workspace, key), name: name, parent: q.GetParent(), creator: c.User, createdMs: now.UnixMilli()}, nil
	})
}

// theirs returns a copy of a folder that the caller may change.
func (t folders) theirs(c auth.Caller, id string) (*folder, error) {
	if c.Kind == auth.KindGuest {
		return nil, errMayFolder
	}
	f, err := t.get(id)
	if err != nil {
		return nil, err
	}
	if f.creator != c.User && !c.May(mayManage) {
		return nil, errMayManage
	}
	changed := *f
	return &changed, nil
}

// RenameFolder changes a folder's name.
func (s *Server) RenameFolder(ctx context.Context, q *docsv1.RenameFolderRequest) (*docsv1.RenameFolderResponse, error) {
	name, err := checkFolder(q.GetName())
	if err != nil {
		return nil, err
	}
	res := &docsv1.RenameFolderResponse{}
	answer := func(_ *folder, offset uint64) proto.Message { return &docsv1.RenameFolderResponse{Offset: offset} }
	return res, s.changeFolders(ctx, q, res, answer, func(c auth.Caller, _ topic.Key, t folders, _ time.Time) (*folder, error) {
		f, err := t.theirs(c, q.GetFolder())
		if err != nil || f.name == name {
			return nil, err
		}
		f.name = name
		return f, nil
	})
}

// MoveFolder puts a folder into another one.
func (s *Server) MoveFolder(ctx context.Context, q *docsv1.MoveFolderRequest) (*docsv1.MoveFolderResponse, error) {
	res := &docsv1.MoveFolderResponse{}
	answer := func(_ *folder, offset uint64) proto.Message { return &docsv1.MoveFolderResponse{Offset: offset} }
	return res, s.changeFolders(ctx, q, res, answer, func(c auth.Caller, _ topic.Key, t folders, _ time.Time) (*folder, error) {
		f, err := t.theirs(c, q.GetFolder())
		switch {
		case err != nil:
			return nil, err
		case f.parent == q.GetParent():
			return nil, nil //nolint:nilnil // nothing changes
		case t.holds(f.id, q.GetParent()):
			return nil, badField("parent", "A folder can't stand in itself. Choose another one.")
		}
		if err := t.mayNest(q.GetParent(), t.height(f.id)); err != nil {
			return nil, err
		}
		f.parent = q.GetParent()
		return f, nil
	})
}

// DeleteFolder deletes a folder in which no other stands.
func (s *Server) DeleteFolder(ctx context.Context, q *docsv1.DeleteFolderRequest) (*docsv1.DeleteFolderResponse, error) {
	res := &docsv1.DeleteFolderResponse{}
	answer := func(_ *folder, offset uint64) proto.Message { return &docsv1.DeleteFolderResponse{Offset: offset} }
	return res, s.changeFolders(ctx, q, res, answer, func(c auth.Caller, _ topic.Key, t folders, _ time.Time) (*folder, error) {
		f, err := t.theirs(c, q.GetFolder())
		switch {
		case err != nil:
			return nil, err
		case t.height(f.id) > 1:
			return nil, errNotEmpty
		}
		f.deleted = true
		return f, nil
	})
}

// ListFolders lists all folders.
func (s *Server) ListFolders(ctx context.Context, _ *docsv1.ListFoldersRequest) (*docsv1.ListFoldersResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if c.Kind == auth.KindGuest {
		return nil, errMayFolder
	}
	states, err := s.log.States(ctx, c.Workspace, topicWorkspace+c.Workspace) // before they are read, so that nothing is missed behind it
	if err != nil {
		return nil, fmt.Errorf("docs: read the head: %w", err)
	}
	t, err := readFolders(ctx, s.db.Query, c.Workspace, false)
	if err != nil {
		return nil, err
	}
	res := &docsv1.ListFoldersResponse{Epoch: states[0].Epoch, Offset: states[0].Offset}
	for _, f := range t {
		if !f.deleted {
			res.Folders = append(res.Folders, f.proto())
		}
	}
	slices.SortFunc(res.GetFolders(), func(a, b *docsv1.Folder) int { return cmp.Compare(a.GetId(), b.GetId()) })
	return res, nil
}

// MoveDocument puts a document into a folder.
func (s *Server) MoveDocument(ctx context.Context, q *docsv1.MoveDocumentRequest) (*docsv1.MoveDocumentResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	into := q.GetFolder()
	there, err := s.hasFolder(ctx, c.Workspace, into)
	if err != nil {
		return nil, err
	}
	res := &docsv1.MoveDocumentResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_MoveDocument_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		switch err := x.allowChange(c, editor); {
		case err != nil:
			return nil, err
		case c.Kind == auth.KindGuest:
			return nil, errMayFolder
		case !there:
			return nil, errFolder
		case into == x.folder:
			return nil, nil //nolint:nilnil // nothing changes
		}
		return &change{
			event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Moved{Moved: &docsv1.Moved{Folder: into}}},
			amend: amend{
				answer: func(row *topic.Row) proto.Message { return &docsv1.MoveDocumentResponse{Version: row.Offset} },
				write: func(b *batch, _ *topic.Step) error {
					if err := b.holdFolder(x.workspace, into); err != nil {
						return err
					}
					return b.exec(`UPDATE docs_entry SET folder = $3 WHERE workspace = $1 AND document = $2`, x.workspace, x.id, into)
				},
			},
			follow: func() { x.folder = into },
		}, nil
	}, func(version uint64) { res.Version = version })
}

// hasFolder says whether there is a folder; the one without an id is always there.
func (s *Server) hasFolder(ctx context.Context, workspace, id string) (there bool, err error) {
	if id == "" || !validID(id) {
		return id == "", nil
	}
	err = s.db.QueryRow(ctx, `SELECT NOT deleted FROM docs_folder WHERE workspace = $1 AND id = $2`, workspace, id).Scan(&there)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("docs: look for a folder: %w", err)
	}
	return there, nil
}

// holdFolder says that a folder isn't there, where it was deleted just now, or keeps it from being taken away before the transaction ends.
func (b *batch) holdFolder(workspace, id string) error {
	if id == "" {
		return nil
	}
	var deleted bool
	err := b.tx.QueryRowContext(b.ctx, `SELECT deleted FROM docs_folder WHERE workspace = $1 AND id = $2`+b.sql.hold, workspace, id).Scan(&deleted)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && deleted:
		return errFolder
	case err != nil:
		return fmt.Errorf("look for a folder: %w", err)
	}
	return nil
}

const jobFolder jobKind = "folder"

const folderBatch = 500 // documents that are written at a time

// clearFolder has the documents that stand in a folder that was deleted name the one that it stands for, and then takes it away.
func (s *Server) clearFolder(ctx context.Context, k docKey) (next time.Time, err error) {
	for more := true; more; {
		more = false
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			t, err := readFolders(ctx, tx.QueryContext, k.workspace, false)
			if err != nil {
				return err
			}
			if f := t[k.id]; f == nil || !f.deleted {
				return nil
			}
			to := t.standsFor(k.id)
			if to != "" { // it must not be taken away before documents that name it can be seen
				if err := tx.QueryRowContext(ctx, `SELECT id FROM docs_folder WHERE workspace = $1 AND id = $2`+s.sql.hold, k.workspace, to).Scan(&to); err != nil {
					return fmt.Errorf("hold a folder: %w", err)
				}
			}
			res, err := tx.ExecContext(ctx, `UPDATE docs_entry SET folder = $3 WHERE workspace = $1 AND document IN
				(SELECT document FROM docs_entry WHERE workspace = $1 AND folder = $2 LIMIT $4) AND folder = $2`, k.workspace, k.id, to, folderBatch)
			if err != nil {
				return fmt.Errorf("write documents: %w", err)
			}
			n, err := res.RowsAffected()
			more = n > 0
			return err //nolint:wrapcheck // drivers' word
		})
		if err != nil {
			return next, fmt.Errorf("docs: clear a folder: %w", err)
		}
	}
	var gone bool
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		// Who is just moving a document into it holds it: what they have written is seen by the statement behind this one.
		var deleted bool
		err := tx.QueryRowContext(ctx, `SELECT deleted FROM docs_folder WHERE workspace = $1 AND id = $2`+s.sql.seize, k.workspace, k.id).Scan(&deleted)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("hold a folder: %w", err)
		}
		if gone = !deleted; gone { // or it was never to go
			return nil
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM docs_folder WHERE workspace = $1 AND id = $2 AND deleted
			AND NOT EXISTS (SELECT 1 FROM docs_entry e WHERE e.workspace = $1 AND e.folder = $2)
			AND NOT EXISTS (SELECT 1 FROM docs_folder f WHERE f.workspace = $1 AND f.parent = $2)`, k.workspace, k.id)
		if err != nil {
			return fmt.Errorf("delete a folder: %w", err)
		}
		n, err := res.RowsAffected()
		gone = n > 0
		return err //nolint:wrapcheck // drivers' word
	})
	switch {
	case err != nil:
		return next, fmt.Errorf("docs: clear a folder: %w", err)
	case !gone: // others that were deleted still stand in it, or a document has just come
		return time.Now().Add(jobPause), nil
	}
	return next, nil
}
