package presence

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/mesh/registry"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// TestMetrics: an operator sees that people are not shown as they are, and why.
func TestMetrics(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := &Server{hub: newHub(DefaultConfig(), "presence-1"), views: newViews(), rooms: newRooms()}
	all, h := prometheus.NewRegistry(), s.hub
	register(all, s)
	seen := map[string]float64{}
	expect := func(what string, changed map[string]float64) {
		t.Helper()
		families, err := all.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			name, m := f.GetName()[len("plenum_presence_"):], f.GetMetric()[0]
			is := m.GetGauge().GetValue() + m.GetCounter().GetValue()
			if want, changes := changed[name]; changes && is != want || !changes && is != seen[name] {
				t.Errorf("%s: %s is %v, and was %v", what, name, is, seen[name])
			}
			delete(changed, name)
			seen[name] = is
		}
		if len(changed) > 0 {
			t.Errorf("%s: there is no %v", what, changed)
		}
	}
	place := registry.NewPlacement([]registry.Node{{ID: "presence-1"}, {ID: "presence-2"}})
	here, away := personKey{"w", ""}, personKey{"w", ""}
	for i := 0; here.user == "" || away.user == ""; i++ {
		if k := (personKey{"w", fmt.Sprint("user-", i)}); place.Home(k.route()).ID == "presence-1" {
			here = k
		} else {
			away = k
		}
	}
	expect("nothing is known", map[string]float64{"unknown": 1})
	h.setPlacement(now, place, []string{"a"}, true)
	g := h.openStream("a", now)
	h.report(g, &rosterv1.ReportRequest{Complete: place.Number()}, now)
	expect("all is known", map[string]float64{"unknown": 0, "gateways": 1})
	h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: 1, Workspace: "w", User: here.user, Session: "s"}}}, now)
	expect("somebody has come", map[string]float64{"people": 1, "choices_waiting": 1})
	h.watch(newWatcher(0), []personKey{away})
	for _, m := range h.mirrors {
		h.loseMirror(m, now)
	}
	expect("a home is lost", map[string]float64{"people": 2, "homes_lost": 1})
	h.cfg.People = 2
	h.report(g, &rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: 2, Workspace: "w", User: "too many", Session: "s"}}}, now)
	expect("there is no room", map[string]float64{"deaf": 1})
	h.setPlacement(now, place, []string{"a"}, false)
	h.ended, h.lastSeen[here] = make([]record, 2), 1
	expect("the lease has ended", map[string]float64{"frozen": 1, "records_waiting": 2, "seen_waiting": 1})
	s.deliveries.note(&edgev1.View{Entries: make([]*edgev1.Entry, 3)})
	s.deliveries.note(&edgev1.View{Entries: make([]*edgev1.Entry, 2)})
	expect("two updates", map[string]float64{"updates_total": 2, "entries_total": 5})
}
