package crowd

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"plenum.internal/deploy/faults/history"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const topicPrefix = "chat.channel/"

func topicOf(channel string) string { return topicPrefix + channel }

func channelOf(topic string) (channel string, ok bool) { return strings.CutPrefix(topic, topicPrefix) }

// decode reads an event; text is that of a new message.
func decode(e *edgev1.Event) (out history.Event, text string, err error) {
	var body chatv1.ChannelEvent
	if err := proto.Unmarshal(e.GetBody(), &body); err != nil {
		return out, "", fmt.Errorf("event %d: %w", e.GetOffset(), err)
	}
	out = history.Event{Offset: e.GetOffset(), Author: body.GetActor()}
	switch event := body.GetEvent().(type) {
	case *chatv1.ChannelEvent_Posted:
		text = event.Posted.GetText()
		out.ID, _, _ = strings.Cut(text, " ")
		out.Visible, out.Counts = true, true
		out.Mentions = event.Posted.GetMentions().GetUsers()
		for _, d := range event.Posted.GetContext() {
			if channel, ok := channelOf(d.GetTopic()); ok {
				out.Needs = append(out.Needs, history.Need{Channel: channel, Offset: d.GetCursor().GetOffset()})
			}
		}
	case *chatv1.ChannelEvent_Edited:
		out.ID, _, _ = strings.Cut(event.Edited.GetText(), " ")
	case *chatv1.ChannelEvent_Reaction:
		out.ID = strings.Trim(event.Reaction.GetEmoji(), ":")
	default:
		out.Visible = true
	}
	return out, text, nil
}
