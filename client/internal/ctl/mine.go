package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

var errNotMember = errors.New("you are no member of this channel: join it first")

// onMine runs f with the caller's own part of a channel.
func (c *channelArg) onMine(e *env, f func(ctx context.Context, chat chatv1.ChatServiceClient, id string, mine *chatv1.Mine) error) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.GetChannel(ctx, &chatv1.GetChannelRequest{Channel: id})
		if err != nil {
			return err
		}
		if res.GetMine() == nil {
			return errNotMember
		}
		return f(ctx, chat, id, res.GetMine())
	})
}

type readCmd struct {
	channelArg
	UpTo   uint64 `help:"Up to this message. Absent: all." placeholder:"NUMBER"`
	Thread uint64 `help:"The replies of this message in place of the channel." placeholder:"NUMBER"`
}

func (c *readCmd) Run(e *env) error {
	return c.onMine(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string, mine *chatv1.Mine) error {
		upTo := c.UpTo
		if upTo == 0 {
			upTo = mine.GetHead().GetOffset()
		}
		if c.Thread != 0 {
			res, err := chat.MarkThreadRead(ctx, &chatv1.MarkThreadReadRequest{Channel: id, Root: c.Thread, Offset: upTo})
			if err != nil {
				return err
			}
			return e.print(res, "The thread of %d in %s is read%s.", c.Thread, c.Channel, left(res.GetThread().GetUnread()))
		}
		res, err := chat.MarkRead(ctx, &chatv1.MarkReadRequest{Channel: id, Offset: upTo, Version: mine.GetMarker().GetVersion()})
		if err != nil {
			return err
		}
		return e.print(res, "%s is read up to %d.", c.Channel, res.GetMarker().GetOffset())
	})
}

func left(unread uint64) string {
	if unread == 0 {
		return ""
	}
	return fmt.Sprintf(", but for %d", unread)
}

type unreadCmd struct{ messageArg }

func (c *unreadCmd) Run(e *env) error {
	return c.onMine(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string, mine *chatv1.Mine) error {
		res, err := chat.MarkUnread(ctx, &chatv1.MarkUnreadRequest{Channel: id, Offset: c.Number, Version: mine.GetMarker().GetVersion()})
		if err != nil {
			return err
		}
		return e.print(res, "%s is read up to %d.", c.Channel, res.GetMarker().GetOffset())
	})
}

type muteCmd struct{ channelArg }

func (c *muteCmd) Run(e *env) error { return c.mute(e, true) }

type unmuteCmd struct{ channelArg }

func (c *unmuteCmd) Run(e *env) error { return c.mute(e, false) }

func (c *channelArg) mute(e *env, on bool) error {
	return c.onMine(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string, mine *chatv1.Mine) error {
		res, err := chat.SetNotifications(ctx, &chatv1.SetNotificationsRequest{Channel: id, Muted: on, Level: mine.GetLevel()})
		if err != nil {
			return err
		}
		done := "no longer muted"
		if on {
			done = "muted"
		}
		return e.print(res, "%s is %s%s.", c.Channel, done, unchanged(res))
	})
}

type notifyCmd struct {
	channelArg
	Level string `arg:"" enum:"all,mentions,none,default" help:"all: every message; mentions: those that mention me; none; default: as for all channels."`
}

func (c *notifyCmd) Run(e *env) error {
	return c.onMine(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string, mine *chatv1.Mine) error {
		level := chatv1.NotifyLevel(chatv1.NotifyLevel_value["NOTIFY_LEVEL_"+strings.ToUpper(c.Level)]) // default is 0
		res, err := chat.SetNotifications(ctx, &chatv1.SetNotificationsRequest{Channel: id, Muted: mine.GetMuted(), Level: level})
		if err != nil {
			return err
		}
		return e.print(res, "%s notifies: %s%s.", c.Channel, c.Level, unchanged(res))
	})
}

type mentionsCmd struct {
	Limit uint32 `short:"n" help:"How many, at most 100." default:"20"`
}

func (c *mentionsCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		res, err := chatv1.NewChatServiceClient(h).ListMentions(ctx, &chatv1.ListMentionsRequest{Limit: c.Limit})
		if err != nil {
			return err
		}
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		names, err := channelNames(ctx, h, p)
		if err != nil {
			return err
		}
		for _, m := range res.GetMentions() {
			if err := e.print(m, "%5d  %s  %-16s %s", m.GetOffset(), time.UnixMilli(m.GetTimeMs()).Format("2006-01-02 15:04:05"),
				p.handle(m.GetAuthor()), names(m.GetChannel())); err != nil {
				return err
			}
		}
		return nil
	})
}
