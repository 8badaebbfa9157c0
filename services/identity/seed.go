package identity

import (
	"context"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// maxSeed bounds the accounts of one call: they are made in one transaction.
const maxSeed = 200

// seed makes accounts for a load test, and signs each in.
type seed struct {
	s        *Server
	accounts []*identityv1.SeedAccount
	password string // hash
}

func (*seed) needs() policy.Permission { return policy.Own }

func (d *seed) apply(ctx context.Context, c *change) error {
	answer := &identityv1.SeedResponse{}
	for _, a := range d.accounts {
		if taken, err := c.HandleTaken(ctx, c.workspace, a.GetHandle()); err != nil {
			return err
		} else if taken {
			return errHandle.On("accounts." + a.GetHandle())
		}
	}
	for _, a := range d.accounts {
		p := sqlstore.Person{
			ID: sqlstore.NewID(), Workspace: c.workspace, Handle: a.GetHandle(), DisplayName: a.GetHandle(), Role: identityv1.Role_ROLE_MEMBER,
			Version: 1, CreatedMs: c.nowMs, Pseudonym: sqlstore.NewID(), Password: d.password,
		}
		if err := c.addPerson(ctx, p); err != nil {
			return err
		}
		if _, err := d.s.begin(ctx, c.Tx, &c.marks, p, &identityv1.Client{ClientId: a.GetClientId(), Name: "load test"}, c.nowMs, details(nil).from(c.address)); err != nil {
			return err
		}
		answer.Sessions = append(answer.Sessions, &identityv1.Session{Person: &identityv1.Person{Id: p.ID}})
	}
	c.answer = answer
	c.audit("accounts.seeded", "", details{"count": len(d.accounts), "first": d.accounts[0].GetHandle()})
	return nil
}

// Seed checks all accounts before it makes any. The password is no part of what a retry must repeat: a digest is quick to guess against.
func (r *admin) Seed(ctx context.Context, q *identityv1.SeedRequest) (*identityv1.SeedResponse, error) {
	if _, err := may(ctx, policy.Own, errNotAllowed); err != nil { // before a password is hashed for somebody
		return nil, err
	}
	what := &seed{s: r.s}
	if n := len(q.GetAccounts()); n < 1 || n > maxSeed {
		return nil, invalid("accounts", "Make 1 to %d accounts with one call.", maxSeed)
	}
	named := map[string]bool{}
	for _, a := range q.GetAccounts() {
		h, err := handle(a.GetHandle())
		if err != nil {
			return nil, err
		}
		if err := clientID("accounts.client_id", a.GetClientId()); err != nil {
			return nil, err
		}
		if named[h] {
			return nil, invalid("accounts", "Two accounts are called %s.", h)
		}
		named[h] = true
		what.accounts = append(what.accounts, &identityv1.SeedAccount{Handle: h, ClientId: a.GetClientId()})
	}
	if q.GetPassword() != "" {
		var err error
		if what.password, err = r.s.passwords.Hash(ctx, sender(ctx), q.GetPassword()); err != nil {
			return nil, hashing(err)
		}
	}
	answer := &identityv1.SeedResponse{}
	c, _, err := r.s.mutate(ctx, &identityv1.SeedRequest{Accounts: what.accounts}, what, answer)
	if err != nil {
		return nil, err
	}
	for i, made := range answer.GetSessions() {
		p, err := r.s.store.Reads().Person(ctx, c.Workspace, made.GetPerson().GetId())
		if err != nil {
			return nil, err
		}
		d, err := r.s.store.Reads().DeviceOfClient(ctx, c.Workspace, p.ID, sqlstore.Hash(what.accounts[i].GetClientId()))
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		if err != nil || d.RevokedMs != 0 || d.Generation != 1 {
			return nil, errSecretGone
		}
		if answer.Sessions[i], err = r.s.session(ctx, p, d); err != nil {
			return nil, err
		}
		answer.Sessions[i].Workspace, answer.Sessions[i].Permissions = nil, nil
	}
	return answer, nil
}
