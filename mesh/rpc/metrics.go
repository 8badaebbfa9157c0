package rpc

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/mesh/obs"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// metrics counts the calls of one side: plenum_rpc_server_… or plenum_rpc_client_…, by method and numbered code.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	active  *prometheus.GaugeVec
	panics  prometheus.Counter
	methods sync.Map // string -> *methodMetrics: of the methods that were called
}

// methodMetrics are those of one method: to find them by their labels costs more than to count.
type methodMetrics struct {
	active  prometheus.Gauge
	seconds prometheus.Observer
	ok      prometheus.Counter
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
	return m, errors.Join(obs.Register(r, &m.calls), obs.Register(r, &m.seconds), obs.Register(r, &m.active), obs.Register(r, &m.panics))
}

// begin counts a call in; what it returns counts it out.
func (m *metrics) begin(method string) (done func(error)) {
	start, of := time.Now(), m.of(method)
	of.active.Inc()
	return func(err error) {
		of.active.Dec()
		of.seconds.Observe(time.Since(start).Seconds())
		if err == nil {
			of.ok.Inc()
			return
		}
		m.calls.WithLabelValues(method, codeLabel(CodeOf(err))).Inc()
	}
}

// of returns a method's metrics. A server knows its methods, and a client calls those of the contract: their number is bounded by it.
func (m *metrics) of(method string) *methodMetrics {
	if known, ok := m.methods.Load(method); ok {
		return known.(*methodMetrics) //nolint:forcetypeassert // nothing else is in there
	}
	known, _ := m.methods.LoadOrStore(method, &methodMetrics{
		m.active.WithLabelValues(method), m.seconds.WithLabelValues(method), m.calls.WithLabelValues(method, codeLabel(CodeOf(nil))),
	})
	return known.(*methodMetrics) //nolint:forcetypeassert // as above
}

func codeLabel(c edgev1.Code) string { return fmt.Sprint(int32(c)) }
