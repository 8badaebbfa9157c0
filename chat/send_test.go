package chat

import (
	"strings"
	"testing"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

const (
	owner  = identityv1.Role_ROLE_OWNER
	plain  = identityv1.Role_ROLE_MEMBER
	guest  = identityv1.Role_ROLE_GUEST
	public = chatv1.ChannelKind_CHANNEL_KIND_PUBLIC
)

func TestSend(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := anna.public("general")
		bob.join(ch)
		at := anna.send(ch, "hello *world*")
		m := bob.message(ch, at)
		if m.GetText() != "hello *world*" || m.GetAuthor() != anna.id || m.GetTimeMs() == 0 || m.GetMutation() == 0 {
			t.Fatalf("read back: %v", m)
		}
		if e := w.channelEvents("w1", ch)[at-1]; e.GetPosted().GetText() != "hello *world*" || e.GetActor() != anna.id {
			t.Fatalf("event: %v", e)
		}
	})
}

func TestSendIsExactlyOnce(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna := w.person("w1", "anna", plain)
		w.settle()
		ch := anna.public("general")
		req := &chatv1.SendRequest{Channel: ch, Text: "once"}
		first := must(w.api.Send(anna.write(), req))(t)
		for range 3 {
			again := must(w.api.Send(anna.again(), req))(t)
			if again.GetOffset() != first.GetOffset() || again.GetTimeMs() != first.GetTimeMs() || again.GetEpoch() != first.GetEpoch() {
				t.Fatalf("a retry got %v, the first %v", again, first)
			}
		}
		_, err := w.api.Send(anna.again(), &chatv1.SendRequest{Channel: ch, Text: "other"})
		refused(t, err, "topic.KEY_REUSED")
		anna.delete(ch, first.GetOffset())
		anna.seq-- // the send's
		if again := must(w.api.Send(anna.again(), req))(t); again.GetOffset() != first.GetOffset() {
			t.Fatalf("a retry after the deletion made %v", again)
		}
		anna.seq++
		equal(t, "history", anna.texts(&chatv1.HistoryRequest{Channel: ch}), []string{""})
		create := &chatv1.CreateChannelRequest{Name: "twice", Kind: public}
		one, two := must(w.api.CreateChannel(anna.write(), create))(t), must(w.api.CreateChannel(anna.again(), create))(t)
		if one.GetChannel() != two.GetChannel() || one.GetOffset() != two.GetOffset() {
			t.Fatalf("created %v and %v", one, two)
		}
		_, err = w.api.Send(anna.read(), req)
		refused(t, err, "chat.KEY_MISSING")
	})
}

func TestBadInput(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch, hidden, old := anna.public("general"), bob.private("secret"), anna.public("old")
		before := anna.send(old, "before")
		root := anna.send(ch, "root")
		must(w.api.ArchiveChannel(anna.write(), &chatv1.ArchiveChannelRequest{Channel: old, Archived: true}))(t)
		long := strings.Repeat("ä", MaxText/2)
		for _, c := range []struct {
			name, channel, text string
			root                uint64
			code                edgev1.Code
			reason              string
		}{
			{"empty", ch, "", 0, edgev1.Code_CODE_INVALID_ARGUMENT, "chat.EMPTY"},
			{"white space", ch, " \n\t\u00a0\u200b\u3164", 0, edgev1.Code_CODE_INVALID_ARGUMENT, "chat.EMPTY"},
			{"longest", ch, long, 0, 0, ""},
			{"too long", ch, long + "a", 0, edgev1.Code_CODE_INVALID_ARGUMENT, "chat.TOO_LONG"},
			{"far too long", ch, long + long + long, 0, edgev1.Code_CODE_BODY_TOO_LARGE, "rpc.TOO_LARGE"},
			{"zero byte", ch, "a\x00b", 0, edgev1.Code_CODE_INVALID_ARGUMENT, "chat.BAD_FIELD"},
			{"unknown channel", "nosuchchannel", "x", 0, edgev1.Code_CODE_NOT_FOUND, "chat.CHANNEL"},
			{"no channel", "", "x", 0, edgev1.Code_CODE_NOT_FOUND, "chat.CHANNEL"},
			{"no id", "a/b' OR 1=1", "x", 0, edgev1.Code_CODE_NOT_FOUND, "chat.CHANNEL"},
			{"hidden channel", hidden, "x", 0, edgev1.Code_CODE_NOT_FOUND, "chat.CHANNEL"},
			{"archived channel", old, "x", 0, edgev1.Code_CODE_FAILED_PRECONDITION, "chat.ARCHIVED"},
			{"unknown root", ch, "x", 4711, edgev1.Code_CODE_NOT_FOUND, "chat.MESSAGE"},
			{"root is no message", ch, "x", 1, edgev1.Code_CODE_NOT_FOUND, "chat.MESSAGE"},
			{"huge root", ch, "x", 1 << 63, edgev1.Code_CODE_NOT_FOUND, "chat.MESSAGE"},
			{"reply", ch, "x", root, 0, ""},
		} {
			_, err := w.api.Send(anna.write(), &chatv1.SendRequest{Channel: c.channel, Text: c.text, Root: c.root})
			if c.code == 0 {
				if err != nil {
					t.Errorf("%s: %v", c.name, describe(err))
				}
				continue
			}
			if got := rpcError(err); got.GetCode() != c.code || got.GetReason() != c.reason {
				t.Errorf("%s: %v, want %v %s", c.name, got, c.code, c.reason)
			}
		}
		_, err := w.api.Send(anna.write(), &chatv1.SendRequest{Channel: ch, Text: "x", AlsoInChannel: true})
		refused(t, err, "chat.BAD_FIELD")
		_, err = w.api.Send(anna.write(), &chatv1.SendRequest{Channel: ch, Text: "x", Context: make([]*chatv1.Dependency, MaxContext+1)})
		refused(t, err, "chat.BAD_FIELD")
		_, err = w.api.EditMessage(anna.write(), &chatv1.EditMessageRequest{Channel: old, Offset: before, Text: "after"})
		refused(t, err, "chat.ARCHIVED")
		_, err = w.api.AddReaction(anna.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: root, Emoji: "two words"})
		refused(t, err, "chat.BAD_FIELD")
		_, err = w.api.Send(bob.write(), &chatv1.SendRequest{Channel: ch, Text: "x"})
		refused(t, err, "chat.NOT_A_MEMBER")
		must(w.api.ArchiveChannel(anna.write(), &chatv1.ArchiveChannelRequest{Channel: old}))(t)
		anna.send(old, "back")
	})
}

// Text that is not UTF-8 can't be made with the generated types: the bytes go as another client might send them.
func TestNotUTF8(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna := w.person("w1", "anna", plain)
		w.settle()
		ch := anna.public("general")
		body := append([]byte{0x0a, byte(len(ch))}, ch...)
		body = append(body, 0x12, 2, 0xff, 0xfe)
		_, err := invoke(anna.write(), w, "plenum.chat.v1.ChatService/Send", body)
		if got := rpcError(err); got.GetCode() != edgev1.Code_CODE_INVALID_ARGUMENT {
			t.Fatalf("got %v", got)
		}
	})
}

func TestCausalContext(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, gast := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "gast", guest)
		w.settle()
		ch, other, secret, mixed := anna.public("general"), bob.public("other"), anna.private("secret"), anna.public("mixed")
		anna.add(mixed, gast)
		seen, told := bob.send(other, "first"), anna.send(secret, "hush")
		dep := func(ch string, at uint64) *chatv1.Dependency {
			return &chatv1.Dependency{Topic: topicChannel + ch, Cursor: &edgev1.Cursor{Epoch: 1, Offset: at}}
		}
		deps := []*chatv1.Dependency{
			dep(other, seen), dep(secret, told), dep(other, 1000), dep("nosuch", 1), dep(ch, 1), dep(mixed, 1),
			{Topic: "docs.document/x", Cursor: &edgev1.Cursor{Offset: 1}},
		}
		for _, c := range []struct {
			channel string
			want    []string
		}{
			{ch, []string{other, ch, mixed}}, // a public one, itself; never the secret, the future or the unknown
			{mixed, []string{mixed}},         // a guest reads it, who may not read the others
			{secret, []string{other, secret, ch, mixed}},
		} {
			at := must(w.api.Send(anna.write(), &chatv1.SendRequest{Channel: c.channel, Text: "second", Context: deps}))(t).GetOffset()
			var got []string
			for _, d := range anna.message(c.channel, at).GetContext() {
				got = append(got, strings.TrimPrefix(d.GetTopic(), topicChannel))
			}
			if c.channel == secret {
				c.want = []string{other, secret, ch, mixed}
			}
			equal(t, "context", got, c.want)
		}
	})
}
