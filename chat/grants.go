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

// Open grants channels from memory where that can be, and the rest from the database.
//
// Invariant: nothing is refused from memory. So who was let in a moment ago is let in, whatever this process has heard of it yet.
// Invariant: a grant from memory is for those who read the log from its head on, in mode EVENTS: the hub takes from them what was taken
// since. In mode HEADS nobody reads along.
func (t topics) Open(ctx context.Context, req *topicv1.OpenRequest) (*topicv1.OpenResponse, error) {
	caller, ok := auth.FromContext(ctx)
	if !ok || len(req.GetWants()) > topic.MaxWants {
		return t.Server.Open(ctx, req) // which refuses
	}
	res := &topicv1.OpenResponse{Grants: make([]*topicv1.Grant, len(req.GetWants()))}
	var others, unknown []int // places in res
	ask := &asked{workspace: caller.Workspace, user: caller.User}
	for i, w := range req.GetWants() {
		k, ok := channelWanted(caller, w)
		if !ok {
			others = append(others, i)
			continue
		}
		if res.Grants[i] = t.chat.remember(caller, k, w); res.Grants[i] == nil {
			unknown, ask.channels = append(unknown, i), append(ask.channels, k.channel)
		}
	}
	if len(unknown) > 0 {
		found, err := t.chat.loader.load(ctx, ask)
		if err != nil {
			return nil, err
		}
		for j, i := range unknown {
			h := found[channelKey{ask.workspace, ask.channels[j]}]
			res.Grants[i] = grantChannel(caller, view{h.state, h.ch, ask.members[j]}, req.GetWants()[i])
		}
	}
	return res, t.openOthers(ctx, req, res, others)
}

func (t topics) openOthers(ctx context.Context, req *topicv1.OpenRequest, res *topicv1.OpenResponse, places []int) error {
	if len(places) == 0 {
		return nil
	}
	wants := make([]*edgev1.Want, len(places))
	for j, i := range places {
		wants[j] = req.GetWants()[i]
	}
	got, err := t.Server.Open(ctx, &topicv1.OpenRequest{Wants: wants})
	if err != nil {
		return err
	}
	for j, i := range places {
		res.Grants[i] = got.GetGrants()[j]
	}
	return nil
}

// channelWanted tells whether a want is of what may be a channel.
func channelWanted(caller auth.Caller, w *edgev1.Want) (memberKey, bool) {
	id, ok := strings.CutPrefix(w.GetTopic(), topicChannel)
	return memberKey{caller.Workspace, id, caller.User}, ok && validID(id)
}

// remember grants a channel from memory; nil: the database is to be asked.
func (s *Server) remember(caller auth.Caller, k memberKey, w *edgev1.Want) *topicv1.Grant {
	if w.GetMode() != edgev1.Mode_MODE_HEADS && s.feed.fresh() {
		if v, ok := s.cache.find(k, w.GetCursor()); ok {
			if g := grantChannel(caller, v, w); g.GetError() == nil {
				s.metrics.hits.Inc()
				return g
			}
		}
	}
	s.metrics.misses.Inc()
	return nil
}

// grantChannel decides on one channel. Who may read it from an offset on gets a floor, and no resumption from below it.
func grantChannel(caller auth.Caller, v view, w *edgev1.Want) *topicv1.Grant {
	a := access{caller: caller, ch: v.ch, me: v.me}
	g := &topicv1.Grant{Topic: w.GetTopic()}
	if err := a.readable(); err != nil {
		g.Error = rpc.FromError(err)
		return g
	}
	g.Signal = a.posts()
	v.state.Floor = max(v.state.Floor, less(a.from(), 1))
	g.Head, g.Floor = v.state.Cursor(), v.state.Start()
	if c := w.GetCursor(); c != nil && c.GetEpoch() == v.state.Epoch && c.GetOffset() < less(a.from(), 1) {
		g.Error = rpc.FromError(errBelowFloor)
	}
	return g
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
