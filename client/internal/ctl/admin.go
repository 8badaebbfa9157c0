package ctl

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

type adminCmd struct {
	Invite      inviteCmd      `cmd:"" help:"Make an invitation's link."`
	Invitations invitationsCmd `cmd:"" help:"List invitations."`
	Uninvite    uninviteCmd    `cmd:"" help:"Revoke an invitation."`
	Role        roleCmd        `cmd:"" help:"Change somebody's role: owner, admin, member or guest."`
	Deactivate  deactivateCmd  `cmd:"" help:"Lock somebody out."`
	Reactivate  reactivateCmd  `cmd:"" help:"Let somebody in again."`
	Revoke      revokeCmd      `cmd:"" help:"Sign all devices of somebody out."`
	Group       groupCmd       `cmd:"" help:"List, make and change groups of people, which are mentioned and shared with."`
	Reset       resetLinkCmd   `cmd:"" help:"Make a link by which somebody chooses a new password."`
	Workspace   settingsCmd    `cmd:"" help:"Show or change the workspace's name, and what is allowed in it."`
	Audit       auditCmd       `cmd:"" help:"Read and verify the audit log."`
	Seed        seedCmd        `cmd:"" help:"Make accounts for a load test, signed in. They see what members see: seed a workspace of their own."`
}

func parseRole(text string) (identityv1.Role, error) {
	n, ok := identityv1.Role_value["ROLE_"+strings.ToUpper(text)]
	if !ok || n == 0 {
		return 0, fmt.Errorf("%q is no role: owner, admin, member or guest", text)
	}
	return identityv1.Role(n), nil
}

type inviteCmd struct {
	Role string        `help:"member, guest or admin." default:"member"`
	For  string        `help:"A note whom it is for."`
	TTL  time.Duration `name:"ttl" help:"How long it is valid." default:"168h"`
}

func (c *inviteCmd) Run(e *env) error {
	as, err := parseRole(c.Role)
	if err != nil {
		return err
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		res, err := identityv1.NewAdminServiceClient(h).Invite(ctx, &identityv1.InviteRequest{Role: as, TtlMs: uint64(c.TTL.Milliseconds()), Note: c.For})
		if err != nil {
			return err
		}
		return e.print(res, "%s", link(h.Server, "join", res.GetSecret()))
	})
}

// link puts a secret where a browser sends it to nobody.
func link(server, kind, secret string) string {
	return fmt.Sprintf("%s/#%s=%s", strings.TrimSuffix(server, "/"), kind, secret)
}

type invitationsCmd struct{}

func (invitationsCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		for page := ""; ; {
			res, err := identityv1.NewAdminServiceClient(h).ListInvitations(ctx, &identityv1.ListInvitationsRequest{Page: page})
			if err != nil {
				return err
			}
			for _, i := range res.GetInvitations() {
				state := "open until " + time.UnixMilli(i.GetExpiresMs()).Format("2006-01-02 15:04")
				switch {
				case i.GetUsedBy() != "":
					state = "used"
				case i.GetRevokedMs() != 0:
					state = "revoked"
				}
				if err := e.print(i, "%s  %-8s %-28s %s", i.GetId(), role(i.GetRole()), state, clean(i.GetNote())); err != nil {
					return err
				}
			}
			if page = res.GetNext(); page == "" {
				return nil
			}
		}
	})
}

type uninviteCmd struct {
	ID string `arg:"" help:"Id of the invitation."`
}

func (c *uninviteCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		res, err := identityv1.NewAdminServiceClient(h).RevokeInvitation(ctx, &identityv1.RevokeInvitationRequest{InvitationId: c.ID})
		if err != nil {
			return err
		}
		return e.print(res, "Revoked.")
	})
}

type whoArg struct {
	Who string `arg:"" help:"Handle."`
}

// onPerson runs f with the person's id.
func (c *whoArg) onPerson(e *env, f func(ctx context.Context, h *client.HTTP, id string) error) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		id, err := p.id(c.Who)
		if err != nil {
			return err
		}
		return f(ctx, h, id)
	})
}

type roleCmd struct {
	whoArg
	Role string `arg:"" help:"owner, admin, member or guest."`
}

func (c *roleCmd) Run(e *env) error {
	as, err := parseRole(c.Role)
	if err != nil {
		return err
	}
	return c.onPerson(e, func(ctx context.Context, h *client.HTTP, id string) error {
		res, err := identityv1.NewAdminServiceClient(h).ChangeRole(ctx, &identityv1.ChangeRoleRequest{UserId: id, Role: as})
		if err != nil {
			return err
		}
		return e.print(res, "@%s is %s.", res.GetPerson().GetHandle(), role(res.GetPerson().GetRole()))
	})
}

type deactivateCmd struct{ whoArg }

func (c *deactivateCmd) Run(e *env) error { return c.setActive(e, false) }

type reactivateCmd struct{ whoArg }

func (c *reactivateCmd) Run(e *env) error { return c.setActive(e, true) }

func (c *whoArg) setActive(e *env, active bool) error {
	return c.onPerson(e, func(ctx context.Context, h *client.HTTP, id string) error {
		res, err := identityv1.NewAdminServiceClient(h).SetActive(ctx, &identityv1.SetActiveRequest{UserId: id, Active: active})
		if err != nil {
			return err
		}
		if active {
			return e.print(res, "@%s may sign in again.", res.GetPerson().GetHandle())
		}
		return e.print(res, "@%s is locked out.", res.GetPerson().GetHandle())
	})
}

type revokeCmd struct {
	whoArg
	Wipe bool `help:"Their clients erase what they keep offline."`
}

func (c *revokeCmd) Run(e *env) error {
	return c.onPerson(e, func(ctx context.Context, h *client.HTTP, id string) error {
		res, err := identityv1.NewAdminServiceClient(h).RevokeDevices(ctx, &identityv1.RevokeDevicesRequest{UserId: id, Wipe: c.Wipe})
		if err != nil {
			return err
		}
		return e.print(res, "All devices of @%s are signed out.", strings.TrimPrefix(c.Who, "@"))
	})
}

type resetLinkCmd struct{ whoArg }

func (c *resetLinkCmd) Run(e *env) error {
	return c.onPerson(e, func(ctx context.Context, h *client.HTTP, id string) error {
		res, err := identityv1.NewAdminServiceClient(h).ResetPassword(ctx, &identityv1.ResetPasswordRequest{UserId: id})
		if err != nil {
			return err
		}
		return e.print(res, "%s", link(h.Server, "reset", res.GetSecret()))
	})
}

type settingsCmd struct {
	Name               string  `help:"Its new name."`
	DocumentLinks      string  `help:"on or off: documents may be shared by links that expire." enum:"on,off," default:""`
	CollaborationScore string  `help:"on or off: documents tell who leads and who supports." enum:"on,off," default:""`
	PresenceRecords    string  `help:"on or off: the times of sessions are kept for analytics. Off deletes those that were kept." enum:"on,off," default:""`
	TimeZone           *string `help:"In which analytics count days and hours, like Europe/Berlin; empty: UTC." placeholder:"ZONE"`
}

func (c *settingsCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		var w *identityv1.Workspace
		if *c == (settingsCmd{}) {
			res, err := identityv1.NewPeopleServiceClient(h).WhoAmI(ctx, &identityv1.WhoAmIRequest{})
			if err != nil {
				return err
			}
			w = res.GetWorkspace()
		} else {
			res, err := identityv1.NewAdminServiceClient(h).UpdateWorkspace(ctx, &identityv1.UpdateWorkspaceRequest{
				Name: c.Name, DocumentLinks: turned(c.DocumentLinks), CollaborationScore: turned(c.CollaborationScore), PresenceRecords: turned(c.PresenceRecords), TimeZone: c.TimeZone,
			})
			if err != nil {
				return err
			}
			w = res.GetWorkspace()
		}
		return e.print(w, "%s  %s\nlinks to documents: %s\ncollaboration score: %s\nrecords of presence: %s\ntime zone: %s",
			w.GetSlug(), clean(w.GetName()), onOff(w.GetDocumentLinks()), onOff(w.GetCollaborationScore()), onOff(w.GetPresenceRecords()), cmp.Or(clean(w.GetTimeZone()), "UTC"))
	})
}

// turned is what a setting is turned to; nil: it stays as it is.
func turned(word string) *bool {
	if word == "" {
		return nil
	}
	return new(word == "on")
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

type auditCmd struct {
	List   auditListCmd   `cmd:"" default:"1" help:"Show the newest entries."`
	Verify auditVerifyCmd `cmd:"" help:"Check that no entry was changed or taken out."`
}

// pageOfAudit is which entries to show.
type pageOfAudit struct {
	Limit  uint32 `short:"n" help:"How many, at most 200." default:"20"`
	Before uint64 `help:"Older than this entry." placeholder:"NUMBER"`
}

type auditListCmd struct{ pageOfAudit }

func (c *auditListCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		res, err := identityv1.NewAdminServiceClient(h).ListAudit(ctx, &identityv1.ListAuditRequest{Before: c.Before, Limit: c.Limit})
		if err != nil {
			return err
		}
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		return e.auditEntries(p, res.GetEntries())
	})
}

func (e *env) auditEntries(p *people, entries []*identityv1.AuditEntry) error {
	for _, a := range entries {
		target := ""
		if a.GetTargetId() != "" && a.GetTargetId() != a.GetActorId() {
			target = " -> " + p.handle(a.GetTargetId())
		}
		if err := e.print(a, "%6d  %s  %-24s %s%s  %s", a.GetSeq(), time.UnixMilli(a.GetTimeMs()).Format("2006-01-02 15:04:05"), a.GetAction(),
			p.handle(a.GetActorId()), target, clean(a.GetDetail())); err != nil {
			return err
		}
	}
	return nil
}

type auditVerifyCmd struct{ anchored }

func (c *auditVerifyCmd) Run(e *env) error {
	seq, hash, err := c.anchor()
	if err != nil {
		return err
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		res, err := identityv1.NewAdminServiceClient(h).VerifyAudit(ctx, &identityv1.VerifyAuditRequest{KnownSeq: seq, KnownHash: hash})
		if err != nil {
			return err
		}
		return e.verified(res)
	})
}

// verdict is what walking an audit log came to.
type verdict interface {
	proto.Message
	GetIntact() bool
	GetEntries() uint64
	GetHeadSeq() uint64
	GetHeadHash() []byte
	GetBrokenSeq() uint64
	GetProblem() string
}

func (e *env) verified(res verdict) error {
	if !res.GetIntact() {
		if err := e.print(res, "BROKEN at entry %d: %s", res.GetBrokenSeq(), clean(res.GetProblem())); err != nil {
			return err
		}
		return errors.New("the audit log was tampered with")
	}
	return e.print(res, "intact: %d entries\nanchor, to be kept outside of this installation: %d:%s", res.GetEntries(), res.GetHeadSeq(), hex.EncodeToString(res.GetHeadHash()))
}
