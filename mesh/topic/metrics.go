package topic

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/mesh/rpc"
)

type metrics struct {
	mutations                        *prometheus.HistogramVec
	rows, retries, lost, unpublished prometheus.Counter
}

func newMetrics(r prometheus.Registerer, service string, waiting func() int) *metrics {
	l := prometheus.Labels{"service": service}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "plenum_topic_" + name, Help: help, ConstLabels: l})
	}
	m := &metrics{
		mutations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plenum_topic_mutation_seconds", Help: "From the submission of a mutation to its COMMIT, by the code of its outcome.",
			ConstLabels: l, Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"code"}),
		rows:        counter("rows_total", "Rows committed to the log."),
		retries:     counter("retries_total", "Mutations answered by their key."),
		lost:        counter("lost_commits_total", "Transactions whose connection broke during COMMIT."),
		unpublished: counter("unpublished_total", "Events that were committed and could not be published; digests repair them."),
	}
	if r != nil {
		r.MustRegister(m.mutations, m.rows, m.retries, m.lost, m.unpublished, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "plenum_topic_waiting", Help: "Mutations that are queued or being committed.", ConstLabels: l,
		}, func() float64 { return float64(waiting()) }))
	}
	return m
}

func (m *metrics) mutation(begun time.Time, err error) error {
	m.mutations.WithLabelValues(rpc.CodeOf(err).String()).Observe(time.Since(begun).Seconds())
	return err
}
