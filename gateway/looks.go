package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	looksBatch  = 128                   // views that one message begins
	looksBytes  = 1 << 20               // of them, besides the last one's
	looksGap    = 10 * time.Millisecond // between two messages: those whose stream has broken come back one batch after another
	looksLinger = time.Minute           // without a view, before a stream is closed
)

// looks are the streams that bring VIEWs, one from each process of a service that has any: a stream costs its service more than most views do.
type looks struct {
	g *Gateway

	mu      sync.Mutex // guards all below, and what the streams say of it
	streams map[grpc.ClientConnInterface]*lookout
}

// lookout is one stream: TopicService.TailEach. The views are the followers', who hear of its end.
type lookout struct {
	g    *Gateway
	cc   grpc.ClientConnInterface
	kick chan struct{} // capacity 1: there is something to say

	// These are guarded by the lock of looks.
	last   uint64             // id given
	views  map[uint64]*looked // that have not ended
	begins []*topicv1.TailBegin
	ends   []uint64 // of views whose begin was said
}

// looked is one view on a stream.
type looked struct {
	v    *follower
	said bool // its begin
}

// look is what a follower knows of its view's stream. The zero look is none.
type look struct {
	o  *lookout
	id uint64
}

// begin has a service asked for a view, as the token's user. v.take and v.broke are told what comes of it, by a goroutine that holds no lock.
func (l *looks) begin(v *follower, token string, req *topicv1.TailRequest) (look, error) {
	cc, err := l.g.deps.Services.Conn(v.x.service, v.key)
	if err != nil {
		return look{}, away.Because(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.streams[cc]
	if o == nil {
		o = &lookout{g: l.g, cc: cc, kick: make(chan struct{}, 1), views: map[uint64]*looked{}}
		l.streams[cc] = o
		l.g.calls.Go(o.run)
	}
	o.last++
	o.views[o.last] = &looked{v: v}
	o.begins = append(o.begins, &topicv1.TailBegin{Id: o.last, Token: token, Tail: req})
	o.wake()
	return look{o, o.last}, nil
}

// end gives a view up, if it has not ended.
func (x look) end() {
	if x.o == nil {
		return
	}
	x.o.g.looks.mu.Lock()
	defer x.o.g.looks.mu.Unlock()
	if w := x.o.views[x.id]; w != nil {
		if delete(x.o.views, x.id); w.said {
			x.o.ends = append(x.o.ends, x.id)
			x.o.wake()
		}
	}
}

func (o *lookout) wake() {
	select {
	case o.kick <- struct{}{}:
	default:
	}
}

// run brings views until the stream ends, and tells those that it had.
func (o *lookout) run() {
	err := o.carry()
	l := &o.g.looks
	l.mu.Lock()
	if l.streams[o.cc] == o {
		delete(l.streams, o.cc)
	}
	views := o.views
	o.views, o.begins, o.ends = nil, nil, nil
	l.mu.Unlock()
	for _, w := range views {
		w.v.broke(err)
	}
}

// carry has one stream.
func (o *lookout) carry() error {
	ctx, cancel := context.WithCancel(o.g.base)
	var hearing sync.WaitGroup
	defer hearing.Wait()
	defer cancel()
	stream, err := topicv1.NewTopicServiceClient(o.cc).TailEach(ctx)
	if err != nil {
		return fmt.Errorf("gateway: look: %w", err)
	}
	heard := make(chan error, 1)
	hearing.Go(func() { heard <- o.hear(stream) })
	for {
		req := o.next()
		if req == nil {
			select {
			case <-o.kick:
			case err := <-heard:
				return err
			case <-time.After(looksLinger):
				if o.leave() {
					return nil
				}
			}
			continue
		}
		if err := stream.Send(req); err != nil {
			return <-heard // says why
		}
		select {
		case <-time.After(looksGap):
		case err := <-heard:
			return err
		}
	}
}

// next takes what is to be said next; nil: nothing.
func (o *lookout) next() *topicv1.TailEachRequest {
	o.g.looks.mu.Lock()
	defer o.g.looks.mu.Unlock()
	req := &topicv1.TailEachRequest{}
	n, bytes := 0, 0
	for ; n < len(o.begins) && len(req.GetBegins()) < looksBatch && bytes < looksBytes; n++ {
		b := o.begins[n]
		if w := o.views[b.GetId()]; w != nil { // else it has ended before anybody was told of it
			w.said = true
			req.Begins, bytes = append(req.Begins, b), bytes+proto.Size(b)
		}
		o.begins[n] = nil
	}
	if o.begins = o.begins[n:]; len(o.begins) == 0 {
		o.begins = nil
	}
	n = min(len(o.ends), topic.MaxEachEnds)
	if req.Ends, o.ends = o.ends[:n], o.ends[n:]; len(o.ends) == 0 {
		o.ends = nil
	}
	if len(req.GetBegins())+len(req.GetEnds()) == 0 {
		return nil
	}
	return req
}

// leave gives the stream up if it has no view.
func (o *lookout) leave() bool {
	l := &o.g.looks
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(o.views) > 0 {
		return false
	}
	delete(l.streams, o.cc)
	return true
}

// hear takes in what a service tells, until the stream ends. It waits for no client: what they are to be told is conflated.
func (o *lookout) hear(stream grpc.BidiStreamingClient[topicv1.TailEachRequest, topicv1.TailEachResponse]) error {
	for {
		res, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return away.Because(err)
		case err != nil:
			return fmt.Errorf("gateway: look: %w", err)
		}
		for _, p := range res.GetParts() {
			o.tell(p)
		}
	}
}

func (o *lookout) tell(p *topicv1.TailPart) {
	o.g.looks.mu.Lock()
	w := o.views[p.GetId()]
	if p.GetError() != nil {
		delete(o.views, p.GetId())
	}
	o.g.looks.mu.Unlock()
	if w == nil { // it was ended meanwhile
		return
	}
	var err error
	if p.GetError() != nil {
		err = numbered(p.GetError())
	} else if err = w.v.take(p.GetResponse().GetView()); err != nil {
		look{o, p.GetId()}.end()
	}
	if err != nil {
		w.v.broke(err)
	}
}
