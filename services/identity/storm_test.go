package identity_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// More sign in by password than have a place: those without are told when to come back, and cost the database no transaction, which
// refreshes would wait for. Who refreshes meanwhile goes on.
func TestStormOfPasswords(t *testing.T) {
	cfg := cheap()
	cfg.PasswordMemory, cfg.PasswordConcurrency, cfg.PasswordQueue = 8<<10, 1, 7
	e := start(t, meshtest.SQLite(t), cfg)
	e.db.Register(e.metrics, "identity")
	owner := e.owner(t, "acme")
	before := e.counted(t, "plenum_sqldb_transactions_total")
	var (
		wg             sync.WaitGroup
		entered, later atomic.Int32
	)
	const storm, renewals = 400, 20
	for i := range storm {
		wg.Go(func() {
			_, err := e.signIn(from(t.Context(), fmt.Sprint("192.0.2.", i%8)), "acme", fmt.Sprint("user", i), goodWord, newClient())
			switch e := rpc.FromError(err); {
			case e.GetReason() == "identity.SIGN_IN":
				entered.Add(1)
			case e.GetReason() == "identity.BUSY" && e.GetCode() == edgev1.Code_CODE_UNAVAILABLE && e.GetRetryAfterMs() >= 1000:
				later.Add(1)
			default:
				t.Errorf("%v", err)
			}
		})
	}
	for range renewals {
		e.renew(t, owner)
	}
	wg.Wait()
	if entered.Load() < 8 || later.Load() == 0 || entered.Load()+later.Load() != storm {
		t.Errorf("%d entered, %d are to come later", entered.Load(), later.Load())
	}
	// Counted in advance, and put on record: two for each that entered.
	if n := e.counted(t, "plenum_sqldb_transactions_total") - before; int(n) > 2*int(entered.Load())+renewals {
		t.Errorf("%v transactions for %d who entered and %d refreshes", n, entered.Load(), renewals)
	}
}

// An office comes back after an outage, all at once and from one address: what is no guess is not counted as one.
func TestStormOfRefreshes(t *testing.T) {
	cfg := cheap()
	cfg.AddressFailures = 3
	e := start(t, meshtest.SQLite(t), cfg)
	e.owner(t, "acme")
	at := from(t.Context(), "192.0.2.1")
	var users []*user
	for range 20 {
		users = append(users, ok(e.signIn(t.Context(), "acme", "owner", goodWord, newClient()))(t))
	}
	var wg sync.WaitGroup
	for _, u := range users {
		for range 2 { // the first answer was lost
			wg.Go(func() {
				if _, err := e.refresh(at, u.GetRefreshToken(), u.client.GetClientId()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for range 3 {
		_, err := e.refresh(at, "plr_forged", newClient().GetClientId())
		refused(t, err, "identity.SESSION_ENDED")
	}
	_, err := e.refresh(at, "plr_forged", newClient().GetClientId())
	refused(t, err, "identity.TOO_MANY_ATTEMPTS")
	if _, err := e.sessions.SignOut(at, &identityv1.SignOutRequest{RefreshToken: "plr_forged"}); rpc.CodeOf(err) != edgev1.Code_CODE_RATE_LIMITED {
		t.Errorf("sign-out by a forged token: %v", err)
	}
}
