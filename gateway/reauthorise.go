package gateway

import (
	"math/rand/v2"
	"slices"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// reopenWait is how long to wait, and as long again at random, before a service that could not answer is asked again.
const reopenWait = 500 * time.Millisecond

// reauthorise asks the services again for the subscriptions that a change of everybody's access has stopped. Where access is granted
// the subscription goes on, and the client isn't told.
func (s *session) reauthorise() {
	if len(s.reopens) == 0 || s.opening != nil {
		return
	}
	n := min(len(s.reopens), maxWants)
	list := slices.Clone(s.reopens[:n])
	s.reopens = slices.Delete(s.reopens, 0, n)
	todo := make([]opened, len(list))
	for i, x := range list {
		todo[i].want = &edgev1.Want{Topic: x.topic, Mode: x.mode, Cursor: x.cursor}
	}
	s.g.open(s.ask(), s.caller, todo, func() {
		s.mail(0, func(s *session) {
			s.answered()
			for i, x := range list {
				s.reattach(x, &todo[i])
			}
		})
	})
}

func (s *session) reattach(x *subscription, o *opened) {
	old := s.subs.get(x.topic)
	switch {
	case s.state != open || old == nil || old.id != x.id: // left, or subscribed anew meanwhile
	case o.err != nil && isTransient(o.err):
		time.AfterFunc(reopenWait+rand.N(reopenWait), func() {
			s.mail(0, func(s *session) { s.reopens = append(s.reopens, x) })
		})
	case o.err != nil:
		old.stopped = false // for stop
		s.stop(old, errRevoked)
	default:
		x.use(o.grant, s.caller)
		s.subs.set(x)
		x.attach()
	}
}
