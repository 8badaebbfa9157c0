package ctl

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"

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
	Role      channelRoleCmd    `cmd:"" help:"Change somebody's role in a channel: owner, moderator or member."`
	Members   channelMembersCmd `cmd:"" help:"List a channel's members."`
	Archive   channelArchiveCmd `cmd:"" help:"Archive a channel: it can be read, not written."`
	Unarchive channelUnarchCmd  `cmd:"" help:"Bring an archived channel back."`
	Topic     channelTopicCmd   `cmd:"" help:"Set a channel's topic."`
	Rename    channelRenameCmd  `cmd:"" help:"Give a channel another name."`
}

type channelArg struct {
	Channel string `arg:"" help:"Name or id of the channel, or @handle for a direct conversation; @handle,@handle with several people."`
}

// channelID finds a channel by what a person wrote: #name, name, id, @handle or @handle,@handle.
func channelID(ctx context.Context, h *client.HTTP, text string) (string, error) {
	chat := chatv1.NewChatServiceClient(h)
	if strings.HasPrefix(text, "@") {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return "", err
		}
		users, err := p.ids(strings.Split(text, ","))
		if err != nil {
			return "", err
		}
		res, err := chat.OpenDirect(ctx, &chatv1.OpenDirectRequest{Users: users})
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
	for page := ""; ; {
		res, err := chat.BrowseChannels(ctx, &chatv1.BrowseChannelsRequest{Prefix: name, Archived: true, Page: page})
		if err != nil && client.CodeOf(err) != edgev1.Code_CODE_PERMISSION_DENIED {
			return "", err
		}
		for _, c := range res.GetChannels() {
			if strings.EqualFold(c.GetName(), name) {
				return c.GetId(), nil
			}
		}
		if page = res.GetNext(); page == "" {
			break
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
		var p *people
		return eachMine(ctx, h, func(c *chatv1.MyChannel) (err error) {
			if e.JSON {
				return e.json(c)
			}
			if p == nil && len(c.GetChannel().GetPeople()) > 0 {
				if p, err = loadPeople(ctx, h); err != nil {
					return err
				}
			}
			return e.print(c, "%s  %-32s %4d unread %3d mentions%s%s", c.GetChannel().GetId(), title(c.GetChannel(), p),
				c.GetMine().GetUnread(), c.GetMine().GetMentions(), muted(c.GetMine()), archived(c.GetChannel()))
		})
	})
}

// eachMine calls f with each channel of the caller.
func eachMine(ctx context.Context, h grpc.ClientConnInterface, f func(*chatv1.MyChannel) error) error {
	for page := ""; ; {
		res, err := chatv1.NewChatServiceClient(h).ListMyChannels(ctx, &chatv1.ListMyChannelsRequest{Page: page})
		if err != nil {
			return err
		}
		for _, c := range res.GetChannels() {
			if err := f(c); err != nil {
				return err
			}
		}
		if page = res.GetNext(); page == "" {
			return nil
		}
	}
}

// channelNames returns how to show a channel by its id: one that the caller has left is shown as its id.
func channelNames(ctx context.Context, h grpc.ClientConnInterface, p *people) (func(id string) string, error) {
	titles := map[string]string{}
	err := eachMine(ctx, h, func(c *chatv1.MyChannel) error {
		titles[c.GetChannel().GetId()] = title(c.GetChannel(), p)
		return nil
	})
	return func(id string) string { return cmp.Or(titles[id], id) }, err
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

func muted(m *chatv1.Mine) string {
	if m.GetMuted() {
		return "  (muted)"
	}
	return ""
}

func archived(c *chatv1.Channel) string {
	if c.GetArchived() {
		return "  (archived)"
	}
	return ""
}

type channelBrowseCmd struct {
	Words    []string `arg:"" optional:"" help:"Beginnings of words of the name, four at most."`
	Archived bool     `help:"Archived ones, too."`
}

func (c *channelBrowseCmd) Run(e *env) error {
	words := strings.TrimPrefix(strings.Join(c.Words, " "), "#")
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		for page := ""; ; {
			res, err := chatv1.NewChatServiceClient(h).BrowseChannels(ctx, &chatv1.BrowseChannelsRequest{Words: words, Archived: c.Archived, Page: page})
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

type channelRenameCmd struct {
	channelArg
	Name string `arg:"" help:"The new name, without #."`
}

func (c *channelRenameCmd) Run(e *env) error {
	return c.onChannel(e, func(ctx context.Context, chat chatv1.ChatServiceClient, id string) error {
		name := strings.TrimPrefix(c.Name, "#")
		res, err := chat.UpdateChannel(ctx, &chatv1.UpdateChannelRequest{Channel: id, Name: &name})
		if err != nil {
			return err
		}
		return e.print(res, "%s is #%s%s.", c.Channel, name, unchanged(res))
	})
}
