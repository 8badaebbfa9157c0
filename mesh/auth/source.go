package auth

import (
	"context"

	"google.golang.org/grpc"

	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// Source is where a Verifier learns keys and revocations from: identity's AuthService, or memory in a test.
type Source interface {
	Keys(ctx context.Context) (*authv1.KeysResponse, error)
	// Revocations streams the log of revocations after a position: at once all that stands there, then each new one, and an
	// empty response as a heartbeat every 500 ms. The first response without revocations tells that the backlog is through:
	// send it right behind the backlog, for the verifier isn't ready before.
	Revocations(ctx context.Context, after uint64) (RevocationStream, error)
}

// RevocationStream is the receiving side of AuthService.Revocations. It ends when the context of its call does.
type RevocationStream interface {
	Recv() (*authv1.RevocationsResponse, error)
}

// RemoteSource reads from identity over a connection; the caller's service identity must be admitted to both methods.
func RemoteSource(cc grpc.ClientConnInterface) Source {
	return remoteSource{authv1.NewAuthServiceClient(cc)}
}

type remoteSource struct{ client authv1.AuthServiceClient }

func (r remoteSource) Keys(ctx context.Context) (*authv1.KeysResponse, error) {
	return r.client.Keys(ctx, &authv1.KeysRequest{})
}

func (r remoteSource) Revocations(ctx context.Context, after uint64) (RevocationStream, error) {
	return r.client.Revocations(ctx, &authv1.RevocationsRequest{After: after})
}
