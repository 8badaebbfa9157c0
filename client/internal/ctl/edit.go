package ctl

import (
	"context"
	"io"
	"strings"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// messageArg names a message as history and send print it.
type messageArg struct {
	channelArg
	Number uint64 `arg:"" help:"Number of the message, as history shows it."`
}

type editCmd struct {
	messageArg
	Text []string `arg:"" optional:"" help:"The new text, Markdown. Absent: the standard input."`
}

func (c *editCmd) Run(e *env) error {
	text := strings.Join(c.Text, " ")
	if len(c.Text) == 0 {
		data, err := io.ReadAll(io.LimitReader(e.in, maxText+1))
		if err != nil {
			return err
		}
		text = strings.TrimRight(string(data), "\n")
	}
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.EditMessage(ctx, &chatv1.EditMessageRequest{Channel: id, Offset: c.Number, Text: text})
		if err != nil {
			return err
		}
		return e.print(res, "Edited %d%s.", c.Number, unchanged(res))
	})
}

type deleteCmd struct{ messageArg }

func (c *deleteCmd) Run(e *env) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.DeleteMessage(ctx, &chatv1.DeleteMessageRequest{Channel: id, Offset: c.Number})
		if err != nil {
			return err
		}
		return e.print(res, "Deleted %d%s.", c.Number, unchanged(res))
	})
}

type reactCmd struct {
	messageArg
	Emoji  string `arg:"" help:"The character itself, or :name:."`
	Remove bool   `help:"Take it back."`
}

func (c *reactCmd) Run(e *env) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		if c.Remove {
			res, err := chat.RemoveReaction(ctx, &chatv1.RemoveReactionRequest{Channel: id, Offset: c.Number, Emoji: c.Emoji})
			if err != nil {
				return err
			}
			return e.print(res, "Took %s from %d%s.", clean(c.Emoji), c.Number, unchanged(res))
		}
		res, err := chat.AddReaction(ctx, &chatv1.AddReactionRequest{Channel: id, Offset: c.Number, Emoji: c.Emoji})
		if err != nil {
			return err
		}
		return e.print(res, "%s to %d%s.", clean(c.Emoji), c.Number, unchanged(res))
	})
}

type pinCmd struct{ messageArg }

func (c *pinCmd) Run(e *env) error { return c.pin(e, true) }

type unpinCmd struct{ messageArg }

func (c *unpinCmd) Run(e *env) error { return c.pin(e, false) }

func (c *messageArg) pin(e *env, on bool) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.PinMessage(ctx, &chatv1.PinMessageRequest{Channel: id, Offset: c.Number, Pinned: on})
		if err != nil {
			return err
		}
		done := "Unpinned"
		if on {
			done = "Pinned"
		}
		return e.print(res, "%s %d%s.", done, c.Number, unchanged(res))
	})
}

// unchanged says so where a change found nothing to do.
func unchanged(res interface{ GetOffset() uint64 }) string {
	if res.GetOffset() == 0 {
		return " (as it was)"
	}
	return ""
}

type pinsCmd struct{ channelArg }

func (c *pinsCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		id, err := channelID(ctx, h, c.Channel)
		if err != nil {
			return err
		}
		res, err := chatv1.NewChatServiceClient(h).ListPins(ctx, &chatv1.ListPinsRequest{Channel: id})
		if err != nil {
			return err
		}
		_, err = e.messages(ctx, h, res.GetMessages())
		return err
	})
}
