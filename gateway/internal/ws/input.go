package ws

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
)

// inputBytes is the buffer of a connection that is being read from. What is longer goes past it.
const inputBytes = 512

// input is what a connection has only while something is being read from it.
type input struct {
	*bufio.Reader
	open bool  // a message has begun, and Read has not come to its end
	last bool  // the frame is the message's last
	left int64 // bytes of the frame that are not read
	key  uint32
}

var inputs = sync.Pool{New: func() any { return &input{Reader: bufio.NewReaderSize(nil, inputBytes)} }}

// earlyInput begins with what was read already.
func earlyInput(conn net.Conn, early []byte) *input {
	in := &input{Reader: bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), conn), max(inputBytes, len(early)))}
	_, _ = in.Peek(len(early)) // so that Buffered counts it
	return in
}

// Await returns when there is something to read, or the connection has ended. Until then it holds no buffer, and its stack stays within the
// 2 KiB that a goroutine begins with: what reads should be another goroutine, whose stack grows. Of a connection that is no socket it
// returns at once.
func (c *Conn) Await() {
	if c.in == nil && c.raw != nil && c.end == nil {
		_ = c.raw.Read(readable) // an error comes again with Next
	}
}

// Next reads up to the beginning of the next message, which Read then reads, and answers the control frames before it. What was left of the
// message before is skipped. ErrClosed tells that the client has closed, ErrFrames (of Read, too) that it sends frames and no message.
func (c *Conn) Next() (Kind, error) {
	for c.in != nil && c.in.open {
		if _, err := io.Copy(io.Discard, reader{c}); err != nil {
			return 0, err
		}
	}
	c.frames = 0
	h, err := c.frame()
	if err == nil && h.op == opContinuation {
		err = protocolError("a message is continued that did not begin")
	}
	if err != nil {
		return 0, c.fail(err)
	}
	c.in.open = true
	return Kind(h.op), nil
}

// Frames is how many frames the message that was read last took, with those of control before and within it.
func (c *Conn) Frames() int { return int(c.frames) }

// Left is how many bytes the message that Next has begun is still long at least: those of its frame.
func (c *Conn) Left() int {
	if c.in == nil {
		return 0
	}
	return int(c.in.left)
}

// Read implements io.Reader for the message that Next has begun.
func (c *Conn) Read(p []byte) (int, error) {
	if c.in == nil || !c.in.open {
		return 0, io.EOF
	}
	for c.in.left == 0 {
		if c.in.last {
			c.in.open = false
			c.release()
			return 0, io.EOF
		}
		h, err := c.frame()
		if err == nil && h.op != opContinuation {
			err = protocolError("a message begins within another")
		}
		if err != nil {
			return 0, c.fail(err)
		}
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.in.left)])
	c.in.key = unmask(p[:n], c.in.key)
	c.in.left -= int64(n)
	if err != nil {
		return n, c.fail(err)
	}
	return n, nil
}

// reader keeps io.Copy from looking for more than Read.
type reader struct{ io.Reader }

// frame reads up to the body of the next frame that belongs to a message.
func (c *Conn) frame() (header, error) {
	if c.end != nil {
		return header{}, c.end
	}
	if c.in == nil {
		c.in = inputs.Get().(*input) //nolint:forcetypeassert // holds nothing else
		c.in.Reset(c.net)
	}
	for {
		h, err := readHeader(c.in)
		if err != nil {
			return h, err
		}
		if c.frames++; c.frames > maxFrames {
			return h, ErrFrames
		}
		if !h.op.control() {
			c.in.last, c.in.left, c.in.key = h.fin, h.length, h.key
			return h, nil
		}
		if err := c.control(h); err != nil {
			return h, err
		}
	}
}

// control takes a control frame and answers it.
func (c *Conn) control(h header) error {
	var all [maxControl]byte
	body := all[:h.length]
	if _, err := io.ReadFull(c.in, body); err != nil {
		return err //nolint:wrapcheck // the connection's own
	}
	unmask(body, h.key)
	switch h.op {
	case opPing:
		return c.send(opPong, body, controlTime)
	case opClose:
		code, err := readClose(body)
		if err != nil {
			return err
		}
		var answer []byte
		if code != codeNone {
			answer = appendClose(nil, code, "")
		}
		_ = c.send(opClose, answer, controlTime) // we may have closed first
		return ErrClosed
	case opPong, opText, opBinary, opContinuation:
	}
	return nil
}

// fail ends reading. Who breaks the protocol is told so.
func (c *Conn) fail(err error) error {
	if c.end != nil {
		return c.end
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	c.end = err
	if broken, ok := errors.AsType[protocolError](err); ok {
		_ = c.send(opClose, appendClose(nil, codeProtocol, string(broken)), controlTime) // the client may be gone
	}
	c.in = nil
	return err
}

// release gives the buffer back where it holds nothing.
func (c *Conn) release() {
	if c.in.Buffered() > 0 {
		return
	}
	in := c.in
	c.in = nil
	if in.Size() == inputBytes {
		in.Reset(nil)
		*in = input{Reader: in.Reader}
		inputs.Put(in)
	}
}

// Discard reads to the end: a client that only writes would never come to read what it is told.
func (c *Conn) Discard() {
	for err := error(nil); err == nil; {
		_, err = c.Next()
	}
	c.mu.Lock()
	c.ended = true
	if c.over != nil {
		close(c.over)
	}
	c.mu.Unlock()
}
