package gateway

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/lane"
	"plenum.internal/gateway/internal/limit"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/gateway/internal/ws"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Times of the protocol.
const (
	helloTime   = 5 * time.Second  // for the first frame
	heartbeat   = 25 * time.Second // of silence before a Ping
	silence     = 60 * time.Second // before 4001
	tokenGrace  = 60 * time.Second // behind a token's end, before 4200
	writeTime   = 24 * time.Second // for one write, before 4002, or a quarter more
	killTime    = 1500 * time.Millisecond
	flushBytes  = 64 << 10 // a message to the client is about as long at most, if no single frame is longer
	maxAgent    = 64
	maxID       = 64
	maxFeatures = 16
	maxFeature  = 32
)

// transport carries messages to and from one client.
type transport interface {
	await()                                            // that there is something to read, or an end. It takes as good as no stack
	read(hold *intake.Hold, limit int) ([]byte, error) // the next message, of at most limit bytes
	write(data []byte) error                           // one message, within writeTime
	discard()                                          // what still comes, to the end: a client that only writes would never see its Goodbye
	close(code edgev1.Code, reason string)
	kill() // closes without Goodbye or close frame; a write under way ends
}

// session is one connection of a client.
//
// Its turn owns it: the goroutine that works off the mailbox, and exists only while there is mail. What else runs on its behalf
// (the reader, calls, Open, timers, hubs) mails it.
type session struct {
	g       *Gateway
	conn    transport
	enc     wire.Encoding
	address netip.Addr
	box     mailbox
	alarm   int         // its place among the gateway's alarms, from 1; 0: none is set
	listed  listed      // among the gateway's people
	once    sync.Once   // guards conn.kill
	tooSlow atomic.Bool // it was killed because its client doesn't read

	// hold counts the message that was read last, until the next may be read. It passes with the message from the reader to the turn.
	hold *intake.Hold

	// All below belongs to the turn.
	state state
	wake  time.Duration // when the alarm that is set rings; 0: none is

	// Times are those of the gateway's alarms.
	started time.Duration
	heard   time.Duration // of the last message
	pinged  bool          // since then
	full    bool          // a call was refused because too many are unanswered
	reading bool          // somebody reads, or what was read lies in the mail
	gated   bool          // nobody reads: a call has to end first, a Subscribe to be opened, or time to pass
	paused  bool          // for time to pass: the client floods

	caller     auth.Caller // before Hello it has nothing but the token of an Authorization header
	clientID   string
	from       string                // "user/session", as signals show it
	agent      unique.Handle[string] // what the client calls itself
	country    unique.Handle[string] // that it connects from, as a proxy tells it; empty: not known
	attendance *attendance           // from Hello on

	board   *lane.Board[*call] // nil: no calls
	buckets [5]limit.Bucket    // by rate class
	signals limit.Bucket
	flood   limit.Bucket
	frames  limit.Bucket // of the client, for pace

	subs   topics
	events int // of subs, in mode EVENTS
	heads  int // of subs, topics in mode HEADS
	*work      // nil between turns, while nothing is under way
}

type state uint8

const (
	greeting state = iota // waits for Hello
	open
	closing // Goodbye was queued
	closed
)

func (g *Gateway) newSession(conn transport, enc wire.Encoding, address netip.Addr, header, userAgent, country string) *session {
	agent := strings.ToValidUTF8(userAgent[:min(len(userAgent), maxUserAgent)], "") // what is told of it is
	s := &session{g: g, conn: conn, enc: enc, address: address, agent: unique.Make(agent), country: unique.Make(country), caller: auth.Caller{Token: header}, started: g.alarms.now(), reading: true}
	s.heard = s.started
	return s
}

// turns works off the mail until there is none.
func (s *session) turns() {
	var spare []item
	for {
		items := s.box.take(spare)
		if items == nil {
			return
		}
		s.begin()
		for i := range items {
			s.outSize += items[i].size
			switch it := &items[i]; {
			case it.sub == nil && it.do == nil:
				s.receive(it.data)
			case s.state == closed:
			case it.sub == nil:
				it.do(s)
			case it.sub.stopped: // stale
			case it.data != nil:
				s.pass(it.data)
			default:
				it.do(s)
			}
			if len(s.out) >= flushBytes {
				s.flush()
			}
		}
		s.settle()
		s.flush()
		s.pull()
		clear(items)
		spare = items
		if cap(spare) > 64 {
			spare = nil
		}
		if s.state == closing {
			s.end()
		}
		s.rest()
	}
}

// settle does what is done once a turn.
func (s *session) settle() {
	if s.state != open && s.state != greeting {
		return
	}
	s.tellAnswers()
	s.tellHeads()
	s.tellSignals()
	s.reauthorise()
	s.join()
	if t := s.stream(); t != nil {
		s.settleStream(t)
	}
	s.setAlarm()
}

// pass queues a frame of a subscription, behind the answer that it began.
func (s *session) pass(data []byte) {
	if len(s.answers) > 0 {
		s.tellAnswers()
	}
	s.out = append(s.buffer(), data...)
}

// send queues a frame.
func (s *session) send(f *edgev1.ServerFrame) { s.sendReply(f, "") }

func (s *session) sendReply(f *edgev1.ServerFrame, method string) {
	if t := s.stream(); t != nil {
		t.note(f)
	}
	if s.state != closed {
		s.out = wire.Append(s.buffer(), s.enc, f, method, s.g.catalog())
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// buffer returns out; an idle session has none of its own.
func (s *session) buffer() []byte {
	if s.out == nil {
		s.out = (*buffers.Get().(*[]byte))[:0] //nolint:forcetypeassert // holds nothing else
	}
	return s.out
}

// flush writes what the turn has queued, in one message.
func (s *session) flush() {
	if len(s.out) > 0 {
		data := s.out
		if t := s.stream(); t != nil {
			data = t.framed(data)
			t.sent += len(data)
			s.heard = s.g.alarms.now()
		}
		if err := s.conn.write(data); err != nil {
			if s.state != closed {
				s.lost(err)
			}
		} else {
			s.g.metrics.writes.Inc()
			s.g.metrics.sentBytes.Add(float64(len(data)))
		}
	}
	if cap(s.out) > 0 && cap(s.out) <= 2*flushBytes {
		b := s.out[:0]
		buffers.Put(&b)
	}
	s.out = nil
	s.box.written(s.outSize)
	s.outSize = 0
}

// goodbye is the last frame; the connection closes with the same number.
func (s *session) goodbye(e *rpc.Error) {
	if s.state >= closing {
		return
	}
	s.state = closing
	p := rpc.FromError(e)
	if t := s.stream(); t != nil {
		t.back(p)
	}
	s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{Error: p}}})
	s.closeCode = p.GetCode()
	s.closeReason = p.GetReason()
	s.asks.end()
	s.readOut()
}

// expel ends the session from outside within killTime, even if its client doesn't read.
func (s *session) expel(e *rpc.Error) {
	s.mail(0, func(s *session) { s.goodbye(e) })
	time.AfterFunc(killTime, s.kill)
}

// slow ends the session of a client that doesn't read: a Goodbye would not arrive.
func (s *session) slow() {
	s.once.Do(func() {
		s.tooSlow.Store(true)
		go s.conn.kill()
	})
}

func (s *session) kill() { s.once.Do(func() { s.conn.kill() }) }

// lost tells that the connection broke or the client closed it.
func (s *session) lost(err error) {
	switch {
	case s.state >= closing:
		if s.state == closed {
			return
		}
		s.state = closing
	case errors.Is(err, intake.ErrLong) && s.state == greeting:
		s.goodbye(errFirstTooLarge)
	case errors.Is(err, intake.ErrLong):
		s.goodbye(errMessageTooLarge)
	case errors.Is(err, ws.ErrFrames):
		s.goodbye(errFlood)
	case errors.Is(err, intake.ErrFull):
		s.g.metrics.intakeFull.Inc()
		s.goodbye(errIntake)
	default:
		s.state, s.gone = closing, true
		if s.tooSlow.Load() || errors.Is(err, os.ErrDeadlineExceeded) {
			s.closeCode = edgev1.Code_CODE_SLOW_READER
			return
		}
		s.part()
	}
}

// end releases everything and closes the connection.
func (s *session) end() {
	s.state = closed
	s.box.close()
	s.asks.end()
	s.readOut()
	s.g.alarms.clear(s)
	s.dropAll()
	s.dropCalls()
	s.g.forget(s)
	if s.attendance != nil {
		s.g.roster.leave(s.attendance)
	}
	if s.gone {
		s.kill()
	} else {
		s.conn.close(s.closeCode, s.closeReason)
	}
	s.g.metrics.closed.WithLabelValues(code(s.closeCode)).Inc()
	s.g.done(s)
}

// setAlarm makes the session wake for what comes next.
func (s *session) setAlarm() {
	if s.state >= closing {
		return
	}
	next := s.started + helloTime
	if s.state == open {
		next = s.heard + heartbeat
		if s.pinged {
			next = s.heard + silence
		}
		if t := s.stream(); t != nil {
			next = s.dueStream(t)
		}
		now := s.g.alarms.now()
		next = min(next, now+time.Until(s.caller.Expires.Add(tokenGrace)))
		if at, ok := s.headsDue(); ok {
			next = min(next, now+time.Until(at))
		}
	}
	if s.wake == 0 || next < s.wake { // else it rings earlier and is set again then
		s.wake = next
		s.g.alarms.set(s, next)
	}
}

func (s *session) tick() {
	s.mail(0, func(s *session) {
		s.wake = 0
		now := s.g.alarms.now()
		switch {
		case s.state == greeting && now >= s.started+helloTime:
			s.goodbye(errSilent)
		case s.state != open:
		case !time.Now().Before(s.caller.Expires.Add(tokenGrace)):
			s.goodbye(errTokenExpired)
		case s.stream() != nil: // says nothing after its first message
			s.tickStream(s.stream(), now)
		case s.gated || s.opening != nil: // the reader doesn't read: silence proves nothing
			s.heard, s.pinged = now, false
		case now >= s.heard+silence:
			s.goodbye(errSilent)
		case !s.pinged && now >= s.heard+heartbeat:
			s.pinged = true
			s.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Ping{Ping: &edgev1.Ping{}}})
		}
	})
}
