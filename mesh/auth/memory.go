package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// Memory is a Source that lives in the process: the double of identity for the tests of every package.
type Memory struct {
	mu      sync.Mutex // guards all below
	keys    []*authv1.Key
	log     []*authv1.Revocation // position = index + 1
	err     error                // what every call answers while set
	silent  bool
	changed chan struct{} // closed and replaced at every change
}

// NewMemory returns a source that serves the public halves of the keys.
func NewMemory(keys ...SigningKey) *Memory {
	m := &Memory{changed: make(chan struct{})}
	m.SetKeys(keys...)
	return m
}

// PublicKey returns the served form of a signing key.
func PublicKey(k SigningKey) *authv1.Key {
	p := &authv1.Key{Id: k.ID, Ed25519: slices.Clone(k.Private[len(k.Private)-32:])}
	if !k.NotAfter.IsZero() {
		p.NotAfterMs = k.NotAfter.UnixMilli()
	}
	return p
}

// SetKeys replaces the served keys.
func (m *Memory) SetKeys(keys ...SigningKey) {
	m.change(func() {
		m.keys = nil
		for _, k := range keys {
			m.keys = append(m.keys, PublicKey(k))
		}
	})
}

// Revoke appends to the log of revocations.
func (m *Memory) Revoke(r *authv1.Revocation) { m.change(func() { m.log = append(m.log, r) }) }

// Forget empties the log of revocations, as a restore from an old backup would.
func (m *Memory) Forget() { m.change(func() { m.log = nil }) }

// Fail makes every call, and every stream under way, end with err until it is called with nil.
func (m *Memory) Fail(err error) { m.change(func() { m.err = err }) }

// Silence stops or resumes the heartbeats and the log while streams stay open, as a half-open connection would.
func (m *Memory) Silence(on bool) { m.change(func() { m.silent = on }) }

func (m *Memory) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.changed)
	m.changed = make(chan struct{})
}

// Keys implements Source.
func (m *Memory) Keys(context.Context) (*authv1.KeysResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &authv1.KeysResponse{Keys: slices.Clone(m.keys)}, m.err
}

// Revocations implements Source.
func (m *Memory) Revocations(ctx context.Context, after uint64) (RevocationStream, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memoryStream{m: m, ctx: ctx, after: after}, m.err
}

type memoryStream struct {
	m     *Memory
	ctx   context.Context //nolint:containedctx // of the call, as in a gRPC stream
	after uint64
	idle  bool // the backlog's end was told: the next heartbeat waits
}

func (s *memoryStream) Recv() (*authv1.RevocationsResponse, error) {
	for {
		s.m.mu.Lock()
		err, silent, changed, log := s.m.err, s.m.silent, s.m.changed, s.m.log
		s.m.mu.Unlock()
		upto := uint64(len(log))
		var beat <-chan time.Time
		switch {
		case err != nil:
			return nil, err
		case silent:
		case upto < s.after:
			s.after = upto
			return &authv1.RevocationsResponse{Upto: max(upto, 1)}, nil
		case upto > s.after:
			news := log[s.after:]
			s.after, s.idle = upto, false
			return &authv1.RevocationsResponse{Revocations: slices.Clone(news), Upto: upto}, nil
		case !s.idle:
			s.idle = true
			return &authv1.RevocationsResponse{}, nil
		default:
			beat = time.After(500 * time.Millisecond)
		}
		select {
		case <-s.ctx.Done():
			return nil, s.ctx.Err()
		case <-changed:
		case <-beat:
			return &authv1.RevocationsResponse{}, nil
		}
	}
}
