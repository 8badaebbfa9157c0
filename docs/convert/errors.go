package convert

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"plenum.internal/docs/ot"
)

// Kind numbers what is refused. Numbers are append-only.
type Kind uint8

// The kinds.
const (
	// TooLarge: more bytes, operations or text than the limit, on the way in or out.
	TooLarge Kind = 1
	// TooDeep: lists, quotes, tags or marks nest deeper than the limit.
	TooDeep Kind = 2
	// TooComplex: a paragraph has more marks, or a table more cells, than can be read in time.
	TooComplex Kind = 3
	// BadText: not UTF-8.
	BadText Kind = 4
)

// Error says what is wrong. Every error of this package is one.
type Error struct {
	Kind Kind
	Text string // for people
}

func (e *Error) Error() string { return "convert: " + e.Text }

func errorf(kind Kind, format string, args ...any) *Error {
	return &Error{kind, fmt.Sprintf(format, args...)}
}

// Limits bound what is read.
type Limits struct {
	Bytes int // of what is read
	Depth int // of lists, quotes, tags and marks in each other
	Ops   int // operations of the content
}

// DefaultLimits are those of the service.
func DefaultLimits() Limits { return Limits{Bytes: 1 << 20, Depth: 100, Ops: 1 << 16} }

// check holds what is to be read against the limits.
func (l Limits) check(data []byte) error {
	if len(data) > l.Bytes {
		return errorf(TooLarge, "it has %d bytes, the limit is %d", len(data), l.Bytes)
	}
	if !utf8.Valid(data) {
		return errorf(BadText, "it is not UTF-8")
	}
	return nil
}

// accepted is content that a document can begin with.
func accepted(content ot.Delta) (ot.Delta, error) {
	if _, err := ot.NewDocument(content, ot.DefaultLimits(), nil); err != nil {
		if e, ok := errors.AsType[*ot.Error](err); ok {
			return ot.Delta{}, errorf(TooLarge, "%s", e.Text)
		}
		return ot.Delta{}, errorf(TooLarge, "the document: %v", err)
	}
	return content, nil
}
