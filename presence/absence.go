package presence

import (
	"maps"
	"slices"
	"time"

	"plenum.internal/mesh/registry"
)

// absent says whether somebody is gone of whom no gateway tells. They may be there all the same: not all have told all; or one has vanished within the time
// of grace, they may be on their way from it to another one, and it was another home that heard of them.
func (h *hub) absent(k personKey) bool {
	return h.knows(k) && !h.deaf && (len(h.vanished) == 0 || h.isHomeInAll(h.sinceVanished, k))
}

// knows says whether all sessions of a person are known here: everybody has told all, or it has been the person's home ever since they had.
func (h *hub) knows(k personKey) bool {
	return h.isHome(k) && h.heard(k)
}

// heard says so of somebody whose home is here.
func (h *hub) heard(k personKey) bool {
	return h.synced || h.isHomeInAll(h.sinceSynced, k)
}

// isHomeInAll says whether a person's home was here by each of some placements. By none it wasn't.
func (h *hub) isHomeInAll(placements []registry.Placement, k personKey) bool {
	return len(placements) > 0 && !slices.ContainsFunc(placements, func(p registry.Placement) bool { return p.Home(k.route()).ID != h.self })
}

// followedBy adds a placement to some. To none, or too many, it is none.
func followedBy(placements []registry.Placement, next registry.Placement) []registry.Placement {
	if len(placements) == 0 || len(placements) >= maxPlacements {
		return nil
	}
	return append(placements, next)
}

// maxPlacements: after so many changes during which not all was known, nothing is.
const maxPlacements = 16

// vanish notes that a gateway is not there any more.
func (h *hub) vanish(incarnation string, now time.Time) {
	if len(h.vanished) == 0 {
		switch h.sinceVanished = nil; {
		case h.synced:
			h.sinceVanished = []registry.Placement{h.placement}
		case len(h.sinceSynced) > 0:
			h.sinceVanished = append(slices.Clone(h.sinceSynced), h.placement)
		}
	}
	h.vanished[incarnation] = now
}

// startAlone notes that this process has just started, and is the only one there is: whoever was connected to it before is on their way back.
func (h *hub) startAlone(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.vanish("before", now) // no gateway's: the one that there is has no incarnation
}

// thaw has this process begin anew that others must take for alive again. Another home may have been told otherwise meanwhile, and have told so: nothing
// is known before all gateways have told all again. Of who isn't among it nobody is told as here, only as unknown until their time of grace is over.
func (h *hub) thaw(now time.Time) {
	for _, g := range h.gateways { // still frozen: they end by it
		h.endStream(g, now)
	}
	h.frozen = time.Time{}
	h.reported, h.awaiting, h.synced, h.sinceSynced, h.sinceVanished = false, nil, false, nil, nil
	h.past = newPast(h.cfg.PastBytes) // it may have been forgotten there
	for _, p := range h.people {
		if p.hiding != nil {
			p.departed, p.hiding = p.departed.asDeparted(now), nil
		}
		if p.departed == nil && p.visibility == shown { // they may hide by now
			p.departed = p.asDeparted(now)
		}
		if p.doubt(now); p.departed != nil {
			p.departed.doubt(now)
		}
		p.loaded = false
	}
}

// listen finds out whether somebody may be there of whom nothing is known: a gateway that lives has told nothing for too long, or has told of more than
// there was room for, or one has vanished. It returns whether that is new.
func (h *hub) listen(now time.Time) bool {
	deaf, vanished := false, len(h.vanished) > 0
	for incarnation := range h.living {
		if g := h.gateways[incarnation]; g != nil && g.complete != 0 {
			delete(h.silent, incarnation)
			deaf = deaf || g.missed
		} else if since, silent := h.silent[incarnation]; !silent {
			h.silent[incarnation] = now
		} else if now.Sub(since) >= h.cfg.Grace {
			deaf = true
		}
	}
	maps.DeleteFunc(h.silent, func(incarnation string, _ time.Time) bool { return !h.living[incarnation] })
	maps.DeleteFunc(h.vanished, func(incarnation string, since time.Time) bool {
		return h.living[incarnation] || now.Sub(since) >= h.cfg.Grace
	})
	if len(h.vanished) == 0 {
		h.sinceVanished = nil
	}
	was := h.deaf
	h.deaf = deaf
	return deaf != was || vanished && len(h.vanished) == 0
}

// checkSynced finds out whether all is known, and returns whether that is new: all gateways that live have told all, and of those whom they told of then
// it is known what they have chosen. Nobody is told as known before: who is invisible would be so later than who is offline.
func (h *hub) checkSynced() bool {
	if h.synced || len(h.living) == 0 {
		return false
	}
	if !h.reported {
		for incarnation := range h.living {
			if g := h.gateways[incarnation]; g == nil || g.complete != h.placement.Number() {
				return false
			}
		}
		h.reported, h.awaiting = true, make(map[personKey]bool, len(h.toLoad))
		for k := range h.toLoad {
			h.awaiting[k] = true
		}
	}
	if len(h.awaiting) > 0 {
		return false
	}
	h.synced, h.sinceSynced, h.awaiting = true, nil, nil
	return true
}
