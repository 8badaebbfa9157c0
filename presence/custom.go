package presence

import (
	"regexp"
	"unicode"
	"unicode/utf8"
)

// Limits of what people say of themselves, in bytes.
const (
	MaxEmoji = 64
	MaxText  = 100
)

// pictograph is a character that an emoji may be made of: Extended_Pictographic of Unicode's emoji-data.txt, which has room for those to come.
const pictograph = `[\x{A9}\x{AE}\x{203C}\x{2049}\x{2122}\x{2139}\x{2194}-\x{2199}\x{21A9}\x{21AA}\x{231A}\x{231B}\x{2328}\x{2388}\x{23CF}\x{23E9}-\x{23F3}` +
	`\x{23F8}-\x{23FA}\x{24C2}\x{25AA}\x{25AB}\x{25B6}\x{25C0}\x{25FB}-\x{25FE}\x{2600}-\x{2605}\x{2607}-\x{2612}\x{2614}-\x{2685}\x{2690}-\x{2705}` +
	`\x{2708}-\x{2712}\x{2714}\x{2716}\x{271D}\x{2721}\x{2728}\x{2733}\x{2734}\x{2744}\x{2747}\x{274C}\x{274E}\x{2753}-\x{2755}\x{2757}\x{2763}-\x{2767}` +
	`\x{2795}-\x{2797}\x{27A1}\x{27B0}\x{27BF}\x{2934}\x{2935}\x{2B05}-\x{2B07}\x{2B1B}\x{2B1C}\x{2B50}\x{2B55}\x{3030}\x{303D}\x{3297}\x{3299}` +
	`\x{1F000}-\x{1F0FF}\x{1F10D}-\x{1F10F}\x{1F12F}\x{1F16C}-\x{1F171}\x{1F17E}\x{1F17F}\x{1F18E}\x{1F191}-\x{1F19A}\x{1F1AD}-\x{1F1E5}\x{1F201}-\x{1F20F}` +
	`\x{1F21A}\x{1F22F}\x{1F232}-\x{1F23A}\x{1F23C}-\x{1F23F}\x{1F249}-\x{1F3FA}\x{1F400}-\x{1F53D}\x{1F546}-\x{1F64F}\x{1F680}-\x{1F6FF}` +
	`\x{1F774}-\x{1F77F}\x{1F7D5}-\x{1F7FF}\x{1F80C}-\x{1F80F}\x{1F848}-\x{1F84F}\x{1F85A}-\x{1F85F}\x{1F888}-\x{1F88F}\x{1F8AE}-\x{1F8FF}` +
	`\x{1F90C}-\x{1F93A}\x{1F93C}-\x{1F945}\x{1F947}-\x{1FAFF}\x{1FC00}-\x{1FFFD}]`

// element is one of those that are joined to one emoji: with a skin tone, or the selector that has it shown in colours.
const element = pictograph + `(?:[\x{1F3FB}-\x{1F3FF}]|\x{FE0F})?`

// An emoji is what UTS #51 calls a possible one (1.4.9): a flag of a country or, by tags, of a part of one; a key; or elements with joiners between them.
var (
	emojis   = regexp.MustCompile(emoji)
	oneEmoji = regexp.MustCompile(`^(?:` + emoji + `)$`)
)

const emoji = `[\x{1F1E6}-\x{1F1FF}]{2}|\x{1F3F4}[\x{E0030}-\x{E0039}\x{E0061}-\x{E007A}]{3,6}\x{E007F}|[0-9#*]\x{FE0F}?\x{20E3}|` + element + `(?:\x{200D}` + element + `)*`

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
