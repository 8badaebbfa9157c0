package ot

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads strict JSON (RFC 8259) from memory. Unlike encoding/json it refuses lone surrogates, invalid UTF-8 and a key that comes
// twice, and gives values in canonical form.
type scanner struct {
	data    []byte
	pos     int
	op      int  // index of the operation that is read, for errors
	deepest int  // how deep a value may nest, for errors
	names   bool // keys are names of attributes, and none that is inherited is one
}

// member is one key of an object, with its value.
type member struct {
	key   string
	value Value
}

func (s *scanner) fail(kind Kind, format string, args ...any) *Error {
	return errorf(kind, s.op, format, args...)
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// accept takes the next byte if it is c.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) expect(c byte, why string) error {
	if !s.accept(c) {
		return s.fail(Malformed, "%q is missing at byte %d: %s", c, s.pos, why)
	}
	return nil
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.data) {
		return s.fail(Malformed, "something follows its end, at byte %d", s.pos)
	}
	return nil
}

// list reads what stands between '[' or '{', which was taken, and its end, with a call for each element.
func (s *scanner) list(end byte, each func() error) error {
	if s.accept(end) {
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		if s.accept(',') {
			continue
		}
		return s.expect(end, "a list ends with it, or goes on with a comma")
	}
}

// key reads a key of an object and its colon.
func (s *scanner) key() (string, error) {
	key, err := s.text()
	if err == nil {
		err = s.expect(':', "it follows a key")
	}
	return key, err
}

// text reads a string.
func (s *scanner) text() (string, error) {
	if err := s.expect('"', "a string begins with it"); err != nil {
		return "", err
	}
	from := s.pos
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			raw := s.data[from:s.pos]
			s.pos++
			if !utf8.Valid(raw) {
				return "", s.fail(BadText, "the string at byte %d is not UTF-8", from)
			}
			return string(raw), nil
		case c == '\\':
			return s.escaped(from)
		case c < ' ':
			return "", s.fail(Malformed, "the string at byte %d has a control character that is not escaped", from)
		}
	}
	return "", s.fail(Malformed, "the string at byte %d has no end", from)
}

// escaped reads a string that began at from and has its first escape here.
func (s *scanner) escaped(from int) (string, error) {
	out := make([]byte, 0, s.pos-from+max(64, bytes.IndexByte(s.data[s.pos:], '"')))
	out = append(out, s.data[from:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		s.pos++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return "", s.fail(BadText, "the string at byte %d is not UTF-8", from)
			}
			return string(out), nil
		case c < ' ':
			return "", s.fail(Malformed, "the string at byte %d has a control character that is not escaped", from)
		case c != '\\':
			out = append(out, c)
		default:
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return "", s.fail(Malformed, "the string at byte %d has no end", from)
}

// escape reads what follows a backslash; both escapes of a surrogate pair.
func (s *scanner) escape() (rune, error) {
	if s.pos < len(s.data) {
		c := s.data[s.pos]
		if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
			s.pos++
			return rune("\"\\/\b\f\n\r\t"[i]), nil
		}
		if c == 'u' {
			return s.unicode()
		}
	}
	return 0, s.fail(Malformed, "the escape at byte %d is unknown", s.pos)
}

func (s *scanner) unicode() (rune, error) {
	at := s.pos - 1
	r, ok := s.hex()
	if !ok {
		return 0, s.fail(Malformed, "the escape at byte %d is unknown", at)
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if s.pos+1 < len(s.data) && s.data[s.pos] == '\\' && s.data[s.pos+1] == 'u' {
		s.pos++
		if low, ok := s.hex(); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, nil
			}
		}
	}
	return 0, s.fail(BadText, "there is a lone surrogate at byte %d", at)
}

// hex reads "u" and four digits.
func (s *scanner) hex() (rune, bool) {
	if s.pos+5 > len(s.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.data[s.pos+1:s.pos+5]), 16, 16)
	s.pos += 5
	return rune(n), err == nil
}

// number reads a number that JavaScript can hold: what is beyond its range is refused, what is beyond its precision is rounded. Errors call what
// is missing by the name that the caller has for it.
func (s *scanner) number(name string) (float64, error) {
	s.peek()
	from := s.pos
	for s.pos < len(s.data) && strings.IndexByte("+-.eE0123456789", s.data[s.pos]) >= 0 {
		s.pos++
	}
	literal := string(s.data[from:s.pos])
	if !isNumber(literal) {
		return 0, s.fail(Malformed, "%s is missing at byte %d", name, from)
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, s.fail(Malformed, "the number at byte %d is out of range", from)
	}
	return f, nil
}

// isNumber holds a literal to JSON's grammar.
func isNumber(s string) bool {
	digits := func() bool {
		rest := strings.TrimLeft(s, "0123456789")
		ok := len(rest) < len(s)
		s = rest
		return ok
	}
	s = strings.TrimPrefix(s, "-")
	if zero, ok := strings.CutPrefix(s, "0"); ok {
		s = zero
	} else if !digits() {
		return false
	}
	if fraction, ok := strings.CutPrefix(s, "."); ok {
		if s = fraction; !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		return digits() && s == ""
	}
	return s == ""
}

// value reads any value; depth is how deep it may nest.
func (s *scanner) value(depth int) (Value, error) {
	switch c := s.peek(); c {
	case '{':
		members, err := s.object(depth)
		if err != nil {
			return Value{}, err
		}
		return Value{string(appendObject(nil, members))}, nil
	case '[':
		return s.array(depth)
	case '"':
		text, err := s.text()
		if err != nil {
			return Value{}, err
		}
		return Value{string(appendString(nil, text))}, nil
	case 't', 'f', 'n':
		for _, word := range []string{"true", "false", "null"} {
			if bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
				s.pos += len(word)
				if c == 'n' {
					return Value{}, nil
				}
				return Value{word}, nil
			}
		}
		return Value{}, s.fail(Malformed, "a value is missing at byte %d", s.pos)
	default:
		f, err := s.number("a value")
		if err != nil {
			return Value{}, err
		}
		return Value{string(appendNumber(nil, f))}, nil
	}
}

func (s *scanner) array(depth int) (Value, error) {
	if depth <= 0 {
		return Value{}, s.fail(TooDeep, "it nests more than %d deep, the limit, at byte %d", s.deepest, s.pos)
	}
	s.pos++
	out := []byte{'['}
	err := s.list(']', func() error {
		v, err := s.value(depth - 1)
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, v.JSON()...)
		return err
	})
	if err != nil {
		return Value{}, err
	}
	return Value{string(append(out, ']'))}, nil
}

// object reads an object; its members come sorted.
func (s *scanner) object(depth int) ([]member, error) {
	if depth <= 0 {
		return nil, s.fail(TooDeep, "it nests more than %d deep, the limit, at byte %d", s.deepest, s.pos)
	}
	if err := s.expect('{', "an object begins with it"); err != nil {
		return nil, err
	}
	var members []member
	err := s.list('}', func() error {
		key, err := s.key()
		if err != nil {
			return err
		}
		if key == "__proto__" || s.names && inherited(key) { // the first is lost anywhere, or changes the object's prototype
			return s.fail(Malformed, "the key %s can't be used", key)
		}
		v, err := s.value(depth - 1)
		members = append(members, member{key, v})
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b member) int { return compareUnits(a.key, b.key) })
	for i := 1; i < len(members); i++ {
		if members[i].key == members[i-1].key {
			return nil, s.fail(Malformed, "the key %q comes twice", members[i].key)
		}
	}
	return members, nil
}

// appendObject writes members that are sorted.
func appendObject(dst []byte, members []member) []byte {
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.key), ':')
		dst = append(dst, m.value.JSON()...)
	}
	return append(dst, '}')
}
