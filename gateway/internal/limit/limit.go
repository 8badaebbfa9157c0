// Package limit is token buckets: how much a session or an address may ask for in a time.
package limit

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Rate is what a bucket gains and holds.
type Rate struct {
	PerSecond float64 `koanf:"per_second" doc:"tokens gained in a second"`
	Burst     float64 `koanf:"burst" doc:"tokens a full bucket holds"`
}

// begin is what buckets' times count from: many are kept, and so a time takes a third of the room.
var begin = time.Now()

// Bucket holds tokens. The zero value is full. Not safe for concurrent use.
type Bucket struct {
	spent float64       // tokens missing to full, at the time `at`. Invariant: 0 <= spent
	at    time.Duration // since begin
}

// Take takes cost tokens, or none and says when they will be there. What costs more than a full bucket takes a full one.
func (b *Bucket) Take(r Rate, cost float64, now time.Time) (wait time.Duration, ok bool) {
	cost = min(cost, r.Burst)
	at := now.Sub(begin)
	b.spent = max(0, b.spent-r.PerSecond*max(0, (at-b.at).Seconds()))
	b.at = at
	if over := b.spent + cost - r.Burst; over > 0 {
		return time.Duration(over / r.PerSecond * float64(time.Second)), false
	}
	b.spent += cost
	return 0, true
}

// Table keeps a bucket for each key, and forgets the keys used longest ago. Not safe for concurrent use.
type Table[K comparable] struct {
	buckets *lru.Cache[K, *Bucket]
}

// NewTable bounds the table to size keys; size must be positive.
func NewTable[K comparable](size int) (*Table[K], error) {
	c, err := lru.New[K, *Bucket](size)
	if err != nil {
		return nil, err //nolint:wrapcheck // says all there is
	}
	return &Table[K]{c}, nil
}

// Take takes from the key's bucket.
func (t *Table[K]) Take(key K, r Rate, cost float64, now time.Time) (wait time.Duration, ok bool) {
	b, found := t.buckets.Get(key)
	if !found {
		b = &Bucket{}
		t.buckets.Add(key, b)
	}
	return b.Take(r, cost, now)
}
