// Package faults runs a cluster under load while its parts fail by a schedule, and judges what clients were answered and shown.
//
//	plan.go      the schedule that a seed makes
//	lab.go       a cluster whose processes have a network of their own between them
//	inject.go    how each kind of fault is done and undone
//	keeper.go    what a supervisor does: processes that ended are started again
//	run.go       the load, the faults and the verdict, together
//	command.go   the command line
//
// Package wire is the network, space the namespaces, skew the wrong clocks; crowd is the load on chat and history its verdict, editors the load on
// documents and versions theirs, onlookers look at who is here and sights is what is said of that.
package faults
