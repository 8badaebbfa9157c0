package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const topicB = "chat.channel/b"

// testDependencies reads the context of events whose body is its JSON.
func testDependencies(_ string, e *edgev1.Event) (deps []Dependency) {
	_ = json.Unmarshal(e.GetBody(), &deps)
	return deps
}

func on(topic string, offset uint64) Dependency {
	return Dependency{topic, &edgev1.Cursor{Epoch: 1, Offset: offset}}
}

func event(offset uint64, deps ...Dependency) *edgev1.Event {
	body, err := json.Marshal(deps)
	if err != nil {
		panic(err)
	}
	return &edgev1.Event{Offset: offset, Body: body}
}

func run(topic string, events ...*edgev1.Event) *edgev1.ServerFrame {
	return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: topic, Events: events}}}
}

func startCausal(t *testing.T, topics ...string) (*fixture, *peer, []*Subscription) {
	t.Helper()
	f := start(t, func(cfg *Config) { cfg.Dependencies = testDependencies })
	p := f.login(t)
	var subs []*Subscription
	for _, topic := range topics {
		subs = append(subs, follow(t, f, topic))
		attach(t, p, 1, 0)
	}
	synctest.Wait()
	return f, p, subs
}

func TestHoldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, subs := startCausal(t, topicA, topicB)
		a, b := subs[0], subs[1]
		begun := time.Now()
		p.send(run(topicA, event(1, on(topicB, 2)), event(2)))
		p.send(run(topicB, event(1)))
		if got := take(t, b, 1); got[0] != 1 {
			t.Errorf("got %v", got)
		}
		time.Sleep(time.Second)
		if len(a.pending) != 0 {
			t.Error("an event was shown before the one that it answers")
		}
		p.send(run(topicB, event(2)))
		if got := take(t, a, 2); got[0] != 1 || time.Since(begun) != time.Second {
			t.Errorf("got %v after %v", got, time.Since(begun))
		}
		// What it depends on does not come, or is not followed.
		p.send(run(topicA, event(3, on("chat.channel/other", 9), on(topicB, 1)), event(4, on(topicB, 9))))
		begun = time.Now()
		if got := take(t, a, 1); got[0] != 3 || time.Since(begun) != 0 {
			t.Errorf("got %v after %v", got, time.Since(begun))
		}
		if got := take(t, a, 1); got[0] != 4 || time.Since(begun) != holdBack {
			t.Errorf("got %v after %v", got, time.Since(begun))
		}
		// Of another life of that topic's log, or in a topic that has stopped: nothing to wait for.
		p.send(run(topicA, event(5, Dependency{topicB, &edgev1.Cursor{Epoch: 2, Offset: 9}})))
		begun = time.Now()
		if got := take(t, a, 1); got[0] != 5 || time.Since(begun) != 0 {
			t.Errorf("got %v after %v", got, time.Since(begun))
		}
		p.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{topicB}, Error: wireError(edgev1.Code_CODE_RESET_TOO_LONG, 0)}}})
		p.send(run(topicA, event(6, on(topicB, 9))))
		if got := take(t, a, 1); got[0] != 6 || time.Since(begun) != 0 {
			t.Errorf("got %v after %v", got, time.Since(begun))
		}
		if n := f.client.State().Violations; n != 1 {
			t.Errorf("%d violations", n)
		}
	})
}

// What is held is bounded: beyond it the oldest is shown, and counted.
func TestHoldBackIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, subs := startCausal(t, topicA, topicB)
		begun := time.Now()
		for o := range uint64(maxHeld + 3) {
			p.send(run(topicA, event(o+1, on(topicB, 9))))
		}
		if got := take(t, subs[0], 3); got[2] != 3 || time.Since(begun) != 0 {
			t.Errorf("got %v after %v", got, time.Since(begun))
		}
		synctest.Wait()
		if n := f.client.State().Violations; n != 3 {
			t.Errorf("%d violations", n)
		}
	})
}

// Events of several topics, in any interleaving: each topic keeps its order, nothing is lost or waits longer than 2 s, and
// what is shown before what it depends on is counted.
func TestHoldBackProperty(t *testing.T) {
	type arrival struct {
		topic  int
		offset uint64
		at     time.Duration
		deps   []Dependency
	}
	const topics = 4
	name := func(i int) string { return fmt.Sprintf("chat.channel/t%d", i) }
	rapid.Check(t, func(r *rapid.T) {
		// Written in an order that respects what was seen; each topic comes with a lag of its own, and ends somewhere.
		lags := rapid.SliceOfN(rapid.IntRange(0, 4000), topics, topics).Draw(r, "lags")
		ends := rapid.SliceOfN(rapid.IntRange(0, 15), topics, topics).Draw(r, "ends")
		var order []arrival
		heads, last := [topics]uint64{}, [topics]time.Duration{}
		for i := range rapid.IntRange(1, 40).Draw(r, "events") {
			ev := arrival{topic: rapid.IntRange(0, topics-1).Draw(r, "topic")}
			for _, on := range rapid.SliceOfN(rapid.IntRange(0, topics-1), 0, 3).Draw(r, "deps") {
				if heads[on] > 0 {
					ev.deps = append(ev.deps, Dependency{name(on), &edgev1.Cursor{Epoch: 1, Offset: heads[on]}})
				}
			}
			heads[ev.topic]++
			ev.offset = heads[ev.topic]
			written := time.Duration(i) * 100 * time.Millisecond
			lag := time.Duration(lags[ev.topic]+rapid.IntRange(0, 300).Draw(r, "jitter")) * time.Millisecond
			// The microseconds: nothing comes in the instant in which another has waited for 2 s.
			ev.at = max(written+lag, last[ev.topic]).Truncate(time.Millisecond) + time.Millisecond + time.Duration(i+1)*time.Microsecond
			if last[ev.topic] = ev.at; int(ev.offset) <= ends[ev.topic] {
				order = append(order, ev)
			}
		}
		slices.SortFunc(order, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
		synctest.Test(t, func(t *testing.T) {
			var names []string
			for i := range topics {
				names = append(names, name(i))
			}
			f, p, subs := startCausal(t, names...)
			ctx, cancel := context.WithCancel(t.Context())
			type shown struct {
				topic  int
				offset uint64
				at     time.Time
			}
			all := make(chan shown, 100)
			for i, sub := range subs {
				go func() {
					for {
						u, err := sub.Next(ctx)
						if err != nil {
							return
						}
						for _, e := range u.Events {
							all <- shown{i, e.GetOffset(), time.Now()}
						}
					}
				}()
			}
			came := map[shown]time.Time{}
			deps := map[shown][]Dependency{}
			next := [topics]uint64{}
			begun := time.Now()
			for _, ev := range order {
				time.Sleep(time.Until(begun.Add(ev.at)))
				next[ev.topic] = ev.offset
				key := shown{topic: ev.topic, offset: ev.offset}
				came[key], deps[key] = time.Now(), ev.deps
				p.send(run(name(ev.topic), event(ev.offset, ev.deps...)))
			}
			time.Sleep(holdBack)
			synctest.Wait()
			cancel()
			close(all)
			position := [topics]uint64{}
			whenShown := map[shown]time.Time{}
			for s := range all {
				if position[s.topic]++; s.offset != position[s.topic] {
					t.Errorf("topic %d shows %d as its event number %d", s.topic, s.offset, position[s.topic])
				}
				key := shown{topic: s.topic, offset: s.offset}
				if whenShown[key] = s.at; s.at.Sub(came[key]) > holdBack {
					t.Errorf("event %d of topic %d waited for %v", s.offset, s.topic, s.at.Sub(came[key]))
				}
			}
			if position != next {
				t.Errorf("shown: %v; came: %v", position, next)
			}
			broken := uint64(0)
			for key, at := range whenShown {
				for _, d := range deps[key] {
					var on int
					if _, err := fmt.Sscanf(d.Topic, "chat.channel/t%d", &on); err != nil {
						t.Fatal(err)
					}
					was, ok := whenShown[shown{topic: on, offset: d.Cursor.GetOffset()}]
					if on != key.topic && d.Cursor.GetOffset() > 0 && (!ok || was.After(at)) {
						broken++
						break
					}
				}
			}
			if n := f.client.State().Violations; n != broken {
				t.Errorf("%d violations were counted, %d happened", n, broken)
			}
		})
		if t.Failed() {
			r.Fatal(order)
		}
	})
}

// The context of a message: what was shown since the last one, elsewhere, the newest first.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 12 {
			names = append(names, fmt.Sprintf("chat.channel/t%d", i))
		}
		f, p, subs := startCausal(t, names...)
		for i, name := range names {
			p.send(run(name, event(1), event(2)))
			take(t, subs[i], 2)
		}
		deps := f.client.Context(t.Context(), names[11])
		if len(deps) != maxContext || deps[0].Topic != names[10] || deps[7].Topic != names[3] || deps[0].Cursor.GetOffset() != 2 || deps[0].Cursor.GetEpoch() != 1 {
			t.Errorf("context: %v", deps)
		}
		if deps := f.client.Context(t.Context(), names[11]); len(deps) != 0 {
			t.Errorf("taken twice: %v", deps)
		}
	})
}

func TestChatDependencies(t *testing.T) {
	body, err := proto.Marshal(&chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Posted{Posted: &chatv1.Message{
		Context: []*chatv1.Dependency{{Topic: topicB, Cursor: &edgev1.Cursor{Epoch: 1, Offset: 4}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	deps := ChatDependencies(topicA, &edgev1.Event{Body: body})
	if len(deps) != 1 || deps[0].Topic != topicB || deps[0].Cursor.GetOffset() != 4 {
		t.Errorf("%v", deps)
	}
	if deps := ChatDependencies(topicA, &edgev1.Event{Body: []byte("\xff")}); deps != nil {
		t.Errorf("%v", deps)
	}
}
