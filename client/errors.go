package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Error is what a server answered, or why it could not be asked.
type Error struct {
	Code       edgev1.Code   // what to do about it: see the ranges of edgev1.Code
	Reason     string        // what it was, for programs: "chat.ARCHIVED"; "client.…" where no server said it
	Message    string        // what to do next, for people
	Field      string        // of the request, where one is at fault
	RetryAfter time.Duration // zero: as the code says
	cause      error
	status     int // of HTTP, where something other than a gateway answered; else 0
}

func errorf(code edgev1.Code, reason, format string, args ...any) *Error {
	return &Error{Code: code, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) because(err error) *Error { c := *e; c.cause = err; return &c }

// local reports whether no server said it.
func (e *Error) local() bool { return strings.HasPrefix(e.Reason, "client.") }

// Error is the text for logs.
func (e *Error) Error() string {
	s := e.Code.String()
	if e.Reason != "" {
		s += " " + e.Reason
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause, where there is one on this side.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus lets callers of generated clients use status.Code; the edgev1.Error is the status's detail.
func (e *Error) GRPCStatus() *status.Status {
	s := status.New(grpcCodes[e.Code], e.Message)
	detail := &edgev1.Error{Code: e.Code, Reason: e.Reason, Message: e.Message, Field: e.Field, RetryAfterMs: uint32(e.RetryAfter.Milliseconds())}
	if d, err := s.WithDetails(detail); err == nil && s.Code() != codes.OK {
		return d
	}
	return status.New(codes.Unknown, e.Message)
}

// grpcCodes says under which of gRPC's codes an answer is known there.
var grpcCodes = map[edgev1.Code]codes.Code{
	edgev1.Code_CODE_INVALID_ARGUMENT: codes.InvalidArgument, edgev1.Code_CODE_NOT_FOUND: codes.NotFound,
	edgev1.Code_CODE_PERMISSION_DENIED: codes.PermissionDenied, edgev1.Code_CODE_FAILED_PRECONDITION: codes.FailedPrecondition,
	edgev1.Code_CODE_BODY_TOO_LARGE: codes.ResourceExhausted, edgev1.Code_CODE_UNSUPPORTED: codes.Unimplemented,
	edgev1.Code_CODE_CONFLICT: codes.Aborted, edgev1.Code_CODE_INTERNAL: codes.Internal, edgev1.Code_CODE_UNAVAILABLE: codes.Unavailable,
	edgev1.Code_CODE_OUTCOME_UNKNOWN: codes.DeadlineExceeded, edgev1.Code_CODE_TOO_MANY_CALLS: codes.ResourceExhausted,
	edgev1.Code_CODE_RATE_LIMITED: codes.ResourceExhausted, edgev1.Code_CODE_TOKEN_STALE: codes.Unauthenticated,
	edgev1.Code_CODE_TOKEN_REFUSED: codes.Unauthenticated, edgev1.Code_CODE_TOKEN_EXPIRED: codes.Unauthenticated,
	edgev1.Code_CODE_SESSION_REVOKED: codes.Unauthenticated,
}

// CodeOf returns the code of an *Error in err's chain, and CODE_UNSPECIFIED where there is none.
func CodeOf(err error) edgev1.Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return edgev1.Code_CODE_UNSPECIFIED
}

// fault turns the wire's error into the one that callers see.
func fault(e *edgev1.Error) *Error {
	return &Error{Code: e.GetCode(), Reason: e.GetReason(), Message: e.GetMessage(), Field: e.GetField(),
		RetryAfter: time.Duration(e.GetRetryAfterMs()) * time.Millisecond}
}

// FromStatus turns the error of a gRPC call to a service into an *Error, for programs that call one without a gateway.
func FromStatus(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	for _, d := range s.Details() {
		if e, ok := d.(*edgev1.Error); ok {
			return fault(e)
		}
	}
	return errorf(edgev1.Code_CODE_UNAVAILABLE, "client.UNREACHABLE", "The service can't be reached: %s", s.Message()).because(err)
}

// retryable reports whether a call with this answer may be repeated with the same client_seq.
func retryable(code edgev1.Code) bool { return code >= 200 && code < 300 }

// course says what to do after a connection has ended.
type course int

const (
	again    course = iota // reconnect after a wait
	newToken               // reconnect with a new token
	stop                   // don't reconnect this way
	wipe                   // signed out: forget everything
)

// courseOf reads a close code by its range.
func courseOf(code edgev1.Code) course {
	switch {
	case code >= 4200 && code < 4300:
		return newToken
	case code >= 4300 && code < 4400:
		return stop
	case code >= 4400 && code < 4500:
		return wipe
	default:
		return again
	}
}
