package rpc

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// metrics counts the calls of one side: plenum_rpc_server_… or plenum_rpc_client_…, by method and numbered code.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	active  *prometheus.GaugeVec
	panics  prometheus.Counter
}

func newMetrics(r prometheus.Registerer, service, side string) (*metrics, error) {
	labels := prometheus.Labels{"service": service}
	name := func(s string) string { return "plenum_rpc_" + side + "_" + s }
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("calls_total"), Help: "Calls that ended, by method and code; code is 0 where it went well.", ConstLabels: labels,
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name("seconds"), Help: "Duration of calls.", ConstLabels: labels,
			Buckets: []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method"}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: name("active"), Help: "Calls under way.", ConstLabels: labels,
		}, []string{"method"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: name("panics_total"), Help: "Handlers that panicked.", ConstLabels: labels,
		}),
	}
	if r == nil {
		return m, nil
	}
	return m, errors.Join(register(r, &m.calls), register(r, &m.seconds), register(r, &m.active), register(r, &m.panics))
}

// register adds a collector, or takes over the one that another connection of the process has added.
func register[C prometheus.Collector](r prometheus.Registerer, c *C) error {
	err := r.Register(*c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if old, ok := already.ExistingCollector.(C); ok {
			*c = old
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("rpc: %w", err)
	}
	return nil
}

// begin counts a call in; what it returns counts it out.
func (m *metrics) begin(method string) (done func(error)) {
	start := time.Now()
	active := m.active.WithLabelValues(method)
	active.Inc()
	return func(err error) {
		active.Dec()
		m.seconds.WithLabelValues(method).Observe(time.Since(start).Seconds())
		m.calls.WithLabelValues(method, codeLabel(CodeOf(err))).Inc()
	}
}

func codeLabel(c edgev1.Code) string { return fmt.Sprint(int32(c)) }
