package presence

import (
	"time"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// session is one of a person's: a browser profile, or a run of an application. It is here while a connection of it is, and for the time of grace
// behind the last one.
type session struct {
	connections []connection
	device      presencev1.Device
	active      time.Time // when something was done in it last
	left        time.Time // when the last connection ended; while there is one it says nothing
	told        time.Time // when it was heard of here
	from        time.Time // what came before was written down, or is not to be
	stretch     *stretch  // that is to be written down when it ends; nil: none is
}

// connection is one of a session's, at a gateway.
type connection struct {
	at     *gateway
	number uint64
}

// gone says whether the time of grace is over.
func (s *session) gone(now time.Time, cfg *Config) bool {
	return len(s.connections) == 0 && !now.Before(s.left.Add(cfg.Grace))
}

// choice is what somebody has chosen to be seen as.
type choice struct {
	state       presencev1.State
	emoji, text string
	until       time.Time // zero: for ever
	shown       time.Time // who isn't invisible is to be seen since then again; zero: ever since
}

// at is the choice as it is at a time.
func (c choice) at(now time.Time) choice {
	if !c.until.IsZero() && !now.Before(c.until) {
		return choice{}
	}
	return c
}

// look is what others see of somebody at a time, by the rule that presence.proto gives, and when it has to be decided anew though nothing happens;
// the zero time: never.
func look(now time.Time, sessions map[string]*session, chosen choice, cfg *Config) (seen *presencev1.Status, next time.Time) {
	soon := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	var devices [presencev1.Device_DEVICE_SYSTEM + 1]bool
	counts, active := false, false
	for _, s := range sessions {
		if len(s.connections) == 0 {
			soon(s.left.Add(cfg.Grace))
		}
		if s.gone(now, cfg) {
			continue
		}
		if s.device != presencev1.Device_DEVICE_SYSTEM {
			idle, dormant := s.active.Add(cfg.Idle), s.active.Add(cfg.Dormant)
			soon(idle)
			soon(dormant)
			if !now.Before(dormant) {
				continue
			}
			active = active || now.Before(idle)
		} else {
			active = true
		}
		counts, devices[s.device] = true, true
	}
	soon(chosen.until)
	chosen = chosen.at(now)
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
