package identity_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity"
)

// A sole owner who forgot the password is let in again by the operator, and everybody who reads the audit log sees it.
func TestTheOperatorResetsASoleOwner(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		former := ok(e.operator.IssueReset(ctx, &identityv1.IssueResetRequest{WorkspaceSlug: "acme", Handle: "owner"}))(t)
		issued := ok(e.operator.IssueReset(ctx, &identityv1.IssueResetRequest{WorkspaceSlug: "ACME", Handle: "Owner"}))(t)
		if left := time.Until(time.UnixMilli(issued.GetExpiresMs())); left < 23*time.Hour || left > 24*time.Hour {
			t.Errorf("it is good for %v", left)
		}
		_, err := e.useReset(ctx, former.GetSecret(), newWord, newClient())
		refused(t, err, "identity.LINK") // the newer one took its place
		back := ok(e.useReset(ctx, issued.GetSecret(), newWord, newClient()))(t)
		if back.id() != owner.id() {
			t.Errorf("signed in as %v", back.GetPerson())
		}
		entries := ok(e.admin.ListAudit(back.read(ctx), &identityv1.ListAuditRequest{}))(t).GetEntries()
		at := slices.IndexFunc(entries, func(en *identityv1.AuditEntry) bool { return en.GetAction() == "password.reset_issued" })
		if at < 0 || entries[at].GetActor() != "" || entries[at].GetTargetId() != owner.id() {
			t.Errorf("on record: %v", entries)
		}

		bot := ok(e.admin.CreateServiceAccount(back.write(ctx), &identityv1.CreateServiceAccountRequest{Handle: "bot"}))(t).GetPerson()
		gone := e.join(t, back, "gone", identityv1.Role_ROLE_MEMBER)
		_ = ok(e.admin.SetActive(back.write(ctx), &identityv1.SetActiveRequest{UserId: gone.id()}))(t)
		for _, x := range []struct{ slug, handle, reason string }{
			{"acme", bot.GetHandle(), "identity.NO_PASSWORD"},
			{"acme", "gone", "identity.NO_PASSWORD"},
			{"acme", "nobody", "identity.PERSON"},
			{"acme", "own\x00er", "identity.PERSON"},
			{"nowhere", "owner", "identity.WORKSPACE"},
			{"ac\x00me", "owner", "identity.WORKSPACE"},
			{"", "", "identity.WORKSPACE"},
		} {
			_, err := e.operator.IssueReset(ctx, &identityv1.IssueResetRequest{WorkspaceSlug: x.slug, Handle: x.handle})
			refused(t, err, x.reason)
		}
	})
}

// The operator reads every chain: what names no workspace once there are several stands in none of theirs.
func TestTheOperatorReadsTheChains(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	ctx := t.Context()
	owner := e.owner(t, "acme")
	e.owner(t, "other")
	_ = ok(e.auth.Report(ctx, &authv1.ReportRequest{Refusals: []*authv1.Refusal{{Reason: "token.forged", Address: "192.0.2.9"}}}))(t)
	list := func(slug string, before uint64) (actions []string, people []*identityv1.Person) {
		answer := ok(e.operator.ListChain(ctx, &identityv1.ListChainRequest{WorkspaceSlug: slug, Before: before}))(t)
		for _, en := range answer.GetEntries() {
			actions = append(actions, en.GetAction())
		}
		return actions, answer.GetPeople()
	}
	if actions, people := list("", 0); !slices.Equal(actions, []string{"refused.token.forged", "setup.issued"}) || len(people) != 0 {
		t.Errorf("the installation's: %v, %v", actions, people)
	}
	if actions, people := list("acme", 3); !slices.Equal(actions, []string{"person.joined", "workspace.created"}) || len(people) != 1 || people[0].GetId() != owner.id() {
		t.Errorf("a workspace's: %v, %v", actions, people)
	}
	for _, slug := range []string{"nowhere", "ac\x00me"} {
		_, err := e.operator.ListChain(ctx, &identityv1.ListChainRequest{WorkspaceSlug: slug})
		refused(t, err, "identity.WORKSPACE")
		_, err = e.operator.VerifyChain(ctx, &identityv1.VerifyChainRequest{WorkspaceSlug: slug})
		refused(t, err, "identity.WORKSPACE")
	}
	_, err := e.operator.ListChain(ctx, &identityv1.ListChainRequest{Limit: 201})
	refused(t, err, "identity.INVALID")
	_, err = identityv1.NewOperatorServiceClient(e.server.Pipe("chat")).ListChain(ctx, &identityv1.ListChainRequest{})
	refused(t, err, "rpc.NO_METHOD")
}

// Whoever may not invite any more has no open invitations either: the dismissed don't come back by their own.
func TestInvitationsOfTheDismissed(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		worthless := func(how string, secret string) {
			t.Helper()
			_, err := e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: secret})
			refused(t, err, "identity.LINK")
			_, err = e.sessions.Join(ctx, &identityv1.JoinRequest{Secret: secret, Handle: "back", Password: goodWord, Client: newClient()})
			if refused(t, err, "identity.LINK"); err == nil {
				t.Errorf("used after its author was %s", how)
			}
		}
		fired, demoted := e.join(t, owner, "fired", identityv1.Role_ROLE_ADMIN), e.join(t, owner, "demoted", identityv1.Role_ROLE_ADMIN)
		invite := func(by *user, role identityv1.Role) string {
			return ok(e.admin.Invite(by.write(ctx), &identityv1.InviteRequest{Role: role}))(t).GetSecret()
		}
		first, second := invite(fired, identityv1.Role_ROLE_ADMIN), invite(demoted, identityv1.Role_ROLE_MEMBER)
		_ = ok(e.admin.SetActive(owner.write(ctx), &identityv1.SetActiveRequest{UserId: fired.id()}))(t)
		worthless("deactivated", first)
		_ = ok(e.admin.ChangeRole(owner.write(ctx), &identityv1.ChangeRoleRequest{UserId: demoted.id(), Role: identityv1.Role_ROLE_MEMBER}))(t)
		worthless("demoted", second)
		_ = ok(e.admin.ChangeRole(owner.write(ctx), &identityv1.ChangeRoleRequest{UserId: demoted.id(), Role: identityv1.Role_ROLE_ADMIN}))(t)
		_ = ok(e.sessions.Join(ctx, &identityv1.JoinRequest{Secret: second, Handle: "cy", Password: goodWord, Client: newClient()}))(t)
	})
}

// Revocations say of whom they mean that they were signed out, or deactivated; not of who gets a token of another role.
func TestRevocationsSayWhoIsSignedOut(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		fired, demoted, left := e.join(t, owner, "fired", identityv1.Role_ROLE_ADMIN), e.join(t, owner, "demoted", identityv1.Role_ROLE_ADMIN), e.join(t, owner, "left", identityv1.Role_ROLE_MEMBER)
		_ = ok(e.admin.ChangeRole(owner.write(ctx), &identityv1.ChangeRoleRequest{UserId: demoted.id(), Role: identityv1.Role_ROLE_MEMBER}))(t)
		_ = ok(e.admin.SetActive(owner.write(ctx), &identityv1.SetActiveRequest{UserId: fired.id()}))(t)
		_ = ok(e.sessions.SignOut(ctx, &identityv1.SignOutRequest{RefreshToken: left.GetRefreshToken()}))(t)
		stream := ok(e.auth.Revocations(ctx, &authv1.RevocationsRequest{}))(t)
		ends := map[string]bool{}
		for len(ends) < 3 {
			for _, r := range ok(stream.Recv())(t).GetRevocations() {
				ends[r.GetUser()] = r.GetEnds()
			}
		}
		if want := map[string]bool{demoted.id(): false, fired.id(): true, left.id(): true}; !maps.Equal(ends, want) {
			t.Errorf("%v, want %v", ends, want)
		}
	})
}

// Links say to the client that has used them what they were for, and to nobody else.
func TestUsedLinksAreDescribedToTheirClient(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	ctx := t.Context()
	issued := ok(e.operator.IssueSetup(ctx, &identityv1.IssueSetupRequest{}))(t)
	c := newClient()
	setUp := ok(e.sessions.SetUp(ctx, &identityv1.SetUpRequest{Secret: issued.GetSecret(), WorkspaceSlug: "acme", Handle: "owner", Password: goodWord, Client: c}))(t)
	owner := &user{Session: setUp.GetSession(), client: c}
	invitation := ok(e.admin.Invite(owner.write(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER}))(t)
	bob := newClient()
	_ = ok(e.sessions.Join(ctx, &identityv1.JoinRequest{Secret: invitation.GetSecret(), Handle: "bob", Password: goodWord, Client: bob}))(t)
	for _, x := range []struct {
		secret   string
		its, not *identityv1.Client
	}{{issued.GetSecret(), c, bob}, {invitation.GetSecret(), bob, c}} {
		_ = ok(e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: x.secret, ClientId: x.its.GetClientId()}))(t)
		for _, other := range []string{"", x.not.GetClientId()} {
			_, err := e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: x.secret, ClientId: other})
			refused(t, err, "identity.LINK")
		}
	}
}

// After a restore nobody takes old numbers for news: the history has another epoch, and a follower of revocations misses none.
func TestRestored(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		owner := e.owner(t, "acme")
		before := ok(e.people.ListPeople(owner.read(t.Context()), &identityv1.ListPeopleRequest{}))(t).GetCursor()
		last := func() (n int64) {
			if err := e.db.QueryRow(t.Context(), "SELECT value FROM identity_counter WHERE name = 'revocation'").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		now := time.Now()
		epoch := ok(identity.Restored(t.Context(), e.db, now))(t)
		once := last()
		again := ok(identity.Restored(t.Context(), e.db, now))(t)
		if epoch <= before.GetEpoch() || again <= epoch || once < now.UnixMilli() || last() <= once {
			t.Errorf("epochs %d, %d, %d; revocations from %d, %d", before.GetEpoch(), epoch, again, once, last())
		}
		e.stop()
		e = start(t, url, e.cfg)
		if after := ok(e.people.ListPeople(owner.read(t.Context()), &identityv1.ListPeopleRequest{}))(t).GetCursor(); after.GetEpoch() != again {
			t.Errorf("serves the epoch %d, want %d", after.GetEpoch(), again)
		}
	})
}
