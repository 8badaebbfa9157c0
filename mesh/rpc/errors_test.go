package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/sqldb"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestEveryCodeHasAGRPCCode(t *testing.T) {
	for n, name := range edgev1.Code_name {
		if _, ok := table[edgev1.Code(n)]; !ok && n != 0 {
			t.Errorf("%s is missing in the table", name)
		}
	}
	for c, g := range table {
		if g == codes.OK {
			t.Errorf("%s would travel as a success", c)
		}
	}
}

func TestErrorsTravelWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var numbers []edgev1.Code
		for n := range edgev1.Code_name {
			if n != 0 {
				numbers = append(numbers, edgev1.Code(n))
			}
		}
		e := Errorf(rapid.SampledFrom(numbers).Draw(r, "code"), "test.REASON", "%s", rapid.String().Draw(r, "message")).
			On(rapid.StringMatching(`[a-z_]*`).Draw(r, "field")).RetryIn(time.Duration(rapid.Int64().Draw(r, "retry"))).Because(errors.New("secret"))
		want := FromError(e)
		if n := len(want.GetMessage()); n > MaxErrorMessage || !utf8.ValidString(want.GetMessage()) {
			r.Fatalf("message of %d bytes", n)
		}
		got := FromError(fmt.Errorf("wrapped: %w", status.ErrorProto(e.GRPCStatus().Proto())))
		if !proto.Equal(got, want) {
			r.Fatalf("sent %v, got %v", want, got)
		}
		if strings.Contains(e.GRPCStatus().String(), "secret") || strings.Contains(want.String(), "secret") {
			r.Fatal("the cause was sent")
		}
	})
}

func TestFromError(t *testing.T) {
	const unknownOutcome, internalCode = edgev1.Code_CODE_OUTCOME_UNKNOWN, edgev1.Code_CODE_INTERNAL
	for _, x := range []struct {
		err  error
		code edgev1.Code
	}{
		{nil, 0},
		{errors.New("pq: password of db"), internalCode},
		{Errorf(edgev1.Code_CODE_CONFLICT, "a.B", "c"), edgev1.Code_CODE_CONFLICT},
		{fmt.Errorf("outer: %w", Errorf(edgev1.Code_CODE_CONFLICT, "a.B", "c").Because(context.Canceled)), edgev1.Code_CODE_CONFLICT},
		{fmt.Errorf("query: %w", context.DeadlineExceeded), unknownOutcome},
		{context.Canceled, unknownOutcome},
		{auth.ErrExpired, edgev1.Code_CODE_TOKEN_STALE},
		{auth.ErrRefused, edgev1.Code_CODE_TOKEN_REFUSED},
		{fmt.Errorf("hello: %w", auth.ErrRevoked), edgev1.Code_CODE_TOKEN_REFUSED},
		{auth.ErrStale, edgev1.Code_CODE_UNAVAILABLE},
		{status.Error(codes.Unavailable, "transport closed"), unknownOutcome},
		{status.Error(codes.DeadlineExceeded, ""), unknownOutcome},
		{status.Error(codes.Unimplemented, ""), edgev1.Code_CODE_NOT_FOUND},
		{status.Error(codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 8)"), edgev1.Code_CODE_BODY_TOO_LARGE},
		{status.Error(codes.ResourceExhausted, "quota"), edgev1.Code_CODE_RATE_LIMITED},
		{status.Error(codes.PermissionDenied, ""), edgev1.Code_CODE_PERMISSION_DENIED},
		{status.Error(codes.Unknown, "boom"), internalCode},
		{status.Error(codes.DataLoss, "boom"), internalCode},
	} {
		p := FromError(x.err)
		if p.GetCode() != x.code {
			t.Errorf("%v: %v, want %v", x.err, p.GetCode(), x.code)
		}
		if strings.Contains(p.GetMessage(), "pq") || strings.Contains(p.GetMessage(), "boom") {
			t.Errorf("%v: told the caller %q", x.err, p.GetMessage())
		}
	}
}

func TestMessagesAreCutAtACharacter(t *testing.T) {
	for in, want := range map[string]string{"": "", "abcd": "abcd", "abcde": "abcd", "abcé": "abc", "€€": "€"} {
		if got := clip(in, 4); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDatabaseFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		want edgev1.Code
	}{
		{fmt.Errorf("read channel: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), edgev1.Code_CODE_UNAVAILABLE},
		{fmt.Errorf("send: %w", sqldb.ErrDiskFull), edgev1.Code_CODE_UNAVAILABLE},
		{fmt.Errorf("send: %w", sqldb.ErrUnknownOutcome), edgev1.Code_CODE_OUTCOME_UNKNOWN},
		{errors.New("a fault of ours"), edgev1.Code_CODE_INTERNAL},
	} {
		if got := CodeOf(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
