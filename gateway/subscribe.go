package gateway

import (
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/heads"
	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	maxWants    = 500
	maxAnswered = 2 * maxWants // wants that are answered, if only by an error; more end the connection
	maxOpens    = 4            // Subscribes that wait; beyond, the reader does
	maxPulls    = 2            // parts of replays asked for at the same time
	wantBytes   = 256          // that a want takes besides its own while it is opened
	wantsToken  = 50           // wants that cost one token of READ
)

// answer is what a Subscribed frame will say.
type answer struct {
	id uint32
	*edgev1.Subscription
}

// wanted is a Subscribe that waits to be answered.
type wanted struct {
	*edgev1.Subscribe
	hold intake.Hold
}

// subscribe takes what a client wants, and counts it for what the user holds.
func (s *session) subscribe(f *edgev1.Subscribe) {
	w := &wanted{f, s.g.intake.Hold(intake.User(s.caller.Workspace, s.caller.User))}
	if !w.hold.Take(len(f.GetWants())*wantBytes + proto.Size(f)) {
		s.g.metrics.intakeFull.Inc()
		s.goodbye(errIntake)
		return
	}
	s.openNext(w)
}

// openNext opens topics: one Subscribe at a time, so that of two wants for a topic the later one stays.
func (s *session) openNext(f *wanted) {
	if s.opening != nil {
		s.opens = append(s.opens, f)
		return
	}
	wants, refuse := f.GetWants(), s.mayOpen(len(f.GetWants()))
	var bundles []opened // need not keep the others waiting: one may have thousands of members
	others := make([]opened, 0, len(wants))
	for i, w := range wants {
		k := s.g.catalog().Kind(w.GetTopic())
		bundle := k != nil && k.Class == edgev1.TopicClass_TOPIC_CLASS_BUNDLE
		if w.GetMode() == edgev1.Mode_MODE_UNSPECIFIED {
			w.Mode = edgev1.Mode_MODE_EVENTS
			if bundle {
				w.Mode = edgev1.Mode_MODE_HEADS
			}
		}
		o := opened{want: w, err: refuse}
		if w.GetMode() == edgev1.Mode_MODE_HEADS {
			o.known, w.Cursor = w.GetCursor().GetOffset(), nil
		}
		switch {
		case refuse != nil:
		case i >= maxWants:
			o.err = errTooManySub
		case k == nil || !topic.ValidName(w.GetTopic()):
			o.err = errTopic
		case s.stream() != nil && s.stream().unknown && w.GetMode() == edgev1.Mode_MODE_EVENTS:
			o.err = errLastID
		default:
			if o.err = admissible(k.Class, w); o.err == nil && len(w.GetTypes()) > 0 {
				o.only, o.err = newFilter(w.GetTypes(), k, w.GetMode())
			}
		}
		if bundle {
			bundles = append(bundles, o)
		} else {
			others = append(others, o)
		}
	}
	s.opening, s.left = f, nil
	parts := [][]opened{others}
	if len(bundles) > 0 {
		parts = append(parts, bundles)
	}
	ctx, left, held := s.ask(), len(parts), atomic.Int32{}
	held.Store(int32(left))
	for _, part := range parts {
		s.g.open(ctx, s.caller, part, func() {
			if held.Add(-1) == 0 { // also where the session has ended and takes no mail
				f.hold.Release()
			}
			s.mail(0, func(s *session) {
				for i := range part {
					if !s.left[part[i].want.GetTopic()] {
						s.attach(f.GetId(), &part[i])
					}
				}
				if left--; left == 0 {
					s.opened()
				}
			})
		})
	}
}

// opened begins with the next Subscribe.
func (s *session) opened() {
	s.opening, s.left = nil, nil
	s.answered()
	if len(s.opens) > 0 && s.state == open {
		next := s.opens[0]
		s.opens = s.opens[1:]
		s.openNext(next)
	}
	s.ease()
}

// admissible says why a topic of a class can't be followed as it is wanted.
func admissible(c edgev1.TopicClass, w *edgev1.Want) error {
	view := c == edgev1.TopicClass_TOPIC_CLASS_VIEW
	switch {
	case view && w.GetMode() == wire.UnreadParams:
		return badParams(string(w.GetParams()))
	case !view && len(w.GetParams()) > 0:
		return errParams
	case !followable(c, w.GetMode()):
		return errMode
	case len(w.GetParams()) > topic.MaxParams:
		return errParamsLarge
	}
	return nil
}

func followable(c edgev1.TopicClass, m edgev1.Mode) bool {
	switch c {
	case edgev1.TopicClass_TOPIC_CLASS_LOG:
		return m == edgev1.Mode_MODE_EVENTS || m == edgev1.Mode_MODE_HEADS
	case edgev1.TopicClass_TOPIC_CLASS_RING, edgev1.TopicClass_TOPIC_CLASS_VIEW:
		return m == edgev1.Mode_MODE_EVENTS
	case edgev1.TopicClass_TOPIC_CLASS_BUNDLE:
		return m == edgev1.Mode_MODE_HEADS
	case edgev1.TopicClass_TOPIC_CLASS_UNSPECIFIED:
	}
	return false
}

func (s *session) mayOpen(wants int) error {
	if !time.Now().Before(s.caller.Expires) {
		return errStale
	}
	return s.take(edgev1.RateClass_RATE_CLASS_READ, float64(1+wants/wantsToken))
}

// take takes from the session's buckets, or from the device's where a session lasts for one request.
func (s *session) take(class edgev1.RateClass, cost float64) error {
	if s.stream() != nil {
		return s.g.takeCaller(s.caller, class, cost)
	}
	if wait, ok := s.buckets[int(class)%len(s.buckets)].Take(s.g.cfg.rate(class), cost, time.Now()); !ok {
		return tooFast(wait)
	}
	return nil
}

// attach makes a subscription of a grant.
func (s *session) attach(id uint32, o *opened) {
	if s.state != open {
		return
	}
	name := o.want.GetTopic()
	s.drop(name)
	x := &subscription{s: s, topic: name, id: id, mode: o.want.GetMode(), only: o.only}
	if o.err != nil {
		s.answer(x, &edgev1.Subscription{Topic: name, Error: answerable(o.err)})
		return
	}
	x.service = o.kind.Service
	x.use(o.grant, s.caller)
	tooMany := s.events >= int(s.mostTopics())
	if x.mode == edgev1.Mode_MODE_HEADS {
		tooMany = s.heads+max(1, len(o.grant.GetMembers())) > int(s.g.cfg.Limits.Heads)
	}
	if tooMany {
		s.answer(x, &edgev1.Subscription{Topic: name, Error: rpc.FromError(errTooManySub)})
		return
	}
	s.subs.set(x)
	if x.mode == edgev1.Mode_MODE_HEADS {
		s.follow(x, o.grant, o.kind.Class, o.known)
		return
	}
	s.events++
	s.metrics().subscribers.Inc()
	if t := s.stream(); t != nil {
		t.beginning[x] = struct{}{}
	}
	if o.kind.Class == edgev1.TopicClass_TOPIC_CLASS_VIEW {
		s.look(x, o)
		return
	}
	if x.cursor = o.want.GetCursor(); x.cursor == nil {
		x.cursor = x.granted
	}
	x.attach()
}

// use takes over what a grant says.
func (x *subscription) use(g *topicv1.Grant, caller auth.Caller) {
	if x.log = (heads.Name{Workspace: caller.Workspace, Topic: g.GetCanonical()}); x.log.Topic == "" {
		x.log.Topic = x.topic
	}
	x.user, x.granted, x.signals = caller.User, g.GetHead(), g.GetSignal()
	if x.granted == nil {
		x.granted = &edgev1.Cursor{}
	}
	if f := g.GetFloor(); f.GetEpoch() == x.granted.GetEpoch() {
		x.floor = f.GetOffset()
	}
}

// join gives each shard all that the turn has attached there, and has what the hubs answer at once told in one message.
func (s *session) join() {
	if len(s.joining) == 0 {
		return
	}
	apart := make([][]*subscription, len(s.g.shards))
	shards := 0
	for _, x := range s.joining {
		i := s.g.place(x.log)
		if apart[i] == nil {
			shards++
			apart[i] = make([]*subscription, 0, len(s.joining))
		}
		apart[i] = append(apart[i], x)
	}
	s.joining = nil
	left := &atomic.Int32{}
	left.Store(int32(shards))
	for i, mine := range apart {
		if len(mine) == 0 {
			continue
		}
		sh := s.g.shards[i]
		sh.do(func() {
			begun := sh.join(s, mine)
			s.put(func(s *session) {
				for _, b := range begun {
					b.tell(s)
				}
			})
			if left.Add(-1) == 0 { // all have put theirs
				s.turn()
			}
		})
	}
}

// unsubscribe ends subscriptions as the client wishes, also those that are only being opened.
func (s *session) unsubscribe(names []string) {
	if s.opening != nil && s.left == nil {
		s.left = make(map[string]bool, len(s.opening.GetWants()))
		for _, w := range s.opening.GetWants() {
			s.left[w.GetTopic()] = false
		}
	}
	gone := make(map[string]struct{}, len(names))
	for _, name := range names {
		gone[name] = struct{}{}
		if _, asked := s.left[name]; asked {
			s.left[name] = true
		}
		s.drop(name)
	}
	for _, f := range s.opens {
		f.Wants = slices.DeleteFunc(f.Wants, func(w *edgev1.Want) bool { _, ok := gone[w.GetTopic()]; return ok })
	}
}

func (s *session) drop(name string) {
	if x := s.subs.get(name); x != nil {
		s.release(x)
		if x.mode == edgev1.Mode_MODE_EVENTS {
			x.detach()
		}
	}
}

// release takes a subscription off the session's list.
func (s *session) release(x *subscription) {
	x.stopped = true
	if t := s.stream(); t != nil {
		delete(t.beginning, x)
	}
	if s.subs.get(x.topic) != x {
		return
	}
	s.subs.delete(x.topic)
	s.catching = without(s.catching, x)
	s.reopens = slices.DeleteFunc(s.reopens, func(r *subscription) bool { return r.topic == x.topic && r.watches == x.watches })
	if x.mode == edgev1.Mode_MODE_HEADS {
		s.unfollow(x)
		return
	}
	s.events--
	s.metrics().subscribers.Dec()
}

// refused tells that a hub could not begin a subscription.
func (s *session) refused(x *subscription, e *rpc.Error) {
	switch {
	case x.stopped:
	case x.watches != nil:
		s.renew(x.watches)
	default:
		s.release(x)
		s.answer(x, &edgev1.Subscription{Topic: x.topic, Error: rpc.FromError(e)})
	}
}

// stop ends a subscription from our side, behind all that was sent of it.
func (s *session) stop(x *subscription, e *rpc.Error) {
	switch {
	case x.stopped || s.state != open:
	case x.watches != nil:
		x.stopped = true
		s.renew(x.watches)
	default:
		s.tellAnswers() // that it began
		s.release(x)
		s.g.metrics.stopped.WithLabelValues(code(e.Code)).Inc()
		s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{x.topic}, Error: rpc.FromError(e)}}})
	}
}

// dropAll ends all subscriptions of a session that ends.
func (s *session) dropAll() {
	for x := range s.subs.all() {
		s.drop(x.topic)
	}
	for _, f := range s.opens {
		f.hold.Release()
	}
	s.subs, s.joining, s.catching, s.reopens, s.opens, s.answers, s.moved = topics{}, nil, nil, nil, nil, nil, nil
}

// answer tells what became of a want; the answers of one turn are told together, before any event.
func (s *session) answer(x *subscription, a *edgev1.Subscription) {
	s.answers = append(s.answers, answer{x.id, a})
}

func (s *session) tellAnswers() {
	answers := s.answers
	s.answers = nil
	for len(answers) > 0 {
		f := &edgev1.Subscribed{Id: answers[0].id}
		rest := answers[:0:0]
		for _, a := range answers {
			if a.id == f.GetId() {
				f.Subscriptions = append(f.Subscriptions, a.Subscription)
			} else {
				rest = append(rest, a)
			}
		}
		answers = rest
		s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: f}})
	}
}

// pull asks for the next parts of replays, round robin, as far as the client has read what went before.
func (s *session) pull() {
	for s.state == open && len(s.catching) > 0 && s.pulling < maxPulls && s.box.backlog() < s.queueLimit()/2 {
		x := s.catching[0]
		s.catching = s.catching[1:]
		s.pulling++
		x.shard().do(func() {
			if x.hub == nil || x.detached {
				x.pulled(false)
				return
			}
			x.hub.give(x)
		})
	}
}
