package gateway

import "sync"

// itemBytes is what an item counts for itself: what a session that can't write is given to do may hold no data.
const itemBytes = 64

// item is one piece of a session's mail: a frame to pass on for a subscription, something to do, or, of neither, a message of the client.
type item struct {
	sub  *subscription
	data []byte // encoded, shared with other sessions; or the client's
	do   func(*session)
	size int // bytes that it counts for the queue
}

// mailbox is what waits for a session. While something is in it, a turn runs or its flush window is open; else the
// session has no goroutine but its reader.
type mailbox struct {
	mu     sync.Mutex // guards all below; nobody blocks while holding it
	items  []item
	queued int  // bytes of items, and of those that the turn has taken and not yet written
	busy   bool // a turn runs, or is about to
	armed  bool // its flush window is open
	closed bool
}

// mail gives the session something to do at once. size is what it holds in bytes; beyond four times the queue's limit the session ends.
func (s *session) mail(size int, do func(*session)) { s.post(item{do: do, size: size}) }

// post is mail of any kind. It returns false where the session has ended, or ends.
func (s *session) post(it item) bool {
	b := &s.box
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	if b.queued > 4*s.queueLimit() {
		b.mu.Unlock()
		s.slow()
		return false
	}
	b.put(it)
	start := !b.busy
	b.busy = true
	b.mu.Unlock()
	if start {
		s.g.turners.turn(s)
	}
	return true
}

// deliver gives the session a frame for one of its subscriptions, to be written within the flush window. It returns false, and
// stops the subscription behind what is queued, where the client reads too slowly.
func (s *session) deliver(sub *subscription, data []byte) bool {
	if faults {
		return s.deliverBroken(sub, data)
	}
	return s.deliverWhole(sub, data)
}

func (s *session) deliverWhole(sub *subscription, data []byte) bool {
	b := &s.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	it, ok := item{sub: sub, data: data, size: len(data)}, true
	if b.queued+len(data) > s.queueLimit() && b.queued > 0 {
		it, ok = item{sub: sub, do: func(s *session) { s.stop(sub, errLagged) }}, false
	}
	b.put(it)
	s.arm()
	return ok
}

// later has something done within the flush window; as with mail, there is an end to what may wait.
func (s *session) later(do func(*session)) {
	b := &s.box
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
	case b.queued > 4*s.queueLimit():
		s.slow()
	default:
		b.put(item{do: do})
		s.arm()
	}
}

// put leaves something to be done by the next turn, which somebody is about to begin: turn, behind it.
func (s *session) put(do func(*session)) {
	b := &s.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.put(item{do: do})
	}
}

// turn begins a turn if there is mail and none runs.
func (s *session) turn() {
	if s.box.begin() {
		s.g.turners.turn(s)
	}
}

// start does something in a turn that the caller runs, unless one runs already.
func (s *session) start(do func(*session)) {
	s.put(do)
	if s.box.begin() {
		s.turns()
	}
}

// begin reports whether a turn is to be begun, which the caller does.
func (b *mailbox) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	start := !b.busy && len(b.items) > 0
	b.busy = b.busy || start
	return start
}

// put needs the lock.
func (b *mailbox) put(it item) {
	it.size += itemBytes
	b.items = append(b.items, it)
	b.queued += it.size
}

// arm needs the lock.
func (s *session) arm() {
	if b := &s.box; !b.busy && !b.armed {
		b.armed = true
		s.g.windows.begin(s)
	}
}

// windowEnds begins a turn with what was gathered.
func (s *session) windowEnds() {
	b := &s.box
	b.mu.Lock()
	b.armed = false
	start := !b.busy && len(b.items) > 0
	b.busy = b.busy || start
	b.mu.Unlock()
	if start {
		s.g.turners.turn(s)
	}
}

// take returns the mail, or nil and ends the turns where there is none.
func (b *mailbox) take(spare []item) []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) == 0 {
		b.busy = false
		b.items = nil
		return nil
	}
	items := b.items
	b.items = spare[:0]
	return items
}

// written tells that so many bytes of taken mail are through.
func (b *mailbox) written(bytes int) {
	b.mu.Lock()
	b.queued -= bytes
	b.mu.Unlock()
}

// backlog is what is queued now.
func (b *mailbox) backlog() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queued
}

func (b *mailbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

func (s *session) queueLimit() int { return int(s.g.cfg.Limits.QueueBytes) }
