package gateway

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/heads"
	"plenum.internal/gateway/internal/intake"
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
	openTime    = 10 * time.Second
	wantBytes   = 256 // that a want takes besides its own while it is opened
	wantsToken  = 50  // wants that cost one token of READ
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

// opened is one want and what became of it.
type opened struct {
	want  *edgev1.Want
	grant *topicv1.Grant
	err   error
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
	if s.opening {
		s.opens = append(s.opens, f)
		return
	}
	s.left = make(map[string]bool, len(f.GetWants()))
	for _, w := range f.GetWants() {
		s.left[w.GetTopic()] = false
	}
	wants, refuse := f.GetWants(), s.mayOpen(len(f.GetWants()))
	todo := make([]opened, 0, len(wants))
	for i, w := range wants {
		if w.GetMode() == edgev1.Mode_MODE_UNSPECIFIED {
			w.Mode = edgev1.Mode_MODE_EVENTS
		}
		o := opened{want: w, err: refuse}
		switch k := s.g.catalog().Kind(w.GetTopic()); {
		case refuse != nil:
		case i >= maxWants:
			o.err = errTooManySub
		case k == nil || !topic.ValidName(w.GetTopic()):
			o.err = errTopic
		case !followable(k.Class, w.GetMode()):
			o.err = errMode
		case len(w.GetParams()) > 0: // only a VIEW has some
			o.err = errParams
		}
		todo = append(todo, o)
	}
	s.opening = true
	caller, ctx := s.caller, s.ask()
	bundles, others := s.g.apart(todo)
	left, held := 2, atomic.Int32{} // parts: of the turn, and of what is counted
	held.Store(2)
	part := func(list []opened) func() {
		return func() {
			s.g.open(ctx, caller, list)
			if held.Add(-1) == 0 { // also where the session has ended and takes no mail
				f.hold.Release()
			}
			s.mail(0, func(s *session) {
				for i := range list {
					if !s.left[list[i].want.GetTopic()] {
						s.attach(f.GetId(), &list[i])
					}
				}
				if left--; left == 0 {
					s.opened()
				}
			})
		}
	}
	if len(bundles) > 0 {
		s.g.bundles.do(part(bundles))
	} else {
		left--
		held.Add(-1)
	}
	s.g.calls.Go(part(others))
}

// opened begins with the next Subscribe.
func (s *session) opened() {
	s.opening, s.left = false, nil
	s.answered()
	if len(s.opens) > 0 && s.state == open {
		next := s.opens[0]
		s.opens = s.opens[1:]
		s.openNext(next)
	}
	s.ease()
}

// bundleOpens is how many bundles are opened at the same time, in all sessions. Each has thousands of members perhaps, which are held several
// times over on their way to the client: a storm of them all at once would take gigabytes, and leave what lives scattered among what it
// leaves behind.
const bundleOpens = 16

// apart parts bundles from the rest, which need not wait for them.
func (g *Gateway) apart(todo []opened) (bundles, others []opened) {
	for _, o := range todo {
		if k := g.catalog().Kind(o.want.GetTopic()); k != nil && k.Class == edgev1.TopicClass_TOPIC_CLASS_BUNDLE {
			bundles = append(bundles, o)
		} else {
			others = append(others, o)
		}
	}
	return bundles, others
}

func followable(c edgev1.TopicClass, m edgev1.Mode) bool {
	switch c {
	case edgev1.TopicClass_TOPIC_CLASS_LOG:
		return m == edgev1.Mode_MODE_EVENTS || m == edgev1.Mode_MODE_HEADS
	case edgev1.TopicClass_TOPIC_CLASS_BUNDLE:
		return m == edgev1.Mode_MODE_HEADS
	case edgev1.TopicClass_TOPIC_CLASS_RING, edgev1.TopicClass_TOPIC_CLASS_VIEW, edgev1.TopicClass_TOPIC_CLASS_UNSPECIFIED:
	}
	return false // RING and VIEW come with the edge's second half
}

func (s *session) mayOpen(wants int) error {
	if !time.Now().Before(s.caller.Expires) {
		return errStale
	}
	class := edgev1.RateClass_RATE_CLASS_READ
	if wait, ok := s.buckets[class].Take(s.g.cfg.rate(class), float64(1+wants/wantsToken), time.Now()); !ok {
		return errRate.RetryIn(wait)
	}
	return nil
}

// open asks the services, each once for all its topics, as the user.
//
// Invariant: a grant is as of the want's cursor or later. What lies behind its head is the hub's to look through for changes of access,
// and the hub begins at the cursor.
func (g *Gateway) open(ctx context.Context, caller auth.Caller, todo []opened) {
	byService := map[string][]*opened{}
	for i := range todo {
		if o := &todo[i]; o.err == nil {
			k := g.catalog().Kind(o.want.GetTopic())
			if k == nil { // its service was redeployed without it
				o.err = errTopic
				continue
			}
			byService[k.Service] = append(byService[k.Service], o)
		}
	}
	var wg sync.WaitGroup
	for service, list := range byService {
		wg.Go(func() { g.openAt(ctx, service, caller, list) })
	}
	wg.Wait()
}

func (g *Gateway) openAt(ctx context.Context, service string, caller auth.Caller, list []*opened) {
	ctx, cancel := context.WithTimeout(rpc.WithToken(ctx, caller.Token), openTime)
	defer cancel()
	req := &topicv1.OpenRequest{}
	for _, o := range list {
		req.Wants = append(req.Wants, o.want)
	}
	res, err := g.topics(service, routeKey(caller.Workspace, caller.User)).Open(ctx, req)
	for i, o := range list {
		switch {
		case err != nil:
			o.err = err
		case i >= len(res.GetGrants()) || res.GetGrants()[i].GetTopic() != o.want.GetTopic():
			o.err = away
		case res.GetGrants()[i].GetError() != nil:
			o.err = numbered(res.GetGrants()[i].GetError())
		case older(res.GetGrants()[i].GetHead(), o.want.GetCursor()): // no such event was there when it was asked for
			o.err = errResetEpoch
		default:
			o.grant = res.GetGrants()[i]
		}
	}
}

func older(head, cursor *edgev1.Cursor) bool {
	return head.GetEpoch() == cursor.GetEpoch() && head.GetOffset() < cursor.GetOffset()
}

// attach makes a subscription of a grant.
func (s *session) attach(id uint32, o *opened) {
	if s.state != open {
		return
	}
	name := o.want.GetTopic()
	s.drop(name)
	x := &subscription{s: s, topic: name, id: id, mode: o.want.GetMode()}
	if o.err != nil {
		s.answer(x, &edgev1.Subscription{Topic: name, Error: answerable(o.err)})
		return
	}
	x.service = s.g.catalog().Kind(name).Service
	x.use(o.grant, s.caller)
	tooMany := s.events >= int(s.g.cfg.Limits.Subscriptions)
	if x.mode == edgev1.Mode_MODE_HEADS {
		tooMany = s.heads+max(1, len(o.grant.GetMembers())) > int(s.g.cfg.Limits.Heads)
	}
	if tooMany {
		s.answer(x, &edgev1.Subscription{Topic: name, Error: rpc.FromError(errTooManySub)})
		return
	}
	s.subs.set(x)
	if x.mode == edgev1.Mode_MODE_HEADS {
		s.follow(x, o.grant)
		return
	}
	s.events++
	s.g.metrics.subscribers.Inc()
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

// join gives each shard all that the turn has attached there, and has what the hubs answer told in one message.
func (s *session) join() {
	for len(s.joining) > 0 {
		sh := s.joining[0].shard()
		var mine, others []*subscription
		for _, x := range s.joining {
			if x.shard() == sh {
				mine = append(mine, x)
			} else {
				others = append(others, x)
			}
		}
		s.joining = others
		sh.do(func() {
			for _, x := range mine {
				sh.hub(x.log, x.service).attach(x)
			}
			s.mail(0, func(*session) {}) // begins a turn with what they mailed for later
		})
	}
	s.joining = nil
}

// unsubscribe ends subscriptions as the client wishes, also those that are only being opened.
func (s *session) unsubscribe(names []string) {
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
	s.g.metrics.subscribers.Dec()
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
