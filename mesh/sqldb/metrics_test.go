package sqldb_test

import (
	"database/sql"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/mesh/meshtest"
)

func TestMetricsCountWhatADatabaseIsAskedFor(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, registry := open(t, url), prometheus.NewRegistry()
		db.Register(registry, "desk")
		before := values(t, registry)
		for range 3 {
			if err := db.QueryRow(t.Context(), "SELECT count(*) FROM thing").Scan(new(int)); err != nil {
				t.Fatal(err)
			}
		}
		nothing := func(*sql.Tx) error { return nil }
		if err := db.Read(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
		busy := 0.0
		err := db.Write(t.Context(), func(*sql.Tx) error {
			busy = values(t, registry)["plenum_sqldb_connections_busy"]
			return nil
		})
		if err != nil || busy != 1 {
			t.Errorf("%v connections are busy in a transaction, %v", busy, err)
		}
		after := values(t, registry)
		if n := after["plenum_sqldb_reads_total"] - before["plenum_sqldb_reads_total"]; n != 4 {
			t.Errorf("%v reads", n)
		}
		if n := after["plenum_sqldb_transactions_total"] - before["plenum_sqldb_transactions_total"]; n != 1 {
			t.Errorf("%v transactions", n)
		}
		if n := after["plenum_sqldb_connections"]; n < 2 {
			t.Errorf("%v connections are open, of two pools", n)
		}
	})
}

// values are all metrics of the service desk.
func values(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() != "desk" {
				t.Errorf("%s: %v", f.GetName(), m.GetLabel())
			}
			out[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}
