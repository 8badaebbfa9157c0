package gateway

import "plenum.internal/gateway/internal/intake"

// What a client sends is read by one goroutine at a time. While nothing comes it is listen, on the smallest stack; a message is read by
// another, whose stack may grow, and which is gone when the turn has the message. So an idle session costs neither a deep stack nor
// a buffer, and who must wait for its turn to be listened to again costs no goroutine at all.

// listen is the session's one goroutine while it is idle.
func (s *session) listen() {
	s.conn.await()
	go s.read() // on a stack of its own
}

// read reads the next message and hands it to the turn, which decides when the one after it is read.
func (s *session) read() {
	hold := s.g.intake.Hold(s.sender())
	s.hold = &hold
	data, err := s.conn.read(s.hold, s.mayRead())
	if err != nil {
		hold.Release()
		s.mail(0, func(s *session) { s.lost(err) })
		s.conn.discard()
		return
	}
	if !s.post(item{data: data}) { // it is over
		hold.Release()
		s.conn.discard()
	}
}

// sender is who answers for what is being read. The turn changes caller only while nobody reads.
func (s *session) sender() intake.Holder {
	if s.caller.User == "" {
		return intake.Stranger(prefix(s.address))
	}
	return intake.User(s.caller.Workspace, s.caller.User)
}

// mayRead is how long the next message may be.
func (s *session) mayRead() int {
	if s.caller.User == "" {
		return s.g.cfg.FirstBytes
	}
	return int(s.g.cfg.Limits.MessageBytes)
}

// readOn has the next message read, unless there is too much to do already.
func (s *session) readOn() {
	if s.gated = s.full || s.paused || len(s.opens) >= maxOpens; s.gated || s.reading || s.state >= closing {
		return
	}
	s.letGo()
	s.reading = true
	go s.listen() // outlives the turn
}

// letGo ends the count of the message that was read last.
func (s *session) letGo() {
	if s.hold != nil {
		s.hold.Release()
		s.hold = nil
	}
}

// ease is called when something was done that may have kept the session from reading on.
func (s *session) ease() {
	if s.gated {
		s.readOn()
	}
}

// readOut has what still comes read and thrown away when the session ends: a client that only writes would never see its Goodbye.
func (s *session) readOut() {
	if s.reading {
		return // who reads comes to it
	}
	s.letGo()
	s.reading = true
	go s.conn.discard() // until close or kill
}
