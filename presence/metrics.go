package presence

import "github.com/prometheus/client_golang/prometheus"

// register adds gauges of what the process knows.
func register(r prometheus.Registerer, s *Server) {
	if r == nil {
		return
	}
	gauge := func(name, help string, of func() int) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "plenum", Subsystem: "presence", Name: name, Help: help}, func() float64 { return float64(of()) }))
	}
	counted := func(of func(h *house) int) func() int {
		return func() int {
			s.house.mu.Lock()
			defer s.house.mu.Unlock()
			return of(s.house)
		}
	}
	gauge("people", "People who are known here, because they have sessions or are looked at.", counted(func(h *house) int { return len(h.people) }))
	gauge("gateways", "Gateways that tell this process of sessions.", counted(func(h *house) int { return len(h.gateways) }))
	gauge("unknown", "1 while not all gateways have told this process all.", counted(func(h *house) int {
		if h.whole {
			return 0
		}
		return 1
	}))
	gauge("views", "Views of people and channels that are open.", func() int {
		s.views.mu.Lock()
		defer s.views.mu.Unlock()
		return s.views.n
	})
	of := func(count func(a *halls) int) func() int {
		return func() int {
			s.halls.mu.Lock()
			defer s.halls.mu.Unlock()
			return count(s.halls)
		}
	}
	gauge("rooms", "Channels that are looked at.", of(func(a *halls) int { return len(a.all) }))
	gauge("room_members", "Members of the channels that are looked at, taken together.", of(func(a *halls) int { return a.members }))
}
