package wire

import (
	"fmt"
	"strconv"
	"unicode/utf16"
)

// explained is a decoder's error of JSON, or in its place what the decoder has no words for: of half a surrogate pair at the end of a string it says that
// the end was not expected.
func explained(data []byte, err error) error {
	if at := loneSurrogate(data); err != nil && at >= 0 {
		return fmt.Errorf("there is a lone surrogate in a string, at byte %d", at)
	}
	return err
}

// loneSurrogate is where JSON has an escape of half a surrogate pair without the other half; -1: nowhere. Escapes stand in strings alone.
func loneSurrogate(data []byte) int {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		r, ok := escaped(data[i:])
		switch {
		case !ok: // another escape, of two bytes
			i++
		case !utf16.IsSurrogate(r):
			i += unit - 1
		default:
			low, _ := escaped(data[i+unit:])
			if utf16.DecodeRune(r, low) == '\uFFFD' {
				return i
			}
			i += 2*unit - 1
		}
	}
	return -1
}

// unit is the length of \u and four digits.
const unit = 6

// escaped is the code unit that an escape stands for, if data begins with one that has a number.
func escaped(data []byte) (rune, bool) {
	if len(data) < unit || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[2:unit]), 16, 16)
	return rune(n), err == nil
}
