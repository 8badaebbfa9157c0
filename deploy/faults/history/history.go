package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is what an operation asks for.
type Kind string

// The operations of the load. Post, Edit and React append an event to the channel's log.
const (
	Post  Kind = "post"
	Edit  Kind = "edit"
	React Kind = "react"
	Read  Kind = "read" // of the newest message
	Mark  Kind = "mark" // read up to an offset
)

// Outcome is what became of an operation, as its client knows it.
type Outcome string

// Outcomes.
const (
	Done      Outcome = "done"
	Refused   Outcome = "refused"   // it did not take place, and will not
	Unsettled Outcome = "unsettled" // it may have taken place
)

// Op is one operation of one device on one channel.
type Op struct {
	Device  int // by its place in History.Devices
	User    string
	Channel string
	Kind    Kind
	ID      string // of the event that it appends: unique
	Outcome Outcome
	// Offset is where the appended event stands, what was the newest message, or up to where the person has read.
	Offset uint64
	Call   time.Duration // since the load began
	Return time.Duration // of the answer
	Error  string        // of what is not Done
}

// Event is one entry of a channel's log.
type Event struct {
	Offset   uint64
	ID       string // of the operation that appended it; empty: a change of the channel
	Author   string // user id, of posts
	Visible  bool   // it stands in the history as a message, or as a change of the channel
	Counts   bool   // as unread
	Mentions []string
	Needs    []Need // what the author had been shown
}

// Need is a place in another channel's log.
type Need struct {
	Channel string
	Offset  uint64
}

// Shown is one event as a device was shown it.
type Shown struct {
	Channel string
	Event
}

// Device is what one device saw.
type Device struct {
	Name      string
	Transport string // by which it connects
	User      string
	Channels  []string // that it follows, from their beginning
	Shown     []Shown  // in the order of showing, over all channels
	Resets    int      // how often it was told to read a channel anew
	// Violations is how often its client says that it showed an event before one that it depends on.
	Violations uint64
	Unread     map[string]Unread // by channel, after all has settled, as its bundle tells
	Listed     map[string]Unread // as the service tells when asked
}

func (d *Device) String() string { return d.Name + " by " + d.Transport }

// Unread is what a device tells of a channel.
type Unread struct {
	Marker   uint64 // offset up to which the person has read
	Messages uint64
	Mentions uint64
}

// History is all that is known about a run.
type History struct {
	Base    map[string]uint64             // by channel: the head of its log when the load began
	Logs    map[string]map[string][]Event // by channel and way, which is a gateway and a transport: the whole log, read after all has settled
	Ops     []Op
	Devices []Device
}

// who asked for an operation.
func (h *History) who(op Op) string {
	return fmt.Sprintf("device %d, %v", op.Device, &h.Devices[op.Device])
}

// Verdict is the outcome of all checks.
type Verdict struct {
	Events     int            // that stand in the logs behind their bases
	Done       int            // operations that were answered
	Refused    int            // operations that were refused
	Shown      int            // events that were shown, to all devices together
	Transports map[string]int // devices by their transport
	Violations uint64         // of the causal order, that clients showed after 2 s of waiting and counted
	Faults     []string       // what must not be
}

func (v Verdict) String() string {
	var devices []string
	for _, transport := range slices.Sorted(maps.Keys(v.Transports)) {
		devices = append(devices, fmt.Sprintf("%d by %s", v.Transports[transport], transport))
	}
	return fmt.Sprintf("%d operations answered, %d refused; %d events stand, shown %d times, to devices that connect %s; %d shown before their cause after 2 s of waiting",
		v.Done, v.Refused, v.Events, v.Shown, strings.Join(devices, ", "), v.Violations)
}

// maxFaults bounds what a verdict tells: the first ones say what is wrong.
const maxFaults = 100

func (v *Verdict) fault(format string, args ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// Check holds a history against everything that Plenum promises.
func (h *History) Check() Verdict {
	v := Verdict{Transports: map[string]int{}}
	for _, op := range h.Ops {
		switch op.Outcome {
		case Done:
			v.Done++
		case Refused:
			v.Refused++
			v.fault("REFUSED %s %q of %s: %s", op.Kind, op.ID, h.who(op), op.Error)
		case Unsettled:
			v.fault("UNSETTLED %s %q of %s: no answer after all has healed: %s", op.Kind, op.ID, h.who(op), op.Error)
		}
	}
	logs := h.agree(&v)
	for channel, log := range logs {
		v.Events += len(log) - int(min(h.Base[channel], uint64(len(log))))
	}
	h.once(&v, logs)
	h.linear(&v, logs)
	for i := range h.Devices {
		d := &h.Devices[i]
		v.Transports[d.Transport]++
		v.Shown += len(d.Shown)
		v.Violations += d.Violations
		d.complete(&v, logs)
		d.causal(&v)
	}
	h.unread(&v, logs)
	return v
}
