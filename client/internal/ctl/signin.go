package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"plenum.internal/client"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

type passwordFlags struct {
	PasswordStdin bool `help:"Read the password from the standard input, one line."`
}

type setupCmd struct {
	Link      string `arg:"" help:"The link that the server printed, http://host:port/#setup=…"`
	Workspace string `required:"" help:"Short name of the workspace, for signing in: a-z, 0-9, '-'." placeholder:"SLUG"`
	Handle    string `required:"" help:"Your short name, for @mentions and for signing in."`
	Name      string `help:"Your name as others see it."`
	Title     string `name:"workspace-name" help:"The workspace's name as people see it."`
	passwordFlags
}

func (c *setupCmd) Run(e *env) error {
	server, secret, err := splitLink(c.Link, "setup")
	if err != nil {
		return err
	}
	return e.signIn(server, "", "", c.PasswordStdin, true, func(ctx context.Context, s identityv1.SessionServiceClient, password string, me *identityv1.Client) (*identityv1.Session, error) {
		res, err := s.SetUp(ctx, &identityv1.SetUpRequest{Secret: secret, WorkspaceSlug: c.Workspace, WorkspaceName: c.Title, Handle: c.Handle,
			DisplayName: c.Name, Password: password, Client: me})
		return res.GetSession(), err
	})
}

type joinCmd struct {
	Link   string `arg:"" help:"The invitation's link, http://host:port/#join=…"`
	Handle string `required:"" help:"Your short name, for @mentions and for signing in."`
	Name   string `help:"Your name as others see it."`
	passwordFlags
}

func (c *joinCmd) Run(e *env) error {
	server, secret, err := splitLink(c.Link, "join")
	if err != nil {
		return err
	}
	return e.signIn(server, "", "", c.PasswordStdin, true, func(ctx context.Context, s identityv1.SessionServiceClient, password string, me *identityv1.Client) (*identityv1.Session, error) {
		res, err := s.Join(ctx, &identityv1.JoinRequest{Secret: secret, Handle: c.Handle, DisplayName: c.Name, Password: password, Client: me})
		return res.GetSession(), err
	})
}

type resetCmd struct {
	Link string `arg:"" help:"The link that an administrator gave you, http://host:port/#reset=…"`
	passwordFlags
}

func (c *resetCmd) Run(e *env) error {
	server, secret, err := splitLink(c.Link, "reset")
	if err != nil {
		return err
	}
	described, err := e.describe(server, secret)
	if err != nil {
		return err
	}
	to := described.GetReset_()
	if to == nil {
		return errors.New("this link is for something else: setup and join take it")
	}
	if !e.JSON {
		fmt.Fprintf(e.err, "A new password for @%s in %s. All devices of the account are signed out by it.\n", to.GetHandle(), clean(to.GetWorkspaceName()))
	}
	return e.signIn(server, to.GetWorkspaceSlug(), to.GetHandle(), c.PasswordStdin, true, func(ctx context.Context, s identityv1.SessionServiceClient, password string, me *identityv1.Client) (*identityv1.Session, error) {
		res, err := s.UseReset(ctx, &identityv1.UseResetRequest{Secret: secret, Password: password, Client: me})
		return res.GetSession(), err
	})
}

// describe asks what a link is for, as the client that may have used it already: the answer to that may have been lost.
func (e *env) describe(server, secret string) (*identityv1.DescribeLinkResponse, error) {
	outbox, err := e.outbox()
	if err != nil {
		return nil, err
	}
	defer outbox.Close()
	ctx, cancel := context.WithTimeout(e.ctx, timeout)
	defer cancel()
	return identityv1.NewSessionServiceClient(&client.HTTP{Server: server}).DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: secret, ClientId: outbox.ClientID()})
}

type loginCmd struct {
	Workspace string `required:"" help:"Short name of the workspace." placeholder:"SLUG"`
	Handle    string `required:"" help:"Your short name."`
	passwordFlags
}

func (c *loginCmd) Run(e *env) error {
	server := e.Server
	if server == "" {
		account, err := e.account()
		if err != nil {
			return errors.New("which server? Add --server http://host:port")
		}
		server = account.Server()
	}
	return e.signIn(server, c.Workspace, c.Handle, c.PasswordStdin, false, func(ctx context.Context, s identityv1.SessionServiceClient, password string, me *identityv1.Client) (*identityv1.Session, error) {
		res, err := s.SignIn(ctx, &identityv1.SignInRequest{WorkspaceSlug: c.Workspace, Handle: c.Handle, Password: password, Client: me})
		return res.GetSession(), err
	})
}

// free refuses a sign-in while messages of somebody else wait: they would go out in the new one's name.
func (e *env) free(outbox *client.Outbox, workspace, handle string) error {
	if outbox.Len() == 0 {
		return nil
	}
	account, err := e.account()
	if err == nil && account.Workspace() == workspace && strings.EqualFold(account.Handle(), strings.TrimPrefix(handle, "@")) {
		return nil
	}
	return fmt.Errorf("%d messages of profile %q still wait to be sent. Send them first, or use another --profile", outbox.Len(), e.Profile)
}

// signIn gets a session by one of the ways, and keeps it.
func (e *env) signIn(server, workspace, handle string, fromStdin, fresh bool, way func(context.Context, identityv1.SessionServiceClient, string, *identityv1.Client) (*identityv1.Session, error)) error {
	path, err := e.file("session.json")
	if err != nil {
		return err
	}
	outbox, err := e.outbox()
	if err != nil {
		return err
	}
	defer outbox.Close()
	if err := e.free(outbox, workspace, handle); err != nil {
		return err
	}
	password, err := e.password(fromStdin, fresh)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, timeout)
	defer cancel()
	h := &client.HTTP{Server: server}
	session, err := way(ctx, identityv1.NewSessionServiceClient(h), password, &identityv1.Client{ClientId: outbox.ClientID(), Name: "plenumctl on " + host(), Agent: Version})
	if client.CodeOf(err) == edgev1.Code_CODE_OUTCOME_UNKNOWN {
		return fmt.Errorf("%s Run the same command again, with the same password: it takes place once", explain(err))
	} else if err != nil {
		return err
	}
	if _, err := client.NewAccount(path, h, outbox.ClientID(), session); err != nil {
		return err
	}
	return e.print(session.GetPerson(), "Signed in to %s as @%s.", clean(session.GetWorkspace().GetName()), session.GetPerson().GetHandle())
}

// splitLink takes the secret out of a link's fragment, where it is never sent to a server by mistake.
func splitLink(link, kind string) (server, secret string, err error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", "", fmt.Errorf("%q is no link: it begins with http:// or https://", link)
	}
	secret, ok := strings.CutPrefix(u.Fragment, kind+"=")
	if !ok || secret == "" {
		return "", "", fmt.Errorf("the link has no #%s=… at its end. Put it in quotes, since the shell takes # for itself", kind)
	}
	return u.Scheme + "://" + u.Host, secret, nil
}

type logoutCmd struct{}

func (logoutCmd) Run(e *env) error {
	account, err := e.account()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, timeout)
	defer cancel()
	if err := account.SignOut(ctx); err != nil {
		return fmt.Errorf("the session is forgotten here, but the server did not hear of it: %w", err)
	}
	fmt.Fprintln(e.out, "Signed out.")
	return nil
}

type whoamiCmd struct{}

func (whoamiCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		res, err := identityv1.NewPeopleServiceClient(h).WhoAmI(ctx, &identityv1.WhoAmIRequest{})
		if err != nil {
			return err
		}
		p := res.GetPerson()
		return e.print(res, "@%s (%s), %s in %s (%s) at %s\nmay: %s", p.GetHandle(), clean(p.GetDisplayName()), role(p.GetRole()),
			clean(res.GetWorkspace().GetName()), res.GetWorkspace().GetSlug(), h.Server, strings.Join(res.GetPermissions(), " "))
	})
}

func role(r identityv1.Role) string { return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")) }

type workspaceCmd struct {
	All bool `help:"People who were deactivated, too."`
}

func (c *workspaceCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		people := identityv1.NewPeopleServiceClient(h)
		me, err := people.WhoAmI(ctx, &identityv1.WhoAmIRequest{})
		if err != nil {
			return err
		}
		if err := e.print(me.GetWorkspace(), "%s (%s)", clean(me.GetWorkspace().GetName()), me.GetWorkspace().GetSlug()); err != nil {
			return err
		}
		show := func(p *identityv1.Person) error {
			note := ""
			if p.GetDeactivated() {
				note = " (deactivated)"
			}
			return e.print(p, "  @%-24s %-8s %s%s", p.GetHandle(), role(p.GetRole()), clean(p.GetDisplayName()), note)
		}
		err = eachPerson(ctx, people, c.All, show)
		if client.CodeOf(err) == edgev1.Code_CODE_PERMISSION_DENIED {
			return eachMet(ctx, h, show) // a guest
		}
		return err
	})
}

func eachPerson(ctx context.Context, people identityv1.PeopleServiceClient, deactivated bool, f func(*identityv1.Person) error) error {
	for page := ""; ; {
		res, err := people.ListPeople(ctx, &identityv1.ListPeopleRequest{Page: page, Deactivated: deactivated})
		if err != nil {
			return err
		}
		for _, p := range res.GetPeople() {
			if err := f(p); err != nil {
				return err
			}
		}
		if page = res.GetNext(); page == "" {
			return nil
		}
	}
}
