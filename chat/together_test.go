package chat

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// together makes calls that share one transaction: the writer waits for a lock until all of them are queued, in order.
func (w *world) together(calls ...func() error) []error {
	w.tb.Helper()
	errs := make([]error, len(calls))
	locked, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := w.db.Write(w.tb.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(w.tb.Context(), `UPDATE chat_partition SET position = position`)
			close(locked)
			<-release
			return err
		})
		if err != nil {
			w.tb.Error(err)
		}
	})
	<-locked
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
		for w.server.log.Waiting() <= i {
			time.Sleep(time.Millisecond) // real connections
		}
	}
	close(release)
	wg.Wait()
	return errs
}

// Steps of one batch see what the earlier ones did, though nothing of it is written yet.
func TestStepsOfOneBatch(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		w.settle()
		ch := anna.public("general")
		anna.add(ch, bob)
		at := bob.send(ch, "to be edited and deleted")
		root := bob.send(ch, "root")
		call := func(f func() (proto.Message, error)) func() error {
			return func() error { _, err := f(); return err }
		}
		warm := func() error {
			_, err := w.api.Send(anna.write(), &chatv1.SendRequest{Channel: ch, Text: "first in line"})
			return err
		}
		reply := func(u *user) func() error {
			ctx := u.write()
			return func() error {
				_, err := w.api.Send(ctx, &chatv1.SendRequest{Channel: ch, Root: root, Text: "reply"})
				return err
			}
		}
		send := func(u *user) func() error {
			ctx := u.write()
			return func() error { _, err := w.api.Send(ctx, &chatv1.SendRequest{Channel: ch, Text: "hi"}); return err }
		}
		ctxEdit, ctxDelete, ctxReact := bob.write(), bob.write(), anna.write()
		ctxJoin, ctxLeave := carl.write(), carl.write()
		errs := w.together(
			warm,
			call(func() (proto.Message, error) {
				return w.api.EditMessage(ctxEdit, &chatv1.EditMessageRequest{Channel: ch, Offset: at, Text: "edited"})
			}),
			call(func() (proto.Message, error) {
				return w.api.DeleteMessage(ctxDelete, &chatv1.DeleteMessageRequest{Channel: ch, Offset: at})
			}),
			call(func() (proto.Message, error) {
				return w.api.AddReaction(ctxReact, &chatv1.AddReactionRequest{Channel: ch, Offset: at, Emoji: "👍"})
			}),
			send(carl),
			call(func() (proto.Message, error) {
				return w.api.JoinChannel(ctxJoin, &chatv1.JoinChannelRequest{Channel: ch})
			}),
			send(carl),
			reply(carl), reply(bob),
			call(func() (proto.Message, error) {
				return w.api.LeaveChannel(ctxLeave, &chatv1.LeaveChannelRequest{Channel: ch})
			}),
			send(carl),
		)
		want := []string{"", "", "", "chat.DELETED", "chat.NOT_A_MEMBER", "", "", "", "", "", "chat.NOT_A_MEMBER"}
		for i, err := range errs {
			if got := rpcError(err).GetReason(); got != want[i] {
				t.Errorf("call %d: %q, want %q", i, got, want[i])
			}
		}
		if m := anna.message(ch, at); !m.GetDeleted() || m.GetText() != "" || len(m.GetReactions()) != 0 {
			t.Fatalf("deleted: %v", m)
		}
		for _, r := range w.tail("w1", topicChannel+ch, nil) {
			if strings.Contains(string(r.GetEvent().GetBody()), "edited") {
				t.Fatal("the edit's text outlives the deletion")
			}
		}
		if th := anna.message(ch, root).GetThread(); th.GetReplies() != 2 {
			t.Fatalf("thread: %v", th)
		}
		if n := must(w.api.GetChannel(anna.read(), &chatv1.GetChannelRequest{Channel: ch}))(t).GetChannel().GetMembers(); n != 2 {
			t.Fatalf("%d members", n)
		}
		if m := must(w.api.ListMembers(anna.read(), &chatv1.ListMembersRequest{Channel: ch}))(t).GetMembers(); len(m) != 2 {
			t.Fatalf("members: %v", m)
		}
		w.settle()
		if carl.bundle()[ch] != nil {
			t.Fatal("carl's bundle still has the channel")
		}
	})
}

// Pages and filters that a client makes up are refused, not passed on.
func TestMadeUpPages(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna := w.person("w1", "anna", plain)
		w.settle()
		for _, page := range []string{"x", "e30", pageToken("a\x00b"), pageToken(1, 2, 3, 4), pageToken(map[string]int{})} {
			_, err := w.api.ListMyChannels(anna.read(), &chatv1.ListMyChannelsRequest{Page: page})
			refused(t, err, "chat.BAD_FIELD")
			_, err = w.api.ListMentions(anna.read(), &chatv1.ListMentionsRequest{Page: page})
			refused(t, err, "chat.BAD_FIELD")
			_, err = w.api.ListThreads(anna.read(), &chatv1.ListThreadsRequest{Page: page})
			refused(t, err, "chat.BAD_FIELD")
		}
		_, err := w.api.ListDrafts(anna.read(), &chatv1.ListDraftsRequest{Channel: "a\x00"})
		refused(t, err, "chat.CHANNEL")
		_, err = w.api.BrowseChannels(anna.read(), &chatv1.BrowseChannelsRequest{Prefix: "a\x00"})
		refused(t, err, "chat.BAD_FIELD")
	})
}

// Names are taken once, by whoever of many is first, in whatever partitions.
func TestNamesAreTakenOnce(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		var users []*user
		for i := range 12 {
			users = append(users, w.person("w1", fmt.Sprint("u", i), plain))
		}
		w.settle()
		var mu sync.Mutex
		made := 0
		var wg sync.WaitGroup
		for _, u := range users {
			wg.Go(func() {
				_, err := w.api.CreateChannel(u.write(), &chatv1.CreateChannelRequest{Name: "same", Kind: public})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					made++
				} else if rpcError(err).GetReason() != "chat.NAME_TAKEN" {
					t.Error(describe(err))
				}
			})
		}
		wg.Wait()
		if made != 1 {
			t.Fatalf("%d channels of one name", made)
		}
	})
}

// A follower that loses its cursor derives everything again, and nothing changes by it.
func TestDerivingAgainChangesNothing(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.group("w1", "team", bob)
		w.settle()
		ch := anna.public("general")
		bob.join(ch)
		root := anna.send(ch, "@bob @team")
		anna.reply(ch, root, "@bob")
		bob.send(ch, "@anna")
		must(w.api.LeaveChannel(bob.write(), &chatv1.LeaveChannelRequest{Channel: ch}))(t)
		bob.join(ch)
		anna.send(ch, "@all")
		w.settle()
		before := []any{len(anna.events()), len(bob.events()), anna.shown(ch), bob.shown(ch)}
		records := w.tail("w1", topicChannel+ch, nil)
		err := w.server.log.Transact(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return w.server.derive(ctx, tx, records) })
		if err != nil {
			t.Fatal(err)
		}
		after := []any{len(anna.events()), len(bob.events()), anna.shown(ch), bob.shown(ch)}
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Fatalf("before %v, after %v", before, after)
		}
	})
}

// A message that was deleted before anything was derived of it was still read by its author.
func TestDeletedBeforeDerived(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := anna.public("general")
		bob.join(ch)
		at := anna.send(ch, "@bob")
		anna.delete(ch, at)
		w.settle()
		if got := anna.shown(ch); got != (unread{}) {
			t.Fatalf("the author: %v", got)
		}
		if got := bob.shown(ch); got.unread != 1 {
			t.Fatalf("bob: %v", got)
		}
	})
}

// What identity says of people is followed: handles move, people go, guests become members.
func TestPeopleAreFollowed(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := anna.public("general")
		anna.add(ch, bob)
		bob.handle = "robert"
		bob.change(plain, false)
		w.settle()
		if m := anna.message(ch, anna.send(ch, "@bob")).GetMentions(); m != nil {
			t.Fatalf("the old handle names %v", m)
		}
		if m := anna.message(ch, anna.send(ch, "@robert")).GetMentions(); len(m.GetUsers()) != 1 {
			t.Fatalf("the new handle names %v", m)
		}
		bob.change(plain, true)
		w.settle()
		_, err := w.api.OpenDirect(anna.write(), &chatv1.OpenDirectRequest{Users: []string{bob.id}})
		refused(t, err, "chat.PERSON")
		// Who became a guest is one where guests matter: put out of a public channel, they may no longer read it.
		carl := w.person("w1", "carl", plain)
		w.settle()
		carl.join(ch)
		carl.change(guest, false)
		w.settle()
		at := must(w.api.RemoveMember(anna.write(), &chatv1.RemoveMemberRequest{Channel: ch, User: carl.id}))(t).GetOffset()
		if a := w.tail("w1", topicChannel+ch, nil)[at-1].GetAccess(); len(a) != 1 || a[0].GetRead() {
			t.Fatalf("access: %v", a)
		}
		bob.version = 0 // an old event that comes late
		bob.change(plain, false)
		w.settle()
		_, err = w.api.OpenDirect(anna.write(), &chatv1.OpenDirectRequest{Users: []string{bob.id}})
		refused(t, err, "chat.PERSON")
	})
}
