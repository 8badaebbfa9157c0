package client

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Mutation is what Event.mutation says of the mutation (clientID, seq): by it an author knows its own.
func Mutation(clientID string, seq uint64) uint64 {
	sum := sha256.Sum256([]byte(clientID + "/" + strconv.FormatUint(seq, 10)))
	return binary.BigEndian.Uint64(sum[:8])
}

// Pending is an entry of the outbox.
type Pending struct{ entry *entry }

// Seq is its client_seq: its Event.mutation is Mutation(clientID, Seq).
func (p Pending) Seq() uint64 { return p.entry.seq }

// Method is the full name of the method that is called.
func (p Pending) Method() string { return p.entry.method }

// Request is the encoded request.
func (p Pending) Request() []byte { return p.entry.body }

// Since is when it was put into the outbox.
func (p Pending) Since() time.Time { return p.entry.since }

// Accepted is closed when it is known to have taken place: its event was seen on a topic, or the answer came. From then on
// no later run of the program sends it again.
func (p Pending) Accepted() <-chan struct{} { return p.entry.accepted }

// Done is closed when its answer came.
func (p Pending) Done() <-chan struct{} { return p.entry.done }

// Postponed is the last answer by which the server put it off, to be repeated; nil where none came.
func (p Pending) Postponed() *Error { return p.entry.later.Load() }

// Wait waits for the answer and fills reply, which may be nil. It returns why the mutation was refused (an *Error; it will
// not be tried again), or the error of ctx, after which it goes on waiting in the outbox.
func (p Pending) Wait(ctx context.Context, reply proto.Message) error {
	select {
	case <-p.entry.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.entry.err != nil {
		return p.entry.err
	}
	if reply == nil {
		return nil
	}
	return proto.Unmarshal(p.entry.reply, reply)
}

// Enqueue puts a mutation into the outbox: it is sent when there is a connection, once, after everything that was put there
// before, also by a later run of the program. It fails only where it could not be kept.
func (c *Client) Enqueue(method string, request proto.Message) (Pending, error) {
	level, err := idempotency(method)
	if err != nil {
		return Pending{}, err
	}
	if level != descriptorpb.MethodOptions_IDEMPOTENT {
		return Pending{}, fmt.Errorf("client: %s is no mutation that may be repeated, so it can't wait in the outbox", method)
	}
	body, err := encode(request)
	if err != nil {
		return Pending{}, err
	}
	e, err := c.cfg.Outbox.put(trim(method), body, time.Now())
	if err != nil {
		return Pending{}, err
	}
	return Pending{e}, nil
}

// flushOutbox sends what waits, in order, up to a window.
//
// Invariant: entries go out in ascending order on one lane. Once one of them is to be repeated, nothing goes out before each
// that is under way was answered, since the lane refuses all that follow a failed one; then all of them go out again.
func (s *session) flushOutbox() {
	if s.link == nil || !s.outboxAt.IsZero() || s.failing && len(s.sending) > 0 {
		return
	}
	s.failing = false
	for expired := true; expired; {
		expired = false
		for _, e := range s.cfg.Outbox.head(outboxWindow) {
			if _, sent := s.sending[e.seq]; sent {
				continue
			}
			if time.Since(e.since) > OutboxAge {
				s.note(s.cfg.Outbox.settle(e.seq, nil, errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "client.TOO_OLD", "This waited for more than 30 days to be sent. Send it anew if it still matters.")))
				expired = true
				continue
			}
			s.sending[e.seq] = struct{}{}
			s.transmit(&call{ctx: s.ctx, method: e.method, body: e.body, seq: e.seq, lane: outboxLane, entry: e})
		}
	}
}

// outboxReply settles the entry, or plans to send it and all later ones again.
func (s *session) outboxReply(q *call, result []byte, err error) {
	delete(s.sending, q.seq)
	if e, ok := errors.AsType[*Error](err); ok && retryable(e.Code) {
		if q.entry != nil && !e.local() {
			q.entry.later.Store(e)
		}
		if s.failing = true; s.outboxAt.IsZero() {
			s.outboxAt = time.Now().Add(s.outboxBackoff.next(e.RetryAfter))
		}
		return
	}
	s.outboxBackoff.reset()
	s.note(s.cfg.Outbox.settle(q.seq, result, err))
	s.flushOutbox()
}
