package gateway

import (
	"slices"
	"time"

	"plenum.internal/gateway/internal/wire"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// What comes from the bus, and what of it goes to the live subscribers of a hub.

// publish takes records from the bus.
func (h *hub) publish(records []*topicv1.Record) {
	if h.ring == nil {
		return // the first read will bring them
	}
	whole := true
	mine := records[:0]
	for _, r := range records {
		switch {
		case r.GetEpoch() > h.ring.Epoch():
			h.reset(errResetEpoch)
			return
		case r.GetEpoch() == h.ring.Epoch():
			whole = whole && (!r.GetBodyOmitted() || r.GetEvent().GetOffset() <= h.ring.Head())
			mine = append(mine, r)
		}
	}
	before := h.ring.Head()
	h.spread(before, h.ring.Publish(mine))
	if !whole && !h.reading {
		h.read(h.ring.Head())
	}
	h.watchGap()
}

// heard takes a head from the feed.
func (h *hub) heard(epoch, offset uint64) {
	switch {
	case h.ring == nil || epoch < h.ring.Epoch():
	case epoch > h.ring.Epoch():
		h.reset(errResetEpoch)
	default:
		h.ring.Heard(offset)
		h.watchGap()
	}
}

// watchGap reads what is missing if it doesn't come by itself.
func (h *hub) watchGap() {
	if !h.ring.Behind() || h.gap || h.reading {
		return
	}
	h.gap = true
	r := h.ring
	time.AfterFunc(reorderTime, func() {
		h.shard.do(func() {
			h.gap = false
			if h.ring == r && h.ring.Behind() && !h.reading {
				h.g.metrics.gaps.Inc()
				h.read(h.ring.Head())
			}
		})
	})
}

// spread gives new events to all who are live. Who loses the right to read gets nothing behind that event.
// before is the cursor that they were at.
func (h *hub) spread(before uint64, fresh []*topicv1.Record) {
	first, bytes := 0, 0
	for i, r := range fresh {
		bytes += len(r.GetEvent().GetBody())
		if len(r.GetAccess()) > 0 || bytes >= partBytes || i == len(fresh)-1 {
			h.send(before, fresh[first:i+1])
			first, bytes, before = i+1, 0, r.GetEvent().GetOffset()
		}
		if len(r.GetAccess()) > 0 {
			h.enforce(r)
		}
	}
	h.account()
}

// send gives one run of events to all who are live, encoded once for each way to write it.
func (h *hub) send(before uint64, run []*topicv1.Record) {
	type form struct {
		enc    wire.Encoding
		name   string
		hidden uint64
		only   string
	}
	var encoded map[form][]byte
	var last form
	var data []byte
	tells := slices.ContainsFunc(run, func(r *topicv1.Record) bool { return r.GetAbout() != 0 })
	h.g.metrics.events.Add(float64(len(h.live)))
	h.keepLive(func(x *subscription) bool {
		f := form{x.s.enc, x.topic, 0, x.only.name()}
		if tells && x.floor > 0 {
			f.hidden = x.hides(run)
		}
		if x.watches == nil && (f != last || data == nil) {
			if data = encoded[f]; data == nil {
				data = x.encode(run, before, f.hidden)
				if encoded == nil {
					encoded = map[form][]byte{}
				}
				encoded[f] = data
			}
			last = f
		}
		x.detached = !x.give(run, data)
		return !x.detached
	})
}

// enforce applies a record's changes of access to those who are live.
func (h *hub) enforce(r *topicv1.Record) {
	h.keepLive(func(x *subscription) bool {
		loses, asks := x.loses(r)
		switch {
		case loses:
			x.stop(errRevoked)
		case asks:
			x.ask(&edgev1.Cursor{Epoch: h.ring.Epoch(), Offset: r.GetEvent().GetOffset()})
		}
		return !loses && !asks
	})
}

// signal passes a signal on to all who are live but its sender; while it is not known who still may get it, to nobody.
func (h *hub) signal(sig *edgev1.Signal) {
	if h.deaf() {
		h.g.metrics.signalsDropped.Inc()
		return
	}
	type form struct {
		enc  wire.Encoding
		name string
	}
	encoded := map[form][]byte{}
	for _, x := range h.live {
		if x.watches != nil || x.s.from == sig.GetFrom() {
			continue
		}
		f := form{x.s.enc, x.topic}
		if encoded[f] == nil {
			encoded[f] = wire.Append(nil, f.enc, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Signal{Signal: &edgev1.Signal{
				Topic: f.name, Key: sig.GetKey(), Body: sig.GetBody(), From: sig.GetFrom(),
			}}}, "", h.g.catalog())
		}
		x.s.offerSignal(x, signalKey{x.topic, sig.GetFrom(), sig.GetKey()}, encoded[f])
	}
}

// join makes a subscription live.
func (h *hub) join(x *subscription) {
	h.live = append(h.live, x)
	x.at = len(h.live)
}

// leave is the opposite of join.
func (h *hub) leave(x *subscription) {
	if i := x.at - 1; i >= 0 && i < len(h.live) && h.live[i] == x {
		last := len(h.live) - 1
		h.live[i] = h.live[last]
		h.live[i].at = i + 1
		h.live[last] = nil
		h.live = h.live[:last]
	}
	x.at = 0
}

// keepLive leaves those for whom f is true live.
func (h *hub) keepLive(f func(*subscription) bool) {
	kept := h.live[:0]
	for _, x := range h.live {
		if x.at = 0; f(x) {
			kept = append(kept, x)
			x.at = len(kept)
		}
	}
	clear(h.live[len(kept):])
	h.live = kept
	h.rest()
}
