package docs

import (
	"context"
	"errors"
	"strings"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// topics is the TopicService: that of the log, and the view of who is in a document.
type topics struct {
	*topic.Server
	s *Server
}

// TailEach reads views.
func (t topics) TailEach(stream topic.EachStream) error {
	return topic.TailEach(stream, t.s.tail) //nolint:wrapcheck // numbered
}

// tail tells of a view, as its user, until ctx ends.
func (s *Server) tail(ctx context.Context, q *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return err //nolint:wrapcheck // numbered
	}
	id, ok := strings.CutPrefix(q.GetTopic(), topicAwareness)
	if !ok || !validID(id) {
		return errTopic
	}
	return s.look(ctx, c, docKey{c.Workspace, id}, q.GetAfter(), send)
}

// look tells somebody who is in a document, as long as they may read it and this process has it. Then they come back, and find who has.
func (s *Server) look(ctx context.Context, c auth.Caller, k docKey, after *edgev1.Cursor, send func(*topicv1.TailResponse) error) error {
	begun := time.Now()
	if err := s.looking.begin(c, k.id); err != nil {
		return err
	}
	defer s.looking.end(c, k.id)
	if s.opens(k) { // as of atOwner: not for who may not read it
		if _, _, err := s.cover(ctx, c, k.id); err != nil {
			return err
		}
	}
	x, err := s.session(ctx, k)
	if err != nil {
		if _, elsewhere := errors.AsType[*ownedBy](err); elsewhere {
			s.giveUp(ctx, k) // the other would find this process there
		}
		return comeBack(err)
	}
	may := func() error {
		if err := x.owns(ctx); err != nil {
			return err
		}
		return x.allow(c, viewer)
	}
	var w *watched
	err = x.do(ctx, func() (err error) {
		w, err = x.look(may)
		return err
	})
	if err != nil {
		return comeBack(err)
	}
	defer x.unlook(w)
	l := w.enter(c.User, after, begun.Add(firstWait))
	defer func() { w.leave(l, time.Now()) }()
	// Each event changes what is seen, which has the version: so who loses the right is stopped within a second.
	// Invariant: what is sent was so before the right was looked at for the last time, so that who has lost it is shown nothing behind that.
	allowed := func(res *topicv1.TailResponse) error {
		if err := x.do(ctx, may); err != nil {
			return err
		}
		return send(res)
	}
	for first := true; ; first = false {
		select {
		case <-l.kick:
		case <-w.over:
			return errAway
		case <-x.ended:
			return errAway
		case <-x.adrift:
			return errAway
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // whoever looked has gone
		}
		if u := w.update(l, first); u != nil {
			if err := topic.SendView(u, allowed); err != nil {
				return comeBack(err)
			}
		}
	}
}

// comeBack is what a gateway is told that is to ask again, perhaps another process; what is an answer stays one.
func comeBack(err error) error {
	_, elsewhere := errors.AsType[*ownedBy](err)
	if elsewhere || errors.Is(err, errEnded) || errors.Is(err, errAdrift) {
		return errAway.Because(err)
	}
	return err
}
