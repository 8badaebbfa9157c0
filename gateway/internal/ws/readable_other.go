//go:build !unix

package ws

// Without poll(2) it is the read that waits, with its buffer.
const canAwait = false

func readable(uintptr) bool { return true }
