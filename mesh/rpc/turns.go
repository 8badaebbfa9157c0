package rpc

import (
	"context"
	"sync"
)

// Turns are taken by work of which there is to be little at a time: one for each key, and so many in all. Who waits for others of their own key
// keeps nobody else from working.
type Turns struct {
	all chan struct{} // held, by sending, by who works

	mu   sync.Mutex // guards all below
	keys map[string]*turn
}

// turn is a key's.
type turn struct {
	taken  chan struct{} // held, by sending, by who has it
	asking int           // who have it or wait for it; at 0 it is forgotten
}

// NewTurns lets so many work at a time.
func NewTurns(most int) *Turns {
	return &Turns{all: make(chan struct{}, most), keys: map[string]*turn{}}
}

// Take waits for a key's turn, and returns what gives it back. The only error is ctx's.
func (t *Turns) Take(ctx context.Context, key string) (end func(), err error) {
	t.mu.Lock()
	own := t.keys[key]
	if own == nil {
		own = &turn{taken: make(chan struct{}, 1)}
		t.keys[key] = own
	}
	own.asking++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.asking--; own.asking == 0 {
			delete(t.keys, key)
		}
	}
	select {
	case own.taken <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	select {
	case t.all <- struct{}{}:
		return func() { <-t.all; <-own.taken; leave() }, nil
	case <-ctx.Done():
		<-own.taken
		leave()
		return nil, ctx.Err()
	}
}
