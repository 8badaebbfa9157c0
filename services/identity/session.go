package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/password"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// begin signs a client of an active person in: on its device if it is signed in already, on a new one otherwise.
func (s *Server) begin(ctx context.Context, tx sqlstore.Tx, m *marks, p sqlstore.Person, c *identityv1.Client, now int64, how details) (sqlstore.Device, error) {
	client := sqlstore.Hash(c.GetClientId())
	d, err := tx.DeviceOfClient(ctx, p.Workspace, p.ID, client)
	if err != nil && !isNotFound(err) {
		return d, err
	}
	if isNotFound(err) || d.RevokedMs != 0 {
		d = sqlstore.Device{ID: sqlstore.NewID(), Workspace: p.Workspace, Person: p.ID, ClientHash: client, CreatedMs: now}
		all, err := tx.Devices(ctx, p.Workspace, p.ID, maxDevices)
		if err != nil {
			return d, err
		}
		if len(all) >= maxDevices { // the one that was not used for longest makes room
			oldest := all[len(all)-1]
			if _, err := tx.RevokeDevice(ctx, p.Workspace, p.ID, oldest.ID, now, false); err != nil {
				return d, err
			}
			m.revoke(p, oldest.ID, now, false, true)
		}
	}
	d.Name, d.Agent, d.SeenMs, d.RotatedMs = c.GetName(), c.GetAgent(), now, now
	d.Family, d.Generation, d.RevokedMs, d.Wipe = sqlstore.NewID(), 1, 0, false
	m.audit(p.Workspace, now, "sign_in", p.Pseudonym, d.ID, how)
	return d, tx.PutDevice(ctx, d)
}

// session is the answer for a device whose refresh token was last rotated at d.RotatedMs: the same whenever it is asked for.
func (s *Server) session(ctx context.Context, p sqlstore.Person, d sqlstore.Device) (*identityv1.Session, error) {
	w, err := s.store.Reads().Workspace(ctx, p.Workspace)
	if err != nil {
		return nil, err
	}
	issued := d.RotatedMs
	if d.Family == "" { // a service account's device: tokens come from its secret
		issued = time.Now().UnixMilli()
	}
	access, ttl, err := s.access(p, d.ID, issued)
	if err != nil {
		return nil, err
	}
	out := &identityv1.Session{
		AccessToken: access, AccessTtlMs: ms(ttl), DeviceId: d.ID, Person: personProto(p), Workspace: workspaceProto(w), Permissions: policy.Of(p.Role),
	}
	if d.Family != "" {
		out.RefreshToken = refreshToken{d.ID, d.Family, d.Generation}.encode(s.ring)
		out.RefreshTtlMs = ms(time.Until(time.UnixMilli(d.RotatedMs).Add(s.cfg.RefreshTTL)))
	}
	return out, nil
}

func ms(d time.Duration) uint32 { return uint32(min(max(d.Milliseconds(), 0), 1<<32-1)) }

// attempt is one guess at a secret, counted as failed until it is known to be right.
type attempt struct {
	s       *Server
	address string
	account string // hash that names the account in the table of failures; empty: not of an account
}

// attempt counts a guess against the caller's address, and against an account unless that is empty.
func (s *Server) attempt(ctx context.Context, account string) (*attempt, error) {
	a := &attempt{s: s, address: clientAddress(ctx), account: account}
	if ok, retry := s.addresses.Take(a.address); !ok {
		s.metrics.refused("address")
		return nil, tooMany(retry)
	}
	if account == "" {
		return a, nil
	}
	ok, retry := false, time.Duration(0)
	if err := s.store.Write(ctx, func(tx sqlstore.Tx) (err error) {
		ok, retry, err = tx.TakeGuess(ctx, account, s.cfg.accountLimit(), time.Now())
		return err
	}); err != nil {
		s.addresses.Return(a.address)
		return nil, err
	}
	if !ok {
		s.addresses.Return(a.address) // nothing was tried
		s.metrics.refused("account")
		return nil, tooMany(retry)
	}
	return a, nil
}

// forgive uncounts the attempt: it was right, or was never tried.
func (a *attempt) forgive(ctx context.Context) error {
	a.s.addresses.Return(a.address)
	if a.account == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return a.s.store.Write(ctx, func(tx sqlstore.Tx) error { return tx.ReturnGuess(ctx, a.account, a.s.cfg.accountLimit()) })
}

// account names what is guessed at: a handle in a workspace, whether they exist or not, by a known device or by any other.
// A known device has a count of its own, so that strangers can't lock its owner out.
func account(name, device string) string { return sqlstore.Hash(fmt.Sprintf("%q %q", name, device)) }

// verify checks a password in a place that was taken for it, and makes a new hash if the stored one was made at another cost.
func (s *Server) verify(ctx context.Context, place *password.Place, stored, typed string) (ok bool, rehash string, err error) {
	ok, stale, err := place.Verify(ctx, stored, typed)
	place.Leave()
	if err != nil {
		return false, "", hashing(err)
	}
	if stale {
		rehash, _ = s.passwords.Hash(ctx, sender(ctx), typed) // another time will do
	}
	return ok, rehash, nil
}

// signIn checks the password of an account, which may not exist (its ID is empty then), and signs the client in. name is what the
// guess is counted against.
func (s *Server) signIn(ctx context.Context, name string, p sqlstore.Person, c *identityv1.Client, typed string) (*identityv1.Session, error) {
	// Who finds no place is told so before anything is written: a storm of sign-ins would keep refreshes waiting for the database.
	place, err := s.passwords.Enter(sender(ctx))
	if err != nil {
		return nil, hashing(err)
	}
	defer place.Leave()
	d, err := s.store.Reads().DeviceOfClient(ctx, p.Workspace, p.ID, sqlstore.Hash(c.GetClientId()))
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	try, err := s.attempt(ctx, account(name, d.ID))
	if err != nil {
		return nil, err
	}
	ok, rehash, err := s.verify(ctx, place, p.Password, typed)
	if err != nil {
		return nil, errors.Join(err, try.forgive(ctx))
	}
	if !ok || p.DeactivatedMs != 0 {
		s.metrics.signIn("refused")
		return nil, s.failed(ctx, p.Workspace, "sign_in.failed", p.Pseudonym, errSignIn)
	}
	session, err := s.enter(ctx, p.Workspace, p.ID, c, func(tx sqlstore.Tx, _ *marks, now *sqlstore.Person) error {
		if now.Password != p.Password {
			return errSignIn // changed this very moment
		}
		if rehash != "" {
			now.Password = rehash
			if err := tx.UpdatePerson(ctx, *now); err != nil {
				return err
			}
		}
		return tx.ReturnGuess(ctx, try.account, s.cfg.accountLimit())
	})
	if !errors.Is(err, errSignIn) {
		s.addresses.Return(try.address)
	}
	return session, err
}

// enter begins a session of an active person in one transaction, after what allow checks and writes.
func (s *Server) enter(ctx context.Context, workspace, id string, c *identityv1.Client, allow func(sqlstore.Tx, *marks, *sqlstore.Person) error) (*identityv1.Session, error) {
	var (
		p sqlstore.Person
		d sqlstore.Device
	)
	err := s.store.Write(ctx, func(tx sqlstore.Tx) (err error) {
		m, now := marks{}, time.Now().UnixMilli()
		if p, err = tx.LockPerson(ctx, workspace, id); err != nil {
			return err
		}
		if p.DeactivatedMs != 0 {
			return errSignIn
		}
		if err := allow(tx, &m, &p); err != nil {
			return err
		}
		if d, err = s.begin(ctx, tx, &m, p, c, now, details{"device_name": c.GetName()}.from(clientAddress(ctx))); err != nil {
			return err
		}
		return m.write(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	s.feed.nudge()
	s.metrics.signIn("ok")
	return s.session(ctx, p, d)
}

// failed puts a refusal on record and returns it. What isn't known goes to the installation's chain, at the same cost.
func (s *Server) failed(ctx context.Context, workspace, action, target string, refusal error) error {
	m := marks{}
	m.audit(workspace, time.Now().UnixMilli(), action, "", target, details(nil).from(clientAddress(ctx)))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // who hangs up is put on record, too
	defer cancel()
	if err := s.store.Write(ctx, func(tx sqlstore.Tx) error { return m.write(ctx, tx) }); err != nil {
		s.log.WarnContext(ctx, "a refusal could not be put on record", "action", action, "error", err)
	}
	return refusal
}

// genuine reads a refresh token. One that was never ours counts against the caller's address, and is errEnded. What is genuine is no guess, so
// that an office that comes back after an outage may refresh at once from its one address.
func (s *Server) genuine(ctx context.Context, text string) (refreshToken, error) {
	token, ok := decodeRefresh(s.ring, text)
	if ok {
		return token, nil
	}
	if _, err := s.attempt(ctx, ""); err != nil {
		return token, err
	}
	return token, errEnded
}

// refresh spends a refresh token.
//
// Invariant: of each generation of a family one refresh at most succeeds; the grace repeats its answer to its own client only.
func (s *Server) refresh(ctx context.Context, text, clientID string) (*identityv1.Session, error) {
	token, err := s.genuine(ctx, text)
	if errors.Is(err, errEnded) {
		s.metrics.refresh("forged")
	}
	if err != nil {
		return nil, err
	}
	var (
		p       sqlstore.Person
		d       sqlstore.Device
		refusal error
		outcome string
	)
	err = s.store.Write(ctx, func(tx sqlstore.Tx) (err error) {
		refusal, outcome = nil, "rotated"
		if p, d, err = lockDevice(ctx, tx, token.device); isNotFound(err) {
			refusal = errEnded
			return nil
		} else if err != nil {
			return err
		}
		now := time.Now().UnixMilli()
		switch {
		case d.RevokedMs != 0 && d.Wipe:
			refusal = errWipe
		case d.RevokedMs != 0, p.DeactivatedMs != 0, d.Family != token.family, token.generation > d.Generation,
			now >= d.RotatedMs+s.cfg.RefreshTTL.Milliseconds():
			refusal = errEnded
		case d.ClientHash != sqlstore.Hash(clientID), token.generation < d.Generation-1,
			token.generation < d.Generation && now > d.RotatedMs+s.cfg.Grace.Milliseconds():
			refusal, outcome = errEnded, "reused"
			return s.stolen(ctx, tx, p, d, token, now)
		case token.generation == d.Generation:
			if _, err := tx.RotateDevice(ctx, d.ID, d.Family, d.Generation, now); err != nil {
				return err
			}
			d.Generation, d.RotatedMs = d.Generation+1, now
		default:
			outcome = "repeated"
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		if outcome == "rotated" {
			outcome = "ended"
		}
		s.feed.nudge()
		s.metrics.refresh(outcome)
		return nil, refusal
	}
	s.metrics.refresh(outcome)
	return s.session(ctx, p, d)
}

// lockDevice loads a device and its person, the person locked first.
func lockDevice(ctx context.Context, tx sqlstore.Tx, id string) (sqlstore.Person, sqlstore.Device, error) {
	d, err := tx.Device(ctx, id)
	if err != nil {
		return sqlstore.Person{}, d, err
	}
	p, err := tx.LockPerson(ctx, d.Workspace, d.Person)
	if err != nil {
		return p, d, err
	}
	d, err = tx.Device(ctx, id) // as it is under the lock
	return p, d, err
}

// stolen ends the session of a refresh token that two parties hold.
func (s *Server) stolen(ctx context.Context, tx sqlstore.Tx, p sqlstore.Person, d sqlstore.Device, t refreshToken, now int64) error {
	if _, err := tx.RevokeDevice(ctx, d.Workspace, d.Person, d.ID, now, false); err != nil {
		return err
	}
	m := marks{}
	m.revoke(p, d.ID, now, false, true)
	m.audit(p.Workspace, now, "session.reuse", p.Pseudonym, d.ID, details{"generation": t.generation, "current": d.Generation}.from(clientAddress(ctx)))
	return m.write(ctx, tx)
}

// signOut ends the session of a genuine refresh token; any other is as good as signed out.
func (s *Server) signOut(ctx context.Context, text string) error {
	token, err := s.genuine(ctx, text)
	if errors.Is(err, errEnded) {
		return nil
	} else if err != nil {
		return err
	}
	defer s.feed.nudge()
	return s.store.Write(ctx, func(tx sqlstore.Tx) error {
		p, d, err := lockDevice(ctx, tx, token.device)
		if isNotFound(err) || err == nil && (d.Family != token.family || d.RevokedMs != 0) {
			return nil
		} else if err != nil {
			return err
		}
		now := time.Now().UnixMilli()
		if _, err := tx.RevokeDevice(ctx, d.Workspace, d.Person, d.ID, now, false); err != nil {
			return err
		}
		m := marks{}
		m.revoke(p, d.ID, now, false, true)
		m.audit(p.Workspace, now, "sign_out", p.Pseudonym, d.ID, nil)
		return m.write(ctx, tx)
	})
}

// exchange gives the bearer of a service account's secret an access token.
func (s *Server) exchange(ctx context.Context, secret string) (*identityv1.Session, error) {
	try, err := s.attempt(ctx, "")
	if err != nil {
		return nil, err
	}
	id, _ := decodeService(secret) // "" isn't found
	reads := s.store.Reads()
	p, err := reads.Account(ctx, id)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if !sameSecret(p.SecretHash, secret) || p.DeactivatedMs != 0 {
		return nil, s.failed(ctx, p.Workspace, "exchange.failed", p.Pseudonym, errSignIn)
	}
	d, err := reads.DeviceOfClient(ctx, p.Workspace, p.ID, serviceClient)
	if err != nil {
		return nil, err
	}
	s.addresses.Return(try.address)
	return s.session(ctx, p, d)
}
