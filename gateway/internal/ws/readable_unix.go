//go:build unix

package ws

import "golang.org/x/sys/unix"

const canAwait = true

// readable reports whether a socket has something to read, or an end. It is called before a goroutine is parked and whenever it is woken.
func readable(fd uintptr) bool {
	polled := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(polled[:], 0)
	return n != 0 || err != nil // after an error the read tells
}
