package presence

import "time"

// visibility is whether somebody may be seen, as gateways are told.
type visibility uint8

const (
	untold visibility = iota
	shown
	hidden
)

// answerGateways has gateways told whether somebody may be seen, once it is known what they have chosen, and when that changes.
func (h *hub) answerGateways(p *person, now time.Time) {
	is := shown
	if p.chosen.hides(now) {
		is = hidden
	}
	if !p.loaded || is == p.visibility {
		return
	}
	if p.visibility = is; is == shown {
		p.departed, p.hiding = nil, nil
	}
	for _, s := range p.sessions {
		for _, c := range s.connections {
			c.at.answer(c.number, p.visibility)
		}
	}
}

// hiding is somebody's who hides, while gateways may still let pass what they signal: until then they are seen as before. So as much time lies between
// what was heard of them last and their being offline as of who leaves. What they look at is told until gateways have been told: who leaves ends their
// views a little before their gateway tells that their connection has ended, too.
type hiding struct {
	waits map[connection]bool // for gateways to confirm it; true: they have been told
	until time.Time           // at most
}

// announced says whether all gateways are.
func (x *hiding) announced() bool {
	for _, told := range x.waits {
		if !told {
			return false
		}
	}
	return true
}

const confirmTime = time.Second // for gateways to confirm that somebody hides

// hide begins that somebody hides who has been seen as they are.
func (p *person) hide(now time.Time) {
	p.departed = p.clone()
	p.departed.sessions, p.hiding = p.sessions, &hiding{map[connection]bool{}, now.Add(confirmTime)}
	for _, s := range p.sessions {
		for _, c := range s.connections {
			p.hiding.waits[c] = false
		}
	}
}

// confirmHidden takes in that a gateway confirms that somebody hides, or that their connection has ended.
func (h *hub) confirmHidden(p *person, c connection, now time.Time) {
	if p.hiding == nil {
		return
	}
	if delete(p.hiding.waits, c); len(p.hiding.waits) == 0 {
		h.decide(p, now)
	}
}

// noteAnnounced takes in that a gateway is told that somebody hides.
func (h *hub) noteAnnounced(p *person, c connection) {
	if p.hiding == nil {
		return
	}
	if _, waits := p.hiding.waits[c]; waits {
		p.hiding.waits[c] = true
		h.setHidden(p, p.hiding.announced())
	}
}

// setHidden notes whether somebody hides. That is told at once to those alone who have to know it, and tell nobody: to others nothing happens.
func (h *hub) setHidden(p *person, hidden bool) {
	if p.hidden == hidden {
		return
	}
	p.hidden = hidden
	for _, w := range p.watches {
		if w.by.seesHidden {
			w.mark()
		}
	}
}
