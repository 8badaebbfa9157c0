package bus

import (
	"context"
	"sync"
	"time"
)

// flushTimeout limits a Flush whose context has no deadline.
const flushTimeout = 5 * time.Second

// outgoing is a message, or the marker of a Flush (done set).
type outgoing struct {
	subject string
	data    []byte
	done    chan error
}

func (m outgoing) size() int { return len(m.subject) + len(m.data) }

func (m outgoing) end(err error) {
	if m.done != nil {
		m.done <- err
	}
}

// outbox is the bounded queue between Publish and the goroutine that writes: the NATS client itself would block its
// caller on a full socket.
type outbox struct {
	limit int
	wake  chan struct{}

	mu     sync.Mutex // guards what follows; nobody blocks while holding it
	queue  []outgoing
	spare  []outgoing // the backing array of the last batch, to be filled again
	bytes  int        // of queue and of the batch being written. Invariant: bytes <= limit
	closed bool
}

func (o *outbox) put(m outgoing) error {
	o.mu.Lock()
	switch {
	case o.closed:
		o.mu.Unlock()
		return ErrClosed
	case o.bytes+m.size() > o.limit:
		o.mu.Unlock()
		return ErrFull
	}
	if o.queue == nil {
		o.queue, o.spare = o.spare[:0], nil
	}
	o.queue = append(o.queue, m)
	o.bytes += m.size()
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil
}

// take empties the queue; what it returns goes back by written.
func (o *outbox) take() []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch := o.queue
	o.queue = nil
	return batch
}

func (o *outbox) written(batch []outgoing) {
	size := 0
	for _, m := range batch {
		size += m.size()
	}
	clear(batch)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= size
	if cap(batch) <= 4096 {
		o.spare = batch[:0]
	}
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// Publish queues a message for a subject and returns at once; messages of one Bus leave in the order of their calls.
// data belongs to the bus afterwards. ErrAway, ErrFull, ErrTooLarge and ErrClosed mean that it was dropped and counted;
// without an error it may still be lost with the connection. Followers of the log find it there.
func (b *Bus) Publish(subject string, data []byte) error {
	err := b.publish(outgoing{subject: subject, data: data})
	if err != nil {
		b.metrics.dropped.WithLabelValues(reason(err)).Inc()
	}
	return err
}

func (b *Bus) publish(m outgoing) error {
	switch {
	case len(m.data) > MaxPayload:
		return ErrTooLarge
	case !b.up.Load():
		return b.away()
	}
	return b.out.put(m)
}

func (b *Bus) away() error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return ErrClosed
	}
	return ErrAway
}

// write is the one goroutine that may wait for the socket.
func (b *Bus) write() {
	for {
		select {
		case <-b.stop:
			return
		case <-b.out.wake:
		}
		batch := b.out.take()
		for _, m := range batch {
			if m.done != nil {
				m.end(nil)
				continue
			}
			if err := b.conn.Publish(m.subject, m.data); err != nil {
				b.metrics.dropped.WithLabelValues("connection").Inc()
				continue
			}
			b.metrics.published.Inc()
		}
		b.out.written(batch)
	}
}

// Flush returns when the server has taken everything published and every subscription made before. ErrAway at once
// when no server is reachable.
func (b *Bus) Flush(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flushTimeout)
		defer cancel()
	}
	written := make(chan error, 1)
	if err := b.publish(outgoing{done: written}); err != nil {
		return err
	}
	select {
	case err := <-written:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return b.conn.FlushWithContext(ctx)
}
