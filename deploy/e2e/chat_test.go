package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plenum.internal/deploy/check"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// conversation: three people write at the same time; all see the same messages in the same order, at once and later.
func conversation(t *testing.T, s *shape) {
	people := []*person{s.member(t), s.member(t), s.member(t)}
	channel := s.channel(t, private, people...)
	var readers []*reader
	for _, p := range people {
		readers = append(readers, p.read(t, channel))
	}
	var l ledger
	for round := range 10 {
		for _, p := range people {
			text := fmt.Sprintf("%s says %d", p.Handle, round)
			l.note(text, p.send(t, channel, text))
		}
	}
	l.check(t, channel, s.owner, readers...)
	late := s.device(t, people[0])
	l.check(t, channel, late, late.read(t, channel))
}

// signals: what is not kept reaches those who look at the same channel, whichever gateway they are at.
func signals(t *testing.T, s *shape) {
	from := s.member(t)
	people := []*person{from}
	for range 4 {
		people = append(people, s.member(t))
	}
	channel := s.channel(t, private, people...)
	typing := from.read(t, channel)
	for _, p := range people[1:] {
		r := p.read(t, channel)
		eventually(t, p.Handle+" hears a signal", func(ctx context.Context) error {
			if err := typing.Sub.Signal(ctx, "typing", []byte("…")); err != nil {
				return err
			}
			time.Sleep(100 * time.Millisecond)
			heard := r.Heard()
			if len(heard) == 0 {
				return errors.New("silence")
			}
			if user, _, _ := strings.Cut(heard[0].GetFrom(), "/"); user != from.ID || heard[0].GetKey() != "typing" {
				t.Errorf("heard %v", heard[0])
			}
			return nil
		})
	}
}

// unreadOnTwoDevices: both devices of a person count alike, before and after one of them has read.
func unreadOnTwoDevices(t *testing.T, s *shape) {
	p := s.member(t)
	phone := s.device(t, p)
	channel := s.channel(t, private, p)
	counts := func(d *person) (unread, mentions uint64, marker *chatv1.Marker, err error) {
		answer, err := d.Chat.GetChannel(within(t, patience), &chatv1.GetChannelRequest{Channel: channel})
		mine := answer.GetMine()
		return mine.GetUnread(), mine.GetMentions(), mine.GetMarker(), err
	}
	expect := func(unread, mentions uint64) {
		t.Helper()
		for _, d := range []*person{p, phone} {
			eventually(t, fmt.Sprintf("%d unread, %d mentions", unread, mentions), func(context.Context) error {
				u, m, _, err := counts(d)
				if err == nil && (u != unread || m != mentions) {
					err = fmt.Errorf("%d unread, %d mentions", u, m)
				}
				return err
			})
		}
	}
	s.owner.send(t, channel, "one")
	s.owner.send(t, channel, "two, @"+p.Handle)
	last := s.owner.send(t, channel, "three, @all")
	expect(3, 2)
	_, _, marker, err := counts(phone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := phone.Chat.MarkRead(within(t, patience), &chatv1.MarkReadRequest{Channel: channel, Offset: last - 1, Version: marker.GetVersion()}); err != nil {
		t.Fatal(err)
	}
	expect(1, 1)
	p.send(t, channel, "four: one's own is read")
	expect(0, 0)
}

// privateCannotBeSeen: who is no member learns nothing, not even that there is something.
func privateCannotBeSeen(t *testing.T, s *shape) {
	inside, outside, guest := s.member(t), s.member(t), s.join(t, identityv1.Role_ROLE_GUEST)
	channel := s.channel(t, private, inside)
	at := inside.send(t, channel, "secret")
	for _, p := range []*person{outside, guest} {
		ctx := within(t, patience)
		_, err := p.Chat.GetChannel(ctx, &chatv1.GetChannelRequest{Channel: channel})
		expectNotFound(t, "GetChannel", err)
		_, err = p.Chat.History(ctx, &chatv1.HistoryRequest{Channel: channel})
		expectNotFound(t, "History", err)
		_, err = p.Chat.GetMessages(ctx, &chatv1.GetMessagesRequest{Channel: channel, Offsets: []uint64{at}})
		expectNotFound(t, "GetMessages", err)
		_, err = p.Chat.Send(ctx, &chatv1.SendRequest{Channel: channel, Text: "let me in"})
		expectNotFound(t, "Send", err)
		_, err = p.Chat.JoinChannel(ctx, &chatv1.JoinChannelRequest{Channel: channel})
		expectNotFound(t, "JoinChannel", err)
		sub, err := p.Client.Follow(ctx, "chat.channel/"+channel)
		if err == nil {
			_, err = sub.Next(ctx)
			sub.Close()
		}
		expectNotFound(t, "Follow", err)
		all, err := p.Chat.BrowseChannels(ctx, &chatv1.BrowseChannelsRequest{Limit: 200})
		if err == nil && slices.ContainsFunc(all.GetChannels(), func(c *chatv1.Channel) bool { return c.GetId() == channel }) {
			t.Error("BrowseChannels lists a private channel")
		}
	}
}

func expectNotFound(t *testing.T, what string, err error) {
	t.Helper()
	if c := check.Code(err); c != edgev1.Code_CODE_NOT_FOUND {
		t.Errorf("%s of a channel that may not be known: %v, %v", what, c, err)
	}
}
