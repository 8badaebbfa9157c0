package sqldb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// What a Batcher answers when it takes no more.
var (
	ErrOverloaded = errors.New("too many writes are waiting")
	ErrStopped    = errors.New("the writer has stopped")
)

// BatcherConfig holds a batcher's limits.
type BatcherConfig struct {
	MaxBatch int // requests that share a transaction at the most. 0: 512
	Queue    int // requests that wait at the most; one more gets ErrOverloaded. 0: 4,096
}

// Batcher is a group commit: requests that come while a transaction is under way share the next one. It adds no delay;
// batches grow by themselves as the commits get slower.
type Batcher[Q any] struct {
	cfg    BatcherConfig
	commit func(ctx context.Context, batch []Q) error
	queue  chan request[Q]
	// waiting is how many requests have no answer yet.
	waiting atomic.Int64

	mu sync.RWMutex
	// stopped says that Run has ended. Invariant: nothing enters the queue after it was set. Guarded by mu.
	stopped bool
}

type request[Q any] struct {
	value Q
	done  chan error
	// settled is set by whoever comes first: the batch that takes the request, or the caller that goes.
	settled *atomic.Bool
}

// NewBatcher returns a batcher whose batches commit is called with, one after the other, in the order of Submit. What
// commit returns is the answer to each request of the batch; a result of its own a request carries in Q. commit must not
// keep the slice.
func NewBatcher[Q any](cfg BatcherConfig, commit func(ctx context.Context, batch []Q) error) *Batcher[Q] {
	if cfg.MaxBatch <= 0 {
		cfg.MaxBatch = 512
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 4096
	}
	return &Batcher[Q]{cfg: cfg, commit: commit, queue: make(chan request[Q], cfg.Queue)}
}

// Submit queues q and waits for its batch. When ctx ends first, it returns the context's error: alone where q still
// waited, and will never be committed; with ErrUnknownOutcome where its batch goes on, which q then belongs to.
func (b *Batcher[Q]) Submit(ctx context.Context, q Q) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := request[Q]{q, make(chan error, 1), new(atomic.Bool)}
	if err := b.enqueue(r); err != nil {
		return err
	}
	return b.wait(ctx, r)
}

// Begin queues q and returns without waiting: for callers whose requests have an order, which is that of their calls. wait does the rest
// of Submit, and is to be called once.
func (b *Batcher[Q]) Begin(q Q) (wait func(ctx context.Context) error, err error) {
	r := request[Q]{q, make(chan error, 1), new(atomic.Bool)}
	if err := b.enqueue(r); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return b.wait(ctx, r) }, nil
}

func (b *Batcher[Q]) wait(ctx context.Context, r request[Q]) error {
	defer b.waiting.Add(-1)
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	if r.settled.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	select {
	case err := <-r.done: // both came at once: the answer counts
		return err
	default:
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, ctx.Err())
	}
}

// Waiting is how many requests are queued or being committed.
func (b *Batcher[Q]) Waiting() int { return int(b.waiting.Load()) }

func (b *Batcher[Q]) enqueue(r request[Q]) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.stopped {
		return ErrStopped
	}
	select {
	case b.queue <- r:
		b.waiting.Add(1)
		return nil
	default:
		return ErrOverloaded
	}
}

// Run commits batches until ctx ends; what waits then is refused with ErrStopped. A commit under way is finished.
func (b *Batcher[Q]) Run(ctx context.Context) error {
	defer b.stop()
	batch := make([]request[Q], 0, b.cfg.MaxBatch)
	values := make([]Q, 0, b.cfg.MaxBatch)
	for {
		batch, values = batch[:0], values[:0]
		take := func(r request[Q]) {
			if r.settled.CompareAndSwap(false, true) {
				batch, values = append(batch, r), append(values, r.value)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case r := <-b.queue:
			take(r)
		}
	fill:
		for len(batch) < b.cfg.MaxBatch {
			select {
			case r := <-b.queue:
				take(r)
			default:
				break fill
			}
		}
		if len(batch) > 0 {
			b.run(context.WithoutCancel(ctx), batch, values)
		}
		clear(batch)
		clear(values)
	}
}

// run commits one batch and answers its requests, also where commit panics.
func (b *Batcher[Q]) run(ctx context.Context, batch []request[Q], values []Q) {
	err := fmt.Errorf("%w: the writer broke down", ErrUnknownOutcome)
	defer func() {
		for _, r := range batch {
			r.done <- err
		}
	}()
	err = b.commit(ctx, values)
}

func (b *Batcher[Q]) stop() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	for {
		select {
		case r := <-b.queue:
			r.done <- ErrStopped
		default:
			return
		}
	}
}
