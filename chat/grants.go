package chat

import (
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

var errBelowFloor = rpc.Errorf(edgev1.Code_CODE_RESET_FLOOR, "chat.BEFORE_JOINING", "What lies before is not for you to read. Load the channel again.")

// topics is the log's TopicService with channels granted before it.
type topics struct {
	*topic.Server
	chat *Server
}

// Open answers one user.
func (t topics) Open(ctx context.Context, req *topicv1.OpenRequest) (*topicv1.OpenResponse, error) {
	return topic.OpenOne(ctx, req, t.grant)
}

// OpenEach answers several.
func (t topics) OpenEach(ctx context.Context, req *topicv1.OpenEachRequest) (*topicv1.OpenEachResponse, error) {
	return topic.OpenEach(ctx, req, t.grant)
}

// grant grants channels from memory where that can be, and the rest from the database: all that is asked for in one call with one load.
//
// Invariant: nothing is refused from memory. So who was let in a moment ago is let in, whatever this process has heard of it yet.
// Invariant: a grant from memory is for those who read the log from its head on, in mode EVENTS: the hub takes from them what was taken
// since. In mode HEADS nobody reads along.
func (t topics) grant(ctx context.Context, openings []*topic.Opening) error {
	fresh, made := t.chat.feed.fresh(), grants{}
	var asks []*asked
	var unknown, others []opens
	hits, misses := 0, 0
	for _, o := range openings {
		o.Grants = make([]*topicv1.Grant, len(o.Wants))
		var mine, theirs []int
		var channels []string
		for i, w := range o.Wants {
			id, ok := strings.CutPrefix(w.GetTopic(), topicChannel)
			if !ok || !validID(id) {
				theirs = append(theirs, i)
				continue
			}
			if fresh && w.GetMode() != edgev1.Mode_MODE_HEADS {
				o.Grants[i] = t.chat.remember(made, o.Caller, id, w)
			}
			if o.Grants[i] == nil {
				mine, channels = append(mine, i), append(channels, id)
			}
		}
		if len(theirs) > 0 {
			others = append(others, opens{o, theirs})
		}
		if len(mine) > 0 {
			unknown, asks = append(unknown, opens{o, mine}), append(asks, &asked{workspace: o.Caller.Workspace, user: o.Caller.User, channels: channels})
		}
		hits, misses = hits+len(o.Wants)-len(mine)-len(theirs), misses+len(mine)
	}
	t.chat.metrics.hits.Add(float64(hits))
	t.chat.metrics.misses.Add(float64(misses))
	if len(asks) > 0 {
		found, err := t.chat.loader.load(ctx, asks...)
		if err != nil {
			return err
		}
		for i, u := range unknown {
			for j, at := range u.places {
				h := found[channelKey{asks[i].workspace, asks[i].channels[j]}]
				u.Grants[at] = made.channel(u.Caller, view{h.state, h.ch, asks[i].members[j]}, u.Wants[at])
			}
		}
	}
	return t.grantOthers(ctx, others)
}

// opens are some of an opening's wants, by their places.
type opens struct {
	*topic.Opening
	places []int
}

// grantOthers answers what are no channels.
func (t topics) grantOthers(ctx context.Context, others []opens) error {
	if len(others) == 0 {
		return nil
	}
	parts := make([]*topic.Opening, len(others))
	for i, o := range others {
		parts[i] = &topic.Opening{Caller: o.Caller}
		for _, at := range o.places {
			parts[i].Wants = append(parts[i].Wants, o.Wants[at])
		}
	}
	if err := t.Grant(ctx, parts); err != nil {
		return err
	}
	for i, o := range others {
		for j, at := range o.places {
			o.Grants[at] = parts[i].Grants[j]
		}
	}
	return nil
}

// remember grants a channel from memory; nil: the database is to be asked.
func (s *Server) remember(made grants, caller auth.Caller, id string, w *edgev1.Want) *topicv1.Grant {
	v, ok := s.cache.find(memberKey{caller.Workspace, id, caller.User}, w.GetCursor())
	if !ok {
		return nil
	}
	if g := made.channel(caller, v, w); g.GetError() == nil {
		return g
	}
	return nil
}

// grants are those of one call: for each want the last that was made. Most people are granted the same.
type grants map[*edgev1.Want]*topicv1.Grant

// channel decides on one channel. Who may read it from an offset on gets a floor, and no resumption from below it.
func (m grants) channel(caller auth.Caller, v view, w *edgev1.Want) *topicv1.Grant {
	a := access{caller: caller, ch: v.ch, me: v.me}
	if err := a.readable(); err != nil {
		return &topicv1.Grant{Topic: w.GetTopic(), Error: rpc.FromError(err)}
	}
	from := less(a.from(), 1)
	if c := w.GetCursor(); c != nil && c.GetEpoch() == v.state.Epoch && c.GetOffset() < from {
		return &topicv1.Grant{Topic: w.GetTopic(), Error: rpc.FromError(errBelowFloor)}
	}
	v.state.Floor = max(v.state.Floor, from)
	signal := a.posts()
	if g := m[w]; g != nil && g.GetSignal() == signal && is(g.GetHead(), v.state.Epoch, v.state.Offset) && is(g.GetFloor(), v.state.Epoch, v.state.Floor) {
		return g
	}
	g := &topicv1.Grant{Topic: w.GetTopic(), Signal: signal, Head: v.state.Cursor(), Floor: v.state.Start()}
	if w.GetMode() == edgev1.Mode_MODE_HEADS {
		g.Members = []*edgev1.Head{v.state.Head()}
	}
	m[w] = g
	return g
}

func is(c *edgev1.Cursor, epoch, offset uint64) bool {
	return c.GetEpoch() == epoch && c.GetOffset() == offset
}

// accessMetrics count how grants of channels were made.
type accessMetrics struct{ hits, misses prometheus.Counter }

// keepAccess makes what grants of channels are made of.
func (s *Server) keepAccess(cfg Config, deps Deps) (err error) {
	if s.cache, err = newAccessCache(cfg.CacheChannels, cfg.CacheMembers); err != nil {
		return err
	}
	s.loader = &accessLoader{read: s.readAccess, cache: s.cache, turn: make(chan struct{}, 1)}
	if s.feed, err = newAccessFeed(s.cache, s.log, deps.Bus, deps.Log); err != nil {
		return err
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "plenum_chat_access_" + name, Help: help})
	}
	s.metrics = accessMetrics{
		hits:   counter("hits_total", "Channels that were granted from memory."),
		misses: counter("misses_total", "Channels for which the database was asked: not in memory, refused, or NATS away."),
	}
	if deps.Metrics == nil {
		return nil
	}
	entries := func(of string, n func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "plenum_chat_access_entries", Help: "What is held in memory for grants.", ConstLabels: prometheus.Labels{"of": of},
		}, func() float64 { return float64(n()) })
	}
	deps.Metrics.MustRegister(s.metrics.hits, s.metrics.misses,
		entries("channels", func() int { n, _ := s.cache.size(); return n }),
		entries("memberships", func() int { _, n := s.cache.size(); return n }))
	return nil
}
