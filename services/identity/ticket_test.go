package identity_test

import (
	"strings"
	"testing"

	"plenum.internal/mesh/meshtest"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// A ticket lasts as long as the session of its device, and no longer.
func TestTicketLastsForItsSession(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		e := start(t, url, cheap())
		ctx := t.Context()
		owner := e.owner(t, "acme")
		redeem := func(ticket string) (string, error) {
			out, err := e.auth.Redeem(from(ctx, "192.0.2.1"), &authv1.RedeemRequest{Ticket: ticket})
			return out.GetAccessToken(), err
		}
		ticketOf := func(u *user) string {
			return ok(e.people.GetTicket(u.read(ctx), &identityv1.GetTicketRequest{}))(t).GetTicket()
		}
		ticket := ticketOf(owner)
		if len(ticket) > 128 || strings.ContainsAny(ticket, "%&=+?# /") {
			t.Errorf("%q in a URL", ticket)
		}
		caller := ok(e.verifier.Verify(ctx, ok(redeem(ticket))(t)))(t)
		if caller.User != owner.id() || caller.Device != owner.GetDeviceId() {
			t.Errorf("it speaks for %+v", caller)
		}
		e.renew(t, owner)
		if again := ticketOf(owner); again != ticket {
			t.Error("a refresh has changed the ticket")
		}
		ok(redeem(ticket))(t)

		guest := e.join(t, owner, "guest", identityv1.Role_ROLE_GUEST)
		theirs := ticketOf(guest)
		parts, others := strings.Split(ticket, "."), strings.Split(theirs, ".")
		for _, forged := range []string{
			"", "plt_", ticket + "A", ticket[:len(ticket)-1], others[0] + "." + parts[1] + "." + parts[2],
			parts[0] + "." + others[1] + "." + parts[2], owner.GetRefreshToken(), owner.GetAccessToken(),
		} {
			_, err := redeem(forged)
			refused(t, err, "identity.SESSION_ENDED")
		}

		ok(e.sessions.SignOut(ctx, &identityv1.SignOutRequest{RefreshToken: owner.GetRefreshToken()}))(t)
		_, err := redeem(ticket)
		refused(t, err, "identity.SESSION_ENDED")
		back := ok(e.signIn(ctx, "acme", "owner", goodWord, owner.client))(t)
		back.seq = owner.seq
		_, err = redeem(ticket)
		refused(t, err, "identity.SESSION_ENDED") // it is the last session's, on the same device or not
		ok(redeem(ticketOf(back)))(t)

		ok(e.admin.SetActive(back.write(ctx), &identityv1.SetActiveRequest{UserId: guest.id()}))(t)
		_, err = redeem(theirs)
		refused(t, err, "identity.SESSION_ENDED")
	})
}

// Whoever guesses at tickets is stopped like whoever guesses at tokens. Who has a good one at the same address is not.
func TestGuessingTickets(t *testing.T) {
	cfg := cheap()
	cfg.AddressFailures = 3
	e := start(t, "sqlite:"+t.TempDir()+"/db", cfg)
	ctx := from(t.Context(), "192.0.2.1")
	owner := e.owner(t, "acme")
	good := ok(e.people.GetTicket(owner.read(t.Context()), &identityv1.GetTicketRequest{}))(t).GetTicket()
	var err error
	for range 4 {
		_, err = e.auth.Redeem(ctx, &authv1.RedeemRequest{Ticket: "plt_guess"})
	}
	refused(t, err, "identity.TOO_MANY_ATTEMPTS")
	for range 5 { // nor does it count
		ok(e.auth.Redeem(ctx, &authv1.RedeemRequest{Ticket: good}))(t)
	}
}
