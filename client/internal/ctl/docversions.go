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
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

type docHistoryCmd struct {
	docArg
	Named bool `help:"Those alone that have a name."`
}

func (c *docHistoryCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		none := true
		for page := ""; ; {
			res, err := docs.ListVersions(ctx, &docsv1.ListVersionsRequest{Document: id, Named: c.Named, Page: page})
			if err != nil {
				return err
			}
			for _, v := range res.GetVersions() {
				none = false
				if err := e.print(v, "%5d  %s  %-16s %s", v.GetVersion(), time.UnixMilli(v.GetTimeMs()).Format("2006-01-02 15:04:05"), authors(p, v), clean(v.GetName())); err != nil {
					return err
				}
			}
			if page = res.GetNext(); page != "" {
				continue
			}
			if none && !c.Named {
				fmt.Fprintf(e.err, "No version is written down yet: the newest edits come about a minute later. To see each change: plenumctl doc watch %s --since 1\n", id)
			}
			return nil
		}
	})
}

func authors(p *people, v *docsv1.Version) string {
	var handles []string
	for _, id := range v.GetAuthors() {
		handles = append(handles, p.handle(id))
	}
	if v.GetMoreAuthors() {
		handles = append(handles, "…")
	}
	return strings.Join(handles, ", ")
}

type docDiffCmd struct {
	docArg
	From uint64 `arg:"" help:"The version to begin with, as history and watch show them; 0 is before the first."`
	To   uint64 `arg:"" optional:"" help:"The version to end with. Absent: the newest."`
}

func (c *docDiffCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		q := &docsv1.DiffVersionsRequest{Document: id, From: c.From, To: c.To}
		var whole ot.Delta
		for more := true; more; {
			res, err := docs.DiffVersions(ctx, q)
			if err != nil {
				return err
			}
			part, err := ot.Parse([]byte(res.GetDelta()), ot.Unlimited())
			if err != nil {
				return fmt.Errorf("the server's answer can't be read: %w", err)
			}
			whole = whole.Concat(part)
			q.To, q.After, more = res.GetTo(), q.GetAfter()+uint32(part.Length()), res.GetMore()
		}
		if e.JSON {
			return e.json(&docsv1.DiffVersionsResponse{Delta: whole.JSON(), To: q.GetTo()})
		}
		for _, part := range editParts(whole) {
			if _, err := fmt.Fprintln(e.out, part); err != nil {
				return err
			}
		}
		return nil
	})
}

type docNameCmd struct {
	docArg
	Version uint64   `arg:"" help:"The version, as history and watch show them."`
	Name    []string `arg:"" optional:"" help:"Its name. Absent: it has none any more."`
}

func (c *docNameCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		name := strings.Join(c.Name, " ")
		res, err := docs.NameVersion(ctx, &docsv1.NameVersionRequest{Document: id, Version: c.Version, Name: name})
		switch {
		case err != nil:
			return err
		case name == "":
			return e.print(res, "Version %d of %s has no name%s.", c.Version, c.Doc, asItWas(res))
		}
		return e.print(res, "Version %d of %s is %s%s.", c.Version, c.Doc, quoted(name), asItWas(res))
	})
}

// restoreVersion makes a document's content that of a version.
func (c *docArg) restoreVersion(e *env, version uint64) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.RestoreVersion(ctx, &docsv1.RestoreVersionRequest{Document: id, Version: version})
		if err != nil {
			return err
		}
		if res.GetVersion() == 0 {
			return e.print(res, "%s is as it was at version %d already.", c.Doc, version)
		}
		return e.print(res, "%s is at version %d, which is as version %d was.", c.Doc, res.GetVersion(), version)
	})
}

// formats are those that documents are written in elsewhere, by the words and the ends of file names for them.
var formats = map[string]docsv1.Format{
	"markdown": docsv1.Format_FORMAT_MARKDOWN, ".md": docsv1.Format_FORMAT_MARKDOWN, ".markdown": docsv1.Format_FORMAT_MARKDOWN,
	"html": docsv1.Format_FORMAT_HTML, ".html": docsv1.Format_FORMAT_HTML, ".htm": docsv1.Format_FORMAT_HTML,
	"text": docsv1.Format_FORMAT_TEXT, ".txt": docsv1.Format_FORMAT_TEXT,
}

type docImportCmd struct {
	File  string `arg:"" help:"The file; - is the standard input."`
	As    string `help:"markdown, html or text. Absent: by the file's name." enum:"markdown,html,text," default:""`
	Title string `help:"The document's title. Absent: the file's name."`
}

func (c *docImportCmd) Run(e *env) error {
	format, ok := formats[c.As]
	if c.As == "" {
		format, ok = formats[strings.ToLower(filepath.Ext(c.File))]
	}
	if !ok {
		return errors.New("say what this is written in, by --as markdown, html or text")
	}
	in, title := e.in, c.Title
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
		if title == "" {
			title = titleOf(c.File)
		}
	}
	text, err := readText(in)
	if err != nil {
		return err
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		res, err := docsv1.NewDocsServiceClient(h).ImportDocument(ctx, &docsv1.ImportDocumentRequest{Title: title, Format: format, Content: []byte(text)})
		if err != nil {
			return err
		}
		if title == "" {
			title = "Untitled"
		}
		return e.print(res, "Created %s (%s).", clean(title), res.GetDocument())
	})
}

type docExportCmd struct {
	docArg
	As      string `help:"markdown, html or text." enum:"markdown,html,text" default:"markdown"`
	Version uint64 `help:"An earlier version, as history and watch show them." placeholder:"N"`
}

func (c *docExportCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.ExportDocument(ctx, &docsv1.ExportDocumentRequest{Document: id, Version: c.Version, Format: formats[c.As]})
		if err != nil {
			return err
		}
		if e.JSON {
			return e.json(res)
		}
		_, err = fmt.Fprint(e.out, res.GetContent())
		return err
	})
}
