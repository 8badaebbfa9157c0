package presence

import (
	"slices"
	"time"

	"plenum.internal/mesh/registry"
)

// absent says whether somebody is gone of whom no gateway tells. They may be there all the same: not all have told all; or one has vanished within the time
// of grace, they may be on their way from it to another one, and it was another home that heard of them.
func (h *house) absent(k personKey) bool {
	return h.knows(k) && !h.deaf && (len(h.vanished) == 0 || len(h.since) > 0 && !slices.ContainsFunc(h.since, func(p registry.Placement) bool { return p.Home(k.route()).ID != h.self }))
}

// vanish notes that a gateway is not there any more.
func (h *house) vanish(incarnation string, now time.Time) {
	if len(h.vanished) == 0 {
		switch h.since = nil; {
		case h.whole:
			h.since = []registry.Placement{h.now}
		case len(h.was) > 0:
			h.since = append(slices.Clone(h.was), h.now)
		}
	}
	h.vanished[incarnation] = now
}

// begins notes that this process has just started, and is the only one there is: whoever was connected to it before is on their way back.
func (h *house) begins(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.vanish("before", now) // no gateway's: the one that there is has no incarnation
}

// thaw has this process begin anew that others must take for alive again. Another home may have been told otherwise meanwhile, and have told so: nothing
// is known before all gateways have told all again. Of who isn't among it nobody is told as here, only as unknown until their time of grace is over.
func (h *house) thaw(now time.Time) {
	for _, g := range h.gateways { // still frozen: they end by it
		h.end(g, now)
	}
	h.frozen = time.Time{}
	h.told, h.tarry, h.whole, h.was, h.since = false, nil, false, nil, nil
	h.past = newPast(h.cfg.PastBytes) // it may have been forgotten there
	for _, p := range h.people {
		if p.hiding != nil {
			p.left, p.hiding = p.left.leave(now), nil
		}
		if p.left == nil && p.sight == shown { // they may hide by now
			p.left = p.leave(now)
		}
		if p.doubt(now); p.left != nil {
			p.left.doubt(now)
		}
		p.loaded = false
	}
}
