// Package space gives processes namespaces of their own: a network for each of them, and one set of everything for all, which the kernel
// clears away when its first process ends.
//
//	inside.go    this program again, with networks, mounts and process numbers of its own
//	network.go   a network for one process, whose packets go through a TUN device
//	freezer.go   the cgroup v1 freezer
//	disk.go      a small disk
//
// It needs root and Linux.
package space
