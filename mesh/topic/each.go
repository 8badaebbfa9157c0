package topic

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// What one stream of TailEach may carry.
const (
	MaxEachViews  = 100_000 // open
	MaxEachBegins = 1_000   // in a request
	MaxEachEnds   = 10_000  // likewise
	eachBytes     = 256 << 10
	eachGap       = 10 * time.Millisecond // between two responses, unless the first is full
)

// Tail tells a user, who is the caller in ctx, of one view until ctx ends: View.Watch is most of it. send returns when the response was taken to be
// sent, so that a slow stream keeps no more than one of each view. Its error is the view's end.
type Tail func(ctx context.Context, req *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error

// EachStream is the service's side of a stream of TailEach.
type EachStream = grpc.BidiStreamingServer[topicv1.TailEachRequest, topicv1.TailEachResponse]

// TailEach answers TopicService.TailEach: each view whose user's token is good by tail, in a goroutine of its own.
func TailEach(stream EachStream, tail Tail) error { return tailEach(stream, tail, MaxEachViews) }

func tailEach(stream EachStream, tail Tail, most int) error {
	ctx, cancel := context.WithCancel(stream.Context())
	t := &tails{ctx: ctx, tail: tail, most: most, views: map[uint64]context.CancelFunc{}, parts: make(chan *topicv1.TailPart)}
	defer t.close(cancel)
	heard := make(chan error, 1)
	go func() { heard <- t.hear(stream) }() // ends with the stream: behind the return, at the latest
	for {
		select {
		case p := <-t.parts:
			res, full := t.gather(p)
			if err := stream.Send(res); err != nil {
				return err //nolint:wrapcheck // the stream's own
			}
			if full {
				continue
			}
			select {
			case <-time.After(eachGap):
				continue
			case err := <-heard:
				return err
			case <-ctx.Done():
			}
		case err := <-heard:
			return err
		case <-ctx.Done():
		}
		return ctx.Err() //nolint:wrapcheck // the caller has gone, or the process stops
	}
}

// tails is one stream.
type tails struct {
	ctx   context.Context //nolint:containedctx // the stream's
	tail  Tail
	most  int                    // views
	parts chan *topicv1.TailPart // from each view one, which waits for the stream to take it
	work  sync.WaitGroup         // a goroutine for each view, and for each request whose views begin

	mu     sync.Mutex                    // guards all below
	views  map[uint64]context.CancelFunc // that have not ended
	closed bool                          // nothing begins any more
}

// close ends all views.
func (t *tails) close(cancel context.CancelFunc) {
	cancel()
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.work.Wait()
}

// gather takes the parts that wait, behind a first one, as far as one response holds them.
func (t *tails) gather(p *topicv1.TailPart) (res *topicv1.TailEachResponse, full bool) {
	res = &topicv1.TailEachResponse{}
	for size := 0; ; {
		res.Parts = append(res.Parts, p)
		if size += proto.Size(p); size >= eachBytes {
			return res, true
		}
		select {
		case p = <-t.parts:
		default:
			return res, false
		}
	}
}

// hear takes in requests until the stream ends, or one breaks the contract.
func (t *tails) hear(stream EachStream) error {
	for {
		req, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err //nolint:wrapcheck // the stream's own
		case len(req.GetBegins()) > MaxEachBegins || len(req.GetEnds()) > MaxEachEnds:
			return errTooManyAtOnce
		}
		if err := t.take(req); err != nil {
			return err
		}
	}
}

// begun is a view that is to be told of.
type begun struct {
	*topicv1.TailBegin
	ctx    context.Context //nolint:containedctx // the view's
	cancel context.CancelFunc
	refuse error
}

func (t *tails) take(req *topicv1.TailEachRequest) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	list := make([]begun, 0, len(req.GetBegins()))
	for _, b := range req.GetBegins() {
		if _, twice := t.views[b.GetId()]; twice {
			return errSameView
		}
		x := begun{TailBegin: b}
		if len(t.views) >= t.most {
			x.refuse = errTooManyViews
		}
		x.ctx, x.cancel = context.WithCancel(t.ctx)
		t.views[b.GetId()] = x.cancel
		list = append(list, x)
	}
	for _, id := range req.GetEnds() {
		if cancel := t.views[id]; cancel != nil {
			cancel()
		}
	}
	// Verifying takes a deep stack, which so is one for many, and may have to wait for a key.
	t.work.Go(func() {
		for _, x := range list {
			caller, err := rpc.Bearer(x.ctx, x.GetToken())
			if x.refuse == nil {
				x.refuse = err
			}
			x.ctx = auth.NewContext(x.ctx, caller)
			t.work.Go(func() { t.run(x) })
		}
	})
	return nil
}

// run tells of one view until it ends, and why it did, unless the caller has ended it.
func (t *tails) run(x begun) {
	defer func() {
		x.cancel()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.views, x.GetId())
	}()
	give := func(p *topicv1.TailPart) error {
		p.Id = x.GetId()
		select {
		case t.parts <- p:
			return nil
		case <-x.ctx.Done():
			return x.ctx.Err()
		}
	}
	why := rpc.FromError(x.refuse)
	if why == nil {
		why = rpc.Part(x.ctx, func() error { return t.tellOf(x, give) })
	}
	_ = give(&topicv1.TailPart{Error: why}) // or the caller doesn't want to know
}

func (t *tails) tellOf(x begun, give func(*topicv1.TailPart) error) error {
	err := t.tail(x.ctx, x.GetTail(), func(res *topicv1.TailResponse) error { return give(&topicv1.TailPart{Response: res}) })
	if err == nil {
		err = errViewOver
	}
	return err
}

var (
	errTooManyAtOnce = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.TOO_MANY", "Begin at most 1,000 views at once, and end at most 10,000.")
	errSameView      = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.SAME_VIEW", "A view of this number is open.").On("begins.id")
	errTooManyViews  = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "topic.TOO_MANY_VIEWS", "Too many views are open. Try again shortly.").RetryIn(5 * time.Second)
	errViewOver      = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "topic.VIEW_OVER", "The view has ended. Look again.").RetryIn(100 * time.Millisecond)
)
