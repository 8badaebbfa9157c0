package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// docTalkCmds are those of docCmd that are about comments.
type docTalkCmds struct {
	Comment  docCommentCmd  `cmd:"" help:"Comment on a text in a document, which begins a thread there."`
	Comments docCommentsCmd `cmd:"" help:"List a document's threads, the newest first, with their first comments; or one with all of them."`
	Reply    docReplyCmd    `cmd:"" help:"Reply in a thread."`
	Resolve  docResolveCmd  `cmd:"" help:"Close a thread: nothing is left to do about it."`
	Reopen   docReopenCmd   `cmd:"" help:"Open a thread again that was resolved."`
}

// said is what somebody writes in a comment.
type said struct {
	Text []string `arg:"" optional:"" help:"What to say, in Markdown; @handle names somebody. Absent: the standard input."`
}

func (s *said) read(e *env) (string, error) {
	text := strings.Join(s.Text, " ")
	if len(s.Text) == 0 {
		var err error
		if text, err = readText(e.in); err != nil {
			return "", err
		}
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", errors.New("there is nothing to say")
	}
	return text, nil
}

type docCommentCmd struct {
	docArg
	said
	On string `help:"The text to comment on, as it stands in the document." placeholder:"TEXT" xor:"place" required:""`
	At string `help:"The place to comment on, in UTF-16 code units, the end not included, as comments shows them." placeholder:"FROM-TO" xor:"place" required:""`
}

func (c *docCommentCmd) Run(e *env) error {
	text, err := c.read(e)
	if err != nil {
		return err
	}
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		content, at, err := doc.Read(ctx, h, id, 0)
		if err != nil {
			return err
		}
		where, err := c.place(id, plain(content))
		if err != nil {
			return err
		}
		res, err := docs.CreateThread(ctx, &docsv1.CreateThreadRequest{
			Document: id, Base: at.GetOffset(), Epoch: at.GetEpoch(), From: where.from, To: where.to, Text: text,
		})
		if err != nil {
			return err
		}
		return e.print(res, "Thread %d of %s, at %s.", res.GetThread(), c.Doc, where)
	})
}

// place is what is commented on in a document's text.
func (c *docCommentCmd) place(id, text string) (span, error) {
	if c.At != "" {
		return parseSpan(c.At)
	}
	found := spans(text, c.On)
	switch len(found) {
	case 0:
		return span{}, fmt.Errorf("%s stands nowhere in %s. To see its text: plenumctl doc cat %s", quoted(c.On), c.Doc, id)
	case 1:
		return found[0], nil
	}
	const shown = 5
	places := make([]string, 0, shown)
	for _, s := range found[:min(len(found), shown)] {
		places = append(places, s.String())
	}
	return span{}, fmt.Errorf("%s stands in %s %d times: quote more of the text around it, or name the place by --at; the first ones are %s",
		quoted(c.On), c.Doc, len(found), strings.Join(places, ", "))
}

// span is a range of a document's content, in UTF-16 code units.
type span struct{ from, to uint32 }

func (s span) String() string { return fmt.Sprintf("%d-%d", s.from, s.to) }

func parseSpan(text string) (span, error) {
	from, to, _ := strings.Cut(text, "-")
	a, err := strconv.ParseUint(from, 10, 32)
	b, err2 := strconv.ParseUint(to, 10, 32)
	if err = cmp.Or(err, err2); err != nil || a >= b {
		return span{}, fmt.Errorf("%q is no place: write where it begins and ends, 5-9, the end not included", text)
	}
	return span{uint32(a), uint32(b)}, nil
}

// spans is where a part stands in a text, overlapping places, too.
func spans(text, part string) (found []span) {
	units, counted := 0, 0 // code units of the text's first bytes
	size := uint32(length(part))
	for at := 0; part != ""; {
		next := strings.Index(text[at:], part)
		if next < 0 {
			break
		}
		at += next
		units += length(text[counted:at])
		counted = at
		found = append(found, span{uint32(units), uint32(units) + size})
		_, first := utf8.DecodeRuneInString(text[at:])
		at += first
	}
	return found
}

// length is a text's, in UTF-16 code units.
func length(text string) (n int) {
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

type docCommentsCmd struct {
	docArg
	N   uint64 `arg:"" optional:"" help:"The thread, as comments and watch show it."`
	All bool   `help:"Those that were resolved, too."`
}

func (c *docCommentsCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		if c.N != 0 {
			t, err := wholeThread(ctx, docs, id, c.N)
			if err != nil {
				return err
			}
			return e.thread(p, id, t)
		}
		for page := ""; ; {
			res, err := docs.ListThreads(ctx, &docsv1.ListThreadsRequest{Document: id, All: c.All, Page: page})
			if err != nil {
				return err
			}
			for _, t := range res.GetThreads() {
				if err := e.thread(p, id, t); err != nil {
					return err
				}
			}
			if page = res.GetNext(); page == "" {
				return nil
			}
		}
	})
}

// wholeThread reads a thread with all its comments.
func wholeThread(ctx context.Context, docs docsv1.DocsServiceClient, id string, n uint64) (*docsv1.Thread, error) {
	var whole []*docsv1.Comment
	for q := (&docsv1.GetThreadRequest{Document: id, Thread: n}); ; {
		res, err := docs.GetThread(ctx, q)
		if err != nil {
			return nil, err
		}
		t := res.GetThread()
		whole = append(whole, t.GetComments()...)
		if res.GetMore() && len(t.GetComments()) > 0 {
			q.After = whole[len(whole)-1].GetId()
			continue
		}
		t.Comments = whole
		return t, nil
	}
}

// thread shows a thread and those of its comments that came with it.
func (e *env) thread(p *people, document string, t *docsv1.Thread) error {
	where, state := "at "+span{t.GetFrom(), t.GetTo()}.String(), "open"
	if t.GetOrphaned() {
		where = "orphaned"
	}
	if t.GetResolved() {
		state = "resolved"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%5d  %-8s  %s: %s", t.GetId(), state, where, quoted(t.GetQuote()))
	for _, c := range t.GetComments() {
		said := cleanText(c.GetText())
		if c.GetDeleted() {
			said = "(deleted)"
		}
		fmt.Fprintf(&text, "\n       %s  %-16s %s", time.UnixMilli(c.GetCreatedMs()).Format("2006-01-02 15:04:05"), p.handle(c.GetAuthor()), said)
	}
	if more := int(t.GetCount()) - len(t.GetComments()); more > 0 {
		fmt.Fprintf(&text, "\n       and %d more: plenumctl doc comments %s %d", more, document, t.GetId())
	}
	return e.print(t, "%s", text.String())
}

// threadArg is a thread of a document.
type threadArg struct {
	docArg
	N uint64 `arg:"" help:"The thread, as comments and watch show it."`
}

type docReplyCmd struct {
	threadArg
	said
}

func (c *docReplyCmd) Run(e *env) error {
	text, err := c.read(e)
	if err != nil {
		return err
	}
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.AddComment(ctx, &docsv1.AddCommentRequest{Document: id, Thread: c.N, Text: text})
		if err != nil {
			return err
		}
		return e.print(res, "Replied in thread %d of %s.", c.N, c.Doc)
	})
}

type docResolveCmd struct{ threadArg }

func (c *docResolveCmd) Run(e *env) error { return c.resolve(e, true, "Resolved thread %d of %s%s.") }

type docReopenCmd struct{ threadArg }

func (c *docReopenCmd) Run(e *env) error {
	return c.resolve(e, false, "Thread %d of %s is open again%s.")
}

func (c *threadArg) resolve(e *env, on bool, done string) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.ResolveThread(ctx, &docsv1.ResolveThreadRequest{Document: id, Thread: c.N, Resolved: on})
		if err != nil {
			return err
		}
		return e.print(res, done, c.N, c.Doc, asItWas(res))
	})
}
