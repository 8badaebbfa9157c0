package sights

import (
	"fmt"
	"time"
)

// Presence is how somebody is there, in truth.
type Presence int

// Presences.
const (
	Away   Presence = iota // no client of theirs runs
	Coming                 // one runs, and is not connected, or not known to be
	Here                   // one is connected
)

// Look is what somebody is shown as.
type Look int

// Looks.
const (
	Nothing Look = iota // nothing was shown yet
	Unknown
	Offline
	Present // online, away, busy or not to be disturbed
)

func (l Look) String() string { return [...]string{"nothing", "unknown", "offline", "here"}[l] }

// Turn is a change of what is true of a person.
type Turn struct {
	At time.Duration // since the load began
	Is Presence
}

// Person is somebody who comes and goes.
type Person struct {
	Name  string
	Turns []Turn // in order; before the first one they are away
}

// Sight is a change of what a watcher was shown of a person.
type Sight struct {
	At     time.Duration
	Person string // as Person.Name
	As     Look
}

// Glance is a change of whether what a watcher was shown was said to be true: they are connected, and nobody says that it may be old.
type Glance struct {
	At   time.Duration
	Live bool
}

// Watcher is somebody who looks at all people.
type Watcher struct {
	Name    string
	Sights  []Sight  // in order
	Glances []Glance // in order; before the first one nothing is live
}

// Fault is one that somebody made.
type Fault struct {
	Reach    Reach
	From, To time.Duration
}

// Reach is what a fault may have to do with presence.
type Reach int

// Reaches.
const (
	Apart   Reach = iota // nothing: what it is done to has no part in it
	Ended                // a process that has is killed, and started again
	Stopped              // one stands still, or ends without a word
	Cut                  // connections between processes, or with clients, carry nothing and do not end
)

// Times are those that the service promises.
type Times struct {
	Grace    time.Duration // as presence.grace
	Bound    time.Duration // behind the grace: until somebody who is gone is shown so, or somebody who is here
	Known    time.Duration // until somebody who became unknown is known again
	HalfOpen time.Duration // until an end notices that a connection carries nothing any more
}

// History is all that is known about a run.
type History struct {
	Times    Times
	People   []Person
	Watchers []Watcher
	Faults   []Fault
	End      time.Duration // of what is recorded: all was healed, and had its time to settle
}

// Verdict is the outcome.
type Verdict struct {
	Comings int           // that somebody was here
	Sights  int           // that were shown, to all watchers together
	Unknown time.Duration // the longest that somebody was shown as unknown at a stretch, by who was connected
	Late    time.Duration // the longest that somebody was shown as here who had left
	Missed  time.Duration // the longest that somebody was shown as gone who was here
	Faults  []string      // what must not be
}

func (v Verdict) String() string {
	return fmt.Sprintf("people came %d times and were shown %d times: as here at most %v after they had left, as gone at most %v while they were here, as unknown at most %v",
		v.Comings, v.Sights, v.Late.Round(time.Second/10), v.Missed.Round(time.Second/10), v.Unknown.Round(time.Second/10))
}

// maxFaults bounds what a verdict tells: the first ones say what is wrong.
const maxFaults = 100

func (v *Verdict) fault(format string, args ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}
