package gateway

import (
	"math"
	"sync/atomic"
	"time"

	"plenum.internal/mesh/auth"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

const (
	deedGap      = time.Minute // between two words on what is done in one session, or by one device outside of sessions, of each kind
	minuteGap    = time.Second // between two looks at whose minute is over
	maxOutsiders = 50_000      // devices that are told of at a time because of what they do outside of sessions; what others do so is not told
	maxMinutes   = 250_000     // that are looked at when they are over; of more it isn't told what was done last
)

// deeds are what is done in a session, or by one device outside of sessions, and when it was told, by the gateway's alarms. Of each kind it is told at
// once, and then once a minute at most. When a minute is over, it is told when something was done last, if that was within it: who has done something
// a moment ago would else count as idle since the minute began.
type deeds struct {
	last atomic.Int64
	told [edgev1.Doing_DOING_MEET + 1]atomic.Int64 // by kind; DOING_UNSPECIFIED: something, of whatever kind. 0: never
}

// notSaid is how long nothing was done where nobody has said that, and nothing was done since.
const notSaid time.Duration = -1

func (d *deeds) idle(now time.Duration) time.Duration {
	if last := time.Duration(d.last.Load()); last != never {
		return now - last
	}
	return notSaid
}

// begin notes that nothing has been done for a while.
func (d *deeds) begin(now, idle time.Duration) {
	if idle == notSaid {
		d.last.Store(int64(never))
	} else {
		d.last.Store(int64(now - idle))
	}
}

const never time.Duration = math.MinInt64

// due says whether it may be told that something of a kind is done.
func (d *deeds) due(now time.Duration, kind edgev1.Doing) bool {
	told := d.told[kind].Load()
	return told == 0 || now-time.Duration(told) >= deedGap
}

// note takes in that something is done. It says whether that is to be told.
func (d *deeds) note(now time.Duration, kind edgev1.Doing) bool {
	d.last.Store(int64(now))
	return d.due(now, edgev1.Doing_DOING_UNSPECIFIED) || d.due(now, kind)
}

// kinds are those to be told now of what is done: none, if it is told already, or is something alone. The roster's lock is held.
func (d *deeds) kinds(now time.Duration, kind edgev1.Doing) []edgev1.Doing {
	if kind == edgev1.Doing_DOING_UNSPECIFIED || !d.due(now, kind) {
		return nil
	}
	d.told[kind].Store(int64(now))
	return []edgev1.Doing{kind}
}

// outsider is a device of which something is told outside of sessions, or in such that last for one request.
type outsider struct{ workspace, user, device string }

// minute is what follows when something was told of a session, or of a device outside of sessions. It is all that is kept for it: no timer for each.
type minute struct {
	over    time.Duration
	session *attendance // nil: it is a device's
	device  outsider
}

// act notes that somebody does something in a session. Its turn calls it.
func (s *session) act(kind edgev1.Doing) {
	a := s.attendance
	if a == nil {
		return
	}
	now := s.g.alarms.now()
	if due := a.note(now, kind); s.stream() != nil {
		s.g.roster.actOutside(s.caller, kind)
	} else if due {
		s.g.roster.act(a, now, kind)
	}
}

// act has it told that something is done in a session.
func (r *roster) act(a *attendance, now time.Duration, kind edgev1.Doing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds := a.kinds(now, kind)
	again := a.due(now, edgev1.Doing_DOING_UNSPECIFIED)
	if again {
		r.toldOf(now, &a.deeds, minute{session: a})
	}
	if a.home != nil && (kinds != nil || again) {
		a.home.tell(report{deed: &rosterv1.Deed{Number: a.number, Kinds: kinds}})
	}
}

// actOutside notes that a device does something outside of sessions, or in one that lasts for one request.
func (r *roster) actOutside(by auth.Caller, kind edgev1.Doing) {
	now := r.g.alarms.now()
	who := outsider{by.Workspace, by.User, by.Device}
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.others[who]
	if d == nil {
		if r.place.Number() == 0 || len(r.others) >= maxOutsiders || len(r.minutes) >= maxMinutes {
			return
		}
		d = &deeds{}
		r.others[who] = d
	}
	if !d.note(now, kind) {
		return
	}
	kinds := d.kinds(now, kind)
	again := d.due(now, edgev1.Doing_DOING_UNSPECIFIED)
	if again {
		r.toldOf(now, d, minute{device: who})
	}
	if kinds != nil || again {
		r.tellAct(who, kinds, 0)
	}
}

// tellAct tells a person's home what their device has done. The roster's lock is held.
func (r *roster) tellAct(who outsider, kinds []edgev1.Doing, ago time.Duration) {
	if home := r.homeOf(who); home != nil {
		home.tell(report{act: &rosterv1.Act{Workspace: who.workspace, User: who.user, Device: who.device, Kinds: kinds, AgoS: uint32(ago / time.Second)}})
	}
}

// deedsOf are those that a minute is behind; nil: they are gone. The roster's lock is held.
func (r *roster) deedsOf(m minute) *deeds {
	switch {
	case m.session == nil:
		return r.others[m.device]
	case r.all[m.session.number] == m.session:
		return &m.session.deeds
	}
	return nil
}

// toldOf begins a minute: something is being told of a session, or of a device, which is forgotten where there is no room. The roster's lock is held.
func (r *roster) toldOf(now time.Duration, d *deeds, m minute) {
	d.told[edgev1.Doing_DOING_UNSPECIFIED].Store(int64(now))
	switch m.over = now + deedGap; {
	case len(r.minutes) < maxMinutes:
		r.minutes = append(r.minutes, m)
	case m.session == nil:
		delete(r.others, m.device) // nothing else would
	}
}

// lookBack tells of those whose minute is over when something was done last, if it was within it.
func (r *roster) lookBack(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.minutes) > 0 && r.minutes[0].over <= now {
		m := r.minutes[0]
		r.minutes[0] = minute{}
		if r.minutes = r.minutes[1:]; len(r.minutes) == 0 {
			r.minutes = nil
		}
		d := r.deedsOf(m)
		if d == nil || !d.due(now, edgev1.Doing_DOING_UNSPECIFIED) { // there is a newer minute
			continue
		}
		switch ago := d.idle(now); {
		case d.last.Load() <= d.told[edgev1.Doing_DOING_UNSPECIFIED].Load():
			if m.session == nil {
				delete(r.others, m.device)
			}
		case m.session == nil:
			r.toldOf(now, d, m)
			r.tellAct(m.device, nil, ago)
		default:
			r.toldOf(now, d, m)
			if home := m.session.home; home != nil {
				home.tell(report{deed: &rosterv1.Deed{Number: m.session.number, AgoS: uint32(ago / time.Second)}})
			}
		}
	}
}
