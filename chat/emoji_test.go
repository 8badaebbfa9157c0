package chat

import (
	"strings"
	"testing"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

func TestReactionsAreEmoji(t *testing.T) {
	for _, emoji := range []string{
		"👍", "👍🏽", "❤", "❤️", "🎉", "✅", "©", "🇩🇪", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "#⃣", "👩‍👩‍👧‍👧", "👩🏻‍❤️‍💋‍👨🏽", "🏳️‍🌈", "🧑🏽‍🦽‍➡️", "👁️‍🗨️", ":tada:", ":+1:", ":d4-17:", ":heavy_check_mark:",
	} {
		if err := checkEmoji(emoji); err != nil {
			t.Errorf("%s: %v", emoji, err)
		}
	}
	for what, emoji := range map[string]string{
		"nothing":             "",
		"a letter":            "x",
		"a digit":             "1",
		"two":                 "👍👍",
		"two flags":           "🇩🇪🇫🇷",
		"half a flag":         "🇩",
		"words":               "KICKED-OUT-BY-ADMIN-CLICK-HERE-https://evil.example",
		"words as a name":     ":click-https://evil.example:",
		"words behind one":    "👍evil",
		"words before one":    "evil👍",
		"turned around":       "\u202eevil",
		"one, turned around":  "\u202e👍",
		"blank":               "\u200b",
		"an isolate":          "\u2066",
		"a filler":            "\u3164",
		"marks over others":   "Z" + strings.Repeat("\u0335\u0310", 12),
		"marks on one":        "👍" + strings.Repeat("\u0310", 12),
		"a chain of five":     "👩‍👩‍👧‍👧‍👧",
		"a joiner at the end": "👍\u200d",
		"a line":              "👍\n",
		"no name":             "::",
		"a name in capitals":  ":TADA:",
	} {
		if err := checkEmoji(emoji); err == nil {
			t.Errorf("%s was taken: %q", what, emoji)
		}
	}
	if err := checkReaction("+1"); err != nil {
		t.Errorf("what was a reaction before can't be taken back: %v", err)
	}
}

func TestReactsWithEmojiOnly(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna := w.person("w1", "anna", plain)
		w.settle()
		ch := anna.public("general")
		at := anna.send(ch, "hello")
		_, err := w.api.AddReaction(anna.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: at, Emoji: "+1"})
		refused(t, err, "chat.BAD_FIELD")
		must(w.api.RemoveReaction(anna.write(), &chatv1.RemoveReactionRequest{Channel: ch, Offset: at, Emoji: "+1"}))(t)
	})
}
