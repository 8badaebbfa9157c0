package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// topic numbers what is sent to it, and hands it to all who read.
type topic struct {
	name    string
	readers map[*websocket.Conn]bool // guarded by Server.mu

	mu   sync.Mutex // guards head, and orders the events
	head uint64
}

var errNoTopic = errors.New("there is no such channel")

// subscribe answers for all wanted topics in one message.
func (s *Server) subscribe(ctx context.Context, ws *websocket.Conn, m *edgev1.Subscribe) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := &edgev1.Subscribed{Id: m.GetId()}
	frames := []*edgev1.ServerFrame{{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: answer}}}
	for _, w := range m.GetWants() {
		if w.GetTopic() == bundle {
			answer.Subscriptions = append(answer.Subscriptions, &edgev1.Subscription{Topic: bundle})
			frames = append(frames, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Heads{Heads: s.heads()}})
			continue
		}
		t := s.topics[w.GetTopic()]
		if t == nil {
			return fmt.Errorf("%s: %w", w.GetTopic(), errNoTopic)
		}
		t.readers[ws] = true
		at := &edgev1.Cursor{Epoch: epoch, Offset: t.head}
		answer.Subscriptions = append(answer.Subscriptions, &edgev1.Subscription{Topic: t.name, Start: at, Head: at})
	}
	return write(ctx, ws, frames...)
}

// heads needs the lock.
func (s *Server) heads() *edgev1.Heads {
	h := &edgev1.Heads{Topic: bundle, Snapshot: true}
	for name, t := range s.topics {
		h.Heads = append(h.Heads, &edgev1.Head{Topic: name, Ref: uint32(len(h.Heads) + 1), Offset: t.head, Epoch: epoch})
	}
	return h
}

func (s *Server) leave(ws *websocket.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		delete(t.readers, ws)
	}
}

// call knows what writes: sending, and editing.
func (s *Server) call(ctx context.Context, c *session, call *edgev1.Call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch call.GetMethod() {
	case chatv1.ChatService_Send_FullMethodName[1:]:
		return s.send(ctx, c, call)
	case docsv1.DocsService_Submit_FullMethodName[1:]:
		return s.submit(ctx, c, call)
	}
	return fmt.Errorf("%s is not a method of the control server", call.GetMethod())
}

// send needs the lock. The event's body is the request's.
func (s *Server) send(ctx context.Context, c *session, call *edgev1.Call) error {
	var req chatv1.SendRequest
	if err := proto.Unmarshal(call.GetBody(), &req); err != nil {
		return fmt.Errorf("decode %s: %w", call.GetMethod(), err)
	}
	t := s.topics[channelKind+req.GetChannel()]
	if t == nil {
		return errNoTopic
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now().UnixMilli()
	event := &edgev1.Event{Offset: t.head + 1, Body: call.GetBody(), TimeMs: now}
	return t.append(ctx, c, call, &chatv1.SendResponse{Offset: event.GetOffset(), Epoch: epoch, TimeMs: now}, event)
}

// append answers a call, and tells all readers of its event. It needs both locks.
func (t *topic) append(ctx context.Context, c *session, call *edgev1.Call, answer proto.Message, event *edgev1.Event) error {
	t.head = event.GetOffset()
	body, err := proto.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	reply := &edgev1.Reply{Id: call.GetId(), Result: &edgev1.Reply_Body{Body: body}}
	if err := write(ctx, c.Conn, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: reply}}); err != nil {
		return err
	}
	data, err := encode(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: t.name, Events: []*edgev1.Event{event}}}})
	if err != nil {
		return err
	}
	t.publish(context.WithoutCancel(ctx), data) // the others get it though its author leaves
	return nil
}

// publish writes to all readers, on as many goroutines as there are processors. It needs both locks.
func (t *topic) publish(ctx context.Context, event []byte) {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	readers := slices.Collect(maps.Keys(t.readers))
	var writers sync.WaitGroup
	for part := range slices.Chunk(readers, max(1, (len(readers)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))) {
		writers.Go(func() {
			for _, ws := range part {
				_ = ws.Write(ctx, websocket.MessageBinary, event) // who can't be written to ends by itself
			}
		})
	}
	writers.Wait()
}
