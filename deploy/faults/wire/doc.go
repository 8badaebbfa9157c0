// Package wire is a network between processes on one machine: a switch in user space that loses, delays and cuts packets as it is told.
//
//	switch.go   ports, and the way of a packet between them
//	rule.go     what happens to packets, one way
//	queue.go    packets that are on their way for a while
//	packet.go   the little of IPv4 and TCP that a switch must know
//
// The kernel's own means for this (netem) are not everywhere. This one needs TUN devices alone; see package space.
package wire
