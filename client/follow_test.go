package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const topicA = "chat.channel/a"

// attach takes the client's next Subscribe of one topic and answers it.
func attach(t *testing.T, p *peer, epoch, start uint64) *edgev1.Want {
	t.Helper()
	s := expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe
	if len(s.GetWants()) != 1 {
		t.Fatalf("Subscribe: %v", s)
	}
	p.send(subscribedTo(s.GetId(), &edgev1.Subscription{Topic: s.GetWants()[0].GetTopic(), Start: &edgev1.Cursor{Epoch: epoch, Offset: start}}))
	return s.GetWants()[0]
}

func follow(t *testing.T, f *fixture, topic string, opts ...FollowOption) *Subscription {
	t.Helper()
	sub, err := f.client.Follow(t.Context(), topic, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// take returns the offsets of the next n events.
func take(t *testing.T, sub *Subscription, n int) (offsets []uint64) {
	t.Helper()
	for len(offsets) < n {
		u, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range u.Events {
			offsets = append(offsets, e.GetOffset())
		}
	}
	return offsets
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sub := follow(t, f, topicA)
		if w := attach(t, p, 9, 4); w.GetCursor() != nil {
			t.Errorf("from now on: %v", w)
		}
		p.send(eventsOf(topicA, 3, 4, 5, 6), eventsOf(topicA, 7))
		if got := take(t, sub, 3); !slices.Equal(got, []uint64{5, 6, 7}) {
			t.Errorf("got %v", got)
		}
		p.cut()
		p = f.login(t)
		s := expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe
		if c := s.GetWants()[0].GetCursor(); c.GetEpoch() != 9 || c.GetOffset() != 7 {
			t.Errorf("resumed from %v", c)
		}
		p.send(eventsOf(topicA, 8, 9)) // before Subscribed: stale
		p.send(subscribedTo(s.GetId(), &edgev1.Subscription{Topic: topicA, Start: &edgev1.Cursor{Epoch: 9, Offset: 7}}), eventsOf(topicA, 8))
		if got := take(t, sub, 1); got[0] != 8 {
			t.Errorf("got %v", got)
		}
		p.send(eventsOf(topicA, 11)) // 9 and 10 are missing
		synctest.Wait()
		p.send(subscribedTo(s.GetId(), &edgev1.Subscription{Topic: topicA, Error: wireError(edgev1.Code_CODE_REVOKED, 0)})) // of the former Subscribe
		if c := attach(t, p, 9, 8).GetCursor(); c.GetOffset() != 8 {
			t.Errorf("after a hole subscribed from %v", c)
		}
		after := uint64(8)
		run := eventsOf(topicA, 12)
		run.GetEvents().After, run.GetEvents().Upto = &after, 15 // 9 to 15 without what a filter left out
		p.send(run, eventsOf(topicA, 16))
		if got := take(t, sub, 2); !slices.Equal(got, []uint64{12, 16}) {
			t.Errorf("got %v", got)
		}
		sub.Close()
		if got := expect[*edgev1.ClientFrame_Unsubscribe](t, p).Unsubscribe.GetTopics(); !slices.Equal(got, []string{topicA}) {
			t.Errorf("Unsubscribe %v", got)
		}
	})
}

// A hole in the history is said, never passed over: nothing comes until the application has read the topic anew.
func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sub := follow(t, f, topicA, From(&edgev1.Cursor{Epoch: 1, Offset: 50}))
		s := expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe
		p.send(subscribedTo(s.GetId(), &edgev1.Subscription{Topic: topicA, Head: &edgev1.Cursor{Epoch: 2, Offset: 20}, Error: wireError(edgev1.Code_CODE_RESET_EPOCH, 0)}))
		u, err := sub.Next(t.Context())
		if err != nil || u.Reset == nil || u.Reset.Cause.Code != edgev1.Code_CODE_RESET_EPOCH || u.Reset.Head.GetOffset() != 20 {
			t.Fatalf("%+v, %v", u, err)
		}
		p.cut()
		p = f.login(t)
		time.Sleep(10 * time.Second)
		if !p.idle() {
			t.Error("subscribed again before Resume")
		}
		if err := sub.Resume(t.Context(), &edgev1.Cursor{Epoch: 2, Offset: 20}); err != nil {
			t.Fatal(err)
		}
		if c := attach(t, p, 2, 20).GetCursor(); c.GetEpoch() != 2 || c.GetOffset() != 20 {
			t.Errorf("resumed from %v", c)
		}
		p.send(eventsOf(topicA, 21))
		if got := take(t, sub, 1); got[0] != 21 {
			t.Errorf("got %v", got)
		}
	})
}

func TestStopped(t *testing.T) {
	stopped := func(code edgev1.Code) *edgev1.ServerFrame {
		return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{topicA}, Error: wireError(code, 0)}}}
	}
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sub := follow(t, f, topicA)
		attach(t, p, 1, 0)
		p.send(eventsOf(topicA, 1, 2), stopped(edgev1.Code_CODE_LAGGED))
		if c := attach(t, p, 1, 2).GetCursor(); c.GetOffset() != 2 {
			t.Errorf("after lagging subscribed from %v", c)
		}
		p.send(eventsOf(topicA, 3), stopped(edgev1.Code_CODE_REVOKED))
		if got := take(t, sub, 3); !slices.Equal(got, []uint64{1, 2, 3}) {
			t.Errorf("got %v", got)
		}
		if _, err := sub.Next(t.Context()); CodeOf(err) != edgev1.Code_CODE_REVOKED {
			t.Errorf("Next: %v", err)
		}
		sub = follow(t, f, topicA) // it may be followed anew
		begun := time.Now()
		s := expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe
		p.send(subscribedTo(s.GetId(), &edgev1.Subscription{Topic: topicA, Error: wireError(edgev1.Code_CODE_UNAVAILABLE, 4*time.Second)}))
		attach(t, p, 1, 3)
		if wait := time.Since(begun); wait < 4*time.Second || wait > 5*time.Second {
			t.Errorf("what was unavailable is subscribed again after %v", wait)
		}
		if _, err := f.client.Follow(t.Context(), topicA); err == nil {
			t.Error("a topic can be followed twice at a time")
		}
		sub.Close()
	})
}

// An application that doesn't take its events stops the topic, not the client, and misses nothing.
func TestSlowApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sub := follow(t, f, topicA)
		attach(t, p, 1, 0)
		body := make([]byte, 32<<10)
		sent := uint64(0)
		for {
			synctest.Wait()
			if !p.idle() {
				break
			}
			if sent++; sent > 1000 {
				t.Fatal("the client takes everything")
			}
			p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: topicA, Events: []*edgev1.Event{{Offset: sent, Body: body}}}}})
		}
		expect[*edgev1.ClientFrame_Unsubscribe](t, p)
		p.send(eventsOf(topicA, sent+1)) // still on the way
		if got := take(t, sub, int(sent)); got[sent-1] != sent {
			t.Errorf("the last of %d is %d", sent, got[sent-1])
		}
		if c := attach(t, p, 1, sent).GetCursor(); c.GetOffset() != sent {
			t.Errorf("resumed from %v after %d", c, sent)
		}
		p.send(eventsOf(topicA, sent+1))
		if got := take(t, sub, 1); got[0] != sent+1 {
			t.Errorf("got %v", got)
		}
	})
}

// Many frames at once go out in messages within the protocol's limits.
func TestManyTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		const topics = 1200
		asked := map[string]int{}
		count := func(want int) {
			for n := 0; n < want; {
				s := expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe
				if len(s.GetWants()) > maxWants {
					t.Errorf("%d topics in one Subscribe", len(s.GetWants()))
				}
				for _, w := range s.GetWants() {
					asked[w.GetTopic()]++
					n++
				}
			}
		}
		for i := range topics {
			if i%200 == 0 && i > 0 {
				count(200) // until then nobody reads
			}
			follow(t, f, fmt.Sprintf("chat.channel/%d", i), WithParams(make([]byte, 4000)))
		}
		count(200)
		p.cut()
		p = f.login(t)
		count(topics)
		for topic, n := range asked {
			if n != 2 {
				t.Errorf("%s was subscribed %d times", topic, n)
			}
		}
		if len(asked) != topics {
			t.Errorf("%d topics were subscribed", len(asked))
		}
	})
}

func TestHeads(t *testing.T) {
	const bundle = "chat.mine/me"
	heads := func(snapshot bool, heads ...*edgev1.Head) *edgev1.ServerFrame {
		return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Heads{Heads: &edgev1.Heads{Topic: bundle, Heads: heads, Snapshot: snapshot}}}
	}
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sub := follow(t, f, bundle, HeadsOnly())
		if w := attach(t, p, 0, 0); w.GetMode() != edgev1.Mode_MODE_HEADS {
			t.Errorf("%v", w)
		}
		p.send(heads(true, &edgev1.Head{Ref: 1, Topic: topicA, Offset: 5, Badge: []byte("b"), Epoch: 3}, &edgev1.Head{Ref: 2, Topic: "chat.channel/b", Offset: 1}))
		p.send(heads(false, &edgev1.Head{Ref: 1, Offset: 6}), heads(false, &edgev1.Head{Ref: 1, Offset: 9}))
		synctest.Wait()
		u, err := sub.Next(t.Context())
		if err != nil || !u.Anew || len(u.Heads) != 2 {
			t.Fatalf("%+v, %v", u, err)
		}
		if h := u.Heads[0]; h.GetTopic() != topicA || h.GetOffset() != 9 || string(h.GetBadge()) != "b" || h.GetEpoch() != 3 {
			t.Errorf("conflated to %v", h)
		}
		p.send(heads(false, &edgev1.Head{Ref: 2, Removed: true}))
		if u, err = sub.Next(t.Context()); err != nil || u.Anew || len(u.Heads) != 1 || u.Heads[0].GetTopic() != "chat.channel/b" || !u.Heads[0].GetRemoved() {
			t.Errorf("%+v, %v", u, err)
		}
		p.cut()
		p = f.login(t)
		attach(t, p, 0, 0)
		p.send(heads(true, &edgev1.Head{Ref: 1, Topic: "chat.channel/c", Offset: 2}))
		if u, err = sub.Next(t.Context()); err != nil || !u.Anew || len(u.Heads) != 1 || u.Heads[0].GetTopic() != "chat.channel/c" {
			t.Errorf("after a reconnect: %+v, %v", u, err)
		}
	})
}

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sub := follow(t, f, topicA)
		attach(t, p, 1, 0)
		synctest.Wait()
		if err := sub.Signal(t.Context(), "typing", []byte("yes")); err != nil {
			t.Fatal(err)
		}
		if got := expect[*edgev1.ClientFrame_Signal](t, p).Signal; got.GetTopic() != topicA || got.GetKey() != "typing" || string(got.GetBody()) != "yes" {
			t.Errorf("sent %v", got)
		}
		p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Signal{Signal: &edgev1.Signal{Topic: topicA, Key: "typing", From: "u/s"}}})
		if u, err := sub.Next(t.Context()); err != nil || u.Signal.GetFrom() != "u/s" {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

// Whatever a gateway does with runs, the application sees each event once, in order, without a hole.
func TestFollowProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		type step struct{ kind, a, b int }
		steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
			return step{rapid.IntRange(0, 9).Draw(r, "kind"), rapid.IntRange(0, 12).Draw(r, "a"), rapid.IntRange(1, 5).Draw(r, "b")}
		}), 1, 40).Draw(r, "steps")
		synctest.Test(t, func(t *testing.T) {
			f := start(t, nil)
			p := f.login(t)
			sub := follow(t, f, topicA, From(&edgev1.Cursor{Epoch: 1}))
			var seen []uint64
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					u, err := sub.Next(ctx)
					if err != nil {
						return
					}
					for _, e := range u.Events {
						seen = append(seen, e.GetOffset())
					}
				}
			}()
			head, cursor := uint64(20), uint64(0)
			answer := func() { // attaches what asks, and replays it up to head
				for synctest.Wait(); !p.idle(); synctest.Wait() {
					cursor = attach(t, p, 1, 0).GetCursor().GetOffset()
				}
			}
			run := func(from, to uint64) {
				offsets := []uint64{}
				for o := max(from, 1); o <= to; o++ {
					offsets = append(offsets, o)
				}
				if len(offsets) > 0 {
					p.send(eventsOf(topicA, offsets...))
				}
			}
			answer()
			for _, st := range steps {
				switch st.kind {
				case 0: // the network breaks
					p.cut()
					p = f.login(t)
				case 1:
					p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{topicA}, Error: wireError(edgev1.Code_CODE_LAGGED, 0)}}})
				case 2:
					head += uint64(st.b)
				default: // a run from about where the client is: with repetition, or with a hole
					from := max(int(cursor)+st.a-3, 1)
					to := min(uint64(from+st.b), head)
					run(uint64(from), to)
					if to > cursor && uint64(from) <= cursor+1 {
						cursor = to
					}
				}
				answer()
			}
			run(cursor+1, head)
			answer()
			run(cursor+1, head)
			synctest.Wait()
			cancel()
			<-done
			for i, o := range seen {
				if o != uint64(i+1) {
					t.Fatalf("the application saw %v", seen)
				}
			}
			if uint64(len(seen)) != head {
				t.Fatalf("the application saw %d of %d", len(seen), head)
			}
		})
		if t.Failed() {
			r.Fatal(fmt.Sprint(steps))
		}
	})
}

// TestView: a view's snapshot and changes come as they are told, and as one where nobody took them yet; after a break it goes on from where it was.
func TestView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		p := f.login(t)
		sub := follow(t, f, "presence.people/me", WithParams([]byte("who")))
		s := expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe
		if w := s.GetWants()[0]; string(w.GetParams()) != "who" || w.GetCursor() != nil {
			t.Errorf("wanted: %v", w)
		}
		p.send(subscribedTo(s.GetId(), &edgev1.Subscription{Topic: "presence.people/me"}))
		tell := func(at uint64, snapshot bool, entries ...string) {
			v := &edgev1.View{Topic: "presence.people/me", Snapshot: snapshot, At: &edgev1.Cursor{Epoch: 7, Offset: at}}
			for _, e := range entries {
				v.Entries = append(v.Entries, &edgev1.Entry{Key: e[:1], Body: []byte(e[1:])})
			}
			p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_View{View: v}})
			synctest.Wait()
		}
		next := func() string {
			u, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			fmt.Fprint(&text, u.View.GetSnapshot(), u.View.GetAt().GetOffset())
			for _, e := range u.View.GetEntries() {
				text.WriteString(" " + e.GetKey() + string(e.GetBody()))
			}
			return text.String()
		}
		tell(3, true, "a1", "b1")
		if got := next(); got != "true 3 a1 b1" {
			t.Errorf("the snapshot: %s", got)
		}
		tell(4, false, "a2")
		tell(5, false, "b2", "a3")
		if got := next(); got != "false 5 b2 a3" {
			t.Errorf("two changes: %s", got)
		}
		tell(6, false, "a4")
		tell(9, true, "c1")
		tell(10, false, "d1")
		if got := next(); got != "true 10 c1 d1" {
			t.Errorf("a snapshot behind a change: %s", got)
		}
		p.cut()
		p = f.login(t)
		s = expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe
		if c := s.GetWants()[0].GetCursor(); c.GetEpoch() != 7 || c.GetOffset() != 10 {
			t.Errorf("after a break it goes on from %v", c)
		}
		p.send(subscribedTo(s.GetId(), &edgev1.Subscription{Topic: "presence.people/me"}))
		part := &edgev1.View{Topic: "presence.people/me", Entries: []*edgev1.Entry{{Key: "a", Body: []byte("5")}}, More: true}
		p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_View{View: part}})
		synctest.Wait()
		p.cut()
		p = f.login(t)
		s = expect[*edgev1.ClientFrame_Subscribe](t, p).Subscribe
		if c := s.GetWants()[0].GetCursor(); c != nil {
			t.Errorf("after a break within an update it goes on from %v", c)
		}
	})
}
