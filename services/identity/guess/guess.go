// Package guess limits how often secrets may be guessed, by counting failures.
package guess

import (
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Limit allows Burst failures at once and then one for each Interval. It is the generic cell rate algorithm (ITU-T I.371):
// its whole state is one time, the theoretical arrival of the next failure.
type Limit struct {
	Burst    int
	Interval time.Duration
}

// Take counts an attempt as failed in advance: the new state, whether it may be made, and if not, when. A success gives back
// Interval, so that failures alone count, and any number of attempts at the same time can't exceed the limit.
func (l Limit) Take(tat, now time.Time) (next time.Time, ok bool, retry time.Duration) {
	if tat.Before(now) {
		tat = now
	}
	next = tat.Add(l.Interval)
	if over := next.Sub(now) - l.Full(); over > 0 {
		return tat, false, over
	}
	return next, true, 0
}

// Full is the time after which a limit with all failures used up is as new.
func (l Limit) Full() time.Duration { return time.Duration(l.Burst) * l.Interval }

// Addresses limits failures by client address: IPv4 by address, IPv6 by /64. It keeps the addresses that failed last, in memory.
type Addresses struct {
	limit Limit
	mu    sync.Mutex // guards seen
	seen  *lru.Cache[string, time.Time]
}

// NewAddresses returns a limit that remembers size addresses, about 150 bytes each.
func NewAddresses(limit Limit, size int) (*Addresses, error) {
	seen, err := lru.New[string, time.Time](size)
	if err != nil {
		return nil, err
	}
	return &Addresses{limit: limit, seen: seen}, nil
}

// Take counts a failure in advance; undo it with Return after a success. An empty address (a caller in the mesh) is not limited.
func (a *Addresses) Take(address string) (ok bool, retry time.Duration) {
	if address == "" {
		return true, 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	tat, _ := a.seen.Get(Block(address))
	next, ok, retry := a.limit.Take(tat, time.Now())
	if ok {
		a.seen.Add(Block(address), next)
	}
	return ok, retry
}

// Return gives back what Take counted.
func (a *Addresses) Return(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if tat, ok := a.seen.Peek(Block(address)); ok {
		a.seen.Add(Block(address), tat.Add(-a.limit.Interval))
	}
}

// Block is what one subscriber of a network commands. What isn't an address stands for itself.
func Block(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		if ap, err := netip.ParseAddrPort(address); err == nil {
			ip = ap.Addr()
		} else {
			return address[:min(len(address), 64)]
		}
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
