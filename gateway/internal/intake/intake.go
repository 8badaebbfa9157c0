// Package intake bounds the bytes that are held of what clients send: in all, and for each of those who send.
package intake

import (
	"errors"
	"io"
	"net/netip"
	"sync"
)

// Free is what each message may hold without being counted: almost all are shorter, and so go through when the rest is used up.
const Free = 4 << 10

// The ways in which a message can't be read.
var (
	ErrFull = errors.New("intake: too much is held already")
	ErrLong = errors.New("intake: longer than it may be")
)

// Limits are in bytes.
type Limits struct {
	Total     int
	Strangers int // of Total, all of them
	Address   int // strangers at one address
	User      int
}

// Holder is who has sent what is held: a user, or a stranger at an address.
type Holder struct {
	workspace, user string
	address         netip.Addr
}

// User is somebody whose token was verified.
func User(workspace, user string) Holder { return Holder{workspace: workspace, user: user} }

// Stranger is somebody who has not said yet who they are.
func Stranger(address netip.Addr) Holder { return Holder{address: address} }

func (h Holder) stranger() bool { return h.user == "" }

// Ledger counts what is held.
type Ledger struct {
	limits Limits

	mu               sync.Mutex // guards all below, and Hold.bytes
	total, strangers int
	held             map[Holder]int // Invariant: no zeros; their sum is total
}

// New returns an empty ledger.
func New(limits Limits) *Ledger { return &Ledger{limits: limits, held: map[Holder]int{}} }

// Held is how many bytes are held.
func (l *Ledger) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// take needs the lock.
func (l *Ledger) take(who Holder, n int) bool {
	if n == 0 {
		return true
	}
	share := l.limits.User
	if who.stranger() {
		if share = l.limits.Address; l.strangers+n > l.limits.Strangers {
			return false
		}
	}
	if l.total+n > l.limits.Total || l.held[who]+n > share {
		return false
	}
	l.total += n
	l.held[who] += n
	if who.stranger() {
		l.strangers += n
	}
	return true
}

// give needs the lock.
func (l *Ledger) give(who Holder, n int) {
	l.total -= n
	if who.stranger() {
		l.strangers -= n
	}
	if l.held[who] -= n; l.held[who] == 0 {
		delete(l.held, who)
	}
}

// Hold is what one message or call holds; it is made by Ledger.Hold and ends with Release.
type Hold struct {
	ledger *Ledger
	who    Holder
	bytes  int
}

// Hold returns one that holds nothing.
func (l *Ledger) Hold(who Holder) Hold { return Hold{ledger: l, who: who} }

// Take takes so many bytes more, or none and returns false.
func (h *Hold) Take(n int) bool {
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	if !h.ledger.take(h.who, n) {
		return false
	}
	h.bytes += n
	return true
}

// Release gives everything back. Again it does nothing.
func (h *Hold) Release() {
	if h.ledger == nil {
		return
	}
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	if h.bytes > 0 {
		h.ledger.give(h.who, h.bytes)
		h.bytes = 0
	}
}

// The buffer that a message begins with: a few bytes where the reader knows that it has no more.
const (
	leastBytes = 16
	firstBytes = 512
)

// Read reads to the end of r, which may have a method Left() int: how many bytes are surely still to come. What it needs beyond Free it
// takes as it goes. Its errors are ErrLong, ErrFull, and r's.
func (h *Hold) Read(r io.Reader, limit int) ([]byte, error) {
	first := firstBytes
	if known, ok := r.(interface{ Left() int }); ok {
		first = min(Free, max(leastBytes, known.Left()+1))
	}
	b := make([]byte, 0, min(first, limit+1))
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > limit:
			return nil, ErrLong
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err //nolint:wrapcheck // the reader's own
		case len(b) < cap(b):
			continue
		}
		size := min(2*cap(b), limit+1)
		if size > Free && !h.Take(size-max(cap(b), Free)) {
			return nil, ErrFull
		}
		b = append(make([]byte, 0, size), b...)
	}
}
