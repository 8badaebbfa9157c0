package ot

import (
	"math"
	"strconv"
	"strings"
)

// Value is a JSON value in canonical form (RFC 8785: keys sorted as UTF-16, numbers as JavaScript writes them), so that == compares. The zero Value is null.
type Value struct {
	json string // Invariant: canonical; "" for null
}

// ParseValue reads one JSON value that nests no deeper than depth objects and arrays. It refuses what Parse refuses in a value.
func ParseValue(data []byte, depth int) (Value, error) {
	s := scanner{data: data, op: NoOp, deepest: depth}
	v, err := s.value(depth)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

// Text is a JSON string. Bytes that are not UTF-8 become U+FFFD.
func Text(s string) Value {
	return Value{string(appendString(nil, strings.ToValidUTF8(s, "\uFFFD")))}
}

// Bool is true or false.
func Bool(b bool) Value { return Value{strconv.FormatBool(b)} }

// Number is a JSON number; what JSON has not (infinities, NaN) is null, as in JavaScript.
func Number(f float64) Value {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return Value{}
	}
	return Value{string(appendNumber(nil, f))}
}

// IsNull reports that the value is null: in an operation it removes the attribute.
func (v Value) IsNull() bool { return v.json == "" }

// JSON is the canonical text.
func (v Value) JSON() string {
	if v.json == "" {
		return "null"
	}
	return v.json
}

// composite reports an object or an array: to JavaScript two of them are never the same, however equal.
func (v Value) composite() bool { return v.json != "" && (v.json[0] == '{' || v.json[0] == '[') }

// appendNumber writes a number as ECMAScript's Number::toString does, -0 as 0.
func appendNumber(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0')
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') { // e-07
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// appendString writes a JSON string of valid UTF-8 with the fewest escapes, as JSON.stringify does.
func appendString[T string | []byte](dst []byte, s T) []byte {
	return append(appendEscaped(append(dst, '"'), s), '"')
}

// appendEscaped is what stands between the quotes.
func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, s[from:]...)
}

// depth counts how deep the objects and arrays of canonical JSON nest.
func depth(json string) int {
	deepest, n, quoted := 0, 0, false
	for i := 0; i < len(json); i++ {
		switch c := json[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			n++
			deepest = max(deepest, n)
		case c == '}' || c == ']':
			n--
		}
	}
	return deepest
}
