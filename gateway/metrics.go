package gateway

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/gateway/internal/intake"
)

// metrics are the gateway's own; those of rpc, bus and auth stand beside them.
type metrics struct {
	by                                                                                          [transports]transportMetrics
	hubs, followed, ringBytes, methods, refused, calling                                        prometheus.Gauge
	certificateEnds, views, exchanging                                                          prometheus.Gauge
	opened, closed, received, replies, stopped, http, shed, unwelcome, exchanges, exchangeBytes *prometheus.CounterVec
	sentBytes, writes, events, signals, signalsDropped, headFrames, viewFrames                  prometheus.Counter
	reads, gaps, replayed, fromRing, revoked, drained, malformed, intakeFull, turnedAway        prometheus.Counter
	requestsRefused                                                                             prometheus.Counter
	callSeconds                                                                                 *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer, ledger *intake.Ledger, memory *shedder) (*metrics, error) {
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
		certificateEnds: gauge("certificate_ends_seconds", "When the certificate that clients see expires, since 1970; 0: there is none."),
		hubs:            gauge("hubs", "Topics with local subscribers, or lingering."),
		views:           gauge("views", "Topics of the class VIEW that are followed."),
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
		unwelcome:       vector("sessions_refused_total", "Sessions that were not begun, by reason.", "reason"),
		shed:            vector("shed_total", "What was refused because memory is short: session, call.", "what"),
		http:            vector("http_calls_total", "Unary calls over HTTP, by number; 0: success.", "code"),
		sentBytes:       counter("sent_bytes_total", "Bytes written to connections."),
		writes:          counter("writes_total", "Writes to connections; each carries what a flush window gathered."),
		events:          counter("events_delivered_total", "Frames of events given to sessions."),
		signals:         counter("signals_total", "Signals published."),
		signalsDropped:  counter("signals_dropped_total", "Signals dropped by their rate limit or by conflation."),
		headFrames:      counter("head_frames_total", "Frames of heads sent."),
		viewFrames:      counter("view_frames_total", "Frames of views sent."),
		reads:           counter("log_reads_total", "Reads of the log for hubs."),
		gaps:            counter("gaps_total", "Times that a hub missed an event and read it."),
		replayed:        counter("replayed_events_total", "Events given to subscribers that came back."),
		fromRing:        counter("replays_from_ring_total", "Replays that the ring could answer without a read."),
		revoked:         counter("sessions_revoked_total", "Sessions ended by a revocation."),
		drained:         counter("sessions_drained_total", "Sessions sent elsewhere by a drain."),
		malformed:       counter("malformed_total", "Messages that could not be read."),
		turnedAway:      counter("connections_refused_total", "Connections that were closed at once because there are too many."),
		requestsRefused: counter("requests_refused_total", "Requests over HTTP answered 503 because too many are being answered."),
		intakeFull:      counter("intake_full_total", "Messages and calls refused because too much was held."),
		callSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "plenum", Subsystem: "gateway", Name: "call_seconds",
			Help: "Time of calls to services.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}, []string{"service"}),
	}
	ask := func(name, help string, value func() float64) {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "plenum", Subsystem: "gateway", Name: name, Help: help}, value))
	}
	ask("intake_bytes", "Bytes of messages that are not finished, and of calls not answered.", func() float64 { return float64(ledger.Held()) })
	ask("live_bytes", "Memory that the process needs, as shed_bytes bounds it: the live heap and stacks.", func() float64 {
		used, _ := memory.look()
		return float64(used)
	})
	ask("shedding", "1 while nothing new is taken because memory is short.", func() float64 {
		if _, short := memory.look(); short {
			return 1
		}
		return 0
	})
	sessions := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "plenum", Subsystem: "gateway", Name: "sessions", Help: "Sessions that are open, by transport."}, []string{"transport"})
	subscribers := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "plenum", Subsystem: "gateway", Name: "subscribers", Help: "Subscriptions in mode EVENTS, by the session's transport."}, []string{"transport"})
	for i, name := range transportNames {
		m.by[i] = transportMetrics{sessions.WithLabelValues(name), subscribers.WithLabelValues(name)}
	}
	all = append(all, sessions, subscribers, m.callSeconds)
	if r != nil {
		for _, c := range all {
			if err := r.Register(c); err != nil {
				return nil, fmt.Errorf("gateway: metrics: %w", err)
			}
		}
	}
	return m, nil
}

// transportMetrics are those of the sessions over one transport.
type transportMetrics struct{ sessions, subscribers prometheus.Gauge }

// What carries sessions, in the order of transportNames.
const (
	overWebSocket = iota
	overEvents
	overPoll
	transports
)

var transportNames = [transports]string{"websocket", "sse", "poll"}

// metrics are those of the session's transport.
func (s *session) metrics() *transportMetrics {
	i := overWebSocket
	if t := s.stream(); t != nil {
		if i = overEvents; t.poll {
			i = overPoll
		}
	}
	return &s.g.metrics.by[i]
}
