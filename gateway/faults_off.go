//go:build !faults

package gateway

// faults tells whether this is a build that breaks promises on purpose, for the tests of those who check them.
const faults = false

func (s *session) deliverBroken(*subscription, []byte) bool { panic("not of this build") }
