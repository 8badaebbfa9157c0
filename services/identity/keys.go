package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"plenum.internal/mesh/auth"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// keys are the signing keys as last read from SQL: one that signs, the next one, and former ones that are still trusted.
type keys struct {
	loading sync.Mutex // held while they are read, so that an older reading never replaces a newer one
	current atomic.Pointer[[]signingKey]
}

type signingKey struct {
	auth.SigningKey // without private half where it was sealed by a key that isn't in the ring
	public          []byte
	starts, ends    int64 // Unix ms
}

// at returns the key that signs tokens issued at a time.
func (k *keys) at(ms int64) (auth.SigningKey, bool) {
	all := k.current.Load()
	if all == nil {
		return auth.SigningKey{}, false
	}
	for i := len(*all) - 1; i >= 0; i-- {
		if key := (*all)[i]; key.Private != nil && key.starts <= ms && ms < key.ends {
			return key.SigningKey, true
		}
	}
	return auth.SigningKey{}, false
}

func (k *keys) response() *authv1.KeysResponse {
	out := &authv1.KeysResponse{}
	if all := k.current.Load(); all != nil {
		for _, key := range *all {
			out.Keys = append(out.Keys, &authv1.Key{Id: key.ID, Ed25519: key.public, NotAfterMs: key.NotAfter.UnixMilli()})
		}
	}
	return out
}

// loadKeys reads the signing keys, and first makes those that are missing: there is always one that signs and a next one.
func (s *Server) loadKeys(ctx context.Context) error {
	s.keys.loading.Lock()
	defer s.keys.loading.Unlock()
	now := time.Now().UnixMilli()
	rows, err := s.store.Reads().Keys(ctx, now)
	if err != nil {
		return err
	}
	loaded := s.openKeys(ctx, rows)
	if missing(loaded, now) {
		if err := s.store.Write(ctx, func(tx sqlstore.Tx) error { return s.makeKeys(ctx, tx, now) }); err != nil {
			return err
		}
		if rows, err = s.store.Reads().Keys(ctx, now); err != nil {
			return err
		}
		loaded = s.openKeys(ctx, rows)
	}
	s.keys.current.Store(&loaded)
	return nil
}

// missing reports that no key signs now, or none will after it.
func missing(all []signingKey, now int64) bool {
	current, next := false, false
	for _, k := range all {
		current = current || k.Private != nil && k.starts <= now && now < k.ends
		next = next || k.Private != nil && k.starts > now
	}
	return !current || !next
}

// makeKeys adds a key that signs from now and the next one, whichever is missing. One process at a time does so.
func (s *Server) makeKeys(ctx context.Context, tx sqlstore.Tx, now int64) error {
	if err := tx.LockKeys(ctx); err != nil {
		return err
	}
	rows, err := tx.Keys(ctx, now)
	if err != nil {
		return err
	}
	period := s.cfg.KeyPeriod.Milliseconds()
	ends, next := int64(0), false
	for _, k := range s.openKeys(ctx, rows) {
		switch {
		case k.Private == nil:
		case k.starts <= now && now < k.ends:
			ends = max(ends, k.ends)
		case k.starts > now:
			next = true
		}
	}
	if ends == 0 {
		ends = now + period
		if err := s.addKey(ctx, tx, now, ends); err != nil {
			return err
		}
	}
	if next {
		return nil
	}
	return s.addKey(ctx, tx, ends, ends+period)
}

func (s *Server) addKey(ctx context.Context, tx sqlstore.Tx, starts, ends int64) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	k := sqlstore.Key{ID: sqlstore.NewID(), Public: public, StartsMs: starts, EndsMs: ends, NotAfterMs: ends + s.afterlife()}
	if k.Sealed, err = s.ring.Seal("signing key "+k.ID, private.Seed()); err != nil {
		return err
	}
	return tx.AddKey(ctx, k)
}

// afterlife is how long a key is trusted after it signed last: as long as its tokens live, and a minute for clocks that differ.
func (s *Server) afterlife() int64 { return (s.cfg.AccessTTL + time.Minute).Milliseconds() }

func (s *Server) openKeys(ctx context.Context, rows []sqlstore.Key) []signingKey {
	out := make([]signingKey, 0, len(rows))
	for _, r := range rows {
		k := signingKey{public: r.Public, starts: r.StartsMs, ends: r.EndsMs}
		k.ID, k.NotAfter = r.ID, time.UnixMilli(r.NotAfterMs)
		if seed, err := s.ring.Open("signing key "+r.ID, r.Sealed); err == nil && len(seed) == ed25519.SeedSize {
			k.Private = ed25519.NewKeyFromSeed(seed)
		} else {
			s.log.WarnContext(ctx, "a signing key can't be opened with the configured key; it won't sign any more", "key", r.ID, "error", err)
		}
		out = append(out, k)
	}
	return out
}

// rotateKeys lets the next key sign from now; verifiers know it already, and tokens of the former one stay good to their end.
// If the keys are distrusted, all of them end now, and so does every access token: within a minute, when verifiers look at the keys.
func (s *Server) rotateKeys(ctx context.Context, distrust bool) error {
	now := time.Now().UnixMilli()
	if err := s.store.Write(ctx, func(tx sqlstore.Tx) error {
		if err := tx.LockKeys(ctx); err != nil {
			return err
		}
		ends := now + s.cfg.KeyPeriod.Milliseconds()
		var err error
		if distrust {
			err = tx.EndKeys(ctx, now, now)
		} else {
			err = tx.AdvanceKeys(ctx, now, now+s.afterlife(), ends, ends+s.afterlife())
		}
		if err != nil {
			return err
		}
		if err := s.makeKeys(ctx, tx, now); err != nil {
			return err
		}
		m := marks{}
		m.audit("", now, "keys.rotated", "", "", details{"distrust": distrust})
		return m.write(ctx, tx)
	}); err != nil {
		return err
	}
	return s.loadKeys(ctx)
}

// access signs an access token for a person's device, as issued at a time.
func (s *Server) access(p sqlstore.Person, device string, issuedMs int64) (token string, ttl time.Duration, err error) {
	issuedMs = max(issuedMs, p.TokensAfterMs)
	key, ok := s.keys.at(issuedMs)
	if !ok { // that key is gone: a repeated answer after keys were distrusted
		key, ok = s.keys.at(time.Now().UnixMilli())
	}
	if !ok {
		return "", 0, errStarting
	}
	issued := time.UnixMilli(issuedMs)
	token, err = auth.Sign(key, auth.Claims{
		User: p.ID, Workspace: p.Workspace, Device: device, Role: policy.Name(p.Role), Kind: policy.Kind(p.Role), Permissions: policy.Of(p.Role),
		IssuedAt: issued, Expires: issued.Add(s.cfg.AccessTTL),
	})
	return token, time.Until(issued.Add(s.cfg.AccessTTL)), err
}
