package sqldb

import (
	"context"
	"errors"
	"sync"
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

	mu sync.RWMutex
	// stopped says that Run has ended. Invariant: nothing enters the queue after it was set. Guarded by mu.
	stopped bool
}

type request[Q any] struct {
	value Q
	done  chan error
}

// NewBatcher returns a batcher whose batches commit is called with, one after the other. What commit returns is the
// answer to each request of the batch; a result of its own a request carries in Q.
func NewBatcher[Q any](cfg BatcherConfig, commit func(ctx context.Context, batch []Q) error) *Batcher[Q] {
	if cfg.MaxBatch <= 0 {
		cfg.MaxBatch = 512
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 4096
	}
	return &Batcher[Q]{cfg: cfg, commit: commit, queue: make(chan request[Q], cfg.Queue)}
}

// Submit queues q and waits for its batch. When ctx ends first, it returns the context's error and the batch goes on:
// the outcome is not known, and q belongs to the batch.
func (b *Batcher[Q]) Submit(ctx context.Context, q Q) error {
	r := request[Q]{q, make(chan error, 1)}
	if err := b.enqueue(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Batcher[Q]) enqueue(r request[Q]) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.stopped {
		return ErrStopped
	}
	select {
	case b.queue <- r:
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
		select {
		case <-ctx.Done():
			return nil
		case r := <-b.queue:
			batch = append(batch, r)
		}
	fill:
		for len(batch) < b.cfg.MaxBatch {
			select {
			case r := <-b.queue:
				batch = append(batch, r)
			default:
				break fill
			}
		}
		for _, r := range batch {
			values = append(values, r.value)
		}
		err := b.commit(context.WithoutCancel(ctx), values)
		for _, r := range batch {
			r.done <- err
		}
		clear(batch)
		clear(values)
	}
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
