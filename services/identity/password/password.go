// Package password hashes and checks passwords with argon2id, a bounded number at a time.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"
)

// The bounds of a password as typed, before hashing.
const (
	MinRunes = 10
	MaxBytes = 256
)

const (
	saltBytes = 16
	keyBytes  = 32
)

// Config is the cost of one hash and the bounds of all. RFC 9106 explains the first three; the defaults are OWASP's minimum.
type Config struct {
	MemoryKiB   uint32 // for each hash under way; default 19,456
	Passes      uint32 // default 2
	Threads     uint8  // default 1
	Concurrency int    // hashes at a time; memory is bounded by Concurrency x MemoryKiB. Default 2
	Queue       int    // callers that wait for their turn; of one sender no more than places are free, and more are refused at once with BusyError. Default 128
}

// Default returns the defaults.
func Default() Config {
	return Config{MemoryKiB: 19456, Passes: 2, Threads: 1, Concurrency: 2, Queue: 128}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.MemoryKiB < 8*uint32(c.Threads) || c.MemoryKiB > 4<<20:
		return fmt.Errorf("password_memory_kib: %d KiB; choose between 8 KiB a thread and 4 GiB", c.MemoryKiB)
	case c.Passes < 1 || c.Passes > 64 || c.Threads < 1:
		return fmt.Errorf("password_passes: %d passes on %d threads: choose 1-64 passes and at least one thread", c.Passes, c.Threads)
	case c.Concurrency < 1 || c.Queue < 0:
		return fmt.Errorf("password_concurrency %d and password_queue %d: choose at least 1 and 0", c.Concurrency, c.Queue)
	}
	return nil
}

// BusyError says that the queue is full, and when to try again.
type BusyError struct{ RetryAfter time.Duration }

func (e *BusyError) Error() string {
	return fmt.Sprintf("password: too many checks wait; retry in %v", e.RetryAfter)
}

// ErrForm says that a new password is too short, too long, or has characters that can't be typed again reliably.
var ErrForm = errors.New("password: use 10 characters or more, at most 256 bytes, without control characters")

// Hasher hashes and checks. Safe for concurrent use.
type Hasher struct {
	cfg     Config
	running chan struct{} // one token for each hash under way
	inside  queue         // whose turn it is, and who waits for it
	hashes  atomic.Uint64
	costNs  atomic.Int64 // moving average of one hash
	never   hash         // what an absent account is compared with: same cost, never equal
}

// New validates cfg and returns a Hasher; it starts nothing.
func New(cfg Config) (*Hasher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Hasher{cfg: cfg, running: make(chan struct{}, cfg.Concurrency), inside: queue{places: cfg.Concurrency + cfg.Queue, by: map[string]int{}}}
	h.never = h.fresh()
	h.never.key = nil // compares unequal with everything
	h.costNs.Store(int64(50 * time.Millisecond))
	return h, nil
}

// Place is a place in the queue. Who has work to do before a hash that would be in vain without one takes it first.
type Place struct {
	h      *Hasher
	sender string
	once   sync.Once
}

// Enter takes a place for a sender (empty: a part of the mesh): nobody takes the whole queue. Leave gives it back. Its error is a *BusyError.
func (h *Hasher) Enter(sender string) (*Place, error) {
	n, ok := h.inside.enter(sender)
	if !ok {
		return nil, &BusyError{h.delay(n)}
	}
	return &Place{h: h, sender: sender}, nil
}

// Leave gives the place back. Again it does nothing.
func (p *Place) Leave() { p.once.Do(func() { p.h.inside.leave(p.sender) }) }

// Hash returns the password's hash in PHC form. Errors: ErrForm, *BusyError, or the context's.
func (h *Hasher) Hash(ctx context.Context, sender, password string) (string, error) {
	typed, err := prepare(password)
	if err != nil || utf8.RuneCountInString(typed) < MinRunes {
		return "", ErrForm
	}
	place, err := h.Enter(sender)
	if err != nil {
		return "", err
	}
	defer place.Leave()
	x := h.fresh()
	x.key, err = h.derive(ctx, typed, x)
	if err != nil {
		return "", err
	}
	return x.String(), nil
}

// Verify compares a password with a hash; stored "" stands for an account that doesn't exist or has no password: it costs the
// same and is never equal. stale says that the hash was made at another cost: hash again. Errors: the context's, or a stored hash that
// can't be read.
func (p *Place) Verify(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	h := p.h
	x := h.never
	if stored != "" {
		if x, err = parse(stored); err != nil {
			return false, false, err
		}
	}
	typed, err := prepare(password)
	if err != nil {
		x, typed = h.never, "never" // takes as long as any other
	}
	key, err := h.derive(ctx, typed, x)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(key, x.key) == 1
	return ok, ok && (x.memory != h.cfg.MemoryKiB || x.passes != h.cfg.Passes || x.threads != h.cfg.Threads), nil
}

// prepare makes the same bytes of the same characters typed on different keyboards: RFC 8265, OpaqueString.
func prepare(password string) (string, error) {
	if len(password) > MaxBytes || !utf8.ValidString(password) {
		return "", ErrForm
	}
	s, err := precis.OpaqueString.String(password)
	if err != nil {
		return "", ErrForm
	}
	return s, nil
}

// derive runs argon2id when it is its turn.
func (h *Hasher) derive(ctx context.Context, password string, x hash) ([]byte, error) {
	select {
	case h.running <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.running }()
	h.hashes.Add(1)
	start := time.Now()
	key := argon2.IDKey([]byte(password), x.salt, x.passes, x.memory, x.threads, keyBytes)
	h.costNs.Store((7*h.costNs.Load() + int64(time.Since(start))) / 8) // a lost update only blurs the average
	return key, nil
}

// Hashes returns how many hashes were computed so far.
func (h *Hasher) Hashes() uint64 { return h.hashes.Load() }

// Waiting returns how many callers wait for their turn.
func (h *Hasher) Waiting() int { return max(0, h.inside.length()-len(h.running)) }

// delay is how long n callers keep the hasher busy, at least a second.
func (h *Hasher) delay(n int) time.Duration {
	return max(time.Second, time.Duration(int64(n)*h.costNs.Load()/int64(h.cfg.Concurrency)))
}

func (h *Hasher) fresh() hash {
	x := hash{memory: h.cfg.MemoryKiB, passes: h.cfg.Passes, threads: h.cfg.Threads, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(x.salt) // never fails since Go 1.24
	return x
}

// hash is the content of a PHC string.
type hash struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

func (x hash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, x.memory, x.passes, x.threads, b64.EncodeToString(x.salt), b64.EncodeToString(x.key))
}

var errHash = errors.New("password: not a hash of ours")

func parse(s string) (hash, error) {
	var (
		x       hash
		version int
	)
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return x, errHash
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return x, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &x.memory, &x.passes, &x.threads); err != nil {
		return x, errHash
	}
	if (Config{MemoryKiB: x.memory, Passes: x.passes, Threads: x.threads, Concurrency: 1}).Validate() != nil {
		return x, errHash
	}
	var err error
	if x.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(x.salt) < 8 || len(x.salt) > 64 {
		return x, errHash
	}
	if x.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(x.key) != keyBytes {
		return x, errHash
	}
	if x.String() != s {
		return hash{}, errHash
	}
	return x, nil
}
