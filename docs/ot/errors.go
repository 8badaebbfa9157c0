package ot

import "fmt"

// Kind numbers what can be wrong with an operation. Numbers are append-only: services map them to answers, clients to texts.
type Kind uint8

// The kinds.
const (
	// Malformed: not JSON, or not of the form of a Delta: an unknown key, a key twice, two actions in one operation.
	Malformed Kind = 1
	// BadText: a lone surrogate, or bytes that are not UTF-8.
	BadText Kind = 2
	// BadLength: a length that is zero, negative, not whole, or beyond MaxLength.
	BadLength Kind = 3
	// TooLarge: the operation's bytes, operations, embed or attributes are beyond a limit.
	TooLarge Kind = 4
	// TooDeep: attributes or an embed nest deeper than the limit.
	TooDeep Kind = 5
	// PastEnd: the operation goes past the end of the document.
	PastEnd Kind = 6
	// SplitPair: a boundary lies within a surrogate pair of the text that it is applied to.
	SplitPair Kind = 7
	// DocumentFull: the document would be longer, or hold more embeds or attributes, than the limit.
	DocumentFull Kind = 8
	// EmbedMismatch: an embed is retained where there is none, or one of another type.
	EmbedMismatch Kind = 9
	// NoHandler: an embed of this type can't be changed, only inserted and deleted.
	NoHandler Kind = 10
	// HandlerFailed: the handler of the embed's type refused the change.
	HandlerFailed Kind = 11
	// NotDocument: a document was wanted, and this has retains or deletes.
	NotDocument Kind = 12
)

// String is the kind's name.
func (k Kind) String() string {
	names := [...]string{
		"unknown", "malformed", "bad text", "bad length", "too large", "too deep", "past the end", "split pair", "document full", "embed mismatch",
		"no handler", "handler failed", "not a document",
	}
	if int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// NoOp is the index of an Error that is about the whole Delta.
const NoOp = -1

// Error says what is wrong and where. Every error of this package is one.
type Error struct {
	Kind  Kind
	Op    int    // index of the operation at fault, as it was given; NoOp: the whole
	Text  string // for people: what is wrong, in a clause that stands alone
	cause error
}

// Error is the text with the operation's index.
func (e *Error) Error() string {
	s := "ot: " + e.Text
	if e.Op != NoOp {
		s = fmt.Sprintf("ot: operation %d: %s", e.Op, e.Text)
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns what a handler said, or nil.
func (e *Error) Unwrap() error { return e.cause }

func errorf(kind Kind, op int, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Text: fmt.Sprintf(format, args...)}
}

func splitPair(op int) *Error {
	return errorf(SplitPair, op, "its boundary lies within a surrogate pair")
}
