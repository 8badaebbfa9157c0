package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// What the hub of a RING has in place of the bus, its gaps and the feed of heads: one read of its owner that goes on.

// source is such a read.
type source struct {
	cancel context.CancelFunc
	caught bool // the hub has all that was there when it began, and so knows whose rights have changed
}

// streams tells whether a topic is of the class RING.
func (g *Gateway) streams(name string) bool {
	k := g.catalog().Kind(name)
	return k != nil && k.Class == edgev1.TopicClass_TOPIC_CLASS_RING
}

// follow reads the owner's records after a cursor that is in the run, and then all that come. Those who wait are placed once the run has
// reached the head of then.
func (h *hub) follow(after uint64) {
	if h.reading {
		return
	}
	h.reading = true
	for _, x := range h.waiting {
		x.fresh = true
	}
	ctx, cancel := context.WithCancel(h.g.base)
	src := &source{cancel: cancel}
	h.source = src
	r := h.ring
	r.Reading()
	h.g.calls.Go(func() {
		defer cancel()
		err := h.hearOut(ctx, src, &edgev1.Cursor{Epoch: r.Epoch(), Offset: after})
		h.shard.do(func() {
			if h.source == src {
				h.lost(src, err)
			}
		})
	})
}

// hearOut gives the hub what its owner says, until the stream ends. It waits for the hub: so what is on its way is bounded.
func (h *hub) hearOut(ctx context.Context, src *source, at *edgev1.Cursor) error {
	leave, err := h.g.enterRead(ctx)
	if err != nil {
		return err
	}
	defer leave()
	late := time.AfterFunc(readTime, src.cancel)
	defer late.Stop()
	stream, err := h.g.topics(h.service, topic.RouteKey(h.name.Workspace, topic.ID(h.name.Topic))).Tail(ctx, &topicv1.TailRequest{
		Workspace: h.name.Workspace, Topic: h.name.Topic, After: at, MaxBytes: forwardBytes, Follow: true,
	})
	if err != nil {
		return fmt.Errorf("follow %s: %w", h.name.Topic, err)
	}
	after, head, caught := at.GetOffset(), uint64(0), false
	for first := true; ; first = false {
		res, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("follow %s: %w", h.name.Topic, err)
		}
		if first {
			head = res.GetHead().GetOffset()
		}
		o := outcome{records: res.GetRecords(), reset: res.GetReset_()}
		from := after
		if n := len(o.records); n > 0 {
			after = o.records[n-1].GetEvent().GetOffset()
		}
		if !caught && (after >= head || o.reset != nil) {
			caught = true
			late.Stop()
			leave()
		}
		done := make(chan struct{})
		h.shard.do(func() {
			defer close(done)
			if h.source == src {
				h.told(src, from, o, caught)
			}
		})
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// told takes what the owner says after a cursor. With caught the run has reached the head that it had at the beginning.
func (h *hub) told(src *source, after uint64, o outcome, caught bool) {
	r := h.ring
	if !src.caught && caught {
		src.caught, h.reading = true, false
		h.readAhead(after, o) // or resets
	} else if o.reset != nil {
		h.reset(numbered(o.reset))
	} else {
		h.spread(h.ring.Head(), h.ring.Read(after, o.records))
	}
	if h.ring == r && !h.reading {
		r.Settled()
	}
}

// lost tells that the stream has broken. Who is live hears nothing until the next one; who comes has to wait for it.
func (h *hub) lost(src *source, err error) {
	h.source = nil
	if !src.caught {
		h.reading = false
	}
	if errors.Is(err, io.EOF) {
		err = away.Because(err)
	}
	h.failed(err)
	h.account()
}

// leaveSource ends the stream of a run that is given up.
func (h *hub) leaveSource() {
	if h.source != nil {
		h.source.cancel()
		h.source = nil
	}
}

// deaf tells whether changes of access may not have been heard of. Events don't need to know: none is given out before all that lie in
// front of it. Signals stand in no log.
func (h *hub) deaf() bool {
	if h.streams {
		return h.source == nil || !h.source.caught
	}
	return h.g.stale(h.service)
}
