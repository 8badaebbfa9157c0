package limit

import "sync"

// Crowd bounds how many there are at the same time: in all, and of each key. Safe for concurrent use.
type Crowd[K comparable] struct {
	all, each int

	mu     sync.Mutex // guards all below
	inside int
	of     map[K]int // Invariant: no zeros; their sum is inside
}

// NewCrowd returns an empty one of at most all, and of each key at most each.
func NewCrowd[K comparable](all, each int) *Crowd[K] {
	return &Crowd[K]{all: all, each: each, of: map[K]int{}}
}

// Verdict is what becomes of one that wants to enter.
type Verdict uint8

// The verdicts. Only with Entered it has to Leave.
const (
	Entered Verdict = iota
	Full            // there are too many
	TooMany         // there are too many of its key
)

// Enter counts one in, if it may be.
func (c *Crowd[K]) Enter(key K) Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.inside >= c.all:
		return Full
	case c.of[key] >= c.each:
		return TooMany
	}
	c.inside++
	c.of[key]++
	return Entered
}

// Leave counts out one that has entered.
func (c *Crowd[K]) Leave(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside--
	if c.of[key]--; c.of[key] == 0 {
		delete(c.of, key)
	}
}

// Inside is how many there are.
func (c *Crowd[K]) Inside() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inside
}
