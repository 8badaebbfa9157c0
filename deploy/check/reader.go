package check

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// reloadLimit bounds the reading of a channel anew after a reset.
const reloadLimit = 2 * time.Minute

// Shown is a message as somebody got to see it.
type Shown struct {
	Message
	When time.Time
}

// Reader follows a channel from its beginning and keeps what it was shown.
type Reader struct {
	Person *Person
	Sub    *client.Subscription

	channel string
	stop    context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex // guards what follows
	shown  []Shown
	offset uint64 // of the last event
	holes  []string
	resets []*client.Error
	heard  []*edgev1.Signal
	last   error // why nothing more comes
}

// Read begins to follow a channel.
func (p *Person) Read(ctx context.Context, channel string) (*Reader, error) {
	history, err := p.Chat.History(ctx, &chatv1.HistoryRequest{Channel: channel, Limit: 1})
	if err != nil {
		return nil, err
	}
	sub, err := p.Client.Follow(ctx, "chat.channel/"+channel, client.From(&edgev1.Cursor{Epoch: history.GetCursor().GetEpoch()}))
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // until Close
	r := &Reader{Person: p, Sub: sub, channel: channel, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		err := r.follow(running)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.last = err
	}()
	return r, nil
}

func (r *Reader) follow(ctx context.Context) error {
	for {
		u, err := r.Sub.Next(ctx)
		if err != nil {
			return err
		}
		if err := r.take(u); err != nil {
			return err
		}
		if u.Reset != nil {
			if err := r.reload(ctx); err != nil {
				return err
			}
		}
	}
}

func (r *Reader) take(u client.Update) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.Reset != nil {
		r.resets = append(r.resets, u.Reset.Cause)
	}
	if u.Signal != nil {
		r.heard = append(r.heard, u.Signal)
	}
	for _, e := range u.Events {
		if e.GetOffset() != r.offset+1 {
			r.holes = append(r.holes, fmt.Sprintf("%d after %d", e.GetOffset(), r.offset))
		}
		r.offset = e.GetOffset()
		var event chatv1.ChannelEvent
		if err := proto.Unmarshal(e.GetBody(), &event); err != nil {
			return err
		}
		if text := event.GetPosted().GetText(); text != "" {
			r.shown = append(r.shown, Shown{Message{e.GetOffset(), text}, time.Now()})
		}
	}
	return nil
}

// reload does after a reset what every client does: it reads what it missed, and goes on from there.
func (r *Reader) reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	_, from := r.Seen()
	missed, cursor, err := History(ctx, r.Person.Chat, r.channel, from)
	if err != nil {
		return err
	}
	r.mu.Lock()
	for _, m := range missed {
		r.shown = append(r.shown, Shown{m, time.Now()})
	}
	r.offset = cursor.GetOffset()
	r.mu.Unlock()
	return r.Sub.Resume(ctx, cursor)
}

// Seen is every message shown so far, in the order in which they came, and the offset of the last event.
func (r *Reader) Seen() (shown []Shown, offset uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown[:len(r.shown):len(r.shown)], r.offset
}

// Heard is every signal so far.
func (r *Reader) Heard() []*edgev1.Signal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard[:len(r.heard):len(r.heard)]
}

// Resets is how often the reader was told to read the channel anew.
func (r *Reader) Resets() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.resets)
}

// Last is why nothing more comes, once Done is closed.
func (r *Reader) Last() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Done is closed when nothing more comes.
func (r *Reader) Done() <-chan struct{} { return r.done }

// UpTo waits until the reader was shown an offset.
func (r *Reader) UpTo(ctx context.Context, offset uint64) error {
	for {
		_, seen := r.Seen()
		if seen >= offset {
			return nil
		}
		select {
		case <-r.done:
			if _, seen := r.Seen(); seen >= offset {
				return nil
			}
			return fmt.Errorf("%s was shown %d of %d and nothing more: %w", r.Person.Handle, seen, offset, r.Last())
		case <-ctx.Done():
			return fmt.Errorf("%s was shown %d of %d; client: %+v", r.Person.Handle, seen, offset, r.Person.Client.State())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Close ends the following.
func (r *Reader) Close() {
	r.Sub.Close()
	r.stop()
	<-r.done
}
