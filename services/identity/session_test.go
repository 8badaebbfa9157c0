package identity_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

func same(a, b *identityv1.Session) bool {
	return a.GetAccessToken() == b.GetAccessToken() && a.GetRefreshToken() == b.GetRefreshToken() && a.GetDeviceId() == b.GetDeviceId()
}

// Twenty refresh with one token at once: a client whose requests cross gets one answer, twenty times.
func TestRefreshesAtOnceAgree(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		u := e.owner(t, "acme")
		var (
			wg  sync.WaitGroup
			mu  sync.Mutex
			got []*identityv1.Session
		)
		for range 20 {
			wg.Go(func() {
				s, err := e.refresh(t.Context(), u.GetRefreshToken(), u.client.GetClientId())
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				got = append(got, s)
			})
		}
		wg.Wait()
		for _, s := range got {
			if !same(s, got[0]) {
				t.Fatalf("%v and %v", s, got[0])
			}
		}
		if next := ok(e.refresh(t.Context(), got[0].GetRefreshToken(), u.client.GetClientId()))(t); same(next, got[0]) {
			t.Error("the next refresh changed nothing")
		}
	})
}

// thief tries a stolen token; the device must end, whoever comes first.
func TestASecondHolderEndsTheSession(t *testing.T) {
	for name, steal := range map[string]func(t *testing.T, e *env, u *user) error{
		"the current token, from another client": func(t *testing.T, e *env, u *user) error {
			_, err := e.refresh(t.Context(), u.GetRefreshToken(), "another-client-00000001")
			return err
		},
		"the token before, from another client, within the grace": func(t *testing.T, e *env, u *user) error {
			old := u.GetRefreshToken()
			e.renew(t, u)
			_, err := e.refresh(t.Context(), old, "another-client-00000001")
			return err
		},
		"a token two generations old, from its own client": func(t *testing.T, e *env, u *user) error {
			old := u.GetRefreshToken()
			e.renew(t, u)
			e.renew(t, u)
			_, err := e.refresh(t.Context(), old, u.client.GetClientId())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			meshtest.Databases(t, func(t *testing.T, url string) {
				e := start(t, url, cheap())
				owner := e.owner(t, "acme")
				u := e.join(t, owner, "bob", identityv1.Role_ROLE_MEMBER)
				other := ok(e.signIn(t.Context(), "acme", "bob", goodWord, newClient()))(t)
				refused(t, steal(t, e, u), "identity.SESSION_ENDED")
				_, err := e.refresh(t.Context(), u.GetRefreshToken(), u.client.GetClientId())
				refused(t, err, "identity.SESSION_ENDED")
				begun := time.Now()
				eventually(t, "the access token is refused", func() bool {
					_, err := e.verifier.Verify(t.Context(), u.GetAccessToken())
					return err != nil
				})
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("the access token was good for %v more", took)
				}
				e.renew(t, other) // another device of the same person is not concerned
				entries := ok(e.admin.ListAudit(owner.read(t.Context()), &identityv1.ListAuditRequest{}))(t).GetEntries()
				if entries[0].GetAction() != "session.reuse" || entries[0].GetActorId() != "" && entries[0].GetActorId() != u.id() || entries[0].GetTarget() != u.GetDeviceId() {
					t.Errorf("on record: %v", entries[0])
				}
			})
		})
	}
}

// Nobody's list of devices grows for ever: the one that was not used for longest makes room.
func TestDevicesAreBounded(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	ctx := t.Context()
	u := e.owner(t, "acme")
	for range 100 {
		_ = ok(e.signIn(ctx, "acme", "owner", goodWord, newClient()))(t)
	}
	last := ok(e.signIn(ctx, "acme", "owner", goodWord, newClient()))(t)
	devices := ok(e.people.ListDevices(last.read(ctx), &identityv1.ListDevicesRequest{}))(t).GetDevices()
	if len(devices) != 100 {
		t.Errorf("%d devices", len(devices))
	}
	_, err := e.refresh(ctx, u.GetRefreshToken(), u.client.GetClientId())
	refused(t, err, "identity.SESSION_ENDED")
}

func TestForgedTokensEndNothing(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	u := e.owner(t, "acme")
	token := []byte(u.GetRefreshToken())
	for range 40 {
		i := rand.IntN(len(token))
		forged := append([]byte{}, token...)
		forged[i] ^= byte(1 + rand.IntN(7))
		_, err := e.refresh(t.Context(), string(forged), u.client.GetClientId())
		refused(t, err, "identity.SESSION_ENDED")
	}
	e.renew(t, u)
}

func TestGuessesAtAnAccountAreLimited(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		cfg := cheap()
		cfg.AddressFailures = 1000
		e := start(t, url, cfg)
		owner := e.owner(t, "acme")
		var (
			wg            sync.WaitGroup
			tried, denied atomic.Int32
		)
		for i := range 50 { // all at once, each from an address of its own
			wg.Go(func() {
				_, err := e.signIn(from(t.Context(), fmt.Sprint("192.0.2.", i)), "acme", "owner", "wrong wrong wrong", newClient())
				switch rpc.FromError(err).GetReason() {
				case "identity.SIGN_IN":
					tried.Add(1)
				case "identity.TOO_MANY_ATTEMPTS":
					denied.Add(1)
				default:
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		if tried.Load() != 10 || denied.Load() != 40 {
			t.Errorf("%d tried, %d denied; want 10 and 40", tried.Load(), denied.Load())
		}
		// An account that doesn't exist looks the same.
		for i := range 11 {
			_, err := e.signIn(t.Context(), "acme", "nobody", "wrong wrong wrong", newClient())
			want := "identity.SIGN_IN"
			if i == 10 {
				want = "identity.TOO_MANY_ATTEMPTS"
			}
			refused(t, err, want)
		}
		// It survives a restart, and doesn't lock out the owner on a device that is known.
		e.stop()
		e = start(t, url, cfg)
		_, err := e.signIn(t.Context(), "acme", "owner", goodWord, newClient())
		if got := rpc.FromError(err); got.GetReason() != "identity.TOO_MANY_ATTEMPTS" || got.GetRetryAfterMs() == 0 || got.GetRetryAfterMs() > 60_000 {
			t.Errorf("after a restart: %v", got)
		}
		for range 20 {
			if _, err := e.signIn(t.Context(), "acme", "owner", goodWord, owner.client); err != nil {
				t.Fatalf("from the known device: %v", err) // successes don't count
			}
		}
	})
}

func TestGuessesFromAnAddressAreLimited(t *testing.T) {
	cfg := cheap()
	cfg.AddressFailures, cfg.AddressInterval = 5, time.Minute
	e := start(t, meshtest.SQLite(t), cfg)
	owner := e.owner(t, "acme")
	at := from(t.Context(), "2001:db8::1")
	for i := range 5 {
		_, err := e.signIn(at, "acme", fmt.Sprint("user", i), "wrong wrong wrong", newClient())
		refused(t, err, "identity.SIGN_IN")
	}
	_, err := e.signIn(at, "acme", "owner", goodWord, owner.client)
	refused(t, err, "identity.TOO_MANY_ATTEMPTS")
	_, err = e.sessions.ExchangeSecret(from(t.Context(), "2001:db8::2"), &identityv1.ExchangeSecretRequest{Secret: "pls_x"}) // the same /64
	refused(t, err, "identity.TOO_MANY_ATTEMPTS")
	_, err = e.sessions.DescribeLink(at, &identityv1.DescribeLinkRequest{Secret: "guessed"})
	refused(t, err, "identity.TOO_MANY_ATTEMPTS")
	if _, err := e.signIn(from(t.Context(), "2001:db8:0:1::1"), "acme", "owner", goodWord, owner.client); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
	// Who isn't the gateway doesn't choose the address.
	direct := identityv1.NewSessionServiceClient(e.server.Pipe("chat"))
	if _, err := direct.SignIn(at, &identityv1.SignInRequest{WorkspaceSlug: "acme", Handle: "owner", Password: goodWord, Client: owner.client}); err != nil {
		t.Errorf("another peer's word was believed: %v", err)
	}
}

// What is refused costs the same, whatever was wrong: exactly one argon2id. The text is one, too.
func TestRefusalsLookAlike(t *testing.T) {
	e := start(t, meshtest.SQLite(t), cheap())
	owner := e.owner(t, "acme")
	gone := e.join(t, owner, "gone", identityv1.Role_ROLE_MEMBER)
	_ = ok(e.admin.SetActive(owner.write(t.Context()), &identityv1.SetActiveRequest{UserId: gone.id()}))(t)
	_ = ok(e.admin.CreateServiceAccount(owner.write(t.Context()), &identityv1.CreateServiceAccountRequest{Handle: "bot"}))(t)
	var text *edgev1.Error
	for _, c := range [][3]string{
		{"acme", "owner", "wrong wrong wrong"}, {"acme", "nobody", goodWord}, {"nowhere", "owner", goodWord}, {"acme", "gone", goodWord},
		{"acme", "gone", "wrong wrong wrong"}, {"acme", "bot", goodWord}, {"acme", "", ""}, {"", "", ""}, {"acme", "owner", "bad\x00bytes"},
	} {
		before := e.counted(t, "plenum_identity_password_hashes_total")
		_, err := e.signIn(t.Context(), c[0], c[1], c[2], newClient())
		if n := e.counted(t, "plenum_identity_password_hashes_total") - before; n != 1 {
			t.Errorf("%q cost %v hashes", c, n)
		}
		if text == nil {
			text = rpc.FromError(err)
		}
		if got := rpc.FromError(err); got.String() != text.String() || got.GetReason() != "identity.SIGN_IN" {
			t.Errorf("%q: %v, want %v", c, got, text)
		}
	}
}

func TestTimePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := cheap()
		cfg.KeyPeriod, cfg.RefreshTTL = 20*time.Minute, 20*time.Minute // feeds are polled: each virtual hour costs seconds
		e := start(t, meshtest.SQLite(t), cfg)
		ctx := t.Context()
		owner := e.owner(t, "acme")

		// The grace: 60 s to the millisecond.
		spent := owner.GetRefreshToken()
		e.renew(t, owner)
		time.Sleep(60 * time.Second)
		if again := ok(e.refresh(ctx, spent, owner.client.GetClientId()))(t); !same(again, owner.Session) {
			t.Error("another answer within the grace")
		}
		time.Sleep(time.Millisecond)
		_, err := e.refresh(ctx, spent, owner.client.GetClientId())
		refused(t, err, "identity.SESSION_ENDED")
		owner = ok(e.signIn(ctx, "acme", "owner", goodWord, owner.client))(t)

		// The access token: ten minutes.
		if _, err := e.verifier.Verify(ctx, owner.GetAccessToken()); err != nil {
			t.Errorf("fresh: %v", err)
		}
		time.Sleep(10*time.Minute + 6*time.Second) // 5 s for clocks that differ
		if _, err := e.verifier.Verify(ctx, owner.GetAccessToken()); err == nil {
			t.Error("the access token outlived its time")
		}
		e.renew(t, owner)

		// An invitation: to its last millisecond.
		invited := ok(e.admin.Invite(owner.write(ctx), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER, TtlMs: 60_000}))(t)
		time.Sleep(time.Minute - time.Millisecond)
		_ = ok(e.sessions.DescribeLink(ctx, &identityv1.DescribeLinkRequest{Secret: invited.GetSecret()}))(t)
		time.Sleep(time.Millisecond)
		_, err = e.sessions.Join(ctx, &identityv1.JoinRequest{Secret: invited.GetSecret(), Handle: "late", Password: goodWord, Client: newClient()})
		refused(t, err, "identity.LINK")

		// Signing keys: the next one takes over, was served before, and no session notices.
		first := keyIDs(ok(e.auth.Keys(ctx, &authv1.KeysRequest{}))(t))
		for range 3 {
			time.Sleep(15 * time.Minute)
			e.renew(t, owner)
			if _, err := e.verifier.Verify(ctx, owner.GetAccessToken()); err != nil {
				t.Fatalf("after a rotation: %v", err)
			}
		}
		last := keyIDs(ok(e.auth.Keys(ctx, &authv1.KeysRequest{}))(t))
		if first[0] == last[0] || len(last) < 2 || len(last) > 3 {
			t.Errorf("keys %v, then %v", first, last)
		}

		// The refresh token: its time without a refresh.
		time.Sleep(cfg.RefreshTTL)
		_, err = e.refresh(ctx, owner.GetRefreshToken(), owner.client.GetClientId())
		refused(t, err, "identity.SESSION_ENDED")
		e.stop()
	})
}
