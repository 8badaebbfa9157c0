package chat

import (
	"strings"
	"testing"

	"plenum.internal/mesh/letters"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

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

// What a channel says of itself scribbles over none of the lines around it, whether it is new or changed.
func TestMarksOnALetter(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/chat.db")
	anna := w.person("w1", "anna", plain)
	w.settle()
	marks := strings.Repeat("\u0301", letters.MaxMarks)
	ch := anna.public("q" + marks + "q" + marks)
	piled := "q" + marks + "\u0301"
	for _, c := range []struct{ name, topic, purpose, field string }{{name: piled, field: "name"}, {"new", piled, "", "topic"}, {"new", "", piled, "purpose"}} {
		_, made := w.api.CreateChannel(anna.write(), &chatv1.CreateChannelRequest{Name: c.name, Kind: public, Topic: c.topic, Purpose: c.purpose})
		_, changed := w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: ch, Name: new(c.name), Topic: &c.topic, Purpose: &c.purpose})
		for _, err := range []error{made, changed} {
			refused(t, err, "chat.BAD_FIELD")
			if e := rpcError(err); e.GetField() != c.field || e.GetMessage() != "Put at most 4 accents on a letter." {
				t.Errorf("%s: %v", c.field, e)
			}
		}
	}
}
