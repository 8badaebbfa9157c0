// Package rpc is how Plenum's processes call each other: one gRPC server, one client, and numbered errors that travel whole.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/sqldb"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// MaxErrorMessage is the longest message that travels, in bytes; what is longer is cut at a character.
const MaxErrorMessage = 256

// Error is an answer to the caller: a numbered kind, a reason for programs and a message for people.
type Error struct {
	Code       edgev1.Code
	Reason     string        // "chat.ARCHIVED": append-only for each service
	Message    string        // what to do next; never shows what may not be known
	Field      string        // of the request, where one is at fault
	RetryAfter time.Duration // zero: the caller chooses
	cause      error
}

// Errorf makes an error whose message is for the user: it says what to do next.
func Errorf(code edgev1.Code, reason, format string, args ...any) *Error {
	return &Error{Code: code, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Because adds the internal cause: it is logged and unwrapped, never sent.
func (e *Error) Because(err error) *Error { c := *e; c.cause = err; return &c }

// On names the field of the request that is at fault.
func (e *Error) On(field string) *Error { c := *e; c.Field = field; return &c }

// RetryIn says how long to wait before the call is repeated.
func (e *Error) RetryIn(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

// Error is the text for logs: all of it, the cause included.
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

// Unwrap returns the internal cause.
func (e *Error) Unwrap() error { return e.cause }

func (e *Error) proto() *edgev1.Error {
	return &edgev1.Error{
		Code: e.Code, Reason: e.Reason, Message: clip(e.Message, MaxErrorMessage), Field: e.Field,
		RetryAfterMs: uint32(min(max(e.RetryAfter.Milliseconds(), 0), 1<<32-1)),
	}
}

// GRPCStatus is how the error travels between processes: the gRPC code of the table, and the edgev1.Error as its detail.
func (e *Error) GRPCStatus() *status.Status { return toStatus(e.proto()) }

func toStatus(p *edgev1.Error) *status.Status {
	s := status.New(grpcCode(p.GetCode()), p.GetMessage())
	if d, err := s.WithDetails(p); err == nil {
		return d
	}
	return s // a string that isn't UTF-8: the code alone
}

// FromError turns any error into what may be told to the caller. What it doesn't know is internal, with a neutral text.
func FromError(err error) *edgev1.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.proto()
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return k.as.proto()
		}
	}
	if s, ok := status.FromError(err); ok {
		return fromStatus(s)
	}
	err = sqldb.Classify(err) // a read that failed half-way comes as its driver says it
	for _, k := range stored {
		if errors.Is(err, k.err) {
			return k.as.proto()
		}
	}
	return internal.proto()
}

// CodeOf returns the numbered kind of an error, unspecified for nil.
func CodeOf(err error) edgev1.Code { return FromError(err).GetCode() }

// fromStatus prefers the detail. A status without one was made by gRPC itself, or by a foreign service.
func fromStatus(s *status.Status) *edgev1.Error {
	for _, d := range s.Details() {
		if e, ok := d.(*edgev1.Error); ok && e.GetCode() != edgev1.Code_CODE_UNSPECIFIED {
			return e
		}
	}
	if s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), "larger than max") { // gRPC has no other mark for it
		return tooLarge.proto()
	}
	if e, ok := plain[s.Code()]; ok {
		return e.proto()
	}
	return internal.proto()
}

var (
	internal  = Errorf(edgev1.Code_CODE_INTERNAL, "rpc.INTERNAL", "Something went wrong on our side. Try again later; if it stays, tell your administrator.")
	unknown   = Errorf(edgev1.Code_CODE_OUTCOME_UNKNOWN, "rpc.OUTCOME_UNKNOWN", "No answer came in time. Repeat the call with the same number.")
	away      = Errorf(edgev1.Code_CODE_UNAVAILABLE, "rpc.UNAVAILABLE", "The service can't be reached just now. Try again shortly.")
	noMethod  = Errorf(edgev1.Code_CODE_NOT_FOUND, "rpc.NO_METHOD", "There is no such method.")
	tooLarge  = Errorf(edgev1.Code_CODE_BODY_TOO_LARGE, "rpc.TOO_LARGE", "The request is too large. Send less at once.")
	refused   = Errorf(edgev1.Code_CODE_TOKEN_REFUSED, "auth.REFUSED", "Sign in again.")
	malformed = Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "rpc.MALFORMED", "The request can't be read: it is not what the method takes, or its text is not UTF-8.")
	tooMany   = Errorf(edgev1.Code_CODE_RATE_LIMITED, "rpc.EXHAUSTED", "Too much at once. Try again shortly.")
)

// known are the errors of the language and of auth that have a meaning for callers.
var known = []struct {
	err error
	as  *Error
}{
	{context.DeadlineExceeded, unknown},
	{context.Canceled, unknown},
	{auth.ErrExpired, Errorf(edgev1.Code_CODE_TOKEN_STALE, "auth.EXPIRED", "The access token has expired. Refresh it.")},
	{auth.ErrRefused, refused},
	// Perhaps only the role has changed: the refresh tells whether the session has ended, and whether its data is to be wiped.
	{auth.ErrRevoked, Errorf(edgev1.Code_CODE_TOKEN_REFUSED, "auth.REVOKED", "This access token has ended. Refresh the session, or sign in again.")},
	{auth.ErrStale, Errorf(edgev1.Code_CODE_UNAVAILABLE, "auth.STALE", "Sign-ins can't be checked just now. Try again shortly.").RetryIn(time.Second)},
}

// stored are the failures of a service's database.
var stored = []struct {
	err error
	as  *Error
}{
	{sqldb.ErrUnknownOutcome, unknown},
	{sqldb.ErrDiskFull, Errorf(edgev1.Code_CODE_UNAVAILABLE, "rpc.DISK_FULL", "Nothing can be saved: the server's disk is full. Tell your administrator.").RetryIn(5 * time.Second)},
	{sqldb.ErrUnavailable, database},
	{sqldb.ErrConflict, database},
	{sqldb.ErrOverloaded, database},
	{sqldb.ErrStopped, database},
}

var database = Errorf(edgev1.Code_CODE_UNAVAILABLE, "rpc.DATABASE", "The data can't be reached just now. Try again shortly.").RetryIn(time.Second)

// plain is what a gRPC status means that carries no detail.
var plain = map[codes.Code]*Error{
	codes.Canceled: unknown, codes.DeadlineExceeded: unknown,
	codes.Unavailable:   unknown, // the connection broke, perhaps after the call had run; the client's interceptor knows better
	codes.Unimplemented: noMethod, codes.NotFound: noMethod,
	codes.ResourceExhausted: tooMany,
	codes.Unauthenticated:   refused,
	codes.InvalidArgument:   Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "rpc.INVALID", "The request is not valid."),
	codes.OutOfRange:        Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "rpc.INVALID", "The request is not valid."),
	codes.PermissionDenied:  Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "rpc.DENIED", "You may not do this."),
	codes.FailedPrecondition: Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "rpc.PRECONDITION",
		"This can't be done in the present state."),
	codes.AlreadyExists: Errorf(edgev1.Code_CODE_CONFLICT, "rpc.CONFLICT", "It contradicts what is there. Read again."),
	codes.Aborted:       Errorf(edgev1.Code_CODE_CONFLICT, "rpc.CONFLICT", "It contradicts what is there. Read again."),
}

// table gives each numbered kind its gRPC code. The kinds from 4000 are close codes: numbers that go on the wire as they are.
var table = map[edgev1.Code]codes.Code{
	edgev1.Code_CODE_INVALID_ARGUMENT:    codes.InvalidArgument,
	edgev1.Code_CODE_NOT_FOUND:           codes.NotFound,
	edgev1.Code_CODE_PERMISSION_DENIED:   codes.PermissionDenied,
	edgev1.Code_CODE_FAILED_PRECONDITION: codes.FailedPrecondition,
	edgev1.Code_CODE_BODY_TOO_LARGE:      codes.ResourceExhausted,
	edgev1.Code_CODE_UNSUPPORTED:         codes.Unimplemented,
	edgev1.Code_CODE_CONFLICT:            codes.Aborted,
	edgev1.Code_CODE_INTERNAL:            codes.Internal,
	edgev1.Code_CODE_UNAVAILABLE:         codes.Unavailable,
	edgev1.Code_CODE_OUTCOME_UNKNOWN:     codes.DeadlineExceeded,
	edgev1.Code_CODE_TOO_MANY_CALLS:      codes.ResourceExhausted,
	edgev1.Code_CODE_RATE_LIMITED:        codes.ResourceExhausted,
	edgev1.Code_CODE_TOKEN_STALE:         codes.Unauthenticated,
	edgev1.Code_CODE_LAGGED:              codes.Aborted,
	edgev1.Code_CODE_RESET_EPOCH:         codes.OutOfRange,
	edgev1.Code_CODE_RESET_FLOOR:         codes.OutOfRange,
	edgev1.Code_CODE_RESET_TOO_LONG:      codes.OutOfRange,
	edgev1.Code_CODE_REVOKED:             codes.PermissionDenied,
	edgev1.Code_CODE_TOPIC_GONE:          codes.NotFound,
	edgev1.Code_CODE_TOO_MANY_TOPICS:     codes.ResourceExhausted,
	edgev1.Code_CODE_CONNECTION_FAULT:    codes.Unavailable,
	edgev1.Code_CODE_SILENT:              codes.Unavailable,
	edgev1.Code_CODE_SLOW_READER:         codes.Unavailable,
	edgev1.Code_CODE_DRAINING:            codes.Unavailable,
	edgev1.Code_CODE_OVERLOADED:          codes.Unavailable,
	edgev1.Code_CODE_FLOOD:               codes.ResourceExhausted,
	edgev1.Code_CODE_TOKEN_EXPIRED:       codes.Unauthenticated,
	edgev1.Code_CODE_TOKEN_REFUSED:       codes.Unauthenticated,
	edgev1.Code_CODE_MALFORMED:           codes.InvalidArgument,
	edgev1.Code_CODE_MESSAGE_TOO_LARGE:   codes.ResourceExhausted,
	edgev1.Code_CODE_VERSION:             codes.FailedPrecondition,
	edgev1.Code_CODE_SESSION_REVOKED:     codes.Unauthenticated,
}

func grpcCode(c edgev1.Code) codes.Code {
	if g, ok := table[c]; ok {
		return g
	}
	return codes.Unknown
}

// clip cuts s to at most n bytes without splitting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
