package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/place"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Times and limits of sessions over HTTP.
const (
	streamTopics = 64                     // topics in mode EVENTS; the id of an event names where each stands
	streamBeat   = 15 * time.Second       // of silence before a comment
	ticketMargin = 30 * time.Second       // before the end of the token that a ticket gave
	finalRetry   = time.Minute            // when a browser comes back that should not
	streamRetry  = 500 * time.Millisecond // and as long again at random: when a browser comes back that was not told
	pollBytes    = 512 << 10              // behind which a poll ends, though there is more
	pollWait     = 25 * time.Second       // if the client doesn't say
	maxPollWait  = 55 * time.Second       // what is silent for a minute is cut by proxies
)

// stream is the transport over the answer to one HTTP request: server-sent events, or a poll. The request is the client's one message.
// Whoever serves the request waits until the session has ended.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	left    <-chan struct{} // the client has
	poll    bool
	enc     wire.Encoding
	http1   bool
	surplus bool // the request has a body that is no message
	limit   int  // bytes of the message, where the client has shown who it is; 0: what a stranger may send

	// These belong to the goroutine that reads.
	message io.Reader     // nil: it was read
	wasRead chan struct{} // closed when it was, or could not be
	whole   atomic.Bool   // it was read to its end

	writing sync.Mutex // held by who writes, and guards the next
	begun   bool       // the answer's head was sent

	mu     sync.Mutex // guards all below
	done   bool       // nobody may touch w any more
	killed bool
	over   chan struct{} // closed when the session has ended

	// All below belongs to the session's turn.
	lastID    string // that the client came with
	places    *place.Set
	moved     bool                       // places were, since the last event
	unknown   bool                       // where the client stood, since lastID is of other topics
	beginning map[*subscription]struct{} // attached, and not told to have begun
	signals   []wire.Frame               // wait until the topics are open
	retry     time.Duration              // told to the browser with the end; 0: nothing
	ends      time.Duration              // when the client is to come back, by the gateway's alarms; of a poll, when it is answered without news
	ticket    bool                       // it was opened by a ticket: who has one can't refresh its token
	late      bool                       // the poll's time is over
	news      bool                       // the poll has something to come back with
	sent      int                        // bytes
}

func newStream(w http.ResponseWriter, r *http.Request, message io.Reader, enc wire.Encoding, poll bool) *stream {
	t := &stream{
		w: w, control: http.NewResponseController(w), left: r.Context().Done(), poll: poll, enc: enc, message: message,
		wasRead: make(chan struct{}), beginning: map[*subscription]struct{}{}, over: make(chan struct{}),
	}
	if !poll {
		t.lastID = r.Header.Get("Last-Event-ID")
	}
	t.http1, t.surplus = r.ProtoMajor == 1, r.Method == http.MethodGet && r.ContentLength != 0
	_ = t.control.EnableFullDuplex() // what refuses a message need not read it first. HTTP/2 is so anyway
	return t
}

// stream is the session's transport, if it is one.
func (s *session) stream() *stream {
	t, _ := s.conn.(*stream)
	return t
}

func (t *stream) await() {
	if t.message != nil {
		return
	}
	select {
	case <-t.left:
	case <-t.over:
	}
}

func (t *stream) read(hold *intake.Hold, limit int) ([]byte, error) {
	if t.message == nil {
		return nil, io.EOF
	}
	defer close(t.wasRead)
	data, err := hold.Read(t.message, max(limit, t.limit))
	t.message = nil
	if err == nil {
		t.whole.Store(true)
		_ = t.control.SetReadDeadline(time.Time{}) // from now on it may be silent
	}
	return data, err //nolint:wrapcheck // the intake's own
}

func (t *stream) write(data []byte) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	done := t.done
	t.mu.Unlock()
	if done {
		return http.ErrHandlerTimeout
	}
	_ = t.control.SetWriteDeadline(time.Now().Add(writeTime))
	t.mu.Lock()
	killed := t.killed
	t.mu.Unlock()
	if killed { // else kill sets the deadline once more, behind this one
		return http.ErrAbortHandler
	}
	if !t.begun {
		t.begun = true
		if t.http1 && t.unread() {
			t.w.Header().Set("Connection", "close")
		}
		t.w.WriteHeader(http.StatusOK)
		if !t.poll {
			data = append([]byte(sseHead), data...)
		}
	}
	_, err := t.w.Write(data) //nolint:gosec // frames, not a page: the type says so, and nosniff that it counts
	if err = errors.Join(err, t.control.Flush()); err == nil {
		_ = t.control.SetWriteDeadline(time.Time{}) // HTTP/2 resets the stream when it is over, though nobody writes
	}
	return err
}

// unread tells that something of the request's body was not read. Its connection carries no other request: what still comes would be taken
// for one, or be waited for without an end.
func (t *stream) unread() bool { return t.surplus || !t.whole.Load() }

func (t *stream) discard() {}

func (t *stream) close(edgev1.Code, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
}

func (t *stream) kill() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return // the connection may serve another request by now
	}
	t.killed = true
	_ = t.control.SetWriteDeadline(time.Now())
	t.end()
}

// end needs the lock.
func (t *stream) end() {
	select {
	case <-t.over:
	default:
		close(t.over)
	}
}

// wait serves the request until the session has ended. An answer that was cut off must not look like a whole one.
func (t *stream) wait() {
	<-t.over
	select {
	case <-t.wasRead:
	default:
		_ = t.control.SetReadDeadline(time.Now())
		<-t.wasRead
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = true
	if !t.killed {
		_ = t.control.SetWriteDeadline(time.Now().Add(writeTime)) // for the answer's end
	}
	if t.unread() {
		_ = t.control.SetReadDeadline(time.Now().Add(lingerTime))
	}
	if t.killed || !t.begun {
		panic(http.ErrAbortHandler)
	}
}

// begin looks at the client's message before it is worked off: what it follows has its place in the id, and goes on from there if the client
// came with one.
func (t *stream) begin(frames []wire.Frame) {
	var names []string
	var asked [][]byte
	for _, f := range frames {
		for _, w := range f.GetSubscribe().GetWants() {
			names = append(names, w.GetTopic())
			asked = append(asked, w.GetParams(), []byte(strings.Join(w.GetTypes(), ",")))
		}
	}
	t.places = place.New(names, asked...)
	if t.lastID == "" {
		return
	}
	t.unknown = t.places.Restore(t.lastID) != nil
	for _, f := range frames {
		for _, w := range f.GetSubscribe().GetWants() {
			if at := t.places.At(w.GetTopic()); at != nil {
				w.Cursor = at
			}
		}
	}
}

// welcome is called when it is known who the client is.
func (t *stream) welcome(s *session) {
	if t.ticket { // the next stream has a token for as long again
		t.ends = min(t.ends, s.g.alarms.now()+time.Until(s.caller.Expires)-ticketMargin)
	}
}

// reach notes how far a topic was told.
func (t *stream) reach(topic string, epoch, offset uint64) {
	if t.places.Reach(topic, epoch, offset) {
		t.moved = true
	}
}

// note takes notice of a frame that is sent.
func (t *stream) note(f *edgev1.ServerFrame) {
	switch x := f.GetFrame().(type) {
	case *edgev1.ServerFrame_Welcome, *edgev1.ServerFrame_Pong, *edgev1.ServerFrame_Refreshed:
	case *edgev1.ServerFrame_Subscribed:
		for _, a := range x.Subscribed.GetSubscriptions() {
			t.news = t.news || a.GetError() != nil
		}
	default:
		t.news = true
	}
}

// refuse tells a client that there is no session for it.
func (t *stream) refuse(e *rpc.Error, g *Gateway) {
	p := rpc.FromError(e)
	t.back(p)
	f := &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{Error: p}}}
	_ = t.write(t.framed(wire.Append(nil, t.enc, f, "", g.catalog()))) // the client may be gone
	g.metrics.closed.WithLabelValues(code(p.GetCode())).Inc()
	g.metrics.unwelcome.WithLabelValues(p.GetReason()).Inc()
}

// framed is what a turn has queued, as it is written.
func (t *stream) framed(out []byte) []byte {
	if t.poll {
		return out
	}
	var id []byte
	if t.moved {
		t.moved = false
		id = t.places.AppendID(nil)
	}
	if t.enc == wire.Proto {
		out = append(base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(out))+1), out), '\n')
	}
	return appendEvent(make([]byte, 0, len(out)+len(id)+eventOverhead), out, id, t.retry)
}

const eventOverhead = 512 // "data: " before each line, and the rest

// appendEvent writes lines as one event (https://html.spec.whatwg.org/multipage/server-sent-events.html). One with an end has its retry.
func appendEvent(dst, lines, id []byte, retry time.Duration) []byte {
	if retry > 0 {
		dst = append(strconv.AppendInt(append(dst, "retry: "...), retry.Milliseconds(), 10), '\n')
	}
	if id != nil {
		dst = append(append(append(dst, "id: "...), id...), '\n')
	}
	for line := range bytes.Lines(lines) {
		dst = append(append(dst, "data: "...), line...)
	}
	return append(dst, '\n')
}

// back tells a browser, which comes back by itself whatever it was told, when to.
func (t *stream) back(e *edgev1.Error) {
	switch t.retry = time.Duration(e.GetRetryAfterMs()) * time.Millisecond; {
	case t.retry > 0:
	case e.GetCode() >= edgev1.Code_CODE_TOKEN_EXPIRED: // the same request will do as little again
		t.retry = finalRetry
	default:
		t.retry = streamRetry + rand.N(streamRetry)
	}
}

// tickStream does what is due on a session over HTTP.
func (s *session) tickStream(t *stream, now time.Duration) {
	switch {
	case t.poll:
		t.late = t.late || now >= t.ends
	case now >= t.ends:
		s.goodbye(errRotated.RetryIn(time.Millisecond + rand.N(time.Second)))
	case now >= s.heard+streamBeat:
		s.heard = now
		if err := t.write([]byte(sseBeat)); err != nil {
			s.lost(err)
		}
	}
}

// dueStream is when tickStream has something to do.
func (s *session) dueStream(t *stream) time.Duration {
	switch {
	case t.poll && t.late:
		return s.g.alarms.now() + maxPollWait // calls end by themselves
	case t.poll:
		return t.ends
	}
	return min(t.ends, s.heard+streamBeat)
}

// settleStream ends a poll that has its answer, and lets out the signals that waited for their topics.
func (s *session) settleStream(t *stream) {
	if s.state != open || s.opening != nil || len(s.opens) > 0 || len(t.beginning) > 0 {
		return
	}
	waited := t.signals
	t.signals = nil
	for _, f := range waited {
		s.signal(f.GetSignal(), f.Err)
	}
	switch {
	case !t.poll, s.board != nil && !s.board.Idle(), s.state != open:
	case t.sent+len(s.out) >= pollBytes:
		s.finishPoll()
	case len(s.catching) > 0 || s.pulling > 0:
	case t.news || t.late || s.subs.empty():
		s.finishPoll()
	}
}

// finishPoll ends a poll without Goodbye: its answer is whole.
func (s *session) finishPoll() {
	s.state = closing
	s.asks.end()
	s.readOut()
}

// sseHead begins a stream: filler, since there are proxies that keep the first bytes back, and how long to wait after a break.
var sseHead = func() string {
	filler := make([]byte, 2<<10)
	for i := range filler {
		filler[i] = ' '
	}
	return ":" + string(filler) + "\n\nretry: " + strconv.FormatInt(streamRetry.Milliseconds(), 10) + "\n\n"
}()

// sseBeat is a comment: browsers and proxies see that the stream is alive.
const sseBeat = ":\n\n"
