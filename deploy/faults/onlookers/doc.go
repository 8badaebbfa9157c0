// Package onlookers is people who come and go, and others who look at who is here, while parts of Plenum fail: what is true and what was shown is
// recorded as a history of sights.
//
//	onlookers.go  the workspace, its people, and all together
//	comer.go      somebody who comes and goes
//	watcher.go    somebody who looks
package onlookers
