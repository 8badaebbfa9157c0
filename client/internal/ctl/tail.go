package ctl

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type tailCmd struct {
	Channel string `arg:"" help:"Name or id of the channel, or @handle."`
	Follow  bool   `short:"f" help:"Go on with what comes, until Ctrl-C."`
	Since   string `help:"From this time on: a date, a time, or 90m for that long ago."`
	Limit   uint32 `short:"n" help:"How many messages to begin with, at most 100." default:"10"`
}

func (c *tailCmd) Run(e *env) error {
	req := &chatv1.HistoryRequest{Limit: c.Limit}
	var since time.Time
	if c.Since != "" {
		var err error
		if since, err = parseTime(c.Since); err != nil {
			return err
		}
	}
	var at *place
	err := e.calls(func(ctx context.Context, h *client.HTTP) (err error) {
		if since.IsZero() {
			at, err = e.history(ctx, h, c.Channel, req)
			return err
		}
		at, err = e.since(ctx, h, c.Channel, since)
		return err
	})
	if err != nil || !c.Follow {
		return err
	}
	return e.session(false, func(cfg *client.Config) { cfg.Dependencies = client.ChatDependencies }, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		return e.follow(ctx, cl, at)
	})
}

// since prints all messages from a time on, page by page.
func (e *env) since(ctx context.Context, h *client.HTTP, channel string, since time.Time) (*place, error) {
	id, err := channelID(ctx, h, channel)
	if err != nil {
		return nil, err
	}
	p, err := loadPeople(ctx, h)
	if err != nil {
		return nil, err
	}
	req := &chatv1.HistoryRequest{Channel: id, Limit: 100, Place: &chatv1.HistoryRequest_AtMs{AtMs: since.UnixMilli()}}
	for {
		res, err := chatv1.NewChatServiceClient(h).History(ctx, req)
		if err != nil {
			return nil, err
		}
		last := uint64(0)
		for _, m := range res.GetMessages() {
			last = m.GetOffset()
			if m.GetTimeMs() < since.UnixMilli() {
				continue
			}
			if err := e.message(p, m); err != nil {
				return nil, err
			}
		}
		if !res.GetMoreAfter() || last == 0 {
			return &place{id, res.GetCursor(), p}, nil
		}
		req.Place = &chatv1.HistoryRequest_After{After: last}
	}
}

// follow prints what comes on a channel. After a reset it goes on from the newest message, and says so.
func (e *env) follow(ctx context.Context, cl *client.Client, at *place) error {
	sub, err := cl.Follow(ctx, "chat.channel/"+at.channel, client.From(at.cursor))
	if err != nil {
		return err
	}
	for {
		u, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if u.Reset != nil {
			fmt.Fprintln(e.err, "Some messages can't be shown here; read them by: plenumctl history")
			res, err := chatv1.NewChatServiceClient(cl).History(ctx, &chatv1.HistoryRequest{Channel: at.channel, Limit: 1})
			if err != nil {
				return err
			}
			if err := sub.Resume(ctx, res.GetCursor()); err != nil {
				return err
			}
		}
		if at.people, err = at.people.knowing(ctx, cl, u.Events); err != nil {
			return err
		}
		for _, event := range u.Events {
			if err := e.event(at.people, event); err != nil {
				return err
			}
		}
	}
}

func (e *env) event(p *people, event *edgev1.Event) error {
	var c chatv1.ChannelEvent
	if err := proto.Unmarshal(event.GetBody(), &c); err != nil {
		return err
	}
	line := func(text string, args ...any) error {
		if e.JSON {
			return e.json(&c)
		}
		_, err := fmt.Fprintf(e.out, "       %s  %-16s * %s\n", time.UnixMilli(event.GetTimeMs()).Format("2006-01-02 15:04:05"), p.handle(c.GetActor()), fmt.Sprintf(text, args...))
		return err
	}
	switch v := c.GetEvent().(type) {
	case *chatv1.ChannelEvent_Posted:
		m := v.Posted
		m.Offset, m.TimeMs = event.GetOffset(), event.GetTimeMs()
		if m.Author == "" {
			m.Author = c.GetActor()
		}
		return e.message(p, m)
	case *chatv1.ChannelEvent_Edited:
		return line("edited %d: %s", v.Edited.GetOffset(), cleanText(v.Edited.GetText()))
	case *chatv1.ChannelEvent_Deleted:
		return line("deleted %d", v.Deleted.GetOffset())
	case *chatv1.ChannelEvent_Reaction:
		if v.Reaction.GetRemoved() {
			return line("took %s from %d", clean(v.Reaction.GetEmoji()), v.Reaction.GetOffset())
		}
		return line("%s to %d", clean(v.Reaction.GetEmoji()), v.Reaction.GetOffset())
	case *chatv1.ChannelEvent_Members:
		return line("%s", system(p, &chatv1.System{Change: &chatv1.System_Members{Members: v.Members}}))
	case *chatv1.ChannelEvent_Channel:
		return line("%s", system(p, &chatv1.System{Change: &chatv1.System_Channel{Channel: v.Channel}}))
	case *chatv1.ChannelEvent_Pin:
		return line("%s", system(p, &chatv1.System{Change: &chatv1.System_Pin{Pin: v.Pin}}))
	}
	return nil // redacted, or newer than this program
}
