package edge

import (
	"net"
	"sync/atomic"
)

// line is a connection to a gateway that can go dead.
type line struct {
	net.Conn
	dead atomic.Bool
}

// Read implements net.Conn. What comes on a dead line is lost.
func (l *line) Read(b []byte) (int, error) {
	for {
		n, err := l.Conn.Read(b)
		if err != nil || !l.dead.Load() {
			return n, err //nolint:wrapcheck // as if it were the connection
		}
	}
}

// Write implements net.Conn. What is written to a dead line is lost.
func (l *line) Write(b []byte) (int, error) {
	if l.dead.Load() {
		return len(b), nil
	}
	return l.Conn.Write(b) //nolint:wrapcheck // as if it were the connection
}

// Die has the client fall silent without ending the connection, as if its machine had lost power: the gateway hears nothing any more, not even
// that it is over. Of a WebSocket alone.
func (c *Conn) Die() {
	if c.raw != nil {
		c.raw.dead.Store(true)
	}
}
