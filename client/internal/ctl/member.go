package ctl

import (
	"context"
	"strings"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

type channelAddCmd struct {
	channelArg
	Who []string `arg:"" help:"Handles."`
}

func (c *channelAddCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		id, err := channelID(ctx, h, c.Channel)
		if err != nil {
			return err
		}
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		users, err := p.ids(c.Who)
		if err != nil {
			return err
		}
		res, err := chatv1.NewChatServiceClient(h).AddMembers(ctx, &chatv1.AddMembersRequest{Channel: id, Users: users})
		if err != nil {
			return err
		}
		return e.print(res, "Added to %s.", c.Channel)
	})
}

type channelRemoveCmd struct {
	channelArg
	Who string `arg:"" help:"Handle."`
}

func (c *channelRemoveCmd) Run(e *env) error {
	return onMember(e, c.Channel, c.Who, func(ctx context.Context, chat chatv1.ChatServiceClient, id, user string) error {
		res, err := chat.RemoveMember(ctx, &chatv1.RemoveMemberRequest{Channel: id, User: user})
		if err != nil {
			return err
		}
		return e.print(res, "Removed @%s from %s.", strings.TrimPrefix(c.Who, "@"), c.Channel)
	})
}

type channelRoleCmd struct {
	channelArg
	Who  string `arg:"" help:"Handle."`
	Role string `arg:"" enum:"owner,moderator,member" help:"owner, moderator or member."`
}

func (c *channelRoleCmd) Run(e *env) error {
	return onMember(e, c.Channel, c.Who, func(ctx context.Context, chat chatv1.ChatServiceClient, id, user string) error {
		role := chatv1.ChannelRole(chatv1.ChannelRole_value["CHANNEL_ROLE_"+strings.ToUpper(c.Role)])
		res, err := chat.SetMemberRole(ctx, &chatv1.SetMemberRoleRequest{Channel: id, User: user, Role: role})
		if err != nil {
			return err
		}
		return e.print(res, "@%s is %s in %s%s.", strings.TrimPrefix(c.Who, "@"), c.Role, c.Channel, unchanged(res))
	})
}

// onMember runs f with the ids of a channel and of a person.
func onMember(e *env, channel, who string, f func(ctx context.Context, chat chatv1.ChatServiceClient, id, user string) error) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		id, err := channelID(ctx, h, channel)
		if err != nil {
			return err
		}
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		user, err := p.id(who)
		if err != nil {
			return err
		}
		return f(ctx, chatv1.NewChatServiceClient(h), id, user)
	})
}

func channelRole(r chatv1.ChannelRole) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "CHANNEL_ROLE_"))
}

type channelMembersCmd struct{ channelArg }

func (c *channelMembersCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		id, err := channelID(ctx, h, c.Channel)
		if err != nil {
			return err
		}
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		return eachMember(ctx, chatv1.NewChatServiceClient(h), id, func(m *chatv1.Member) error {
			return e.print(m, "%-24s %s", p.handle(m.GetUser()), channelRole(m.GetRole()))
		})
	})
}

func eachMember(ctx context.Context, chat chatv1.ChatServiceClient, channel string, f func(*chatv1.Member) error) error {
	for page := ""; ; {
		res, err := chat.ListMembers(ctx, &chatv1.ListMembersRequest{Channel: channel, Page: page})
		if err != nil {
			return err
		}
		for _, m := range res.GetMembers() {
			if err := f(m); err != nil {
				return err
			}
		}
		if page = res.GetNext(); page == "" {
			return nil
		}
	}
}
