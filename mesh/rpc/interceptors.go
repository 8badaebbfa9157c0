package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	httpv1 "plenum.internal/proto/plenum/http/v1"
)

// The interceptors stand in one order, outermost first: recovery, tracing (a stats handler), metrics, auth, deadline and
// limits, error mapping.

func (s *Server) recoverUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer s.recovered(ctx, info.FullMethod, &err)
	return handle(ctx, req)
}

func (s *Server) recoverStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer s.recovered(stream.Context(), info.FullMethod, &err)
	return handle(srv, stream)
}

func (s *Server) recovered(ctx context.Context, method string, err *error) {
	if p := recover(); p != nil {
		s.metrics.panics.Inc()
		s.log.ErrorContext(ctx, "a handler panicked", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = internal
	}
}

func (s *Server) measureUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	done := s.metrics.begin(info.FullMethod)
	err = internal // what a panic is counted as
	defer func() { done(err) }()
	answer, err = handle(ctx, req)
	return answer, err
}

func (s *Server) measureStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	done := s.metrics.begin(info.FullMethod)
	err = internal
	defer func() { done(err) }()
	err = handle(srv, stream)
	return err
}

func (s *Server) admitUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, err := s.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func (s *Server) admitStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, err := s.admit(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return handle(srv, serverStream{stream, ctx})
}

// admit decides whether the call may go on, by the method's exposure, and returns the context with its verified caller.
// An internal method admits peers only; a token that comes along must be good, and the handler asks Caller for it.
func (s *Server) admit(ctx context.Context, full string) (context.Context, error) {
	m := s.methods[full]
	if m == nil {
		return nil, noMethod
	}
	switch m.exposure {
	case edgev1.Exposure_EXPOSURE_PUBLIC:
		return ctx, nil
	case edgev1.Exposure_EXPOSURE_USER:
		return s.authenticate(ctx)
	case edgev1.Exposure_EXPOSURE_UNSPECIFIED:
	}
	if peer := Peer(ctx); !m.admits(peer) {
		s.log.WarnContext(ctx, "a peer called a method it is not admitted to", "method", full, "peer", peer)
		return nil, noMethod
	}
	if _, ok := tokenFrom(ctx); ok {
		return s.authenticate(ctx)
	}
	return context.WithValue(ctx, serverKey{}, s), nil
}

func (s *Server) authenticate(ctx context.Context) (context.Context, error) {
	token, _ := tokenFrom(ctx)
	caller, err := s.verify(ctx, token)
	if err != nil {
		return nil, toStatus(FromError(err)).Err()
	}
	return auth.NewContext(ctx, caller), nil
}

// verify tells whose token it is; what is refused goes on record.
func (s *Server) verify(ctx context.Context, token string) (auth.Caller, error) {
	if s.deps.Verifier == nil || token == "" {
		return auth.Caller{}, refused
	}
	caller, err := s.deps.Verifier.Verify(ctx, token)
	if err != nil {
		s.deps.Refusals.Token(err, ClientAddress(ctx))
	}
	return caller, err
}

// serverKey is where the handler of an internal method that came without a token finds its server.
type serverKey struct{}

// Bearer verifies a token that stands in the request of an internal method, by the rules for the token of a call: a peer that speaks for
// several users at once proves each. Its error is one to answer with.
func Bearer(ctx context.Context, token string) (auth.Caller, error) {
	s, ok := ctx.Value(serverKey{}).(*Server)
	if !ok {
		return auth.Caller{}, refused
	}
	return s.verify(ctx, token)
}

// Part does a part of an internal call that works for several users as a call of its own would be done: a panic is caught, and an error is
// logged and stripped of all that callers may not see. It returns nil for no error.
func Part(ctx context.Context, do func() error) *edgev1.Error {
	s, ok := ctx.Value(serverKey{}).(*Server)
	if !ok {
		return FromError(refused)
	}
	full, _ := grpc.Method(ctx)
	return s.tellable(ctx, full, func() (err error) {
		defer s.recovered(ctx, full, &err)
		return do()
	}())
}

// Caller returns the user on whose behalf the call is made, or an error to answer with where there is none.
func Caller(ctx context.Context) (auth.Caller, error) {
	c, ok := auth.FromContext(ctx)
	if !ok {
		return c, refused
	}
	return c, nil
}

// limitUnary bounds an exposed method's request and time by its options. Internal calls keep their own deadline, or get one.
func (s *Server) limitUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	m := s.methods[info.FullMethod]
	timeout := m.timeout
	if m.exposure == edgev1.Exposure_EXPOSURE_UNSPECIFIED {
		if _, ok := ctx.Deadline(); ok {
			return handle(ctx, req)
		}
		timeout = internalTimeout
	} else if p, ok := req.(proto.Message); ok && proto.Size(p) > m.maxBytes {
		return nil, tooLarge
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= timeout {
		return handle(ctx, req) // a timer for each call is dear
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return handle(ctx, req)
}

// drainStream ends streams when the server stops: most of them have no end of their own. A request over HTTP has: it is given StopGrace.
func (s *Server) drainStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if info.FullMethod == httpv1.HttpService_Exchange_FullMethodName {
		return handle(srv, stream)
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	stop := context.AfterFunc(s.draining, func() { cancel(errDraining) })
	defer stop()
	err := handle(srv, serverStream{stream, ctx})
	if err != nil && errors.Is(context.Cause(ctx), errDraining) {
		return errDraining
	}
	return err
}

// ReasonDraining is the Error.Reason of what a server refuses or ends because it stops.
const ReasonDraining = "rpc.DRAINING"

var errDraining = Errorf(edgev1.Code_CODE_UNAVAILABLE, ReasonDraining, "The service is restarting. Try again shortly.").RetryIn(100 * time.Millisecond)

func (s *Server) mapUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, req)
	return answer, s.answerable(ctx, info.FullMethod, err)
}

func (s *Server) mapStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return s.answerable(stream.Context(), info.FullMethod, handle(srv, stream))
}

func (s *Server) answerable(ctx context.Context, full string, err error) error {
	if err == nil {
		return nil
	}
	return toStatus(s.tellable(ctx, full, err)).Err()
}

// tellable logs what happened and strips the error of all that callers may not see.
func (s *Server) tellable(ctx context.Context, full string, err error) *edgev1.Error {
	if err == nil {
		return nil
	}
	p := FromError(err)
	level := slog.LevelDebug
	switch {
	case p.GetCode() == edgev1.Code_CODE_INTERNAL:
		level = slog.LevelError
	case errors.Unwrap(err) != nil && ctx.Err() == nil:
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "call failed", "method", full, "code", int(p.GetCode()), "reason", p.GetReason(), "peer", Peer(ctx), "error", err)
	return p
}

type serverStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // it replaces the stream's own
}

func (s serverStream) Context() context.Context { return s.ctx }
