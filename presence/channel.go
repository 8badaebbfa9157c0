package presence

import (
	"context"
	"slices"
	"sync"
	"time"

	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
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
	// hallLinger is how long a hall is kept that nobody looks at: who turns the page comes back.
	hallLinger = 5 * time.Second
	// hallPatience is how long a hall waits for other homes to tell of its members, before its first frame says that they are not known.
	hallPatience = 500 * time.Millisecond
	// firstWait is how long after its opening a view begins, also where others look already: when it begins doesn't tell whether they do.
	firstWait = hallPatience + 2*tickGap
	hallBatch = 1000 // members who are watched while others wait for the house
	// ownMembers is how much less than all members for which there is room the channels may have, taken together, that one person looks at: a fifth of
	// them. One channel they may look at in any case.
	ownMembers = 5
)

// window is what one subscriber is shown of a channel.
type window struct {
	*watcher // of nobody: the hall watches for all
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
	if err := s.awaitCompany(ctx); err != nil {
		return err
	}
	k := roomKey{who.workspace, channel}
	v := newWindow(who, want, after)
	v.lacking.Store(true) // until they are a member
	if err := s.views.open(who, v.watcher, s.cfg.Views); err != nil {
		return err
	}
	defer s.views.close(who, v.watcher)
	if err := s.admit(ctx, v, k); err != nil {
		return err
	}
	h, err := s.halls.enter(k, v, s.company.size(k), s.cfg.Members, time.Now())
	if err != nil {
		return err
	}
	defer func() { s.halls.leave(h, v, time.Now()) }()
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
		case <-v.again:
		case <-recheck.C:
			if home := s.placement().Home(topic.RouteKey(who.workspace, channel)).ID; home != "" && home != s.peers.Node().ID {
				return errAway // who begins to look now does so there, and would not see who looks here
			}
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the subscriber has gone
		}
		if !s.company.has(k, who.user) {
			return errTopic
		}
		f := h.frame.Load()
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
		s.told.note(u)
		rest, kick = time.After(s.cfg.Interval), nil
	}
}

// admit waits for a moment until somebody is known to be a member of a channel: they are told otherwise by the same words as of a channel that isn't there.
func (s *Server) admit(ctx context.Context, v *window, k roomKey) error {
	defer v.lacking.Store(false)
	late := time.After(joinWait)
	for !s.company.has(k, v.who.user) {
		select {
		case <-v.again:
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

// halls are those that somebody looks at. No two of its lock, the house's, the company's and that of the views are held at the same time.
type halls struct {
	mu      sync.Mutex // guards all below, and what hall says
	all     map[roomKey]*hall
	of      map[personKey]map[*hall]int // how many views people have of which; 0: theirs was the last, and it is kept for them
	members int                         // of all
}

func newHalls() *halls { return &halls{all: map[roomKey]*hall{}, of: map[personKey]map[*hall]int{}} }

// enter has somebody look at a channel. Whether there is room for it does not depend on whether others look at it.
func (a *halls) enter(k roomKey, v *window, size, most int, now time.Time) (*hall, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.all[k]
	if _, own := a.of[v.who][h]; !own {
		open, kept := 0, 0
		for other, n := range a.of[v.who] {
			if n > 0 {
				open += other.size
			} else {
				kept += other.size
			}
		}
		switch {
		case open > 0 && open+size > most/ownMembers:
			return nil, errOwnMembers
		case kept > 0 && open+kept+size > most/ownMembers, a.members+size > most:
			return nil, errViews // those that are kept won't be for long
		}
	}
	if h == nil {
		h = newHall(k, now)
		a.all[k] = h
		a.resize(h, size)
	}
	h.views[v] = struct{}{}
	if a.of[v.who] == nil {
		a.of[v.who] = map[*hall]int{}
	}
	a.of[v.who][h]++
	a.acquit(h.last, h)
	h.stirred = h.stirred || v.want.GetLooking()
	v.kick.raise()
	return h, nil
}

func (a *halls) leave(h *hall, v *window, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(h.views, v)
	if a.of[v.who][h]--; len(h.views) > 0 {
		a.acquit(v.who, h)
	}
	h.stirred = h.stirred || v.want.GetLooking()
	h.left, h.last = now, v.who
}

// acquit has a hall count no more for somebody who has no view of it.
func (a *halls) acquit(who personKey, h *hall) {
	if a.of[who][h] > 0 {
		return
	}
	if delete(a.of[who], h); len(a.of[who]) == 0 {
		delete(a.of, who)
	}
}

func (a *halls) resize(h *hall, size int) {
	a.members += size - h.size
	h.size = size
}

// recheck has halls find out who is a member of some channels now, and recheckAll of all.
func (a *halls) recheck(rooms []*chatv1.Room) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range rooms {
		if h := a.all[roomKey{r.GetWorkspace(), r.GetChannel()}]; h != nil {
			h.stale = true
		}
	}
}

func (a *halls) recheckAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.all {
		h.stale = true
	}
}

// due are the halls in which something may be new at a time, and those that nobody looks at any more, which are taken off the list.
func (a *halls) due(now time.Time, interval time.Duration) (due, ended []*hall) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, h := range a.all {
		switch {
		case len(h.views) == 0 && now.Sub(h.left) >= hallLinger:
			a.resize(h, 0)
			a.acquit(h.last, h)
			delete(a.all, k)
			ended = append(ended, h)
		case !h.shown.IsZero() && now.Sub(h.shown) < interval:
		case h.shown.IsZero() || h.stirred || h.stale || len(h.kick) > 0:
			due = append(due, h)
		}
	}
	return due, ended
}

// begin returns who looks at a hall, nil: as before; and whether who is a member may have changed.
func (a *halls) begin(h *hall) (lookers map[string]bool, stale bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h.stirred {
		lookers = map[string]bool{}
		for v := range h.views {
			if v.want.GetLooking() {
				lookers[v.who.user] = true
			}
		}
	}
	stale = h.stale
	h.stirred, h.stale = false, false
	return lookers, stale
}

// tell has all who look at a hall see that it has changed.
func (a *halls) tell(h *hall) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.resize(h, len(h.members))
	for v := range h.views {
		v.kick.raise()
	}
}

// keepHalls has the halls show what is new, until ctx ends.
func (s *Server) keepHalls(ctx context.Context) {
	tick := time.NewTicker(tickGap)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tend(time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// tend does what is due in the halls at a time.
func (s *Server) tend(now time.Time) {
	due, ended := s.halls.due(now, s.cfg.Interval)
	for _, h := range due {
		seen := s.renew(h, now)
		if h.shown.IsZero() {
			seen = h.counts[rankUnknown] == 0 || now.Sub(h.began) >= hallPatience
		}
		if seen {
			h.show(now)
			s.halls.tell(h)
		}
	}
	for _, h := range ended {
		var all []personKey
		for user := range h.members {
			all = append(all, personKey{h.key.workspace, user})
		}
		for some := range slices.Chunk(all, hallBatch) {
			s.house.forget(h.watcher, some, now)
		}
		s.house.forget(h.watcher, nil, now)
	}
}

// renew takes in what is new in a hall.
func (s *Server) renew(h *hall, now time.Time) (seen bool) {
	select {
	case <-h.kick:
	default:
	}
	lookers, stale := s.halls.begin(h)
	var gone []string
	if stale {
		gone = s.recount(h, now)
	}
	list, frozen := s.house.take(h.watcher)
	return h.take(list, gone, lookers, frozen)
}

// recount has those watched who have come to a channel, and returns who has left.
func (s *Server) recount(h *hall, now time.Time) (gone []string) {
	members := s.company.members(h.key)
	var come, left []personKey
	for user := range members {
		if h.members[user] == nil {
			come = append(come, personKey{h.key.workspace, user})
		}
	}
	for user := range h.members {
		if _, is := members[user]; !is {
			gone, left = append(gone, user), append(left, personKey{h.key.workspace, user})
		}
	}
	for some := range slices.Chunk(left, hallBatch) {
		s.house.forget(h.watcher, some, now)
	}
	for some := range slices.Chunk(come, hallBatch) {
		s.house.watch(h.watcher, some)
	}
	return gone
}
