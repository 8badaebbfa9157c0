package crowd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/history"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// Limits of one device.
const (
	maxWaiting = 64               // operations without an answer; while there are as many, it asks for nothing
	recent     = 20               // messages of a channel that it may edit or react to
	readTime   = 10 * time.Second // for a read: it is asked once
)

// device is somebody at a screen.
type device struct {
	*check.Person
	crowd     *Crowd
	number    int
	name      string
	transport string
	random    *rand.Rand

	channels []*channel
	screen   *screen
	waits    sync.WaitGroup
	slots    chan struct{} // one is taken by each operation without an answer

	mu    sync.Mutex
	known map[string][]shownMessage // by channel: recent messages; guarded by mu
}

// shownMessage is one that can be edited or reacted to.
type shownMessage struct {
	offset uint64
	text   string
	own    bool // sent by this device
}

// look begins to follow the channels that the device's person is in.
func (d *device) look(ctx context.Context, all []*channel, random *rand.Rand) (err error) {
	d.random, d.slots = random, make(chan struct{}, maxWaiting)
	for _, ch := range all {
		for _, p := range ch.members {
			if p.id == d.ID {
				d.channels = append(d.channels, ch)
			}
		}
	}
	d.screen, err = newScreen(ctx, d)
	return err
}

// work asks for one thing after the other until ctx ends, whatever happens, and returns when all is answered, or answered ends.
func (d *device) work(ctx, answered context.Context) {
	defer d.waits.Wait()
	tick := time.NewTicker(d.crowd.cfg.Pause)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case d.slots <- struct{}{}:
			d.ask(ctx, answered, n)
		default: // enough waits
		}
	}
}

// ask does what people do, in about their proportions.
func (d *device) ask(ctx, answered context.Context, n int) {
	ch := d.channels[d.random.IntN(len(d.channels))]
	op := history.Op{Device: d.number, User: d.ID, Channel: ch.id, ID: fmt.Sprintf("d%d-%d", d.number, n), Call: time.Since(d.crowd.origin)}
	dice := d.random.IntN(100)
	switch message, ok := d.pick(ch.id, dice < 10); {
	case ok && dice < 10:
		op.Kind = history.Edit
		d.enqueue(answered, op, chatv1.ChatService_EditMessage_FullMethodName,
			&chatv1.EditMessageRequest{Channel: ch.id, Offset: message.offset, Text: op.ID + " " + message.text}, &chatv1.EditMessageResponse{})
	case ok && dice < 20:
		op.Kind = history.React
		d.enqueue(answered, op, chatv1.ChatService_AddReaction_FullMethodName,
			&chatv1.AddReactionRequest{Channel: ch.id, Offset: message.offset, Emoji: ":" + op.ID + ":"}, &chatv1.AddReactionResponse{})
	case ok && dice < 30:
		op.Kind = history.Mark
		d.enqueue(answered, op, chatv1.ChatService_MarkRead_FullMethodName,
			&chatv1.MarkReadRequest{Channel: ch.id, Offset: message.offset}, &chatv1.MarkReadResponse{})
	case dice < 40:
		op.Kind = history.Read
		d.waits.Go(func() { d.read(answered, op) })
	default:
		op.Kind = history.Post
		d.post(ctx, answered, ch, op)
	}
}

// post writes a message, now and then to somebody, with what the person has been shown as its causes.
func (d *device) post(ctx, answered context.Context, ch *channel, op history.Op) {
	text := op.ID + " says " + d.Handle
	if to := ch.members[d.random.IntN(len(ch.members))]; d.random.IntN(5) == 0 {
		text += " to @" + to.handle
	}
	request := &chatv1.SendRequest{Channel: ch.id, Text: text}
	for _, seen := range d.Client.Context(ctx, topicOf(ch.id)) {
		if _, ok := channelOf(seen.Topic); ok {
			request.Context = append(request.Context, &chatv1.Dependency{Topic: seen.Topic, Cursor: seen.Cursor})
		}
	}
	d.enqueue(answered, op, chatv1.ChatService_Send_FullMethodName, request, &chatv1.SendResponse{})
}

// enqueue asks by way of the outbox, which repeats until there is an answer.
func (d *device) enqueue(answered context.Context, op history.Op, method string, request, answer proto.Message) {
	pending, err := d.Client.Enqueue(method, request)
	if err != nil {
		d.settle(op, err, 0)
		return
	}
	d.waits.Go(func() {
		err := pending.Wait(answered, answer)
		d.settle(op, err, offsetOf(answer))
	})
}

func offsetOf(answer proto.Message) uint64 {
	switch a := answer.(type) {
	case *chatv1.MarkReadResponse:
		return a.GetMarker().GetOffset()
	case interface{ GetOffset() uint64 }:
		return a.GetOffset()
	default:
		return 0
	}
}

// read asks for the newest message, once: without an answer, nothing is known.
func (d *device) read(answered context.Context, op history.Op) {
	ctx, cancel := context.WithTimeout(answered, readTime)
	defer cancel()
	page, err := d.Chat.History(ctx, &chatv1.HistoryRequest{Channel: op.Channel, Limit: 1})
	if err != nil || len(page.GetMessages()) == 0 {
		<-d.slots
		return
	}
	d.settle(op, nil, page.GetMessages()[0].GetOffset())
}

// settle records what became of an operation.
func (d *device) settle(op history.Op, err error, offset uint64) {
	<-d.slots
	op.Offset, op.Return, op.Outcome = offset, time.Since(d.crowd.origin), history.Done
	if err != nil {
		op.Outcome, op.Error = history.Unsettled, err.Error()
		if check.Code(err) != 0 { // a server's last word
			op.Outcome = history.Refused
		}
	}
	d.crowd.note(op)
}

// pick chooses one of the recent messages; own: that this device has sent.
func (d *device) pick(channel string, own bool) (m shownMessage, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	messages := d.known[channel]
	if len(messages) == 0 {
		return m, false
	}
	m = messages[d.random.IntN(len(messages))]
	return m, m.own || !own
}

// learn remembers a message that was shown.
func (d *device) learn(channel string, m shownMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	messages := append(d.known[channel], m)
	d.known[channel] = messages[max(0, len(messages)-recent):]
}

func (d *device) close() {
	if d.screen != nil {
		d.screen.close()
	}
	d.Close()
}
