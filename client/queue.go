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

	"plenum.internal/mesh/rpc"
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
func (p *Pending) Seq() uint64 { return p.entry.seq }

// Done is closed when it is settled.
func (p *Pending) Done() <-chan struct{} { return p.entry.done }

// Wait waits until it is settled and fills reply. It returns why it was
// refused (an *rpc.Error; it will not be tried again), or the error of ctx, after which it goes on waiting in the outbox.
func (p *Pending) Wait(ctx context.Context, reply proto.Message) error {
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
func (c *Client) Enqueue(method string, request proto.Message) (*Pending, error) {
	level, err := idempotency(method)
	if err != nil {
		return nil, err
	}
	if level != descriptorpb.MethodOptions_IDEMPOTENT {
		return nil, fmt.Errorf("client: %s is no mutation that may be repeated, so it can't wait in the outbox", method)
	}
	body, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	e, err := c.cfg.Outbox.put(trim(method), body, time.Now())
	if err != nil {
		return nil, err
	}
	return &Pending{e}, nil
}

// flushOutbox sends what waits, in order, up to a window.
//
// Invariant: the first s.sending entries of the outbox are under way, unless s.failing: then it is some of them, since the
// lane refuses all that follow one that failed, and nothing is sent before each of them was answered.
func (s *session) flushOutbox() {
	if s.link == nil || !s.outboxAt.IsZero() || s.failing && s.sending > 0 {
		return
	}
	s.failing = false
	waiting := s.cfg.Outbox.head(outboxWindow)
	for ; s.sending < len(waiting); s.sending++ {
		e := waiting[s.sending]
		if time.Since(e.since) > OutboxAge {
			if s.sending > 0 {
				return // when those before it have ended
			}
			s.settle(e.seq, nil, rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "client.TOO_OLD", "This waited for more than 30 days to be sent. Send it anew if it still matters."))
			s.sending = -1
			waiting = s.cfg.Outbox.head(outboxWindow)
			continue
		}
		s.sendCall(&call{method: e.method, body: e.body, seq: e.seq, repeatable: true, entry: e})
	}
}

// outboxReply settles the entry, or plans to send it and all later ones again.
func (s *session) outboxReply(q *call, result []byte, err error) {
	if e, ok := errors.AsType[*rpc.Error](err); ok && retryable(e.Code) {
		if s.outboxAt.IsZero() {
			s.outboxAt = time.Now().Add(max(e.RetryAfter, backoffBase))
		}
		s.sending, s.failing = s.sending-1, true
		return
	}
	s.sending--
	s.settle(q.seq, result, err)
	s.flushOutbox()
}

func (s *session) settle(seq uint64, result []byte, failure error) {
	if err := s.cfg.Outbox.settle(seq, result, failure); err != nil {
		s.cfg.Log.Error("the outbox can't be written", "error", err)
	}
}
