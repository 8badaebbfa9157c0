package identity_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

const newWord = "battery staple horse"

// reset issues a link for somebody.
func (e *env) reset(t *testing.T, by, whom *user) string {
	t.Helper()
	return ok(e.admin.ResetPassword(by.write(t.Context()), &identityv1.ResetPasswordRequest{UserId: whom.id()}))(t).GetSecret()
}

func (e *env) useReset(ctx context.Context, secret, word string, c *identityv1.Client) (*user, error) {
	out, err := e.sessions.UseReset(ctx, &identityv1.UseResetRequest{Secret: secret, Password: word, Client: c})
	return &user{Session: out.GetSession(), client: c}, err
}

func TestResetPassword(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		bob := e.join(t, owner, "bob", identityv1.Role_ROLE_MEMBER)
		phone := ok(e.signIn(ctx, "acme", "bob", goodWord, newClient()))(t)

		issued := ok(e.admin.ResetPassword(owner.write(ctx), &identityv1.ResetPasswordRequest{UserId: bob.id()}))(t)
		again := ok(e.admin.ResetPassword(owner.again(ctx), &identityv1.ResetPasswordRequest{UserId: bob.id()}))(t)
		if issued.GetSecret() == "" || issued.GetSecret() != again.GetSecret() || issued.GetExpiresMs() != again.GetExpiresMs() {
			t.Errorf("a retry is told %v, was %v", again, issued)
		}
		if left := time.Until(time.UnixMilli(issued.GetExpiresMs())); left < 23*time.Hour || left > 24*time.Hour {
			t.Errorf("it is good for %v", left)
		}
		link := ok(e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: issued.GetSecret()}))(t).GetReset_()
		if link.GetWorkspaceSlug() != "acme" || link.GetHandle() != "bob" || link.GetExpiresMs() != issued.GetExpiresMs() {
			t.Errorf("describes itself as %v", link)
		}
		e.renew(t, bob) // nothing has ended yet
		_, err := e.useReset(ctx, issued.GetSecret(), "short", newClient())
		refused(t, err, "identity.PASSWORD_FORM")

		c := newClient()
		anew := ok(e.useReset(from(ctx, "192.0.2.7"), issued.GetSecret(), newWord, c))(t)
		if _, err := e.people.WhoAmI(anew.read(ctx), &identityv1.WhoAmIRequest{}); err != nil || anew.id() != bob.id() {
			t.Errorf("the new session: %v", err)
		}
		for _, was := range []*user{bob, phone} {
			_, err := e.refresh(ctx, was.GetRefreshToken(), was.client.GetClientId())
			refused(t, err, "identity.SESSION_ENDED")
			eventually(t, "the old token ends", func() bool {
				_, err := e.verifier.Verify(ctx, was.GetAccessToken())
				return rpc.FromError(err).GetReason() == "auth.REVOKED"
			})
		}
		if _, err := e.verifier.Verify(ctx, anew.GetAccessToken()); err != nil {
			t.Errorf("the new token ended, too: %v", err)
		}
		_, err = e.signIn(ctx, "acme", "bob", goodWord, newClient())
		refused(t, err, "identity.SIGN_IN")
		_ = ok(e.signIn(ctx, "acme", "bob", newWord, newClient()))(t)

		// Once: a lost answer is repeated to the client that has it, nobody else is told anything.
		_ = ok(e.useReset(ctx, issued.GetSecret(), newWord, c))(t)
		_, err = e.useReset(ctx, issued.GetSecret(), goodWord, c)
		refused(t, err, "identity.SIGN_IN")
		_, err = e.useReset(ctx, issued.GetSecret(), newWord, newClient())
		refused(t, err, "identity.LINK")
		for _, asking := range []string{"", newClient().GetClientId()} {
			_, err = e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: issued.GetSecret(), ClientId: asking})
			refused(t, err, "identity.LINK")
		}
		// The client that may not have heard of its success is told what the link was for: it asks before it repeats.
		link = ok(e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: issued.GetSecret(), ClientId: c.GetClientId()}))(t).GetReset_()
		if link.GetHandle() != "bob" {
			t.Errorf("describes itself to its client as %v", link)
		}

		var seen []string
		for _, en := range ok(e.admin.ListAudit(owner.read(ctx), &identityv1.ListAuditRequest{}))(t).GetEntries() {
			switch en.GetAction() {
			case "password.reset_issued":
				if en.GetActorId() != owner.id() || en.GetTargetId() != bob.id() {
					t.Errorf("issued: %v", en)
				}
			case "password.reset":
				if en.GetActorId() != bob.id() || en.GetDetail() != `{"address":"192.0.2.7"}` {
					t.Errorf("used: %v", en)
				}
			default:
				continue
			}
			seen = append(seen, en.GetAction())
		}
		if !slices.Equal(seen, []string{"password.reset", "password.reset_issued"}) {
			t.Errorf("on record: %v", seen)
		}
	})
}

func TestResetsThatAreNotGood(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		admin := e.join(t, owner, "admin", identityv1.Role_ROLE_ADMIN)
		bob := e.join(t, owner, "bob", identityv1.Role_ROLE_MEMBER)
		stranger := e.owner(t, "other")
		bot := ok(e.admin.CreateServiceAccount(owner.write(ctx), &identityv1.CreateServiceAccountRequest{Handle: "bot"}))(t).GetPerson()
		for _, x := range []struct {
			by     *user
			whom   string
			reason string
		}{
			{bob, admin.id(), "identity.NOT_ALLOWED"},
			{bob, bob.id(), "identity.NOT_ALLOWED"},
			{admin, owner.id(), "identity.HIGHER_ROLE"},
			{admin, admin.id(), "identity.NO_PASSWORD"},
			{owner, owner.id(), "identity.NO_PASSWORD"},
			{owner, bot.GetId(), "identity.NO_PASSWORD"},
			{owner, stranger.id(), "identity.PERSON"},
			{owner, "", "identity.PERSON"},
		} {
			_, err := e.admin.ResetPassword(x.by.write(ctx), &identityv1.ResetPasswordRequest{UserId: x.whom})
			refused(t, err, x.reason)
		}

		worthless := func(what, secret string) {
			t.Helper()
			_, err := e.useReset(ctx, secret, newWord, newClient())
			if refused(t, err, "identity.LINK"); err == nil {
				t.Errorf("used: %s", what)
			}
		}
		role := func(by, whom *user, r identityv1.Role) {
			t.Helper()
			_ = ok(e.admin.ChangeRole(by.write(ctx), &identityv1.ChangeRoleRequest{UserId: whom.id(), Role: r}))(t)
			e.renew(t, whom)
		}
		first := e.reset(t, owner, bob)
		second := e.reset(t, owner, bob)
		worthless("what was replaced", first)
		e.exec(t, "UPDATE identity_reset SET expires_ms = $1 WHERE person = $2", time.Now().UnixMilli(), bob.id())
		worthless("what has expired", second)
		_, err := e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: second})
		refused(t, err, "identity.LINK")
		worthless("an invitation", ok(e.admin.Invite(owner.write(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER}))(t).GetSecret())
		_, err = e.sessions.Join(ctx, &identityv1.JoinRequest{Secret: e.reset(t, owner, bob), Handle: "carol", Password: goodWord, Client: newClient()})
		refused(t, err, "identity.LINK")

		link := e.reset(t, admin, bob)
		role(owner, bob, identityv1.Role_ROLE_OWNER)
		worthless("an admin's link to one who has become an owner", link)
		role(owner, bob, identityv1.Role_ROLE_MEMBER)
		link = e.reset(t, admin, bob)
		role(owner, admin, identityv1.Role_ROLE_MEMBER)
		worthless("of one who isn't an admin any more", link)
		link = e.reset(t, owner, bob)
		_ = ok(e.people.ChangePassword(bob.write(ctx), &identityv1.ChangePasswordRequest{Current: goodWord, Password: newWord}))(t)
		worthless("after the password was changed by the old one", link)
		link = e.reset(t, owner, bob)
		_ = ok(e.admin.SetActive(owner.write(ctx), &identityv1.SetActiveRequest{UserId: bob.id()}))(t)
		worthless("of one who was locked out", link)
		_, err = e.admin.ResetPassword(owner.write(ctx), &identityv1.ResetPasswordRequest{UserId: bob.id()})
		refused(t, err, "identity.NO_PASSWORD")

		// Guesses count against the address.
		at := from(ctx, "192.0.2.66")
		for range e.cfg.AddressFailures {
			_, err := e.useReset(at, "guess", newWord, newClient())
			refused(t, err, "identity.LINK")
		}
		_, err = e.useReset(at, "guess", newWord, newClient())
		refused(t, err, "identity.TOO_MANY_ATTEMPTS")
	})
}

// An owner resets an owner; of many who use a link at once, one is let in.
func TestAResetIsUsedOnce(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		second := e.join(t, owner, "second", identityv1.Role_ROLE_MEMBER)
		_ = ok(e.admin.ChangeRole(owner.write(ctx), &identityv1.ChangeRoleRequest{UserId: second.id(), Role: identityv1.Role_ROLE_OWNER}))(t)
		secret := e.reset(t, owner, second)
		var (
			wg  sync.WaitGroup
			mu  sync.Mutex
			ins []*user
		)
		for range 8 {
			wg.Go(func() {
				u, err := e.useReset(ctx, secret, newWord, newClient())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					ins = append(ins, u)
				} else if c := rpc.CodeOf(err); c != edgev1.Code_CODE_NOT_FOUND {
					t.Errorf("refused by %v", err)
				}
			})
		}
		wg.Wait()
		if len(ins) != 1 {
			t.Fatalf("%d were let in", len(ins))
		}
		if c, err := e.verifier.Verify(ctx, ins[0].GetAccessToken()); err != nil || c.Role != "owner" || c.Kind != auth.KindPerson {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
