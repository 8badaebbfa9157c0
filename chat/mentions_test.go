package chat

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// An edit that takes a name out takes the mention back, and one that puts it in counts once; for names, groups, and messages whose
// edits go without their text.
func TestEditedMentions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		late := w.person("w1", "late", plain)
		w.group("w1", "team", carl)
		w.settle()
		ch := anna.private("secret")
		anna.add(ch, bob, carl)
		edit := func(at uint64, text string) {
			must(w.api.EditMessage(anna.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: at, Text: text}))(t)
		}
		expect := func(what string, want map[*user]uint64) {
			t.Helper()
			w.settle()
			for u, n := range want {
				if got := u.shown(ch); got.mentions != n || shows(t, u.bundle()[ch]) != got {
					t.Errorf("%s: %s has %v, bundle %v, want %d mentions", what, u.handle, got, shows(t, u.bundle()[ch]), n)
				}
				if list := must(w.api.ListMentions(u.read(), &chatv1.ListMentionsRequest{}))(t).GetMentions(); len(list) != int(n) {
					t.Errorf("%s: %s has the list %v", what, u.handle, list)
				}
			}
		}
		at := anna.send(ch, "@bob @team")
		expect("posted", map[*user]uint64{bob: 1, carl: 1})
		edit(at, "nobody")
		expect("taken out", map[*user]uint64{bob: 0, carl: 0})
		edit(at, "@bob, again")
		edit(at, "@bob and @carl, again")
		expect("put in", map[*user]uint64{bob: 1, carl: 1})
		edit(at, "@team")
		expect("by group alone", map[*user]uint64{bob: 0, carl: 1})
		second := anna.send(ch, "@bob")
		edit(second, "never mind")
		third := anna.send(ch, "hello")
		edit(third, "hello @bob")
		edit(third, "hello @bob and @carl")
		expect("edited at once", map[*user]uint64{bob: 1, carl: 2})
		must(w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: ch, History: chatv1.ChannelHistory_CHANNEL_HISTORY_JOINED}))(t)
		anna.add(ch, late)
		edit(third, "hello @carl")
		expect("without its text", map[*user]uint64{bob: 0, carl: 2})
		edit(second, "@late @bob")
		expect("who came later is not told", map[*user]uint64{bob: 1, late: 0})
		told, back := 0, 0
		for _, e := range bob.events() {
			if e.GetMention() != nil {
				told++
			}
			if e.GetUnmentioned() != nil {
				back++
			}
		}
		if told-back != 1 || back < 3 {
			t.Errorf("bob was told %d times, and %d times not any more", told, back)
		}
		bob.markRead(ch, late.opens(ch).GetHead().GetOffset(), 0)
		edit(third, "hello @bob, whom it is read by")
		w.settle()
		if got := bob.shown(ch); got.mentions != 0 {
			t.Errorf("what is read counts: %v", got)
		}
		before := fmt.Sprint(len(bob.events()), len(carl.events()), bob.shown(ch), carl.shown(ch))
		records := w.tail("w1", topicChannel+ch, nil)
		err := w.server.log.Transact(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return w.server.derive(ctx, tx, records) })
		if err != nil {
			t.Fatal(err)
		}
		if after := fmt.Sprint(len(bob.events()), len(carl.events()), bob.shown(ch), carl.shown(ch)); after != before {
			t.Errorf("derived again: %s, before %s", after, before)
		}
	})
}

// A person is in so many channels; then they must leave one.
func TestTooManyChannels(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		w.settle()
		open, hidden := anna.public("open"), anna.private("hidden")
		last := bob.public("last")
		err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
			return exec(t.Context(), tx, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO chat_member (workspace, channel, user_id, role, guest, joined_ms, joined_offset, visible_from)
				SELECT 'w1', 'made-' || i, $2, 1, false, 0, 0, 0 FROM n`, MaxChannels-1, bob.id)
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"join": func() error {
				_, err := w.api.JoinChannel(bob.write(), &chatv1.JoinChannelRequest{Channel: open})
				return err
			},
			"add": func() error {
				_, err := w.api.AddMembers(anna.write(), &chatv1.AddMembersRequest{Channel: hidden, Users: []string{carl.id, bob.id}})
				return err
			},
			"create": func() error {
				_, err := w.api.CreateChannel(bob.write(), &chatv1.CreateChannelRequest{Name: "more", Kind: public})
				return err
			},
			"direct": func() error {
				_, err := w.api.OpenDirect(anna.write(), &chatv1.OpenDirectRequest{Users: []string{bob.id}})
				return err
			},
		} {
			if e := rpcError(call()); e.GetReason() != "chat.LIMIT" || e.GetCode() != 103 {
				t.Errorf("%s: %v", name, e)
			}
		}
		carl.join(open)
		another := carl.public("another")
		must(w.api.AddMembers(bob.write(), &chatv1.AddMembersRequest{Channel: last, Users: []string{carl.id}}))(t)
		must(w.api.SetMemberRole(bob.write(), &chatv1.SetMemberRoleRequest{Channel: last, User: carl.id, Role: chatv1.ChannelRole_CHANNEL_ROLE_OWNER}))(t)
		must(w.api.LeaveChannel(bob.write(), &chatv1.LeaveChannelRequest{Channel: last}))(t)
		bob.join(another)
	})
}
