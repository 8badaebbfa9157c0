package rpc

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"google.golang.org/grpc/metadata"
)

// Metadata that goes with calls inside the mesh, and with unary HTTP calls as headers.
const (
	tokenKey     = "authorization"
	clientIDKey  = "plenum-client-id"
	clientSeqKey = "plenum-client-seq"
	addressKey   = "plenum-client-address"
	forwardedKey = "plenum-forwarded"
	bearer       = "Bearer "
)

// WithToken makes calls in ctx speak for the bearer of a user's token.
func WithToken(ctx context.Context, token string) context.Context {
	return setOutgoing(ctx, tokenKey, bearer+token)
}

// WithMutation names the mutation that calls in ctx carry: (user, clientID, seq) is executed once, a retry gets its first answer.
func WithMutation(ctx context.Context, clientID string, seq uint64) context.Context {
	return setOutgoing(ctx, clientIDKey, clientID, clientSeqKey, strconv.FormatUint(seq, 10))
}

// MutationFrom returns the name that the caller gave the mutation; ok is false where it is absent or not well formed.
func MutationFrom(ctx context.Context) (clientID string, seq uint64, ok bool) {
	ids, seqs := metadata.ValueFromIncomingContext(ctx, clientIDKey), metadata.ValueFromIncomingContext(ctx, clientSeqKey)
	if len(ids) != 1 || len(seqs) != 1 || ids[0] == "" || len(ids[0]) > maxClientID {
		return "", 0, false
	}
	seq, err := strconv.ParseUint(seqs[0], 10, 64)
	if err != nil || seq == 0 || seq > maxClientSeq {
		return "", 0, false
	}
	return ids[0], seq, true
}

const (
	maxClientID  = 64        // bytes; 128 bits in base64url take 22
	maxClientSeq = 1<<53 - 1 // what every JSON parser keeps, and what a signed column holds
)

// Forward makes calls in the returned context go on with the one that a service has received, at another process of its own: with the same
// token and mutation. Who is asked so answers itself, or not at all (Forwarded).
func Forward(ctx context.Context) context.Context {
	kv := []string{forwardedKey, "1"}
	for _, key := range []string{tokenKey, clientIDKey, clientSeqKey} {
		if v := metadata.ValueFromIncomingContext(ctx, key); len(v) == 1 {
			kv = append(kv, key, v[0])
		}
	}
	return setOutgoing(ctx, kv...)
}

// Forwarded reports whether the call was sent on by another process of the service.
func Forwarded(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, forwardedKey)) > 0
}

// WithClientAddress tells services the address of the client behind calls in ctx; they believe it of gateways only.
func WithClientAddress(ctx context.Context, address netip.Addr) context.Context {
	return setOutgoing(ctx, addressKey, address.String())
}

// ClientAddress returns the address of the client behind the call, invalid where the peer is no gateway or named none.
func ClientAddress(ctx context.Context) netip.Addr {
	v := metadata.ValueFromIncomingContext(ctx, addressKey)
	if len(v) != 1 || Peer(ctx) != "gateway" {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(v[0]) // what isn't one is none
	return a
}

func tokenFrom(ctx context.Context) (string, bool) {
	v := metadata.ValueFromIncomingContext(ctx, tokenKey)
	if len(v) != 1 {
		return "", len(v) > 1 // two tokens: none that could be told from the other
	}
	if len(v[0]) < len(bearer) || !strings.EqualFold(v[0][:len(bearer)], bearer) {
		return "", true
	}
	return v[0][len(bearer):], true
}

// setOutgoing replaces keys, which are lower case, of the outgoing metadata.
func setOutgoing(ctx context.Context, kv ...string) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	if md == nil {
		md = make(metadata.MD, len(kv)/2)
	}
	for i := 1; i < len(kv); i += 2 {
		md[kv[i-1]] = []string{kv[i]}
	}
	return metadata.NewOutgoingContext(ctx, md)
}
