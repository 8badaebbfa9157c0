package presence

import (
	"regexp"
	"unicode"
	"unicode/utf8"

	"plenum.internal/mesh/emoji"
)

// Limits of what people say of themselves, in bytes.
const (
	MaxEmoji = 64
	MaxText  = 100
)

// What UTS #51 calls a possible emoji (1.4.9), of any number of elements.
const possible = emoji.Other + `|` + emoji.Element + `(?:` + emoji.Joiner + emoji.Element + `)*`

var (
	emojis   = regexp.MustCompile(possible)
	oneEmoji = regexp.MustCompile(`^(?:` + possible + `)$`)
)

// isEmoji says whether there is exactly one.
func isEmoji(text string) bool {
	return len(text) <= MaxEmoji && utf8.ValidString(text) && oneEmoji.MatchString(text)
}

// isText says whether a text is one line of what can be seen: of any script, and with emoji. What is invisible stands only where writing needs it.
func isText(text string) bool {
	if len(text) > MaxText || !utf8.ValidString(text) {
		return false
	}
	var base, last rune // base: what marks stand on
	for _, r := range emojis.ReplaceAllLiteralString(text, "☺") {
		switch {
		case r == zwnj || r == zwj:
			if isJoiner(last) || !unicode.In(base, joining...) {
				return false
			}
		case unicode.Is(unicode.Variation_Selector, r): // of a letter
			if base == 0 || unicode.Is(unicode.Variation_Selector, last) {
				return false
			}
		case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r): // letters and marks by category, but nothing is seen of them
			return false
		case unicode.IsMark(r):
		case unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S, unicode.Prepended_Concatenation_Mark):
			base = r
		case unicode.Is(unicode.Zs, r):
			base = 0
		default: // control, format, line, private, not assigned
			return false
		}
		last = r
	}
	return !isJoiner(last)
}

// zwnj and zwj have letters joined otherwise than they would be.
const (
	zwnj = '\u200C'
	zwj  = '\u200D'
)

func isJoiner(r rune) bool { return r == zwnj || r == zwj }

// joining are the scripts in which they change what is seen: those that join their letters, and those that make conjuncts of them.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko, unicode.Adlam, unicode.Hanifi_Rohingya, unicode.Mandaic,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam,
	unicode.Sinhala, unicode.Tibetan, unicode.Myanmar, unicode.Khmer, unicode.Balinese, unicode.Javanese, unicode.Meetei_Mayek, unicode.Chakma,
}
