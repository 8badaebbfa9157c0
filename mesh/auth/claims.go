// Package auth signs and verifies the access tokens that every process of Plenum accepts, and follows what identity revokes.
package auth

import (
	"context"
	"slices"
	"time"
)

// MaxTokenBytes is the longest token that is signed or looked at.
const MaxTokenBytes = 4 << 10

// Kind says what sort of account a token speaks for.
type Kind string

// The kinds of accounts. A token with any other kind is refused.
const (
	KindPerson  Kind = "person"
	KindGuest   Kind = "guest"
	KindService Kind = "service"
)

// Claims is what a token says of its bearer.
type Claims struct {
	User      string // account, belongs to Workspace; never empty
	Workspace string // never empty
	Device    string // the sign-in that the token descends from: what a person sees and revokes; never empty
	Role      string // for display; Permissions decide
	Kind      Kind
	// Permissions are the words that identity's policy matrix gives to the role ("chat.post"). Mesh gives them no meaning.
	// Shared by all calls with the token: do not modify.
	Permissions []string
	IssuedAt    time.Time // millisecond precision
	Expires     time.Time // millisecond precision
}

// Caller is a verified bearer together with the token itself, so that a service can pass it on.
type Caller struct {
	Claims
	Token string
}

// May reports whether the token grants the permission.
func (c Caller) May(permission string) bool { return slices.Contains(c.Permissions, permission) }

type callerKey struct{}

// NewContext returns a context that carries the verified caller.
func NewContext(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// FromContext returns the caller that the server verified, if the call came with a token.
func FromContext(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}
