package identity

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"plenum.internal/services/identity/keyring"
)

// refreshToken names one generation of a device's session. Its text is "plr_<device>.<family>.<generation>.<mac>": the mac is
// derived from the installation's key, so that SQL keeps no secret and the next token can be told again within the grace.
type refreshToken struct {
	device, family string
	generation     int64
}

const (
	refreshPrefix = "plr_"
	servicePrefix = "pls_"
	ticketPrefix  = "plt_"
	idLength      = 26
	macLength     = 43 // 32 bytes in base64url
)

func (t refreshToken) parts() []string {
	return []string{t.device, t.family, strconv.FormatInt(t.generation, 10)}
}

func (t refreshToken) encode(ring *keyring.Ring) string {
	return refreshPrefix + strings.Join(append(t.parts(), base64.RawURLEncoding.EncodeToString(ring.Derive("refresh", t.parts()...))), ".")
}

// decodeRefresh returns what a genuine refresh token names, spent or not.
func decodeRefresh(ring *keyring.Ring, s string) (refreshToken, bool) {
	rest, ok := strings.CutPrefix(s, refreshPrefix)
	parts := strings.SplitN(rest, ".", 5)
	if !ok || len(parts) != 4 || !isID(parts[0]) || !isID(parts[1]) || len(parts[2]) > 18 {
		return refreshToken{}, false
	}
	generation, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || generation < 1 || strconv.FormatInt(generation, 10) != parts[2] {
		return refreshToken{}, false
	}
	t := refreshToken{parts[0], parts[1], generation}
	return t, genuine(ring, parts[3], append([]string{"refresh"}, t.parts()...)...)
}

// ticket opens streams for a device's session: "plt_<device>.<family>.<mac>". It is told again whenever it is asked for, and ends with the
// session.
type ticket struct{ device, family string }

func (t ticket) encode(ring *keyring.Ring) string {
	return ticketPrefix + t.device + "." + t.family + "." + base64.RawURLEncoding.EncodeToString(ring.Derive("ticket", t.device, t.family))
}

// decodeTicket returns what a genuine ticket names.
func decodeTicket(ring *keyring.Ring, s string) (ticket, bool) {
	rest, ok := strings.CutPrefix(s, ticketPrefix)
	parts := strings.SplitN(rest, ".", 4)
	if !ok || len(parts) != 3 || !isID(parts[0]) || !isID(parts[1]) {
		return ticket{}, false
	}
	t := ticket{parts[0], parts[1]}
	return t, genuine(ring, parts[2], "ticket", t.device, t.family)
}

// genuine tells whether a mac in base64url was derived from the installation's key.
func genuine(ring *keyring.Ring, text string, parts ...string) bool {
	if len(text) != macLength {
		return false
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return false
	}
	_, ok := ring.Matches(func(b []byte) bool { return hmac.Equal(b, mac) }, parts[0], parts[1:]...)
	return ok
}

// serviceSecret is "pls_<account>_<32 bytes>".
func serviceSecret(account string, secret []byte) string {
	return servicePrefix + account + "_" + base64.RawURLEncoding.EncodeToString(secret)
}

// decodeService returns the account that a service secret claims to belong to.
func decodeService(s string) (account string, ok bool) {
	rest, ok := strings.CutPrefix(s, servicePrefix)
	if !ok || len(rest) != idLength+1+macLength || rest[idLength] != '_' || !isID(rest[:idLength]) {
		return "", false
	}
	return rest[:idLength], true
}

// linkSecret is what stands behind "#setup=" or "#join=".
func linkSecret(secret []byte) string { return base64.RawURLEncoding.EncodeToString(secret) }

// isID reports whether s has the form of an id.
func isID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// pageToken hides how a list is ordered.
func pageToken(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "\x00")))
}

// decodePage returns the n parts of a page token; empty strings for the first page.
func decodePage(s string, n int) ([]string, error) {
	if s == "" {
		return make([]string, n), nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) > 128 || !utf8.Valid(b) || bytes.Count(b, []byte{0}) != n-1 || base64.RawURLEncoding.EncodeToString(b) != s { // it skips line breaks
		return nil, invalid("page", "This is not a page of ours. Begin with the first.")
	}
	return strings.Split(string(b), "\x00"), nil
}

// limit applies a default and a maximum to the wanted length of a page.
func limit(want, standard, most uint32) (int, error) {
	if want > most {
		return 0, invalid("limit", "%s", fmt.Sprintf("Ask for at most %d at once.", most))
	}
	if want == 0 {
		want = standard
	}
	return int(want), nil
}
