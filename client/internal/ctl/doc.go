package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

type docCmd struct {
	List     docListCmd     `cmd:"" default:"1" help:"List the documents that I may read, the one changed last first."`
	Create   docCreateCmd   `cmd:"" help:"Create a document, empty or with the text of a file."`
	Cat      docCatCmd      `cmd:"" help:"Print a document's text, of now or of an earlier version."`
	Append   docAppendCmd   `cmd:"" help:"Add text at a document's end. What can't be sent now waits, and goes out with the next append or replace of the document."`
	Replace  docReplaceCmd  `cmd:"" help:"Make a document's text that of the standard input. Only what differs is changed, so that what others write meanwhile stays."`
	Watch    docWatchCmd    `cmd:"" help:"Show each change of a document as it comes, until Ctrl-C."`
	Rename   docRenameCmd   `cmd:"" help:"Give a document another title."`
	Trash    docTrashCmd    `cmd:"" help:"Put a document into the trash."`
	Restore  docRestoreCmd  `cmd:"" help:"Make a document what it was at a version, by a new edit; or take it out of the trash."`
	History  docHistoryCmd  `cmd:"" help:"List the versions of a document that were written down, the newest first."`
	Diff     docDiffCmd     `cmd:"" help:"Show how two versions of a document differ."`
	Export   docExportCmd   `cmd:"" help:"Print a document as Markdown, HTML or plain text."`
	Import   docImportCmd   `cmd:"" help:"Create a document of a file in Markdown, HTML or plain text."`
	Share    docShareCmd    `cmd:"" help:"Give somebody, a group, a channel or everybody a role in a document, or take it away."`
	Link     docLinkCmd     `cmd:"" help:"Make a link by which whoever of the workspace has it gets a role in a document."`
	OpenLink docOpenLinkCmd `cmd:"" help:"Get the role that a link gives."`
	People   docPeopleCmd   `cmd:"" help:"List who has which role in a document."`

	docReviewCmds
}

type docArg struct {
	Doc string `arg:"" help:"Id or title of the document."`
}

// docID finds a document by what a person wrote: its id, or its title where that is the only one of it.
func docID(ctx context.Context, docs docsv1.DocsServiceClient, text string, trashed bool) (string, error) {
	var found []string
	err := eachDocument(ctx, docs, trashed, func(d *docsv1.Document) error {
		if d.GetId() == text {
			found = []string{text}
			return errFound
		}
		if strings.EqualFold(d.GetTitle(), text) {
			found = append(found, d.GetId())
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errFound):
		return "", err
	case len(found) > 1:
		return "", fmt.Errorf("%d documents have the title %q: name one by its id, %s", len(found), text, strings.Join(found, " or "))
	case len(found) == 1:
		return found[0], nil
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) && trashed:
		return "", fmt.Errorf("there is no document %q of yours in the trash. To see what is: plenumctl doc list --trash", text)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("there is no document %q that you may see. To see those: plenumctl doc list", text)
	}
	return text, nil // an id, as the server may tell
}

var errFound = errors.New("found")

// eachDocument calls f with each document that the caller may read, or with each in the trash that they own.
func eachDocument(ctx context.Context, docs docsv1.DocsServiceClient, trashed bool, f func(*docsv1.Document) error) error {
	const atOnce = 200
	for page := ""; ; {
		res, err := docs.ListDocuments(ctx, &docsv1.ListDocumentsRequest{Trashed: trashed, Limit: atOnce, Page: page})
		if err != nil {
			return err
		}
		for _, d := range res.GetDocuments() {
			if err := f(d); err != nil {
				return err
			}
		}
		if page = res.GetNext(); page == "" {
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
	Trash bool `help:"What is in the trash, of which I am an owner."`
}

func (c *docListCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		return eachDocument(ctx, docsv1.NewDocsServiceClient(h), c.Trash, func(d *docsv1.Document) error {
			return e.print(d, "%s  %s  %-9s  %s", d.GetId(), time.UnixMilli(d.GetChangedMs()).Format("2006-01-02 15:04:05"), docRole(d.GetRole()), clean(d.GetTitle()))
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
	Title string `help:"Its title. Absent: Untitled."`
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
			in = file
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
		return e.print(res, "Created %s (%s).", clean(cmp.Or(c.Title, "Untitled")), res.GetDocument())
	})
}

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

func (c *docTrashCmd) Run(e *env) error { return c.trash(e, true, "Put %s into the trash%s.") }

type docRestoreCmd struct {
	docArg
	Version uint64 `arg:"" optional:"" help:"The version, as history and watch show them. Absent: the document comes out of the trash."`
}

func (c *docRestoreCmd) Run(e *env) error {
	if c.Version != 0 {
		return c.restoreVersion(e, c.Version)
	}
	return c.trash(e, false, "Took %s out of the trash%s.")
}

func (c *docArg) trash(e *env, on bool, done string) error {
	return c.onDoc(e, !on, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.TrashDocument(ctx, &docsv1.TrashDocumentRequest{Document: id, Trashed: on})
		if err != nil {
			return err
		}
		return e.print(res, done, c.Doc, asItWas(res))
	})
}
