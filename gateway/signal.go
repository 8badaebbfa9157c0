package gateway

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/gateway/internal/limit"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Limits of signals.
const (
	signalKeys  = 4 // a topic
	keyBytes    = 32
	signalBytes = 1 << 10
	floodFactor = 10
)

// signalKey is what the latest signal wins by.
type signalKey struct{ topic, from, key string }

// signal publishes a client's signal. What is too much, or not allowed, is dropped without an answer.
func (s *session) signal(f *edgev1.Signal, unread error) {
	now := time.Now()
	rate := float64(s.g.cfg.Limits.Signals)
	if _, ok := s.flood.Take(limit.Rate{PerSecond: floodFactor * rate, Burst: floodFactor * rate}, 1, now); !ok {
		s.goodbye(errFlood)
		return
	}
	x := s.subs.get(f.GetTopic())
	ok := unread == nil && s.isShown() && x != nil && s.maySignal(x, now) && len(f.GetKey()) <= keyBytes && len(f.GetBody()) <= signalBytes
	if ok {
		ok = s.mayLetOut(limit.Rate{PerSecond: rate, Burst: rate}, now)
	}
	if ok {
		if _, known := x.keys[f.GetKey()]; !known && len(x.keys) == signalKeys {
			ok = false
		}
	}
	if !ok {
		s.g.metrics.signalsDropped.Inc()
		return
	}
	if x.keys == nil {
		x.keys = map[string]bool{}
	}
	parting := s.g.parting(x)
	x.keys[f.GetKey()] = parting != nil && f.GetKey() == parting.Key && !bytes.Equal(f.GetBody(), parting.Body)
	s.publish(x, f.GetKey(), f.GetBody())
}

// part signals for a session by what its client leaves topics, on those where it has signalled otherwise last: its client has gone, or its person
// hides. They are told in the same way, for else it would show who hides.
func (s *session) part() {
	now := time.Now()
	for x := range s.subs.all() {
		if p := s.g.parting(x); p != nil && x.keys[p.Key] && s.maySignal(x, now) {
			x.keys[p.Key] = false
			s.publish(x, p.Key, p.Body)
		}
	}
}

// parting is what clients leave a topic by; nil: nothing.
func (g *Gateway) parting(x *subscription) *catalog.Parting {
	if k := g.catalog().Kind(x.log.Topic); k != nil {
		return k.Parting
	}
	return nil
}

// maySignal says whether a session's signals pass on a topic, if its person is shown.
func (s *session) maySignal(x *subscription, now time.Time) bool {
	return x.mode == edgev1.Mode_MODE_EVENTS && x.signals && now.Before(s.caller.Expires) && (s.g.streams(x.log.Topic) || !s.g.stale(x.service))
}

// publish has a session's signal go out.
func (s *session) publish(x *subscription, key string, body []byte) {
	data, err := proto.Marshal(&topicv1.Publication{Signals: []*edgev1.Signal{{Topic: x.log.Topic, Key: key, Body: body, From: s.from}}})
	if err != nil {
		return // not UTF-8: can't have come in
	}
	publish := func() {
		s.g.metrics.signals.Inc()
		_ = s.g.deps.Bus.Publish(bus.SignalSubject(x.log.Workspace, x.log.Topic), data) // away: lost, as a signal may be
	}
	if !s.g.streams(x.log.Topic) {
		publish()
		return
	}
	x.shard().do(func() { // the hub alone knows whether it would have heard that the right is gone
		if x.hub == nil || x.hub.deaf() {
			s.g.metrics.signalsDropped.Inc()
			return
		}
		publish()
	})
}

// mayLetOut counts a signal: against the session, or against the device where a session lasts for one request.
func (s *session) mayLetOut(rate limit.Rate, now time.Time) bool {
	if s.stream() != nil {
		_, ok := s.g.take(bucket{s.caller.Workspace + "/" + s.caller.User + "/" + s.caller.Device, "signal"}, rate, 1)
		return ok
	}
	_, ok := s.signals.Take(rate, 1, now)
	return ok
}

// offer gives the session something for a subscription to be done within the flush window; false: too much is queued.
func (s *session) offer(x *subscription, size int, do func(*session)) bool {
	b := &s.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	if b.queued+size > s.queueLimit() && b.queued > 0 {
		b.put(item{sub: x, do: func(s *session) { s.stop(x, errLagged) }})
		s.arm()
		return false
	}
	b.put(item{sub: x, do: do, size: size})
	s.arm()
	return true
}

// offerSignal gives the session a signal; it is dropped where half of the queue is full. Of a turn's signals with one key the
// last is sent.
func (s *session) offerSignal(x *subscription, key signalKey, data []byte) {
	b := &s.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.queued+len(data) > s.queueLimit()/2 {
		s.g.metrics.signalsDropped.Inc()
		return
	}
	b.put(item{sub: x, size: len(data), do: func(s *session) {
		if s.signaled == nil {
			s.signaled = map[signalKey][]byte{}
		} else if s.signaled[key] != nil {
			s.g.metrics.signalsDropped.Inc()
		}
		s.signaled[key] = data
	}})
	s.arm()
}

func (s *session) tellSignals() {
	for key, data := range s.signaled {
		if x := s.subs.get(key.topic); x != nil {
			s.out = append(s.buffer(), data...)
			if t := s.stream(); t != nil {
				t.news = true
			}
		}
	}
	s.signaled = nil
}

// isTransient reports that nobody could tell: it is to be asked again. A service that broke down has not said no.
func isTransient(err error) bool {
	c := rpc.CodeOf(err)
	return c >= 200 && c < 300 || c == edgev1.Code_CODE_INTERNAL
}
