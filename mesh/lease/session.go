package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// MinTTL is the shortest lease; etcd itself rounds up to about one and a half election timeouts.
const MinTTL = 2 * time.Second

// errGone is etcd's word that a lease has ended.
var errGone = errors.New("lease: expired or revoked")

// SessionConfig says how long a silent process counts as present.
type SessionConfig struct {
	TTL time.Duration `koanf:"ttl" doc:"how long after its last sign of life a process counts as present; whole seconds, at least 2s"`
}

// DefaultSessionConfig survives an election and notices a death soon enough.
func DefaultSessionConfig() SessionConfig { return SessionConfig{TTL: 6 * time.Second} }

// Validate names what cannot work.
func (c SessionConfig) Validate() error {
	if c.TTL < MinTTL || c.TTL%time.Second != 0 {
		return fmt.Errorf("lease.ttl: %v is not a whole number of seconds of at least %v", c.TTL, MinTTL)
	}
	return nil
}

// Lease is one unbroken period of presence.
type Lease struct {
	ID   clientv3.LeaseID
	done chan struct{}
	// Invariant: deadline is counted from before the request that etcd answered, so that by this process's clock a
	// lease ends here before it ends there.
	deadline atomic.Int64 // ns since the session's start
	session  *Session
}

// Done is closed when the lease must be taken as lost: etcd said so, or did not answer for a TTL. A process that was
// frozen learns of it late: ask Valid before acting on a lease.
func (l *Lease) Done() <-chan struct{} { return l.done }

// Valid tells whether the lease holds at this moment.
func (l *Lease) Valid() bool {
	select {
	case <-l.done:
		return false
	default:
		return l.left() > 0
	}
}

func (l *Lease) left() time.Duration {
	return time.Duration(l.deadline.Load()) - time.Since(l.session.born)
}

func (l *Lease) renewed(sent time.Time, ttl time.Duration) {
	l.deadline.Store(int64(sent.Add(ttl).Sub(l.session.born)))
}

// Session holds one lease after the other. While etcd is away it goes on trying; nothing needs a restart.
type Session struct {
	etcd etcd
	ttl  time.Duration
	log  *slog.Logger
	born time.Time

	ready   chan struct{}
	changed chan struct{} // wakes Run: keys has dirty entries

	mu      sync.Mutex        // guards what follows
	keys    map[string]string // what shall stand under the lease
	dirty   map[string]bool   // keys that etcd does not have so under this lease; true: to be removed
	current *Lease
	held    chan struct{} // closed and renewed when current becomes a lease
}

// NewSession makes a session on a client, which stays the caller's. log may be nil.
func NewSession(cfg SessionConfig, client *clientv3.Client, log *slog.Logger) (*Session, error) {
	if client == nil {
		return nil, errors.New("lease: a session needs an etcd client")
	}
	return newSession(cfg, remote{client}, log)
}

func newSession(cfg SessionConfig, e etcd, log *slog.Logger) (*Session, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Session{
		etcd: e, ttl: cfg.TTL, log: log, born: time.Now(),
		ready: make(chan struct{}), changed: make(chan struct{}, 1), held: make(chan struct{}),
		keys: map[string]string{}, dirty: map[string]bool{},
	}, nil
}

// Put has a key stand under the lease: as soon as etcd can be reached, and again with every new lease.
func (s *Session) Put(key, value string) {
	s.mu.Lock()
	s.keys[key] = value
	s.dirty[key] = false
	s.mu.Unlock()
	s.wake()
}

// Delete takes back what Put did, also in etcd.
func (s *Session) Delete(key string) {
	s.mu.Lock()
	delete(s.keys, key)
	s.dirty[key] = true
	s.mu.Unlock()
	s.wake()
}

func (s *Session) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Current is the lease held, or nil.
func (s *Session) Current() *Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Held waits for a lease. An owner loops: Held, claim, work until Done, begin again.
func (s *Session) Held(ctx context.Context) (*Lease, error) {
	for {
		s.mu.Lock()
		lease, held := s.current, s.held
		s.mu.Unlock()
		if lease != nil {
			return lease, nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Ready is closed when the first lease is held and the keys put until then stand under it.
func (s *Session) Ready() <-chan struct{} { return s.ready }

// Run holds the lease until ctx ends, then gives it back, so that others notice at once.
func (s *Session) Run(ctx context.Context) error {
	for attempt := 0; ctx.Err() == nil; {
		lease, err := s.acquire(ctx)
		if err == nil {
			attempt = 0
			s.log.Info("holds a lease", "lease", lease.ID)
			err = s.keep(ctx, lease)
			s.lose(lease)
			if ctx.Err() != nil {
				s.giveBack(context.WithoutCancel(ctx), lease)
				break
			}
		}
		s.log.Warn("has no lease and tries again", "err", err)
		pause(ctx, attempt)
		attempt++
	}
	return nil
}

func (s *Session) acquire(ctx context.Context) (*Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, s.ttl/2)
	defer cancel()
	sent := time.Now()
	id, err := s.etcd.grant(ctx, s.ttl)
	if err != nil {
		return nil, err
	}
	lease := &Lease{ID: id, done: make(chan struct{}), session: s}
	lease.renewed(sent, s.ttl)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = lease
	close(s.held)
	s.held = make(chan struct{})
	for key := range s.keys {
		s.dirty[key] = false
	}
	return lease, nil
}

// keep renews the lease until it is lost or ctx ends.
func (s *Session) keep(ctx context.Context, lease *Lease) error {
	every, soon := s.ttl/3, s.ttl/12
	next := time.Now().Add(every)
	for {
		err := s.write(ctx, lease)
		if err == nil && !time.Now().Before(next) {
			next = time.Now().Add(every)
			err = s.renew(ctx, lease)
		}
		switch {
		case errors.Is(err, errGone):
			return err
		case lease.left() <= 0:
			return errors.Join(fmt.Errorf("lease: no answer from etcd for %v", s.ttl), err)
		case err != nil:
			next = time.Now().Add(soon)
		}
		timer := time.NewTimer(min(time.Until(next), lease.left()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (s *Session) renew(ctx context.Context, lease *Lease) error {
	ctx, cancel := s.patience(ctx, lease)
	defer cancel()
	sent := time.Now()
	ttl, err := s.etcd.renew(ctx, lease.ID)
	if err == nil {
		lease.renewed(sent, ttl)
	}
	return err
}

// patience limits a request so that several fit into a TTL, and none hides the end of the lease.
func (s *Session) patience(ctx context.Context, lease *Lease) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(s.ttl/6, lease.left()))
}

// write brings the dirty keys into etcd.
func (s *Session) write(ctx context.Context, lease *Lease) error {
	ctx, cancel := s.patience(ctx, lease)
	defer cancel()
	for {
		key, value, remove, ok := s.nextDirty()
		if !ok {
			s.markReady()
			return nil
		}
		var err error
		if remove {
			err = s.etcd.remove(ctx, key)
		} else {
			err = s.etcd.put(ctx, lease.ID, key, value)
		}
		if err != nil {
			return err
		}
		s.clean(key, value, remove)
	}
}

func (s *Session) nextDirty() (key, value string, remove, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, remove := range s.dirty {
		return key, s.keys[key], remove, true
	}
	return "", "", false, false
}

// clean forgets that a key was dirty, unless it changed while it was written.
func (s *Session) clean(key, value string, removed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if remove, dirty := s.dirty[key]; dirty && remove == removed && s.keys[key] == value {
		delete(s.dirty, key)
	}
}

func (s *Session) markReady() {
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
}

// lose leaves the lease in etcd to its TTL: the next one takes over its keys, and nobody sees them vanish.
func (s *Session) lose(lease *Lease) {
	s.mu.Lock()
	s.current = nil
	s.mu.Unlock()
	close(lease.done)
}

func (s *Session) giveBack(ctx context.Context, lease *Lease) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := s.etcd.revoke(ctx, lease.ID); err != nil {
		s.log.Warn("could not give its lease back; it expires by itself", "err", err)
	}
}

// pause waits from 50 ms to 1 s, spread over the upper half.
func pause(ctx context.Context, attempt int) {
	d := min(50*time.Millisecond<<min(attempt, 10), time.Second)
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
