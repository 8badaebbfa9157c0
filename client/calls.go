package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// outboxLane keeps the outbox's calls in order; no other call uses it.
const outboxLane = 1

// outboxWindow is how many of them are under way at the same time.
const outboxWindow = 16

// defaultCalls is the protocol's limit of calls that execute at once, until Welcome tells the server's own.
const defaultCalls = 32

// call is one Call frame and who waits for it.
type call struct {
	ctx        context.Context //nolint:containedctx // the caller's: the call is dropped when it ends
	method     string
	body       []byte
	seq        uint64
	lane       uint32
	repeatable bool   // may go out again after the connection was lost: a read, or a mutation with a number
	entry      *entry // of the outbox; nobody waits for the call then
	id         uint32
	result     []byte
	err        error
	done       chan struct{}
}

func (c *call) finish(result []byte, err error) {
	if c.done == nil {
		return
	}
	c.result, c.err = result, err
	close(c.done)
}

// Invoke calls a unary method, for the clients that protoc-gen-go-grpc makes. A mutation gets a number, so that it takes
// place once, however often the connection is lost on the way; reads and mutations are repeated until ctx ends or they are
// answered. Errors are *Error. After a mutation whose ctx ended the outcome is not known (CODE_OUTCOME_UNKNOWN): put
// what must not be lost into the outbox, by Enqueue.
func (c *Client) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	in, ok := args.(proto.Message)
	out, ok2 := reply.(proto.Message)
	if !ok || !ok2 {
		return errors.New("client: requests and replies are proto messages")
	}
	level, err := idempotency(method)
	if err != nil {
		return err
	}
	body, err := encode(in)
	if err != nil {
		return err
	}
	q := &call{ctx: ctx, method: trim(method), body: body, repeatable: level != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN}
	if level == descriptorpb.MethodOptions_IDEMPOTENT {
		if q.seq, err = c.cfg.Outbox.Number(); err != nil {
			return err
		}
	}
	result, err := c.repeat(ctx, q)
	if err != nil {
		return err
	}
	return proto.Unmarshal(result, out)
}

// repeat makes round trips until one is answered by something else than "not now".
func (c *Client) repeat(ctx context.Context, q *call) ([]byte, error) {
	var backoff backoff
	for {
		result, err := c.roundTrip(ctx, q)
		if err == nil {
			return result, nil
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || !retryable(e.Code) || !q.repeatable || e.local() {
			return nil, err
		}
		wait := time.NewTimer(backoff.next(e.RetryAfter))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, e
		}
	}
}

// Call is one call as it stands in the protocol.
type Call struct {
	Method string // full name
	Body   []byte // encoded request
	Seq    uint64 // of a mutation: Outbox.Number gives it, and a retry repeats it; else 0
	Lane   uint32 // 2-16: calls of one lane take place one after the other, in the order of calling; 0: none
}

// maxLane is the protocol's last lane.
const maxLane = 16

// Call sends a call once and returns the encoded answer: for methods that this program knows by name only, and for programs
// that order and repeat their mutations themselves. Others use generated clients, and Enqueue for what needs an order.
func (c *Client) Call(ctx context.Context, q Call) ([]byte, error) {
	if q.Lane == outboxLane || q.Lane > maxLane {
		return nil, fmt.Errorf("client: lane %d: use 0, or %d to %d", q.Lane, outboxLane+1, maxLane)
	}
	if err := fits(q.Body); err != nil {
		return nil, err
	}
	return c.roundTrip(ctx, &call{ctx: ctx, method: trim(q.Method), body: q.Body, seq: q.Seq, lane: q.Lane})
}

// Repeat sends a call that may be repeated, a read or a mutation with its number, until it is answered by something else than 200-299 or
// ctx ends: for programs that keep a mutation and its number themselves, and go on with it in a later run.
func (c *Client) Repeat(ctx context.Context, q Call) ([]byte, error) {
	if err := fits(q.Body); err != nil {
		return nil, err
	}
	return c.repeat(ctx, &call{ctx: ctx, method: trim(q.Method), body: q.Body, seq: q.Seq, repeatable: true})
}

// NewStream is not part of the edge protocol: follow a topic instead.
func (c *Client) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errorf(edgev1.Code_CODE_UNSUPPORTED, "client.NO_STREAMS", "The edge has no streaming calls: follow a topic.")
}

var _ grpc.ClientConnInterface = (*Client)(nil)

func (c *Client) roundTrip(ctx context.Context, q *call) ([]byte, error) {
	q.done = make(chan struct{})
	if err := c.do(ctx, func(s *session) { s.sendCall(q) }); err != nil {
		return nil, ended(ctx, q.seq, err)
	}
	select {
	case <-q.done:
		return q.result, q.err
	case <-c.stopped:
		return nil, c.why
	case <-ctx.Done():
		_ = c.do(context.WithoutCancel(ctx), func(s *session) { s.cancel(q) })
		return nil, ended(ctx, q.seq, ctx.Err())
	}
}

// ended says what a caller is to think of a call whose context has ended.
func ended(ctx context.Context, seq uint64, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if seq != 0 {
		return errorf(edgev1.Code_CODE_OUTCOME_UNKNOWN, "client.TIMEOUT", "No answer came in time; it may have taken place.").because(err)
	}
	return errorf(edgev1.Code_CODE_UNAVAILABLE, "client.TIMEOUT", "No answer came in time. Is the server reachable?").because(err)
}

// sendCall sends a call, or lets it wait for a connection or for its turn.
func (s *session) sendCall(q *call) {
	switch direct := len(s.calls) - len(s.sending); {
	case q.ctx.Err() != nil:
		q.finish(nil, ended(q.ctx, q.seq, q.ctx.Err()))
	case s.link != nil && direct < s.window():
		s.transmit(q)
	case direct+len(s.queued) < maxCalls:
		s.queued = append(s.queued, q)
	default:
		q.finish(nil, errorf(edgev1.Code_CODE_TOO_MANY_CALLS, "client.TOO_MANY_CALLS", "%d calls are under way. Wait for one to end.", maxCalls))
	}
}

// window is how many calls may be under way, besides the outbox's, of which one executes at a time.
func (s *session) window() int {
	if n := int(s.link.welcome.GetLimits().GetCalls()); n > 1 {
		return n - 1
	}
	return defaultCalls - 1
}

func (s *session) sendQueued() {
	for n := len(s.queued); n > 0 && s.link != nil && len(s.calls)-len(s.sending) < s.window(); n-- {
		q := s.queued[0]
		s.queued = s.queued[1:]
		s.sendCall(q)
	}
}

func (s *session) transmit(q *call) {
	q.id = s.id()
	s.calls[q.id] = q
	f := &edgev1.Call{Id: q.id, Method: q.method, Body: q.body, ClientSeq: q.seq, Lane: q.lane}
	if deadline, ok := q.ctx.Deadline(); ok {
		f.TimeoutMs = uint32(max(1, min(time.Until(deadline).Milliseconds(), 1<<31)))
	}
	s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: f}})
}

func (s *session) cancel(q *call) {
	if s.calls[q.id] == q {
		delete(s.calls, q.id)
		s.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Cancel{Cancel: &edgev1.Cancel{Id: q.id}}})
		s.sendQueued()
		return
	}
	for i, waiting := range s.queued {
		if waiting == q {
			s.queued = append(s.queued[:i], s.queued[i+1:]...)
			return
		}
	}
}

// id gives the next number of a call or a subscribe; never 0.
func (s *session) id() uint32 {
	if s.nextID++; s.nextID == 0 {
		s.nextID = 1
	}
	return s.nextID
}

func (s *session) reply(r *edgev1.Reply) {
	q := s.calls[r.GetId()]
	if q == nil {
		return // given up
	}
	delete(s.calls, r.GetId())
	var err error
	if e := r.GetError(); e != nil {
		failure := fault(e)
		if failure.Code == edgev1.Code_CODE_TOKEN_STALE {
			s.refresh()
		}
		err = failure
	}
	if q.entry != nil {
		s.outboxReply(q, r.GetBody(), err)
		return
	}
	q.finish(r.GetBody(), err)
	s.sendQueued()
}

// encode marshals a request; one that no connection would take is refused here, before it can end one.
func encode(request proto.Message) ([]byte, error) {
	body, err := proto.Marshal(request)
	if err == nil {
		err = fits(body)
	}
	return body, err
}

func fits(body []byte) error {
	if len(body) > maxBody {
		return errorf(edgev1.Code_CODE_BODY_TOO_LARGE, "client.BODY_TOO_LARGE", "This is %d bytes long; at most %d can be sent.", len(body), maxBody)
	}
	return nil
}

func trim(method string) string {
	if method != "" && method[0] == '/' {
		return method[1:]
	}
	return method
}

// idempotency finds the method's idempotency_level in the linked descriptors.
func idempotency(method string) (descriptorpb.MethodOptions_IdempotencyLevel, error) {
	name := []byte(trim(method))
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			name[i] = '.'
			break
		}
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return 0, errorf(edgev1.Code_CODE_NOT_FOUND, "client.NO_METHOD", "%s is no method that this program knows.", method)
	}
	opts, _ := d.Options().(*descriptorpb.MethodOptions)
	return opts.GetIdempotencyLevel(), nil
}
