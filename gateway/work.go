package gateway

import (
	"sync"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// work is the part of a session that it needs only while something is under way: a turn, or what a turn has begun and waits for. It belongs
// to the turn. An idle session has none.
type work struct {
	out     []byte // encoded frames to be written at the end of the turn
	outSize int    // bytes of the mail whose frames stand in out: what the mailbox counts until they are written

	closeCode   edgev1.Code
	closeReason string
	gone        bool // the connection is broken: no Goodbye and no close frame

	asks       asks
	opening    *wanted              // the Subscribe that is being opened
	left       map[string]bool      // its topics, once some are unsubscribed meanwhile: those, true
	opens      []*wanted            // Subscribes that wait for the one that is being opened
	answers    []answer             // of hubs, to be told at the end of the turn
	joining    []*subscription      // to be handed to their hubs
	catching   []*subscription      // want their next part, round robin
	pulling    int                  // parts that hubs were asked for
	reopens    []*subscription      // to be authorised anew
	noted      []*bundle            // have something to tell
	moved      []moved              // to be confirmed
	confirming bool                 // some are
	signaled   map[signalKey][]byte // encoded; of this turn
}

var works = sync.Pool{New: func() any { return new(work) }}

// begin is called by the turn before it does anything.
func (s *session) begin() {
	if s.work == nil {
		s.work = works.Get().(*work) //nolint:forcetypeassert // holds nothing else
	}
}

// rest gives the work back if nothing is under way.
func (s *session) rest() {
	if w := s.work; s.state == closed || w.done() {
		s.work = nil
		*w = work{}
		works.Put(w)
	}
}

func (w *work) done() bool {
	waits := len(w.opens) + len(w.answers) + len(w.joining) + len(w.catching) + len(w.reopens) + len(w.noted) + len(w.moved) + len(w.signaled)
	return waits == 0 && w.opening == nil && !w.confirming && w.pulling == 0 && w.asks.open == 0 && w.out == nil && w.outSize == 0
}
