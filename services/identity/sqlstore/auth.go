package sqlstore

import (
	"context"
	"time"

	"plenum.internal/services/identity/guess"
)

// TakeGuess counts a failed sign-in of an account in advance, as guess.Limit.Take does, in one statement.
func (t Tx) TakeGuess(ctx context.Context, account string, limit guess.Limit, now time.Time) (ok bool, retry time.Duration, err error) {
	nowMs, interval, full := now.UnixMilli(), limit.Interval.Milliseconds(), limit.Full().Milliseconds()
	n, err := t.exec(ctx, "count a failure", `INSERT INTO identity_guess (account, tat_ms) VALUES ($1, $2)
		ON CONFLICT (account) DO UPDATE SET tat_ms = CASE WHEN identity_guess.tat_ms < $3 THEN $2 ELSE identity_guess.tat_ms + $4 END
		WHERE identity_guess.tat_ms < $3 OR identity_guess.tat_ms <= $5`, account, nowMs+interval, nowMs, interval, nowMs+full-interval)
	if err != nil || n > 0 {
		return n > 0, 0, err
	}
	tat, err := one(t.q.QueryRowContext(ctx, "SELECT tat_ms FROM identity_guess WHERE account = $1", account), scanInt, "failures")
	return false, time.Duration(tat+interval-nowMs-full) * time.Millisecond, err
}

// ReturnGuess gives back what TakeGuess counted.
func (t Tx) ReturnGuess(ctx context.Context, account string, limit guess.Limit) error {
	_, err := t.exec(ctx, "uncount a failure", "UPDATE identity_guess SET tat_ms = tat_ms - $2 WHERE account = $1", account, limit.Interval.Milliseconds())
	return err
}

// PruneGuesses forgets accounts whose limit is as new.
func (t Tx) PruneGuesses(ctx context.Context, nowMs int64) error {
	_, err := t.exec(ctx, "prune failures", "DELETE FROM identity_guess WHERE tat_ms < $1", nowMs)
	return err
}

func scanInt(s scanner, v *int64) error { return s.Scan(v) }

// Revocation is a row of identity_revocation.
type Revocation struct {
	Seq, TimeMs               int64
	Workspace, Person, Device string // an empty device: all of the person's
	IssuedBeforeMs            int64
	Wipe                      bool
	Ends                      bool // they have been signed out, or deactivated
}

// Revoke appends to the log of revocations. Rows become visible in the order of their numbers.
func (t Tx) Revoke(ctx context.Context, r Revocation) error {
	seq, err := t.count(ctx, "revocation")
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "revoke", `INSERT INTO identity_revocation (seq, time_ms, workspace, person, device, issued_before_ms, wipe, ends)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, seq, r.TimeMs, r.Workspace, r.Person, r.Device, r.IssuedBeforeMs, flag(r.Wipe), flag(r.Ends))
	return err
}

// count takes the next number of a counter and holds it to the end of the transaction.
func (t Tx) count(ctx context.Context, name string) (int64, error) {
	return one(t.q.QueryRowContext(ctx, "UPDATE identity_counter SET value = value + 1 WHERE name = $1 RETURNING value", name), scanInt, "counter")
}

// SkipRevocations lets the log of revocations go on at a number that was not given out before, or right behind the last one.
func (t Tx) SkipRevocations(ctx context.Context, to int64) error {
	_, err := t.exec(ctx, "skip revocations", "UPDATE identity_counter SET value = CASE WHEN value < $1 THEN $1 ELSE value + 1 END WHERE name = 'revocation'", to)
	return err
}

// Revocations returns at most limit rows of the log after a number.
func (r Reads) Revocations(ctx context.Context, after int64, limit int) ([]Revocation, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT seq, time_ms, workspace, person, device, issued_before_ms, wipe, ends FROM identity_revocation
		WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	return list(rows, err, func(s scanner, v *Revocation) error {
		var wipe, ends int
		err := s.Scan(&v.Seq, &v.TimeMs, &v.Workspace, &v.Person, &v.Device, &v.IssuedBeforeMs, &wipe, &ends)
		v.Wipe, v.Ends = wipe != 0, ends != 0
		return err
	}, "revocations")
}

// LastRevocation returns the number of the last row ever appended. All up to it are visible, but those that were pruned.
func (r Reads) LastRevocation(ctx context.Context) (int64, error) {
	return one(r.q.QueryRowContext(ctx, "SELECT value FROM identity_counter WHERE name = 'revocation'"), scanInt, "counter")
}

// PruneRevocations forgets those that no living token can descend from.
func (t Tx) PruneRevocations(ctx context.Context, beforeMs int64) error {
	_, err := t.exec(ctx, "prune revocations", "DELETE FROM identity_revocation WHERE time_ms < $1", beforeMs)
	return err
}

// Key is a row of identity_signing_key: a signing key.
type Key struct {
	ID                           string
	Public, Sealed               []byte
	StartsMs, EndsMs, NotAfterMs int64
}

// Keys returns the keys that are to be served at a time, the one that signs first longest first.
func (r Reads) Keys(ctx context.Context, nowMs int64) ([]Key, error) {
	rows, err := r.q.QueryContext(ctx, "SELECT id, public, sealed, starts_ms, ends_ms, not_after_ms FROM identity_signing_key WHERE not_after_ms > $1 ORDER BY starts_ms, id", nowMs)
	return list(rows, err, func(s scanner, k *Key) error {
		return s.Scan(&k.ID, &k.Public, &k.Sealed, &k.StartsMs, &k.EndsMs, &k.NotAfterMs)
	}, "keys")
}

// LockKeys lets one process at a time make keys.
func (t Tx) LockKeys(ctx context.Context) error {
	_, err := t.count(ctx, "keys")
	return err
}

// AddKey inserts a signing key.
func (t Tx) AddKey(ctx context.Context, k Key) error {
	_, err := t.exec(ctx, "add key", "INSERT INTO identity_signing_key (id, public, sealed, starts_ms, ends_ms, not_after_ms) VALUES ($1, $2, $3, $4, $5, $6)",
		k.ID, k.Public, k.Sealed, k.StartsMs, k.EndsMs, k.NotAfterMs)
	return err
}

// EndKeys ends all keys at a time: none signs after it, and none is trusted after notAfterMs.
func (t Tx) EndKeys(ctx context.Context, nowMs, notAfterMs int64) error {
	_, err := t.exec(ctx, "end keys", `UPDATE identity_signing_key SET ends_ms = CASE WHEN ends_ms > $1 THEN $1 ELSE ends_ms END,
		not_after_ms = CASE WHEN not_after_ms > $2 THEN $2 ELSE not_after_ms END`, nowMs, notAfterMs)
	return err
}

// AdvanceKeys ends the key that signs at a time, and lets the next one begin there. Give the next one's new times.
func (t Tx) AdvanceKeys(ctx context.Context, nowMs, trustMs, endsMs, notAfterMs int64) error {
	if _, err := t.exec(ctx, "end key", "UPDATE identity_signing_key SET ends_ms = $1, not_after_ms = $2 WHERE starts_ms <= $1 AND ends_ms > $1", nowMs, trustMs); err != nil {
		return err
	}
	_, err := t.exec(ctx, "begin key", "UPDATE identity_signing_key SET starts_ms = $1, ends_ms = $2, not_after_ms = $3 WHERE starts_ms > $1", nowMs, endsMs, notAfterMs)
	return err
}

// PruneKeys deletes keys, private halves with them, that aren't served any more.
func (t Tx) PruneKeys(ctx context.Context, nowMs int64) error {
	_, err := t.exec(ctx, "prune keys", "DELETE FROM identity_signing_key WHERE not_after_ms <= $1", nowMs)
	return err
}
