package gateway

import (
	"slices"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// moved is news of a single log: where it stood before the right to know was asked for.
type moved struct {
	b    *bundle
	head *edgev1.Head
}

// confirm tells where a single log stands once the user is found to have the right to know: nobody reads the log here, so nobody
// sees a change of access in it.
//
// Invariant: what is told was true before access was granted, so nothing behind a removal is told to who was removed.
func (s *session) confirm(b *bundle, head *edgev1.Head) {
	s.moved = append(s.moved, moved{b, head})
	s.confirmAll()
}

// confirmAll asks for all that waits, a few times a second at most.
func (s *session) confirmAll() {
	if s.confirming || len(s.moved) == 0 || s.state != open {
		return
	}
	n := min(len(s.moved), maxWants)
	list := slices.Clone(s.moved[:n])
	s.moved = slices.Delete(s.moved, 0, n)
	todo := make([]opened, n)
	for i, m := range list {
		todo[i].want = &edgev1.Want{Topic: m.b.x.topic, Mode: m.b.x.mode}
	}
	s.confirming = true
	s.g.open(s.ask(), s.caller, todo, func() {
		s.mail(0, func(s *session) {
			s.answered()
			for i, m := range list {
				s.confirmed(m, todo[i].err)
			}
			time.AfterFunc(headsPause, func() {
				s.mail(0, func(s *session) {
					s.confirming = false
					s.confirmAll()
				})
			})
		})
	})
}

func (s *session) confirmed(m moved, err error) {
	switch {
	case m.b.x.stopped || s.state != open:
	case err != nil && isTransient(err):
		m.b.members.forget(m.head)
		m.b.Moved(m.head.GetRef())
	case err != nil:
		s.stop(m.b.x, errRevoked)
	default:
		m.b.tell([]*edgev1.Head{m.head}, false)
	}
}
