package ctl

import (
	"context"
	"slices"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// message is what a request names; the caller holds mu, as in every method.
func (f *fake) message(offset uint64) (*chatv1.Message, error) {
	if offset == 0 || offset > uint64(len(f.messages)) {
		return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "chat.MESSAGE", "There is no such message.")
	}
	return f.messages[offset-1], nil
}

func (f *fake) EditMessage(_ context.Context, q *chatv1.EditMessageRequest) (*chatv1.EditMessageResponse, error) {
	m, err := f.message(q.GetOffset())
	if err != nil {
		return nil, err
	}
	if m.Text == q.GetText() {
		return &chatv1.EditMessageResponse{}, nil
	}
	m.Text, m.Edits = q.GetText(), m.Edits+1
	return &chatv1.EditMessageResponse{Offset: 100}, nil
}

func (f *fake) DeleteMessage(_ context.Context, q *chatv1.DeleteMessageRequest) (*chatv1.DeleteMessageResponse, error) {
	m, err := f.message(q.GetOffset())
	if err == nil {
		m.Text, m.Deleted, m.Reactions = "", true, nil
	}
	return &chatv1.DeleteMessageResponse{Offset: 100}, err
}

func (f *fake) AddReaction(_ context.Context, q *chatv1.AddReactionRequest) (*chatv1.AddReactionResponse, error) {
	m, err := f.message(q.GetOffset())
	if err == nil {
		m.Reactions = append(m.Reactions, &chatv1.Reaction{Emoji: q.GetEmoji(), Count: 1})
	}
	return &chatv1.AddReactionResponse{Offset: 100}, err
}

func (f *fake) RemoveReaction(_ context.Context, q *chatv1.RemoveReactionRequest) (*chatv1.RemoveReactionResponse, error) {
	m, err := f.message(q.GetOffset())
	if err != nil {
		return nil, err
	}
	res := &chatv1.RemoveReactionResponse{}
	m.Reactions = slices.DeleteFunc(m.Reactions, func(r *chatv1.Reaction) bool {
		if r.GetEmoji() == q.GetEmoji() {
			res.Offset = 100
		}
		return r.GetEmoji() == q.GetEmoji()
	})
	return res, nil
}

func (f *fake) PinMessage(_ context.Context, q *chatv1.PinMessageRequest) (*chatv1.PinMessageResponse, error) {
	m, err := f.message(q.GetOffset())
	if err == nil {
		m.Pinned = q.GetPinned()
	}
	return &chatv1.PinMessageResponse{Offset: 100}, err
}

func (f *fake) ListPins(context.Context, *chatv1.ListPinsRequest) (*chatv1.ListPinsResponse, error) {
	return &chatv1.ListPinsResponse{Messages: slices.DeleteFunc(slices.Clone(f.messages), func(m *chatv1.Message) bool { return !m.GetPinned() })}, nil
}

func (f *fake) OpenDirect(ctx context.Context, q *chatv1.OpenDirectRequest) (*chatv1.OpenDirectResponse, error) {
	people := append(slices.Clone(q.GetUsers()), "u-"+callerOf(ctx).token)
	for _, c := range f.channels {
		if slices.Equal(c.GetPeople(), people) {
			return &chatv1.OpenDirectResponse{Channel: c.GetId()}, nil
		}
	}
	c := &chatv1.Channel{Id: "d", Kind: chatv1.ChannelKind_CHANNEL_KIND_DIRECT, People: people}
	f.channels = append(f.channels, c)
	return &chatv1.OpenDirectResponse{Channel: c.GetId()}, nil
}

func (f *fake) GetChannel(_ context.Context, q *chatv1.GetChannelRequest) (*chatv1.GetChannelResponse, error) {
	for _, c := range f.channels {
		if c.GetId() == q.GetChannel() {
			f.mine.Head = &edgev1.Cursor{Offset: uint64(len(f.messages))}
			if c.GetArchived() { // which nobody here is a member of
				return &chatv1.GetChannelResponse{Channel: c}, nil
			}
			return &chatv1.GetChannelResponse{Channel: c, Mine: f.mine}, nil
		}
	}
	return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "chat.CHANNEL", "There is no such channel.")
}

// MarkRead and MarkUnread apply what names the marker's version, as servers do.
func (f *fake) MarkRead(_ context.Context, q *chatv1.MarkReadRequest) (*chatv1.MarkReadResponse, error) {
	if q.GetVersion() == f.mine.GetMarker().GetVersion() {
		f.mine.Marker.Offset = max(f.mine.Marker.Offset, q.GetOffset())
	}
	return &chatv1.MarkReadResponse{Marker: f.mine.Marker, Applied: true}, nil
}

func (f *fake) MarkUnread(_ context.Context, q *chatv1.MarkUnreadRequest) (*chatv1.MarkUnreadResponse, error) {
	if q.GetVersion() == f.mine.GetMarker().GetVersion() {
		f.mine.Marker = &chatv1.Marker{Offset: q.GetOffset() - 1, Version: q.GetVersion() + 1}
	}
	return &chatv1.MarkUnreadResponse{Marker: f.mine.Marker, Applied: true}, nil
}

func (f *fake) MarkThreadRead(_ context.Context, q *chatv1.MarkThreadReadRequest) (*chatv1.MarkThreadReadResponse, error) {
	return &chatv1.MarkThreadReadResponse{Thread: &chatv1.MyThread{Read: q.GetOffset(), Unread: uint64(len(f.messages)) - q.GetOffset()}}, nil
}

func (f *fake) SetNotifications(_ context.Context, q *chatv1.SetNotificationsRequest) (*chatv1.SetNotificationsResponse, error) {
	if f.mine.Muted == q.GetMuted() && f.mine.Level == q.GetLevel() {
		return &chatv1.SetNotificationsResponse{}, nil
	}
	f.mine.Muted, f.mine.Level = q.GetMuted(), q.GetLevel()
	return &chatv1.SetNotificationsResponse{Offset: 100}, nil
}

func (f *fake) FollowThread(context.Context, *chatv1.FollowThreadRequest) (*chatv1.FollowThreadResponse, error) {
	return &chatv1.FollowThreadResponse{Offset: 100}, nil
}

func (f *fake) ListThreads(context.Context, *chatv1.ListThreadsRequest) (*chatv1.ListThreadsResponse, error) {
	return &chatv1.ListThreadsResponse{Threads: []*chatv1.MyThread{
		{Channel: "c-general", Thread: &chatv1.Thread{Root: 1, Replies: 2, LastReply: 3, LastReplyMs: at(3)}, Unread: 1},
	}}, nil
}

func (f *fake) ListMentions(context.Context, *chatv1.ListMentionsRequest) (*chatv1.ListMentionsResponse, error) {
	return &chatv1.ListMentionsResponse{Mentions: []*chatv1.Mention{
		{Channel: "c-general", Offset: 2, Author: "u-bob", TimeMs: at(2)}, {Channel: "left", Offset: 1, Author: "u-bob", TimeMs: at(1)},
	}}, nil
}

func (f *fake) SetMemberRole(context.Context, *chatv1.SetMemberRoleRequest) (*chatv1.SetMemberRoleResponse, error) {
	return &chatv1.SetMemberRoleResponse{Offset: 100}, nil
}

func (f *fake) UpdateChannel(_ context.Context, q *chatv1.UpdateChannelRequest) (*chatv1.UpdateChannelResponse, error) {
	for _, c := range f.channels {
		if c.GetId() == q.GetChannel() && q.Name != nil {
			c.Name = q.GetName()
		}
	}
	return &chatv1.UpdateChannelResponse{Offset: 100}, nil
}
