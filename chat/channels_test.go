package chat

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	roleMember    = chatv1.ChannelRole_CHANNEL_ROLE_MEMBER
	roleModerator = chatv1.ChannelRole_CHANNEL_ROLE_MODERATOR
	roleOwner     = chatv1.ChannelRole_CHANNEL_ROLE_OWNER
)

func TestChannelNames(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, zoe := w.person("w1", "anna", plain), w.person("w2", "zoe", plain)
		w.settle()
		create := func(u *user, name string) error {
			_, err := w.api.CreateChannel(u.write(), &chatv1.CreateChannelRequest{Name: name, Kind: public})
			return err
		}
		for name, reason := range map[string]string{
			"": "chat.BAD_FIELD", "-x": "chat.BAD_FIELD", "a b": "chat.BAD_FIELD", "a/b": "chat.BAD_FIELD", "a\u0000": "chat.BAD_FIELD",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "chat.TOO_LONG",
		} {
			refused(t, create(anna, name), reason)
		}
		ch := anna.public("Über-uns.2")
		refused(t, create(anna, "über-uns.2"), "chat.NAME_TAKEN")
		refused(t, create(anna, "U\u0308BER-UNS.2"), "chat.NAME_TAKEN") // the same in another normal form
		if err := create(zoe, "über-uns.2"); err != nil {
			t.Fatalf("another workspace's name: %v", describe(err))
		}
		must(w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: ch, Name: new("team")}))(t)
		refused(t, create(anna, "TEAM"), "chat.NAME_TAKEN")
		if err := create(anna, "über-uns.2"); err != nil {
			t.Fatalf("a name that became free: %v", describe(err))
		}
		got := must(w.api.GetChannel(anna.read(), &chatv1.GetChannelRequest{Channel: ch}))(t).GetChannel()
		if got.GetName() != "team" || got.GetMembers() != 1 || got.GetCreator() != anna.id || got.GetCreatedMs() == 0 {
			t.Fatalf("channel: %v", got)
		}
	})
}

func TestRolesInAChannel(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl, boss := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain), w.person("w1", "boss", owner)
		gast := w.person("w1", "gast", guest)
		w.settle()
		ch := anna.public("general")
		anna.add(ch, bob, carl)
		role := func(by, of *user, r chatv1.ChannelRole) error {
			_, err := w.api.SetMemberRole(by.write(), &chatv1.SetMemberRoleRequest{Channel: ch, User: of.id, Role: r})
			return err
		}
		kick := func(by, of *user) error {
			_, err := w.api.RemoveMember(by.write(), &chatv1.RemoveMemberRequest{Channel: ch, User: of.id})
			return err
		}
		topic := func(by *user) error {
			_, err := w.api.UpdateChannel(by.write(), &chatv1.UpdateChannelRequest{Channel: ch, Topic: new("by " + by.handle)})
			return err
		}
		archive := func(by *user, on bool) error {
			_, err := w.api.ArchiveChannel(by.write(), &chatv1.ArchiveChannelRequest{Channel: ch, Archived: on})
			return err
		}
		addGuest := func(by *user) error {
			_, err := w.api.AddMembers(by.write(), &chatv1.AddMembersRequest{Channel: ch, Users: []string{gast.id}})
			return err
		}
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(describe(err))
			}
		}
		refused(t, role(bob, carl, roleModerator), "chat.FORBIDDEN")
		refused(t, kick(bob, carl), "chat.FORBIDDEN")
		refused(t, topic(bob), "chat.FORBIDDEN")
		refused(t, archive(bob, true), "chat.FORBIDDEN")
		refused(t, addGuest(bob), "chat.FORBIDDEN")
		ok(role(anna, bob, roleModerator))
		ok(topic(bob))
		refused(t, archive(bob, true), "chat.FORBIDDEN")
		refused(t, kick(bob, anna), "chat.FORBIDDEN")
		ok(kick(bob, carl))
		ok(addGuest(bob))
		refused(t, role(anna, gast, roleModerator), "chat.FORBIDDEN")
		refused(t, role(anna, anna, roleMember), "chat.LAST_OWNER")
		_, err := w.api.LeaveChannel(anna.write(), &chatv1.LeaveChannelRequest{Channel: ch})
		refused(t, err, "chat.LAST_OWNER")
		refused(t, role(anna, carl, roleOwner), "chat.PERSON")
		ok(role(anna, bob, roleOwner))
		must(w.api.LeaveChannel(anna.write(), &chatv1.LeaveChannelRequest{Channel: ch}))(t)
		ok(archive(boss, true)) // chat.manage_channels, though not a member
		refused(t, topic(bob), "chat.ARCHIVED")
		refused(t, kick(bob, gast), "chat.ARCHIVED")
		_, err = w.api.JoinChannel(anna.write(), &chatv1.JoinChannelRequest{Channel: ch})
		refused(t, err, "chat.ARCHIVED")
		ok(archive(bob, false))
		ok(topic(boss))

		members := must(w.api.ListMembers(bob.read(), &chatv1.ListMembersRequest{Channel: ch}))(t).GetMembers()
		var got []string
		for _, m := range members {
			got = append(got, fmt.Sprint(m.GetUser(), m.GetRole(), m.GetGuest()))
		}
		want := []string{fmt.Sprint(bob.id, roleOwner, false), fmt.Sprint(gast.id, roleMember, true)}
		slices.Sort(want)
		equal(t, "members", got, want)
		if n := must(w.api.GetChannel(bob.read(), &chatv1.GetChannelRequest{Channel: ch}))(t).GetChannel().GetMembers(); n != 2 {
			t.Fatalf("%d members are counted", n)
		}
	})
}

func TestModeratorsOnlyPost(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := anna.public("news")
		bob.join(ch)
		must(w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: ch, Posting: chatv1.ChannelPosting_CHANNEL_POSTING_MODERATORS}))(t)
		at := anna.send(ch, "news")
		_, err := w.api.Send(bob.write(), &chatv1.SendRequest{Channel: ch, Text: "me too"})
		refused(t, err, "chat.FORBIDDEN")
		_, err = w.api.Send(bob.write(), &chatv1.SendRequest{Channel: ch, Root: at, AlsoInChannel: true, Text: "me too"})
		refused(t, err, "chat.FORBIDDEN")
		bob.reply(ch, at, "thanks")
		must(w.api.AddReaction(bob.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: at, Emoji: "👍"}))(t)
	})
}

func TestDirectChannels(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl, zoe := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain), w.person("w2", "zoe", plain)
		gast := w.person("w1", "gast", guest)
		w.settle()
		open := func(by *user, users ...*user) (string, error) {
			var ids []string
			for _, u := range users {
				ids = append(ids, u.id)
			}
			res, err := w.api.OpenDirect(by.write(), &chatv1.OpenDirectRequest{Users: ids})
			return res.GetChannel(), err
		}
		one := must(open(anna, bob))(t)
		if two := must(open(bob, anna, bob))(t); two != one {
			t.Fatal("two people have two direct channels")
		}
		group := must(open(anna, bob, carl))(t)
		if again := must(open(carl, anna, bob))(t); again != group || group == one {
			t.Fatal("three people have two group channels")
		}
		ch := must(w.api.GetChannel(bob.read(), &chatv1.GetChannelRequest{Channel: group}))(t).GetChannel()
		people := []string{anna.id, bob.id, carl.id}
		slices.Sort(people)
		equal(t, "people", ch.GetPeople(), people)
		if ch.GetKind() != chatv1.ChannelKind_CHANNEL_KIND_GROUP || ch.GetName() != "" || ch.GetMembers() != 3 {
			t.Fatalf("group: %v", ch)
		}
		bob.send(one, "psst")
		equal(t, "direct history", anna.texts(&chatv1.HistoryRequest{Channel: one}), []string{"psst"})
		_, err := w.api.History(carl.read(), &chatv1.HistoryRequest{Channel: one})
		refused(t, err, "chat.CHANNEL")
		notes := must(open(anna, anna))(t)
		anna.send(notes, "note to self")

		_, err = open(anna, zoe)
		refused(t, err, "chat.PERSON")
		for _, other := range []*user{carl, zoe} { // guests open none, and learn of nobody by trying
			_, err = open(gast, other)
			refused(t, err, "chat.FORBIDDEN")
		}
		withGuest := must(open(carl, gast))(t)
		if again := must(open(gast, carl))(t); again != withGuest { // but use what others opened with them
			t.Fatal("a guest has another direct channel")
		}
		for _, f := range []func() error{
			func() error {
				_, err := w.api.LeaveChannel(anna.write(), &chatv1.LeaveChannelRequest{Channel: group})
				return err
			},
			func() error {
				_, err := w.api.AddMembers(anna.write(), &chatv1.AddMembersRequest{Channel: one, Users: []string{carl.id}})
				return err
			},
			func() error {
				_, err := w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: group, Name: new("x")})
				return err
			},
			func() error {
				_, err := w.api.ArchiveChannel(anna.write(), &chatv1.ArchiveChannelRequest{Channel: one, Archived: true})
				return err
			},
		} {
			refused(t, f(), "chat.WRONG_KIND")
		}
		_, err = w.api.RemoveMember(carl.write(), &chatv1.RemoveMemberRequest{Channel: one, User: anna.id})
		refused(t, err, "chat.CHANNEL")
		at := anna.send(one, "mine")
		_, err = w.api.DeleteMessage(bob.write(), &chatv1.DeleteMessageRequest{Channel: one, Offset: at})
		refused(t, err, "chat.FORBIDDEN")
	})
}

// What a stranger asks about a channel they may not know is answered as for one that isn't there, in every method.
func TestNobodyLearnsOfHiddenChannels(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, boss := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "boss", owner)
		gast, zoe := w.person("w1", "gast", guest), w.person("w2", "zoe", owner)
		w.settle()
		hidden, open := anna.private("secret"), anna.public("general")
		anna.add(hidden, bob)
		at := anna.send(hidden, "hush")
		atOpen := anna.send(open, "hello")
		for _, c := range []struct {
			who     *user
			channel string
			at      uint64
		}{
			{boss, hidden, at},
			{gast, hidden, at},
			{gast, open, atOpen}, // public, but not shared with the guest
			{zoe, hidden, at},
			{zoe, open, atOpen},
		} {
			for name, call := range everyMethod(w, c.who, c.at) {
				absent, there := rpcError(call("nosuchchannel")), rpcError(call(c.channel))
				if absent.GetReason() != "chat.CHANNEL" || !proto.Equal(absent, there) {
					t.Errorf("%s of %s: %v, of a channel that isn't there: %v", name, c.who.handle, there, absent)
				}
			}
			for _, g := range c.who.open(want(topicChannel+c.channel), want(topicChannel+"nosuchchannel")) {
				if g.GetError().GetReason() != "chat.CHANNEL" || g.GetHead() != nil || g.GetMembers() != nil {
					t.Errorf("grant of %s: %v", c.who.handle, g)
				}
			}
			if list := must(w.api.BrowseChannels(c.who.read(), &chatv1.BrowseChannelsRequest{}))(t); slices.ContainsFunc(list.GetChannels(), func(ch *chatv1.Channel) bool { return ch.GetId() == c.channel }) {
				t.Errorf("%s finds %s", c.who.handle, c.channel)
			}
		}
		// What can't be an id reaches no statement: PostgreSQL takes no zero bytes, and would fail all that share the transaction.
		for name, call := range everyMethod(w, anna, at) {
			if got := rpcError(call("no\x00id")).GetReason(); got != "chat.CHANNEL" {
				t.Errorf("%s of what is no id: %s", name, got)
			}
		}
		// A member who was put out is a stranger again, and so is the one who left.
		must(w.api.RemoveMember(anna.write(), &chatv1.RemoveMemberRequest{Channel: hidden, User: bob.id}))(t)
		for name, call := range everyMethod(w, bob, at) {
			if got := rpcError(call(hidden)).GetReason(); got != "chat.CHANNEL" {
				t.Errorf("%s of the removed: %s", name, got)
			}
		}
	})
}

// everyMethod names every method that takes a channel, as the user would call it.
func everyMethod(w *world, u *user, at uint64) map[string]func(channel string) error {
	one := func(f func(ch string) (proto.Message, error)) func(string) error {
		return func(ch string) error { _, err := f(ch); return err }
	}
	api := w.api
	return map[string]func(string) error{
		"UpdateChannel": one(func(ch string) (proto.Message, error) {
			return api.UpdateChannel(u.write(), &chatv1.UpdateChannelRequest{Channel: ch, Topic: new("x")})
		}),
		"ArchiveChannel": one(func(ch string) (proto.Message, error) {
			return api.ArchiveChannel(u.write(), &chatv1.ArchiveChannelRequest{Channel: ch, Archived: true})
		}),
		"GetChannel": one(func(ch string) (proto.Message, error) {
			return api.GetChannel(u.read(), &chatv1.GetChannelRequest{Channel: ch})
		}),
		"JoinChannel": one(func(ch string) (proto.Message, error) {
			return api.JoinChannel(u.write(), &chatv1.JoinChannelRequest{Channel: ch})
		}),
		"LeaveChannel": one(func(ch string) (proto.Message, error) {
			return api.LeaveChannel(u.write(), &chatv1.LeaveChannelRequest{Channel: ch})
		}),
		"AddMembers": one(func(ch string) (proto.Message, error) {
			return api.AddMembers(u.write(), &chatv1.AddMembersRequest{Channel: ch, Users: []string{u.id}})
		}),
		"RemoveMember": one(func(ch string) (proto.Message, error) {
			return api.RemoveMember(u.write(), &chatv1.RemoveMemberRequest{Channel: ch, User: "somebody"})
		}),
		"SetMemberRole": one(func(ch string) (proto.Message, error) {
			return api.SetMemberRole(u.write(), &chatv1.SetMemberRoleRequest{Channel: ch, User: u.id, Role: roleOwner})
		}),
		"ListMembers": one(func(ch string) (proto.Message, error) {
			return api.ListMembers(u.read(), &chatv1.ListMembersRequest{Channel: ch})
		}),
		"Send": one(func(ch string) (proto.Message, error) {
			return api.Send(u.write(), &chatv1.SendRequest{Channel: ch, Text: "x"})
		}),
		"Send a reply": one(func(ch string) (proto.Message, error) {
			return api.Send(u.write(), &chatv1.SendRequest{Channel: ch, Text: "x", Root: at})
		}),
		"EditMessage": one(func(ch string) (proto.Message, error) {
			return api.EditMessage(u.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: at, Text: "x"})
		}),
		"DeleteMessage": one(func(ch string) (proto.Message, error) {
			return api.DeleteMessage(u.write(), &chatv1.DeleteMessageRequest{Channel: ch, Offset: at})
		}),
		"AddReaction": one(func(ch string) (proto.Message, error) {
			return api.AddReaction(u.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: at, Emoji: "👍"})
		}),
		"RemoveReaction": one(func(ch string) (proto.Message, error) {
			return api.RemoveReaction(u.write(), &chatv1.RemoveReactionRequest{Channel: ch, Offset: at, Emoji: "👍"})
		}),
		"PinMessage": one(func(ch string) (proto.Message, error) {
			return api.PinMessage(u.write(), &chatv1.PinMessageRequest{Channel: ch, Offset: at, Pinned: true})
		}),
		"ListPins": one(func(ch string) (proto.Message, error) {
			return api.ListPins(u.read(), &chatv1.ListPinsRequest{Channel: ch})
		}),
		"History": one(func(ch string) (proto.Message, error) {
			return api.History(u.read(), &chatv1.HistoryRequest{Channel: ch})
		}),
		"History of a thread": one(func(ch string) (proto.Message, error) {
			return api.History(u.read(), &chatv1.HistoryRequest{Channel: ch, Root: at})
		}),
		"GetMessages": one(func(ch string) (proto.Message, error) {
			return api.GetMessages(u.read(), &chatv1.GetMessagesRequest{Channel: ch, Offsets: []uint64{at}})
		}),
		"MarkRead": one(func(ch string) (proto.Message, error) {
			return api.MarkRead(u.write(), &chatv1.MarkReadRequest{Channel: ch, Offset: at})
		}),
		"MarkUnread": one(func(ch string) (proto.Message, error) {
			return api.MarkUnread(u.write(), &chatv1.MarkUnreadRequest{Channel: ch, Offset: at})
		}),
		"SetNotifications": one(func(ch string) (proto.Message, error) {
			return api.SetNotifications(u.write(), &chatv1.SetNotificationsRequest{Channel: ch, Muted: true})
		}),
		"FollowThread": one(func(ch string) (proto.Message, error) {
			return api.FollowThread(u.write(), &chatv1.FollowThreadRequest{Channel: ch, Root: at, Follow: true})
		}),
		"MarkThreadRead": one(func(ch string) (proto.Message, error) {
			return api.MarkThreadRead(u.write(), &chatv1.MarkThreadReadRequest{Channel: ch, Root: at, Offset: at})
		}),
		"SetDraft": one(func(ch string) (proto.Message, error) {
			return api.SetDraft(u.write(), &chatv1.SetDraftRequest{Channel: ch, Text: "x", Version: 1})
		}),
		"SetDraft in a thread": one(func(ch string) (proto.Message, error) {
			return api.SetDraft(u.write(), &chatv1.SetDraftRequest{Channel: ch, Root: at, Text: "x", Version: 1})
		}),
	}
}

// Every method that names a channel stands in everyMethod, so that a new one can't be forgotten.
func TestEveryMethodIsTried(t *testing.T) {
	tried := everyMethod(&world{}, &user{}, 1)
	methods := chatv1.File_plenum_chat_v1_chat_proto.Services().ByName("ChatService").Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		if m.Input().Fields().ByName("channel") != nil && tried[string(m.Name())] == nil && m.Name() != "ListDrafts" {
			t.Errorf("%s isn't tried", m.Name())
		}
	}
}

func TestMembershipIsInTheEnvelope(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, gast := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "gast", guest)
		w.settle()
		open, hidden := anna.public("general"), anna.private("secret")
		access := func(ch string, at uint64) []*topicv1.Access {
			return w.tail("w1", topicChannel+ch, nil)[at-1].GetAccess()
		}
		expect := func(what string, got []*topicv1.Access, want ...*topicv1.Access) {
			t.Helper()
			if len(got) != len(want) {
				t.Fatalf("%s: %v", what, got)
			}
			for i := range got {
				if !proto.Equal(got[i], want[i]) {
					t.Fatalf("%s: %v, want %v", what, got, want)
				}
			}
		}
		everyone := &topicv1.Access{Principal: "*", Read: true}
		may := func(u *user) *topicv1.Access { return &topicv1.Access{Principal: u.id, Read: true, Signal: true} }
		expect("a public channel", access(open, 1), everyone, may(anna))
		expect("a private channel", access(hidden, 1), may(anna))
		expect("added", access(hidden, anna.add(hidden, bob)), may(bob))
		at := must(w.api.RemoveMember(anna.write(), &chatv1.RemoveMemberRequest{Channel: hidden, User: bob.id}))(t).GetOffset()
		expect("removed", access(hidden, at), &topicv1.Access{Principal: bob.id})
		expect("joined", access(open, bob.join(open)), may(bob))
		at = must(w.api.LeaveChannel(bob.write(), &chatv1.LeaveChannelRequest{Channel: open}))(t).GetOffset()
		expect("left a public one", access(open, at), &topicv1.Access{Principal: bob.id, Read: true})
		anna.add(open, gast)
		at = must(w.api.RemoveMember(anna.write(), &chatv1.RemoveMemberRequest{Channel: open, User: gast.id}))(t).GetOffset()
		expect("a guest removed", access(open, at), &topicv1.Access{Principal: gast.id})
	})
}
