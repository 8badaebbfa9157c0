package presence

import (
	"slices"
	"time"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// maxSessions is how many one person has at most, with those that are in the time of grace: each event looks at all of them.
const maxSessions = 32

// session is one of a person's: a browser profile, or a run of an application. It is here while a connection of it is, and for the time of grace
// behind the last one.
type session struct {
	id          string // of its client: Hello.session_id
	connections []connection
	device      presencev1.Device
	program     bool      // a bot's, or a service's: it never is idle
	token       string    // id of the device that its access token is of
	country     [2]byte   // of its latest connection; zero: not known
	active      time.Time // when something was done in it last
	left        time.Time // when the last connection ended; while there is one it says nothing. Zero: with its gateway's stream, while this process was frozen
	heardAt     time.Time // when it was heard of here
	from        time.Time // what came before was written down, or is not to be
	signedOut   bool      // they were signed out: there is no time of grace
	stretch     *stretch  // that is to be written down when it ends; nil: none is
}

// connection is one of a session's, at a gateway.
type connection struct {
	at     *gateway
	number uint64
}

// gone says whether the time of grace is over.
func (s *session) gone(now time.Time, cfg *Config) bool {
	return len(s.connections) == 0 && (s.signedOut || !now.Before(s.left.Add(cfg.Grace)))
}

// dormant says whether it counts no more, because nothing is done in it.
func (s *session) dormant(now time.Time, cfg *Config) bool {
	return !s.program && !now.Before(s.active.Add(cfg.Dormant))
}

// inputs are what a status is derived from.
type inputs struct {
	sessions []*session // no more than maxSessions, mostly one
	chosen   choice
	doing    *doing // at home; nil: nothing that is told, or could be
	doubted  bool   // they have had no connection since this process could be taken for dead: another home may have told that they are gone
}

// session is the one of an id; nil: there is none.
func (f *inputs) session(id string) *session {
	for _, s := range f.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

// clone is a copy without sessions yet.
func (f *inputs) clone() *inputs {
	g := &inputs{chosen: f.chosen, doubted: f.doubted}
	if f.doing != nil {
		doing := *f.doing
		g.doing = &doing
	}
	return g
}

// asDeparted is a copy as if all connections had ended at this moment.
func (f *inputs) asDeparted(now time.Time) *inputs {
	g := f.clone()
	g.sessions = make([]*session, len(f.sessions))
	for i, s := range f.sessions {
		left := *s
		left.stretch = nil // it is the session's
		if len(s.connections) > 0 {
			left.connections, left.left = nil, now
		}
		g.sessions[i] = &left
	}
	return g
}

// prune takes off the sessions that are gone, elsewhere than at home all that have no connection, and says whether none is left.
func (f *inputs) prune(now time.Time, home bool, cfg *Config) bool {
	f.sessions = slices.DeleteFunc(f.sessions, func(s *session) bool { return s.gone(now, cfg) || !home && len(s.connections) == 0 })
	return len(f.sessions) == 0
}

// signOut has nobody wait for the sessions of a device, or, if it is empty, for any.
func (f *inputs) signOut(device string) {
	for _, s := range f.sessions {
		s.signedOut = s.signedOut || device == "" || s.token == device
	}
}

// doubt has somebody be without connections since a process that was frozen is not any more. The time of grace begins for what ended by that alone.
func (f *inputs) doubt(now time.Time) {
	f.doing, f.doubted = nil, true
	for _, s := range f.sessions {
		if s.left.IsZero() {
			s.left = now
		}
	}
}

// choice is what somebody has chosen to be seen as.
type choice struct {
	state       presencev1.State
	emoji, text string
	until       time.Time // zero: for ever
	privacy
	shown time.Time // who isn't invisible is to be seen since then again; zero: ever since
}

// at is the choice as it is at a time.
func (c choice) at(now time.Time) choice {
	if !c.until.IsZero() && !now.Before(c.until) {
		return choice{privacy: c.privacy}
	}
	return c
}

// hides says whether that is not to be seen.
func (c choice) hides(now time.Time) bool { return c.at(now).state == presencev1.State_STATE_INVISIBLE }

// sooner is the first of two times; the zero time: never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// statusAt is what others see of somebody at a time, by the rule that presence.proto gives, and when it has to be decided anew though nothing happens;
// the zero time: never.
func statusAt(now time.Time, f *inputs, cfg *Config) (seen *presencev1.Status, next time.Time) {
	soon := func(at time.Time) {
		if at.After(now) {
			next = sooner(next, at)
		}
	}
	var devices [presencev1.Device_DEVICE_SYSTEM + 1]bool
	counts, active := false, false
	for _, s := range f.sessions {
		if len(s.connections) == 0 {
			soon(s.left.Add(cfg.Grace))
		}
		if s.gone(now, cfg) {
			continue
		}
		if !s.program {
			idle, dormant := s.active.Add(cfg.Idle), s.active.Add(cfg.Dormant)
			soon(idle)
			soon(dormant)
			if s.dormant(now, cfg) {
				continue
			}
			active = active || now.Before(idle)
		} else {
			active = true
		}
		counts, devices[s.device] = true, true
	}
	soon(f.chosen.until)
	chosen := f.chosen.at(now)
	if !counts || chosen.state == presencev1.State_STATE_INVISIBLE {
		return &presencev1.Status{State: presencev1.State_STATE_OFFLINE}, next
	}
	seen = &presencev1.Status{State: chosen.state}
	if chosen.emoji != "" || chosen.text != "" {
		seen.Custom = &presencev1.Custom{Emoji: chosen.emoji, Text: chosen.text}
	}
	if seen.GetState() == presencev1.State_STATE_UNSPECIFIED {
		if seen.State = presencev1.State_STATE_AWAY; active {
			seen.State = presencev1.State_STATE_ONLINE
		}
	}
	for d, there := range devices {
		if there && d != int(presencev1.Device_DEVICE_UNSPECIFIED) {
			seen.Devices = append(seen.Devices, presencev1.Device(d))
		}
	}
	return seen, next
}

// country is where somebody is: of the session, of those that count, in which something was done last. Empty: not known.
func country(sessions []*session, now time.Time, cfg *Config) string {
	var last *session
	for _, s := range sessions {
		if s.gone(now, cfg) || s.dormant(now, cfg) {
			continue
		}
		if last == nil || s.active.After(last.active) || s.active.Equal(last.active) && string(s.country[:]) > string(last.country[:]) {
			last = s
		}
	}
	if last == nil || last.country == [2]byte{} {
		return ""
	}
	return string(last.country[:])
}

// countryOf is a country as it is kept, if it is one.
func countryOf(code string) (country [2]byte) {
	if len(code) == len(country) && code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z' {
		copy(country[:], code)
	}
	return country
}
