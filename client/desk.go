package client

import (
	"cmp"
	"context"
	"io"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Limits of what goes by polls beside the one that listens.
const (
	callPolls   = 6                // at the same time, of calls without a lane; browsers have as many for one host
	callBatch   = 32               // calls in one poll: as many as a session may have executing
	callBy      = 80 * time.Second // for a poll's calls: longer than the longest
	signalBatch = 64               // signals that wait; more are dropped
	signalBy    = 10 * time.Second
)

// desk is what waits to be sent and what is under way, of calls and signals. The carrier's lock guards it.
type desk struct {
	queues    map[uint32][]*edgev1.Call // by lane; 0: none
	polls     map[uint32][]*batch       // under way, by lane; of a lane one at most
	broken    map[uint32]uint64         // lane -> client_seq that has to return before anything else goes out in it
	signals   []*edgev1.Signal
	signaling bool // a poll with signals is under way
}

// batch is the calls of one poll.
type batch struct {
	lane   uint32
	calls  []*edgev1.Call
	codes  map[uint32]edgev1.Code // of the answers, by id
	gone   map[uint32]struct{}    // given up, by id
	cancel context.CancelFunc
}

func (d *desk) put(q *edgev1.Call) {
	if d.queues == nil {
		d.queues, d.polls, d.broken = map[uint32][]*edgev1.Call{}, map[uint32][]*batch{}, map[uint32]uint64{}
	}
	d.queues[q.GetLane()] = append(d.queues[q.GetLane()], q)
}

// drop gives up a call: one that waits is not sent. The poll of one that is under way is aborted where nobody waits for anything else of
// it, and no later call could overtake it.
func (d *desk) drop(id uint32) {
	for lane, queue := range d.queues {
		d.queues[lane] = slices.DeleteFunc(queue, func(q *edgev1.Call) bool { return q.GetId() == id })
	}
	for lane, polls := range d.polls {
		for _, b := range polls {
			if !slices.ContainsFunc(b.calls, func(q *edgev1.Call) bool { return q.GetId() == id }) {
				continue
			}
			if b.gone[id] = struct{}{}; lane == 0 && b.unanswered() == 0 {
				b.cancel()
			}
		}
	}
}

// unanswered counts the calls whose answer somebody waits for.
func (b *batch) unanswered() (n int) {
	for _, q := range b.calls {
		_, answered := b.codes[q.GetId()]
		if _, gone := b.gone[q.GetId()]; !answered && !gone {
			n++
		}
	}
	return n
}

// signal lets a signal wait; the latest of a key wins.
func (d *desk) signal(s *edgev1.Signal) {
	d.signals = slices.DeleteFunc(d.signals, func(o *edgev1.Signal) bool { return o.GetTopic() == s.GetTopic() && o.GetKey() == s.GetKey() })
	if len(d.signals) < signalBatch {
		d.signals = append(d.signals, s)
	}
}

// next takes the calls of the next poll off a lane's queue. Those that are behind one that has to be repeated are not sent: a lane keeps
// its order over polls, of which the gateway knows only one at a time.
func (d *desk) next(lane uint32) (b *batch, behind []*edgev1.Call) {
	if n := len(d.polls[lane]); lane != 0 && n > 0 || n >= callPolls {
		return nil, nil
	}
	b = &batch{lane: lane, codes: map[uint32]edgev1.Code{}, gone: map[uint32]struct{}{}}
	queue, bytes := d.queues[lane], 0
	for len(queue) > 0 && len(b.calls) < callBatch {
		q := queue[0]
		if first := d.broken[lane]; first != 0 && q.GetClientSeq() != first {
			behind, queue = append(behind, q), queue[1:]
			continue
		}
		if bytes += proto.Size(q) + frameBytes; bytes > maxBody && len(b.calls) > 0 {
			break
		}
		delete(d.broken, lane)
		b.calls, queue = append(b.calls, q), queue[1:]
	}
	if d.queues[lane] = queue; len(queue) == 0 {
		delete(d.queues, lane)
	}
	if len(b.calls) == 0 {
		return nil, behind
	}
	return b, behind
}

// done takes a batch off the desk.
func (d *desk) done(b *batch) {
	d.polls[b.lane] = slices.DeleteFunc(d.polls[b.lane], func(o *batch) bool { return o == b })
	if b.lane == 0 {
		return
	}
	for _, q := range b.calls {
		if q.GetClientSeq() != 0 && retryable(b.codes[q.GetId()]) {
			d.broken[b.lane] = q.GetClientSeq()
			return
		}
	}
}

// dispatch sends what waits and may go. It needs the lock.
func (c *carrier) dispatch() {
	if c.hello == nil || c.ctx.Err() != nil {
		return
	}
	for lane := range c.desk.queues {
		for b, behind := c.desk.next(lane); b != nil || len(behind) > 0; b, behind = c.desk.next(lane) {
			for _, q := range behind {
				c.tasks.Go(func() { c.pass(failedCall(q.GetId())) })
			}
			if b == nil {
				break
			}
			ctx, cancel := context.WithTimeout(c.ctx, callBy)
			b.cancel = cancel
			c.desk.polls[lane] = append(c.desk.polls[lane], b)
			m := c.message()
			for _, q := range b.calls {
				m.Frames = append(m.Frames, &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: q}})
			}
			c.tasks.Go(func() {
				defer cancel()
				c.call(ctx, b, m)
			})
		}
	}
	if len(c.desk.signals) > 0 && !c.desk.signaling {
		c.desk.signaling = true
		m := c.signals()
		c.tasks.Go(func() { c.signal(m) })
	}
}

// failedCall is the answer that the gateway gives to calls behind one that has to be repeated.
func failedCall(id uint32) *edgev1.ServerFrame {
	return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: id, Result: &edgev1.Reply_Error{Error: &edgev1.Error{
		Code: edgev1.Code_CODE_UNAVAILABLE, Reason: "edge.LANE", Message: "An earlier change of this lane must be repeated first.", RetryAfterMs: 100,
	}}}}}
}

// call sends the calls of a batch, and passes on their answers as they come. Where an answer is missing nobody knows what became of the
// call: then the connection has ended, and the session above decides which calls are repeated.
func (c *carrier) call(ctx context.Context, b *batch, m *edgev1.ClientMessage) {
	var bye *edgev1.Error
	body, err := c.post(ctx, PollPath, m, false)
	if err == nil {
		err = readFrames(body, func(f *edgev1.ServerFrame) {
			switch x := f.GetFrame().(type) {
			case *edgev1.ServerFrame_Reply:
				c.mu.Lock()
				b.codes[x.Reply.GetId()] = x.Reply.GetError().GetCode()
				c.mu.Unlock()
				c.pass(f)
			case *edgev1.ServerFrame_Goodbye:
				bye = x.Goodbye.GetError()
				c.pass(f)
			}
		})
		_ = body.Close()
	}
	c.mu.Lock()
	c.desk.done(b)
	missing := b.unanswered()
	if bye == nil && missing == 0 {
		c.dispatch()
	}
	c.mu.Unlock()
	switch {
	case bye != nil:
		c.end(fault(bye))
	case missing > 0:
		c.end(cmp.Or(err, io.ErrUnexpectedEOF))
	}
}

// signals makes the message for the signals that wait: on topics that are followed by who sends them. It needs the lock.
func (c *carrier) signals() *edgev1.ClientMessage {
	m, s := c.message(), &edgev1.Subscribe{Id: 1}
	for _, x := range c.desk.signals {
		if !slices.ContainsFunc(s.Wants, func(w *edgev1.Want) bool { return w.GetTopic() == x.GetTopic() }) {
			s.Wants = append(s.Wants, &edgev1.Want{Topic: x.GetTopic(), Mode: edgev1.Mode_MODE_EVENTS})
		}
	}
	m.Frames = append(m.Frames, &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: s}})
	for len(c.desk.signals) > 0 && len(m.Frames) < maxFrames {
		m.Frames = append(m.Frames, &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Signal{Signal: c.desk.signals[0]}})
		c.desk.signals = c.desk.signals[1:]
	}
	return m
}

// signal sends signals. What is lost of them is lost.
func (c *carrier) signal(m *edgev1.ClientMessage) {
	ctx, cancel := context.WithTimeout(c.ctx, signalBy)
	defer cancel()
	if body, err := c.post(ctx, PollPath+"?wait=0", m, true); err == nil {
		_ = readFrames(body, func(*edgev1.ServerFrame) {})
		_ = body.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.desk.signaling = false
	c.dispatch()
}
