package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/meshtest"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// unread are the numbers that a device shows.
type unread struct{ unread, mentions uint64 }

// shows computes the numbers from a bundle entry, as clients do.
func shows(tb testing.TB, h *edgev1.Head) unread {
	var b chatv1.Badge
	if err := proto.Unmarshal(h.GetBadge(), &b); err != nil {
		tb.Fatal(err)
	}
	return unread{h.GetCount() - b.GetMarker().GetCount(), b.GetMentions() + h.GetCalls() - b.GetMarker().GetCalls()}
}

func (u *user) shown(ch string) unread {
	m := u.mine(ch)
	return unread{m.GetUnread(), m.GetMentions()}
}

// bundle is what the gateway would show of the user's channels.
func (u *user) bundle() map[string]*edgev1.Head {
	u.tb.Helper()
	heads := map[string]*edgev1.Head{}
	g := u.open(&edgev1.Want{Topic: "chat.mine/me", Mode: edgev1.Mode_MODE_HEADS})[0]
	if g.GetError() != nil || g.GetCanonical() != topicUser+u.id || g.GetHead() == nil {
		u.tb.Fatalf("bundle: %v", g)
	}
	for _, h := range g.GetMembers() {
		heads[strings.TrimPrefix(h.GetTopic(), topicChannel)] = h
	}
	return heads
}

func (u *user) markRead(ch string, at, version uint64) *chatv1.MarkReadResponse {
	u.tb.Helper()
	return must(u.api.MarkRead(u.write(), &chatv1.MarkReadRequest{Channel: ch, Offset: at, Version: version}))(u.tb)
}

func TestMarkers(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := anna.public("general")
		early := anna.send(ch, "before bob came")
		bob.join(ch)
		var at []uint64
		for i := range 4 {
			at = append(at, anna.send(ch, fmt.Sprint(i)))
		}
		w.settle()
		check := func(what string, u *user, n uint64) {
			t.Helper()
			if got := u.shown(ch); got.unread != n || got != shows(t, u.bundle()[ch]) {
				t.Fatalf("%s: %v (bundle %v), want %d unread", what, got, shows(t, u.bundle()[ch]), n)
			}
		}
		check("the author", anna, 0)
		check("who joined", bob, 4)
		if r := bob.markRead(ch, at[1], 0); !r.GetApplied() || r.GetMarker().GetOffset() != at[1] {
			t.Fatalf("marked: %v", r)
		}
		check("read two", bob, 2)
		if r := bob.markRead(ch, at[0], 0); r.GetApplied() || r.GetMarker().GetOffset() != at[1] {
			t.Fatalf("reading moves the marker back: %v", r)
		}
		back := must(w.api.MarkUnread(bob.write(), &chatv1.MarkUnreadRequest{Channel: ch, Offset: at[0]}))(t)
		if !back.GetApplied() || back.GetMarker().GetVersion() != 1 {
			t.Fatalf("marked unread: %v", back)
		}
		check("marked unread", bob, 4)
		if r := bob.markRead(ch, at[3], 0); r.GetApplied() || r.GetMarker().GetVersion() != 1 {
			t.Fatalf("a device that doesn't know of it reads on: %v", r)
		}
		check("as before", bob, 4)
		bob.markRead(ch, at[3], 1)
		check("all read", bob, 0)
		must(w.api.MarkUnread(bob.write(), &chatv1.MarkUnreadRequest{Channel: ch, Offset: early, Version: 1}))(t)
		check("nothing before joining is unread", bob, 4)
		anna.delete(ch, at[2])
		check("a deleted message counts", bob, 4)
		bob.send(ch, "I have read all")
		w.settle()
		check("writing reads", bob, 0)
		check("anna's", anna, 1)
		_, err := w.api.MarkRead(bob.write(), &chatv1.MarkReadRequest{Channel: ch, Offset: at[0], Version: 9})
		refused(t, err, "chat.MARKER_AHEAD")
		_, err = w.api.MarkRead(bob.write(), &chatv1.MarkReadRequest{Channel: ch, Offset: 1 << 40, Version: 2})
		refused(t, err, "chat.BAD_FIELD")
		eve := w.person("w1", "eve", plain)
		_, err = w.api.MarkRead(eve.write(), &chatv1.MarkReadRequest{Channel: ch, Offset: at[0]})
		refused(t, err, "chat.NOT_A_MEMBER")
		var moved int
		for _, e := range bob.events() {
			if m := e.GetMarker(); m != nil {
				moved++
			}
		}
		if moved != 5 {
			t.Fatalf("%d marker events, want 5", moved)
		}
	})
}

func TestMentions(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl, dora := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain), w.person("w1", "dora", plain)
		gast := w.person("w1", "gast", guest)
		w.person("w2", "zoe", plain)
		team := w.group("w1", "team", bob, carl, dora)
		w.settle()
		ch := anna.public("general")
		anna.add(ch, bob, carl, gast)
		send := func(u *user, text string) uint64 { return u.send(ch, text) }
		resolved := func(at uint64) string {
			m := anna.message(ch, at).GetMentions()
			names := map[string]string{anna.id: "anna", bob.id: "bob", carl.id: "carl", dora.id: "dora", gast.id: "gast", team: "team"}
			var out []string
			for _, id := range append(m.GetUsers(), m.GetGroups()...) {
				out = append(out, names[id])
			}
			slices.Sort(out)
			if m.GetEverybody() {
				out = append(out, "all")
			}
			return strings.Join(out, " ")
		}
		for _, c := range []struct {
			who        *user
			text, want string
		}{
			{anna, "hi @bob, @CARL.", "bob carl"},
			{anna, "`@bob` and\n\n```\n@carl\n```", ""},
			{anna, "@team and @bob", "bob team"},
			{anna, "@zoe @nobody", ""},
			{anna, "@all", "all"},
			{anna, "@channel: @bob", "bob all"},
			{anna, "@dora isn't here", "dora"},
			{gast, "@all @team @bob @dora", "bob"}, // a guest names whom they share the channel with
			{bob, "@bob", "bob"},
		} {
			if got := resolved(send(c.who, c.text)); got != c.want {
				t.Errorf("%s: %q names %q, want %q", c.who.handle, c.text, got, c.want)
			}
		}
		w.settle()
		// bob: hi, team+bob once, all, channel+bob once, gast's; reads by writing "@bob". carl: hi, team, all, channel.
		for u, want := range map[*user]unread{bob: {0, 0}, carl: {9, 4}, anna: {2, 0}} {
			if got := u.shown(ch); got != want || shows(t, u.bundle()[ch]) != want {
				t.Errorf("%s: %v, bundle %v, want %v", u.handle, got, shows(t, u.bundle()[ch]), want)
			}
		}
		list := must(w.api.ListMentions(carl.read(), &chatv1.ListMentionsRequest{Limit: 1}))(t)
		if m := list.GetMentions()[0]; m.GetGroup() != team || m.GetAuthor() != anna.id || list.GetNext() == "" {
			t.Fatalf("carl's newest mention: %v", list)
		}
		rest := must(w.api.ListMentions(carl.read(), &chatv1.ListMentionsRequest{Page: list.GetNext()}))(t)
		if len(rest.GetMentions()) != 1 || rest.GetMentions()[0].GetGroup() != "" || rest.GetNext() != "" {
			t.Fatalf("the rest: %v", rest)
		}
		if dora.bundle()[ch] != nil || len(must(w.api.ListMentions(dora.read(), &chatv1.ListMentionsRequest{}))(t).GetMentions()) != 0 {
			t.Fatal("dora, who is not in the channel, has a mention")
		}
		// An edit tells those newly named, and counts for them if the message is unread.
		at := send(anna, "nobody yet")
		must(w.api.EditMessage(anna.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: at, Text: "@carl @all"}))(t)
		w.settle()
		if got := carl.shown(ch); got != (unread{10, 5}) {
			t.Fatalf("carl after the edit: %v", got)
		}
		if got := bob.shown(ch); got != (unread{1, 0}) {
			t.Fatalf("an edit calls everybody: %v", got)
		}
		// In a thread, and there alone, it doesn't count in the channel.
		inThread := anna.reply(ch, at, "nobody yet")
		must(w.api.EditMessage(anna.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: inThread, Text: "@carl @bob"}))(t)
		w.settle()
		if got := carl.shown(ch); got != (unread{10, 5}) {
			t.Fatalf("carl after the edit of a reply: %v", got)
		}
		// Who is put out loses their mentions with the channel.
		must(w.api.RemoveMember(anna.write(), &chatv1.RemoveMemberRequest{Channel: ch, User: carl.id}))(t)
		w.settle()
		if n := len(must(w.api.ListMentions(carl.read(), &chatv1.ListMentionsRequest{}))(t).GetMentions()); n != 0 || carl.bundle()[ch] != nil {
			t.Fatalf("%d mentions are left", n)
		}
		records := carl.tail("w1", topicUser+carl.id, nil)
		last := records[len(records)-1]
		if h := last.GetHeads(); len(h) != 1 || !h[0].GetRemoved() || h[0].GetTopic() != topicChannel+ch {
			t.Fatalf("the bundle isn't told: %v", last)
		}
	})
}

func TestNotificationsAndDrafts(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := anna.public("general")
		req := &chatv1.SetNotificationsRequest{Channel: ch, Muted: true, Level: chatv1.NotifyLevel_NOTIFY_LEVEL_MENTIONS}
		if n := must(w.api.SetNotifications(anna.write(), req))(t).GetOffset(); n == 0 {
			t.Fatal("no event")
		}
		if n := must(w.api.SetNotifications(anna.write(), req))(t).GetOffset(); n != 0 {
			t.Fatal("an event without a change")
		}
		w.settle() // what isn't derived yet is in no bundle
		var b chatv1.Badge
		if err := proto.Unmarshal(anna.bundle()[ch].GetBadge(), &b); err != nil || !b.GetMuted() || b.GetLevel() != req.GetLevel() {
			t.Fatalf("badge %v, %v", &b, err)
		}
		set := func(u *user, text string, version, root uint64) (*chatv1.SetDraftResponse, error) {
			return w.api.SetDraft(u.write(), &chatv1.SetDraftRequest{Channel: ch, Root: root, Text: text, Version: version})
		}
		if r := must(set(anna, "hal", 1, 0))(t); !r.GetApplied() {
			t.Fatal("not applied")
		}
		if r := must(set(anna, "hal", 1, 0))(t); !r.GetApplied() {
			t.Fatal("a retry isn't told that it was applied")
		}
		if r := must(set(anna, "other device", 1, 0))(t); r.GetApplied() || r.GetDraft().GetText() != "hal" {
			t.Fatalf("the slower device: %v", r)
		}
		must(set(anna, "hallo", 2, 0))(t)
		_, err := set(anna, "x", 9, 0)
		refused(t, err, "chat.DRAFT_AHEAD")
		_, err = set(anna, "x", 1, 77)
		refused(t, err, "chat.MESSAGE")
		_, err = set(anna, strings.Repeat("x", MaxText+1), 3, 0)
		refused(t, err, "chat.TOO_LONG")
		_, err = set(bob, "x", 1, 0)
		refused(t, err, "chat.NOT_A_MEMBER")
		root := anna.send(ch, "root")
		must(set(anna, "in the thread", 1, root))(t)
		drafts := must(w.api.ListDrafts(anna.read(), &chatv1.ListDraftsRequest{Channel: ch}))(t).GetDrafts()
		if len(drafts) != 2 || drafts[0].GetText() != "hallo" || drafts[0].GetVersion() != 2 || drafts[1].GetRoot() != root {
			t.Fatalf("drafts: %v", drafts)
		}
		must(set(anna, "", 3, 0))(t)
		if left := must(w.api.ListDrafts(anna.read(), &chatv1.ListDraftsRequest{}))(t).GetDrafts(); len(left) != 1 {
			t.Fatalf("left: %v", left)
		}
		if got := must(w.api.ListDrafts(bob.read(), &chatv1.ListDraftsRequest{}))(t).GetDrafts(); len(got) != 0 {
			t.Fatalf("bob reads %v", got)
		}
		w.settle()
		for _, e := range anna.events() {
			if e.GetDraft() != nil && strings.Contains(e.String(), "hal") {
				t.Fatal("the log holds a draft's text")
			}
		}
	})
}

func TestThreads(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl, dora := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain), w.person("w1", "dora", plain)
		w.settle()
		ch := anna.public("general")
		anna.add(ch, bob, carl, dora)
		root := anna.send(ch, "root")
		w.settle()
		dora.markRead(ch, root, 0)
		first := bob.reply(ch, root, "one")
		nested := anna.reply(ch, first, "a reply of a reply, for @carl and @all")
		w.settle()
		if m := bob.message(ch, nested); m.GetRoot() != root || m.GetMentions().GetEverybody() {
			t.Fatalf("nested: %v", m)
		}
		both := must(w.api.Send(bob.write(), &chatv1.SendRequest{Channel: ch, Root: root, Text: "shown in both", AlsoInChannel: true}))(t).GetOffset()
		w.settle()
		if th := dora.message(ch, root).GetThread(); th.GetReplies() != 3 || th.GetLastReply() != both {
			t.Fatalf("thread: %v", th)
		}
		if got := dora.shown(ch); got != (unread{1, 0}) { // only what the channel shows counts in the channel
			t.Fatalf("dora: %v", got)
		}
		equal(t, "channel", dora.texts(&chatv1.HistoryRequest{Channel: ch}), []string{"root", "shown in both"})
		equal(t, "thread", dora.texts(&chatv1.HistoryRequest{Channel: ch, Root: root}),
			[]string{"root", "one", "a reply of a reply, for @carl and @all", "shown in both"})
		follows := func(u *user) string {
			var out []string
			for _, th := range must(w.api.ListThreads(u.read(), &chatv1.ListThreadsRequest{}))(t).GetThreads() {
				out = append(out, fmt.Sprintf("%d replies, %d unread", th.GetThread().GetReplies(), th.GetUnread()))
			}
			return strings.Join(out, "; ")
		}
		for u, want := range map[*user]string{
			anna: "3 replies, 1 unread", // the root's author, who wrote the second
			bob:  "3 replies, 0 unread",
			carl: "3 replies, 2 unread", // named by the second
			dora: "",
		} {
			if got := follows(u); got != want {
				t.Errorf("%s: %q, want %q", u.handle, got, want)
			}
		}
		must(w.api.FollowThread(dora.write(), &chatv1.FollowThreadRequest{Channel: ch, Root: root, Follow: true}))(t)
		must(w.api.FollowThread(carl.write(), &chatv1.FollowThreadRequest{Channel: ch, Root: nested}))(t)
		last := anna.reply(ch, root, "four, @carl")
		w.settle()
		for u, want := range map[*user]string{anna: "4 replies, 0 unread", dora: "4 replies, 1 unread", carl: ""} {
			if got := follows(u); got != want {
				t.Errorf("%s: %q, want %q", u.handle, got, want)
			}
		}
		read := must(w.api.MarkThreadRead(dora.write(), &chatv1.MarkThreadReadRequest{Channel: ch, Root: root, Offset: last}))(t).GetThread()
		if read.GetUnread() != 0 || read.GetRead() != last || !read.GetFollowing() {
			t.Fatalf("read: %v", read)
		}
		read = must(w.api.MarkThreadRead(dora.write(), &chatv1.MarkThreadReadRequest{Channel: ch, Root: root, Offset: first}))(t).GetThread()
		if read.GetRead() != last || read.GetThread().GetReplies() != 4 {
			t.Fatalf("read again: %v", read)
		}
		if un := must(w.api.ListThreads(dora.read(), &chatv1.ListThreadsRequest{Unread: true}))(t).GetThreads(); len(un) != 0 {
			t.Fatalf("unread threads: %v", un)
		}
		anna.delete(ch, last)
		if th := dora.message(ch, root).GetThread(); th.GetReplies() != 3 {
			t.Fatalf("after a deletion: %v", th)
		}
		told := 0
		for _, e := range dora.events() {
			if e.GetThread() != nil {
				told++
			}
		}
		if told != 3 {
			t.Fatalf("dora was told %d times, want 3: follow, reply, read", told)
		}
	})
}

func TestChannelList(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		var ids []string
		for i := range 5 {
			ids = append(ids, anna.public(fmt.Sprint("ch", i)))
			bob.join(ids[i])
		}
		slices.Sort(ids)
		must(w.api.LeaveChannel(bob.write(), &chatv1.LeaveChannelRequest{Channel: ids[0]}))(t)
		w.settle()
		var got []string
		for page := ""; ; {
			res := must(w.api.ListMyChannels(bob.read(), &chatv1.ListMyChannelsRequest{Limit: 3, Page: page}))(t)
			for _, c := range res.GetChannels() {
				got = append(got, c.GetChannel().GetId())
			}
			if page = res.GetNext(); page == "" {
				break
			}
		}
		equal(t, "bob's list", got, ids[1:])
		if n := len(bob.bundle()); n != 4 {
			t.Fatalf("%d channels in the bundle", n)
		}
		names := func(req *chatv1.BrowseChannelsRequest) (names []string) {
			for {
				res := must(w.api.BrowseChannels(bob.read(), req))(t)
				for _, c := range res.GetChannels() {
					names = append(names, c.GetName())
				}
				if req.Page = res.GetNext(); req.GetPage() == "" {
					return names
				}
			}
		}
		equal(t, "browse", names(&chatv1.BrowseChannelsRequest{Limit: 2}), []string{"ch0", "ch1", "ch2", "ch3", "ch4"})
		equal(t, "browse", names(&chatv1.BrowseChannelsRequest{Prefix: "CH3"}), []string{"ch3"})
		must(w.api.ArchiveChannel(anna.write(), &chatv1.ArchiveChannelRequest{Channel: ids[1], Archived: true}))(t)
		if n := len(names(&chatv1.BrowseChannelsRequest{})); n != 4 {
			t.Fatalf("%d channels without the archived one", n)
		}
		if n := len(names(&chatv1.BrowseChannelsRequest{Archived: true})); n != 5 {
			t.Fatalf("%d channels with the archived one", n)
		}
		_, err := w.api.BrowseChannels(bob.read(), &chatv1.BrowseChannelsRequest{Page: "nonsense"})
		refused(t, err, "chat.BAD_FIELD")
		var listed []string
		for _, e := range bob.events() {
			if c := e.GetChannel(); c != nil {
				listed = append(listed, fmt.Sprint(c.GetRemoved()))
			}
		}
		slices.Sort(listed) // channels lie in several partitions, which are derived in no order
		equal(t, "list events", listed, []string{"false", "false", "false", "false", "false", "true"})
	})
}

func TestOpen(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		wants := []*edgev1.Want{want(topicUser + "me"), want(topicUser + anna.id), want(topicUser + bob.id), want("chat.mine/" + bob.id), want("chat.other/me"), want("docs.document/me")}
		for i, g := range anna.open(wants...) {
			switch {
			case i < 2 && (g.GetCanonical() != topicUser+anna.id || g.GetHead() == nil || g.GetSignal()):
				t.Errorf("own topic: %v", g)
			case i >= 2 && g.GetError().GetCode() != edgev1.Code_CODE_NOT_FOUND:
				t.Errorf("%s: %v", wants[i].GetTopic(), g)
			}
		}
		wants = nil
		for i := range 498 {
			wants = append(wants, want(fmt.Sprint(topicChannel, "nosuch", i)))
		}
		wants = append(wants, want2(anna.public("open")), want2(anna.private("mine")))
		for i, g := range anna.open(wants...) {
			if (g.GetError() == nil) != (i >= 498) {
				t.Fatalf("%d: %v", i, g)
			}
			if i >= 498 && (g.GetHead().GetOffset() != 1 || !g.GetSignal()) {
				t.Fatalf("%d: %v", i, g)
			}
		}
		if g := bob.open(wants[498])[0]; g.GetError() != nil || g.GetSignal() {
			t.Fatalf("a public channel, not joined: %v", g)
		}
		must(w.api.ArchiveChannel(anna.write(), &chatv1.ArchiveChannelRequest{Channel: strings.TrimPrefix(wants[498].GetTopic(), topicChannel), Archived: true}))(t)
		if g := anna.open(wants[498])[0]; g.GetError() != nil || g.GetSignal() {
			t.Fatalf("archived: %v", g)
		}
	})
}

// TestCountsAreExact compares what two devices of one person show with a model, over random histories.
func TestCountsAreExact(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.group("w1", "team", anna, bob)
		w.settle()
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			checkCounts(t, anna, bob, fmt.Sprint("model", round))
		})
	})
}

// entryOf is one message of the model: what it counts for bob.
type entryOf struct {
	at       uint64
	mentions bool
}

func checkCounts(t *rapid.T, anna, bob *user, name string) {
	w := anna.world
	ch := anna.public(name)
	var (
		log     []entryOf
		marker  chatv1.Marker // bob's, as the model has it
		devices [2]uint64     // versions that bob's devices know
		joined  uint64
	)
	joined = bob.join(ch)
	marker.Offset = joined
	head := joined
	post := func(u *user, text string, mentions bool) {
		head = u.send(ch, text)
		log = append(log, entryOf{head, mentions})
		if u == bob {
			w.settle()
			marker.Offset = max(marker.GetOffset(), head)
		}
	}
	pick := func(label string) uint64 { return rapid.Uint64Range(1, head).Draw(t, label) }
	t.Repeat(map[string]func(*rapid.T){
		"anna posts": func(t *rapid.T) {
			text := rapid.SampledFrom([]string{"plain", "@bob", "@all", "@all @bob", "@team", "@bob @team", "`@bob`", "@anna"}).Draw(t, "text")
			post(anna, text, strings.ContainsAny(text, "@") && text != "`@bob`" && text != "@anna")
		},
		"bob posts": func(t *rapid.T) { // marked unread, an own message counts as any other; naming oneself is no mention
			text := rapid.SampledFrom([]string{"plain", "@bob", "@all", "@team"}).Draw(t, "text")
			post(bob, text, text == "@all")
		},
		"anna replies": func(t *rapid.T) {
			if len(log) > 0 {
				root := rapid.SampledFrom(log).Draw(t, "root").at
				if m := anna.message(ch, root); !m.GetDeleted() {
					head = anna.reply(ch, root, "in a thread, @bob and @all")
				}
			}
		},
		"anna deletes": func(t *rapid.T) {
			if len(log) > 0 {
				at := rapid.SampledFrom(log).Draw(t, "message").at
				if m := anna.message(ch, at); m.GetAuthor() == anna.id && !m.GetDeleted() {
					head = anna.delete(ch, at)
				}
			}
		},
		"device reads": func(t *rapid.T) {
			d, at := rapid.IntRange(0, 1).Draw(t, "device"), pick("offset")
			applies := devices[d] == marker.GetVersion() && at > marker.GetOffset()
			r := bob.markRead(ch, at, devices[d])
			if applies {
				marker.Offset = at
			}
			devices[d] = r.GetMarker().GetVersion()
			if r.GetMarker().GetOffset() != marker.GetOffset() || r.GetMarker().GetVersion() != marker.GetVersion() {
				t.Fatalf("marker %v, model %v", r.GetMarker(), &marker)
			}
		},
		"device marks unread": func(t *rapid.T) {
			d, at := rapid.IntRange(0, 1).Draw(t, "device"), pick("offset")
			r := must(w.api.MarkUnread(bob.write(), &chatv1.MarkUnreadRequest{Channel: ch, Offset: at, Version: devices[d]}))(w.tb)
			if to := (&chatv1.Marker{Version: devices[d] + 1, Offset: max(at-1, joined)}); ahead(to, &marker) {
				marker.Version, marker.Offset = to.GetVersion(), to.GetOffset() // of two that do it at once, the one that leaves less unread
			}
			devices[d] = r.GetMarker().GetVersion()
			if r.GetMarker().GetOffset() != marker.GetOffset() || r.GetMarker().GetVersion() != marker.GetVersion() {
				t.Fatalf("marker %v, model %v", r.GetMarker(), &marker)
			}
		},
		"": func(t *rapid.T) {
			w.settle()
			var want unread
			for _, m := range log {
				if m.at > marker.GetOffset() {
					want.unread++
					if m.mentions {
						want.mentions++
					}
				}
			}
			if got := bob.shown(ch); got != want {
				t.Fatalf("shown %v, model %v", got, want)
			}
			if got := shows(w.tb, bob.bundle()[ch]); got != want {
				t.Fatalf("the bundle shows %v, model %v", got, want)
			}
			// A device that has followed the user's topic from the start shows the same, given the channel's head.
			current := bob.bundle()[ch]
			for _, r := range bob.tail("w1", topicUser+bob.id, nil) {
				for _, h := range r.GetHeads() {
					if h.GetTopic() == topicChannel+ch {
						current.Badge = h.GetBadge()
					}
				}
			}
			if got := shows(w.tb, current); got != want {
				t.Fatalf("a device that followed shows %v, model %v", got, want)
			}
		},
	})
}

// TestOwnWordsAreNeverUnread: whenever one looks, not only once all is derived, and also where one has read further than that.
func TestOwnWordsAreNeverUnread(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob := w.person("w1", "anna", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := anna.public("general")
		bob.join(ch)
		w.settle() // what tells of his coming tells of what is unread then
		for range 20 {
			at := anna.send(ch, "x")
			if b, m := shows(t, anna.bundle()[ch]), anna.shown(ch); b.unread != 0 || m.unread != 0 {
				t.Fatalf("anna's own: %v in the bundle, %v in the list", b, m)
			}
			bob.markRead(ch, at, 0)
			if b, m := shows(t, bob.bundle()[ch]), bob.shown(ch); b.unread != 0 || m.unread != 0 {
				t.Fatalf("bob has read all: %v in the bundle, %v in the list", b, m)
			}
		}
		for _, u := range []*user{anna, bob} {
			for _, r := range w.tail("w1", topicUser+u.id, nil) {
				for _, h := range r.GetHeads() {
					if s := shows(t, h); s.unread != 0 {
						t.Fatalf("%s is told of %v: %v", u.handle, h, s)
					}
				}
			}
		}
		w.settle()
		if h, m := anna.bundle()[ch], anna.mine(ch); h.GetOffset() != m.GetHead().GetOffset() || h.GetCount() != 20 {
			t.Fatalf("%v, and the channel stands at %v", h, m.GetHead())
		}
	})
}
