package gateway

import (
	"context"
	"hash/maphash"
	"runtime"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/heads"
	"plenum.internal/mesh/bus"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// shard is a goroutine that owns hubs. Everybody else gives it jobs.
type shard struct {
	g    *Gateway
	wake chan struct{}    // capacity 1: there are jobs
	bus  chan bus.Message // shared by all subjects of its hubs

	mu   sync.Mutex // guards jobs
	jobs []func()

	// All below belongs to the goroutine.
	hubs      map[heads.Name]*hub
	bySubject map[string]*hub
	unflushed []*hub // subscribed, and not known to have reached the server
	flushing  bool
	joining   *session // whose subscriptions are being attached
	begun     []begun  // of them, those that began at once
}

const (
	busBuffer = 8192
	flushTime = time.Second
)

var seed = maphash.MakeSeed()

func newShards(g *Gateway) []*shard {
	shards := make([]*shard, runtime.GOMAXPROCS(0))
	for i := range shards {
		shards[i] = &shard{
			g: g, wake: make(chan struct{}, 1), bus: make(chan bus.Message, busBuffer),
			hubs: map[heads.Name]*hub{}, bySubject: map[string]*hub{},
		}
	}
	return shards
}

// shard is the one that a topic belongs to.
func (g *Gateway) shard(name heads.Name) *shard { return g.shards[g.place(name)] }

// place is the shard's.
func (g *Gateway) place(name heads.Name) int {
	return int(maphash.Comparable(seed, name) % uint64(len(g.shards)))
}

// do has a job done by the shard's goroutine. It never waits: what may come is bounded by sessions and hubs.
func (sh *shard) do(job func()) {
	sh.mu.Lock()
	sh.jobs = append(sh.jobs, job)
	sh.mu.Unlock()
	select {
	case sh.wake <- struct{}{}:
	default:
	}
}

func (sh *shard) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for _, h := range sh.hubs {
				h.close()
			}
			return
		case <-sh.wake:
			sh.mu.Lock()
			jobs := sh.jobs
			sh.jobs = nil
			sh.mu.Unlock()
			for _, job := range jobs {
				job()
			}
		case m := <-sh.bus:
			sh.receive(m) // reads end with the gateway, not with this publication
		}
	}
}

func (sh *shard) receive(m bus.Message) {
	h := sh.bySubject[m.Subject]
	if h == nil {
		return
	}
	var p topicv1.Publication
	if err := proto.Unmarshal(m.Data, &p); err != nil {
		sh.g.log.Error("a publication can't be read", "subject", m.Subject, "error", err)
		return
	}
	if m.Subject != h.subject { // where gateways publish, who may not publish events
		for _, s := range p.GetSignals() {
			h.signal(s)
		}
		return
	}
	if len(p.GetRecords()) > 0 {
		h.publish(p.GetRecords())
	}
}

// hub finds or makes the hub of a topic.
func (sh *shard) hub(name heads.Name, service string) *hub {
	h := sh.hubs[name]
	if h == nil {
		h = &hub{shard: sh, g: sh.g, name: name, service: service, subject: bus.Subject(name.Workspace, name.Topic)}
		h.streams = sh.g.streams(name.Topic)
		sh.hubs[name] = h
		sh.bySubject[h.subject] = h
		sh.g.live.Store(name, sh)
		sh.g.metrics.hubs.Inc()
	}
	return h
}

// join attaches subscriptions of one session, and returns those that began at once: they are told together.
func (sh *shard) join(s *session, list []*subscription) []begun {
	sh.joining, sh.begun = s, make([]begun, 0, len(list))
	for _, x := range list {
		sh.hub(x.log, x.service).attach(x)
	}
	out := sh.begun
	sh.joining, sh.begun = nil, nil
	return out
}

// flush makes sure that the interest of new hubs has reached the NATS server, for all of them at once; then they read.
func (sh *shard) flush(h *hub) {
	sh.unflushed = append(sh.unflushed, h)
	if sh.flushing {
		return
	}
	sh.flushing = true
	hubs := sh.unflushed
	sh.unflushed = nil
	sh.g.calls.Go(func() {
		ctx, cancel := context.WithTimeout(sh.g.base, flushTime)
		defer cancel()
		_ = sh.g.deps.Bus.Flush(ctx) // while NATS is away the feed of heads brings what happens
		sh.do(func() {
			sh.flushing = false
			for _, h := range hubs {
				h.flushed()
			}
			if n := len(sh.unflushed); n > 0 {
				last := sh.unflushed[n-1]
				sh.unflushed = sh.unflushed[:n-1]
				sh.flush(last)
			}
		})
	})
}
