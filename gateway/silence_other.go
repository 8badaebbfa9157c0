//go:build !linux

package gateway

import "syscall"

// limitSilence does nothing: only Linux can be told.
func limitSilence(string, string, syscall.RawConn) error { return nil }
