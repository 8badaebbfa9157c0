package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plenum.internal/client"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

type docFolderCmd struct {
	List   folderListCmd   `cmd:"" default:"1" help:"List all folders."`
	Create folderCreateCmd `cmd:"" help:"Make a folder."`
	Rename folderRenameCmd `cmd:"" help:"Give a folder another name."`
	Move   folderMoveCmd   `cmd:"" help:"Put a folder, with all that stands in it, into another one, or into none."`
	Delete folderDeleteCmd `cmd:"" help:"Delete a folder in which no other one stands. Its documents stand where it stood."`
}

// tree is the workspace's folders.
type tree struct {
	list []*docsv1.Folder
	byID map[string]*docsv1.Folder
}

func loadFolders(ctx context.Context, docs docsv1.DocsServiceClient) (*tree, error) {
	res, err := docs.ListFolders(ctx, &docsv1.ListFoldersRequest{})
	if err != nil {
		return nil, err
	}
	t := &tree{res.GetFolders(), map[string]*docsv1.Folder{}}
	for _, f := range t.list {
		t.byID[f.GetId()] = f
	}
	return t, nil
}

// top is how people write that a folder stands in none.
const top = "/"

// path is a folder's name behind those of the folders that it stands in.
func (t *tree) path(f *docsv1.Folder) string {
	path := f.GetName()
	for i := 0; f.GetParent() != "" && i < len(t.list); i++ {
		if f = t.byID[f.GetParent()]; f == nil {
			break
		}
		path = f.GetName() + top + path
	}
	return path
}

// id finds a folder by what a person wrote: its id, or its path where that is the only one of it. That of no folder is empty.
func (t *tree) id(text string) (string, error) {
	if text == top || text == "" {
		return "", nil
	}
	if t.byID[text] != nil {
		return text, nil
	}
	var found []string
	for _, f := range t.list {
		if strings.EqualFold(t.path(f), strings.Trim(text, top)) {
			found = append(found, f.GetId())
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("there is no folder %q. To see them: plenumctl doc folder list", text)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%d folders have the path %q: name one by its id, %s", len(found), text, strings.Join(found, " or "))
}

// onFolders runs f with the workspace's folders.
func onFolders(e *env, f func(ctx context.Context, docs docsv1.DocsServiceClient, t *tree) error) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		docs := docsv1.NewDocsServiceClient(h)
		t, err := loadFolders(ctx, docs)
		if err != nil {
			return err
		}
		return f(ctx, docs, t)
	})
}

// asItStood says so where a change of folders, or of stars, found nothing to do.
func asItStood(res interface{ GetOffset() uint64 }) string {
	if res.GetOffset() == 0 {
		return " (as it was)"
	}
	return ""
}

type folderListCmd struct{}

func (c *folderListCmd) Run(e *env) error {
	return onFolders(e, func(_ context.Context, _ docsv1.DocsServiceClient, t *tree) error {
		slices.SortFunc(t.list, func(a, b *docsv1.Folder) int {
			return strings.Compare(strings.ToLower(t.path(a))+top+a.GetId(), strings.ToLower(t.path(b))+top+b.GetId())
		})
		for _, f := range t.list {
			if err := e.print(f, "%s  %s", f.GetId(), clean(t.path(f))); err != nil {
				return err
			}
		}
		return nil
	})
}

type folderCreateCmd struct {
	Name string `arg:"" help:"Its name."`
	In   string `help:"The folder that it is to stand in, by its id or path. Absent: none." placeholder:"F"`
}

func (c *folderCreateCmd) Run(e *env) error {
	return onFolders(e, func(ctx context.Context, docs docsv1.DocsServiceClient, t *tree) error {
		parent, err := t.id(c.In)
		if err != nil {
			return err
		}
		res, err := docs.CreateFolder(ctx, &docsv1.CreateFolderRequest{Name: c.Name, Parent: parent})
		if err != nil {
			return err
		}
		return e.print(res, "Created %s (%s).", clean(c.Name), res.GetFolder())
	})
}

type folderArg struct {
	Folder string `arg:"" help:"Id or path of the folder."`
}

// onFolder runs f with the folder's id.
func (c *folderArg) onFolder(e *env, f func(ctx context.Context, docs docsv1.DocsServiceClient, t *tree, id string) error) error {
	return onFolders(e, func(ctx context.Context, docs docsv1.DocsServiceClient, t *tree) error {
		id, err := t.id(c.Folder)
		if err != nil {
			return err
		}
		if id == "" {
			return errors.New("this is no folder: name one by its id or path")
		}
		return f(ctx, docs, t, id)
	})
}

type folderRenameCmd struct {
	folderArg
	Name []string `arg:"" help:"The new name."`
}

func (c *folderRenameCmd) Run(e *env) error {
	return c.onFolder(e, func(ctx context.Context, docs docsv1.DocsServiceClient, _ *tree, id string) error {
		name := strings.Join(c.Name, " ")
		res, err := docs.RenameFolder(ctx, &docsv1.RenameFolderRequest{Folder: id, Name: name})
		if err != nil {
			return err
		}
		return e.print(res, "%s is %s%s.", c.Folder, clean(name), asItStood(res))
	})
}

type folderMoveCmd struct {
	folderArg
	Into string `arg:"" optional:"" help:"Id or path of the folder to stand in. Absent: none."`
}

func (c *folderMoveCmd) Run(e *env) error {
	return c.onFolder(e, func(ctx context.Context, docs docsv1.DocsServiceClient, t *tree, id string) error {
		parent, err := t.id(c.Into)
		if err != nil {
			return err
		}
		res, err := docs.MoveFolder(ctx, &docsv1.MoveFolderRequest{Folder: id, Parent: parent})
		if err != nil {
			return err
		}
		return e.print(res, "%s stands in %s%s.", c.Folder, into(c.Into), asItStood(res))
	})
}

// into is a folder in a sentence.
func into(text string) string {
	if text == "" || text == top {
		return "no folder"
	}
	return text
}

type folderDeleteCmd struct{ folderArg }

func (c *folderDeleteCmd) Run(e *env) error {
	return c.onFolder(e, func(ctx context.Context, docs docsv1.DocsServiceClient, _ *tree, id string) error {
		res, err := docs.DeleteFolder(ctx, &docsv1.DeleteFolderRequest{Folder: id})
		if err != nil {
			return err
		}
		return e.print(res, "Deleted %s.", c.Folder)
	})
}

type docMoveCmd struct {
	docArg
	Into string `arg:"" optional:"" help:"Id or path of the folder. Absent: none."`
}

func (c *docMoveCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		t, err := loadFolders(ctx, docs)
		if err != nil {
			return err
		}
		folder, err := t.id(c.Into)
		if err != nil {
			return err
		}
		res, err := docs.MoveDocument(ctx, &docsv1.MoveDocumentRequest{Document: id, Folder: folder})
		if err != nil {
			return err
		}
		return e.print(res, "%s stands in %s%s.", c.Doc, into(c.Into), asItWas(res))
	})
}

type docStarCmd struct{ docArg }

func (c *docStarCmd) Run(e *env) error { return c.star(e, true, "%s has a star%s.") }

type docUnstarCmd struct{ docArg }

func (c *docUnstarCmd) Run(e *env) error { return c.star(e, false, "%s has no star%s.") }

func (c *docArg) star(e *env, on bool, done string) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.StarDocument(ctx, &docsv1.StarDocumentRequest{Document: id, Starred: on})
		if err != nil {
			return err
		}
		return e.print(res, done, c.Doc, asItStood(res))
	})
}

// sure is for what can't be taken back.
type sure struct {
	Yes bool `help:"Do it, though it can't be taken back."`
}

func (s sure) check() error {
	if !s.Yes {
		return errors.New("this can't be taken back: add --yes if you are sure")
	}
	return nil
}

type docPurgeCmd struct {
	docArg
	sure
}

func (c *docPurgeCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.onDoc(e, true, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.PurgeDocument(ctx, &docsv1.PurgeDocumentRequest{Document: id})
		if err != nil {
			return err
		}
		return e.print(res, "Purged %s.", c.Doc)
	})
}

type docEraseCmd struct {
	docArg
	Before uint64 `required:"" help:"The oldest version that is kept, as history and watch show them." placeholder:"N"`
	sure
}

func (c *docEraseCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.EraseHistory(ctx, &docsv1.EraseHistoryRequest{Document: id, BeforeVersion: c.Before})
		if err != nil {
			return err
		}
		return e.print(res, "What %s was before version %d is erased%s.", c.Doc, c.Before, asItWas(res))
	})
}
