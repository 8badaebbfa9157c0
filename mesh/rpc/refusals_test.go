package rpc

import (
	"context"
	"maps"
	"net/netip"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"

	"plenum.internal/mesh/auth"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// recorder counts what is reported, by reason and address.
type recorder map[string]uint32

func (r recorder) Report(_ context.Context, q *authv1.ReportRequest, _ ...grpc.CallOption) (*authv1.ReportResponse, error) {
	for _, f := range q.GetRefusals() {
		r[f.GetReason()+" "+f.GetAddress()] += f.GetCount()
	}
	return &authv1.ReportResponse{}, nil
}

// What a gateway let pass and a server refuses is on record, with the client's address as the gateway, and nobody else, names it.
func TestRefusedTokensAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record := recorder{}
		reporter, err := auth.NewReporter(record, auth.VerifierDeps{})
		if err != nil {
			t.Fatal(err)
		}
		s, stop := serve(t, ServerConfig{}, ServerDeps{Refusals: reporter}, func(_ context.Context, in *edgev1.Call) (*edgev1.Call, error) { return in, nil })
		ctx := WithClientAddress(t.Context(), netip.MustParseAddr("192.0.2.7"))
		for _, x := range []struct{ peer, method, token string }{
			{"gateway", "User", "rubbish"},
			{"gateway", "Internal", "rubbish"},
			{"chat", "User", "rubbish"},
			{"gateway", "User", ""},          // none at all is no refusal
			{"gateway", "Public", "rubbish"}, // nobody looks at it
			{"chat", "Internal", "rubbish"},  // the peer is refused
			{"gateway", "User", token(t, "ada")},
		} {
			_, _ = call(WithToken(ctx, x.token), s.Pipe(x.peer), x.method, &edgev1.Call{Id: 1}) // TestWhoMayCall looks at the answers
		}
		stop()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := reporter.Run(ended); err != nil { // reports what waits
			t.Error(err)
		}
		if want := (recorder{"token.forged 192.0.2.7": 2, "token.forged ": 1}); !maps.Equal(record, want) {
			t.Errorf("on record: %v, want %v", record, want)
		}
	})
}

// A peer that speaks for several users proves each, by the rules for the token of a call; nobody but an internal method asks.
func TestTokensInRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record := recorder{}
		reporter, err := auth.NewReporter(record, auth.VerifierDeps{})
		if err != nil {
			t.Fatal(err)
		}
		s, stop := serve(t, ServerConfig{}, ServerDeps{Refusals: reporter}, func(ctx context.Context, in *edgev1.Call) (*edgev1.Call, error) {
			caller, err := Bearer(ctx, in.GetMethod())
			return &edgev1.Call{Method: caller.User}, err
		})
		const ok, refusedCode = edgev1.Code_CODE_UNSPECIFIED, edgev1.Code_CODE_TOKEN_REFUSED
		for _, x := range []struct {
			method, token string
			code          edgev1.Code
			saw           string
		}{
			{"Internal", token(t, "ada"), ok, "ada"},
			{"Internal", token(t, "ada") + "x", refusedCode, ""},
			{"Internal", "", refusedCode, ""},
			{"Public", token(t, "ada"), refusedCode, ""},
		} {
			out, err := call(t.Context(), s.Pipe("gateway"), x.method, &edgev1.Call{Id: 1, Method: x.token})
			expect(t, x.method, err, x.code)
			if out.GetMethod() != x.saw {
				t.Errorf("%s: %q, want %q", x.method, out.GetMethod(), x.saw)
			}
		}
		stop()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := reporter.Run(ended); err != nil {
			t.Error(err)
		}
		if want := (recorder{"token.forged ": 1}); !maps.Equal(record, want) {
			t.Errorf("on record: %v, want %v", record, want)
		}
	})
}
