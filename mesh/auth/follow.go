package auth

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	authv1 "plenum.internal/proto/plenum/auth/v1"
)

const (
	sourceTimeout   = 5 * time.Second // one read of the keys
	unknownKeyPause = time.Second     // between two reads that unknown keys cause: forged tokens must not become calls to identity
	retryMin        = 50 * time.Millisecond
	retryMax        = 2 * time.Second
	pruneInterval   = time.Minute
)

// Run follows keys and revocations until ctx ends; then it returns nil. It outlasts every failure of the source.
func (v *Verifier) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { v.followKeys(ctx) })
	wg.Go(func() { v.followRevocations(ctx) })
	wg.Wait()
	return nil
}

// Ready is closed once the keys and the whole log of revocations were read.
func (v *Verifier) Ready() <-chan struct{} { return v.ready }

func (v *Verifier) isReady() bool {
	select {
	case <-v.ready:
		return true
	default:
		return false
	}
}

func (v *Verifier) progress() {
	if v.keys.Load() != nil && v.caught.Load() {
		v.once.Do(func() { close(v.ready) })
	}
}

// Stale reports that nothing came from the feed of revocations for StaleAfter: open no session, keep those that are.
func (v *Verifier) Stale() bool {
	return !v.isReady() || time.Since(time.UnixMilli(v.heard.Load())) >= v.cfg.StaleAfter
}

func (v *Verifier) feedAge() float64 {
	heard := v.heard.Load()
	if heard == 0 {
		return -1
	}
	return time.Since(time.UnixMilli(heard)).Seconds()
}

// OnRevocation calls f for every revocation that arrives from now on, one at a time, in order, after Verify began to heed it.
// f must not block. No call begins after cancel returned, but one may still be under way.
func (v *Verifier) OnRevocation(f func(*authv1.Revocation)) (cancel func()) {
	l := &listener{f}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.listeners[l] = struct{}{}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.listeners, l)
	}
}

func (v *Verifier) followKeys(ctx context.Context) {
	retry := backoff{}
	for {
		wait := v.cfg.KeyInterval
		if err := v.readKeys(ctx, 0); err != nil {
			if ctx.Err() != nil {
				return
			}
			v.log.WarnContext(ctx, "can't read identity's keys", "error", err)
			wait = retry.next()
		} else {
			retry = backoff{}
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// key returns a verification key. An unknown one is asked for, at most once every unknownKeyPause.
func (v *Verifier) key(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if k, ok := (*v.keys.Load())[id]; ok {
		return k.key, nil
	}
	if err := v.readKeys(ctx, unknownKeyPause); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStale, err)
	}
	if k, ok := (*v.keys.Load())[id]; ok {
		return k.key, nil
	}
	return nil, ErrRefused
}

// readKeys reads the keys. An attempt younger than pause is not repeated: its outcome stands. One reads at a time, the others
// wait for it.
func (v *Verifier) readKeys(ctx context.Context, pause time.Duration) error {
	select {
	case v.fetch <- struct{}{}:
		defer func() { <-v.fetch }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if pause > 0 && time.Since(v.fetched) < pause {
		return v.fetchErr
	}
	err := v.requestKeys(ctx)
	if ctx.Err() == nil || err == nil { // a caller that went away has learnt nothing for the others
		v.fetched, v.fetchErr = time.Now(), err
	}
	return err
}

func (v *Verifier) requestKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	answer, err := v.src.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	keys := make(map[string]publicKey, len(answer.GetKeys()))
	for _, k := range answer.GetKeys() {
		if len(k.GetEd25519()) != ed25519.PublicKeySize {
			return fmt.Errorf("read keys: key %q has %d bytes", k.GetId(), len(k.GetEd25519()))
		}
		p := publicKey{key: k.GetEd25519()}
		if ms := k.GetNotAfterMs(); ms != 0 {
			p.notAfter = time.UnixMilli(ms)
		}
		keys[k.GetId()] = p
	}
	v.keys.Store(&keys)
	v.progress()
	return nil
}

func (v *Verifier) followRevocations(ctx context.Context) {
	var (
		after uint64
		retry backoff
	)
	for {
		heard := v.heard.Load()
		err := v.readRevocations(ctx, &after)
		if ctx.Err() != nil {
			return
		}
		if v.heard.Load() != heard {
			retry = backoff{}
		}
		v.log.WarnContext(ctx, "the feed of revocations broke off", "after", after, "error", err)
		if !sleep(ctx, retry.next()) {
			return
		}
	}
}

// readRevocations follows one stream until it ends, falls silent, or turns out to be another log.
func (v *Verifier) readRevocations(ctx context.Context, after *uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := v.cfg.StaleAfter / 2 // a half-open connection must be given up before it makes us stale
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	stream, err := v.src.Revocations(ctx, *after)
	if err != nil {
		return fmt.Errorf("follow revocations: %w", err)
	}
	pruned := time.Now()
	for {
		r, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("follow revocations: %w", err)
		}
		watchdog.Reset(silence)
		if upto := r.GetUpto(); upto != 0 && upto < *after {
			*after = 0
			return fmt.Errorf("follow revocations: identity's log ends at %d, before what was read: reading it anew", upto)
		}
		now := time.Now()
		for _, x := range r.GetRevocations() {
			v.revoke(x, now)
		}
		*after = max(*after, r.GetUpto())
		v.heard.Store(now.UnixMilli())
		if len(r.GetRevocations()) == 0 && !v.caught.Swap(true) {
			v.progress()
		}
		if now.Sub(pruned) >= pruneInterval {
			pruned = now
			v.revoked.prune(now.Add(-v.cfg.MaxLifetime - v.cfg.Skew))
		}
	}
}

func (v *Verifier) revoke(r *authv1.Revocation, now time.Time) {
	if r.GetIssuedBeforeMs() > now.Add(-v.cfg.MaxLifetime-v.cfg.Skew).UnixMilli() {
		v.revoked.add(r)
	}
	v.mu.Lock()
	calls := make([]*listener, 0, len(v.listeners))
	for l := range v.listeners {
		calls = append(calls, l)
	}
	v.mu.Unlock()
	for _, l := range calls {
		l.f(r)
	}
}

// revocations remembers until when issued tokens of an account or device are refused. What no living token can descend from
// is pruned, so it holds at most what identity revoked within MaxLifetime.
type revocations struct {
	mu sync.RWMutex
	m  map[subject]int64 // issued before, Unix ms
}

// subject: an empty device means all devices, an empty user everybody.
type subject struct{ workspace, user, device string }

func (s *revocations) add(r *authv1.Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[subject]int64{}
	}
	k := subject{r.GetWorkspace(), r.GetUser(), r.GetDevice()}
	s.m[k] = max(s.m[k], r.GetIssuedBeforeMs())
}

func (s *revocations) covers(c Claims) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.m) == 0 {
		return false
	}
	issued := c.IssuedAt.UnixMilli()
	return issued < s.m[subject{c.Workspace, c.User, c.Device}] ||
		issued < s.m[subject{c.Workspace, c.User, ""}] ||
		issued < s.m[subject{c.Workspace, "", ""}]
}

func (s *revocations) prune(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, ms := range s.m {
		if ms < before.UnixMilli() {
			delete(s.m, k)
		}
	}
}

// backoff doubles from retryMin to retryMax, with full jitter above the minimum.
type backoff struct{ d time.Duration }

func (b *backoff) next() time.Duration {
	b.d = min(max(2*b.d, retryMin), retryMax)
	return retryMin/2 + rand.N(b.d)
}

// sleep reports whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
