package ctl

import (
	"context"
	"time"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

type threadCmd struct {
	List     threadListCmd     `cmd:"" default:"1" help:"List the threads that I follow, newest reply first."`
	Follow   threadFollowCmd   `cmd:"" help:"Follow a thread: its replies count as unread."`
	Unfollow threadUnfollowCmd `cmd:"" help:"Follow a thread no longer."`
}

type threadListCmd struct {
	Unread bool   `help:"Only those with unread replies."`
	Limit  uint32 `short:"n" help:"How many, at most 100." default:"20"`
}

func (c *threadListCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		res, err := chatv1.NewChatServiceClient(h).ListThreads(ctx, &chatv1.ListThreadsRequest{Unread: c.Unread, Limit: c.Limit})
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
		for _, t := range res.GetThreads() {
			if err := e.print(t, "%5d  %s  %-32s %4d replies %4d unread", t.GetThread().GetRoot(),
				time.UnixMilli(t.GetThread().GetLastReplyMs()).Format("2006-01-02 15:04:05"), names(t.GetChannel()), t.GetThread().GetReplies(), t.GetUnread()); err != nil {
				return err
			}
		}
		return nil
	})
}

type threadFollowCmd struct{ messageArg }

func (c *threadFollowCmd) Run(e *env) error { return c.follow(e, true) }

type threadUnfollowCmd struct{ messageArg }

func (c *threadUnfollowCmd) Run(e *env) error { return c.follow(e, false) }

func (c *messageArg) follow(e *env, on bool) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.FollowThread(ctx, &chatv1.FollowThreadRequest{Channel: id, Root: c.Number, Follow: on})
		if err != nil {
			return err
		}
		done := "is no longer followed"
		if on {
			done = "is followed"
		}
		return e.print(res, "The thread of %d in %s %s%s.", c.Number, c.Channel, done, unchanged(res))
	})
}
