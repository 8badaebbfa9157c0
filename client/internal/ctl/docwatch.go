package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type docWatchCmd struct {
	docArg
	Since uint64 `help:"Begin with what follows this version." placeholder:"N"`
}

func (c *docWatchCmd) Run(e *env) error {
	var id string
	var p *principals
	var at *edgev1.Cursor
	err := c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, found string) (err error) {
		id = found
		if p, err = loadPrincipals(ctx, h); err != nil {
			return err
		}
		res, err := docs.ReadDocument(ctx, &docsv1.ReadDocumentRequest{Document: id})
		at = &edgev1.Cursor{Epoch: res.GetEpoch(), Offset: res.GetVersion()}
		return err
	})
	if err != nil {
		return err
	}
	if c.Since != 0 {
		at.Offset = min(at.GetOffset(), c.Since)
	}
	return e.session(false, nil, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		sub, err := cl.Follow(ctx, "docs.document/"+id, client.From(at))
		if err != nil {
			return err
		}
		for {
			u, err := sub.Next(ctx)
			if err != nil {
				return err
			}
			if u.Reset != nil {
				_, at, err := doc.Read(ctx, cl, id, 0)
				if err != nil {
					return err
				}
				fmt.Fprintf(e.err, "Some changes can't be shown here; the document is at version %d now.\n", at.GetOffset())
				if err := sub.Resume(ctx, at); err != nil {
					return err
				}
			}
			for _, event := range u.Events {
				if p, err = e.docEvent(ctx, cl, p, event); err != nil {
					return err
				}
			}
		}
	})
}

// docEvent prints a document's event. It returns the people, loaded anew if its author was not among them.
func (e *env) docEvent(ctx context.Context, cl *client.Client, p *principals, event *edgev1.Event) (*principals, error) {
	if e.JSON {
		line, err := oneLine(event)
		if err != nil {
			return p, err
		}
		_, err = fmt.Fprintln(e.out, string(unfold(line, "body", event.GetBody(), "plenum.docs.v1.DocumentEvent")))
		return p, err
	}
	var d docsv1.DocumentEvent
	if err := proto.Unmarshal(event.GetBody(), &d); err != nil {
		return p, err
	}
	for _, id := range []string{d.GetActor(), d.GetEdited().GetCredited()} {
		if id != "" && p.byID[id] == "" {
			if err := p.learn(ctx, cl, []string{id}); err != nil {
				return p, err
			}
		}
	}
	_, err := fmt.Fprintf(e.out, "%5d  %s  %-16s %s\n", event.GetOffset(), time.UnixMilli(event.GetTimeMs()).Format("2006-01-02 15:04:05"), p.handle(d.GetActor()), docEventText(p, &d))
	return p, err
}

func docEventText(p *principals, d *docsv1.DocumentEvent) string {
	switch v := d.GetEvent().(type) {
	case *docsv1.DocumentEvent_Created:
		return fmt.Sprintf("created %s", quoted(v.Created.GetTitle()))
	case *docsv1.DocumentEvent_Edited:
		if ids := v.Edited.GetSuggestions(); len(ids) > 0 {
			return fmt.Sprintf("accepted what %s suggested (%s): %s", p.handle(v.Edited.GetCredited()), numbers(ids), editText(v.Edited.GetDelta()))
		}
		return editText(v.Edited.GetDelta())
	case *docsv1.DocumentEvent_Renamed:
		return fmt.Sprintf("renamed it to %s", quoted(v.Renamed.GetTitle()))
	case *docsv1.DocumentEvent_Trashed:
		if v.Trashed.GetTrashed() {
			return "put it into the trash"
		}
		return "took it out of the trash"
	case *docsv1.DocumentEvent_RoleSet:
		g := v.RoleSet.GetGrant()
		return fmt.Sprintf("%s is %s%s", p.name(g.GetPrincipal()), roleText(g.GetRole()), untilText(g.GetExpiresMs()))
	case *docsv1.DocumentEvent_AccessChanged:
		var over []string
		for _, principal := range v.AccessChanged.GetExpired() {
			over = append(over, p.name(principal))
		}
		if len(over) == 0 {
			return "somebody has lost access, by leaving a group or a channel, say"
		}
		return "the time is over of " + strings.Join(over, ", ")
	case *docsv1.DocumentEvent_LinkOpened:
		return "opened link " + v.LinkOpened.GetLink()
	case *docsv1.DocumentEvent_Moved:
		if v.Moved.GetFolder() == "" {
			return "took it out of its folder"
		}
		return "put it into the folder " + v.Moved.GetFolder()
	case *docsv1.DocumentEvent_HistoryErased:
		return fmt.Sprintf("erased what it was before version %d", v.HistoryErased.GetFloor())
	case *docsv1.DocumentEvent_Purged:
		return "purged it"
	case *docsv1.DocumentEvent_VersionNamed:
		if name := v.VersionNamed.GetName(); name != "" {
			return fmt.Sprintf("named version %d %s", v.VersionNamed.GetVersion(), quoted(name))
		}
		return fmt.Sprintf("took the name of version %d away", v.VersionNamed.GetVersion())
	case *docsv1.DocumentEvent_ThreadCreated:
		return fmt.Sprintf("commented on %s: %s", quoted(v.ThreadCreated.GetQuote()), quoted(v.ThreadCreated.GetText()))
	case *docsv1.DocumentEvent_CommentAdded:
		return fmt.Sprintf("replied in thread %d: %s", v.CommentAdded.GetThread(), quoted(v.CommentAdded.GetText()))
	case *docsv1.DocumentEvent_CommentEdited:
		return fmt.Sprintf("edited a comment in thread %d: %s", v.CommentEdited.GetThread(), quoted(v.CommentEdited.GetText()))
	case *docsv1.DocumentEvent_CommentDeleted:
		return fmt.Sprintf("deleted a comment in thread %d", v.CommentDeleted.GetThread())
	case *docsv1.DocumentEvent_ThreadResolved:
		if v.ThreadResolved.GetResolved() {
			return fmt.Sprintf("resolved thread %d", v.ThreadResolved.GetThread())
		}
		return fmt.Sprintf("opened thread %d again", v.ThreadResolved.GetThread())
	case *docsv1.DocumentEvent_SuggestionCreated:
		return "suggested: " + suggestionText(v.SuggestionCreated)
	case *docsv1.DocumentEvent_SuggestionRevised:
		return fmt.Sprintf("revised suggestion %d: %s", v.SuggestionRevised.GetSuggestion(), suggestionText(v.SuggestionRevised))
	case *docsv1.DocumentEvent_SuggestionsClosed:
		return fmt.Sprintf("%s what was suggested (%s)", map[docsv1.SuggestionState]string{
			docsv1.SuggestionState_SUGGESTION_STATE_REJECTED: "rejected", docsv1.SuggestionState_SUGGESTION_STATE_WITHDRAWN: "withdrew",
		}[v.SuggestionsClosed.GetState()], numbers(v.SuggestionsClosed.GetSuggestions()))
	case nil:
		return "what was deleted since"
	}
	return "something that this program doesn't know"
}

// suggestionText says what a suggestion would do, to which text, and what for, in a line.
func suggestionText(s interface {
	GetDelta() string
	GetQuote() string
	GetDescription() string
},
) string {
	text := editText(s.GetDelta())
	if s.GetQuote() != "" {
		text += " of " + quoted(s.GetQuote())
	}
	if s.GetDescription() != "" {
		text += "  " + quoted(s.GetDescription())
	}
	return text
}

// editText says what an edit does, in a line.
func editText(delta string) string {
	edit, err := ot.Parse([]byte(delta), ot.Unlimited())
	if err != nil {
		return "an edit that can't be read: " + err.Error()
	}
	parts := editParts(edit)
	const shown = 8
	if more := len(parts) - shown; more > 0 {
		parts = append(parts[:shown], fmt.Sprintf("and %d more changes", more))
	}
	if len(parts) == 0 {
		return "nothing that was not there before"
	}
	return strings.Join(parts, "; ")
}

// editParts says what an edit does, operation by operation; places are in code units of the text as it becomes.
func editParts(edit ot.Delta) (parts []string) {
	at := 0
	for _, op := range edit.Ops() {
		switch {
		case op.Action() == ot.Delete:
			parts = append(parts, fmt.Sprintf("at %d: -%d", at, op.Len()))
			continue
		case op.Action() == ot.Insert && op.Embed() != nil:
			parts = append(parts, fmt.Sprintf("at %d: + an embed", at))
		case op.Action() == ot.Insert:
			parts = append(parts, fmt.Sprintf("at %d: + %s", at, quoted(op.Text())))
		case op.Attributes() != nil:
			parts = append(parts, fmt.Sprintf("at %d: %d formatted", at, op.Len()))
		case op.Embed() != nil:
			parts = append(parts, fmt.Sprintf("at %d: an embed changed", at))
		}
		at += op.Len()
	}
	return parts
}

// quoted is what others wrote, in a line, and not too long.
func quoted(s string) string {
	const most = 60
	r := []rune(clean(strings.ReplaceAll(s, "\n", "⏎")))
	if len(r) > most {
		return "“" + string(r[:most]) + "…”"
	}
	return "“" + string(r) + "”"
}
