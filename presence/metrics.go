package presence

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// deliveries count what views are told, and which are refused.
type deliveries struct{ updates, entries, refused atomic.Uint64 }

func (d *deliveries) note(u *edgev1.View) {
	d.updates.Add(1)
	d.entries.Add(uint64(len(u.GetEntries())))
}

// register adds what the process knows, and what it tells.
func register(r prometheus.Registerer, s *Server) {
	if r == nil {
		return
	}
	gauge := func(name, help string, mu sync.Locker, of func() int) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "plenum", Subsystem: "presence", Name: name, Help: help}, func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return float64(of())
		}))
	}
	counter := func(name, help string, of func() uint64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "plenum", Subsystem: "presence", Name: name, Help: help}, func() float64 {
			return float64(of())
		}))
	}
	one := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	h, mu := s.hub, &s.hub.mu
	gauge("people", "People who are known here, because they have sessions or are looked at.", mu, func() int { return len(h.people) })
	gauge("gateways", "Gateways that tell this process of sessions.", mu, func() int { return len(h.gateways) })
	gauge("unknown", "1 while not all gateways have told this process all.", mu, func() int { return one(!h.synced) })
	gauge("deaf", "1 while a gateway that lives says nothing, or has told of more people than there is room for: nobody is told as offline.", mu,
		func() int { return one(h.deaf) })
	gauge("frozen", "1 while others may take this process for dead: what it tells may be old.", mu, func() int { return one(!h.frozen.IsZero()) })
	gauge("homes_lost", "Other processes whose people are told as unknown, because nothing is heard of them.", mu, func() (n int) {
		for _, m := range h.mirrors {
			n += one(m.lost && len(m.people) > 0)
		}
		return n
	})
	gauge("choices_waiting", "People of whom it has to be read yet what they have chosen.", mu, func() int { return len(h.toLoad) })
	gauge("records_waiting", "Records of sessions that are to be written down.", mu, func() int { return len(h.ended) })
	gauge("seen_waiting", "People who have gone, and of whom it is to be written down yet when they were here last.", mu, func() int { return len(h.lastSeen) })
	gauge("past_bytes", "Bytes that what people have been doing takes.", mu, func() int { return h.past.bytes })
	gauge("views", "Views of people and channels that are open.", &s.views.mu, func() int { return s.views.n })
	gauge("rooms", "Channels that are looked at.", &s.rooms.mu, func() int { return len(s.rooms.all) })
	gauge("room_members", "Members of the channels that are looked at, taken together.", &s.rooms.mu, func() int { return s.rooms.members })
	counter("records_lost_total", "Records of sessions for which there was no room while the database was away.", func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return uint64(h.lostRecords)
	})
	counter("updates_total", "Updates that views were told.", s.deliveries.updates.Load)
	counter("entries_total", "Entries in them.", s.deliveries.entries.Load)
	counter("views_refused_total", "Views for which there was no room.", s.deliveries.refused.Load)
}
