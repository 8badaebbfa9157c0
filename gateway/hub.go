package gateway

import (
	"time"

	"plenum.internal/gateway/internal/heads"
	"plenum.internal/gateway/internal/ring"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	partBytes    = 64 << 10              // of events in one frame
	reorderTime  = 50 * time.Millisecond // that a missing event may still come by itself
	earlyRecords = 256
)

// hub is one topic with local subscribers. It belongs to its shard's goroutine.
//
// Its life: the first subscriber makes it subscribe to the bus; when that has reached the server, it reads what was committed
// since the subscriber's grant; from then on the ring is contiguous, and publications, heads and reads only extend it. In place of the bus
// the hub of a RING has a stream from the topic's owner (ringhub.go).
type hub struct {
	shard   *shard
	g       *Gateway
	name    heads.Name
	service string
	subject string

	streams bool    // it is of the class RING
	source  *source // of a RING: where its records come from; nil: there is none just now

	interest *bus.Subscription // nil: not subscribed
	signals  *bus.Subscription // nil: not subscribed, or the kind has no signals
	opening  bool              // the bus is being flushed
	ring     *ring.Ring        // nil until the interest has reached the server
	// Invariant: a live subscriber was given everything up to ring.Head(), and nothing beyond.
	live     []*subscription
	waiting  []*subscription            // for a read
	catching map[*subscription]struct{} // begun, and behind ring.Head(): they ask for their next part
	reading  bool
	gap      bool // the timer of the reorder window runs
	failures int  // of reads, in a row
	linger   *time.Timer
	ringSize int // what g.ringSize counts for this hub
}

func (h *hub) signalSubject() string { return bus.SignalSubject(h.name.Workspace, h.name.Topic) }

// attach gives a subscription what follows its cursor, and then everything.
func (h *hub) attach(x *subscription) {
	if x.detached {
		return
	}
	if h.linger != nil {
		h.linger.Stop()
		h.linger = nil
	}
	x.hub = h
	if h.streams && h.ring != nil && h.source == nil { // it broke, perhaps while nobody was here to miss it
		h.waiting = append(h.waiting, x)
		h.read(h.ring.Head())
		return
	}
	if h.ring != nil && !h.reading {
		h.place(x)
		return
	}
	h.waiting = append(h.waiting, x)
	h.open()
}

// open subscribes to the bus if that is not done, and begins the run when the server knows.
func (h *hub) open() {
	if h.ring != nil || h.opening {
		return
	}
	if h.interest == nil && !h.streams {
		interest, err := h.g.deps.Bus.Subscribe(h.subject, h.shard.bus)
		if err != nil { // closed: the gateway stops
			h.refuse(func(*subscription) *rpc.Error { return away.Because(err) })
			return
		}
		h.interest = interest
	}
	if h.signals == nil && h.g.catalog().Signal(h.name.Topic) != nil {
		if h.signals, _ = h.g.deps.Bus.Subscribe(h.signalSubject(), h.shard.bus); h.signals != nil { // else the gateway stops
			h.shard.bySubject[h.signalSubject()] = h
		}
	}
	if h.streams {
		h.first()
		return
	}
	h.opening = true
	h.shard.flush(h)
}

// flushed tells that the bus knows.
func (h *hub) flushed() {
	h.opening = false
	if len(h.waiting) == 0 || h.interest == nil { // all have left, or the hub was closed
		h.rest()
		return
	}
	h.first()
	h.g.recheck(h.service)
}

// first begins the run, for those who wait. It begins at the smallest cursor that is near, so that one read answers those who reconnect.
func (h *hub) first() {
	first := h.waiting[0]
	epoch, start := first.granted.GetEpoch(), first.granted.GetOffset()
	for _, x := range h.waiting {
		if c := x.cursor; c.GetEpoch() == epoch && c.GetOffset() < start && first.granted.GetOffset()-c.GetOffset() <= uint64(h.g.cfg.Ring) && c.GetOffset() >= x.floor {
			start = c.GetOffset()
		}
	}
	h.begin(epoch, start)
	h.read(start)
}

// begin starts an empty run behind a cursor.
func (h *hub) begin(epoch, start uint64) {
	h.ring = ring.New(epoch, start, ring.Limits{Count: h.g.cfg.Ring, Bytes: h.g.cfg.RingBytes, Early: earlyRecords}, h.keep)
	h.catching = map[*subscription]struct{}{}
}

// place decides what a subscription needs first.
func (h *hub) place(x *subscription) {
	epoch, at := x.cursor.GetEpoch(), x.cursor.GetOffset()
	switch {
	case x.detached:
	case x.watches != nil && !x.fresh: // its bundle must not tell what moved with something that the ring lacks
		h.waiting = append(h.waiting, x)
		h.read(h.ring.Head())
	case x.granted.GetEpoch() > h.ring.Epoch() || epoch > h.ring.Epoch():
		if x.granted.GetEpoch() > h.ring.Epoch() { // the log began anew and we have not heard yet
			h.reset(errResetEpoch)
			h.attach(x)
			return
		}
		x.refuse(errResetEpoch)
	case epoch < h.ring.Epoch():
		x.refuse(errResetEpoch)
	case at < x.floor:
		x.refuse(errResetFloor)
	case at > h.ring.Head() && x.tries == 0: // another gateway knew more than we, or the cursor is wrong: the log tells
		x.tries++
		h.waiting = append(h.waiting, x)
		h.read(h.ring.Head())
	case at > h.ring.Head():
		x.refuse(errResetEpoch)
	case at < h.ring.From():
		h.waiting = append(h.waiting, x)
		h.readBack()
	default:
		if x.tries == 0 && at < h.ring.Head() {
			h.g.metrics.fromRing.Inc()
		}
		x.tries = 0
		if at == h.ring.Head() {
			x.begin(h.ring.Epoch(), at, h.ring.Head(), false)
			h.join(x)
			return
		}
		h.catching[x] = struct{}{}
		x.begin(h.ring.Epoch(), at, h.ring.Head(), true)
	}
}

// keep is the smallest cursor of those who are catching up, as long as that isn't too much to keep.
func (h *hub) keep() uint64 {
	low := ^uint64(0)
	if h.ring.Bytes() <= h.g.cfg.RingBytes+int(h.g.cfg.Limits.ReplayBytes) {
		for x := range h.catching {
			low = min(low, x.cursor.GetOffset())
		}
	}
	return low
}

// give sends the next part to one who is catching up, who becomes live with the last.
func (h *hub) give(x *subscription) {
	if _, ok := h.catching[x]; !ok || x.detached {
		x.pulled(false)
		return
	}
	records, upto, ok := h.ring.Since(x.cursor.GetOffset(), partBytes)
	if !ok { // the ring has gone on without it
		delete(h.catching, x)
		x.pulled(false)
		h.again(x)
		return
	}
	records, loses, asks := x.until(records)
	if len(records) > 0 {
		data := x.encode(records, x.cursor.GetOffset(), x.hides(records))
		if x.replayed += bodies(records); x.replayed > int(h.g.cfg.Limits.ReplayBytes)+partBytes {
			h.drop(x)
			x.stop(errResetLong)
			x.pulled(false)
			return
		}
		h.g.metrics.replayed.Add(float64(len(records)))
		h.g.metrics.events.Inc()
		if !x.give(records, data) {
			h.drop(x)
			x.pulled(false)
			return
		}
		if loses || asks {
			upto = records[len(records)-1].GetEvent().GetOffset()
		}
	}
	x.cursor = &edgev1.Cursor{Epoch: h.ring.Epoch(), Offset: upto}
	switch {
	case loses:
		h.drop(x)
		x.stop(errRevoked)
	case asks:
		h.drop(x)
		x.ask(x.cursor)
	case upto == h.ring.Head():
		delete(h.catching, x)
		h.join(x)
	default:
		x.pulled(true)
		return
	}
	x.pulled(false)
}

// bodies is what a replay counts: the same in both encodings.
func bodies(records []*topicv1.Record) (size int) {
	for _, r := range records {
		size += len(r.GetEvent().GetBody())
	}
	return size
}

// again places one whose part is no longer in the ring.
func (h *hub) again(x *subscription) {
	if h.reading {
		h.waiting = append(h.waiting, x)
		return
	}
	h.place(x)
}

// drop takes a subscription off all lists.
func (h *hub) drop(x *subscription) {
	x.detached = true
	h.leave(x)
	h.waiting = without(h.waiting, x)
	delete(h.catching, x)
	h.rest()
}

// refuse answers all who wait.
func (h *hub) refuse(why func(*subscription) *rpc.Error) {
	waiting := h.waiting
	h.waiting = nil
	for _, x := range waiting {
		if e := why(x); e != nil {
			x.refuse(e)
			continue
		}
		h.waiting = append(h.waiting, x)
	}
	h.rest()
}

// reset stops everybody: the run can't be continued.
func (h *hub) reset(why *rpc.Error) {
	h.g.log.Info("a topic is read anew", "workspace", h.name.Workspace, "topic", h.name.Topic, "why", why.Reason)
	all := h.live
	for x := range h.catching {
		all = append(all, x)
	}
	h.live, h.catching = nil, nil
	for _, x := range all {
		x.detached = true
		x.stop(why)
	}
	h.ring, h.reading = nil, false
	h.leaveSource()
	h.account()
	if len(h.waiting) > 0 {
		h.open()
	}
	h.rest()
}

// idle says that nobody is subscribed.
func (h *hub) idle() bool { return len(h.live)+len(h.waiting)+len(h.catching) == 0 }

// rest closes the hub if nobody comes for a while.
func (h *hub) rest() {
	if !h.idle() || h.linger != nil {
		return
	}
	h.linger = time.AfterFunc(h.g.cfg.Linger, func() {
		h.shard.do(func() {
			if h.idle() && h.shard.hubs[h.name] == h {
				h.close()
			}
		})
	})
}

func (h *hub) close() {
	if h.linger != nil {
		h.linger.Stop()
	}
	if h.interest != nil {
		h.interest.Unsubscribe()
		h.interest = nil
	}
	if h.signals != nil {
		h.signals.Unsubscribe()
		h.signals = nil
		delete(h.shard.bySubject, h.signalSubject())
	}
	h.ring = nil
	h.leaveSource()
	h.account()
	delete(h.shard.hubs, h.name)
	delete(h.shard.bySubject, h.subject)
	h.g.live.Delete(h.name)
	h.g.metrics.hubs.Dec()
}

// account counts the ring's bytes; when all rings have too many, this one keeps a few events.
func (h *hub) account() {
	size := 0
	if h.ring != nil {
		if h.g.ringSize.Load() > int64(h.g.cfg.RingTotal) {
			h.ring.Shrink(h.g.cfg.Ring/16, h.g.cfg.RingBytes/16)
		}
		size = h.ring.Bytes()
	}
	h.g.ringSize.Add(int64(size - h.ringSize))
	h.g.metrics.ringBytes.Add(float64(size - h.ringSize))
	h.ringSize = size
}

func without(list []*subscription, x *subscription) []*subscription {
	for i := range list {
		if list[i] == x {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}
