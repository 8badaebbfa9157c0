package gateway

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/gateway/internal/intake"
)

// metrics are the gateway's own; those of rpc, bus and auth stand beside them.
type metrics struct {
	sessions, hubs, subscribers, followed, ringBytes, methods, refused, calling          prometheus.Gauge
	certificateEnds, exchanging                                                          prometheus.Gauge
	exchanges, exchangeBytes                                                             *prometheus.CounterVec
	opened, closed, received, replies, stopped, http                                     *prometheus.CounterVec
	sentBytes, writes, events, signals, signalsDropped, headFrames                       prometheus.Counter
	reads, gaps, replayed, fromRing, revoked, drained, malformed, intakeFull, turnedAway prometheus.Counter
	callSeconds                                                                          *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer, ledger *intake.Ledger) (*metrics, error) {
	var all []prometheus.Collector
	gauge := func(name, help string) prometheus.Gauge {
		m := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "plenum", Subsystem: "gateway", Name: name, Help: help})
		all = append(all, m)
		return m
	}
	counter := func(name, help string) prometheus.Counter {
		m := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "plenum", Subsystem: "gateway", Name: name, Help: help})
		all = append(all, m)
		return m
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		m := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "plenum", Subsystem: "gateway", Name: name, Help: help}, labels)
		all = append(all, m)
		return m
	}
	m := &metrics{
		sessions:        gauge("sessions", "Connections that are open."),
		certificateEnds: gauge("certificate_ends_seconds", "When the certificate that clients see expires, since 1970; 0: there is none."),
		hubs:            gauge("hubs", "Topics with local subscribers, or lingering."),
		subscribers:     gauge("subscribers", "Subscriptions in mode EVENTS."),
		followed:        gauge("followed_topics", "Topics in the index of heads."),
		ringBytes:       gauge("ring_bytes", "Bytes of recent events that are kept."),
		methods:         gauge("methods", "Methods that services expose."),
		refused:         gauge("refused_exposures", "What services may not expose and was refused."),
		calling:         gauge("calls_executing", "Calls to services under way."),
		exchanging:      gauge("exchanges", "Requests of HTTP routes under way."),
		exchanges:       vector("exchanges_total", "Requests of HTTP routes, by the class of their status; aborted: the client was cut off, or left.", "status"),
		exchangeBytes:   vector("exchange_bytes_total", "Bytes of bodies of HTTP routes; in: of requests.", "direction"),
		opened:          vector("sessions_opened_total", "Sessions that were welcomed, by encoding.", "encoding"),
		closed:          vector("sessions_closed_total", "Connections closed, by the number told; 0: by the client.", "code"),
		received:        vector("frames_received_total", "Frames of clients, by kind.", "kind"),
		replies:         vector("replies_total", "Answers to calls, by number; 0: success.", "code"),
		stopped:         vector("stopped_total", "Subscriptions ended by the gateway, by number.", "code"),
		http:            vector("http_calls_total", "Unary calls over HTTP, by number; 0: success.", "code"),
		sentBytes:       counter("sent_bytes_total", "Bytes written to connections."),
		writes:          counter("writes_total", "Writes to connections; each carries what a flush window gathered."),
		events:          counter("events_delivered_total", "Frames of events given to sessions."),
		signals:         counter("signals_total", "Signals published."),
		signalsDropped:  counter("signals_dropped_total", "Signals dropped by their rate limit or by conflation."),
		headFrames:      counter("head_frames_total", "Frames of heads sent."),
		reads:           counter("log_reads_total", "Reads of the log for hubs."),
		gaps:            counter("gaps_total", "Times that a hub missed an event and read it."),
		replayed:        counter("replayed_events_total", "Events given to subscribers that came back."),
		fromRing:        counter("replays_from_ring_total", "Replays that the ring could answer without a read."),
		revoked:         counter("sessions_revoked_total", "Sessions ended by a revocation."),
		drained:         counter("sessions_drained_total", "Sessions sent elsewhere by a drain."),
		malformed:       counter("malformed_total", "Messages that could not be read."),
		turnedAway:      counter("connections_refused_total", "Connections that were closed at once because there are too many."),
		intakeFull:      counter("intake_full_total", "Messages and calls refused because too much was held."),
		callSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "plenum", Subsystem: "gateway", Name: "call_seconds",
			Help: "Time of calls to services.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}, []string{"service"}),
	}
	all = append(all, m.callSeconds, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "plenum", Subsystem: "gateway", Name: "intake_bytes",
		Help: "Bytes of messages that are not finished, and of calls not answered."}, func() float64 { return float64(ledger.Held()) }))
	if r != nil {
		for _, c := range all {
			if err := r.Register(c); err != nil {
				return nil, fmt.Errorf("gateway: metrics: %w", err)
			}
		}
	}
	return m, nil
}
