package bus

import (
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Message is what came in. Data must not be changed: other subscribers see it too.
type Message struct {
	Subject string
	Data    []byte
}

// Subscription is the interest in one subject; it survives reconnections.
type Subscription struct {
	bus     *Bus
	nats    *nats.Subscription
	ch      chan<- Message
	dropped atomic.Uint64
}

// Subscribe sends what is published on subject (wildcards * and > as in NATS) to ch from now on. Many subscriptions may
// share one channel; none costs a goroutine. A full channel drops the message and counts it: give it room, read it
// promptly, and compare heads. The bus never closes ch. While NATS is away, the interest is remembered.
func (b *Bus) Subscribe(subject string, ch chan<- Message) (*Subscription, error) {
	s := &Subscription{bus: b, ch: ch}
	// Held across the call, so that deliver cannot meet a message of a subscription it does not know.
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	sub, err := b.conn.ChanSubscribe(subject, b.in)
	if err != nil {
		return nil, fmt.Errorf("bus: subscribe %s: %w", subject, err)
	}
	s.nats = sub
	b.subs[sub] = s
	b.metrics.subscriptions.Set(float64(len(b.subs)))
	return s, nil
}

// Unsubscribe ends the interest; nothing is sent to the channel after it returns. It may be called twice.
func (s *Subscription) Unsubscribe() {
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs[s.nats] == nil {
		return
	}
	delete(b.subs, s.nats)
	b.metrics.subscriptions.Set(float64(len(b.subs)))
	_ = s.nats.Unsubscribe() // fails on a closed connection only, and then nothing is left to undo
}

// Dropped counts the messages that found the channel full.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// deliver hands messages from the connection to the subscribers' channels and waits for none of them.
func (b *Bus) deliver() {
	for {
		select {
		case <-b.stop:
			return
		case m := <-b.in:
			b.hand(m)
		}
	}
}

func (b *Bus) hand(m *nats.Msg) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.subs[m.Sub]
	if s == nil {
		return
	}
	select {
	case s.ch <- Message{Subject: m.Subject, Data: m.Data}:
		b.metrics.received.Inc()
	default:
		s.dropped.Add(1)
		b.metrics.dropped.WithLabelValues("subscriber").Inc()
	}
}
