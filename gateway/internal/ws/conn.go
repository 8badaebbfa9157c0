package ws

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Kind is what a message holds.
type Kind byte

// The kinds.
const (
	Text   = Kind(opText)
	Binary = Kind(opBinary)
)

const (
	controlTime = 5 * time.Second // for writing a control frame
	closeTime   = 5 * time.Second // that a client may take to answer a close frame
	leewayPart  = 4               // of a write's time that it may take longer, so that not each has to set the socket's deadline
	maxPooled   = 128 << 10       // the longest buffer that is kept for the next frame
	maxFrames   = 4096            // of a message, and of control before and within it
)

// The ways in which there is no next message.
var (
	ErrClosed = errors.New("ws: the client closes")
	ErrFrames = errors.New("ws: more frames than a message may take")
)

// Conn is one connection behind its handshake, from Begin on. One goroutine at a time reads: Await, Next, Read, Discard. Any may write and close.
type Conn struct {
	net net.Conn
	raw syscall.RawConn // nil: not a socket of the system's

	// These belong to the goroutine that reads.
	in  *input // nil: nothing is buffered, and no message is begun
	end error  // of reading

	mu     sync.Mutex    // orders writes, and guards all below
	until  time.Duration // since began: the socket's deadline for writing; it may lie in the past where nothing is being written
	closed bool          // a close frame was sent, or another in part: nothing can follow
	ended  bool          // Discard has come to the end
	frames uint32        // since Next was called; it belongs to the goroutine that reads, and stands where it takes no room
	over   chan struct{} // is closed with ended; nil: nobody waits for it
}

// Begin takes over what Upgrade returned.
func (c *Conn) Begin(conn net.Conn, early []byte) {
	c.net = conn
	if s, ok := conn.(syscall.Conn); ok && canAwait {
		c.raw, _ = s.SyscallConn() // nil where it is closed already
	}
	if len(early) > 0 {
		c.in = earlyInput(conn, early)
	}
}

// Write sends one message. After an error nothing more can be sent; it is os.ErrDeadlineExceeded where the client did not take the
// message within the time, or up to a quarter of it more.
func (c *Conn) Write(k Kind, message []byte, within time.Duration) error {
	return c.send(opcode(k), message, within)
}

var output = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// send writes a frame, in one system call.
func (c *Conn) send(op opcode, body []byte, within time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = op == opClose
	b := output.Get().(*[]byte) //nolint:forcetypeassert // holds nothing else
	frame := append(appendHeader((*b)[:0], op, len(body)), body...)
	c.limit(within)
	_, err := c.net.Write(frame)
	if c.raw == nil { // TLS may have something to say by itself, when this deadline is over
		c.until = 0
		_ = c.net.SetWriteDeadline(time.Time{})
	}
	if cap(frame) <= maxPooled {
		*b = frame
		output.Put(b)
	}
	c.closed = c.closed || err != nil
	return err //nolint:wrapcheck // the connection's own
}

// began is what deadlines count from.
var began = time.Now()

// limit sees to it that a write that begins now ends in time.
func (c *Conn) limit(within time.Duration) {
	now, leeway := time.Since(began), within/leewayPart
	if left := c.until - now; left < within || left > within+leeway {
		c.until = now + within + leeway
		_ = c.net.SetWriteDeadline(began.Add(c.until))
	}
}

// Close sends a close frame and closes the connection when the client has answered, or has not within 5 s. Somebody must be reading who
// comes to Discard. Where a close frame was sent before, the connection is closed at once.
func (c *Conn) Close(code int, reason string) {
	if c.send(opClose, appendClose(nil, code, reason), controlTime) == nil {
		c.awaitEnd()
		_ = c.net.Close() // over TLS with a word of its own
	}
	c.Kill()
}

// awaitEnd waits until Discard has come to the end, for a while.
func (c *Conn) awaitEnd() {
	c.mu.Lock()
	if c.over = make(chan struct{}); c.ended {
		close(c.over)
	}
	over := c.over
	c.mu.Unlock()
	late := time.NewTimer(closeTime)
	defer late.Stop()
	select {
	case <-over:
	case <-late.C:
	}
}

// Kill closes the connection without a word; reads and writes under way end. It doesn't wait: TLS would, to say that it ends to a client
// that takes nothing.
func (c *Conn) Kill() {
	if secret, ok := c.net.(*tls.Conn); ok {
		_ = secret.NetConn().Close()
		return
	}
	_ = c.net.Close()
}
