package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/gateway/internal/ring"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	readTime     = 10 * time.Second
	readRetryMin = 100 * time.Millisecond
	readRetryMax = 2 * time.Second
	forwardBytes = 8 << 20 // of a gap; who is live pays with their own queue
)

// outcome is what one read of the log brought.
type outcome struct {
	records []*topicv1.Record
	reset   *edgev1.Error
	err     error
}

// read extends the run by what the log has after a cursor that is in it. One read serves all subscribers; a hub has one at a time. That of
// a RING goes on.
func (h *hub) read(after uint64) {
	if h.streams && h.source == nil {
		h.follow(after)
		return
	}
	h.start(after, forwardBytes, h.readAhead)
}

// readBack extends the run to the smallest cursor that somebody waits with.
func (h *hub) readBack() {
	low := h.ring.From()
	for _, x := range h.waiting {
		low = min(low, x.cursor.GetOffset())
	}
	h.start(low, int(h.g.cfg.Limits.ReplayBytes), h.readBehind)
}

func (h *hub) start(after uint64, limit int, done func(after uint64, o outcome)) {
	if h.reading {
		return
	}
	h.reading = true
	for _, x := range h.waiting {
		x.fresh = true
	}
	r := h.ring
	r.Reading()
	h.g.calls.Go(func() {
		o := h.tail(r.Epoch(), after, limit)
		h.shard.do(func() {
			if h.ring != r { // reset meanwhile
				return
			}
			h.reading = false
			done(after, o)
			if h.ring == r && !h.reading {
				r.Settled()
			}
			h.account()
		})
	})
}

// enterRead waits until a read may begin; leave, which may be called more than once, tells that it has ended.
func (g *Gateway) enterRead(ctx context.Context) (leave func(), err error) {
	select {
	case g.reads <- struct{}{}:
		g.metrics.reads.Inc()
		return sync.OnceFunc(func() { <-g.reads }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tail reads the log.
func (h *hub) tail(epoch, after uint64, limit int) (o outcome) {
	leave, err := h.g.enterRead(h.g.base)
	if err != nil {
		return outcome{err: err}
	}
	defer leave()
	ctx, cancel := context.WithTimeout(h.g.base, readTime)
	defer cancel()
	stream, err := h.g.topics(h.service, topic.RouteKey(h.name.Workspace, topic.ID(h.name.Topic))).Tail(ctx, &topicv1.TailRequest{
		Workspace: h.name.Workspace, Topic: h.name.Topic, After: &edgev1.Cursor{Epoch: epoch, Offset: after}, MaxBytes: uint32(limit),
	})
	if err != nil {
		return outcome{err: fmt.Errorf("read %s: %w", h.name.Topic, err)}
	}
	for {
		res, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return o
		case err != nil:
			return outcome{err: fmt.Errorf("read %s: %w", h.name.Topic, err)}
		case res.GetReset_() != nil:
			return outcome{reset: res.GetReset_()}
		}
		o.records = append(o.records, res.GetRecords()...)
	}
}

func (h *hub) readAhead(after uint64, o outcome) {
	switch {
	case o.err != nil:
		h.failed(o.err)
		return
	case o.reset != nil:
		why := numbered(o.reset)
		h.refuse(func(x *subscription) *rpc.Error { return why })
		h.reset(why)
		return
	}
	h.failures = 0
	before := h.ring.Head()
	h.spread(before, h.ring.Read(after, o.records))
	h.placeAll()
	h.watchGap()
}

func (h *hub) readBehind(after uint64, o outcome) {
	switch {
	case o.err != nil:
		h.failed(o.err)
		return
	case o.reset != nil:
		if o.reset.GetCode() == edgev1.Code_CODE_RESET_EPOCH {
			h.reset(errResetEpoch)
			return
		}
		why := numbered(o.reset)
		h.refuse(func(x *subscription) *rpc.Error {
			if x.cursor.GetOffset() <= after {
				return why
			}
			return nil
		})
	default:
		h.failures = 0
		for _, x := range h.waiting { // who waits keeps what the read brought from being dropped at once
			h.catching[x] = struct{}{}
		}
		h.ring.Prepend(after, o.records)
		before := h.ring.Head()
		h.spread(before, h.ring.Read(after, o.records))
		for _, x := range h.waiting {
			delete(h.catching, x)
		}
	}
	h.placeAll()
	h.watchGap()
}

// placeAll places those who waited for the read.
func (h *hub) placeAll() {
	waiting := h.waiting
	h.waiting = nil
	for i, x := range waiting {
		if h.ring == nil || h.reading {
			h.waiting = append(h.waiting, waiting[i:]...)
			return
		}
		h.place(x)
	}
}

// failed answers those who wait, and tries again for those who are live.
func (h *hub) failed(err error) {
	if h.g.base.Err() != nil {
		return
	}
	h.g.log.Warn("a topic can't be read", "workspace", h.name.Workspace, "topic", h.name.Topic, "error", err)
	h.refuse(func(x *subscription) *rpc.Error { return away.Because(err).RetryIn(readRetryMax) })
	h.failures++
	wait := min(readRetryMin<<min(h.failures, 8), readRetryMax)
	h.retry(h.ring, wait+rand.N(wait/4)) // all hubs of a service fail at the same time
}

// retry reads the run's continuation after a while.
func (h *hub) retry(r *ring.Ring, wait time.Duration) {
	time.AfterFunc(wait, func() {
		h.shard.do(func() {
			switch {
			case h.ring != r || h.idle() || h.source != nil:
			case !h.reading:
				h.read(h.ring.Head())
			case h.streams: // what is being read lies before the run
				h.retry(r, wait)
			}
		})
	})
}

// numbered makes an error that is sent of one that was received.
func numbered(e *edgev1.Error) *rpc.Error {
	out := rpc.Errorf(e.GetCode(), e.GetReason(), "%s", e.GetMessage())
	return out.On(e.GetField()).RetryIn(time.Duration(e.GetRetryAfterMs()) * time.Millisecond)
}

// topics is a service's TopicService; key chooses the node.
func (g *Gateway) topics(service, key string) topicv1.TopicServiceClient {
	return topicv1.NewTopicServiceClient(routed{g.deps.Services, service, key})
}

// routed chooses a connection for each call: the one it was made with may be gone.
type routed struct {
	services     Services
	service, key string
}

func (r routed) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	cc, err := r.services.Conn(r.service, r.key)
	if err != nil {
		return away.Because(err)
	}
	return cc.Invoke(ctx, method, args, reply, opts...) //nolint:wrapcheck // it stands for the connection
}

func (r routed) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	cc, err := r.services.Conn(r.service, r.key)
	if err != nil {
		return nil, away.Because(err)
	}
	return cc.NewStream(ctx, desc, method, opts...) //nolint:wrapcheck // likewise
}
