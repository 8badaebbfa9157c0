package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// docReviewCmds are those of docCmd that are about suggestions.
type docReviewCmds struct {
	Suggest     docSuggestCmd     `cmd:"" help:"Suggest that a document's text becomes that of the standard input. Only what differs is suggested."`
	Suggestions docSuggestionsCmd `cmd:"" help:"List what is suggested in a document, the newest first."`
	Accept      docAcceptCmd      `cmd:"" help:"Accept a suggestion, or all of a person: their edit is made."`
	Reject      docRejectCmd      `cmd:"" help:"Reject a suggestion, or all of a person."`
	Withdraw    docWithdrawCmd    `cmd:"" help:"Take back a suggestion of mine."`
}

type docSuggestCmd struct {
	docArg
	Description string `help:"What it is for."`
	Empty       bool   `help:"Suggest to make it empty, if the standard input is."`
	Revise      uint64 `help:"Put it in the place of a suggestion of mine, as suggestions shows them." placeholder:"N"`
}

func (c *docSuggestCmd) Run(e *env) error {
	text, err := readText(e.in)
	if err != nil {
		return err
	}
	if text == "" && !c.Empty { // as of docReplaceCmd
		return errors.New("the standard input is empty: add --empty if the document is to be, too")
	}
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		content, at, err := doc.Read(ctx, h, id, 0)
		if err != nil {
			return err
		}
		delta, err := rewritten(content, text)
		if err != nil {
			return err
		}
		if delta.Count() == 0 {
			return errors.New("this is the document's text already: there is nothing to suggest")
		}
		what := editText(delta.JSON())
		if c.Revise != 0 {
			res, err := docs.ReviseSuggestion(ctx, &docsv1.ReviseSuggestionRequest{
				Document: id, Suggestion: c.Revise, Base: at.GetOffset(), Epoch: at.GetEpoch(), Delta: delta.JSON(), Description: c.Description,
			})
			if err != nil {
				return err
			}
			return e.print(res, "Suggestion %d of %s is another one: %s.", c.Revise, c.Doc, what)
		}
		res, err := docs.CreateSuggestion(ctx, &docsv1.CreateSuggestionRequest{
			Document: id, Base: at.GetOffset(), Epoch: at.GetEpoch(), Delta: delta.JSON(), Description: c.Description,
		})
		if err != nil {
			return err
		}
		return e.print(res, "Suggestion %d of %s: %s.", res.GetSuggestion(), c.Doc, what)
	})
}

type docSuggestionsCmd struct {
	docArg
	All bool `help:"Those that were accepted, rejected and withdrawn, too."`
}

func (c *docSuggestionsCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		for page := ""; ; {
			res, err := docs.ListSuggestions(ctx, &docsv1.ListSuggestionsRequest{Document: id, All: c.All, Page: page})
			if err != nil {
				return err
			}
			for _, s := range res.GetSuggestions() {
				if err := e.print(s, "%5d  %s  %-16s %-9s  %s", s.GetId(), time.UnixMilli(cmp.Or(s.GetRevisedMs(), s.GetCreatedMs())).Format("2006-01-02 15:04:05"),
					p.handle(s.GetAuthor()), suggestionState(s), suggestionText(s)); err != nil {
					return err
				}
			}
			if page = res.GetNext(); page == "" {
				return nil
			}
		}
	})
}

func suggestionState(s *docsv1.Suggestion) string {
	if s.GetGone() {
		return "gone"
	}
	return strings.ToLower(strings.TrimPrefix(s.GetState().String(), "SUGGESTION_STATE_"))
}

// docDecideCmd is how suggestions are accepted and rejected.
type docDecideCmd struct {
	docArg
	N      uint64 `arg:"" optional:"" help:"The suggestion, as suggestions and watch show it."`
	Author string `help:"All open suggestions of this person, by a handle." placeholder:"WHO"`
}

// which says what is decided on: one suggestion, or all of an author, whose id it returns.
func (c *docDecideCmd) which(ctx context.Context, h *client.HTTP) (author string, err error) {
	if (c.N == 0) == (c.Author == "") {
		return "", errors.New("name one suggestion by its number, or a person by --author")
	}
	if c.Author == "" {
		return "", nil
	}
	p, err := loadPeople(ctx, h)
	if err != nil {
		return "", err
	}
	return p.id(c.Author)
}

type docAcceptCmd struct {
	docDecideCmd
	Seen uint64 `help:"Leave what was made or revised behind this version." placeholder:"VERSION"`
}

func (c *docAcceptCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		author, err := c.which(ctx, h)
		if err != nil {
			return err
		}
		if author == "" {
			res, err := docs.AcceptSuggestion(ctx, &docsv1.AcceptSuggestionRequest{Document: id, Suggestion: c.N, Seen: c.Seen})
			if err != nil {
				return err
			}
			if res.GetVersion() == 0 {
				return e.print(res, "Suggestion %d of %s was accepted before.", c.N, c.Doc)
			}
			return e.print(res, "Accepted suggestion %d: %s is at version %d.", c.N, c.Doc, res.GetVersion())
		}
		res, err := docs.AcceptSuggestions(ctx, &docsv1.AcceptSuggestionsRequest{Document: id, Author: author, Seen: c.Seen})
		if err != nil {
			return err
		}
		text := fmt.Sprintf("Accepted %s.", counted(len(res.GetAccepted())))
		if res.GetVersion() != 0 {
			text = fmt.Sprintf("Accepted %s: %s is at version %d.", counted(len(res.GetAccepted())), c.Doc, res.GetVersion())
		}
		if len(res.GetGone()) > 0 {
			text += " Gone, for their text was deleted: " + numbers(res.GetGone()) + "."
		}
		if len(res.GetLeft()) > 0 {
			text += " Open still: " + numbers(res.GetLeft()) + "."
		}
		return e.print(res, "%s", text)
	})
}

func counted(n int) string {
	switch n {
	case 0:
		return "no suggestion"
	case 1:
		return "1 suggestion"
	}
	return fmt.Sprintf("%d suggestions", n)
}

func numbers(ids []uint64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
}

type docRejectCmd struct{ docDecideCmd }

func (c *docRejectCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		author, err := c.which(ctx, h)
		if err != nil {
			return err
		}
		if author == "" {
			res, err := docs.RejectSuggestion(ctx, &docsv1.RejectSuggestionRequest{Document: id, Suggestion: c.N})
			if err != nil {
				return err
			}
			return e.print(res, "Rejected suggestion %d of %s%s.", c.N, c.Doc, asItWas(res))
		}
		res, err := docs.RejectSuggestions(ctx, &docsv1.RejectSuggestionsRequest{Document: id, Author: author})
		if err != nil {
			return err
		}
		return e.print(res, "Rejected %s of %s.", counted(len(res.GetRejected())), c.Doc)
	})
}

type docWithdrawCmd struct {
	docArg
	N uint64 `arg:"" help:"The suggestion, as suggestions and watch show it."`
}

func (c *docWithdrawCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, _ *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.WithdrawSuggestion(ctx, &docsv1.WithdrawSuggestionRequest{Document: id, Suggestion: c.N})
		if err != nil {
			return err
		}
		return e.print(res, "Withdrew suggestion %d of %s%s.", c.N, c.Doc, asItWas(res))
	})
}
