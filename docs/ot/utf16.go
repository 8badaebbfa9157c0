package ot

import "unicode/utf8"

// measure counts the UTF-16 code units of valid UTF-8, and the characters of it that take two: those of four bytes.
func measure[T string | []byte](s T) (units, pairs int) {
	i := 0
	for i < len(s) && s[i] < utf8.RuneSelf {
		i++
	}
	units = i
	for ; i < len(s); i++ {
		c := s[i]
		if c&0xC0 != 0x80 {
			units++
		}
		if c >= 0xF0 {
			units++
			pairs++
		}
	}
	return units, pairs
}

// offset is where the first n code units of valid UTF-8 end, in bytes. It is false if that is within a surrogate pair.
func offset[T string | []byte](s T, n int) (int, bool) {
	i := 0
	for n > 0 {
		switch c := s[i]; {
		case c < utf8.RuneSelf:
			i++
		case c < 0xE0:
			i += 2
		case c < 0xF0:
			i += 3
		default:
			i += 4
			n--
		}
		n--
	}
	return i, n == 0
}

// compareUnits orders valid UTF-8 as JavaScript's sort does, by UTF-16 code units: a character that takes two comes before U+E000.
func compareUnits(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		return len(a) - len(b)
	}
	for i > 0 && !utf8.RuneStart(a[i]) {
		i--
	}
	r, _ := utf8.DecodeRuneInString(a[i:])
	s, _ := utf8.DecodeRuneInString(b[i:])
	if (r > 0xFFFF) == (s > 0xFFFF) {
		return int(r - s)
	}
	if r > 0xFFFF {
		r = 0xD800
	} else {
		s = 0xD800
	}
	return int(r - s)
}

func validText(s string) bool { return utf8.ValidString(s) }
