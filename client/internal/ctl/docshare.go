package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// everybody is who is in the workspace and no guest, as people write it and as the contract does.
const (
	everybody   = "everybody"
	everybodyID = "*"
)

type docShareCmd struct {
	docArg
	Who     string `arg:"" help:"Handle, or everybody: all in the workspace but guests. With --group a group's handle, with --channel a channel's name, with --link a link's id as people lists it."`
	Role    string `arg:"" enum:"owner,editor,commenter,viewer,none" help:"owner, editor, commenter, viewer, or none. Several people at a time are editors at most. A link can be given none alone."`
	Group   bool   `help:"Share with a group." xor:"whom"`
	Channel bool   `help:"Share with the members of a channel." xor:"whom"`
	Link    bool   `help:"Take a link back." xor:"whom"`
	Until   string `help:"When the role ends: 2026-01-31, 2026-01-31T15:04:05Z, or 7d or 90m from now." placeholder:"TIME"`
}

func (c *docShareCmd) Run(e *env) error {
	role := docsv1.Role(docsv1.Role_value["ROLE_"+strings.ToUpper(c.Role)]) // none is 0
	if c.Link && role != 0 {
		return errors.New("a link keeps its role: give it none, and make another one by plenumctl doc link")
	}
	expires, err := parseExpiry(c.Until)
	if err != nil {
		return err
	}
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		principal, err := c.principal(ctx, h)
		if err != nil {
			return err
		}
		res, err := docs.SetRole(ctx, &docsv1.SetRoleRequest{Document: id, Principal: principal, Role: role, ExpiresMs: expires})
		if err != nil {
			return err
		}
		if c.Link && res.GetVersion() == 0 {
			return fmt.Errorf("%s has no %s: plenumctl doc people lists those that it has", c.Doc, c.whom())
		}
		return e.print(res, "%s: %s is %s%s%s.", c.Doc, c.whom(), roleText(role), untilText(expires), asItWas(res))
	})
}

// whom is who is meant, in a sentence.
func (c *docShareCmd) whom() string {
	switch {
	case c.Group:
		return "group " + c.Who
	case c.Channel:
		return "channel " + c.Who
	case c.Link:
		return "link " + strings.TrimPrefix(c.Who, "link/")
	}
	return c.Who
}

// principal is who is meant, as the contract names them.
func (c *docShareCmd) principal(ctx context.Context, h *client.HTTP) (string, error) {
	switch {
	case c.Link:
		return "link/" + strings.TrimPrefix(c.Who, "link/"), nil // as the contract has it
	case c.Group:
		id, err := groupID(ctx, h, c.Who)
		return "group/" + id, err
	case c.Channel:
		id, err := channelID(ctx, h, c.Who)
		return "channel/" + id, err
	case c.Who == everybody:
		return everybodyID, nil
	}
	p, err := loadPeople(ctx, h)
	if err != nil {
		return "", err
	}
	return p.id(c.Who)
}

// eachGroup calls f with each group of the workspace.
func eachGroup(ctx context.Context, h grpc.ClientConnInterface, f func(*identityv1.Group)) error {
	for page := ""; ; {
		res, err := identityv1.NewPeopleServiceClient(h).ListGroups(ctx, &identityv1.ListGroupsRequest{Page: page})
		if err != nil {
			return err
		}
		for _, g := range res.GetGroups() {
			f(g)
		}
		if page = res.GetNext(); page == "" {
			return nil
		}
	}
}

// groupID finds a group by what a person wrote: its handle, or its id.
func groupID(ctx context.Context, h grpc.ClientConnInterface, text string) (id string, err error) {
	handle := strings.TrimPrefix(text, "@")
	err = eachGroup(ctx, h, func(g *identityv1.Group) {
		if strings.EqualFold(g.GetHandle(), handle) || g.GetId() == handle {
			id = g.GetId()
		}
	})
	if err == nil && id == "" {
		err = fmt.Errorf("there is no group @%s in this workspace", handle)
	}
	return id, err
}

// parseExpiry reads when something ends, in Unix milliseconds; nothing: it doesn't.
func parseExpiry(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if t, ok := parseDate(text); ok {
		return t.UnixMilli(), nil
	}
	d, ok := parseAhead(text)
	if !ok {
		return 0, fmt.Errorf("%q is no time ahead: write 2026-01-31, 2026-01-31T15:04:05Z, or 7d or 90m for that long from now", text)
	}
	return time.Now().Add(d).UnixMilli(), nil
}

// untilText says when something ends.
func untilText(ms int64) string {
	if ms == 0 {
		return ""
	}
	return " until " + time.UnixMilli(ms).Format("2006-01-02 15:04:05")
}

// roleText is a role in a sentence.
func roleText(r docsv1.Role) string {
	switch r {
	case docsv1.Role_ROLE_UNSPECIFIED:
		return "in no role any more"
	case docsv1.Role_ROLE_EDITOR, docsv1.Role_ROLE_OWNER:
		return "an " + docRole(r)
	default:
		return "a " + docRole(r)
	}
}

type docPeopleCmd struct{ docArg }

func (c *docPeopleCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		res, err := docs.ListRoles(ctx, &docsv1.ListRolesRequest{Document: id})
		if err != nil {
			return err
		}
		p, err := loadPrincipals(ctx, h)
		if err != nil {
			return err
		}
		for _, g := range res.GetGrants() {
			if err := e.print(g, "%-24s %s%s", p.name(g.GetPrincipal()), docRole(g.GetRole()), untilText(g.GetExpiresMs())); err != nil {
				return err
			}
		}
		return nil
	})
}

// principals are who may have a role in a document, by what people call them.
type principals struct {
	*people
	named map[string]string // groups, and the caller's channels
}

func loadPrincipals(ctx context.Context, h grpc.ClientConnInterface) (*principals, error) {
	p := &principals{named: map[string]string{everybodyID: everybody}}
	var err error
	if p.people, err = loadPeople(ctx, h); err != nil {
		return nil, err
	}
	err = eachGroup(ctx, h, func(g *identityv1.Group) { p.named["group/"+g.GetId()] = "group " + g.GetHandle() })
	if err != nil && client.CodeOf(err) != edgev1.Code_CODE_PERMISSION_DENIED { // to guests they have ids
		return nil, err
	}
	err = eachMine(ctx, h, func(c *chatv1.MyChannel) error {
		if name := c.GetChannel().GetName(); name != "" {
			p.named["channel/"+c.GetChannel().GetId()] = "channel " + name
		}
		return nil
	})
	return p, err
}

// name is who has a role.
func (p *principals) name(principal string) string {
	if name := p.named[principal]; name != "" {
		return clean(name)
	}
	if kind, id, ok := strings.Cut(principal, "/"); ok {
		return kind + " " + id
	}
	return p.handle(principal)
}

type docLinkCmd struct {
	docArg
	Role  string `arg:"" enum:"editor,commenter,viewer" help:"editor, commenter or viewer."`
	Until string `help:"When the link ends: 2026-01-31, 2026-01-31T15:04:05Z, or 7d or 90m from now. A year ahead at most." default:"7d" placeholder:"TIME"`
}

func (c *docLinkCmd) Run(e *env) error {
	expires, err := parseExpiry(c.Until)
	if err != nil {
		return err
	}
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		role := docsv1.Role(docsv1.Role_value["ROLE_"+strings.ToUpper(c.Role)])
		res, err := docs.CreateLink(ctx, &docsv1.CreateLinkRequest{Document: id, Role: role, ExpiresMs: expires})
		if err != nil {
			return err
		}
		if res.GetSecret() == "" { // the first answer was lost
			return fmt.Errorf("link %s was made, but its secret is lost: take it back by plenumctl doc share %s --link %[1]s none, and make another one", res.GetLink(), id)
		}
		return e.print(res, "%s", link(h.Server, "doc", id+"."+res.GetSecret()))
	})
}

type docOpenLinkCmd struct {
	Link string `arg:"" help:"The link, https://host/#doc=…"`
}

func (c *docOpenLinkCmd) Run(e *env) error {
	_, text, err := splitLink(c.Link, "doc")
	if err != nil {
		return err
	}
	id, secret, _ := strings.Cut(text, ".")
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		docs := docsv1.NewDocsServiceClient(h)
		res, err := docs.OpenLink(ctx, &docsv1.OpenLinkRequest{Document: id, Secret: secret})
		if err != nil {
			return err
		}
		cover, err := docs.GetDocument(ctx, &docsv1.GetDocumentRequest{Document: id})
		if err != nil {
			return err
		}
		return e.print(res, "You are %s of %s (%s)%s.", roleText(cover.GetDocument().GetRole()), clean(cover.GetDocument().GetTitle()), id, asItWas(res))
	})
}
