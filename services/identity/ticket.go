package identity

import (
	"context"
	"time"

	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

func (r *people) GetTicket(ctx context.Context, _ *identityv1.GetTicketRequest) (*identityv1.GetTicketResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	d, err := r.s.store.Reads().Device(ctx, c.Device)
	switch {
	case isNotFound(err):
		return nil, errEnded
	case err != nil:
		return nil, err
	case d.Workspace != c.Workspace || d.Person != c.User || d.RevokedMs != 0:
		return nil, errEnded
	case d.Family == "":
		return nil, errNoTicket
	}
	return &identityv1.GetTicketResponse{Ticket: ticket{d.ID, d.Family}.encode(r.s.ring)}, nil
}

// Redeem gives a gateway an access token for a ticket, as long as the session that the ticket belongs to lasts. A forged one counts
// against the address of whoever showed it; one that is genuine is no guess, and lets in whoever has it beside those who guess there.
func (a *authService) Redeem(ctx context.Context, q *authv1.RedeemRequest) (*authv1.RedeemResponse, error) {
	t, ok := decodeTicket(a.s.ring, q.GetTicket())
	if !ok {
		if _, err := a.s.attempt(ctx, ""); err != nil {
			return nil, err
		}
		return nil, errEnded
	}
	now := time.Now().UnixMilli() // before the device is looked at: what revokes it later revokes the token, too
	d, err := a.s.store.Reads().Device(ctx, t.device)
	if isNotFound(err) {
		return nil, errEnded
	} else if err != nil {
		return nil, err
	}
	p, err := a.s.store.Reads().Person(ctx, d.Workspace, d.Person)
	if isNotFound(err) {
		return nil, errEnded
	} else if err != nil {
		return nil, err
	}
	switch {
	case d.RevokedMs != 0 && d.Wipe:
		return nil, errWipe
	case d.RevokedMs != 0, p.DeactivatedMs != 0, d.Family != t.family, now >= d.RotatedMs+a.s.cfg.RefreshTTL.Milliseconds():
		return nil, errEnded
	}
	token, _, err := a.s.access(p, d.ID, now)
	return &authv1.RedeemResponse{AccessToken: token}, err
}
