package identity_test

import (
	"context"
	"database/sql"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

func keyIDs(k *authv1.KeysResponse) (out []string) {
	for _, key := range k.GetKeys() {
		out = append(out, key.GetId())
	}
	return out
}

func (e *env) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if err := e.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), statement, args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAuditTamperingIsFound(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		bob := e.join(t, owner, "bob", identityv1.Role_ROLE_MEMBER)
		_ = ok(e.admin.ChangeRole(owner.write(ctx), &identityv1.ChangeRoleRequest{UserId: bob.id(), Role: identityv1.Role_ROLE_ADMIN}))(t)
		_, err := e.signIn(from(ctx, "192.0.2.7"), "acme", "bob", "wrong wrong wrong", newClient())
		refused(t, err, "identity.SIGN_IN")
		entries := ok(e.admin.ListAudit(owner.read(ctx), &identityv1.ListAuditRequest{}))(t).GetEntries()
		var actions []string
		for _, en := range slices.Backward(entries) {
			actions = append(actions, en.GetAction())
		}
		if want := []string{"workspace.created", "person.joined", "sign_in", "invitation.created", "person.joined", "sign_in", "role.changed", "sign_in.failed"}; !slices.Equal(actions, want) {
			t.Errorf("on record: %v", actions)
		}
		if en := entries[0]; en.GetTargetId() != bob.id() || en.GetDetail() != `{"address":"192.0.2.7"}` {
			t.Errorf("the failure: %v", en)
		}
		if en := entries[1]; en.GetActorId() != owner.id() || en.GetTargetId() != bob.id() || en.GetActor() == owner.id() {
			t.Errorf("the change: %v", en)
		}
		verify := func() *identityv1.VerifyAuditResponse {
			return ok(e.admin.VerifyAudit(owner.read(ctx), &identityv1.VerifyAuditRequest{}))(t)
		}
		intact := verify()
		if !intact.GetIntact() || intact.GetEntries() != 8 || intact.GetHeadSeq() != 8 {
			t.Fatalf("intact: %v", intact)
		}
		w := owner.GetWorkspace().GetId()
		e.exec(t, "UPDATE identity_audit SET detail = '', salt = '' WHERE workspace = $1 AND seq = 8", w)
		if v := verify(); !v.GetIntact() {
			t.Errorf("erasing a detail broke the chain: %v", v)
		}
		e.exec(t, "UPDATE identity_audit SET action = 'profile.changed' WHERE workspace = $1 AND seq = 7", w)
		if v := verify(); v.GetIntact() || v.GetBrokenSeq() != 7 {
			t.Errorf("a changed entry: %v", v)
		}
		e.exec(t, "UPDATE identity_audit SET action = 'role.changed' WHERE workspace = $1 AND seq = 7", w)
		e.exec(t, "DELETE FROM identity_audit WHERE workspace = $1 AND seq = 8", w)
		if v := verify(); v.GetIntact() || v.GetBrokenSeq() != 8 {
			t.Errorf("a removed end: %v", v)
		}
		e.exec(t, "UPDATE identity_audit_head SET seq = 7, hash = (SELECT hash FROM identity_audit WHERE workspace = $1 AND seq = 7) WHERE workspace = $1", w)
		if v := verify(); !v.GetIntact() {
			t.Errorf("cut with its head, without an anchor: %v", v)
		}
		v := ok(e.operator.VerifyChain(ctx, &identityv1.VerifyChainRequest{WorkspaceSlug: "acme", KnownSeq: intact.GetHeadSeq(), KnownHash: intact.GetHeadHash()}))(t)
		if v.GetIntact() || v.GetBrokenSeq() != 8 {
			t.Errorf("against the anchor: %v", v)
		}
	})
}

func TestReportsOfTheMesh(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	ctx := t.Context()
	owner := e.owner(t, "acme")
	newest := func(n uint32) []*identityv1.AuditEntry {
		return ok(e.admin.ListAudit(owner.read(ctx), &identityv1.ListAuditRequest{Limit: n}))(t).GetEntries()
	}
	forged := &authv1.Refusal{Reason: "token.forged", Address: "192.0.2.9", Count: 12, SinceMs: 7}

	// The administrators of the only workspace learn what could be anybody's.
	_ = ok(e.auth.Report(ctx, &authv1.ReportRequest{Refusals: []*authv1.Refusal{forged}}))(t)
	if en := newest(1)[0]; en.GetAction() != "refused.token.forged" || en.GetTarget() != "" ||
		en.GetDetail() != `{"address":"192.0.2.9","by":"gateway","count":12,"since_ms":7}` {
		t.Errorf("on record: %v", en)
	}

	// Where there are several, none learns of the others.
	other := e.owner(t, "other")
	_ = ok(e.auth.Report(ctx, &authv1.ReportRequest{Refusals: []*authv1.Refusal{
		forged,
		{Workspace: owner.GetWorkspace().GetId(), User: owner.id(), Reason: "token.revoked"},
		{Workspace: owner.GetWorkspace().GetId(), User: other.id(), Reason: "token.foreign"},
		{Workspace: "made-up", User: "made-up", Reason: "token.foreign", Count: 1},
	}}))(t)
	if v := ok(e.operator.VerifyChain(ctx, &identityv1.VerifyChainRequest{}))(t); !v.GetIntact() || v.GetEntries() != 3 { // the second's set-up link, too
		t.Errorf("the installation's chain: %v", v)
	}
	if en := newest(2); en[1].GetAction() != "refused.token.revoked" || en[1].GetTargetId() != owner.id() ||
		en[0].GetAction() != "refused.token.foreign" || en[0].GetTarget() != "" {
		t.Errorf("the workspace's: %v", en)
	}

	for name, bad := range map[string]*authv1.ReportRequest{
		"empty":       {},
		"any text":    {Refusals: []*authv1.Refusal{forged, {Reason: "Bad reason!"}}},
		"no reason":   {Refusals: []*authv1.Refusal{{}}},
		"too many":    {Refusals: slices.Repeat([]*authv1.Refusal{forged}, 101)},
		"any address": {Refusals: []*authv1.Refusal{{Reason: "token.forged", Address: strings.Repeat("x", 65)}}},
	} {
		_, err := e.auth.Report(ctx, bad)
		if refused(t, err, "identity.INVALID"); err == nil {
			t.Errorf("%s was recorded", name)
		}
	}
	if _, err := authv1.NewAuthServiceClient(e.server.Pipe("")).Report(ctx, &authv1.ReportRequest{Refusals: []*authv1.Refusal{forged}}); err == nil {
		t.Error("anybody may write the audit log")
	}
}

// A member of one workspace can't see, change or even name what belongs to another.
func TestWorkspacesDoNotSeeEachOther(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		mine, theirs := e.owner(t, "mine"), e.owner(t, "theirs")
		bob := e.join(t, theirs, "bob", identityv1.Role_ROLE_MEMBER)
		group := ok(e.admin.CreateGroup(theirs.write(ctx), &identityv1.CreateGroupRequest{Handle: "crew", Members: []string{bob.id()}}))(t).GetGroup()
		bot := ok(e.admin.CreateServiceAccount(theirs.write(ctx), &identityv1.CreateServiceAccountRequest{Handle: "bot"}))(t).GetPerson()
		invited := ok(e.admin.Invite(theirs.write(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER}))(t).GetInvitation()
		before, _ := e.events(t, theirs.GetWorkspace().GetId())
		audited := ok(e.operator.VerifyChain(ctx, &identityv1.VerifyChainRequest{WorkspaceSlug: "theirs"}))(t).GetEntries()

		for name, call := range map[string]func(ctx context.Context) error{
			"ChangeRole": func(ctx context.Context) error {
				_, err := e.admin.ChangeRole(ctx, &identityv1.ChangeRoleRequest{UserId: bob.id(), Role: identityv1.Role_ROLE_GUEST})
				return err
			},
			"SetActive": func(ctx context.Context) error {
				_, err := e.admin.SetActive(ctx, &identityv1.SetActiveRequest{UserId: bob.id()})
				return err
			},
			"RevokeDevices": func(ctx context.Context) error {
				_, err := e.admin.RevokeDevices(ctx, &identityv1.RevokeDevicesRequest{UserId: bob.id()})
				return err
			},
			"RevokeDevice": func(ctx context.Context) error {
				_, err := e.people.RevokeDevice(ctx, &identityv1.RevokeDeviceRequest{DeviceId: bob.GetDeviceId()})
				return err
			},
			"UpdateGroup": func(ctx context.Context) error {
				_, err := e.admin.UpdateGroup(ctx, &identityv1.UpdateGroupRequest{GroupId: group.GetId()})
				return err
			},
			"ChangeGroupMembers": func(ctx context.Context) error {
				_, err := e.admin.ChangeGroupMembers(ctx, &identityv1.ChangeGroupMembersRequest{GroupId: group.GetId(), Add: []string{mine.id()}})
				return err
			},
			"DeleteGroup": func(ctx context.Context) error {
				_, err := e.admin.DeleteGroup(ctx, &identityv1.DeleteGroupRequest{GroupId: group.GetId()})
				return err
			},
			"CreateGroup with their member": func(ctx context.Context) error {
				_, err := e.admin.CreateGroup(ctx, &identityv1.CreateGroupRequest{Handle: "crew", Members: []string{bob.id()}})
				return err
			},
			"RotateServiceSecret": func(ctx context.Context) error {
				_, err := e.admin.RotateServiceSecret(ctx, &identityv1.RotateServiceSecretRequest{UserId: bot.GetId()})
				return err
			},
			"RevokeInvitation": func(ctx context.Context) error {
				_, err := e.admin.RevokeInvitation(ctx, &identityv1.RevokeInvitationRequest{InvitationId: invited.GetId()})
				return err
			},
		} {
			if err := call(mine.write(ctx)); rpc.CodeOf(err) != edgev1.Code_CODE_NOT_FOUND {
				t.Errorf("%s across workspaces: %v, want NOT_FOUND", name, err)
			}
		}
		if got := ok(e.people.GetPeople(mine.read(ctx), &identityv1.GetPeopleRequest{Ids: []string{bob.id(), theirs.id()}}))(t); len(got.GetPeople()) != 0 {
			t.Errorf("saw %v", got)
		}
		if got := ok(e.people.ListPeople(mine.read(ctx), &identityv1.ListPeopleRequest{}))(t); len(got.GetPeople()) != 1 {
			t.Errorf("saw %v", got)
		}
		if got := ok(e.people.ListGroups(mine.read(ctx), &identityv1.ListGroupsRequest{}))(t); len(got.GetGroups()) != 0 {
			t.Errorf("saw %v", got)
		}
		if got := ok(e.admin.ListInvitations(mine.read(ctx), &identityv1.ListInvitationsRequest{}))(t); len(got.GetInvitations()) != 0 {
			t.Errorf("saw %v", got)
		}
		_, err := e.signIn(ctx, "mine", "bob", goodWord, bob.client)
		refused(t, err, "identity.SIGN_IN")
		_ = ok(e.admin.CreateGroup(mine.write(ctx), &identityv1.CreateGroupRequest{Handle: "crew"}))(t) // the same name is free here
		after, _ := e.events(t, theirs.GetWorkspace().GetId())
		if len(after) != len(before) {
			t.Errorf("%d events came into the other workspace", len(after)-len(before))
		}
		if now := ok(e.operator.VerifyChain(ctx, &identityv1.VerifyChainRequest{WorkspaceSlug: "theirs"}))(t).GetEntries(); now != audited {
			t.Errorf("%d entries came into the other audit log", now-audited)
		}
		if list := ok(e.operator.ListWorkspaces(ctx, &identityv1.ListWorkspacesRequest{}))(t).GetWorkspaces(); len(list) != 2 || list[0].GetSlug() != "mine" {
			t.Errorf("workspaces: %v", list)
		}
	})
}

func TestRotateKeys(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		before := owner.GetAccessToken()
		_ = ok(e.operator.RotateKeys(ctx, &identityv1.RotateKeysRequest{}))(t)
		e.renew(t, owner)
		for _, token := range []string{before, owner.GetAccessToken()} {
			if _, err := e.verifier.Verify(ctx, token); err != nil {
				t.Errorf("after a rotation: %v", err)
			}
		}
		_ = ok(e.operator.RotateKeys(ctx, &identityv1.RotateKeysRequest{Distrust: true}))(t)
		// A process that starts now trusts none of the old ones.
		fresh, err := auth.NewVerifier(auth.VerifierConfig{}, auth.RemoteSource(e.server.Pipe("identity")), auth.VerifierDeps{})
		if err != nil {
			t.Fatal(err)
		}
		running, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- fresh.Run(running) }()
		<-fresh.Ready()
		for _, token := range []string{before, owner.GetAccessToken()} {
			if _, err := fresh.Verify(ctx, token); err == nil {
				t.Error("a token of a distrusted key was accepted")
			}
		}
		e.renew(t, owner)
		if _, err := fresh.Verify(ctx, owner.GetAccessToken()); err != nil {
			t.Errorf("signed anew: %v", err)
		}
		cancel()
		<-done
		// A restart reads the keys again; another installation's key can't, and makes new ones.
		e.stop()
		e = start(t, url, e.cfg)
		if _, err := e.verifier.Verify(ctx, owner.GetAccessToken()); err != nil {
			t.Errorf("after a restart: %v", err)
		}
		e.stop()
		e.cfg.Key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
		e = start(t, url, e.cfg)
		_, err = e.refresh(ctx, owner.GetRefreshToken(), owner.client.GetClientId())
		refused(t, err, "identity.SESSION_ENDED")
		again := ok(e.signIn(ctx, "acme", "owner", goodWord, owner.client))(t)
		if _, err := e.verifier.Verify(ctx, again.GetAccessToken()); err != nil {
			t.Errorf("with another key: %v", err)
		}
	})
}

// The feed beats twice a second, and falls silent with its database: who follows it must not take silence for peace.
func TestTheFeedIsSilentWithoutItsDatabase(t *testing.T) {
	u, err := url.Parse(meshtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := meshtest.StartProxy(t, u.Host)
	u.Host = proxy.Addr
	e := start(t, u.String(), cheap())
	owner := e.owner(t, "acme")
	stream := ok(e.auth.Revocations(t.Context(), &authv1.RevocationsRequest{}))(t)
	beats := make(chan *authv1.RevocationsResponse, 1000)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				return
			}
			beats <- r
		}
	}()
	count := func(d time.Duration) (n int) {
		for end := time.After(d); ; {
			select {
			case <-beats:
				n++
			case <-end:
				return n
			}
		}
	}
	if n := count(2 * time.Second); n < 2 || n > 6 {
		t.Errorf("%d heartbeats in 2 s", n)
	}
	proxy.Refuse(true)
	count(3 * time.Second) // some are still true
	if n := count(2 * time.Second); n != 0 {
		t.Errorf("%d heartbeats without a database", n)
	}
	_, err = e.refresh(t.Context(), owner.GetRefreshToken(), owner.client.GetClientId())
	refused(t, err, "rpc.DATABASE")
	proxy.Refuse(false)
	eventually(t, "the feed goes on", func() bool { return count(600*time.Millisecond) > 0 })
	e.renew(t, owner)
}
