package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func want(topic string) *edgev1.Want {
	return &edgev1.Want{Topic: topic, Mode: edgev1.Mode_MODE_EVENTS}
}

func TestHistoryPages(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna := w.person("w1", "anna", plain)
		w.settle()
		ch := anna.public("general") // offset 1
		var offsets []uint64
		for i := range 10 {
			offsets = append(offsets, anna.send(ch, fmt.Sprint(i)))
			must(w.api.AddReaction(anna.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: offsets[i], Emoji: "👍"}))(t) // not shown
		}
		root := offsets[3]
		anna.reply(ch, root, "hidden in its thread")
		page := func(req *chatv1.HistoryRequest, want string, before, after bool) {
			t.Helper()
			req.Channel = ch
			res := must(w.api.History(anna.read(), req))(t)
			var got []string
			for _, m := range res.GetMessages() {
				if m.GetSystem() != nil {
					got = append(got, "sys")
				} else {
					got = append(got, m.GetText())
				}
			}
			if s := strings.Join(got, " "); s != want || res.GetMoreBefore() != before || res.GetMoreAfter() != after {
				t.Fatalf("%v: %q (more %v %v), want %q (more %v %v)", req, s, res.GetMoreBefore(), res.GetMoreAfter(), want, before, after)
			}
			if head := anna.open(want2(ch))[0].GetHead(); !proto.Equal(head, res.GetCursor()) {
				t.Fatalf("cursor %v, head %v", res.GetCursor(), head)
			}
		}
		before := func(n uint64) *chatv1.HistoryRequest_Before { return &chatv1.HistoryRequest_Before{Before: n} }
		after := func(n uint64) *chatv1.HistoryRequest_After { return &chatv1.HistoryRequest_After{After: n} }
		around := func(n uint64) *chatv1.HistoryRequest_Around { return &chatv1.HistoryRequest_Around{Around: n} }
		page(&chatv1.HistoryRequest{Limit: 3}, "7 8 9", true, false)
		page(&chatv1.HistoryRequest{Limit: 11}, "sys 0 1 2 3 4 5 6 7 8 9", false, false)
		page(&chatv1.HistoryRequest{Limit: 3, Place: before(offsets[4])}, "1 2 3", true, true)
		page(&chatv1.HistoryRequest{Limit: 5, Place: before(offsets[3])}, "sys 0 1 2", false, true)
		page(&chatv1.HistoryRequest{Limit: 5, Place: before(1 << 63)}, "5 6 7 8 9", true, false)
		page(&chatv1.HistoryRequest{Limit: 3, Place: after(offsets[4])}, "5 6 7", true, true)
		page(&chatv1.HistoryRequest{Limit: 5, Place: after(offsets[7])}, "8 9", true, false)
		page(&chatv1.HistoryRequest{Limit: 5, Place: after(0)}, "sys 0 1 2 3", false, true)
		page(&chatv1.HistoryRequest{Limit: 5, Place: after(1 << 63)}, "", true, false)
		page(&chatv1.HistoryRequest{Limit: 4, Place: around(offsets[5])}, "3 4 5 6", true, true)
		page(&chatv1.HistoryRequest{Limit: 4, Place: around(1)}, "sys 0 1 2", false, true)
		page(&chatv1.HistoryRequest{Limit: 4, Place: around(offsets[9])}, "6 7 8 9", true, false)
		page(&chatv1.HistoryRequest{Limit: 2, Root: root}, "3 hidden in its thread", false, false)
		page(&chatv1.HistoryRequest{Limit: 1, Root: root}, "hidden in its thread", true, false)
		_, err := w.api.History(anna.read(), &chatv1.HistoryRequest{Channel: ch, Limit: 101})
		refused(t, err, "chat.BAD_FIELD")
		_, err = w.api.History(anna.read(), &chatv1.HistoryRequest{Channel: ch, Root: 1})
		refused(t, err, "chat.MESSAGE")
	})
}

func want2(ch string) *edgev1.Want { return want(topicChannel + ch) }

func TestHistoryAtADate(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna := w.person("w1", "anna", plain)
		w.settle()
		ch := anna.public("general")
		var times []int64
		for i := range 5 {
			at := anna.send(ch, fmt.Sprint(i))
			times = append(times, anna.message(ch, at).GetTimeMs())
			time.Sleep(3 * time.Millisecond) // the database's rows carry real times
		}
		for _, c := range []struct {
			ms   int64
			want string
		}{
			{times[2], "1 2"}, {times[2] - 1, "1 2"}, {times[2] + 1, "2 3"}, {times[4] + 1e6, "3 4"}, {0, "0"}, {-5, "0"},
		} {
			got := anna.texts(&chatv1.HistoryRequest{Channel: ch, Limit: 2, Place: &chatv1.HistoryRequest_AtMs{AtMs: c.ms}})
			if s := strings.Join(got, " "); s != c.want {
				t.Fatalf("at %d: %q, want %q", c.ms-times[0], s, c.want)
			}
		}
	})
}

func TestEditAndDelete(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, boss := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "boss", owner)
		w.settle()
		ch := anna.public("general")
		bob.join(ch)
		boss.join(ch)
		at := bob.send(ch, "first words")
		edit := func(u *user, text string) (*chatv1.EditMessageResponse, error) {
			return w.api.EditMessage(u.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: at, Text: text})
		}
		_, err := edit(anna, "hers")
		refused(t, err, "chat.FORBIDDEN")
		if text := rpc.FromError(err).GetMessage(); !strings.Contains(text, "author") {
			t.Errorf("somebody else's message: %q", text)
		}
		first := must(edit(bob, "second words"))(t).GetOffset()
		if again := must(w.api.EditMessage(bob.again(), &chatv1.EditMessageRequest{Channel: ch, Offset: at, Text: "second words"}))(t); again.GetOffset() != first {
			t.Fatal("a retried edit edits twice")
		}
		if same := must(edit(bob, "second words"))(t); same.GetOffset() != 0 {
			t.Fatal("an edit to the same text makes an event")
		}
		second := must(edit(bob, "third words"))(t).GetOffset()
		m := anna.message(ch, at)
		if m.GetText() != "third words" || m.GetEdits() != 2 || m.GetEditedMs() == 0 || m.GetDeleted() {
			t.Fatalf("edited: %v", m)
		}
		must(w.api.AddReaction(anna.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: at, Emoji: "❤"}))(t)
		must(w.api.PinMessage(anna.write(), &chatv1.PinMessageRequest{Channel: ch, Offset: at, Pinned: true}))(t)

		plainUser := w.person("w1", "eve", plain)
		w.settle()
		plainUser.join(ch)
		_, err = w.api.DeleteMessage(plainUser.write(), &chatv1.DeleteMessageRequest{Channel: ch, Offset: at})
		refused(t, err, "chat.FORBIDDEN")
		gone := boss.delete(ch, at)
		m = anna.message(ch, at)
		if !m.GetDeleted() || m.GetText() != "" || m.GetAuthor() != bob.id || len(m.GetReactions()) > 0 || m.GetPinned() || m.GetMentions() != nil {
			t.Fatalf("deleted: %v", m)
		}
		records := w.tail("w1", topicChannel+ch, nil)
		for _, n := range []uint64{at, first, second} {
			if len(records[n-1].GetEvent().GetBody()) > 0 {
				t.Fatalf("the body of %d is still there", n)
			}
		}
		if r := records[gone-1].GetRedacts(); !slices.Equal(r, []uint64{at, first, second}) {
			t.Fatalf("redacts %v", r)
		}
		var left int
		row := w.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM chat_message WHERE content IS NOT NULL) + (SELECT count(*) FROM chat_reaction)
			+ (SELECT count(*) FROM chat_log WHERE "offset" = $1 AND topic = $2 AND (body IS NOT NULL OR salt IS NOT NULL OR digest IS NOT NULL))`,
			int64(at), topicChannel+ch)
		if err := row.Scan(&left); err != nil || left != 0 {
			t.Fatalf("%d rows still hold something (%v)", left, err)
		}
		if again := boss.delete(ch, at); again != 0 {
			t.Fatal("deleted twice")
		}
		_, err = edit(bob, "back?")
		refused(t, err, "chat.DELETED")
		_, err = w.api.AddReaction(anna.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: at, Emoji: "👍"})
		refused(t, err, "chat.DELETED")
		_, err = w.api.Send(anna.write(), &chatv1.SendRequest{Channel: ch, Root: at, Text: "x"})
		refused(t, err, "chat.DELETED")
		if pins := must(w.api.ListPins(anna.read(), &chatv1.ListPinsRequest{Channel: ch}))(t).GetMessages(); len(pins) != 0 {
			t.Fatalf("pins: %v", pins)
		}
		_, err = w.api.DeleteMessage(anna.write(), &chatv1.DeleteMessageRequest{Channel: ch, Offset: gone})
		refused(t, err, "chat.MESSAGE") // an event is no message
	})
}

func TestReactionsAndPins(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := anna.public("general")
		bob.join(ch)
		at := anna.send(ch, "react!")
		react := func(u *user, emoji string) (uint64, error) {
			res, err := w.api.AddReaction(u.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: at, Emoji: emoji})
			return res.GetOffset(), err
		}
		must(react(bob, "👍"))(t)
		must(react(anna, "👍"))(t)
		must(react(anna, ":tada:"))(t)
		if n := must(react(anna, "👍"))(t); n != 0 {
			t.Fatal("the same reaction counts twice")
		}
		got := anna.message(ch, at).GetReactions()
		if len(got) != 2 || got[0].GetEmoji() != "👍" || got[0].GetCount() != 2 || !slices.Equal(got[0].GetUsers(), []string{bob.id, anna.id}) || got[1].GetCount() != 1 {
			t.Fatalf("reactions: %v", got)
		}
		if bobs := bob.message(ch, at).GetReactions(); !bobs[0].GetMine() || bobs[1].GetMine() {
			t.Fatalf("bob's view: %v", bobs)
		}
		must(w.api.RemoveReaction(bob.write(), &chatv1.RemoveReactionRequest{Channel: ch, Offset: at, Emoji: "👍"}))(t)
		if n := must(w.api.RemoveReaction(bob.write(), &chatv1.RemoveReactionRequest{Channel: ch, Offset: at, Emoji: "👍"}))(t).GetOffset(); n != 0 {
			t.Fatal("taken back twice")
		}
		for i := 2; i < MaxReactionsOne; i++ {
			must(react(anna, fmt.Sprintf(":a%d:", i)))(t)
		}
		_, err := react(anna, ":one-more:")
		refused(t, err, "chat.LIMIT")
		for i := MaxReactionsOne; i < MaxEmojis; i++ {
			must(react(bob, fmt.Sprintf(":b%d:", i)))(t)
		}
		carl := w.person("w1", "carl", plain)
		w.settle()
		carl.join(ch)
		_, err = react(carl, ":another:")
		refused(t, err, "chat.LIMIT")
		must(react(carl, "👍"))(t)

		pin := func(at uint64, on bool) (uint64, error) {
			res, err := w.api.PinMessage(bob.write(), &chatv1.PinMessageRequest{Channel: ch, Offset: at, Pinned: on})
			return res.GetOffset(), err
		}
		for i := range MaxPins {
			must(pin(anna.send(ch, fmt.Sprint("pin ", i)), true))(t)
		}
		_, err = pin(at, true)
		refused(t, err, "chat.LIMIT")
		pins := must(w.api.ListPins(bob.read(), &chatv1.ListPinsRequest{Channel: ch}))(t).GetMessages()
		if len(pins) != MaxPins || pins[0].GetText() != fmt.Sprint("pin ", MaxPins-1) || !pins[0].GetPinned() {
			t.Fatalf("%d pins, first %v", len(pins), pins[0])
		}
		must(pin(pins[0].GetOffset(), false))(t)
		must(pin(at, true))(t)
	})
}

// What lies before somebody's coming is hidden from them on every path, where the channel says so.
func TestHistoryFromJoining(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		w.settle()
		ch := anna.private("secret")
		old := anna.send(ch, "before anybody")
		anna.add(ch, bob) // history is for all: bob reads it
		must(w.api.UpdateChannel(anna.write(), &chatv1.UpdateChannelRequest{Channel: ch, History: chatv1.ChannelHistory_CHANNEL_HISTORY_JOINED}))(t)
		reply := anna.reply(ch, old, "old reply")
		must(w.api.PinMessage(anna.write(), &chatv1.PinMessageRequest{Channel: ch, Offset: old, Pinned: true}))(t)
		epoch := anna.open(want2(ch))[0].GetHead().GetEpoch()
		joined := anna.add(ch, carl)
		after := anna.send(ch, "after")

		equal(t, "bob's history", bob.texts(&chatv1.HistoryRequest{Channel: ch}), []string{"before anybody", "after"})
		for _, place := range []*chatv1.HistoryRequest{
			{}, {Place: &chatv1.HistoryRequest_Before{Before: 1 << 50}}, {Place: &chatv1.HistoryRequest_After{After: 0}},
			{Place: &chatv1.HistoryRequest_Around{Around: old}}, {Place: &chatv1.HistoryRequest_AtMs{AtMs: 1}},
		} {
			place.Channel = ch
			equal(t, fmt.Sprint("carl's history ", place), carl.texts(place), []string{"after"})
			res := must(w.api.History(carl.read(), place))(t)
			if res.GetMoreBefore() || res.GetMessages()[0].GetOffset() < joined {
				t.Fatalf("carl is shown %v", res)
			}
		}
		if carl.message(ch, old) != nil || carl.message(ch, reply) != nil || carl.message(ch, after) == nil {
			t.Fatal("GetMessages knows no floor")
		}
		_, err := w.api.History(carl.read(), &chatv1.HistoryRequest{Channel: ch, Root: old})
		refused(t, err, "chat.MESSAGE")
		if pins := must(w.api.ListPins(carl.read(), &chatv1.ListPinsRequest{Channel: ch}))(t).GetMessages(); len(pins) != 0 {
			t.Fatalf("carl's pins: %v", pins)
		}
		for name, call := range map[string]func() error{
			"reply": func() error {
				_, err := w.api.Send(carl.write(), &chatv1.SendRequest{Channel: ch, Root: old, Text: "x"})
				return err
			},
			"reply to a reply": func() error {
				_, err := w.api.Send(carl.write(), &chatv1.SendRequest{Channel: ch, Root: reply, Text: "x"})
				return err
			},
			"react": func() error {
				_, err := w.api.AddReaction(carl.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: old, Emoji: "👍"})
				return err
			},
			"pin": func() error {
				_, err := w.api.PinMessage(carl.write(), &chatv1.PinMessageRequest{Channel: ch, Offset: old})
				return err
			},
			"follow": func() error {
				_, err := w.api.FollowThread(carl.write(), &chatv1.FollowThreadRequest{Channel: ch, Root: old, Follow: true})
				return err
			},
		} {
			if got := rpcError(call()).GetReason(); got != "chat.MESSAGE" {
				t.Errorf("%s: %s", name, got)
			}
		}
		g := carl.open(want2(ch))[0]
		if g.GetFloor().GetOffset() != joined-1 || g.GetFloor().GetEpoch() != epoch || g.GetHead().GetOffset() != after {
			t.Fatalf("grant: %v", g)
		}
		g = carl.open(&edgev1.Want{Topic: topicChannel + ch, Cursor: &edgev1.Cursor{Epoch: epoch, Offset: joined - 2}})[0]
		if g.GetError().GetCode() != edgev1.Code_CODE_RESET_FLOOR {
			t.Fatalf("a cursor below the floor got %v", g)
		}
		if g = bob.open(&edgev1.Want{Topic: topicChannel + ch, Cursor: &edgev1.Cursor{Epoch: epoch, Offset: 1}})[0]; g.GetError() != nil || g.GetFloor().GetOffset() != 0 {
			t.Fatalf("bob's grant: %v", g)
		}
		// An edit of what some readers may not read doesn't tell them by its event.
		must(w.api.EditMessage(anna.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: old, Text: "before anybody, edited, @bob"}))(t)
		w.settle()
		if n := len(must(w.api.ListMentions(bob.read(), &chatv1.ListMentionsRequest{}))(t).GetMentions()); n != 0 {
			t.Fatalf("bob, who joined after the message, is told %d times", n)
		}
		events := w.channelEvents("w1", ch)
		if e := events[len(events)-1].GetEdited(); e.GetText() != "" || e.GetMentions() != nil || !e.GetTextOmitted() {
			t.Fatalf("edit: %v", e)
		}
		if m := bob.message(ch, old); m.GetText() != "before anybody, edited, @bob" {
			t.Fatalf("bob reads %v", m)
		}
		must(w.api.EditMessage(anna.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: after, Text: "after, edited"}))(t)
		events = w.channelEvents("w1", ch)
		if e := events[len(events)-1].GetEdited(); e.GetText() != "after, edited" {
			t.Fatalf("edit: %v", e)
		}
		// Who leaves and comes back begins anew.
		must(w.api.LeaveChannel(bob.write(), &chatv1.LeaveChannelRequest{Channel: ch}))(t)
		again := anna.add(ch, bob)
		if g := bob.open(want2(ch))[0]; g.GetFloor().GetOffset() != again-1 {
			t.Fatalf("bob's grant after coming back: %v", g)
		}
		equal(t, "bob's history", bob.texts(&chatv1.HistoryRequest{Channel: ch}), nil)
		if bob.mine(ch).GetReadableFrom() != again {
			t.Fatal("the state doesn't say from where bob may read")
		}
	})
}
