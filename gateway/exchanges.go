package gateway

import (
	"context"
	"sync"
	"time"

	"plenum.internal/gateway/internal/intake"
	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// Parts of MaxExchanges: 1/n of it, but at least one.
const (
	strangerExchanges = 8
	userExchanges     = 16
)

// exchanges counts the requests of HTTP routes that are under way.
type exchanges struct {
	most int
	// over ends when those under way have to, before their connections do: who has no answer yet is given one.
	over  context.Context //nolint:containedctx // of all of them
	abort context.CancelFunc

	mu     sync.Mutex // guards all below
	all    int
	of     map[intake.Holder]int  // Invariant: none that is 0
	users  map[*exchange]struct{} // those with a token
	closed bool
	empty  chan struct{} // closed when it is closed, and none is left
}

func newExchanges(most int) *exchanges {
	over, abort := context.WithCancel(context.Background())
	return &exchanges{most: most, over: over, abort: abort, of: map[intake.Holder]int{}, users: map[*exchange]struct{}{}, empty: make(chan struct{})}
}

// enter counts one in, or says why it can't be.
func (e *exchanges) enter(h intake.Holder, share int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return errDraining.RetryIn(time.Second)
	case e.all >= e.most:
		return errBusy
	case e.of[h] >= max(e.most/share, 1):
		return errExchanges
	}
	e.all++
	e.of[h]++
	return nil
}

func (e *exchanges) leave(h intake.Holder) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all--
	if e.of[h]--; e.of[h] == 0 {
		delete(e.of, h)
	}
	e.settle()
}

// follow has a user's exchange ended by revocations that come from now on; unfollow ends that.
func (e *exchanges) follow(x *exchange) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.users[x] = struct{}{}
}

func (e *exchanges) unfollow(x *exchange) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.users, x)
}

// revoke cuts off the exchanges that a revocation means. Their client goes on with another token, if it may.
func (e *exchanges) revoke(r *authv1.Revocation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for x := range e.users {
		c := x.visitor.caller
		if c.Workspace == r.GetWorkspace() && (r.GetUser() == "" || c.User == r.GetUser()) && (r.GetDevice() == "" || c.Device == r.GetDevice()) &&
			c.IssuedAt.UnixMilli() < r.GetIssuedBeforeMs() {
			x.cancel(errTokenRefused)
		}
	}
}

// close lets none in any more, and waits for those under way, at most so long. Then it ends them.
func (e *exchanges) close(most time.Duration) {
	e.mu.Lock()
	e.closed = true
	e.settle()
	e.mu.Unlock()
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-e.empty:
	case <-late.C:
	}
	e.abort()
}

// wait is for the end, when all are being cut off.
func (e *exchanges) wait() { <-e.empty }

// settle needs the lock.
func (e *exchanges) settle() {
	if e.closed && e.all == 0 {
		select {
		case <-e.empty:
		default:
			close(e.empty)
		}
	}
}
