//go:build faults

package gateway

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// faults tells whether this is a build that breaks promises on purpose, for the tests of those who check them.
const faults = true

// swapWithin is how long a delivery waits to be overtaken: the last of a subscription is late, not lost.
const swapWithin = 500 * time.Millisecond

// What is broken, by BROKEN_GATEWAY ("drop", "twice" or "swap"), and each how many-th delivery, by BROKEN_GATEWAY_EVERY.
var (
	fault      = os.Getenv("BROKEN_GATEWAY")
	faultEvery = faultInterval()
	deliveries atomic.Uint64

	holding sync.Mutex                   // guards held
	held    = map[*subscription][]byte{} // what waits to be overtaken
)

func faultInterval() uint64 {
	n, err := strconv.ParseUint(os.Getenv("BROKEN_GATEWAY_EVERY"), 10, 64)
	if fault != "" && (err != nil || n == 0) {
		panic(fmt.Sprintf("BROKEN_GATEWAY_EVERY is %q: a fault needs a number", os.Getenv("BROKEN_GATEWAY_EVERY")))
	}
	return max(n, 1)
}

// deliverBroken delivers, but now and then not as it should be.
func (s *session) deliverBroken(sub *subscription, data []byte) bool {
	ok := true
	switch late := hold(sub, nil); {
	case late != nil:
		ok = s.deliverWhole(sub, data)
		data = late
	case fault == "" || deliveries.Add(1)%faultEvery != 0:
	case fault == "drop":
		return true
	case fault == "twice":
		ok = s.deliverWhole(sub, data)
	case fault == "swap":
		hold(sub, data)
		time.AfterFunc(swapWithin, func() {
			if late := hold(sub, nil); late != nil {
				s.deliverWhole(sub, late)
			}
		})
		return true
	default:
		panic(fmt.Sprintf("BROKEN_GATEWAY is %q: there are drop, twice and swap", fault))
	}
	return ok && s.deliverWhole(sub, data)
}

// hold keeps a delivery of a subscription, and returns what was kept of it.
func hold(sub *subscription, data []byte) (late []byte) {
	holding.Lock()
	defer holding.Unlock()
	late = held[sub]
	if delete(held, sub); data != nil {
		held[sub] = data
	}
	return late
}
