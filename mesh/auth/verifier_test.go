package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	authv1 "plenum.internal/proto/plenum/auth/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(id string, seed byte) SigningKey {
	s := make([]byte, ed25519.SeedSize)
	s[0] = seed
	return SigningKey{ID: id, Private: ed25519.NewKeyFromSeed(s)}
}

var key1, key2 = newKey("k1", 1), newKey("k2", 2)

func claimsNow() Claims {
	now := time.Now().Truncate(time.Millisecond)
	return Claims{
		User: "ada", Workspace: "w", Device: "laptop", Role: "member", Kind: KindPerson, Permissions: []string{"chat.post"},
		IssuedAt: now, Expires: now.Add(10 * time.Minute),
	}
}

func sign(t testing.TB, k SigningKey, c Claims) string {
	t.Helper()
	s, err := Sign(k, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// counted is a source that counts the reads of the keys.
type counted struct {
	*Memory
	keys atomic.Int64
}

func (c *counted) Keys(ctx context.Context) (*authv1.KeysResponse, error) {
	c.keys.Add(1)
	return c.Memory.Keys(ctx)
}

// start runs a ready verifier inside a bubble and stops it with the test.
func start(t *testing.T, cfg VerifierConfig, src Source) *Verifier {
	t.Helper()
	v, err := NewVerifier(cfg, src, VerifierDeps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-v.Ready()
	return v
}

func want(t *testing.T, v *Verifier, token string, want error) {
	t.Helper()
	if _, err := v.Verify(context.Background(), token); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestVerifyReturnsWhatWasSigned(t *testing.T) {
	v := start(t, VerifierConfig{}, NewMemory(key1))
	rapid.Check(t, func(r *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9_-]{1,26}`)
		c := Claims{
			User: id.Draw(r, "user"), Workspace: id.Draw(r, "workspace"), Device: id.Draw(r, "device"), Role: rapid.StringN(0, 20, 60).Draw(r, "role"),
			Kind:        rapid.SampledFrom([]Kind{KindPerson, KindGuest, KindService}).Draw(r, "kind"),
			Permissions: rapid.SliceOfN(rapid.StringMatching(`[a-z]+\.[a-z_]+`), 0, 10).Draw(r, "permissions"),
			IssuedAt:    time.Now().Add(-time.Duration(rapid.IntRange(0, 5000).Draw(r, "age")) * time.Millisecond),
		}
		c.IssuedAt = c.IssuedAt.Truncate(time.Millisecond)
		c.Expires = c.IssuedAt.Add(time.Duration(rapid.IntRange(5001, 3_600_000).Draw(r, "life")) * time.Millisecond)
		token, err := Sign(key1, c)
		if err != nil {
			r.Fatal(err)
		}
		for range 2 { // once parsed, once from the cache
			got, err := v.Verify(context.Background(), token)
			if err != nil {
				r.Fatal(err)
			}
			if got.Token != token || got.User != c.User || got.Workspace != c.Workspace || got.Device != c.Device || got.Role != c.Role ||
				got.Kind != c.Kind || !got.IssuedAt.Equal(c.IssuedAt) || !got.Expires.Equal(c.Expires) {
				r.Fatalf("got %+v, signed %+v", got, c)
			}
			for _, p := range c.Permissions {
				if !got.May(p) {
					r.Fatalf("lost permission %q", p)
				}
			}
			if got.May("none") {
				r.Fatal("gained a permission")
			}
		}
	})
}

func TestSignRefuses(t *testing.T) {
	change := func(f func(*Claims)) Claims { c := claimsNow(); f(&c); return c }
	ending := key1
	ending.NotAfter = time.Now().Add(time.Minute)
	for name, x := range map[string]struct {
		key    SigningKey
		claims Claims
	}{
		"no user":          {key1, change(func(c *Claims) { c.User = "" })},
		"no workspace":     {key1, change(func(c *Claims) { c.Workspace = "" })},
		"no device":        {key1, change(func(c *Claims) { c.Device = "" })},
		"unknown kind":     {key1, change(func(c *Claims) { c.Kind = "robot" })},
		"no lifetime":      {key1, change(func(c *Claims) { c.Expires = c.IssuedAt })},
		"outlives its key": {ending, claimsNow()},
		"no key id":        {SigningKey{Private: key1.Private}, claimsNow()},
		"no key":           {SigningKey{ID: "k"}, claimsNow()},
		"too long": {key1, change(func(c *Claims) {
			for range 400 {
				c.Permissions = append(c.Permissions, "domain.permission")
			}
		})},
	} {
		if s, err := Sign(x.key, x.claims); err == nil {
			t.Errorf("%s: signed %q", name, s)
		}
	}
}

// forge signs any header and payload, as an attacker with some key would.
func forge(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, payload any) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(payload)
	sig, err := method.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestVerifyRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := start(t, VerifierConfig{}, NewMemory(key1))
		now := time.Now().Unix()
		header := func(kv ...any) map[string]any {
			h := map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": "k1"}
			for i := 0; i < len(kv); i += 2 {
				if kv[i+1] == nil {
					delete(h, kv[i].(string))
				} else {
					h[kv[i].(string)] = kv[i+1]
				}
			}
			return h
		}
		payload := func(kv ...any) map[string]any {
			p := map[string]any{"sub": "ada", "wsp": "w", "dev": "d", "knd": "person", "iat": now, "exp": now + 600}
			for i := 0; i < len(kv); i += 2 {
				p[kv[i].(string)] = kv[i+1]
			}
			return p
		}
		ed := func(h map[string]any, p any) string { return forge(t, jwt.SigningMethodEdDSA, key1.Private, h, p) }
		good := ed(header(), payload())
		want(t, v, good, nil)
		parts := strings.Split(good, ".")
		public := []byte(key1.Private.Public().(ed25519.PublicKey))
		for name, token := range map[string]string{
			"empty":                     "",
			"dots":                      "..",
			"no signature":              parts[0] + "." + parts[1] + ".",
			"two parts":                 parts[0] + "." + parts[1],
			"four parts":                good + ".x",
			"padded":                    good + "=",
			"space":                     " " + good,
			"newline":                   good + "\n",
			"scheme":                    "Bearer " + good,
			"too long":                  good + strings.Repeat("A", MaxTokenBytes),
			"other payload":             parts[0] + "." + strings.Split(ed(header(), payload("sub", "eve")), ".")[1] + "." + parts[2],
			"alg none":                  forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header("alg", "none"), payload()),
			"HMAC with the public key":  forge(t, jwt.SigningMethodHS256, public, header("alg", "HS256"), payload()),
			"alg in other case":         ed(header("alg", "eddsa"), payload()),
			"alg missing":               ed(header("alg", nil), payload()),
			"foreign key":               forge(t, jwt.SigningMethodEdDSA, key2.Private, header(), payload()),
			"unknown kid":               forge(t, jwt.SigningMethodEdDSA, key2.Private, header("kid", "k2"), payload()),
			"kid missing":               ed(header("kid", nil), payload()),
			"kid not a string":          ed(header("kid", 1), payload()),
			"kid too long":              ed(header("kid", strings.Repeat("k", maxKeyID+1)), payload()),
			"crit":                      ed(header("crit", []string{"b64"}), payload()),
			"jwk":                       ed(header("jwk", map[string]string{"kty": "OKP"}), payload()),
			"from the future":           ed(header(), payload("iat", now+6)),
			"lives too long":            ed(header(), payload("exp", now+3601)),
			"expires before it begins":  ed(header(), payload("exp", now-1)),
			"no expiry":                 ed(header(), payload("exp", 0)),
			"expiry beyond all":         ed(header(), payload("exp", 1e300)),
			"expiry as text":            ed(header(), payload("exp", "never")),
			"no user":                   ed(header(), payload("sub", "")),
			"no workspace":              ed(header(), payload("wsp", "")),
			"no device":                 ed(header(), payload("dev", "")),
			"unknown kind":              ed(header(), payload("knd", "robot")),
			"payload is a list":         ed(header(), []int{1}),
			"payload is null":           ed(header(), nil),
			"permissions are no list":   ed(header(), payload("prm", "all")),
			"negative issue":            ed(header(), payload("iat", -1)),
			"other last bits of base64": good[:len(good)-1] + flip(good[len(good)-1]),
		} {
			if c, err := v.Verify(t.Context(), token); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %+v, %v", name, c, err)
			}
		}
	})
}

// flip changes the lowest bit of a base64 character: an unused one at the end of a signature's 64 bytes.
func flip(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := start(t, VerifierConfig{}, NewMemory(key1))
		token := sign(t, key1, claimsNow())
		want(t, v, token, nil)
		time.Sleep(10*time.Minute + 5*time.Second - time.Millisecond)
		want(t, v, token, nil) // from the cache, within the skew
		time.Sleep(time.Millisecond)
		want(t, v, token, ErrExpired)
	})
}

func TestRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := NewMemory(key1)
		v := start(t, VerifierConfig{}, src)
		var seen []*authv1.Revocation
		cancel := v.OnRevocation(func(r *authv1.Revocation) { seen = append(seen, r) })
		token := func(f func(*Claims)) string { c := claimsNow(); f(&c); return sign(t, key1, c) }
		ada, phone := token(func(*Claims) {}), token(func(c *Claims) { c.Device = "phone" })
		bob, far := token(func(c *Claims) { c.User = "bob" }), token(func(c *Claims) { c.Workspace = "far" })
		all := []string{ada, phone, bob, far}
		expect := func(wants ...error) {
			t.Helper()
			synctest.Wait()
			for i, w := range wants {
				want(t, v, all[i], w)
			}
		}
		expect(nil, nil, nil, nil)
		time.Sleep(time.Millisecond)
		now := time.Now().UnixMilli()
		src.Revoke(&authv1.Revocation{Workspace: "w", User: "ada", Device: "laptop", IssuedBeforeMs: now})
		expect(ErrRevoked, nil, nil, nil)
		src.Revoke(&authv1.Revocation{Workspace: "w", User: "ada", IssuedBeforeMs: now, Wipe: true})
		expect(ErrRevoked, ErrRevoked, nil, nil)
		all[1] = token(func(*Claims) {}) // issued at the revocation's millisecond, not before it: a new sign-in
		expect(ErrRevoked, nil, nil, nil)
		cancel()
		src.Revoke(&authv1.Revocation{Workspace: "w", IssuedBeforeMs: now})
		expect(ErrRevoked, nil, ErrRevoked, nil)
		if len(seen) != 2 || !seen[1].GetWipe() {
			t.Errorf("listener saw %v", seen)
		}

		// An older revocation that comes later takes nothing back.
		src.Revoke(&authv1.Revocation{Workspace: "w", IssuedBeforeMs: now - 1000})
		expect(ErrRevoked, nil, ErrRevoked, nil)

		// A verifier that starts now knows all of it before it says ready.
		want(t, start(t, VerifierConfig{}, src), bob, ErrRevoked)
	})
}

func TestRevocationsAreForgottenWithTheirTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := NewMemory(key1)
		v := start(t, VerifierConfig{}, src)
		count := func() int { v.revoked.mu.Lock(); defer v.revoked.mu.Unlock(); return len(v.revoked.m) }
		for _, user := range []string{"a", "b", "c"} {
			src.Revoke(&authv1.Revocation{Workspace: "w", User: user, IssuedBeforeMs: time.Now().UnixMilli()})
			time.Sleep(10 * time.Minute)
		}
		if n := count(); n != 3 {
			t.Fatalf("%d revocations kept, want 3", n)
		}
		time.Sleep(46 * time.Minute) // the first two are over an hour old
		if n := count(); n != 1 {
			t.Fatalf("%d revocations kept, want 1", n)
		}
		src.Revoke(&authv1.Revocation{Workspace: "w", User: "old", IssuedBeforeMs: time.Now().Add(-2 * time.Hour).UnixMilli()})
		synctest.Wait()
		if n := count(); n != 1 {
			t.Errorf("%d revocations kept: what no token can descend from was added", n)
		}
	})
}

func TestStaleAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := NewMemory(key1)
		v := start(t, VerifierConfig{}, src)
		token := sign(t, key1, claimsNow())
		time.Sleep(time.Minute)
		if v.Stale() {
			t.Fatal("stale although heartbeats arrive")
		}
		for name, f := range map[string]struct{ broken, whole func() }{
			"unreachable": {func() { src.Fail(errors.New("away")) }, func() { src.Fail(nil) }},
			"half open":   {func() { src.Silence(true) }, func() { src.Silence(false) }},
		} {
			f.broken()
			time.Sleep(9 * time.Second) // the last heartbeat may be 500 ms old
			if v.Stale() {
				t.Errorf("%s: stale too early", name)
			}
			time.Sleep(time.Second)
			if !v.Stale() {
				t.Errorf("%s: not stale after 10 s", name)
			}
			want(t, v, token, nil) // what is under way goes on
			f.whole()
			time.Sleep(5 * time.Second)
			if v.Stale() {
				t.Errorf("%s: still stale", name)
			}
		}
	})
}

// deaf is a source whose first stream never says a word again, although identity is well: a connection that broke unnoticed.
type deaf struct {
	*Memory
	first atomic.Bool
}

func (d *deaf) Revocations(ctx context.Context, after uint64) (RevocationStream, error) {
	if d.first.CompareAndSwap(false, true) {
		return deafStream{ctx}, nil
	}
	return d.Memory.Revocations(ctx, after)
}

type deafStream struct{ ctx context.Context }

func (d deafStream) Recv() (*authv1.RevocationsResponse, error) {
	<-d.ctx.Done()
	return nil, d.ctx.Err()
}

func TestASilentStreamIsGivenUpBeforeItMakesStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		start(t, VerifierConfig{}, &deaf{Memory: NewMemory(key1)}) // waits until it is ready
		if took := time.Since(begin); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("the second stream was opened after %v", took)
		}
	})
}

func TestNothingIsAcceptedBeforeTheRevocationsAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := NewMemory(key1)
		src.Silence(true)
		v, err := NewVerifier(VerifierConfig{}, src, VerifierDeps{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- v.Run(ctx) }()
		synctest.Wait()
		want(t, v, sign(t, key1, claimsNow()), ErrStale)
		if !v.Stale() {
			t.Error("not stale")
		}
		src.Silence(false)
		synctest.Wait()
		want(t, v, sign(t, key1, claimsNow()), nil)
		cancel()
		<-ended
	})
}

func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &counted{Memory: NewMemory(key1)}
		v := start(t, VerifierConfig{}, src)
		old := sign(t, key1, claimsNow())
		want(t, v, old, nil)

		// A new key is found with its first token; forged ones cause one read a second at most.
		time.Sleep(2 * time.Second)
		src.SetKeys(key1, key2)
		want(t, v, sign(t, key2, claimsNow()), nil)
		before := src.keys.Load()
		for range 100 {
			want(t, v, sign(t, newKey("none", 3), claimsNow()), ErrRefused)
		}
		if n := src.keys.Load() - before; n > 1 {
			t.Errorf("100 forged tokens read the keys %d times", n)
		}

		// A withdrawn key takes its tokens with it, cached or not.
		src.SetKeys(key2)
		time.Sleep(time.Minute)
		want(t, v, old, ErrRefused)

		// Unknown key while identity is away: can't be told. A known key goes on.
		src.Fail(errors.New("away"))
		time.Sleep(time.Minute)
		for range 2 {
			want(t, v, sign(t, newKey("next", 4), claimsNow()), ErrStale)
		}
		want(t, v, sign(t, key2, claimsNow()), nil)
	})
}

func TestKeyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := key1
		k.NotAfter = time.Now().Add(10 * time.Minute)
		v := start(t, VerifierConfig{}, NewMemory(k))
		token := sign(t, k, claimsNow())
		want(t, v, token, nil)
		forever := sign(t, key1, func() Claims { c := claimsNow(); c.Expires = c.IssuedAt.Add(time.Hour); return c }())
		time.Sleep(10*time.Minute + 5*time.Second + time.Millisecond)
		want(t, v, forever, ErrRefused) // signed with a copy that knows no end
	})
}

func TestALogThatWentBackIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := NewMemory(key1)
		v := start(t, VerifierConfig{}, src)
		for range 3 {
			src.Revoke(&authv1.Revocation{Workspace: "w", User: "x", IssuedBeforeMs: 1})
		}
		synctest.Wait()
		token := sign(t, key1, claimsNow())
		src.Forget()
		src.Revoke(&authv1.Revocation{Workspace: "w", User: "ada", IssuedBeforeMs: time.Now().UnixMilli() + 1})
		time.Sleep(5 * time.Second)
		want(t, v, token, ErrRevoked)
	})
}

func TestCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := start(t, VerifierConfig{CacheSize: 4}, NewMemory(key1))
		for range 20 {
			time.Sleep(time.Millisecond)
			want(t, v, sign(t, key1, claimsNow()), nil)
		}
		if n := v.cache.Len(); n != 4 {
			t.Errorf("%d tokens cached, want 4", n)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, registry := NewMemory(key1), prometheus.NewRegistry()
		v, err := NewVerifier(VerifierConfig{}, src, VerifierDeps{Metrics: registry})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewVerifier(VerifierConfig{}, src, VerifierDeps{Metrics: registry}); err != nil {
			t.Errorf("a second verifier of the process: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		want(t, v, "early", ErrStale)
		go func() { ended <- v.Run(ctx) }()
		<-v.Ready()
		token := sign(t, key1, claimsNow())
		want(t, v, token, nil)
		want(t, v, token, nil)
		want(t, v, "x", ErrRefused)
		src.Silence(true)
		time.Sleep(3 * time.Second)
		expected := `
# HELP plenum_auth_feed_age_seconds Since the last word from identity's revocations; from 10 on no session is opened. -1: never.
# TYPE plenum_auth_feed_age_seconds gauge
plenum_auth_feed_age_seconds 3
# HELP plenum_auth_verifications_total Tokens looked at, by result.
# TYPE plenum_auth_verifications_total counter
plenum_auth_verifications_total{result="ok"} 2
plenum_auth_verifications_total{result="refused"} 1
plenum_auth_verifications_total{result="stale"} 1
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(expected)); err != nil {
			t.Error(err)
		}
		cancel()
		<-ended
	})
}

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []VerifierConfig{{CacheSize: -1}, {MaxLifetime: -1}, {Skew: -1}, {StaleAfter: -1}, {KeyInterval: -1}} {
		if _, err := NewVerifier(cfg, NewMemory(), VerifierDeps{}); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
	if _, err := NewVerifier(VerifierConfig{}, nil, VerifierDeps{}); err == nil {
		t.Error("no source was accepted")
	}
}

func TestNumericDate(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := numericDate(rapid.Int64Range(0, 1<<49).Draw(r, "ms"))
		b, err := d.MarshalJSON()
		var back numericDate
		if err != nil || back.UnmarshalJSON(b) != nil || back != d {
			r.Fatalf("%d -> %s -> %d", d, b, back)
		}
	})
	for text, ms := range map[string]numericDate{"1": 1000, "1.5": 1500, "1.0009": 1000} {
		var d numericDate
		if err := d.UnmarshalJSON([]byte(text)); err != nil || d != ms {
			t.Errorf("%s: %d %v", text, d, err)
		}
	}
	for _, text := range []string{"-1", "1e3", "null", `"1"`, "1.x", "9999999999999999999"} {
		if d := numericDate(0); d.UnmarshalJSON([]byte(text)) == nil {
			t.Errorf("%s was read as %d", text, d)
		}
	}
}

// FuzzVerify: what is accepted carries a signature of the key, in its one encoding, over the very bytes that arrived.
func FuzzVerify(f *testing.F) {
	signed := sign(f, key1, claimsNow())
	parts := strings.Split(signed, ".")
	f.Add(signed)
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add("eyJhbGciOiJub25lIn0." + parts[1] + ".")
	f.Add(signed + "=")
	f.Add("\x00..")
	v, err := NewVerifier(VerifierConfig{}, NewMemory(key1), VerifierDeps{})
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	f.Cleanup(func() { cancel(); <-ended })
	<-v.Ready()
	f.Fuzz(func(t *testing.T, token string) {
		c, err := v.Verify(t.Context(), token)
		if err != nil {
			if token == signed {
				t.Fatal(err)
			}
			return
		}
		end := strings.LastIndexByte(token, '.')
		sig, err := base64.RawURLEncoding.DecodeString(token[end+1:])
		if err != nil || base64.RawURLEncoding.EncodeToString(sig) != token[end+1:] ||
			!ed25519.Verify(key1.Private.Public().(ed25519.PublicKey), []byte(token[:end]), sig) {
			t.Fatalf("%q: %+v", token, c)
		}
	})
}

func BenchmarkVerifyCached(b *testing.B) {
	v, err := NewVerifier(VerifierConfig{}, NewMemory(key1), VerifierDeps{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	<-v.Ready()
	token := sign(b, key1, claimsNow())
	for b.Loop() {
		if _, err := v.Verify(ctx, token); err != nil {
			b.Fatal(err)
		}
	}
}
