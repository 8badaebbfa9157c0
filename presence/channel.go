package presence

import (
	"context"
	"time"

	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	// MaxWindow is how many members a view of a channel shows.
	MaxWindow = 200
	// maxRemoved is how many entries a view takes away one by one before it tells all anew: at a gateway they wait for who reads slowly, each for
	// itself, and more than 1,000 end the view.
	maxRemoved = 500
	// joinWait is how long a view waits for chat's word that somebody is a member who may have become one a moment ago.
	joinWait = time.Second
	// firstWait is how long after its opening a view begins, also where others look already: when it begins doesn't tell whether they do.
	firstWait = roomPatience + 2*tickGap
)

// window is what one subscriber is shown of a channel.
type window struct {
	*watcher // of nobody: the room watches for all
	cursor
	who     personKey
	want    *presencev1.Window
	after   *edgev1.Cursor // what the subscriber has; nil: nothing
	told    []*edgev1.Entry
	removed int // entries, since all was told
}

func newWindow(who personKey, want *presencev1.Window, after *edgev1.Cursor) *window {
	return &window{watcher: newWatcher(0), who: who, want: want, after: after}
}

func readWindow(params []byte) (*presencev1.Window, error) {
	w := &presencev1.Window{}
	if err := topic.ReadParams(params, w); err != nil {
		return nil, err //nolint:wrapcheck // numbered
	}
	if w.GetLimit() > MaxWindow {
		return nil, badField("params.limit", "A view shows %d members at most. Show the others by params.offset.", MaxWindow)
	}
	return w, nil
}

// tailChannel tells what somebody sees of a channel until ctx ends, or they are no member of it any more.
func (s *Server) tailChannel(ctx context.Context, who personKey, channel string, params []byte, after *edgev1.Cursor, send func(*topicv1.TailResponse) error) error {
	want, err := readWindow(params)
	if err != nil {
		return err
	}
	if err := s.awaitMemberships(ctx); err != nil {
		return err
	}
	k := channelKey{who.workspace, channel}
	v := newWindow(who, want, after)
	v.lacking.Store(true) // until they are a member
	if err := s.views.open(who, v.watcher, s.cfg.Views); err != nil {
		return err
	}
	defer s.views.close(who, v.watcher)
	if err := s.admit(ctx, v, k); err != nil {
		return err
	}
	r, err := s.rooms.enter(k, v, s.memberships.size(k), s.cfg.Members, time.Now())
	if err != nil {
		return err
	}
	defer func() { s.rooms.leave(r, v, time.Now()) }()
	recheck := time.NewTicker(recheckGap)
	defer recheck.Stop()
	var kick signal               // nil: no update may be told yet
	rest := time.After(firstWait) // nil: one may
	for {
		select {
		case <-kick:
		case <-rest:
			rest, kick = nil, v.kick
			continue
		case <-v.recheck:
		case <-recheck.C:
			if home := s.placement().Home(topic.RouteKey(who.workspace, channel)).ID; home != "" && home != s.peers.Node().ID {
				return errAway // who begins to look now does so there, and would not see who looks here
			}
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the subscriber has gone
		}
		if !s.memberships.has(k, who.user) {
			return errTopic
		}
		f := r.frame.Load()
		if kick == nil || f == nil {
			continue
		}
		u := v.update(f)
		if u == nil {
			continue
		}
		if err := v.send(u, send); err != nil {
			return err
		}
		s.deliveries.note(u)
		rest, kick = time.After(s.cfg.Interval), nil
	}
}

// admit waits for a moment until somebody is known to be a member of a channel: they are told otherwise by the same words as of a channel that isn't there.
func (s *Server) admit(ctx context.Context, v *window, k channelKey) error {
	defer v.lacking.Store(false)
	late := time.After(joinWait)
	for !s.memberships.has(k, v.who.user) {
		select {
		case <-v.recheck:
		case <-late:
			return errTopic
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the subscriber has gone
		}
	}
	return nil
}

// update is what a frame has that was not told yet; nil: nothing. First of all it is a snapshot, or nothing to who comes back with what there is.
func (v *window) update(f *frame) *edgev1.View {
	told := v.told
	v.told = f.in(v.want)
	list, removed := difference(told, v.told)
	if told != nil && len(list) == 0 {
		return nil
	}
	v.removed += removed
	v.held = 0
	for _, e := range v.told {
		v.held += hash(e)
	}
	switch {
	case told == nil && v.resume(v.after):
		return &edgev1.View{}
	case told == nil, v.removed > maxRemoved:
		v.removed = 0
		return &edgev1.View{Entries: v.told, Snapshot: true}
	}
	return &edgev1.View{Entries: list}
}
