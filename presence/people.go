package presence

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	topicPeople  = "presence.people/me"
	topicChannel = "presence.channel/" // and the channel's id
	entryView    = "~"                 // the key of what is told of a view itself
	entryCounts  = "#"                 // and of how many members a channel has
	// recheckGap is when a view looks again whom it may show, though chat has told nothing of it.
	recheckGap = 30 * time.Second
	// homeTime is what other homes have to tell of people whom a view is new to, whether or not others look at them already: when they are shown doesn't
	// tell. homeWait is how long a home is waited for that needs longer, and homeGap how often it is looked.
	homeTime = 250 * time.Millisecond
	homeWait = time.Second
	homeGap  = 25 * time.Millisecond
)

// topics is the TopicService.
type topics struct {
	topicv1.UnimplementedTopicServiceServer
	s *Server
}

// Open implements TopicService.
func (t topics) Open(ctx context.Context, q *topicv1.OpenRequest) (*topicv1.OpenResponse, error) {
	return topic.OpenOne(ctx, q, t.open)
}

// OpenEach implements TopicService.
func (t topics) OpenEach(ctx context.Context, q *topicv1.OpenEachRequest) (*topicv1.OpenEachResponse, error) {
	return topic.OpenEach(ctx, q, t.open)
}

func (t topics) open(_ context.Context, openings []*topic.Opening) error {
	for _, o := range openings {
		for _, w := range o.Wants {
			g := &topicv1.Grant{Topic: w.GetTopic()}
			if err := t.s.check(w.GetTopic(), w.GetParams()); err != nil {
				g.Error = rpc.FromError(err)
			}
			o.Grants = append(o.Grants, g)
		}
	}
	return nil
}

// check says what is wrong with what is asked for. Whether somebody is a member of a channel its view finds out: nobody else's topics have to wait for that.
func (s *Server) check(name string, params []byte) (err error) {
	switch {
	case name == topicPeople:
		_, err = s.people(params)
	case strings.HasPrefix(name, topicChannel):
		_, err = readWindow(params)
	default:
		err = errTopic
	}
	return err
}

// people are those whom a view is to show, each once.
func (s *Server) people(params []byte) ([]string, error) {
	p := &presencev1.People{}
	if err := topic.ReadParams(params, p); err != nil {
		return nil, err //nolint:wrapcheck // numbered
	}
	if len(p.GetUsers()) > s.cfg.MaxPeople {
		return nil, badField("params.users", "A view shows %d people at most.", s.cfg.MaxPeople)
	}
	users := p.GetUsers()
	slices.Sort(users)
	return slices.Compact(users), nil
}

// TailEach implements TopicService.
func (t topics) TailEach(stream topic.EachStream) error {
	return topic.TailEach(stream, t.s.tailAny) //nolint:wrapcheck // numbered
}

// tailAny tells of a view, as its user, until ctx ends.
func (s *Server) tailAny(ctx context.Context, q *topicv1.TailRequest, send func(*topicv1.TailResponse) error) (err error) {
	defer func() {
		if errors.Is(err, errViews) {
			s.deliveries.refused.Add(1)
		}
	}()
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return err //nolint:wrapcheck // numbered
	}
	who := personKey{caller.Workspace, caller.User}
	if channel, ok := strings.CutPrefix(q.GetTopic(), topicChannel); ok {
		return s.tailChannel(ctx, who, channel, q.GetParams(), q.GetAfter(), send)
	}
	if q.GetTopic() != topicPeople {
		return errTopic
	}
	users, err := s.people(q.GetParams())
	if err != nil {
		return err
	}
	if err := s.awaitMemberships(ctx); err != nil {
		return err
	}
	v := &view{watcher: newWatcher(len(users)), who: who, users: users}
	if err := s.views.open(v.who, v.watcher, s.cfg.Views); err != nil {
		return err
	}
	defer s.views.close(v.who, v.watcher)
	defer func() { s.hub.forget(v.watcher, nil, time.Now()) }()
	return s.tail(ctx, v, q.GetAfter(), send)
}

// view is what one subscriber is shown.
type view struct {
	*watcher
	cursor
	who    personKey
	users  []string          // whom they want to see, in order
	shown  map[string]uint64 // whom they may, and the hash of what they were told of them; 0: nothing yet
	gone   []*edgev1.Entry   // of whom they may not see any more, to be taken away
	frozen time.Time         // as they were told last
}

// refresh finds out whom a view may show, and gives other homes the time to tell of those who are new to it.
func (s *Server) refresh(ctx context.Context, v *view) error {
	met := s.memberships.visible(v.who, v.users)
	now := make(map[string]uint64, len(met))
	var come, gone []personKey
	for _, user := range met {
		told, is := v.shown[user]
		if now[user] = told; !is {
			come = append(come, personKey{v.who.workspace, user})
		}
	}
	for user, told := range v.shown {
		if _, is := now[user]; !is {
			gone = append(gone, personKey{v.who.workspace, user})
			if v.held -= told; told != 0 {
				v.gone = append(v.gone, &edgev1.Entry{Key: user, Removed: true})
			}
		}
	}
	v.shown = now
	v.lacking.Store(len(now) < len(v.users))
	if len(gone) > 0 {
		s.hub.forget(v.watcher, gone, time.Now())
	}
	s.hub.watch(v.watcher, come)
	for begin := time.Now(); ; {
		elsewhere, untold := s.hub.awaits(v.watcher, come)
		waited := time.Since(begin)
		if !elsewhere || !untold && waited >= homeTime || waited >= homeWait {
			return nil
		}
		select {
		case <-time.After(max(homeGap, homeTime-waited)):
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the subscriber has gone
		}
	}
}

// news is what is new to a view.
func (s *Server) news(v *view) (list []*edgev1.Entry) {
	people, frozen := s.hub.takeNews(v.watcher)
	for _, n := range people {
		e := &edgev1.Entry{Key: n.user, Body: n.seen}
		if was, now := v.shown[n.user], hash(e); was != now {
			v.held += now - was
			v.shown[n.user] = now
			list = append(list, e)
		}
	}
	list = append(list, v.gone...)
	if v.gone = nil; !frozen.Equal(v.frozen) {
		e := ofView(frozen)
		v.held += hash(e) - hash(ofView(v.frozen))
		v.frozen = frozen
		list = append(list, e)
	}
	return list
}

// tail tells what a view shows until ctx ends: a snapshot, or nothing to who comes back with what there is, and then changes.
func (s *Server) tail(ctx context.Context, v *view, after *edgev1.Cursor, send func(*topicv1.TailResponse) error) error {
	if err := s.refresh(ctx, v); err != nil {
		return err
	}
	recheck := time.NewTicker(recheckGap)
	defer recheck.Stop()
	for first := true; ; first = false {
		u := &edgev1.View{Entries: s.news(v)}
		if first {
			if u.Snapshot = !v.resume(after); !u.GetSnapshot() {
				u.Entries = nil
			}
		}
		if first || len(u.GetEntries()) > 0 {
			if err := v.send(u, send); err != nil {
				return err
			}
			s.deliveries.note(u)
			select {
			case <-time.After(s.cfg.Interval):
			case <-ctx.Done():
				return ctx.Err() //nolint:wrapcheck // the subscriber has gone
			}
		}
		select {
		case <-v.kick:
		case <-v.recheck:
			if err := s.refresh(ctx, v); err != nil {
				return err
			}
		case <-recheck.C:
			if err := s.refresh(ctx, v); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // likewise
		}
	}
}

// ofView is the entry that says since when what is told may be old; zero: it is true.
func ofView(frozen time.Time) *edgev1.Entry {
	if frozen.IsZero() {
		return &edgev1.Entry{Key: entryView, Removed: true}
	}
	return &edgev1.Entry{Key: entryView, Body: marshal(&presencev1.Entry{AsOfMs: frozen.UnixMilli()})}
}

// MaxOwnViews is how many views one person may have open at one process: what one session may follow at a gateway.
const MaxOwnViews = 200

// views are those that are open.
type views struct {
	mu sync.Mutex // guards all below
	of map[personKey]map[*watcher]struct{}
	n  int
}

func newViews() *views { return &views{of: map[personKey]map[*watcher]struct{}{}} }

// open adds one of at most so many.
func (a *views) open(who personKey, v *watcher, most int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case len(a.of[who]) >= MaxOwnViews:
		return errOwnViews
	case a.n >= most:
		return errViews
	}
	a.n++
	if a.of[who] == nil {
		a.of[who] = map[*watcher]struct{}{}
	}
	a.of[who][v] = struct{}{}
	return nil
}

func (a *views) close(who personKey, v *watcher) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n--
	if delete(a.of[who], v); len(a.of[who]) == 0 {
		delete(a.of, who)
	}
}

// recheckAll has all views looked at anew.
func (a *views) recheckAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, theirs := range a.of {
		for v := range theirs {
			v.recheck.raise()
		}
	}
}

// recheck has people's views looked at anew, or those of them that do not show all who are wanted.
func (a *views) recheck(of []personKey, lacking bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range of {
		for v := range a.of[k] {
			if !lacking || v.lacking.Load() {
				v.recheck.raise()
			}
		}
	}
}
