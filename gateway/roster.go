package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"google.golang.org/grpc"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/topic"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

const (
	rosterGap     = 100 * time.Millisecond // between two messages to one process
	rosterSilence = 5 * time.Second        // without one
	rosterBatch   = 1000                   // of each kind in one message
	rosterWaiting = 200_000                // that wait for one process, besides what it is told in the beginning; more, and it is told all anew
	rosterPause   = 200 * time.Millisecond // before a process is told anew, and as long again at random
	maxUserAgent  = 192                    // bytes of the header that are told
)

// roster tells the processes of presence of the gateway's sessions, each of the people whose home it is.
type roster struct {
	g *Gateway

	mu      sync.Mutex // guards all below, and the home of every attendance
	last    uint64     // number given
	all     map[uint64]*attendance
	place   registry.Placement
	tellers map[registry.Node]*teller
	others  map[outsider]*deeds // that were told of within the last minute; no more than maxOutsiders
	minutes []minute            // behind what was told, as they end; no more than maxMinutes
}

// attendance is a session, as it is told of.
type attendance struct {
	number                   uint64
	of                       *session
	workspace, user, session string
	agent                    unique.Handle[string]
	device, country          string
	program                  bool
	began                    time.Duration // by the gateway's alarms
	showing                  *atomic.Int32 // its person's
	deeds
	home *teller
}

// showing is whether others may see what somebody signals, as their home tells it.
type showing int32

const (
	untold showing = iota // it is not known yet: they don't
	shown
	hidden
)

func (a *attendance) route() string { return topic.RouteKey(a.workspace, a.user) }

// teller tells one process. While its stream is not there nothing waits: it begins with all that there is.
type teller struct {
	node     registry.Node
	end      context.CancelFunc
	queue    []report // in order
	most     int      // of them
	streams  bool
	overflow bool
}

// report is one thing that a process is to be told.
type report struct {
	opened                   *attendance
	closed, hidden, complete uint64
	idle                     time.Duration
	deed                     *rosterv1.Deed
	act                      *rosterv1.Act
	ended                    *rosterv1.Ended
}

func newRoster(g *Gateway) *roster {
	return &roster{g: g, all: map[uint64]*attendance{}, others: map[outsider]*deeds{}, tellers: map[registry.Node]*teller{}}
}

// attend has a session told of in which nothing has been done for a while, or for notSaid.
func (r *roster) attend(s *session, idle time.Duration) {
	_, id, _ := strings.Cut(s.from, "/")
	a := &attendance{
		of: s, workspace: s.caller.Workspace, user: s.caller.User, session: id, agent: s.agent, program: s.caller.Kind == auth.KindService,
		device: s.caller.Device, country: s.country.Value(), began: s.started, showing: &s.listed.among.showing,
	}
	now := r.g.alarms.now()
	a.begin(now, idle)
	s.attendance = a
	r.mu.Lock()
	defer r.mu.Unlock()
	if idle != notSaid && idle < deedGap && s.stream() == nil {
		r.toldOf(now, &a.deeds, minute{session: a})
	}
	r.last++
	a.number = r.last
	r.all[a.number] = a
	if a.home = r.tellers[r.place.Home(a.route())]; a.home != nil {
		a.home.tell(report{opened: a, idle: idle})
	}
}

// leave has it told that a session has ended.
func (r *roster) leave(a *attendance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, a.number)
	if a.home != nil {
		a.home.tell(report{closed: a.number})
	}
}

// ended has it told that somebody was signed out on a device, or everywhere: their sessions are over without the time in which they might come back.
func (r *roster) ended(who outsider) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if home := r.homeOf(who); home != nil {
		home.tell(report{ended: &rosterv1.Ended{Workspace: who.workspace, User: who.user, Device: who.device}})
	}
}

// homeOf is who tells a device's person's home; nil: nobody. The roster's lock is held.
func (r *roster) homeOf(who outsider) *teller {
	return r.tellers[r.place.Home(topic.RouteKey(who.workspace, who.user))]
}

// isShown says whether what is signalled in the session may pass: nobody is told of sessions, or the person's home has said so. Its turn calls it.
func (s *session) isShown() bool {
	return s.g.cfg.Roster == "" || s.attendance != nil && showing(s.attendance.showing.Load()) == shown
}

// tell queues a report. The roster's lock is held.
func (t *teller) tell(what report) {
	if !t.streams || t.overflow {
		return
	}
	if len(t.queue) >= t.most {
		t.queue, t.overflow = nil, true
	} else {
		t.queue = append(t.queue, what)
	}
}

// run follows where the processes of presence are, until ctx ends.
func (r *roster) run(ctx context.Context) {
	second := time.NewTicker(minuteGap)
	defer second.Stop()
	for {
		nodes, changed := r.g.deps.Services.Watch()
		var homes []registry.Node
		for _, n := range nodes {
			if n.Service == r.g.cfg.Roster {
				homes = append(homes, n)
			}
		}
		r.settle(ctx, registry.NewPlacement(homes))
		for waits := true; waits; {
			select {
			case <-changed:
				waits = false
			case <-second.C:
				r.lookBack(r.g.alarms.now())
			case <-ctx.Done():
				return
			}
		}
	}
}

// settle has people told of at their homes, among the processes that are there now.
func (r *roster) settle(ctx context.Context, place registry.Placement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if place.Number() == r.place.Number() {
		return
	}
	r.place = place
	here := map[registry.Node]bool{}
	for _, n := range place.Nodes() {
		if here[n] = true; r.tellers[n] == nil {
			ctx, end := context.WithCancel(ctx)
			t := &teller{node: n, end: end}
			r.tellers[n] = t
			r.g.tasks.Go(func() { r.keepTelling(ctx, t) })
		}
	}
	for n, t := range r.tellers {
		if !here[n] {
			t.end()
			delete(r.tellers, n)
		}
	}
	now := r.g.alarms.now()
	for _, a := range r.all {
		home := r.tellers[place.Home(a.route())]
		if home == a.home {
			continue
		}
		if a.home != nil {
			a.home.tell(report{closed: a.number})
		}
		if a.home = home; home != nil {
			home.tell(report{opened: a, idle: a.idle(now)})
		}
	}
	for _, t := range r.tellers {
		t.tell(report{complete: place.Number()})
	}
}

// keepTelling tells one process until ctx ends.
func (r *roster) keepTelling(ctx context.Context, t *teller) {
	for ctx.Err() == nil {
		err := r.tellAll(ctx, t)
		r.mu.Lock()
		t.queue, t.streams, t.overflow = nil, false, false
		r.mu.Unlock()
		if ctx.Err() == nil {
			r.g.log.Debug("a process can't be told of sessions", "node", t.node.ID, "error", err)
		}
		select {
		case <-time.After(rosterPause + rand.N(rosterPause)):
		case <-ctx.Done():
		}
	}
}

// tellAll tells all that there is, and then what changes, by one stream.
func (r *roster) tellAll(ctx context.Context, t *teller) error {
	ctx, cancel := context.WithCancel(ctx)
	var hearing sync.WaitGroup
	defer hearing.Wait()
	defer cancel()
	cc, err := r.g.deps.Services.To(t.node)
	if err != nil {
		return err
	}
	stream, err := rosterv1.NewRosterServiceClient(cc).Report(ctx)
	if err != nil {
		return fmt.Errorf("gateway: report sessions: %w", err)
	}
	heard := make(chan error, 1)
	hearing.Go(func() { heard <- r.hear(t, stream) })
	r.mu.Lock()
	t.streams = true
	now := r.g.alarms.now()
	for _, a := range r.all {
		if a.home == t {
			t.queue = append(t.queue, report{opened: a, idle: a.idle(now)})
		}
	}
	t.most = len(t.queue) + rosterWaiting
	t.tell(report{complete: r.place.Number()})
	r.mu.Unlock()
	q := &rosterv1.ReportRequest{Gateway: r.g.deps.Incarnation}
	beat := time.NewTicker(rosterGap) // whatever was told before: so that what is heeded waits as an end does, and nobody can tell one from the other
	defer beat.Stop()
	for {
		if err := stream.Send(q); err != nil {
			return <-heard // says why
		}
		sent := time.Now()
		for q = nil; q == nil; {
			select {
			case <-beat.C:
			case err := <-heard:
				return err
			}
			if q, err = r.next(t); err != nil {
				return err
			}
			if q == nil && time.Since(sent) >= rosterSilence {
				q = &rosterv1.ReportRequest{}
			}
		}
	}
}

// hear takes in what a process answers, until its stream ends.
func (r *roster) hear(t *teller, stream grpc.BidiStreamingClient[rosterv1.ReportRequest, rosterv1.ReportResponse]) error {
	for {
		res, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("gateway: report sessions: %w", err)
		}
		r.mu.Lock()
		r.learn(t, res.GetShown(), shown)
		r.learn(t, res.GetHidden(), hidden)
		r.mu.Unlock()
	}
}

// learn takes in that sessions are shown, or hidden, from the process that is their home. What was known of the others stays. Who hides leaves all topics
// as if they closed the connection, and that nothing passes from then on is told as an end would be. The roster's lock is held.
func (r *roster) learn(t *teller, numbers []uint64, what showing) {
	for _, n := range numbers {
		if a := r.all[n]; a != nil && a.home == t {
			if a.showing.Store(int32(what)); what == hidden {
				a.of.mail(0, func(s *session) {
					if !s.isShown() {
						s.part()
					}
				})
				t.tell(report{hidden: n})
			}
		}
	}
}

// errOverflow: what one process is to be told has become too much to wait.
var errOverflow = fmt.Errorf("gateway: more than %d reports wait", rosterWaiting)

// next takes what is to be told next; nil: nothing.
func (r *roster) next(t *teller) (*rosterv1.ReportRequest, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.overflow {
		return nil, errOverflow
	}
	n := min(len(t.queue), rosterBatch)
	if n == 0 {
		return nil, nil //nolint:nilnil // there is nothing
	}
	q := &rosterv1.ReportRequest{}
	for i, x := range t.queue[:n] {
		switch {
		case x.opened != nil:
			q.Opened = append(q.Opened, x.opened.message(x.idle, r.g.alarms.now()))
		case x.closed != 0:
			q.Closed = append(q.Closed, x.closed)
		case x.hidden != 0:
			q.Hidden = append(q.Hidden, x.hidden)
		case x.deed != nil:
			q.Deeds = append(q.Deeds, x.deed)
		case x.act != nil:
			q.Acts = append(q.Acts, x.act)
		case x.ended != nil:
			q.Ended = append(q.Ended, x.ended)
		default:
			q.Complete = x.complete
		}
		t.queue[i] = report{}
	}
	if t.queue = t.queue[n:]; len(t.queue) == 0 {
		t.queue = nil
	}
	return q, nil
}

func (a *attendance) message(idle, now time.Duration) *rosterv1.Connection {
	c := &rosterv1.Connection{
		Number: a.number, Workspace: a.workspace, User: a.user, Session: a.session, Agent: a.agent.Value(), Program: a.program,
		Device: a.device, Country: a.country, AgeS: uint32((now - a.began) / time.Second),
	}
	if idle != notSaid {
		c.IdleS = new(uint32(idle / time.Second))
	}
	return c
}
