package census

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"plenum.internal/loadtest/internal/crowd"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// Person is somebody, with one session. It implements crowd.Person.
type Person struct {
	census *Census
	ID     string

	ever   bool // they were connected at any time
	here   bool // they are
	comes  bool // they are about to be, and may be seen so
	since  time.Time
	absent time.Time // until then they may be seen as gone, though they have come
	may    time.Time // not here: from then on they may be seen as gone
	must   time.Time // and from then on they must
	active time.Time // when something was done last
	woken  time.Time // when something was done last behind a time of nothing

	begun, settled uint32 // versions of what they have chosen: the newest, and the newest that was answered
	chosen         [keptChoices]choice
}

// choice is one thing that somebody has chosen to be seen as.
type choice struct {
	state          presencev1.State // UNSPECIFIED: as the sessions say
	begun, settled time.Time
}

// Add makes somebody who is not here, and did something last at a time. They may have been here for a moment, for what comes before.
func (c *Census) Add(id string, active time.Time) *Person {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &Person{census: c, ID: id, active: active, must: c.before}
	c.people[id] = p
	return p
}

// Comes implements crowd.Person.
func (p *Person) Comes() {
	p.census.mu.Lock()
	defer p.census.mu.Unlock()
	p.comes = true
}

// Came implements crowd.Person.
func (p *Person) Came(now time.Time) {
	c := p.census
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.ever || !p.here && !now.Add(noticing).Before(p.may) {
		p.absent = now.Add(c.bounds.Online)
	}
	p.ever, p.here, p.comes, p.since = true, true, false, now
}

// Left implements crowd.Person.
func (p *Person) Left(now time.Time, how crowd.Ending) {
	c := p.census
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.here && !p.comes {
		return
	}
	over := now.Add(c.bounds.Grace) // the grace
	must := over.Add(map[crowd.Ending]time.Duration{crowd.Cut: c.bounds.Offline, crowd.Lost: c.bounds.Lost, crowd.Dead: c.bounds.Dead}[how])
	if must.After(p.must) {
		p.must = must
	}
	if !p.here { // the connection never came about, as far as they know
		p.ever, p.comes = true, false
		return
	}
	p.here, p.since, p.may = false, now, over
	switch {
	case now.Before(c.struck):
		p.may = now
	case how == crowd.Lost:
		p.may = over.Add(-noticing)
	}
}

// Acted says that they did something.
func (p *Person) Acted(now time.Time) {
	p.census.mu.Lock()
	defer p.census.mu.Unlock()
	p.act(now)
}

func (p *Person) act(now time.Time) {
	if now.Sub(p.active) > p.census.bounds.IdleAfter-activeGap {
		p.woken = now
	}
	p.active = now
}

// Choose begins to have them seen as in a state, of which others are told with a text that names this choice; UNSPECIFIED: as the sessions say. There is
// one choice at a time.
func (p *Person) Choose(state presencev1.State, now time.Time) (text string) {
	p.census.mu.Lock()
	defer p.census.mu.Unlock()
	p.act(now)
	p.begun++
	p.chosen[p.begun%keptChoices] = choice{state: state, begun: now}
	return fmt.Sprintf("%s %d", p.census.tag, p.begun)
}

// Chosen says that the choice was answered.
func (p *Person) Chosen(now time.Time) {
	p.census.mu.Lock()
	defer p.census.mu.Unlock()
	if p.settled < p.begun {
		p.settled = p.begun
		p.chosen[p.settled%keptChoices].settled = now
	}
}

// version is which choice a text names; 0: none.
func (c *Census) version(text string) uint32 {
	if rest, own := strings.CutPrefix(text, c.tag+" "); own {
		if n, err := strconv.ParseUint(rest, 10, 32); err == nil {
			return uint32(n)
		}
	}
	return 0
}

// floor is the oldest version that they may be seen by: a newer one than that is settled for long enough otherwise.
func (p *Person) floor(now time.Time) uint32 {
	for v := p.settled; v > 0 && v+keptChoices > p.begun; v-- {
		by := p.chosen[v%keptChoices].settled.Add(p.census.bounds.Online)
		if p.chosen[v%keptChoices].state == presencev1.State_STATE_INVISIBLE {
			by = by.Add(p.census.bounds.Grace) // others see them go as they see anybody go
		}
		if !now.Before(by) {
			return v
		}
	}
	return 0
}

// hides tells whether they may be seen as gone because they have chosen so.
func (p *Person) hides(now time.Time) bool {
	for v := p.floor(now); v <= p.begun; v++ {
		if v > 0 && p.chosen[v%keptChoices].state == presencev1.State_STATE_INVISIBLE {
			return true
		}
	}
	return false
}

// wrong is which promise is broken by showing them so at a time, and since told; nil: none.
func (p *Person) wrong(state presencev1.State, version uint32, told, now time.Time) *uint64 {
	f, b := &p.census.found, &p.census.bounds
	switch state {
	case presencev1.State_STATE_UNSPECIFIED:
		return nil // for how long is counted elsewhere
	case presencev1.State_STATE_OFFLINE:
		switch {
		case !p.ever, now.Before(p.absent), !p.here && !now.Before(p.may), p.hides(now):
			return nil
		case told.Before(p.absent):
			return &f.Late
		}
		return &f.Flickers
	}
	floor := p.floor(now)
	is := p.chosen[version%keptChoices].state
	if version == 0 {
		is = presencev1.State_STATE_UNSPECIFIED
	}
	switch {
	case !p.comes && !p.here && now.After(p.must):
		return &f.Ghosts
	case version > p.begun:
		return &f.Wrong
	case floor > 0 && floor == p.begun && p.chosen[floor%keptChoices].state == presencev1.State_STATE_INVISIBLE:
		return &f.Exposed
	case version < floor:
		return &f.Late
	case is == presencev1.State_STATE_INVISIBLE:
		return &f.Exposed
	case is == presencev1.State_STATE_UNSPECIFIED:
		idle := p.active.Add(b.IdleAfter)
		if state == presencev1.State_STATE_ONLINE && (now.Before(idle.Add(b.Online)) || now.Before(p.since.Add(b.Online)) || now.Before(p.census.before)) ||
			state == presencev1.State_STATE_AWAY && (!now.Before(idle.Add(-activeGap)) || now.Before(p.woken.Add(b.Online))) {
			return nil
		}
		if told.Before(p.woken) || state == presencev1.State_STATE_ONLINE {
			return &f.Late
		}
		return &f.Wrong
	case is != state:
		return &f.Wrong
	}
	return nil
}

// changed is when they became what a version says, or came, or went, whichever is behind a time: what somebody who looked then was told later; zero: none.
func (p *Person) changed(state presencev1.State, version, before uint32, was presencev1.State, since time.Time) (at time.Time) {
	switch {
	case version > before && version <= p.begun && version+keptChoices > p.begun:
		at = p.chosen[version%keptChoices].begun
	case was == presencev1.State_STATE_OFFLINE && state != was && p.here:
		at = p.since
	case was == presencev1.State_STATE_AWAY && state == presencev1.State_STATE_ONLINE:
		at = p.woken
	}
	if at.Before(since) {
		return time.Time{}
	}
	return at
}

// stands is how they are to be seen once all is settled, if they have done something lately, or nothing for long.
func (p *Person) stands(now time.Time) presencev1.State {
	switch is := p.chosen[p.begun%keptChoices].state; {
	case !p.here, p.begun > 0 && is == presencev1.State_STATE_INVISIBLE:
		return presencev1.State_STATE_OFFLINE
	case p.begun > 0 && is != presencev1.State_STATE_UNSPECIFIED:
		return is
	case now.Before(p.active.Add(p.census.bounds.IdleAfter)):
		return presencev1.State_STATE_ONLINE
	}
	return presencev1.State_STATE_AWAY
}

// settledAt is when they must be seen as they are.
func (p *Person) settledAt() time.Time {
	at := p.must
	if p.here {
		at = p.since.Add(p.census.bounds.Online)
	}
	if c := p.chosen[p.begun%keptChoices]; p.begun > 0 && p.begun == p.settled {
		by := c.settled.Add(p.census.bounds.Online)
		if c.state == presencev1.State_STATE_INVISIBLE {
			by = by.Add(p.census.bounds.Grace)
		}
		if by.After(at) {
			at = by
		}
	}
	if by := p.woken.Add(p.census.bounds.Online); by.After(at) {
		at = by
	}
	return at
}
