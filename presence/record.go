package presence

import (
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

const (
	// maxStretch is how long a record is at most: what looks for those of a time looks no further back.
	maxStretch = 24 * time.Hour
	// maxEnded is how many records wait to be written down. More are lost, and counted: who is here is known without the database.
	maxEnded = 20_000
)

// stretch is a time in which somebody was there in one session and to be seen, while it lasts. It begins when the session counts and its person is not
// invisible; it ends when the session has, with its last connection, or is dormant, with what was done in it last, or when its person goes invisible.
//
// Invariant: it is nobody's but the home's. A home that the person moves away from drops it, and the new one begins it with the session's connection.
type stretch struct {
	start, upto time.Time // from where to where it is accounted for
	spent       shares    // before what was done in it last
	idle        shares    // since then; lost if nothing is done any more
	minutes     tally     // in which something was done
}

// shares are times by what the session was seen as, were it the person's only one: ONLINE to DO_NOT_DISTURB.
type shares [presencev1.State_STATE_DO_NOT_DISTURB + 1]time.Duration

// tally is the minutes in which something was done, by edgev1.Doing: how many, and the last one.
type tally [edgev1.Doing_DOING_MEET + 1]struct{ count, last int64 }

// record is a stretch that has ended.
type record struct {
	personKey
	session string
	device  presencev1.Device
	country string // of who has it told
	start   time.Time
	end     time.Time
	spent   shares
	minutes tally
}

// updateStretches has the stretches of somebody's sessions begin and end, and returns when to look again; zero: never.
func (h *hub) updateStretches(p *person, now time.Time) (next time.Time) {
	since, kept := h.recorded[p.key.workspace]
	for _, s := range p.sessions {
		if !kept || !p.home || !p.loaded { // not kept, or it goes on elsewhere, or is not known yet
			s.stretch = nil
			continue
		}
		h.account(p, s, now)
		if hidden := p.chosen.hides(now); hidden && s.stretch != nil {
			h.finishStretch(p, s, s.stretch.upto)
		} else if !hidden && s.stretch == nil && len(s.connections) > 0 && !s.dormant(now, &h.cfg) {
			start := latest(s.from, since, p.chosen.shownSince())
			start = start.Add(max(0, now.Sub(start)).Truncate(maxStretch)) // before that it was written down by another home
			s.stretch = &stretch{start: start, upto: latest(start, s.heardAt)}
		}
		if s.stretch != nil {
			if cut := s.stretch.start.Add(maxStretch); cut.After(now) {
				next = sooner(next, cut)
			}
		}
	}
	return next
}

// account adds up what has passed of a session's stretch, before anything is changed that it depends on.
func (h *hub) account(p *person, s *session, now time.Time) {
	if s.stretch == nil || !h.frozen.IsZero() { // frozen: another home may have taken over
		return
	}
	upto := now
	if len(s.connections) == 0 && s.left.Before(now) { // whether it is over is known after the time of grace
		upto = s.left
	}
	if s.dormant(upto, &h.cfg) {
		h.finishStretch(p, s, s.active)
		return
	}
	for s.stretch.upto.Before(upto) {
		t := s.stretch
		state, until := s.seemed(t.upto, p.chosen, &h.cfg)
		cut := t.start.Add(maxStretch)
		to := earliest(upto, cut, until)
		t.idle[state] += to.Sub(t.upto)
		if t.upto = to; to.Equal(cut) {
			h.finishStretch(p, s, cut)
			s.stretch = &stretch{start: cut, upto: cut}
		}
	}
}

// accountAll does so with all of somebody's sessions.
func (h *hub) accountAll(p *person, now time.Time) {
	for _, s := range p.sessions {
		h.account(p, s, now)
	}
}

// touch takes in that something was done in a session.
func (h *hub) touch(p *person, s *session, at, now time.Time) {
	if !at.After(s.active) {
		return
	}
	h.account(p, s, now)
	if !s.active.IsZero() && s.dormant(at, &h.cfg) {
		h.finishStretch(p, s, s.active)
		s.from = at
	}
	if t := s.stretch; t != nil {
		t.spent.add(&t.idle)
	}
	s.active = at
}

// did takes in what was done in a session.
func (s *session) did(kinds []edgev1.Doing, now time.Time) {
	if s.stretch == nil {
		return
	}
	minute := now.Unix() / 60
	for _, kind := range kinds {
		if kind < 0 || kind > edgev1.Doing_DOING_MEET { // of a gateway that is newer
			continue
		}
		if m := &s.stretch.minutes[kind]; m.last < minute {
			m.count, m.last = m.count+1, minute
		}
	}
}

// finishStretch ends a stretch.
func (h *hub) finishStretch(p *person, s *session, end time.Time) {
	t := s.stretch
	if s.stretch = nil; t == nil || !h.frozen.IsZero() {
		return
	}
	if end.Equal(t.upto) { // else nothing was done any more until it was dormant
		t.spent.add(&t.idle)
	}
	s.from = latest(s.from, end)
	country := ""
	if p.chosen.country && s.country != [2]byte{} {
		country = string(s.country[:])
	}
	switch {
	case !end.After(t.start):
	case len(h.ended) >= maxEnded:
		h.lostRecords++
	default:
		h.ended = append(h.ended, record{
			personKey: p.key, session: s.id, device: s.device, country: country, start: t.start, end: end, spent: t.spent, minutes: t.minutes,
		})
	}
}

// endStretch ends the stretch of a session that has ended.
func (h *hub) endStretch(p *person, s *session, now time.Time) {
	if h.account(p, s, now); s.stretch != nil && p.home {
		h.finishStretch(p, s, s.stretch.upto)
	}
}

// endStretches ends all stretches. If their sessions go on, here or elsewhere, others begin there.
func (h *hub) endStretches(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.frozen.IsZero() {
		return
	}
	for _, p := range h.people {
		for _, s := range p.sessions {
			h.endStretch(p, s, now)
		}
	}
}

// takeEnded returns records that are to be written down.
func (h *hub) takeEnded(most int) []record {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(most, len(h.ended))
	list := h.ended[:n:n]
	if h.ended = h.ended[n:]; len(h.ended) == 0 {
		h.ended = nil
	}
	return list
}

// countLost counts records that are lost.
func (h *hub) countLost(records int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lostRecords += records
}

// setRecorded takes over of which workspaces records are kept, and since when.
func (h *hub) setRecorded(recorded map[string]time.Time, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := map[string]bool{}
	for id, since := range recorded {
		if was, is := h.recorded[id]; !is || !was.Equal(since) {
			changed[id] = true
		}
	}
	for id := range h.recorded {
		if _, is := recorded[id]; !is {
			changed[id] = true
		}
	}
	if h.recorded = recorded; len(changed) == 0 {
		return
	}
	for k, p := range h.people {
		if !changed[k.workspace] {
			continue
		}
		for _, s := range p.sessions {
			s.stretch = nil
		}
		h.decide(p, now)
	}
}

// seemed is what a session was seen as at a time, and until when unless anything happens.
func (s *session) seemed(at time.Time, c choice, cfg *Config) (state presencev1.State, until time.Time) {
	until = at.Add(maxStretch)
	if c.until.After(at) {
		until = c.until
	}
	idle := s.active.Add(cfg.Idle)
	switch c = c.at(at); {
	case c.state == presencev1.State_STATE_AWAY, c.state == presencev1.State_STATE_BUSY, c.state == presencev1.State_STATE_DO_NOT_DISTURB:
		return c.state, until
	case s.program:
		return presencev1.State_STATE_ONLINE, until
	case at.Before(idle):
		return presencev1.State_STATE_ONLINE, earliest(idle, until)
	}
	return presencev1.State_STATE_AWAY, until
}

// shownSince is since when somebody is to be seen who is.
func (c choice) shownSince() time.Time {
	if c.state == presencev1.State_STATE_INVISIBLE {
		return c.until
	}
	return c.shown
}

// add takes over another's times.
func (s *shares) add(other *shares) {
	for i, d := range other {
		s[i] += d
	}
	*other = shares{}
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

func earliest(first time.Time, times ...time.Time) time.Time {
	for _, t := range times {
		if t.Before(first) {
			first = t
		}
	}
	return first
}
