package wire

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Rule says what happens to the packets from some addresses to others, one way. No addresses: all.
type Rule struct {
	From, To []netip.Addr
	Down     bool          // nothing gets through
	Cut      bool          // nothing gets through, and who sends on a TCP connection is told that it is gone
	Loss     float64       // share of the packets that are lost, 0 to 1
	Delay    time.Duration // of each packet
	Jitter   time.Duration // at most this is added to Delay, at random; packets overtake each other
}

// Validate keeps a rule within what the switch can do.
func (r Rule) Validate() error {
	switch {
	case r.Loss < 0 || r.Loss > 1:
		return fmt.Errorf("wire: a loss of %v: take a share of 0 to 1", r.Loss)
	case r.Delay < 0 || r.Jitter < 0 || r.Delay+r.Jitter > maxDelay:
		return fmt.Errorf("wire: a delay of %v and up to %v more: take 0 to %v together", r.Delay, r.Jitter, maxDelay)
	}
	return nil
}

func (r *Rule) covers(from, to netip.Addr) bool {
	return (len(r.From) == 0 || slices.Contains(r.From, from)) && (len(r.To) == 0 || slices.Contains(r.To, to))
}

// fate is what all rules together decide about one packet.
type fate struct {
	drop, cut bool
	delay     time.Duration
}

func decide(rules []*Rule, from, to netip.Addr) fate {
	var f fate
	for _, r := range rules {
		if !r.covers(from, to) {
			continue
		}
		f.drop = f.drop || r.Down || r.Loss > 0 && rand.Float64() < r.Loss
		f.cut = f.cut || r.Cut
		f.delay += r.Delay
		if r.Jitter > 0 {
			f.delay += rand.N(r.Jitter)
		}
	}
	return f
}
