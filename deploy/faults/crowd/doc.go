// Package crowd is a small office: people with their devices write, edit, react and read in channels of several sizes, and all that they ask, are
// answered and are shown is recorded as a history.
//
//	crowd.go   the workspace, its people, devices and channels
//	device.go  one device's load
//	screen.go  what one device is shown
//	event.go   an event of a channel, as the history keeps it
//	audit.go   the channels' logs, read anew at each gateway, over each transport
package crowd
