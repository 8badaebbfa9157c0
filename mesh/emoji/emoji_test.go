package emoji_test

import (
	"regexp"
	"testing"

	"plenum.internal/mesh/emoji"
)

func TestEmoji(t *testing.T) {
	one := regexp.MustCompile(`^(?:` + emoji.Other + `|` + emoji.Element + `(?:` + emoji.Joiner + emoji.Element + `)*)$`)
	for text, is := range map[string]bool{
		"🎉": true, "👍🏽": true, "❤️": true, "👩‍❤️‍💋‍👨": true, "🇩🇪": true, "🏴󠁧󠁢󠁳󠁣󠁴󠁿": true, "1️⃣": true, "©": true,
		"": false, "a": false, "1": false, "🎉🎉": false, "🇩": false, "👍🏽🏽": false, "\u200D🎉": false, "🎉\u200D": false, "\uFE0F": false,
	} {
		if one.MatchString(text) != is {
			t.Errorf("%q (%+q) is one emoji: %v", text, text, !is)
		}
	}
}
