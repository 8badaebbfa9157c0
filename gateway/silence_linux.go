package gateway

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// limitSilence has the kernel break a connection whose peer doesn't acknowledge what was sent to it for so long: a stream whose client lost
// its power would fill the socket's buffer for a quarter of an hour. Connections that are accepted inherit it.
func limitSilence(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
	})
	if err != nil {
		return err //nolint:wrapcheck // net says what it was listening at
	}
	return failed
}
