// Package ws is the server's side of WebSocket (RFC 6455), without extensions, made for connections that are idle: while nothing comes
// or goes a connection is one small struct, and one goroutine on the smallest stack waits for it.
package ws
