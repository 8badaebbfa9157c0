package client

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// session is what a client knows while it runs. One goroutine owns it, that of loop; others send it mail.
type session struct {
	*Client
	ctx context.Context //nolint:containedctx // of Run: it bounds the session's goroutines
	wg  sync.WaitGroup

	link     *link // nil while there is none
	dialling bool
	dialled  chan dialled
	retryAt  time.Time // when to dial; meaningful while neither link nor dialling
	backoff  backoff
	server   int // which address is tried next: 0 is Config.Server, the others follow

	used time.Time // when the client's person did something last, as far as is known
	told time.Time // when the server was told so last

	token      string
	stale      string // a token that is of no use any more
	refused    int    // refusals of tokens, one after the other
	refreshAt  time.Time
	refreshing bool
	refreshed  chan refreshed

	nextID uint32           // of calls and of subscribes
	calls  map[uint32]*call // under way
	queued []*call          // wait for a connection, or for their turn

	sending       map[uint64]struct{} // entries of the outbox that are under way, by client_seq
	failing       bool                // one of them is to be repeated, see flushOutbox
	outboxAt      time.Time           // when to try the outbox again; zero: at once
	outboxBackoff backoff

	topics       map[string]*Subscription
	retryTopics  time.Time // when to subscribe again what was refused for a while; zero: nothing was
	topicBackoff backoff

	holding     map[*Subscription]struct{} // topics with held events, and perhaps some that had
	releaseAt   time.Time                  // when the oldest held event is shown at any rate; zero: none is held
	delivered   map[string]*edgev1.Cursor  // since the last own mutation, see Context
	deliveredBy []string                   // its keys, oldest first
}

type dialled struct {
	conn  Conn
	token string
	err   error
}

// loop is the session's goroutine: it selects over the connection, the mail and one timer until ctx or the session ends.
func (s *session) loop() error {
	s.dialled, s.refreshed = make(chan dialled, 1), make(chan refreshed, 1)
	s.dial()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(s.deadline()))
		var in chan *edgev1.ServerMessage
		var ended chan error
		if s.link != nil {
			in, ended = s.link.in, s.link.ended
		}
		var err error
		select {
		case <-s.ctx.Done():
			return nil
		case f := <-s.mail:
			f(s)
		case <-s.cfg.Outbox.changed:
			s.flushOutbox()
		case d := <-s.dialled:
			err = s.connected(d)
		case r := <-s.refreshed:
			err = s.tokenCame(r)
		case m := <-in:
			err = s.receive(m)
		case why := <-ended:
			// What was read before the end still counts.
			for err == nil && s.link != nil && len(in) > 0 {
				err = s.receive(<-in)
			}
			if err == nil && s.link != nil {
				err = s.lost(why)
			}
		case <-timer.C:
			err = s.tick()
		}
		if err != nil {
			return err
		}
	}
}

// deadline is when tick has something to do next.
func (s *session) deadline() time.Time {
	next := sooner(time.Now().Add(time.Hour), s.releaseAt)
	switch {
	case s.link == nil && !s.dialling:
		next = sooner(next, s.retryAt)
	case s.link != nil && s.link.welcome == nil:
		next = sooner(next, s.link.since.Add(welcomeBy))
	case s.link != nil:
		if s.link.pinged.IsZero() {
			next = sooner(next, s.link.heard.Add(silence))
		} else {
			next = sooner(next, s.link.pinged.Add(pongBy))
		}
		if !s.refreshing {
			next = sooner(next, s.refreshAt)
		}
		next = sooner(sooner(next, s.outboxAt), s.retryTopics)
	}
	return next
}

// sooner returns the earlier of two times; a zero time is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (s *session) tick() error {
	now := time.Now()
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	if due(s.releaseAt) {
		s.release(now)
	}
	if s.link == nil {
		if !s.dialling && due(s.retryAt) {
			s.dial()
		}
		return nil
	}
	if s.link.welcome == nil {
		if due(s.link.since.Add(welcomeBy)) {
			return s.lost(broken(errors.New("no Welcome came")))
		}
		return nil
	}
	switch {
	case !s.link.pinged.IsZero():
		if due(s.link.pinged.Add(pongBy)) {
			return s.lost(broken(errors.New("no answer to a Ping")))
		}
	case due(s.link.heard.Add(silence)):
		s.ping(false)
	}
	if due(s.refreshAt) {
		s.refresh()
	}
	if due(s.outboxAt) {
		s.outboxAt = time.Time{}
		s.flushOutbox()
	}
	if due(s.retryTopics) {
		s.retryRefused(now)
	}
	return nil
}

// Probe asks the server for a sign of life: call it when the machine woke up or its network changed. A connection that does
// not answer within 5 s is replaced; a wait before the next attempt is cut short.
func (c *Client) Probe() {
	_ = c.do(context.Background(), func(s *session) {
		switch {
		case s.link != nil && s.link.welcome != nil:
			if s.link.pinged.IsZero() {
				s.ping(false)
			}
		case s.link == nil && !s.dialling:
			s.dial()
		}
	})
}

// Active says that the client's person is at it, by keys or a pointer: call it as often as they do something. Without it, and without mutations
// and signals, which say it, too, others see them as away after some minutes. The server is told once a minute at most; and how long ago it was last,
// whenever the client connects.
func (c *Client) Active() {
	_ = c.do(context.Background(), func(s *session) {
		now := time.Now()
		s.used = now
		if s.link != nil && s.link.welcome != nil && now.Sub(s.told) >= activeGap {
			s.ping(true)
		}
	})
}

func (s *session) ping(active bool) {
	if s.link.pinged.IsZero() { // else it is waited for an answer to an earlier one
		s.link.pinged = time.Now()
	}
	s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: rand.Uint32(), Active: active}}})
}

// seconds are those of Hello.idle_s.
func seconds(idle time.Duration) *uint32 { return new(uint32(idle / time.Second)) }

// uses reports whether a frame says that the client's person is at it.
func uses(f *edgev1.ClientFrame) bool {
	return f.GetCall().GetClientSeq() != 0 || f.GetSignal() != nil || f.GetPing().GetActive()
}

func (s *session) dial() {
	s.dialling, s.retryAt = true, time.Time{}
	stale, server := s.stale, s.cfg.Server
	if s.server > 0 {
		server = s.cfg.Others[s.server-1]
	}
	s.wg.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, dialTimeout)
		defer cancel()
		var d dialled
		if d.token, d.err = s.cfg.Tokens.Token(ctx, stale); d.err == nil {
			d.conn, d.err = s.cfg.Dial(ctx, server)
		}
		s.dialled <- d
	})
}

// connected begins a session on a new connection: Hello, all subscriptions and all calls that wait go out at once.
func (s *session) connected(d dialled) error {
	s.dialling = false
	if d.err != nil {
		return s.failed(d.err)
	}
	s.token = d.token
	s.link = newLink(s.ctx, d.conn, s.wg.Go)
	s.link.since, s.link.heard = time.Now(), time.Now()
	s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Hello{Hello: &edgev1.Hello{
		Token: d.token, ClientId: s.cfg.Outbox.ClientID(), SessionId: s.cfg.SessionID, Agent: s.cfg.Agent, IdleS: seconds(time.Since(s.used))}}})
	s.resubscribe(func(t *Subscription) bool { return !t.parked })
	s.sendQueued()
	s.flushOutbox()
	return nil
}

func (s *session) send(f *edgev1.ClientFrame) {
	if s.link == nil {
		return
	}
	if s.cfg.Watch != nil {
		s.cfg.Watch(true, f)
	}
	if uses(f) {
		s.used, s.told = time.Now(), time.Now()
	}
	if !s.link.send(f) { // the connection takes nothing: its end will be noticed by the loop
		s.link.close()
	}
}

// lost ends the connection and decides what follows.
func (s *session) lost(why error) error {
	if s.link.welcome != nil {
		s.backoff.served(time.Since(s.link.since))
	}
	s.link.close()
	s.link = nil
	s.failing, s.refreshAt, s.retryTopics = false, time.Time{}, time.Time{}
	clear(s.sending)
	for _, t := range s.topics {
		t.detach()
	}
	for _, id := range slices.Sorted(maps.Keys(s.calls)) {
		c := s.calls[id]
		delete(s.calls, id)
		switch {
		case c.entry != nil: // it stands in the outbox
		case c.repeatable && c.ctx.Err() == nil:
			s.queued = append(s.queued, c)
		default:
			c.finish(nil, connectionLost(why))
		}
	}
	return s.failed(why)
}

// final reports whether an answer of the token's source leaves no hope for another try.
func final(code edgev1.Code) bool {
	return code > 0 && code < 200 && code != edgev1.Code_CODE_INTERNAL || courseOf(code) != again
}

// failed plans the next attempt, or returns why there is none.
func (s *session) failed(why error) error {
	if s.ctx.Err() != nil { // Run ends, and with it what it had
		return nil //nolint:nilerr // that is no failure
	}
	var notBefore time.Duration
	if e, ok := errors.AsType[*Error](why); ok {
		notBefore = e.RetryAfter
		switch courseOf(e.Code) {
		case newToken:
			if s.refused++; s.refused > 1 {
				return e // a new token was refused, too: sign in again
			}
			s.stale = s.token
			s.backoff.reset()
		case stop, wipe:
			return e
		case again:
			if final(e.Code) {
				return e // the token's source has the last word
			}
		}
	}
	s.server = (s.server + 1) % (1 + len(s.cfg.Others))
	wait := s.backoff.next(notBefore)
	s.retryAt = time.Now().Add(wait)
	s.cfg.Log.Info("not connected", "cause", why, "retry_in", wait)
	s.setState(func(st *State) {
		if st.Connected || st.Since.IsZero() {
			st.Since = time.Now()
		}
		st.Connected, st.Retry, st.Cause = false, s.retryAt, why
	})
	return nil
}

func (s *session) receive(m *edgev1.ServerMessage) error {
	s.link.heard, s.link.pinged = time.Now(), time.Time{}
	for _, frame := range m.GetFrames() {
		if s.cfg.Watch != nil {
			s.cfg.Watch(false, frame)
		}
		switch f := frame.GetFrame().(type) {
		case *edgev1.ServerFrame_Welcome:
			s.welcome(f.Welcome)
		case *edgev1.ServerFrame_Reply:
			s.reply(f.Reply)
		case *edgev1.ServerFrame_Subscribed:
			s.subscribed(f.Subscribed)
		case *edgev1.ServerFrame_Events:
			s.events(f.Events)
		case *edgev1.ServerFrame_Heads:
			s.heads(f.Heads)
		case *edgev1.ServerFrame_View:
			s.view(f.View)
		case *edgev1.ServerFrame_Stopped:
			for _, topic := range f.Stopped.GetTopics() {
				if t := s.topics[topic]; t != nil {
					s.topicStopped(t, fault(f.Stopped.GetError()), nil)
				}
			}
		case *edgev1.ServerFrame_Signal:
			if t := s.topics[f.Signal.GetTopic()]; t != nil {
				t.push(Update{Signal: f.Signal})
			}
		case *edgev1.ServerFrame_Refreshed:
			s.validFor(f.Refreshed.GetTokenTtlMs())
		case *edgev1.ServerFrame_Goodbye:
			return s.lost(fault(f.Goodbye.GetError()))
		case *edgev1.ServerFrame_Ping:
			s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Pong{Pong: &edgev1.Pong{Nonce: f.Ping.GetNonce()}}})
		case *edgev1.ServerFrame_Pong: // heard
		}
	}
	return nil
}

func (s *session) welcome(w *edgev1.Welcome) {
	s.link.welcome = w
	s.refused, s.stale = 0, ""
	s.validFor(w.GetTokenTtlMs())
	s.setState(func(st *State) { st.Connected, st.Since, st.Retry, st.Cause = true, time.Now(), time.Time{}, nil })
	s.once.Do(func() { close(s.ready) })
	s.cfg.Log.Info("connected", "connection", w.GetConnectionId())
}

// end tells everybody who waits that nothing more comes.
func (s *session) end(why error) {
	if why == nil {
		why = errStopped
	}
	if s.link != nil {
		s.link.close()
	}
	s.why = why
	close(s.stopped)
	for _, c := range s.calls {
		c.finish(nil, why)
	}
	for _, c := range s.queued {
		c.finish(nil, why)
	}
	for _, t := range s.topics {
		t.fail(why)
	}
	s.setState(func(st *State) { st.Connected, st.Since, st.Retry, st.Cause = false, time.Now(), time.Time{}, why })
	s.wg.Wait()
	select {
	case d := <-s.dialled: // a connection that came too late
		if d.conn != nil {
			_ = d.conn.Close()
		}
	default:
	}
}

// note logs what the outbox's file could not take; what waits is still in memory.
func (s *session) note(err error) {
	if err != nil {
		s.cfg.Log.Error("the outbox can't be written", "error", err)
	}
}
