package sights

import "time"

// allowance is how much longer than it promises the service may take for what began at a time and goes on until another: what fails meanwhile may
// begin the time of grace anew, once for each fault.
func (h *History) allowance(from, to time.Duration) (more time.Duration) {
	for _, f := range h.Faults {
		last := f.To + h.lasting(f.Reach)
		if f.Reach == Apart || f.From > to || last < from {
			continue
		}
		more += last - f.From
	}
	return more
}

// lasting is how long behind its end a fault is still felt.
func (h *History) lasting(r Reach) time.Duration {
	switch r {
	case Ended:
		return h.Times.Known // people are known again by then
	case Stopped:
		return h.Times.Grace + h.Times.Known
	case Cut:
		return h.Times.Grace + h.Times.Known + h.Times.HalfOpen
	default:
		return 0
	}
}
