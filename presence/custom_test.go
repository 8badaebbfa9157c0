package presence

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"plenum.internal/mesh/letters"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

func TestEmoji(t *testing.T) {
	for _, s := range []string{"🛠", "🛠️", "☺", "❤️", "👍🏽", "🇳🇱", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "7️⃣", "#⃣", "👩‍💻", "👩🏽‍❤️‍💋‍👨🏿", "👨‍👩‍👧‍👦", "🏳️‍🌈", "ℹ️", "㊗️", "🫩"} {
		if !isEmoji(s) {
			t.Errorf("%q is none", s)
		}
	}
	for name, s := range map[string]string{
		"nothing": "", "a word": "notemoji", "a letter": "x", "a digit": "7", "a sign": "#", "two": "🛠🛠", "one in a text": "🛠 x", "a blank": " 🛠", "a line": "🛠\n",
		"a direction": "\u202e", "a direction behind it": "🛠\u202e", "no width": "\u200b", "a joiner": "🛠\u200d", "joiners": "👩\u200d\u200d💻", "half a flag": "🇳", "three halves": "🇳🇱🇳",
		"hidden letters": "🛠\U000E0068\U000E0069\U000E007F", "many hidden letters": "🏴" + strings.Repeat("\U000E0068", 7) + "\U000E007F", "selectors": "🛠\ufe0f\ufe0f",
		"a tone alone": "\u200d🏽", "bytes": "\xf0\x9f", "too long": strings.Repeat("👩\u200d", 12) + "💻",
	} {
		if isEmoji(s) {
			t.Errorf("%s: %q is one", name, s)
		}
	}
}

func TestText(t *testing.T) {
	for _, s := range []string{
		"", "mending things", "in Köln, until 5 pm (or so); ask @bob: 50 % / 3€ — «ça va?»", "e\u0301", "書いています", "葛\U000E0100城", "한국어", "שלום", "כותב את docs", "اكتب الآن",
		"می\u200cخواهم", "क्\u200dष", "ශ්\u200dරී", "ᠠ\u180b", "ไปกินข้าว", "\u06dd١", "lunch 🍜, back 👩🏽‍💻 at 7️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿 🇳🇱", "no\u00a0break", strings.Repeat("x", MaxText),
	} {
		if !isText(s) {
			t.Errorf("%q is none", s)
		}
	}
	for name, s := range map[string]string{
		"too long": strings.Repeat("x", MaxText+1), "bytes": "a\xff", "two lines": "a\nb", "two lines of Unicode": "a\u2028b", "two paragraphs": "a\u2029b", "a tab": "a\tb", "an escape": "a\x1b[31m",
		"an override": "a\u202eb", "an isolate": "a\u2066b", "a mark of direction": "a\u200fb", "no width": "a\u200bb", "no break": "a\u2060b", "a byte order": "\ufeffa", "a soft hyphen": "a\u00adb",
		"a joiner in Latin": "a\u200db", "a non-joiner in Latin": "a\u200cb", "joiners": "ي\u200c\u200cي", "a joiner first": "\u200dي", "a joiner last": "ي\u200d", "a joiner behind a blank": "ي \u200cي",
		"a joiner behind an emoji": "🛠\u200dx", "a filler": "a\u3164b", "a filler of half width": "\uffa0", "a mark that joins": "a\u034fb", "a selector alone": "\ufe0f", "selectors": "葛\U000E0100\U000E0101",
		"hidden letters": "a\U000E0068\U000E0069", "letters hidden in an emoji": "🛠\U000E0068\U000E007F", "private": "a\ue000", "not assigned": "a\u0378", "no character": "a\uffff", "annotated": "a\ufff9b\ufffb",
	} {
		if isText(s) {
			t.Errorf("%s: %q is one", name, s)
		}
	}
}

// Whoever scribbles over what is beside their status is told how many accents a letter may have.
func TestMarksOnALetter(t *testing.T) {
	marks := strings.Repeat("\u0301", letters.MaxMarks)
	ask := func(text string) error {
		_, err := checkChoice(&presencev1.SetStatusRequest{Custom: &presencev1.Custom{Text: text}})
		return err
	}
	if err := ask("a" + marks + "b" + marks); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"a" + marks + "\u0301", "ي" + marks + "\u200d\u0301"} {
		if err := ask(s); err == nil || !strings.Contains(err.Error(), "at most 4 accents on a letter") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzText: what passes is one line, as long as it may be, of which all is seen.
func FuzzText(f *testing.F) {
	for _, s := range []string{"mending", "می\u200cخواهم", "👩🏽‍💻 7️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "a\u202e\u2028\u200b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if isEmoji(s) && (!isText(s) && len(s) <= MaxText || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) && r != 'ℹ' || unicode.IsSpace(r) })) {
			t.Errorf("%q is an emoji", s)
		}
		if !isText(s) {
			return
		}
		if len(s) > MaxText || !utf8.ValidString(s) {
			t.Errorf("%q passes", s)
		}
		for _, r := range s {
			if unicode.In(r, unicode.Cc, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Bidi_Control) || r == '\u200b' || r == '\ufeff' || r == '\u2060' {
				t.Errorf("%q passes with %U", s, r)
			}
		}
	})
}
