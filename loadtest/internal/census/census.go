// Package census knows who is connected and what each has chosen to be seen as, and holds what people are shown of each other to it.
package census

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"plenum.internal/loadtest/internal/meter"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// Bounds are what presence promises (presence.proto, PROTOCOL.md section 11b). They are flags of a scenario.
type Bounds struct {
	Online    time.Duration `help:"Within which it is to be seen that somebody has come, does something, or has chosen how to be seen; by who has just begun to look, too." default:"5s"`
	Grace     time.Duration `help:"For which who has lost the connection is still to be seen as here: presence.grace of the server." default:"45s"`
	Offline   time.Duration `help:"Within which, behind the grace, who has ended the connection is to be seen as gone." default:"5s"`
	Lost      time.Duration `help:"The same of who has lost it with a gateway." default:"30s"`
	Dead      time.Duration `help:"The same of who has fallen silent without ending it." default:"65s"`
	Unknown   time.Duration `help:"For which somebody may be unknown, or all that is shown old." default:"10s"`
	IdleAfter time.Duration `help:"For which somebody does nothing before they are away: presence.idle of the server." default:"5m"`
}

// Validate names the first bound that cannot be.
func (b *Bounds) Validate() error {
	if min(b.Online, b.Offline, b.Lost, b.Dead, b.Unknown) <= 0 || b.Grace < 0 || b.IdleAfter <= activeGap {
		return fmt.Errorf("--online, --offline, --lost, --dead and --unknown must be more than 0, --grace not negative, and --idle-after more than %v", activeGap)
	}
	return nil
}

const (
	// activeGap is how much later than it happens a gateway may tell that something is done in a session, with room: it does so once a minute.
	activeGap = 65 * time.Second
	// noticing is how much later than presence a client may notice that its gateway has died, and how much later than the client presence may
	// hear that it is back.
	noticing = 2 * time.Second
	// frameBurst is how many updates of a view may come in a row: one a second is sent, but they may be held up on the way.
	frameBurst = 10
	// keptChoices of each person are remembered, the newest.
	keptChoices  = 8
	keptExamples = 5
)

// Findings are what was found. Safe to copy.
type Findings struct {
	Frames uint64 // updates of views that came
	Told   uint64 // entries in them

	Flickers  uint64 // somebody was shown as gone who was here, or had been within the grace
	Ghosts    uint64 // as here, who was not any more
	Late      uint64 // as they were before, for too long, or not at all
	Wrong     uint64 // otherwise than they had chosen
	Backwards uint64 // as they had been before they were shown otherwise
	Exposed   uint64 // who had chosen to be invisible
	Strangers uint64 // who shares no channel with whom they were shown to
	Unknown   uint64 // as not known for too long
	Hurried   uint64 // updates beyond one a second
	Miscounts uint64 // rooms whose counts, or whose window, were not what they should have been

	Examples []string // of what was broken, the first ones
}

// Clean tells that every promise was kept.
func (f *Findings) Clean() bool {
	return f.Flickers|f.Ghosts|f.Late|f.Wrong|f.Backwards|f.Exposed|f.Strangers|f.Unknown|f.Hurried|f.Miscounts == 0
}

// Add adds up findings of several processes.
func (f *Findings) Add(o Findings) {
	f.Frames += o.Frames
	f.Told += o.Told
	f.Flickers += o.Flickers
	f.Ghosts += o.Ghosts
	f.Late += o.Late
	f.Wrong += o.Wrong
	f.Backwards += o.Backwards
	f.Exposed += o.Exposed
	f.Strangers += o.Strangers
	f.Unknown += o.Unknown
	f.Hurried += o.Hurried
	f.Miscounts += o.Miscounts
	f.Examples = append(f.Examples, o.Examples...)
	f.Examples = f.Examples[:min(len(f.Examples), keptExamples)]
}

// String tells what was broken.
func (f *Findings) String() string {
	return fmt.Sprintf("flickers %d, ghosts %d, late %d, wrong %d, backwards %d, exposed %d, strangers %d, unknown for too long %d, more than one update a second %d, miscounts %d",
		f.Flickers, f.Ghosts, f.Late, f.Wrong, f.Backwards, f.Exposed, f.Strangers, f.Unknown, f.Hurried, f.Miscounts)
}

// Census is the people of one process, and what they are shown.
type Census struct {
	bounds Bounds
	tag    string    // of what this run's people say of themselves
	before time.Time // until then they may be seen as here for what they did before
	// Changes is from when somebody chose, came or did something until each who looks was told; Gone from when a connection ended until each was
	// told that they are gone; Unknown how long somebody was unknown to somebody.
	Changes, Gone, Unknown *meter.Latency

	mu     sync.Mutex // guards all below, people and looks included
	people map[string]*Person
	looks  []*Look
	found  Findings
	over   bool      // nothing counts any more
	struck time.Time // until then, who leaves may be seen as gone at once: a home has died, and who takes over knows only who is connected
}

// New returns a census of nobody, who measures changes. The tag tells what this run's people say of themselves from what others said.
func New(b Bounds, tag string, changes *meter.Latency, now time.Time) *Census {
	return &Census{
		bounds: b, tag: tag, before: now.Add(b.Grace + b.Offline), people: map[string]*Person{}, Changes: changes, Gone: meter.NewLatency(), Unknown: meter.NewLatency(),
	}
}

// Findings are what was found so far.
func (c *Census) Findings() Findings {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.found
	f.Examples = slices.Clone(f.Examples)
	return f
}

// Struck is called when a process of presence dies.
func (c *Census) Struck(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.struck = now.Add(c.bounds.Unknown)
	for _, p := range c.people {
		if !p.here && now.Before(p.may) {
			p.may = now
		}
	}
}

// Check looks at all that is shown, and counts what has become wrong by standing still.
func (c *Census) Check(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.looks {
		l.check(now)
	}
}

// End has nothing count any more.
func (c *Census) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// Known tells whether all that is shown is known, and not old.
func (c *Census) Known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.looks {
		if l.open && !l.blind.IsZero() {
			return false
		}
		for _, s := range l.shown {
			if l.open && s.state == presencev1.State_STATE_UNSPECIFIED {
				return false
			}
		}
	}
	return true
}

// Settled is when everybody must be seen as they are, if nothing happens any more.
func (c *Census) Settled() (at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.people {
		if t := p.settledAt(); t.After(at) {
			at = t
		}
	}
	return at
}

// broke counts a broken promise.
func (c *Census) broke(count *uint64, format string, args ...any) {
	*count++
	if len(c.found.Examples) < keptExamples {
		c.found.Examples = append(c.found.Examples, fmt.Sprintf(format, args...))
	}
}

// Standing is how a member of a room is to be seen.
type Standing struct {
	User  string
	State presencev1.State
}

// Room is a channel whose members some look at.
type Room struct {
	ID      string
	members map[string]bool
}

// NewRoom returns a room with the ids of all of its members, of other processes, too.
func NewRoom(id string, members []string) *Room {
	r := &Room{id, make(map[string]bool, len(members))}
	for _, m := range members {
		r.members[m] = true
	}
	return r
}

// Stand is how this process's people are to be seen once all is settled, by their ids.
func (c *Census) Stand(now time.Time) []Standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Standing, 0, len(c.people))
	for id, p := range c.people {
		all = append(all, Standing{id, p.stands(now)})
	}
	return all
}

// Looking is how many of this process's people look at each room, and are seen to.
func (c *Census) Looking(now time.Time) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]int{}
	for _, l := range c.looks {
		if l.room != nil && l.open && l.window.GetLooking() && l.by.stands(now) != presencev1.State_STATE_OFFLINE {
			all[l.room.ID]++
		}
	}
	return all
}

// order is that of the states in a room.
var order = map[presencev1.State]int{
	presencev1.State_STATE_ONLINE: 0, presencev1.State_STATE_BUSY: 1, presencev1.State_STATE_DO_NOT_DISTURB: 2, presencev1.State_STATE_AWAY: 3,
	presencev1.State_STATE_UNSPECIFIED: 4, presencev1.State_STATE_OFFLINE: 5,
}

// Compare holds what each who looks at a room is shown of it to how everybody stands, once all is settled.
func (c *Census) Compare(everybody []Standing, looking map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	everybody = slices.SortedFunc(slices.Values(everybody), func(a, b Standing) int {
		return cmp.Or(cmp.Compare(order[a.State], order[b.State]), cmp.Compare(a.User, b.User))
	})
	rooms := map[*Room][]Standing{}
	for _, l := range c.looks {
		if l.room == nil || !l.open {
			continue
		}
		if _, known := rooms[l.room]; !known {
			in := []Standing{}
			for _, s := range everybody {
				if l.room.members[s.User] {
					in = append(in, s)
				}
			}
			rooms[l.room] = in
		}
		l.compare(rooms[l.room], looking[l.room.ID])
	}
}
