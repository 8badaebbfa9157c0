// Package check writes to Plenum as people do, reads what they are shown, and compares both with what was acknowledged.
//
//	person.go   somebody at a device     reader.go  what one is shown live
//	load.go     people who write         ledger.go  what was acknowledged, and the comparison
//	auditor.go  somebody who reads topics from their beginning
//	doors.go    the gateways and transports by which many come in
//	run.go      all of it as a program, while somebody else kills processes
//
// The end-to-end tests and `cluster check` share it.
package check
