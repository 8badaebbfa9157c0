// Package deploy composes Plenum's services into programs: all of them in one process, or one in each.
//
//	compose.go   the map: everything in one process      nodes.go   one service as a process of a cluster
//	config.go    what an operator may set                main.go    the command line, and what a person is told
package deploy
