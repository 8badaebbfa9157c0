package edge

import (
	"errors"
	"io"
	"net"
	"testing"
)

// On a dead line nothing goes out, nothing comes in, and nobody is told; but it ends when the other side ends it.
func TestDeadLine(t *testing.T) {
	near, far := net.Pipe()
	c := &Conn{raw: &line{Conn: near}}
	go func() { _, _ = far.Write([]byte("a")) }()
	b := make([]byte, 1)
	if n, err := c.raw.Read(b); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	c.Die()
	if n, err := c.raw.Write([]byte("ab")); n != 2 || err != nil { // nobody reads: it would wait
		t.Error(n, err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := c.raw.Read(b)
		ended <- err
	}()
	if _, err := far.Write([]byte("b")); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		t.Errorf("what came was read: %v", err)
	default:
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := c.raw.Close(); err != nil {
		t.Error(err)
	}
}
