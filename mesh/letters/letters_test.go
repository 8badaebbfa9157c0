package letters_test

import (
	"strings"
	"testing"

	"plenum.internal/mesh/letters"
)

func TestCrowded(t *testing.T) {
	marks := strings.Repeat("\u0301", letters.MaxMarks)
	for _, s := range []string{
		"", "Ada", "a" + marks, marks, "a" + marks + "b" + marks, "a" + marks + " " + marks, "a" + marks + "\n" + marks, "Nguye\u0302\u0303n", "ที่รัก", "רִ֑ב", "क्ष", "নিৰ্ব্বাচন", "مُحَمَّدٌ",
		"1\ufe0f\u20e3", "👩🏽\u200d❤\ufe0f\u200d👨🏿", "\u06dd\u0661", "\xff",
	} {
		if letters.Crowded(s) {
			t.Errorf("%q is crowded", s)
		}
	}
	for what, s := range map[string]string{
		"one too many": "a" + marks + "\u0301", "on nothing": marks + "\u0301", "of several kinds": "a\u0300\u0489\u20dd\u0327\u06e1", "in the middle": "web-d" + marks + "\u0301esign",
		"beyond a joiner": "a" + marks + "\u200d\u0301", "beyond what has no width": "a" + marks + "\u200b\u0301", "beyond a soft hyphen": "a" + marks + "\u00ad\u0301",
		"beyond a direction": "a" + marks + "\u200f\u0301", "with what is never seen": "a" + marks + "\u034f", "beyond a control": "a" + marks + "\x01\u0301",
	} {
		if !letters.Crowded(s) {
			t.Errorf("%s: %q is not crowded", what, s)
		}
	}
}
