package auth

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// SigningKey is one private key of identity. Its public half is served as an authv1.Key with the same id and end.
type SigningKey struct {
	ID       string // the token's kid: 1 to 64 bytes
	Private  ed25519.PrivateKey
	NotAfter time.Time // no token of this key is accepted after; zero: no end
}

// Sign returns the claims as a compact JWT (RFC 7519) signed with Ed25519 (RFC 8037).
// It fails on incomplete claims, on a token that would outlive its key, and on one longer than MaxTokenBytes.
func Sign(key SigningKey, c Claims) (string, error) {
	switch {
	case key.ID == "" || len(key.ID) > maxKeyID:
		return "", fmt.Errorf("sign token: a key id has 1 to %d bytes, not %d", maxKeyID, len(key.ID))
	case len(key.Private) != ed25519.PrivateKeySize:
		return "", errors.New("sign token: not an Ed25519 private key")
	case !key.NotAfter.IsZero() && c.Expires.After(key.NotAfter):
		return "", fmt.Errorf("sign token: it would outlive key %q, which ends at %s", key.ID, key.NotAfter.UTC().Format(time.RFC3339))
	}
	w := wireClaims{
		Subject: c.User, Workspace: c.Workspace, Device: c.Device, Role: c.Role, Kind: c.Kind, Permissions: c.Permissions,
		IssuedAt: numericDate(c.IssuedAt.UnixMilli()), Expires: numericDate(c.Expires.UnixMilli()),
	}
	if err := w.complete(); err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, w)
	t.Header["kid"] = key.ID
	s, err := t.SignedString(key.Private)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if len(s) > MaxTokenBytes {
		return "", fmt.Errorf("sign token: %d bytes, more than %d: too many permissions", len(s), MaxTokenBytes)
	}
	return s, nil
}

const maxKeyID = 64

// wireClaims is the JWT's payload: registered names where RFC 7519 has them, three letters elsewhere.
type wireClaims struct {
	Subject     string      `json:"sub"`
	Workspace   string      `json:"wsp"`
	Device      string      `json:"dev"`
	Role        string      `json:"rol,omitempty"`
	Kind        Kind        `json:"knd"`
	Permissions []string    `json:"prm,omitempty"`
	IssuedAt    numericDate `json:"iat"`
	Expires     numericDate `json:"exp"`
}

// complete says what is missing from the claims, or contradicts itself.
func (w wireClaims) complete() error {
	switch {
	case w.Subject == "" || w.Workspace == "" || w.Device == "":
		return errors.New("user, workspace and device are required")
	case w.Kind != KindPerson && w.Kind != KindGuest && w.Kind != KindService:
		return fmt.Errorf("unknown kind %q", w.Kind)
	case w.IssuedAt <= 0 || w.Expires <= w.IssuedAt:
		return errors.New("it must expire after it was issued")
	}
	return nil
}

func (w wireClaims) claims() Claims {
	return Claims{
		User: w.Subject, Workspace: w.Workspace, Device: w.Device, Role: w.Role, Kind: w.Kind, Permissions: w.Permissions,
		IssuedAt: w.IssuedAt.time(), Expires: w.Expires.time(),
	}
}

// The jwt.Claims interface. Times are checked by the Verifier, which checks cached tokens by the same rule.
func (w wireClaims) GetExpirationTime() (*jwt.NumericDate, error) {
	return &jwt.NumericDate{Time: w.Expires.time()}, nil
}

func (w wireClaims) GetIssuedAt() (*jwt.NumericDate, error) {
	return &jwt.NumericDate{Time: w.IssuedAt.time()}, nil
}
func (w wireClaims) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil }
func (w wireClaims) GetIssuer() (string, error)              { return "", nil }
func (w wireClaims) GetSubject() (string, error)             { return w.Subject, nil }
func (w wireClaims) GetAudience() (jwt.ClaimStrings, error)  { return nil, nil }

// numericDate is a Unix time in ms, written as RFC 7519's NumericDate: seconds, with a fraction only where there is one.
// Whole seconds would not do: a revocation covers what was issued before a millisecond.
type numericDate int64

func (d numericDate) time() time.Time { return time.UnixMilli(int64(d)) }

func (d numericDate) MarshalJSON() ([]byte, error) {
	if d < 0 {
		return nil, errors.New("a time before 1970")
	}
	b := strconv.AppendInt(nil, int64(d)/1000, 10)
	if ms := int64(d) % 1000; ms != 0 {
		b = fmt.Appendf(b, ".%03d", ms)
	}
	return b, nil
}

func (d *numericDate) UnmarshalJSON(b []byte) error {
	whole, fraction, _ := strings.Cut(string(b), ".")
	s, err := strconv.ParseUint(whole, 10, 40) // 2^40 s: beyond the year 30000
	if err != nil {
		return fmt.Errorf("not a NumericDate: %w", err)
	}
	if len(fraction) > 3 {
		fraction = fraction[:3]
	}
	ms, err := strconv.ParseUint((fraction + "000")[:3], 10, 16)
	if err != nil {
		return fmt.Errorf("not a NumericDate: %w", err)
	}
	*d = numericDate(s*1000 + ms)
	return nil
}
