package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Where gateways serve sessions over plain HTTP.
const (
	EventsPath = "/edge/v1/sse"
	PollPath   = "/edge/v1/poll"
)

// Times and limits of connections that consist of requests.
const (
	gather    = 30 * time.Millisecond // changes of what is followed go into one request
	settleBy  = 2 * time.Second       // a request that is to be replaced gets so long to be answered first
	errorBody = 64 << 10              // bytes that are read of an answer that is none
)

// carrier is a connection that consists of HTTP requests, for networks that let no WebSocket through. One request after the other listens:
// the answer to it is a stream of events, or of one poll. Calls and signals go by polls beside it.
//
// A request says all that is followed and from where, so that any may take the place of any other: the carrier keeps a table of the wants
// with their cursors. The session above sees one connection, and each event once.
type carrier struct {
	client *http.Client
	server string
	// listen makes one request, and passes on its answer until that ends. An error ends the connection, if the round wasn't replaced.
	listen func(c *carrier, r *round) error
	stream bool // it listens also while nothing is followed

	ctx    context.Context //nolint:containedctx // of the connection: it bounds its requests
	cancel context.CancelFunc
	in     chan *edgev1.ServerMessage
	ended  chan struct{} // closed when why is set
	once   sync.Once
	why    error
	tasks  sync.WaitGroup
	wake   chan struct{} // capacity 1: there may be something to ask

	mu       sync.Mutex // guards all below
	hello    *edgev1.Hello
	used     time.Time // when the client's person did something last
	wants    wants
	welcomed bool
	renewed  bool     // the token was, and the session waits for Refreshed
	pings    []uint32 // to be answered
	round    *round   // under way; nil: none
	changed  bool     // what the round asked for is not what is wanted now
	timer    *time.Timer
	desk     desk
}

// round is one request that listens.
type round struct {
	ctx     context.Context //nolint:containedctx // ends when it is replaced
	cancel  context.CancelFunc
	message *edgev1.ClientMessage
	begun   time.Time

	// Guarded by the carrier's lock.
	asked   map[string]uint32 // topic -> the session's Subscribe that asked for it
	refs    map[uint32]string // Head.ref -> topic
	left    int               // topics that are not answered
	urgent  bool              // the session waits for something that this answers
	settled bool
	renewed bool // with a token that the session waits to hear of
	pings   []uint32
	next    time.Duration // not before this time the next one begins
	over    bool          // the other side has said that it ends
}

// dialCarrier returns a dialer. Nothing is sent before the session says Hello.
func dialCarrier(h *http.Client, stream bool, listen func(*carrier, *round) error) Dialer {
	return func(_ context.Context, server string) (Conn, error) {
		bare := *h
		bare.Timeout = 0 // it would end the stream; each request has a time of its own
		idle := func() {}
		if bare.Transport == nil { // a connection's own goes with it, and leaves no idle ones behind
			if t, ok := http.DefaultTransport.(*http.Transport); ok {
				t = t.Clone()
				bare.Transport, idle = t, t.CloseIdleConnections
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		c := &carrier{client: &bare, server: strings.TrimSuffix(server, "/"), listen: listen, stream: stream, ctx: ctx, cancel: cancel,
			in: make(chan *edgev1.ServerMessage), ended: make(chan struct{}), wake: make(chan struct{}, 1), wants: wants{}}
		context.AfterFunc(ctx, func() {
			c.tasks.Wait()
			idle()
		})
		return c, nil
	}
}

// Read implements Conn.
func (c *carrier) Read(ctx context.Context) (*edgev1.ServerMessage, error) {
	select {
	case m := <-c.in:
		return m, nil
	case <-c.ended:
		return nil, c.why
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements Conn.
func (c *carrier) Close() error {
	c.end(errors.New("closed"))
	return nil
}

func (c *carrier) end(why error) {
	c.once.Do(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.why = why
		close(c.ended)
		c.cancel() // with the lock: whoever has it and finds ctx going may begin a task
		if c.timer != nil {
			c.timer.Stop()
		}
	})
}

// pass hands a message to the session. It waits as long as that takes nothing: who reads slowly is read to slowly.
func (c *carrier) pass(frames ...*edgev1.ServerFrame) {
	select {
	case c.in <- &edgev1.ServerMessage{Frames: frames}:
	case <-c.ctx.Done():
	}
}

// Write implements Conn: it takes note of what is said, and returns.
func (c *carrier) Write(_ context.Context, m *edgev1.ClientMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return errors.New("closed")
	}
	for _, frame := range m.GetFrames() {
		if uses(frame) {
			c.used = time.Now()
		}
		switch f := frame.GetFrame().(type) {
		case *edgev1.ClientFrame_Hello:
			c.hello = proto.CloneOf(f.Hello)
			c.used = time.Now().Add(-time.Duration(f.Hello.GetIdleS()) * time.Second)
			c.tasks.Go(c.work)
		case *edgev1.ClientFrame_Subscribe:
			c.wants.add(f.Subscribe)
			c.change()
		case *edgev1.ClientFrame_Unsubscribe:
			for _, topic := range f.Unsubscribe.GetTopics() {
				delete(c.wants, topic)
			}
			c.change()
		case *edgev1.ClientFrame_Refresh:
			c.hello.Token, c.renewed = f.Refresh.GetToken(), true
			c.change()
		case *edgev1.ClientFrame_Ping:
			// Answered by the next request, not from what is known: after a sleep the present one may look alive for long. Signs of
			// life are passed on as they come, so that there is no Ping where there are some.
			c.pings = append(c.pings, f.Ping.GetNonce())
			c.change()
		case *edgev1.ClientFrame_Call:
			c.desk.put(f.Call)
		case *edgev1.ClientFrame_Cancel:
			c.desk.drop(f.Cancel.GetId())
		case *edgev1.ClientFrame_Signal:
			c.desk.signal(f.Signal)
		}
	}
	c.dispatch()
	return nil
}

// change has a request take the place of the one that listens, soon. It needs the lock.
func (c *carrier) change() {
	c.changed = true
	select {
	case c.wake <- struct{}{}:
	default:
	}
	if c.round != nil && c.timer == nil {
		c.timer = time.AfterFunc(gather, c.replace)
	}
}

// replace ends the request that listens. One that was not answered yet gets some time for it: who follows one topic after the other must not
// keep all of them from beginning.
func (c *carrier) replace() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = nil
	if c.round == nil || !c.changed || c.ctx.Err() != nil {
		return
	}
	if rest := settleBy - time.Since(c.round.begun); !c.round.settled && rest > 0 {
		c.timer = time.AfterFunc(rest, c.replace)
		return
	}
	c.round.cancel()
}

// settled notes that a request has its first answer. It needs the lock.
func (c *carrier) settled(r *round) {
	if r.settled || r.left > 0 {
		return
	}
	r.settled = true
	if c.changed && c.timer != nil && c.timer.Stop() {
		c.timer = time.AfterFunc(gather, c.replace)
	}
}

// work makes one request after the other, each from where the last has come to.
func (c *carrier) work() {
	for r := c.nextRound(); r != nil; r = c.nextRound() {
		err := c.listen(c, r)
		replaced := r.ctx.Err() != nil
		r.cancel()
		if err != nil && !replaced {
			c.end(err)
		}
	}
}

// nextRound waits until there is something to ask; nil: the connection has ended.
func (c *carrier) nextRound() *round {
	for {
		c.mu.Lock()
		if c.round != nil { // a Ping that it was replaced before it could answer
			c.pings = append(c.round.pings, c.pings...)
			c.round = nil
		}
		if c.ctx.Err() == nil && (c.stream || !c.welcomed || c.renewed || len(c.pings) > 0 || len(c.wants) > 0) {
			r := c.newRound()
			c.mu.Unlock()
			return r
		}
		c.mu.Unlock()
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return nil
		}
	}
}

// newRound makes the request for what is wanted now. It needs the lock.
func (c *carrier) newRound() *round {
	r := &round{begun: time.Now(), asked: make(map[string]uint32, len(c.wants)), refs: map[uint32]string{}, left: len(c.wants),
		renewed: c.renewed, pings: c.pings, message: c.message()}
	r.ctx, r.cancel = context.WithCancel(c.ctx)
	r.urgent = !c.welcomed || c.renewed || len(c.pings) > 0
	for topic, w := range c.wants {
		r.asked[topic] = w.id
		r.urgent = r.urgent || !w.told
	}
	r.message.Frames = append(r.message.Frames, c.wants.frames()...)
	c.round, c.changed, c.pings = r, false, nil
	return r
}

// message begins with Hello. The token goes in a header, for a gateway then knows whose a long message is before it reads it. It needs
// the lock.
func (c *carrier) message() *edgev1.ClientMessage {
	hello := proto.CloneOf(c.hello)
	hello.Token, hello.IdleS = "", seconds(time.Since(c.used))
	return &edgev1.ClientMessage{Frames: []*edgev1.ClientFrame{{Frame: &edgev1.ClientFrame_Hello{Hello: hello}}}}
}

// post sends a message. What is no answer of a session is an error: an *Error where a status came.
func (c *carrier) post(ctx context.Context, path string, m *edgev1.ClientMessage, again bool) (io.ReadCloser, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	token, welcomed := c.hello.GetToken(), c.welcomed
	c.mu.Unlock()
	req.Header.Set("Content-Type", "application/proto")
	req.Header.Set("Authorization", "Bearer "+token)
	if again { // net/http may repeat it where a connection that was kept turns out to be closed
		req.Header["Idempotency-Key"] = nil
	}
	res, err := c.client.Do(req)
	switch {
	case err != nil && !welcomed:
		return nil, unreachable(c.server, err)
	case err != nil:
		return nil, err
	case res.StatusCode != http.StatusOK:
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, errorBody)) // the status says enough
		return nil, connectError(res, text)
	}
	return res.Body, nil
}

// take makes of a round's frames what the session is to see, and notes how far each topic was told.
func (c *carrier) take(r *round, frames []*edgev1.ServerFrame) (out []*edgev1.ServerFrame, bye *edgev1.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	current := func(topic string) *want {
		w := c.wants[topic]
		if w == nil || w.id != r.asked[topic] {
			return nil // no longer wanted, or not from there
		}
		return w
	}
	for _, frame := range frames {
		switch f := frame.GetFrame().(type) {
		case *edgev1.ServerFrame_Welcome:
			out = append(out, c.welcome(r, f.Welcome)...)
		case *edgev1.ServerFrame_Subscribed:
			for _, s := range f.Subscribed.GetSubscriptions() {
				r.left--
				w := current(s.GetTopic())
				if w == nil {
					continue
				}
				known := w.told
				if s.GetError() != nil {
					delete(c.wants, s.GetTopic())
				} else if w.begin(s.GetStart(), c.stream); known {
					continue
				}
				out = append(out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: &edgev1.Subscribed{Id: w.id, Subscriptions: []*edgev1.Subscription{s}}}})
			}
		case *edgev1.ServerFrame_Events:
			if w := current(f.Events.GetTopic()); w != nil && w.told {
				w.reach(f.Events)
				out = append(out, frame)
			}
		case *edgev1.ServerFrame_Heads:
			for _, h := range f.Heads.GetHeads() { // the numbers are this answer's own
				if h.GetTopic() != "" {
					r.refs[h.GetRef()] = h.GetTopic()
				}
				h.Topic = r.refs[h.GetRef()]
			}
			if w := current(f.Heads.GetTopic()); w != nil && w.told {
				out = append(out, frame)
			}
		case *edgev1.ServerFrame_View:
			if w := current(f.View.GetTopic()); w != nil && w.told {
				w.see(f.View)
				out = append(out, frame)
			}
		case *edgev1.ServerFrame_Stopped:
			for _, topic := range f.Stopped.GetTopics() {
				if current(topic) != nil {
					delete(c.wants, topic)
					out = append(out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{topic}, Error: f.Stopped.GetError()}}})
				}
			}
		case *edgev1.ServerFrame_Signal:
			if current(f.Signal.GetTopic()) != nil {
				out = append(out, frame)
			}
		case *edgev1.ServerFrame_Goodbye:
			if e := f.Goodbye.GetError(); c.stream && e.GetReason() == rotated {
				r.over, r.next = true, time.Duration(e.GetRetryAfterMs())*time.Millisecond
			} else {
				bye = e
				out = append(out, frame)
			}
		}
	}
	c.settled(r)
	return out, bye
}

// rotated is the reason of a stream's end that is no break.
const rotated = "edge.ROTATED"

// welcome answers what waits for a request to be accepted. It needs the lock.
func (c *carrier) welcome(r *round, w *edgev1.Welcome) (out []*edgev1.ServerFrame) {
	if !c.welcomed {
		c.welcomed = true
		out = append(out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Welcome{Welcome: w}})
	}
	if r.renewed {
		c.renewed = c.renewed && c.changed // there may be a newer one yet
		out = append(out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Refreshed{Refreshed: &edgev1.Refreshed{TokenTtlMs: w.GetTokenTtlMs()}}})
	}
	for _, nonce := range r.pings {
		out = append(out, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Pong{Pong: &edgev1.Pong{Nonce: nonce}}})
	}
	r.pings = nil
	return out
}
