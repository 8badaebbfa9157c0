package ctl

import (
	"context"
	"fmt"
	"strings"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type channelCmd struct {
	List      channelListCmd    `cmd:"" default:"1" help:"List my channels, with what is unread."`
	Browse    channelBrowseCmd  `cmd:"" help:"List the workspace's public channels."`
	Create    channelCreateCmd  `cmd:"" help:"Create a channel."`
	Join      channelJoinCmd    `cmd:"" help:"Join a public channel."`
	Leave     channelLeaveCmd   `cmd:"" help:"Leave a channel."`
	Add       channelAddCmd     `cmd:"" aliases:"invite" help:"Add people to a channel."`
	Remove    channelRemoveCmd  `cmd:"" help:"Remove somebody from a channel."`
	Members   channelMembersCmd `cmd:"" help:"List a channel's members."`
	Archive   channelArchiveCmd `cmd:"" help:"Archive a channel: it can be read, not written."`
	Unarchive channelUnarchCmd  `cmd:"" help:"Bring an archived channel back."`
	Topic     channelTopicCmd   `cmd:"" help:"Set a channel's topic."`
	Read      channelReadCmd    `cmd:"" help:"Mark a channel as read up to its newest message."`
}

type channelArg struct {
	Channel string `arg:"" help:"Name or id of the channel, or @handle for a direct conversation."`
}

// channelID finds a channel by what a person wrote: #name, name, id or @handle.
func channelID(ctx context.Context, h *client.HTTP, text string) (string, error) {
	chat := chatv1.NewChatServiceClient(h)
	if strings.HasPrefix(text, "@") {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return "", err
		}
		user, err := p.id(text)
		if err != nil {
			return "", err
		}
		res, err := chat.OpenDirect(ctx, &chatv1.OpenDirectRequest{Users: []string{user}})
		return res.GetChannel(), err
	}
	name := strings.TrimPrefix(text, "#")
	for page := ""; ; {
		res, err := chat.ListMyChannels(ctx, &chatv1.ListMyChannelsRequest{Page: page})
		if err != nil {
			return "", err
		}
		for _, c := range res.GetChannels() {
			if c.GetChannel().GetId() == name || strings.EqualFold(c.GetChannel().GetName(), name) {
				return c.GetChannel().GetId(), nil
			}
		}
		if page = res.GetNext(); page == "" {
			break
		}
	}
	res, err := chat.BrowseChannels(ctx, &chatv1.BrowseChannelsRequest{Prefix: name, Archived: true})
	if err != nil && client.CodeOf(err) != edgev1.Code_CODE_PERMISSION_DENIED {
		return "", err
	}
	for _, c := range res.GetChannels() {
		if strings.EqualFold(c.GetName(), name) {
			return c.GetId(), nil
		}
	}
	if strings.HasPrefix(text, "#") {
		return "", fmt.Errorf("there is no channel %s that you may see", text)
	}
	return name, nil // an id, as the server may tell
}

// onChannel runs f with the channel's id.
func (c *channelArg) onChannel(e *env, f func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		id, err := channelID(ctx, h, c.Channel)
		if err != nil {
			return err
		}
		return f(ctx, chatv1.NewChatServiceClient(h), id)
	})
}

type channelListCmd struct{}

func (channelListCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		chat := chatv1.NewChatServiceClient(h)
		var p *people
		for page := ""; ; {
			res, err := chat.ListMyChannels(ctx, &chatv1.ListMyChannelsRequest{Page: page})
			if err != nil {
				return err
			}
			for _, c := range res.GetChannels() {
				if p == nil && len(c.GetChannel().GetPeople()) > 0 && !e.JSON {
					if p, err = loadPeople(ctx, h); err != nil {
						return err
					}
				}
				if err := e.print(c, "%s  %-32s %4d unread %3d mentions%s", c.GetChannel().GetId(), title(c.GetChannel(), p),
					c.GetMine().GetUnread(), c.GetMine().GetMentions(), archived(c.GetChannel())); err != nil {
					return err
				}
			}
			if page = res.GetNext(); page == "" {
				return nil
			}
		}
	})
}

func title(c *chatv1.Channel, p *people) string {
	if c.GetName() != "" {
		return "#" + clean(c.GetName())
	}
	var names []string
	for _, id := range c.GetPeople() {
		names = append(names, p.handle(id))
	}
	return strings.Join(names, ", ")
}

func archived(c *chatv1.Channel) string {
	if c.GetArchived() {
		return "  (archived)"
	}
	return ""
}

type channelBrowseCmd struct {
	Prefix   string `arg:"" optional:"" help:"Beginning of the name."`
	Archived bool   `help:"Archived ones, too."`
}

func (c *channelBrowseCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		for page := ""; ; {
			res, err := chatv1.NewChatServiceClient(h).BrowseChannels(ctx, &chatv1.BrowseChannelsRequest{Prefix: c.Prefix, Archived: c.Archived, Page: page})
			if err != nil {
				return err
			}
			for _, ch := range res.GetChannels() {
				if err := e.print(ch, "%s  #%-32s %5d members  %s%s", ch.GetId(), clean(ch.GetName()), ch.GetMembers(), clean(ch.GetTopic()), archived(ch)); err != nil {
					return err
				}
			}
			if page = res.GetNext(); page == "" {
				return nil
			}
		}
	})
}

type channelCreateCmd struct {
	Name       string `arg:"" help:"Name of the channel, without #."`
	Private    bool   `help:"Known to its members alone."`
	Topic      string `help:"What it is about."`
	FromJoined bool   `help:"New members of the private channel read nothing from before they joined."`
}

func (c *channelCreateCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		req := &chatv1.CreateChannelRequest{Name: strings.TrimPrefix(c.Name, "#"), Kind: chatv1.ChannelKind_CHANNEL_KIND_PUBLIC, Topic: c.Topic}
		if c.Private {
			req.Kind = chatv1.ChannelKind_CHANNEL_KIND_PRIVATE
		}
		if c.FromJoined {
			req.History = chatv1.ChannelHistory_CHANNEL_HISTORY_JOINED
		}
		res, err := chatv1.NewChatServiceClient(h).CreateChannel(ctx, req)
		if err != nil {
			return err
		}
		return e.print(res, "Created #%s (%s).", req.GetName(), res.GetChannel())
	})
}

type channelJoinCmd struct{ channelArg }

func (c *channelJoinCmd) Run(e *env) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.JoinChannel(ctx, &chatv1.JoinChannelRequest{Channel: id})
		if err != nil {
			return err
		}
		return e.print(res, "Joined %s.", c.Channel)
	})
}

type channelLeaveCmd struct{ channelArg }

func (c *channelLeaveCmd) Run(e *env) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.LeaveChannel(ctx, &chatv1.LeaveChannelRequest{Channel: id})
		if err != nil {
			return err
		}
		return e.print(res, "Left %s.", c.Channel)
	})
}

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
		req := &chatv1.AddMembersRequest{Channel: id}
		for _, who := range c.Who {
			user, err := p.id(who)
			if err != nil {
				return err
			}
			req.Users = append(req.Users, user)
		}
		res, err := chatv1.NewChatServiceClient(h).AddMembers(ctx, req)
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
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		id, err := channelID(ctx, h, c.Channel)
		if err != nil {
			return err
		}
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		user, err := p.id(c.Who)
		if err != nil {
			return err
		}
		res, err := chatv1.NewChatServiceClient(h).RemoveMember(ctx, &chatv1.RemoveMemberRequest{Channel: id, User: user})
		if err != nil {
			return err
		}
		return e.print(res, "Removed @%s from %s.", strings.TrimPrefix(c.Who, "@"), c.Channel)
	})
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
			return e.print(m, "%-24s %s", p.handle(m.GetUser()), strings.ToLower(strings.TrimPrefix(m.GetRole().String(), "CHANNEL_ROLE_")))
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

type channelArchiveCmd struct{ channelArg }

func (c *channelArchiveCmd) Run(e *env) error { return c.archive(e, true) }

type channelUnarchCmd struct{ channelArg }

func (c *channelUnarchCmd) Run(e *env) error { return c.archive(e, false) }

func (c *channelArg) archive(e *env, on bool) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.ArchiveChannel(ctx, &chatv1.ArchiveChannelRequest{Channel: id, Archived: on})
		if err != nil {
			return err
		}
		if on {
			return e.print(res, "Archived %s.", c.Channel)
		}
		return e.print(res, "Brought %s back.", c.Channel)
	})
}

type channelTopicCmd struct {
	channelArg
	Text string `arg:"" help:"The new topic."`
}

func (c *channelTopicCmd) Run(e *env) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		res, err := chat.UpdateChannel(ctx, &chatv1.UpdateChannelRequest{Channel: id, Topic: &c.Text})
		if err != nil {
			return err
		}
		return e.print(res, "Changed %s.", c.Channel)
	})
}

type channelReadCmd struct{ channelArg }

func (c *channelReadCmd) Run(e *env) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		ch, err := chat.GetChannel(ctx, &chatv1.GetChannelRequest{Channel: id})
		if err != nil {
			return err
		}
		res, err := chat.MarkRead(ctx, &chatv1.MarkReadRequest{Channel: id, Offset: ch.GetMine().GetHead().GetOffset(), Version: ch.GetMine().GetMarker().GetVersion()})
		if err != nil {
			return err
		}
		return e.print(res, "%s is read.", c.Channel)
	})
}
