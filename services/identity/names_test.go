package identity

import (
	"strings"
	"testing"
)

func TestNamesAreSeen(t *testing.T) {
	for _, name := range []string{
		"Ada Lovelace", "Zoë", "Zoe\u0308", "李小龙", "عائشة", "می\u200cخواهم", "क्\u200dष", "O'Brien-Smith, Jr.", "👩\u200d💻 Ada", "❤\ufe0f", "1\ufe0f\u20e3", "Nguye\u0302\u0303n", "ที่รัก", "רִ֑ב", "🏳\ufe0f\u200d🌈", "👩🏽\u200d🚀",
	} {
		if got, err := text("name", name, ""); err != nil || got != name {
			t.Errorf("%q was refused: %v", name, err)
		}
	}
	for what, name := range map[string]string{
		"a zero-width space":           "Ada\u200b Lovelace",
		"a soft hyphen":                "A\u00adda",
		"a joiner in Latin":            "A\u200dda",
		"a non-joiner in Latin":        "A\u200cda",
		"a non-joiner behind emoji":    "👍\u200cAda",
		"a joiner at the end":          "❤\u200d",
		"a word joiner":                "A\u2060da",
		"a byte order mark":            "A\ufeffda",
		"a grapheme joiner":            "A\u034fda",
		"a selector behind a letter":   "A\ufe0fda",
		"a supplementary selector":     "A\U000E0100da",
		"a tag":                        "Ada\U000E0041",
		"a Hangul filler":              "Ada\u3164",
		"a halfwidth filler":           "Ada\uffa0",
		"a blank pattern of Braille":   "Ada\u2800Lovelace",
		"nothing but a filler":         "\u3164",
		"nothing but a blank pattern":  "\u2800",
		"nothing but marks":            "\u0301\u0301",
		"more marks than a letter has": "Z\u0300\u0301\u0302\u0303\u0304",
		"marks beyond non-joiners":     "\u0628" + strings.Repeat(strings.Repeat("\u06e1", 4)+"\u200c", 15) + "\u06e1",
		"another blank":                "Ada\u00a0Lovelace",
		"a wide blank":                 "Ada\u2003Lovelace",
		"an override":                  "\u202eadA",
		"an isolate":                   "\u2066Ada",
		"a mark of direction":          "Ada\u200e",
		"a line":                       "Ada\u2028Lovelace",
		"a private character":          "Ada\ue000",
	} {
		if _, err := text("name", name, ""); err == nil {
			t.Errorf("%s was taken: %q", what, name)
		}
	}
}
