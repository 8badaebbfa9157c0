// Package e2e runs the same scenarios against the one binary and against a cluster of processes, from outside, as people do.
// deploy/check has who writes, who reads, and how both are compared with what was acknowledged.
//
//	shape_test.go    the two shapes, and the balancer before a cluster's gateways
//	people_test.go   deploy/check in a test's words
//	chat_test.go     scenarios of everyday use       edge_test.go, refusals_test.go  what must be refused
//	faults_test.go   processes that die or hang      restart_test.go  processes that are stopped in order
//	absence_test.go  all of NATS, all of etcd away   disk_test.go     no room on the disk
//	slow_test.go     readers that stop reading       asleep_test.go   readers that are frozen or cut off
//	page_test.go     the web application            tour_test.go      README's tour, plenumctl
//	start_test.go    what cannot start              demo_test.go      the demonstration's workspace
//	board_test.go    topics of the classes RING and VIEW, of a service for tests
//	attachments_test.go, surfer_test.go   its HTTP routes: bodies of any length, and what ends them
//	proxy_test.go    the transports behind proxies that cut or hold back
//	check_test.go    the checker that `cluster check` is
package e2e
