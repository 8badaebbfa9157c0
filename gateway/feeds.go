package gateway

import (
	"context"
	"time"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/gateway/internal/heads"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// feed is one of a service's feeds of heads.
type feed struct {
	service string
	derived bool
}

// feeds follows the heads of every service that has logs, from when it is first seen.
func (g *Gateway) feeds(ctx context.Context, c *catalog.Catalog) {
	for _, service := range c.Logs() {
		g.feed(ctx, feed{service: service})
		if c.Derives(service) {
			g.feed(ctx, feed{service: service, derived: true})
		}
	}
}

func (g *Gateway) feed(ctx context.Context, f feed) {
	g.feedsMu.Lock()
	defer g.feedsMu.Unlock()
	if g.fed[f] != nil {
		return
	}
	deps := topic.FeedDeps{Source: g.topics(f.service, ""), Bus: g.deps.Bus, Handle: g.committed, Log: g.log}
	if f.derived {
		deps.Derived = g.derived
	}
	follow, err := topic.NewHeadsFeed(topic.FeedConfig{Service: f.service}, deps)
	if err != nil {
		g.log.ErrorContext(ctx, "can't follow a service's heads", "service", f.service, "error", err)
		return
	}
	g.fed[f] = follow
	g.tasks.Go(func() {
		if err := follow.Run(g.base); err != nil && g.base.Err() == nil {
			g.log.Error("following a service's heads ended", "service", f.service, "error", err)
		}
	})
}

// left has the logs of services asked of which a node has gone: it may have died between a commit and telling of it.
func (g *Gateway) left(before, now []registry.Node) {
	there := make(map[string]bool, len(now))
	for _, n := range now {
		there[n.ID] = true
	}
	g.feedsMu.Lock()
	defer g.feedsMu.Unlock()
	for _, n := range before {
		if there[n.ID] {
			continue
		}
		for f, follow := range g.fed {
			if f.service == n.Service {
				follow.Look()
			}
		}
	}
}

// recheck is one age at which new hubs of a service are compared with its log.
type recheck struct {
	feed
	after time.Duration
}

// recheck has a service's log asked what moved a while after topics of it were begun: their interest may have reached a distant NATS server
// late. One question serves all hubs, however many there are, and each comes to its own no later than after twice its age.
func (g *Gateway) recheck(service string) {
	g.feedsMu.Lock()
	defer g.feedsMu.Unlock()
	for _, after := range g.cfg.Recheck {
		r := recheck{feed{service: service}, after}
		if _, due := g.rechecks[r]; due {
			g.rechecks[r] = true
			continue
		}
		g.rechecks[r] = false
		time.AfterFunc(after, func() { g.checkAgain(r) })
	}
}

// checkAgain is due; the map tells whether more topics were begun since it was set.
func (g *Gateway) checkAgain(r recheck) {
	g.feedsMu.Lock()
	defer g.feedsMu.Unlock()
	if follow := g.fed[r.feed]; follow != nil {
		follow.Look()
	}
	if !g.rechecks[r] || g.base.Err() != nil {
		delete(g.rechecks, r)
		return
	}
	g.rechecks[r] = false
	time.AfterFunc(r.after, func() { g.checkAgain(r) })
}

// stale reports that changes of access in a service's logs may not have been heard of. Events don't need to know: none is given out
// before all that lie in front of it. Signals stand in no log.
func (g *Gateway) stale(service string) bool {
	g.feedsMu.Lock()
	defer g.feedsMu.Unlock()
	f := g.fed[feed{service: service}]
	return f != nil && f.Stale()
}

// committed takes a head of the log. Of a topic from which others' parts of a bundle are derived, hubs alone get it.
func (g *Gateway) committed(workspace string, h *edgev1.Head) {
	name := heads.Name{Workspace: workspace, Topic: h.GetTopic()}
	if k := g.catalog().Kind(h.GetTopic()); k == nil || !k.Derived {
		g.index.Move(name, h)
	}
	g.hear(name, h)
}

// derived takes a head of which everything was derived: of the topic itself, or of one that was appended to by deriving.
func (g *Gateway) derived(workspace string, h *edgev1.Head) {
	name := heads.Name{Workspace: workspace, Topic: h.GetTopic()}
	g.index.Move(name, h)
	g.hear(name, h)
}

// hear tells the topic's hub, if there is one, which then reads what it lacks.
func (g *Gateway) hear(name heads.Name, h *edgev1.Head) {
	if sh, ok := g.live.Load(name); ok {
		sh := sh.(*shard) //nolint:forcetypeassert // holds nothing else
		sh.do(func() {
			if hub := sh.hubs[name]; hub != nil {
				hub.heard(h.GetEpoch(), h.GetOffset())
			}
		})
	}
}
