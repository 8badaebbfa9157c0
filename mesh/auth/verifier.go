package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/mesh/obs"
	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// Why a token does not do. They say nothing of the token that an attacker could use.
var (
	ErrExpired = errors.New("auth: the token has expired")   // refresh it
	ErrRefused = errors.New("auth: the token is not valid")  // forged, malformed, of an unknown key, too long-lived, from the future
	ErrRevoked = errors.New("auth: the token was revoked")   // sign in again
	ErrStale   = errors.New("auth: the token can't be told") // identity was not reached yet: try again
)

var (
	errMissing = fmt.Errorf("%w: there is none", ErrRefused)
	errForeign = fmt.Errorf("%w: it is another device's", ErrRefused)
)

// signedError refuses a token that identity did sign: what it says of its bearer is true.
type signedError struct {
	error
	claims Claims
}

func (e *signedError) Unwrap() error { return e.error }

// Foreign is the ErrRefused of a good token that is not the one to be shown here: of another device, user or workspace.
func Foreign(c Caller) error { return &signedError{errForeign, c.Claims} }

// VerifierConfig bounds a Verifier. Zero means the default.
type VerifierConfig struct {
	CacheSize   int           `koanf:"cache_size" doc:"verified tokens kept, about half a KiB each; 0: 16384"`
	MaxLifetime time.Duration `koanf:"max_lifetime" doc:"longest lifetime of a token, and how long a revocation is remembered; 0: 1h"`
	Skew        time.Duration `koanf:"skew" doc:"tolerated difference between two machines' clocks; 0: 5s"`
	StaleAfter  time.Duration `koanf:"stale_after" doc:"without word of revocations for so long, no session is opened; 0: 10s"`
	KeyInterval time.Duration `koanf:"key_interval" doc:"between two reads of identity's keys; 0: 1m"`
}

// Validate checks that nothing is negative.
func (c VerifierConfig) Validate() error {
	if c.CacheSize < 0 || c.MaxLifetime < 0 || c.Skew < 0 || c.StaleAfter < 0 || c.KeyInterval < 0 {
		return errors.New("auth: a limit can't be negative")
	}
	return nil
}

func (c VerifierConfig) withDefaults() VerifierConfig {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if c.CacheSize == 0 {
		c.CacheSize = 16384
	}
	set(&c.MaxLifetime, time.Hour)
	set(&c.Skew, 5*time.Second)
	set(&c.StaleAfter, 10*time.Second)
	set(&c.KeyInterval, time.Minute)
	return c
}

// VerifierDeps are what a Verifier reports to; both may be nil.
type VerifierDeps struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Verifier tells whose token it is. It caches what it verified, yet checks expiry, key and revocations on every call.
type Verifier struct {
	cfg    VerifierConfig
	src    Source
	log    *slog.Logger
	parser *jwt.Parser
	// Invariant: only tokens whose signature was verified are cached. The key is the token's SHA-256, so that the time of a
	// look-up tells nothing of the tokens that are cached.
	cache *lru.Cache[[sha256.Size]byte, verified]
	words words // of those

	keys     atomic.Pointer[map[string]publicKey] // nil until first read
	fetch    chan struct{}                        // capacity 1: held by the one who reads keys; guards the next two
	fetched  time.Time                            // when the last attempt ended
	fetchErr error                                // and how

	revoked revocations
	heard   atomic.Int64 // Unix ms of the last response of the feed, 0: never
	caught  atomic.Bool  // the feed's backlog was read through once
	ready   chan struct{}
	once    sync.Once // closes ready

	mu        sync.Mutex // guards listeners
	listeners map[*listener]struct{}

	results *prometheus.CounterVec
}

type listener struct{ f func(*authv1.Revocation) }

type publicKey struct {
	key      ed25519.PublicKey
	notAfter time.Time // zero: no end
}

// verified is a token whose signature, header and form were found good.
type verified struct {
	Claims
	keyID string
}

// NewVerifier returns a verifier of the tokens whose keys src serves. It refuses all with ErrStale until Run has read them.
func NewVerifier(cfg VerifierConfig, src Source, deps VerifierDeps) (*Verifier, error) {
	cfg = cfg.withDefaults()
	if src == nil {
		return nil, errors.New("auth: a verifier needs a source of keys")
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cache, err := lru.New[[sha256.Size]byte, verified](cfg.CacheSize)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	v := &Verifier{
		cfg: cfg, src: src, log: deps.Log, cache: cache,
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
		fetch:  make(chan struct{}, 1),
		ready:  make(chan struct{}), listeners: map[*listener]struct{}{},
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plenum_auth_verifications_total", Help: "Tokens looked at, by result.",
		}, []string{"result"}),
	}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	var age prometheus.Collector = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plenum_auth_feed_age_seconds", Help: "Since the last word from identity's revocations; from 10 on no session is opened. -1: never.",
	}, v.feedAge)
	if err := errors.Join(obs.Register(deps.Metrics, &v.results), obs.Register(deps.Metrics, &age)); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return v, nil
}

// Verify returns the bearer of the token, or ErrExpired, ErrRefused, ErrRevoked or ErrStale. Once the verifier is ready, a
// feed that has fallen silent refuses nothing here: who opens a session asks Stale, what is under way goes on.
func (v *Verifier) Verify(ctx context.Context, token string) (Caller, error) {
	t, err := v.verify(ctx, token)
	v.results.WithLabelValues(result(err)).Inc()
	if err != nil {
		return Caller{}, err
	}
	return Caller{Claims: t.Claims, Token: token}, nil
}

func (v *Verifier) verify(ctx context.Context, token string) (verified, error) {
	if token == "" {
		return verified{}, errMissing
	}
	if len(token) > MaxTokenBytes || strings.ContainsAny(token, "\r\n") { // base64 decoding would skip line ends
		return verified{}, ErrRefused
	}
	if !v.isReady() {
		return verified{}, ErrStale
	}
	sum := sha256.Sum256([]byte(token))
	t, cached := v.cache.Get(sum)
	if !cached {
		var err error
		if t, err = v.parse(ctx, token); err != nil {
			return verified{}, err
		}
	}
	if err := v.check(t, time.Now()); err != nil {
		return verified{}, err
	}
	if !cached {
		v.cache.Add(sum, t)
	}
	return t, nil
}

// parse verifies the form, the header and the signature of a token.
func (v *Verifier) parse(ctx context.Context, token string) (verified, error) {
	var (
		w     wireClaims
		keyID string
		stale bool
	)
	_, err := v.parser.ParseWithClaims(token, &w, func(t *jwt.Token) (any, error) {
		id, ok := t.Header["kid"].(string)
		if !ok || id == "" || len(id) > maxKeyID {
			return nil, ErrRefused
		}
		for name := range t.Header { // "crit", "jwk", "x5u" and their like are not ours
			if name != "alg" && name != "kid" && name != "typ" {
				return nil, ErrRefused
			}
		}
		key, err := v.key(ctx, id)
		stale = errors.Is(err, ErrStale)
		keyID = id
		return key, err
	})
	switch {
	case stale:
		return verified{}, ErrStale
	case err != nil, w.complete() != nil:
		return verified{}, ErrRefused
	}
	return verified{v.words.share(w.claims()), v.words.keyID(keyID)}, nil
}

// check applies what changes with time: the key's end, the token's, and the revocations.
func (v *Verifier) check(t verified, now time.Time) error {
	key, known := (*v.keys.Load())[t.keyID]
	switch {
	case !known, !key.notAfter.IsZero() && now.After(key.notAfter.Add(v.cfg.Skew)):
		return ErrRefused
	case t.IssuedAt.After(now.Add(v.cfg.Skew)), t.Expires.Sub(t.IssuedAt) > v.cfg.MaxLifetime:
		return &signedError{ErrRefused, t.Claims}
	case !now.Before(t.Expires.Add(v.cfg.Skew)):
		return &signedError{ErrExpired, t.Claims}
	case v.revoked.covers(t.Claims):
		return &signedError{ErrRevoked, t.Claims}
	}
	return nil
}

func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrExpired):
		return "expired"
	case errors.Is(err, ErrRevoked):
		return "revoked"
	case errors.Is(err, ErrStale):
		return "stale"
	}
	return "refused"
}
