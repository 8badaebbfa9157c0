package ctl

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func encode(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFramesAreReadable(t *testing.T) {
	badge := encode(t, &chatv1.Badge{Marker: &chatv1.Marker{Offset: 4, Count: 2}, Mentions: 1})
	heads := func(topic string) *edgev1.ServerFrame {
		return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Heads{Heads: &edgev1.Heads{Topic: topic, Heads: []*edgev1.Head{
			{Topic: "chat.channel/a", Badge: badge}, {Topic: "chat.channel/b", Badge: badge}, {Topic: "chat.channel/c"}}}}}
	}
	event := encode(t, &chatv1.ChannelEvent{Actor: "u", Event: &chatv1.ChannelEvent_Posted{Posted: &chatv1.Message{Text: `"body":"quoted"`}}})
	typing := &edgev1.Signal{Topic: "chat.channel/a", Body: encode(t, &chatv1.Typing{Root: 3})}
	for name, c := range map[string]struct {
		frame proto.Message
		want  []string
	}{
		"badges":  {heads("chat.mine/me"), []string{`{"topic":"chat.channel/a","badge":{"marker":{"offset":"4","count":"2"},"mentions":"1"}},{"topic":"chat.channel/b","badge":{"marker"`}},
		"unknown": {heads("later.mine/me"), []string{`"badge":"CgQ`}},
		"events": {&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: "chat.channel/a", Events: []*edgev1.Event{
			{Offset: 1, Body: event}, {Offset: 2, Body: []byte{0xff}}}}}}, []string{`"body":{"actor":"u","posted":{"text":"\"body\":\"quoted\""}}`, `"body":"/w=="`}},
		"signal heard": {&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Signal{Signal: typing}}, []string{`"body":{"root":"3"}`}},
		"signal sent":  {&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Signal{Signal: typing}}, []string{`"body":{"root":"3"}`}},
	} {
		line, err := contract().frame(c.frame)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(line), want) {
				t.Errorf("%s: %s has no %s", name, line, want)
			}
		}
	}
}
