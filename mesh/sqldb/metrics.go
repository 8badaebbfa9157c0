package sqldb

import (
	"database/sql"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts is what a database was asked for since it was opened.
type counts struct{ reads, transactions atomic.Uint64 }

// Register makes a service's database known to r: what it is asked for, and how its connections are used.
func (db *DB) Register(r prometheus.Registerer, service string) {
	labels := prometheus.Labels{"service": service}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "plenum_sqldb_" + name, Help: help, ConstLabels: labels}, value)
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "plenum_sqldb_" + name, Help: help, ConstLabels: labels}, value)
	}
	asked := func(n *atomic.Uint64) func() float64 { return func() float64 { return float64(n.Load()) } }
	pools := func(value func(sql.DBStats) float64) func() float64 {
		return func() float64 { return value(db.read.Stats()) + value(db.write.Stats()) }
	}
	r.MustRegister(
		counter("reads_total", "Statements, and groups of statements on one state, that were read outside of transactions that write.", asked(&db.counts.reads)),
		counter("transactions_total", "Transactions that were begun to write.", asked(&db.counts.transactions)),
		counter("waited_seconds_total", "How long callers have waited for a connection, all together.",
			pools(func(s sql.DBStats) float64 { return s.WaitDuration.Seconds() })),
		gauge("connections", "Connections that are open.", pools(func(s sql.DBStats) float64 { return float64(s.OpenConnections) })),
		gauge("connections_busy", "Connections in use.", pools(func(s sql.DBStats) float64 { return float64(s.InUse) })),
	)
}
