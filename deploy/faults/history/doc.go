// Package history judges what clients asked of Plenum, were answered and were shown while parts of it failed.
//
//	history.go  what is recorded, and all checks together
//	log.go      every gateway tells the same log, over each transport; what was acknowledged stands in it once, in the order of its sender
//	linear.go   each channel is linearizable: a log with one writer at a time, by Porcupine
//	shown.go    each device was shown the log without a hole, causes before what answers them
//	unread.go   each person's unread counts follow from the log and the own markers, on every device
package history
