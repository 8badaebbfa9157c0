package chat

import "testing"

func TestChannelNamesAreSeen(t *testing.T) {
	for _, name := range []string{"general", "größe", "zoe\u0308", "団体", "क्ष", "a-b_c.d", "2026"} {
		if _, err := channelName(name); err != nil {
			t.Errorf("%q was refused: %v", name, err)
		}
	}
	for _, name := range []string{"gen\u3164eral", "\u3164", "gen\u115feral", "gen\u034feral", "gen\ufe0feral", "gen\u200beral", "gen\u00aderal", "gen\u2800eral", "gen\U000E0100eral", "gen\uffa0eral"} {
		if _, err := channelName(name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
