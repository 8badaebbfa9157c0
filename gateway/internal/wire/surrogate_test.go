package wire

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	testv1 "plenum.internal/gateway/internal/testsvc/testv1"
)

// Half a surrogate pair is called by its name, wherever it stands in the JSON of a body or of a frame.
func TestLoneSurrogates(t *testing.T) {
	post := (&testv1.PostRequest{}).ProtoReflect().Descriptor()
	for text, at := range map[string]string{
		`{"text":"\ud83d"}`:             "at byte 9",
		`{"text":"a\\\ud83db"}`:         "at byte 12",
		`{"text":"\ud83dxxxxxxxx"}`:     "at byte 9",
		`{"text":"\ud83d\ude00\ude00"}`: "at byte 21",
		`{"text":"\ud83d\u0041"}`:       "at byte 9",
		`{"text":"\ud83d\n12345"}`:      "at byte 9",
		`{"text":"\ud83d\ud83d\ude00"}`: "at byte 9",
	} {
		_, err := FromJSON([]byte(text), post)
		if err == nil || err.Error() != "there is a lone surrogate in a string, "+at {
			t.Errorf("%s: %v, want it %s", text, err, at)
		}
		got, err := Decode(JSON, []byte(`{"call":{"id":1,"method":"x","body":`+text+`}}`), known{})
		if err != nil || len(got) != 1 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), at) {
			t.Errorf("a call with %s: %v, %v", text, got, err)
		}
	}
	_, err := Decode(JSON, []byte(`{"call":{"id":1,"method":"\ud83d"}}`), known{})
	if err == nil || !strings.Contains(err.Error(), "frame 1: there is a lone surrogate in a string") {
		t.Errorf("in a frame: %v", err)
	}
	for _, text := range []string{`{"text":"\ud83d\ude00"}`, `{"text":"\\ud83d"}`, `{"text":"\u00e4\\"}`} {
		if _, err := FromJSON([]byte(text), post); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`{"text":"\ud83d\ude00","x":1}`, `{"text":"\\ud83d"`, `{"text":"\u12`, `{"text":"\`} {
		if _, err := FromJSON([]byte(text), post); err == nil || strings.Contains(err.Error(), "surrogate") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A string of whole characters has none, however it is escaped.
func TestWholeCharactersAreNotLone(t *testing.T) {
	post := (&testv1.PostRequest{}).ProtoReflect().Descriptor()
	parts := rapid.SliceOf(rapid.SampledFrom([]string{`\ud83d\ude00`, `\uD800\udfff`, `\\`, `\"`, `\n`, `\u0041`, "😀", "u", "d83d"}))
	rapid.Check(t, func(t *rapid.T) {
		text := `{"text":"` + strings.Join(parts.Draw(t, "parts"), "") + `"}`
		if _, err := FromJSON([]byte(text), post); err != nil || loneSurrogate([]byte(text)) >= 0 {
			t.Fatalf("%s: %v, %d", text, err, loneSurrogate([]byte(text)))
		}
	})
}
