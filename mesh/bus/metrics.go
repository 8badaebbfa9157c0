package bus

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	published, received, reconnects prometheus.Counter
	dropped                         *prometheus.CounterVec
	connected, subscriptions        prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		published:  prometheus.NewCounter(prometheus.CounterOpts{Name: "plenum_bus_published_total", Help: "Messages given to NATS."}),
		received:   prometheus.NewCounter(prometheus.CounterOpts{Name: "plenum_bus_received_total", Help: "Messages handed to subscribers."}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{Name: "plenum_bus_reconnects_total", Help: "Times that a lost connection was found again."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "plenum_bus_dropped_total",
			Help: "Messages dropped. away, full, too_large, closed, connection: outgoing; subscriber, receive: incoming."}, []string{"reason"}),
		connected:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "plenum_bus_connected", Help: "1 while a NATS server is reachable."}),
		subscriptions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "plenum_bus_subscriptions", Help: "Subjects subscribed to."}),
	}
	if r != nil {
		r.MustRegister(m.published, m.received, m.reconnects, m.dropped, m.connected, m.subscriptions)
	}
	return m
}

func reason(err error) string {
	switch {
	case errors.Is(err, ErrAway):
		return "away"
	case errors.Is(err, ErrFull):
		return "full"
	case errors.Is(err, ErrTooLarge):
		return "too_large"
	default:
		return "closed"
	}
}
