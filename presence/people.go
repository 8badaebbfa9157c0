package presence

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

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
	// homeWait is how long a view waits for what other homes tell before it begins, and homeGap how often it looks.
	homeWait = time.Second
	homeGap  = 20 * time.Millisecond
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

// Tail implements TopicService: a view, as its user.
func (t topics) Tail(q *topicv1.TailRequest, stream grpc.ServerStreamingServer[topicv1.TailResponse]) (err error) {
	defer func() {
		if errors.Is(err, errViews) {
			t.s.told.refused.Add(1)
		}
	}()
	caller, err := rpc.Caller(stream.Context())
	if err != nil {
		return err //nolint:wrapcheck // numbered
	}
	if err := t.s.check(q.GetTopic(), q.GetParams()); err != nil {
		return err
	}
	if err := t.s.awaitCompany(stream.Context()); err != nil {
		return err
	}
	who := personKey{caller.Workspace, caller.User}
	if channel, ok := strings.CutPrefix(q.GetTopic(), topicChannel); ok {
		return t.s.tailChannel(stream.Context(), who, channel, q.GetParams(), q.GetAfter(), stream.Send)
	}
	users, err := t.s.people(q.GetParams())
	if err != nil {
		return err
	}
	v := &view{watcher: newWatcher(), who: who, users: users}
	if !t.s.views.open(v.who, v.watcher, t.s.cfg.Views) {
		return errViews
	}
	defer t.s.views.close(v.who, v.watcher)
	defer t.s.house.forget(v.watcher, nil)
	return t.s.tail(stream.Context(), v, q.GetAfter(), stream.Send)
}

// view is what one subscriber is shown.
type view struct {
	*watcher
	who   personKey
	users []string        // whom they want to see
	shown map[string]bool // whom they may
	gone  []string        // may not any more, and are to be told so
}

// look finds out whom a view may show. What is told of those who are new to it counts as new if it is newer than a version.
func (s *Server) look(v *view, since uint64) {
	met := s.company.met(v.who, v.users)
	now := make(map[string]bool, len(met))
	var come, gone []personKey
	for _, user := range met {
		if now[user] = true; !v.shown[user] {
			come = append(come, personKey{v.who.workspace, user})
		}
	}
	for user := range v.shown {
		if !now[user] {
			gone, v.gone = append(gone, personKey{v.who.workspace, user}), append(v.gone, user)
		}
	}
	v.shown = now
	v.lacking.Store(len(now) < len(v.users))
	if len(gone) > 0 {
		s.house.forget(v.watcher, gone)
	}
	s.house.watch(v.watcher, come, since)
}

// epoch is the life of a view's versions: of this process, and of whom it shows.
func (v *view) epoch(process uint64) uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, user := range v.users {
		if v.shown[user] {
			_, _ = d.WriteString(user + "\x00")
		}
	}
	return process ^ d.Sum64()>>11 // < 2^53
}

// tail tells what a view shows until ctx ends: a snapshot, or what is new to who knows it, and then changes.
func (s *Server) tail(ctx context.Context, v *view, after *edgev1.Cursor, send func(*topicv1.TailResponse) error) error {
	s.look(v, after.GetOffset())
	epoch := v.epoch(s.epoch)
	snapshot := after.GetEpoch() != epoch
	if snapshot && after.GetOffset() > 0 {
		s.house.forget(v.watcher, nil)
		v.shown = nil
		s.look(v, 0)
	}
	for end := time.Now().Add(homeWait); s.house.awaits(v.watcher) && time.Now().Before(end); {
		select {
		case <-time.After(homeGap):
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the subscriber has gone
		}
	}
	recheck := time.NewTicker(recheckGap)
	defer recheck.Stop()
	var frozen time.Time
	for first := true; ; first = false {
		list, version, froze := s.house.take(v.watcher)
		u := &edgev1.View{Snapshot: first && snapshot, At: &edgev1.Cursor{Epoch: epoch, Offset: version}}
		for _, n := range list {
			u.Entries = append(u.Entries, &edgev1.Entry{Key: n.user, Body: n.seen})
		}
		for _, user := range v.gone {
			u.Entries = append(u.Entries, &edgev1.Entry{Key: user, Removed: true})
		}
		v.gone = nil
		if first && !snapshot || !froze.Equal(frozen) { // who comes back may have been told otherwise
			frozen = froze
			u.Entries = append(u.Entries, ofView(froze))
		}
		if first || len(u.GetEntries()) > 0 {
			if err := topic.SendView(u, send); err != nil {
				return err //nolint:wrapcheck // the stream's own
			}
			s.told.note(u)
			select {
			case <-time.After(s.cfg.Interval):
			case <-ctx.Done():
				return ctx.Err() //nolint:wrapcheck // the subscriber has gone
			}
		}
		select {
		case <-v.kick:
		case <-v.again:
			s.look(v, 0)
		case <-recheck.C:
			s.look(v, 0)
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
	body, err := proto.Marshal(&presencev1.Entry{AsOfMs: frozen.UnixMilli()})
	if err != nil {
		panic(err) // it is a number
	}
	return &edgev1.Entry{Key: entryView, Body: body}
}

// views are those that are open.
type views struct {
	mu sync.Mutex // guards all below
	of map[personKey]map[*watcher]struct{}
	n  int
}

func newViews() *views { return &views{of: map[personKey]map[*watcher]struct{}{}} }

func (a *views) open(who personKey, v *watcher, most int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n >= most {
		return false
	}
	a.n++
	if a.of[who] == nil {
		a.of[who] = map[*watcher]struct{}{}
	}
	a.of[who][v] = struct{}{}
	return true
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
			v.reconsider()
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
				v.reconsider()
			}
		}
	}
}
