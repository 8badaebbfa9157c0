// Package e2e runs the same scenarios against the one binary and against a cluster of processes, from outside, as people do.
//
//	shape_test.go    the two shapes, and the balancer before a cluster's gateways
//	people_test.go   who signs in, writes and reads, and the ledger that compares what they saw with what was acknowledged
//	chat_test.go     scenarios of everyday use       edge_test.go    what must be refused
//	faults_test.go   scenarios of processes that die
package e2e
