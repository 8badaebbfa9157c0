package identity_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
	"plenum.internal/services/identity/policy"
)

func TestFromSetUpToSignOut(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		_, err := e.sessions.SetUp(ctx, &identityv1.SetUpRequest{Secret: "guessed", WorkspaceSlug: "acme", Handle: "eve", Password: goodWord, Client: newClient()})
		refused(t, err, "identity.LINK")
		owner := e.owner(t, "acme")
		if e.service.SetupLink("http://host") != "" {
			t.Error("the set-up link is still offered")
		}
		who := ok(e.people.WhoAmI(owner.read(ctx), &identityv1.WhoAmIRequest{}))(t)
		if who.GetPerson().GetRole() != identityv1.Role_ROLE_OWNER || who.GetWorkspace().GetSlug() != "acme" || !slices.Equal(who.GetPermissions(), policy.Of(identityv1.Role_ROLE_OWNER)) {
			t.Errorf("who: %v", who)
		}
		caller := ok(e.verifier.Verify(ctx, owner.GetAccessToken()))(t)
		if caller.Role != "owner" || caller.Workspace != owner.GetWorkspace().GetId() || !caller.May("identity.own") || caller.Expires.Sub(caller.IssuedAt) != 10*time.Minute {
			t.Errorf("claims: %+v", caller.Claims)
		}
		bob := e.join(t, owner, "bob", identityv1.Role_ROLE_MEMBER)
		again := ok(e.signIn(ctx, "ACME", "Bob", goodWord, bob.client))(t)
		if again.GetDeviceId() != bob.GetDeviceId() {
			t.Error("the same client became another device")
		}
		_, err = e.refresh(ctx, bob.GetRefreshToken(), bob.client.GetClientId())
		refused(t, err, "identity.SESSION_ENDED") // signed in anew: the former session has ended
		phone := ok(e.signIn(ctx, "acme", "bob", goodWord, newClient()))(t)
		devices := ok(e.people.ListDevices(phone.read(ctx), &identityv1.ListDevicesRequest{}))(t).GetDevices()
		if len(devices) != 2 {
			t.Errorf("devices: %v", devices)
		}
		_ = ok(e.sessions.SignOut(ctx, &identityv1.SignOutRequest{RefreshToken: phone.GetRefreshToken()}))(t)
		eventually(t, "the signed-out device is refused", func() bool {
			_, err := e.people.WhoAmI(phone.read(ctx), &identityv1.WhoAmIRequest{})
			return err != nil
		})
		_, err = e.refresh(ctx, phone.GetRefreshToken(), phone.client.GetClientId())
		refused(t, err, "identity.SESSION_ENDED")
		if _, err := e.people.WhoAmI(again.read(ctx), &identityv1.WhoAmIRequest{}); err != nil {
			t.Errorf("the other device: %v", err)
		}
		var names []string
		events, _ := e.events(t, owner.GetWorkspace().GetId())
		for _, ev := range events {
			names = append(names, fmt.Sprintf("%T", ev.GetEvent()))
		}
		if want := []string{"*identityv1.WorkspaceEvent_WorkspaceChanged", "*identityv1.WorkspaceEvent_PersonAdded", "*identityv1.WorkspaceEvent_PersonAdded"}; !slices.Equal(names, want) {
			t.Errorf("events %v", names)
		}
	})
}

// What is allowed in a workspace is its administrators' to change, and told and audited as its name is.
func TestWorkspaceSettings(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		bob := e.join(t, owner, "bob", identityv1.Role_ROLE_MEMBER)
		if w := owner.GetWorkspace(); w.GetDocumentLinks() || w.GetCollaborationScore() || w.GetPresenceRecords() || w.GetTimeZone() != "" {
			t.Errorf("a new workspace is %v", w)
		}
		set := func(u *user, name string, links *bool) (*identityv1.Workspace, error) {
			res, err := e.admin.UpdateWorkspace(u.write(ctx), &identityv1.UpdateWorkspaceRequest{Name: name, DocumentLinks: links})
			return res.GetWorkspace(), err
		}
		_, err := set(bob, "", new(true))
		refused(t, err, "identity.NOT_ALLOWED")
		_, err = set(owner, "", nil)
		refused(t, err, "identity.INVALID")
		before := ok(e.people.WhoAmI(owner.read(ctx), &identityv1.WhoAmIRequest{}))(t).GetWorkspace()
		if w := ok(set(owner, "", new(true)))(t); !w.GetDocumentLinks() || w.GetName() != before.GetName() || w.GetVersion() != before.GetVersion()+1 {
			t.Errorf("%v", w)
		}
		if w := ok(set(owner, "", new(true)))(t); w.GetVersion() != before.GetVersion()+1 { // as it is
			t.Errorf("%v", w)
		}
		if w := ok(set(owner, "Another", nil))(t); !w.GetDocumentLinks() || w.GetName() != "Another" {
			t.Errorf("%v", w)
		}
		if w := ok(set(owner, "A third", new(false)))(t); w.GetDocumentLinks() || w.GetName() != "A third" {
			t.Errorf("%v", w)
		}
		for _, zone := range []string{"Europe/Atlantis", "Local", "../UTC", "/etc/localtime", strings.Repeat("x", 65)} {
			_, err := e.admin.UpdateWorkspace(owner.write(ctx), &identityv1.UpdateWorkspaceRequest{TimeZone: &zone})
			refused(t, err, "identity.INVALID")
		}
		for _, q := range []*identityv1.UpdateWorkspaceRequest{
			{CollaborationScore: new(true)}, {PresenceRecords: new(true), TimeZone: new("Europe/Berlin")}, {TimeZone: new("Europe/Berlin")},
			{CollaborationScore: new(false), PresenceRecords: new(false), TimeZone: new("")},
		} {
			if w := ok(e.admin.UpdateWorkspace(owner.write(ctx), q))(t).GetWorkspace(); q.CollaborationScore != nil && w.GetCollaborationScore() != q.GetCollaborationScore() ||
				q.PresenceRecords != nil && w.GetPresenceRecords() != q.GetPresenceRecords() || q.TimeZone != nil && w.GetTimeZone() != q.GetTimeZone() {
				t.Errorf("%v: %v", q, w)
			}
		}
		var told, audited []string
		events, _ := e.events(t, owner.GetWorkspace().GetId())
		for _, ev := range events {
			if w := ev.GetWorkspaceChanged().GetWorkspace(); w != nil {
				told = append(told, fmt.Sprintln(w.GetName(), w.GetDocumentLinks(), w.GetCollaborationScore(), w.GetPresenceRecords(), w.GetTimeZone()))
			}
		}
		if want := []string{
			before.GetName() + " false false false \n", before.GetName() + " true false false \n", "Another true false false \n", "A third false false false \n",
			"A third false true false \n", "A third false true true Europe/Berlin\n", "A third false false false \n",
		}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		for _, en := range ok(e.admin.ListAudit(owner.read(ctx), &identityv1.ListAuditRequest{Limit: 10}))(t).GetEntries() {
			audited = append(audited, en.GetAction())
		}
		if want := []string{
			"workspace.time_zone", "workspace.presence_records", "workspace.collaboration_score", "workspace.time_zone", "workspace.presence_records",
			"workspace.collaboration_score", "workspace.document_links", "workspace.renamed", "workspace.renamed", "workspace.document_links",
		}; !slices.Equal(audited, want) {
			t.Errorf("audited %q, want %q", audited, want)
		}
	})
}

func TestLinksAreForOne(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		invited := ok(e.admin.Invite(owner.write(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_GUEST, Note: "Cy"}))(t)
		retried := ok(e.admin.Invite(owner.again(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_GUEST, Note: "Cy"}))(t)
		if !proto.Equal(invited, retried) || invited.GetSecret() == "" {
			t.Errorf("a retry got %v, first %v", retried, invited)
		}
		_, err := e.admin.Invite(owner.again(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_ADMIN})
		refused(t, err, "topic.KEY_REUSED")
		link := ok(e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: invited.GetSecret()}))(t).GetInvitation()
		if link.GetRole() != identityv1.Role_ROLE_GUEST || link.GetWorkspaceSlug() != "acme" || link.GetInvitedBy() != "owner" {
			t.Errorf("link: %v", link)
		}
		_, err = e.sessions.SetUp(ctx, &identityv1.SetUpRequest{Secret: invited.GetSecret(), WorkspaceSlug: "own", Handle: "cy", Password: goodWord, Client: newClient()})
		refused(t, err, "identity.LINK") // an invitation makes no workspace
		for field, q := range map[string]*identityv1.JoinRequest{
			"identity.INVALID":       {Handle: "-", Password: goodWord},
			"identity.PASSWORD_FORM": {Handle: "cy", Password: "short"},
			"identity.HANDLE_TAKEN":  {Handle: "owner", Password: goodWord},
		} {
			q.Secret, q.Client = invited.GetSecret(), newClient()
			_, err := e.sessions.Join(ctx, q)
			refused(t, err, field)
		}
		// Twenty follow the link at once: one gets in.
		var (
			wg  sync.WaitGroup
			mu  sync.Mutex
			won []*user
		)
		for i := range 20 {
			wg.Go(func() {
				c := newClient()
				out, err := e.sessions.Join(ctx, &identityv1.JoinRequest{Secret: invited.GetSecret(), Handle: fmt.Sprint("cy", i), Password: goodWord, Client: c})
				if err != nil {
					refused(t, err, "identity.LINK")
					return
				}
				mu.Lock()
				defer mu.Unlock()
				won = append(won, &user{Session: out.GetSession(), client: c})
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d people by one invitation", len(won))
		}
		cy := won[0]
		q := &identityv1.JoinRequest{Secret: invited.GetSecret(), Handle: cy.GetPerson().GetHandle(), Password: goodWord, Client: cy.client}
		back := ok(e.sessions.Join(ctx, q))(t).GetSession()
		if back.GetPerson().GetId() != cy.id() || back.GetDeviceId() != cy.GetDeviceId() {
			t.Errorf("a retry of the same client became %v", back)
		}
		q.Password = "another good word"
		_, err = e.sessions.Join(ctx, q)
		refused(t, err, "identity.SIGN_IN")
		list := ok(e.admin.ListInvitations(owner.read(ctx), &identityv1.ListInvitationsRequest{}))(t).GetInvitations()
		if len(list) != 1 || list[0].GetUsedBy() != cy.id() {
			t.Errorf("invitations: %v", list)
		}
		_, err = e.admin.RevokeInvitation(owner.write(ctx), &identityv1.RevokeInvitationRequest{InvitationId: list[0].GetId()})
		refused(t, err, "identity.LINK_USED")
		other := ok(e.admin.Invite(owner.write(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER}))(t)
		_ = ok(e.admin.RevokeInvitation(owner.write(ctx), &identityv1.RevokeInvitationRequest{InvitationId: other.GetInvitation().GetId()}))(t)
		_, err = e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: other.GetSecret()})
		refused(t, err, "identity.LINK")
	})
}

func TestSetUpIsRetried(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	link := e.service.SetupLink("http://host/")
	q := &identityv1.SetUpRequest{Secret: link[len("http://host/#setup="):], WorkspaceSlug: "acme", Handle: "ada", Password: goodWord, Client: newClient()}
	first := ok(e.sessions.SetUp(t.Context(), q))(t).GetSession()
	second := ok(e.sessions.SetUp(t.Context(), q))(t).GetSession()
	if first.GetPerson().GetId() != second.GetPerson().GetId() || first.GetWorkspace().GetId() != second.GetWorkspace().GetId() {
		t.Error("a retry made another workspace")
	}
	q.Client = newClient()
	_, err := e.sessions.SetUp(t.Context(), q)
	refused(t, err, "identity.LINK")
	issued := ok(e.operator.IssueSetup(t.Context(), &identityv1.IssueSetupRequest{}))(t)
	_, err = e.sessions.SetUp(t.Context(), &identityv1.SetUpRequest{Secret: issued.GetSecret(), WorkspaceSlug: "acme", Handle: "eve", Password: goodWord, Client: newClient()})
	refused(t, err, "identity.SLUG_TAKEN")
	// The refused attempt left nothing: the link is good for another name.
	_ = ok(e.sessions.SetUp(t.Context(), &identityv1.SetUpRequest{Secret: issued.GetSecret(), WorkspaceSlug: "evil", Handle: "eve", Password: goodWord, Client: newClient()}))(t)
}

func TestRolesGroupsAndWhoMayWhat(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		admin := e.join(t, owner, "adm", identityv1.Role_ROLE_ADMIN)
		member := e.join(t, admin, "mem", identityv1.Role_ROLE_MEMBER)
		guest := e.join(t, admin, "gus", identityv1.Role_ROLE_GUEST)
		// Members and guests administer nothing.
		for _, u := range []*user{member, guest} {
			_, err := e.admin.Invite(u.write(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_GUEST})
			refused(t, err, "identity.NOT_ALLOWED")
			_, err = e.admin.CreateGroup(u.write(ctx), &identityv1.CreateGroupRequest{Handle: "crew"})
			refused(t, err, "identity.NOT_ALLOWED")
			_, err = e.admin.ChangeRole(u.write(ctx), &identityv1.ChangeRoleRequest{UserId: u.id(), Role: identityv1.Role_ROLE_OWNER})
			refused(t, err, "identity.NOT_ALLOWED")
			_, err = e.admin.ListAudit(u.read(ctx), &identityv1.ListAuditRequest{})
			refused(t, err, "identity.NOT_ALLOWED")
			_, err = e.admin.VerifyAudit(u.read(ctx), &identityv1.VerifyAuditRequest{})
			refused(t, err, "identity.NOT_ALLOWED")
		}
		// An admin doesn't touch owners, nor make them.
		_, err := e.admin.ChangeRole(admin.write(ctx), &identityv1.ChangeRoleRequest{UserId: owner.id(), Role: identityv1.Role_ROLE_MEMBER})
		refused(t, err, "identity.HIGHER_ROLE")
		_, err = e.admin.ChangeRole(admin.write(ctx), &identityv1.ChangeRoleRequest{UserId: admin.id(), Role: identityv1.Role_ROLE_OWNER})
		refused(t, err, "identity.HIGHER_ROLE")
		_, err = e.admin.SetActive(admin.write(ctx), &identityv1.SetActiveRequest{UserId: owner.id()})
		refused(t, err, "identity.HIGHER_ROLE")
		_, err = e.admin.ChangeRole(owner.write(ctx), &identityv1.ChangeRoleRequest{UserId: owner.id(), Role: identityv1.Role_ROLE_MEMBER})
		refused(t, err, "identity.LAST_OWNER")
		// A guest sees itself and whom it meets, by their ids, and no list.
		_, err = e.people.ListPeople(guest.read(ctx), &identityv1.ListPeopleRequest{})
		refused(t, err, "identity.DIRECTORY")
		_, err = e.people.ListGroups(guest.read(ctx), &identityv1.ListGroupsRequest{})
		refused(t, err, "identity.DIRECTORY")
		seen := func(by *user) (handles []string) {
			asked := []string{owner.id(), admin.id(), member.id(), guest.id()}
			for _, p := range ok(e.people.GetPeople(by.read(ctx), &identityv1.GetPeopleRequest{Ids: asked}))(t).GetPeople() {
				handles = append(handles, p.GetHandle())
			}
			slices.Sort(handles)
			return handles
		}
		if got := seen(guest); !slices.Equal(got, []string{"gus"}) {
			t.Errorf("a guest without channels sees %v", got)
		}
		e.met[owner.GetWorkspace().GetId()+"/"+guest.id()] = []string{member.id()}
		if got := seen(guest); !slices.Equal(got, []string{"gus", "mem"}) {
			t.Errorf("a guest who meets one member sees %v", got)
		}
		if got := seen(member); len(got) != 4 {
			t.Errorf("a member sees %v", got)
		}
		topic := "identity.workspace/" + owner.GetWorkspace().GetId()
		open := func(u *user, name string) *topicv1.Grant {
			return ok(e.topics.Open(u.read(ctx), &topicv1.OpenRequest{Wants: []*edgev1.Want{{Topic: name, Mode: edgev1.Mode_MODE_EVENTS}}}))(t).GetGrants()[0]
		}
		if g := open(guest, topic); g.GetError().GetReason() != "identity.DIRECTORY" {
			t.Errorf("a guest opened %v", g)
		}
		if g := open(member, "identity.workspace/me"); g.GetError() != nil || g.GetCanonical() != topic || g.GetHead().GetOffset() == 0 {
			t.Errorf("a member opened %v", g)
		}
		if g := open(member, "identity.workspace/elsewhere"); g.GetError().GetCode() != edgev1.Code_CODE_NOT_FOUND {
			t.Errorf("a member opened %v", g)
		}
		// The guest becomes a member: the old token ends, the refreshed one says so, and so does the log.
		_ = ok(e.admin.ChangeRole(admin.write(ctx), &identityv1.ChangeRoleRequest{UserId: guest.id(), Role: identityv1.Role_ROLE_MEMBER}))(t)
		eventually(t, "the guest's token ends", func() bool {
			_, err := e.verifier.Verify(ctx, guest.GetAccessToken())
			return err != nil
		})
		e.renew(t, guest)
		if g := open(guest, topic); g.GetError() != nil {
			t.Errorf("a new member could not open: %v", g)
		}
		// Groups.
		group := ok(e.admin.CreateGroup(admin.write(ctx), &identityv1.CreateGroupRequest{Handle: "crew", Members: []string{member.id(), guest.id(), member.id()}}))(t).GetGroup()
		_, err = e.admin.CreateGroup(admin.write(ctx), &identityv1.CreateGroupRequest{Handle: "mem"})
		refused(t, err, "identity.HANDLE_TAKEN")
		_, err = e.people.UpdateProfile(member.write(ctx), &identityv1.UpdateProfileRequest{Handle: new("crew")})
		refused(t, err, "identity.HANDLE_TAKEN")
		changed := ok(e.admin.ChangeGroupMembers(admin.write(ctx), &identityv1.ChangeGroupMembersRequest{GroupId: group.GetId(), Add: []string{admin.id(), member.id()}, Remove: []string{guest.id()}}))(t)
		if again := ok(e.admin.ChangeGroupMembers(admin.again(ctx), &identityv1.ChangeGroupMembersRequest{GroupId: group.GetId(), Add: []string{admin.id(), member.id()}, Remove: []string{guest.id()}}))(t); again.GetVersion() != changed.GetVersion() || changed.GetVersion() != 2 {
			t.Errorf("versions %v, then %v", changed, again)
		}
		if en := ok(e.admin.ListAudit(admin.read(ctx), &identityv1.ListAuditRequest{Limit: 1}))(t).GetEntries()[0]; en.GetAction() != "group.members" ||
			en.GetDetail() != `{"added":["`+admin.id()+`"],"removed":["`+guest.id()+`"]}` {
			t.Errorf("on record: %v", en)
		}
		// Deactivating the member takes its session and its place in the group.
		_ = ok(e.admin.SetActive(admin.write(ctx), &identityv1.SetActiveRequest{UserId: member.id()}))(t)
		_, err = e.refresh(ctx, member.GetRefreshToken(), member.client.GetClientId())
		refused(t, err, "identity.SESSION_ENDED")
		_, err = e.signIn(ctx, "acme", "mem", goodWord, member.client)
		refused(t, err, "identity.SIGN_IN")
		groups := ok(e.people.ListGroups(admin.read(ctx), &identityv1.ListGroupsRequest{}))(t).GetGroups()
		if len(groups) != 1 || !slices.Equal(groups[0].GetMembers(), []string{admin.id()}) || groups[0].GetVersion() != 3 {
			t.Errorf("groups: %v", groups)
		}
		_ = ok(e.admin.SetActive(admin.write(ctx), &identityv1.SetActiveRequest{UserId: member.id(), Active: true}))(t)
		_ = ok(e.signIn(ctx, "acme", "mem", goodWord, member.client))(t)
		_ = ok(e.admin.DeleteGroup(admin.write(ctx), &identityv1.DeleteGroupRequest{GroupId: group.GetId()}))(t)
		_ = ok(e.people.UpdateProfile(guest.write(ctx), &identityv1.UpdateProfileRequest{Handle: new("crew"), Title: new("Crew")}))(t)
		// The log tells all of it, with the changes of access where they belong.
		events, records := e.events(t, owner.GetWorkspace().GetId())
		replica := replay(events)
		list := ok(e.people.ListPeople(admin.read(ctx), &identityv1.ListPeopleRequest{}))(t)
		for _, p := range list.GetPeople() {
			if !proto.Equal(replica[p.GetId()], p) {
				t.Errorf("a follower knows %v, the service %v", replica[p.GetId()], p)
			}
		}
		if got, want := list.GetCursor().GetOffset(), records[len(records)-1].GetEvent().GetOffset(); got != want {
			t.Errorf("cursor %d, head %d", got, want)
		}
		access := map[string][]bool{}
		for _, r := range records {
			for _, a := range r.GetAccess() {
				access[a.GetPrincipal()] = append(access[a.GetPrincipal()], a.GetRead())
			}
		}
		if !slices.Equal(access[guest.id()], []bool{true}) || !slices.Equal(access[member.id()], []bool{false, true}) {
			t.Errorf("access: %v", access)
		}
	})
}

// replay applies events as a follower does.
func replay(events []*identityv1.WorkspaceEvent) map[string]*identityv1.Person {
	people := map[string]*identityv1.Person{}
	for _, e := range events {
		for _, p := range []*identityv1.Person{
			e.GetPersonAdded().GetPerson(), e.GetPersonChanged().GetPerson(), e.GetRoleChanged().GetPerson(),
			e.GetPersonDeactivated().GetPerson(), e.GetPersonReactivated().GetPerson(),
		} {
			if p != nil && p.GetVersion() > people[p.GetId()].GetVersion() {
				people[p.GetId()] = p
			}
		}
	}
	return people
}

func TestDemotedAdminIsStoppedWithItsOldToken(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	owner := e.owner(t, "acme")
	admin := e.join(t, owner, "adm", identityv1.Role_ROLE_ADMIN)
	_ = ok(e.admin.ChangeRole(owner.write(t.Context()), &identityv1.ChangeRoleRequest{UserId: admin.id(), Role: identityv1.Role_ROLE_MEMBER}))(t)
	// At once, whether or not the revocation has reached the verifier.
	if _, err := e.admin.Invite(admin.write(t.Context()), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER}); err == nil {
		t.Error("an admin that is none any more invited somebody")
	}
}

func TestSeed(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		admin := e.join(t, owner, "adm", identityv1.Role_ROLE_ADMIN)
		q := &identityv1.SeedRequest{Password: goodWord}
		for i := range 3 {
			q.Accounts = append(q.Accounts, &identityv1.SeedAccount{Handle: fmt.Sprintf("load-%d", i), ClientId: newClient().GetClientId()})
		}
		_, err := e.admin.Seed(admin.write(ctx), q)
		refused(t, err, "identity.NOT_ALLOWED")
		made := ok(e.admin.Seed(owner.write(ctx), q))(t)
		if again := ok(e.admin.Seed(owner.again(ctx), q))(t); len(made.GetSessions()) != 3 || again.GetSessions()[2].GetRefreshToken() != made.GetSessions()[2].GetRefreshToken() {
			t.Errorf("a retry got %v, first %v", again, made)
		}
		for i, s := range made.GetSessions() {
			caller := ok(e.verifier.Verify(ctx, s.GetAccessToken()))(t)
			if caller.User != s.GetPerson().GetId() || s.GetPerson().GetHandle() != q.GetAccounts()[i].GetHandle() || s.GetPerson().GetRole() != identityv1.Role_ROLE_MEMBER {
				t.Errorf("account %d: %v as %+v", i, s, caller.Claims)
			}
			_ = ok(e.sessions.Refresh(ctx, &identityv1.RefreshRequest{RefreshToken: s.GetRefreshToken(), ClientId: q.GetAccounts()[i].GetClientId()}))(t)
		}
		_ = ok(e.signIn(ctx, "acme", "load-1", goodWord, newClient()))(t)
		_, err = e.admin.Seed(owner.again(ctx), q)
		refused(t, err, "identity.SECRET_GONE")

		more := &identityv1.SeedRequest{Accounts: []*identityv1.SeedAccount{{Handle: "load-9", ClientId: newClient().GetClientId()}, q.GetAccounts()[0]}}
		_, err = e.admin.Seed(owner.write(ctx), more)
		refused(t, err, "identity.HANDLE_TAKEN")
		more.Accounts[1] = more.GetAccounts()[0]
		_, err = e.admin.Seed(owner.write(ctx), more)
		refused(t, err, "identity.INVALID")
		more.Accounts = more.GetAccounts()[:1]
		_ = ok(e.admin.Seed(owner.write(ctx), more))(t)
		_, err = e.signIn(ctx, "acme", "load-9", "", newClient())
		refused(t, err, "identity.SIGN_IN")
		if entries := ok(e.admin.ListAudit(owner.read(ctx), &identityv1.ListAuditRequest{Limit: 50}))(t).GetEntries(); !slices.ContainsFunc(entries, func(a *identityv1.AuditEntry) bool {
			return a.GetAction() == "accounts.seeded" && strings.Contains(a.GetDetail(), `"count":3`)
		}) {
			t.Errorf("not on the audit log: %v", entries)
		}
	})
}

func TestServiceAccounts(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		made := ok(e.admin.CreateServiceAccount(owner.write(ctx), &identityv1.CreateServiceAccountRequest{Handle: "bot"}))(t)
		if again := ok(e.admin.CreateServiceAccount(owner.again(ctx), &identityv1.CreateServiceAccountRequest{Handle: "bot"}))(t); !proto.Equal(made, again) {
			t.Errorf("a retry got %v, first %v", again, made)
		}
		bot := ok(e.sessions.ExchangeSecret(ctx, &identityv1.ExchangeSecretRequest{Secret: made.GetSecret()}))(t).GetSession()
		caller := ok(e.verifier.Verify(ctx, bot.GetAccessToken()))(t)
		if caller.Kind != "service" || caller.User != made.GetPerson().GetId() || bot.GetRefreshToken() != "" {
			t.Errorf("%+v", caller.Claims)
		}
		_, err := e.signIn(ctx, "acme", "bot", "", newClient())
		refused(t, err, "identity.SIGN_IN")
		_, err = e.admin.ChangeRole(owner.write(ctx), &identityv1.ChangeRoleRequest{UserId: caller.User, Role: identityv1.Role_ROLE_ADMIN})
		refused(t, err, "identity.SERVICE_ROLE")
		rotated := ok(e.admin.RotateServiceSecret(owner.write(ctx), &identityv1.RotateServiceSecretRequest{UserId: caller.User}))(t)
		_, err = e.sessions.ExchangeSecret(ctx, &identityv1.ExchangeSecretRequest{Secret: made.GetSecret()})
		refused(t, err, "identity.SIGN_IN")
		eventually(t, "tokens of the old secret end", func() bool {
			_, err := e.verifier.Verify(ctx, bot.GetAccessToken())
			return err != nil
		})
		bot = ok(e.sessions.ExchangeSecret(ctx, &identityv1.ExchangeSecretRequest{Secret: rotated.GetSecret()}))(t).GetSession()
		if _, err := e.verifier.Verify(ctx, bot.GetAccessToken()); err != nil {
			t.Errorf("with the new secret: %v", err)
		}
		_, err = e.admin.RotateServiceSecret(owner.write(ctx), &identityv1.RotateServiceSecretRequest{UserId: owner.id()})
		refused(t, err, "identity.NO_SERVICE")
	})
}

func TestChangePassword(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	ctx := t.Context()
	owner := e.owner(t, "acme")
	phone := ok(e.signIn(ctx, "acme", "owner", goodWord, newClient()))(t)
	_, err := e.people.ChangePassword(owner.write(ctx), &identityv1.ChangePasswordRequest{Current: "wrong wrong wrong", Password: "another good word"})
	refused(t, err, "identity.PASSWORD")
	_, err = e.people.ChangePassword(owner.write(ctx), &identityv1.ChangePasswordRequest{Current: goodWord, Password: "short"})
	refused(t, err, "identity.PASSWORD_FORM")
	q := &identityv1.ChangePasswordRequest{Current: goodWord, Password: "another good word"}
	_ = ok(e.people.ChangePassword(owner.write(ctx), q))(t)
	_ = ok(e.people.ChangePassword(owner.again(ctx), q))(t) // the reply was lost: the current password is another one by now
	_, err = e.refresh(ctx, phone.GetRefreshToken(), phone.client.GetClientId())
	refused(t, err, "identity.SESSION_ENDED")
	e.renew(t, owner)
	_, err = e.signIn(ctx, "acme", "owner", goodWord, newClient())
	refused(t, err, "identity.SIGN_IN")
	_ = ok(e.signIn(ctx, "acme", "owner", "another good word", newClient()))(t)
}

func TestWipeIsTold(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	ctx := t.Context()
	owner := e.owner(t, "acme")
	phone := ok(e.signIn(ctx, "acme", "owner", goodWord, newClient()))(t)
	_ = ok(e.people.RevokeDevice(owner.write(ctx), &identityv1.RevokeDeviceRequest{DeviceId: phone.GetDeviceId(), Wipe: true}))(t)
	_, err := e.refresh(ctx, phone.GetRefreshToken(), phone.client.GetClientId())
	if got := rpc.CodeOf(err); got != edgev1.Code_CODE_SESSION_REVOKED {
		t.Errorf("code %v", got)
	}
	_, err = e.people.RevokeDevice(owner.write(ctx), &identityv1.RevokeDeviceRequest{DeviceId: "nothing"})
	refused(t, err, "identity.DEVICE")
	bob := e.join(t, owner, "bob", identityv1.Role_ROLE_MEMBER)
	_, err = e.people.RevokeDevice(bob.write(ctx), &identityv1.RevokeDeviceRequest{DeviceId: owner.GetDeviceId()})
	refused(t, err, "identity.DEVICE") // somebody else's is not to be known
}

// What can't be an id, or a name, reaches no statement: PostgreSQL takes no zero bytes, and would fail all that share the transaction.
func TestZeroBytes(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		_, err := e.people.RevokeDevice(owner.write(ctx), &identityv1.RevokeDeviceRequest{DeviceId: "\x00"})
		refused(t, err, "identity.DEVICE")
		_, err = e.admin.SetActive(owner.write(ctx), &identityv1.SetActiveRequest{UserId: "\x00"})
		refused(t, err, "identity.PERSON")
		_, err = e.admin.DeleteGroup(owner.write(ctx), &identityv1.DeleteGroupRequest{GroupId: "\x00"})
		refused(t, err, "identity.GROUP")
		_, err = e.admin.RevokeInvitation(owner.write(ctx), &identityv1.RevokeInvitationRequest{InvitationId: "\x00"})
		refused(t, err, "identity.INVITATION")
		_, err = e.signIn(ctx, "acme", "\x00", goodWord, newClient())
		refused(t, err, "identity.SIGN_IN")
		_, err = e.signIn(ctx, "\x00", "owner", goodWord, newClient())
		refused(t, err, "identity.SIGN_IN")
	})
}

func TestMutationsNeedANumber(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	owner := e.owner(t, "acme")
	_, err := e.admin.Invite(owner.read(t.Context()), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER})
	if rpc.CodeOf(err) != edgev1.Code_CODE_INVALID_ARGUMENT {
		t.Errorf("without a number: %v", err)
	}
	if _, err := e.people.WhoAmI(t.Context(), &identityv1.WhoAmIRequest{}); rpc.CodeOf(err) != edgev1.Code_CODE_TOKEN_REFUSED {
		t.Errorf("without a token: %v", err)
	}
	if _, err := identityv1.NewOperatorServiceClient(e.server.Pipe("gateway")).IssueSetup(t.Context(), &identityv1.IssueSetupRequest{}); err == nil {
		t.Error("the gateway may issue set-up secrets")
	}
}
