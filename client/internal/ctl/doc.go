package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type docCmd struct {
	List     docListCmd     `cmd:"" default:"withargs" help:"List the documents that I may read, the one changed last first."`
	Create   docCreateCmd   `cmd:"" help:"Create a document, empty or with the text of a file."`
	Cat      docCatCmd      `cmd:"" help:"Print a document's text, of now or of an earlier version."`
	Append   docAppendCmd   `cmd:"" help:"Add text at a document's end. What can't be sent now waits if this profile has edited the document before, and goes out with the next append or replace of it."`
	Replace  docReplaceCmd  `cmd:"" help:"Make a document's text that of the standard input. Only what differs is changed, so that what others write meanwhile stays. It waits as an append does."`
	Watch    docWatchCmd    `cmd:"" help:"Show each change of a document as it comes, until Ctrl-C."`
	Who      docWhoCmd      `cmd:"" help:"Show who is in a document, where, and where they may be in each other's way."`
	Rename   docRenameCmd   `cmd:"" help:"Give a document another title."`
	Folder   docFolderCmd   `cmd:"" help:"List, make and change the workspace's folders."`
	Move     docMoveCmd     `cmd:"" help:"Put a document into a folder, or into none."`
	Star     docStarCmd     `cmd:"" help:"Star a document, for me alone."`
	Unstar   docUnstarCmd   `cmd:"" help:"Take my star from a document."`
	Trash    docTrashCmd    `cmd:"" help:"Put a document into the trash."`
	Purge    docPurgeCmd    `cmd:"" help:"Delete a document for good that is in the trash."`
	Restore  docRestoreCmd  `cmd:"" help:"Make a document what it was at a version, by a new edit; or take it out of the trash."`
	History  docHistoryCmd  `cmd:"" help:"List the versions of a document that were written down, the newest first."`
	Name     docNameCmd     `cmd:"" help:"Give a version of a document a name, by which it stays listed, or take it away."`
	Diff     docDiffCmd     `cmd:"" help:"Show how two versions of a document differ."`
	Blame    docBlameCmd    `cmd:"" help:"Show who wrote what of a document, and when."`
	Erase    docEraseCmd    `cmd:"" name:"erase-history" help:"Erase for good what a document was before a version, and who wrote it. What it is stays."`
	Export   docExportCmd   `cmd:"" help:"Print a document as Markdown, HTML or plain text."`
	Import   docImportCmd   `cmd:"" help:"Create a document of a file in Markdown, HTML or plain text."`
	Share    docShareCmd    `cmd:"" help:"Give somebody, a group, a channel or everybody a role in a document, or take it away."`
	Link     docLinkCmd     `cmd:"" help:"Make a link by which whoever of the workspace has it gets a role in a document."`
	OpenLink docOpenLinkCmd `cmd:"" help:"Get the role that a link gives."`
	People   docPeopleCmd   `cmd:"" help:"List who has which role in a document."`
	Notices  docNoticesCmd  `cmd:"" help:"List what others did in documents that concerns me: who mentioned me, replied to me, decided on what I suggested. The newest comes first; * is unread."`

	docTalkCmds
	docReviewCmds
}

type docArg struct {
	Doc string `arg:"" help:"Id or title of the document."`
}

// docID finds a document by what a person wrote: its id, or its title where that is the only one of it.
func docID(ctx context.Context, docs docsv1.DocsServiceClient, text string, trashed bool) (string, error) {
	known := false // but not in the trash, or not out of it
	if docIDs.MatchString(text) {
		res, err := docs.GetDocument(ctx, &docsv1.GetDocumentRequest{Document: text})
		switch e, said := errors.AsType[*client.Error](err); {
		case err == nil && res.GetDocument().GetTrashed() == trashed:
			return text, nil
		case err == nil:
			known = true
		case err != nil && (!said || e.Code != edgev1.Code_CODE_NOT_FOUND):
			return "", err
		}
	}
	found, err := titled(ctx, docs, text, trashed)
	if err == nil && len(found) == 0 && trashed && !known {
		found, err = titled(ctx, docs, text, false) // the server tells what is not in the trash
	}
	switch {
	case err != nil:
		return "", err
	case len(found) > 1:
		return "", fmt.Errorf("%d documents have the title %q: name one by its id, %s", len(found), text, strings.Join(found, " or "))
	case len(found) == 1:
		return found[0], nil
	case known || docIDs.MatchString(text) && !trashed:
		return text, nil // an id, as the server may tell
	case trashed:
		return "", fmt.Errorf("there is no document %q of yours in the trash. To see what is: plenumctl doc list --trash", text)
	default:
		return "", fmt.Errorf("there is no document %q that you may see. To see those: plenumctl doc list", text)
	}
}

// titled are the ids of the documents that have a title.
func titled(ctx context.Context, docs docsv1.DocsServiceClient, title string, trashed bool) (found []string, err error) {
	err = eachDocument(ctx, docs, &docsv1.ListDocumentsRequest{Trashed: trashed, Title: searched(title)}, func(d *docsv1.Document) error {
		if strings.EqualFold(d.GetTitle(), title) {
			found = append(found, d.GetId())
		}
		return nil
	})
	return found, err
}

var docIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{1,26}$`)

// searched is what titles are to have in them of a text, which may be longer than a title can be.
func searched(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// eachDocument calls f with each document of a list.
func eachDocument(ctx context.Context, docs docsv1.DocsServiceClient, q *docsv1.ListDocumentsRequest, f func(*docsv1.Document) error) error {
	const atOnce = 200
	for q.Limit = atOnce; ; {
		res, err := docs.ListDocuments(ctx, q)
		if err != nil {
			return err
		}
		for _, d := range res.GetDocuments() {
			if err := f(d); err != nil {
				return err
			}
		}
		if q.Page = res.GetNext(); q.GetPage() == "" {
			return nil
		}
	}
}

// onDoc runs f with the document's id.
func (c *docArg) onDoc(e *env, trashed bool, f func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		docs := docsv1.NewDocsServiceClient(h)
		id, err := docID(ctx, docs, c.Doc, trashed)
		if err != nil {
			return err
		}
		return f(ctx, h, docs, id)
	})
}

type docListCmd struct {
	Trash   bool    `help:"What is in the trash, of which I am an owner."`
	Folder  *string `help:"What stands in this folder, by its id or path; / is in none." placeholder:"F"`
	Starred bool    `help:"What I have starred."`
	Recent  bool    `help:"What I opened last, the last one first."`
	Shared  bool    `help:"What others have shared with me."`
	Mine    bool    `help:"What I have made."`
	Title   string  `help:"What has this in its title." placeholder:"T"`
	ByTitle bool    `help:"By title."`
}

func (c *docListCmd) Run(e *env) error {
	if c.Recent && c.ByTitle {
		return errors.New("it is listed by title, or by what you opened last: choose one")
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		docs := docsv1.NewDocsServiceClient(h)
		q := &docsv1.ListDocumentsRequest{Trashed: c.Trash, Starred: c.Starred, Shared: c.Shared, Mine: c.Mine, Title: c.Title}
		switch {
		case c.Recent:
			q.Order = docsv1.DocumentOrder_DOCUMENT_ORDER_OPENED
		case c.ByTitle:
			q.Order = docsv1.DocumentOrder_DOCUMENT_ORDER_TITLE
		}
		if c.Folder != nil {
			t, err := loadFolders(ctx, docs)
			if err != nil {
				return err
			}
			id, err := t.id(*c.Folder)
			if err != nil {
				return err
			}
			q.Folder = &id
		}
		return eachDocument(ctx, docs, q, func(d *docsv1.Document) error {
			at := d.GetChangedMs()
			if c.Recent {
				at = d.GetOpenedMs()
			}
			star := " "
			if d.GetStarred() {
				star = "*"
			}
			return e.print(d, "%s  %s  %-9s%s %s", d.GetId(), time.UnixMilli(at).Format("2006-01-02 15:04:05"), docRole(d.GetRole()), star, clean(d.GetTitle()))
		})
	})
}

func docRole(r docsv1.Role) string {
	if r == docsv1.Role_ROLE_UNSPECIFIED {
		return "none"
	}
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}

type docCreateCmd struct {
	Title string `help:"Its title. Absent: the file's name, or Untitled."`
	File  string `arg:"" optional:"" help:"A text file that it begins with; - is the standard input."`
}

// maxBegin is how long the text is, at most, that a document begins with, in bytes of JSON.
const maxBegin = 1<<20 - 1<<10

func (c *docCreateCmd) Run(e *env) error {
	req := &docsv1.CreateDocumentRequest{Title: c.Title}
	if c.File != "" {
		in := e.in
		if c.File != "-" {
			file, err := os.Open(c.File)
			if err != nil {
				return err
			}
			defer file.Close()
			in, req.Title = file, cmp.Or(c.Title, titleOf(c.File))
		}
		text, err := readText(in)
		if err != nil {
			return err
		}
		content, err := new(ot.Builder).Insert(text, nil).Delta()
		if err != nil {
			return err
		}
		if req.Content = content.JSON(); len(req.GetContent()) > maxBegin {
			return errors.New("this is too long to begin with: create the document empty, and add the text by plenumctl doc append")
		}
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		res, err := docsv1.NewDocsServiceClient(h).CreateDocument(ctx, req)
		if err != nil {
			return err
		}
		return e.print(res, "Created %s (%s).", clean(cmp.Or(req.GetTitle(), "Untitled")), res.GetDocument())
	})
}

// titleOf is the title that a file's name makes.
func titleOf(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

// maxDocument bounds what is read of a text, in bytes: more than a document may have.
const maxDocument = 8 << 20

// readText reads a text whole.
func readText(in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxDocument:
		return "", fmt.Errorf("the text is longer than %d MiB, more than a document may have: divide it", maxDocument>>20)
	case !utf8.Valid(data):
		return "", errors.New("this is no text in UTF-8: convert it first")
	}
	return string(data), nil
}

type docCatCmd struct {
	docArg
	Version uint64 `help:"An earlier version, as watch shows them." placeholder:"N"`
	Delta   bool   `help:"With formats and embeds, as a Delta in JSON."`
}

func (c *docCatCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, _ docsv1.DocsServiceClient, id string) error {
		content, at, err := doc.Read(ctx, h, id, c.Version)
		if err != nil {
			return err
		}
		if e.JSON {
			hash := content.Hash()
			return e.json(&docsv1.ReadDocumentResponse{Delta: content.Delta().JSON(), Version: at.GetOffset(), Epoch: at.GetEpoch(), Length: uint32(content.Len()), Hash: hash[:]})
		}
		if c.Delta {
			_, err := fmt.Fprintln(e.out, content.Delta().JSON())
			return err
		}
		text := plain(content)
		if file, ok := e.out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				lines[i] = clean(line)
			}
			text = strings.Join(lines, "\n")
		}
		_, err = io.WriteString(e.out, text)
		return err
	})
}

// embedded stands for an embed in a text: the character that Unicode has for it, as long as the embed.
const embedded = "\uFFFC"

// plain is a document's text.
func plain(content *ot.Document) string {
	var text strings.Builder
	for _, op := range content.Delta().Ops() {
		if op.Embed() != nil {
			text.WriteString(embedded)
		}
		text.WriteString(op.Text())
	}
	return text.String()
}

type docRenameCmd struct {
	docArg
	Title []string `arg:"" help:"The new title."`
}

func (c *docRenameCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		title := strings.Join(c.Title, " ")
		res, err := docs.RenameDocument(ctx, &docsv1.RenameDocumentRequest{Document: id, Title: title})
		if err != nil {
			return err
		}
		return e.print(res, "%s is %s%s.", c.Doc, clean(title), asItWas(res))
	})
}

// asItWas says so where a change found nothing to do.
func asItWas(res interface{ GetVersion() uint64 }) string {
	if res.GetVersion() == 0 {
		return " (as it was)"
	}
	return ""
}

type docTrashCmd struct{ docArg }

func (c *docTrashCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.TrashDocument(ctx, &docsv1.TrashDocumentRequest{Document: id, Trashed: true})
		if err != nil {
			return err
		}
		return e.print(res, "Put %s into the trash%s.", c.Doc, asItWas(res))
	})
}

type docRestoreCmd struct {
	docArg
	Version uint64 `arg:"" optional:"" help:"The version, as history and watch show them. Absent: the document comes out of the trash."`
}

func (c *docRestoreCmd) Run(e *env) error {
	if c.Version != 0 {
		return c.restoreVersion(e, c.Version)
	}
	return c.onDoc(e, true, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.TrashDocument(ctx, &docsv1.TrashDocumentRequest{Document: id})
		if err != nil {
			return err
		}
		if res.GetVersion() == 0 {
			return fmt.Errorf("%s is not in the trash. To make it what it was at a version, name one: plenumctl doc history %s lists them", c.Doc, id)
		}
		return e.print(res, "Took %s out of the trash.", c.Doc)
	})
}
