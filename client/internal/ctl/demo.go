package ctl

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

type demoCmd struct {
	Link      string `arg:"" optional:"" help:"A set-up link, http://host:port/#setup=…. Absent: the one program's operator makes one, who may use its data folder, and --server says where people find it."`
	Data      string `help:"Data folder of the one program." default:"./data" placeholder:"FOLDER"`
	Workspace string `help:"Short name of the workspace, which is made: a-z, 0-9, '-'." default:"demo" placeholder:"SLUG"`
	Password  string `help:"Everybody's password, of at least 10 characters. Absent: a random one." placeholder:"TEXT"`
}

// demoTime bounds the filling of a workspace; it takes seconds.
const demoTime = 5 * time.Minute

func (c *demoCmd) Run(e *env) error {
	server, secret, err := c.setup(e)
	if err != nil {
		return err
	}
	if c.Password == "" {
		text := strings.ToLower(rand.Text()[:16]) // 80 bits
		c.Password = text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
	}
	ctx, cancel := context.WithTimeout(e.ctx, demoTime)
	defer cancel()
	d := &demo{server: server, slug: c.Workspace, password: c.Password, people: map[string]*demoPerson{}}
	if err := d.play(ctx, secret); err != nil {
		return fmt.Errorf("the workspace %s is not all there: %s. Run it again with another --workspace", c.Workspace, explain(err))
	}
	if e.JSON {
		line, err := json.Marshal(map[string]any{"server": server, "workspace": c.Workspace, "password": c.Password, "handles": d.handles})
		if err == nil {
			_, err = fmt.Fprintln(e.out, string(line))
		}
		return err
	}
	fmt.Fprintf(e.out, "The workspace %s is there, with %d people and what they have said. Open %s and sign in:\n\n", c.Workspace, len(demoPeople), server)
	for _, p := range demoPeople {
		fmt.Fprintf(e.out, "  %-8s %-18s %s\n", p.handle, p.name, p.title)
	}
	_, err = fmt.Fprintf(e.out, "\n  workspace %s, password of everybody %s\n\n@ada, who owns it, has mentions and unread threads. On the command line:\n\n  plenumctl --server %s login --workspace %s --handle ada\n", c.Workspace, c.Password, server, c.Workspace)
	if err == nil && c.Link == "" {
		_, err = fmt.Fprintf(e.out, "\nThe link that Plenum printed at its first start is void now. Another one, for a workspace of your own:\n\n  plenumctl --server %s operator --data %s setup\n", server, c.Data)
	}
	return err
}

// setup is where the workspace is made, and the secret for it.
func (c *demoCmd) setup(e *env) (server, secret string, err error) {
	if c.Link != "" {
		return splitLink(c.Link, "setup")
	}
	if server, err = e.origin(); err != nil {
		return "", "", err
	}
	e.Operator.Data = c.Data
	err = e.operator(func(ctx context.Context, o identityv1.OperatorServiceClient) error {
		for page := ""; ; {
			res, err := o.ListWorkspaces(ctx, &identityv1.ListWorkspacesRequest{Page: page})
			if err != nil {
				return err
			}
			for _, w := range res.GetWorkspaces() {
				if w.GetSlug() == c.Workspace {
					return fmt.Errorf("there is a workspace %s already: sign in there, or make another one with --workspace", c.Workspace)
				}
			}
			if page = res.GetNext(); page == "" {
				break
			}
		}
		res, err := o.IssueSetup(ctx, &identityv1.IssueSetupRequest{TtlMs: uint64(demoTime.Milliseconds())})
		secret = res.GetSecret()
		return err
	})
	return server, secret, err
}

// demo is a workspace that is being filled.
type demo struct {
	server, slug, password string
	people                 map[string]*demoPerson // by handle
	handles                []string
}

// demoPerson is somebody who is signed in, for as long as it takes.
type demoPerson struct {
	id   string
	http *client.HTTP
	chat chatv1.ChatServiceClient
}

func (d *demo) play(ctx context.Context, secret string) error {
	for i, p := range demoPeople {
		if err := d.enter(ctx, p, secret, i == 0); err != nil {
			return fmt.Errorf("@%s: %w", p.handle, err)
		}
	}
	for _, c := range demoChannels {
		if err := d.channel(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for _, p := range d.people { // nobody has a device that isn't theirs
		if _, err := identityv1.NewSessionServiceClient(p.http).SignOut(ctx, &identityv1.SignOutRequest{}); err != nil {
			return err
		}
	}
	return nil
}

// enter makes somebody's account: the first one owns the workspace and invites the others.
func (d *demo) enter(ctx context.Context, p demoAccount, secret string, first bool) error {
	me := &identityv1.Client{ClientId: client.NewID(), Name: "plenumctl demo", Agent: Version}
	seq := uint64(0)
	h := &client.HTTP{Server: d.server, ClientID: me.GetClientId(), Seq: func() (uint64, error) { seq++; return seq, nil }}
	sessions := identityv1.NewSessionServiceClient(h)
	var session *identityv1.Session
	if first {
		res, err := sessions.SetUp(ctx, &identityv1.SetUpRequest{Secret: secret, WorkspaceSlug: d.slug, WorkspaceName: demoName, Handle: p.handle, DisplayName: p.name, Password: d.password, Client: me})
		if err != nil {
			return err
		}
		session = res.GetSession()
	} else {
		invited, err := identityv1.NewAdminServiceClient(d.people[demoPeople[0].handle].http).Invite(ctx, &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER, TtlMs: uint64(demoTime.Milliseconds()), Note: p.name})
		if err != nil {
			return err
		}
		res, err := sessions.Join(ctx, &identityv1.JoinRequest{Secret: invited.GetSecret(), Handle: p.handle, DisplayName: p.name, Password: d.password, Client: me})
		if err != nil {
			return err
		}
		session = res.GetSession()
	}
	h.Token = session.GetAccessToken()
	d.people[p.handle] = &demoPerson{session.GetPerson().GetId(), h, chatv1.NewChatServiceClient(h)}
	d.handles = append(d.handles, p.handle)
	if _, err := identityv1.NewPeopleServiceClient(h).UpdateProfile(ctx, &identityv1.UpdateProfileRequest{Title: &p.title}); err != nil {
		return err
	}
	if p.status == "" {
		return nil
	}
	_, err := presencev1.NewPresenceServiceClient(h).SetStatus(ctx, &presencev1.SetStatusRequest{User: session.GetPerson().GetId(), Custom: &presencev1.Custom{Emoji: p.emoji, Text: p.status}})
	return err
}

// channel makes one, as the first of its members, and has the others say what they say.
func (d *demo) channel(ctx context.Context, c demoChannel) error {
	var ids []string
	for _, m := range c.members[1:] {
		ids = append(ids, d.people[m].id)
	}
	maker := d.people[c.members[0]]
	var id string
	if c.kind == chatv1.ChannelKind_CHANNEL_KIND_UNSPECIFIED {
		err := acquainted(ctx, func() error {
			res, err := maker.chat.OpenDirect(ctx, &chatv1.OpenDirectRequest{Users: ids})
			id = res.GetChannel()
			return err
		})
		if err != nil {
			return err
		}
	} else {
		res, err := maker.chat.CreateChannel(ctx, &chatv1.CreateChannelRequest{Name: c.name, Kind: c.kind, Topic: c.topic})
		if err != nil {
			return err
		}
		id = res.GetChannel()
		err = acquainted(ctx, func() error {
			_, err := maker.chat.AddMembers(ctx, &chatv1.AddMembersRequest{Channel: id, Users: ids})
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, m := range c.messages {
		if err := d.say(ctx, id, 0, m); err != nil {
			return err
		}
	}
	if c.draft == "" {
		return nil
	}
	_, err := maker.chat.SetDraft(ctx, &chatv1.SetDraftRequest{Channel: id, Text: c.draft, Version: 1})
	return err
}

// say posts a message, what others think of it, and what they answer.
func (d *demo) say(ctx context.Context, channel string, root uint64, m demoMessage) error {
	by := d.people[m.by]
	var at uint64
	err := patiently(ctx, func() error {
		res, err := by.chat.Send(ctx, &chatv1.SendRequest{Channel: channel, Text: m.text, Root: root})
		at = res.GetOffset()
		return err
	})
	if err != nil {
		return err
	}
	for reaction := range strings.SplitSeq(m.reactions, ";") {
		words := strings.Fields(reaction)
		for _, who := range words[min(1, len(words)):] {
			err := patiently(ctx, func() error {
				_, err := d.people[who].chat.AddReaction(ctx, &chatv1.AddReactionRequest{Channel: channel, Offset: at, Emoji: words[0]})
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	if m.pinned {
		if _, err := by.chat.PinMessage(ctx, &chatv1.PinMessageRequest{Channel: channel, Offset: at, Pinned: true}); err != nil {
			return err
		}
	}
	for _, reply := range m.replies {
		if err := d.say(ctx, channel, at, reply); err != nil {
			return err
		}
	}
	return nil
}

// acquaintance is how often chat is asked whether it knows people by now.
const acquaintance = 100 * time.Millisecond

// acquainted calls f again while chat doesn't know who has just joined: it hears of them a moment later.
func acquainted(ctx context.Context, f func() error) error {
	for {
		err := f()
		if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Reason != "chat.PERSON" {
			return err
		}
		select {
		case <-time.After(acquaintance):
		case <-ctx.Done():
			return err
		}
	}
}

// patiently calls f again where the server asks for a pause.
func patiently(ctx context.Context, f func() error) error {
	for {
		err := f()
		refused, ok := errors.AsType[*client.Error](err)
		if !ok || refused.RetryAfter == 0 || refused.RetryAfter > seedPause {
			return err
		}
		select {
		case <-time.After(refused.RetryAfter):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
