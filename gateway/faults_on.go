//go:build faults

package gateway

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

// faults tells whether this is a build that breaks promises on purpose, for the tests of those who check them.
const faults = true

// What is broken, by BROKEN_GATEWAY ("drop", "twice" or "swap"), and each how many-th delivery, by BROKEN_GATEWAY_EVERY.
var (
	fault      = os.Getenv("BROKEN_GATEWAY")
	faultEvery = faultInterval()
	deliveries atomic.Uint64
	swapped    sync.Map // by *subscription: what the next delivery overtakes
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
	if late, ok := swapped.LoadAndDelete(sub); ok {
		return s.deliverWhole(sub, data) && s.deliverWhole(sub, late.([]byte))
	}
	if fault == "" || deliveries.Add(1)%faultEvery != 0 {
		return s.deliverWhole(sub, data)
	}
	switch fault {
	case "drop":
		return true
	case "twice":
		return s.deliverWhole(sub, data) && s.deliverWhole(sub, data)
	case "swap":
		swapped.Store(sub, data)
		return true
	default:
		panic(fmt.Sprintf("BROKEN_GATEWAY is %q: there are drop, twice and swap", fault))
	}
}
