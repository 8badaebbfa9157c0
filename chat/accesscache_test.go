package chat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Whatever is committed, published late, or lost while loads run, the cache holds nothing that was not true at the head that it
// holds or later, and is nowhere behind the feed.
func TestAccessCacheAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := newAccessCache(2, 4)
		if err != nil {
			t.Fatal(err)
		}
		m := &accessModel{t: t, cache: c, logs: map[channelKey]*modelLog{}}
		for _, id := range []string{"a", "b", "c"} {
			m.logs[channelKey{"w", id}] = &modelLog{}
		}
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) { m.commit(t) }, "publish": func(t *rapid.T) { m.publish(t) },
			"lose": func(t *rapid.T) { m.lose(t) }, "digest": func(t *rapid.T) { m.digest(t) },
			"load": func(t *rapid.T) { m.load(t) }, "": func(*rapid.T) { m.check() },
		})
	})
}

// What a load that failed on its way has found is remembered of nobody: of members it has not read it would say that they are none.
func TestFailedLoad(t *testing.T) {
	c, err := newAccessCache(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the connection broke")
	k := channelKey{"w", "a"}
	l := &accessLoader{cache: c, turn: make(chan struct{}, 1), read: func(_ context.Context, asks []*asked) (map[channelKey]*held, error) {
		for _, a := range asks {
			a.members = make([]*member, len(a.channels))
		}
		return map[channelKey]*held{k: {ch: &channel{channelKey: k}}}, broken
	}}
	if _, err := l.load(t.Context(), &asked{workspace: "w", user: "u", channels: []string{"a"}}); !errors.Is(err, broken) {
		t.Error(err)
	}
	if v, ok := c.find(memberKey{"w", "a", "u"}, nil); ok {
		t.Errorf("%+v is remembered", v)
	}
}

// A load that nobody waits for any more is not read.
func TestAbandonedLoad(t *testing.T) {
	c, err := newAccessCache(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	l := &accessLoader{cache: c, turn: make(chan struct{}, 1), read: func(context.Context, []*asked) (map[channelKey]*held, error) {
		t.Error("it is read")
		return nil, nil
	}}
	l.turn <- struct{}{} // the load before is slow
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.load(ctx, &asked{workspace: "w", user: "u", channels: []string{"a"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	l.mu.Lock()
	b := l.next
	l.mu.Unlock()
	<-l.turn
	<-b.done
}

var modelUsers = []string{"u", "v", "x"}

// accessModel is a database with a feed that is some way behind.
type accessModel struct {
	t     *rapid.T
	cache *accessCache
	logs  map[channelKey]*modelLog
	// The load under way, if any: what was read of heads, then of access.
	asks  []*asked
	found map[channelKey]*held
}

type modelLog struct {
	records []*topicv1.Record
	sent    uint64 // of records, to the cache or into nothing
	told    uint64 // greatest offset that the cache has heard
}

func (m *accessModel) pick(t *rapid.T) (channelKey, *modelLog) {
	k := channelKey{"w", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "channel")}
	return k, m.logs[k]
}

func (m *accessModel) commit(t *rapid.T) {
	_, l := m.pick(t)
	r := &topicv1.Record{Epoch: 1, Event: &edgev1.Event{Offset: uint64(len(l.records) + 1)}}
	switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); kind {
	case 0:
		r.Access = []*topicv1.Access{{Principal: anybody, Read: true}} // archived, or not any more
	case 1, 2:
		r.Access = []*topicv1.Access{{Principal: rapid.SampledFrom(modelUsers).Draw(t, "user"), Read: kind == 1}}
	}
	l.records = append(l.records, r)
}

func (m *accessModel) publish(t *rapid.T) {
	k, l := m.pick(t)
	if n := uint64(len(l.records)) - l.sent; n > 0 {
		upto := l.sent + rapid.Uint64Range(1, n).Draw(t, "records")
		m.cache.publish(k, l.records[l.sent:upto])
		l.sent, l.told = upto, upto
	}
}

func (m *accessModel) lose(t *rapid.T) {
	if _, l := m.pick(t); l.sent < uint64(len(l.records)) {
		l.sent++
	}
}

func (m *accessModel) digest(t *rapid.T) {
	k, l := m.pick(t)
	m.cache.head(k, &edgev1.Head{Epoch: 1, Offset: uint64(len(l.records))})
}

// load does the next step of a load.
func (m *accessModel) load(t *rapid.T) {
	switch {
	case m.asks == nil:
		m.found = map[channelKey]*held{}
		for range rapid.IntRange(1, 3).Draw(t, "keys") {
			k, _ := m.pick(t)
			m.asks = append(m.asks, &asked{workspace: k.workspace, user: rapid.SampledFrom(modelUsers).Draw(t, "user"), channels: []string{k.channel}})
		}
		m.cache.begin(m.asks)
		for _, a := range m.asks {
			k := channelKey{a.workspace, a.channels[0]}
			m.found[k] = &held{state: topic.State{Epoch: 1, Offset: uint64(len(m.logs[k].records))}}
		}
	case m.asks[0].members == nil:
		for _, a := range m.asks {
			k := channelKey{a.workspace, a.channels[0]}
			l := m.logs[k]
			m.found[k].ch = &channel{channelKey: k, archived: l.archived(len(l.records))}
			a.members = []*member{l.member(a.user, len(l.records))}
		}
	default:
		m.cache.finish(m.asks, m.found)
		m.asks = nil
	}
}

func (l *modelLog) archived(at int) (yes bool) {
	for _, r := range l.records[:at] {
		if len(r.GetAccess()) > 0 && r.GetAccess()[0].GetPrincipal() == anybody {
			yes = !yes
		}
	}
	return yes
}

func (l *modelLog) member(user string, at int) (m *member) {
	for _, r := range l.records[:at] {
		if len(r.GetAccess()) > 0 && r.GetAccess()[0].GetPrincipal() == user {
			if m = nil; r.GetAccess()[0].GetRead() {
				m = &member{at: r.GetEvent().GetOffset()}
			}
		}
	}
	return m
}

func (m *accessModel) check() {
	if n, people := m.cache.size(); n > 2 || people > 4 {
		m.t.Fatalf("%d channels, %d memberships", n, people)
	}
	of := map[person]int{}
	for _, k := range m.cache.channels.Keys() {
		e, _ := m.cache.channels.Peek(k)
		for user := range e.members {
			of[person{k.workspace, user}]++
		}
	}
	if !maps.Equal(of, m.cache.people) {
		m.t.Fatalf("held are %v, counted %v", of, m.cache.people)
	}
	for k, l := range m.logs {
		e, ok := m.cache.channels.Peek(k)
		if !ok {
			continue
		}
		if e.state.Offset < l.told {
			m.t.Fatalf("%s stands at %d, the feed has passed %d", k.channel, e.state.Offset, l.told)
		}
		for _, u := range modelUsers {
			v, ok := m.cache.find(memberKey{k.workspace, k.channel, u}, nil)
			if !ok {
				continue
			}
			was := func(o int) bool { return fmt.Sprint(l.member(u, o)) == fmt.Sprint(v.me) }
			archived := func(o int) bool { return l.archived(o) == v.ch.archived }
			var since []int
			for o := int(v.state.Offset); o <= len(l.records); o++ {
				since = append(since, o)
			}
			if !slices.ContainsFunc(since, was) || !slices.ContainsFunc(since, archived) {
				m.t.Fatalf("%s at %d: %s is %v, archived %v, which was never so since", k.channel, v.state.Offset, u, v.me, v.ch.archived)
			}
		}
	}
}
