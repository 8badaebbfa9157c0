// Package sights judges what people were shown of who is here, while they came and went and parts of Plenum failed.
//
//	sights.go   what is recorded
//	check.go    nobody is shown as here who has left, nor as gone who is here, nor as unknown, for longer than may be
//	faults.go   how much longer it may take while something fails
package sights
