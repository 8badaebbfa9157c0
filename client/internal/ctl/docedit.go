package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// docEdit is how a command edits a document.
type docEdit struct {
	docArg
	Wait time.Duration `help:"How long to wait for the server before the edit stays here." default:"10s"`
}

type docAppendCmd struct {
	docEdit
	Text []string `arg:"" optional:"" help:"The text. Absent: the standard input."`
}

func (c *docAppendCmd) Run(e *env) error {
	text := strings.Join(c.Text, " ")
	if len(c.Text) == 0 {
		var err error
		if text, err = readText(e.in); err != nil {
			return err
		}
	}
	if text == "" {
		return errors.New("there is nothing to append")
	}
	return c.edit(e, func(shown *ot.Document) (ot.Delta, error) {
		if before := plain(shown); before != "" && !strings.HasSuffix(before, "\n") {
			text = "\n" + text
		}
		return new(ot.Builder).Retain(shown.Len(), nil).Insert(strings.TrimSuffix(text, "\n")+"\n", nil).Delta()
	})
}

type docReplaceCmd struct {
	docEdit
	Empty bool `help:"Make it empty, if the standard input is."`
}

// diffEffort bounds the search for a small difference: a second or two.
const diffEffort = 200_000_000

func (c *docReplaceCmd) Run(e *env) error {
	text, err := readText(e.in)
	if err != nil {
		return err
	}
	if text == "" && !c.Empty { // what failed before a pipe, more often than not
		return errors.New("the standard input is empty: add --empty if the document is to be, too")
	}
	return c.edit(e, func(shown *ot.Document) (ot.Delta, error) { return rewritten(shown, text) })
}

// rewritten is the edit that makes a document's text another one. Both are compared as texts, so that what stays keeps its formats, and an embed
// where its character stands.
func rewritten(shown *ot.Document, text string) (ot.Delta, error) {
	from, err := new(ot.Builder).Insert(plain(shown), nil).Delta()
	if err != nil {
		return ot.Delta{}, err
	}
	to, err := new(ot.Builder).Insert(text, nil).Delta()
	if err != nil {
		return ot.Delta{}, err
	}
	return from.Diff(to, diffEffort)
}

// edit edits the document over a session. What the server has not acknowledged in time stays in the profile.
func (c *docEdit) edit(e *env, change func(shown *ot.Document) (ot.Delta, error)) error {
	id, current, err := c.find(e)
	if err != nil {
		return err
	}
	file, err := e.file(filepath.Join("docs", id))
	if err != nil {
		return err
	}
	return e.session(true, nil, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		d, err := doc.Open(doc.Config{Client: cl, Document: id, File: file})
		if err != nil {
			return err
		}
		ran := make(chan error, 1)
		running, cancel := context.WithCancel(ctx)
		go func() { ran <- d.Run(running) }()
		version, err := c.submit(ctx, d, current, change, ran)
		cancel()
		ended := <-ran
		if err == nil {
			err = ended
		}
		for _, r := range d.Refused() {
			fmt.Fprintf(e.err, "Refused, and not in the document: %s\n", cleanText(strings.TrimSuffix(r.Text(), "\n")))
			err = errors.Join(err, d.Forget(r.ID))
		}
		if err = errors.Join(err, d.Close()); err != nil {
			return err
		}
		return e.print(&docsv1.SubmitResponse{Version: version, Epoch: d.Status().Epoch}, "%s is at version %d.", c.Doc, version)
	})
}

// submit edits, from the current version on if the server has told it, and waits for the server. What ended Run meanwhile is put back into ran.
func (c *docEdit) submit(ctx context.Context, d *doc.Document, current uint64, change func(shown *ot.Document) (ot.Delta, error), ran chan error) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	select {
	case <-d.Ready():
	case err := <-ran:
		ran <- nil
		return 0, err
	case <-ctx.Done():
		return 0, fmt.Errorf("the server can't be reached, and document %s was not edited here before: try again when it can", c.Doc)
	}
	if err := d.Reach(ctx, current); err != nil && !errors.Is(err, context.DeadlineExceeded) { // then from what is known here
		return 0, err
	}
	if err := d.Edit(change); err != nil {
		if e, ok := errors.AsType[*ot.Error](err); ok {
			return 0, fmt.Errorf("this edit can't be made: %s", e.Text)
		}
		return 0, err
	}
	version, err := d.Sync(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, errors.New("no answer came in time. The edit waits here, and goes out with the next append or replace of this document")
	}
	return version, err
}

// find finds the document at the server, with its version, or, offline, among those that were found before.
func (c *docEdit) find(e *env) (id string, current uint64, err error) {
	name := "doc:" + c.Doc
	err = c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, found string) error {
		res, err := docs.GetDocument(ctx, &docsv1.GetDocumentRequest{Document: found})
		id, current = found, res.GetDocument().GetVersion()
		return err
	})
	if err == nil {
		return id, current, e.remember(name, id)
	}
	if !offline(err) {
		return "", 0, err
	}
	if known := e.remembered(name); known != "" {
		return known, 0, nil
	}
	if file, fileErr := e.file(filepath.Join("docs", filepath.Base(c.Doc))); fileErr == nil {
		if _, missing := os.Stat(file); missing == nil {
			return c.Doc, 0, nil // an id
		}
	}
	return "", 0, fmt.Errorf("%s As %q this profile has edited no document, so this edit can't wait here: try again later, or name the document as you did when you edited it", explain(err), c.Doc)
}
